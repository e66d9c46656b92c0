//! Tokens, and what HVs and agents show.

use std::io;

use proto::hv::HvSigner;
use proto::pem;
use proto::token::{ConfirmationKey, to_text};
use tessera_fuzz::hv::{GENUINE, HVS, public_key};
use tessera_fuzz::pieces::append;

use super::Seeds;

pub(super) fn write(seeds: &mut Seeds) -> io::Result<()> {
    let mut add =
        |way: u8, name: &str, content: &[u8]| seeds.add("token", name, &[&[way], content].concat());
    for (which, genuine) in (0..).zip(&*GENUINE) {
        let name = genuine.algorithm.name();
        add(0, name, &genuine.token)?;
        add(
            1,
            &format!("{name}-text"),
            to_text(&genuine.token).as_bytes(),
        )?;
        let mut changed = vec![which];
        append(&mut changed, 1, &[0, 200, 0xFF]);
        append(&mut changed, 0, &[1, 0, 0x18]);
        append(&mut changed, 2, &[0, 3, 0]);
        add(2, &format!("{name}-changed"), &changed)?;
        add(3, &format!("{name}-signed"), &parts(&genuine.token))?;
    }
    for hv in &*HVS {
        let kind = hv.certificate.key().to_string().replace(' ', "-");
        add(4, &format!("{kind}-der"), hv.certificate.der())?;
        let certificate = pem::encode("CERTIFICATE", hv.certificate.der());
        add(4, &format!("{kind}-pem"), certificate.as_bytes())?;
        add(5, &format!("{kind}-spki"), hv.key.spki_der())?;
    }
    let key = ConfirmationKey::Ed25519([0xE5; 32]);
    add(5, "agent-spki", &key.spki_der())?;
    add(5, "agent-pem", key.to_pem().as_bytes())?;
    add(5, "p256-pem", public_key().as_bytes())?;
    let mut offered = key.to_pem().into_bytes();
    seeds.add("enrolment", "ed25519", &offered)?;
    offered.resize(513, b'\n');
    seeds.add("enrolment", "too-long", &offered)?;
    seeds.add("enrolment", "p256", public_key().as_bytes())
}

/// Header and claims of a token, cut out of it.
fn parts(token: &[u8]) -> Vec<u8> {
    let string = |at: usize| {
        let (start, len) = match token[at] {
            short @ 0x40..0x58 => (at + 1, usize::from(short - 0x40)),
            0x58 => (at + 2, usize::from(token[at + 1])),
            _ => (
                at + 3,
                usize::from(u16::from_be_bytes([token[at + 1], token[at + 2]])),
            ),
        };
        start..start + len
    };
    let protected = string(2);
    // The empty map of the other header lies between.
    let payload = string(protected.end + 1);
    let mut parts = Vec::new();
    append(&mut parts, 0, &token[protected]);
    append(&mut parts, 0, &token[payload]);
    parts
}
