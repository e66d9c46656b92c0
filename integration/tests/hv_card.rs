//! The host's own key in a PIV card: it signs tokens and the channel's certificate, nobody loses the
//! last PIN try over it, and the card may be pulled.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use domu_agent::client::{Client, Dom0Status};
use integration::hv_card::HvCard;
use integration::hypervisor::{Hypervisor, enroll};
use integration::pcscd::Pcscd;
use integration::process::Process;
use integration::{binaries, pki, wait};
use serde_json::Value;
use tempfile::TempDir;

const UUID: &str = "7e55e2a0-0000-4000-8000-000000000007";

/// A host whose key is in a card in a reader.
struct Host {
    // Before the folder, so that all end before their files go.
    card: HvCard,
    pcscd: Pcscd,
    hv: Hypervisor,
    folder: TempDir,
}

impl Host {
    fn new(slot: &str, hv: impl FnOnce(&Path) -> Hypervisor) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let pcscd = Pcscd::start();
        let hv = hv(folder.path());
        let card = HvCard::start(&hv, slot, &pcscd, folder.path());
        Self {
            card,
            pcscd,
            hv,
            folder,
        }
    }

    fn with_p256() -> Self {
        Self::new("9c", |folder| Hypervisor::new(folder, "hv"))
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.at(name).to_str().expect("a plain path").to_owned()
    }

    /// `token-tool issue` beside the reader, into `token`, with more arguments.
    fn issue(&self, more: &[&str]) -> Output {
        let mut command = binaries::token_tool();
        command.args(["issue", "--vm", UUID, "--hv-cert"]);
        command.arg(self.hv.certificate_file());
        command.args(["--hv-key", &self.card.key_name(), "--pin-file"]);
        command.arg(self.card.pin_file()).arg("--vm-cert");
        command.arg(self.hv.certificate_file()).arg("--agent-key");
        command.arg(enroll(&self.at("agent")));
        command.args(["--out", &self.text("token")]).args(more);
        let mut command = self.card.beside(&command);
        command.output().expect("nsenter is there")
    }

    /// The same, which ends with this code and says these words.
    fn issue_fails(&self, code: i32, words: &[&str]) {
        let output = self.issue(&[]);
        let said = said(&output);
        assert_eq!(output.status.code(), Some(code), "{said}");
        for word in words.iter().chain(&[self.card.key_name().as_str()]) {
            assert!(said.contains(word), "{word}: {said}");
        }
        assert!(!self.at("token").exists(), "no token");
    }

    fn openssl(&self, arguments: &[&str]) -> Vec<u8> {
        openssl(self.folder.path(), arguments)
    }

    /// `token-tool` and OpenSSL, which knows nothing of tokens, find the token's signature good.
    fn verify(&self, options: &[&str]) {
        let mut command = binaries::token_tool();
        command.arg("verify").arg(self.at("token")).arg("--hv-cert");
        let output = command.arg(self.hv.certificate_file()).output();
        let output = output.expect("it is there");
        assert!(output.status.success(), "{}", said(&output));
        let token = std::fs::read_to_string(self.at("token")).expect("issued");
        let token = proto::token::from_text(token.trim()).expect("a token");
        let (signed, signature) = parts(&token);
        std::fs::write(self.at("signed"), signed).expect("writable");
        let signature = match options.is_empty() {
            true => der(&signature),
            false => signature,
        };
        std::fs::write(self.at("signature"), signature).expect("writable");
        let certificate = self.hv.certificate_file();
        let certificate = certificate.to_str().expect("a plain path");
        let key = self.openssl(&["x509", "-in", certificate, "-noout", "-pubkey"]);
        std::fs::write(self.at("public.pem"), key).expect("writable");
        let judge = ["dgst", "-sha256", "-verify", "public.pem"];
        let judge = [&judge[..], options, &["-signature", "signature", "signed"]].concat();
        assert_eq!(self.openssl(&judge), b"Verified OK\n");
    }

    /// How many PIN tries the card has left.
    fn tries(&self) -> u8 {
        let mut command = Command::new("opensc-tool");
        command.args(["--reader", "0", "--card-driver", "default"]);
        let select = "00:A4:04:00:09:A0:00:00:03:08:00:00:10:00:00";
        command.args(["--send-apdu", select, "--send-apdu", "00:20:00:80"]);
        let output = self
            .card
            .beside(&command)
            .output()
            .expect("opensc is there");
        let said = said(&output);
        let word = said.split("SW1=0x63, SW2=0xC").nth(1);
        let digit = word.and_then(|rest| rest.chars().next()?.to_digit(16));
        let digit = digit.unwrap_or_else(|| panic!("no counter: {said}"));
        u8::try_from(digit).expect("one digit")
    }

    /// Starts the middleware with its HV key in the card.
    fn start_middleware(&self) -> Process {
        let at = |name: &str| format!("{:?}", self.at(name));
        let text = format!(
            "[service]\nadmin_socket = {}\naudit_file = {}\nstate_file = {}\n\
             [[hv]]\ncert = {:?}\nkey = {:?}\npin_credential = \"hv-card.pin\"\n\
             [[domain]]\ndomid = 7\nuuid = \"{UUID}\"\nname = \"web01\"\n\
             [[channel]]\nkind = \"unix\"\npath = {}\ndomid = 7\n",
            at("admin.sock"),
            at("audit.jsonl"),
            at("state.db"),
            self.hv.certificate_file(),
            self.card.key_name(),
            at("channel.sock"),
        );
        let config = pki::write(self.folder.path(), "dom0-middleware.toml", &text);
        let mut command = binaries::middleware();
        command.arg("serve").arg("--config").arg(config);
        let mut command = self.card.beside(&command);
        // What systemd says of its folder.
        command.env("CREDENTIALS_DIRECTORY", self.folder.path());
        Process::start_silent("dom0-middleware", &mut command, self.folder.path())
    }

    fn wait_channel(&self, middleware: &mut Process) {
        wait::until("the channel", || {
            middleware.expect_running();
            self.at("channel.sock").exists().then_some(())
        });
    }

    fn start_agent(&self) -> Process {
        let at = |name: &str| format!("{:?}", self.at(name));
        let text = format!(
            "[dom0]\nkind = \"unix\"\npath = {}\nkey_file = {}\ntoken_file = {}\n\
             hv_pins = [\"{}\"]\n[agent]\nsocket = {}\n",
            at("channel.sock"),
            at("agent/channel.key.pem"),
            at("token"),
            self.hv.pin(),
            at("agent.sock"),
        );
        let config = pki::write(self.folder.path(), "domu-agent.toml", &text);
        let mut command = binaries::agent();
        command.arg("serve").arg("--config").arg(config);
        Process::start_silent("domu-agent", &mut command, self.folder.path())
    }

    /// What the agent says of dom0 once that is `as_wished`.
    fn wait_dom0(&self, what: &str, as_wished: impl Fn(&Dom0Status) -> bool) -> Dom0Status {
        wait::until(what, || {
            let status = Client::new(self.at("agent.sock")).status().ok()?;
            Some(status.dom0).filter(|dom0| as_wished(dom0))
        })
    }

    /// The guest is known over the channel's TLS, and told that it is bound to nothing.
    fn expect_known(&self) {
        let dom0 = self.wait_dom0("dom0's no", |dom0| dom0.last_refusal.is_some());
        let refusal = dom0.last_refusal.expect("just seen");
        assert_eq!(refusal.code, "not-bound", "{refusal}");
        assert_eq!(dom0.channel, "tls");
    }

    /// What a command of the administrator prints as JSON.
    fn admin(&self, arguments: &[&str]) -> Option<Value> {
        let mut command = binaries::middleware();
        command.args(arguments).args(["--json", "--admin"]);
        command.arg(self.at("admin.sock"));
        let output = self.card.beside(&command).output().expect("it is there");
        serde_json::from_slice(&output.stdout).ok()
    }

    /// What `doctor` says of a check.
    fn doctor(&self, check: &str) -> Option<String> {
        let found = self.admin(&["doctor"])?;
        let found = found.as_array()?.iter().find(|found| {
            let name = found["check"].as_str();
            name.is_some_and(|name| name.starts_with(check))
        })?;
        let text = |key: &str| found[key].as_str().unwrap_or_default().to_owned();
        Some(format!("{} {}", text("level"), text("message")))
    }
}

