//! `dom0-middleware vm show`.

use std::io::{self, Write};

use super::{table, vm_list};
use crate::admin::{AdminAnswer, AdminError, AdminRequest, VmDetails, VmName, VmView, ask};
use crate::cli::VmArgs;
use crate::error::MiddlewareError;

/// Prints everything about one domain.
pub(super) fn run(args: VmArgs, out: &mut impl Write) -> Result<(), MiddlewareError> {
    let vm = VmName(args.vm);
    let AdminAnswer::Vm(details) = ask(&args.report.admin, &AdminRequest::VmShow { vm })? else {
        return Err(AdminError::OtherAnswer.into());
    };
    if args.report.json {
        table::json(&details, out)?;
    } else {
        print(&details, out)?;
    }
    Ok(())
}

fn print(details: &VmDetails, out: &mut impl Write) -> io::Result<()> {
    let domids = details.vm.domids.iter().map(ToString::to_string);
    let domids: Vec<String> = domids.collect();
    writeln!(out, "uuid         {}", details.vm.uuid)?;
    let name = details.vm.name.as_deref();
    writeln!(out, "name         {}", name.unwrap_or("-"))?;
    let running = match domids.as_slice() {
        [] => "not running".to_owned(),
        domids => domids.join(", "),
    };
    writeln!(out, "domid        {running}")?;
    let from = details.tokens_from.as_deref();
    writeln!(out, "tokens from  {}", from.unwrap_or("any time"))?;
    match &details.token {
        None => writeln!(out, "token        none seen")?,
        Some(token) => {
            let text = |part: &Option<String>| part.clone().unwrap_or_default();
            writeln!(out, "token        {} {}", token.cti, token.state.as_str())?;
            writeln!(
                out,
                "  issued     {} by {}",
                text(&token.iat),
                text(&token.iss)
            )?;
            writeln!(out, "  expires    {}", text(&token.exp))?;
            writeln!(
                out,
                "  seen       {} to {}",
                text(&token.first_seen),
                text(&token.last_seen)
            )?;
        }
    }
    writeln!(out)?;
    vm_list::print(&details.bindings, out)?;
    for binding in &details.bindings {
        let (seid, identity) = (&binding.seid, vm_list::identity(binding));
        let trust = binding.trust_sha256.as_deref().unwrap_or("-");
        write!(out, "{seid} {identity}: trust {trust}")?;
        match &binding.bound_at {
            Some(at) => writeln!(out, ", bound {at}")?,
            None => writeln!(out)?,
        }
        for row in binding.raw_apdu.iter().flatten() {
            writeln!(out, "{seid} {identity}: raw APDUs {row}")?;
        }
    }
    Ok(())
}

/// Says which domain was meant, if it was said by name.
pub(super) fn print_meant(said: &str, vm: &VmView, out: &mut impl Write) -> io::Result<()> {
    let uuid = vm.uuid.to_string();
    match said == uuid {
        true => Ok(()),
        false => writeln!(out, "{said} is {uuid}"),
    }
}
