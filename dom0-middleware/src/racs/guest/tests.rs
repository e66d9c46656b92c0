//! A guest's connection over a stream in memory, with cards in memory.

use std::future::pending;
use std::pin::pin;
use std::time::Duration;

use proto::id::Seid;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use zeroize::Zeroizing;

use super::super::server::testing::{TestGrid, WAIT};
use super::super::session::{ElementRights, Rights};
use super::*;

/// The guest's end, and how its visit went.
struct Guest {
    stream: DuplexStream,
    end: Option<oneshot::Sender<Vec<u8>>>,
    visit: JoinHandle<Ending>,
}

fn rights(list: &str) -> Rights {
    let seid: Seid = "0".parse().expect("a name");
    let element = ElementRights {
        allow_list: Some(std::sync::Arc::new(list.parse().expect("a list"))),
        ..ElementRights::all()
    };
    Rights::from_iter([(seid, element)])
}

fn visit(grid: &TestGrid, idle_lock: Duration, rest: &[u8]) -> Guest {
    visit_with(grid, "00000000 00000000", idle_lock, rest)
}

fn visit_with(grid: &TestGrid, list: &str, idle_lock: Duration, rest: &[u8]) -> Guest {
    let (stream, mut theirs) = duplex(1 << 16);
    let (end, ended) = oneshot::channel::<Vec<u8>>();
    let visit = Visit {
        rights: rights(list),
        grid: grid.clone(),
        name: "web01".to_owned(),
        idle_lock,
    };
    let rest = Zeroizing::new(rest.to_vec());
    let visit = tokio::spawn(async move {
        let ended = async move {
            match ended.await {
                Ok(last) => LastWord {
                    why: "the test".to_owned(),
                    bytes: Some(Zeroizing::new(last)),
                },
                // The test has let go of it: nobody ends the visit.
                Err(_) => pending().await,
            }
        };
        let mut ended = pin!(ended);
        let mut ending = Ending::default();
        visit
            .run(&mut theirs, rest, ended.as_mut(), &mut ending)
            .await;
        ending
    });
    Guest {
        stream,
        end: Some(end),
        visit,
    }
}

impl Guest {
    async fn say(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.expect("open");
    }

    async fn response(&mut self) -> String {
        let mut response = Vec::new();
        while !response.ends_with(b"END\r\n") {
            response.push(self.stream.read_u8().await.expect("a response"));
        }
        String::from_utf8(response).expect("ASCII")
    }

    /// Waits for the end; why it came.
    async fn ended(self) -> (String, u64) {
        let ending = self.visit.await.expect("no panic");
        let end = ending.end.expect("not cut off");
        (end.to_string(), ending.apdus_refused)
    }
}

const MINUTE: Duration = Duration::from_secs(60);

/// Waits, without a clock, until something is so that another thread brings about.
async fn until(what: impl Fn() -> bool) {
    for _ in 0..1_000_000 {
        if what() {
            return;
        }
        tokio::task::yield_now().await;
        std::thread::yield_now();
    }
    panic!("it does not come to that");
}

#[tokio::test]
async fn what_came_behind_the_first_line_is_the_beginning_of_a_request() {
    let grid = TestGrid::with(&["0", "1"]);
    let mut guest = visit(&grid, MINUTE, b"BEGIN a\r\nLI");
    guest
        .say("ST\r\nEND\r\nBEGIN\r\nPOWERON 1\r\nEND\r\n")
        .await;
    let listed = "BEGIN a\r\n+004 001 0\r\nEND\r\n";
    assert_eq!(guest.response().await, listed, "only its own");
    assert!(guest.response().await.contains("-408 001"));
    guest.say("BEGIN\r\nAPDU 0 0010000001AA\r\nEND\r\n").await;
    assert!(guest.response().await.contains("+006 001 AA9000"));
    assert!(grid.is_lent("0"));
    guest.stream.shutdown().await.expect("open");
    assert_eq!(guest.ended().await, ("the guest left".to_owned(), 0));
    assert!(
        !grid.is_lent("0"),
        "it is back before the visit counts as over"
    );
}

#[tokio::test]
async fn a_guest_that_has_said_all_is_answered_to_its_end() {
    let grid = TestGrid::with(&["0"]);
    let mut guest = visit(&grid, MINUTE, b"");
    let wait = format!("BEGIN\r\nAPDU 0 00{WAIT:02X}0000\r\nEND\r\n");
    guest
        .say(&format!("{wait}BEGIN b\r\nECHO x\r\nEND\r\n"))
        .await;
    guest.stream.shutdown().await.expect("open");
    until(|| grid.cards().apdus == 1).await;
    grid.open_gate();
    assert!(guest.response().await.contains("+006 001 9000"));
    assert!(guest.response().await.contains("BEGIN b\r\n+009 001 x"));
    assert_eq!(guest.ended().await.0, "the guest left");
}

#[tokio::test]
async fn the_end_of_its_right_is_the_last_that_it_hears_even_while_a_card_is_busy() {
    let grid = TestGrid::with(&["0"]);
    for is_busy in [true, false] {
        let mut guest = visit(&grid, MINUTE, b"BEGIN\r\nPOWERON 0\r\nEND\r\n");
        assert!(guest.response().await.contains("+008 001"));
        if is_busy {
            let wait = format!("BEGIN\r\nAPDU 0 00{WAIT:02X}0000\r\nEND\r\n");
            guest.say(&wait).await;
            until(|| grid.cards().apdus == 1).await;
        }
        let end = guest.end.take().expect("once");
        end.send(b"the last word".to_vec()).expect("it listens");
        let mut last = [0; 13];
        guest.stream.read_exact(&mut last).await.expect("open");
        assert_eq!(&last, b"the last word");
        grid.open_gate();
        assert_eq!(guest.ended().await.0, "this host ended it: the test");
        until(|| !grid.is_lent("0")).await;
    }
}

#[tokio::test]
async fn a_card_that_nothing_is_done_with_goes_back_by_itself() {
    let grid = TestGrid::with(&["0"]);
    let mut guest = visit(
        &grid,
        Duration::from_millis(1),
        b"BEGIN\r\nPOWERON 0\r\nEND\r\n",
    );
    assert!(guest.response().await.contains("+008 001"));
    until(|| !grid.is_lent("0")).await;
    guest.say("BEGIN\r\nAPDU 0 00100000\r\nEND\r\n").await;
    assert!(guest.response().await.contains("-706 001"), "told once");
    guest.say("BEGIN\r\nQUIT\r\nEND\r\n").await;
    assert!(guest.response().await.contains("+012 001"));
    assert!(guest.ended().await.0.starts_with("closed after QUIT"));
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_says_nothing_for_ten_minutes_is_shut_out() {
    let grid = TestGrid::with(&["0"]);
    let guest = visit(&grid, MINUTE, b"");
    assert_eq!(guest.ended().await.0, "the guest did nothing for too long");
}

#[tokio::test]
async fn apdus_that_it_may_not_send_are_counted() {
    let grid = TestGrid::with(&["0"]);
    let mut guest = visit_with(&grid, "FFFFFFFF 00100000", MINUTE, b"");
    for _ in 0..3 {
        guest.say("BEGIN\r\nAPDU 0 00110000\r\nEND\r\n").await;
        assert!(guest.response().await.contains("-606 001"));
    }
    guest.stream.shutdown().await.expect("open");
    assert_eq!(guest.ended().await.1, 3);
}
