//! Faults on demand: what a card, a reader or a cable may do to the Nth command.

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// The command is carried out and never answered.
    Mute,
    /// The answer comes [`Fault::SLOW`] late.
    Slow,
    /// The answer has the right status word and wrong data.
    Garbage,
    /// Half of the answer's data is missing; of an answer without data, half of the status word.
    Truncated,
    /// The card loses power before the command: PIN, selection and handshake are gone.
    Reset,
    /// The card is pulled before the command, and put back a while later.
    Removed,
    /// The command is carried out and answered 6F00 without data.
    WrongSw,
}

/// One fault at one command.
///
/// As text: `KIND@N`, the first command of the process being number 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// What goes wrong.
    pub kind: FaultKind,
    /// At which command.
    pub at: NonZeroU64,
}

impl Fault {
    /// How late a [slow](FaultKind::Slow) answer is: later than any sensible time-out of one
    /// command, sooner than that of a handshake.
    pub const SLOW: std::time::Duration = std::time::Duration::from_secs(15);
}

/// What comes out in place of `response`, for the kinds that change it; it ends with the status
/// word.
pub(crate) fn distort(kind: FaultKind, response: &[u8]) -> Vec<u8> {
    let (data, sw) = response.split_at(response.len().saturating_sub(2));
    match kind {
        FaultKind::Garbage if data.is_empty() => [&GARBAGE[..], sw].concat(),
        FaultKind::Garbage => data
            .iter()
            .map(|byte| !byte)
            .chain(sw.iter().copied())
            .collect(),
        FaultKind::Truncated if data.is_empty() => sw.iter().take(1).copied().collect(),
        FaultKind::Truncated => data
            .iter()
            .take(data.len() / 2)
            .chain(sw)
            .copied()
            .collect(),
        FaultKind::WrongSw => vec![0x6F, 0x00],
        _ => response.to_vec(),
    }
}

impl FromStr for Fault {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        let (kind, at) = text.split_once('@').ok_or(FaultError::Form)?;
        let (kind, _) = *KINDS
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
        let (_, name) = KINDS
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
    #[error("unknown kind; known are mute, slow, garbage, truncated, reset, removed, wrong-sw")]
    Kind,
    /// The number is none, or 0.
    #[error("N must be a number from 1 on")]
    Number,
}

const KINDS: [(FaultKind, &str); 7] = [
    (FaultKind::Mute, "mute"),
    (FaultKind::Slow, "slow"),
    (FaultKind::Garbage, "garbage"),
    (FaultKind::Truncated, "truncated"),
    (FaultKind::Reset, "reset"),
    (FaultKind::Removed, "removed"),
    (FaultKind::WrongSw, "wrong-sw"),
];
/// Data in an answer that has none.
const GARBAGE: [u8; 16] = [0xA5; 16];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_text_and_back() {
        for (_, name) in KINDS {
            let text = format!("{name}@12");
            assert_eq!(text.parse::<Fault>().expect("known").to_string(), text);
        }
        assert_eq!("mute".parse::<Fault>(), Err(FaultError::Form));
        assert_eq!("dead@1".parse::<Fault>(), Err(FaultError::Kind));
        assert_eq!("mute@0".parse::<Fault>(), Err(FaultError::Number));
    }

    #[test]
    fn distorted_answers_differ_from_the_true_one() {
        for kind in [FaultKind::Garbage, FaultKind::Truncated, FaultKind::WrongSw] {
            for response in [&[0x90, 0x00][..], &[1, 2, 3, 4, 0x90, 0x00]] {
                assert_ne!(distort(kind, response), response, "{kind:?}");
            }
        }
        assert_eq!(
            distort(FaultKind::Truncated, &[1, 2, 3, 4, 0x90, 0]),
            [1, 2, 0x90, 0]
        );
        assert_eq!(
            distort(FaultKind::Garbage, &[0x0F, 0x90, 0]),
            [0xF0, 0x90, 0]
        );
    }
}
