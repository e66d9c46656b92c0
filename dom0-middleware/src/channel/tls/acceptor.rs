//! The handshake with one guest.

use std::sync::Arc;

use proto::racs;
use proto::token::ConfirmationKey;
use rustls::server::{Acceptor, ClientHello, NoServerSessionStorage, ServerConfig};
use rustls::version::TLS13;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use super::ALPN;
use super::client_key::{ClientKeyVerifier, confirmation_key};
use super::error::ChannelTlsError;
use crate::channel_key::ChannelKey;
use crate::time::UnixTime;

/// A fatal alert, no_application_protocol, before there are any keys (RFC 7301 §3.2).
const NO_APPLICATION_PROTOCOL: [u8; 7] = [21, 3, 3, 0, 2, 2, 120];

/// Makes TLS connections of the connections of guests.
#[derive(Debug, Clone)]
pub struct ChannelTls {
    key: Arc<ChannelKey>,
    config: Arc<ServerConfig>,
}

/// A connection whose guest has proved which key it has.
#[derive(Debug)]
pub struct Secured<S> {
    /// Plaintext both ways.
    pub stream: TlsStream<S>,
    /// The guest's key.
    pub key: ConfirmationKey,
    /// Whether it carries RACS, and not messages between agent and dom0.
    pub speaks_racs: bool,
}

impl ChannelTls {
    /// Shows what `key` has at each moment.
    ///
    /// # Errors
    /// [`rustls::Error`] if the provider lacks what TLS 1.3 needs: a bug.
    pub fn new(key: Arc<ChannelKey>) -> Result<Self, rustls::Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = ClientKeyVerifier::new(&provider);
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(Arc::clone(&key) as Arc<_>);
        config.alpn_protocols = vec![ALPN.to_vec(), racs::ALPN.to_vec()];
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        config.max_early_data_size = 0;
        Ok(Self {
            key,
            config: Arc::new(config),
        })
    }

    /// Makes the handshake over `stream`. Bound by nothing but the guest: the caller sets a limit.
    ///
    /// # Errors
    /// [`ChannelTlsError`]; the guest was told by an alert.
    pub async fn accept<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
        now: UnixTime,
    ) -> Result<Secured<S>, ChannelTlsError> {
        if !self.key.is_valid(now) {
            return Err(ChannelTlsError::CertificateExpired);
        }
        let mut start = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
        // rustls goes on without ALPN when a client offers none.
        if !offers_channel(&start.client_hello()) {
            let _ = start.io.write_all(&NO_APPLICATION_PROTOCOL).await;
            return Err(ChannelTlsError::NoAlpn);
        }
        let stream = start.into_stream(Arc::clone(&self.config)).await?;
        let connection = stream.get_ref().1;
        let shown = connection.peer_certificates().unwrap_or_default();
        let key = confirmation_key(shown).ok_or(ChannelTlsError::NoKey)?;
        let speaks_racs = connection.alpn_protocol() == Some(racs::ALPN);
        Ok(Secured {
            stream,
            key,
            speaks_racs,
        })
    }
}

fn offers_channel(hello: &ClientHello<'_>) -> bool {
    let mut offered = hello.alpn().into_iter().flatten();
    offered.any(|name| name == ALPN || name == racs::ALPN)
}
