//! `a05-*` and `a11-*`: handshakes that succeed on cards that cannot export, so that nothing comes
//! of them; and sessions of such cards, offered to whom they do not belong.

use dom0_middleware::card::eap_tls::OfferedSession;
use dom0_middleware::card::{CardFault, CardStep, HandshakeFault, PolicyFault, SessionError};
use proto::apdu::StatusWord;

use crate::trace_support::{Export, Rig, Trace};

/// The certificate of both identities of the 2005 card.
pub(crate) const A05: &str = "07FCF9D444B0685BBAC1608F7A6774BC7DC5B3F5CDB8C24D866F6C68F3123F05";
/// The same with padding inside.
const A05_LARGE: &str = "1B0D4DF312827DFD46C18F97E87A25EB1EA70B4015C7C1FDE0CEC863BC9203DA";

pub(crate) fn cannot_export() -> SessionError {
    SessionError::CardFailed(CardFault::CannotExport {
        step: CardStep::CipherSuite,
        sw: StatusWord(0x6D00),
    })
}

#[test]
fn large_flights_are_fragmented_and_put_together_as_recorded() {
    let mut rig = Rig::of_old_card(Trace::load("a05-t0-large-flights.txt"), A05_LARGE);
    rig.profile.fragment_len = 1010;
    rig.open("0000").expect("the recorded opening");
    let failure = rig.handshake(None).expect_err("no export");
    assert_eq!(failure.error, cannot_export());
    assert!(rig.replay.is_over());
    assert_eq!(rig.to_server[1].len(), 1800, "the card's flight");
}

#[test]
fn the_2005_card_behind_t0_cannot_export_after_either_handshake() {
    let (mut rig, session) = after_full_t0();
    let failure = rig.handshake(Some(session)).expect_err("no export");
    assert_eq!(failure.error, cannot_export());
    assert_eq!(rig.to_server.len(), 2, "both flights went out");
    assert!(rig.replay.is_over());

    let mut rig = full_t0();
    let failure = rig.handshake(None).expect_err("no export");
    assert_eq!(failure.error, cannot_export());
    assert_eq!(failure.session, None, "nothing to resume");
}

#[test]
fn the_recorded_6d00_is_the_one_a_card_without_export_gives() {
    let answer = Trace::load("a05-t0-loose-parsing.txt").pick(&["Get-Exported-Parameter"]);
    let (trace, _) = scenes_t0();
    let mut rig = Rig::of_old_card(trace.then(&answer), A05);
    rig.export = Export::Recorded;
    rig.steps.set_identity = false;
    let failure = rig.handshake(None).expect_err("no export");
    assert_eq!(failure.error, cannot_export());
    assert!(rig.replay.is_over());
}

#[test]
fn the_session_of_one_identity_is_never_offered_for_another() {
    // The recorded card offers it after Set-Identity as if it belonged to both.
    let (mut rig, session) = after_full_t0();
    rig.identity = "bob";
    let failure = rig.handshake(Some(session)).expect_err("not bob's session");
    assert_eq!(
        failure.error,
        SessionError::Policy(PolicyFault::CannotForget)
    );
    assert!(rig.to_server.is_empty(), "the ClientHello stays here");
}

#[test]
fn a_session_of_an_earlier_run_is_offered_to_nobody() {
    let trace = Trace::load("a05-t0-session-shared-by-identities.txt");
    for (title, until, identity) in [
        (
            "set identity alice",
            Some("set identity to an unknown"),
            "alice",
        ),
        ("set identity bob", None, "bob"),
    ] {
        let scene = trace.scene(title, until);
        let mut rig = Rig::of_old_card(scene, A05);
        rig.identity = identity;
        let failure = rig.handshake(None).expect_err("no record");
        assert_eq!(
            failure.error,
            SessionError::Policy(PolicyFault::CannotForget)
        );
        assert!(rig.to_server.is_empty(), "{identity}");
        assert_eq!(rig.replay.sent(), 3, "Set-Identity, start, its answer");
    }
}

#[test]
fn a_server_that_resumes_a_forgotten_session_never_reaches_the_card() {
    // The id the card offers is declared to be the stand-in that was stored to make it forget.
    let trace = Trace::load("a05-t0-session-shared-by-identities.txt");
    let mut rig = Rig::of_old_card(trace.scene("set identity bob", None), A05);
    let hello = &trace.scene("=== bob", None).pick(&["=== bob"]);
    // EAP header 10, record 5, message 4, version 2, random 32, length 1.
    rig.stand_in.copy_from_slice(&hello.last_answer()[54..86]);
    rig.identity = "bob";
    let failure = rig.handshake(None).expect_err("not to be resumed");
    assert!(
        matches!(
            failure.error,
            SessionError::HandshakeFailed(HandshakeFault::Resumption(_))
        ),
        "{failure:?}"
    );
    assert_eq!(rig.to_server.len(), 1);
    assert_eq!(rig.replay.sent(), 3, "the server's flight stays here");
}

#[test]
fn the_2011_card_cannot_export_and_fails_to_resume() {
    let file = Trace::load("a11-t1-full-and-record-layer.txt");
    let opening = file.pick(&["select", "PIN", "set identity alice"]);
    let full = file.scene("=== full", Some("on-card record layer"));
    let again = file
        .scene("set identity alice", None)
        .scene("=== second", None);
    let at_end = file.pick(&["set identity alice"]);
    let trace = opening.then(&full);
    let mut rig = Rig::of_old_card(trace.clone(), A05);
    rig.open("0000").expect("the recorded opening");
    // It never sends a certificate, and this server never asks for one.
    let failure = rig.handshake(None).expect_err("no export");
    assert_eq!(failure.error, cannot_export());
    assert!(rig.replay.is_over());

    // A card like it that can export would come as far as the second server flight.
    let mut rig = Rig::of_old_card(trace.then(&at_end).then(&again), A05);
    rig.steps.set_identity_at_end = true;
    rig.open("0000").expect("the recorded opening");
    rig.export = Export::Grafted(0x002F);
    let full = rig.complete(None).expect("a grafted export");
    rig.close();
    rig.steps.set_identity = false;
    let failure = rig.handshake(full.session).expect_err("6985");
    let step = CardStep::FirstFlight;
    assert_eq!(
        failure.error,
        SessionError::HandshakeFailed(HandshakeFault::RefusedByCard { step })
    );
    assert!(rig.replay.is_over());
}

/// Both recorded handshakes of the T=0 file, without what the driver does not send between.
fn scenes_t0() -> (Trace, Trace) {
    let file = Trace::load("a05-t0-full-and-resume.txt");
    let full = file.scene("=== full", Some("Get-Session-Key"));
    let second = file.scene("=== second", Some("Get-Session-Key"));
    (full, second)
}

fn full_t0() -> Rig {
    let (full, second) = scenes_t0();
    let mut rig = Rig::of_old_card(full.then(&second), A05);
    rig.steps.set_identity = false;
    rig
}

/// A card that has done the full handshake, and its record. The record of a card that cannot
/// export is lost with the handshake, so the export is grafted onto the first.
fn after_full_t0() -> (Rig, OfferedSession) {
    let mut rig = full_t0();
    rig.export = Export::Grafted(0x0004);
    let full = rig.complete(None).expect("a grafted export");
    rig.export = Export::Missing;
    (rig, full.session.expect("the server gave a session id"))
}
