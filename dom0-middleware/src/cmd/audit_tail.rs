//! `dom0-middleware audit tail`.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::admin::{AdminAnswer, AdminError, AdminRequest, ask};
use crate::audit::{Follower, VerifyError, last_lines};
use crate::cli::TailArgs;
use crate::error::MiddlewareError;

/// How often new records are looked for.
const LOOK: Duration = Duration::from_millis(200);

/// Prints the last records, and those that come.
pub(super) fn run(args: &TailArgs, out: &mut impl Write) -> Result<(), MiddlewareError> {
    let path = match &args.file {
        Some(file) => file.clone(),
        None => of_service(&args.report.admin)?,
    };
    let unreadable = |source| VerifyError::Read {
        path: path.clone(),
        source,
    };
    // At least one, to know where it goes on.
    let lines = last_lines(&path, args.lines.max(1)).map_err(unreadable)?;
    let known = lines.last().cloned();
    for line in lines.iter().rev().take(args.lines).rev() {
        print(line, args.report.json, out)?;
    }
    out.flush()?;
    if !args.follow {
        return Ok(());
    }
    let mut follower = Follower::new(&path, known.as_deref()).map_err(unreadable)?;
    loop {
        follower.poll(|line| print(line, args.report.json, out))?;
        out.flush()?;
        thread::sleep(LOOK);
    }
}

/// The audit file of the running service.
fn of_service(admin: &Path) -> Result<PathBuf, MiddlewareError> {
    match ask(admin, &AdminRequest::Status {})? {
        AdminAnswer::Status(status) => Ok(status.service.audit_file.into()),
        _ => Err(AdminError::OtherAnswer.into()),
    }
}

fn print(line: &[u8], json: bool, out: &mut impl Write) -> io::Result<()> {
    if json {
        out.write_all(line)?;
        return writeln!(out);
    }
    writeln!(out, "{}", shown(line))
}

/// A line of the audit, for people.
pub(super) fn shown(line: &[u8]) -> String {
    match serde_json::from_slice::<Map<String, Value>>(line) {
        Ok(record) => for_people(record),
        Err(_) => format!("?  {}", plain(&String::from_utf8_lossy(line))),
    }
}

/// Time and event, then everything else that is said; not what holds the lines together.
fn for_people(mut record: Map<String, Value>) -> String {
    let mut take = |key| record.remove(key).map(|value| text(&value));
    let (time, event) = (take("time"), take("event"));
    for key in ["seq", "prev"] {
        take(key);
    }
    let mut shown = format!(
        "{}  {}",
        time.unwrap_or_default(),
        event.unwrap_or_default()
    );
    for (key, value) in &record {
        let value = text(value);
        let is_word = !value.is_empty() && !value.contains([' ', '"', '=']);
        shown.push_str("  ");
        shown.push_str(&plain(key));
        shown.push('=');
        match is_word {
            true => shown.push_str(&value),
            false => shown.push_str(&format!("{value:?}")),
        }
    }
    shown
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => plain(text),
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(","),
        Value::Object(map) => {
            let member =
                |(key, value): (&String, &Value)| format!("{}:{}", plain(key), text(value));
            map.iter().map(member).collect::<Vec<_>>().join(",")
        }
        other => other.to_string(),
    }
}

/// Without what a terminal would take for an order.
fn plain(text: &str) -> String {
    let shown = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    text.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_one_line_for_people() {
        let line = r#"{"seq":4,"time":"2026-11-21T04:07:09.123Z","prev":"9f","event":"guest-admitted","domid":7,"name":"web 01","token":{"cti":"01"},"list":["a","b"],"none":""}"#;
        assert_eq!(
            shown(line.as_bytes()),
            "2026-11-21T04:07:09.123Z  guest-admitted  domid=7  list=a,b  name=\"web 01\"  \
             none=\"\"  token=cti:01"
        );
    }

    #[test]
    fn nothing_in_a_record_reaches_the_terminal_as_an_order() {
        for line in [
            r#"{"event":"x\u001b[2J","a\u0007":"b\u009b"}"#,
            "not JSON \u{1b}[2J",
        ] {
            let shown = shown(line.as_bytes());
            assert!(!shown.chars().any(char::is_control), "{shown:?}");
        }
    }
}
