//! Cards that are lent for raw APDUs, beside guests who use them.

mod desk;

use integration::chain::{Chain, ChainPlan};
use integration::openssl::{OpensslServer, ServerPlan};
use integration::payload::payload;
use integration::pki::{KeyKind, Pki};
use integration::tls_server::{TlsServer, echo};
use integration::wait;
use proto::apdu::{Aid, CommandApdu};
use proto::card::{EapCardCommand, ExportIndex};
use serde_json::Value;

use self::desk::{Borrower, with_desk};

const NAME: &str = "www.example";

fn maintenance(chain: &Chain, set: &str) -> Value {
    let output = chain.admin(&["card", "maintenance", "se-00", set, "--json"]);
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// Waits for the card of a holder that has given it back.
fn acquire(borrower: &mut Borrower) -> String {
    wait::until("the card", || {
        let said = borrower.say("acquire se-00");
        (!said.starts_with("no: ")).then_some(said)
    })
}

fn select(borrower: &mut Borrower, aid: &Aid) {
    let select = CommandApdu::new(0x00, 0xA4, 0x04, 0x00).with_data(aid.as_bytes());
    let (_, sw) = borrower.transmit(&select.expect("short"));
    assert!(sw == 0x9000 || sw >> 8 == 0x61, "{sw:04X}");
}

#[test]
fn a_guests_card_is_lent_in_maintenance_only_and_serves_the_guest_again() {
    let pki = Pki::new();
    let chain = Chain::start(&pki, &with_desk(ChainPlan::single(KeyKind::P256)));
    let credential = pki.server(NAME, KeyKind::P256);
    let server = OpensslServer::start(&pki, &ServerPlan::new(&credential));
    let guest = chain.guest("web01");
    guest.converse(&server, NAME);

    let mut borrower = Borrower::of(&chain);
    assert_eq!(borrower.say("list"), "se-00:true");
    assert_eq!(borrower.say("acquire se-00"), "no: the card is in use");
    assert_eq!(
        borrower.say("acquire se-99"),
        "no: no card source has this SEID"
    );

    let shown = maintenance(&chain, "on");
    assert_eq!(shown["maintenance"], true);
    assert!(acquire(&mut borrower).starts_with("3B"), "an ATR");
    select(&mut borrower, &Aid::EAP_TLS);
    let shown = maintenance(&chain, "on");
    assert_eq!(shown["held_by"]["holder"], "RACS user alice");
    let mut second = Borrower::of(&chain);
    assert_eq!(second.say("acquire se-00"), "no: the card is in use");
    let refused = guest
        .connect(server.port(), NAME)
        .expect_err("in maintenance");
    assert_eq!(refused.code, "no-card");

    assert_eq!(borrower.say("return"), "ok");
    assert!(acquire(&mut second).starts_with("3B"), "its turn");
    maintenance(&chain, "off");
    let select = EapCardCommand::Select(Aid::EAP_TLS)
        .to_apdu(0)
        .expect("short");
    let said = second.say(&format!("apdu {}", proto::hex::encode(&select.encode())));
    assert_eq!(said, "no: the card was recalled");
    guest.converse(&server, NAME);
    assert_eq!(second.say("acquire se-00"), "no: the card is in use");

    let lent = chain.audited("card-lent");
    assert_eq!(lent.len(), 2);
    assert!(
        lent.iter()
            .all(|record| record["holder"] == "RACS user alice")
    );
    let returned = chain.audited("card-returned");
    let ends: Vec<_> = returned
        .iter()
        .map(|r| (r["end"].clone(), r["apdus"].clone()))
        .collect();
    assert_eq!(
        ends,
        [("returned".into(), 1.into()), ("recalled".into(), 0.into())]
    );
    assert_eq!(chain.audited("card-maintenance").len(), 2);
    // The session before was not offered again: the card forgot it, and so did the service.
    let established = chain.audited("session-established");
    assert!(
        established
            .iter()
            .all(|record| record["abbreviated"] == false)
    );
}

#[test]
fn behind_a_guests_handshake_a_borrower_gets_no_key_out_of_a_card() {
    let pki = Pki::new();
    let chain = Chain::start(&pki, &with_desk(ChainPlan::single(KeyKind::P256)));
    let credential = pki.server(NAME, KeyKind::P256);
    let server = OpensslServer::start(&pki, &ServerPlan::new(&credential));
    chain.guest("web01").converse(&server, NAME);
    maintenance(&chain, "on");
    let mut borrower = Borrower::of(&chain);
    acquire(&mut borrower);
    for selected in [false, true] {
        if selected {
            select(&mut borrower, &Aid::EAP_TLS);
        }
        for index in 0..=u8::MAX {
            let export = EapCardCommand::ExportedParameter(ExportIndex::from(index));
            let export = export.to_apdu(0xA0).expect("one byte");
            let (data, sw) = borrower.transmit(&export);
            assert!(data.is_empty() && is_no(sw), "index {index:02X}: {sw:04X}");
        }
        // Get-MSK, and a handshake begun with the guest's identity.
        let identity = EapCardCommand::SetIdentity("web01".parse().expect("a name"));
        let start = EapCardCommand::ProcessEap {
            more: false,
            data: vec![1, 1, 0, 6, 13, 0x20],
        };
        for command in [
            CommandApdu::new(0xA0, 0xA6, 0x00, 0x00).with_le(256),
            identity.to_apdu(0xA0).expect("short"),
            start.to_apdu(0xA0).expect("short"),
        ] {
            let (data, sw) = borrower.transmit(&command);
            assert!(
                data.is_empty() && is_no(sw),
                "{:02X}: {sw:04X}",
                command.ins
            );
        }
    }
}

#[test]
fn behind_a_guests_handshake_a_borrower_cannot_sign() {
    let pki = Pki::new();
    let chain = Chain::start(&pki, &with_desk(ChainPlan::single_piv(KeyKind::P256)));
    let credential = pki.server(NAME, KeyKind::P256);
    let server = TlsServer::start(&pki, &credential, &rustls::version::TLS13, echo);
    let session = chain.guest("web01").connect(server.port(), NAME);
    let mut session = session.expect("a session");
    session.send(&payload(100));
    assert_eq!(session.read(100), payload(100));
    session.close();
    maintenance(&chain, "on");
    let mut borrower = Borrower::of(&chain);
    acquire(&mut borrower);
    select(&mut borrower, &Aid::PIV);
    // GENERAL AUTHENTICATE with P-256 and the key in 9A: a response, please, to this hash.
    let mut template = vec![0x7C, 0x24, 0x82, 0x00, 0x81, 0x20];
    template.extend([0x55; 32]);
    let sign = CommandApdu::new(0x00, 0x87, 0x11, 0x9A).with_data(&template);
    let (data, sw) = borrower.transmit(&sign.expect("short").with_le(256));
    assert_eq!(
        (data.len(), sw),
        (0, 0x6982),
        "security status not satisfied"
    );
}

/// Neither done nor begun.
fn is_no(sw: u16) -> bool {
    matches!(sw >> 8, 0x63..=0x6F) || sw >> 8 == 0x94 || sw >> 8 == 0x98
}
