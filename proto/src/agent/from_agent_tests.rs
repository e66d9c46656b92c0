use proptest::prelude::*;

use super::*;
use crate::agent::{FieldProblem, ProtocolError, samples};

fn decode_map(map: &Map<'_>) -> Result<AgentMessage, MessageError> {
    AgentMessage::decode(&map.encode())
}

fn open() -> Map<'static> {
    Map::default().with("type", "open").with("session", 9_u32)
}

/// The problem with one field of an `open` that is good otherwise.
fn problem_of<'a>(field: &'static str, value: impl Into<Value<'a>>) -> FieldProblem {
    let mut map = Map::default().with("type", "open").with("session", 9_u32);
    if field != "server_name" {
        map = map.with("server_name", "a.example");
    }
    match decode_map(&map.with(field, value)) {
        Err(MessageError::InSession { session, error }) => {
            assert_eq!((session, error.field), (SessionId(9), field));
            error.problem
        }
        other => panic!("expected an error of the session, got {other:?}"),
    }
}

#[test]
fn every_kind_is_read_back() {
    for message in samples::from_agent() {
        assert_eq!(AgentMessage::decode(&message.encode()), Ok(message));
    }
}

#[test]
fn unknown_keys_are_ignored() {
    let map = Map::default()
        .with("colour", Value::Other)
        .with("type", "close")
        .with("why", "no more need")
        .with("session", 4_u32);
    let close = AgentMessage::Close(SessionId(4).into());
    assert_eq!(decode_map(&map), Ok(close));
}

#[test]
fn an_alert_is_a_number_of_8_bits() {
    let close = |alert: u32| {
        let map = Map::default().with("type", "close").with("session", 4_u32);
        decode_map(&map.with("alert", alert))
    };
    assert_eq!(
        close(116),
        Ok(AgentMessage::Close(Close {
            session: SessionId(4),
            alert: Some(AlertDescription(116)),
        }))
    );
    assert!(matches!(
        close(256),
        Err(MessageError::InSession { session: SessionId(4), error }) if error.field == "alert"
    ));
}

#[test]
fn an_unknown_type_concerns_its_session_only() {
    let map = Map::default().with("type", "sign").with("session", 5_u32);
    let session = Some(SessionId(5));
    assert_eq!(decode_map(&map), Err(MessageError::UnknownType { session }));

    let map = Map::default().with("type", "sign");
    let session = None;
    assert_eq!(decode_map(&map), Err(MessageError::UnknownType { session }));
}

#[test]
fn a_message_of_a_session_without_one_ends_the_connection() {
    let field = |problem| {
        let field = "session";
        Err(ProtocolError::Field(FieldError { field, problem }).into())
    };
    let close = || Map::default().with("type", "close");
    assert_eq!(decode_map(&close()), field(FieldProblem::Missing));
    let too_big = close().with("session", 1_u64 << 32);
    assert_eq!(decode_map(&too_big), field(not("a number of 32 bits")));
}

#[test]
fn a_message_without_a_type_ends_the_connection() {
    for map in [Map::default(), Map::default().with("type", 1_u64)] {
        let error = decode_map(&map).expect_err("no type");
        assert!(matches!(error, MessageError::Protocol(_)), "{error:?}");
    }
}

#[test]
fn a_missing_server_name_fails_only_the_session() {
    let error = decode_map(&open()).expect_err("no server name");
    assert_eq!(error.to_string(), "session 9: field server_name: missing");
}

