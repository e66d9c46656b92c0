//! The trust of one binding, and the door through which a driver asks it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use rustls_pki_types::{CertificateDer, UnixTime};
use sha2::{Digest, Sha256};

use super::authorities::Authorities;
use super::error::{TrustError, TrustSetupError};
use super::leaf;

/// Decides whether certificates are those of a server. Injected into the driver, so that it needs
/// neither a clock nor an opinion.
pub trait PeerVerifier: Send + Sync {
    /// Accepts or refuses `chain` (DER, leaf first, as the server sent it) for `server_name`.
    ///
    /// # Errors
    /// The [`TrustError`] that says why not.
    fn verify_peer(&self, chain: &[Vec<u8>], server_name: &str) -> Result<(), TrustError>;
}

/// What one binding believes: CA certificates, or pins of single servers.
///
/// A pinned name is believed by its pin alone, whatever the CAs say; of a pinned certificate only
/// the hash and the dates are looked at.
#[derive(Debug, Clone)]
pub struct Trust {
    authorities: Option<Arc<Authorities>>,
    pins: BTreeMap<String, [u8; 32]>,
    fingerprint: [u8; 32],
}

impl Trust {
    /// Trust in `ca` certificates and in `pins` (server name → SHA-256 of the leaf's DER). Names
    /// are compared without regard to case. Both may be empty: that trust accepts nothing.
    ///
    /// # Errors
    /// [`TrustSetupError`] naming the CA certificate that cannot be used.
    pub fn load(
        ca: &[CertificateDer<'_>],
        pins: HashMap<String, [u8; 32]>,
    ) -> Result<Self, TrustSetupError> {
        let authorities = match ca {
            [] => None,
            some => Some(Arc::new(Authorities::new(some)?)),
        };
        let pins = pins
            .into_iter()
            .map(|(name, hash)| (name.to_ascii_lowercase(), hash))
            .collect();
        let fingerprint = fingerprint(ca, &pins);
        Ok(Self {
            authorities,
            pins,
            fingerprint,
        })
    }

    /// Checks a server's certificates (DER, leaf first) for `server_name` at the time `now`.
    ///
    /// # Errors
    /// The [`TrustError`] that says why they are not accepted.
    pub fn verify(
        &self,
        chain: &[Vec<u8>],
        server_name: &str,
        now: UnixTime,
    ) -> Result<(), TrustError> {
        let (leaf, intermediates) = chain.split_first().ok_or(TrustError::NoCertificate)?;
        if let Some(pinned) = self.pins.get(&server_name.to_ascii_lowercase()) {
            let got: [u8; 32] = Sha256::digest(leaf).into();
            if got != *pinned {
                return Err(TrustError::PinMismatch { got });
            }
            return leaf::verify_dates(leaf, now);
        }
        match &self.authorities {
            Some(authorities) => authorities.verify(leaf, intermediates, server_name, now),
            None => Err(TrustError::NoTrustFor {
                server_name: server_name.to_owned(),
            }),
        }
    }

    /// A digest of everything believed: equal exactly when CAs and pins are the same sets.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 32] {
        self.fingerprint
    }
}

fn fingerprint(ca: &[CertificateDer<'_>], pins: &BTreeMap<String, [u8; 32]>) -> [u8; 32] {
    let mut anchors: Vec<[u8; 32]> = ca.iter().map(|der| Sha256::digest(der).into()).collect();
    anchors.sort_unstable();
    anchors.dedup();
    let mut hash = Sha256::new();
    hash.update(b"tessera trust v1");
    hash.update((anchors.len() as u64).to_be_bytes());
    for anchor in anchors {
        hash.update(anchor);
    }
    for (name, pin) in pins {
        hash.update((name.len() as u64).to_be_bytes());
        hash.update(name);
        hash.update(pin);
    }
    hash.finalize().into()
}
