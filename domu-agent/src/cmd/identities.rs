//! `domu-agent identities`.

use std::io::{self, Write};

use crate::cli::ReportArgs;
use crate::client::{Client, IdentityAnswer};
use crate::error::AgentError;

/// Prints what the guest may use.
pub(super) fn run(args: &ReportArgs, out: &mut impl Write) -> Result<(), AgentError> {
    let identities = Client::new(&args.agent).identities()?;
    let printed = if args.json {
        let json = serde_json::to_string_pretty(&identities);
        writeln!(out, "{}", json.expect("texts are always JSON"))
    } else {
        print(&identities, out)
    };
    printed.map_err(AgentError::Copy)
}

fn print(identities: &[IdentityAnswer], out: &mut impl Write) -> io::Result<()> {
    let width = identities.iter().map(|identity| identity.name.len()).max();
    let width = width.unwrap_or_default().max("IDENTITY".len());
    writeln!(out, "{:width$}  DOOR     SNI  ALPN  VERSIONS", "IDENTITY")?;
    for identity in identities {
        writeln!(
            out,
            "{:width$}  {:7}  {:3}  {:4}  {}",
            identity.name,
            identity.door,
            yes_or_no(identity.server_name),
            yes_or_no(identity.alpn),
            identity.versions.join(", "),
        )?;
    }
    Ok(())
}

const fn yes_or_no(flag: bool) -> &'static str {
    if flag { "yes" } else { "no" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_aligned() {
        let identity = |name: &str, alpn| IdentityAnswer {
            name: name.to_owned(),
            door: "eap-tls".to_owned(),
            versions: vec!["TLS 1.2".to_owned(), "TLS 1.3".to_owned()],
            server_name: true,
            alpn,
            certificates: Vec::new(),
        };
        let mut out = Vec::new();
        let list = [identity("a", false), identity("a longer name", true)];
        print(&list, &mut out).expect("memory");
        let expected = "\
IDENTITY       DOOR     SNI  ALPN  VERSIONS
a              eap-tls  yes  no    TLS 1.2, TLS 1.3
a longer name  eap-tls  yes  yes   TLS 1.2, TLS 1.3
";
        assert_eq!(String::from_utf8(out).expect("text"), expected);
    }
}
