//! Answers: labels and values for people, JSON for scripts.

use std::io::{self, Write};

use proto::hex;
use proto::token::{Claims, SignatureAlgorithm};
use serde_json::{Value, json};

use crate::date::Time;

/// Prints each value behind its label, values below one another. A label that is empty continues
/// the one before.
pub(crate) fn fields(out: &mut impl Write, fields: &[(&str, String)]) -> io::Result<()> {
    let width = fields.iter().map(|(label, _)| label.len()).max();
    let width = width.unwrap_or_default();
    for (label, value) in fields {
        writeln!(out, "{label:width$}  {value}")?;
    }
    Ok(())
}

/// Prints one JSON value on a line of its own.
pub(crate) fn line_of_json(out: &mut impl Write, value: &Value) -> io::Result<()> {
    writeln!(out, "{value}")
}

/// `text` as one word for a shell.
pub(crate) fn quoted(text: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-".contains(letter);
    match text.chars().all(is_plain) && !text.is_empty() {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

/// What a token says, for people.
pub(crate) fn claims(claims: &Claims, now: Time) -> Vec<(&'static str, String)> {
    let time = |seconds: u64| {
        let time = Time(seconds);
        format!("{time} ({})", time.seen_from(now))
    };
    let mut fields = vec![
        ("VM", claims.sub.to_string()),
        ("HV", claims.iss.to_string()),
    ];
    let hv_domain = claims.hv_domain.iter().cloned();
    fields.extend(hv_domain.map(|text| ("HV domain", text)));
    fields.push(("Issued", time(claims.iat)));
    fields.extend(claims.nbf.map(|nbf| ("Not before", time(nbf))));
    fields.push(("Expires", time(claims.exp)));
    fields.push(("Token id", hex::encode(&claims.cti)));
    let fingerprint = claims.cnf.fingerprint();
    fields.push(("Channel key", format!("{} {fingerprint}", claims.cnf)));
    for (at, hash) in claims.vm_cert_sha256.iter().enumerate() {
        let label = if at == 0 { "VM certificates" } else { "" };
        fields.push((label, format!("SHA256:{}", hex::encode(hash))));
    }
    fields
}

/// What a token says, for scripts: numbers as in the token, and what people want beside them.
pub(crate) fn claims_json(algorithm: SignatureAlgorithm, claims: &Claims, now: Time) -> Value {
    let hashes = claims.vm_cert_sha256.iter();
    let exp = Time(claims.exp);
    json!({
        "algorithm": algorithm.name(),
        "iss": claims.iss,
        "sub": format!("vm:{}", claims.sub),
        "vm": claims.sub,
        "iat": claims.iat,
        "issued": Time(claims.iat).to_string(),
        "nbf": claims.nbf,
        "not_before": claims.nbf.map(|nbf| Time(nbf).to_string()),
        "exp": claims.exp,
        "expires": exp.to_string(),
        "days_left": exp.days_from(now),
        "cti": hex::encode(&claims.cti),
        "cnf": {
            "kind": claims.cnf.to_string(),
            "fingerprint": claims.cnf.fingerprint(),
            "public_key": claims.cnf.to_pem(),
        },
        "vm_cert_sha256": hashes.map(|hash| hex::encode(hash)).collect::<Vec<_>>(),
        "hv_domain": claims.hv_domain,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_one_word_for_a_shell() {
        assert_eq!(quoted("/etc/hv.cert-1.pem"), "/etc/hv.cert-1.pem");
        assert_eq!(quoted("it's; rm -rf /"), r"'it'\''s; rm -rf /'");
        assert_eq!(quoted(""), "''");
    }
}
