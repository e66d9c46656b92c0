//! `issue`.

use crate::support::{Dir, KINDS, VM, token_tool};

#[test]
fn a_token_of_each_kind_of_key_is_shown_and_verified() {
    for (genpkey, algorithm) in KINDS {
        let dir = Dir::of_operator(genpkey);
        let said = dir.issue("--vm-cert vm.pem --out token").good();
        assert!(
            said.out.contains(VM) && said.out.contains("SHA256:"),
            "{}",
            said.out
        );
        assert_eq!(dir.mode("token"), 0o644);
        let text = dir.read("token");
        let (letters, end) = text.split_at(text.len() - 1);
        let is_letter = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
        assert!(letters.chars().all(is_letter) && end == "\n", "{text}");

        let shown = dir.run("show token --json").good().json();
        assert_eq!(shown["algorithm"], algorithm);
        assert_eq!(shown["vm"], VM);
        assert_eq!(shown["sub"], format!("vm:{VM}"));
        assert_eq!(
            shown["exp"].as_u64(),
            shown["iat"].as_u64().map(|iat| iat + 30 * 86_400)
        );
        assert_eq!(shown["nbf"], serde_json::Value::Null);
        let hash = dir.openssl("x509 -in vm.pem -noout -fingerprint -sha256");
        let hash = hash
            .trim()
            .rsplit('=')
            .next()
            .expect("a hash")
            .replace(':', "");
        assert_eq!(shown["vm_cert_sha256"][0], hash.to_lowercase());
        assert_eq!(shown["cnf"]["public_key"], dir.read("agent.pub"));
        let valid = dir
            .run(&format!("verify token --hv-cert hv.cert.pem --vm {VM}"))
            .good();
        assert!(
            valid
                .out
                .starts_with(&format!("valid for VM {VM} until 20")),
            "{}",
            valid.out
        );
    }
}

#[test]
fn into_a_folder_it_goes_by_the_uuid_for_its_owner_alone() {
    let dir = Dir::of_operator("ed25519");
    std::fs::create_dir(dir.path("tokens")).expect("our own folder");
    let file = format!("tokens/{VM}.token");
    let said = dir.issue("--vm-cert vm.pem --out tokens").good();
    assert!(said.out.contains(&file), "{}", said.out);
    assert_eq!(dir.mode(&file), 0o600);
    dir.run(&format!("verify {file} --hv-cert hv.cert.pem --vm {VM}"))
        .good();
    let first = dir.read(&file);
    let made = dir.issue("--vm-cert vm.pem --out tokens/ --json").good();
    assert_eq!(made.json()["file"], file);
    assert_ne!(dir.read(&file), first);
    let folder = std::fs::read_dir(dir.path("tokens")).expect("there");
    assert_eq!(folder.count(), 1, "nothing else is left behind");
}

#[test]
fn an_rsa_key_signs_rs256_when_told() {
    let dir = Dir::of_operator(KINDS[0].0);
    for (alg, shown) in [("rs256", "RS256"), ("ps256", "PS256")] {
        dir.issue(&format!("--vm-cert vm.pem --out token --alg {alg}"))
            .good();
        assert_eq!(
            dir.run("show token --json").good().json()["algorithm"],
            shown
        );
        dir.run("verify token --hv-cert hv.cert.pem").good();
    }
    for (genpkey, _) in &KINDS[1..] {
        let dir = Dir::of_operator(genpkey);
        let refused = dir.issue("--vm-cert vm.pem --out token --alg rs256");
        refused.failed(64, "--alg: the HV key cannot sign with RS256");
        assert!(!dir.path("token").exists());
    }
}

