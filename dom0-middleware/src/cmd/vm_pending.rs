//! `dom0-middleware vm list --pending`.

use std::io::{self, Write};

use super::table;
use crate::admin::{AdminAnswer, AdminError, AdminRequest, PendingView, ask};
use crate::cli::ReportArgs;
use crate::error::MiddlewareError;

/// Prints the running domains that offer a key and have no token for it.
pub(super) fn run(args: &ReportArgs, out: &mut impl Write) -> Result<(), MiddlewareError> {
    let AdminAnswer::VmPending(pending) = ask(&args.admin, &AdminRequest::VmPending {})? else {
        return Err(AdminError::OtherAnswer.into());
    };
    if args.json {
        table::json(&pending, out)?;
    } else {
        print(&pending, out)?;
    }
    Ok(())
}

fn print(pending: &[PendingView], out: &mut impl Write) -> io::Result<()> {
    let rows: Vec<[String; 5]> = pending
        .iter()
        .map(|domain| {
            [
                domain.name.clone().unwrap_or_default(),
                domain.domain.to_string(),
                domain.domid.to_string(),
                if domain.bound { "yes" } else { "no" }.to_owned(),
                offer(domain),
            ]
        })
        .collect();
    let headings = ["vm", "uuid", "domid", "bound", "key"];
    table::print(out, headings, &rows)
}

fn offer(domain: &PendingView) -> String {
    match (&domain.fingerprint, &domain.problem) {
        (Some(fingerprint), None) => fingerprint.clone(),
        (Some(fingerprint), Some(problem)) => format!("{fingerprint} ({problem})"),
        (None, problem) => format!("({})", problem.as_deref().unwrap_or("none")),
    }
}

#[cfg(test)]
mod tests {
    use proto::id::{DomId, DomainUuid};

    use super::*;

    #[test]
    fn a_domain_is_a_line() {
        let domain =
            |name: Option<&str>, fingerprint: Option<&str>, problem: Option<&str>| PendingView {
                domain: DomainUuid::from_bytes([0x11; 16]),
                name: name.map(str::to_owned),
                domid: DomId(7),
                bound: name.is_some(),
                fingerprint: fingerprint.map(str::to_owned),
                problem: problem.map(str::to_owned),
            };
        let pending = [
            domain(Some("web01"), Some("SHA256:ab"), None),
            domain(None, Some("SHA256:cd"), Some("two")),
            domain(None, None, Some("no key: 513 bytes")),
        ];
        let mut out = Vec::new();
        print(&pending, &mut out).expect("memory");
        let expected = "\
VM     UUID                                  DOMID  BOUND  KEY
web01  11111111-1111-1111-1111-111111111111  7      yes    SHA256:ab
       11111111-1111-1111-1111-111111111111  7      no     SHA256:cd (two)
       11111111-1111-1111-1111-111111111111  7      no     (no key: 513 bytes)
";
        assert_eq!(String::from_utf8(out).expect("text"), expected);
    }
}
