//! The engine for cards that only sign, with such a card and a server that keeps to the rules.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use dom0_middleware::card::{CardSession, SessionError, Trust};
use dom0_middleware::engine::{Engine, EngineRequest, EngineStep, Engines, SignDoor, TicketTaker};
use proto::id::DomainUuid;
use proto::tls::ProtocolVersion;
use rustls::SignatureScheme;
use rustls::sign::SigningKey;

use crate::partners::{Pki, SERVER_NAME, Server};

/// The most bytes of a handshake, each way.
pub const MAX_BYTES: usize = 64 << 10;

/// A card that signs whatever it is given.
pub struct Signer(Arc<dyn SigningKey>);

impl Signer {
    /// With the key of the one client there is.
    pub fn new() -> Box<Self> {
        static KEY: LazyLock<Arc<dyn SigningKey>> = LazyLock::new(|| Pki::get().client_key());
        Box::new(Self(Arc::clone(&KEY)))
    }
}

impl SignDoor for Signer {
    fn sign(&mut self, scheme: SignatureScheme, message: &[u8]) -> Result<Vec<u8>, SessionError> {
        let signer = self.0.choose_scheme(&[scheme]).expect("the one of the key");
        Ok(signer.sign(message).expect("a signature"))
    }
}

/// A handshake of the one client with the one server.
pub fn request() -> EngineRequest {
    static TRUST: LazyLock<Arc<Trust>> = LazyLock::new(|| {
        let trust = Trust::load(&[Pki::get().ca_der()], HashMap::new());
        Arc::new(trust.expect("a CA"))
    });
    EngineRequest {
        domain: DomainUuid::from_bytes([7; 16]),
        seid: "se-00".parse().expect("a SEID"),
        identity: "9a".parse().expect("a name"),
        certificates: vec![Pki::get().client_der().to_vec()],
        schemes: vec![SignatureScheme::ECDSA_NISTP256_SHA256],
        server_name: SERVER_NAME.to_owned(),
        alpn: Vec::new(),
        min_version: ProtocolVersion::TLS1_2,
        max_version: ProtocolVersion::TLS1_3,
        resume: true,
        trust: Arc::clone(&TRUST),
        max_bytes: MAX_BYTES,
    }
}

/// What a handshake ended in, and what the server said with and after its end.
pub struct Ended {
    /// Its keys and the like.
    pub session: Box<CardSession>,
    /// What takes its tickets.
    pub tickets: Option<TicketTaker>,
    /// Records behind the handshake.
    pub behind: Vec<u8>,
}

/// Runs a handshake with `server`; `to_server` and `from_server` see what is said and may change
/// it. Nothing if it fails, or if the server falls silent.
pub fn handshake(
    engines: &Engines,
    server: &mut Server,
    mut to_server: impl FnMut(Vec<u8>) -> Vec<u8>,
    mut from_server: impl FnMut(Vec<u8>) -> Vec<u8>,
) -> Option<Ended> {
    let (mut engine, mut said): (Engine, _) = engines.begin(request()).expect("a ClientHello");
    loop {
        server.receive(&to_server(said));
        let flight = server.flush();
        if flight.is_empty() {
            return None;
        }
        let flight = from_server(flight);
        match engine.on_records(&flight, Signer::new()) {
            EngineStep::AwaitServer { engine: next, out } => (engine, said) = (next, out),
            EngineStep::Established {
                session,
                out,
                tickets,
            } => {
                assert!(session.consumed <= MAX_BYTES as u64);
                // Where the last flight ends is known only while it is the only one.
                server.receive(&to_server(out));
                let behind = from_server(server.flush());
                return Some(Ended {
                    session,
                    tickets,
                    behind,
                });
            }
            EngineStep::Failed { alert, .. } => {
                assert!(alert.is_none_or(|alert| !alert.is_empty()));
                return None;
            }
        }
    }
}
