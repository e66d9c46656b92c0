//! `keygen`: an HV key and its certificate.

use std::fs::{self, DirBuilder};
use std::io::Write;
use std::os::unix::fs::DirBuilderExt as _;

use pkcs8::SecretDocument;
use proto::hex;
use proto::hv::HvCertificate;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PKCS_RSA_SHA256,
};
use rustls_pki_types::PrivatePkcs8KeyDer;
use serde_json::json;

use crate::cli::{KeyKind, KeygenArgs};
use crate::date::Time;
use crate::error::ToolError;
use crate::{file, hv_key, output, passphrase};

pub(crate) fn run(args: &KeygenArgs, out: &mut impl Write) -> Result<(), ToolError> {
    let (key_file, certificate_file) = (args.out.join("hv.key.pem"), args.out.join("hv.cert.pem"));
    // Said before the work; whether they are there is looked at again when they are made.
    let taken = [&key_file, &certificate_file]
        .into_iter()
        .find(|path| path.exists());
    if let Some(path) = taken {
        return Err(file::exists(path));
    }
    let passphrase_file = args.passphrase_file.as_deref();
    let passphrase = passphrase_file.map(passphrase::from_file).transpose()?;
    let key = hv_key::make(args.alg)?;
    let certificate_pem = self_signed(args, &key)?;
    let certificate = HvCertificate::from_pem(certificate_pem.as_bytes());
    let certificate = certificate.map_err(|error| ToolError::Internal(error.to_string()))?;
    let key_pem = hv_key::to_pem(&key, passphrase.as_ref().map(|it| it.as_slice()))?;

    let mut folder = DirBuilder::new();
    let made = folder.recursive(true).mode(0o700).create(&args.out);
    made.map_err(|error| ToolError::unusable(&args.out, error))?;
    file::create(&key_file, key_pem.as_bytes(), 0o600)?;
    if let Err(error) = file::create(&certificate_file, certificate_pem.as_bytes(), 0o644) {
        // A key without its certificate is of no use to anybody.
        let _ = fs::remove_file(&key_file);
        return Err(error);
    }
    let pin = format!("SHA256:{}", hex::encode(&certificate.id().0));
    let good_until = Time(certificate.not_after());
    if args.json {
        let made = json!({
            "hv": certificate.id(),
            "kind": certificate.key().to_string(),
            "key": key_file.display().to_string(),
            "encrypted": passphrase.is_some(),
            "pin": pin,
            "certificate": certificate_file.display().to_string(),
            "not_after": good_until.to_string(),
        });
        return Ok(output::line_of_json(out, &made)?);
    }
    let protection = match passphrase {
        Some(_) => "encrypted",
        None => "NOT encrypted: its file is all that protects it",
    };
    output::fields(
        out,
        &[
            ("HV", certificate.id().to_string()),
            ("For the agents", format!("hv_pins = [\"{pin}\"]")),
            (
                "Key",
                format!(
                    "{} ({}, {protection})",
                    key_file.display(),
                    certificate.key()
                ),
            ),
            (
                "Certificate",
                format!("{} (until {good_until})", certificate_file.display()),
            ),
        ],
    )?;
    Ok(())
}

/// The certificate that names this host, PEM. It also certifies the key of the channels' TLS, and
/// nothing below that.
fn self_signed(args: &KeygenArgs, key: &SecretDocument) -> Result<String, ToolError> {
    let failed = |why: String| ToolError::Internal(format!("making the certificate: {why}"));
    let algorithm = match args.alg {
        KeyKind::Rsa3072 | KeyKind::Rsa4096 => &PKCS_RSA_SHA256,
        KeyKind::P256 => &PKCS_ECDSA_P256_SHA256,
        KeyKind::Ed25519 => &PKCS_ED25519,
    };
    let key = PrivatePkcs8KeyDer::from(key.as_bytes());
    let key = KeyPair::from_pkcs8_der_and_sign_algo(&key, algorithm);
    let key = key.map_err(|error| failed(error.to_string()))?;

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
    let certificate = params.self_signed(&key);
    Ok(certificate
        .map_err(|error| failed(error.to_string()))?
        .pem())
}
