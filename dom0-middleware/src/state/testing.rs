//! What the tests of this module have in common.

use std::io;

use proto::id::DomainUuid;
use proto::tls::ProtocolVersion;
use tempfile::TempDir;

use super::bindings::StoredBinding;
use super::open::State;
use crate::audit::AuditHead;
use crate::mapping::Terms;
use crate::time::UnixTime;

/// A new state.
pub(super) fn open() -> (TempDir, State) {
    let dir = tempfile::tempdir().expect("a directory");
    let state = open_again(&dir);
    (dir, state)
}

/// The state in a folder.
pub(super) fn open_again(dir: &TempDir) -> State {
    State::open(&dir.path().join("state.db")).expect("usable")
}

/// A record that was written.
pub(super) fn record<T>(change: u64, _: &T) -> io::Result<AuditHead> {
    Ok(head(change))
}

pub(super) fn head(seq: u64) -> AuditHead {
    AuditHead { seq, hash: [9; 32] }
}

/// A binding of the domain with this byte in its UUID.
pub(super) fn binding(domain: u8, seid: &str, identity: Option<&str>) -> StoredBinding {
    StoredBinding {
        domain: DomainUuid::from_bytes([domain; 16]),
        seid: seid.parse().expect("a SEID"),
        identity: identity.map(|name| name.parse().expect("a name")),
        trust: "-----BEGIN CERTIFICATE-----".to_owned(),
        certificate: None,
        terms: Terms {
            server_names: Vec::new(),
            min_version: ProtocolVersion::TLS1_2,
            resume: true,
        },
        raw_apdu: None,
        shared: false,
        bound_at: UnixTime::from_secs(7),
    }
}
