//! What the tests of the driver and of the worker share: TLS bytes without cryptography, and a
//! card made of switches.

mod card;
pub(in crate::card) mod tls;

use std::sync::Arc;

use proto::id::{DomainUuid, IdentityName};
use proto::tls::ProtocolVersion;

pub(in crate::card) use self::card::{Answers, FakeCard};
use super::{Capabilities, DriverParameters, HandshakeRequest};
use crate::card::profile::EapTlsProfile;
use crate::card::trust::{PeerVerifier, TrustError};

/// SHA-256 of what [`tls::CLIENT_CERTIFICATE`] is.
pub(in crate::card) fn client_certificate_sha256() -> [u8; 32] {
    use sha2::{Digest, Sha256};
    Sha256::digest(tls::CLIENT_CERTIFICATE).into()
}

/// A request that suits [`FakeCard`] and the flights of [`tls`].
pub(in crate::card) fn request() -> HandshakeRequest {
    HandshakeRequest {
        domain: DomainUuid::from_bytes([1; 16]),
        identity: name("alice"),
        server_name: "server.example".to_owned(),
        alpn: Vec::new(),
        min_version: ProtocolVersion::TLS1_2,
        max_version: ProtocolVersion::TLS1_3,
        version_wish: false,
        resume: true,
        trust: [2; 32],
        client_certificate_sha256: client_certificate_sha256(),
        max_bytes: 256 * 1024,
    }
}

/// Parameters with every step on.
pub(in crate::card) fn parameters() -> DriverParameters {
    DriverParameters::new(EapTlsProfile::builtin(), 0xFE, 0x6B00_0000, [9; 32])
}

/// What a [`FakeCard`] with every switch on is found to have.
pub(in crate::card) fn all_capabilities() -> Capabilities {
    Capabilities {
        parameters: true,
        store_session_id: false,
        state: true,
        tls13: false,
    }
}

pub(in crate::card) fn name(text: &str) -> IdentityName {
    text.parse().expect("a friendly name")
}

/// Accepts every server.
pub(in crate::card) fn believer() -> Arc<dyn PeerVerifier> {
    struct Believer;
    impl PeerVerifier for Believer {
        fn verify_peer(&self, _: &[Vec<u8>], _: &str) -> Result<(), TrustError> {
            Ok(())
        }
    }
    Arc::new(Believer)
}

/// Accepts no server.
pub(in crate::card) fn sceptic() -> Arc<dyn PeerVerifier> {
    struct Sceptic;
    impl PeerVerifier for Sceptic {
        fn verify_peer(&self, _: &[Vec<u8>], _: &str) -> Result<(), TrustError> {
            Err(TrustError::UnknownIssuer)
        }
    }
    Arc::new(Sceptic)
}
