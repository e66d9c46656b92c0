use proto::tls::{Alert, AlertDescription, MAX_PLAINTEXT, MIN_RECORDS_PER_KEY, RecordLayer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::*;
use crate::testing::{Protection, Received, Server};

/// A running stream, seen from outside.
struct Outside {
    app: UnixStream,
    server: TcpStream,
    peer: Server,
    revoke: watch::Sender<Option<RefusalCode>>,
    pump: JoinHandle<Result<(), StreamError>>,
}

impl Outside {
    async fn start(protection: Protection) -> Self {
        Self::with_layer(protection, protection.client_layer()).await
    }

    async fn with_layer(protection: Protection, layer: RecordLayer) -> Self {
        let (app, inner_app) = UnixStream::pair().expect("a pair");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let (inner_server, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
        let revoke = watch::Sender::new(None);
        let mut ends = Ends {
            app: inner_app,
            server: inner_server.expect("listening"),
            revoked: revoke.subscribe(),
        };
        let relay = StreamRelay::new(layer, &[]);
        Self {
            app,
            server: accepted.expect("connected").0,
            peer: protection.server(),
            revoke,
            pump: tokio::spawn(async move { pump(relay, &mut ends, |_| {}).await }),
        }
    }

    async fn send(&mut self, records: &[u8]) {
        self.server.write_all(records).await.expect("connected");
    }

    /// All that the server gets until the agent ends its direction.
    async fn received(&mut self) -> Received {
        let mut bytes = Vec::new();
        self.server
            .read_to_end(&mut bytes)
            .await
            .expect("an end in order");
        let mut received = Received::default();
        self.peer.open(&bytes, &mut received);
        received
    }

    /// All that the application gets until its socket ends.
    async fn read(&mut self) -> Vec<u8> {
        let mut data = Vec::new();
        self.app.read_to_end(&mut data).await.expect("an end");
        data
    }

    async fn outcome(self) -> Result<(), StreamError> {
        self.pump.await.expect("no panic")
    }
}

/// Bytes in which a part that is lost or moved shows.
fn pattern(seed: u8, length: usize) -> Vec<u8> {
    (0..=250)
        .map(|byte: u8| byte ^ seed)
        .cycle()
        .take(length)
        .collect()
}

#[tokio::test]
async fn ten_mebibytes_both_ways_at_once() {
    const SIZE: usize = 10 << 20;
    let mut outside = Outside::start(Protection::Tls13).await;
    let (up, down) = (pattern(1, SIZE), pattern(2, SIZE));
    let mut records = Vec::new();
    for chunk in down.chunks(65_536) {
        records.extend(outside.peer.seal(chunk));
    }
    records.extend(outside.peer.close_notify());

    let (mut app_read, mut app_write) = outside.app.into_split();
    let (mut server_read, mut server_write) = outside.server.into_split();
    let mut at_app = Vec::new();
    let mut at_server = Vec::new();
    let (_, _, from_app, from_server) = tokio::join!(
        app_read.read_to_end(&mut at_app),
        server_read.read_to_end(&mut at_server),
        async {
            app_write.write_all(&up).await?;
            app_write.shutdown().await
        },
        server_write.write_all(&records),
    );
    from_app.expect("all taken");
    from_server.expect("all taken");
    outside
        .pump
        .await
        .expect("no panic")
        .expect("an end in order");

    let mut received = Received::default();
    outside.peer.open(&at_server, &mut received);
    assert!(received.closed);
    assert!(received.data == up, "{} bytes up", received.data.len());
    assert!(at_app == down, "{} bytes down", at_app.len());
}

#[tokio::test]
async fn both_sides_may_end_in_either_order() {
    for app_first in [true, false] {
        let mut outside = Outside::start(Protection::Tls12Gcm).await;
        let answer = [outside.peer.seal(b"answer"), outside.peer.close_notify()].concat();
        if !app_first {
            outside.send(&answer).await;
            assert_eq!(outside.read().await, b"answer");
        }
        outside.app.write_all(b"request").await.expect("still open");
        outside.app.shutdown().await.expect("still open");
        let received = outside.received().await;
        assert_eq!(received.data, b"request");
        assert!(received.closed);
        if app_first {
            outside.send(&answer).await;
            assert_eq!(outside.read().await, b"answer");
        }
        outside.outcome().await.expect("an end in order");
    }
}

#[tokio::test]
async fn a_cut_stream_takes_no_data_and_a_complete_one_does() {
    let mut complete = Outside::start(Protection::Tls13).await;
    let all = [complete.peer.seal(b"all"), complete.peer.close_notify()].concat();
    complete.send(&all).await;
    complete.server.shutdown().await.expect("open");
    assert_eq!(complete.read().await, b"all");
    complete
        .app
        .write_all(b"still taken")
        .await
        .expect("complete");

    let mut cut = Outside::start(Protection::Tls13).await;
    let half = cut.peer.seal(b"half");
    cut.send(&half).await;
    cut.server.shutdown().await.expect("open");
    assert_eq!(cut.read().await, b"half");
    let error = cut.app.write_all(b"x").await.expect_err("cut");
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    let outcome = cut.outcome().await;
    assert!(matches!(outcome, Err(StreamError::Truncated)));
}

#[tokio::test]
async fn a_fatal_alert_closes_the_application() {
    let mut outside = Outside::start(Protection::Tls13).await;
    let alert = Alert::fatal(AlertDescription::CERTIFICATE_REQUIRED);
    let record = outside.peer.alert(alert);
    outside.send(&record).await;
    assert_eq!(outside.read().await, b"");
    assert!(presence::has_left(&outside.app));
    let outcome = outside.outcome().await;
    assert!(matches!(outcome, Err(StreamError::Alert(came)) if came == alert));
}

#[tokio::test]
async fn a_revoked_right_closes_both_sides_at_once() {
    let mut outside = Outside::start(Protection::Tls12Gcm).await;
    outside.revoke.send_replace(Some(RefusalCode::TokenRevoked));
    assert_eq!(outside.read().await, b"");
    let mut bytes = Vec::new();
    let ended = outside.server.read_to_end(&mut bytes).await;
    assert!(bytes.is_empty(), "{ended:?}");
    let outcome = outside.outcome().await;
    let code = RefusalCode::TokenRevoked;
    assert!(matches!(outcome, Err(StreamError::Revoked(came)) if came == code));
}

#[tokio::test]
async fn losing_dom0_changes_nothing() {
    let mut outside = Outside::start(Protection::Tls12Gcm).await;
    let (closed, _) = watch::channel(None);
    drop(std::mem::replace(&mut outside.revoke, closed));
    outside.app.write_all(b"on").await.expect("open");
    outside.app.shutdown().await.expect("open");
    assert_eq!(outside.received().await.data, b"on");
}

#[tokio::test]
async fn an_application_that_closes_is_a_close_notify_for_the_server() {
    for silent_before in [false, true] {
        let mut outside = Outside::start(Protection::Tls12ChaCha).await;
        if silent_before {
            // The end of its direction is seen first, its leaving only by looking for it.
            outside.app.shutdown().await.expect("open");
        }
        drop(std::mem::replace(
            &mut outside.app,
            UnixStream::pair().expect("a pair").0,
        ));
        assert!(outside.received().await.closed);
        outside.outcome().await.expect("the application's choice");
    }
}

/// More than a key can seal that lasts for the fewest records.
const TOO_MUCH: usize = 3 * MAX_PLAINTEXT * 64;

#[tokio::test]
async fn tls13_carries_more_than_one_key_can_seal() {
    let protection = Protection::Tls13;
    let layer = protection.short_lived_layer(MIN_RECORDS_PER_KEY);
    let mut outside = Outside::with_layer(protection, layer).await;
    let data = pattern(3, TOO_MUCH);
    let (_, mut app_write) = outside.app.into_split();
    let mut at_server = Vec::new();
    let (_, from_app) = tokio::join!(outside.server.read_to_end(&mut at_server), async {
        app_write.write_all(&data).await?;
        app_write.shutdown().await
    });
    from_app.expect("all taken");
    let mut received = Received::default();
    outside.peer.open(&at_server, &mut received);
    assert!(received.data == data, "{} bytes", received.data.len());
    assert!(received.closed && received.key_updates >= 3);
}

#[tokio::test]
async fn tls12_that_has_used_up_its_key_ends_in_order_for_the_server() {
    let protection = Protection::Tls12Gcm;
    let layer = protection.short_lived_layer(MIN_RECORDS_PER_KEY);
    let mut outside = Outside::with_layer(protection, layer).await;
    let data = pattern(4, TOO_MUCH);
    let (mut app_read, mut app_write) = outside.app.into_split();
    let (mut at_server, mut at_app) = (Vec::new(), Vec::new());
    let (_, _, written) = tokio::join!(
        outside.server.read_to_end(&mut at_server),
        app_read.read_to_end(&mut at_app),
        app_write.write_all(&data),
    );
    // The application sees it as any end before its time.
    assert_eq!(written.expect_err("cut").kind(), io::ErrorKind::BrokenPipe);
    assert!(at_app.is_empty());
    let mut received = Received::default();
    outside.peer.open(&at_server, &mut received);
    assert!(received.closed && received.alert.is_none());
    assert!(!received.data.is_empty() && data.starts_with(&received.data));
    let outcome = outside.pump.await.expect("no panic");
    assert!(matches!(outcome, Err(StreamError::KeyUsedUp)));
}
