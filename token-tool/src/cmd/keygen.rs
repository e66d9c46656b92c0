//! `keygen`: an HV key and its certificate, or the certificate of a key that was made in a card.

use std::fs::{self, DirBuilder};
use std::io::Write;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use ::hv_card::{CardKeyName, HvCardKey, KeySource};
use proto::hex;
use proto::hv::{HvCertificate, HvIssuerKey, HvSigner, SoftwareHvKey};
use proto::piv::Slot;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, KeyUsagePurpose,
};
use serde_json::{Value, json};

use crate::cli::KeygenArgs;
use crate::date::Time;
use crate::error::ToolError;
use crate::{file, hv_card, hv_key, output, passphrase};

pub(crate) fn run(args: &KeygenArgs, out: &mut impl Write) -> Result<(), ToolError> {
    let files = Files::of(&args.out);
    match &args.hv_key {
        None => in_files(args, &files, out),
        Some(name) => in_card(args, name, &files, out),
    }
}

/// What is written.
struct Files {
    key: PathBuf,
    certificate: PathBuf,
}

impl Files {
    fn of(folder: &Path) -> Self {
        Self {
            key: folder.join("hv.key.pem"),
            certificate: folder.join("hv.cert.pem"),
        }
    }
}

/// A new key, and its certificate.
fn in_files(args: &KeygenArgs, files: &Files, out: &mut impl Write) -> Result<(), ToolError> {
    require_free(&[&files.key, &files.certificate])?;
    let passphrase_file = args.passphrase_file.as_deref();
    let passphrase = passphrase_file.map(passphrase::from_file).transpose()?;
    let key = hv_key::make(args.alg)?;
    let signer = SoftwareHvKey::from_pem(hv_key::to_pem(&key, None)?.as_bytes(), None);
    let signer = signer.map_err(|error| ToolError::Internal(error.to_string()))?;
    let (certificate, pem) = self_signed(args, &signer)?;
    let key_pem = hv_key::to_pem(&key, passphrase.as_ref().map(|it| it.as_slice()))?;

    make_folder(&args.out)?;
    file::create(&files.key, key_pem.as_bytes(), 0o600)?;
    if let Err(error) = file::create(&files.certificate, pem.as_bytes(), 0o644) {
        // A key without its certificate is of no use to anybody.
        let _ = fs::remove_file(&files.key);
        return Err(error);
    }
    let protection = match passphrase {
        Some(_) => "encrypted",
        None => "NOT encrypted: its file is all that protects it",
    };
    let (place, kind) = (files.key.display(), certificate.key());
    let made = Made {
        certificate: &certificate,
        file: &files.certificate,
        key: format!("{place} ({kind}, {protection})"),
        next: Vec::new(),
    };
    let more = json!({
        "key": place.to_string(),
        "encrypted": passphrase.is_some(),
    });
    made.tell(args.json, more, out)
}

/// The certificate of a key in a card, signed by that.
fn in_card(
    args: &KeygenArgs,
    name: &CardKeyName,
    files: &Files,
    out: &mut impl Write,
) -> Result<(), ToolError> {
    require_free(&[&files.certificate])?;
    let pin = hv_card::PinPlace {
        file: args.pin_file.as_deref(),
        characters: args.pin_characters.into(),
    };
    let key = hv_card::open_uncertified(name, args.public_key.as_deref(), pin)?;
    let signed = self_signed(args, &key);
    let (certificate, pem) =
        signed.map_err(|error| key.take_fault().map_or(error, hv_card::of_card))?;

    make_folder(&args.out)?;
    file::create(&files.certificate, pem.as_bytes(), 0o644)?;
    let (kind, source) = (certificate.key(), source(&key));
    let command = into_card(name, &files.certificate);
    let what =
        "put the certificate into the card's slot, by which the key is known: the vendor's tool";
    let next = match &command {
        Some(command) => vec![format!("{what}, or"), command.clone()],
        None => vec![what.to_owned()],
    };
    let made = Made {
        certificate: &certificate,
        file: &files.certificate,
        key: format!("{name} ({kind}, stays in the card; its public part is from {source})"),
        next,
    };
    let more = json!({
        "key": name.to_string(),
        "public_key_from": source,
        "next": command,
    });
    made.tell(args.json, more, out)
}

