//! Tokens that come, change and end while the agent runs.

use std::path::{Path, PathBuf};

use proto::agent::{AgentMessage, Dom0Message, RefusalCode};

use super::testing::{FakeDom0, Peer, established, refused, welcome, wish};
use super::{Dom0, Session, SessionMessage, revocation};
use crate::testing::Protection;

/// Puts a token in place as an administrator would: at once, and as another file.
fn put(path: &Path, text: &str) {
    let beside = path.with_extension("new");
    std::fs::write(&beside, text).expect("writable");
    std::fs::rename(&beside, path).expect("ours");
}

fn token_file(fake: &FakeDom0) -> PathBuf {
    fake.dir().join("token")
}

/// The token in the next message, which must be `hello`.
async fn shown(peer: &mut Peer) -> Vec<u8> {
    match peer.next().await {
        Some(AgentMessage::Hello(hello)) => hello.token,
        other => panic!("not hello: {other:?}"),
    }
}

#[tokio::test]
async fn a_new_token_is_shown_on_the_same_connection_and_a_no_to_it_changes_nothing() {
    let fake = FakeDom0::listening();
    let path = token_file(&fake);
    put(&path, "AAAA\n");
    let mut dom0 = fake.agent_with(Some(path.clone()));
    let mut peer = fake.accept().await;
    assert_eq!(shown(&mut peer).await, [0, 0, 0]);
    peer.send(&Dom0Message::Welcome(welcome())).await;
    dom0.wait_until(|status| status.welcome.is_some()).await;

    put(&path, "AAAB\n");
    assert_eq!(shown(&mut peer).await, [0, 0, 1]);
    peer.send(&refused(None, RefusalCode::BadToken)).await;
    let status = dom0
        .wait_until(|status| status.last_refusal.is_some())
        .await;
    assert!(status.welcome.is_some(), "it stands as before");

    put(&path, "AAAC\n");
    assert_eq!(shown(&mut peer).await, [0, 0, 2]);
    let mut renewed = welcome();
    renewed.token_expires = Some(7);
    peer.send(&Dom0Message::Welcome(renewed)).await;
    let is_renewed = |status: &super::handle::LinkStatus| {
        let welcome = status.welcome.as_ref();
        welcome.is_some_and(|welcome| welcome.token_expires == Some(7))
    };
    let status = dom0.wait_until(is_renewed).await;
    assert!(status.last_refusal.is_none());
}

#[tokio::test]
async fn an_ended_right_is_told_until_a_new_token_is_taken() {
    let fake = FakeDom0::listening();
    let path = token_file(&fake);
    put(&path, "AAAA");
    let mut dom0 = fake.agent_with(Some(path.clone()));
    let mut peer = fake.welcome().await;
    let code = RefusalCode::TokenRevoked;
    peer.send(&Dom0Message::Revoked { code }).await;
    let status = dom0.wait_until(|status| status.revoked.is_some()).await;
    assert_eq!(status.revoked, Some(code));

    // A file that holds no token is said to, and waited for to become one.
    put(&path, "no token");
    let status = dom0.wait_until(|status| status.last_error.is_some()).await;
    let error = status.last_error.expect("said").to_string();
    assert!(error.contains("base64url"), "{error}");
    put(&path, "AAAB");
    // Until then the one that it has may come once more.
    while shown(&mut peer).await != [0, 0, 1] {
        peer.send(&refused(None, code)).await;
    }
    peer.send(&Dom0Message::Welcome(welcome())).await;
    let status = dom0.wait_until(|status| status.revoked.is_none()).await;
    assert!(status.last_error.is_none());
}

