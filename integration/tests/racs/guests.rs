//! Users beside guests.

use integration::chain::{CardPlan, Chain, ChainPlan, GuestPlan};
use integration::openssl::{OpensslServer, ServerPlan};
use integration::pki::{KeyKind, Pki};
use integration::racs_user::{ALL, RacsDesk, user_of};
use integration::rogue_guest::{self, RogueGuest};
use integration::tls_server::{TlsServer, echo};
use integration::wait;
use proto::agent::{Dom0Message, RefusalCode};
use proto::card::{EapCardCommand, ExportIndex};

use super::{OK, VERIFY, of, select, wait_for_all};

const NAME: &str = "www.example";

fn maintenance(chain: &Chain, set: &str) {
    let output = chain.admin(&["card", "maintenance", "se-00", set]);
    assert!(output.status.success(), "{output:?}");
}

/// A guest with its card, which a user may do everything with.
fn start(pki: &Pki, plan: ChainPlan) -> (RacsDesk, Chain) {
    let desk = RacsDesk::new(pki);
    let user = user_of("one", &[("se-00", ALL)]);
    let plan = plan.more_config(&desk.config("", &[&user]));
    let chain = Chain::start(pki, &plan);
    (desk, chain)
}

#[test]
fn a_guests_card_is_a_users_in_maintenance_only() {
    let pki = Pki::new();
    let (desk, chain) = start(&pki, ChainPlan::single(KeyKind::P256));
    let credential = pki.server(NAME, KeyKind::P256);
    let server = OpensslServer::start(&pki, &ServerPlan::new(&credential));
    let guest = chain.guest("web01");
    guest.converse(&server, NAME);

    let mut user = desk.user(&chain, "one");
    wait_for_all(&mut user, &["se-00"]);
    assert_eq!(user.code("POWERON se-00"), "-708 001");
    assert_eq!(user.code("RESET se-00"), "-705 001");
    assert_eq!(user.code("SHUTDOWN se-00"), "-707 001");
    assert_eq!(user.code("APDU se-00 00A40400"), "-706 001");
    guest.converse(&server, NAME);

    maintenance(&chain, "on");
    wait::until("the handshake before is over", || {
        (user.code("POWERON se-00") == "+008 001").then_some(())
    });
    assert_eq!(user.apdu("se-00", &select()), OK);
    let refused = guest.connect(server.port(), NAME);
    assert_eq!(refused.expect_err("in maintenance").code, "no-card");
    // What the agent was told, by one that says it.
    let mut by_hand = RogueGuest::admitted(&chain.door("web01"));
    by_hand.send(&rogue_guest::open(1, NAME));
    let refused = loop {
        match by_hand.receive() {
            Some(Dom0Message::Refused(refused)) => break refused,
            other => assert!(other.is_some(), "no answer"),
        }
    };
    assert_eq!(refused.code, RefusalCode::NoCard);
    assert!(refused.retry_after_ms.is_some(), "when to come back");
    drop(by_hand);

    maintenance(&chain, "off");
    let said = user.say("APDU se-00 00A40400");
    assert!(said.starts_with("-706 001"), "{said}");
    assert_eq!(user.code("POWERON se-00"), "-708 001");
    guest.converse(&server, NAME);
}

