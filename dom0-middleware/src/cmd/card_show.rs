//! `dom0-middleware card show`.

use std::io::{self, Write};

use super::{card_list, table};
use crate::admin::{
    AdminAnswer, AdminError, AdminRequest, CardDetails, CertificateView, PinStatusView, PinView,
    ask,
};
use crate::broker::{PaceView, PacesView};
use crate::card::WHERE_TOOLS_WORK;
use crate::cli::{CardArgs, ReportArgs};
use crate::error::MiddlewareError;

/// Prints everything about one card.
pub(super) fn run(args: &CardArgs, out: &mut impl Write) -> Result<(), MiddlewareError> {
    let seid = args.seid.clone();
    ask_and_print(&args.report, &AdminRequest::CardShow { seid }, out)
}

/// Asks something that is answered with a card, and prints it.
pub(super) fn ask_and_print(
    args: &ReportArgs,
    request: &AdminRequest,
    out: &mut impl Write,
) -> Result<(), MiddlewareError> {
    let AdminAnswer::Card(details) = ask(&args.admin, request)? else {
        return Err(AdminError::OtherAnswer.into());
    };
    if args.json {
        let json = serde_json::to_string_pretty(&details);
        writeln!(out, "{}", json.expect("texts and numbers are always JSON"))?;
    } else {
        print(&details, out)?;
    }
    Ok(())
}

fn print(details: &CardDetails, out: &mut impl Write) -> io::Result<()> {
    let card = &details.card;
    let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    writeln!(out, "seid       {}", card.seid)?;
    writeln!(out, "state      {}", card_list::state(card.state))?;
    if let Some(why) = &card.why {
        writeln!(out, "why        {why}")?;
    }
    if let Some(next) = &card.next {
        writeln!(out, "next       {next}")?;
    }
    writeln!(out, "place      {}", details.place)?;
    writeln!(out, "profile    {}", or_none(&card.profile))?;
    writeln!(out, "atr        {}", or_none(&card.atr))?;
    writeln!(out, "adopted    {}", or_none(&details.adopted))?;
    writeln!(out, "pin        {}", pin(details.pin.as_ref()))?;
    writeln!(out, "tries      {}", tries(details.pin_status.as_ref()))?;
    writeln!(out, "in use     {}", card_list::in_use(card))?;
    if card.maintenance {
        writeln!(out, "guests     none: in maintenance")?;
    }
    print_paces(&card.pace, out)?;
    if card.identities.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    let rows: Vec<[String; 6]> = card
        .identities
        .iter()
        .map(|identity| {
            let mut certificates = details.certificates.iter();
            let certificate = certificates.find(|held| held.identity == identity.name);
            let says = |what: fn(&CertificateView) -> &str| {
                certificate.map_or_else(|| "-".to_owned(), |held| what(held).to_owned())
            };
            [
                identity.name.to_string(),
                says(|held| &held.key),
                says(|held| day(&held.not_after)),
                identity
                    .bound_to
                    .map_or_else(|| "(not bound)".to_owned(), |domain| domain.to_string()),
                says(|held| &held.subject),
                or_none(&identity.certificate_sha256),
            ]
        })
        .collect();
    let headings = [
        "identity",
        "key",
        "expires",
        "bound to",
        "subject",
        "certificate sha-256",
    ];
    table::print(out, headings, &rows)
}

/// How long handshakes take; of a card that signs, those with each identity.
fn print_paces(paces: &PacesView, out: &mut impl Write) -> io::Result<()> {
    match &paces.full {
        Some(full) => writeln!(out, "full       {}", pace(full))?,
        None if paces.signatures.is_empty() => {
            writeln!(out, "full       no signature was measured yet")?;
        }
        None => {}
    }
    for (n, of) in paces.signatures.iter().enumerate() {
        let heading = if n == 0 { "full" } else { "" };
        writeln!(out, "{heading:<10} {}: {}", of.identity, pace(&of.pace))?;
    }
    let resumed = paces.resumed.as_ref().map(pace);
    let resumed = resumed.as_deref().unwrap_or("without the card");
    writeln!(out, "resumed    {resumed}")
}

/// How long one kind of work takes.
fn pace(pace: &PaceView) -> String {
    let expected = pace.expected_ms;
    let Some(card) = pace.card_ms else {
        return format!("about {expected} ms: assumed, none was measured yet");
    };
    let measured = pace.measured;
    let mut text = format!("about {expected} ms, {card} of them the card's ({measured} measured");
    match pace.usual_ms {
        Some(usual) if pace.drifted => text.push_str(&format!(
            "): SLOW, at first {usual}; clean its contacts, try another reader, look who else uses it"
        )),
        Some(usual) => text.push_str(&format!("; at first {usual})")),
        None => text.push(')'),
    }
    text
}

