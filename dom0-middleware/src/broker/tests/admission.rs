//! `hello`: who is let in, and who is not.

use proto::agent::{AgentMessage, Dom0Message, Hello, MessageError, RefusalCode};
use proto::id::DomId;

use super::bench::{A, B, Bench, Seen, known, token, uuid};
use crate::broker::{BadInput, Event, Peer, TokenRule};
use crate::mapping::{DomainFact, ReadFault};

#[test]
fn a_bound_domain_is_welcome_by_the_uuid_its_channel_proves() {
    let mut bench = Bench::new();
    let conn = bench.connect(A);
    bench.hello(conn);
    let Some(Seen::Told(_, Dom0Message::Welcome(welcome))) = bench.seen.pop() else {
        panic!("not welcome");
    };
    assert_eq!(welcome.domain, uuid(A));
    assert_eq!(welcome.limits.handshakes, 256);
}

#[test]
fn whoever_is_not_what_the_channel_was_made_for_is_sent_away() {
    let shared = DomainFact::Shared {
        uuid: uuid(A),
        other: DomId(9),
    };
    for (fact, code) in [
        (DomainFact::Gone, RefusalCode::NotBound),
        (
            DomainFact::Unreadable(ReadFault::Late),
            RefusalCode::Internal,
        ),
        (known(B), RefusalCode::NotBound),
        (shared, RefusalCode::NotBound),
    ] {
        let mut bench = Bench::new();
        bench.domains.insert(A, fact);
        let conn = bench.connect(A);
        bench.hello(conn);
        assert!(bench.is_closed(conn));
        assert_eq!(bench.refusals(), [(None, code)]);
    }
}

#[test]
fn a_domain_without_binding_or_token_is_sent_away() {
    let mut bench = Bench::new();
    let stranger = DomId(3);
    bench.domains.insert(stranger, known(stranger));
    bench.tokens.insert(stranger, token(stranger, bench.now));
    let conn = bench.connect(stranger);
    bench.hello(conn);
    assert_eq!(bench.refusals(), [(None, RefusalCode::NotBound)]);

    bench.tokens.remove(&A);
    let conn = bench.connect(A);
    bench.hello(conn);
    assert_eq!(bench.refusals(), [(None, RefusalCode::BadToken)]);
}

#[test]
fn the_fifth_connection_of_a_domain_is_refused_and_the_next_domain_is_not() {
    let mut bench = Bench::new();
    let first = bench.admitted(A);
    for _ in 1..4 {
        bench.admitted(A);
    }
    let fifth = bench.connect(A);
    assert!(bench.is_closed(fifth));
    assert_eq!(bench.refusals(), [(None, RefusalCode::Limit)]);
    bench.admitted(B);
    bench.handle(Event::Disconnected { conn: first });
    bench.admitted(A);
}

#[test]
fn what_comes_before_welcome_ends_the_connection() {
    let messages: [fn(&mut Bench, crate::broker::ConnId); 4] = [
        |bench, conn| bench.open(conn, 1),
        |bench, conn| bench.records(conn, 1, 10),
        |bench, conn| bench.say(conn, AgentMessage::Identities),
        |bench, conn| bench.say(conn, AgentMessage::Ping),
    ];
    for message in messages {
        let mut bench = Bench::new();
        let conn = bench.connect(A);
        message(&mut bench, conn);
        assert!(bench.is_closed(conn));
        assert_eq!(bench.refusals(), [(None, RefusalCode::Protocol)]);
        // While the judgement over its hello is open as well.
        bench.reads_hang = true;
        let conn = bench.connect(A);
        bench.hello(conn);
        message(&mut bench, conn);
        assert!(bench.is_closed(conn));
    }
}

#[test]
fn a_hello_without_a_common_version_is_refused() {
    let mut bench = Bench::new();
    let conn = bench.connect(A);
    let hello = Hello {
        versions: vec![2, 3],
        agent: String::new(),
        token: Vec::new(),
    };
    bench.say(conn, AgentMessage::Hello(hello));
    assert_eq!(bench.refusals(), [(None, RefusalCode::Protocol)]);
}

#[test]
fn a_later_hello_that_is_not_good_changes_nothing() {
    let mut bench = Bench::with_card();
    let conn = bench.admitted(A);
    bench
        .domains
        .insert(A, DomainFact::Unreadable(ReadFault::Late));
    bench.hello(conn);
    assert!(!bench.is_closed(conn));
    assert_eq!(bench.refusals(), [(None, RefusalCode::Internal)]);
    bench.domains.insert(A, known(A));
    bench.open(conn, 1);
    bench.started();
}

#[test]
fn a_domain_that_has_ended_loses_its_channel_at_the_next_judgement() {
    let mut bench = Bench::with_card();
    let conn = bench.admitted(A);
    bench.domains.insert(A, known(B));
    bench.open(conn, 1);
    assert!(bench.is_closed(conn));
    assert_eq!(bench.refusals(), [(None, RefusalCode::NotBound)]);
}

#[test]
fn garbage_ends_the_connection_and_an_error_in_a_session_only_that_session() {
    let mut bench = Bench::with_card();
    let conn = bench.admitted(A);
    bench.open(conn, 1);
    let use_id = bench.started();
    let error = BadInput::Message(MessageError::UnknownType {
        session: Some(proto::id::SessionId(1)),
    });
    bench.handle(Event::Garbled { conn, error });
    assert!(!bench.is_closed(conn) && bench.is_cancelled(use_id));
    assert_eq!(bench.refusals(), [(Some(1), RefusalCode::Protocol)]);
    let unknown = BadInput::Message(MessageError::UnknownType { session: None });
    bench.handle(Event::Garbled {
        conn,
        error: unknown,
    });
    bench.expect_nothing();
    let error = BadInput::TooLong { max: 1, got: 2 };
    bench.handle(Event::Garbled { conn, error });
    assert!(bench.is_closed(conn));
}

#[test]
fn questions_cannot_be_piled_up() {
    let mut bench = Bench::new();
    let conn = bench.admitted(A);
    bench.reads_hang = true;
    let mut asked = 0;
    while !bench.is_closed(conn) {
        bench.say(conn, AgentMessage::Identities);
        asked += 1;
        assert!(asked < 100, "there is a bound");
    }
    assert_eq!(bench.refusals(), [(None, RefusalCode::Limit)]);
}

#[test]
fn where_no_token_is_asked_for_none_is_looked_at() {
    let mut bench = Bench::new();
    bench.tokens.clear();
    let conn = crate::broker::ConnId(77);
    let peer = Peer {
        domid: A,
        made_for: uuid(A),
        token: TokenRule::SwitchedOff,
    };
    bench.handle(Event::Connected { conn, peer });
    bench.hello(conn);
    let Some(Seen::Told(_, Dom0Message::Welcome(welcome))) = bench.seen.pop() else {
        panic!("not welcome");
    };
    assert_eq!(welcome.token_expires, None);
}
