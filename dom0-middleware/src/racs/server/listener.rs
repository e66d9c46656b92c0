//! Lets connections in.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use proto::repeated::Repeated;
use thiserror::Error;
use tokio::net::TcpListener;
use tracing::{error, info, warn};

use super::address::ListenAddress;
use super::census::Census;
use super::connection::{Shared, serve};
use super::grid::Grid;
use super::records::Records;
use super::settings::RacsSettings;
use crate::audit::RacsRefusedFor;

/// The port, bound.
#[derive(Debug)]
pub struct RacsListener {
    listener: TcpListener,
    address: SocketAddr,
}

/// It cannot be listened there.
#[derive(Debug, Error)]
#[error("cannot listen at {address}")]
pub struct BindError {
    address: ListenAddress,
    source: io::Error,
}

impl BindError {
    /// Whether somebody else listens there.
    pub(crate) fn is_in_use(&self) -> bool {
        self.source.kind() == io::ErrorKind::AddrInUse
    }
}

/// A server: everything but the port.
pub struct RacsServer<G> {
    shared: Arc<Shared<G>>,
    census: Census,
}

impl RacsListener {
    /// Listens at `address`.
    ///
    /// # Errors
    /// [`BindError`] when that cannot be had.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn bind(address: &ListenAddress) -> Result<Self, BindError> {
        let bound = || {
            let listener = address.listen()?;
            listener.set_nonblocking(true)?;
            let address = listener.local_addr()?;
            let listener = TcpListener::from_std(listener)?;
            Ok(Self { listener, address })
        };
        bound().map_err(|source| BindError {
            address: address.clone(),
            source,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves all who come, for ever.
    pub async fn serve<G: Grid + Sync>(self, server: RacsServer<G>) {
        let mut failing = Repeated::default();
        let mut due = tokio::time::interval(RECORD_TICK);
        loop {
            tokio::select! {
                _ = due.tick() => server.shared.records.tell_what_is_due(Instant::now()),
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, address)) => {
                        if let Some(left_out) = failing.worked() {
                            info!(left_out, "RACS users are accepted again");
                        }
                        server.begin(stream, address);
                    }
                    Err(error) => {
                        if let Some(left_out) = failing.failed(Instant::now()) {
                            error!(
                                %error, left_out,
                                "cannot accept a RACS user; it is tried again all the time"
                            );
                        }
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
            }
        }
    }
}

impl<G: Grid + Sync> RacsServer<G> {
    /// A server of the cards of `grid`. Who comes is counted in `census`.
    pub fn new(settings: RacsSettings, grid: G, census: Census, records: Arc<Records>) -> Self {
        Self {
            shared: Arc::new(Shared {
                settings,
                grid,
                records,
            }),
            census,
        }
    }

    /// Gives a connection its thread.
    fn begin(&self, stream: tokio::net::TcpStream, address: SocketAddr) {
        let blocking = |stream: tokio::net::TcpStream| {
            let socket = stream.into_std()?;
            socket.set_nonblocking(false)?;
            let handle = socket.try_clone()?;
            Ok::<(TcpStream, TcpStream), io::Error>((socket, handle))
        };
        let (socket, handle) = match blocking(stream) {
            Ok(sockets) => sockets,
            Err(error) => return warn!(%error, %address, "RACS connection"),
        };
        let Ok(seat) = self.census.sit(address, handle) else {
            let why = "as many connections as racs.max_connections allows are in their handshakes";
            info!(%address, why, "RACS connection refused");
            let records = &self.shared.records;
            return records.refused(None, address, RacsRefusedFor::Limit, why.to_owned());
        };
        let shared = Arc::clone(&self.shared);
        let thread = thread::Builder::new().name(format!("racs {address}"));
        let started = thread.spawn(move || serve(&shared, socket, address, &seat));
        if let Err(error) = started {
            warn!(%error, %address, "no thread for a RACS connection");
        }
    }
}

/// Pause after a failed accept: out of descriptors, most likely, so let others end first.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How often it is looked whether something that was counted must be recorded.
const RECORD_TICK: Duration = Duration::from_secs(1);
