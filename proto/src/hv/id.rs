//! ID_HV, the name of a host.

use std::fmt;
use std::str::FromStr;

use ring::digest::{SHA256, digest};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::hex;

/// The name of an HV: the SHA-256 of the DER of its certificate.
///
/// As text `hv:sha256:` and 64 lower-case hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HvId(pub [u8; 32]);

impl HvId {
    /// The name of the HV with this certificate, in DER.
    #[must_use]
    pub fn of(certificate_der: &[u8]) -> Self {
        let hash = digest(&SHA256, certificate_der);
        let mut id = [0; 32];
        id.copy_from_slice(hash.as_ref());
        Self(id)
    }
}

impl fmt::Display for HvId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", hex::encode(&self.0))
    }
}

impl FromStr for HvId {
    type Err = HvIdError;

    fn from_str(text: &str) -> Result<Self, HvIdError> {
        let digits = text.strip_prefix(PREFIX).ok_or(HvIdError)?;
        hex::decode(digits).map(Self).ok_or(HvIdError)
    }
}

impl Serialize for HvId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for HvId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

/// Not the name of an HV.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not \"hv:sha256:\" and 64 lower-case hexadecimal digits")]
pub struct HvIdError;

const PREFIX: &str = "hv:sha256:";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_text() {
        // SHA-256 of the empty string (FIPS 180-4 examples).
        let text = "hv:sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(HvId::of(b"").to_string(), text);
        assert_eq!(text.parse(), Ok(HvId::of(b"")));
        for other in [
            &text[1..],
            &text[3..],
            &text[..73],
            &text.to_uppercase(),
            "",
        ] {
            assert_eq!(other.parse::<HvId>(), Err(HvIdError), "{other}");
        }
    }
}
