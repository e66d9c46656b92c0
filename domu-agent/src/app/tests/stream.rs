//! Mode `stream`: plaintext on the socket of the request.

use proto::agent::{Dom0Message, RefusalCode, Refused};
use proto::tls::{Alert, AlertDescription};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::world::{World, answer, ask, code};
use crate::app::{Answer, Ending, EstablishedAnswer};
use crate::client::{Client, ConnectRequest};
use crate::testing::Protection;

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
async fn one_session_taken_back_ends_its_stream_and_no_other() {
    let mut world = World::new().await;
    let mut standing = world.app().await;
    let mut killed = world.app().await;
    let mut ends = Vec::new();
    for app in [&mut standing, &mut killed] {
        app.write_all(world.request().as_bytes())
            .await
            .expect("connected");
        ends.push(world.shake_hands(Protection::Tls13, b"").await);
    }
    assert!(matches!(
        answer(&mut standing).await,
        Answer::Established(_)
    ));
    let Answer::Established(established) = answer(&mut killed).await else {
        panic!("no connection");
    };
    let (session, mut server) = ends.pop().expect("two");
    let refused = Refused {
        session: Some(session),
        code: RefusalCode::Policy,
        message: "ended by the administrator".to_owned(),
        alert: None,
        retry_after_ms: None,
    };
    world.dom0.send(&Dom0Message::Refused(refused)).await;
    assert_eq!(killed.read(&mut [0]).await.expect("an end"), 0);
    assert_eq!(server.tcp.read(&mut [0]).await.expect("an end"), 0);
    let question = format!("{{\"ended\":{{\"session\":{}}}}}\n", established.session);
    let Answer::Ended(ended) = ask(&mut world.app().await, &question).await else {
        panic!("no ending");
    };
    assert_eq!(ended.how, Ending::Revoked);

    let (_, mut server) = ends.pop().expect("the other");
    standing.write_all(b"still here").await.expect("open");
    standing.shutdown().await.expect("open");
    assert_eq!(server.received().await.data, b"still here");
}

#[tokio::test]
async fn a_certificate_that_is_refused_late_is_told_to_who_asks_and_to_dom0() {
    let mut world = World::new().await;
    let mut app = world.app().await;
    app.write_all(world.request().as_bytes())
        .await
        .expect("connected");
    let (session, mut server) = world.shake_hands(Protection::Tls13, b"").await;
    let Answer::Established(established) = answer(&mut app).await else {
        panic!("no connection");
    };
    let alert = AlertDescription::CERTIFICATE_REQUIRED;
    let refusal = server.tls.alert(Alert::fatal(alert));
    server.send(&refusal).await;
    assert_eq!(app.read(&mut [0]).await.expect("an end"), 0);

    let question = format!("{{\"ended\":{{\"session\":{}}}}}\n", established.session);
    let Answer::Ended(ended) = ask(&mut world.app().await, &question).await else {
        panic!("no ending");
    };
    assert_eq!(ended.how, Ending::CertificateRefused);
    assert_eq!(
        ended.message,
        "the server refused the client certificate: certificate_required"
    );
    let close = world.dom0.next_end().await;
    assert_eq!((close.session, close.alert), (session, Some(alert)));
    // Nobody is told of what never was.
    let unknown = ask(&mut world.app().await, "{\"ended\":{\"session\":99}}\n").await;
    assert_eq!(code(&unknown), "bad-request");
}
