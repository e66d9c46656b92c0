//! `keygen`.

use crate::support::Dir;

const KINDS: [(&str, &str, &str); 4] = [
    ("rsa3072", "RSA 3072", "3072 bit"),
    ("rsa4096", "RSA 4096", "4096 bit"),
    ("p256", "P-256", "256 bit"),
    ("ed25519", "Ed25519", "ED25519"),
];

#[test]
fn openssl_reads_each_kind_of_key_and_certificate() {
    for (alg, kind, says) in KINDS {
        let dir = Dir::new();
        let made = dir
            .run(&format!(
                "keygen --name hv1 --out new/hv --alg {alg} --json"
            ))
            .good();
        let made = made.json();
        assert_eq!(made["kind"], kind);
        assert_eq!(made["encrypted"], false);
        assert_eq!(dir.mode("new/hv"), 0o700);
        assert_eq!(dir.mode("new/hv/hv.key.pem"), 0o600);
        assert_eq!(dir.mode("new/hv/hv.cert.pem"), 0o644);

        let certificate = dir.openssl("x509 -in new/hv/hv.cert.pem -noout -text");
        for part in [
            says,
            "Subject: CN = hv1",
            "Issuer: CN = hv1",
            "CA:TRUE, pathlen:0",
        ] {
            assert!(certificate.contains(part), "{part}: {certificate}");
        }
        assert!(
            certificate.contains("Digital Signature, Certificate Sign"),
            "{certificate}"
        );
        let public = dir.openssl("pkey -in new/hv/hv.key.pem -pubout");
        assert_eq!(
            dir.openssl("x509 -in new/hv/hv.cert.pem -noout -pubkey"),
            public
        );
        let fingerprint = dir.openssl("x509 -in new/hv/hv.cert.pem -noout -fingerprint -sha256");
        let hash = fingerprint
            .trim()
            .rsplit('=')
            .next()
            .expect("a hash")
            .replace(':', "");
        assert_eq!(made["hv"], format!("hv:sha256:{}", hash.to_lowercase()));
        assert_eq!(made["pin"], format!("SHA256:{}", hash.to_lowercase()));
        dir.openssl("verify -CAfile new/hv/hv.cert.pem new/hv/hv.cert.pem");
    }
}

#[test]
fn the_days_are_those_of_the_certificate() {
    let dir = Dir::new();
    dir.run("keygen --name hv1 --out . --alg ed25519 --days 2")
        .good();
    let still = |seconds: u32| format!("x509 -in hv.cert.pem -noout -checkend {seconds}");
    dir.openssl(&still(2 * 86_400 - 600));
    let mut openssl = std::process::Command::new("openssl");
    openssl.args(still(2 * 86_400).split(' '));
    assert_eq!(dir.say(openssl, b"").code, 1);
    for days in ["0", "36501", "-1", "many"] {
        let wrong = format!("keygen --name hv1 --out x --alg ed25519 --days {days}");
        assert_eq!(dir.run(&wrong).code, 64, "{days}");
    }
    let name = "n".repeat(65);
    assert_eq!(dir.run(&format!("keygen --name {name} --out x")).code, 64);
    assert!(!dir.path("x").exists());
}

#[test]
fn nothing_is_overwritten() {
    for there in ["hv.key.pem", "hv.cert.pem"] {
        let dir = Dir::new();
        dir.write(there, "precious");
        dir.run("keygen --name hv1 --out . --alg ed25519")
            .failed(77, "is not overwritten");
        assert_eq!(dir.read(there), "precious");
        assert_eq!(dir.files(), [there]);
    }
    let dir = Dir::new();
    dir.write("file", "");
    dir.run("keygen --name hv1 --out file --alg ed25519")
        .failed(78, "file");
}

#[test]
fn a_key_is_encrypted_with_the_first_line_of_the_file() {
    for (alg, kind, _) in KINDS.into_iter().filter(|(alg, ..)| *alg != "rsa4096") {
        let dir = Dir::new();
        dir.write("passphrase", "correct horse\nbattery\n");
        let keygen = format!("keygen --name hv1 --out . --alg {alg} --passphrase-file passphrase");
        dir.run(&keygen).failed(78, "run chmod 0600");
        assert_eq!(dir.files(), ["passphrase"]);
        dir.set_mode("passphrase", 0o600);
        let said = dir.run(&keygen).good();
        assert!(
            said.out.contains(&format!("({kind}, encrypted)")),
            "{}",
            said.out
        );
        assert!(said.out.contains("hv_pins = [\"SHA256:"), "{}", said.out);
        let pem = dir.read("hv.key.pem");
        assert!(
            pem.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"),
            "{pem}"
        );
        // With an OpenSSL that knows nothing of us.
        let public = dir.openssl("pkey -in hv.key.pem -pubout -passin file:passphrase");
        assert_eq!(dir.openssl("x509 -in hv.cert.pem -noout -pubkey"), public);
        let scheme = dir.openssl("asn1parse -in hv.key.pem");
        for part in ["PBES2", "scrypt", "aes-256-cbc"] {
            assert!(scheme.contains(part), "{scheme}");
        }
    }
}

#[test]
fn a_key_in_a_card_is_neither_made_nor_encrypted() {
    let dir = Dir::new();
    let keygen = "keygen --name hv1 --out .";
    for wrong in [
        "--hv-key hv.key.pem",
        "--hv-key pcsc:Reader",
        "--hv-key pcsc:Reader#9c --alg p256",
        "--hv-key pcsc:Reader#9c --passphrase-file passphrase",
        "--public-key hv.pub",
        "--pin-file hv.pin",
    ] {
        assert_eq!(dir.run(&format!("{keygen} {wrong}")).code, 64, "{wrong}");
    }
    // What is wrong with the files is said before the card is looked for.
    dir.write("hv.cert.pem", "precious");
    let in_card = format!("{keygen} --hv-key pcsc:Reader#9c");
    dir.run(&in_card).failed(77, "hv.cert.pem exists");
    let in_card = in_card.replace("--out .", "--out new");
    dir.write("hv.pin", "123456\n");
    let with_pin = format!("{in_card} --pin-file hv.pin");
    dir.run(&with_pin).failed(78, "run chmod 0600");
    dir.set_mode("hv.pin", 0o600);
    dir.write("hv.pub", "no key");
    let with_key = format!("{with_pin} --public-key hv.pub");
    dir.run(&with_key).failed(78, "hv.pub: no line");
    dir.write("hv.pub", "");
    dir.run(&with_key)
        .failed(78, "make the key with the vendor's tool");
    assert!(!dir.path("new").exists());
}
