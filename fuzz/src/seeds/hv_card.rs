//! What a card with the HV key says while it is opened and signs.

use std::io;

use proto::piv::{
    ApplicationProperties, CertificateObject, Discovery, ObjectTag, Slot, TlvWriter,
    authenticate_response,
};
use tessera_fuzz::hv::HVS;
use tessera_fuzz::pieces::append;

use super::Seeds;

pub(super) fn write(seeds: &mut Seeds) -> io::Result<()> {
    let [rsa, p256, ed25519] = &*HVS;
    for (name, hv) in [("rsa", rsa), ("p256", p256), ("ed25519", ed25519)] {
        for (number, slot) in (0_u8..).zip(Slot::STANDARD) {
            let name = format!("{name}-{slot}");
            let certificate = hv.certificate.der();
            seeds.add("hv_card", &name, &card(number, slot, None, certificate))?;
            // From 24 on no certificate is needed.
            let (name, number) = (format!("{name}-uncertified"), 24 + number);
            let unknown = &[0x6D, 0x00];
            seeds.add(
                "hv_card",
                &name,
                &card(number, slot, Some(unknown), certificate),
            )?;
        }
    }
    let metadata = metadata(p256.certificate.spki_der());
    let metadata = Some(metadata.as_slice());
    let seed = card(24, Slot::Authentication, metadata, &[]);
    seeds.add("hv_card", "p256-metadata", &seed)
}

/// The answer to GET METADATA for a key on P-256.
fn metadata(spki: &[u8]) -> Vec<u8> {
    let (_, point) = spki.split_at(spki.len() - 65);
    let point = TlvWriter::new().with(0x86, point).into_bytes();
    let said = TlvWriter::new().with(0x01, &[0x11]).with(0x04, &point);
    [&said.into_bytes()[..], &[0x90, 0x00]].concat()
}

/// The answers of a card, that to GET METADATA among them if it is asked. Without a certificate it is not
/// asked for that.
fn card(number: u8, slot: Slot, metadata: Option<&[u8]>, certificate: &[u8]) -> Vec<u8> {
    let mut seed = vec![number];
    let mut answer = |data: &[u8], sw: u16| {
        append(&mut seed, 0, &[data, &sw.to_be_bytes()].concat());
    };
    answer(&ApplicationProperties::plain().encode(), 0x9000);
    let discovery = Discovery::APPLICATION_PIN.encode();
    answer(&ObjectTag::DISCOVERY.wrap(&discovery), 0x9000);
    if let Some(metadata) = metadata {
        append(&mut seed, 0, metadata);
    }
    let mut answer = |data: &[u8], sw: u16| {
        append(&mut seed, 0, &[data, &sw.to_be_bytes()].concat());
    };
    if !certificate.is_empty() {
        let object = CertificateObject {
            der: certificate.to_vec(),
            compressed: number == 1,
        };
        answer(&slot.certificate().wrap(&object.encode()), 0x9000);
    }
    if slot.needs_pin() {
        answer(&[], 0x63C3);
        answer(&[], 0x9000);
    }
    // Two links of a chain where the key is RSA.
    answer(&[], 0x9000);
    let signature = [&[0x30, 68, 2, 32][..], &[7; 32], &[2, 32], &[9; 32]].concat();
    answer(&authenticate_response(&signature), 0x9000);
    seed
}