/// The date of a time.
fn day(time: &str) -> &str {
    time.split_once('T').map_or(time, |(day, _)| day)
}

fn pin(pin: Option<&PinView>) -> String {
    match pin {
        None => "no file known".to_owned(),
        Some(PinView { file, problem }) => match problem {
            None => format!("in {}", file.display()),
            Some(problem) => format!("in {}, not to be sent: {problem}", file.display()),
        },
    }
}

/// How the PIN stands, and what to do when that is not well.
fn tries(status: Option<&PinStatusView>) -> String {
    let text = match status {
        None => "-",
        Some(PinStatusView::Verified) => {
            "PIN verified; the card shows no tries as long as it remembers that"
        }
        Some(PinStatusView::Tries { left: left @ 2.. }) => return format!("{left} left"),
        Some(PinStatusView::Tries { left: 1 }) => {
            return format!(
                "1 left, which is not spent: verify the right PIN with a tool of the card, or set a \
                 new one with the PUK, {WHERE_TOOLS_WORK}"
            );
        }
        Some(PinStatusView::Blocked | PinStatusView::Tries { left: 0 }) => {
            return format!(
                "none left, the PIN is blocked: set a new one with the PUK, {WHERE_TOOLS_WORK}"
            );
        }
        Some(PinStatusView::Untold) => {
            "the card does not tell how many are left, so no PIN is sent"
        }
        Some(PinStatusView::NotAsked { why }) => return format!("not asked: {why}"),
        Some(PinStatusView::Ok) => "PIN ok; this kind of card does not show its tries",
        Some(PinStatusView::Pending) => {
            "PIN pending: it was sent, and nobody heard whether the card took it"
        }
        Some(PinStatusView::Failed) => "PIN failed: the card did not take it",
    };
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::SignatureView;

    #[test]
    fn a_pin_says_how_it_stands() {
        let say = |status: PinStatusView| tries(Some(&status));
        assert_eq!(tries(None), "-");
        assert_eq!(say(PinStatusView::Tries { left: 3 }), "3 left");
        let said = say(PinStatusView::Tries { left: 1 });
        assert!(said.starts_with("1 left, which is not spent"), "{said}");
        assert!(said.contains("service is stopped"), "{said}");
        for none in [PinStatusView::Blocked, PinStatusView::Tries { left: 0 }] {
            let said = say(none);
            assert!(
                said.starts_with("none left") && said.contains("PUK"),
                "{said}"
            );
            assert!(said.contains("service is stopped"), "{said}");
        }
        let why = "the card is in use".to_owned();
        let busy = say(PinStatusView::NotAsked { why });
        assert_eq!(busy, "not asked: the card is in use");
        assert!(say(PinStatusView::Verified).contains("verified"));
        assert!(say(PinStatusView::Pending).contains("pending"));
        assert!(say(PinStatusView::Failed).contains("failed"));
    }

    #[test]
    fn each_identity_of_a_card_that_signs_has_its_own_time() {
        let print = |paces: &PacesView| {
            let mut out = Vec::new();
            print_paces(paces, &mut out).expect("memory");
            String::from_utf8(out).expect("text")
        };
        let of = |identity: &str, expected_ms| SignatureView {
            identity: identity.parse().expect("a name"),
            pace: PaceView {
                expected_ms,
                ..PaceView::default()
            },
        };
        let paces = PacesView {
            signatures: vec![of("9a", 80), of("9c", 900)],
            ..PacesView::default()
        };
        let expected = "\
full       9a: about 80 ms: assumed, none was measured yet
           9c: about 900 ms: assumed, none was measured yet
resumed    without the card
";
        assert_eq!(print(&paces), expected);
        let expected = "full       no signature was measured yet\nresumed    without the card\n";
        assert_eq!(print(&PacesView::default()), expected);
    }

    #[test]
    fn a_pace_says_what_it_rests_on() {
        let assumed = PaceView {
            expected_ms: 2_000,
            ..PaceView::default()
        };
        assert_eq!(
            pace(&assumed),
            "about 2000 ms: assumed, none was measured yet"
        );
        let first = PaceView {
            expected_ms: 640,
            measured: 3,
            card_ms: Some(600),
            ..PaceView::default()
        };
        assert_eq!(
            pace(&first),
            "about 640 ms, 600 of them the card's (3 measured)"
        );
        let known = PaceView {
            usual_ms: Some(580),
            measured: 40,
            ..first
        };
        let expected = "about 640 ms, 600 of them the card's (40 measured; at first 580)";
        assert_eq!(pace(&known), expected);
        let slow = PaceView {
            drifted: true,
            ..known
        };
        assert!(pace(&slow).contains("SLOW, at first 580; clean its contacts"));
    }
}
