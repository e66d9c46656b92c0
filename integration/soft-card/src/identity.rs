//! One TLS identity of the card: friendly name, EAP-ID, certificate, private key, CA.

use std::fmt;
use std::sync::Arc;

use proto::id::IdentityName;
use proto::piv::{OldCertificate, require_x509_v3};
use rustls::RootCertStore;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem};

use crate::crypto;
use crate::piv::{KeyError, TooLong};

/// The five parts of an identity, loaded and checked against each other.
pub struct Identity {
    name: IdentityName,
    eap_id: String,
    credential: CertifiedKey,
    roots: Arc<RootCertStore>,
}

/// The parts of an identity as a personaliser has them.
#[derive(Clone, Copy)]
pub struct IdentityPem<'a> {
    /// The private key: PKCS#8, PKCS#1 or SEC1.
    pub key: &'a [u8],
    /// The certificate, then any intermediates that the card shall send with it.
    pub certificates: &'a [u8],
    /// The CA certificates the card trusts as issuers of servers.
    pub ca: &'a [u8],
}

/// Why an identity cannot be put on a card.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// A PEM text does not hold what it should.
    #[error("{what}: {source}")]
    Pem {
        /// Which of the parts.
        what: &'static str,
        /// The parser's reason.
        source: pem::Error,
    },
    /// A PEM text holds no certificate at all.
    #[error("{what}: no certificate")]
    NoCertificate {
        /// Which of the parts.
        what: &'static str,
    },
    /// The key or a certificate cannot be used, or they do not belong together.
    #[error("{what}: {source}")]
    Unusable {
        /// Which of the parts.
        what: &'static str,
        /// The TLS library's reason.
        source: rustls::Error,
    },
    /// The certificate is of a version that TLS does not take.
    #[error("certificate: {0}")]
    Version(#[from] OldCertificate),
    /// The key is none that a slot of a PIV card can hold.
    #[error("private key: {0}")]
    Key(#[from] KeyError),
    /// More than one certificate for a slot of a PIV card.
    #[error("certificate: {got} of them, a slot holds one")]
    Chain {
        /// How many.
        got: usize,
    },
    /// A certificate that a slot of a PIV card has no room for.
    #[error("certificate: {0}")]
    TooLong(#[from] TooLong),
    /// The EAP-ID does not fit into an EAP-Response/Identity of one block.
    #[error("EAP-ID of {got} bytes, longer than {max}")]
    EapId {
        /// The longest allowed, bytes.
        max: usize,
        /// The length given, bytes.
        got: usize,
    },
}

impl Identity {
    /// The longest EAP-ID, bytes.
    pub const MAX_EAP_ID: usize = 200;

    /// Loads an identity and checks that its key and certificate belong together.
    ///
    /// # Errors
    /// Any part that cannot be read or used.
    pub fn from_pem(
        name: IdentityName,
        eap_id: String,
        parts: IdentityPem<'_>,
    ) -> Result<Self, IdentityError> {
        if eap_id.len() > Self::MAX_EAP_ID {
            return Err(IdentityError::EapId {
                max: Self::MAX_EAP_ID,
                got: eap_id.len(),
            });
        }
        let what = "private key";
        let key = PrivateKeyDer::from_pem_slice(parts.key)
            .map_err(|source| IdentityError::Pem { what, source })?;
        let chain = certificates("certificate", parts.certificates)?;
        chain.iter().try_for_each(|der| require_x509_v3(der))?;
        let credential = CertifiedKey::from_der(chain, key, &crypto::provider())
            .map_err(|source| IdentityError::Unusable { what, source })?;

        let what = "CA certificate";
        let mut roots = RootCertStore::empty();
        for ca in certificates(what, parts.ca)? {
            roots
                .add(ca)
                .map_err(|source| IdentityError::Unusable { what, source })?;
        }
        Ok(Self {
            name,
            eap_id,
            credential,
            roots: Arc::new(roots),
        })
    }

    /// The friendly name, by which the identity is set.
    pub fn name(&self) -> &IdentityName {
        &self.name
    }

    /// The text of EAP-Response/Identity.
    pub fn eap_id(&self) -> &str {
        &self.eap_id
    }

    /// The DER of the identity's own certificate.
    pub fn certificate(&self) -> &[u8] {
        self.credential
            .cert
            .first()
            .expect("loaded with at least one certificate")
    }

    pub(crate) fn credential(&self) -> &CertifiedKey {
        &self.credential
    }

    pub(crate) fn roots(&self) -> &Arc<RootCertStore> {
        &self.roots
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("name", &self.name.as_str())
            .finish_non_exhaustive()
    }
}

/// All certificates of a PEM text, one at least.
pub(crate) fn certificates(
    what: &'static str,
    pem: &[u8],
) -> Result<Vec<CertificateDer<'static>>, IdentityError> {
    let found: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|source| IdentityError::Pem { what, source })?;
    if found.is_empty() {
        return Err(IdentityError::NoCertificate { what });
    }
    Ok(found)
}
