//! Whole requests: an application, the agent's sockets, dom0 and a server played by the test.

mod allow;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use proto::agent::{AgentMessage, Dom0Message, RefusalCode, Refused};
use proto::id::SessionId;
use proto::tls::ContentType;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};

use super::{AllowList, Answer, AppState, EstablishedAnswer, Listener, MAX_LINE};
use crate::client::{Client, ConnectRequest};
use crate::config::Config;
use crate::dom0::testing::{FakeDom0, Peer, established};
use crate::testing::{
    FINISHED_NONCE, Protection, Received, Server, last_flight, record, server_hello,
};

/// An agent with dom0 at its side.
struct World {
    fake: FakeDom0,
    dom0: Peer,
    server: TcpListener,
}

/// A connection from the agent, at the server.
struct Accepted {
    tcp: TcpStream,
    tls: Server,
}

impl World {
    async fn new() -> Self {
        Self::with_places(8).await
    }

    async fn with_places(max_connections: usize) -> Self {
        Self::with(max_connections, AllowList::default()).await
    }

    async fn with_rules(toml: &str) -> Self {
        let text = format!("[dom0]\nkind = \"unix\"\npath = \"/x\"\n{toml}");
        let config = Config::parse(&text).expect("good rules");
        let allow = config.allow_list(Path::new("test.toml"));
        Self::with(8, allow.expect("known accounts")).await
    }

    async fn with(max_connections: usize, allow: AllowList) -> Self {
        let fake = FakeDom0::listening();
        let listener = Listener::bind(&Self::socket_in(&fake)).expect("free");
        let state = Arc::new(AppState::new(fake.agent(), Duration::from_secs(30), allow));
        tokio::spawn(async move { listener.serve(state, max_connections).await });
        Self {
            dom0: fake.welcome().await,
            server: TcpListener::bind("127.0.0.1:0").await.expect("a port"),
            fake,
        }
    }

    fn socket_in(fake: &FakeDom0) -> PathBuf {
        fake.dir().join("agent.sock")
    }

    fn socket(&self) -> PathBuf {
        Self::socket_in(&self.fake)
    }

    async fn app(&self) -> UnixStream {
        UnixStream::connect(self.socket()).await.expect("listening")
    }

    fn destination(&self) -> String {
        self.server.local_addr().expect("bound").to_string()
    }

    /// A `connect` request as a line.
    fn request(&self) -> String {
        let destination = self.destination();
        format!("{{\"connect\":\"{destination}\",\"server_name\":\"a.example\"}}\n")
    }

    async fn accept(&self, protection: Protection) -> Accepted {
        Accepted {
            tcp: self.server.accept().await.expect("the agent").0,
            tls: protection.server(),
        }
    }

    /// Plays dom0 and the server up to `established`. With its last flight the server sends
    /// `banner` already.
    async fn shake_hands(
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
        server
            .send(&[server_last.as_slice(), &banner].concat())
            .await;
        let change = self.dom0.next_records().await.data;
        let finished = self.dom0.next_records().await.data;
        assert_eq!([change, finished].concat(), server_last);

        let consumed = hello.len() + server_last.len();
        self.dom0
            .send(&established(session, protection, consumed))
            .await;
        (session, server)
    }
}

impl Accepted {
    async fn send(&mut self, bytes: &[u8]) {
        self.tcp.write_all(bytes).await.expect("connected");
    }

    /// Reads exactly these bytes.
    async fn expect(&mut self, bytes: &[u8]) {
        let mut read = vec![0; bytes.len()];
        self.tcp.read_exact(&mut read).await.expect("connected");
        assert_eq!(read, bytes);
    }

    /// Opens all records up to the end.
    async fn received(&mut self) -> Received {
        let mut bytes = Vec::new();
        self.tcp.read_to_end(&mut bytes).await.expect("an end");
        let mut received = Received::default();
        self.tls.open(&bytes, &mut received);
        received
    }
}

/// Reads one line and nothing behind it.
async fn answer(app: &mut UnixStream) -> Answer {
    let mut line = Vec::new();
    while line.last() != Some(&b'\n') {
        line.push(app.read_u8().await.expect("a whole line"));
    }
    serde_json::from_slice(&line).expect("an answer")
}

