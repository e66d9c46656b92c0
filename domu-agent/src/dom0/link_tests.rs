use super::*;
use crate::dom0::testing::{established, refused, welcome, wish};
use crate::testing::Protection;

/// A link and the time, which only passes when a test says so.
struct Bench {
    link: Link,
    now: Instant,
    sent: FrameReader,
}

impl Bench {
    fn new() -> Self {
        let hello = Hello {
            versions: vec![PROTOCOL_VERSION],
            agent: "test".to_owned(),
            token: Vec::new(),
        };
        let now = Instant::now();
        Self {
            link: Link::new(hello, now),
            now,
            sent: FrameReader::new(),
        }
    }

    /// A bench whose link is welcome.
    fn welcomed() -> Self {
        let mut bench = Self::new();
        assert!(matches!(bench.sent()[..], [AgentMessage::Hello(_)]));
        bench
            .receive(&Dom0Message::Welcome(welcome()))
            .expect("good");
        assert!(matches!(
            bench.link.next_event(),
            Some(LinkEvent::Welcome(_))
        ));
        bench
    }

    fn receive(&mut self, message: &Dom0Message) -> Result<(), LinkError> {
        self.receive_body(&message.encode())
    }

    fn receive_body(&mut self, body: &[u8]) -> Result<(), LinkError> {
        let frame = encode_frame(body).expect("short");
        self.link.on_bytes(&frame, self.now)
    }

    /// All messages that wait to be sent, in pieces of some bytes.
    fn sent(&mut self) -> Vec<AgentMessage> {
        while !self.link.to_send().is_empty() {
            let n = self.link.to_send().len().min(5);
            self.sent.push(&self.link.to_send()[..n]);
            self.link.on_sent(n);
        }
        assert_eq!(self.link.backlog(), 0);
        let bodies = std::iter::from_fn(|| self.sent.next_frame().expect("good"));
        bodies
            .map(|body| AgentMessage::decode(&body).expect("good"))
            .collect()
    }

    fn advance(&mut self, time: Duration) -> Result<(), LinkError> {
        self.now += time;
        self.link.on_deadline(self.now)
    }

    fn open(&mut self) -> SessionId {
        let session = self.link.open(wish()).expect("a number");
        assert!(matches!(&self.sent()[..], [AgentMessage::Open(open)] if open.session == session));
        session
    }

    fn session_event(&mut self) -> (SessionId, Result<SessionMessage, Dom0Error>) {
        match self.link.next_event() {
            Some(LinkEvent::Session(session, message)) => (session, message),
            _ => panic!("no event of a session"),
        }
    }
}

fn queued(session: SessionId) -> Dom0Message {
    Dom0Message::Queued(Queued {
        session,
        place: 1,
        expected_ms: 2,
    })
}

fn client_records(session: SessionId) -> Dom0Message {
    Dom0Message::ClientRecords(SessionData {
        session,
        data: vec![22],
    })
}

#[test]
fn dom0_has_ten_seconds_for_its_welcome() {
    let mut bench = Bench::new();
    assert!(
        bench
            .advance(WELCOME_TIMEOUT - Duration::from_millis(1))
            .is_ok()
    );
    // A ping is no welcome.
    bench.receive(&Dom0Message::Ping).expect("allowed");
    let error = bench.advance(Duration::from_millis(1));
    assert!(matches!(error, Err(LinkError::Silent)));
}

#[test]
fn nothing_but_welcome_or_a_refusal_comes_first() {
    for message in [Dom0Message::Identities(Vec::new()), queued(SessionId(1))] {
        let error = Bench::new().receive(&message);
        assert!(
            matches!(error, Err(LinkError::BeforeWelcome)),
            "{message:?}"
        );
    }
    let refused = refused(None, RefusalCode::BadToken);
    let error = Bench::new().receive(&refused).expect_err("refused");
    assert_eq!(error.to_string(), "dom0 refused: bad-token (no)");
}

#[test]
fn another_version_than_offered_ends_the_connection() {
    let welcome = Welcome {
        version: 2,
        ..welcome()
    };
    let error = Bench::new().receive(&Dom0Message::Welcome(welcome));
    assert!(matches!(error, Err(LinkError::Version(2))));
}

#[test]
fn a_minute_of_silence_is_asked_about_and_twenty_seconds_more_are_the_end() {
    let mut bench = Bench::welcomed();
    assert!(bench.advance(SILENCE - Duration::from_millis(1)).is_ok());
    assert!(bench.sent().is_empty());
    assert!(bench.advance(Duration::from_millis(1)).is_ok());
    assert_eq!(bench.sent(), [AgentMessage::Ping]);

    assert!(bench.advance(PONG_TIMEOUT / 2).is_ok());
    bench.receive(&Dom0Message::Pong).expect("alive");
    assert!(bench.advance(SILENCE).is_ok());
    assert_eq!(bench.sent(), [AgentMessage::Ping]);
    let error = bench.advance(PONG_TIMEOUT);
    assert!(matches!(error, Err(LinkError::Silent)));
}

#[test]
fn a_ping_is_answered() {
    let mut bench = Bench::welcomed();
    bench.receive(&Dom0Message::Ping).expect("good");
    assert_eq!(bench.sent(), [AgentMessage::Pong]);
}

#[test]
fn session_numbers_are_fresh_within_the_connection() {
    let mut bench = Bench::welcomed();
    let first = bench.open();
    bench.link.close(first, None);
    assert_eq!(bench.sent(), [AgentMessage::Close(first.into())]);
    assert_ne!(bench.open(), first);

    bench.link.next_session = Some(u32::MAX);
    assert_eq!(bench.open(), SessionId(u32::MAX));
    let error = bench.link.open(wish());
    assert!(matches!(error, Err(LinkError::SessionsUsedUp)));
}

