//! The passphrase of an encrypted HV key.

use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};

use crate::support::{Dir, KINDS, VM, token_tool};

/// An HV whose key OpenSSL has encrypted with `correct horse`, which `passphrase` holds.
fn encrypted(genpkey: &str, way: &str) -> Dir {
    let dir = Dir::of_operator(genpkey);
    dir.write("passphrase", "correct horse\n");
    dir.write("wrong", "wrong horse\n");
    for file in ["passphrase", "wrong"] {
        dir.set_mode(file, 0o600);
    }
    let encrypt = "pkcs8 -topk8 -in hv.key.pem -out enc.pem -passout file:passphrase";
    dir.openssl(&format!("{encrypt} {way}"));
    dir.openssl("pkey -in enc.pem -passin file:passphrase -noout");
    std::fs::rename(dir.path("enc.pem"), dir.path("hv.key.pem")).expect("both are there");
    dir.set_mode("hv.key.pem", 0o600);
    dir
}

#[test]
fn a_file_holds_it() {
    for (genpkey, _) in KINDS {
        for way in ["-v2 aes256", "-scrypt"] {
            let dir = encrypted(genpkey, way);
            let issue = "--vm-cert vm.pem --out token --passphrase-file";
            dir.issue(&format!("{issue} passphrase")).good();
            dir.run("verify token --hv-cert hv.cert.pem").good();
            let wrong = dir.issue(&format!("{issue} wrong"));
            wrong.failed(78, "hv.key.pem: the passphrase is wrong");
        }
    }
    let dir = encrypted("ed25519", "-v2 aes256");
    dir.write("empty", "\ncorrect horse\n");
    dir.set_mode("empty", 0o600);
    let empty = dir.issue("--vm-cert vm.pem --out token --passphrase-file empty");
    empty.failed(78, "empty: its first line is empty");
    dir.write("long", "x".repeat(5000));
    dir.set_mode("long", 0o600);
    let long = dir.issue("--vm-cert vm.pem --out token --passphrase-file long");
    long.failed(78, "longer than 1024 bytes");
}

/// Runs `issue` on a terminal of its own and types that when it has asked. Returns its exit code
/// and what the terminal showed.
fn type_at_terminal(dir: &Dir, typed: &[u8]) -> (Option<i32>, String) {
    let issue = format!(
        "{} issue --hv-cert hv.cert.pem --hv-key hv.key.pem --vm {VM} --vm-cert vm.pem \
         --agent-key agent.pub --out token",
        token_tool().get_program().display()
    );
    let mut script = Command::new("script")
        .args(["--quiet", "--return", "--command", &issue, "/dev/null"])
        .current_dir(dir.path(""))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("script is installed");
    let mut shown = Vec::new();
    let mut screen = script.stdout.take().expect("piped");
    while !shown.ends_with(QUESTION) {
        let mut byte = [0];
        screen.read_exact(&mut byte).expect("it asks");
        shown.extend(byte);
    }
    let mut keyboard = script.stdin.take().expect("piped");
    keyboard.write_all(typed).expect("it reads");
    screen.read_to_end(&mut shown).expect("it ends");
    drop(keyboard);
    let code = script.wait().expect("it ends").code();
    (code, String::from_utf8_lossy(&shown).into_owned())
}

const QUESTION: &[u8] = b"Passphrase of hv.key.pem: ";

#[test]
fn it_is_asked_for_on_the_terminal_and_not_shown() {
    let dir = encrypted("ed25519", "-v2 aes256");
    let (code, shown) = type_at_terminal(&dir, b"correct horse\n");
    assert_eq!(code, Some(0), "{shown}");
    assert!(!shown.contains("horse"), "{shown}");
    dir.run("verify token --hv-cert hv.cert.pem").good();
    for (typed, code, says) in [
        (&b"wrong horse\n"[..], 78, "the passphrase is wrong"),
        (b"\n", 77, "no passphrase was given"),
        (b"correct\x03", 77, "no passphrase was given"),
    ] {
        let (ended, shown) = type_at_terminal(&dir, typed);
        assert_eq!(ended, Some(code), "{shown}");
        assert!(shown.contains(says) && !shown.contains("horse"), "{shown}");
    }
}

#[test]
fn without_a_terminal_a_file_is_asked_for() {
    let dir = encrypted("ed25519", "-v2 aes256");
    // A session of its own has no terminal.
    let mut session = Command::new("setsid");
    let tool = token_tool();
    session.arg("--wait").arg(tool.get_program());
    let issue = "issue --hv-cert hv.cert.pem --hv-key hv.key.pem --vm-cert vm.pem \
                 --agent-key agent.pub --out token --vm";
    session.args(issue.split_whitespace()).arg(VM);
    let said = dir.say(session, b"correct horse\n");
    said.failed(69, "no terminal to ask on");
    assert!(said.err.contains("use --passphrase-file"), "{}", said.err);
}
