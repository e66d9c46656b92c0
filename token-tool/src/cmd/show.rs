//! `show`: what a token says.

use std::io::Write;

use proto::token;
use serde_json::json;

use crate::cli::ShowArgs;
use crate::date::Time;
use crate::error::ToolError;
use crate::{input, output};

pub(crate) fn run(args: &ShowArgs, out: &mut impl Write) -> Result<(), ToolError> {
    let bytes = input::token(&args.token)?;
    let decoded = bytes.and_then(|bytes| Ok((bytes.len(), token::decode(&bytes)?)));
    let (len, (algorithm, claims)) = match decoded {
        Ok(decoded) => decoded,
        Err(error) if args.json => {
            let why = error.to_string();
            output::line_of_json(out, &json!({ "error": why }))?;
            return Err(ToolError::NotSoAndSaid(why));
        }
        Err(error) => {
            let file = args.token.display();
            return Err(ToolError::NotSo(format!("{file}: not a token: {error}")));
        }
    };
    let now = Time::now();
    if args.json {
        let mut shown = output::claims_json(algorithm, &claims, now);
        if let Some(shown) = shown.as_object_mut() {
            shown.insert("bytes".to_owned(), len.into());
        }
        return Ok(output::line_of_json(out, &shown)?);
    }
    let mut fields = output::claims(&claims, now);
    fields.push(("Algorithm", algorithm.to_string()));
    fields.push(("Length", format!("{len} bytes")));
    fields.push((
        "Signature",
        "not checked; token-tool verify does".to_owned(),
    ));
    Ok(output::fields(out, &fields)?)
}
