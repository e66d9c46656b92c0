//! `domu-agent status`.

use std::io::{self, Write};
use std::time::{SystemTime, UNIX_EPOCH};

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
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        print(&status, now.unwrap_or_default().as_secs(), out)
    };
    printed.map_err(AgentError::Copy)?;
    if !status.dom0.connected {
        return Err(AgentError::NotConnected);
    }
    Ok(())
}

/// When a token ends, both times in seconds since 1970.
fn expiry(seconds: u64, now: u64) -> String {
    let (ends, time) = match seconds.checked_sub(now) {
        Some(left) => ("ends in", left),
        None => ("ended", now - seconds),
    };
    let (days, hours, minutes) = (time / 86_400, time / 3_600 % 24, time / 60 % 60);
    let ago = if ends == "ended" { " ago" } else { "" };
    format!("{ends} {days} d {hours} h {minutes} min{ago} ({seconds} s after 1970)")
}

fn print(status: &StatusAnswer, now: u64, out: &mut impl Write) -> io::Result<()> {
    let connected = if status.dom0.connected {
        "connected"
    } else {
        "not connected"
    };
    writeln!(out, "version    {}", status.version)?;
    writeln!(out, "dom0       {connected}")?;
    match (status.dom0.channel.as_str(), &status.dom0.hv_pin) {
        ("insecure", _) => writeln!(out, "channel    INSECURE (insecure_development)")?,
        (_, Some(pin)) => writeln!(out, "channel    TLS, vouched for by {pin}")?,
        (_, None) => writeln!(out, "channel    TLS")?,
    }
    if let Some(domain) = &status.dom0.domain {
        writeln!(out, "domain     {domain}")?;
    }
    if let Some(place) = &status.dom0.token_place {
        writeln!(out, "token from {place}")?;
    }
    if let Some(seconds) = status.dom0.token_expires {
        writeln!(out, "token      {}", expiry(seconds, now))?;
    }
    if let Some(code) = &status.dom0.revoked {
        writeln!(
            out,
            "right      ENDED ({code}); a new token is taken up by itself"
        )?;
    }
    if let Some(refusal) = &status.dom0.last_refusal {
        writeln!(out, "refused    {refusal}")?;
    }
    if let Some(error) = &status.dom0.last_error {
        writeln!(out, "last error {error}")?;
    }
    writeln!(out, "kernel TLS {}", status.kernel_tls)?;
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
    use crate::client::{AppError, Dom0Status, KernelTlsStatus, SessionCounts};

    fn status(dom0: Dom0Status) -> String {
        let status = StatusAnswer {
            version: "0.1.0".to_owned(),
            dom0,
            kernel_tls: KernelTlsStatus {
                ciphers: vec!["aes-128-gcm".to_owned()],
                missing: None,
            },
            sessions: SessionCounts {
                running: 2,
                ..SessionCounts::default()
            },
        };
        let mut out = Vec::new();
        print(&status, 1_000_000, &mut out).expect("memory");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn the_report_says_why_there_is_no_connection() {
        let report = status(Dom0Status {
            channel: "insecure".to_owned(),
            last_error: Some("dom0 closed the channel".to_owned()),
            ..Dom0Status::default()
        });
        let expected = "\
version    0.1.0
dom0       not connected
channel    INSECURE (insecure_development)
last error dom0 closed the channel
kernel TLS TLS 1.2 with aes-128-gcm
sessions   2 running, 0 in handshake, 0 established and 0 failed since start
";
        assert_eq!(report, expected);
    }

    #[test]
    fn the_report_says_who_dom0_is_and_that_the_right_has_ended() {
        let report = status(Dom0Status {
            connected: true,
            channel: "tls".to_owned(),
            hv_pin: Some("SHA256:00ff".to_owned()),
            token_place: Some("xenstore, tessera/token".to_owned()),
            domain: Some("11111111-2222-3333-4444-555555555555".to_owned()),
            token_expires: Some(1_000_000 + 2 * 86_400 + 3 * 3_600 + 240),
            revoked: Some("token-revoked".to_owned()),
            last_refusal: Some(AppError {
                code: "bad-token".into(),
                message: "no".to_owned(),
            }),
            last_error: None,
        });
        let expected = "\
version    0.1.0
dom0       connected
channel    TLS, vouched for by SHA256:00ff
domain     11111111-2222-3333-4444-555555555555
token from xenstore, tessera/token
token      ends in 2 d 3 h 4 min (1183840 s after 1970)
right      ENDED (token-revoked); a new token is taken up by itself
refused    bad-token: no
kernel TLS TLS 1.2 with aes-128-gcm
sessions   2 running, 0 in handshake, 0 established and 0 failed since start
";
        assert_eq!(report, expected);
        assert!(expiry(999_999, 1_000_000).starts_with("ended 0 d 0 h 0 min ago"));
    }
}
