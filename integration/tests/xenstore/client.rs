//! Our client with a real xenstored.

use std::time::Duration;

use integration::xenstored::Xenstored;
use tokio::time::timeout;
use xenstore_client::{ErrorName, Xenstore, XenstoreError};

const PATIENCE: Duration = Duration::from_secs(10);

/// Runs a test, whose clock is real: so is the daemon.
fn run(test: impl AsyncFnOnce()) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let in_time = async { timeout(PATIENCE * 3, test()).await };
    let done = runtime.expect("a runtime").block_on(in_time);
    done.expect("in time");
}

async fn connect(xenstored: &Xenstored) -> Xenstore {
    let store = Xenstore::connect_to(&xenstored.socket()).await;
    store.expect("it listens")
}

#[test]
fn nodes_are_made_read_given_away_and_removed() {
    run(async || {
        let xenstored = Xenstored::start();
        let store = connect(&xenstored).await;
        assert_eq!(store.read("/t/a").await.expect("answered"), None);
        let most = vec![b'x'; 4_096 - "/t/a".len() - 1];
        for value in [b"".as_slice(), b"value", b"\xFF\x00\xFE", &most] {
            store.write("/t/a", value).await.expect("written");
            let read = store.read("/t/a").await.expect("answered");
            assert_eq!(read.as_deref(), Some(value));
        }
        store.make("/t/b").await.expect("made");
        let mut children = store
            .directory("/t")
            .await
            .expect("answered")
            .expect("there");
        children.sort();
        assert_eq!(children, ["a", "b"]);
        store.set_permissions("/t/b", 0, &[7]).await.expect("given");
        let who = store.permissions("/t/b").await.expect("answered");
        assert_eq!(who.expect("there"), ["n0", "r7"]);
        assert!(store.remove("/t").await.expect("removed"));
        assert_eq!(store.directory("/t").await.expect("answered"), None);
        assert!(
            !store.remove("/u/v/w").await.expect("answered"),
            "nothing above either"
        );
        let error = store.write("/a//b", b"").await.expect_err("no path");
        assert!(
            matches!(error, XenstoreError::Refused(ErrorName::Invalid)),
            "{error}"
        );
        // A path of one's own, which is dom0's here.
        store.write("data/x", b"own").await.expect("written");
        let read = store
            .read("/local/domain/0/data/x")
            .await
            .expect("answered");
        assert_eq!(read.as_deref(), Some(b"own".as_slice()));
    });
}

#[test]
fn a_directory_that_no_single_answer_of_the_protocol_holds_is_read_whole() {
    run(async || {
        let xenstored = Xenstored::start();
        let store = connect(&xenstored).await;
        // Up to 4,096 bytes, a little beyond them, and several answers long.
        for count in [500, 820, 3_000] {
            let names: Vec<String> = (0..count).map(|number| format!("n{number:03}")).collect();
            xenstored.change(|client| {
                let mut names = names.iter();
                names.try_for_each(|name| client.write(&format!("/many/{name}"), b""))
            });
            let children = store.directory("/many").await.expect("answered");
            let mut children = children.expect("there");
            children.sort();
            let mut expected = names;
            expected.sort();
            assert_eq!(children, expected);
        }
    });
}

#[test]
fn a_watch_tells_of_changes_below_it_until_it_is_dropped() {
    run(async || {
        let xenstored = Xenstored::start();
        let (store, other) = (connect(&xenstored).await, connect(&xenstored).await);
        let mut watch = store.watch("/w").await.expect("set");
        watch.changed().await.expect("told that it is set");
        for round in 0..3 {
            other
                .write(&format!("/w/{round}"), b"")
                .await
                .expect("written");
            timeout(PATIENCE, watch.changed())
                .await
                .expect("in time")
                .expect("told");
        }
        drop(watch);
        other.write("/w/after", b"").await.expect("written");
        assert!(store.read("/w/after").await.expect("answered").is_some());
    });
}

#[test]
fn a_daemon_that_is_killed_ends_calls_and_watches_at_once() {
    run(async || {
        let mut xenstored = Xenstored::start();
        let store = connect(&xenstored).await;
        let mut watch = store.watch("@releaseDomain").await.expect("set");
        watch.changed().await.expect("told that it is set");
        xenstored.freeze();
        let reading = tokio::spawn({
            let store = store.clone();
            async move { store.read("/x").await }
        });
        tokio::task::yield_now().await;
        xenstored.kill();
        let ended = timeout(PATIENCE, reading)
            .await
            .expect("at once")
            .expect("no panic");
        assert!(matches!(ended, Err(XenstoreError::Ended(_))), "{ended:?}");
        let ended = timeout(PATIENCE, watch.changed()).await.expect("at once");
        assert!(matches!(ended, Err(XenstoreError::Ended(_))), "{ended:?}");
        let gone = Xenstore::connect_to(&xenstored.socket()).await;
        assert!(
            matches!(gone, Err(XenstoreError::Connect { .. })),
            "{gone:?}"
        );
    });
}
