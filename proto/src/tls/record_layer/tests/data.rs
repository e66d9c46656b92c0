//! Data both ways.

use proptest::prelude::*;

use super::pair::{ALL, Event, FIRST_NONCE, Pair, TLS12, TLS13, split};
use crate::tls::{MAX_PLAINTEXT, RecordError};

#[test]
fn data_of_any_length_arrives_in_both_directions() {
    for suite in ALL {
        let mut pair = Pair::new(suite);
        for len in [
            1,
            2,
            100,
            MAX_PLAINTEXT - 1,
            MAX_PLAINTEXT,
            MAX_PLAINTEXT + 1,
            50_000,
        ] {
            let data: Vec<u8> = (0..=u8::MAX).cycle().take(len).collect();
            let records = pair.client_seals(&data);
            assert_eq!(split(&records).len(), len.div_ceil(MAX_PLAINTEXT));
            assert_eq!(pair.server_reads(&records), data, "{suite:04X} {len}");
            let content = &data[..len.min(MAX_PLAINTEXT)];
            let arrived = pair.server_sends(23, content).unwrap();
            assert_eq!(arrived, Event::Data(content.to_vec()), "{suite:04X} {len}");
        }
    }
}

#[test]
fn no_data_makes_no_record() {
    for suite in ALL {
        assert_eq!(Pair::new(suite).client_seals(&[]), []);
    }
}

#[test]
fn records_are_appended_to_what_is_there() {
    let mut pair = Pair::new(0x1301);
    let mut out = b"before".to_vec();
    pair.client.seal(b"data", &mut out).unwrap();
    assert_eq!(&out[..6], b"before");
    assert_eq!(pair.server_reads(&out[6..]), b"data");
}

#[test]
fn records_are_as_long_as_the_suite_says() {
    // Header 5, tag 16, explicit nonce 8 with GCM in TLS 1.2, content type 1 in TLS 1.3.
    for (suite, overhead) in [
        (0xC02F, 29),
        (0xC02C, 29),
        (0xCCA8, 21),
        (0x1301, 22),
        (0x1303, 22),
    ] {
        assert_eq!(
            Pair::new(suite).client_seals(b"12345").len(),
            overhead + 5,
            "{suite:04X}"
        );
    }
}

#[test]
fn the_explicit_nonce_goes_on_from_the_one_given_and_wraps() {
    for suite in [0xC02F, 0xC02C] {
        let mut pair = Pair::new(suite);
        let mut nonces = Vec::new();
        for _ in 0..4 {
            let record = pair.client_seals(b"data");
            nonces.push(u64::from_be_bytes(record[5..13].try_into().unwrap()));
            assert_eq!(pair.server_reads(&record), b"data");
        }
        let first = u64::from_be_bytes(FIRST_NONCE);
        assert_eq!(nonces, [first, u64::MAX, 0, 1]);
    }
}

#[test]
fn the_same_data_never_makes_the_same_record() {
    for suite in ALL {
        let mut pair = Pair::new(suite);
        let (first, second) = (pair.client_seals(b"data"), pair.client_seals(b"data"));
        assert_ne!(first[5..], second[5..], "{suite:04X}");
    }
}

#[test]
fn a_record_sent_again_left_out_or_reordered_does_not_decrypt() {
    for suite in ALL {
        let mut pair = Pair::new(suite);
        let [first, second] = [b"1", b"2"].map(|data| pair.server_seals(23, data));
        assert_eq!(
            pair.client_opens(&first).unwrap(),
            Event::Data(b"1".to_vec())
        );
        assert_eq!(
            pair.client_opens(&first),
            Err(RecordError::Decrypt),
            "{suite:04X}"
        );

        let mut pair = Pair::new(suite);
        assert_eq!(
            pair.client_opens(&second),
            Err(RecordError::Decrypt),
            "{suite:04X}"
        );
        // The direction is closed by an error, even for the record that was due.
        assert_eq!(
            pair.client_opens(&first),
            Err(RecordError::ReadClosed),
            "{suite:04X}"
        );
    }
}

#[test]
fn own_records_sent_back_do_not_decrypt() {
    for suite in ALL {
        let mut pair = Pair::new(suite);
        let record = pair.client_seals(b"data");
        assert_eq!(
            pair.client_opens(&record),
            Err(RecordError::Decrypt),
            "{suite:04X}"
        );
    }
}

#[test]
fn padding_is_taken_off_in_tls13() {
    for suite in TLS13 {
        let mut pair = Pair::new(suite);
        // The layer appends the type: make it the last byte of the padding.
        let padded = [&b"data\0"[..], &[23], &[0; 99]].concat();
        assert_eq!(
            pair.server_sends(0, &padded).unwrap(),
            Event::Data(b"data\0".to_vec())
        );
    }
}

#[test]
fn tls12_takes_zeros_for_data() {
    for suite in TLS12 {
        let mut pair = Pair::new(suite);
        assert_eq!(
            pair.server_sends(23, &[0; 9]).unwrap(),
            Event::Data(vec![0; 9])
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_writes_arrive_as_one_stream(
        suite in prop::sample::select(ALL.to_vec()),
        writes in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..2000), 0..8),
    ) {
        let mut pair = Pair::new(suite);
        let mut records = Vec::new();
        for write in &writes {
            pair.client.seal(write, &mut records).unwrap();
        }
        prop_assert_eq!(pair.server_reads(&records), writes.concat());
    }

    #[test]
    fn a_changed_byte_is_always_noticed(
        suite in prop::sample::select(ALL.to_vec()), at in any::<prop::sample::Index>(), change in 1..=255u8,
    ) {
        let mut pair = Pair::new(suite);
        let mut record = pair.server_seals(23, b"some data");
        let at = at.index(record.len());
        record[at] ^= change;
        prop_assert!(pair.client_opens(&record).is_err());
    }

    #[test]
    fn every_strict_prefix_of_a_record_is_refused(
        suite in prop::sample::select(ALL.to_vec()), cut in any::<prop::sample::Index>(),
    ) {
        let mut pair = Pair::new(suite);
        let record = pair.server_seals(23, b"some data");
        let mut cut = record[..cut.index(record.len())].to_vec();
        prop_assert!(pair.client_opens(&cut).is_err());
        // The same with a header that fits.
        if let Some(len) = cut.len().checked_sub(5) {
            let mut pair = Pair::new(suite);
            pair.server_seals(23, b"some data");
            cut[3..5].copy_from_slice(&u16::try_from(len).unwrap().to_be_bytes());
            prop_assert_eq!(pair.client_opens(&cut), Err(RecordError::Decrypt));
        }
    }

    #[test]
    fn garbage_is_refused(
        suite in prop::sample::select(ALL.to_vec()), bytes in prop::collection::vec(any::<u8>(), 0..100),
    ) {
        prop_assert!(Pair::new(suite).client_opens(&bytes).is_err());
    }
}
