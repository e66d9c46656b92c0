//! Servers in this process, and a card in software.

mod card;
mod pki;
mod run;
mod server;

use proto::id::DomainUuid;
use proto::tls::ProtocolVersion;

pub(super) use self::card::SoftCard;
pub(in crate::engine) use self::pki::{KEYS, Key, LAST_YEAR, Pki};
pub(super) use self::run::{Done, Failure, go_on, handshake};
pub(super) use self::server::{Link, Server};
use crate::engine::EngineRequest;

pub(super) const SERVER_NAME: &str = "www.example.org";
pub(super) const VERSIONS: [ProtocolVersion; 2] =
    [ProtocolVersion::TLS1_2, ProtocolVersion::TLS1_3];

/// A request of one domain for [`SERVER_NAME`].
pub(in crate::engine) fn request(key: Key) -> EngineRequest {
    EngineRequest {
        domain: DomainUuid::from_bytes([7; 16]),
        seid: "se-00".parse().expect("a SEID"),
        identity: "9a".parse().expect("a name"),
        certificates: vec![Pki::get().card_der(key).to_vec()],
        schemes: key.schemes(),
        server_name: SERVER_NAME.to_owned(),
        alpn: Vec::new(),
        min_version: ProtocolVersion::TLS1_2,
        max_version: ProtocolVersion::TLS1_3,
        resume: true,
        trust: Pki::get().trust(),
        max_bytes: 256 << 10,
    }
}