/// A key as `openssl` makes it and a certificate for it.
fn made_by_openssl(folder: &Path, genpkey: &[&str]) -> Hypervisor {
    let make = ["genpkey", "-out", "hv/hv.key.pem", "-algorithm"];
    std::fs::create_dir(folder.join("hv")).expect("a new folder");
    openssl(folder, &[&make[..], genpkey].concat());
    let certify = [
        "req",
        "-x509",
        "-key",
        "hv/hv.key.pem",
        "-out",
        "hv/hv.cert.pem",
    ];
    openssl(
        folder,
        &[&certify[..], &["-subj", "/CN=hv1", "-days", "30"]].concat(),
    );
    Hypervisor::found(folder, "hv")
}

fn openssl(folder: &Path, arguments: &[&str]) -> Vec<u8> {
    let mut command = Command::new("openssl");
    let output = command.args(arguments).current_dir(folder).output();
    let output = output.expect("openssl is there");
    assert!(output.status.success(), "{arguments:?}: {}", said(&output));
    output.stdout
}

fn said(output: &Output) -> String {
    let both = [&output.stdout[..], &output.stderr].concat();
    String::from_utf8_lossy(&both).into_owned()
}

/// What is signed of a token, a Sig_structure (RFC 9052 §4.4), and its signature. Written out here:
/// nothing of ours is asked.
fn parts(token: &[u8]) -> (Vec<u8>, Vec<u8>) {
    assert_eq!(token[..2], [0xD2, 0x84], "18([4 items])");
    let (protected, rest) = byte_string(&token[2..]);
    assert_eq!(rest[0], 0xA0, "nothing unprotected");
    let (payload, rest) = byte_string(&rest[1..]);
    let (signature, rest) = byte_string(rest);
    assert!(rest.is_empty());
    let aad = b"\x58\x18tessera vm-auth-token v1";
    let signed = [&b"\x84\x6ASignature1"[..], protected, &aad[..], payload].concat();
    let head = signature.len() - length_of(signature);
    (signed, signature[head..].to_vec())
}

