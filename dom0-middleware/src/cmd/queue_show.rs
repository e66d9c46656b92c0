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
            "a full handshake takes of the card about {}, a resumed one nothing",
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

#[cfg(test)]
mod tests {
    use proto::id::{DomId, DomainUuid, SessionId};

    use super::*;
    use crate::broker::{ConnId, PaceView, SessionName, WaitingView};

    fn pace(expected_ms: u64) -> PaceView {
        PaceView {
            expected_ms,
            ..PaceView::default()
        }
    }

    fn waiting(session: u32, pool: &[&str]) -> WaitingView {
        let seid = |name: &&str| name.parse().expect("a SEID");
        WaitingView {
            session: SessionName {
                conn: ConnId(3),
                session: SessionId(session),
            },
            domid: DomId(7),
            domain: DomainUuid::from_bytes([7; 16]),
            name: "web01".to_owned(),
            identity: "9a".parse().expect("a name"),
            server_name: "www.example".to_owned(),
            pool: pool.iter().map(seid).collect(),
            place: 1,
            expected_ms: 500,
            waited_ms: 20,
        }
    }

    fn queue(pace: PacesView) -> QueueView {
        QueueView {
            seid: "se-00".parse().expect("a SEID"),
            running: None,
            held_by: None,
            waiting: Vec::new(),
            debts: Vec::new(),
            pace,
        }
    }

    fn printed(queue: &QueueView) -> String {
        let mut out = Vec::new();
        print(queue, &mut out).expect("memory");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn the_cards_of_a_pool_that_one_could_have_had_are_named() {
        let queue = QueueView {
            waiting: vec![waiting(17, &["se-01", "se-02"]), waiting(18, &[])],
            ..queue(PacesView::default())
        };
        let said = printed(&queue);
        let pools: Vec<&str> = said.lines().filter(|line| line.contains("could")).collect();
        let expected =
            "  3.17 could also have had se-01, se-02: se-00 was expected to be done first";
        assert_eq!(pools, [expected]);
    }

    #[test]
    fn what_a_handshake_takes_of_the_card_is_said_first() {
        let whole = PacesView {
            full: Some(pace(640)),
            resumed: Some(pace(160)),
            signatures: Vec::new(),
        };
        let of = |identity: &str, expected_ms| SignatureView {
            identity: identity.parse().expect("a name"),
            pace: pace(expected_ms),
        };
        let signs = PacesView {
            signatures: vec![of("9a", 80), of("9c", 900)],
            ..PacesView::default()
        };
        for (paces, expected) in [
            (
                whole,
                "se-00: a full handshake takes about 640 ms of the card, a resumed one 160 ms\n",
            ),
            (
                signs,
                "se-00: a full handshake takes of the card about 80 ms with 9a, 900 ms with 9c, a \
                 resumed one nothing\n",
            ),
            (
                PacesView::default(),
                "se-00: no signature of it was measured yet\n",
            ),
        ] {
            assert_eq!(printed(&queue(paces)), format!("{expected}  free\n"));
        }
    }
}
