//! Handshakes that the 2005 card refuses or that never get to it, and how the card is left.

use dom0_middleware::card::{CardStep, HandshakeFault, PolicyFault, SessionError};

use super::handshakes::{A05, cannot_export};
use crate::trace_support::{Export, Outcome, Rig, Trace};

const ERRORS: &str = "a05-t1-errors.txt";
const CHAIN: &str = "a05-t1-errors-chain.txt";
const FULL: &str = "a05-t1-full-and-resume.txt";

fn refused(step: CardStep) -> SessionError {
    SessionError::HandshakeFailed(HandshakeFault::RefusedByCard { step })
}

/// A card that is made to forget its session before the start. The driver stores the stand-in
/// after Set-Identity; most recordings set the identity once more behind it.
fn forgetting(trace: Trace) -> Rig {
    let mut rig = Rig::of_old_card(trace, A05);
    rig.capabilities.store_session_id = true;
    rig.resume = false;
    rig.steps.set_identity = false;
    rig
}

/// A card whose offered session is declared to be the stand-in: its record is in no file.
fn forgotten(trace: Trace, title: &str) -> Rig {
    // EAP header 10, record 5, message 4, version 2, random 32, length 1.
    let hello = trace.pick(&[title]);
    let mut rig = Rig::of_old_card(trace.clone(), A05);
    rig.stand_in.copy_from_slice(&hello.last_answer()[54..86]);
    rig.steps.set_identity = false;
    rig
}

#[test]
fn a_first_flight_the_card_refuses_ends_in_6985_and_the_identity_is_set_again() {
    let errors = Trace::load(ERRORS);
    let c2 = errors.pick(&["method function C2"]);
    let flipped = errors.scene("=== full with a flipped bit", Some("ack after"));
    let chain = Trace::load(CHAIN);
    let overwrite = chain.pick(&["overwrite"]);
    let scene = |title| chain.scene(title, Some("set identity alice"));
    let last = chain.scene("=== no CertificateRequest", None);
    for (forget, flight) in [
        (&c2, flipped),
        (&overwrite, scene("=== declined session id, leaf-only")),
        (&overwrite, scene("=== flipped bit")),
        (&overwrite, last),
    ] {
        let identity = chain.pick(&["set identity alice"]);
        let mut rig = forgetting(forget.clone().then(&flight).then(&identity));
        let failure = rig.handshake(None).expect_err("6985");
        assert_eq!(failure.error, refused(CardStep::FirstFlight));
        assert_eq!(failure.session, None);
        assert_eq!(rig.to_server.len(), 1, "only ClientHello has left");
        assert!(failure.alert.is_some(), "the server is told");
        rig.steps.set_identity_at_end = true;
        rig.close();
        assert!(rig.replay.is_over());
    }
}

#[test]
fn a_session_left_by_a_failure_does_not_help_the_next_handshake() {
    // The card offers the session id of a handshake that failed; there is no record of it.
    let errors = Trace::load(ERRORS);
    let trace = Trace::load(CHAIN);
    for scene in [
        errors.scene("=== resume with corrupted", Some("ack after")),
        errors.scene("=== full with corrupted", Some("session key")),
        trace.scene("=== after failure", Some("set identity")),
        Trace::load(FULL).scene("=== resume", Some("identity request")),
        Trace::load(FULL).scene("=== resume with L", Some("identity request")),
    ] {
        let mut rig = Rig::of_old_card(scene, A05);
        rig.steps.set_identity = false;
        let failure = rig.handshake(None).expect_err("no record");
        assert_eq!(
            failure.error,
            SessionError::Policy(PolicyFault::CannotForget)
        );
        assert_eq!((rig.replay.sent(), rig.to_server.len()), (1, 0));
    }
}

