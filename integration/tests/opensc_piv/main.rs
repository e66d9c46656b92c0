//! A PIV card in the hands of OpenSC, through a real `pcscd`: what other people's programs do with
//! a card, the soft card must stand.

mod desk;

use std::fs;

use integration::chain::{CardPlan, certificate_file};
use integration::pki::{self, KeyKind};

use self::desk::{Desk, PIN, said};

/// A key of each kind that OpenSC of Debian 12 knows.
fn card() -> CardPlan {
    CardPlan::piv("se-00")
        .identity("9a", KeyKind::Rsa2048)
        .identity("9c", KeyKind::P256)
        .identity("9d", KeyKind::Rsa3072)
        .identity("9e", KeyKind::P384)
}

fn certificate(slot: &str) -> String {
    certificate_file("se-00", slot)
}

#[test]
fn opensc_knows_the_card_and_reads_its_certificates() {
    let desk = Desk::new(&card().identity("82", KeyKind::P256));
    let name = desk.done("piv-tool", &["--name"]);
    assert!(
        name.contains("Personal Identity Verification Card"),
        "{name}"
    );
    let list = desk.done("pkcs15-tool", &["--list-certificates"]);
    for (id, slot, label) in [
        ("01", "9a", "Certificate for PIV Authentication"),
        ("02", "9c", "Certificate for Digital Signature"),
        ("03", "9d", "Certificate for Key Management"),
        ("04", "9e", "Certificate for Card Authentication"),
        ("05", "82", "Retired Certificate for Key Management 1"),
    ] {
        assert!(list.contains(&format!("[{label}]")), "{list}");
        let written = desk.certificate_in(&certificate(slot));
        assert_eq!(desk.read_certificate(id), written, "{slot}");
    }
    let keys = desk.done("pkcs15-tool", &["--list-keys"]);
    for reference in ["0x9A", "0x9C", "0x9D", "0x9E", "0x82"] {
        assert!(keys.contains(reference), "{keys}");
    }
}

#[test]
fn opensc_signs_with_every_kind_of_key() {
    let desk = Desk::new(&card());
    signs(&desk);
}

/// Certificates are compressed, commands and answers cut as T=0 wants it.
#[test]
fn so_it_does_over_t0_with_compressed_certificates() {
    let card = card().personalised_with(&["--gzip"]);
    let desk = Desk::new(&card.options(&["--protocol", "t0"]));
    let written = desk.certificate_in(&certificate("9d"));
    assert_eq!(desk.read_certificate("03"), written);
    signs(&desk);
}

fn signs(desk: &Desk) {
    for (id, slot) in [("01", "9a"), ("03", "9d")] {
        desk.sign(id, "SHA256-RSA-PKCS", "message");
        desk.verify(&certificate(slot), "-sha256", &[]);
        desk.sign(id, "SHA384-RSA-PKCS-PSS", "message");
        desk.verify(
            &certificate(slot),
            "-sha384",
            &[
                "-sigopt",
                "rsa_padding_mode:pss",
                "-sigopt",
                "rsa_pss_saltlen:digest",
            ],
        );
    }
    for (id, slot, hash) in [("02", "9c", "-sha256"), ("04", "9e", "-sha384")] {
        desk.openssl(&["dgst", hash, "-binary", "-out", "hash", "message"]);
        desk.sign(id, "ECDSA", "hash");
        desk.verify(&certificate(slot), hash, &[]);
    }
}

#[test]
fn a_wrong_pin_costs_a_try_and_the_puk_gives_a_new_pin() {
    let desk = Desk::new(&card());
    // A card that still takes the PIN for verified tells no number: that is taken back first.
    let ask = ["00A4040009A0000003080000100000", "0020FF80", "00200080"];
    let tries_are = |left: char| {
        let commands = ask.iter().flat_map(|command| ["--send-apdu", command]);
        let arguments: Vec<_> = ["--card-driver", "default"]
            .into_iter()
            .chain(commands)
            .collect();
        let answers = desk.done("opensc-tool", &arguments);
        let expected = format!("SW1=0x63, SW2=0xC{left}");
        assert!(answers.contains(&expected), "{answers}");
    };
    tries_are('3');
    let login = ["--login", "--pin", "111111", "--list-objects"];
    let refused = desk.pkcs11(&login);
    assert!(
        said(&refused).contains("CKR_PIN_INCORRECT"),
        "{}",
        said(&refused)
    );
    tries_are('2');
    desk.sign("01", "SHA256-RSA-PKCS", "message");
    tries_are('3');

    let change = [
        "--change-pin",
        "--auth-id",
        "01",
        "--pin",
        PIN,
        "--new-pin",
        "654321",
    ];
    desk.done("pkcs15-tool", &change);
    let unblock = [
        "--unblock-pin",
        "--auth-id",
        "01",
        "--puk",
        "12345678",
        "--new-pin",
        PIN,
    ];
    desk.done("pkcs15-tool", &unblock);
    desk.done(
        "pkcs15-tool",
        &["--verify-pin", "--auth-id", "01", "--pin", PIN],
    );
}

#[test]
fn piv_tool_puts_certificates_on_the_card() {
    let desk = Desk::new(&card());
    pki::write(desk.folder.path(), "management.key", FACTORY_KEY);
    let renewed = desk.pki.foreign_server("renewed.example", KeyKind::P384);
    let files = renewed.write(desk.folder.path(), "renewed");
    let plain = files.certificate.to_str().expect("a plain path");
    desk.openssl(&[
        "x509",
        "-in",
        plain,
        "-outform",
        "DER",
        "-out",
        "renewed.der",
    ]);
    let input = desk.path("renewed.der");
    let gzip = std::process::Command::new("gzip")
        .arg("--stdout")
        .arg(input)
        .output();
    fs::write(desk.path("renewed.gz"), gzip.expect("gzip is there").stdout).expect("writable");
    let compressed = desk.path("renewed.gz");
    let compressed = compressed.to_str().expect("a plain path");

    // Whatever comes of it, the tool ends with another code than 0: what counts is on the card.
    desk.opensc("piv-tool", &["--cert", "9E", "--in", plain]);
    let former = desk.certificate_in(&certificate("9e"));
    assert_eq!(
        desk.read_certificate("04"),
        former,
        "nobody proved to manage the card"
    );
    for (option, slot, id, file) in [
        ("--cert", "9E", "04", plain),
        ("--compresscert", "9C", "02", compressed),
    ] {
        let output = desk.opensc(
            "piv-tool",
            &["--admin", "M:9B:03", option, slot, "--in", file],
        );
        let read = desk.read_certificate(id);
        assert_eq!(
            read,
            renewed.certificate.to_vec(),
            "{slot}: {}",
            said(&output)
        );
    }
}

/// As OpenSC reads it from a file.
const FACTORY_KEY: &str =
    "01:02:03:04:05:06:07:08:01:02:03:04:05:06:07:08:01:02:03:04:05:06:07:08\n";
