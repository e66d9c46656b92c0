//! What all TLS connections to dom0 have in common.

use std::fmt;
use std::sync::Arc;

use rustls::client::{AlwaysResolvesClientRawPublicKeys, Resumption, UnbufferedClientConnection};
use rustls::sign::CertifiedKey;
use rustls::version::TLS13;
use rustls::{ClientConfig, crypto};
use rustls_pki_types::{CertificateDer, ServerName};

use super::handshake::Handshake;
use super::pin::HvPin;
use super::secrets::SecretCatcher;
use super::server_key::{PinVerifier, SERVER_NAME};
use crate::channel_key::ChannelKey;

/// The application protocol of a channel (RFC 7301).
pub(in crate::dom0) const ALPN: &[u8] = b"tessera/1";

/// The guest's key, and whom it believes.
#[derive(Clone)]
pub(crate) struct ClientTls {
    config: ClientConfig,
    name: ServerName<'static>,
}

impl ClientTls {
    /// Shows `key`, and believes hosts whose HV certificate is in `pins`.
    ///
    /// # Errors
    /// [`rustls::Error`] if the library lacks what TLS 1.3 needs: a bug.
    pub(crate) fn new(key: &ChannelKey, pins: Vec<HvPin>) -> Result<Self, rustls::Error> {
        let shown = CertificateDer::from(key.public().spki_der());
        let shown = CertifiedKey::new(vec![shown], key.signing());
        Self::showing(shown, pins)
    }

    fn showing(shown: CertifiedKey, pins: Vec<HvPin>) -> Result<Self, rustls::Error> {
        let provider = Arc::new(crypto::ring::default_provider());
        let verifier = Arc::new(PinVerifier::new(pins, &provider));
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(Arc::new(
                shown,
            ))));
        config.resumption = Resumption::disabled();
        config.enable_early_data = false;
        // The name is no secret, and there is only one.
        config.enable_sni = false;
        let name = ServerName::try_from(SERVER_NAME).expect("a DNS name");
        Ok(Self { config, name })
    }

    /// Starts a handshake for this application protocol.
    ///
    /// # Errors
    /// [`rustls::Error`] if the system gives no random numbers.
    pub(in crate::dom0) fn handshake(
        &self,
        alpn: &'static [u8],
    ) -> Result<Handshake, rustls::Error> {
        let secrets = Arc::new(SecretCatcher::default());
        let mut config = self.config.clone();
        config.key_log = Arc::clone(&secrets) as Arc<_>;
        config.alpn_protocols = vec![alpn.to_vec()];
        let connection = UnbufferedClientConnection::new(Arc::new(config), self.name.clone())?;
        Ok(Handshake::new(connection, secrets, alpn))
    }
}

impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientTls")
    }
}

/// Shows one key and signs with another.
#[cfg(test)]
pub(super) fn for_tests(shown: &ChannelKey, signing: &ChannelKey, pins: Vec<HvPin>) -> ClientTls {
    let public = CertificateDer::from(shown.public().spki_der());
    let shown = CertifiedKey::new(vec![public], signing.signing());
    ClientTls::showing(shown, pins).expect("TLS 1.3 is there")
}
