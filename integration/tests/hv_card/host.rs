//! A host whose key is in a card in a reader, and what its administrator does there.

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

use crate::token_parts::{der, parts};

pub(crate) const UUID: &str = "7e55e2a0-0000-4000-8000-000000000007";

/// A host whose key is in a card in a reader.
pub(crate) struct Host {
    // Before the folder, so that all end before their files go.
    pub(crate) card: HvCard,
    pub(crate) pcscd: Pcscd,
    pub(crate) hv: Hypervisor,
    pub(crate) folder: TempDir,
}

impl Host {
    pub(crate) fn new(slot: &str, hv: impl FnOnce(&Path) -> Hypervisor) -> Self {
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

    pub(crate) fn with_p256() -> Self {
        Self::new("9c", |folder| Hypervisor::new(folder, "hv"))
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        self.at(name).to_str().expect("a plain path").to_owned()
    }

    /// `token-tool issue` beside the reader, into `token`, with more arguments.
    pub(crate) fn issue(&self, more: &[&str]) -> Output {
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
    pub(crate) fn issue_fails(&self, code: i32, words: &[&str]) {
        let output = self.issue(&[]);
        let said = said(&output);
        assert_eq!(output.status.code(), Some(code), "{said}");
        for word in words.iter().chain(&[self.card.key_name().as_str()]) {
            assert!(said.contains(word), "{word}: {said}");
        }
        assert!(!self.at("token").exists(), "no token");
    }

    pub(crate) fn openssl(&self, arguments: &[&str]) -> Vec<u8> {
        openssl(self.folder.path(), arguments)
    }

    /// `token-tool` and OpenSSL, which knows nothing of tokens, find the token's signature good.
    pub(crate) fn verify(&self, options: &[&str]) {
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
    pub(crate) fn tries(&self) -> u8 {
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
    pub(crate) fn start_middleware(&self) -> Process {
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

    pub(crate) fn wait_channel(&self, middleware: &mut Process) {
        wait::until("the channel", || {
            middleware.expect_running();
            self.at("channel.sock").exists().then_some(())
        });
    }

    pub(crate) fn start_agent(&self) -> Process {
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
    pub(crate) fn wait_dom0(
        &self,
        what: &str,
        as_wished: impl Fn(&Dom0Status) -> bool,
    ) -> Dom0Status {
        wait::until(what, || {
            let status = Client::new(self.at("agent.sock")).status().ok()?;
            Some(status.dom0).filter(|dom0| as_wished(dom0))
        })
    }

    /// The guest is known over the channel's TLS, and told that it is bound to nothing.
    pub(crate) fn expect_known(&self) {
        let dom0 = self.wait_dom0("dom0's no", |dom0| dom0.last_refusal.is_some());
        let refusal = dom0.last_refusal.expect("just seen");
        assert_eq!(refusal.code, "not-bound", "{refusal}");
        assert_eq!(dom0.channel, "tls");
    }

    /// What a command of the administrator prints as JSON.
    pub(crate) fn admin(&self, arguments: &[&str]) -> Option<Value> {
        let mut command = binaries::middleware();
        command.args(arguments).args(["--json", "--admin"]);
        command.arg(self.at("admin.sock"));
        let output = self.card.beside(&command).output().expect("it is there");
        serde_json::from_slice(&output.stdout).ok()
    }

    /// What `doctor` says of a check.
    pub(crate) fn doctor(&self, check: &str) -> Option<String> {
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
pub(crate) fn made_by_openssl(folder: &Path, genpkey: &[&str]) -> Hypervisor {
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

pub(crate) fn openssl(folder: &Path, arguments: &[&str]) -> Vec<u8> {
    let mut command = Command::new("openssl");
    let output = command.args(arguments).current_dir(folder).output();
    let output = output.expect("openssl is there");
    assert!(output.status.success(), "{arguments:?}: {}", said(&output));
    output.stdout
}

pub(crate) fn said(output: &Output) -> String {
    let both = [&output.stdout[..], &output.stderr].concat();
    String::from_utf8_lossy(&both).into_owned()
}