#[tokio::test]
async fn a_refused_agent_tries_again_at_once_with_a_new_token() {
    let fake = FakeDom0::listening();
    let path = token_file(&fake);
    // There is none at first.
    let mut dom0 = fake.agent_with(Some(path.clone()));
    let status = dom0.wait_until(|status| status.last_error.is_some()).await;
    let error = status.last_error.expect("said").to_string();
    assert!(
        error.contains("token: ") && error.contains("No such file"),
        "{error}"
    );

    put(&path, "AAAA");
    let mut peer = fake.accept().await;
    assert_eq!(shown(&mut peer).await, [0, 0, 0]);
    peer.send(&refused(None, RefusalCode::TokenExpired)).await;
    drop(peer);
    let status = dom0
        .wait_until(|status| status.last_refusal.is_some())
        .await;
    assert!(status.welcome.is_none());

    put(&path, "AAAB");
    loop {
        let mut peer = fake.accept().await;
        if shown(&mut peer).await == [0, 0, 1] {
            peer.send(&Dom0Message::Welcome(welcome())).await;
            dom0.wait_until(|status| status.welcome.is_some()).await;
            return;
        }
        peer.send(&refused(None, RefusalCode::TokenExpired)).await;
    }
}

#[tokio::test]
async fn what_dom0_said_last_is_why_it_closed() {
    let fake = FakeDom0::listening();
    let mut dom0 = fake.agent();
    let mut peer = fake.welcome().await;
    peer.send(&refused(None, RefusalCode::NotBound)).await;
    drop(peer);
    let status = dom0.wait_until(|status| status.last_error.is_some()).await;
    let error = status.last_error.expect("said").to_string();
    assert!(error.contains("not-bound"), "{error}");
}

#[tokio::test]
async fn a_right_that_comes_back_is_noticed_with_the_same_token() {
    let fake = FakeDom0::listening();
    let mut dom0 = fake.agent();
    let mut peer = fake.welcome().await;
    let code = RefusalCode::NotBound;
    peer.send(&Dom0Message::Revoked { code }).await;
    for _ in 0..2 {
        shown(&mut peer).await;
        peer.send(&refused(None, code)).await;
    }
    let status = dom0
        .wait_until(|status| status.last_refusal.is_some())
        .await;
    assert_eq!(status.revoked, Some(code));
    shown(&mut peer).await;
    peer.send(&Dom0Message::Welcome(welcome())).await;
    dom0.wait_until(|status| status.revoked.is_none()).await;
}

/// A session that stands when its connection has gone.
async fn standing(fake: &FakeDom0, dom0: &mut Dom0) -> Session {
    let mut peer = fake.welcome().await;
    let mut session = dom0.open(wish()).await.expect("connected");
    let number = peer.next_open().await.session;
    peer.send(&established(number, Protection::Tls13, 0)).await;
    let message = session.next().await;
    assert!(matches!(message, Ok(SessionMessage::Established(_))));
    drop(peer);
    dom0.wait_until(|status| status.welcome.is_none()).await;
    assert!(session.revoked().borrow().is_none(), "it goes on");
    session
}

#[tokio::test]
async fn what_was_made_over_an_earlier_connection_ends_with_the_right_as_well() {
    let fake = FakeDom0::listening();
    let mut dom0 = fake.agent();
    let session = standing(&fake, &mut dom0).await;
    let mut peer = fake.welcome().await;
    let code = RefusalCode::NotBound;
    peer.send(&Dom0Message::Revoked { code }).await;
    assert_eq!(revocation(&mut session.revoked()).await, code);
}

#[tokio::test]
async fn a_right_that_ended_while_dom0_was_away_ends_what_stands() {
    for (code, is_the_end) in [
        (RefusalCode::Timeout, false),
        (RefusalCode::BadToken, false),
        (RefusalCode::TokenRevoked, true),
        (RefusalCode::TokenExpired, true),
    ] {
        let fake = FakeDom0::listening();
        let mut dom0 = fake.agent();
        let session = standing(&fake, &mut dom0).await;
        let mut peer = fake.accept().await;
        shown(&mut peer).await;
        peer.send(&refused(None, code)).await;
        drop(peer);
        let is_told = |status: &super::handle::LinkStatus| {
            let refusal = status.last_refusal.as_ref();
            refusal.is_some_and(|refusal| refusal.code == code)
        };
        let status = dom0.wait_until(is_told).await;
        assert_eq!(status.revoked, is_the_end.then_some(code));
        assert_eq!(*session.revoked().borrow(), is_the_end.then_some(code));
    }
}
