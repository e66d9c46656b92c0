//! `dom0-middleware vm unbind`.

use std::io::Write;

use super::{table, vm_list, vm_show};
use crate::admin::{AdminAnswer, AdminError, AdminRequest, VmName, ask};
use crate::cli::VmArgs;
use crate::error::MiddlewareError;

/// Takes a domain's bindings away, and says which.
pub(super) fn run(args: VmArgs, out: &mut impl Write) -> Result<(), MiddlewareError> {
    let vm = VmName(args.vm.clone());
    let answer = ask(&args.report.admin, &AdminRequest::VmUnbind { vm })?;
    let AdminAnswer::VmUnbound(changed) = answer else {
        return Err(AdminError::OtherAnswer.into());
    };
    if args.report.json {
        table::json(&changed, out)?;
    } else {
        vm_show::print_meant(&args.vm, &changed.vm, out)?;
        writeln!(
            out,
            "not bound any more (change {}); it was:",
            changed.change
        )?;
        vm_list::print(&changed.bindings, out)?;
    }
    Ok(())
}
