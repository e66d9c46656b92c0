//! The task over real Unix sockets, dom0 played by the test.

use proto::agent::{AgentMessage, Dom0Message, Door, IdentityInfo, RefusalCode};

use super::testing::{FakeDom0, established, refused, wish};
use super::*;
use crate::testing::Protection;

async fn open(dom0: &Dom0) -> Session {
    dom0.open(wish()).await.expect("connected")
}

#[tokio::test]
async fn many_sessions_share_one_connection() {
    let fake = FakeDom0::listening();
    let dom0 = fake.agent();
    let mut peer = fake.welcome().await;
    let (mut first, mut second) = (open(&dom0).await, open(&dom0).await);
    let (one, two) = (
        peer.next_open().await.session,
        peer.next_open().await.session,
    );
    assert_ne!(one, two);

    peer.send_client_records(two, vec![2]).await;
    peer.send_client_records(one, vec![1]).await;
    let records = |message| match message {
        Ok(SessionMessage::ClientRecords(data)) => data,
        other => panic!("{other:?}"),
    };
    assert_eq!(records(first.next().await), [1]);
    assert_eq!(records(second.next().await), [2]);

    first.server_records(vec![9]).await.expect("connected");
    let data = peer.next_records().await;
    assert_eq!((data.session, data.data), (one, vec![9]));
}

#[tokio::test]
async fn a_dropped_session_is_closed_in_every_state() {
    let fake = FakeDom0::listening();
    let dom0 = fake.agent();
    let mut peer = fake.welcome().await;

    let in_handshake = open(&dom0).await;
    let session = peer.next_open().await.session;
    drop(in_handshake);
    assert_eq!(peer.next_close().await, session);

    let mut standing = open(&dom0).await;
    let session = peer.next_open().await.session;
    peer.send(&established(session, Protection::Tls13, 0)).await;
    let message = standing.next().await;
    assert!(matches!(message, Ok(SessionMessage::Established(_))));
    standing.post_handshake(zeroize::Zeroizing::new(vec![4, 0, 0, 0]));
    let ticket = peer.next().await;
    assert!(matches!(ticket, Some(AgentMessage::PostHandshake(_))));
    drop(standing);
    assert_eq!(peer.next_close().await, session);
}

#[tokio::test]
async fn a_session_that_nobody_waits_for_any_more_is_closed() {
    let fake = FakeDom0::listening();
    let dom0 = fake.agent();
    let mut peer = fake.accept().await;
    // The command is in the queue while there is no welcome; then its sender leaves.
    let mut waiting = Box::pin(dom0.open(wish()));
    let ready = futures_poll(&mut waiting).await;
    assert!(ready.is_none());
    drop(waiting);
    assert!(matches!(peer.next().await, Some(AgentMessage::Hello(_))));
    peer.send(&Dom0Message::Welcome(testing::welcome())).await;
    let session = peer.next_open().await.session;
    assert_eq!(peer.next_close().await, session);
}

/// Polls once.
async fn futures_poll<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    tokio::select! {
        biased;
        output = future => Some(output),
        () = std::future::ready(()) => None,
    }
}

#[tokio::test]
async fn losing_dom0_ends_handshakes_and_leaves_the_rest() {
    let fake = FakeDom0::listening();
    let dom0 = fake.agent();
    let mut peer = fake.welcome().await;
    let (mut standing, mut pending) = (open(&dom0).await, open(&dom0).await);
    let session = peer.next_open().await.session;
    peer.next_open().await;
    peer.send(&established(session, Protection::Tls13, 0)).await;
    assert!(standing.next().await.is_ok());
    let revoked = standing.revoked();
    drop(peer);

    let error = pending.next().await.expect_err("the connection is gone");
    assert!(
        matches!(error, Dom0Error::Link(LinkError::Closed)),
        "{error}"
    );
    assert_eq!(*revoked.borrow(), None);

    // The agent comes back by itself, and old sessions mean nothing there.
    let mut peer = fake.welcome().await;
    drop((standing, pending));
    let fresh = open(&dom0).await;
    peer.next_open().await;
    drop(fresh);
    peer.next_close().await;
}

#[tokio::test]
async fn a_request_is_worth_an_attempt_of_its_own() {
    let mut fake = FakeDom0::absent();
    let mut dom0 = fake.agent();
    let status = dom0.wait_until(|status| status.last_error.is_some()).await;
    assert!(status.welcome.is_none());
    let error = dom0.open(wish()).await.err().expect("nobody there");
    assert!(error.to_string().contains("dom0.sock"), "{error}");

    fake.appear();
    let (opened, mut peer) = tokio::join!(dom0.open(wish()), fake.welcome());
    assert!(opened.is_ok());
    peer.next_open().await;
    let status = dom0.status();
    assert!(status.welcome.is_some() && status.last_error.is_none());

    drop(peer);
    fake.disappear();
    dom0.wait_until(|status| status.welcome.is_none()).await;
}

