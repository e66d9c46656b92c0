//! `dom0-middleware token list`.

use std::io::{self, Write};

use super::table;
use crate::admin::{AdminAnswer, AdminError, AdminRequest, TokenView, ask};
use crate::cli::ReportArgs;
use crate::error::MiddlewareError;

/// Prints the last token of each domain, and those that were revoked.
pub(super) fn run(args: &ReportArgs, out: &mut impl Write) -> Result<(), MiddlewareError> {
    let AdminAnswer::TokenList(tokens) = ask(&args.admin, &AdminRequest::TokenList {})? else {
        return Err(AdminError::OtherAnswer.into());
    };
    if args.json {
        table::json(&tokens, out)?;
    } else {
        print(&tokens, out)?;
    }
    Ok(())
}

/// Prints tokens as a table.
pub(super) fn print(tokens: &[TokenView], out: &mut impl Write) -> io::Result<()> {
    let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let rows: Vec<[String; 6]> = tokens
        .iter()
        .map(|token| {
            let uuid = token.domain.map(|domain| domain.to_string());
            let vm = token.name.clone().or(uuid);
            [
                token.cti.clone(),
                or_none(&vm),
                token.state.as_str().to_owned(),
                or_none(&token.iat),
                or_none(&token.exp),
                or_none(&token.last_seen),
            ]
        })
        .collect();
    let headings = ["token", "vm", "state", "issued", "expires", "last seen"];
    table::print(out, headings, &rows)
}
