//! Mode `keys`: the keys and the TCP connection come with the answer.

use std::io::{Read, Write};

use proto::agent::{Dom0Message, RefusalCode};
use proto::tls::{Opened, RecordLayer, RecordReader};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinHandle;

use super::world::{World, answer, ask, code};
use crate::app::Mode;
use crate::client::{Client, ClientError, ConnectRequest, KeysConnection};
use crate::testing::{Protection, Received};

const ALLOWED: &str = "[[allow]]\nmodes = [\"keys\"]\n";

fn connect(world: &World) -> JoinHandle<Result<KeysConnection, ClientError>> {
    let client = Client::new(world.socket());
    let request = ConnectRequest {
        connect: world.destination(),
        server_name: Some("a.example".to_owned()),
        ..ConnectRequest::default()
    };
    tokio::task::spawn_blocking(move || client.connect_keys(request))
}

async fn connected(connecting: JoinHandle<Result<KeysConnection, ClientError>>) -> KeysConnection {
    connecting.await.expect("no panic").expect("connected")
}

/// Runs `work` where it may block.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.expect("no panic")
}

#[tokio::test]
async fn who_has_the_keys_speaks_tls_and_the_agent_is_silent() {
    for protection in Protection::ALL {
        let mut world = World::with_rules(ALLOWED).await;
        let connecting = connect(&world);
        let (session, mut server) = world.shake_hands(protection, b"banner").await;
        let KeysConnection {
            established,
            keys,
            surplus,
            server: mut tcp,
            request,
            ..
        } = connected(connecting).await;
        assert_eq!(established.version, protection.version().to_string());
        // The banner came with the last flight. Where the end of the handshake can be seen,
        // nothing behind it is read.
        let is_tls13 = protection == Protection::Tls13;
        assert_eq!(!surplus.is_empty(), is_tls13);

        let mut layer = RecordLayer::new(keys).expect("good keys");
        let mut records = RecordReader::new();
        records.push(&surplus);
        while records.missing() > 0 {
            let mut bytes = vec![0; records.missing()];
            tcp.read_exact(&mut bytes).expect("more of the banner");
            records.push(&bytes);
        }
        let banner = records.next_record_mut().expect("a record").expect("whole");
        assert!(matches!(layer.open(banner), Ok(Opened::Data(b"banner"))));
        let mut out = Vec::new();
        layer.seal(b"request", &mut out).expect("open");
        layer.seal_close_notify(&mut out).expect("open");
        blocking(move || tcp.write_all(&out)).await.expect("open");

        // The descriptor was the last one: the agent has none that it writes to.
        let mut bytes = vec![0; 1];
        let mut received = Received::default();
        while !received.closed {
            let n = server.tcp.read(&mut bytes).await.expect("open");
            server.tls.open(&bytes[..n], &mut received);
        }
        assert_eq!(received.data, b"request");
        drop(request);
        assert_eq!(world.dom0.next_close().await, session);
        let mut rest = Vec::new();
        server.tcp.read_to_end(&mut rest).await.expect("an end");
        assert_eq!(rest, b"", "nothing of the agent");
    }
}

#[tokio::test]
async fn closing_the_socket_of_the_request_leaves_the_connection_alone() {
    let mut world = World::with_rules(ALLOWED).await;
    let connecting = connect(&world);
    let (session, mut server) = world.shake_hands(Protection::Tls13, b"").await;
    let KeysConnection {
        server: mut tcp,
        request,
        ..
    } = connected(connecting).await;
    drop(request);
    assert_eq!(world.dom0.next_close().await, session);
    server.send(b"still here").await;
    let read = blocking(move || {
        let mut data = [0; 10];
        tcp.read_exact(&mut data).map(|()| data)
    });
    assert_eq!(&read.await.expect("open"), b"still here");
}

#[tokio::test]
async fn a_revoked_right_shuts_the_connection_down() {
    let mut world = World::with_rules(ALLOWED).await;
    let connecting = connect(&world);
    let (_, mut server) = world.shake_hands(Protection::Tls12Gcm, b"").await;
    let KeysConnection {
        server: mut tcp,
        mut request,
        ..
    } = connected(connecting).await;
    let code = RefusalCode::TokenRevoked;
    world.dom0.send(&Dom0Message::Revoked { code }).await;
    assert_eq!(server.tcp.read(&mut [0]).await.expect("an end"), 0);
    let ends = blocking(move || (tcp.read(&mut [0]), tcp.write(b"x"), request.read(&mut [0])));
    let (read, written, said) = ends.await;
    assert_eq!(read.expect("an end"), 0);
    assert!(written.is_err());
    assert_eq!(said.expect("an end"), 0);
}

#[tokio::test]
async fn keys_must_be_allowed_by_name() {
    for world in [
        World::new().await,
        World::with_rules("[[allow]]\n").await,
        World::with_rules("[[allow]]\nmodes = [\"stream\", \"socket\"]\n").await,
    ] {
        let mut app = world.app().await;
        let refused = ask(&mut app, &world.request_for(Mode::Keys)).await;
        assert_eq!(code(&refused), "policy");
    }
}

#[tokio::test]
async fn data_before_the_answer_is_refused() {
    let mut world = World::with_rules(ALLOWED).await;
    let mut app = world.app().await;
    let line = world.request_for(Mode::Keys);
    app.write_all(line.as_bytes()).await.expect("connected");
    let mut server = world.accept(Protection::Tls13).await;
    let session = world.dom0.next_open().await.session;
    app.write_all(b"early").await.expect("connected");
    assert_eq!(code(&answer(&mut app).await), "bad-request");
    assert_eq!(world.dom0.next_close().await, session);
    assert_eq!(server.tcp.read(&mut [0]).await.expect("an end"), 0);
}

#[tokio::test]
async fn an_application_that_leaves_with_its_answer_is_missed() {
    let mut world = World::with_rules(ALLOWED).await;
    let mut app = world.app().await;
    let line = world.request_for(Mode::Keys);
    app.write_all(line.as_bytes()).await.expect("connected");
    let (session, mut server) = world.shake_hands(Protection::Tls12ChaCha, b"").await;
    let mut buffer = [0; 1];
    app.read_exact(&mut buffer).await.expect("an answer");
    // Unread descriptors are closed with the socket they came over.
    drop(app);
    assert_eq!(world.dom0.next_close().await, session);
    let mut rest = Vec::new();
    server.tcp.read_to_end(&mut rest).await.expect("an end");
    assert_eq!(rest, b"", "nothing of the agent");
}
