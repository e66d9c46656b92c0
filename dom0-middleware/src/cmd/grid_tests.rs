//! `grid` as an operator meets it, with a grid in the same process.

use clap::Parser;
use proto::apdu::{CommandApdu, ResponseApdu, StatusWord};

use super::{grid_apdu, grid_list};
use crate::cli::{Cli, Command, GridCommand};
use crate::error::MiddlewareError;
use crate::exit_code::ExitCode;
use crate::racs::client::testing::{Pki, SERVER, TinyGrid, serve};

/// Echoes data; INS 18 answers with P1P2.
fn card(command: Option<&CommandApdu>) -> ResponseApdu {
    let Some(command) = command else {
        return ResponseApdu::new(Vec::new(), StatusWord(0x9000));
    };
    let sw = match command.ins {
        0x18 => u16::from_be_bytes([command.p1, command.p2]),
        _ => 0x9000,
    };
    ResponseApdu::new(command.data().to_vec(), StatusWord(sw))
}

struct Bench {
    pki: Pki,
    address: String,
}

impl Bench {
    fn new() -> Self {
        let pki = Pki::new();
        let mut grid = TinyGrid {
            seid: "se-00",
            card,
            powered: false,
        };
        let address = serve(pki.server(2100).both, move |_, request| {
            grid.answer(request)
        });
        Self { pki, address }
    }

    /// What `grid WORDS` prints, and how it ends.
    fn run(&self, words: &[&str]) -> (String, Result<(), MiddlewareError>) {
        let path = |name| self.pki.path(name).display().to_string();
        let (cert, key, ca) = (path("client.pem"), path("client.key"), path("ca.pem"));
        let mut line = vec!["dom0-middleware", "grid"];
        line.extend(words);
        line.extend(["--cert", &cert, "--key", &key, "--ca", &ca]);
        line.extend(["--server-name", SERVER]);
        let mut out = Vec::new();
        let result = match Cli::try_parse_from(line).expect("a command line").command {
            Command::Grid(GridCommand::List(args)) => grid_list::run(&args, &mut out),
            Command::Grid(GridCommand::Apdu(args)) => grid_apdu::run(&args, &mut out),
            other => panic!("{other:?}"),
        };
        (String::from_utf8(out).expect("text"), result)
    }

    fn apdu(&self, words: &[&str]) -> (String, Result<(), MiddlewareError>) {
        let mut line = vec!["apdu", self.address.as_str(), "se-00"];
        line.extend(words);
        self.run(&line)
    }

    fn script(&self, text: &str) -> String {
        let path = self.pki.path("script.apdu");
        std::fs::write(&path, text).expect("written");
        format!("@{}", path.display())
    }
}

#[test]
fn elements_are_listed() {
    let bench = Bench::new();
    let (out, result) = bench.run(&["list", &bench.address]);
    result.expect("listed");
    assert_eq!(out, "SEID\nse-00\n");
    let (out, result) = bench.run(&["list", &bench.address, "--json"]);
    result.expect("listed");
    let json: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(json["elements"], serde_json::json!(["se-00"]));
}

#[test]
fn apdus_are_answered_and_their_data_is_not_repeated() {
    let bench = Bench::new();
    let (out, result) = bench.apdu(&["0010000002AABB=9000", "00186A82"]);
    result.expect("any status will do where none is named");
    assert_eq!(
        out,
        "APDU 1  00100000  9000  AABB\nAPDU 2  00186A82  6A82\n"
    );
    // 0020 is VERIFY; its PIN is in no output but the echo of this card.
    let (out, _) = bench.apdu(&["--json", "0020000004 31323334"]);
    let json: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(json["answers"][0]["header"], "00200000");
    assert_eq!(json["good"], true);
}

#[test]
fn a_script_stops_at_a_status_that_had_to_be_another() {
    let bench = Bench::new();
    let script = bench.script("0010000001AA =9000\n# refused\n0018698500 =9000\n0010000001BB\n");
    for batch in ["1", "13"] {
        let (out, result) = bench.apdu(&[&script, "--batch", batch]);
        let error = result.expect_err("stopped");
        assert_eq!(error.exit_code(), ExitCode::NotSo);
        let said = error.to_string();
        assert!(said.contains("script.apdu:3"), "{said}");
        assert!(out.contains(":1  00100000") && !out.contains("BB"), "{out}");
        assert_eq!(said.contains("6985"), batch == "1", "{said}");
    }
    let (out, result) = bench.apdu(&[&script, "--continue"]);
    let error = result.expect_err("one was another").to_string();
    assert!(
        error.contains("script.apdu:3") && error.contains("6985"),
        "{error}"
    );
    assert!(out.contains("BB"), "{out}");
}

#[test]
fn a_long_script_goes_in_many_requests() {
    let bench = Bench::new();
    let script = bench.script(&"0010000001AA =9000\n".repeat(500));
    for batch in ["1", "13", "100"] {
        let (out, result) = bench.apdu(&[&script, "--json", "--batch", batch]);
        result.expect("all good");
        let json: serde_json::Value = serde_json::from_str(&out).expect("JSON");
        assert_eq!((&json["sent"], &json["of"]), (&500.into(), &500.into()));
        assert_eq!(json["answers"][499]["data"], "AA");
    }
}

#[test]
fn exit_codes_say_whose_fault_it_is() {
    let bench = Bench::new();
    let code = |words: &[&str]| bench.run(words).1.expect_err("a mistake").exit_code();
    let address = bench.address.as_str();
    assert_eq!(
        code(&["apdu", address, "other", "00A40400"]),
        ExitCode::Refused
    );
    assert_eq!(code(&["apdu", address, "se-00", "00A4"]), ExitCode::Usage);
    assert_eq!(code(&["list", "127.0.0.1:1"]), ExitCode::Unavailable);
    let nobody = bench.run(&["list", "127.0.0.1:1"]).1.expect_err("nobody");
    let said = crate::error::Causes(&nobody).to_string();
    assert_eq!(said.matches("127.0.0.1:1").count(), 1, "said once: {said}");
    let script = bench.script("00A40400\n00A4\n");
    let words = ["apdu", address, "se-00", &script];
    let error = bench.run(&words).1.expect_err("no script");
    assert_eq!(error.exit_code(), ExitCode::Configuration);
    let said = crate::error::Causes(&error).to_string();
    assert!(
        said.contains("script.apdu") && said.contains("line 2"),
        "{said}"
    );
    assert_eq!(
        code(&["apdu", address, "se-00", "@/nowhere"]),
        ExitCode::Configuration
    );
}
