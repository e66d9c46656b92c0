//! Tokens that guests have shown, and what remains of their revocation.

use std::fs;

use integration::chain::{Chain, ChainPlan};
use integration::openssl::{OpensslServer, ServerPlan};
use integration::pki::{KeyKind, Pki};
use integration::wait;
use proto::token::decode;
use serde_json::Value;

use super::{await_service, json, run};

const NAME: &str = "www.example";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The only token that is listed.
fn token(chain: &Chain) -> Value {
    let tokens = json(chain, &["token", "list"]);
    assert_eq!(tokens.as_array().map(Vec::len), Some(1), "{tokens}");
    tokens[0].clone()
}

#[test]
fn a_token_that_was_shown_is_known_and_its_revocation_outlives_an_older_state() {
    let pki = Pki::new();
    let mut chain = Chain::start(&pki, &ChainPlan::single(KeyKind::P256));
    let server = OpensslServer::start(&pki, &ServerPlan::new(&pki.server(NAME, KeyKind::P256)));
    let connect = |chain: &Chain| chain.guest("web01").connect(server.port(), NAME);
    connect(&chain).expect("a session").close();
    let (_, claims) = decode(&chain.door("web01").token).expect("it was issued");
    let cti = hex(&claims.cti);
    let seen = token(&chain);
    assert_eq!(seen["cti"], cti.as_str());
    assert_eq!(
        (&seen["state"], &seen["name"]),
        (&"good".into(), &"web01".into())
    );
    assert_eq!(seen["iss"], claims.iss.to_string());
    assert_eq!(json(&chain, &["vm", "show", "web01"])["token"], seen);

    // After a restart it is the same one.
    chain.restart_middleware();
    await_service(&mut chain);
    assert_eq!(token(&chain)["first_seen"], seen["first_seen"]);

    let backup = chain.folder().join("backup.db");
    run(
        &chain,
        &["state", "backup", backup.to_str().expect("UTF-8")],
        0,
    );
    let revoked = json(&chain, &["token", "revoke", &cti]);
    assert_eq!(
        (&revoked["domain"], &revoked["exp"]),
        (&seen["domain"], &seen["exp"])
    );
    assert!(chain.middleware().stop().success());
    fs::copy(&backup, chain.folder().join("state.db")).expect("copied");
    chain.restart_after_kill();
    await_service(&mut chain);
    assert_eq!(token(&chain)["state"], "revoked");
    wait::until("the guest is told", || {
        let no = connect(&chain).err()?;
        (no.code == "token-revoked").then_some(())
    });

    chain.issue_tokens();
    wait::until("the guest shows its new token", || {
        connect(&chain).ok().map(|session| session.close())
    });
    let tokens = json(&chain, &["token", "list"]);
    let states: Vec<_> = tokens.as_array().expect("a list").iter().collect();
    assert_eq!(states.len(), 2, "{tokens}");
    let of = |cti: &str| states.iter().find(|token| token["cti"] == cti).copied();
    assert_eq!(of(&cti).expect("kept")["state"], "revoked");
}
