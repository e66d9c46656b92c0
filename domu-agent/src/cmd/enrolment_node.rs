//! Handing in the public key where dom0 looks for it.
//!
//! The node is the guest's own: whatever stands there is only a proposal, which the administrator of
//! the host approves by its fingerprint, or not.

use std::io;
use std::time::Duration;

use tokio::time::timeout;
use xenstore_client::{Xenstore, XenstoreError};

/// Where the key goes, relative to this domain's own nodes.
pub(super) const NODE: &str = "data/tessera/enroll";

/// How long xenstored may take.
const DEADLINE: Duration = Duration::from_secs(5);

/// Writes the public key, PEM, into xenstore.
///
/// # Errors
/// [`NotHandedIn`]; the key is as good as before.
pub(super) fn write(public: &str) -> Result<(), NotHandedIn> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(NotHandedIn::Runtime)?;
    let writing = async {
        let store = Xenstore::connect().await?;
        store.write(NODE, public.as_bytes()).await
    };
    let written = runtime.block_on(async { timeout(DEADLINE, writing).await });
    Ok(written.map_err(|_| NotHandedIn::Silent)??)
}

/// Why the key is not in xenstore.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotHandedIn {
    /// It cannot be asked.
    #[error("{0}")]
    Runtime(io::Error),
    /// It does not answer.
    #[error("xenstored does not answer within {} s", DEADLINE.as_secs())]
    Silent,
    /// It cannot be reached, or says no.
    #[error(transparent)]
    Store(#[from] XenstoreError),
}

impl NotHandedIn {
    /// A word about it, unless there is no xenstore at all: then nobody expects it there.
    pub(super) fn worth_saying(&self) -> Option<String> {
        match self {
            Self::Store(XenstoreError::Connect { source, .. })
                if source.kind() == io::ErrorKind::NotFound =>
            {
                None
            }
            Self::Runtime(_) | Self::Silent | Self::Store(_) => {
                Some(format!("the public key was not put into xenstore: {self}"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_there_is_no_xenstore_nothing_is_said_of_it() {
        let connect = |kind: io::ErrorKind| {
            NotHandedIn::Store(XenstoreError::Connect {
                path: "/run/xenstored/socket".into(),
                source: kind.into(),
            })
        };
        assert_eq!(connect(io::ErrorKind::NotFound).worth_saying(), None);
        let denied = connect(io::ErrorKind::PermissionDenied).worth_saying();
        assert!(denied.is_some_and(|words| words.contains("/run/xenstored/socket")));
        assert!(NotHandedIn::Silent.worth_saying().is_some());
    }
}
