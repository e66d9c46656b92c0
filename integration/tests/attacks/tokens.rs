//! Tokens that are not the guest's, not good, or no tokens.

use std::time::{SystemTime, UNIX_EPOCH};

use integration::hypervisor::Hypervisor;
use integration::rogue_guest::{Answer, RogueGuest};
use integration::wait;
use proto::agent::RefusalCode::{BadToken, Protocol, TokenExpired, TokenRevoked};
use proto::hv::HvId;
use proto::token::{Claims, SignatureAlgorithm, decode, sign};

use crate::world::World;
use crate::{admin, expect_sent_away};

/// A token by the host's own key that says what `change` makes of the guest's own.
fn signed(hv: &Hypervisor, token: &[u8], change: impl FnOnce(&mut Claims)) -> Vec<u8> {
    let (_, mut claims) = decode(token).expect("it was issued");
    change(&mut claims);
    sign(&claims, &hv.key(), SignatureAlgorithm::Es256).expect("such a token can be made")
}

fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.expect("after 1970").as_secs()
}

#[test]
fn a_token_of_somebody_else_opens_nothing() {
    let world = World::start(&[], &[]);
    let chain = &world.chain;
    let (rogue, neighbour) = (chain.door("rogue"), chain.door("neighbour"));
    let hv = chain.hypervisor();
    let foreign = Hypervisor::new(chain.folder(), "foreign");
    let by_foreign = signed(&foreign, &rogue.token, |claims| {
        claims.iss = foreign.certificate().id();
    });
    let in_our_name = signed(&foreign, &rogue.token, |_| {});
    let of_nobody = signed(hv, &rogue.token, |claims| claims.iss = HvId([7; 32]));
    let other_certificate = signed(hv, &rogue.token, |claims| {
        claims.vm_cert_sha256 = decode(&neighbour.token).expect("issued").1.vm_cert_sha256;
    });
    let stolen_card = signed(hv, &neighbour.token, |claims| {
        claims.cnf = decode(&rogue.token).expect("issued").1.cnf;
    });
    let cases = [
        (
            "the neighbour's token",
            rogue.with_token(neighbour.token.clone()),
            "the token was issued to",
        ),
        (
            "the neighbour's token and key",
            rogue
                .with_token(neighbour.token.clone())
                .with_key_of(&neighbour),
            "the token was issued to",
        ),
        (
            "its own token with another channel key",
            rogue.with_key_of(&neighbour),
            "another key than the channel's",
        ),
        (
            "a token for the neighbour with its own key",
            rogue.with_token(stolen_card),
            "the token was issued to",
        ),
        (
            "a token of another host",
            rogue.with_token(by_foreign),
            "no certificate of that HV is known",
        ),
        (
            "a token of another host in the name of this one",
            rogue.with_token(in_our_name),
            "the signature is not that of the HV key",
        ),
        (
            "a token for another host by this one",
            rogue.with_token(of_nobody),
            "no certificate of that HV is known",
        ),
        (
            "a token for another certificate",
            rogue.with_token(other_certificate),
            "does not name the certificate",
        ),
        ("no token", rogue.with_token(Vec::new()), "no token"),
    ];
    world.undisturbed("tokens of others", || {
        for (what, door, reason) in &cases {
            expect_sent_away(chain, door, what, BadToken, reason);
        }
    });
    world.finish();
}

#[test]
fn a_token_out_of_its_time_opens_nothing() {
    let world = World::start(&[], &[]);
    let chain = &world.chain;
    let rogue = chain.door("rogue");
    let hv = chain.hypervisor();
    let expired = signed(hv, &rogue.token, |claims| {
        claims.iat = now() - 100;
        claims.exp = now() - 1;
    });
    let early = signed(hv, &rogue.token, |claims| claims.nbf = Some(now() + 100));
    let from_the_future = signed(hv, &rogue.token, |claims| claims.iat = now() + 100);
    world.undisturbed("tokens out of their time", || {
        for (what, token, reason) in [
            ("expired", expired, "the token expired at"),
            ("not yet valid", early, "not valid before"),
            ("not yet issued", from_the_future, "not valid before"),
        ] {
            expect_sent_away(chain, &rogue.with_token(token), what, TokenExpired, reason);
        }
    });
    world.finish();
}

#[test]
fn a_revoked_token_and_one_of_before_open_nothing() {
    let world = World::start(&[], &[]);
    let chain = &world.chain;
    let rogue = chain.door("rogue");
    let hv = chain.hypervisor();
    let second = signed(hv, &rogue.token, |claims| claims.cti = [2; 16]);
    world.undisturbed("revoked tokens", || {
        let revoked = signed(hv, &rogue.token, |claims| claims.cti = [1; 16]);
        admin(chain, &["token", "revoke", &"01".repeat(16)]);
        let door = rogue.with_token(revoked);
        expect_sent_away(
            chain,
            &door,
            "revoked",
            TokenRevoked,
            "the token was revoked",
        );
        // The one beside it is as good as before.
        let door = rogue.with_token(second);
        drop(RogueGuest::admitted(&door));
    });
    // Tokens count by the second.
    wait::until("the second after the token was issued", || {
        let (_, claims) = decode(&rogue.token).expect("it was issued");
        (now() > claims.iat).then_some(())
    });
    admin(chain, &["token", "revoke", "--vm", "rogue"]);
    let agent_file = chain.token_file("rogue");
    expect_sent_away(
        chain,
        &rogue,
        "of before",
        TokenRevoked,
        "tokens count from",
    );
    let revoked_at = now();
    wait::until("the second after the revocation", || {
        (now() > revoked_at).then_some(())
    });
    let renewed = signed(hv, &rogue.token, |claims| {
        claims.cti = [3; 16];
        claims.iat = now();
    });
    // Its agent takes the new token by itself.
    std::fs::write(agent_file, proto::token::to_text(&renewed)).expect("it can be written");
    wait::until("the agent shows its new token", || {
        let dom0 = chain.guest("rogue").client().identities().ok()?;
        (!dom0.is_empty()).then_some(())
    });
    world.exchange("rogue", "a new token");
    world.finish();
}

#[test]
fn bytes_that_are_no_token_open_nothing() {
    let world = World::start(&[], &[]);
    let chain = &world.chain;
    let rogue = chain.door("rogue");
    let good = rogue.token.clone();
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut token = good.clone();
        change(&mut token);
        token
    };
    let cases: [(&str, Vec<u8>, &str); 5] = [
        ("trailing bytes", with(&|t| t.push(0)), "COSE_Sign1"),
        ("cut off", good[..good.len() - 1].to_vec(), "COSE_Sign1"),
        (
            "a flipped bit at its end",
            with(&|t| *t.last_mut().expect("long") ^= 1),
            "signature",
        ),
        ("without its tag", good[1..].to_vec(), "COSE_Sign1"),
        ("nothing but a number", vec![0x01], "COSE_Sign1"),
    ];
    world.undisturbed("no tokens", || {
        // Too long for a token is too long for the message.
        let mut rogue = RogueGuest::connect(&rogue.with_token(vec![0xD2; 3 << 10]));
        rogue.say_hello();
        let Answer::Connection(Protocol, line) = rogue.answer() else {
            panic!("3 KiB are taken");
        };
        assert!(line.contains("at most 2048"), "{line}");
        for (what, token, reason) in cases {
            let door = chain.door("rogue").with_token(token);
            expect_sent_away(chain, &door, what, BadToken, reason);
        }
    });
    world.finish();
}
