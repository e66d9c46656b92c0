//! The certificate of the channel key.

use std::sync::OnceLock;
use std::time::Duration;

use proto::hv::{HvCertificate, HvIssuerKey, HvSigner, IssuerKeyError, SignError};
use rcgen::{
    CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyUsagePurpose,
    PublicKeyData, SerialNumber, date_time_ymd,
};
use rustls_pki_types::CertificateDer;
use thiserror::Error;

use crate::time::UnixTime;

/// The name in the certificate: there is no such host, so it proves nothing but the purpose.
pub const SERVER_NAME: &str = "hv.tessera.invalid";

/// How long a certificate is good.
pub(super) const LIFE: Duration = Duration::from_secs(24 * 60 * 60);

/// How far a guest's clock may be behind ours.
const CLOCK_SKEW: Duration = Duration::from_secs(5 * 60);

/// A certificate and when it is good.
#[derive(Debug)]
pub(super) struct Issued {
    pub(super) certificate: CertificateDer<'static>,
    pub(super) not_before: UnixTime,
    pub(super) not_after: UnixTime,
}

/// Certifies the P-256 key with this point for a day from `now` on, but not for longer than the HV
/// certificate is good.
pub(super) fn issue(
    signer: &dyn HvSigner,
    hv: &HvCertificate,
    point: &[u8],
    serial: [u8; 16],
    now: UnixTime,
) -> Result<Issued, CertificateError> {
    // It is good through its last second.
    let hv_ends = UnixTime::from_secs(hv.not_after().saturating_add(1));
    if now >= hv_ends {
        return Err(CertificateError::HvExpired { at: hv_ends });
    }
    // Whole seconds, as X.509 has them.
    let now = now.as_secs();
    let not_before = UnixTime::from_secs(now.saturating_sub(CLOCK_SKEW.as_secs()));
    let not_after = UnixTime::from_secs(now.saturating_add(LIFE.as_secs())).min(hv_ends);

    let mut params = CertificateParams::new([SERVER_NAME.to_owned()])?;
    params.not_before = date_time_ymd(1970, 1, 1) + not_before.0;
    params.not_after = date_time_ymd(1970, 1, 1) + not_after.0;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    params
        .distinguished_name
        .push(DnType::CommonName, "channel key");
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let hv = CertificateDer::from(hv.der());
    let failure = OnceLock::new();
    let issuer = Issuer::from_ca_cert_der(&hv, HvIssuerKey::new(signer, &failure)?)?;
    let certificate = params.signed_by(&Point(point), &issuer);
    drop(issuer);
    let certificate = certificate.map_err(|error| match failure.into_inner() {
        Some(why) => CertificateError::Key(why),
        None => CertificateError::Issue(error),
    })?;
    Ok(Issued {
        certificate: certificate.der().clone(),
        not_before,
        not_after,
    })
}

/// The public key to be certified.
struct Point<'a>(&'a [u8]);

impl PublicKeyData for Point<'_> {
    fn der_bytes(&self) -> &[u8] {
        self.0
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        &rcgen::PKCS_ECDSA_P256_SHA256
    }
}

/// Why the channel key has no new certificate.
#[derive(Debug, Error)]
pub enum CertificateError {
    /// The HV certificate has ended.
    #[error(
        "the HV certificate has ended at {at}; make a new one with token-tool keygen, list it \
             under [[hv]], and add it to the hv_pins of the guests"
    )]
    HvExpired {
        /// When.
        at: UnixTime,
    },
    /// The HV key is of a kind that cannot sign certificates.
    #[error(transparent)]
    IssuerKey(#[from] IssuerKeyError),
    /// The HV key did not sign it.
    #[error(transparent)]
    Key(SignError),
    /// Making or signing it failed.
    #[error("cannot certify the channel key: {0}")]
    Issue(#[from] rcgen::Error),
}
