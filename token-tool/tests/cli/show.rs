//! `show`.

use crate::support::{Dir, VM};

#[test]
fn people_see_all_of_a_token() {
    let dir = Dir::of_operator("ed25519");
    dir.issue("--vm-cert vm.pem --hv-domain rack-7 --out token")
        .good();
    let shown = dir.run("show token").good().out;
    let json = dir.run("show token --json").good().json();
    for label in [
        "iss",
        "issued",
        "expires",
        "cti",
        "vm",
        "hv_domain",
        "algorithm",
    ] {
        let value = json[label].as_str().expect(label);
        assert!(shown.contains(value), "{value}: {shown}");
    }
    let fingerprint = json["cnf"]["fingerprint"].as_str().expect("text");
    assert!(shown.contains(fingerprint), "{shown}");
    let hash = json["vm_cert_sha256"][0].as_str().expect("text");
    assert!(shown.contains(&format!("SHA256:{hash}")), "{shown}");
    // Whether the clock has moved since or not.
    let left = ["(in 29 days)", "(in 30 days)"];
    assert!(left.iter().any(|left| shown.contains(left)), "{shown}");
    assert!(
        shown.contains(&format!("{} bytes", json["bytes"])),
        "{shown}"
    );
    assert!(shown.contains("Signature        not checked"), "{shown}");
    let piped = dir.run_with_input("show - --json", dir.read("token").as_bytes());
    assert_eq!(piped.good().json()["vm"], VM);
}

#[test]
fn bytes_are_read_as_well_as_text() {
    let dir = Dir::of_operator("ed25519");
    dir.issue("--vm-cert vm.pem --out token").good();
    // OpenSSL knows base64 with other letters and with padding.
    let text = dir.read("token").trim().replace('-', "+").replace('_', "/");
    let padding = "=".repeat((4 - text.len() % 4) % 4);
    dir.write("base64", format!("{text}{padding}\n"));
    dir.openssl("base64 -d -A -in base64 -out bytes");
    // Between the two a second may pass, and how long ago things were is said in seconds.
    let told = |file: &str| -> Vec<String> {
        let shown = dir.run(&format!("show {file}")).good().out;
        let is_same = |line: &str| line.split(" (").next().unwrap_or_default().to_owned();
        shown.lines().map(is_same).collect()
    };
    assert_eq!(told("bytes"), told("token"));
    dir.run("verify bytes --hv-cert hv.cert.pem").good();
    dir.run("show base64")
        .failed(1, "not base64url without padding: Invalid symbol");
}

#[test]
fn what_is_wrong_with_a_bad_token_is_said_and_where() {
    let dir = Dir::of_operator("ed25519");
    dir.issue("--vm-cert vm.pem --out token").good();
    let text = dir.read("token");
    let text = text.trim();
    let bad = [
        (String::new(), "0 bytes, 1 to 2048 accepted"),
        ("A".repeat(4096), "3072 bytes, 1 to 2048 accepted"),
        (text.replacen('0', "!", 1), "Invalid symbol 33, offset 0"),
        (format!("{text}{text}"), "extraneous data in CBOR input"),
        (text[..100].to_owned(), "not a COSE_Sign1 with tag 18"),
        ("0oRDoQEmoED2".to_owned(), "not a COSE_Sign1 with tag 18"),
        ("QUFB".to_owned(), "not a COSE_Sign1 with tag 18"),
        (
            "0oRDoQEmoEOjAQJA".to_owned(),
            "protected header: type (16) is not",
        ),
        ("{\"a\": 1}".to_owned(), "Invalid symbol 123, offset 0"),
    ];
    for (content, says) in bad {
        dir.write("bad", &content);
        dir.run("show bad").failed(1, says);
        let said = dir.run("show bad --json");
        assert_eq!(said.code, 1);
        let why = said.json()["error"].as_str().expect("text").to_owned();
        assert!(why.contains(says), "{why}");
        assert_eq!(said.err, "");
    }
    dir.run("show none").failed(78, "none: No such file");
    dir.run("show .").failed(78, "Is a directory");
    let mut zeros = vec![0; 70_000];
    zeros[0] = 0xD2;
    dir.write("long", zeros);
    dir.run("show long").failed(78, "longer than 65536 bytes");
}
