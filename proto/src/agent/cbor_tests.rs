use proptest::prelude::*;
use serde_cbor::Value as Library;

use super::*;
use crate::agent::samples;

/// The error of a map with the one key `a`, whose value is given in hexadecimal.
fn error_of(value: &str) -> CborError {
    let bytes = hex(&format!("a1 61 61 {value}"));
    Map::decode(&bytes).expect_err("must be refused")
}

fn hex(text: &str) -> Vec<u8> {
    text.split_whitespace()
        .map(|byte| u8::from_str_radix(byte, 16).expect("hexadecimal"))
        .collect()
}

/// What the library reads, as this module's values.
fn same(ours: &Value<'_>, library: &Library) -> bool {
    match (ours, library) {
        (Value::Unsigned(a), Library::Integer(b)) => i128::from(*a) == *b,
        (Value::Bool(a), Library::Bool(b)) => a == b,
        (Value::Bytes(a), Library::Bytes(b)) => a == b,
        (Value::Text(a), Library::Text(b)) => a == b,
        (Value::Array(a), Library::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Map(a), Library::Map(b)) => {
            a.pairs().len() == b.len()
                && a.pairs().iter().all(|(key, value)| {
                    let theirs = b.get(&Library::Text(key.to_string()));
                    theirs.is_some_and(|theirs| same(value, theirs))
                })
        }
        (Value::Other, Library::Integer(number)) => *number < 0,
        (Value::Other, Library::Null | Library::Float(_)) => true,
        _ => false,
    }
}

#[test]
fn the_writer_makes_the_reference_encoding() {
    let map = Map::default()
        .with("type", "close")
        .with("session", 1_000_u32);
    let expected = "a2 64 74 79 70 65 65 63 6c 6f 73 65 67 73 65 73 73 69 6f 6e 19 03 e8";
    assert_eq!(*map.encode(), hex(expected));
}

#[test]
fn an_encoding_lies_in_one_allocation_of_its_size() {
    for (_, bytes) in samples::all_encoded() {
        assert_eq!(bytes.len(), bytes.capacity());
    }
}

#[test]
fn only_a_map_is_a_message() {
    for other in ["80", "00", "61 61", "41 61", "f6", "f5"] {
        assert_eq!(Map::decode(&hex(other)).err(), Some(CborError::NotAMap));
    }
}

#[test]
fn nothing_may_follow_the_map() {
    let error = Map::decode(&hex("a0 00")).err();
    let trailing = DecodeError::TrailingBytes {
        what: "message",
        got: 1,
    };
    assert_eq!(error, Some(CborError::Decode(trailing)));
}

#[test]
fn four_levels_are_read_and_five_are_not() {
    assert!(Map::decode(&hex("a1 61 61 81 81 81 00")).is_ok());
    assert_eq!(error_of("81 81 81 80"), CborError::TooDeep);
    assert_eq!(
        error_of("a1 61 61 a1 61 61 a1 61 61 a0"),
        CborError::TooDeep
    );
}

#[test]
fn a_key_stands_once_in_a_map_at_every_level() {
    let twice = hex("a2 61 61 00 61 61 00");
    assert_eq!(Map::decode(&twice).err(), Some(CborError::DuplicateKey));
    assert_eq!(error_of("a2 61 62 00 61 62 01"), CborError::DuplicateKey);
    assert!(Map::decode(&hex("a2 61 61 a1 61 61 00 61 62 00")).is_ok());
}

#[test]
fn keys_are_text() {
    for key in ["00", "41 61", "80", "f5"] {
        let bytes = hex(&format!("a1 {key} 00"));
        assert_eq!(Map::decode(&bytes).err(), Some(CborError::KeyNotText));
    }
}

#[test]
fn indefinite_lengths_are_refused() {
    let indefinite = [
        ("5f 41 00 ff", 0x5f),
        ("7f 61 61 ff", 0x7f),
        ("9f ff", 0x9f),
        ("bf ff", 0xbf),
        ("ff", 0xff),
    ];
    for (bytes, initial) in indefinite {
        assert_eq!(error_of(bytes), CborError::NotAllowed(initial));
    }
    let map = Map::decode(&[0xbf, 0xff]);
    assert_eq!(map.err(), Some(CborError::NotAllowed(0xbf)));
}

