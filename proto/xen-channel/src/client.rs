//! Opening a client.

use std::io;
use std::sync::Arc;

use crate::closing::Closing;
use crate::devices::Role;
use crate::handle::{Handle, OpenError};
use crate::library::Libxenvchan;
use crate::ring::CheckedRing;
use crate::stream::{Stream, VchanStream};

impl VchanStream {
    /// Connects to the server that `domid` has published in xenstore below `path`. `keepsake` is
    /// dropped when the stream has been closed, or when it could not be opened.
    ///
    /// A server that is being made anew has no keys for a moment, or those of one that has gone:
    /// try again. It asks xenstored and takes as long as that takes; who has waited enough drops the
    /// future.
    ///
    /// # Errors
    /// [`OpenError`]; [`OpenError::is_without_server`] when there is none.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn connect(
        library: Arc<Libxenvchan>,
        domid: u16,
        path: &str,
        keepsake: impl Send + 'static,
    ) -> Result<Self, OpenError> {
        let error = {
            let path = path.to_owned();
            move |source| OpenError::new(Role::Client, domid, &path, source)
        };
        let opening = tokio::task::spawn_blocking({
            let path = path.to_owned();
            move || {
                let handle = Handle::client(&library, domid, &path)?;
                Ok(Closing::new(handle, Box::new(keepsake)))
            }
        });
        let opened = opening
            .await
            .map_err(|ended| error(io::Error::other(ended)));
        let handle: Closing<Handle> = opened??;
        let ring = handle
            .try_map(CheckedRing::unwritten)
            .map_err(|fault| error(io::Error::new(io::ErrorKind::InvalidData, fault)))?;
        Stream::new(ring).map(Self).map_err(error)
    }
}
