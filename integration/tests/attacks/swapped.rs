//! Another card in the reader, with another certificate under the same name.

use integration::chain::{Chain, ChainPlan};
use integration::openssl::{OpensslServer, ServerPlan};
use integration::pki::{KeyKind, Pki};
use integration::wait;

use crate::{NAME, admin, last_reason};

#[test]
fn a_card_with_another_certificate_is_of_no_use_to_the_token_even_when_it_is_adopted() {
    let pki = Pki::new();
    let mut chain = Chain::start(&pki, &ChainPlan::single(KeyKind::P256));
    let server = OpensslServer::start(&pki, &ServerPlan::new(&pki.server(NAME, KeyKind::P256)));
    chain.guest("web01").converse(&server, NAME);
    chain.pull_card();
    chain.wait_card("absent");
    chain.put_other_card_in(&pki, &[]);
    chain.wait_card("unusable");
    let no = chain
        .guest("web01")
        .connect(server.port(), NAME)
        .expect_err("a stranger's card");
    assert_eq!(no.code, "no-card", "{no}");

    admin(&chain, &["card", "adopt", "se-00"]);
    let no = chain
        .guest("web01")
        .connect(server.port(), NAME)
        .expect_err("not its certificate");
    assert_eq!(no.code, "bad-token", "{no}");
    let reason = last_reason(&chain, 1);
    assert!(reason.contains("does not name the certificate"), "{reason}");

    chain.issue_tokens();
    wait::until("the agent shows its new token", || {
        chain
            .guest("web01")
            .connect(server.port(), NAME)
            .ok()
            .map(drop)
    });
}
