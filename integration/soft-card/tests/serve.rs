//! The program: personalised, served, and driven through its socket.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use soft_card::vpcd::{read_frame, write_frame};
use tempfile::TempDir;

const SELECT: &[u8] =
    b"\x00\xA4\x04\x00\x10\xA0\x00\x00\x00\x30\x00\x02\xFF\xFF\xFF\xFF\x89128\x00";
const VERIFY: &[u8] = b"\xA0\x20\x00\x00\x041234";
const NEXT_IDENTITY: &[u8] = b"\xA0\x17\x00\x01\x00";

/// A folder with the parts of an identity.
struct Fixture {
    folder: TempDir,
}

/// A running program, ended with the value.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Fixture {
    fn new() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca_key = KeyPair::generate().expect("P-256");
        let ca = CertifiedIssuer::self_signed(params, ca_key).expect("fixed parameters");
        let key = KeyPair::generate().expect("P-256");
        let params = CertificateParams::new(["web01.example.org".to_owned()]).expect("a name");
        let certificate = params.signed_by(&key, &ca).expect("fixed parameters");
        for (name, text) in [
            ("key.pem", key.serialize_pem()),
            ("cert.pem", certificate.pem()),
            ("ca.pem", ca.pem()),
            ("pin", "1234\n".to_owned()),
            ("no-pin", "12\n".to_owned()),
            ("piv-pin", "123456\n".to_owned()),
        ] {
            std::fs::write(folder.path().join(name), text).expect("a writable folder");
        }
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn personalise(&self, name: &str, pin_file: &str) -> Output {
        let mut command = program();
        command.arg("personalise").arg("--name").arg(name);
        for (option, file) in [
            ("--dir", "card"),
            ("--key", "key.pem"),
            ("--cert", "cert.pem"),
            ("--ca", "ca.pem"),
            ("--pin-file", pin_file),
        ] {
            command.arg(option).arg(self.path(file));
        }
        command.output().expect("the program starts")
    }

    /// Puts the key in a slot of a PIV card.
    fn personalise_piv(&self, slot: &str, pin_file: &str, more: &[&str]) -> Output {
        let mut command = program();
        command.args(["personalise", "--slot", slot]).args(more);
        for (option, file) in [
            ("--dir", "card"),
            ("--key", "key.pem"),
            ("--cert", "cert.pem"),
            ("--pin-file", pin_file),
        ] {
            command.arg(option).arg(self.path(file));
        }
        command.output().expect("the program starts")
    }

    fn serve(&self, address: &str, more: &[&str]) -> Running {
        let mut command = program();
        command
            .args(["serve", "--connect", address, "--dir"])
            .arg(self.path("card"))
            .args(more);
        Running(
            command
                .stdout(Stdio::piped())
                .spawn()
                .expect("the program starts"),
        )
    }
}

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_soft-card"))
}

fn transmit(link: &mut (impl std::io::Read + std::io::Write), command: &[u8]) -> Vec<u8> {
    write_frame(link, command).expect("the card is there");
    read_frame(link)
        .expect("the card answers")
        .expect("and stays")
        .to_vec()
}

#[test]
fn a_personalised_card_answers_over_a_unix_socket() {
    let fixture = Fixture::new();
    assert!(fixture.personalise("web01", "pin").status.success());
    let socket = fixture.path("vicc.sock");
    let listener = UnixListener::bind(&socket).expect("a fresh path");
    let address = format!("unix:{}", socket.display());
    let mut card = fixture.serve(&address, &["--timing", "paper", "--once"]);

    let (mut link, _) = listener.accept().expect("the card connects");
    link.set_read_timeout(Some(Duration::from_secs(20)))
        .expect("a socket");
    write_frame(&mut link, &[0x01]).expect("power on");
    assert_eq!(transmit(&mut link, &[0x04]), soft_card::ATR);
    assert_eq!(transmit(&mut link, SELECT), [0x90, 0]);
    assert_eq!(transmit(&mut link, VERIFY), [0x90, 0]);
    assert_eq!(transmit(&mut link, NEXT_IDENTITY), *b"web01\x90\x00");
    drop(link);

    let lines = BufReader::new(card.0.stdout.take().expect("piped")).lines();
    let lines: Vec<_> = lines.map(|line| line.expect("text")).collect();
    assert!(
        lines[0].starts_with("timing paper: 170 us per byte"),
        "{lines:?}"
    );
    assert_eq!(lines[1..], [format!("card ready: {address}")]);
    assert!(
        card.0.wait().expect("ended").success(),
        "--once ends with the reader"
    );
}

