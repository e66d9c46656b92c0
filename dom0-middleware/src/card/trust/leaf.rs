//! The dates of a single certificate.

use std::time::Duration;

use rustls_pki_types::UnixTime;
use x509_parser::parse_x509_certificate;

use super::error::TrustError;

/// Checks that `der` is one certificate, and that `now` lies within its dates.
pub(super) fn verify_dates(der: &[u8], now: UnixTime) -> Result<(), TrustError> {
    let (not_before, not_after) = dates(der)?;
    if now.as_secs() < not_before {
        return Err(TrustError::NotYetValid { not_before });
    }
    if now.as_secs() > not_after {
        return Err(TrustError::Expired { not_after });
    }
    Ok(())
}

/// When the certificate ends that `der` is.
pub(super) fn not_after(der: &[u8]) -> Result<UnixTime, TrustError> {
    let (_, not_after) = dates(der)?;
    Ok(UnixTime::since_unix_epoch(Duration::from_secs(not_after)))
}

/// When it begins and ends, Unix seconds.
fn dates(der: &[u8]) -> Result<(u64, u64), TrustError> {
    let (rest, certificate) = parse_x509_certificate(der).map_err(|_| TrustError::Malformed)?;
    if !rest.is_empty() {
        return Err(TrustError::Malformed);
    }
    let validity = certificate.validity();
    // Dates before 1970 become 0: valid since ever, or long expired.
    let not_before = u64::try_from(validity.not_before.timestamp()).unwrap_or(0);
    let not_after = u64::try_from(validity.not_after.timestamp()).unwrap_or(0);
    Ok((not_before, not_after))
}
