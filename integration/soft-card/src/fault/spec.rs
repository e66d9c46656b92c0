//! A fault as the command line names it.

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;

use super::kind::FaultKind;

/// One fault at one command.
///
/// As text: `KIND@N`, the first command of the process being number 1. A kind that cannot befall
/// that command waits for the next one that it can.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// What goes wrong.
    pub kind: FaultKind,
    /// At which command, at the earliest.
    pub at: NonZeroU64,
}

impl Fault {
    /// How late a [slow](FaultKind::Slow) answer is: later than any sensible time-out of one
    /// command, sooner than that of a handshake.
    pub const SLOW: std::time::Duration = std::time::Duration::from_secs(15);
}

impl FromStr for Fault {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        let (kind, at) = text.split_once('@').ok_or(FaultError::Form)?;
        let (kind, _) = *FaultKind::NAMES
            .iter()
            .find(|(_, name)| *name == kind)
            .ok_or(FaultError::Kind)?;
        Ok(Self {
            kind,
            at: at.parse().map_err(|_| FaultError::Number)?,
        })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (_, name) = FaultKind::NAMES
            .iter()
            .find(|(kind, _)| *kind == self.kind)
            .expect("every kind has a name");
        write!(f, "{name}@{}", self.at)
    }
}

/// The text names no fault.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum FaultError {
    /// No `@` in it.
    #[error("not of the form KIND@N")]
    Form,
    /// The kind is unknown.
    #[error("unknown kind; known are {}", names())]
    Kind,
    /// The number is none, or 0.
    #[error("N must be a number from 1 on")]
    Number,
}

fn names() -> String {
    FaultKind::NAMES.map(|(_, name)| name).join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_text_and_back() {
        for (_, name) in FaultKind::NAMES {
            let text = format!("{name}@12");
            assert_eq!(text.parse::<Fault>().expect("known").to_string(), text);
        }
        assert_eq!("mute".parse::<Fault>(), Err(FaultError::Form));
        let unknown = "dead@1".parse::<Fault>().expect_err("no such kind");
        assert!(
            unknown
                .to_string()
                .ends_with("other-certificate, pin-forgotten, wrong-signature")
        );
        assert_eq!("mute@0".parse::<Fault>(), Err(FaultError::Number));
    }
}
