//! The chain check: webpki, as rustls configures it, subjectAltName only.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::crypto::ring;
use rustls::{CertificateError, Error, RootCertStore};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::error::{TrustError, TrustSetupError};

/// A set of CA certificates, ready to check chains.
#[derive(Debug)]
pub(super) struct Authorities(Arc<WebPkiServerVerifier>);

impl Authorities {
    /// `certificates` must not be empty.
    pub(super) fn new(certificates: &[CertificateDer<'_>]) -> Result<Self, TrustSetupError> {
        let mut roots = RootCertStore::empty();
        for (index, certificate) in certificates.iter().enumerate() {
            roots
                .add(certificate.clone().into_owned())
                .map_err(|error| TrustSetupError::BadAuthority {
                    index,
                    reason: error.to_string(),
                })?;
        }
        let provider = Arc::new(ring::default_provider());
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .map(Self)
            .map_err(|error| TrustSetupError::Verifier(error.to_string()))
    }

    pub(super) fn verify(
        &self,
        leaf: &[u8],
        intermediates: &[Vec<u8>],
        server_name: &str,
        now: UnixTime,
    ) -> Result<(), TrustError> {
        let name = ServerName::try_from(server_name).map_err(|_| TrustError::NotAName {
            server_name: server_name.to_owned(),
        })?;
        let intermediates: Vec<_> = intermediates
            .iter()
            .map(|der| CertificateDer::from(der.as_slice()))
            .collect();
        self.0
            .verify_server_cert(&CertificateDer::from(leaf), &intermediates, &name, &[], now)
            .map(|_| ())
            .map_err(|error| reason(error, server_name))
    }
}

fn reason(error: Error, server_name: &str) -> TrustError {
    let Error::InvalidCertificate(error) = error else {
        return TrustError::Other(error.to_string());
    };
    match error {
        CertificateError::UnknownIssuer => TrustError::UnknownIssuer,
        CertificateError::Expired => TrustError::Expired { not_after: 0 },
        CertificateError::ExpiredContext { not_after, .. } => TrustError::Expired {
            not_after: not_after.as_secs(),
        },
        CertificateError::NotValidYet => TrustError::NotYetValid { not_before: 0 },
        CertificateError::NotValidYetContext { not_before, .. } => TrustError::NotYetValid {
            not_before: not_before.as_secs(),
        },
        CertificateError::NotValidForName => TrustError::NameMismatch {
            server_name: server_name.to_owned(),
            presented: Vec::new(),
        },
        CertificateError::NotValidForNameContext { presented, .. } => TrustError::NameMismatch {
            server_name: server_name.to_owned(),
            presented: presented
                .into_iter()
                .take(MAX_NAMES_SHOWN)
                .map(|name| bare(&name).chars().take(MAX_NAME_SHOWN).collect())
                .collect(),
        },
        CertificateError::BadEncoding => TrustError::Malformed,
        error @ CertificateError::BadSignature => TrustError::Signature(error.to_string()),
        error => match error.to_string() {
            text if text.contains("ignature") => TrustError::Signature(text),
            text => TrustError::Other(text),
        },
    }
}

/// `www.example` of `DnsName("www.example")`, as names are presented.
fn bare(presented: &str) -> &str {
    let inner = presented
        .split_once('(')
        .and_then(|(_, rest)| rest.strip_suffix(')'));
    inner.unwrap_or(presented).trim_matches('"')
}

/// How much of a stranger's certificate a message may repeat.
const MAX_NAMES_SHOWN: usize = 4;
const MAX_NAME_SHOWN: usize = 100;