#[test]
fn tags_reserved_values_and_long_forms_are_refused() {
    for bytes in [
        "c0 60",
        "d8 18 40",
        "e0",
        "f0",
        "f7",
        "f8 20",
        "fc",
        "1c",
        "5d",
        "18 17",
        "19 00 ff",
        "1a 00 00 ff ff",
        "1b 00 00 00 00 ff ff ff ff",
        "58 01 00",
        "78 01 61",
        "98 00",
        "b8 00",
    ] {
        let initial = hex(bytes)[0];
        assert_eq!(error_of(bytes), CborError::NotAllowed(initial), "{bytes}");
    }
}

#[test]
fn text_is_utf8() {
    assert_eq!(error_of("62 c3 28"), CborError::NotUtf8);
}

#[test]
fn a_claimed_length_is_not_believed() {
    for bytes in ["5b ff ff ff ff ff ff ff ff", "9b ff ff ff ff ff ff ff ff"] {
        assert!(matches!(error_of(bytes), CborError::Decode(_)), "{bytes}");
    }
    assert_eq!(error_of("bb ff ff ff ff ff ff ff ff"), CborError::TooMany);
}

#[test]
fn the_number_of_values_is_bounded() {
    let array = |count: u16| {
        let mut bytes = hex("a1 61 61 99");
        bytes.extend(count.to_be_bytes());
        bytes.resize(bytes.len() + usize::from(count), 0);
        bytes
    };
    // The map, its key and the array are three of 4,096.
    assert!(Map::decode(&array(4_093)).is_ok());
    assert_eq!(Map::decode(&array(4_094)).err(), Some(CborError::TooMany));
}

#[test]
fn values_without_meaning_here_are_skipped() {
    let bytes = hex("a4 61 61 20 61 62 f6 61 63 fb 00 00 00 00 00 00 00 00 61 64 01");
    let map = Map::decode(&bytes).expect("well-formed");
    assert!(map.get("c") == Some(&Value::Other));
    assert!(map.get("d") == Some(&Value::Unsigned(1)));
}

/// Values that a message may hold, at most three levels of arrays and maps.
fn value() -> impl Strategy<Value = Value<'static>> {
    let leaf = prop_oneof![
        any::<u64>().prop_map(Value::Unsigned),
        any::<bool>().prop_map(Value::Bool),
        prop::collection::vec(any::<u8>(), 0..40)
            .prop_map(|bytes| Value::Bytes(Box::leak(bytes.into_boxed_slice()))),
        "\\PC{0,20}".prop_map(|text| Value::Text(text.into())),
    ];
    leaf.prop_recursive(2, 24, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            map_of(inner).prop_map(Value::Map),
        ]
    })
}

fn map_of(values: impl Strategy<Value = Value<'static>>) -> impl Strategy<Value = Map<'static>> {
    prop::collection::btree_map("[a-z_]{1,30}", values, 0..6)
        .prop_map(|pairs| Map::from_pairs(pairs.into_iter().map(|(k, v)| (k.into(), v)).collect()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_map_survives_writing_and_reading(map in map_of(value())) {
        let bytes = map.encode();
        let read = Map::decode(&bytes).expect("own encoding");
        prop_assert!(read == map);
        prop_assert_eq!(read.encode(), bytes);
    }

    #[test]
    fn every_prefix_is_an_error(map in map_of(value())) {
        let bytes = map.encode();
        for cut in 0..bytes.len() {
            let prefix = &bytes[..cut];
            prop_assert!(matches!(Map::decode(prefix), Err(CborError::Decode(_))));
        }
    }

    #[test]
    fn what_is_accepted_the_library_reads_alike(
        sample in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        let samples = samples::all_encoded();
        let mut bytes = samples[sample.index(samples.len())].1.to_vec();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(map) = Map::decode(&bytes) {
            let library = serde_cbor::from_slice::<Library>(&bytes).expect("the library is laxer");
            prop_assert!(same(&Value::Map(map), &library));
        }
    }

    #[test]
    fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let read = Map::decode(&bytes);
        prop_assert!(read.is_err() || bytes[0] >> 5 == 5);
    }
}
