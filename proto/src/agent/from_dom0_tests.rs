use super::*;
use crate::agent::{ProtocolError, samples};
use crate::tls::{ProtocolVersion, SessionKeys};

fn decode_map(map: &Map<'_>) -> Result<Dom0Message, MessageError> {
    Dom0Message::decode(&map.encode())
}

/// The map of a good `established`, without one field and with another in its place.
fn established_with<'a>(bytes: &'a [u8], field: &'static str, value: Option<Value<'a>>) -> Map<'a> {
    let good = Map::decode(bytes).expect("own encoding");
    let pairs = good.into_pairs().into_iter();
    let kept = pairs.filter(|(key, _)| key != field);
    Map::from_pairs(kept.collect()).with_some(field, value)
}

fn problem_of(field: &'static str, value: Option<Value<'_>>) -> FieldProblem {
    let bytes = samples::established_tls12().encode();
    match decode_map(&established_with(&bytes, field, value)) {
        Err(MessageError::InSession { session, error }) => {
            assert_eq!(session, samples::SESSION);
            error.problem
        }
        other => panic!("expected an error of the session, got {other:?}"),
    }
}

#[test]
fn every_kind_is_read_back() {
    for message in samples::from_dom0() {
        let bytes = message.encode();
        assert_eq!(Dom0Message::decode(&bytes), Ok(message));
    }
}

#[test]
fn the_keys_arrive_as_they_were_sent() {
    let bytes = samples::established_tls12().encode();
    let Ok(Dom0Message::Established(message)) = Dom0Message::decode(&bytes) else {
        panic!("own encoding");
    };
    assert_eq!(message.consumed, 3_141);
    let keys = message.into_keys();
    assert_eq!(keys.version, ProtocolVersion::TLS1_2);
    assert_eq!(keys.client_explicit_nonce, Some([1, 2, 3, 4, 5, 6, 7, 8]));
    assert!(matches!(keys.keys, SessionKeys::KeyBlock(block) if block.as_bytes() == [0xab; 40]));
}

#[test]
fn debug_output_of_established_holds_no_key() {
    let text = format!("{:?}", samples::established_tls12());
    assert!(text.contains("card_ms: 1900"), "{text}");
    assert!(
        !text.contains("171") && !text.to_lowercase().contains("ab, ab"),
        "{text}"
    );
}

#[test]
fn established_needs_each_of_its_fields() {
    let bytes = samples::established_tls12().encode();
    let good = Map::decode(&bytes).expect("own encoding");
    let optional = ["type", "session", "client_explicit_nonce", "alpn"];
    for (key, _) in good.pairs() {
        if optional.contains(&key.as_ref()) {
            continue;
        }
        let kept = Map::decode(&bytes).expect("own encoding").into_pairs();
        let kept = kept.into_iter().filter(|(other, _)| other != key);
        let error = decode_map(&Map::from_pairs(kept.collect())).expect_err("a field is missing");
        let expected = format!("session 7: field {key}: missing");
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn keys_must_be_those_of_the_version() {
    let wrong = not("the keys of the version");
    assert_eq!(problem_of("version", Some(0x0304_u64.into())), wrong);
    assert_eq!(problem_of("keys", Some(Map::default().into())), wrong);
    let long = vec![0; 257];
    let long = Map::default().with("key_block", &long);
    let too_long = FieldProblem::TooLong { max: 256, got: 257 };
    assert_eq!(problem_of("keys", Some(long.into())), too_long);
}

#[test]
fn the_explicit_nonce_has_eight_bytes() {
    let seven = Value::Bytes(&[0; 7]);
    assert_eq!(
        problem_of("client_explicit_nonce", Some(seven)),
        not("eight bytes")
    );
}

#[test]
fn a_refusal_of_a_session_is_not_taken_for_one_of_the_connection() {
    let refused = || Map::default().with("type", "refused").with("message", "no");
    let bad_session = refused().with("code", "policy").with("session", "x");
    let error = decode_map(&bad_session).expect_err("session is text");
    assert!(matches!(
        error,
        MessageError::Protocol(ProtocolError::Field(_))
    ));

    let bad_code = refused().with("code", "because").with("session", 7_u32);
    let error = decode_map(&bad_code).expect_err("unknown code");
    assert!(matches!(error, MessageError::InSession { .. }));
}

#[test]
fn a_long_line_is_cut_between_characters_when_written() {
    let message = Dom0Message::Refused(Refused {
        session: None,
        code: RefusalCode::Policy,
        message: "x".to_owned() + &"é".repeat(400),
        alert: None,
        retry_after_ms: None,
    });
    let read = Dom0Message::decode(&message.encode()).expect("own encoding");
    let Dom0Message::Refused(refused) = read else {
        panic!("another kind");
    };
    assert_eq!(refused.message, "x".to_owned() + &"é".repeat(255));
}

#[test]
fn a_bad_identity_in_the_list_ends_the_connection() {
    let list = |value: Value<'static>| {
        Map::default()
            .with("type", "identities")
            .with("identities", [value].into_iter().collect::<Value<'_>>())
    };
    for bad in [Value::Other, Map::default().with("name", "a").into()] {
        let error = decode_map(&list(bad)).expect_err("bad entry");
        assert!(matches!(error, MessageError::Protocol(_)), "{error:?}");
    }
    let many: Value<'_> = std::iter::repeat_with(Map::default).take(65).collect();
    let many = Map::default()
        .with("type", "identities")
        .with("identities", many);
    assert!(decode_map(&many).is_err());
}
