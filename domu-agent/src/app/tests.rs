//! Whole requests: an application, the agent's sockets, dom0 and a server played by the test.

mod allow;
mod keys;
mod socket;
mod stream;
mod world;

use proto::agent::{AgentMessage, Dom0Message, RefusalCode, Refused};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use self::world::{World, answer, ask, code};
use super::{Answer, MAX_LINE};
use crate::dom0::testing::established;
use crate::testing::{Protection, last_flight};

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
async fn a_handshake_whose_card_failed_is_made_once_more_with_another_card() {
    let mut world = World::new().await;
    let mut app = world.app().await;
    app.write_all(world.request().as_bytes())
        .await
        .expect("connected");
    for attempt in 1..=2 {
        let mut server = world.accept(Protection::Tls13).await;
        let session = world.dom0.next_open().await.session;
        let refused = Refused {
            session: Some(session),
            code: RefusalCode::CardRemoved,
            message: format!("attempt {attempt}"),
            alert: None,
            retry_after_ms: Some(0),
        };
        world.dom0.send(&Dom0Message::Refused(refused)).await;
        assert_eq!(server.tcp.read(&mut [0]).await.expect("an end"), 0);
    }
    let Answer::Error(error) = answer(&mut app).await else {
        panic!("not refused");
    };
    assert_eq!(error.to_string(), "card-removed: attempt 2");
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
