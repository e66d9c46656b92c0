//! `dom0-middleware vm approve`.

use std::io::Write;

use super::{table, vm_show};
use crate::admin::{AdminAnswer, AdminError, AdminRequest, ApproveRequest, VmName, ask};
use crate::cli::ApproveArgs;
use crate::error::MiddlewareError;

/// Approves the key of a domain, and says what token there is for it.
pub(super) fn run(args: ApproveArgs, out: &mut impl Write) -> Result<(), MiddlewareError> {
    let said = args.vm.vm;
    let request = AdminRequest::VmApprove(Box::new(ApproveRequest {
        vm: VmName(said.clone()),
        fingerprint: args.fingerprint,
        days: args.days,
    }));
    let AdminAnswer::VmApproved(approved) = ask(&args.vm.report.admin, &request)? else {
        return Err(AdminError::OtherAnswer.into());
    };
    if args.vm.report.json {
        table::json(&approved, out)?;
    } else {
        vm_show::print_meant(&said, &approved.vm, out)?;
        writeln!(out, "approved: {}", approved.fingerprint)?;
        writeln!(out, "token {} until {}", approved.cti, approved.exp)?;
        for certificate in &approved.certificates {
            writeln!(out, "  for certificate {certificate}")?;
        }
        writeln!(out, "  in {}", approved.file)?;
        for note in &approved.notes {
            writeln!(out, "note: {note}")?;
        }
    }
    Ok(())
}
