//! An HV key in a PKCS#8 file.

use pkcs8::der::asn1::BitStringRef;
use pkcs8::der::{Decode as _, Encode as _};
use pkcs8::spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};
use pkcs8::{EncryptedPrivateKeyInfo, ObjectIdentifier, PrivateKeyInfo, SecretDocument};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
    RSA_PSS_SHA256, RsaEncoding, RsaKeyPair,
};

use super::{HvSigner, SignError};
use crate::token::{ConfirmationKey, SignatureAlgorithm};

/// An HV's private key, read from a PKCS#8 PEM file: RSA of 2048 to 4096 bits, P-256 or Ed25519.
///
/// The file's content and the decrypted document are wiped as soon as they have been read. The
/// copy that `ring` keeps is not: `ring` does not wipe keys. Drop this value as soon as it is no
/// longer needed; a host that cannot live with that keeps its HV key in a card.
pub struct SoftwareHvKey {
    key: Key,
    spki: Vec<u8>,
}

enum Key {
    Rsa(Box<RsaKeyPair>),
    P256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl SoftwareHvKey {
    /// Reads the file's content; `passphrase` is used only if the key is encrypted (PBES2 with
    /// PBKDF2 or scrypt and AES, what `openssl pkcs8 -topk8` makes).
    ///
    /// # Errors
    /// [`KeyError`]; [`KeyError::PassphraseNeeded`] if it is encrypted and `passphrase` is `None`.
    pub fn from_pem(pem: &[u8], passphrase: Option<&[u8]>) -> Result<Self, KeyError> {
        let pem = str::from_utf8(pem).map_err(|_| KeyError::Pem)?;
        let block = pem.find("-----BEGIN ").and_then(|at| pem.get(at..));
        let read = SecretDocument::from_pem(block.ok_or(KeyError::Pem)?);
        let (label, document) = read.map_err(|_| KeyError::Pem)?;
        match (label, passphrase) {
            ("PRIVATE KEY", _) => Self::from_document(&document),
            ("ENCRYPTED PRIVATE KEY", None) => Err(KeyError::PassphraseNeeded),
            ("ENCRYPTED PRIVATE KEY", Some(passphrase)) => {
                let encrypted = EncryptedPrivateKeyInfo::from_der(document.as_bytes());
                let encrypted = encrypted.map_err(|_| KeyError::Encryption)?;
                let document = encrypted.decrypt(passphrase);
                Self::from_document(&document.map_err(|_| KeyError::Passphrase)?)
            }
            (label, _) => Err(KeyError::NotPkcs8(label.to_owned())),
        }
    }

    fn from_document(document: &SecretDocument) -> Result<Self, KeyError> {
        let pkcs8 = document.as_bytes();
        let info = PrivateKeyInfo::from_der(pkcs8).map_err(|_| KeyError::Pem)?;
        let refused = |error: ring::error::KeyRejected| KeyError::Refused(error.to_string());
        match (info.algorithm.oid, info.algorithm.parameters_oid().ok()) {
            (RSA_ENCRYPTION, _) => {
                let key = RsaKeyPair::from_pkcs8(pkcs8).map_err(refused)?;
                let spki = rsa_spki(&key)?;
                let key = Key::Rsa(Box::new(key));
                Ok(Self { key, spki })
            }
            (EC_PUBLIC_KEY, Some(P_256)) => {
                let random = SystemRandom::new();
                let read =
                    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8, &random);
                let key = read.map_err(refused)?;
                let point = key.public_key().as_ref().try_into();
                let public = ConfirmationKey::P256(point.map_err(|_| KeyError::Kind)?);
                let (key, spki) = (Key::P256(key), public.spki_der());
                Ok(Self { key, spki })
            }
            (ED25519, _) => {
                // OpenSSL writes version 1, without the public key.
                let key = Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8).map_err(refused)?;
                let public = key.public_key().as_ref().try_into();
                let public = ConfirmationKey::Ed25519(public.map_err(|_| KeyError::Kind)?);
                let (key, spki) = (Key::Ed25519(key), public.spki_der());
                Ok(Self { key, spki })
            }
            _ => Err(KeyError::Kind),
        }
    }
}

impl HvSigner for SoftwareHvKey {
    fn spki_der(&self) -> &[u8] {
        &self.spki
    }

    fn algorithms(&self) -> &[SignatureAlgorithm] {
        match self.key {
            Key::Rsa(_) => &[SignatureAlgorithm::Ps256, SignatureAlgorithm::Rs256],
            Key::P256(_) => &[SignatureAlgorithm::Es256],
            Key::Ed25519(_) => &[SignatureAlgorithm::EdDsa],
        }
    }

    fn sign(&self, algorithm: SignatureAlgorithm, message: &[u8]) -> Result<Vec<u8>, SignError> {
        let random = SystemRandom::new();
        let failed = |_| SignError::Key("no random numbers, or a key that is not one".to_owned());
        match (&self.key, algorithm) {
            (Key::Rsa(key), SignatureAlgorithm::Ps256 | SignatureAlgorithm::Rs256) => {
                let encoding: &dyn RsaEncoding = match algorithm {
                    SignatureAlgorithm::Ps256 => &RSA_PSS_SHA256,
                    _ => &RSA_PKCS1_SHA256,
                };
                let mut signature = vec![0; key.public().modulus_len()];
                let signed = key.sign(encoding, &random, message, &mut signature);
                signed.map_err(failed)?;
                Ok(signature)
            }
            (Key::P256(key), SignatureAlgorithm::Es256) => {
                let signature = key.sign(&random, message).map_err(failed)?;
                Ok(signature.as_ref().to_vec())
            }
            (Key::Ed25519(key), SignatureAlgorithm::EdDsa) => {
                Ok(key.sign(message).as_ref().to_vec())
            }
            _ => Err(SignError::Algorithm(algorithm)),
        }
    }
}

/// Why a file holds no HV key that can be used. Nothing of the key is in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not PEM, or not PKCS#8 in it.
    #[error("not a PKCS#8 key in PEM")]
    Pem,
    /// Another form of a private key.
    #[error("a PEM block {0:?}, not PKCS#8: convert it with openssl pkcs8 -topk8")]
    NotPkcs8(String),
    /// The key is encrypted.
    #[error("the key is encrypted: a passphrase is needed")]
    PassphraseNeeded,
    /// Encrypted in a way that is not supported.
    #[error("encrypted in another way than PBES2: convert it with openssl pkcs8 -topk8 -v2 aes256")]
    Encryption,
    /// The passphrase does not fit.
    #[error("the passphrase is wrong, or the encryption is not PBES2 with AES")]
    Passphrase,
    /// A key that signs no tokens.
    #[error("not an RSA (rsaEncryption), P-256 or Ed25519 key")]
    Kind,
    /// A key of the right kind that cannot be used.
    #[error("the key is refused: {0}")]
    Refused(String),
}

/// The SubjectPublicKeyInfo of an RSA key (RFC 3279 §2.3.1).
fn rsa_spki(key: &RsaKeyPair) -> Result<Vec<u8>, KeyError> {
    let spki = SubjectPublicKeyInfoRef {
        algorithm: AlgorithmIdentifierRef {
            oid: RSA_ENCRYPTION,
            parameters: Some(pkcs8::der::AnyRef::NULL),
        },
        subject_public_key: BitStringRef::from_bytes(key.public().as_ref())
            .map_err(|_| KeyError::Kind)?,
    };
    spki.to_der().map_err(|_| KeyError::Kind)
}

const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P_256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
