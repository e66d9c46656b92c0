//! A server's certificates, judged by a CA and by a pin.
#![no_main]

use std::collections::HashMap;
use std::sync::LazyLock;
use std::time::Duration;

use dom0_middleware::card::Trust;
use libfuzzer_sys::fuzz_target;
use rustls_pki_types::UnixTime;
use sha2::{Digest, Sha256};
use tessera_fuzz::partners::{Pki, SERVER_NAME};
use tessera_fuzz::pieces::{Piece, pieces};

static TRUST: LazyLock<Trust> = LazyLock::new(|| {
    let ca = Pki::get().ca_der();
    Trust::load(&[ca], HashMap::new()).expect("a CA")
});

fuzz_target!(|input: &[u8]| {
    let chain: Vec<Vec<u8>> = pieces(input).map(certificate).collect();
    let now = UnixTime::since_unix_epoch(Duration::from_secs(1_795_219_200));
    let believed = TRUST.verify(&chain, SERVER_NAME, now).is_ok();
    let Some(leaf) = chain.first() else {
        assert!(!believed);
        return;
    };
    assert_eq!(
        believed,
        leaf == Pki::get().server_der(),
        "one certificate was issued"
    );
    let pins = HashMap::from([(SERVER_NAME.to_owned(), Sha256::digest(leaf).into())]);
    let pinned = Trust::load(&[], pins).expect("no CA to refuse");
    let _ = pinned.verify(&chain, &SERVER_NAME.to_uppercase(), now);
    assert!(pinned.verify(&chain, "example.org", now).is_err());
});

/// The bytes themselves, or those of the good certificate with some changed: position and what it
/// is combined with.
fn certificate(piece: Piece<'_>) -> Vec<u8> {
    if piece.kind & 1 == 0 {
        return piece.bytes.to_vec();
    }
    let mut certificate = Pki::get().server_der().to_vec();
    for change in piece.bytes.chunks_exact(3) {
        let at = usize::from(u16::from_be_bytes([change[0], change[1]]));
        let length = certificate.len();
        certificate[at % length] ^= change[2];
    }
    certificate
}
