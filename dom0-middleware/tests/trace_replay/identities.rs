//! The list of identities, their certificates, and names that cannot be set.

use dom0_middleware::card::{CardFault, CardStep, EapProblem, SessionError};
use proto::apdu::StatusWord;
use sha2::{Digest, Sha256};

use super::handshakes::A05;
use crate::trace_support::{Rig, Trace, hex};

const EDGES: &str = "a05-t1-identity-and-edges.txt";

/// What the driver asks a card when it looks for all it holds.
fn with_inventory(trace: Trace) -> Rig {
    let mut rig = Rig::of_old_card(trace, A05);
    rig.steps.inventory = true;
    rig
}

#[test]
fn a_list_that_stands_still_on_t0_is_asked_for_once_more_with_ff() {
    let file = Trace::load("a05-t0-full-and-resume.txt");
    let bob = Trace::load("a05-t0-session-shared-by-identities.txt").pick(&["set identity bob"]);
    let list = file.pick(&[
        "select by AID",
        "verify user PIN",
        "get next identity, P3=00",
        "same again",
        "get next identity, P3=FF",
        "again: second entry",
        "again: wrapped",
        "set identity alice",
    ]);
    let trace = list.then(&bob).then(&file.pick(&["Get-State"]));
    let mut rig = with_inventory(trace);
    rig.profile.read_certificates = false;
    rig.profile.store_session_id = false;
    rig.profile.draft26_states = true;
    let opened = rig.open("0000").expect("an open card");
    assert!(rig.replay.is_over());
    let names: Vec<&str> = opened.identities.iter().map(|i| i.name.as_str()).collect();
    assert_eq!(names, ["alice", "bob"]);
    assert!(!opened.capabilities.state, "Get-State is 6D00");
}

#[test]
fn a_list_that_wraps_on_t1_is_read_once_and_certificates_are_fetched() {
    let file = Trace::load(EDGES);
    let errors = Trace::load("a05-t1-errors.txt");
    let list = file.scene("get next identity", Some("get preferred"));
    let certificate = file.scene("method function: read certificate", None);
    let trace = file
        .pick(&["select", "PIN"])
        .then(&list)
        .then(&errors.pick(&["set identity alice"]))
        // Recorded once, for bob; both identities of this card hold the same one.
        .then(&certificate)
        .then(&file.pick(&["set identity bob"]))
        .then(&certificate)
        .then(&errors.pick(&["method function C2"]));
    let mut rig = with_inventory(trace);
    let opened = rig.open("0000").expect("an open card");
    assert!(rig.replay.is_over());
    for (identity, name) in opened.identities.iter().zip(["alice", "bob"]) {
        assert_eq!(identity.name.as_str(), name);
        let certificate = identity.certificate.as_deref().expect("a certificate");
        // The one that alice presents in her recorded handshakes.
        assert_eq!(hex(&Sha256::digest(certificate)), A05, "{name}");
    }
    assert_eq!(opened.identities.len(), 2);
    assert!(opened.capabilities.can_forget(), "C2 is answered 9000");
}

#[test]
fn an_identity_that_the_card_does_not_know_is_refused_before_the_start() {
    for (file, step, identity) in [
        (
            "a05-t0-full-and-resume.txt",
            "set identity to an unknown",
            "cat",
        ),
        (
            "a05-t0-session-shared-by-identities.txt",
            "set identity to an unknown",
            "eve",
        ),
        (EDGES, "set identity: EAP-ID", "alice@example.org"),
    ] {
        let mut rig = Rig::of_old_card(Trace::load(file).pick(&[step]), A05);
        rig.identity = identity;
        let failure = rig.handshake(None).expect_err("an unknown name");
        let expected = CardFault::Refused {
            step: CardStep::SetIdentity,
            sw: StatusWord(0x6985),
        };
        assert_eq!(
            failure.error,
            SessionError::CardFailed(expected),
            "{identity}"
        );
        assert!(rig.replay.is_over());
    }
}

#[test]
fn a_nak_to_the_start_means_that_no_identity_is_set() {
    let trace = Trace::load(EDGES).pick(&["EAP-TLS start before any Set-Identity"]);
    let mut rig = Rig::of_old_card(trace, A05);
    rig.steps.set_identity = false;
    let failure = rig.handshake(None).expect_err("no identity");
    let expected = CardFault::Eap {
        step: CardStep::Start,
        problem: EapProblem::Nak,
    };
    assert_eq!(failure.error, SessionError::CardFailed(expected));
    assert!(rig.replay.is_over() && rig.to_server.is_empty());
}
