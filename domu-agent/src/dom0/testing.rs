//! dom0 as the agent sees it, for tests.

use std::path::{Path, PathBuf};

use proto::agent::{
    AgentMessage, Close, Dom0Message, EstablishedFlags, EstablishedMessage, FrameReader, Open,
    PROTOCOL_VERSION, RefusalCode, Refused, SessionData, Welcome, WelcomeLimits, encode_frame,
};
use proto::id::SessionId;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

use super::{Channel, Dom0, Wish};
use crate::config::{ChannelKind, Dom0Config};
use crate::testing::Protection;

/// The path of a channel, and whoever listens there.
pub(crate) struct FakeDom0 {
    dir: TempDir,
    listener: Option<UnixListener>,
}

/// One connection of an agent, at dom0's end.
pub(crate) struct Peer {
    stream: UnixStream,
    frames: FrameReader,
}

impl FakeDom0 {
    pub(crate) fn listening() -> Self {
        let mut dom0 = Self::absent();
        dom0.appear();
        dom0
    }

    pub(crate) fn absent() -> Self {
        Self {
            dir: tempfile::tempdir().expect("a directory"),
            listener: None,
        }
    }

    pub(crate) fn appear(&mut self) {
        let listener = UnixListener::bind(self.path()).expect("free");
        self.listener = Some(listener);
    }

    pub(crate) fn disappear(&mut self) {
        self.listener = None;
        std::fs::remove_file(self.path()).expect("was there");
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("dom0.sock")
    }

    pub(crate) fn agent(&self) -> Dom0 {
        self.agent_with(None)
    }

    /// An agent with its token in this file.
    pub(crate) fn agent_with(&self, token_file: Option<PathBuf>) -> Dom0 {
        let channel = Channel::new(Dom0Config {
            kind: ChannelKind::Unix,
            path: Some(self.path()),
            token_file,
            key_file: None,
            hv_pins: Vec::new(),
            insecure_development: true,
        });
        Dom0::start(channel.expect("nothing to read"))
    }

    /// The next connection, before any message.
    pub(crate) async fn accept(&self) -> Peer {
        let listener = self.listener.as_ref().expect("listening");
        let (stream, _) = listener.accept().await.expect("an agent");
        Peer {
            stream,
            frames: FrameReader::new(),
        }
    }

    /// The next connection, welcomed.
    pub(crate) async fn welcome(&self) -> Peer {
        let mut peer = self.accept().await;
        let hello = peer.next().await;
        let Some(AgentMessage::Hello(hello)) = hello else {
            panic!("not hello: {hello:?}");
        };
        assert_eq!(hello.versions, [PROTOCOL_VERSION]);
        peer.send(&Dom0Message::Welcome(welcome())).await;
        peer
    }
}

impl Peer {
    /// The next message, or nothing at the end of the connection.
    pub(crate) async fn next(&mut self) -> Option<AgentMessage> {
        loop {
            if let Some(body) = self.frames.next_frame().expect("good frames") {
                return Some(AgentMessage::decode(&body).expect("good messages"));
            }
            let mut buffer = [0; 4096];
            match self.stream.read(&mut buffer).await {
                Ok(0) | Err(_) => return None,
                Ok(n) => self.frames.push(&buffer[..n]),
            }
        }
    }

    pub(crate) async fn next_open(&mut self) -> Open {
        match self.next().await {
            Some(AgentMessage::Open(open)) => open,
            other => panic!("not open: {other:?}"),
        }
    }

    pub(crate) async fn next_close(&mut self) -> SessionId {
        self.next_end().await.session
    }

    pub(crate) async fn next_end(&mut self) -> Close {
        match self.next().await {
            Some(AgentMessage::Close(close)) => close,
            other => panic!("not close: {other:?}"),
        }
    }

    pub(crate) async fn next_records(&mut self) -> SessionData {
        match self.next().await {
            Some(AgentMessage::ServerRecords(data)) => data,
            other => panic!("not server_records: {other:?}"),
        }
    }

    pub(crate) async fn send(&mut self, message: &Dom0Message) {
        self.send_body(&message.encode()).await;
    }

    pub(crate) async fn send_body(&mut self, body: &[u8]) {
        let frame = encode_frame(body).expect("short");
        self.stream.write_all(&frame).await.expect("connected");
    }

    pub(crate) async fn send_client_records(&mut self, session: SessionId, data: Vec<u8>) {
        let message = Dom0Message::ClientRecords(SessionData { session, data });
        self.send(&message).await;
    }
}

pub(crate) fn wish() -> Wish {
    Wish {
        server_name: "a.example".to_owned(),
        ..Wish::default()
    }
}

pub(crate) fn welcome() -> Welcome {
    let domain = "11111111-2222-3333-4444-555555555555";
    Welcome {
        version: PROTOCOL_VERSION,
        domain: domain.parse().expect("a good UUID"),
        token_expires: None,
        limits: WelcomeLimits {
            handshakes: 256,
            handshake_bytes: 262_144,
            frame: 65_536,
        },
    }
}

pub(crate) fn established(
    session: SessionId,
    protection: Protection,
    consumed: usize,
) -> Dom0Message {
    Dom0Message::Established(Box::new(EstablishedMessage {
        session,
        keys: protection.client(),
        flags: EstablishedFlags::default(),
        consumed: consumed as u64,
        alpn: Some("h2".to_owned()),
        peer_certificates: Vec::new(),
        card_ms: 12,
        wait_ms: 3,
    }))
}

pub(crate) fn refused(session: Option<SessionId>, code: RefusalCode) -> Dom0Message {
    Dom0Message::Refused(Refused {
        session,
        code,
        message: "no".to_owned(),
        alert: None,
        retry_after_ms: None,
    })
}
