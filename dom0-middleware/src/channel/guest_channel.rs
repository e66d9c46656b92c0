//! What accepts the connections of one guest, whatever the kind.

use std::future::Future;

use proto::id::DomId;
use tokio::io::{AsyncRead, AsyncWrite};

use super::tls::ChannelTls;
use crate::broker::TokenRule;

/// The way to one guest: it proves who is at its other end.
pub(crate) trait GuestChannel: Send + 'static {
    /// One connection.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// The domid that this channel proves.
    fn domid(&self) -> DomId;

    /// How guests make TLS here; `None` with `insecure_development`.
    fn tls(&self) -> Option<&ChannelTls>;

    /// The next connection.
    fn accept(&mut self) -> impl Future<Output = Self::Stream> + Send;

    /// Whether a guest must show a token here.
    fn token(&self) -> TokenRule {
        match self.tls() {
            Some(_) => TokenRule::Required,
            None => TokenRule::SwitchedOff,
        }
    }
}
