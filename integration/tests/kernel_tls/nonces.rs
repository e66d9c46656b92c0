//! What is on the wire: no explicit nonce twice.

use std::io::{Read, Write};

use integration::openssl::{OpensslServer, ServerPlan};
use integration::payload::payload;
use integration::pki::{KeyKind, Pki};
use integration::wiretap::Wiretap;
use proto::tls::{ContentType, Record, explicit_nonce};

use crate::{NAME, SUITES, chain, connect};

/// Each write becomes a record.
const WRITES: usize = 20;

#[test]
fn the_kernel_goes_on_with_the_nonce_after_that_of_the_finished() {
    let pki = Pki::new();
    let Some(chain) = chain(&pki) else { return };
    let credential = pki.server(NAME, KeyKind::P256);
    for (_, suite) in SUITES.iter().filter(|(cipher, _)| cipher.ends_with("gcm")) {
        let plan = ServerPlan::new(&credential).cipher(suite);
        let server = OpensslServer::start(&pki, &plan);
        let wire = Wiretap::start(server.port());
        for abbreviated in [false, true] {
            let mut socket = connect(&chain, wire.port());
            assert_eq!(socket.established.abbreviated, abbreviated, "{suite}");
            for _ in 0..WRITES {
                socket.write_all(&payload(100)).expect("it stands");
            }
            let _ = server.receive(100 * WRITES);
            socket.finish().expect("it stands");
            socket
                .read_to_end(&mut Vec::new())
                .expect("an end in order");
            expect_each_nonce_once(&wire.take());
        }
    }
}

/// Finished, data, close_notify: counted up by one, without a gap.
fn expect_each_nonce_once(records: &[Record]) {
    let change = records
        .iter()
        .position(|record| record.content_type() == ContentType::ChangeCipherSpec)
        .expect("the client changes to its keys");
    let protected = records.get(change + 1..).unwrap_or_default();
    let kinds: Vec<_> = protected.iter().map(Record::content_type).collect();
    let data = [ContentType::ApplicationData; WRITES];
    let expected = [&[ContentType::Handshake], &data[..], &[ContentType::Alert]].concat();
    assert_eq!(kinds, expected);
    let nonces: Vec<_> = protected
        .iter()
        .map(|record| u64::from_be_bytes(explicit_nonce(record.bytes()).expect("GCM has one")))
        .collect();
    println!("Finished {:016x}, then {:016x?}", nonces[0], &nonces[1..4]);
    for pair in nonces.windows(2) {
        assert_eq!(pair[1], pair[0].wrapping_add(1));
    }
}
