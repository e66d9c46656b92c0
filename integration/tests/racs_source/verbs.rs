//! `dom0-middleware grid` against a real server.

use std::path::{Path, PathBuf};
use std::process::Output;

use integration::binaries;
use integration::pki::{self, Authority, KeyKind};
use integration::ports;
use integration::racs_user::{SERVER_NAME, for_owner};
use serde_json::{Value, json};

use super::{Grid, HOST_A, eap_card};

/// Who asks, and whom it believes.
struct Asker {
    certificate: PathBuf,
    key: PathBuf,
    ca: PathBuf,
}

impl Asker {
    fn known(grid: &Grid) -> Self {
        let (ca, own) = grid.desk.files_of(HOST_A);
        Self {
            certificate: own.certificate,
            key: own.key,
            ca,
        }
    }

    fn grid(&self, verb: &str, host: &str, more: &[&str]) -> Output {
        let mut command = binaries::middleware();
        command.args(["grid", verb, host, "--server-name", SERVER_NAME]);
        command.arg("--cert").arg(&self.certificate);
        command
            .arg("--key")
            .arg(&self.key)
            .arg("--ca")
            .arg(&self.ca);
        command.args(more).output().expect("it is there")
    }
}

/// The exit code, and one of these words on standard error.
fn expect(output: &Output, code: i32, words: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    assert!(said.contains(words), "{words}: {said}");
}

fn script(grid: &Grid, text: &str) -> String {
    let file = grid.desk.file("look.apdu", text);
    format!("@{}", file.display())
}

#[test]
fn elements_are_listed_and_a_script_is_played() {
    let grid = Grid::start(eap_card());
    let (asker, host) = (Asker::known(&grid), grid.host());
    let listed = asker.grid("list", &host, &["--json"]);
    expect(&listed, 0, "");
    let listed: Value = serde_json::from_slice(&listed.stdout).expect("JSON");
    assert_eq!(listed, json!({"grid": host, "elements": ["se-00"]}));

    let good = format!(
        "# a look\n00 A4 04 00 {:02X} {} =9000\n\nA0 20 00 00 04 31323334 =9000 # VERIFY\n",
        proto::apdu::Aid::EAP_TLS.as_bytes().len(),
        proto::hex::encode(proto::apdu::Aid::EAP_TLS.as_bytes()),
    );
    let file = script(&grid, &good);
    let played = asker.grid("apdu", &host, &["se-00", &file, "--json"]);
    expect(&played, 0, "");
    let played: Value = serde_json::from_slice(&played.stdout).expect("JSON");
    assert_eq!(
        (&played["good"], &played["sent"], &played["of"]),
        (&json!(true), &json!(2), &json!(2))
    );
    assert_eq!(played["answers"][1]["header"], "A0200000");
    assert!(!played.to_string().contains("31323334"), "no PIN: {played}");

    // What the card answers is not what has to be: nothing behind it is sent.
    let bad = good.replace("4 31323334 =9000 # VERIFY", "4 31323334 =6A88\nA0A60000 ");
    let file = script(&grid, &bad);
    let played = asker.grid("apdu", &host, &["se-00", &file, "--json"]);
    expect(&played, 1, "look.apdu:4");
    let played: Value = serde_json::from_slice(&played.stdout).expect("JSON");
    assert_eq!((&played["good"], &played["of"]), (&json!(false), &json!(3)));
    assert_eq!(played["sent"], 2, "{played}");
    let last = &played["answers"][1];
    assert_eq!(
        (&last["sw"], &last["expected"]),
        (&json!("9000"), &json!("6A88"))
    );
    assert_eq!(grid.chain.pin_tries("se-00"), 3);
}

#[test]
fn what_is_refused_and_what_is_not_there_are_told_apart() {
    let grid = Grid::start(eap_card());
    let (asker, host) = (Asker::known(&grid), grid.host());
    let select = |seid| asker.grid("apdu", &host, &[seid, "00A40400"]);
    expect(&select("se-99"), 77, "-408");
    let mut other = grid.other();
    assert_eq!(other.code("POWERON se-00"), "+008 001");
    expect(&select("se-00"), 77, "-708");
    drop(other);

    let nobody = format!("127.0.0.1:{}", ports::two_free());
    expect(&asker.grid("list", &nobody, &[]), 69, &nobody);
    let folder = grid.chain.folder();
    let believing = |ca: &Authority| Asker {
        ca: pki::write(folder, "asker.ca.pem", &ca.pem()),
        ..Asker::known(&grid)
    };
    let foreign = believing(&grid.pki.foreign);
    expect(
        &foreign.grid("list", &host, &[]),
        77,
        "server's certificate",
    );
    let stranger = stranger(&grid, folder);
    expect(&stranger.grid("list", &host, &[]), 77, "alert");
}

/// Somebody with a certificate of a CA that the server does not know.
fn stranger(grid: &Grid, folder: &Path) -> Asker {
    let own = grid.pki.foreign.identity(HOST_A, KeyKind::P256);
    let own = for_owner(&own, folder, "stranger");
    Asker {
        certificate: own.certificate,
        key: own.key,
        ..Asker::known(grid)
    }
}
