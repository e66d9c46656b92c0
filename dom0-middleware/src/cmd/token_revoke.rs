//! `dom0-middleware token revoke`.

use std::io::Write;

use super::{table, token_list, vm_show};
use crate::admin::{AdminAnswer, AdminError, AdminRequest, VmName, ask};
use crate::cli::RevokeArgs;
use crate::error::MiddlewareError;

/// Revokes one token, or all older ones of a domain.
pub(super) fn run(args: RevokeArgs, out: &mut impl Write) -> Result<(), MiddlewareError> {
    let vm = args.vm.clone().map(VmName);
    let request = match (args.cti, vm) {
        (Some(cti), _) => AdminRequest::TokenRevoke { cti },
        (None, vm) => AdminRequest::TokensRevoke {
            // The command line has one of both.
            vm: vm.unwrap_or_else(|| VmName(String::new())),
            before: args.before.map(|before| before.to_string()),
        },
    };
    match ask(&args.report.admin, &request)? {
        AdminAnswer::TokenRevoked(revoked) if args.report.json => table::json(&revoked, out)?,
        AdminAnswer::TokenRevoked(revoked) => {
            match revoked.change {
                Some(change) => writeln!(out, "revoked (change {change})")?,
                None => writeln!(out, "was revoked before")?,
            }
            token_list::print(std::slice::from_ref(&revoked.token), out)?;
        }
        AdminAnswer::TokensRevoked(changed) if args.report.json => table::json(&changed, out)?,
        AdminAnswer::TokensRevoked(changed) => {
            vm_show::print_meant(&args.vm.unwrap_or_default(), &changed.vm, out)?;
            let from = changed.tokens_from.unwrap_or_default();
            let (uuid, change) = (changed.vm.uuid, changed.change);
            writeln!(
                out,
                "tokens of {uuid} count from {from} on (change {change})"
            )?;
        }
        _ => return Err(AdminError::OtherAnswer.into()),
    }
    Ok(())
}
