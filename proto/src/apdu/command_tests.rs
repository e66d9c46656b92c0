use proptest::prelude::*;

use super::*;

fn command() -> impl Strategy<Value = CommandApdu> {
    let data = prop::collection::vec(any::<u8>(), 0..=255);
    let le = prop::option::of(1..=256u32);
    (any::<[u8; 4]>(), data, le).prop_map(|([cla, ins, p1, p2], data, le)| CommandApdu {
        data: Zeroizing::new(data),
        le,
        ..CommandApdu::new(cla, ins, p1, p2)
    })
}

#[test]
fn the_four_cases_have_their_bytes() {
    let header = CommandApdu::new(0xA0, 0x80, 0, 0);
    let with_data = header.clone().with_data(&[7, 8]).expect("fits");
    assert_eq!(header.encode()[..], [0xA0, 0x80, 0, 0]);
    let case2 = header.clone().with_le(256);
    assert_eq!(case2.encode()[..], [0xA0, 0x80, 0, 0, 0]);
    assert_eq!(with_data.encode()[..], [0xA0, 0x80, 0, 0, 2, 7, 8]);
    let case4 = with_data.with_le(5);
    assert_eq!(case4.encode()[..], [0xA0, 0x80, 0, 0, 2, 7, 8, 5]);
}

#[test]
fn with_t0_each_case_has_a_header_of_five_bytes_and_one_direction() {
    let header = CommandApdu::new(0xA0, 0x80, 0, 0);
    let with_data = header.clone().with_data(&[7, 8]).expect("fits");
    let cases = [
        (header.clone(), &[0xA0, 0x80, 0, 0, 0][..]),
        (header.with_le(5), &[0xA0, 0x80, 0, 0, 5]),
        (with_data.clone(), &[0xA0, 0x80, 0, 0, 2, 7, 8]),
        (with_data.with_le(5), &[0xA0, 0x80, 0, 0, 2, 7, 8]),
    ];
    for (command, bytes) in cases {
        assert_eq!(command.encode_for(Protocol::T0)[..], *bytes);
        assert_eq!(command.encode_for(Protocol::T1), command.encode());
    }
}

#[test]
fn a_header_and_a_zero_is_case_2_with_256() {
    let reset_state = CommandApdu::decode(&[0xA0, 0x19, 0x10, 0, 0]).expect("case 2");
    assert_eq!(reset_state.le(), Some(256));
    assert!(reset_state.data().is_empty());
}

#[test]
fn lengths_that_do_not_fit_are_refused() {
    let too_long = ApduError::DataLength { max: 255, got: 256 };
    let command = || CommandApdu::new(0, 0, 0, 0);
    assert_eq!(command().with_data(&[0; 256]), Err(too_long));
    let none = ApduError::DataLength { max: 255, got: 0 };
    assert_eq!(command().with_data(&[]), Err(none));
    for bad in [
        &[0, 0, 0][..],
        &[0, 0, 0, 0, 2, 1],
        &[0, 0, 0, 0, 1, 1, 1, 1],
        // Extended length.
        &[0, 0, 0, 0, 0, 0, 1],
    ] {
        assert!(CommandApdu::decode(bad).is_err(), "{bad:02X?}");
    }
}

#[test]
fn longer_commands_have_the_extended_form() {
    let header = || CommandApdu::new(0x00, 0x87, 0x07, 0x9A);
    assert_eq!(header().with_le(65_536).encode()[4..], [0, 0, 0]);
    assert_eq!(header().with_le(257).encode()[4..], [0, 1, 1]);
    let long = header().with_long_data(&[7; 266]).expect("fits");
    assert_eq!(long.encode()[4..8], [0, 1, 0x0A, 7]);
    assert_eq!(long.encode().len(), 4 + 3 + 266);
    let both = long.clone().with_le(256);
    assert_eq!(both.encode()[4 + 3 + 266..], [1, 0]);
    let max = CommandApdu::MAX_LONG_DATA;
    let got = max + 1;
    let too_long = header().with_long_data(&vec![0; got]);
    assert_eq!(too_long, Err(ApduError::DataLength { max, got }));
    assert!(long.is_extended() && !header().with_le(256).is_extended());
    assert!(CommandApdu::decode(&long.encode()).is_err());
}

#[test]
fn extended_commands_whose_lengths_do_not_fit_are_refused() {
    for bad in [
        &[0, 0, 0, 0, 0, 1][..],
        &[0, 0, 0, 0, 0, 0, 0, 1],
        &[0, 0, 0, 0, 0, 0, 2, 1],
        &[0, 0, 0, 0, 0, 0, 1, 1, 1],
        &[0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1],
    ] {
        assert!(CommandApdu::decode_any(bad).is_err(), "{bad:02X?}");
    }
    let short_enough = CommandApdu::decode_any(&[0, 0, 0, 0, 0, 0, 1, 9, 0, 4]);
    let short = CommandApdu::decode(&[0, 0, 0, 0, 1, 9, 4]);
    assert_eq!(short_enough, short);
}

#[test]
fn debug_shows_lengths_and_no_data() {
    let verify = CommandApdu::new(0xA0, 0x20, 0, 0).with_data(b"9876");
    let shown = format!("{:?}", verify.expect("fits").with_le(1));
    assert_eq!(shown, "A0 20 00 00 (4 bytes) Le 1");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn what_is_encoded_decodes_to_the_same(command in command()) {
        prop_assert_eq!(CommandApdu::decode(&command.encode()), Ok(command));
    }

    #[test]
    fn what_is_encoded_at_any_length_decodes_to_the_same(
        header: [u8; 4],
        data in prop::collection::vec(any::<u8>(), 0..700),
        le in prop::option::of(1..=65_536u32),
    ) {
        let [cla, ins, p1, p2] = header;
        let data = Zeroizing::new(data);
        let command = CommandApdu { data, le, ..CommandApdu::new(cla, ins, p1, p2) };
        prop_assert_eq!(CommandApdu::decode_any(&command.encode()), Ok(command));
    }

    /// A shorter command may be a command of another case, but never this one.
    #[test]
    fn no_prefix_is_the_same_command(command in command(), cut in any::<prop::sample::Index>()) {
        let bytes = command.encode();
        let prefix = &bytes[..cut.index(bytes.len())];
        prop_assert_ne!(CommandApdu::decode(prefix), Ok(command));
    }

    #[test]
    fn any_bytes_decode_to_themselves_or_not_at_all(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        if let Ok(command) = CommandApdu::decode(&bytes) {
            prop_assert_eq!(&command.encode()[..], &bytes[..]);
        }
        if let Ok(command) = CommandApdu::decode_any(&bytes) {
            prop_assert_eq!(CommandApdu::decode_any(&command.encode()), Ok(command));
        }
    }
}
