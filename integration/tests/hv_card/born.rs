//! A key that was made in a card, and its certificate, which it signs itself.

use std::fs;
use std::process::{Command, Output};

use integration::hv_card::HvCard;
use integration::hypervisor::Hypervisor;
use integration::pcscd::Pcscd;
use integration::{binaries, pki};
use serde_json::Value;

use crate::PSS;
use crate::host::{Host, made_by_openssl, said};

/// How cards leave the factory.
const FACTORY_KEY: &str =
    "01:02:03:04:05:06:07:08:01:02:03:04:05:06:07:08:01:02:03:04:05:06:07:08\n";

/// What the output of `keygen` calls the certificate that is in the slot.
const IN_SLOT: &str = "the certificate in the slot";

impl Host {
    /// One whose card has no key for it yet.
    fn without_key() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let pcscd = Pcscd::start();
        Self {
            card: HvCard::start_without_key("9c", &pcscd, folder.path()),
            hv: Hypervisor::found(folder.path(), "hv"),
            pcscd,
            folder,
        }
    }

    /// A key on P-256 that OpenSC's tool has the card make. Gives the file with its public part, DER.
    fn make_key(&self) -> String {
        let public = self.text("hv.pub");
        let genkey = ["--admin", "M:9B:03", "--genkey", "9C:11", "--out", &public];
        let mut piv_tool = Command::new("piv-tool");
        piv_tool.args(["--reader", "0"]).args(genkey);
        let said = said(&self.manage(&piv_tool));
        let key = self.card.memory().join("keys/9c.pem");
        assert!(key.exists(), "{said}");
        // The tool of Debian 12 fails to write it.
        let key = key.to_str().expect("a plain path");
        let write = ["pkey", "-in", key, "-pubout", "-outform", "DER"];
        self.openssl(&[&write[..], &["-out", &public]].concat());
        public
    }

    /// A program beside the reader that has the card's management key.
    fn manage(&self, command: &Command) -> Output {
        let key = pki::write(self.folder.path(), "management.key", FACTORY_KEY);
        let mut command = self.card.beside(command);
        let output = command.env("PIV_EXT_AUTH_KEY", key).output();
        output.expect("nsenter is there")
    }

    /// `token-tool keygen` for the key in the card, into that folder, with more arguments.
    fn keygen(&self, out: &str, more: &[&str]) -> Output {
        let mut command = binaries::token_tool();
        command.args([
            "keygen",
            "--name",
            "host1",
            "--json",
            "--out",
            &self.text(out),
        ]);
        command.args(["--hv-key", &self.card.key_name(), "--pin-file"]);
        command.arg(self.card.pin_file()).args(more);
        let mut command = self.card.beside(&command);
        command.output().expect("nsenter is there")
    }

    /// The same, and what it says as JSON.
    fn certify(&self, out: &str, more: &[&str]) -> Value {
        let output = self.keygen(out, more);
        assert!(output.status.success(), "{}", said(&output));
        let made: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(made["key"], self.card.key_name());
        assert_eq!(fs::read_dir(self.at(out)).expect("made").count(), 1);
        made
    }

    /// The same, which ends with this code and says these words, and writes nothing.
    fn certify_fails(&self, more: &[&str], code: i32, words: &[&str]) {
        let output = self.keygen("hv", more);
        let said = said(&output);
        assert_eq!(output.status.code(), Some(code), "{said}");
        for word in words {
            assert!(said.contains(word), "{word}: {said}");
        }
        assert!(!self.at("hv").exists(), "{said}");
    }

    /// What OpenSSL says of a certificate, but for numbers, dates and bytes.
    fn form(&self, certificate: &str) -> Vec<String> {
        let text = self.openssl(&["x509", "-in", certificate, "-noout", "-text"]);
        let text = String::from_utf8(text).expect("text");
        let is_bytes = |line: &str| {
            line.chars()
                .all(|one| one.is_ascii_hexdigit() || one == ':')
        };
        let lines = text.lines().map(str::trim);
        let lines = lines.filter(|line| !is_bytes(line) && !line.starts_with("Not "));
        lines.map(str::to_owned).collect()
    }
}

