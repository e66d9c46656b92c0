//! Wishes a card cannot carry, refused before it is touched; and those it can, in its own coding.

use proto::tls::ProtocolVersion;

use super::{Rig, status};
use crate::card::error::SessionError;
use crate::card::session_fault::PolicyFault;

fn refused_untouched(rig: &mut Rig) -> PolicyFault {
    let error = rig.error();
    assert!(rig.card.log.is_empty(), "the card was touched");
    match error {
        SessionError::Policy(fault) => fault,
        other => panic!("not a matter of policy: {other:?}"),
    }
}

#[test]
fn a_card_without_parameters_carries_no_alpn_and_no_version_wish() {
    let mut rig = Rig::new().without_parameters();
    rig.request.alpn = vec![b"h2".to_vec()];
    assert_eq!(refused_untouched(&mut rig), PolicyFault::AlpnNotCarried);

    let mut rig = Rig::new().without_parameters();
    rig.request.version_wish = true;
    assert_eq!(
        refused_untouched(&mut rig),
        PolicyFault::VersionRangeNotCarried
    );
}

#[test]
fn a_range_without_a_version_for_cards_is_refused() {
    use ProtocolVersion as Version;
    for (min, max) in [
        (Version::TLS1_3, Version::TLS1_3),
        (Version::TLS1_0, Version::TLS1_1),
        (Version::TLS1_2, Version::TLS1_1),
    ] {
        let mut rig = Rig::new();
        (rig.request.min_version, rig.request.max_version) = (min, max);
        assert_eq!(
            refused_untouched(&mut rig),
            PolicyFault::NoVersion { min, max }
        );
    }
}

#[test]
fn no_resumption_on_a_card_that_cannot_forget_is_refused() {
    let mut rig = Rig::new().without_parameters();
    rig.capabilities.store_session_id = false;
    rig.request.resume = false;
    assert_eq!(refused_untouched(&mut rig), PolicyFault::CannotForget);
}

#[test]
fn a_server_name_too_long_for_the_command_is_refused() {
    let mut rig = Rig::new();
    rig.request.server_name = "a".repeat(300);
    assert_eq!(refused_untouched(&mut rig), PolicyFault::ParametersTooLong);
}

#[test]
fn name_protocols_and_versions_reach_the_card() {
    let mut rig = Rig::new();
    rig.request.alpn = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    assert!(rig.run().is_ok());
    let command = rig
        .card
        .log
        .iter()
        .find(|command| command.ins == 0x8A)
        .expect("parameters");
    let data = command.data();
    let holds = |tlv: &[u8]| data.windows(tlv.len()).any(|window| window == tlv);
    assert!(holds(b"\x01\x0eserver.example"));
    assert!(holds(b"\x02\x0c\x02h2\x08http/1.1"));
    // From 1.2 to 1.2: nothing newer is run through a card yet.
    assert!(holds(&[3, 4, 3, 3, 3, 3]));
    assert!(holds(&[4, 1, 1]), "no session may be offered");
}

#[test]
fn an_address_is_no_server_name_for_sni() {
    let mut rig = Rig::new();
    rig.request.server_name = "192.0.2.7".to_owned();
    assert!(rig.run().is_ok());
    let command = rig.card.log.iter().find(|command| command.ins == 0x8A);
    assert_ne!(command.expect("parameters").data().first(), Some(&1));
}

#[test]
fn without_parameters_no_parameters_are_sent() {
    let mut rig = Rig::new().without_parameters();
    assert!(rig.run().is_ok());
    assert_eq!(rig.card.count(0x8A, 0), 0);
}

#[test]
fn parameters_the_card_refuses_are_a_matter_of_policy() {
    let mut rig = Rig::new().answering(|command, usual| match command.ins {
        0x8A => status(0x6A80),
        _ => usual,
    });
    assert_eq!(
        rig.error(),
        SessionError::Policy(PolicyFault::ParametersRefused)
    );
}
