//! A [`Trust`](super::Trust)'s word as rustls asks for it.

use std::fmt;

use proto::tls::CertificateList;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::{DigitallySignedStruct, Error, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::error::TrustError;

/// Whose certificates are believed, and what a handshake with others fails with.
pub trait Judge: fmt::Debug + Send + Sync {
    /// Accepts or refuses `chain` (DER, leaf first).
    ///
    /// # Errors
    /// The [`TrustError`] that says why not.
    fn judge(&self, chain: &[Vec<u8>], now: UnixTime) -> Result<(), TrustError>;

    /// What rustls is told, and makes its alert of.
    fn refusal(&self, error: TrustError) -> Error;
}

/// Believes whom a [`Judge`] believes; signatures of the handshake are checked as rustls does.
#[derive(Debug)]
pub struct ServerCheck<J> {
    judge: J,
    algorithms: WebPkiSupportedAlgorithms,
}

impl<J: Judge> ServerCheck<J> {
    /// With the algorithms of a provider.
    pub fn new(judge: J, algorithms: WebPkiSupportedAlgorithms) -> Self {
        Self { judge, algorithms }
    }
}

impl<J: Judge> ServerCertVerifier for ServerCheck<J> {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let chain = std::iter::once(end_entity).chain(intermediates);
        let chain: Vec<Vec<u8>> = chain.map(|der| der.to_vec()).collect();
        let judged = match chain.len() {
            ..=CertificateList::MAX_CERTIFICATES => self.judge.judge(&chain, now),
            got => Err(TrustError::Other(format!("a chain of {got} certificates"))),
        };
        match judged {
            Ok(()) => Ok(ServerCertVerified::assertion()),
            Err(error) => Err(self.judge.refusal(error)),
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
