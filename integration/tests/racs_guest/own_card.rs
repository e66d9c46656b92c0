//! What a guest can do with its card, and that it can do nothing else.

use integration::chain::{CardPlan, Chain, ChainPlan, GuestPlan};
use integration::pki::{KeyKind, Pki};
use integration::racs_guest::RacsGuest;
use integration::tls_server::{TlsServer, echo};
use integration::wait;
use integration::xenstored::uuid;
use proto::card::{EapCardCommand, ExportIndex};

use super::{EVERYTHING, LIST, NAME, OK, holder, json, of, plan, run, select, server};

#[test]
fn a_guest_speaks_to_its_own_card_and_sees_no_other() {
    let chain = Chain::start(&Pki::new(), &plan(LIST));
    let mut guest = RacsGuest::start(&chain, "web01");
    assert_eq!(guest.say("LIST"), "+004 001 se-00");
    assert_eq!(guest.code("POWERON se-00"), "+008 001");
    let own = uuid(1);
    assert_eq!(holder(&chain, "se-00"), Some(format!("guest {own}")));
    assert_eq!(guest.apdu("se-00", &select()), OK);
    assert_eq!(guest.code("RESET se-00 WARM"), "+005 001");
    assert_eq!(guest.code("APDU se-00 00A40000023F00"), "-606 001");
    // Another guest's card is one that there is not.
    for command in ["POWERON", "RESET", "SHUTDOWN", "APDU"] {
        let of = |seid: &str| format!("{command} {seid} 00A40400");
        let other = guest.say(&of("se-01"));
        assert_eq!(other, guest.say(&of("se-77")), "{command}");
        assert!(other.starts_with("-40"), "{other}");
    }
    // The other guest has its own, at the same time.
    let mut other = RacsGuest::start(&chain, "web02");
    assert_eq!(other.say("LIST"), "+004 001 se-01");
    assert_eq!(other.apdu("se-01", &select()), OK);
    assert_eq!(guest.code("SHUTDOWN se-00"), "+007 001");
    assert_eq!(
        guest.code("SHUTDOWN se-00"),
        "+007 001",
        "it is off already"
    );
    wait::until("the card is back", || {
        holder(&chain, "se-00").is_none().then_some(())
    });
    guest.end_input();
    assert_eq!(guest.rest(), "");
    assert_eq!(guest.ended().0, Some(0));

    let audited = |event: &str| {
        wait::until(event, || {
            let mut records = chain.audited(event).into_iter();
            let of = |record: &serde_json::Value| {
                record["domain"] == own || record["holder"] == format!("guest {own}")
            };
            records.rfind(of)
        })
    };
    assert_eq!(audited("guest-admitted")["name"], "web01");
    let connected = audited("racs-connected");
    assert_eq!(
        (&connected["user"], &connected["address"]),
        (&"web01".into(), &"domid 1".into())
    );
    assert_eq!(audited("card-lent")["seid"], "se-00");
    let returned = audited("card-returned");
    assert_eq!(
        (&returned["end"], &returned["apdus"]),
        (&"returned".into(), &1.into())
    );
    let closed = audited("racs-closed");
    assert_eq!(
        (&closed["why"], &closed["apdus_refused"]),
        (&"the guest left".into(), &1.into())
    );
}

#[test]
fn a_script_is_answered_to_its_end() {
    let chain = Chain::start(&Pki::new(), &plan(LIST));
    let mut guest = RacsGuest::start(&chain, "web01");
    let select = select();
    let request =
        format!("BEGIN {{}}\r\nAPDU se-00 {select} APPEND\r\nAPDU se-00 {select}\r\nEND\r\n");
    let script: String = (0..50)
        .map(|n| request.replace("{}", &n.to_string()))
        .collect();
    guest.send(script.as_bytes()).expect("it reads");
    guest.end_input();
    let said = guest.rest();
    for n in 0..50 {
        let response = format!("BEGIN {n}\r\n+006 001 9000\r\n+006 002 9000\r\nEND\r\n");
        assert!(said.contains(&response), "{n}: {said}");
    }
    assert_eq!(guest.ended().0, Some(0));
}