#[tokio::test]
async fn a_refused_agent_says_so_to_those_who_wait() {
    let fake = FakeDom0::listening();
    let dom0 = fake.agent();
    let refuse = async {
        let mut peer = fake.accept().await;
        peer.next().await;
        peer.send(&refused(None, RefusalCode::TokenExpired)).await;
    };
    let (opened, ()) = tokio::join!(dom0.open(wish()), refuse);
    let error = opened.err().expect("refused");
    assert!(matches!(
        error,
        LinkError::Refused(refused) if refused.code == RefusalCode::TokenExpired
    ));
}

#[tokio::test]
async fn a_revoked_right_reaches_all_sessions_of_before_and_none_of_later() {
    let fake = FakeDom0::listening();
    let dom0 = fake.agent();
    let mut peer = fake.welcome().await;
    let (mut standing, mut pending) = (open(&dom0).await, open(&dom0).await);
    let session = peer.next_open().await.session;
    peer.next_open().await;
    peer.send(&established(session, Protection::Tls13, 0)).await;
    assert!(standing.next().await.is_ok());

    let code = RefusalCode::TokenRevoked;
    peer.send(&Dom0Message::Revoked { code }).await;
    let error = pending.next().await.expect_err("revoked");
    assert!(matches!(error, Dom0Error::Revoked(came) if came == code));
    let mut revoked = standing.revoked();
    let came = revoked
        .wait_for(Option::is_some)
        .await
        .expect("said before it left");
    assert_eq!(*came, Some(code));

    let later = open(&dom0).await;
    assert_eq!(*later.revoked().borrow(), None);
}

#[tokio::test]
async fn the_last_word_of_a_dom0_that_closes_is_heard_whatever_is_still_to_be_sent() {
    let fake = FakeDom0::listening();
    let mut dom0 = fake.agent();
    let mut peer = fake.welcome().await;
    let (mut first, second) = (open(&dom0).await, open(&dom0).await);
    peer.next_open().await;
    peer.next_open().await;
    let code = RefusalCode::NotBound;
    peer.send(&Dom0Message::Revoked { code }).await;
    // What the agent wants to say now finds no reader.
    drop(peer);
    drop(second);
    let error = first.next().await.expect_err("revoked");
    assert!(matches!(error, Dom0Error::Revoked(came) if came == code));
    dom0.wait_until(|status| status.welcome.is_none()).await;
}

#[tokio::test]
async fn a_session_that_dom0_floods_is_ended_and_others_are_not() {
    let fake = FakeDom0::listening();
    let dom0 = fake.agent();
    let mut peer = fake.welcome().await;
    let (mut flooded, mut other) = (open(&dom0).await, open(&dom0).await);
    let (first, second) = (
        peer.next_open().await.session,
        peer.next_open().await.session,
    );
    for _ in 0..100 {
        peer.send_client_records(first, vec![1]).await;
    }
    peer.send_client_records(second, vec![2]).await;
    assert!(other.next().await.is_ok());
    assert_eq!(peer.next_close().await, first);
    let error = loop {
        if let Err(error) = flooded.next().await {
            break error;
        }
    };
    assert!(matches!(error, Dom0Error::Flooded), "{error}");
}

#[tokio::test]
async fn identities_are_asked_for_once_and_given_to_all() {
    let fake = FakeDom0::listening();
    let dom0 = fake.agent();
    let mut peer = fake.welcome().await;
    let answer = async {
        assert_eq!(peer.next().await, Some(AgentMessage::Identities));
        let identity = IdentityInfo {
            name: "web01".parse().expect("a good name"),
            certificates: Vec::new(),
            door: Door::EapTls,
            versions: vec![0x0303],
            server_name: true,
            alpn: true,
        };
        peer.send(&Dom0Message::Identities(vec![identity])).await;
    };
    let (one, two, ()) = tokio::join!(dom0.identities(), dom0.identities(), answer);
    assert_eq!(one.expect("answered").len(), 1);
    assert_eq!(two.expect("answered").len(), 1);
}

#[tokio::test]
async fn the_connection_ends_with_the_last_who_needs_it() {
    let fake = FakeDom0::listening();
    let dom0 = fake.agent();
    let mut peer = fake.welcome().await;
    let session = open(&dom0).await;
    peer.next_open().await;
    drop(dom0);
    session.server_records(vec![1]).await.expect("still needed");
    peer.next_records().await;
    drop(session);
    while let Some(message) = peer.next().await {
        assert!(matches!(message, AgentMessage::Close(_)), "{message:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_dom0_is_given_up() {
    let fake = FakeDom0::listening();
    let mut dom0 = fake.agent();
    let mut peer = fake.welcome().await;
    assert_eq!(peer.next().await, Some(AgentMessage::Ping));
    let status = dom0.wait_until(|status| status.last_error.is_some()).await;
    let error = status.last_error.expect("waited for").to_string();
    assert_eq!(error, "dom0 does not answer");
}
