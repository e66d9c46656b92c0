//! `dom0-middleware session list`.

use std::io::{self, Write};

use super::table;
use crate::admin::{AdminAnswer, AdminError, AdminRequest, ask};
use crate::broker::SessionView;
use crate::cli::ReportArgs;
use crate::error::MiddlewareError;

/// Prints all sessions.
pub(super) fn run(args: &ReportArgs, out: &mut impl Write) -> Result<(), MiddlewareError> {
    let answer = ask(&args.admin, &AdminRequest::SessionList {})?;
    let AdminAnswer::SessionList(sessions) = answer else {
        return Err(AdminError::OtherAnswer.into());
    };
    if args.json {
        let json = serde_json::to_string_pretty(&sessions);
        writeln!(out, "{}", json.expect("texts and numbers are always JSON"))?;
    } else {
        print(&sessions, out)?;
    }
    Ok(())
}

/// Prints sessions as a table.
pub(super) fn print(sessions: &[SessionView], out: &mut impl Write) -> io::Result<()> {
    let rows: Vec<[String; 7]> = sessions
        .iter()
        .map(|session| {
            let name = session.name.as_deref().unwrap_or_default();
            let text = |part: Option<String>| part.unwrap_or_default();
            [
                session.session.to_string(),
                session.state.as_str().to_owned(),
                format!("{} {name}", session.domid).trim_end().to_owned(),
                text(session.seid.as_ref().map(ToString::to_string)),
                text(session.identity.as_ref().map(ToString::to_string)),
                session.server_name.clone(),
                session.since.clone(),
            ]
        })
        .collect();
    let headings = [
        "id", "state", "domain", "card", "identity", "server", "since",
    ];
    table::print(out, headings, &rows)
}
