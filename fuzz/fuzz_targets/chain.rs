//! Two handshakes of a real card with a real server, and somebody who meddles with what they say.
#![no_main]

use std::sync::Arc;

use dom0_middleware::card::eap_tls::closing;
use dom0_middleware::card::{PeerVerifier, TrustError};
use libfuzzer_sys::fuzz_target;
use tessera_fuzz::driver;
use tessera_fuzz::meddler::Meddler;
use tessera_fuzz::partners::{IDENTITY, Pki, SERVER_NAME};
use tessera_fuzz::world::{Live, request};

fuzz_target!(|input: &[u8]| {
    let Some((&choice, input)) = input.split_first() else {
        return;
    };
    let tls13 = choice & 1 != 0;
    let mut world = Live::new(tls13, Meddler::new(input));
    let untouched = world.is_untouched();
    let parameters = driver::parameters(1);
    let Some(Ok(opened)) = driver::open(&mut world, parameters.clone()) else {
        assert!(!untouched, "the card opens");
        return;
    };
    let mut session = None;
    for round in 0..2 {
        world.connect();
        let ended = driver::handshake(
            &mut world,
            request(),
            parameters.clone(),
            opened.capabilities,
            Arc::new(OnlyTheServer),
            session.take(),
        );
        match ended {
            Some(Ok(completed)) => {
                assert_eq!(completed.peer_certificates, [Pki::get().server_der()]);
                assert!(!untouched || completed.abbreviated == (round == 1 && !tls13));
                session = completed.session;
            }
            Some(Err(failure)) => {
                assert!(!untouched, "{}", failure.error);
                session = failure.session;
            }
            None => return,
        }
        let identity = IDENTITY.parse().expect("a friendly name");
        let mut step = closing::begin(&parameters.profile, parameters.steps, identity);
        while let Ok(closing::Step::Transmit(closing, command)) = step {
            let Some(response) = driver::World::card(&mut world, &command) else {
                return;
            };
            step = closing.on_response(response);
        }
        if step.is_err() {
            return;
        }
    }
});

/// Knows the one server there is.
struct OnlyTheServer;

impl PeerVerifier for OnlyTheServer {
    fn verify_peer(&self, chain: &[Vec<u8>], server_name: &str) -> Result<(), TrustError> {
        assert_eq!(server_name, SERVER_NAME);
        let good = chain == [Pki::get().server_der()];
        good.then_some(()).ok_or(TrustError::UnknownIssuer)
    }
}
