//! `dom0-middleware vm list`.

use std::io::{self, Write};

use super::{table, vm_pending};
use crate::admin::{AdminAnswer, AdminError, AdminRequest, BindingView, ask};
use crate::cli::VmListArgs;
use crate::error::MiddlewareError;

/// Prints all bindings, or the domains that wait for a token.
pub(super) fn run(args: &VmListArgs, out: &mut impl Write) -> Result<(), MiddlewareError> {
    let VmListArgs {
        pending,
        report: args,
    } = args;
    if *pending {
        return vm_pending::run(args, out);
    }
    let AdminAnswer::VmList(bindings) = ask(&args.admin, &AdminRequest::VmList {})? else {
        return Err(AdminError::OtherAnswer.into());
    };
    if args.json {
        table::json(&bindings, out)?;
    } else {
        print(&bindings, out)?;
    }
    Ok(())
}

/// Prints bindings as a table.
pub(super) fn print(bindings: &[BindingView], out: &mut impl Write) -> io::Result<()> {
    let rows: Vec<[String; 7]> = bindings
        .iter()
        .map(|binding| {
            [
                binding.name.clone().unwrap_or_default(),
                binding.domain.to_string(),
                binding.seid.to_string(),
                identity(binding),
                servers(binding),
                terms(binding),
                binding.origin.as_str().to_owned(),
            ]
        })
        .collect();
    let headings = ["vm", "uuid", "card", "identity", "servers", "terms", "from"];
    table::print(out, headings, &rows)
}

pub(super) fn identity(binding: &BindingView) -> String {
    let identity = binding.identity.as_ref();
    identity.map_or_else(|| "(the only one)".to_owned(), ToString::to_string)
}

fn servers(binding: &BindingView) -> String {
    match binding.server_names.as_slice() {
        [] => "(all trusted)".to_owned(),
        names => names.join(" "),
    }
}

fn terms(binding: &BindingView) -> String {
    let mut terms = format!("{}+", binding.min_version);
    if !binding.resume {
        terms.push_str(", no resumption");
    }
    if binding.shared {
        terms.push_str(", shared");
    }
    if binding.raw_apdu.is_some() {
        terms.push_str(", raw APDUs");
    }
    terms
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::Origin;

    #[test]
    fn a_binding_is_a_line() {
        let binding = BindingView {
            domain: proto::id::DomainUuid::from_bytes([0x11; 16]),
            name: Some("web01".to_owned()),
            seid: "se-00".parse().expect("a SEID"),
            identity: None,
            origin: Origin::Command,
            shared: true,
            server_names: vec!["*.example.org".to_owned(), "a.example".to_owned()],
            min_version: "TLS 1.2".to_owned(),
            resume: false,
            trust_sha256: None,
            raw_apdu: None,
            bound_at: None,
        };
        let mut out = Vec::new();
        print(&[binding], &mut out).expect("memory");
        let expected = "\
VM     UUID                                  CARD   IDENTITY        SERVERS                  TERMS                            FROM
web01  11111111-1111-1111-1111-111111111111  se-00  (the only one)  *.example.org a.example  TLS 1.2+, no resumption, shared  command
";
        assert_eq!(String::from_utf8(out).expect("text"), expected);
    }
}
