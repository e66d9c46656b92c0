//! Nodes with many children.

use crate::error::XenstoreError;
use crate::testing::{Daemon, message};

const DIRECTORY: u32 = 1;
const ERROR: u32 = 16;
const PART: u32 = 22;

/// Lists `/d` of a daemon that answers so, in this order; with what it was asked.
async fn list(
    answers: Vec<(u32, Vec<u8>)>,
) -> (Result<Option<Vec<String>>, XenstoreError>, Vec<String>) {
    let (store, mut peer) = Daemon::connected().await;
    let daemon = tokio::spawn(async move {
        let mut asked = Vec::new();
        for (kind, answer) in answers {
            let Some(request) = peer.next().await else {
                break;
            };
            peer.say(&message(kind, request.number, &answer)).await;
            asked.push(request.text());
        }
        asked
    });
    let children = store.directory("/d").await;
    drop(store);
    (children, daemon.await.expect("no panic"))
}

fn part(text: &str) -> (u32, Vec<u8>) {
    (PART, text.as_bytes().to_vec())
}

/// Answers behind the one that says that all children do not fit.
fn long(answers: impl IntoIterator<Item = (u32, Vec<u8>)>) -> Vec<(u32, Vec<u8>)> {
    let too_big = (ERROR, b"E2BIG\0".to_vec());
    [too_big].into_iter().chain(answers).collect()
}

#[tokio::test]
async fn a_short_directory_is_one_answer() {
    let (children, asked) = list(vec![(DIRECTORY, b"0\x007\0".to_vec())]).await;
    assert_eq!(children.expect("a list").expect("there"), ["0", "7"]);
    assert_eq!(asked, ["/d|"]);
    let (children, _) = list(vec![(DIRECTORY, Vec::new())]).await;
    assert!(children.expect("a list").expect("there").is_empty());
}

#[tokio::test]
async fn an_answer_at_length_is_taken() {
    let answer: String = (0..5_000).map(|domid| format!("{domid}\0")).collect();
    let (children, asked) = list(vec![(DIRECTORY, answer.into_bytes())]).await;
    assert_eq!(children.expect("a list").expect("there").len(), 5_000);
    assert_eq!(asked.len(), 1);
}

#[tokio::test]
async fn parts_are_put_together() {
    let answers = long([part("5\x000\x001\0"), part("5\x0017\0\0")]);
    let (children, asked) = list(answers).await;
    assert_eq!(children.expect("a list").expect("there"), ["0", "1", "17"]);
    assert_eq!(asked, ["/d|", "/d|0|", "/d|4|"]);
    let (children, _) = list(long([part("5\0\0")])).await;
    assert!(children.expect("a list").expect("there").is_empty());
}

#[tokio::test]
async fn a_node_that_changes_is_read_from_the_beginning() {
    let answers = long([part("5\x000\0"), part("6\x001\0"), part("6\x000\x002\0\0")]);
    let (children, asked) = list(answers).await;
    assert_eq!(children.expect("a list").expect("there"), ["0", "2"]);
    assert_eq!(asked.last().map(String::as_str), Some("/d|0|"));
}

#[tokio::test]
async fn a_node_that_goes_meanwhile_is_gone() {
    let answers = long([part("5\x000\0"), (ERROR, b"ENOENT\0".to_vec())]);
    assert_eq!(list(answers).await.0.expect("an answer"), None);
}

#[tokio::test]
async fn what_is_no_answer_is_an_error() {
    for answers in [
        vec![],
        vec![(DIRECTORY, b"\xFF\0".to_vec())],
        long([part("")]),
        long([part("5")]),
        long([part("5\0")]),
        long([part("5\0a")]),
        long([(DIRECTORY, b"5\0a\0\0".to_vec())]),
        long([(PART, b"5\0\xFF\0\0".to_vec())]),
        long([part("5\0a\0"), part("5\0")]),
        long((0..20).flat_map(|n| [part(&format!("{n}\0a\0")), part("x\0b\0")])),
        long(std::iter::repeat_n(
            part(&format!("5\0{}\0", "a".repeat(4_000))),
            100,
        )),
    ] {
        let described = format!("{:?}", answers.get(1));
        let (children, _) = list(answers).await;
        assert!(children.is_err(), "{described}: {children:?}");
    }
}
