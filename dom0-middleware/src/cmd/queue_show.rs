//! `dom0-middleware queue show`.

use std::io::{self, Write};

use proto::id::Seid;

use super::table;
use crate::admin::{AdminAnswer, AdminError, AdminRequest, ask};
use crate::broker::{PacesView, QueueView, SignatureView};
use crate::cli::ReportArgs;
use crate::error::MiddlewareError;

/// Prints who has each card and who waits for it.
pub(super) fn run(args: &ReportArgs, out: &mut impl Write) -> Result<(), MiddlewareError> {
    let AdminAnswer::QueueShow(queues) = ask(&args.admin, &AdminRequest::QueueShow {})? else {
        return Err(AdminError::OtherAnswer.into());
    };
    if args.json {
        let json = serde_json::to_string_pretty(&queues);
        writeln!(out, "{}", json.expect("texts and numbers are always JSON"))?;
        return Ok(());
    }
    for (n, queue) in queues.iter().enumerate() {
        if n > 0 {
            writeln!(out)?;
        }
        print(queue, out)?;
    }
    Ok(())
}

/// What a handshake takes of the card.
fn pace(paces: &PacesView) -> String {
    if let (Some(full), Some(resumed)) = (&paces.full, &paces.resumed) {
        let (full, resumed) = (full.expected_ms, resumed.expected_ms);
        return format!(
            "a full handshake takes about {full} ms of the card, a resumed one {resumed} ms"
        );
    }
    let of = |view: &SignatureView| format!("{} ms with {}", view.pace.expected_ms, view.identity);
    let signatures: Vec<String> = paces.signatures.iter().map(of).collect();
    match signatures.is_empty() {
        true => "no signature of it was measured yet".to_owned(),
        false => format!(
            "a full handshake takes about {} of the card, a resumed one nothing",
            signatures.join(", ")
        ),
    }
}

fn print(queue: &QueueView, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{}: {}", queue.seid, pace(&queue.pace))?;
    match (&queue.running, &queue.held_by) {
        (None, None) => writeln!(out, "  free")?,
        (None, Some(held)) => {
            let (holder, since) = (&held.holder, held.since_ms);
            writeln!(out, "  held for {since} ms by {holder}, for raw APDUs")?;
        }
        (Some(running), _) => {
            let session = running.session.map(|session| session.to_string());
            writeln!(
                out,
                "  in use for {} ms: {} {}/{} with {}",
                running.since_ms,
                session
                    .as_deref()
                    .unwrap_or("(over, the card comes to rest)"),
                running.domain,
                running.identity,
                running.server_name
            )?;
        }
    }
    if !queue.waiting.is_empty() {
        let rows: Vec<[String; 7]> = queue
            .waiting
            .iter()
            .map(|waiting| {
                [
                    waiting.place.to_string(),
                    waiting.session.to_string(),
                    format!("{} {}", waiting.domid, waiting.name),
                    waiting.identity.to_string(),
                    waiting.server_name.clone(),
                    format!("{} ms", waiting.waited_ms),
                    format!("{} ms", waiting.expected_ms),
                ]
            })
            .collect();
        let headings = [
            "place", "id", "domain", "identity", "server", "waited", "expected",
        ];
        table::print(out, headings, &rows)?;
    }
    for waiting in queue.waiting.iter().filter(|w| !w.pool.is_empty()) {
        let others: Vec<&str> = waiting.pool.iter().map(Seid::as_str).collect();
        writeln!(
            out,
            "  {} could also have had {}: {} was expected to be done first",
            waiting.session,
            others.join(", "),
            queue.seid
        )?;
    }
    for debt in &queue.debts {
        writeln!(out, "  {} owes {} ms", debt.domain, debt.owes_ms)?;
    }
    Ok(())
}