#[test]
fn nothing_of_a_handshake_and_no_key_is_a_guests_own() {
    let pki = Pki::new();
    let chain = Chain::start(&pki, &plan(EVERYTHING));
    let server = server(&pki);
    chain.guest("web01").converse(&server, NAME);
    let mut guest = RacsGuest::start(&chain, "web01");
    assert_eq!(guest.code("POWERON se-00"), "+008 001");
    assert_eq!(guest.apdu("se-00", &select()), OK);
    let name = "web01".parse().expect("a name");
    let start = EapCardCommand::ProcessEap {
        more: false,
        data: vec![1, 1, 0, 6, 13, 0x20],
    };
    // VERIFY, a changed PIN, MSK, a session to be planted, an identity to be set, a handshake.
    let mut forbidden = vec![
        "A02000000431323334".to_owned(),
        "A024000008313233343938373600".to_owned(),
        "A0A6000000".to_owned(),
        "A060C2000401020304".to_owned(),
        of(&EapCardCommand::SetIdentity(name)),
        of(&start),
    ];
    for index in [0x81, 0x82, 0x84, 0x85] {
        let index = ExportIndex::from(index);
        forbidden.push(of(&EapCardCommand::ExportedParameter(index)));
    }
    for apdu in forbidden {
        for cla in ["A0", "00", "80", "A1"] {
            let apdu = format!("{cla}{}", &apdu[2..]);
            let said = guest.code(&format!("APDU se-00 {apdu}"));
            assert_eq!(said, "-606 001", "{apdu}");
        }
        let fetch = format!("APDU se-00 00A40400 MORE=90 FETCH={}", &apdu[..8]);
        assert_eq!(guest.code(&fetch), "-606 001", "{fetch}");
    }
    assert_eq!(chain.pin_tries("se-00"), 3, "none was spent");
    guest.end_input();
    assert_eq!(guest.ended().0, Some(0));
    chain.guest("web01").converse(&server, NAME);
}

#[test]
fn a_guest_cannot_have_its_piv_card_sign() {
    let pki = Pki::new();
    let plan = ChainPlan::new()
        .card(CardPlan::piv("se-00").identity("9a", KeyKind::P256))
        .guest(
            GuestPlan::new("web01")
                .bound("se-00", "9a")
                .raw_apdu(EVERYTHING),
        );
    let chain = Chain::start(&pki, &plan);
    let credential = pki.server(NAME, KeyKind::P256);
    let server = TlsServer::start(&pki, &credential, &rustls::version::TLS13, echo);
    let session = chain.guest("web01").connect(server.port(), NAME);
    session.expect("a session").close();
    let mut guest = RacsGuest::start(&chain, "web01");
    let selected = guest.apdu("se-00", "00A404000BA000000308000010000100");
    assert!(
        selected.ends_with(OK) || selected.starts_with("61"),
        "{selected}"
    );
    let hash = "55".repeat(32);
    for apdu in [
        &format!("0087119A267C2482008120{hash}00"),
        "0047009A05AC03800111",
        "00DB3FFF055C035FC105",
        "00FF0000",
    ] {
        let said = guest.code(&format!("APDU se-00 {apdu}"));
        assert_eq!(said, "-606 001", "{apdu}");
    }
    drop(guest);
    wait::until("the card is back", || {
        holder(&chain, "se-00").is_none().then_some(())
    });
    let session = chain.guest("web01").connect(server.port(), NAME);
    session.expect("a session").close();
}

#[test]
fn a_reset_stands_between_a_handshake_and_its_guests_apdus() {
    let pki = Pki::new();
    let card = CardPlan::new("se-00")
        .identity("web01", KeyKind::P256)
        .raw_key_use();
    let plan = ChainPlan::new().card(card).guest(
        GuestPlan::new("web01")
            .bound("se-00", "web01")
            .raw_apdu(EVERYTHING),
    );
    let chain = Chain::start(&pki, &plan);
    let server = server(&pki);
    chain.guest("web01").converse(&server, NAME);
    let mut guest = RacsGuest::start(&chain, "web01");
    assert_eq!(guest.apdu("se-00", &select()), OK);
    for index in 0..=u8::MAX {
        let export = of(&EapCardCommand::ExportedParameter(ExportIndex::from(index)));
        let answer = guest.apdu("se-00", &export);
        assert!(
            answer.len() == 4 && answer != OK,
            "index {index:02X}: {answer}"
        );
    }
    // And back: what the guest has verified and chosen is gone for the next handshake.
    assert_eq!(guest.apdu("se-00", "A02000000431323334"), OK);
    drop(guest);
    chain.guest("web01").converse(&server, NAME);
}

#[test]
fn status_and_queue_show_say_who_has_the_card() {
    let chain = Chain::start(&Pki::new(), &plan(LIST));
    let mut guest = RacsGuest::start(&chain, "web01");
    assert_eq!(guest.code("POWERON se-00"), "+008 001");
    let who = format!("guest {}", uuid(1));
    let status = run(&chain, &["status"], 0);
    assert!(status.contains("1 speaks RACS"), "{status}");
    let connections = json(&chain, &["status"])["connections"].clone();
    let racs = connections.as_array().expect("a list").iter();
    assert_eq!(racs.filter(|view| view["racs"] == true).count(), 1);
    let queue = run(&chain, &["queue", "show"], 0);
    assert!(queue.contains(&who), "{queue}");
    let list = run(&chain, &["vm", "list"], 0);
    assert!(list.contains("raw APDUs"), "{list}");
    let show = run(&chain, &["vm", "show", "web01"], 0);
    assert!(show.contains("raw APDUs FFFFFF00 00A40400"), "{show}");
    // It finds nothing wrong with that, once all agents are connected.
    wait::until("doctor is content", || {
        let output = chain.admin(&["doctor"]);
        output.status.success().then_some(())
    });
}
