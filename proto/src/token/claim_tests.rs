//! Attacks on the claims: missing, twice, unknown, of another type, in another encoding.

use coset::cbor::value::Value;

use super::forgery::*;

const KEYS: [(&[u8], &str); 7] = [
    (b"\x01", "iss"),
    (b"\x02", "sub"),
    (b"\x04", "exp"),
    (b"\x06", "iat"),
    (b"\x07", "cti"),
    (b"\x08", "cnf"),
    (b"\x6Evm_cert_sha256", "vm_cert_sha256"),
];

/// The key of `name`.
fn key(name: &str) -> &'static [u8] {
    let found = KEYS.iter().find(|(_, other)| *other == name);
    found.expect("a claim").0
}

fn with(name: &str, value: &Value) -> String {
    with_bytes(name, &cbor(value))
}

fn with_bytes(name: &str, value: &[u8]) -> String {
    let mut forgery = Forgery::of_good();
    *forgery.claim(key(name)) = value.to_vec();
    refusal(&forgery.token())
}

#[test]
fn each_claim_is_there_once() {
    for (key, name) in KEYS {
        let mut without = Forgery::of_good();
        without.claims.retain(|(other, _)| other != key);
        assert_eq!(refusal(&without.token()), format!("claim {name}: missing"));

        let mut twice = Forgery::of_good();
        let value = twice.claim(key).clone();
        twice.claims.push((key.to_vec(), value));
        assert_eq!(
            refusal(&twice.token()),
            format!("claim {name}: more than once")
        );
    }
    // Once with each of two meanings: what one reader takes first, another takes last.
    let mut twice = Forgery::of_good();
    let later = cbor(&int(1_900_000_000));
    twice.claims.insert(2, (b"\x04".to_vec(), later));
    assert_eq!(refusal(&twice.token()), "claim exp: more than once");
}

#[test]
fn unknown_claims_are_refused() {
    for (key, says) in [
        (int(3), "3"),
        (int(0), "0"),
        (int(-1), "-1"),
        (int(99), "99"),
        (text("scope"), "\"scope\""),
        (text("exp"), "\"exp\""),
        (text("a\u{1B}[2J"), "\"a\\u{1b}[2J\""),
        (Value::Bytes(vec![4]), "of another type"),
        (Value::Float(4.0), "of another type"),
        (Value::Null, "of another type"),
    ] {
        let mut forgery = Forgery::of_good();
        forgery.claims.push((cbor(&key), cbor(&text("x"))));
        assert_eq!(refusal(&forgery.token()), format!("claim {says}: unknown"));
    }
}

#[test]
fn times_are_integers_in_their_shortest_form() {
    let says = "claim exp: not an integer of 0 or more";
    for value in [
        Value::Float(1_800_000_000.5),
        Value::Float(1_800_000_000.0),
        Value::Tag(1, Box::new(int(1_800_000_000))),
        text("1800000000"),
        int(-1),
        Value::Null,
        Value::Bool(true),
    ] {
        assert_eq!(with("exp", &value), says, "{value:?}");
    }
    // The second the good token has, with more bytes than it takes; and as a big number.
    let exp = (super::tests::NOW + super::DEFAULT_LIFE).to_be_bytes();
    let [_, _, _, _, low @ ..] = exp;
    assert_eq!(with_bytes("exp", &[b"\x1A", &low[..]].concat()), "nothing");
    for (head, value) in [
        (&b"\x1B"[..], &exp[..]),
        (b"\xC2\x44", &low),
        (b"\xC2\x48", &exp),
    ] {
        let why = with_bytes("exp", &[head, value].concat());
        assert!(
            why.contains("not deterministic CBOR") || why == says,
            "{why}"
        );
    }
    assert_eq!(
        with("exp", &int(i64::MAX)),
        "claim exp: not a time before the year 10000"
    );
    assert_eq!(
        with_bytes("exp", b"\x1B\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"),
        "claim exp: not a time before the year 10000"
    );
    assert_eq!(with("exp", &int(1_000)), "claim exp: not after iat");
    let long_life = with("iat", &int(1_000));
    assert!(
        long_life.contains("days of life, at most 400 allowed"),
        "{long_life}"
    );
}

#[test]
fn names_have_one_text() {
    let says = "claim sub: not vm: and a UUID in lower case";
    for sub in [
        "vm:7E55E2A0-0000-4000-8000-000000000007",
        "7e55e2a0-0000-4000-8000-000000000007",
        "vm:7e55e2a0000040008000000000000007",
        "vm:7e55e2a0-0000-4000-8000-000000000007 ",
        "vm:",
        "",
    ] {
        assert_eq!(with("sub", &text(sub)), says, "{sub}");
    }
    assert_eq!(with("sub", &int(7)), says);
    let says = "claim iss: not hv:sha256: and 64 lower-case digits";
    for iss in ["hv:sha256:", "", &format!("hv:sha256:{}", "A".repeat(64))] {
        assert_eq!(with("iss", &text(iss)), says, "{iss}");
    }
    assert_eq!(with("iss", &Value::Bytes(vec![0; 32])), says);
    for len in [0, 15, 17] {
        let why = with("cti", &Value::Bytes(vec![0; len]));
        assert_eq!(why, "claim cti: not a string of 16 bytes");
    }
}

