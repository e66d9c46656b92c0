//! How long one command to a card takes, through `vicc` and through `pcscd`.

use std::process::{Command, Stdio};

use integration::binaries;
use integration::chain::{CardPlan, start_card, start_card_at};
use integration::pcscd::{Pcscd, READER, enter};
use integration::pki::{KeyKind, Pki};

use crate::figures::{Figures, Unit};

/// Commands of each length.
const COUNT: &str = "2000";

/// Measures both ways to a card that does nothing but answer.
pub(crate) fn measure(pki: &Pki, figures: &mut Figures) {
    let card = CardPlan::new("se-00").identity("web01", KeyKind::P256);
    let program = binaries::example("dom0-middleware", "apdu_round_trip");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let socket = folder.path().join("reader.sock");
    let mut through_vicc = Command::new(program.get_program());
    through_vicc.arg("vicc").arg(&socket).arg(COUNT);
    let _card = start_card_at(pki, &card, &socket, folder.path());
    add(figures, "through vicc", &mut through_vicc);

    let pcscd = Pcscd::start();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let _card = start_card(pki, &card, &pcscd, folder.path());
    let mut through_pcscd = enter(pcscd.id(), &program.get_program().to_string_lossy());
    through_pcscd.args(["pcsc", READER, COUNT]);
    add(figures, "through pcscd", &mut through_pcscd);
}

fn add(figures: &mut Figures, way: &str, command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().expect("it is there");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("numbers");
    let mut medians = text.lines().map(|line| line.parse().expect("a number"));
    for command in ["4 bytes", "260 bytes"] {
        let median: f64 = medians.next().expect("one each");
        let name = format!("command of {command} {way}");
        figures.add(&name, median, Unit::Micros);
    }
}
