//! How the card judges a server's certificate: chain and dates, by its CA.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use crate::crypto;

/// Checks the server's chain against the CA of the identity in use, and the dates against the
/// time of the start packet. It looks at no server name: cards do not, the host must.
///
/// One object serves all identities of a card, because the TLS library resumes a session only
/// under the verifier it was made with and a card shares its session between identities.
///
/// Source: EAP-TLS card specification §7.4, §7.6.
#[derive(Debug)]
pub(super) struct CardVerifier {
    roots: Mutex<Arc<RootCertStore>>,
    algorithms: WebPkiSupportedAlgorithms,
    verifications: AtomicU32,
}

impl CardVerifier {
    /// Makes `roots`, the CA of an identity, the only trust.
    pub(super) fn trust(&self, roots: Arc<RootCertStore>) {
        *self.roots.lock().unwrap_or_else(PoisonError::into_inner) = roots;
    }

    /// Server chains checked so far, wrapping.
    pub(super) fn verifications(&self) -> u32 {
        self.verifications.load(Ordering::Relaxed)
    }
}

impl Default for CardVerifier {
    /// A verifier that trusts nobody until [`Self::trust`] was called.
    fn default() -> Self {
        Self {
            roots: Mutex::new(Arc::new(RootCertStore::empty())),
            algorithms: crypto::provider().signature_verification_algorithms,
            verifications: AtomicU32::new(0),
        }
    }
}

impl ServerCertVerifier for CardVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.verifications.fetch_add(1, Ordering::Relaxed);
        let roots = Arc::clone(&self.roots.lock().unwrap_or_else(PoisonError::into_inner));
        if roots.is_empty() {
            return Err(CertificateError::UnknownIssuer.into());
        }
        verify_server_cert_signed_by_trust_anchor(
            &ParsedCertificate::try_from(end_entity)?,
            &roots,
            intermediates,
            now,
            self.algorithms.all,
        )?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