#[test]
fn a_flight_that_declines_a_stand_in_is_refused_when_it_is_too_short() {
    let title = "=== full with corrupted server Finished";
    let trace = Trace::load(ERRORS).scene(title, Some("session key after"));
    let mut rig = forgotten(trace, title);
    let failure = rig.handshake(None).expect_err("6985");
    assert_eq!(failure.error, refused(CardStep::FirstFlight));
    assert!(rig.replay.is_over());
}

#[test]
fn a_flight_cut_short_is_waited_for_and_never_given_to_the_card() {
    let title = "=== full without waiting";
    let trace = Trace::load(ERRORS).scene(title, Some("set identity alice"));
    let mut rig = forgotten(trace, title);
    let outcome = rig.handshake(None).expect("no failure yet");
    assert!(matches!(outcome, Outcome::AwaitsServer));
    assert_eq!(rig.replay.sent(), 1, "the start packet");
}

#[test]
fn a_card_that_answers_step_by_step_is_asked_on_with_empty_packets() {
    let trace = Trace::load(ERRORS)
        .scene("status=4000", Some("status=8000"))
        .without(&["status=4000"]);
    let mut rig = Rig::of_old_card(trace, A05);
    let outcome = rig.handshake(None).expect("the card's flight");
    // The recording ends before the server's Finished.
    assert!(matches!(outcome, Outcome::AwaitsServer));
    assert!(rig.replay.is_over());
    assert_eq!(
        rig.to_server.len(),
        2,
        "ClientHello, then the card's flight"
    );
}

#[test]
fn a_card_in_its_test_mode_offers_no_session() {
    let trace = Trace::load(ERRORS)
        .scene("status=8000", Some("functions disabled"))
        .without(&["status=8000"]);
    let mut rig = Rig::of_old_card(trace, A05);
    let outcome = rig.handshake(None).expect("a ClientHello");
    // No server was asked in this recording.
    assert!(matches!(outcome, Outcome::AwaitsServer));
    assert!(rig.replay.is_over());
    assert_eq!(rig.to_server[0].len(), 70);
}

#[test]
fn with_the_ca_in_the_list_the_card_goes_on_after_a_declined_session() {
    let file = Trace::load(CHAIN);
    let full = file.scene(
        "=== declined session id, server sends",
        Some("set identity"),
    );
    let resumed = file.scene("=== resume on the second", Some("overwrite"));
    let trace = file
        .pick(&["overwrite"])
        .then(&full)
        .then(&file.pick(&["set identity alice"]))
        .then(&resumed);
    let mut rig = forgetting(trace);
    rig.export = Export::Grafted(0x0004);
    let session = rig.complete(None).expect("a grafted export").session;
    rig.steps.set_identity_at_end = true;
    rig.close();
    rig.export = Export::Missing;
    rig.resume = true;
    let failure = rig.handshake(session).expect_err("no export");
    assert_eq!(failure.error, cannot_export());
    assert!(rig.replay.is_over());
}

#[test]
fn a_corrupted_finished_is_reached_over_a_whole_first_flight() {
    let file = Trace::load(CHAIN);
    let flight = file.scene("=== corrupted server Finished", Some("server CCS"));
    let identity = file.pick(&["set identity alice"]);
    let mut rig = forgetting(identity.then(&file.pick(&["overwrite"])).then(&flight));
    rig.steps.set_identity = true;
    let outcome = rig.handshake(None).expect("the card's flight");
    assert!(matches!(outcome, Outcome::AwaitsServer));
    assert!(rig.replay.is_over());
}

#[test]
fn a_full_handshake_in_small_fragments_ends_without_export() {
    let file = Trace::load(FULL);
    let full = file.scene("=== full", Some("session key"));
    // The recording host cut the TLS bytes at 300; the driver counts the header in.
    let trace = file.pick(&["set identity"]).then(&full.recut(310, 255));
    let mut rig = Rig::of_old_card(trace, A05);
    rig.profile.fragment_len = 310;
    rig.profile.segment_len = 255;
    let failure = rig.handshake(None).expect_err("no export");
    assert_eq!(failure.error, cannot_export());
    assert!(rig.replay.is_over());
}
