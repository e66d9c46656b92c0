//! The binding's trust as rustls sees it.

use std::sync::Arc;

use proto::id::DomainUuid;
use proto::tls::CertificateList;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::callbacks;
use crate::card::{Believed, SessionError, Trust, TrustError};

/// Believes whom a [`Trust`] believes; signatures of the handshake are checked as rustls does.
#[derive(Debug)]
pub(super) struct TrustVerifier {
    trust: Arc<Trust>,
    /// Whose handshakes these are.
    domain: DomainUuid,
    believed: Believed,
    algorithms: WebPkiSupportedAlgorithms,
}

impl TrustVerifier {
    pub(super) fn new(
        trust: Arc<Trust>,
        domain: DomainUuid,
        algorithms: WebPkiSupportedAlgorithms,
    ) -> Self {
        Self {
            trust,
            domain,
            believed: Believed::default(),
            algorithms,
        }
    }
}

impl ServerCertVerifier for TrustVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        // The name as it was asked for: a pin may be under a spelling that rustls changes.
        let server_name = callbacks::server_name()?;
        let chain = std::iter::once(end_entity).chain(intermediates);
        let chain: Vec<Vec<u8>> = chain.map(|der| der.to_vec()).collect();
        let verified = match chain.len() {
            ..=CertificateList::MAX_CERTIFICATES => {
                let (trust, domain) = (&self.trust, self.domain);
                self.believed
                    .verify(trust, domain, &chain, &server_name, now)
            }
            got => Err(TrustError::Other(format!("a chain of {got} certificates"))),
        };
        match verified {
            Ok(()) => Ok(ServerCertVerified::assertion()),
            Err(error) => {
                let told = for_the_server(&error);
                callbacks::fail(SessionError::PeerUntrusted(error));
                Err(told.into())
            }
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// What rustls makes the server's alert of.
fn for_the_server(error: &TrustError) -> CertificateError {
    match error {
        TrustError::Expired { .. } | TrustError::NotYetValid { .. } => CertificateError::Expired,
        TrustError::NoTrustFor { .. } | TrustError::UnknownIssuer => {
            CertificateError::UnknownIssuer
        }
        _ => CertificateError::BadEncoding,
    }
}