#[test]
fn everything_that_can_be_said_is_in_the_token() {
    let dir = Dir::of_operator("ed25519");
    dir.openssl("genpkey -algorithm ec -pkeyopt ec_paramgen_curve:P-256 -out agent.key");
    dir.openssl("pkey -in agent.key -pubout -out agent.pub");
    dir.hv("ed25519", "second");
    let more = "--vm-cert vm.der --vm-cert second.cert.pem --days 7 --hv-domain rack-7 \
                --not-before 2026-01-01T00:00:00Z --out token --json";
    let made = dir.issue(more).good().json();
    let shown = dir.run("show token --json").good().json();
    assert_eq!(shown["cti"], made["cti"]);
    assert_eq!(shown["expires"], made["expires"]);
    assert_eq!(shown["hv_domain"], "rack-7");
    assert_eq!(shown["not_before"], "2026-01-01T00:00:00Z");
    assert_eq!(shown["cnf"]["kind"], "P-256");
    assert_eq!(shown["vm_cert_sha256"].as_array().map(Vec::len), Some(2));
    assert_eq!(
        shown["exp"].as_u64(),
        shown["iat"].as_u64().map(|iat| iat + 7 * 86_400)
    );
    assert_eq!(made["token"], serde_json::Value::Null);

    // PEM and DER are one certificate; text before the PEM does not matter.
    dir.write("told.pem", format!("web01\n{}", dir.read("vm.pem")));
    let twice = dir.issue("--vm-cert vm.der --vm-cert told.pem --out token");
    twice.failed(64, "given twice");
}

#[test]
fn every_token_has_another_id_and_replaces_the_one_before() {
    let dir = Dir::of_operator("ed25519");
    let mut ids = Vec::new();
    for _ in 0..3 {
        let made = dir
            .issue("--vm-cert vm.pem --out token --json")
            .good()
            .json();
        ids.push(made["cti"].as_str().expect("text").to_owned());
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 3, "{ids:?}");
    let is_new = |name: &String| name.contains("new");
    assert_eq!(dir.files().iter().filter(|name| is_new(name)).count(), 0);
}

#[test]
fn a_token_to_stdout_is_alone_there_and_the_line_for_the_guest_works() {
    let dir = Dir::of_operator("ed25519");
    let said = dir.issue("--vm-cert vm.pem --out -").good();
    assert!(said.err.contains("Token id"), "{}", said.err);
    let verified = dir.run_with_input("verify - --hv-cert hv.cert.pem", said.out.as_bytes());
    verified.good();

    let said = dir.issue("--vm-cert vm.pem --print-line").good();
    assert!(
        said.out
            .ends_with("mv /etc/domu-agent/token.new /etc/domu-agent/token\n")
    );
    let said = dir
        .issue("--vm-cert vm.pem --print-line --guest-file guest's --out token")
        .good();
    assert_eq!(said.out.lines().count(), 1, "{}", said.out);
    let mut shell = std::process::Command::new("sh");
    shell.arg("-c").arg(&said.out);
    dir.say(shell, b"").good();
    assert_eq!(dir.read("guest's"), dir.read("token"));
    assert!(!dir.path("guest's.new").exists());
}

#[test]
fn the_agent_s_key_may_come_through_stdin_but_not_its_private_one() {
    let dir = Dir::of_operator("ed25519");
    let issue = format!(
        "issue --hv-cert hv.cert.pem --hv-key hv.key.pem --vm {VM} --vm-cert vm.pem --out token"
    );
    let public = dir.read("agent.pub");
    let piped = dir.run_with_input(&format!("{issue} --agent-key -"), public.as_bytes());
    piped.good();
    let nothing = dir.run(&format!("{issue} --agent-key -"));
    nothing.failed(78, "stdin: no line \"-----BEGIN PUBLIC KEY-----\"");
    let private = dir.run(&format!("{issue} --agent-key agent.key"));
    private.failed(78, "domu-agent enroll prints the public one");
    let other = dir.run(&format!("{issue} --agent-key vm.pem"));
    other.failed(78, "vm.pem: no line \"-----BEGIN PUBLIC KEY-----\"");
    dir.openssl("genpkey -algorithm ec -pkeyopt ec_paramgen_curve:P-384 -out agent.key");
    dir.openssl("pkey -in agent.key -pubout -out p384.pub");
    let other = dir.run(&format!("{issue} --agent-key p384.pub"));
    other.failed(78, "not an Ed25519 or an uncompressed P-256 public key");
}

