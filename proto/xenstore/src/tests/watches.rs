//! Watches: set, told, taken back.

use std::time::Duration;

use tokio::time::timeout;

use crate::error::XenstoreError;
use crate::testing::{Daemon, Peer};
use crate::watch::Watch;
use crate::{ErrorName, Xenstore};

const SOON: Duration = Duration::from_secs(1);
const WATCH: u32 = 4;
const UNWATCH: u32 = 5;

async fn watching(store: &Xenstore, peer: &mut Peer, path: &str) -> (Watch, String) {
    let (watch, token) = tokio::join!(store.watch(path), async {
        let request = peer.asked().await;
        assert_eq!(request.kind, WATCH);
        peer.answer(&request, b"OK\0").await;
        let text = request.text();
        let token = text
            .strip_prefix(&format!("{path}|"))
            .expect("the path first");
        token.trim_end_matches('|').to_owned()
    });
    (watch.expect("it is set"), token)
}

#[tokio::test(start_paused = true)]
async fn many_changes_that_nobody_has_heard_of_are_one() {
    let (store, mut peer) = Daemon::connected().await;
    let (mut watch, token) = watching(&store, &mut peer, "/w").await;
    let (mut other, _) = watching(&store, &mut peer, "/o").await;
    for _ in 0..10_000 {
        peer.event("/w/below", &token).await;
        peer.event("/elsewhere", "7e55e2a0-0000-4000-8000-000000000001")
            .await;
    }
    let (read, ()) = tokio::join!(store.read("/a"), async {
        let request = peer.asked().await;
        peer.answer(&request, b"behind them").await;
    });
    assert!(read.expect("answered").is_some());
    watch.changed().await.expect("told");
    assert!(timeout(SOON, watch.changed()).await.is_err());
    assert!(timeout(SOON, other.changed()).await.is_err());
    // A wait that was given up loses nothing.
    peer.event("/w", &token).await;
    watch.changed().await.expect("told");
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_is_dropped_is_taken_back_and_hears_nothing() {
    let (store, mut peer) = Daemon::connected().await;
    let (watch, token) = watching(&store, &mut peer, "@releaseDomain").await;
    drop(watch);
    let request = peer.asked().await;
    assert_eq!(
        (request.kind, request.text()),
        (UNWATCH, format!("@releaseDomain|{token}|"))
    );
    peer.event("@releaseDomain", &token).await;
    peer.answer(&request, b"OK\0").await;
    let (mut again, other) = watching(&store, &mut peer, "@releaseDomain").await;
    assert_ne!(token, other);
    peer.event("@releaseDomain", &token).await;
    assert!(timeout(SOON, again.changed()).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_was_given_up_while_it_was_set_is_taken_back() {
    let (store, mut peer) = Daemon::connected().await;
    assert!(timeout(SOON, store.watch("/w")).await.is_err());
    let request = peer.asked().await;
    assert_eq!((request.kind, request.text().as_str()), (WATCH, "/w|1|"));
    let back = peer.asked().await;
    assert_eq!((back.kind, back.text().as_str()), (UNWATCH, "/w|1|"));
    peer.answer(&request, b"OK\0").await;
    peer.answer(&back, b"OK\0").await;
}

#[tokio::test]
async fn a_watch_that_is_refused_is_none() {
    let (store, mut peer) = Daemon::connected().await;
    let (watch, ()) = tokio::join!(store.watch("/theirs"), async {
        let request = peer.asked().await;
        peer.refuse(&request, "EACCES").await;
    });
    let error = watch.expect_err("refused");
    assert!(
        matches!(error, XenstoreError::Refused(ErrorName::Access)),
        "{error}"
    );
    // It does not know that there is nothing to take back.
    let back = peer.asked().await;
    peer.refuse(&back, "ENOENT").await;
    watching(&store, &mut peer, "/ours").await;
}
