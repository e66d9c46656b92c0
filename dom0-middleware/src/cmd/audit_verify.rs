//! `dom0-middleware audit verify`.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use proto::hv::HvCertificate;
use serde::Serialize;

use crate::audit::{Anchors, Expected, Fault, Report, VerifyError, verify};
use crate::cli::VerifyArgs;
use crate::error::MiddlewareError;
use crate::state::audit_head_of;

/// Looks at an audit and says what it is worth.
pub(super) fn run(args: &VerifyArgs, out: &mut impl Write) -> Result<(), MiddlewareError> {
    let head = match &args.state {
        Some(state) => audit_head_of(state)?,
        None => None,
    };
    let anchors = anchors(&args.hv_certs)?;
    let mut progress = |done: u64, of: u64| {
        eprintln!("audit verify: {} of {} MiB", done >> 20, of >> 20);
    };
    let verified = verify(&args.file, Expected { anchors, head }, &mut progress);
    match verified {
        Ok(report) => {
            if args.json {
                json(&report, out)?;
            } else {
                print(&report, out)?;
            }
            Ok(())
        }
        Err(VerifyError::Fault(fault)) if args.json => {
            json_fault(&fault, out)?;
            Err(VerifyError::Fault(fault).into())
        }
        Err(error) => Err(error.into()),
    }
}

fn anchors(files: &[PathBuf]) -> Result<Anchors, MiddlewareError> {
    if files.is_empty() {
        return Ok(Anchors::none());
    }
    let mut certificates = Vec::new();
    for file in files {
        certificates.push(certificate(file)?);
    }
    Anchors::new(&certificates).map_err(|reason| MiddlewareError::HvCertificate {
        path: files.first().cloned().unwrap_or_default(),
        reason,
    })
}

fn certificate(path: &Path) -> Result<HvCertificate, MiddlewareError> {
    let unusable = |reason: String| MiddlewareError::HvCertificate {
        path: path.to_owned(),
        reason,
    };
    let pem = std::fs::read(path).map_err(|error| unusable(error.to_string()))?;
    HvCertificate::from_pem(&pem).map_err(|error| unusable(error.to_string()))
}

#[derive(Serialize)]
struct Verdict<T> {
    good: bool,
    #[serde(flatten)]
    said: T,
}

fn json(report: &Report, out: &mut impl Write) -> io::Result<()> {
    write_json(
        &Verdict {
            good: true,
            said: report,
        },
        out,
    )
}

fn json_fault(fault: &Fault, out: &mut impl Write) -> io::Result<()> {
    write_json(
        &Verdict {
            good: false,
            said: fault,
        },
        out,
    )
}

fn write_json(said: &impl Serialize, out: &mut impl Write) -> io::Result<()> {
    let json = serde_json::to_string_pretty(said);
    writeln!(out, "{}", json.expect("texts and numbers are always JSON"))
}

fn print(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let Report {
        files,
        lines,
        checkpoints,
        ..
    } = report;
    writeln!(
        out,
        "good: {lines} lines in {} files, numbers {} to {}, the last of {}",
        files.len(),
        report.first_seq,
        report.last_seq,
        report.last_time
    )?;
    let worth = match (checkpoints.signed, checkpoints.certified) {
        (0, _) => "",
        (_, true) => ", certified by the HV certificates given",
        (_, false) => ", by keys that are only the file's word",
    };
    writeln!(
        out,
        "checkpoints: {} signed{worth}, {} unsigned",
        checkpoints.signed, checkpoints.unsigned
    )?;
    if let (Some(seq), Some(time)) = (checkpoints.last_signed_seq, &checkpoints.last_signed_time) {
        writeln!(out, "last signed: number {seq}, of {time}")?;
    }
    for host in &checkpoints.hosts {
        writeln!(out, "key certified by: {host}")?;
    }
    for note in &report.notes {
        writeln!(out, "note: {note}")?;
    }
    Ok(())
}
