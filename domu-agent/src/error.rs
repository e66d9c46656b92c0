//! Why a command fails.

use std::io;

use crate::app::ListenError;
use crate::client::{ClientError, EndedAnswer, Ending};
use crate::cmd::EnrollError;
use crate::config::ConfigError;
use crate::dom0::{ChannelError, LinkError};
use crate::exit_code::ExitCode;

/// Any failure of the program.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AgentError {
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The channel to dom0 cannot be set up.
    #[error("channel to dom0")]
    Channel(#[from] ChannelError),
    /// There is no connection to dom0, or not any more.
    #[error(transparent)]
    Dom0(LinkError),
    /// The channel key cannot be made.
    #[error(transparent)]
    Enroll(#[from] EnrollError),
    /// The socket for applications cannot be had.
    #[error("socket for applications")]
    Listen(#[from] ListenError),
    /// Asking the agent failed.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The agent has no connection to dom0.
    #[error("the agent is not connected to dom0")]
    NotConnected,
    /// Standard input, standard output or the agent's socket broke.
    #[error("copying data")]
    Copy(#[source] io::Error),
    /// The TLS connection did not end in order.
    #[error("{}", .0.message)]
    Ended(EndedAnswer),
    /// The TLS connection ended before its time.
    #[error("the connection was cut short, data of the server may be missing")]
    CutShort,
    /// The system does not let the program run.
    #[error("starting")]
    Runtime(#[source] io::Error),
}

impl AgentError {
    /// What the process says.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Channel(ChannelError::Tls(_)) => ExitCode::Internal,
            Self::Channel(ChannelError::Library(_)) => ExitCode::Unavailable,
            Self::Config(_) | Self::Listen(_) | Self::Channel(_) | Self::Enroll(_) => {
                ExitCode::Configuration
            }
            Self::Dom0(error) => match error {
                LinkError::Refused(refused) => ExitCode::of_error(refused.code.as_str()),
                LinkError::NoTls => ExitCode::Configuration,
                LinkError::Tls(error) if error.is_distrust() => ExitCode::Refused,
                LinkError::Racs(_) | LinkError::BeforeWelcome => ExitCode::Internal,
                _ => ExitCode::Unavailable,
            },
            Self::Client(ClientError::Agent { .. }) => ExitCode::Unavailable,
            Self::Client(ClientError::Answer) | Self::Runtime(_) => ExitCode::Internal,
            Self::Client(ClientError::Refused(error)) => ExitCode::of_error(&error.code),
            Self::NotConnected => ExitCode::NotSo,
            Self::Ended(ended) => match ended.how {
                Ending::CertificateRefused | Ending::Revoked => ExitCode::Refused,
                _ => ExitCode::Unavailable,
            },
            Self::Copy(_) | Self::CutShort => ExitCode::Unavailable,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::app::Chain;
    use crate::channel_key;

    #[test]
    fn a_missing_key_is_told_once_and_with_its_cure() {
        let missing = channel_key::read(Path::new("/nowhere/channel.key.pem"));
        let missing = missing.map(drop).expect_err("no such file");
        let told = Chain(&AgentError::Channel(ChannelError::NoKey(missing))).to_string();
        assert!(told.starts_with("channel to dom0: /nowhere/channel.key.pem: "));
        assert!(told.ends_with("; make one with `domu-agent enroll`"));
        assert_eq!(told.matches("channel.key.pem").count(), 1, "{told}");
    }
}