#[test]
fn a_piv_card_is_served_as_what_it_was_personalised_for() {
    let fixture = Fixture::new();
    let options = ["--profile", "piv", "--gzip"];
    let personalised = fixture.personalise_piv("9E", "piv-pin", &options);
    assert!(personalised.status.success(), "{personalised:?}");
    let socket = fixture.path("vicc.sock");
    let listener = UnixListener::bind(&socket).expect("a fresh path");
    let _card = fixture.serve(&format!("unix:{}", socket.display()), &["--once"]);

    let (mut link, _) = listener.accept().expect("the card connects");
    assert_eq!(transmit(&mut link, &[0x04]), soft_card::ATR_PIV);
    let select = b"\x00\xA4\x04\x00\x09\xA0\x00\x00\x03\x08\x00\x00\x10\x00\x00";
    assert!(transmit(&mut link, select).ends_with(&[0x90, 0]));
    let get_certificate = b"\x00\xCB\x3F\xFF\x05\x5C\x03\x5F\xC1\x01\x00";
    let object = transmit(&mut link, get_certificate);
    assert_eq!(object[..2], [0x53, 0x82], "{object:02X?}");
}

#[test]
fn a_profile_that_does_not_fit_is_refused() {
    let fixture = Fixture::new();
    let code = |output: Output| output.status.code();
    let piv = |slot, pin, more: &[&str]| code(fixture.personalise_piv(slot, pin, more));
    assert_eq!(piv("9f", "piv-pin", &[]), Some(64), "no slot");
    assert_eq!(piv("9a", "piv-pin", &["--profile", "eap-tls"]), Some(64));
    assert_eq!(piv("9a", "piv-pin", &["--name", "web01"]), Some(64));
    assert_eq!(piv("9a", "pin", &[]), Some(78), "four digits");
    assert_eq!(piv("9a", "piv-pin", &["--puk-file", "nowhere"]), Some(78));
    assert!(!fixture.path("card").exists(), "nothing was made");
    assert_eq!(piv("9a", "piv-pin", &[]), Some(0));
    assert_eq!(piv("9a", "piv-pin", &[]), Some(1), "the slot is taken");
    assert_eq!(code(fixture.personalise("web01", "pin")), Some(78));
    let mut serve = program();
    serve.args([
        "serve",
        "--once",
        "--profile",
        "eap-tls",
        "--connect",
        "unix:/nowhere/s",
        "--dir",
    ]);
    let output = serve.arg(fixture.path("card")).output();
    let output = output.expect("the program starts");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("a card of profile piv"), "{said}");
    assert_eq!(output.status.code(), Some(78));
}

#[test]
fn a_removed_card_comes_back_over_tcp() {
    let fixture = Fixture::new();
    assert!(fixture.personalise("web01", "pin").status.success());
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound").to_string();
    let _card = fixture.serve(&address, &["--fault", "removed@2"]);

    let (mut link, _) = listener.accept().expect("the card connects");
    assert_eq!(transmit(&mut link, SELECT), [0x90, 0]);
    write_frame(&mut link, VERIFY).expect("the card is there");
    assert!(
        read_frame(&mut link).expect("a clean end").is_none(),
        "the card was removed"
    );

    let (mut link, _) = listener.accept().expect("the card comes back");
    assert_eq!(
        transmit(&mut link, VERIFY),
        [0x69, 0x86],
        "and was without power"
    );
}

#[test]
fn the_exit_code_says_what_is_wrong() {
    let fixture = Fixture::new();
    let code = |output: Output| output.status.code();
    assert_eq!(code(fixture.personalise("web01", "no-pin")), Some(78));
    assert_eq!(code(fixture.personalise("web01", "missing")), Some(78));
    assert!(!fixture.path("card").exists(), "nothing was made");
    assert_eq!(code(fixture.personalise("web01", "pin")), Some(0));
    assert_eq!(
        code(fixture.personalise("web01", "pin")),
        Some(1),
        "the name is taken"
    );
    assert_eq!(code(fixture.personalise("", "pin")), Some(64));

    let serve = |directory: &Path, address: &str| {
        let mut command = program();
        command
            .args(["serve", "--once", "--connect", address, "--dir"])
            .arg(directory);
        command.output().expect("the program starts").status.code()
    };
    assert_eq!(serve(&fixture.path("card"), "nonsense"), Some(64));
    assert_eq!(
        serve(&fixture.path("card"), "unix:/nowhere/vicc.sock"),
        Some(69)
    );
    assert_eq!(
        serve(&fixture.path("nowhere"), "unix:/nowhere/vicc.sock"),
        Some(78)
    );
    assert_eq!(
        program()
            .arg("--help")
            .status()
            .expect("the program starts")
            .code(),
        Some(0)
    );
}
