//! What the audit is told of guests and sessions, and sessions that the operator ends.

use std::time::Duration;

use proto::agent::{Dom0Message, RefusalCode};
use proto::id::SessionId;
use serde_json::{Value, json};

use super::bench::{A, B, Bench, Seen};
use crate::broker::{ConnId, Event, SessionName, SessionState};
use crate::card::{CardError, WorkerReport};

/// What was recorded since this was last asked; everything else seen is forgotten.
fn recorded(bench: &mut Bench) -> Vec<Value> {
    let record = |seen| match seen {
        Seen::Audited(record) => serde_json::to_value(record).ok(),
        _ => None,
    };
    bench.seen.drain(..).filter_map(record).collect()
}

fn events(records: &[Value]) -> Vec<&str> {
    records
        .iter()
        .filter_map(|record| record["event"].as_str())
        .collect()
}

fn kill(bench: &mut Bench, conn: ConnId, session: u32) {
    let session = SessionId(session);
    bench.handle(Event::Kill { conn, session });
}

fn state(bench: &Bench, conn: ConnId, session: u32) -> Option<SessionState> {
    let session = SessionId(session);
    let name = SessionName { conn, session };
    bench.broker.session(name).map(|view| view.state)
}

#[test]
fn a_session_is_on_record_from_its_card_to_its_end() {
    let mut bench = Bench::with_card();
    let conn = bench.admitted(A);
    let records = recorded(&mut bench);
    assert_eq!(events(&records), ["guest-admitted"]);
    assert_eq!(records[0]["token"]["cti"], "01".repeat(16));
    assert_eq!(records[0]["count"], 1);

    bench.open(conn, 1);
    let Some(Seen::Audited(opened)) = bench.seen.iter().find(|s| matches!(s, Seen::Audited(_)))
    else {
        panic!("{:?}", bench.seen);
    };
    let opened = serde_json::to_value(opened).expect("JSON");
    assert_eq!(opened["event"], "session-opened");
    assert_eq!(opened["session"], "0.1");
    let use_id = bench.started();
    bench.establish(use_id);
    bench.free(use_id);
    bench.seen.clear();
    bench.pass(Duration::from_millis(1_500));
    bench.close(conn, 1);
    let records = recorded(&mut bench);
    assert_eq!(events(&records), ["session-closed"]);
    let expected = json!({
        "event": "session-closed", "session": "0.1", "domid": 1,
        "domain": "01010101-0101-0101-0101-010101010101", "name": "guest-1", "seid": "se-00",
        "identity": "id-1", "server_name": "www.example", "established": true, "by": "guest",
        "lasted_ms": 1_500,
    });
    assert_eq!(records[0], expected);
    bench.close(conn, 1);
    assert!(recorded(&mut bench).is_empty(), "said once");
}

#[test]
fn what_is_lost_with_a_connection_is_said_with_it() {
    let mut bench = Bench::with_card();
    let conn = bench.admitted(A);
    for session in [1, 2] {
        bench.open(conn, session);
        let use_id = bench.started();
        bench.establish(use_id);
        bench.free(use_id);
    }
    bench.close(conn, 1);
    bench.open(conn, 3);
    bench.started();
    bench.open(conn, 4);
    bench.seen.clear();
    bench.handle(Event::Disconnected { conn });
    let records = recorded(&mut bench);
    // The one that never had the card left no trace, and so has no end.
    assert_eq!(events(&records), ["channel-closed", "session-closed"]);
    assert_eq!(records[0]["by"], "lost");
    assert_eq!(records[0]["sessions"], json!(["0.2"]));
    assert_eq!(records[1]["session"], "0.3");
    assert_eq!(records[1]["by"], "connection-lost");
    assert_eq!(records[1]["established"], false);
}

#[test]
fn a_guest_that_says_hello_ten_thousand_times_makes_few_records() {
    let mut bench = Bench::with_card();
    let conn = bench.admitted(A);
    let mut records = recorded(&mut bench);
    for n in 0..10_000 {
        bench.hello(conn);
        if n % 100 == 0 {
            let other = bench.admitted(A);
            bench.handle(Event::Disconnected { conn: other });
        }
        records.extend(recorded(&mut bench));
    }
    bench.pass(Duration::from_secs(30));
    records.extend(recorded(&mut bench));
    let admitted = |record: &&Value| record["event"] == "guest-admitted";
    let counts: Vec<u64> = records
        .iter()
        .filter(admitted)
        .filter_map(|record| record["count"].as_u64())
        .collect();
    assert_eq!(counts, [1, 10_100]);
    assert_eq!(records.len(), 4, "{records:?}");
}

