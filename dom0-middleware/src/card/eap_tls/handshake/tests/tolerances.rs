//! Each thing a driver must tolerate (specs/eap-tls-card.md §13), within its bounds.

use proto::apdu::{CommandApdu, ResponseApdu};

use super::{Rig, ends_packet, status, success};
use crate::card::eap_tls::parameters::MAX_EMPTY_PACKETS;
use crate::card::eap_tls::testing::tls::{Hello, Server};
use crate::card::error::SessionError;
use crate::card::fault::{CardFault, CardStep, EapProblem};
use crate::card::session_fault::HandshakeFault;

#[test]
fn a_nak_means_that_no_identity_is_set() {
    let mut rig = Rig::new();
    rig.parameters.steps.set_identity = false;
    rig.card.identities.clear();
    assert_eq!(
        rig.card_fault(),
        CardFault::Eap {
            step: CardStep::Start,
            problem: EapProblem::Nak
        }
    );
}

#[test]
fn a_wrong_identifier_is_refused() {
    let mut rig = Rig::new().answering(|command, answer| {
        let mut data = answer.data().to_vec();
        if ends_packet(command) && data.len() > 6 {
            data[1] ^= 1;
        }
        ResponseApdu::new(data, answer.sw)
    });
    assert_eq!(
        rig.card_fault(),
        CardFault::Eap {
            step: CardStep::Start,
            problem: EapProblem::Identifier {
                expected: 0xFE,
                got: 0xFF
            }
        }
    );
}

#[test]
fn a_success_that_is_not_an_eap_tls_response_is_refused() {
    // The first bytes of the command itself (§5.6), a request, another method, a wrong length.
    for (bytes, what) in [
        (&[0xA0, 0x80, 0, 0, 10][..], "the command"),
        (&[1, 0xFE, 0, 6, 13, 0], "a request"),
        (&[2, 0xFE, 0, 6, 1, 0], "another method"),
        (&[2, 0xFE, 0, 7, 13, 0], "a wrong length"),
        (&[2, 0xFE], "a stump"),
    ] {
        let mut rig = Rig::new().answering(move |command, answer| match ends_packet(command) {
            true => success(bytes),
            false => answer,
        });
        let fault = rig.card_fault();
        assert!(
            matches!(
                &fault,
                CardFault::Eap {
                    step: CardStep::Start,
                    ..
                }
            ),
            "{what}: {fault:?}"
        );
    }
}

#[test]
fn a_single_step_card_is_asked_on() {
    let mut rig = Rig::new();
    rig.card.single_steps = 10;
    assert!(rig.run().is_ok());
}

#[test]
fn a_discarded_packet_counts_as_no_answer() {
    let mut first = true;
    let mut rig = Rig::new().answering(move |command, answer| {
        match ends_packet(command) && std::mem::take(&mut first) {
            true => status(0x7000),
            false => answer,
        }
    });
    // The start was lost; the empty packet that follows finds nothing to say.
    assert!(matches!(
        rig.card_fault(),
        CardFault::NoAnswer {
            step: CardStep::Start
        } | CardFault::NoProgress { .. }
    ));
}

#[test]
fn single_steps_without_end_are_counted() {
    let mut rig = Rig::new();
    rig.card.single_steps = u32::MAX;
    assert_eq!(
        rig.card_fault(),
        CardFault::NoProgress {
            step: CardStep::Start,
            max: MAX_EMPTY_PACKETS
        }
    );
}

#[test]
fn long_answers_come_in_any_mix_of_procedure_bytes() {
    for (sw_more, name) in [(0x9F00, "9F"), (0x9100, "91"), (0x9E00, "9E")] {
        let mut rig = Rig::new().answering(move |_, answer| match answer.sw.0 {
            0x9F00..=0x9FFF => {
                let sw = sw_more | (answer.sw.0 & 0xFF);
                ResponseApdu::new(answer.data().to_vec(), proto::apdu::StatusWord(sw))
            }
            _ => answer,
        });
        assert!(rig.run().is_ok(), "{name}");
    }
}

#[test]
fn a_card_without_reset_state_does_not_need_it() {
    let mut rig = Rig::new();
    rig.card.has_reset = false;
    assert!(rig.run().is_ok());
}

#[test]
fn each_refused_flight_is_named() {
    let mut rig = Rig::new();
    rig.card.refuses_flight = Some(0);
    assert!(matches!(
        rig.card_fault(),
        CardFault::Refused {
            step: CardStep::Start,
            ..
        }
    ));
    for (number, step) in [(1, CardStep::FirstFlight), (2, CardStep::LastFlight)] {
        let mut rig = Rig::new();
        rig.card.refuses_flight = Some(number);
        assert_eq!(
            rig.error(),
            SessionError::HandshakeFailed(HandshakeFault::RefusedByCard { step })
        );
    }
}

