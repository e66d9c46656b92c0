//! The service's end of the operator's door.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tracing::{debug, error};

use super::message::{AdminAnswer, AdminRequest};
use crate::service::Inbox;
use crate::socket::{self, SocketError, SocketFile};

/// Operators at the same time; further ones wait.
const MAX_OPERATORS: usize = 16;
/// The longest request, in bytes.
const MAX_REQUEST: u64 = 64 << 10;
/// How long an operator may be silent.
const IDLE_TIME: Duration = Duration::from_secs(60);
/// Pause after a failed accept.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The operator's socket, bound. Its file goes when this is dropped.
pub(crate) struct AdminListener {
    listener: UnixListener,
    _file: SocketFile,
}

impl AdminListener {
    /// Listens at `path`, mode 0600.
    pub(crate) fn bind(path: &Path) -> Result<Self, SocketError> {
        let (listener, file) = socket::bind(path)?;
        let listener = UnixListener::from_std(listener).map_err(|source| SocketError::Io {
            path: path.to_owned(),
            source,
        })?;
        Ok(Self {
            listener,
            _file: file,
        })
    }

    /// Serves operators, for ever.
    pub(crate) async fn serve(self, inbox: Inbox) {
        let places = Arc::new(Semaphore::new(MAX_OPERATORS));
        loop {
            let place = Arc::clone(&places).acquire_owned().await;
            let place = place.expect("the semaphore is never closed");
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let inbox = inbox.clone();
                    tokio::spawn(async move {
                        if let Err(error) = serve_one(stream, &inbox).await {
                            debug!(%error, "operator");
                        }
                        drop(place);
                    });
                }
                Err(error) => {
                    error!(%error, "cannot accept an operator");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

async fn serve_one(stream: UnixStream, inbox: &Inbox) -> std::io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    loop {
        let mut line = Vec::new();
        let mut limited = (&mut reader).take(MAX_REQUEST);
        let read = tokio::time::timeout(IDLE_TIME, limited.read_until(b'\n', &mut line)).await??;
        if read == 0 {
            return Ok(());
        }
        let is_whole = line.ends_with(b"\n");
        let answer = match serde_json::from_slice::<AdminRequest>(&line) {
            _ if !is_whole => AdminAnswer::error("bad-request", "not a line"),
            Ok(request) => match inbox.ask(request).await {
                Some(answer) => answer,
                None => return Ok(()),
            },
            Err(error) => AdminAnswer::error("bad-request", error),
        };
        let mut json = serde_json::to_vec(&answer).expect("texts and numbers are always JSON");
        json.push(b'\n');
        writer.write_all(&json).await?;
        if !is_whole {
            return Ok(());
        }
    }
}