#[test]
fn a_session_at_its_card_is_killed_and_the_card_is_free_for_the_next() {
    let mut bench = Bench::with_card();
    let (a, b) = (bench.admitted(A), bench.admitted(B));
    bench.open(a, 1);
    let use_id = bench.started();
    bench.open(b, 1);
    bench.seen.clear();
    assert_eq!(state(&bench, a, 1), Some(SessionState::Handshake));
    assert_eq!(state(&bench, b, 1), Some(SessionState::Waiting));
    let queues = bench.broker.queues();
    assert_eq!(queues[0].waiting.len(), 1);
    assert_eq!(queues[0].waiting[0].place, 1);
    let running = queues[0].running.as_ref().and_then(|r| r.session);
    assert_eq!(running.map(|name| name.to_string()).as_deref(), Some("0.1"));

    kill(&mut bench, a, 1);
    assert!(bench.is_cancelled(use_id));
    let told: Vec<_> = bench
        .seen
        .iter()
        .filter_map(|seen| match seen {
            Seen::Told(conn, Dom0Message::Refused(no)) => Some((*conn, no.code, &*no.message)),
            _ => None,
        })
        .collect();
    let line = "ended by the administrator";
    assert_eq!(told, [(a, RefusalCode::Policy, line)]);
    let records = recorded(&mut bench);
    assert_eq!(events(&records), ["session-killed", "session-refused"]);
    assert_eq!(records[0]["established"], false);
    assert_eq!(state(&bench, a, 1), None);
    // The keys the card may still give go nowhere.
    bench.establish(use_id);
    bench.expect_nothing();
    bench.free(use_id);
    bench.started();
    kill(&mut bench, b, 1);
    assert_eq!(bench.refusals(), [(Some(1), RefusalCode::Policy)]);
}

#[test]
fn an_established_session_is_killed_once_and_others_stand() {
    let mut bench = Bench::with_card();
    let conn = bench.admitted(A);
    for session in [1, 2] {
        bench.open(conn, session);
        let use_id = bench.started();
        bench.establish(use_id);
        bench.free(use_id);
    }
    bench.seen.clear();
    kill(&mut bench, conn, 1);
    let is_withdrawn = |seen: &Seen| matches!(seen, Seen::Withdrawn(_));
    assert!(bench.seen.iter().any(is_withdrawn));
    assert_eq!(bench.refusals(), [(Some(1), RefusalCode::Policy)]);
    let views = bench.broker.sessions();
    let left: Vec<String> = views.iter().map(|v| v.session.to_string()).collect();
    assert_eq!(left, ["0.2"]);
    kill(&mut bench, conn, 1);
    kill(&mut bench, conn, 7);
    kill(&mut bench, ConnId(9), 1);
    assert!(bench.seen.is_empty(), "{:?}", bench.seen);
}

#[test]
fn a_pin_that_fails_has_a_record_of_its_own() {
    let mut bench = Bench::with_card();
    let why = CardError::PinSpent;
    bench.report(WorkerReport::Unusable { why });
    let records = recorded(&mut bench);
    assert_eq!(events(&records), ["pin-failed", "card-unusable"]);
    assert_eq!(records[0]["outcome"], "not-sent-again");
}

#[test]
fn sessions_that_end_with_a_right_are_named_with_it() {
    let mut bench = Bench::with_card();
    let conn = bench.admitted(A);
    for session in [1, 2] {
        bench.open(conn, session);
        let use_id = bench.started();
        bench.establish(use_id);
        bench.free(use_id);
    }
    bench.open(conn, 3);
    bench.started();
    let binding = Bench::binding_of(A);
    bench.handle(Event::Unbound { binding });
    let records = recorded(&mut bench);
    assert_eq!(events(&records), ["right-ended", "session-refused"]);
    assert_eq!(records[0]["code"], "not-bound");
    assert_eq!(records[0]["sessions"], 3);
    assert_eq!(records[0]["established"], json!(["0.1", "0.2"]));
    bench.handle(Event::Disconnected { conn });
    let records = recorded(&mut bench);
    assert_eq!(events(&records), ["channel-closed"]);
    assert!(records[0].get("sessions").is_none(), "{records:?}");
}
