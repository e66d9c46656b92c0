//! `dom0-middleware vm bind`.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use super::{table, vm_list, vm_show};
use crate::admin::{
    AdminAnswer, AdminError, AdminRequest, BindRequest, MAX_CERTIFICATE, MAX_RAW_APDU, MAX_TRUST,
    VmName, ask,
};
use crate::cli::BindArgs;
use crate::error::MiddlewareError;

/// Binds a domain, and says to what.
pub(super) fn run(args: BindArgs, out: &mut impl Write) -> Result<(), MiddlewareError> {
    let certificate = args.cert.as_deref();
    let certificate = certificate
        .map(|file| read(file, MAX_CERTIFICATE))
        .transpose()?;
    let said = args.vm.vm;
    let request = AdminRequest::VmBind(Box::new(BindRequest {
        vm: VmName(said.clone()),
        cards: args.cards,
        identities: args.identities,
        trust: read(&args.trust, MAX_TRUST)?,
        server_names: args.server_names,
        certificate,
        min_version: args.min_version,
        resume: !args.no_resume,
        shared: args.shared,
        raw_apdu: args
            .raw_apdu
            .as_deref()
            .map(|file| read(file, MAX_RAW_APDU))
            .transpose()?,
    }));
    let AdminAnswer::VmBound(changed) = ask(&args.vm.report.admin, &request)? else {
        return Err(AdminError::OtherAnswer.into());
    };
    if args.vm.report.json {
        table::json(&changed, out)?;
    } else {
        vm_show::print_meant(&said, &changed.vm, out)?;
        writeln!(out, "bound (change {})", changed.change)?;
        vm_list::print(&changed.bindings, out)?;
        for note in &changed.notes {
            writeln!(out, "note: {note}")?;
        }
    }
    Ok(())
}

/// The text of a file, which is sent to the service: it may not see the operator's files.
fn read(path: &Path, most: usize) -> Result<String, MiddlewareError> {
    let failed = |source| MiddlewareError::File {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(failed)?;
    let mut text = String::new();
    let mut bounded = file.take(most as u64 + 1);
    bounded.read_to_string(&mut text).map_err(failed)?;
    match text.len() > most {
        true => Err(failed(std::io::Error::other(format!(
            "longer than {most} bytes"
        )))),
        false => Ok(text),
    }
}
