//! Which server is believed, as rustls asks it.

use std::sync::Arc;

use proto::tls::CertificateList;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use crate::card::{Trust, TrustError};

/// Believes whom a [`Trust`] believes.
#[derive(Debug)]
pub(super) struct GridVerifier {
    trust: Trust,
    server_name: String,
    algorithms: WebPkiSupportedAlgorithms,
}

impl GridVerifier {
    pub(super) fn new(trust: Trust, server_name: &str, provider: &CryptoProvider) -> Self {
        Self {
            trust,
            server_name: server_name.to_owned(),
            algorithms: provider.signature_verification_algorithms,
        }
    }
}

impl ServerCertVerifier for GridVerifier {
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
        let verified = match chain.len() {
            ..=CertificateList::MAX_CERTIFICATES => {
                self.trust.verify(&chain, &self.server_name, now)
            }
            got => Err(TrustError::Other(format!("a chain of {got} certificates"))),
        };
        match verified {
            Ok(()) => Ok(ServerCertVerified::assertion()),
            // What is wrong comes back to whoever connects.
            Err(error) => Err(CertificateError::Other(OtherError(Arc::new(error))).into()),
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
