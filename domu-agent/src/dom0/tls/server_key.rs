//! Whether what dom0 shows is believed.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, DigitallySignedStruct, Error, OtherError, PeerIncompatible, RootCertStore,
    SignatureScheme,
};

use super::error::TlsError;
use super::pin::HvPin;

/// The name in dom0's certificate. No host is called so.
pub(super) const SERVER_NAME: &str = "hv.tessera.invalid";

/// Believes certificates that a pinned HV certificate vouches for, and no others.
#[derive(Debug)]
pub(super) struct PinVerifier {
    pins: Vec<HvPin>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl PinVerifier {
    pub(super) fn new(pins: Vec<HvPin>, provider: &CryptoProvider) -> Self {
        Self {
            pins,
            algorithms: provider.signature_verification_algorithms,
        }
    }

    /// dom0's own certificate must be signed by exactly the one that is pinned.
    fn verify(
        &self,
        own: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<(), TlsError> {
        let [hv] = others else {
            return Err(TlsError::Chain(others.len() + 1));
        };
        let pin = HvPin::of(hv);
        if !self.pins.contains(&pin) {
            return Err(TlsError::NotPinned(pin));
        }
        let mut roots = RootCertStore::empty();
        let own = roots
            .add(hv.clone().into_owned())
            .and_then(|()| ParsedCertificate::try_from(own))
            .map_err(TlsError::Certificate)?;
        verify_server_cert_signed_by_trust_anchor(&own, &roots, &[], now, self.algorithms.all)
            .and_then(|()| verify_server_name(&own, name))
            .map_err(|error| match error {
                Error::InvalidCertificate(
                    error @ (CertificateError::Expired
                    | CertificateError::ExpiredContext { .. }
                    | CertificateError::NotValidYet
                    | CertificateError::NotValidYetContext { .. }),
                ) => TlsError::Time(error),
                other => TlsError::Certificate(other),
            })
    }
}

impl ServerCertVerifier for PinVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match self.verify(end_entity, intermediates, server_name, now) {
            Ok(()) => Ok(ServerCertVerified::assertion()),
            Err(error) => Err(CertificateError::Other(OtherError(Arc::new(error))).into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerIncompatible::ServerDoesNotSupportTls12Or13.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    /// dom0's key is on P-256.
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}
