//! Whether xenstored answers, for an operator who wants to know.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;
use tokio::time::timeout;
use xenstore_client::socket_path;

use super::connection::Xenstored;
use super::counting::domids;
use super::store::{Connect, StoreError};

/// Asks xenstored for the live domains, as the service does, and returns how many there are,
/// dom0 included.
///
/// # Errors
/// [`XenstoreFault`], which says why not and what to do.
///
/// # Panics
/// Inside of a tokio runtime: it has one of its own.
pub fn probe(deadline: Duration) -> Result<usize, XenstoreFault> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(XenstoreFault::Other)?;
    let asking = async {
        let store = Xenstored.connect().await?;
        domids(&store).await.map(|domids| domids.len())
    };
    let asked = runtime.block_on(async { timeout(deadline, asking).await });
    match asked {
        Ok(Ok(count)) => Ok(count),
        Ok(Err(error)) => Err(error.into()),
        Err(_) => Err(XenstoreFault::Silent(deadline)),
    }
}

/// Why xenstore cannot be read.
#[derive(Debug, Error)]
pub enum XenstoreFault {
    /// There is no socket.
    #[error("there is no xenstored: {} does not exist", .0.display())]
    Missing(PathBuf),
    /// There is a socket, but nobody listens.
    #[error("xenstored has ended: nobody listens at {}", .0.display())]
    Ended(PathBuf),
    /// Not for this user.
    #[error("no permission to connect to {}", .0.display())]
    Denied(PathBuf),
    /// It takes connections but does not answer.
    #[error("xenstored does not answer within {} ms", .0.as_millis())]
    Silent(Duration),
    /// It does not even take connections: others wait already, ours of before among them.
    #[error("xenstored takes no connections: those that wait already are more than it lets wait")]
    Full,
    /// It answers, but does not know of dom0.
    #[error("xenstored does not know of dom0: it was restarted, or the host is still starting")]
    Empty,
    /// It does not tell us who is there.
    #[error("xenstored does not let us list domains: this is not dom0")]
    NotDom0,
    /// Something else.
    #[error("xenstored: {0}")]
    Other(io::Error),
}

impl XenstoreFault {
    /// Whether xenstored is there and says nothing.
    pub(super) const fn is_mute(&self) -> bool {
        matches!(self, Self::Silent(_) | Self::Full)
    }

    /// What the operator can do.
    #[must_use]
    pub fn cure(&self) -> &'static str {
        match self {
            Self::Missing(_) => {
                "start it (systemctl start xenstored, or service xen start); if this host has no \
                 Xen, name its guests with [[domain]] and leave xenstore.enabled out; if the \
                 socket is elsewhere, set XENSTORED_PATH"
            }
            Self::Ended(_) => {
                "xenstored cannot be restarted under running domains without losing what it knew: \
                 shut them down and restart the host"
            }
            Self::Denied(_) => "run it as root, as dom0's tools are",
            Self::Silent(_) | Self::Full => {
                "see whether it works at all (xenstore-ls /local/domain); on a host with very many \
                 domains, raise limits.domain_read_ms"
            }
            Self::Empty => "wait until xen-init-dom0 has run, or run it",
            Self::NotDom0 => "run this in dom0",
            Self::Other(_) => "see the log of xenstored",
        }
    }
}

impl From<StoreError> for XenstoreFault {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Connect(error) => match error.kind() {
                io::ErrorKind::NotFound => Self::Missing(socket_path()),
                io::ErrorKind::ConnectionRefused => Self::Ended(socket_path()),
                io::ErrorKind::PermissionDenied => Self::Denied(socket_path()),
                io::ErrorKind::WouldBlock => Self::Full,
                _ => Self::Other(error),
            },
            StoreError::Late(time) => Self::Silent(time),
            StoreError::Empty => Self::Empty,
            StoreError::Io(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                Self::NotDom0
            }
            StoreError::Io(error) => Self::Other(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_has_its_own_words_and_a_cure() {
        let connect = |kind: io::ErrorKind| StoreError::Connect(kind.into());
        let errors = [
            connect(io::ErrorKind::NotFound),
            connect(io::ErrorKind::ConnectionRefused),
            connect(io::ErrorKind::PermissionDenied),
            connect(io::ErrorKind::WouldBlock),
            connect(io::ErrorKind::TimedOut),
            StoreError::Late(Duration::from_millis(250)),
            StoreError::Empty,
            StoreError::Io(io::ErrorKind::PermissionDenied.into()),
            StoreError::Io(io::ErrorKind::BrokenPipe.into()),
        ];
        let mut words: Vec<String> = Vec::new();
        for error in errors {
            let fault = XenstoreFault::from(error);
            assert!(!fault.cure().is_empty());
            words.push(fault.to_string());
        }
        words.sort();
        words.dedup();
        assert_eq!(words.len(), 9, "{words:?}");
    }
}
