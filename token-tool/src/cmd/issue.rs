//! `issue`: a token for a VM.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use proto::hex;
use proto::hv::{HvCertificate, HvSigner, SignError};
use proto::token::{self, Claims, SignatureAlgorithm};
use ring::rand::{SecureRandom as _, SystemRandom};
use serde_json::json;

use crate::cli::{HvKeyPlace, IssueArgs};
use crate::date::Time;
use crate::error::ToolError;
use crate::{file, hv_card, hv_key, input, output, xenstore};

pub(crate) fn run(args: &IssueArgs, out: &mut impl Write) -> Result<(), ToolError> {
    let certificate = input::hv_certificate(&args.hv_cert)?;
    let now = Time::now();
    require_current(&args.hv_cert, &certificate, now)?;
    let claims = claims(args, &certificate, now)?;
    let token = signed(args, &claims, &certificate)?;
    // A signature that does not verify must not leave, whatever went wrong.
    let verified = token::verify(&token, std::slice::from_ref(&certificate));
    if verified.as_ref() != Ok(&claims) {
        return Err(ToolError::Internal(
            "the token that was made does not verify".to_owned(),
        ));
    }
    deliver(args, &claims, &token, out)
}

/// The token, signed by the HV key, wherever that is.
fn signed(
    args: &IssueArgs,
    claims: &Claims,
    certificate: &HvCertificate,
) -> Result<Vec<u8>, ToolError> {
    let algorithm = args.alg.map(SignatureAlgorithm::from);
    match &args.hv_key {
        HvKeyPlace::File(path) => {
            if args.pin_file.is_some() {
                let why = "--pin-file: a key in a file has no PIN; see --passphrase-file";
                return Err(ToolError::Usage(why.to_owned()));
            }
            let key = hv_key::read(path, args.passphrase_file.as_deref())?;
            if key.spki_der() != certificate.spki_der() {
                let why = format!("not the key of the certificate {}", args.hv_cert.display());
                return Err(ToolError::unusable(path, why));
            }
            sign(claims, &key, algorithm)
        }
        HvKeyPlace::Card(name) => {
            if args.passphrase_file.is_some() {
                let why = "--passphrase-file: a key in a card has a PIN; see --pin-file";
                return Err(ToolError::Usage(why.to_owned()));
            }
            let pin = hv_card::PinPlace {
                file: args.pin_file.as_deref(),
                characters: args.pin_characters.into(),
            };
            let key = hv_card::open(name, certificate, pin)?;
            let signed = sign(claims, &key, algorithm);
            signed.map_err(|error| key.take_fault().map_or(error, hv_card::of_card))
        }
    }
}

/// What the token is to say.
fn claims(args: &IssueArgs, hv: &HvCertificate, now: Time) -> Result<Claims, ToolError> {
    let nbf = args.not_before;
    let good_from = nbf.map_or(now, |nbf| nbf.max(now));
    let hv_end = Time(hv.not_after());
    if good_from >= hv_end {
        let why = format!("ends at {hv_end}, before the token would be good");
        return Err(ToolError::unusable(&args.hv_cert, why));
    }
    let mut exp = good_from.after_days(args.days);
    if exp > hv_end {
        exp = hv_end;
        note(&format!("the token ends with the HV certificate, at {exp}"));
    }
    let mut hashes = Vec::new();
    for path in &args.vm_certs {
        let certificate = input::vm_certificate(path)?;
        if hashes.contains(&certificate.sha256) {
            let path = path.display();
            return Err(ToolError::Usage(format!("--vm-cert {path}: given twice")));
        }
        hashes.push(certificate.sha256);
        if certificate.not_after < exp {
            let (path, end) = (path.display(), certificate.not_after);
            note(&format!("{path} ends before the token, at {end}"));
        }
    }
    let mut cti = [0; 16];
    let random = SystemRandom::new().fill(&mut cti);
    random.map_err(|_| ToolError::Internal("no random numbers".to_owned()))?;
    Ok(Claims {
        iss: hv.id(),
        sub: xenstore::resolve(&args.vm)?,
        exp: exp.0,
        nbf: nbf.map(|nbf| nbf.0),
        iat: now.0,
        cti,
        cnf: input::agent_key(&args.agent_key)?,
        vm_cert_sha256: hashes,
        hv_domain: args.hv_domain.clone(),
    })
}

