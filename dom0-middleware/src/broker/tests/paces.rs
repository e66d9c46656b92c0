//! How long cards take, as the broker learns it.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::bench::{A, B, Bench, card, certificate};
use crate::broker::{ConnId, PaceView, PacesView};
use crate::card::{CardIdentity, Door, WorkerReport};

const fn ms(time: u64) -> Duration {
    Duration::from_millis(time)
}

/// Makes one handshake, for whose signature the card takes so long.
fn sign(bench: &mut Bench, conn: ConnId, session: u32, card_time: Duration) {
    bench.open(conn, session);
    bench.engine_says_client_hello(conn, session);
    bench.engine_wants_signature(conn, session, 7);
    let use_id = bench.signing().use_id;
    bench.pass(card_time);
    bench.report(WorkerReport::Signed { use_id, card_time });
    bench.free(use_id);
    bench.engine_establishes(conn, session);
    bench.expect_delivered(conn, session);
}

/// Makes one handshake on a card that makes all of it.
fn shake(bench: &mut Bench, conn: ConnId, session: u32, card_time: Duration) {
    // Never the same server twice, so nothing is expected to be resumed.
    let name = format!("s{session}.example");
    bench.open_with(conn, session, |open| open.server_name = name);
    let use_id = bench.started();
    bench.pass(card_time);
    let mut made = super::bench::session_with(1);
    made.card_time = card_time;
    let made = Box::new(made);
    bench.report(WorkerReport::Established {
        use_id,
        session: made,
    });
    bench.report(WorkerReport::Free { use_id, card_time });
    bench.expect_delivered(conn, session);
}

fn paces(bench: &Bench) -> PacesView {
    bench.broker.snapshot().cards[0].pace.clone()
}

fn signature(paces: &PacesView, identity: &str) -> PaceView {
    let mut of = paces.signatures.iter();
    let of = of.find(|of| of.identity.as_str() == identity);
    of.expect("one of the card's").pace
}

#[test]
fn identities_of_one_card_that_signs_are_measured_apart() {
    let mut bench = Bench::with_signing_card();
    let (a, b) = (bench.admitted(A), bench.admitted(B));
    for session in 1..=20 {
        sign(&mut bench, a, session, ms(50));
    }
    for session in 1..=20 {
        sign(&mut bench, b, session, ms(900));
    }
    let paces = paces(&bench);
    assert_eq!(paces.drifted().count(), 0, "{paces:?}");
    let (fast, slow) = (signature(&paces, "id-1"), signature(&paces, "id-2"));
    assert_eq!((fast.measured, fast.expected_ms), (20, 50));
    assert_eq!((slow.measured, slow.expected_ms), (20, 900));
}

#[test]
fn who_waits_is_told_the_times_of_the_identities_before_it() {
    let mut bench = Bench::with_signing_card();
    let (a, b) = (bench.admitted(A), bench.admitted(B));
    sign(&mut bench, a, 1, ms(50));
    sign(&mut bench, b, 1, ms(900));
    for conn in [b, a] {
        bench.open(conn, 2);
        bench.engine_says_client_hello(conn, 2);
        bench.engine_wants_signature(conn, 2, 7);
    }
    let queues = bench.broker.queues();
    let waiting = &queues[0].waiting;
    assert_eq!(waiting.len(), 1);
    assert_eq!(waiting[0].expected_ms, 900, "b has the card");
}

#[test]
fn another_card_in_the_same_place_is_measured_anew() {
    for door in [Door::EapTls, Door::Piv] {
        let mut bench = Bench::new();
        bench.plug_in_as(door);
        let conn = bench.admitted(A);
        for session in 1..=20 {
            match door {
                Door::EapTls => shake(&mut bench, conn, session, ms(50)),
                Door::Piv => sign(&mut bench, conn, session, ms(50)),
            }
        }
        let measured = |bench: &Bench| match door {
            Door::EapTls => paces(bench).full.expect("whole handshakes").measured,
            Door::Piv => signature(&paces(bench), "id-1").measured,
        };
        assert_eq!(measured(&bench), 20);
        bench.plug_in_as(door);
        assert_eq!(measured(&bench), 20, "it only came back");
        let identity = CardIdentity {
            name: "id-1".parse().expect("a name"),
            certificate: Some(certificate(B)),
            schemes: Vec::new(),
        };
        bench.plug_in_with(&card(), door, vec![identity]);
        assert_eq!(measured(&bench), 0, "another one");
    }
}

/// What is written to the log.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Everything that `work` logs, in lines.
    fn of(work: impl FnOnce()) -> Vec<String> {
        let log = Self::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, work);
        let bytes = log.0.lock().expect("no test died with it");
        let text = String::from_utf8(bytes.clone()).expect("text");
        text.lines().map(str::to_owned).collect()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut log = self.0.lock().expect("no test died with it");
        log.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The lines about a card that has become slow, or well.
fn about_slowness(lines: Vec<String>) -> Vec<String> {
    let is_it = |line: &String| line.contains("slow");
    lines.into_iter().filter(is_it).collect()
}

/// Has a card do `work` sixteen times as usual, then slowly, then as usual again; returns what it logged.
fn drift(mut work: impl FnMut(u32, Duration)) -> Vec<String> {
    let log = Log::of(|| {
        for n in 1..=60 {
            let slow = (17..=36).contains(&n);
            work(n, if slow { ms(400) } else { ms(100) });
        }
    });
    about_slowness(log)
}

#[track_caller]
fn expect_both_lines(lines: &[String], work: &str) {
    let [slow, well] = lines else {
        panic!("once each: {lines:?}");
    };
    for word in [
        " WARN ",
        "the card has become slow: ",
        work,
        ", 100 ms at first; clean its contacts",
        "seid=se-00",
    ] {
        assert!(slow.contains(word), "{word}: {slow}");
    }
    for word in [" INFO ", "the card is no longer slow: ", work, "seid=se-00"] {
        assert!(well.contains(word), "{word}: {well}");
    }
}

#[test]
fn a_card_that_becomes_slow_is_in_the_log_once_and_so_is_its_getting_well() {
    let mut bench = Bench::with_card();
    let conn = bench.admitted(A);
    let lines = drift(|session, took| shake(&mut bench, conn, session, took));
    expect_both_lines(&lines, "a full handshake takes ");

    let mut bench = Bench::with_signing_card();
    let conn = bench.admitted(A);
    let lines = drift(|session, took| sign(&mut bench, conn, session, took));
    expect_both_lines(&lines, "a signature of id-1 takes ");
}

#[test]
fn a_card_whose_identities_differ_is_not_called_slow() {
    let mut bench = Bench::with_signing_card();
    let (a, b) = (bench.admitted(A), bench.admitted(B));
    let log = Log::of(|| {
        for session in 1..=20 {
            sign(&mut bench, a, session, ms(50));
        }
        for session in 1..=20 {
            sign(&mut bench, b, session, ms(900));
        }
    });
    assert_eq!(about_slowness(log), [""; 0]);
}