#[test]
fn a_key_made_in_a_card_certifies_itself_and_the_host_runs_with_it() {
    let host = Host::without_key();
    let public = host.make_key();
    let made = host.certify("hv", &["--public-key", &public]);
    assert_eq!(made["kind"], "P-256");
    assert_eq!(made["public_key_from"], public);
    assert_eq!(made["pin"], host.hv.pin());

    // It is like one that was made for a key in a file, and OpenSSL finds its signature good.
    let _in_file = Hypervisor::new(host.folder.path(), "host1");
    assert_eq!(host.form("hv/hv.cert.pem"), host.form("host1/hv.cert.pem"));
    let (anchor, file) = ("-CAfile", "hv/hv.cert.pem");
    host.openssl(&["verify", "-check_ss_sig", anchor, file, file]);
    let certified = host.openssl(&["x509", "-in", file, "-noout", "-pubkey"]);
    let own = ["pkey", "-pubin", "-inform", "DER", "-in", &public];
    assert_eq!(host.openssl(&own), certified);

    let before = fs::read(host.at(file)).expect("written");
    let again = host.keygen("hv", &["--public-key", &public]);
    assert_eq!(again.status.code(), Some(77), "{}", said(&again));
    assert!(said(&again).contains("is not overwritten"));
    assert_eq!(fs::read(host.at(file)).expect("still there"), before);
    assert_eq!(host.tries(), 3);

    // The card is known by the certificate; the next step puts it there.
    host.issue_fails(
        78,
        &["holds no certificate", "put the HV certificate there"],
    );
    let next = made["next"].as_str().expect("a command");
    let mut shell = Command::new("sh");
    // The tool ends with another code than 0 when it has done its work.
    let told = said(&host.manage(shell.args(["-c", next])));
    let issued = host.issue(&[]);
    assert!(issued.status.success(), "{told}{}", said(&issued));
    host.verify(&[]);
    let mut middleware = host.start_middleware();
    host.wait_channel(&mut middleware);
    let _agent = host.start_agent();
    host.expect_known();

    // Of a key that has its certificate there, nothing else needs to be known.
    let renewed = host.certify("renewed", &["--days", "30"]);
    assert_eq!(renewed["public_key_from"], IN_SLOT);
    assert_ne!(renewed["hv"], made["hv"]);
    assert_eq!(host.tries(), 3);
}

#[test]
fn a_card_that_says_what_its_key_is_needs_no_file() {
    // With a certificate of the key before this one in the slot.
    let mut host = Host::with_p256();
    host.make_key();
    host.card.pull();
    host.pcscd.wait_empty();
    host.card.plug_in_with(&["--metadata"]);
    host.pcscd.wait_card();
    let made = host.certify("made", &[]);
    assert_eq!(made["public_key_from"], "the card");
    let key = host.card.memory().join("keys/9c.pem");
    let key = key.to_str().expect("a plain path");
    let own = host.openssl(&["pkey", "-in", key, "-pubout"]);
    let certified = ["x509", "-in", "made/hv.cert.pem", "-noout", "-pubkey"];
    assert_eq!(host.openssl(&certified), own);
}

#[test]
fn an_rsa_key_certifies_itself_for_tokens_of_both_kinds() {
    let mut host = Host::new("9c", |folder| {
        made_by_openssl(folder, &["rsa", "-pkeyopt", "rsa_keygen_bits:2048"])
    });
    let next = host.certify("next", &[])["next"].clone();
    host.hv = Hypervisor::found(host.folder.path(), "next");
    let file = "next/hv.cert.pem";
    host.openssl(&["verify", "-check_ss_sig", "-CAfile", file, file]);
    let mut shell = Command::new("sh");
    host.manage(shell.args(["-c", next.as_str().expect("a command")]));
    let issued = host.issue(&[]);
    assert!(issued.status.success(), "{}", said(&issued));
    host.verify(&PSS);
}

