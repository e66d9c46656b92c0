use proptest::prelude::*;
use proto::agent::Dom0Message;
use proto::id::SessionId;

use super::*;
use crate::app::Answer;
use crate::dom0::testing::established;
use crate::testing::Protection;

fn handover(protection: Protection) -> Handover {
    let Dom0Message::Established(mut message) = established(SessionId(1), protection, 0) else {
        panic!("another message");
    };
    message.peer_certificates = vec![vec![0x30, 0], vec![0x30, 1]];
    message.flags.extended_master_secret = true;
    Handover {
        message: *message,
        surplus: b"surplus".to_vec(),
    }
}

fn line(handover: &Handover) -> Zeroizing<Vec<u8>> {
    let common = EstablishedAnswer::new(1, &handover.message, "a.example", 20);
    KeysAnswer::from(handover).to_line(&common)
}

#[test]
fn all_is_read_back() {
    for protection in Protection::ALL {
        let handover = handover(protection);
        let line = line(&handover);
        let mut read = KeysAnswer::from_line(&line).expect("own line");
        assert_eq!(read.flags(), handover.message.flags);
        assert_eq!(read.take_surplus(), handover.surplus);
        assert_eq!(
            read.take_peer_certificates(),
            handover.message.peer_certificates
        );
        assert_eq!(read.into_keys(), Some(handover.message.keys));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn bytes_of_any_kind_are_read_back(
        block in prop::collection::vec(any::<u8>(), 0..200),
        nonce in any::<Option<[u8; 8]>>(),
        surplus in prop::collection::vec(any::<u8>(), 0..200),
        certificates in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..9), 0..4),
    ) {
        let mut handover = handover(Protection::Tls12Gcm);
        handover.message.keys.keys = SessionKeys::KeyBlock(KeyBlock::new(block));
        handover.message.keys.client_explicit_nonce = nonce;
        handover.message.peer_certificates = certificates;
        handover.surplus = surplus;
        let line = line(&handover);
        prop_assert_eq!(line.len(), line.capacity());
        let mut read = KeysAnswer::from_line(&line).expect("own line");
        prop_assert_eq!(read.take_surplus(), handover.surplus);
        let certificates = read.take_peer_certificates();
        prop_assert_eq!(certificates, handover.message.peer_certificates);
        prop_assert_eq!(read.into_keys(), Some(handover.message.keys));
    }
}

#[test]
fn the_line_is_an_answer_like_that_of_other_modes_with_more_in_it() {
    let handover = handover(Protection::Tls13);
    let line = line(&handover);
    let answer: Answer = serde_json::from_slice(&line).expect("an answer");
    let Answer::Established(common) = answer else {
        panic!("{answer:?}");
    };
    assert_eq!(common.version, "TLS 1.3");
    let json: serde_json::Value = serde_json::from_slice(&line).expect("JSON");
    let established = &json["established"];
    assert_eq!(established["version_number"], 0x0304);
    assert_eq!(established["cipher_suite_number"], 0x1301);
    let secret = BASE64_STANDARD.encode([1; 32]);
    assert_eq!(established["keys"]["traffic_secrets"]["client"], secret);
    assert_eq!(established["flags"]["extended_master_secret"], true);
    assert_eq!(established["surplus"], BASE64_STANDARD.encode("surplus"));
    assert!(established.get("client_explicit_nonce").is_none());
}

#[test]
fn the_line_fills_its_buffer_and_no_prefix_of_it_is_one() {
    let line = line(&handover(Protection::Tls12Gcm));
    assert_eq!(line.len(), line.capacity());
    let end = line.len() - 1;
    for cut in 0..end {
        assert!(KeysAnswer::from_line(&line[..cut]).is_none());
    }
}

#[test]
fn a_nonce_of_another_length_or_no_base64_is_refused() {
    let line = line(&handover(Protection::Tls12Gcm));
    let text = std::str::from_utf8(&line).expect("JSON");
    let nonce = BASE64_STANDARD.encode(crate::testing::NEXT_NONCE);
    let short = text.replace(&nonce, &BASE64_STANDARD.encode([7; 7]));
    let read = KeysAnswer::from_line(short.as_bytes()).expect("base64");
    assert!(read.into_keys().is_none());
    let bad = text.replace(&nonce, "no base64");
    assert!(KeysAnswer::from_line(bad.as_bytes()).is_none());
}
