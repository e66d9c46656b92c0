//! What goes wrong between the agent and dom0.

use std::io;
use std::sync::Arc;

use proto::agent::{FieldError, FrameError, ProtocolError, Refused};
use proto::racs::ResponseError;

use super::tls::TlsError;

/// Why a connection to dom0 ended, or did not come about. Shared by all who waited for it.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum LinkError {
    /// The channel cannot be opened, or broke.
    #[error("channel to dom0: {0}")]
    Channel(#[source] Arc<io::Error>),
    /// There is no TLS with dom0.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The token cannot be read.
    #[error("token: {0}")]
    Token(#[source] Arc<io::Error>),
    /// dom0 has closed the channel.
    #[error("dom0 closed the channel")]
    Closed,
    /// dom0 is silent.
    #[error("dom0 does not answer")]
    Silent,
    /// dom0 does not want this agent.
    #[error("dom0 refused: {} ({})", .0.code, .0.message)]
    Refused(Refused),
    /// A frame with a bad length.
    #[error("from dom0: {0}")]
    Frame(#[from] FrameError),
    /// A malformed message.
    #[error("from dom0: {0}")]
    Message(#[from] ProtocolError),
    /// What dom0 says is no RACS.
    #[error("from dom0: {0}")]
    Racs(#[source] ResponseError),
    /// RACS goes over TLS only.
    #[error("RACS needs a channel with TLS and token: take dom0.insecure_development away")]
    NoTls,
    /// A vchan has one client.
    #[error("another domu-agent racs runs in this guest, and over a vchan there is one at a time")]
    RacsBusy,
    /// Another message where `welcome` should be.
    #[error("dom0 sent a message before welcome")]
    BeforeWelcome,
    /// dom0 chose a version that was not offered.
    #[error("dom0 speaks version {0} of the protocol")]
    Version(u16),
    /// All session numbers of this connection were used.
    #[error("no session number is left")]
    SessionsUsedUp,
    /// The agent is stopping.
    #[error("the agent is stopping")]
    Stopping,
}

/// Why dom0 gives a session no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum Dom0Error {
    /// There is no connection, or it ended.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// A message for this session is malformed.
    #[error("dom0 sent a malformed message: {0}")]
    Malformed(#[from] FieldError),
    /// A message of a kind that this version does not know.
    #[error("dom0 sent a message of an unknown type")]
    UnknownType,
    /// dom0 sends faster than a handshake can go.
    #[error("dom0 sends too much")]
    Flooded,
    /// The right to the card has ended.
    #[error("the right to the card has ended: {0}")]
    Revoked(proto::agent::RefusalCode),
}
