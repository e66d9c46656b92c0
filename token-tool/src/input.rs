//! Reading the files that the operator names.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use proto::hv::{HvCertificate, HvId, HvPublicKey};
use proto::pem;
use proto::token::{self, ConfirmationKey, TokenError};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::date::Time;
use crate::error::ToolError;

/// What `path` holds; `-` is stdin.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, ToolError> {
    let unusable = |error: io::Error| ToolError::unusable(path, error);
    let mut content = Vec::new();
    let read = match is_stdin(path) {
        true => io::stdin().take(MAX_LEN + 1).read_to_end(&mut content),
        false => {
            let file = File::open(path).map_err(unusable)?;
            file.take(MAX_LEN + 1).read_to_end(&mut content)
        }
    };
    if read.map_err(unusable)? as u64 > MAX_LEN {
        return Err(ToolError::unusable(
            path,
            format!("longer than {MAX_LEN} bytes"),
        ));
    }
    Ok(content)
}

/// Whether this is how stdin and stdout are named.
pub(crate) fn is_stdin(path: &Path) -> bool {
    path == Path::new("-")
}

/// The token in a file: as text, or as bytes, which begin with the tag of a COSE_Sign1. What is
/// wrong with the text comes back as a fault of the token.
pub(crate) fn token(path: &Path) -> Result<Result<Vec<u8>, TokenError>, ToolError> {
    let content = read(path)?;
    if content.first() == Some(&COSE_SIGN1) {
        return Ok(Ok(content));
    }
    // What is no UTF-8 becomes a letter that base64url has not.
    Ok(token::from_text(&String::from_utf8_lossy(&content)))
}

/// The HV certificate in a PEM file.
pub(crate) fn hv_certificate(path: &Path) -> Result<HvCertificate, ToolError> {
    let certificate = HvCertificate::from_pem(&read(path)?);
    certificate.map_err(|error| ToolError::unusable(path, error))
}

/// The public key of an HV in a file, PEM or DER.
pub(crate) fn public_key(path: &Path) -> Result<HvPublicKey, ToolError> {
    let content = read(path)?;
    if content.is_empty() {
        let why = "empty: the tool that made the key has not written its public part (piv-tool of \
                   OpenSC 0.23 does not); make the key with the vendor's tool";
        return Err(ToolError::unusable(path, why));
    }
    let der = der(path, content, "PUBLIC KEY")?;
    HvPublicKey::from_spki_der(&der).map_err(|error| ToolError::unusable(path, error))
}

/// The public key of a guest's agent in a PEM file.
pub(crate) fn agent_key(path: &Path) -> Result<ConfirmationKey, ToolError> {
    let content = read(path)?;
    if pem::decode("PRIVATE KEY", &content).is_ok() {
        let why = "this is the private key, which stays in the guest; \
                   domu-agent enroll prints the public one";
        return Err(ToolError::unusable(path, why));
    }
    let key = ConfirmationKey::from_pem(&content);
    key.map_err(|error| ToolError::unusable(path, error))
}

/// A certificate of a VM, whose key is in a card.
pub(crate) struct VmCertificate {
    /// SHA-256 of its DER.
    pub(crate) sha256: [u8; 32],
    /// Last second it is good at.
    pub(crate) not_after: Time,
}

/// The first certificate in a file, PEM or DER.
pub(crate) fn vm_certificate(path: &Path) -> Result<VmCertificate, ToolError> {
    let der = der(path, read(path)?, "CERTIFICATE")?;
    let parsed = X509Certificate::from_der(&der);
    let Ok((&[], certificate)) = parsed else {
        return Err(ToolError::unusable(path, "not an X.509 certificate"));
    };
    let not_after = certificate.validity().not_after.timestamp();
    Ok(VmCertificate {
        // The same hash that names an HV.
        sha256: HvId::of(&der).0,
        not_after: Time(u64::try_from(not_after).unwrap_or_default()),
    })
}

/// What a file holds: DER, or the first block of that label in PEM.
fn der(path: &Path, content: Vec<u8>, label: &'static str) -> Result<Vec<u8>, ToolError> {
    match content.first() {
        Some(&SEQUENCE) => Ok(content),
        _ => pem::decode(label, &content).map_err(|error| ToolError::unusable(path, error)),
    }
}

/// Longest file that is read, in bytes.
const MAX_LEN: u64 = 64 * 1024;

/// First byte of a token that is not written as text: tag 18.
const COSE_SIGN1: u8 = 0xD2;

/// First byte of a certificate, or of a public key, in DER.
const SEQUENCE: u8 = 0x30;
