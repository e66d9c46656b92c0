//! A daemon that dies or lies: all calls and watches end at once, with the reason.

use std::path::Path;

use crate::client::Xenstore;
use crate::error::{Breach, Ending, XenstoreError};
use crate::testing::{Daemon, Peer, message};

const READ: u32 = 2;
const RM: u32 = 13;

/// What becomes of a call, a watch and a later call when the daemon does this with the request of
/// the first.
async fn after(act: impl AsyncFnOnce(&mut Peer, u32)) -> [Result<(), XenstoreError>; 3] {
    let (store, mut peer) = Daemon::connected().await;
    let (watch, ()) = tokio::join!(store.watch("/w"), async {
        let request = peer.asked().await;
        peer.answer(&request, b"OK\0").await;
    });
    let mut watch = watch.expect("it is set");
    let (first, ()) = tokio::join!(store.read("/a"), async {
        let request = peer.asked().await;
        act(&mut peer, request.number).await;
    });
    let watched = watch.changed().await;
    let second = store.read("/b").await;
    assert!(store.watch("/w").await.is_err());
    [first.map(drop), watched, second.map(drop)]
}

fn is(ended: &Result<(), XenstoreError>, expected: Ending) -> bool {
    matches!(ended, Err(XenstoreError::Ended(ending)) if *ending == expected)
}

#[tokio::test]
async fn a_daemon_that_dies_ends_all_at_once() {
    let (store, mut peer) = Daemon::connected().await;
    let reads: Vec<_> = (0..100)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { store.read("/a").await.map(drop) })
        })
        .collect();
    peer.asked().await;
    drop(peer);
    for read in reads {
        let ended = read.await.expect("no panic");
        // Some were still being written.
        let broken = Ending::Io(std::io::ErrorKind::BrokenPipe);
        let reset = Ending::Io(std::io::ErrorKind::ConnectionReset);
        let is_end = [Ending::Closed, broken, reset]
            .iter()
            .any(|end| is(&ended, *end));
        assert!(is_end, "{ended:?}");
    }
}

#[tokio::test]
async fn what_is_no_message_ends_the_connection_and_says_why() {
    let too_long = [READ, 1, 0, 4_097].map(u32::to_ne_bytes).concat();
    for (bytes, breach) in [
        (too_long, Breach::TooLong),
        (vec![0xFF; 16], Breach::Kind(u32::MAX)),
        (message(4_711, 2, b""), Breach::Kind(4_711)),
        (message(READ, 77, b"value"), Breach::Unasked),
        // It has its answer already.
        (message(4, 1, b"OK\0"), Breach::Unasked),
    ] {
        for ended in after(async |peer, _| peer.say(&bytes).await).await {
            assert!(is(&ended, Ending::Breach(breach)), "{ended:?}");
        }
    }
    let other = async |peer: &mut Peer, number| peer.say(&message(RM, number, b"OK\0")).await;
    for ended in after(other).await {
        assert!(is(&ended, Ending::Breach(Breach::OtherKind)), "{ended:?}");
    }
}

#[tokio::test]
async fn an_answer_that_is_cut_anywhere_is_none() {
    for cut in 0..16 + 5 {
        let (store, mut peer) = Daemon::connected().await;
        let (read, ()) = tokio::join!(store.read("/a"), async {
            let request = peer.asked().await;
            let whole = message(READ, request.number, b"value");
            peer.say(&whole[..cut]).await;
            drop(peer);
        });
        assert!(is(&read.map(drop), Ending::Closed), "cut at {cut}");
    }
}

#[tokio::test]
async fn the_last_handle_closes_the_connection_even_of_a_mute_daemon() {
    let (store, mut peer) = Daemon::connected().await;
    let other = store.clone();
    // More than the socket takes: the task is in the middle of writing.
    let writes: Vec<_> = (0..64)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { store.write("/a", &[b'x'; 4_000]).await })
        })
        .collect();
    peer.asked().await;
    for write in &writes {
        write.abort();
    }
    drop(store);
    for write in writes {
        assert!(write.await.is_err(), "it was given up");
    }
    drop(other);
    // What was sent is read, then comes the end.
    while peer.next().await.is_some() {}
}

#[tokio::test]
async fn a_watch_keeps_the_connection() {
    let (store, mut peer) = Daemon::connected().await;
    let (watch, ()) = tokio::join!(store.watch("/w"), async {
        let request = peer.asked().await;
        peer.answer(&request, b"OK\0").await;
    });
    let mut watch = watch.expect("it is set");
    drop(store);
    peer.event("/w", "1").await;
    watch.changed().await.expect("told");
    drop(watch);
    while peer.next().await.is_some() {}
}

#[test]
fn a_runtime_that_ends_ends_the_calls_of_others() {
    let other = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let other = other.expect("a runtime");
    let (store, _peer) = other.block_on(Daemon::connected());
    drop(other);
    let ours = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    let ended = ours.block_on(store.read("/a")).map(drop);
    assert!(is(&ended, Ending::Stopped), "{ended:?}");
}

#[tokio::test]
async fn where_nobody_listens_the_path_is_named() {
    let daemon = Daemon::listening();
    let socket = daemon.socket();
    for path in [socket.as_path(), Path::new("/nowhere/socket")] {
        let (listens, name) = (path == socket, path.display().to_string());
        let connected = Xenstore::connect_to(path).await;
        match connected {
            Ok(_) => assert!(listens),
            Err(error) => assert!(!listens && error.to_string().contains(&name), "{error}"),
        }
    }
    drop(daemon);
}
