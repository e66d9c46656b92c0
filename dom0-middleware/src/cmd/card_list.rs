//! `dom0-middleware card list`.

use std::io::{self, Write};

use super::table;
use crate::admin::{AdminAnswer, AdminError, AdminRequest, ask};
use crate::broker::{CardState, CardView, HolderView, IdentityView};
use crate::cli::ReportArgs;
use crate::error::MiddlewareError;

/// Prints all cards.
pub(super) fn run(args: &ReportArgs, out: &mut impl Write) -> Result<(), MiddlewareError> {
    let AdminAnswer::CardList(cards) = ask(&args.admin, &AdminRequest::CardList {})? else {
        return Err(AdminError::OtherAnswer.into());
    };
    if args.json {
        let json = serde_json::to_string_pretty(&cards);
        writeln!(out, "{}", json.expect("texts and numbers are always JSON"))?;
    } else {
        print(&cards, out)?;
    }
    Ok(())
}

/// Prints cards as a table, and why those that cannot be used cannot.
pub(super) fn print(cards: &[CardView], out: &mut impl Write) -> io::Result<()> {
    let rows: Vec<[String; 6]> = cards
        .iter()
        .map(|card| {
            let identities: Vec<String> = card.identities.iter().map(identity).collect();
            [
                card.seid.to_string(),
                state(card.state).to_owned(),
                card.profile.clone().unwrap_or_default(),
                identities.join(", "),
                in_use(card),
                card.atr.clone().unwrap_or_default(),
            ]
        })
        .collect();
    let headings = ["seid", "state", "profile", "identities", "in use", "atr"];
    table::print(out, headings, &rows)?;
    for card in cards {
        if let Some(place) = &card.elsewhere {
            writeln!(out, "{}: {place}", card.seid)?;
        }
        if let Some(why) = &card.why {
            writeln!(out, "{}: {why}", card.seid)?;
        }
        if let Some(next) = &card.next {
            writeln!(out, "  -> {next}")?;
        }
        if card.maintenance {
            let seid = &card.seid;
            writeln!(out, "{seid}: in maintenance, not for guests")?;
            writeln!(
                out,
                "  -> when it is done: dom0-middleware card maintenance {seid} off"
            )?;
        }
    }
    Ok(())
}

pub(super) fn state(state: CardState) -> &'static str {
    match state {
        CardState::Absent => "absent",
        CardState::Unusable => "unusable",
        CardState::Stuck => "stuck",
        CardState::Present => "present",
    }
}

pub(super) fn identity(identity: &IdentityView) -> String {
    match identity.bound_to {
        Some(domain) => format!("{} -> {domain}", identity.name),
        None => format!("{} (not bound)", identity.name),
    }
}

pub(super) fn in_use(card: &CardView) -> String {
    let waiting = match card.waiting {
        0 => String::new(),
        waiting => format!(", {waiting} waiting"),
    };
    if let Some(held) = &card.held_by {
        return format!("{}{waiting}", held_by(held));
    }
    match &card.running {
        Some(running) => format!("{} {} ms{waiting}", running.server_name, running.since_ms),
        None => format!("no{waiting}"),
    }
}

/// Who has a card for raw APDUs.
pub(super) fn held_by(held: &HolderView) -> String {
    let seconds = held.since_ms / 1_000;
    let recalled = match held.recalled {
        true => ", recalled",
        false => "",
    };
    format!("held by {} for {seconds} s{recalled}", held.holder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::PacesView;

    #[test]
    fn a_card_that_cannot_be_used_says_why() {
        let card = CardView {
            seid: "se-00".parse().expect("a SEID"),
            state: CardState::Unusable,
            elsewhere: Some("racs grid.example:7777 card7".to_owned()),
            why: Some("PIN file /x does not hold 4 to 8 digits".to_owned()),
            next: Some("write the PIN".to_owned()),
            atr: None,
            profile: None,
            identities: Vec::new(),
            running: None,
            maintenance: false,
            held_by: None,
            waiting: 0,
            pace: PacesView::default(),
        };
        let mut out = Vec::new();
        print(&[card], &mut out).expect("memory");
        let expected = "\
SEID   STATE     PROFILE  IDENTITIES  IN USE  ATR
se-00  unusable                       no
se-00: racs grid.example:7777 card7
se-00: PIN file /x does not hold 4 to 8 digits
  -> write the PIN
";
        assert_eq!(String::from_utf8(out).expect("text"), expected);
    }

    #[test]
    fn a_card_in_maintenance_says_so_and_who_has_it() {
        let card = CardView {
            seid: "se-00".parse().expect("a SEID"),
            state: CardState::Present,
            elsewhere: None,
            why: None,
            next: None,
            atr: None,
            profile: None,
            identities: Vec::new(),
            running: None,
            maintenance: true,
            held_by: Some(HolderView {
                holder: "RACS user alice".to_owned(),
                since_ms: 12_345,
                recalled: false,
            }),
            waiting: 0,
            pace: PacesView::default(),
        };
        let mut out = Vec::new();
        print(&[card], &mut out).expect("memory");
        let expected = "\
SEID   STATE    PROFILE  IDENTITIES  IN USE                            ATR
se-00  present                       held by RACS user alice for 12 s
se-00: in maintenance, not for guests
  -> when it is done: dom0-middleware card maintenance se-00 off
";
        assert_eq!(String::from_utf8(out).expect("text"), expected);
    }
}
