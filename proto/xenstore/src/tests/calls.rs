//! What is asked, and what becomes of the answer.

use std::time::Duration;

use tokio::time::timeout;

use crate::client::MAX_WAITING;
use crate::error::XenstoreError;
use crate::testing::{Daemon, Request};
use crate::wire::ErrorName;

/// Long enough for what comes to have come, on a clock that does not wait.
const SOON: Duration = Duration::from_secs(1);

#[tokio::test]
async fn each_call_is_the_request_of_its_name() {
    let (store, mut peer) = Daemon::connected().await;
    let daemon = tokio::spawn(async move {
        let mut asked = Vec::new();
        while let Some(request) = peer.next().await {
            let answer: &[u8] = match request.kind {
                2 => b"value",
                3 => b"n0\0r7\0",
                _ => b"OK\0",
            };
            peer.answer(&request, answer).await;
            asked.push((request.kind, request.text()));
        }
        asked
    });
    let value = store.read("/a").await.expect("answered");
    assert_eq!(value.as_deref(), Some(b"value".as_slice()));
    store.write("data/b", b"v").await.expect("done");
    store.make("/c").await.expect("done");
    assert!(store.remove("/d").await.expect("done"));
    store.set_permissions("/e", 0, &[7, 8]).await.expect("done");
    let who = store.permissions("/f").await.expect("answered");
    assert_eq!(who, Some(vec!["n0".to_owned(), "r7".to_owned()]));
    drop(store);
    let asked = daemon.await.expect("no panic");
    let expected = [
        (2, "/a|"),
        (11, "data/b|v"),
        (12, "/c|"),
        (13, "/d|"),
        (14, "/e|n0|r7|r8|"),
        (3, "/f|"),
    ];
    assert_eq!(asked, expected.map(|(kind, text)| (kind, text.to_owned())));
}

#[tokio::test]
async fn no_node_is_an_answer_and_any_other_no_an_error() {
    let (store, mut peer) = Daemon::connected().await;
    tokio::spawn(async move {
        while let Some(request) = peer.next().await {
            let name = if request.text().starts_with("/none") {
                "ENOENT"
            } else {
                "EACCES"
            };
            peer.refuse(&request, name).await;
        }
    });
    assert_eq!(store.read("/none").await.expect("answered"), None);
    assert_eq!(store.directory("/none").await.expect("answered"), None);
    assert_eq!(store.permissions("/none").await.expect("answered"), None);
    assert!(!store.remove("/none").await.expect("answered"));
    let absent = store.write("/none", b"").await.expect_err("refused");
    assert!(absent.is_absent(), "{absent}");
    let refused = store.read("/theirs").await.expect_err("refused");
    assert!(
        matches!(refused, XenstoreError::Refused(ErrorName::Access)),
        "{refused}"
    );
}

#[tokio::test]
async fn what_no_message_can_carry_is_not_sent() {
    let (store, peer) = Daemon::connected().await;
    let long = "/x".repeat(2_000);
    for path in ["", "/a\0b", &long] {
        let error = store.read(path).await.expect_err("no path");
        assert!(matches!(error, XenstoreError::Unaskable(_)), "{error}");
    }
    let error = store.write("/a", &[0; 4_094]).await.expect_err("too long");
    assert!(matches!(error, XenstoreError::Unaskable(_)), "{error}");
    assert!(peer.is_silent());
}

#[tokio::test]
async fn answers_in_another_order_and_in_pieces_find_their_callers() {
    let (store, mut peer) = Daemon::connected().await;
    let calls: Vec<_> = ["/1", "/2", "/3"]
        .map(|path| {
            let store = store.clone();
            tokio::spawn(async move { store.read(path).await })
        })
        .into_iter()
        .collect();
    let mut requests = Vec::new();
    for _ in 0..3 {
        requests.push(peer.asked().await);
    }
    requests.reverse();
    for request in &requests {
        let bytes = crate::testing::message(request.kind, request.number, &request.payload);
        for byte in bytes {
            peer.say(&[byte]).await;
        }
    }
    for (call, path) in calls.into_iter().zip(["/1", "/2", "/3"]) {
        let value = call.await.expect("no panic").expect("answered");
        assert_eq!(value, Some(format!("{path}\0").into_bytes()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_mute_daemon_costs_the_caller_its_patience_and_nothing_else() {
    let (store, mut peer) = Daemon::connected().await;
    assert!(timeout(SOON, store.read("/slow")).await.is_err());
    let late = peer.asked().await;
    peer.answer(&late, b"too late").await;
    let (value, ()) = tokio::join!(store.read("/next"), async {
        let request = peer.asked().await;
        assert_eq!(request.text(), "/next|");
        peer.answer(&request, b"in time").await;
    });
    assert_eq!(
        value.expect("answered").as_deref(),
        Some(b"in time".as_slice())
    );
}

#[tokio::test(start_paused = true)]
async fn a_mute_daemon_gets_a_bounded_number_of_requests() {
    let (store, mut peer) = Daemon::connected().await;
    for _ in 0..MAX_WAITING + 20 {
        assert!(timeout(SOON, store.read("/x")).await.is_err());
    }
    let mut requests = Vec::new();
    while let Ok(Some(request)) = timeout(SOON, peer.next()).await {
        requests.push(request);
    }
    assert_eq!(requests.len(), MAX_WAITING);
    let reading = tokio::spawn(async move { store.read("/y").await });
    for request in &requests {
        peer.answer(request, b"").await;
    }
    let request = peer.asked().await;
    assert_eq!(request.text(), "/y|");
    peer.answer(&request, b"y").await;
    let value = reading.await.expect("no panic").expect("answered");
    assert_eq!(value.as_deref(), Some(b"y".as_slice()));
}

#[tokio::test]
async fn an_answer_that_does_not_fit_the_question_spoils_only_that() {
    let (store, mut peer) = Daemon::connected().await;
    let daemon = async {
        let request: Request = peer.asked().await;
        peer.answer(&request, b"n0\0\xFF\xFE\0").await;
        let request = peer.asked().await;
        peer.answer(&request, b"\xFF\xFE").await;
    };
    let calls = async {
        let error = store.permissions("/a").await.expect_err("no text");
        assert!(matches!(error, XenstoreError::Malformed(_)), "{error}");
        // A value need not be text.
        store.read("/a").await.expect("answered")
    };
    let (value, ()) = tokio::join!(calls, daemon);
    assert_eq!(value.as_deref(), Some(b"\xFF\xFE".as_slice()));
}
