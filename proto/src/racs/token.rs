//! What a line is made of.

use std::fmt;

use crate::id::Seid;

/// The tokens of a line, which one or more spaces separate. A tab is a character like others.
pub(super) fn tokens(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|&byte| byte == b' ')
        .filter(|token| !token.is_empty())
}

/// The parameter that any command may end in.
pub(super) const APPEND: &[u8] = b"APPEND";

/// The name of a request, echoed in its response: 1 to 63 visible ASCII characters.
///
/// Source: specs/racs.md §3; the draft's ABNF, `label = 1*63VCHAR`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label(String);

impl Label {
    /// The longest one, in characters.
    pub const MAX_LEN: usize = 63;

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<&[u8]> for Label {
    type Error = TokenError;

    fn try_from(token: &[u8]) -> Result<Self, TokenError> {
        visible("label", Self::MAX_LEN, token).map(Self)
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name of an element on any server: 1 to 64 visible ASCII characters, and not `APPEND`, which as
/// the last parameter is never a name.
///
/// Published servers have names of 63 characters at most, of more characters than our [`Seid`]s;
/// ours have up to 64.
///
/// Source: specs/racs.md §7.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeidToken(String);

impl SeidToken {
    /// The longest one, in characters.
    pub const MAX_LEN: usize = 64;

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As the name of an element of ours; `None` if none can have it.
    #[must_use]
    pub fn to_seid(&self) -> Option<Seid> {
        self.0.parse().ok()
    }
}

impl TryFrom<&[u8]> for SeidToken {
    type Error = TokenError;

    fn try_from(token: &[u8]) -> Result<Self, TokenError> {
        if token == APPEND {
            return Err(TokenError::Keyword { what: "SEID" });
        }
        visible("SEID", Self::MAX_LEN, token).map(Self)
    }
}

impl From<&Seid> for SeidToken {
    fn from(seid: &Seid) -> Self {
        Self(seid.as_str().to_owned())
    }
}

impl fmt::Display for SeidToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why bytes are no token of that kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Empty or too long.
    #[error("{what}: {got} characters, 1 to {max} allowed")]
    Length {
        /// The kind of token.
        what: &'static str,
        /// Most characters.
        max: usize,
        /// Bytes there were.
        got: usize,
    },
    /// Not visible ASCII.
    #[error("{what}: byte {at} is not visible ASCII")]
    Character {
        /// The kind of token.
        what: &'static str,
        /// Its place, the first one being 0.
        at: usize,
    },
    /// `APPEND`.
    #[error("{what}: APPEND is a keyword")]
    Keyword {
        /// The kind of token.
        what: &'static str,
    },
}

fn visible(what: &'static str, max: usize, token: &[u8]) -> Result<String, TokenError> {
    let got = token.len();
    if got == 0 || got > max {
        return Err(TokenError::Length { what, max, got });
    }
    if let Some(at) = token.iter().position(|byte| !byte.is_ascii_graphic()) {
        return Err(TokenError::Character { what, at });
    }
    Ok(token.iter().copied().map(char::from).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spaces_separate_and_tabs_do_not() {
        let line = b"  APDU   0\t1 00A4 ";
        let split: Vec<_> = tokens(line).collect();
        assert_eq!(split, [&b"APDU"[..], b"0\t1", b"00A4"]);
        assert_eq!(tokens(b"   ").count(), 0);
    }

    #[test]
    fn labels_and_names_are_visible_and_bounded() {
        let label = |token: &[u8]| Label::try_from(token);
        assert_eq!(label(&[b'x'; 63]).expect("fits").as_str(), "x".repeat(63));
        let (what, max) = ("label", 63);
        for got in [0, 64] {
            let refused = TokenError::Length { what, max, got };
            assert_eq!(label(&vec![b'x'; got]), Err(refused));
        }
        for hostile in [&b"a\xFF"[..], b"a\0", b"a\r", b"a b", b"a\x7F"] {
            assert_eq!(label(hostile), Err(TokenError::Character { what, at: 1 }));
            assert!(SeidToken::try_from(hostile).is_err());
        }
    }

    #[test]
    fn a_name_of_another_server_need_not_be_one_of_ours() {
        let seid: Seid = "s".repeat(64).parse().expect("the longest of ours");
        let token = SeidToken::from(&seid);
        assert_eq!(token.to_seid(), Some(seid));
        let what = "SEID";
        let keyword = SeidToken::try_from(&b"APPEND"[..]);
        assert_eq!(keyword, Err(TokenError::Keyword { what }));
        let foreign = SeidToken::try_from(&b"se/../07"[..]).expect("visible");
        assert_eq!(foreign.to_seid(), None);
        assert_eq!(
            SeidToken::try_from(foreign.as_str().as_bytes()),
            Ok(foreign)
        );
    }
}
