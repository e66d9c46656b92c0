//! The key and its certificate.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use proto::hv::{HvCertificate, HvSigner};
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use rustls::crypto::ring::sign::any_ecdsa_type;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::{CertifiedKey, SigningKey};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use thiserror::Error;
use zeroize::Zeroizing;

use super::certificate::{CertificateError, Issued, issue};
use crate::time::UnixTime;

/// The channel key with its certificate of the moment. Knows no clock: it is told the time, and says
/// when it wants to be renewed. The HV key is lent to it for that and not kept.
pub struct ChannelKey {
    hv: HvCertificate,
    pair: EcdsaKeyPair,
    tls_key: Arc<dyn SigningKey>,
    random: SystemRandom,
    current: RwLock<Current>,
}

/// The certificate in use.
#[derive(Debug, Clone)]
struct Current {
    certified: Arc<CertifiedKey>,
    not_before: UnixTime,
    not_after: UnixTime,
}

impl ChannelKey {
    /// Makes a key and has it certified by the HV key `signer`, whose certificate is `hv`.
    ///
    /// # Errors
    /// [`ChannelKeyError`] when the two do not belong together, the HV certificate has ended, or the
    /// key cannot sign.
    pub fn new(
        signer: &dyn HvSigner,
        hv: HvCertificate,
        now: UnixTime,
    ) -> Result<Self, ChannelKeyError> {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random);
        let pkcs8 = pkcs8.map_err(|_| ChannelKeyError::NoRandomness)?;
        let pkcs8 = Zeroizing::new(pkcs8.as_ref().to_vec());
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, &pkcs8, &random)
            .map_err(|_| ChannelKeyError::NoRandomness)?;
        let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(pkcs8.as_slice()));
        let tls_key = any_ecdsa_type(&der).map_err(ChannelKeyError::Tls)?;
        let issued = certify(signer, &hv, &pair, &random, now)?;
        let current = Current::new(issued, &hv, &tls_key);
        Ok(Self {
            hv,
            pair,
            tls_key,
            random,
            current: RwLock::new(current),
        })
    }

    /// The HV certificate that vouches for the key.
    #[must_use]
    pub fn hv(&self) -> &HvCertificate {
        &self.hv
    }

    /// Whether a new certificate is due: half the life of this one is over, or the calendar was set
    /// back to before it.
    #[must_use]
    pub fn is_due(&self, now: UnixTime) -> bool {
        let current = self.current();
        now >= current.half_life() || now < current.not_before
    }

    /// Whether the certificate is good now.
    #[must_use]
    pub fn is_valid(&self, now: UnixTime) -> bool {
        let current = self.current();
        (current.not_before..current.not_after).contains(&now)
    }

    /// When the certificate in use ends.
    #[must_use]
    pub fn not_after(&self) -> UnixTime {
        self.current().not_after
    }

    /// Has the key certified anew by `signer`, the same HV key. Connections made from now on show the new certificate.
    ///
    /// # Errors
    /// [`ChannelKeyError`]; the certificate in use stays in use.
    pub fn renew(&self, signer: &dyn HvSigner, now: UnixTime) -> Result<(), ChannelKeyError> {
        let issued = certify(signer, &self.hv, &self.pair, &self.random, now)?;
        let current = Current::new(issued, &self.hv, &self.tls_key);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = current;
        Ok(())
    }

    /// The certificates shown: the channel key's, and the HV certificate.
    pub(super) fn chain(&self) -> Vec<CertificateDer<'static>> {
        self.current().certified.cert.clone()
    }

    pub(super) fn sign_der(&self, message: &[u8]) -> Vec<u8> {
        let signature = self.pair.sign(&self.random, message);
        let signature = signature.expect("the system gives random numbers");
        signature.as_ref().to_vec()
    }

    fn current(&self) -> Current {
        let current = self.current.read();
        current.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn certify(
    signer: &dyn HvSigner,
    hv: &HvCertificate,
    pair: &EcdsaKeyPair,
    random: &SystemRandom,
    now: UnixTime,
) -> Result<Issued, ChannelKeyError> {
    if signer.spki_der() != hv.spki_der() {
        return Err(ChannelKeyError::OtherKey);
    }
    let mut serial = [0; 16];
    let filled = random.fill(&mut serial);
    filled.map_err(|_| ChannelKeyError::NoRandomness)?;
    // A serial number is positive (RFC 5280 §4.1.2.2).
    serial[0] = serial[0] & 0x7F | 0x40;
    Ok(issue(signer, hv, pair.public_key().as_ref(), serial, now)?)
}

impl Current {
    fn new(issued: Issued, hv: &HvCertificate, key: &Arc<dyn SigningKey>) -> Self {
        let hv = CertificateDer::from(hv.der().to_vec());
        let chain = vec![issued.certificate, hv];
        Self {
            certified: Arc::new(CertifiedKey::new(chain, Arc::clone(key))),
            not_before: issued.not_before,
            not_after: issued.not_after,
        }
    }

    fn half_life(&self) -> UnixTime {
        let life = self.not_after.0.saturating_sub(self.not_before.0);
        UnixTime(self.not_before.0 + life / 2)
    }
}

impl ResolvesServerCert for ChannelKey {
    fn resolve(&self, _client_hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current().certified)
    }
}

/// Shows the certificate's dates, no key.
impl fmt::Debug for ChannelKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChannelKey(until {})", self.not_after())
    }
}

/// Why there is no channel key, or no new certificate for it.
#[derive(Debug, Error)]
pub enum ChannelKeyError {
    /// The HV key is not the one of the HV certificate.
    #[error("the HV key does not belong to the HV certificate")]
    OtherKey,
    /// The certificate could not be made.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The system gives no random numbers.
    #[error("the system gives no random numbers")]
    NoRandomness,
    /// The TLS library does not take the key: a bug.
    #[error("TLS does not take the channel key: {0}")]
    Tls(#[source] rustls::Error),
}
