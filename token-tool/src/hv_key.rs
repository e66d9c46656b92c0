//! The HV key in a file: read, and made.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use pkcs8::pkcs5::{pbes2, scrypt};
use pkcs8::rand_core::{CryptoRng, OsRng, RngCore};
use pkcs8::{EncodePrivateKey as _, LineEnding, PrivateKeyInfo, SecretDocument};
use proto::hv::{KeyError, SoftwareHvKey};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use rsa::RsaPrivateKey;
use zeroize::Zeroizing;

use crate::cli::KeyKind;
use crate::error::ToolError;
use crate::passphrase::{self, Secret};

/// Reads the HV key, and asks for its passphrase if it has one and no file holds it.
pub(crate) fn read(
    path: &Path,
    passphrase_file: Option<&Path>,
) -> Result<SoftwareHvKey, ToolError> {
    let unusable = |error: KeyError| ToolError::unusable(path, error);
    let pem = read_private(path)?;
    let passphrase = match passphrase_file.map(passphrase::from_file).transpose()? {
        Some(passphrase) => passphrase,
        None => match SoftwareHvKey::from_pem(&pem, None) {
            Err(KeyError::PassphraseNeeded) => {
                let path = path.display().to_string();
                passphrase::from_terminal(Secret::Passphrase, &path)?
            }
            key => return key.map_err(unusable),
        },
    };
    SoftwareHvKey::from_pem(&pem, Some(&passphrase)).map_err(unusable)
}

/// Makes a key, as PKCS#8 in DER.
pub(crate) fn make(kind: KeyKind) -> Result<SecretDocument, ToolError> {
    let failed = |why: String| ToolError::Internal(format!("making a key: {why}"));
    match kind {
        KeyKind::Rsa3072 => make_rsa(3072),
        KeyKind::Rsa4096 => make_rsa(4096),
        KeyKind::P256 => {
            let random = SystemRandom::new();
            let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random);
            let made = made.map_err(|_| failed("no random numbers".to_owned()))?;
            let document = SecretDocument::try_from(made.as_ref());
            document.map_err(|error| failed(error.to_string()))
        }
        KeyKind::Ed25519 => {
            // Version 1 (RFC 8410 §7): OpenSSL 3.0 does not read what ring writes, version 2.
            let mut pkcs8 = Zeroizing::new([ED25519_PKCS8, &[0; 32]].concat());
            let seed = pkcs8.get_mut(ED25519_PKCS8.len()..);
            OsRng.fill_bytes(seed.unwrap_or_default());
            let document = SecretDocument::try_from(pkcs8.as_slice());
            document.map_err(|error| failed(error.to_string()))
        }
    }
}

/// The PEM of a key, encrypted if there is a passphrase.
pub(crate) fn to_pem(
    key: &SecretDocument,
    passphrase: Option<&[u8]>,
) -> Result<Zeroizing<String>, ToolError> {
    let failed = |why: String| ToolError::Internal(format!("writing the key: {why}"));
    let pem = match passphrase {
        None => key.to_pem("PRIVATE KEY", LineEnding::LF),
        Some(passphrase) => {
            let encrypted = encrypt(key, passphrase).map_err(failed)?;
            encrypted.to_pem("ENCRYPTED PRIVATE KEY", LineEnding::LF)
        }
    };
    pem.map_err(|error| failed(error.to_string()))
}

/// PBES2 with scrypt and AES-256-CBC (RFC 8018 §6.2, RFC 7914 §7).
fn encrypt(key: &SecretDocument, passphrase: &[u8]) -> Result<SecretDocument, String> {
    let (salt, iv) = (random::<16>(&mut OsRng), random::<16>(&mut OsRng));
    // 32 MiB: the most that OpenSSL spends on reading such a file is a little above.
    let cost = scrypt::Params::new(SCRYPT_LOG_N, 8, 1, 32).map_err(|error| error.to_string())?;
    let scheme = pbes2::Parameters::scrypt_aes256cbc(cost, &salt, &iv);
    let scheme = scheme.map_err(|error| error.to_string())?;
    let info = PrivateKeyInfo::try_from(key.as_bytes()).map_err(|error| error.to_string())?;
    let encrypted = info.encrypt_with_params(scheme, passphrase);
    encrypted.map_err(|error| error.to_string())
}

fn random<const N: usize>(from: &mut (impl RngCore + CryptoRng)) -> [u8; N] {
    let mut bytes = [0; N];
    from.fill_bytes(&mut bytes);
    bytes
}

fn make_rsa(bits: usize) -> Result<SecretDocument, ToolError> {
    let failed = |why: String| ToolError::Internal(format!("making an RSA key: {why}"));
    let key = RsaPrivateKey::new(&mut OsRng, bits).map_err(|error| failed(error.to_string()))?;
    key.to_pkcs8_der()
        .map_err(|error| failed(error.to_string()))
}

fn read_private(path: &Path) -> Result<Zeroizing<Vec<u8>>, ToolError> {
    let unusable = |why: String| ToolError::unusable(path, why);
    let file = File::open(path).map_err(|error| unusable(error.to_string()))?;
    passphrase::require_private(path, &file)?;
    // As large as it may get, so that it does not move and leave a copy behind.
    let mut content = Zeroizing::new(Vec::with_capacity(MAX_KEY_LEN + 1));
    let read = file.take(MAX_KEY_LEN as u64 + 1).read_to_end(&mut content);
    match read.map_err(|error| unusable(error.to_string()))? {
        ..=MAX_KEY_LEN => Ok(content),
        _ => Err(unusable(format!("longer than {MAX_KEY_LEN} bytes"))),
    }
}

/// Longest file with a key, in bytes.
const MAX_KEY_LEN: usize = 64 * 1024;

/// The cost of scrypt: N is 2 to the power of this.
const SCRYPT_LOG_N: u8 = 14;

/// PKCS#8 of an Ed25519 key up to its seed.
const ED25519_PKCS8: &[u8] = &[
    0x30, 0x2E, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];
