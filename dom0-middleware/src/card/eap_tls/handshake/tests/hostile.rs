//! Cards and servers that say anything: every handshake ends, within its bounds, without a panic.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use proto::apdu::{ResponseApdu, StatusWord};

use super::{Rig, Step, begin};
use crate::card::eap_tls::parameters::MAX_COMMANDS;
use crate::card::eap_tls::testing::tls::Server;
use crate::card::error::SessionError;
use crate::card::fault::CardFault;

#[test]
fn more_data_without_end_is_cut_off() {
    for sw in [0x9F00, 0x9F10, 0x6100] {
        let mut rig = Rig::new().answering(move |command, answer| match command.ins {
            0x80 | 0x12 | 0xC0 => ResponseApdu::new(vec![2; 256], StatusWord(sw)),
            _ => answer,
        });
        let fault = rig.card_fault();
        assert!(
            matches!(fault, CardFault::Exchange { .. }),
            "{sw:04X}: {fault:?}"
        );
        assert!(rig.card.log.len() < 2000, "{}", rig.card.log.len());
    }
}

#[test]
fn a_wrong_length_without_end_is_cut_off() {
    let mut rig = Rig::new().answering(|_, _| ResponseApdu::new(Vec::new(), StatusWord(0x6C10)));
    assert!(matches!(
        rig.card_fault(),
        CardFault::Exchange { .. } | CardFault::Refused { .. }
    ));
}

#[test]
fn commands_are_counted_over_the_whole_handshake() {
    // A long flight in the smallest pieces a profile can ask for.
    let mut rig = Rig::with_server(&Server {
        certificate: vec![0x51; 6000],
        ..Server::default()
    });
    rig.parameters.profile.segment_len = 1;
    rig.parameters.profile.fragment_len = 11;
    let error = rig.run().map(|_| ()).map_err(|failure| failure.error);
    assert!(matches!(
        error,
        Err(SessionError::CardFailed(CardFault::TooManyCommands { .. }))
    ));
    assert!(rig.card.log.len() <= MAX_COMMANDS as usize);
}

/// What a hostile card may answer.
fn answers() -> impl Strategy<Value = ResponseApdu> {
    let sw = prop_oneof![
        6 => Just(0x9000),
        1 => Just(0x9F00),
        1 => Just(0x6110),
        1 => Just(0x6C05),
        1 => Just(0x6985),
        1 => Just(0x6303),
        1 => any::<u16>(),
    ];
    let data = prop_oneof![
        2 => Just(Vec::new()),
        2 => vec(any::<u8>(), 0..40),
        3 => (any::<u8>(), any::<u8>(), vec(any::<u8>(), 0..60)).prop_map(|(id, flags, tail)| {
            let len = u16::try_from(6 + tail.len()).expect("short").to_be_bytes();
            [&[2, id, len[0], len[1], 13, flags][..], &tail].concat()
        }),
    ];
    (data, sw).prop_map(|(data, sw)| ResponseApdu::new(data, StatusWord(sw)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_card_may_answer_anything(
        responses in vec(answers(), 1..60),
        honest in 0_usize..24,
        flights in vec(vec(any::<u8>(), 0..100), 0..3),
        keep_flights: bool,
    ) {
        let mut rig = Rig::new();
        let mut step = begin(
            rig.request.clone(),
            rig.parameters.clone(),
            rig.capabilities,
            Arc::clone(&rig.verifier),
            None,
        )
        .expect("begun");
        let mut flights = if keep_flights { rig.flights.clone() } else { flights }.into_iter();
        let mut responses = responses.iter().cycle();
        let mut sent = 0;
        loop {
            let next = match step {
                Step::Transmit(handshake, command) => {
                    sent += 1;
                    prop_assert!(sent <= MAX_COMMANDS);
                    // The first commands are answered as they should be, the others anyhow.
                    let response = if sent as usize <= honest {
                        rig.card.transmit(&command)
                    } else {
                        let response = responses.next().expect("it cycles");
                        let mut data = response.data().to_vec();
                        // Some identifiers fit, so that the driver gets further.
                        if command.ins == 0x80 && sent % 2 == 0 && data.len() >= 6 {
                            data[1] = command.data().get(1).copied().unwrap_or(0);
                        }
                        ResponseApdu::new(data, response.sw)
                    };
                    handshake.on_response(response)
                }
                Step::SendToServer(_, then) => Ok(*then),
                Step::AwaitServer(handshake) => match flights.next() {
                    Some(flight) => handshake.on_records(&flight),
                    None => Err(handshake.abandon(SessionError::Cancelled)),
                },
                Step::Finished(_) => break,
            };
            match next {
                Ok(next) => step = next,
                Err(_) => break,
            }
        }
    }

    #[test]
    fn a_server_may_say_anything(flights in vec(vec(any::<u8>(), 0..200), 1..4)) {
        let mut rig = Rig::new();
        rig.flights = flights;
        // Noise is no handshake; the card has seen nothing of it.
        prop_assert!(rig.run().is_err());
        prop_assert_eq!(rig.card.count(0x80, 0), 1);
    }

    #[test]
    fn one_wrong_byte_of_the_server_never_breaks_anything(
        at in any::<prop::sample::Index>(), value: u8,
    ) {
        let mut rig = Rig::new();
        let at = at.index(rig.flights[0].len());
        rig.flights[0][at] = value;
        // Either it does not matter to us, or it is refused.
        let _either = rig.run();
        prop_assert!(rig.card.log.len() < 200);
    }
}
