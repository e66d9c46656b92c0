//! `dom0-middleware session kill`.

use std::io::Write;

use super::session_list;
use crate::admin::{AdminAnswer, AdminError, AdminRequest, ask};
use crate::cli::KillArgs;
use crate::error::MiddlewareError;

/// Ends a session and prints what it was.
pub(super) fn run(args: &KillArgs, out: &mut impl Write) -> Result<(), MiddlewareError> {
    let session = args.session;
    let answer = ask(&args.report.admin, &AdminRequest::SessionKill { session })?;
    let AdminAnswer::SessionKilled(killed) = answer else {
        return Err(AdminError::OtherAnswer.into());
    };
    if args.report.json {
        let json = serde_json::to_string_pretty(&killed);
        writeln!(out, "{}", json.expect("texts and numbers are always JSON"))?;
    } else {
        session_list::print(std::slice::from_ref(&*killed), out)?;
    }
    Ok(())
}