/// A byte string of CBOR with its head, and what follows it.
fn byte_string(cbor: &[u8]) -> (&[u8], &[u8]) {
    let (head, length) = head_of(cbor);
    cbor.split_at(head + length)
}

fn length_of(byte_string: &[u8]) -> usize {
    head_of(byte_string).1
}

/// The bytes of a byte string's head, and the length that it says.
fn head_of(cbor: &[u8]) -> (usize, usize) {
    match *cbor {
        [short @ 0x40..=0x57, ..] => (1, usize::from(short - 0x40)),
        [0x58, length, ..] => (2, length.into()),
        [0x59, high, low, ..] => (3, u16::from_be_bytes([high, low]).into()),
        _ => panic!("no byte string: {cbor:02X?}"),
    }
}

/// r and s as OpenSSL takes them.
fn der(fixed: &[u8]) -> Vec<u8> {
    let integer = |number: &[u8]| {
        let zeroes = number.iter().take_while(|byte| **byte == 0).count();
        let number = &number[zeroes..];
        let sign: &[u8] = if number[0] < 0x80 { &[] } else { &[0] };
        let length = u8::try_from(sign.len() + number.len()).expect("33 at most");
        [&[2, length], sign, number].concat()
    };
    let (r, s) = fixed.split_at(32);
    let numbers = [integer(r), integer(s)].concat();
    let length = u8::try_from(numbers.len()).expect("70 at most");
    [&[0x30, length][..], &numbers].concat()
}

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
        fails(&["not sent again", "hv-card.pin"]);
        assert_eq!(host.tries(), 2);
    }
    host.card.write_right_pin();
    let mut middleware = host.start_middleware();
    host.wait_channel(&mut middleware);
    assert_eq!(host.tries(), 3);
}
