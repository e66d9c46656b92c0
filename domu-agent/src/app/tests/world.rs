//! An agent between an application, dom0 and a server, all played by the test.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use proto::id::SessionId;
use proto::tls::ContentType;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};

use crate::app::{AllowList, Answer, AppState, Listener, Mode};
use crate::config::Config;
use crate::dom0::testing::{FakeDom0, Peer, established};
use crate::kernel_tls::KernelSupport;
use crate::testing::{
    FINISHED_NONCE, Protection, Received, Server, last_flight, record, server_hello,
};

/// An agent with dom0 at its side.
pub(super) struct World {
    pub(super) fake: FakeDom0,
    pub(super) dom0: Peer,
    pub(super) server: TcpListener,
}

/// A connection from the agent, at the server.
pub(super) struct Accepted {
    pub(super) tcp: TcpStream,
    pub(super) tls: Server,
}

impl World {
    pub(super) async fn new() -> Self {
        Self::with_places(8).await
    }

    pub(super) async fn with_places(max_connections: usize) -> Self {
        Self::with(max_connections, AllowList::default()).await
    }

    pub(super) async fn with_rules(toml: &str) -> Self {
        let text =
            format!("[dom0]\nkind = \"unix\"\npath = \"/x\"\ninsecure_development = true\n{toml}");
        let config = Config::parse(&text).expect("good rules");
        let allow = config.allow_list(Path::new("test.toml"));
        Self::with(8, allow.expect("known accounts")).await
    }

    pub(super) async fn with(max_connections: usize, allow: AllowList) -> Self {
        let fake = FakeDom0::listening();
        let listener = Listener::bind(&Self::socket_in(&fake)).expect("free");
        let kernel = KernelSupport::Missing("not in these tests".to_owned());
        let timeout = Duration::from_secs(30);
        let state = Arc::new(AppState::new(fake.agent(), timeout, allow, kernel));
        tokio::spawn(async move { listener.serve(state, max_connections).await });
        Self {
            dom0: fake.welcome().await,
            server: TcpListener::bind("127.0.0.1:0").await.expect("a port"),
            fake,
        }
    }

    pub(super) fn socket_in(fake: &FakeDom0) -> PathBuf {
        fake.dir().join("agent.sock")
    }

    pub(super) fn socket(&self) -> PathBuf {
        Self::socket_in(&self.fake)
    }

    pub(super) async fn app(&self) -> UnixStream {
        UnixStream::connect(self.socket()).await.expect("listening")
    }

    pub(super) fn destination(&self) -> String {
        self.server.local_addr().expect("bound").to_string()
    }

    /// A `connect` request as a line.
    pub(super) fn request(&self) -> String {
        self.request_for(Mode::Stream)
    }

    pub(super) fn request_for(&self, mode: Mode) -> String {
        let destination = self.destination();
        format!(
            "{{\"connect\":\"{destination}\",\"server_name\":\"a.example\",\"mode\":\"{mode}\"}}\n"
        )
    }

    pub(super) async fn accept(&self, protection: Protection) -> Accepted {
        Accepted {
            tcp: self.server.accept().await.expect("the agent").0,
            tls: protection.server(),
        }
    }

    /// Plays dom0 and the server up to `established`. With its last flight the server sends
    /// `banner` already.
    pub(super) async fn shake_hands(
        &mut self,
        protection: Protection,
        banner: &[u8],
    ) -> (SessionId, Accepted) {
        let mut server = self.accept(protection).await;
        let session = self.dom0.next_open().await.session;
        let client_hello = record(ContentType::Handshake, &[1, 0, 0, 0]);
        self.dom0
            .send_client_records(session, client_hello.clone())
            .await;
        server.expect(&client_hello).await;

        let hello = server_hello(protection);
        server.send(&hello).await;
        assert_eq!(self.dom0.next_records().await.data, hello);

        let client_last = last_flight(FINISHED_NONCE);
        self.dom0
            .send_client_records(session, client_last.clone())
            .await;
        server.expect(&client_last).await;

        let server_last = last_flight([1; 8]);
        let banner = server.tls.seal(banner);
        let sent = [server_last.as_slice(), &banner].concat();
        server.send(&sent).await;
        // What a server of TLS 1.3 says next is not known to be none of the handshake's.
        let forwarded = match protection {
            Protection::Tls13 => sent.as_slice(),
            _ => server_last.as_slice(),
        };
        let mut last = Vec::new();
        while last.len() < forwarded.len() {
            last.extend(self.dom0.next_records().await.data);
        }
        assert_eq!(last, forwarded);

        let consumed = hello.len() + server_last.len();
        self.dom0
            .send(&established(session, protection, consumed))
            .await;
        (session, server)
    }
}

impl Accepted {
    pub(super) async fn send(&mut self, bytes: &[u8]) {
        self.tcp.write_all(bytes).await.expect("connected");
    }

    /// Reads exactly these bytes.
    pub(super) async fn expect(&mut self, bytes: &[u8]) {
        let mut read = vec![0; bytes.len()];
        self.tcp.read_exact(&mut read).await.expect("connected");
        assert_eq!(read, bytes);
    }

    /// Opens all records up to the end.
    pub(super) async fn received(&mut self) -> Received {
        let mut bytes = Vec::new();
        self.tcp.read_to_end(&mut bytes).await.expect("an end");
        let mut received = Received::default();
        self.tls.open(&bytes, &mut received);
        received
    }
}

/// Reads one line and nothing behind it.
pub(super) async fn answer(app: &mut UnixStream) -> Answer {
    let mut line = Vec::new();
    while line.last() != Some(&b'\n') {
        line.push(app.read_u8().await.expect("a whole line"));
    }
    serde_json::from_slice(&line).expect("an answer")
}

pub(super) async fn ask(app: &mut UnixStream, line: &str) -> Answer {
    app.write_all(line.as_bytes()).await.expect("connected");
    answer(app).await
}

pub(super) fn code(answer: &Answer) -> &str {
    match answer {
        Answer::Error(error) => &error.code,
        other => panic!("not an error: {other:?}"),
    }
}
