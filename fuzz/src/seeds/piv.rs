//! What a PIV card says while it is opened and signs.

use std::io;

use proto::piv::{
    ApplicationProperties, CertificateObject, Chuid, Discovery, KeyAlgorithm, ObjectTag, Slot,
    authenticate_response,
};
use rcgen::{CertificateParams, KeyPair};
use tessera_fuzz::pieces::append;

use super::Seeds;

pub(super) fn write(seeds: &mut Seeds) -> io::Result<()> {
    for slot in [
        Slot::Authentication,
        Slot::Signature,
        Slot::CardAuthentication,
    ] {
        for compressed in [false, true] {
            let name = format!("{slot}-{}", if compressed { "gzip" } else { "plain" });
            seeds.add("piv", &name, &card(slot, compressed))?;
        }
    }
    Ok(())
}

fn card(holds: Slot, compressed: bool) -> Vec<u8> {
    let mut seed = vec![u8::from(compressed)];
    let mut answer = |data: &[u8], sw: u16| {
        append(&mut seed, 0, &[data, &sw.to_be_bytes()].concat());
    };
    answer(&ApplicationProperties::plain().encode(), 0x9000);
    let discovery = Discovery::APPLICATION_PIN.encode();
    answer(&ObjectTag::DISCOVERY.wrap(&discovery), 0x9000);
    answer(&ObjectTag::CHUID.wrap(&Chuid::default().encode()), 0x9000);
    for slot in Slot::all() {
        match slot == holds {
            true => {
                let object = CertificateObject {
                    der: certificate(),
                    compressed,
                };
                answer(&slot.certificate().wrap(&object.encode()), 0x9000);
            }
            false => answer(&[], 0x6A82),
        }
    }
    // PIN, before the first signature and, where the slot wants it, before each.
    for _ in 0..1 + u8::from(holds.pin_always()) {
        if holds.needs_pin() {
            answer(&[], 0x63C3);
            answer(&[], 0x9000);
        }
    }
    let signature = vec![0x30; KeyAlgorithm::P256.input_len()];
    answer(&authenticate_response(&signature), 0x9000);
    seed
}

fn certificate() -> Vec<u8> {
    let key = KeyPair::generate().expect("a P-256 key");
    let parameters = CertificateParams::new(Vec::new()).expect("no names");
    let certificate = parameters.self_signed(&key).expect("a certificate");
    certificate.der().to_vec()
}
