//! The errors that xenstored has.

use std::fmt;

/// Why xenstored did not do what it was asked: the name of an error of the system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ErrorName {
    /// `ENOENT`: there is no such node.
    NoEntry,
    /// `EACCES`: not for this domain.
    Access,
    /// `EINVAL`: no request that can be done, or no path.
    Invalid,
    /// `EEXIST`: there is one already.
    Exists,
    /// `E2BIG`: it does not fit one message.
    TooBig,
    /// `ENOSPC` or `EQUOTA`: this domain has used up what it may.
    Quota,
    /// Any other, as xenstored spells it: at most 32 printable characters.
    Other(Box<str>),
}

/// The most characters of a name that are kept.
const MAX_NAME: usize = 32;

impl ErrorName {
    /// The name in the payload of an answer of type `ERROR`.
    pub(crate) fn from_payload(payload: &[u8]) -> Self {
        let name = payload.split(|byte| *byte == 0).next().unwrap_or_default();
        match name {
            b"ENOENT" => Self::NoEntry,
            b"EACCES" => Self::Access,
            b"EINVAL" => Self::Invalid,
            b"EEXIST" => Self::Exists,
            b"E2BIG" => Self::TooBig,
            b"ENOSPC" | b"EQUOTA" => Self::Quota,
            _ => {
                let printable = name.iter().filter(|byte| byte.is_ascii_graphic());
                let name: String = printable
                    .take(MAX_NAME)
                    .map(|byte| char::from(*byte))
                    .collect();
                Self::Other(name.into())
            }
        }
    }

    /// What the device said of a request without asking xenstored; `None` when that is no answer
    /// but the end of the connection.
    pub(crate) fn from_os(code: i32) -> Option<Self> {
        Some(match code {
            2 => Self::NoEntry,
            7 => Self::TooBig,
            12 => Self::Other("ENOMEM".into()),
            13 => Self::Access,
            17 => Self::Exists,
            22 => Self::Invalid,
            28 | 122 => Self::Quota,
            _ => return None,
        })
    }
}

impl fmt::Display for ErrorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoEntry => "ENOENT (there is no such node)",
            Self::Access => "EACCES (not for this domain)",
            Self::Invalid => "EINVAL (not a good request)",
            Self::Exists => "EEXIST (it is there already)",
            Self::TooBig => "E2BIG (it does not fit one message)",
            Self::Quota => "ENOSPC (this domain's quota is used up)",
            Self::Other(name) if name.is_empty() => "an error without a name",
            Self::Other(name) => name,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_understood_with_and_without_their_zero_byte() {
        for payload in [b"ENOENT".as_slice(), b"ENOENT\0", b"ENOENT\0more"] {
            assert_eq!(ErrorName::from_payload(payload), ErrorName::NoEntry);
        }
        assert_eq!(
            ErrorName::from_payload(b"EPERM\0"),
            ErrorName::Other("EPERM".into())
        );
        assert_eq!(ErrorName::from_os(13), Some(ErrorName::Access));
        assert_eq!(ErrorName::from_os(5), None);
    }

    proptest! {
        #[test]
        fn no_name_is_long_or_not_printable(payload in proptest::collection::vec(any::<u8>(), 0..99)) {
            let text = ErrorName::from_payload(&payload).to_string();
            prop_assert!(text.len() <= 64 && !text.contains(char::is_control));
        }
    }
}
