//! How dom0 is reached.

use std::fs::{File, TryLockError};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use proto::agent::{Hello, PROTOCOL_VERSION};
use proto::racs;
use tokio::net::UnixStream;
use xen_channel::{LibraryError, SocketStream};

use super::error::LinkError;
use super::pipe::Pipe;
use super::tls::{ClientTls, HvPin, Records};
use super::token_watch::{TokenPlace, TokenWatch};
use super::vchan::VchanWay;
use super::wire::{self, Wire};
use crate::channel_key::{self, KeyFileError};
use crate::config::{ChannelKind, Dom0Config};

/// The way to dom0 and what is shown there.
#[derive(Debug, Clone)]
pub(crate) struct Channel {
    way: Way,
    token: TokenPlace,
    tls: Option<ClientTls>,
    /// The file of the channel key.
    key_file: Option<PathBuf>,
}

/// The kind of channel and where it is.
#[derive(Debug, Clone)]
enum Way {
    Unix(PathBuf),
    Vchan(VchanWay),
}

impl Channel {
    /// Reads the channel key, unless there is none with `insecure_development`.
    ///
    /// # Errors
    /// [`ChannelError`] when the key cannot be used, or there is no library for a vchan.
    pub(crate) fn new(config: Dom0Config) -> Result<Self, ChannelError> {
        let token = config.token_place();
        let tls = match &config.key_file {
            None => None,
            Some(path) => {
                let key = channel_key::read(path).map_err(|error| match error.is_missing() {
                    true => ChannelError::NoKey(error),
                    false => ChannelError::Key(error),
                })?;
                Some(ClientTls::new(&key, config.hv_pins)?)
            }
        };
        let way = match config.kind {
            ChannelKind::Unix => Way::Unix(config.path.unwrap_or_default()),
            ChannelKind::Vchan => Way::Vchan(VchanWay::new().map_err(ChannelError::Library)?),
        };
        Ok(Self {
            way,
            token,
            tls,
            key_file: config.key_file,
        })
    }

    /// Whether the channel has TLS.
    pub(super) const fn is_secure(&self) -> bool {
        self.tls.is_some()
    }

    /// What looks for a new token.
    pub(super) fn token_watch(&self) -> TokenWatch {
        TokenWatch::new(&self.token)
    }

    /// Where the token is.
    pub(super) const fn token_place(&self) -> &TokenPlace {
        &self.token
    }

    /// Opens a connection; says who vouches for dom0.
    pub(super) async fn connect(&self) -> Result<(Wire, Option<HvPin>), LinkError> {
        let connected = self.way.connect().await;
        let stream = connected.map_err(|error| LinkError::Channel(Arc::new(error)))?;
        match &self.tls {
            Some(tls) => Wire::secure(stream, tls).await,
            None => Ok((Wire::insecure(stream), None)),
        }
    }

    /// The right to speak RACS in this guest. A vchan has one client, and a second one would only spoil
    /// what the first one says: so whoever has the channel's key locked is the one.
    ///
    /// # Errors
    /// [`LinkError::RacsBusy`] when somebody else has it.
    pub(crate) fn lock_racs(&self) -> Result<Option<File>, LinkError> {
        let (Way::Vchan(_), Some(key)) = (&self.way, &self.key_file) else {
            return Ok(None);
        };
        let failed = |error| LinkError::Channel(Arc::new(error));
        let key = File::open(key).map_err(failed)?;
        match key.try_lock() {
            Ok(()) => Ok(Some(key)),
            Err(TryLockError::WouldBlock) => Err(LinkError::RacsBusy),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }

    /// How many connections that carry RACS there may be.
    pub(crate) const fn most_racs(&self) -> usize {
        match self.way {
            // As many as dom0 allows unless its configuration says more.
            Way::Unix(_) => 2,
            Way::Vchan(_) => 1,
        }
    }

    /// Opens a connection that carries RACS.
    pub(super) async fn connect_racs(&self) -> Result<(Pipe, Box<Records>), LinkError> {
        let Some(tls) = &self.tls else {
            return Err(LinkError::NoTls);
        };
        let connected = self.way.connect_racs().await;
        let mut stream = connected.map_err(|error| LinkError::Channel(Arc::new(error)))?;
        let (records, _) = wire::secure(&mut stream, tls, racs::ALPN).await?;
        Ok((stream, Box::new(records)))
    }

    /// The first message on a connection, with this token.
    pub(super) fn hello(token: Vec<u8>) -> Hello {
        Hello {
            versions: vec![PROTOCOL_VERSION],
            agent: concat!("domu-agent ", env!("CARGO_PKG_VERSION")).to_owned(),
            token,
        }
    }
}

impl Way {
    async fn connect_racs(&self) -> io::Result<Pipe> {
        match self {
            Self::Unix(_) => self.connect().await,
            Self::Vchan(way) => Ok(Pipe::Vchan(Box::new(way.connect_racs().await?))),
        }
    }

    async fn connect(&self) -> io::Result<Pipe> {
        match self {
            Self::Unix(path) => match UnixStream::connect(path).await {
                Ok(stream) => SocketStream::new(stream).map(Pipe::Unix),
                Err(error) => {
                    let text = format!("{}: {error}", path.display());
                    Err(io::Error::new(error.kind(), text))
                }
            },
            Self::Vchan(way) => Ok(Pipe::Vchan(Box::new(way.connect().await?))),
        }
    }
}

/// Why there is no channel to try.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ChannelError {
    /// There is no channel key.
    #[error("{0}; make one with `domu-agent enroll`")]
    NoKey(KeyFileError),
    /// The channel key cannot be used.
    #[error(transparent)]
    Key(KeyFileError),
    /// There is no library for a vchan.
    #[error("{0}; {cure}", cure = .0.cure())]
    Library(LibraryError),
    /// The TLS library does not take what it is given: a bug.
    #[error("TLS of the channel: {0}")]
    Tls(#[from] rustls::Error),
}