async fn ask(app: &mut UnixStream, line: &str) -> Answer {
    app.write_all(line.as_bytes()).await.expect("connected");
    answer(app).await
}

fn code(answer: &Answer) -> &str {
    match answer {
        Answer::Error(error) => &error.code,
        other => panic!("not an error: {other:?}"),
    }
}

#[tokio::test]
async fn a_connect_ends_in_plaintext_both_ways_on_the_same_socket() {
    let mut world = World::new().await;
    let mut app = world.app().await;
    // What the application sends ahead is plaintext too.
    let ahead = world.request() + "early ";
    app.write_all(ahead.as_bytes()).await.expect("connected");
    let (session, mut server) = world.shake_hands(Protection::Tls12Gcm, b"banner").await;

    let Answer::Established(EstablishedAnswer {
        version,
        cipher_suite,
        alpn,
        card_ms,
        wait_ms,
        ..
    }) = answer(&mut app).await
    else {
        panic!("no connection");
    };
    assert_eq!(version, "TLS 1.2");
    assert_eq!(cipher_suite, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256");
    assert_eq!((alpn.as_deref(), card_ms, wait_ms), (Some("h2"), 12, 3));
    let mut banner = [0; 6];
    app.read_exact(&mut banner).await.expect("plaintext");
    assert_eq!(&banner, b"banner");

    app.write_all(b"request").await.expect("open");
    app.shutdown().await.expect("open");
    let received = server.received().await;
    assert_eq!(received.data, b"early request");
    assert!(received.closed);
    let end = [server.tls.seal(b"answer"), server.tls.close_notify()].concat();
    server.send(&end).await;
    let mut data = Vec::new();
    app.read_to_end(&mut data).await.expect("an end");
    assert_eq!(data, b"answer");
    assert_eq!(world.dom0.next_close().await, session);
}

#[tokio::test]
async fn the_blocking_client_gets_a_stream_of_plaintext() {
    let mut world = World::new().await;
    let client = Client::new(world.socket());
    let request = ConnectRequest {
        connect: world.destination(),
        server_name: Some("a.example".to_owned()),
        ..ConnectRequest::default()
    };
    let connected = tokio::task::spawn_blocking(move || client.connect(request));
    let (_, mut server) = world.shake_hands(Protection::Tls13, b"at once").await;
    let (established, stream) = connected.await.expect("no panic").expect("connected");
    assert_eq!(established.server_name, "a.example");
    stream.set_nonblocking(true).expect("a socket");
    let mut stream = UnixStream::from_std(stream).expect("a socket");
    let mut data = [0; 7];
    stream.read_exact(&mut data).await.expect("plaintext");
    assert_eq!(&data, b"at once");
    drop(stream);
    assert!(server.received().await.closed);
}

#[tokio::test]
async fn what_is_asked_reaches_dom0() {
    let mut world = World::new().await;
    let mut app = world.app().await;
    let destination = world.destination();
    let line = format!(
        "{{\"connect\":\"{destination}\",\"identity\":\"web01\",\"alpn\":[\"h2\"],\
         \"min_version\":\"1.2\",\"max_version\":\"1.3\",\"resume\":false}}\n"
    );
    app.write_all(line.as_bytes()).await.expect("connected");
    let _server = world.accept(Protection::Tls13).await;
    let open = world.dom0.next_open().await;
    assert_eq!(open.server_name, "127.0.0.1");
    assert_eq!(open.identity.as_deref(), Some("web01"));
    assert_eq!(open.alpn, ["h2"]);
    assert_eq!(
        (open.min_version, open.max_version),
        (Some(0x0303), Some(0x0304))
    );
    assert_eq!((open.resume, open.role), (Some(false), None));
}

#[tokio::test]
async fn an_application_that_leaves_during_the_handshake_ends_its_session() {
    let mut world = World::new().await;
    let mut app = world.app().await;
    app.write_all(world.request().as_bytes())
        .await
        .expect("connected");
    let mut server = world.accept(Protection::Tls13).await;
    let session = world.dom0.next_open().await.session;
    drop(app);
    assert_eq!(world.dom0.next_close().await, session);
    assert_eq!(server.tcp.read(&mut [0]).await.expect("closed in order"), 0);

    let mut other = world.app().await;
    let Answer::Status(status) = ask(&mut other, "{\"status\":{}}\n").await else {
        panic!("no status");
    };
    assert_eq!((status.sessions.handshakes, status.sessions.failed), (0, 1));
}

#[tokio::test]
async fn an_application_that_has_said_everything_is_still_there() {
    let mut world = World::new().await;
    let mut app = world.app().await;
    app.write_all((world.request() + "all of it").as_bytes())
        .await
        .expect("connected");
    app.shutdown().await.expect("open");
    let (_, mut server) = world.shake_hands(Protection::Tls13, b"").await;
    assert!(matches!(answer(&mut app).await, Answer::Established(_)));
    let received = server.received().await;
    assert_eq!(received.data, b"all of it");
    assert!(received.closed);
}

#[tokio::test]
async fn a_refusal_reaches_the_application_and_its_alert_the_server() {
    let mut world = World::new().await;
    let mut app = world.app().await;
    app.write_all(world.request().as_bytes())
        .await
        .expect("connected");
    let mut server = world.accept(Protection::Tls13).await;
    let session = world.dom0.next_open().await.session;
    let alert = [21, 3, 3, 0, 2, 2, 48];
    let refused = Refused {
        session: Some(session),
        code: RefusalCode::PeerUntrusted,
        message: "certificate not trusted".to_owned(),
        alert: Some(alert.to_vec()),
        retry_after_ms: None,
    };
    world.dom0.send(&Dom0Message::Refused(refused)).await;

    let Answer::Error(error) = answer(&mut app).await else {
        panic!("not refused");
    };
    assert_eq!(error.to_string(), "peer-untrusted: certificate not trusted");
    server.expect(&alert).await;
    assert_eq!(server.tcp.read(&mut [0]).await.expect("an end"), 0);
    assert_eq!(app.read(&mut [0]).await.expect("an end"), 0);
}

#[tokio::test]
async fn a_wrong_explicit_nonce_is_never_used() {
    let mut world = World::new().await;
    let mut app = world.app().await;
    app.write_all(world.request().as_bytes())
        .await
        .expect("connected");
    let mut server = world.accept(Protection::Tls12Gcm).await;
    let session = world.dom0.next_open().await.session;
    let flight = last_flight([1; 8]);
    world
        .dom0
        .send_client_records(session, flight.clone())
        .await;
    world
        .dom0
        .send(&established(session, Protection::Tls12Gcm, 0))
        .await;
    assert_eq!(code(&answer(&mut app).await), "protocol");
    server.expect(&flight).await;
    assert_eq!(server.tcp.read(&mut [0]).await.expect("an end"), 0);
    assert_eq!(world.dom0.next_close().await, session);
}

#[tokio::test]
async fn a_server_that_closes_or_does_not_speak_tls_fails_the_handshake() {
    for greeting in [&b""[..], b"SSH-2.0-server\r\n"] {
        let mut world = World::new().await;
        let mut app = world.app().await;
        app.write_all(world.request().as_bytes())
            .await
            .expect("connected");
        let mut server = world.accept(Protection::Tls13).await;
        let session = world.dom0.next_open().await.session;
        server.send(greeting).await;
        server.tcp.shutdown().await.expect("open");
        assert_eq!(code(&answer(&mut app).await), "handshake-failed");
        assert_eq!(world.dom0.next_close().await, session);
    }
}

#[tokio::test]
async fn losing_dom0_fails_the_handshake_and_not_the_stream() {
    let mut world = World::new().await;
    let mut standing = world.app().await;
    standing
        .write_all(world.request().as_bytes())
        .await
        .expect("connected");
    let (_, mut server) = world.shake_hands(Protection::Tls13, b"").await;
    assert!(matches!(
        answer(&mut standing).await,
        Answer::Established(_)
    ));

    let mut pending = world.app().await;
    pending
        .write_all(world.request().as_bytes())
        .await
        .expect("connected");
    let _server = world.accept(Protection::Tls13).await;
    world.dom0.next_open().await;
    drop(world.dom0);
    assert_eq!(code(&answer(&mut pending).await), "dom0-unavailable");

    standing.write_all(b"still here").await.expect("open");
    standing.shutdown().await.expect("open");
    assert_eq!(server.received().await.data, b"still here");
}

#[tokio::test]
async fn a_revoked_right_ends_the_stream() {
    let mut world = World::new().await;
    let mut app = world.app().await;
    app.write_all(world.request().as_bytes())
        .await
        .expect("connected");
    let (_, mut server) = world.shake_hands(Protection::Tls13, b"").await;
    assert!(matches!(answer(&mut app).await, Answer::Established(_)));
    let code = RefusalCode::NotBound;
    world.dom0.send(&Dom0Message::Revoked { code }).await;
    assert_eq!(app.read(&mut [0]).await.expect("an end"), 0);
    assert_eq!(server.tcp.read(&mut [0]).await.expect("an end"), 0);
}

#[tokio::test]
async fn time_runs_out_for_a_silent_server() {
    let mut world = World::new().await;
    let mut app = world.app().await;
    let destination = world.destination();
    let line = format!(
        "{{\"connect\":\"{destination}\",\"server_name\":\"a.example\",\"timeout_ms\":50}}\n"
    );
    app.write_all(line.as_bytes()).await.expect("connected");
    let _server = world.accept(Protection::Tls13).await;
    let session = world.dom0.next_open().await.session;
    assert_eq!(code(&answer(&mut app).await), "timeout");
    assert_eq!(world.dom0.next_close().await, session);
}

#[tokio::test]
async fn a_server_that_is_not_there_costs_dom0_nothing() {
    let mut world = World::new().await;
    let mut app = world.app().await;
    let request = world.request();
    world.server = TcpListener::bind("127.0.0.1:0")
        .await
        .expect("another port");
    assert_eq!(code(&ask(&mut app, &request).await), "connect-failed");

    let mut next = world.app().await;
    next.write_all(b"{\"identities\":{}}\n")
        .await
        .expect("connected");
    assert_eq!(world.dom0.next().await, Some(AgentMessage::Identities));
}

#[tokio::test]
async fn bad_lines_are_answered_and_the_next_is_read() {
    let world = World::new().await;
    let mut app = world.app().await;
    for line in [
        "\n",
        "{\n",
        "[]\n",
        "{\"connect\":\"nowhere\"}\n",
        "{\"fetch\":1}\n",
    ] {
        let mut app = world.app().await;
        assert_eq!(code(&ask(&mut app, line).await), "bad-request", "{line}");
    }
    assert_eq!(code(&ask(&mut app, "not JSON\n").await), "bad-request");
    assert!(matches!(
        ask(&mut app, "{\"status\":{}}\n").await,
        Answer::Status(_)
    ));
    let keys = "{\"connect\":\"127.0.0.1:1\",\"mode\":\"keys\"}\n";
    assert_eq!(code(&ask(&mut app, keys).await), "policy");
}

#[tokio::test]
async fn a_line_without_end_is_cut_off() {
    let world = World::new().await;
    let mut app = world.app().await;
    let long = "x".repeat(MAX_LINE + 1);
    assert_eq!(code(&ask(&mut app, &long).await), "bad-request");
    assert_eq!(app.read(&mut [0]).await.expect("an end"), 0);
}

#[tokio::test]
async fn more_applications_than_places_wait() {
    let world = World::with_places(1).await;
    let mut first = world.app().await;
    assert!(matches!(
        ask(&mut first, "{\"status\":{}}\n").await,
        Answer::Status(_)
    ));
    let mut second = world.app().await;
    second
        .write_all(b"{\"status\":{}}\n")
        .await
        .expect("in the backlog");
    assert!(matches!(
        ask(&mut first, "{\"status\":{}}\n").await,
        Answer::Status(_)
    ));
    assert!(second.try_read(&mut [0]).is_err(), "no place yet");
    drop(first);
    assert!(matches!(answer(&mut second).await, Answer::Status(_)));
}
