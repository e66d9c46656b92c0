//! What a card with the HV key says while it is opened and signs.

use std::io;

use proto::piv::{
    ApplicationProperties, CertificateObject, Discovery, ObjectTag, Slot, authenticate_response,
};
use tessera_fuzz::hv::HVS;
use tessera_fuzz::pieces::append;

use super::Seeds;

pub(super) fn write(seeds: &mut Seeds) -> io::Result<()> {
    let [rsa, p256, ed25519] = &*HVS;
    for (name, hv) in [("rsa", rsa), ("p256", p256), ("ed25519", ed25519)] {
        for (number, slot) in (0_u8..).zip(Slot::STANDARD) {
            let name = format!("{name}-{slot}");
            seeds.add("hv_card", &name, &card(number, slot, hv.certificate.der()))?;
        }
    }
    Ok(())
}

fn card(number: u8, slot: Slot, certificate: &[u8]) -> Vec<u8> {
    let mut seed = vec![number];
    let mut answer = |data: &[u8], sw: u16| {
        append(&mut seed, 0, &[data, &sw.to_be_bytes()].concat());
    };
    answer(&ApplicationProperties::plain().encode(), 0x9000);
    let discovery = Discovery::APPLICATION_PIN.encode();
    answer(&ObjectTag::DISCOVERY.wrap(&discovery), 0x9000);
    let object = CertificateObject {
        der: certificate.to_vec(),
        compressed: number == 1,
    };
    answer(&slot.certificate().wrap(&object.encode()), 0x9000);
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
