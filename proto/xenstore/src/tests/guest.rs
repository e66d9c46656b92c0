//! The device of a guest: what is different there.

use std::time::Duration;

use tokio::time::timeout;

use crate::error::{Ending, XenstoreError};
use crate::testing::Daemon;

const SOON: Duration = Duration::from_millis(50);

#[tokio::test]
async fn a_request_waits_for_the_answer_to_the_one_before() {
    let (store, mut peer) = Daemon::device();
    let calls: Vec<_> = (0..3)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { store.read("domid").await })
        })
        .collect();
    for _ in &calls {
        let request = peer.asked().await;
        assert_eq!(request.text(), "domid|");
        assert!(timeout(SOON, peer.next()).await.is_err(), "one at a time");
        peer.answer(&request, b"7").await;
    }
    for call in calls {
        let value = call.await.expect("no panic").expect("answered");
        assert_eq!(value.as_deref(), Some(b"7".as_slice()));
    }
}

#[tokio::test]
async fn what_nobody_waits_for_any_more_and_was_not_sent_is_not() {
    let (store, mut peer) = Daemon::device();
    for path in ["first", "second", "third"] {
        assert!(timeout(SOON, store.read(path)).await.is_err());
    }
    let first = peer.asked().await;
    assert_eq!(first.text(), "first|");
    let (value, ()) = tokio::join!(store.read("fourth"), async {
        peer.answer(&first, b"").await;
        let request = peer.asked().await;
        assert_eq!(request.text(), "fourth|");
        peer.answer(&request, b"4").await;
    });
    assert_eq!(value.expect("answered").as_deref(), Some(b"4".as_slice()));
}

#[tokio::test]
async fn events_come_between_answers() {
    let (store, mut peer) = Daemon::device();
    let (watch, ()) = tokio::join!(store.watch("tessera/token"), async {
        let request = peer.asked().await;
        peer.event("tessera/token", "1").await;
        peer.answer(&request, b"OK\0").await;
    });
    watch.expect("it is set").changed().await.expect("told");
}

#[tokio::test]
async fn a_device_that_ends_ends_the_calls() {
    let (store, mut peer) = Daemon::device();
    let (read, ()) = tokio::join!(store.read("domid"), async {
        peer.asked().await;
        drop(peer);
    });
    let error = read.expect_err("ended");
    assert!(
        matches!(error, XenstoreError::Ended(Ending::Closed)),
        "{error}"
    );
}
