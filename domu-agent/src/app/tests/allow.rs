//! Rules, judged by who really opens the connection.

use std::time::Duration;

use proto::agent::{AgentMessage, Dom0Message, Door, IdentityInfo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::world::{World, answer, ask, code};
use crate::app::Answer;
use crate::testing::Protection;

/// A rule for the user that runs the tests.
fn for_us(keys: &str) -> String {
    let uid = nix::unistd::geteuid();
    format!("[[allow]]\nuid = {uid}\n{keys}\n")
}

/// One that fits nobody here.
fn for_others() -> String {
    let uid = nix::unistd::geteuid().as_raw() + 1;
    format!("[[allow]]\nuid = {uid}\n")
}

fn refusal(answer: &Answer) -> &str {
    assert_eq!(code(answer), "policy");
    match answer {
        Answer::Error(error) => &error.message,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn whom_no_rule_fits_is_told_so_for_every_request() {
    let world = World::with_rules(&for_others()).await;
    for line in [
        "{\"status\":{}}\n",
        "{\"identities\":{}}\n",
        &world.request(),
    ] {
        let mut app = world.app().await;
        let answer = ask(&mut app, line).await;
        let message = refusal(&answer);
        assert!(message.starts_with("no [[allow]] is for uid "), "{message}");
    }
    let touched = world.server.accept();
    let none = tokio::time::timeout(Duration::ZERO, touched).await;
    assert!(none.is_err(), "nothing was connected");
}

#[tokio::test]
async fn what_follows_a_refused_connect_is_no_request() {
    let world = World::with_rules(&for_others()).await;
    let mut app = world.app().await;
    let line = world.request() + "{\"status\":{}}\n";
    assert_eq!(code(&ask(&mut app, &line).await), "policy");
    let mut rest = Vec::new();
    // The end comes as a reset where bytes were left unread.
    let _reset = app.read_to_end(&mut rest).await;
    assert_eq!(rest, b"");
}

#[tokio::test]
async fn an_only_identity_is_asked_for_and_others_are_not_shown() {
    let mut world = World::with_rules(&for_us("identities = [\"web01\"]")).await;
    let mut app = world.app().await;
    app.write_all(world.request().as_bytes())
        .await
        .expect("connected");
    let _server = world.accept(Protection::Tls13).await;
    let open = world.dom0.next_open().await;
    assert_eq!(open.identity.as_deref(), Some("web01"));
    drop(app);
    world.dom0.next_close().await;

    let mut app = world.app().await;
    app.write_all(b"{\"identities\":{}}\n")
        .await
        .expect("connected");
    assert_eq!(world.dom0.next().await, Some(AgentMessage::Identities));
    let identity = |name: &str| IdentityInfo {
        name: name.parse().expect("a good name"),
        certificates: Vec::new(),
        door: Door::EapTls,
        versions: vec![0x0303],
        server_name: true,
        alpn: true,
    };
    let list = vec![identity("web01"), identity("web02")];
    world.dom0.send(&Dom0Message::Identities(list)).await;
    let Answer::Identities(shown) = answer(&mut app).await else {
        panic!("no list");
    };
    let names: Vec<_> = shown.iter().map(|identity| &identity.name).collect();
    assert_eq!(names, ["web01"]);
}

#[tokio::test]
async fn a_group_may_be_a_further_one() {
    let gid = nix::unistd::getegid();
    let world = World::with_rules(&format!("[[allow]]\ngid = {gid}\n")).await;
    let mut app = world.app().await;
    let status = ask(&mut app, "{\"status\":{}}\n").await;
    assert!(matches!(status, Answer::Status(_)));
}

#[tokio::test]
async fn a_rule_says_what_it_lacks() {
    let world = World::with_rules(&for_us("destinations = [\"a.example:443\"]")).await;
    let mut app = world.app().await;
    let answer = ask(&mut app, &world.request()).await;
    let message = refusal(&answer).to_owned();
    assert!(message.contains(" has destination 127.0.0.1:"), "{message}");
}
