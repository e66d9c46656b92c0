//! What the judgement of an `open` costs, and how fast a right ends.

use std::process::Stdio;

use integration::binaries;
use integration::pki::Pki;

use crate::figures::{Figures, Unit};

/// Sessions that are opened.
const COUNT: &str = "20000";

/// Measures the core with few and with many domains.
pub(crate) fn measure(_: &Pki, figures: &mut Figures) {
    for domains in ["1", "64"] {
        let mut command = binaries::example("dom0-middleware", "admission");
        let output = command.args([domains, COUNT]).stdin(Stdio::null()).output();
        let output = output.expect("it is there");
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout).expect("numbers");
        for (line, share) in text.lines().zip(["p50", "p99"]) {
            let name = format!("admission of an open, {domains} domains, {share}");
            figures.add(&name, line.parse().expect("a number"), Unit::Micros);
        }
    }
}
