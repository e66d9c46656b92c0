//! Whatever a host sends, the card answers it.

use proptest::collection::vec;
use proptest::prelude::*;
use rustls::version::TLS12;
use soft_card::CardSettings;

use crate::host::Host;
use crate::pki::{Ca, KeyKind};
use crate::server::{Server, flush};

/// Commands that lead somewhere, more often than bytes that do not.
fn command() -> impl Strategy<Value = Vec<u8>> {
    let ins = prop::sample::select(vec![
        0x12, 0x16, 0x17, 0x18, 0x19, 0x20, 0x24, 0x60, 0x80, 0x86, 0x8A, 0xA4,
    ]);
    let parameter = || prop_oneof![Just(0_u8), Just(1), Just(0x10), Just(0x80), any::<u8>()];
    let data = prop_oneof![
        vec(any::<u8>(), 0..=255),
        vec(any::<u8>(), 0..40).prop_map(|tls| eap_tls(&tls)),
        Just(b"alice".to_vec()),
        Just(b"0000".to_vec()),
        Just(vec![1, 2, 0, 6, 13, 0x20, 0x6B, 0, 0xE2, 0x6A]),
    ];
    let well_formed = (ins, parameter(), parameter(), data).prop_map(|(ins, p1, p2, data)| {
        let mut command = vec![0xA0, ins, p1, p2];
        if let Ok(length @ 1..) = u8::try_from(data.len()) {
            command.push(length);
            command.extend_from_slice(&data);
        }
        command
    });
    prop_oneof![4 => well_formed, 1 => vec(any::<u8>(), 0..300)]
}

fn eap_tls(tls: &[u8]) -> Vec<u8> {
    let length = u8::try_from(tls.len() + 6).expect("short");
    [&[1, 9, 0, length, 13, 0], tls].concat()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_commands_get_an_answer_each(commands in vec(command(), 1..60)) {
        let mut host = Host::open(Ca::new().card(CardSettings::default()), "alice");
        for command in commands {
            let response = host.card.transmit(&command).response;
            prop_assert!((2..=258).contains(&response.len()), "{:02X?}", response);
        }
    }

    #[test]
    fn any_change_to_a_server_flight_gets_an_answer(
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        cut in any::<prop::sample::Index>(),
    ) {
        let ca = Ca::new();
        let server = Server::new(&ca, &ca.issue("server.example.org", KeyKind::P256), &TLS12);
        let mut host = Host::open(ca.card(CardSettings::default()), "alice");
        let mut connection = server.connect();
        crate::server::receive(&mut connection, &host.start().expect("started"));
        let mut flight = flush(&mut connection);
        let at = at.index(flight.len());
        flight[at] = byte;
        flight.truncate(cut.index(flight.len()) + 1);
        if let Err(sw) = host.message(&flight) {
            prop_assert_eq!(sw, 0x6985);
        }
        prop_assert_ne!(host.state(), 3, "the server's Finished is still to come");
    }
}
