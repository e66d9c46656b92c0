//! `dom0-middleware doctor`.

use std::io::{self, Write};

use crate::cli::DoctorArgs;
use crate::doctor::{Finding, Level, examine, probe};
use crate::error::MiddlewareError;

/// Prints what is wrong and what to do. An error when something does not work.
pub(super) fn run(args: &DoctorArgs, out: &mut impl Write) -> Result<(), MiddlewareError> {
    let findings = examine(&probe(&args.report.admin, args.config.as_deref()));
    if args.report.json {
        let json = serde_json::to_string_pretty(&findings);
        writeln!(out, "{}", json.expect("texts are always JSON"))?;
    } else {
        print(&findings, out)?;
    }
    let failed = findings
        .iter()
        .filter(|finding| finding.level == Level::Fail);
    match failed.count() {
        0 => Ok(()),
        count => Err(MiddlewareError::Findings { count }),
    }
}

fn print(findings: &[Finding], out: &mut impl Write) -> io::Result<()> {
    for finding in findings {
        let level = match finding.level {
            Level::Ok => "ok  ",
            Level::Warn => "WARN",
            Level::Fail => "FAIL",
        };
        writeln!(out, "{level}  {}: {}", finding.check, finding.message)?;
        if let Some(next) = &finding.next {
            writeln!(out, "      -> {next}")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_to_do_stands_below() {
        let finding = Finding {
            check: "pcscd".to_owned(),
            level: Level::Fail,
            message: "does not run".to_owned(),
            next: Some("start it".to_owned()),
        };
        let mut out = Vec::new();
        print(&[finding], &mut out).expect("memory");
        let text = String::from_utf8(out).expect("text");
        assert_eq!(text, "FAIL  pcscd: does not run\n      -> start it\n");
    }
}
