//! Throw-away CAs, server and card certificates.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, PKCS_ECDSA_P384_SHA384, PKCS_RSA_SHA256,
};
use rsa::RsaPrivateKey;
use rsa::pkcs8::{EncodePrivateKey, LineEnding};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// A key that a card or a server can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// RSA with 2,048 bits, from the files in `keys/`: one for cards, one for servers.
    Rsa2048,
    /// RSA with 2,048 bits, made anew, which takes a while.
    NewRsa2048,
    /// RSA with 3,072 bits, from a file in `keys/`: one for cards.
    Rsa3072,
    /// The same with 4,096 bits.
    Rsa4096,
    /// ECDSA on P-256, made anew.
    P256,
    /// ECDSA on P-384, made anew.
    P384,
}

/// The CA that everybody in a test trusts, one below it, and one that nobody trusts.
#[derive(Debug)]
pub struct Pki {
    /// Issues servers and cards.
    pub ca: Authority,
    /// Issues cards, and is known to servers by the CA's word alone.
    pub intermediate: Authority,
    /// Issues servers that nobody should trust.
    pub foreign: Authority,
}

/// A certification authority.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate with its key.
#[derive(Clone)]
pub struct Credential {
    /// The certificate, DER.
    pub certificate: CertificateDer<'static>,
    certificate_pem: String,
    key_pem: String,
    key_der: Vec<u8>,
}

/// A credential as files.
#[derive(Debug, Clone)]
pub struct CredentialFiles {
    /// The certificate, PEM.
    pub certificate: PathBuf,
    /// The private key, PKCS#8 PEM.
    pub key: PathBuf,
}

impl Pki {
    /// Makes both CAs.
    #[must_use]
    pub fn new() -> Self {
        let ca = Authority::new("Tessera Test CA");
        Self {
            intermediate: ca.below("Tessera Test Card CA"),
            ca,
            foreign: Authority::new("Foreign CA"),
        }
    }

    /// A good server certificate for `name`.
    #[must_use]
    pub fn server(&self, name: &str, key: KeyKind) -> Credential {
        self.ca.server(&[name], key, VALID)
    }

    /// A server certificate for `name` that has expired.
    #[must_use]
    pub fn expired_server(&self, name: &str, key: KeyKind) -> Credential {
        self.ca.server(&[name], key, EXPIRED)
    }

    /// A server certificate for `name` of the CA that nobody trusts.
    #[must_use]
    pub fn foreign_server(&self, name: &str, key: KeyKind) -> Credential {
        self.foreign.server(&[name], key, VALID)
    }

    /// A client certificate for the card identity `name`; its subject is `CN=name`.
    #[must_use]
    pub fn identity(&self, name: &str, key: KeyKind) -> Credential {
        self.ca.identity(name, key)
    }
}

impl Default for Pki {
    fn default() -> Self {
        Self::new()
    }
}

impl Authority {
    /// Makes a CA with a P-256 key.
    ///
    /// # Panics
    /// Never with sound libraries.
    #[must_use]
    pub fn new(common_name: &str) -> Self {
        let (params, key) = authority(common_name);
        Self(CertifiedIssuer::self_signed(params, key).expect("fixed parameters"))
    }

    /// Makes a CA that this one vouches for.
    ///
    /// # Panics
    /// Never with sound libraries.
    #[must_use]
    pub fn below(&self, common_name: &str) -> Self {
        let (params, key) = authority(common_name);
        Self(CertifiedIssuer::signed_by(params, key, &self.0).expect("fixed parameters"))
    }

    /// A client certificate for the card identity `name`; its subject is `CN=name`.
    #[must_use]
    pub fn identity(&self, name: &str, key: KeyKind) -> Credential {
        self.client(name, key, VALID)
    }

    /// A client certificate whose subject is `CN=name`, good for these years.
    #[must_use]
    pub fn client(&self, name: &str, key: KeyKind, years: Years) -> Credential {
        let usage = ExtendedKeyUsagePurpose::ClientAuth;
        let host = format!("{name}.guest.example");
        self.issue(name, &[&host], key_pair(key, RSA_CARD), years, usage)
    }