#[test]
fn open_bounds_every_wish() {
    let bad_name = not("a host name");
    assert_eq!(problem_of("server_name", "bücher.example"), bad_name);
    assert_eq!(problem_of("server_name", "a b"), bad_name);
    let long = "a".repeat(256);
    let too_long = FieldProblem::TooLong { max: 255, got: 256 };
    assert_eq!(problem_of("server_name", &long), too_long);

    assert_eq!(problem_of("identity", ""), not("the name of an identity"));
    let too_long = FieldProblem::TooLong { max: 64, got: 65 };
    assert_eq!(problem_of("identity", "i".repeat(65)), too_long);

    let seventeen: Value<'_> = std::iter::repeat_n("h2", 17).collect();
    let too_many = FieldProblem::TooLong { max: 16, got: 17 };
    assert_eq!(problem_of("alpn", seventeen), too_many);
    let empty: Value<'_> = [""].into_iter().collect();
    assert_eq!(problem_of("alpn", empty), not("the name of a protocol"));
    let long: Value<'_> = [long].into_iter().collect();
    let too_long = FieldProblem::TooLong { max: 255, got: 256 };
    assert_eq!(problem_of("alpn", long), too_long);

    let not_16_bits = not("a number of 16 bits");
    assert_eq!(problem_of("min_version", 0x1_0303_u64), not_16_bits);
    assert_eq!(problem_of("resume", "no"), not("true or false"));
}

#[test]
fn hello_bounds_versions_and_token() {
    let hello = |versions: usize, token: usize| {
        AgentMessage::decode(
            &AgentMessage::Hello(Hello {
                versions: vec![1; versions],
                agent: String::new(),
                token: vec![0; token],
            })
            .encode(),
        )
    };
    assert!(hello(16, 2_048).is_ok());
    assert!(matches!(hello(17, 0), Err(MessageError::Protocol(_))));
    assert!(matches!(hello(1, 2_049), Err(MessageError::Protocol(_))));
}

#[test]
fn the_token_and_the_data_stay_out_of_debug_output() {
    let hello = Hello {
        versions: vec![1],
        agent: "agent".to_owned(),
        token: vec![213; 3],
    };
    let data = SessionData {
        session: SessionId(1),
        data: vec![213; 3],
    };
    for text in [format!("{hello:?}"), format!("{data:?}")] {
        assert!(text.contains("3 bytes") && !text.contains("213"), "{text}");
    }
}

fn any_open() -> impl Strategy<Value = Open> {
    let name = "[a-z0-9]{1,20}(\\.[a-z0-9]{1,20}){0,3}";
    let alpn = prop::collection::vec("[ -~]{1,20}", 0..16);
    let version = prop::option::of(any::<u16>());
    (
        any::<u32>(),
        name,
        prop::option::of("[ -~]{1,64}"),
        alpn,
        version.clone(),
        version,
        any::<Option<bool>>(),
    )
        .prop_map(
            |(session, server_name, identity, alpn, min, max, resume)| Open {
                session: SessionId(session),
                server_name,
                identity,
                alpn,
                min_version: min,
                max_version: max,
                resume,
                role: None,
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn open_survives_writing_and_reading(open in any_open()) {
        let message = AgentMessage::Open(open);
        prop_assert_eq!(AgentMessage::decode(&message.encode()), Ok(message));
    }

    #[test]
    fn data_survives_writing_and_reading(
        session in any::<u32>(),
        data in prop::collection::vec(any::<u8>(), 0..600),
    ) {
        let session = SessionId(session);
        let message = AgentMessage::ServerRecords(SessionData { session, data });
        prop_assert_eq!(AgentMessage::decode(&message.encode()), Ok(message));
    }

    #[test]
    fn changed_bytes_never_panic(
        sample in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let samples = samples::all_encoded();
        let (sender, bytes) = &samples[sample.index(samples.len())];
        let mut bytes = bytes.to_vec();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        // Every verdict is fine; an error can be shown.
        let shown = samples::receive(*sender, &bytes).map_err(|error| error.to_string());
        prop_assert!(shown.is_ok() || shown.is_err_and(|text| !text.is_empty()));
    }
}

#[test]
fn every_prefix_of_every_message_ends_the_connection() {
    for (sender, bytes) in samples::all_encoded() {
        for cut in 0..bytes.len() {
            let error = samples::receive(sender, &bytes[..cut]).expect_err("cut short");
            assert!(matches!(error, MessageError::Protocol(_)), "{error:?}");
        }
    }
}
