//! The host's own key in a PIV card: it signs tokens and the channel's certificate, nobody loses the
//! last PIN try over it, and the card may be pulled.

mod born;
mod host;
mod token_parts;

use integration::hypervisor::Hypervisor;
use integration::wait;
use serde_json::Value;

use crate::host::{Host, UUID, made_by_openssl, said};

const PSS: [&str; 4] = [
    "-sigopt",
    "rsa_padding_mode:pss",
    "-sigopt",
    "rsa_pss_saltlen:digest",
];
const PKCS1: [&str; 2] = ["-sigopt", "rsa_padding_mode:pkcs1"];

#[test]
fn a_card_with_a_key_on_p256_signs_tokens_that_openssl_verifies() {
    let host = Host::with_p256();
    // The certificate of a VM is any certificate.
    let output = host.issue(&["--json"]);
    assert!(output.status.success(), "{}", said(&output));
    let made: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(made["vm"], UUID);
    host.verify(&[]);
    assert_eq!(host.tries(), 3);
}

#[test]
fn cards_with_rsa_keys_sign_tokens_in_both_ways_that_openssl_verifies() {
    for (slot, bits) in [("9c", "2048"), ("9a", "4096")] {
        let bits = format!("rsa_keygen_bits:{bits}");
        let host = Host::new(slot, |folder| {
            made_by_openssl(folder, &["rsa", "-pkeyopt", &bits])
        });
        let output = host.issue(&[]);
        assert!(output.status.success(), "{}", said(&output));
        host.verify(&PSS);
        let output = host.issue(&["--alg", "rs256"]);
        assert!(output.status.success(), "{}", said(&output));
        host.verify(&PKCS1);
    }
}

#[test]
fn a_wrong_pin_costs_one_try_and_the_last_one_is_never_spent() {
    let host = Host::with_p256();
    host.card.write_pin("654321\n");
    host.issue_fails(77, &["did not accept the PIN", "tries left: 2"]);
    assert_eq!(host.tries(), 2);
    host.issue_fails(77, &["did not accept the PIN", "tries left: 1"]);
    for _ in 0..2 {
        host.issue_fails(77, &["one PIN try is left", "not spent", "PUK"]);
        assert_eq!(host.tries(), 1);
    }
    // Nor is the right one.
    host.card.write_right_pin();
    host.issue_fails(77, &["one PIN try is left"]);
    assert_eq!(host.tries(), 1);
}

#[test]
fn a_pin_of_other_characters_is_taken_where_the_card_takes_it() {
    let host = Host::with_p256();
    host.card.write_pin("letters\n");
    let words = ["does not hold 6 to 8 digits", "--pin-characters printable"];
    let output = host.issue(&[]);
    assert_eq!(output.status.code(), Some(78), "{}", said(&output));
    for word in words {
        assert!(said(&output).contains(word), "{}", said(&output));
    }
    assert_eq!(host.tries(), 3);
    // The card's own PIN is of digits, so that it takes no others; that costs no try.
    let output = host.issue(&["--pin-characters", "printable"]);
    assert!(said(&output).contains("6A80"), "{}", said(&output));
    assert_eq!(host.tries(), 3);
}

#[test]
fn what_is_not_there_or_another_key_is_named_and_costs_no_try() {
    let mut host = Host::with_p256();
    let other = Hypervisor::new(host.folder.path(), "other");
    let own = std::mem::replace(&mut host.hv, other);
    host.issue_fails(78, &["another key", "P-256", "given no PIN"]);
    host.hv = own;
    assert_eq!(host.tries(), 3);
    host.card.pull();
    host.pcscd.wait_empty();
    host.issue_fails(69, &["no card in reader"]);
    host.card.plug_in();
    host.pcscd.wait_card();
    let output = host.issue(&[]);
    assert!(output.status.success(), "{}", said(&output));
}

#[test]
fn a_host_with_its_key_in_a_card_serves_guests_also_while_the_card_is_away() {
    let mut host = Host::with_p256();
    let output = host.issue(&[]);
    assert!(output.status.success(), "{}", said(&output));
    let mut middleware = host.start_middleware();
    host.wait_channel(&mut middleware);
    let mut agent = host.start_agent();
    host.expect_known();
    let key = host.card.key_name();
    let in_order = wait::until("a status", || host.admin(&["status"]));
    assert_eq!(in_order["hv_key"]["card"], key.as_str(), "{in_order}");
    assert_eq!(in_order["hv_key"]["problem"], Value::Null);
    let good = host.doctor("hv key").expect("an answer");
    assert_eq!(good, format!("ok in its card, {key}"));

    host.card.pull();
    wait::until("status says that the card is gone", || {
        let status = host.admin(&["status"])?;
        let problem = status["hv_key"]["problem"].as_str()?.to_owned();
        problem.contains("no card in reader").then_some(())
    });
    let found = host.doctor("hv key").expect("an answer");
    assert!(
        found.starts_with("fail ") && found.contains(&key),
        "{found}"
    );
    let reader = host.doctor("reader Test Reader 00 00").expect("an answer");
    assert!(reader.starts_with("fail is empty"), "{reader}");
    wait::until("the log says so", || {
        middleware.log().contains("HV key is gone").then_some(())
    });
    // The channel's certificate is good; another connection is made with it.
    agent.kill();
    agent = host.start_agent();
    host.expect_known();
    // No start without the card, and no PIN for nothing.
    assert!(middleware.stop().success());
    let mut without = host.start_middleware();
    assert_eq!(without.await_end().code(), Some(69), "{}", without.log());
    assert!(
        without.log().contains("no card in reader"),
        "{}",
        without.log()
    );

    host.card.plug_in();
    host.pcscd.wait_card();
    let mut middleware = host.start_middleware();
    host.wait_channel(&mut middleware);
    agent.kill();
    let _agent = host.start_agent();
    host.expect_known();
    assert_eq!(host.tries(), 3);
}

#[test]
fn a_service_sends_a_pin_that_is_wrong_once_over_all_its_starts() {
    let host = Host::with_p256();
    host.card.write_pin("654321\n");
    let fails = |words: &[&str]| {
        // As systemd does at each start: the same PIN in a new file.
        host.card.write_pin("654321\n");
        let mut middleware = host.start_middleware();
        assert_eq!(middleware.await_end().code(), Some(78));
        let log = middleware.log();
        let last = log.lines().last().unwrap_or_default().to_owned();
        for word in words {
            assert!(last.contains(word), "{word}: {log}");
        }
    };
    fails(&[
        "hv.key",
        &host.card.key_name(),
        "did not accept the PIN",
        "tries left: 2",
    ]);
    for _ in 0..3 {
        fails(&["not sent again", "hv-card.pin", "empty line"]);
        assert_eq!(host.tries(), 2);
    }
    host.card.write_right_pin();
    let mut middleware = host.start_middleware();
    host.wait_channel(&mut middleware);
    assert_eq!(host.tries(), 3);
}