#[test]
fn card_flights_of_any_cut_are_put_together() {
    for (fragment, length_in_first) in [(1, true), (100, true), (100, false), (5000, false)] {
        let mut rig = Rig::new();
        rig.card.fragment = fragment;
        rig.card.length_in_first = length_in_first;
        assert!(rig.run().is_ok(), "{fragment} {length_in_first}");
    }
}

#[test]
fn a_total_length_of_zero_is_no_length() {
    let mut rig = Rig::new().answering(|command, answer| {
        let mut data = answer.data().to_vec();
        if ends_packet(command) && data.len() > 10 && data[5] & 0x80 != 0 {
            data[6..10].fill(0);
        }
        ResponseApdu::new(data, answer.sw)
    });
    assert!(rig.run().is_ok());
}

#[test]
fn a_total_length_that_does_not_fit_is_refused() {
    let mut rig = Rig::new().answering(|command, answer| {
        let mut data = answer.data().to_vec();
        if ends_packet(command) && data.len() > 10 && data[5] & 0x80 != 0 {
            data[9] ^= 1;
        }
        ResponseApdu::new(data, answer.sw)
    });
    assert!(matches!(
        rig.card_fault(),
        CardFault::Eap {
            problem: EapProblem::Fragments(_),
            ..
        }
    ));
}

#[test]
fn server_flights_are_fragmented_and_segmented_to_measure() {
    let mut rig = Rig::new();
    rig.parameters.profile.fragment_len = 300;
    rig.parameters.profile.segment_len = 100;
    assert!(rig.run().is_ok());
    let longest = rig.card.log.iter().map(|c| c.data().len()).max();
    assert_eq!(longest, Some(100));
}

#[test]
fn with_extended_length_a_packet_is_one_command() {
    let commands = |extended| {
        let mut rig = Rig::new();
        rig.parameters.profile.extended_length = extended;
        if extended {
            rig.parameters.profile.segment_len = CommandApdu::MAX_LONG_DATA;
        }
        assert!(rig.run().is_ok());
        [(0x80, 1), (0x80, 0)].map(|(ins, p1)| rig.card.count(ins, p1))
    };
    let [segments, packets] = commands(false);
    assert!(segments > 0, "a long flight");
    assert_eq!(commands(true), [0, packets]);
}

#[test]
fn a_segment_answered_too_early_is_refused() {
    let mut rig = Rig::new().answering(|command, answer| match (command.ins, command.p1) {
        (0x80, 1) => success(&[2, 0xFF, 0, 6, 13, 0]),
        _ => answer,
    });
    assert_eq!(
        rig.card_fault(),
        CardFault::Eap {
            step: CardStep::FirstFlight,
            problem: EapProblem::EarlyAnswer
        }
    );
}

#[test]
fn a_fragment_without_acknowledgement_is_refused() {
    let mut rig = Rig::new().answering(|command, answer| {
        match ends_packet(command) && answer.data() == [2, 0xFF, 0, 6, 13, 0] {
            true => success(&[]),
            false => answer,
        }
    });
    rig.parameters.profile.fragment_len = 300;
    assert_eq!(
        rig.card_fault(),
        CardFault::Eap {
            step: CardStep::FirstFlight,
            problem: EapProblem::NotAcknowledged
        }
    );
}

#[test]
fn a_lost_pin_ends_the_session_and_nothing_more() {
    let mut rig = Rig::new();
    rig.card.verified = false;
    assert_eq!(rig.error(), SessionError::PinRequired);
    assert_eq!(rig.card.count(0x20, 0), 0, "no VERIFY in a handshake");

    rig.card.tries = 0;
    let mut rig = Rig::new().answering(|_, _| status(0x6983));
    assert_eq!(rig.error(), SessionError::PinBlocked);
}

#[test]
fn a_card_that_talks_on_after_finished_is_refused() {
    let mut rig = Rig::new();
    let hello = Hello::default().record();
    let mut answered = 0;
    rig = rig.answering(move |command, answer| {
        if ends_packet(command) {
            answered += 1;
        }
        match answered == 3 && ends_packet(command) {
            true => {
                let size = u16::try_from(6 + hello.len()).expect("short");
                let header = [&[2, 0x00][..], &size.to_be_bytes(), &[13, 0]].concat();
                success(&[header, hello.clone()].concat())
            }
            false => answer,
        }
    });
    assert!(matches!(
        rig.card_fault(),
        CardFault::SurplusFlight {
            step: CardStep::LastFlight,
            ..
        }
    ));
}

#[test]
fn a_card_without_flight_after_the_servers_is_refused() {
    let mut rig = Rig::with_server(&Server::default());
    rig.card.certificate = None;
    assert_eq!(rig.card_fault(), CardFault::NoClientCertificate);
}
