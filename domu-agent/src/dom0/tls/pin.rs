//! HV certificates that are believed.

use std::fmt;
use std::str::FromStr;

use proto::hex;
use proto::hv::HvId;
use serde::{Deserialize, Deserializer, de};

/// The SHA-256 of an HV certificate in DER.
///
/// As text `SHA256:` and 64 hexadecimal digits. Also read are the digits alone, the name of an HV as
/// tokens have it (`hv:sha256:…`), colons between the pairs, and upper case.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct HvPin(HvId);

impl HvPin {
    /// The pin of this certificate, in DER.
    pub(crate) fn of(certificate: &[u8]) -> Self {
        Self(HvId::of(certificate))
    }
}

impl fmt::Display for HvPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SHA256:{}", hex::encode(&self.0.0))
    }
}

impl fmt::Debug for HvPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for HvPin {
    type Err = NotAPin;

    fn from_str(text: &str) -> Result<Self, NotAPin> {
        let text = text.to_ascii_lowercase();
        let digits = text
            .strip_prefix("hv:sha256:")
            .or_else(|| text.strip_prefix("sha256:"))
            .unwrap_or(&text);
        let digits = digits.replace(':', "");
        hex::decode(&digits).map(HvId).map(Self).ok_or(NotAPin)
    }
}

impl<'de> Deserialize<'de> for HvPin {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// Not a pin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not \"SHA256:\" and the 64 hexadecimal digits of an HV certificate's hash")]
pub(crate) struct NotAPin;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_is_read_in_each_form_that_people_have_it_in() {
        let pin = HvPin::of(b"");
        let text = pin.to_string();
        let digits = text.strip_prefix("SHA256:").expect("so it begins");
        assert_eq!(digits.len(), 64);
        let pairs: Vec<&str> = (0..32).map(|at| &digits[2 * at..2 * at + 2]).collect();
        for form in [
            text.clone(),
            digits.to_owned(),
            digits.to_uppercase(),
            format!("hv:sha256:{digits}"),
            format!("SHA256:{}", pairs.join(":")),
        ] {
            assert_eq!(form.parse(), Ok(pin), "{form}");
        }
        for other in [
            "",
            "SHA256:",
            &digits[1..],
            &format!("{digits}0"),
            "sha1:00",
        ] {
            assert_eq!(other.parse::<HvPin>(), Err(NotAPin), "{other}");
        }
    }
}
