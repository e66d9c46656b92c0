//! Mode `socket`: plaintext on a socket that comes with the answer.

use std::io::{Read, Write};

use proto::agent::{Dom0Message, RefusalCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::task::JoinHandle;

use super::world::{World, answer, ask, code};
use crate::app::{EstablishedAnswer, Mode};
use crate::client::{Client, ClientError, ConnectRequest};
use crate::testing::Protection;

type Connected = Result<(EstablishedAnswer, std::os::unix::net::UnixStream), ClientError>;

/// An application that asks through the client library, in a thread of its own.
fn connect(world: &World) -> JoinHandle<Connected> {
    let client = Client::new(world.socket());
    let request = ConnectRequest {
        connect: world.destination(),
        server_name: Some("a.example".to_owned()),
        ..ConnectRequest::default()
    };
    tokio::task::spawn_blocking(move || client.connect_socket(request))
}

async fn connected(connecting: JoinHandle<Connected>) -> (EstablishedAnswer, UnixStream) {
    let connected = connecting.await.expect("no panic");
    let (established, socket) = connected.expect("connected");
    socket.set_nonblocking(true).expect("a socket");
    (established, UnixStream::from_std(socket).expect("a socket"))
}

#[tokio::test]
async fn both_directions_end_in_either_order_on_a_socket_of_its_own() {
    for app_first in [true, false] {
        let mut world = World::new().await;
        let connecting = connect(&world);
        let (session, mut server) = world.shake_hands(Protection::Tls12Gcm, b"banner").await;
        // The client library has closed the socket of the request by now.
        let (established, mut app) = connected(connecting).await;
        assert_eq!(established.via.as_deref(), Some("relay"));
        let mut banner = [0; 6];
        app.read_exact(&mut banner).await.expect("plaintext");
        assert_eq!(&banner, b"banner");

        let end = [server.tls.seal(b"answer"), server.tls.close_notify()].concat();
        if !app_first {
            server.send(&end).await;
        }
        app.write_all(b"request").await.expect("open");
        app.shutdown().await.expect("open");
        let received = server.received().await;
        assert_eq!(received.data, b"request");
        assert!(received.closed);
        if app_first {
            server.send(&end).await;
        }
        let mut data = Vec::new();
        app.read_to_end(&mut data).await.expect("an end");
        assert_eq!(data, b"answer");
        assert_eq!(world.dom0.next_close().await, session);
    }
}

/// As it is on a machine whose kernel has no TLS, with a caller that may have keys.
#[tokio::test]
async fn without_kernel_tls_the_agent_serves_the_socket() {
    let rules = "[[allow]]\nmodes = [\"socket\", \"keys\"]\n";
    let mut world = World::with_rules(rules).await;
    let client = Client::new(world.socket());
    let request = ConnectRequest {
        connect: world.destination(),
        server_name: Some("a.example".to_owned()),
        ..ConnectRequest::default()
    };
    let connecting = tokio::task::spawn_blocking(move || client.connect_plaintext(request));
    let (session, mut server) = world.shake_hands(Protection::Tls12Gcm, b"banner").await;
    let socket = connecting.await.expect("no panic").expect("connected");
    assert!(!socket.is_kernel_tls());
    assert_eq!(socket.established.via.as_deref(), Some("relay"));
    let using = tokio::task::spawn_blocking(move || {
        let mut socket = socket;
        let mut data = Vec::new();
        // The server ends first: what the application sends still goes out.
        socket.read_to_end(&mut data).expect("a good end");
        socket.write_all(b"request").expect("open");
        socket.finish().expect("open");
        data
    });
    let close = server.tls.close_notify();
    server.send(&close).await;
    assert_eq!(server.received().await.data, b"request");
    assert_eq!(using.await.expect("no panic"), b"banner");
    assert_eq!(world.dom0.next_close().await, session);
}

#[tokio::test]
async fn the_socket_blocks_as_a_new_one_does() {
    let mut world = World::new().await;
    let connecting = connect(&world);
    let (_, mut server) = world.shake_hands(Protection::Tls13, b"").await;
    let (_, mut socket) = connecting.await.expect("no panic").expect("connected");
    let reading = tokio::task::spawn_blocking(move || {
        let mut data = [0; 4];
        Read::read_exact(&mut socket, &mut data).map(|()| data)
    });
    let late = server.tls.seal(b"late");
    server.send(&late).await;
    assert_eq!(&reading.await.expect("no panic").expect("waited"), b"late");
}

#[tokio::test]
async fn closing_the_socket_is_a_close_notify() {
    let mut world = World::new().await;
    let connecting = connect(&world);
    let (session, mut server) = world.shake_hands(Protection::Tls12ChaCha, b"").await;
    drop(connected(connecting).await);
    assert!(server.received().await.closed);
    assert_eq!(world.dom0.next_close().await, session);
}

#[tokio::test]
async fn an_answer_that_nobody_takes_ends_the_connection() {
    let mut world = World::new().await;
    let mut app = world.app().await;
    let line = world.request_for(Mode::Socket);
    app.write_all(line.as_bytes()).await.expect("connected");
    let (session, mut server) = world.shake_hands(Protection::Tls13, b"").await;
    drop(app);
    assert_eq!(world.dom0.next_close().await, session);
    // With close_notify or without: that depends on when the application was missed.
    let mut bytes = Vec::new();
    server.tcp.read_to_end(&mut bytes).await.expect("an end");
}

#[tokio::test]
async fn data_before_the_answer_is_refused() {
    let mut world = World::new().await;
    // With the request, which then connects nothing, and later.
    let mut app = world.app().await;
    let line = world.request_for(Mode::Socket) + "early";
    assert_eq!(code(&ask(&mut app, &line).await), "bad-request");

    let mut app = world.app().await;
    let line = world.request_for(Mode::Socket);
    app.write_all(line.as_bytes()).await.expect("connected");
    let _server = world.accept(Protection::Tls13).await;
    let session = world.dom0.next_open().await.session;
    app.write_all(b"early").await.expect("connected");
    assert_eq!(code(&answer(&mut app).await), "bad-request");
    assert_eq!(world.dom0.next_close().await, session);
}

#[tokio::test]
async fn a_revoked_right_ends_the_socket() {
    let mut world = World::new().await;
    let connecting = connect(&world);
    let (_, mut server) = world.shake_hands(Protection::Tls13, b"").await;
    let (_, mut app) = connected(connecting).await;
    let code = RefusalCode::NotBound;
    world.dom0.send(&Dom0Message::Revoked { code }).await;
    assert_eq!(app.read(&mut [0]).await.expect("an end"), 0);
    assert_eq!(server.tcp.read(&mut [0]).await.expect("an end"), 0);
}
