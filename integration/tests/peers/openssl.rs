//! Sessions with OpenSSL, in full and resumed. `suites` and `tls13` have more of cards that make the
//! handshake themselves.

use integration::openssl::{OpensslServer, ServerPlan};
use integration::payload::payload;
use integration::pki::{KeyKind, Pki};
use integration::wait;

use crate::NAME;
use crate::door;
use KeyKind::{P256, Rsa2048};

#[test]
fn openssl_sees_the_certificate_and_resumes_in_both_versions() {
    let pki = Pki::new();
    let chain = door::start(&pki);
    let credential = pki.server(NAME, Rsa2048);
    for (door, key) in door::each([Rsa2048, P256]) {
        for (plan, version, resumes) in [
            (ServerPlan::new(&credential), "TLS 1.2", true),
            (
                ServerPlan::new(&credential).tls13(),
                "TLS 1.3",
                door.resumes_tls13,
            ),
        ] {
            let server = OpensslServer::start(&pki, &plan);
            let mut number = 0;
            let mut converse = || {
                let mut session = door.ask(&chain, server.port(), key).expect("a session");
                assert_eq!(session.established.version, version);
                session.send(&payload(3_000));
                assert_eq!(server.receive(3_000), payload(3_000));
                server.send(&payload(2_000));
                assert_eq!(session.read(2_000), payload(2_000));
                let resumed = session.established.abbreviated;
                session.close();
                let report = server.report(number);
                number += 1;
                assert_eq!(report.reused, resumed, "{version}");
                assert_eq!(report.client, Some(format!("CN = {}", door.identity(key))));
                resumed
            };
            assert!(!converse(), "{version}");
            match resumes {
                // The tickets of TLS 1.3 take their way through the guest.
                true => wait::until("a session that is resumed", || converse().then_some(())),
                false => assert!(!converse(), "{version}"),
            }
        }
    }
}
