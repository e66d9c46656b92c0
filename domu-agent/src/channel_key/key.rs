//! The key itself.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use proto::token::ConfirmationKey;
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use rustls::crypto::ring::sign::any_supported_type;
use rustls::sign::SigningKey;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use zeroize::Zeroizing;

/// A private key and its public part. What ring keeps of it is not wiped: ring does not.
#[derive(Clone)]
pub(crate) struct ChannelKey {
    signing: Arc<dyn SigningKey>,
    public: ConfirmationKey,
}

/// The kinds of keys there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum KeyAlgorithm {
    /// Ed25519 (RFC 8032).
    #[default]
    Ed25519,
    /// ECDSA on P-256.
    P256,
}

impl FromStr for KeyAlgorithm {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "ed25519" => Ok(Self::Ed25519),
            "p256" => Ok(Self::P256),
            _ => Err("one of ed25519, p256"),
        }
    }
}

/// A PKCS#8 document of version 1 up to the seed of an Ed25519 key (RFC 8410 §7). OpenSSL reads no
/// other version.
const ED25519_PKCS8: [u8; 16] = [
    0x30, 0x2E, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

impl ChannelKey {
    /// The key in this PKCS#8 document.
    ///
    /// # Errors
    /// [`KeyError`] when it is of another kind.
    pub(crate) fn from_pkcs8(pkcs8: &[u8]) -> Result<Self, KeyError> {
        let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(pkcs8));
        let signing = any_supported_type(&der).map_err(|_| KeyError::NoKey)?;
        let public = signing.public_key().ok_or(KeyError::Kind)?;
        let public = ConfirmationKey::from_spki_der(&public).map_err(|_| KeyError::Kind)?;
        Ok(Self { signing, public })
    }

    /// Its public part.
    pub(crate) const fn public(&self) -> &ConfirmationKey {
        &self.public
    }

    /// Its kind.
    pub(crate) const fn algorithm(&self) -> KeyAlgorithm {
        match self.public {
            ConfirmationKey::Ed25519(_) => KeyAlgorithm::Ed25519,
            ConfirmationKey::P256(_) => KeyAlgorithm::P256,
        }
    }

    /// Signs in TLS.
    pub(crate) fn signing(&self) -> Arc<dyn SigningKey> {
        Arc::clone(&self.signing)
    }
}

/// Makes a new key: a PKCS#8 document.
///
/// # Errors
/// [`KeyError::NoRandomness`].
pub(super) fn generate(algorithm: KeyAlgorithm) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let random = SystemRandom::new();
    match algorithm {
        KeyAlgorithm::Ed25519 => {
            let mut pkcs8 = Zeroizing::new(ED25519_PKCS8.to_vec());
            let mut seed = Zeroizing::new([0; 32]);
            let filled = random.fill(seed.as_mut_slice());
            filled.map_err(|_| KeyError::NoRandomness)?;
            pkcs8.reserve_exact(seed.len());
            pkcs8.extend_from_slice(seed.as_slice());
            Ok(pkcs8)
        }
        KeyAlgorithm::P256 => {
            let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random);
            let pkcs8 = pkcs8.map_err(|_| KeyError::NoRandomness)?;
            Ok(Zeroizing::new(pkcs8.as_ref().to_vec()))
        }
    }
}

/// The kind and the public part.
impl fmt::Debug for ChannelKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "ChannelKey({}, {})",
            self.public,
            self.public.fingerprint()
        )
    }
}

/// Why there is no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum KeyError {
    /// It cannot be read as a key.
    #[error("not a private key in PKCS#8")]
    NoKey,
    /// A key that dom0 does not take.
    #[error("not an Ed25519 or P-256 key, dom0 takes no other")]
    Kind,
    /// The system gives no random numbers.
    #[error("the system gives no random numbers")]
    NoRandomness,
}
