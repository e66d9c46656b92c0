//! `dom0-middleware state backup`.

use std::io::Write;
use std::path::{self, Path};

use serde::Serialize;

use super::table;
use crate::admin::{AdminAnswer, AdminError, AdminRequest, ask};
use crate::cli::BackupArgs;
use crate::error::MiddlewareError;
use crate::state::back_up;

/// What was copied.
#[derive(Serialize)]
struct Copied<'a> {
    state_file: &'a str,
    backup: String,
    bytes: u64,
}

/// Copies the state of the running service. The service says where it is; the copy is made by whoever
/// asks, with that one's rights.
pub(super) fn run(args: &BackupArgs, out: &mut impl Write) -> Result<(), MiddlewareError> {
    let answer = ask(&args.report.admin, &AdminRequest::Status {})?;
    let AdminAnswer::Status(status) = answer else {
        return Err(AdminError::OtherAnswer.into());
    };
    let state_file = &status.service.state_file;
    let backup = path::absolute(&args.file).map_err(MiddlewareError::Path)?;
    back_up(Path::new(state_file), &backup)?;
    let bytes = std::fs::metadata(&backup)?.len();
    let backup = backup.display().to_string();
    if args.report.json {
        let copied = Copied {
            state_file,
            backup,
            bytes,
        };
        table::json(&copied, out)?;
    } else {
        writeln!(out, "{state_file} copied to {backup} ({bytes} bytes)")?;
    }
    Ok(())
}
