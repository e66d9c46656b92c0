//! Names of things: domains, secure elements, sessions, the identities of a card.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use uuid::Uuid;

/// A Xen domain id: which domain this is until it dies. Ids are reused; a [`DomainUuid`] is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DomId(pub u16);

impl fmt::Display for DomId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A TLS session of one connection between agent and dom0, chosen by the agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SessionId(pub u32);

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The UUID of a domain, the same over restarts and migrations.
///
/// As text only `8-4-4-4-12` lower-case hexadecimal digits, the form xenstore and tokens have, so
/// that one domain has one name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DomainUuid(Uuid);

impl DomainUuid {
    /// The UUID with these bytes, in the order of its text.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    /// Its bytes, in the order of its text.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }
}

impl fmt::Display for DomainUuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl FromStr for DomainUuid {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let uuid = Uuid::try_parse(text).map_err(|_| IdError::Uuid)?;
        let canonical = uuid.hyphenated().encode_lower(&mut Uuid::encode_buffer()) == text;
        canonical.then_some(Self(uuid)).ok_or(IdError::Uuid)
    }
}

/// The name of a secure element, stable over restarts: 1 to 64 of `A-Z a-z 0-9 . _ -`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seid(String);

impl Seid {
    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Seid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Seid {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        check("SEID", text.as_bytes(), is_allowed)?;
        Ok(Self(text.to_owned()))
    }
}

/// The name a card knows one of its identities by: 1 to 64 printable ASCII bytes, 20 to 7E.
///
/// Source: draft-urien-eap-smartcard, Set-Identity, "friendly name".
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdentityName(String);

impl IdentityName {
    /// As the card gets it.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for IdentityName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for IdentityName {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        check("identity name", text.as_bytes(), |byte| {
            matches!(byte, 0x20..=0x7E)
        })?;
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<&[u8]> for IdentityName {
    type Error = IdError;

    fn try_from(bytes: &[u8]) -> Result<Self, IdError> {
        let invalid_at = |error: std::str::Utf8Error| IdError::Character {
            what: "identity name",
            at: error.valid_up_to(),
        };
        str::from_utf8(bytes).map_err(invalid_at)?.parse()
    }
}

/// Why a text is no name of that kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Empty or too long.
    #[error("{what}: {got} bytes, 1 to {max} allowed")]
    Length {
        /// The kind of name.
        what: &'static str,
        /// Most bytes.
        max: usize,
        /// Bytes there were.
        got: usize,
    },
    /// A character that does not belong there.
    #[error("{what}: byte {at} is not allowed")]
    Character {
        /// The kind of name.
        what: &'static str,
        /// Its place in bytes, the first one being 0.
        at: usize,
    },
    /// Not a UUID, or not in its only form.
    #[error("not a UUID in lower case with hyphens")]
    Uuid,
}

fn check(what: &'static str, name: &[u8], is_allowed: fn(u8) -> bool) -> Result<(), IdError> {
    let (max, got) = (MAX_NAME_LEN, name.len());
    if got == 0 || got > max {
        return Err(IdError::Length { what, max, got });
    }
    match name.iter().position(|&byte| !is_allowed(byte)) {
        Some(at) => Err(IdError::Character { what, at }),
        None => Ok(()),
    }
}

/// These are texts in every format, each read by its `FromStr`.
macro_rules! serde_as_text {
    ($($name:ty),*) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }
    )*};
}

serde_as_text!(DomainUuid, Seid, IdentityName);

/// Longest SEID and identity name, in bytes.
const MAX_NAME_LEN: usize = 64;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::de::value::{Error, StrDeserializer};
    use serde::de::{DeserializeOwned, IntoDeserializer};

    use super::*;

    const UUID: &str = "0f6a2b9c-5d1e-4c3a-8b7f-112233445566";

    fn from_serde<T: DeserializeOwned>(text: &str) -> Result<T, Error> {
        let deserializer: StrDeserializer<'_, Error> = text.into_deserializer();
        T::deserialize(deserializer)
    }

    #[test]
    fn a_uuid_has_one_text() {
        let uuid: DomainUuid = UUID.parse().expect("canonical");
        assert_eq!(uuid.to_string(), UUID);
        assert_eq!(uuid, DomainUuid::from_bytes(*uuid.as_bytes()));
        let others = [
            UUID.to_uppercase(),
            UUID.replace('-', ""),
            format!("{{{UUID}}}"),
            format!("urn:uuid:{UUID}"),
            format!("{UUID} "),
            UUID[1..].to_owned(),
            String::new(),
        ];
        for other in others {
            assert_eq!(other.parse::<DomainUuid>(), Err(IdError::Uuid), "{other}");
        }
    }

    #[test]
    fn names_are_bounded_and_of_their_alphabet() {
        let longest = "s".repeat(64);
        for good in ["se-00", "A.b_9-", longest.as_str()] {
            assert_eq!(good.parse::<Seid>().expect("allowed").as_str(), good);
        }
        let what = "SEID";
        let (max, got) = (64, 65);
        let too_long = IdError::Length { what, max, got };
        assert_eq!("s".repeat(65).parse::<Seid>(), Err(too_long));
        let at = 2;
        assert_eq!(
            "se/../x".parse::<Seid>(),
            Err(IdError::Character { what, at })
        );
        assert!("".parse::<IdentityName>().is_err());
        assert!("tab\t".parse::<IdentityName>().is_err());
        assert!("é".parse::<IdentityName>().is_err());
    }

    #[test]
    fn the_name_of_an_identity_comes_from_the_card_as_bytes() {
        // Get-Next-Identity in a recorded session: "alice".
        let name = IdentityName::try_from(&[0x61, 0x6C, 0x69, 0x63, 0x65][..]);
        assert_eq!(name.expect("printable").as_str(), "alice");
        let what = "identity name";
        let not_text = IdentityName::try_from(&b"bob\xFF"[..]);
        assert_eq!(not_text, Err(IdError::Character { what, at: 3 }));
    }

    #[test]
    fn serde_accepts_what_from_str_accepts() {
        assert_eq!(from_serde::<DomainUuid>(UUID), Ok(UUID.parse().unwrap()));
        assert!(from_serde::<DomainUuid>(&UUID.to_uppercase()).is_err());
        assert!(from_serde::<Seid>("se 00").is_err());
        assert!(from_serde::<IdentityName>("web 01").is_ok());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn every_uuid_is_its_text(bytes: [u8; 16]) {
            let uuid = DomainUuid::from_bytes(bytes);
            prop_assert_eq!(uuid.to_string().parse(), Ok(uuid));
        }

        #[test]
        fn every_printable_name_is_its_bytes(text in "[ -~]{1,64}") {
            let name: IdentityName = text.parse().expect("printable");
            prop_assert_eq!(IdentityName::try_from(name.as_bytes()), Ok(name));
        }
    }
}
