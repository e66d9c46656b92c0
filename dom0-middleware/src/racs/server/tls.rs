//! TLS of the server: whom it shows itself as, whom it lets in.

use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{
    NoServerSessionStorage, ServerConfig, VerifierBuilderError, WebPkiClientVerifier,
};
use rustls::version::{TLS12, TLS13};
use thiserror::Error;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

/// TLS 1.2 and 1.3; who connects must show a certificate below one of `authorities`. No session is
/// resumed, so every connection is judged by the certificate it shows.
///
/// # Errors
/// [`TlsSetupError`] when key and certificate do not belong together, or a CA is none.
///
/// Source: specs/racs.md §2, §15.
pub fn server_config(
    certificates: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    authorities: Vec<CertificateDer<'static>>,
) -> Result<Arc<ServerConfig>, TlsSetupError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    for authority in authorities {
        roots.add(authority).map_err(TlsSetupError::Authority)?;
    }
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .build()?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS12, &TLS13])
        .and_then(|config| {
            config
                .with_client_cert_verifier(verifier)
                .with_single_cert(certificates, key)
        })
        .map_err(TlsSetupError::Credential)?;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.max_early_data_size = 0;
    Ok(Arc::new(config))
}

/// Why there is no TLS.
#[derive(Debug, Error)]
pub enum TlsSetupError {
    /// A CA certificate cannot be used.
    #[error("not a CA certificate that can be used: {0}")]
    Authority(#[source] rustls::Error),
    /// There is nobody to believe.
    #[error(transparent)]
    Verifier(#[from] VerifierBuilderError),
    /// The key cannot be used, or does not belong to the certificate.
    #[error("certificate and key: {0}")]
    Credential(#[source] rustls::Error),
}

/// The user whom a chain of certificates, checked before, names: the one common name of the first
/// one's subject.
///
/// # Errors
/// [`NoUser`] when that is not one name that can be shown.
///
/// Source: specs/racs.md §2.
pub(super) fn user(chain: &[CertificateDer<'_>]) -> Result<String, NoUser> {
    let leaf = chain.first().ok_or(NoUser::NoCertificate)?;
    let (_, certificate) = X509Certificate::from_der(leaf).map_err(|_| NoUser::NoCertificate)?;
    let mut names = certificate.subject().iter_common_name();
    let (Some(name), None) = (names.next(), names.next()) else {
        return Err(NoUser::NotOneName);
    };
    let name = name.as_str().map_err(|_| NoUser::Unreadable)?;
    let length = name.chars().count();
    if length == 0 || length > MAX_NAME || name.chars().any(char::is_control) {
        return Err(NoUser::Unreadable);
    }
    Ok(name.to_owned())
}

/// Why a certificate names no user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(super) enum NoUser {
    /// There is none, or it cannot be read.
    #[error("no certificate that can be read")]
    NoCertificate,
    /// None, or several.
    #[error("the subject of the certificate has not exactly one common name")]
    NotOneName,
    /// Not text, or too much of it.
    #[error("the common name of the certificate is not 1 to 64 characters of text")]
    Unreadable,
}

/// Upper bound of a common name (X.520).
const MAX_NAME: usize = 64;

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DistinguishedName, DnType, DnValue, KeyPair};

    use super::*;

    fn certificate(names: &[DnValue]) -> CertificateDer<'static> {
        let mut params = CertificateParams::default();
        let mut subject = DistinguishedName::new();
        // rcgen keeps one value of each type, so a second one is of a type with the same bytes.
        for name in names {
            subject.push(DnType::CommonName, name.clone());
        }
        subject.push(DnType::OrganizationName, "an organisation");
        params.distinguished_name = subject;
        let key = KeyPair::generate().expect("P-256 is always there");
        params
            .self_signed(&key)
            .expect("fixed parameters")
            .der()
            .clone()
    }

    fn named(name: &str) -> Result<String, NoUser> {
        user(&[certificate(&[DnValue::Utf8String(name.to_owned())])])
    }

    #[test]
    fn the_user_is_the_common_name_exactly() {
        for name in ["factory", "Zoë", " factory", "FACTORY", &"x".repeat(64)] {
            assert_eq!(named(name), Ok(name.to_owned()));
        }
        let printable = DnValue::PrintableString("factory".try_into().expect("printable"));
        assert_eq!(user(&[certificate(&[printable])]), Ok("factory".to_owned()));
    }

    #[test]
    fn what_names_nobody_is_refused() {
        assert_eq!(named(""), Err(NoUser::Unreadable));
        assert_eq!(named("a\nb"), Err(NoUser::Unreadable));
        assert_eq!(named("a\u{1b}[2J"), Err(NoUser::Unreadable));
        assert_eq!(named(&"x".repeat(65)), Err(NoUser::Unreadable));
        assert_eq!(user(&[certificate(&[])]), Err(NoUser::NotOneName));
        assert_eq!(user(&[]), Err(NoUser::NoCertificate));
        let garbage = CertificateDer::from(vec![0x30, 0x03, 1, 2, 3]);
        assert_eq!(user(&[garbage]), Err(NoUser::NoCertificate));
    }
}
