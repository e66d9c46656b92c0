//! Audits with every kind of line that proves something.

use std::io;
use std::sync::{Arc, Mutex};

use dom0_middleware::audit::{AuditEvent, AuditLog, CheckpointReason, Storage};
use dom0_middleware::channel_key::CheckpointSigner;
use dom0_middleware::time::UnixTime;
use rcgen::{CertificateParams, KeyPair, SigningKey as _};

use super::Seeds;

pub(super) fn write(seeds: &mut Seeds) -> io::Result<()> {
    let key = KeyPair::generate().expect("a P-256 key");
    let certificate = CertificateParams::default().self_signed(&key);
    let certificate = certificate.expect("sound").der().to_vec();
    let lines = Lines::default();
    let mut log = AuditLog::new(Box::new(lines.clone()));
    let now = UnixTime::from_secs(1_800_000_000);
    log.append(&AuditEvent::ServiceStopped, now)?;
    log.checkpoint(CheckpointReason::Start, now)?;
    log.sign_with(Arc::new(Signer { key, certificate }));
    log.checkpoint(CheckpointReason::Hour, now)?;
    let previous_sha256 = "00".repeat(32);
    let continued = AuditEvent::FileContinued {
        previous_seq: 3,
        previous_sha256,
    };
    log.append(&continued, now)?;
    log.checkpoint(CheckpointReason::Stop, now)?;
    let lines = lines.0.lock().expect("no panic").join(&b'\n');
    seeds.add("audit", "lines", &[b"\0".as_slice(), &lines].concat())?;
    // The chained form has no number and no hash of its own.
    let rests: Vec<Vec<u8>> = lines.split(|byte| *byte == b'\n').map(rest).collect();
    seeds.add(
        "audit",
        "chained",
        &[b"\x01".as_slice(), &rests.join(&b'\n')].concat(),
    )
}

/// A line without its number and the hash of the one before.
fn rest(line: &[u8]) -> Vec<u8> {
    let at = line.windows(8).position(|window| window == b"\"event\":");
    let event = at.and_then(|at| line.get(at..)).unwrap_or_default();
    [b"\"time\":\"2027-01-15T08:00:00.000Z\",", event].concat()
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<Vec<u8>>>>);

impl Storage for Lines {
    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        let line = line.trim_ascii_end().to_vec();
        self.0.lock().expect("no panic").push(line);
        Ok(())
    }
}

struct Signer {
    key: KeyPair,
    certificate: Vec<u8>,
}

impl CheckpointSigner for Signer {
    fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.key.sign(message).expect("it signs")
    }

    fn certificates(&self) -> Vec<Vec<u8>> {
        vec![self.certificate.clone()]
    }
}
