//! `dom0-middleware card watch`.

use std::io::{self, Write};

use super::card_list;
use crate::admin::watch;
use crate::broker::CardView;
use crate::cli::ReportArgs;
use crate::error::MiddlewareError;
use crate::time::{Now, UnixTime};

/// Prints each card, and again when it changes, until the service ends.
pub(super) fn run(args: &ReportArgs, out: &mut impl Write) -> Result<(), MiddlewareError> {
    watch(&args.admin, |card| {
        if args.json {
            let json = serde_json::to_string(&card);
            writeln!(out, "{}", json.expect("texts and numbers are always JSON"))?;
        } else {
            print(&card, Now::read().unix, out)?;
        }
        out.flush()?;
        Ok(())
    })
}

fn print(card: &CardView, now: UnixTime, out: &mut impl Write) -> io::Result<()> {
    write!(
        out,
        "{now}  {}  {}",
        card.seid,
        card_list::state(card.state)
    )?;
    if card.maintenance {
        write!(out, ", in maintenance")?;
    }
    if let Some(why) = &card.why {
        write!(out, ": {why}")?;
    }
    let identities: Vec<String> = card.identities.iter().map(card_list::identity).collect();
    if !identities.is_empty() {
        write!(out, ": {}", identities.join(", "))?;
    }
    writeln!(out)
}
