//! `dom0-middleware card show`.

use std::io::{self, Write};

use super::{card_list, table};
use crate::admin::{
    AdminAnswer, AdminError, AdminRequest, CardDetails, CertificateView, PinView, ask,
};
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
    writeln!(out, "in use     {}", card_list::in_use(card))?;
    writeln!(
        out,
        "handshake  about {} ms full, {} ms resumed",
        card.full_ms, card.resumed_ms
    )?;
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