#[test]
fn the_key_is_public_and_nothing_else() {
    let x = || (int(-2), Value::Bytes(vec![0xE5; 32]));
    let y = || (int(-3), Value::Bytes(vec![0xE6; 32]));
    let okp = || vec![(int(1), int(1)), (int(-1), int(6)), x()];
    let ec2 = || vec![(int(1), int(2)), (int(-1), int(1)), x(), y()];
    let cnf = |key: Vec<(Value, Value)>| Value::Map(vec![(int(1), Value::Map(key))]);
    assert_eq!(with("cnf", &cnf(okp())), "nothing");
    assert_eq!(with("cnf", &cnf(ec2())), "nothing");

    let plus = |mut key: Vec<(Value, Value)>, label: i64, value: Value| {
        key.push((int(label), value));
        key
    };
    let short = |len: usize| {
        vec![
            (int(1), int(1)),
            (int(-1), int(6)),
            (int(-2), Value::Bytes(vec![0; len])),
        ]
    };
    let kid = (int(3), Value::Bytes(vec![1]));
    let two_methods = Value::Map(vec![(int(1), Value::Map(okp())), kid.clone()]);
    let other_method = Value::Map(vec![kid]);
    let mut compressed = ec2();
    compressed[3].1 = Value::Bool(true);
    let mut x25519 = okp();
    x25519[1].1 = int(4);
    let mut p384 = ec2();
    p384[1].1 = int(2);
    let mut reversed = okp();
    reversed.reverse();
    let symmetric = vec![(int(1), int(4)), (int(-1), Value::Bytes(vec![0; 32]))];
    let says = "claim cnf: not {1: COSE_Key} with an Ed25519 or an uncompressed P-256 public key and nothing else";
    for value in [
        cnf(plus(okp(), -4, Value::Bytes(vec![0; 32]))),
        cnf(plus(ec2(), -4, Value::Bytes(vec![0; 32]))),
        cnf(plus(okp(), 3, int(-8))),
        cnf(plus(okp(), -2, Value::Bytes(vec![0; 32]))),
        cnf(short(31)),
        cnf(short(33)),
        cnf(compressed),
        cnf(x25519),
        cnf(p384),
        cnf(reversed),
        cnf(symmetric),
        cnf(vec![]),
        Value::Map(okp()),
        two_methods,
        other_method,
        Value::Map(vec![]),
        Value::Bytes(vec![0; 32]),
    ] {
        assert_eq!(with("cnf", &value), says, "{value:?}");
    }
    // The map of the key with an indefinite length.
    let good = cbor(&cnf(okp()));
    let indefinite = [&good[..2], b"\xBF", &good[3..], b"\xFF"].concat();
    assert!(with_bytes("cnf", &indefinite).contains("not deterministic CBOR"));
}

#[test]
fn there_are_1_to_16_hashes() {
    let hash = || Value::Bytes(vec![0xC1; 32]);
    let hashes = |count| Value::Array(vec![hash(); count]);
    for count in [1, 2, 16] {
        assert_eq!(with("vm_cert_sha256", &hashes(count)), "nothing");
    }
    assert_eq!(with("vm_cert_sha256", &hash()), "nothing");
    assert_eq!(
        with("vm_cert_sha256", &hashes(0)),
        "claim vm_cert_sha256: not 1 to 16 hashes"
    );
    let says = "claim vm_cert_sha256: not a string of 32 bytes or an array of 1 to 16 of them";
    for value in [
        hashes(17),
        Value::Bytes(vec![0; 31]),
        Value::Bytes(vec![0; 33]),
        Value::Array(vec![hash(), Value::Bytes(vec![])]),
        Value::Array(vec![hashes(2)]),
        text(&"c".repeat(32)),
    ] {
        assert_eq!(with("vm_cert_sha256", &value), says, "{value:?}");
    }
    let indefinite = [b"\x9F", &*cbor(&hash()), b"\xFF"].concat();
    assert!(with_bytes("vm_cert_sha256", &indefinite).contains("not deterministic CBOR"));
}

#[test]
fn the_map_of_claims_has_one_encoding() {
    let good = Forgery::of_good();
    let payload = good.payload();
    assert_eq!(refusal(&good.token_with(&payload)), "nothing");
    let entries = &payload[1..];
    // iss as text in two parts.
    let iss = &good.claims[0].1[2..];
    let (one, other) = iss.split_at(20);
    let parts = [b"\x01\x7F\x74", one, b"\x78\x36", other, b"\xFF"].concat();
    let rest = &entries[1 + 2 + iss.len()..];
    let mut swapped = Forgery::of_good();
    swapped.claims.swap(0, 1);
    for (other, says) in [
        (
            [b"\xBF", entries, b"\xFF"].concat(),
            "not deterministic CBOR",
        ),
        ([b"\xB8\x07", entries].concat(), "not deterministic CBOR"),
        (
            [b"\xA7\x18\x01", &entries[1..]].concat(),
            "not deterministic CBOR",
        ),
        ([b"\xA7", &*parts, rest].concat(), "not deterministic CBOR"),
        (swapped.payload(), "not deterministic CBOR"),
        ([&*payload, b"\0"].concat(), "extraneous data"),
        (
            payload[..payload.len() - 1].to_vec(),
            "payload: not a CBOR map of claims",
        ),
        (
            b"\x80".to_vec(),
            "payload: not a CBOR map of claims: another type",
        ),
        (b"\xA0".to_vec(), "missing"),
        (Vec::new(), "payload: not a CBOR map of claims"),
        (
            [b"\xD8\x3D", &*payload].concat(),
            "payload: not a CBOR map of claims: another type",
        ),
    ] {
        let why = refusal(&good.token_with(&other));
        assert!(why.contains(says), "{says}: {why}");
    }
    // The claims beside the token instead of in it.
    let signature = [0; 64];
    let parts = [
        b"\xD2\x84",
        &*bstr(&good.protected),
        b"\xA0\xF6",
        &bstr(&signature),
    ]
    .concat();
    assert_eq!(
        refusal(&parts),
        "payload: not a CBOR map of claims: no byte string in the token"
    );
}
