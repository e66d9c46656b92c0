//! What one APDU takes by the card source alone, without the server.

use std::process::{Command, Stdio};
use std::thread;

use integration::binaries;
use integration::pcscd::{Pcscd, enter};

use super::card;

/// Microseconds.
pub(super) struct Alone {
    pub(super) p50: f64,
    pub(super) p99: f64,
}

/// APDUs that are sent.
const COUNT: &str = "20000";

/// By the socket of a virtual card.
pub(super) fn by_vicc() -> Alone {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let socket = folder.path().join("reader.sock");
    let program = binaries::example("dom0-middleware", "apdu_round_trip");
    let mut command = Command::new(program.get_program());
    command
        .arg("vicc")
        .arg(&socket)
        .args([COUNT, card::COMMAND]);
    let card = thread::spawn(move || card::into_socket(&socket));
    let alone = read(&mut command);
    card.join().expect("a card");
    alone
}

/// By a reader that nobody uses at the time.
pub(super) fn by_pcscd(pcscd: &Pcscd, reader: &str) -> Alone {
    let program = binaries::example("dom0-middleware", "apdu_round_trip");
    let mut command = enter(pcscd.id(), &program.get_program().to_string_lossy());
    command.args(["pcsc", reader, COUNT, card::COMMAND]);
    read(&mut command)
}

fn read(command: &mut Command) -> Alone {
    let output = command.stdin(Stdio::null()).output().expect("it is there");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("numbers");
    let numbers = text.split_whitespace().map(|number| number.parse());
    let numbers: Result<Vec<f64>, _> = numbers.collect();
    let [p50, p99] = numbers.expect("numbers")[..] else {
        panic!("p50 and p99: {text}");
    };
    Alone { p50, p99 }
}
