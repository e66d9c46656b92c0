//! Opening a server.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;

use crate::closing::Closing;
use crate::devices::Role;
use crate::handle::{Handle, OpenError};
use crate::library::Libxenvchan;
use crate::ring::{CheckedRing, MAX_RING};
use crate::stream::{Stream, VchanStream};

/// The smallest ring that has pages of its own, in bytes.
const MIN_RING: usize = 4_096;

/// A vchan to which one client may connect, once. Dropping it takes it away.
#[derive(Debug)]
pub struct VchanServer(Stream<Handle>);

impl VchanServer {
    /// Shares two rings of at least `ring` bytes with `domid` and publishes them in xenstore below
    /// `path`, which nobody else may use until `keepsake` has been dropped: that happens when this
    /// server, or the stream it has become, has been closed and has removed its keys, or when it
    /// could not be opened.
    ///
    /// It asks xenstored and takes as long as that takes; who has waited enough drops the future.
    /// The rest then happens by itself, and the server is taken away when it has been opened.
    ///
    /// # Errors
    /// [`OpenError`], with the device nodes that are missing.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn open(
        library: Arc<Libxenvchan>,
        domid: u16,
        path: &str,
        ring: usize,
        keepsake: impl Send + 'static,
    ) -> Result<Self, OpenError> {
        let ring = ring.clamp(MIN_RING, MAX_RING).next_power_of_two();
        let error = {
            let path = path.to_owned();
            move |source| OpenError::new(Role::Server, domid, &path, source)
        };
        let opening = tokio::task::spawn_blocking({
            let path = path.to_owned();
            move || {
                let handle = Handle::server(&library, domid, &path, ring)?;
                let ring = CheckedRing::new(handle, ring);
                Ok(Closing::new(ring, Box::new(keepsake)))
            }
        });
        let opened = opening
            .await
            .map_err(|ended| error(io::Error::other(ended)));
        Stream::new(opened??).map(Self).map_err(error)
    }

    /// Waits for the client.
    ///
    /// # Errors
    /// When the vchan has failed.
    pub async fn connected(mut self) -> io::Result<VchanStream> {
        poll_fn(|context| self.0.poll_come(context)).await?;
        Ok(VchanStream(self.0))
    }
}
