//! `verify`.

use crate::support::{Dir, VM};

const OTHER_VM: &str = "7e55e2a0-0000-4000-8000-000000000008";

fn reason(dir: &Dir, arguments: &str) -> String {
    let for_people = dir.run(&format!("verify {arguments}"));
    assert_eq!(for_people.code, 1, "{for_people:?}");
    let said = dir.run(&format!("verify {arguments} --json"));
    assert_eq!((said.code, said.err.as_str()), (1, ""), "{said:?}");
    let json = said.json();
    assert_eq!(json["valid"], false);
    let why = json["reason"].as_str().expect("text");
    assert!(for_people.err.contains("not valid: "), "{for_people:?}");
    why.to_owned()
}

#[test]
fn a_token_is_valid_for_its_vm_in_its_time_by_its_hv() {
    let dir = Dir::of_operator("ed25519");
    dir.hv("ed25519", "other");
    dir.issue("--vm-cert vm.pem --days 3 --out token").good();
    let json = dir
        .run("verify token --hv-cert hv.cert.pem --json")
        .good()
        .json();
    assert_eq!(json["valid"], true);
    assert_eq!(json["vm"], VM);
    dir.run("verify token --hv-cert other.cert.pem --hv-cert hv.cert.pem")
        .good();

    let hv = "token --hv-cert hv.cert.pem";
    let (iss, expires) = (
        json["iss"].as_str().expect("text"),
        json["expires"].as_str().expect("text"),
    );
    let other = reason(&dir, "token --hv-cert other.cert.pem");
    assert_eq!(
        other,
        format!("issuer {iss}: no certificate of that HV is known here")
    );
    let why = reason(&dir, &format!("{hv} --vm {OTHER_VM}"));
    assert_eq!(why, format!("it is for VM {VM}, not {OTHER_VM}"));
    let why = reason(&dir, &format!("{hv} --at {expires}"));
    assert_eq!(why, format!("expired at {expires}; it is {expires}"));
    let why = reason(&dir, &format!("{hv} --at 2020-01-01T00:00:00Z"));
    assert!(why.starts_with("not good before 20"), "{why}");
    let issued = json["issued"].as_str().expect("text");
    dir.run(&format!("verify {hv} --at {issued}")).good();
}

#[test]
fn a_time_that_has_not_come_is_waited_for() {
    let dir = Dir::of_operator("ed25519");
    let date = "date -u -d +20days +%Y-%m-%dT%H:%M:%SZ";
    let mut command = std::process::Command::new("date");
    command.args(date.split(' ').skip(1));
    let later = dir.say(command, b"").good().out;
    let later = later.trim();
    dir.issue(&format!(
        "--vm-cert vm.pem --days 3 --not-before {later} --out token"
    ))
    .good();
    let why = reason(&dir, "token --hv-cert hv.cert.pem");
    assert!(
        why.starts_with(&format!("not good before {later}")),
        "{why}"
    );
    dir.run(&format!("verify token --hv-cert hv.cert.pem --at {later}"))
        .good();
}

#[test]
fn a_token_of_an_hv_whose_certificate_has_ended_is_not_valid() {
    let dir = Dir::of_operator("ed25519");
    dir.issue("--vm-cert vm.pem --days 90 --out token").good();
    // The same name cannot have another certificate: the hash is the name. So the certificate's
    // own end is what counts, which is the token's end too.
    let json = dir.run("show token --json").good().json();
    let why = reason(
        &dir,
        "token --hv-cert hv.cert.pem --at 2999-01-01T00:00:00Z",
    );
    let expires = json["expires"].as_str().expect("text");
    assert!(why.starts_with(&format!("expired at {expires}")), "{why}");
}

#[test]
fn a_token_that_was_changed_is_not_valid() {
    let dir = Dir::of_operator("ec -pkeyopt ec_paramgen_curve:P-256");
    dir.issue("--vm-cert vm.pem --out token").good();
    let text = dir.read("token");
    // Letters of the signature, the last of which holds two bits only.
    let at = text.len() - 10;
    let other = if text.as_bytes()[at] == b'A' {
        "B"
    } else {
        "A"
    };
    dir.write("token", [&text[..at], other, &text[at + 1..]].concat());
    let why = reason(&dir, "token --hv-cert hv.cert.pem");
    assert_eq!(why, "the signature is not that of the HV key");
    dir.run("show token").good();
    dir.write("token", "");
    assert_eq!(
        reason(&dir, "token --hv-cert hv.cert.pem"),
        "0 bytes, 1 to 2048 accepted"
    );
}

#[test]
fn what_cannot_be_looked_at_is_no_judgement() {
    let dir = Dir::of_operator("ed25519");
    dir.issue("--vm-cert vm.pem --out token").good();
    dir.run("verify none --hv-cert hv.cert.pem")
        .failed(78, "none");
    dir.run("verify token --hv-cert none").failed(78, "none");
    dir.run("verify token --hv-cert vm.key")
        .failed(78, "vm.key");
    for wrong in [
        "--vm web01",
        "--vm 7E55E2A0-0000-4000-8000-000000000007",
        "--at noon",
    ] {
        let said = dir.run(&format!("verify token --hv-cert hv.cert.pem {wrong}"));
        assert_eq!(said.code, 64, "{said:?}");
    }
}
