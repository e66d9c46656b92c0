//! `domu-agent status`.

use std::io::{self, Write};

use crate::cli::ReportArgs;
use crate::client::{Client, StatusAnswer};
use crate::error::AgentError;

/// Prints how the agent is doing. Not being connected to dom0 is the answer "not so".
pub(super) fn run(args: &ReportArgs, out: &mut impl Write) -> Result<(), AgentError> {
    let status = Client::new(&args.agent).status()?;
    let printed = if args.json {
        let json = serde_json::to_string_pretty(&status);
        writeln!(out, "{}", json.expect("texts and numbers are always JSON"))
    } else {
        print(&status, out)
    };
    printed.map_err(AgentError::Copy)?;
    if !status.dom0.connected {
        return Err(AgentError::NotConnected);
    }
    Ok(())
}

fn print(status: &StatusAnswer, out: &mut impl Write) -> io::Result<()> {
    let connected = if status.dom0.connected {
        "connected"
    } else {
        "not connected"
    };
    writeln!(out, "version    {}", status.version)?;
    writeln!(out, "dom0       {connected}")?;
    if let Some(domain) = &status.dom0.domain {
        writeln!(out, "domain     {domain}")?;
    }
    if let Some(seconds) = status.dom0.token_expires {
        writeln!(out, "token      expires {seconds} s after 1970")?;
    }
    if let Some(error) = &status.dom0.last_error {
        writeln!(out, "last error {error}")?;
    }
    let sessions = &status.sessions;
    writeln!(
        out,
        "sessions   {} running, {} in handshake, {} established and {} failed since start",
        sessions.running, sessions.handshakes, sessions.established, sessions.failed
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::{Dom0Status, SessionCounts};

    #[test]
    fn the_report_says_why_there_is_no_connection() {
        let status = StatusAnswer {
            version: "0.1.0".to_owned(),
            dom0: Dom0Status {
                connected: false,
                domain: None,
                token_expires: None,
                last_error: Some("dom0 closed the channel".to_owned()),
            },
            sessions: SessionCounts {
                running: 2,
                ..SessionCounts::default()
            },
        };
        let mut out = Vec::new();
        print(&status, &mut out).expect("memory");
        let expected = "\
version    0.1.0
dom0       not connected
last error dom0 closed the channel
sessions   2 running, 0 in handshake, 0 established and 0 failed since start
";
        assert_eq!(String::from_utf8(out).expect("text"), expected);
    }
}