/// Said before the work; whether they are there is looked at again when they are made.
fn require_free(files: &[&Path]) -> Result<(), ToolError> {
    match files.iter().find(|path| path.exists()) {
        Some(path) => Err(file::exists(path)),
        None => Ok(()),
    }
}

fn make_folder(folder: &Path) -> Result<(), ToolError> {
    let mut builder = DirBuilder::new();
    let made = builder.recursive(true).mode(0o700).create(folder);
    made.map_err(|error| ToolError::unusable(folder, error))
}

fn source(key: &HvCardKey) -> String {
    match key.source() {
        KeySource::Metadata => "the card".to_owned(),
        KeySource::Certificate => "the certificate in the slot".to_owned(),
        KeySource::Stated(file) => file.clone(),
    }
}

/// The command that puts the certificate into the slot, where OpenSC's tool can.
fn into_card(name: &CardKeyName, certificate: &Path) -> Option<String> {
    if let Slot::Retired(_) = name.slot() {
        return None;
    }
    let reader = output::quoted(&name.reader().to_string_lossy());
    let slot = name.slot().to_string().to_uppercase();
    let file = output::quoted(&certificate.display().to_string());
    let command = format!("piv-tool --reader {reader} --admin M:9B:03 --cert {slot} --in {file}");
    Some(command)
}

/// What was made, to be told.
struct Made<'a> {
    certificate: &'a HvCertificate,
    file: &'a Path,
    /// Where the key is, for people.
    key: String,
    /// What comes next, lines.
    next: Vec<String>,
}

impl Made<'_> {
    /// `more` is what JSON has besides.
    fn tell(self, as_json: bool, more: Value, out: &mut impl Write) -> Result<(), ToolError> {
        let certificate = self.certificate;
        let pin = format!("SHA256:{}", hex::encode(&certificate.id().0));
        let good_until = Time(certificate.not_after());
        let file = self.file.display();
        if as_json {
            let mut made = json!({
                "hv": certificate.id(),
                "kind": certificate.key().to_string(),
                "pin": pin,
                "certificate": file.to_string(),
                "not_after": good_until.to_string(),
            });
            if let (Value::Object(made), Value::Object(more)) = (&mut made, more) {
                made.extend(more);
            }
            return Ok(output::line_of_json(out, &made)?);
        }
        let mut fields = vec![
            ("HV", certificate.id().to_string()),
            ("For the agents", format!("hv_pins = [\"{pin}\"]")),
            ("Key", self.key),
            ("Certificate", format!("{file} (until {good_until})")),
        ];
        let labels = std::iter::once("Next").chain(std::iter::repeat(""));
        fields.extend(labels.zip(self.next));
        Ok(output::fields(out, &fields)?)
    }
}

/// The certificate that names this host, and the same as PEM. It also certifies the key of the
/// channels' TLS, and nothing below that.
fn self_signed(
    args: &KeygenArgs,
    signer: &dyn HvSigner,
) -> Result<(HvCertificate, String), ToolError> {
    let failed = |why: String| ToolError::Internal(format!("making the certificate: {why}"));
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, args.name.as_str());
    let mut params = CertificateParams::default();
    params.distinguished_name = subject;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![
        KeyUsagePurpose::DigitalSignature,
        KeyUsagePurpose::KeyCertSign,
    ];
    let now = Time::now();
    let moment = |time: Time| {
        time.calendar()
            .ok_or_else(|| failed("the clock is wrong".to_owned()))
    };
    params.not_before = moment(now)?;
    params.not_after = moment(now.after_days(args.days))?;
    let failure = OnceLock::new();
    let key = HvIssuerKey::new(signer, &failure).map_err(|error| failed(error.to_string()))?;
    let certificate = params.self_signed(&key);
    drop(key);
    let certificate = certificate.map_err(|error| match failure.into_inner() {
        Some(why) => failed(why.to_string()),
        None => failed(error.to_string()),
    })?;
    let read = HvCertificate::from_der(certificate.der());
    let read = read.map_err(|error| failed(error.to_string()))?;
    Ok((read, certificate.pem()))
}
