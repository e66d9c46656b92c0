//! Checkpoints: lines that the service signs, so that what is before them cannot be made anew.
//!
//! The hashes alone show an edit, but whoever can write the file can compute them all again. They
//! cannot sign.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::chain::Chain;
use super::event::AuditEvent;
use super::records::{CheckpointProof, CheckpointReason};
use crate::channel_key::CheckpointSigner;
use crate::hex::hex;
use crate::time::UnixTime;

/// A checkpoint is written after so many records.
pub(super) const RECORDS: u64 = 1_000;

/// A checkpoint is written after this time, whether there were records or not.
pub(super) const PERIOD: Duration = Duration::from_secs(60 * 60);

/// What every signature starts with, so that it means nothing elsewhere.
const DOMAIN: &[u8] = b"tessera audit checkpoint v1";

/// What a checkpoint signs: the domain, the line's number (8 bytes, big endian), the SHA-256 of the
/// line before it (32 bytes), and the line's time as it stands there.
#[must_use]
pub(super) fn message(seq: u64, prev: &[u8; 32], time: &str) -> Vec<u8> {
    [DOMAIN, &seq.to_be_bytes(), prev, time.as_bytes()].concat()
}

/// What checkpoints call a key.
pub(super) fn key_name(certificate: &[u8]) -> String {
    hex(&Sha256::digest(certificate))
}

/// What signs, and what the file knows of it.
#[derive(Default)]
pub(super) struct Signing {
    signer: Option<Arc<dyn CheckpointSigner>>,
    /// The key that this file has the certificate of.
    known: Option<String>,
}

impl Signing {
    /// From now on `signer` signs.
    pub(super) fn set(&mut self, signer: Arc<dyn CheckpointSigner>) {
        self.signer = Some(signer);
    }

    /// Another file begins, which knows no key.
    pub(super) fn forget_key(&mut self) {
        self.known = None;
    }

    /// The record of the key, if the file has to have it first.
    pub(super) fn unknown_key(&self) -> Option<AuditEvent> {
        let certificates = self.signer.as_ref()?.certificates();
        let key = key_name(certificates.first()?);
        if self.known.as_ref() == Some(&key) {
            return None;
        }
        let certificates = certificates.iter().map(|der| STANDARD.encode(der));
        Some(AuditEvent::CheckpointKey {
            key,
            certificates: certificates.collect(),
        })
    }

    /// The record of the key was written.
    pub(super) fn on_written(&mut self, event: &AuditEvent) {
        if let AuditEvent::CheckpointKey { key, .. } = event {
            self.known = Some(key.clone());
        }
    }

    /// The checkpoint that comes next in a chain. `None` when the key was renewed just now, which
    /// the file must have first.
    pub(super) fn checkpoint(
        &self,
        chain: &Chain,
        reason: CheckpointReason,
        time: UnixTime,
    ) -> Option<AuditEvent> {
        let Some(signer) = &self.signer else {
            let proof = CheckpointProof::Unsigned { unsigned: true };
            return Some(AuditEvent::Checkpoint { reason, proof });
        };
        let message = message(chain.seq(), &chain.prev(), &time.to_string());
        let signature = STANDARD.encode(signer.sign(&message));
        if self.unknown_key().is_some() {
            return None;
        }
        let key = self.known.clone()?;
        let proof = CheckpointProof::Signed { key, signature };
        Some(AuditEvent::Checkpoint { reason, proof })
    }
}