#[test]
fn a_key_that_is_not_the_certificate_s_or_that_others_can_read_signs_nothing() {
    let dir = Dir::of_operator("ed25519");
    dir.hv("ed25519", "other");
    let issue = format!("issue --vm {VM} --agent-key agent.pub --vm-cert vm.pem --out token");
    let mixed = dir.run(&format!(
        "{issue} --hv-cert hv.cert.pem --hv-key other.key.pem"
    ));
    mixed.failed(
        78,
        "other.key.pem: not the key of the certificate hv.cert.pem",
    );
    let certificate = dir.run(&format!("{issue} --hv-cert hv.key.pem --hv-key hv.key.pem"));
    certificate.failed(78, "hv.key.pem: no line \"-----BEGIN CERTIFICATE-----\"");
    dir.set_mode("hv.cert.pem", 0o600);
    let key = dir.run(&format!(
        "{issue} --hv-cert hv.cert.pem --hv-key hv.cert.pem"
    ));
    key.failed(78, "PEM block \"CERTIFICATE\", not PKCS#8");
    dir.set_mode("hv.key.pem", 0o640);
    let exposed = dir.run(&format!(
        "{issue} --hv-cert hv.cert.pem --hv-key hv.key.pem"
    ));
    exposed.failed(
        78,
        "hv.key.pem: mode 0640, others can open it: run chmod 0600 on it",
    );
    let missing = dir.run(&format!("{issue} --hv-cert hv.cert.pem --hv-key none.pem"));
    missing.failed(78, "none.pem: No such file");
    assert!(!dir.path("token").exists());
}

#[test]
fn what_no_token_can_say_is_a_mistake_in_the_command_line() {
    let dir = Dir::of_operator("ed25519");
    for wrong in [
        "--days 0",
        "--days 401",
        "--days x",
        "--not-before tomorrow",
        "--alg es256",
    ] {
        assert_eq!(
            dir.issue(&format!("--vm-cert vm.pem --out token {wrong}"))
                .code,
            64,
            "{wrong}"
        );
    }
    let long = "d".repeat(256);
    let long = dir.issue(&format!("--vm-cert vm.pem --out token --hv-domain {long}"));
    long.failed(64, "claim hv_domain: not 1 to 255 bytes");
    dir.issue("--out token").failed(64, "--vm-cert");
    dir.issue("--vm-cert vm.pem").failed(64, "--out");
    dir.issue("--vm-cert vm.key --out token")
        .failed(78, "vm.key: no line");
    dir.write("vm.bad", [0x30, 0x03, 1, 2, 3]);
    dir.issue("--vm-cert vm.bad --out token")
        .failed(78, "vm.bad: not an X.509 certificate");
    assert!(!dir.path("token").exists());
    let nowhere = dir.issue("--vm-cert vm.pem --out nowhere/token");
    nowhere.failed(70, "cannot write nowhere/token");
}

#[test]
fn no_token_outlives_the_hv_certificate() {
    let dir = Dir::of_operator("ed25519");
    // The certificates are good for 90 days.
    let said = dir.issue("--vm-cert vm.pem --days 400 --out token").good();
    assert!(
        said.err.contains("the token ends with the HV certificate"),
        "{}",
        said.err
    );
    assert!(!said.err.contains("vm.pem ends"), "{}", said.err);
    let shown = dir.run("show token --json").good().json();
    assert!((89..=90).contains(&shown["days_left"].as_i64().expect("a number")));
    let late = dir.issue("--vm-cert vm.pem --not-before 2999-01-01T00:00:00Z --out token");
    late.failed(78, "hv.cert.pem: ends at 20");

    dir.openssl("req -x509 -key vm.key -out soon.pem -subj /CN=web01 -days 1");
    let said = dir.issue("--vm-cert soon.pem --out token").good();
    assert!(
        said.err.contains("soon.pem ends before the token"),
        "{}",
        said.err
    );
}

#[test]
fn a_name_needs_the_programs_of_xenstore() {
    let dir = Dir::of_operator("ed25519");
    let mut command = token_tool();
    let issue = "issue --hv-cert hv.cert.pem --hv-key hv.key.pem --vm web01 --vm-cert vm.pem \
                 --agent-key agent.pub --out token";
    command
        .args(issue.split_whitespace())
        .env("PATH", dir.path("empty"));
    let said = dir.say(command, b"");
    said.failed(69, "xenstore-list is not installed");
    assert!(
        said.err.contains("install the package xenstore-utils"),
        "{}",
        said.err
    );
}
