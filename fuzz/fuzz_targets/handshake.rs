//! A handshake is driven between a card and a server that both say anything.
#![no_main]

use std::collections::VecDeque;
use std::sync::Arc;

use dom0_middleware::card::eap_tls::{Capabilities, HandshakeRequest};
use dom0_middleware::card::{PeerVerifier, TrustError};
use libfuzzer_sys::fuzz_target;
use proto::apdu::{CommandApdu, ResponseApdu};
use proto::id::DomainUuid;
use proto::tls::ProtocolVersion;
use tessera_fuzz::driver::{self, World};
use tessera_fuzz::partners::{IDENTITY, SERVER_NAME};
use tessera_fuzz::pieces::pieces;

/// Choices, identifier of the start packet, SHA-256 of the card's certificate; then answers of the
/// card (kind 0) and records of the server (kind 1), of both handshakes.
fuzz_target!(|input: &[u8]| {
    let Some((&[choice, identifier], input)) = input.split_first_chunk() else {
        return;
    };
    let Some((certificate, input)) = input.split_first_chunk::<32>() else {
        return;
    };
    let has = |bit: u8| choice & 1 << bit != 0;
    let capabilities = Capabilities {
        parameters: has(0),
        store_session_id: has(1),
        state: has(2),
        tls13: has(3),
    };
    let mut parameters = driver::parameters(identifier);
    parameters.profile.reset_state = !has(4);
    parameters.profile.draft26_states = !has(5);
    let request = HandshakeRequest {
        domain: DomainUuid::from_bytes([7; 16]),
        identity: IDENTITY.parse().expect("a friendly name"),
        server_name: SERVER_NAME.to_owned(),
        alpn: Vec::new(),
        min_version: match has(6) {
            true => ProtocolVersion::TLS1_0,
            false => ProtocolVersion::TLS1_2,
        },
        max_version: ProtocolVersion::TLS1_3,
        version_wish: false,
        resume: true,
        trust: [1; 32],
        client_certificate_sha256: *certificate,
        max_bytes: MAX_BYTES,
    };
    let mut script = Script::default();
    for piece in pieces(input) {
        match piece.kind & 1 {
            0 => script.card.push_back(piece.bytes.to_vec()),
            _ => script.server.push_back(piece.bytes.to_vec()),
        }
    }
    let mut session = None;
    for _ in 0..2 {
        script.from_server = 0;
        let verifier = Arc::new(Anybody(!has(7))) as Arc<dyn PeerVerifier>;
        let ended = driver::handshake(
            &mut script,
            request.clone(),
            parameters.clone(),
            capabilities,
            verifier,
            session,
        );
        session = match ended {
            Some(Ok(completed)) => {
                assert!(!has(7), "keys although the server was refused");
                assert!(!completed.peer_certificates.is_empty());
                let consumed = usize::try_from(completed.consumed).expect("bounded");
                assert!(consumed <= script.from_server.min(MAX_BYTES));
                completed.session
            }
            Some(Err(failure)) => failure.session,
            None => return,
        };
    }
});

#[derive(Default)]
struct Script {
    card: VecDeque<Vec<u8>>,
    server: VecDeque<Vec<u8>>,
    /// Bytes of the server that the handshake has had.
    from_server: usize,
}

impl World for Script {
    fn card(&mut self, _: &CommandApdu) -> Option<ResponseApdu> {
        ResponseApdu::decode(&self.card.pop_front()?).ok()
    }

    fn to_server(&mut self, _: &[u8]) {}

    fn from_server(&mut self) -> Option<Vec<u8>> {
        let records = self.server.pop_front()?;
        self.from_server += records.len();
        Some(records)
    }
}

/// Believes every server, or none.
struct Anybody(bool);

impl PeerVerifier for Anybody {
    fn verify_peer(&self, chain: &[Vec<u8>], server_name: &str) -> Result<(), TrustError> {
        assert!(!chain.is_empty());
        assert_eq!(server_name, SERVER_NAME);
        self.0.then_some(()).ok_or(TrustError::UnknownIssuer)
    }
}

const MAX_BYTES: usize = 16 << 10;