#[test]
fn a_user_gets_nothing_out_of_a_guests_card() {
    let pki = Pki::new();
    let (desk, chain) = start(&pki, ChainPlan::single(KeyKind::P256));
    let credential = pki.server(NAME, KeyKind::P256);
    let server = OpensslServer::start(&pki, &ServerPlan::new(&credential));
    chain.guest("web01").converse(&server, NAME);
    maintenance(&chain, "on");
    let mut user = desk.user(&chain, "one");
    wait::until("the card is the user's", || {
        (user.code("POWERON se-00") == "+008 001").then_some(())
    });
    assert_eq!(user.apdu("se-00", &select()), OK);
    let name = "web01".parse().expect("a name");
    let start = EapCardCommand::ProcessEap {
        more: false,
        data: vec![1, 1, 0, 6, 13, 0x20],
    };
    let mut forbidden = vec![
        VERIFY.to_owned(),
        // A changed PIN, a PIN of the other holder, MSK, a session to be planted.
        "A024000008313233343938373600".to_owned(),
        "A02000010431323334".to_owned(),
        "A0A6000000".to_owned(),
        "A060C2000401020304".to_owned(),
        of(&EapCardCommand::SetIdentity(name)),
        of(&start),
    ];
    for index in [0x81, 0x82, 0x84, 0x85] {
        forbidden.push(of(&EapCardCommand::ExportedParameter(ExportIndex::from(
            index,
        ))));
    }
    for apdu in forbidden {
        for cla in ["A0", "00", "80", "A1", "04", "10", "C3"] {
            let apdu = format!("{cla}{}", &apdu[2..]);
            assert_eq!(
                user.code(&format!("APDU se-00 {apdu}")),
                "-606 001",
                "{apdu}"
            );
        }
        let fetch = format!("APDU se-00 00A40400 MORE=90 FETCH={}", &apdu[..8]);
        assert_eq!(user.code(&fetch), "-606 001", "{fetch}");
    }
    assert_eq!(chain.pin_tries("se-00"), 3, "none was spent");
    drop(user);
    maintenance(&chain, "off");
    chain.guest("web01").converse(&server, NAME);
}

#[test]
fn with_raw_key_use_the_reset_between_uses_still_stands() {
    let pki = Pki::new();
    let desk = RacsDesk::new(&pki);
    let user = user_of("one", &[("se-00", ALL)]);
    let card = CardPlan::new("se-00")
        .identity("web01", KeyKind::P256)
        .raw_key_use();
    let plan = ChainPlan::new()
        .card(card)
        .guest(GuestPlan::new("web01").bound("se-00", "web01"))
        .more_config(&desk.config("", &[&user]));
    let chain = Chain::start(&pki, &plan);
    let credential = pki.server(NAME, KeyKind::P256);
    let server = OpensslServer::start(&pki, &ServerPlan::new(&credential));
    chain.guest("web01").converse(&server, NAME);
    maintenance(&chain, "on");
    let mut user = desk.user(&chain, "one");
    wait::until("the card is the user's", || {
        (user.code("POWERON se-00") == "+008 001").then_some(())
    });
    assert_eq!(user.apdu("se-00", &select()), OK);
    for index in 0..=u8::MAX {
        let export = of(&EapCardCommand::ExportedParameter(ExportIndex::from(index)));
        let answer = user.apdu("se-00", &export);
        assert!(
            answer.len() == 4 && answer != OK,
            "index {index:02X}: {answer}"
        );
    }
    // The PIN that the service has verified is gone; this user knows it.
    assert_eq!(user.apdu("se-00", VERIFY), OK);
}

#[test]
fn a_user_cannot_sign_with_a_guests_key() {
    let pki = Pki::new();
    let (desk, chain) = start(&pki, ChainPlan::single_piv(KeyKind::P256));
    let credential = pki.server(NAME, KeyKind::P256);
    let server = TlsServer::start(&pki, &credential, &rustls::version::TLS13, echo);
    let session = chain.guest("web01").connect(server.port(), NAME);
    session.expect("a session").close();
    maintenance(&chain, "on");
    let mut user = desk.user(&chain, "one");
    wait::until("the card is the user's", || {
        (user.code("POWERON se-00") == "+008 001").then_some(())
    });
    let selected = user.apdu("se-00", "00A404000BA000000308000010000100");
    assert!(
        selected.ends_with(OK) || selected.starts_with("61"),
        "{selected}"
    );
    let hash = "55".repeat(32);
    for cla in ["00", "0C", "10", "01"] {
        let sign = format!("APDU se-00 {cla}87119A267C2482008120{hash}00");
        assert_eq!(user.code(&sign), "-606 001");
    }
    // New key, new object.
    for apdu in ["0047009A05AC03800111", "00DB3FFF055C035FC105", "00FF0000"] {
        assert_eq!(
            user.code(&format!("APDU se-00 {apdu}")),
            "-606 001",
            "{apdu}"
        );
    }
}
