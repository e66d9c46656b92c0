//! A hand-made daemon for tests.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

use crate::client::Xenstore;
use crate::transport::{Device, Transport};
use crate::wire::Kind;

/// Listens where clients look.
pub(crate) struct Daemon {
    dir: TempDir,
    listener: UnixListener,
}

/// The daemon's end of one connection.
pub(crate) struct Peer(UnixStream);

/// A request as the daemon sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) kind: u32,
    pub(crate) number: u32,
    pub(crate) payload: Vec<u8>,
}

impl Request {
    /// Its payload, zero bytes shown as `|`.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.payload).replace('\0', "|")
    }
}

impl Daemon {
    pub(crate) fn listening() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let listener = UnixListener::bind(dir.path().join("socket")).expect("free");
        Self { dir, listener }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.dir.path().join("socket")
    }

    /// A client and the daemon's end of its connection.
    pub(crate) async fn connected() -> (Xenstore, Peer) {
        let daemon = Self::listening();
        let store = Xenstore::connect_to(&daemon.socket())
            .await
            .expect("it listens");
        let (stream, _) = daemon.listener.accept().await.expect("a client");
        (store, Peer(stream))
    }

    /// A client whose connection is of the kind that a guest has.
    pub(crate) fn device() -> (Xenstore, Peer) {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().expect("a pair");
        for stream in [&ours, &theirs] {
            stream.set_nonblocking(true).expect("a socket");
        }
        let device = Device::from_file(File::from(OwnedFd::from(ours)));
        let store = Xenstore::over(Transport::Device(device), Path::new("device"));
        let peer = UnixStream::from_std(theirs).expect("a socket");
        (store.expect("a thread"), Peer(peer))
    }
}

impl Peer {
    /// The next request; `None` when the client has gone.
    pub(crate) async fn next(&mut self) -> Option<Request> {
        let mut header = [[0; 4]; 4];
        self.0.read_exact(header.as_flattened_mut()).await.ok()?;
        let [kind, number, transaction, length] = header.map(u32::from_ne_bytes);
        assert_eq!(transaction, 0);
        let mut payload = vec![0; usize::try_from(length).expect("64 bits")];
        self.0.read_exact(&mut payload).await.ok()?;
        Some(Request {
            kind,
            number,
            payload,
        })
    }

    /// The next request, which must come.
    pub(crate) async fn asked(&mut self) -> Request {
        self.next().await.expect("a request")
    }

    /// Says what need not be a message.
    pub(crate) async fn say(&mut self, bytes: &[u8]) {
        // The client may have left because of what was said before.
        let _ = self.0.write_all(bytes).await;
    }

    /// Answers a request as its kind is answered.
    pub(crate) async fn answer(&mut self, request: &Request, payload: &[u8]) {
        self.say(&message(request.kind, request.number, payload))
            .await;
    }

    /// Answers a request with an error.
    pub(crate) async fn refuse(&mut self, request: &Request, name: &str) {
        let name = format!("{name}\0");
        let message = message(Kind::Error as u32, request.number, name.as_bytes());
        self.say(&message).await;
    }

    /// Tells the watch with this token that something has changed.
    pub(crate) async fn event(&mut self, path: &str, token: &str) {
        let payload = format!("{path}\0{token}\0");
        self.say(&message(Kind::WatchEvent as u32, 0, payload.as_bytes()))
            .await;
    }

    /// Whether nothing comes, now.
    pub(crate) fn is_silent(&self) -> bool {
        let read = self.0.try_read(&mut [0; 1]);
        read.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
    }
}

/// The bytes of a message that need not be a good one.
pub(crate) fn message(kind: u32, number: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("short");
    let header = [kind, number, 0, length].map(u32::to_ne_bytes);
    [header.as_flattened(), payload].concat()
}
