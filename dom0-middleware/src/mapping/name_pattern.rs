//! Names of servers a binding allows.

use std::fmt;
use std::str::FromStr;

use proto::agent::is_host_name;

/// A server name, or `*.` and a name: one label of any content in front of it. Compared without
/// regard to case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamePattern {
    /// In lower case, without the `*.`.
    name: String,
    any_first_label: bool,
}

impl NamePattern {
    /// Whether `server_name` is one of those meant.
    #[must_use]
    pub fn fits(&self, server_name: &str) -> bool {
        let rest = match self.any_first_label {
            true => server_name.split_once('.').map(|(_, rest)| rest),
            false => Some(server_name),
        };
        rest.is_some_and(|rest| rest.eq_ignore_ascii_case(&self.name))
    }
}

impl FromStr for NamePattern {
    type Err = ParsePatternError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, any_first_label) = match text.strip_prefix("*.") {
            Some(rest) => (rest, true),
            None => (text, false),
        };
        if !is_host_name(name) {
            return Err(ParsePatternError);
        }
        Ok(Self {
            name: name.to_ascii_lowercase(),
            any_first_label,
        })
    }
}

impl fmt::Display for NamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let star = if self.any_first_label { "*." } else { "" };
        write!(f, "{star}{}", self.name)
    }
}

/// The text is neither a server name nor `*.` and a server name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a server name, nor one after \"*.\"")]
pub struct ParsePatternError;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_exactly_one_label() {
        let pattern: NamePattern = "*.Example.org".parse().expect("a pattern");
        assert!(pattern.fits("www.example.org"));
        assert!(pattern.fits("WWW.EXAMPLE.ORG"));
        for other in [
            "example.org",
            "a.b.example.org",
            "wwwexample.org",
            "www.example.com",
        ] {
            assert!(!pattern.fits(other), "{other}");
        }
        assert_eq!(pattern.to_string(), "*.example.org");
    }

    #[test]
    fn a_plain_name_is_only_itself() {
        let pattern: NamePattern = "www.example.org".parse().expect("a pattern");
        assert!(pattern.fits("www.Example.org"));
        assert!(!pattern.fits("a.www.example.org"));
    }

    #[test]
    fn stars_elsewhere_are_refused() {
        for text in ["*", "*.", "a.*", "*a.example", "*.*.example", "a b", ""] {
            assert_eq!(
                text.parse::<NamePattern>(),
                Err(ParsePatternError),
                "{text}"
            );
        }
    }
}