#[test]
fn a_key_that_nobody_knows_or_that_is_another_one_gets_no_certificate() {
    let mut host = Host::without_key();
    let public = host.make_key();
    let name = host.card.key_name();
    let unknown = ["slot 9c holds no certificate", "--public-key", &name];
    host.certify_fails(&[], 78, &unknown);
    host.certify_fails(
        &["--public-key", "/nowhere/hv.pub"],
        78,
        &["/nowhere/hv.pub"],
    );

    let curve = |curve: &str, file: &str| {
        let key = ["-algorithm", "ec", "-pkeyopt", curve, "-out", "key.pem"];
        host.openssl(&[&["genpkey"], &key[..]].concat());
        host.openssl(&["pkey", "-in", "key.pem", "-pubout", "-out", file]);
        host.text(file)
    };
    let unfit = curve("ec_paramgen_curve:P-384", "p384.pub");
    host.certify_fails(&["--public-key", &unfit], 78, &[&unfit, "P-256"]);
    // Nobody but the signature says that it is another key.
    let other = curve("ec_paramgen_curve:P-256", "other.pub");
    host.certify_fails(
        &["--public-key", &other],
        78,
        &[&name, "does not verify", &other],
    );
    assert_eq!(host.tries(), 3);

    host.card.pull();
    host.pcscd.wait_empty();
    let absent = ["no card in reader", &name];
    host.certify_fails(&["--public-key", &public], 69, &absent);
}

#[test]
fn the_certificate_of_a_former_key_is_told_from_the_key_that_is_there() {
    let host = Host::with_p256();
    let public = host.make_key();
    let name = host.card.key_name();
    // Said before any PIN is sent, and found out by the signature.
    let contradicted = [&name, "another key (P-256)", &public, "given no PIN"];
    let certify = |more: &[&str]| {
        let output = host.keygen("new", more);
        assert_eq!(output.status.code(), Some(78), "{}", said(&output));
        assert!(!host.at("new").exists());
        said(&output)
    };
    let told = certify(&["--public-key", &public]);
    assert!(
        contradicted.iter().all(|word| told.contains(*word)),
        "{told}"
    );
    let told = certify(&[]);
    assert!(told.contains("not that of the certificate there"), "{told}");
    assert_eq!(host.tries(), 3);

    // As the documentation says: whoever has signed the one in the slot, it has the key.
    let vouch = ["-force_pubkey", &public, "-key", "hv/hv.key.pem"];
    let new = ["x509", "-new", "-subj", "/CN=new", "-out", "new.pem"];
    host.openssl(&[&new[..], &vouch].concat());
    let mut piv_tool = Command::new("piv-tool");
    piv_tool.args([
        "--reader", "0", "--admin", "M:9B:03", "--cert", "9C", "--in",
    ]);
    host.manage(piv_tool.arg(host.at("new.pem")));
    assert_eq!(host.certify("new", &[])["public_key_from"], IN_SLOT);
}

#[test]
fn a_certificate_is_not_worth_the_last_pin_try() {
    let host = Host::without_key();
    let public = host.make_key();
    let file = ["--public-key", &public];
    host.card.write_pin("654321\n");
    host.certify_fails(&file, 77, &["did not accept the PIN", "tries left: 2"]);
    host.certify_fails(&file, 77, &["did not accept the PIN", "tries left: 1"]);
    for _ in 0..2 {
        host.certify_fails(&file, 77, &["one PIN try is left", "not spent", "PUK"]);
    }
    host.card.write_right_pin();
    host.certify_fails(&file, 77, &["one PIN try is left"]);
    assert_eq!(host.tries(), 1);
}