#[test]
fn a_session_gets_its_messages_until_it_is_established() {
    let mut bench = Bench::welcomed();
    let session = bench.open();
    bench.receive(&queued(session)).expect("good");
    bench.receive(&client_records(session)).expect("good");
    bench
        .receive(&established(session, Protection::Tls13, 0))
        .expect("good");
    assert!(matches!(
        bench.session_event(),
        (_, Ok(SessionMessage::Queued(_)))
    ));
    assert!(matches!(
        bench.session_event(),
        (_, Ok(SessionMessage::ClientRecords(_)))
    ));
    assert!(matches!(
        bench.session_event(),
        (_, Ok(SessionMessage::Established(_)))
    ));

    bench
        .receive(&client_records(session))
        .expect("late, not wrong");
    assert!(bench.link.next_event().is_none());
    bench.link.server_records(session, vec![23]);
    assert!(bench.sent().is_empty(), "dom0 sees handshake bytes only");
    bench.link.post_handshake(session, vec![4]);
    bench.link.close(session, None);
    bench.link.close(session, None);
    let sent = bench.sent();
    assert!(matches!(
        sent[..],
        [AgentMessage::PostHandshake(_), AgentMessage::Close(_)]
    ));
}

#[test]
fn a_refused_session_is_not_closed_again() {
    let mut bench = Bench::welcomed();
    let session = bench.open();
    bench
        .receive(&refused(Some(session), RefusalCode::Limit))
        .expect("good");
    assert!(matches!(
        bench.session_event(),
        (_, Ok(SessionMessage::Refused(_)))
    ));
    bench.link.close(session, None);
    bench.link.server_records(session, vec![22]);
    assert!(bench.sent().is_empty());
}

#[test]
fn messages_for_unknown_sessions_are_dropped() {
    let mut bench = Bench::welcomed();
    bench
        .receive(&client_records(SessionId(99)))
        .expect("may be late");
    bench
        .receive(&refused(Some(SessionId(99)), RefusalCode::Limit))
        .expect("may be late");
    assert!(bench.link.next_event().is_none());
}

#[test]
fn a_bad_field_or_an_unknown_type_ends_that_session_only() {
    let mut bench = Bench::welcomed();
    let (broken, unknown, good) = (bench.open(), bench.open(), bench.open());
    // {"type": "queued", "session": 1}, {"type": "sign", "session": 2}
    let queued = b"\xa2\x64type\x66queued\x67session\x01";
    let sign = b"\xa2\x64type\x64sign\x67session\x02";
    bench.receive_body(queued).expect("the session's affair");
    bench.receive_body(sign).expect("the session's affair");
    let (session, error) = bench.session_event();
    assert!(session == broken && matches!(error, Err(Dom0Error::Malformed(_))));
    let (session, error) = bench.session_event();
    assert!(session == unknown && matches!(error, Err(Dom0Error::UnknownType)));
    let closes = [broken, unknown].map(|session| AgentMessage::Close(session.into()));
    assert_eq!(bench.sent(), closes);

    bench.receive(&client_records(good)).expect("good");
    assert_eq!(bench.session_event().0, good);
    // {"type": "weather"}
    bench
        .receive_body(b"\xa1\x64type\x67weather")
        .expect("no session, no harm");
}

#[test]
fn malformed_bytes_end_the_connection() {
    let error = Bench::welcomed().receive_body(&[0xbf, 0xff]);
    assert!(matches!(error, Err(LinkError::Message(_))));

    let mut bench = Bench::welcomed();
    let now = bench.now;
    let error = bench.link.on_bytes(&[0, 1, 0, 1], now);
    assert!(matches!(error, Err(LinkError::Frame(_))));
}

#[test]
fn a_revoked_right_ends_all_sessions() {
    let mut bench = Bench::welcomed();
    let session = bench.open();
    let code = RefusalCode::NotBound;
    bench.receive(&Dom0Message::Revoked { code }).expect("good");
    let event = bench.link.next_event();
    assert!(matches!(event, Some(LinkEvent::Revoked(came)) if came == code));
    bench.link.close(session, None);
    assert!(bench.sent().is_empty(), "dom0 has ended them already");
}

#[test]
fn a_session_that_stands_can_be_taken_back_by_itself() {
    let mut bench = Bench::welcomed();
    let (session, other) = (bench.open(), bench.open());
    bench
        .receive(&established(session, Protection::Tls13, 0))
        .expect("good");
    assert_eq!(bench.session_event().0, session);
    bench
        .receive(&refused(Some(session), RefusalCode::Policy))
        .expect("good");
    let event = bench.link.next_event();
    assert!(matches!(
        event,
        Some(LinkEvent::SessionRevoked(ended, RefusalCode::Policy)) if ended == session
    ));
    bench.link.close(session, None);
    assert!(bench.sent().is_empty(), "dom0 has ended it already");
    // Said twice, it means nothing; and one in its handshake is refused as ever.
    bench
        .receive(&refused(Some(session), RefusalCode::Policy))
        .expect("good");
    bench
        .receive(&refused(Some(other), RefusalCode::Policy))
        .expect("good");
    assert_eq!(bench.session_event().0, other);
}

#[test]
fn a_renewed_welcome_is_an_event_and_nothing_more() {
    let mut bench = Bench::welcomed();
    let session = bench.open();
    bench
        .receive(&Dom0Message::Welcome(welcome()))
        .expect("good");
    assert!(matches!(
        bench.link.next_event(),
        Some(LinkEvent::Welcome(_))
    ));
    bench.receive(&queued(session)).expect("good");
    assert_eq!(bench.session_event().0, session);
}
