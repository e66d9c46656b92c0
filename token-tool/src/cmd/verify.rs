//! `verify`: whether a token is valid.

use std::io::Write;

use proto::hv::HvCertificate;
use proto::token::{self, Claims, SignatureAlgorithm};
use serde_json::{Value, json};

use crate::cli::VerifyArgs;
use crate::date::Time;
use crate::error::ToolError;
use crate::{input, output};

pub(crate) fn run(args: &VerifyArgs, out: &mut impl Write) -> Result<(), ToolError> {
    let issuers = args.hv_certs.iter().map(|path| input::hv_certificate(path));
    let issuers = issuers.collect::<Result<Vec<_>, _>>()?;
    let token = input::token(&args.token)?;
    let at = args.at.unwrap_or_else(Time::now);
    let judged = token.map_err(|error| error.to_string());
    let judged = judged.and_then(|token| judge(args, &token, &issuers, at));
    match judged {
        Ok((algorithm, claims)) if args.json => {
            let mut valid = output::claims_json(algorithm, &claims, at);
            if let Some(valid) = valid.as_object_mut() {
                valid.insert("valid".to_owned(), Value::Bool(true));
            }
            output::line_of_json(out, &valid)?;
            Ok(())
        }
        Ok((_, claims)) => {
            let (vm, exp) = (claims.sub, Time(claims.exp));
            writeln!(out, "valid for VM {vm} until {exp}")?;
            Ok(())
        }
        Err(why) if args.json => {
            output::line_of_json(out, &json!({ "valid": false, "reason": why }))?;
            Err(ToolError::NotSoAndSaid(why))
        }
        Err(why) => {
            let file = args.token.display();
            Err(ToolError::NotSo(format!("{file}: not valid: {why}")))
        }
    }
}

/// Everything that can be said without knowing what was revoked.
fn judge(
    args: &VerifyArgs,
    token: &[u8],
    issuers: &[HvCertificate],
    at: Time,
) -> Result<(SignatureAlgorithm, Claims), String> {
    let claims = token::verify(token, issuers).map_err(|error| error.to_string())?;
    let (algorithm, _) = token::decode(token).map_err(|error| error.to_string())?;
    let (from, exp) = (Time(claims.good_from()), Time(claims.exp));
    if at < from {
        return Err(format!("not good before {from}; it is {at}"));
    }
    if at >= exp {
        return Err(format!("expired at {exp}; it is {at}"));
    }
    let issuer = issuers.iter().find(|issuer| issuer.id() == claims.iss);
    let life = issuer.map(|issuer| Time(issuer.not_before())..=Time(issuer.not_after()));
    if let Some(life) = life.filter(|life| !life.contains(&at)) {
        let (start, end) = (life.start(), life.end());
        return Err(format!(
            "the HV certificate is good from {start} to {end} only; it is {at}"
        ));
    }
    match args.vm {
        Some(vm) if vm != claims.sub => Err(format!("it is for VM {}, not {vm}", claims.sub)),
        _ => Ok((algorithm, claims)),
    }
}
