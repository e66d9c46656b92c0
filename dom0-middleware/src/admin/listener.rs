//! The service's end of the operator's door.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use proto::repeated::Repeated;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;
use tracing::{debug, error, info};

use super::message::{AdminAnswer, AdminRequest, ProblemCode};
use super::reply::AdminReply;
use crate::broker::CardView;
use crate::service::Inbox;
use crate::socket::{self, SocketError, SocketFile};

/// Operators at the same time; further ones wait.
const MAX_OPERATORS: usize = 16;
/// The longest request, in bytes: certificates with their line feeds as two characters.
const MAX_REQUEST: u64 = 512 << 10;
/// How long an operator may be silent, or not read.
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
        let mut failing = Repeated::default();
        loop {
            let place = Arc::clone(&places).acquire_owned().await;
            let place = place.expect("the semaphore is never closed");
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    if let Some(left_out) = failing.worked() {
                        info!(left_out, "operators are accepted again");
                    }
                    let inbox = inbox.clone();
                    tokio::spawn(async move {
                        if let Err(error) = serve_one(stream, &inbox).await {
                            debug!(%error, "operator");
                        }
                        drop(place);
                    });
                }
                Err(error) => {
                    if let Some(left_out) = failing.failed(Instant::now()) {
                        error!(
                            %error, left_out,
                            "cannot accept an operator; it is tried again all the time"
                        );
                    }
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

async fn serve_one(stream: UnixStream, inbox: &Inbox) -> io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    loop {
        let mut line = Vec::new();
        let mut limited = (&mut reader).take(MAX_REQUEST);
        let read = timeout(IDLE_TIME, limited.read_until(b'\n', &mut line)).await??;
        if read == 0 {
            return Ok(());
        }
        if !line.ends_with(b"\n") {
            let answer = AdminAnswer::error(ProblemCode::BadRequest, "not a line");
            return write(&mut writer, &answer).await;
        }
        let reply = match serde_json::from_slice::<AdminRequest>(&line) {
            Ok(request) => inbox.ask(request).await,
            Err(error) => Some(AdminAnswer::error(ProblemCode::BadRequest, error).into()),
        };
        match reply {
            Some(AdminReply::Answer(answer)) => write(&mut writer, &answer).await?,
            Some(AdminReply::Watch(news)) => return watch(news, reader, writer).await,
            None => return Ok(()),
        }
    }
}

/// Writes news until the operator leaves or says anything.
async fn watch(
    mut news: mpsc::Receiver<CardView>,
    mut reader: BufReader<OwnedReadHalf>,
    mut writer: OwnedWriteHalf,
) -> io::Result<()> {
    loop {
        tokio::select! {
            _ = reader.fill_buf() => return Ok(()),
            card = news.recv() => match card {
                Some(card) => write(&mut writer, &AdminAnswer::CardNews(Box::new(card))).await?,
                None => return Ok(()),
            },
        }
    }
}

async fn write(writer: &mut OwnedWriteHalf, answer: &AdminAnswer) -> io::Result<()> {
    let mut json = serde_json::to_vec(answer)?;
    json.push(b'\n');
    timeout(IDLE_TIME, writer.write_all(&json)).await?
}
