//! A Unix socket that stands for one domain.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use proto::id::DomId;
use proto::repeated::Repeated;
use tokio::net::UnixListener;
use tracing::{error, info};
use xen_channel::SocketStream;

use super::guest_channel::GuestChannel;
use super::tls::ChannelTls;
use crate::config::UnixChannelConfig;
use crate::socket::{self, SocketError, SocketFile};

/// Pause after a failed accept: out of descriptors, most likely, so let others end first.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Listens for the agent of one domain. The socket's file goes when this is dropped.
#[derive(Debug)]
pub struct UnixChannel {
    listener: UnixListener,
    domid: DomId,
    tls: Option<ChannelTls>,
    /// What was said of guests that could not be accepted.
    failing: Repeated,
    _file: SocketFile,
}

impl UnixChannel {
    /// Listens where `config` says, mode 0600. Guests make TLS, and must show a token, unless
    /// `tls` is `None`.
    ///
    /// # Errors
    /// [`SocketError`] when the path cannot be had.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn bind(config: &UnixChannelConfig, tls: Option<ChannelTls>) -> Result<Self, SocketError> {
        let (listener, file) = socket::bind(&config.path)?;
        let listener =
            UnixListener::from_std(listener).map_err(|source| at(&config.path, source))?;
        Ok(Self {
            listener,
            domid: config.domid,
            tls,
            failing: Repeated::default(),
            _file: file,
        })
    }
}

impl GuestChannel for UnixChannel {
    type Stream = SocketStream;

    /// Whoever can open its path has it.
    fn domid(&self) -> DomId {
        self.domid
    }

    fn tls(&self) -> Option<&ChannelTls> {
        self.tls.as_ref()
    }

    async fn accept(&mut self) -> SocketStream {
        loop {
            let accepted = self.listener.accept().await;
            match accepted.and_then(|(stream, _)| SocketStream::new(stream)) {
                Ok(stream) => {
                    if let Some(left_out) = self.failing.worked() {
                        info!(domid = %self.domid, left_out, "guests are accepted again");
                    }
                    return stream;
                }
                Err(error) => {
                    if let Some(left_out) = self.failing.failed(Instant::now()) {
                        error!(
                            domid = %self.domid, %error, left_out,
                            "cannot accept a guest; it is tried again all the time"
                        );
                    }
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

fn at(path: &Path, source: io::Error) -> SocketError {
    let path = path.to_owned();
    SocketError::Io { path, source }
}
