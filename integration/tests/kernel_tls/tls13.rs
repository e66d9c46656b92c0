//! TLS 1.3: tickets and KeyUpdates are never an error to who reads and writes.

use std::io::{Read, Write};

use integration::chain::request;
use integration::openssl::{OpensslServer, ServerPlan};
use integration::payload::payload;
use integration::pki::{KeyKind, Pki};

use crate::{NAME, chain};

#[test]
fn tickets_and_new_keys_are_the_agents_business() {
    let pki = Pki::new();
    let Some(chain) = chain(&pki) else { return };
    let credential = pki.server(NAME, KeyKind::P256);
    // OpenSSL sends two tickets behind each handshake.
    let server = OpensslServer::start(&pki, &ServerPlan::new(&credential).tls13());
    let client = chain.guest("web01").client();
    let socket = client.connect_plaintext(request(server.port(), NAME));
    let mut socket = socket.expect("a socket");
    assert_eq!(socket.established.via.as_deref(), Some("relay"));
    let _ = server.report(0);
    for and_ours in [false, true, true] {
        server.update_keys(and_ours);
        for _ in 0..3 {
            socket.write_all(&payload(600)).expect("it stands");
            assert_eq!(server.receive(600), payload(600));
            server.send(&payload(500));
            let mut data = vec![0; 500];
            socket.read_exact(&mut data).expect("it stands");
            assert_eq!(data, payload(500));
        }
    }
    socket.finish().expect("it stands");
    assert_eq!(socket.read(&mut [0]).expect("an end in order"), 0);
}