fn sign(
    claims: &Claims,
    key: &dyn HvSigner,
    algorithm: Option<SignatureAlgorithm>,
) -> Result<Vec<u8>, ToolError> {
    let preferred = key.algorithms().first().copied();
    let algorithm = algorithm.or(preferred);
    let algorithm =
        algorithm.ok_or_else(|| ToolError::Internal("a key without algorithm".to_owned()))?;
    token::sign(claims, key, algorithm).map_err(|error| match error {
        SignError::Algorithm(_) => ToolError::Usage(format!("--alg: {error}")),
        SignError::Token(_) => ToolError::Usage(error.to_string()),
        SignError::Key(_) => ToolError::Internal(error.to_string()),
    })
}

/// Writes the token, and says what was done where the token does not stand itself.
fn deliver(
    args: &IssueArgs,
    claims: &Claims,
    token: &[u8],
    out: &mut impl Write,
) -> Result<(), ToolError> {
    let text = token::to_text(token);
    let line = args.print_line.then(|| shell_line(&text, &args.guest_file));
    let to_stdout = args.out.as_deref().is_some_and(input::is_stdin);
    let file = args.out.as_deref().filter(|path| !input::is_stdin(path));
    let file = file.map(|path| place(path, claims));
    if let Some((path, mode)) = &file {
        file::replace(path, format!("{text}\n").as_bytes(), *mode)?;
    }
    let file = file.map(|(path, _)| path.display().to_string());
    let exp = Time(claims.exp);
    if args.json {
        let made = json!({
            "vm": claims.sub,
            "hv": claims.iss,
            "cti": hex::encode(&claims.cti),
            "expires": exp.to_string(),
            "channel_key": claims.cnf.fingerprint(),
            "bytes": token.len(),
            "file": file,
            "token": to_stdout.then_some(text),
            "line": line,
        });
        return Ok(output::line_of_json(out, &made)?);
    }
    let mut made = vec![
        ("VM", claims.sub.to_string()),
        ("Channel key", claims.cnf.fingerprint()),
        ("Token id", hex::encode(&claims.cti)),
        ("Expires", exp.to_string()),
    ];
    made.extend(file.map(|file| ("File", file)));
    match (to_stdout, line) {
        (false, None) => output::fields(out, &made)?,
        (is_token, line) => {
            if is_token {
                writeln!(out, "{text}")?;
            }
            if let Some(line) = line {
                writeln!(out, "{line}")?;
            }
            output::fields(&mut io::stderr(), &made)?;
        }
    }
    Ok(())
}

/// The file that `--out` means, and its mode. In a folder it is the one that dom0-middleware looks
/// for, which nobody else needs to read.
fn place(out: &Path, claims: &Claims) -> (PathBuf, u32) {
    match out.is_dir() {
        true => (out.join(format!("{}.token", claims.sub)), 0o600),
        false => (out.to_owned(), 0o644),
    }
}

/// Puts the token into the guest's file in one step, as the agent watches it.
fn shell_line(token: &str, guest_file: &str) -> String {
    let (file, new) = (guest_file, format!("{guest_file}.new"));
    let (file, new) = (output::quoted(file), output::quoted(&new));
    format!("printf '%s\\n' {token} >{new} && mv {new} {file}")
}

fn require_current(path: &Path, hv: &HvCertificate, now: Time) -> Result<(), ToolError> {
    let (start, end) = (Time(hv.not_before()), Time(hv.not_after()));
    match now {
        _ if now < start => Err(ToolError::unusable(
            path,
            format!("not good before {start}"),
        )),
        _ if now > end => Err(ToolError::unusable(
            path,
            format!("no longer good since {end}"),
        )),
        _ => Ok(()),
    }
}

fn note(text: &str) {
    eprintln!("token-tool: {text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_the_guest_is_one_word_of_the_line() {
        assert_eq!(
            shell_line("0oRD", "/etc/domu-agent/token"),
            "printf '%s\\n' 0oRD >/etc/domu-agent/token.new \
             && mv /etc/domu-agent/token.new /etc/domu-agent/token"
        );
    }
}
