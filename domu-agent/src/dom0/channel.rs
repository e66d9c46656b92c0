//! How dom0 is reached.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use proto::agent::{Hello, PROTOCOL_VERSION};
use tokio::net::UnixStream;

use super::error::LinkError;
use super::token;
use crate::config::{ChannelKind, Dom0Config};

/// The way to dom0 and what is shown there.
#[derive(Debug, Clone)]
pub(crate) struct Channel {
    path: PathBuf,
    token_file: Option<PathBuf>,
}

impl Channel {
    pub(crate) fn new(config: Dom0Config) -> Self {
        match config.kind {
            ChannelKind::Unix => Self {
                path: config.path,
                token_file: config.token_file,
            },
        }
    }

    /// Opens a connection.
    pub(super) async fn connect(&self) -> Result<UnixStream, LinkError> {
        let connected = UnixStream::connect(&self.path).await;
        connected.map_err(|error| {
            let text = format!("{}: {error}", self.path.display());
            LinkError::Channel(Arc::new(io::Error::new(error.kind(), text)))
        })
    }

    /// The first message on a connection, with the token as it is now.
    pub(super) fn hello(&self) -> Result<Hello, LinkError> {
        let token = match &self.token_file {
            Some(path) => token::read(path).map_err(|error| LinkError::Token(Arc::new(error)))?,
            None => Vec::new(),
        };
        Ok(Hello {
            versions: vec![PROTOCOL_VERSION],
            agent: concat!("domu-agent ", env!("CARGO_PKG_VERSION")).to_owned(),
            token,
        })
    }
}