    /// Its certificate, PEM.
    #[must_use]
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// Its certificate, DER.
    #[must_use]
    pub fn certificate(&self) -> CertificateDer<'static> {
        self.0.der().clone()
    }

    /// A server certificate for all of `names`, the first of which is its subject.
    ///
    /// # Panics
    /// When a name is no DNS name, or there is none.
    #[must_use]
    pub fn server(&self, names: &[&str], key: KeyKind, years: Years) -> Credential {
        let subject = names.first().expect("a server has a name");
        let usage = ExtendedKeyUsagePurpose::ServerAuth;
        self.issue(subject, names, key_pair(key, RSA_SERVER), years, usage)
    }

    fn issue(
        &self,
        subject: &str,
        names: &[&str],
        key: KeyPair,
        years: Years,
        usage: ExtendedKeyUsagePurpose,
    ) -> Credential {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("DNS names");
        params.not_before = rcgen::date_time_ymd(years.0, 1, 1);
        params.not_after = rcgen::date_time_ymd(years.1, 1, 1);
        params.distinguished_name.push(DnType::CommonName, subject);
        params.extended_key_usages.push(usage);
        params.key_usages.push(KeyUsagePurpose::DigitalSignature);
        let certificate = params.signed_by(&key, &self.0).expect("fixed parameters");
        Credential {
            certificate: certificate.der().clone(),
            certificate_pem: certificate.pem(),
            key_pem: key.serialize_pem(),
            key_der: key.serialize_der(),
        }
    }
}

fn authority(common_name: &str) -> (CertificateParams, KeyPair) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
        .distinguished_name
        .push(DnType::CommonName, common_name);
    let key = KeyPair::generate().expect("P-256 is always there");
    (params, key)
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Authority")
    }
}

impl Credential {
    /// The private key.
    #[must_use]
    pub fn key(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.key_der.clone()).into()
    }

    /// Writes `STEM.cert.pem` and `STEM.key.pem` into `folder`.
    ///
    /// # Panics
    /// When the folder cannot be written.
    #[must_use]
    pub fn write(&self, folder: &Path, stem: &str) -> CredentialFiles {
        CredentialFiles {
            certificate: write(folder, &format!("{stem}.cert.pem"), &self.certificate_pem),
            key: write(folder, &format!("{stem}.key.pem"), &self.key_pem),
        }
    }
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credential")
    }
}

/// Writes a file and says where it is.
pub fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).expect("a writable folder");
    path
}

/// Writes a file that only its owner may read.
pub fn write_secret(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = write(folder, name, text);
    let owner_only = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(&path, owner_only).expect("our own file");
    path
}

fn key_pair(kind: KeyKind, rsa: &str) -> KeyPair {
    match kind {
        KeyKind::P256 => KeyPair::generate().expect("P-256 is always there"),
        KeyKind::P384 => {
            KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).expect("P-384 is always there")
        }
        KeyKind::Rsa2048 => rsa_key_pair(rsa),
        KeyKind::Rsa3072 => rsa_key_pair(RSA_3072),
        KeyKind::Rsa4096 => rsa_key_pair(RSA_4096),
        KeyKind::NewRsa2048 => {
            let key = RsaPrivateKey::new(&mut rand::rngs::OsRng, 2_048).expect("enough bits");
            rsa_key_pair(&key.to_pkcs8_pem(LineEnding::LF).expect("a sound key"))
        }
    }
}

fn rsa_key_pair(pem: &str) -> KeyPair {
    KeyPair::from_pkcs8_pem_and_sign_algo(pem, &PKCS_RSA_SHA256).expect("a PKCS#8 RSA key")
}

/// From the first day of one year to the first day of another.
pub type Years = (i32, i32);

/// Good today.
pub const VALID: Years = (2020, 2100);
/// Good no more.
pub const EXPIRED: Years = (2020, 2021);

const RSA_CARD: &str = include_str!("../keys/rsa2048-card.key.pem");
const RSA_3072: &str = include_str!("../keys/rsa3072-card.key.pem");
const RSA_4096: &str = include_str!("../keys/rsa4096-card.key.pem");
const RSA_SERVER: &str = include_str!("../keys/rsa2048-server.key.pem");
