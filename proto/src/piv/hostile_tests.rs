//! Whatever a card or a host sends, nothing here panics, and nothing grows beyond what was sent but
//! a certificate that was compressed.

use proptest::prelude::*;

use super::*;
use crate::apdu::{CommandApdu, CommandChain};

/// Bytes that look like data objects as often as not.
fn nearly_objects() -> impl Strategy<Value = Vec<u8>> {
    let tags = vec![
        0x30_u32, 0x34, 0x35, 0x4F, 0x53, 0x5C, 0x5F2F, 0x61, 0x70, 0x71, 0x79, 0x7C, 0x7E, 0x81,
        0x82, 0x5F_C105,
    ];
    let object = (
        prop::sample::select(tags),
        prop::collection::vec(any::<u8>(), 0..40),
    );
    let objects = prop::collection::vec(object, 0..6).prop_map(|objects| {
        let writer = objects
            .iter()
            .fold(TlvWriter::new(), |writer, (tag, value)| {
                writer.with(*tag, value)
            });
        writer.into_bytes()
    });
    (
        objects,
        any::<prop::sample::Index>(),
        any::<u8>(),
        any::<bool>(),
    )
        .prop_map(|(mut bytes, at, byte, change)| {
            if change && !bytes.is_empty() {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            bytes
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_bytes_of_a_card_make_a_panic(
        bytes in prop_oneof![prop::collection::vec(any::<u8>(), 0..300), nearly_objects()],
    ) {
        for tag in [ObjectTag::CHUID, ObjectTag::DISCOVERY] {
            if let Ok(object) = tag.unwrap(&bytes) {
                prop_assert!(object.len() < bytes.len());
            }
        }
        if let Ok(Some(object)) = CertificateObject::decode(&bytes) {
            prop_assert!(object.compressed || object.der.len() < bytes.len());
        }
        if let Ok(chuid) = Chuid::decode(&bytes) {
            prop_assert_eq!(Chuid::decode(&chuid.encode()), Ok(chuid));
        }
        if let Ok(discovery) = Discovery::decode(&bytes) {
            prop_assert_eq!(Discovery::decode(&discovery.encode()), Ok(discovery));
        }
        if let Ok(properties) = ApplicationProperties::decode(&bytes) {
            prop_assert_eq!(ApplicationProperties::decode(&properties.encode()), Ok(properties));
        }
        if let Ok(signature) = authenticate_answer(&bytes) {
            prop_assert!(signature.len() < bytes.len());
        }
    }

    #[test]
    fn no_bytes_of_a_host_make_a_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..300), data in nearly_objects(), ins: u8,
    ) {
        let mut chain = CommandChain::new(1000);
        let commands = [
            CommandApdu::decode_any(&bytes).ok(),
            CommandApdu::new(0x10, 0x87, 0x07, 0x9A).with_long_data(&data).ok(),
            CommandApdu::new(0x00, ins, 0x3F, 0xFF).with_long_data(&data).ok(),
            CommandApdu::new(0x00, 0x87, 0x07, 0x9A).with_long_data(&data).ok(),
        ];
        for command in commands.into_iter().flatten() {
            if let Ok(Some(whole)) = chain.push(command)
                && let Ok(read) = PivCommand::try_from(&whole)
            {
                prop_assert!(read.to_apdu().is_ok());
            }
        }
    }
}
