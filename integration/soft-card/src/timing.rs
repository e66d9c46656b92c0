//! How long a real card would take: prices for the [operations](Operation) of a command.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use crate::cost::Operation;

/// A timing model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Timing {
    /// As fast as this machine.
    #[default]
    None,
    /// The cards of the 2014 papers.
    ///
    /// Known are the price of a byte on the interface, that of an RSA-2048 private-key operation,
    /// and two totals: 2.0 s for a full and 0.5 s for an abbreviated handshake. The two constants
    /// are what those leave of a TLS 1.2 run, from Set-Identity to the KeyBlock, with RSA-2048
    /// keys on both sides and a server that gives session tickets, as OpenSSL does:
    ///
    /// | | Bytes | Private key | Server checked | Handshake | Total |
    /// |---|---|---|---|---|---|
    /// | abbreviated | 1,340 × 0.17 ms = 228 ms | | | 270 ms | 0.50 s |
    /// | full | 3,640 × 0.17 ms = 619 ms | 560 ms | 550 ms | 270 ms | 2.00 s |
    ///
    /// *Handshake* stands for deriving secrets and for the Finished messages. *Server checked* is
    /// the public-key work of a full handshake: certificate chain, signature, key agreement.
    /// Longer chains cost their bytes; a server without tickets saves theirs, about 0.13 s.
    ///
    /// A signature of a PIV card with an RSA-2048 key is one private-key operation and about 550
    /// bytes (a block in two links, the answer in two pieces): 0.65 s.
    Paper,
    /// These cards, so many times as fast: `paper/5`.
    PaperFaster(NonZeroU32),
}

impl Timing {
    /// The time a command of these operations takes.
    pub fn price(self, operations: &[Operation]) -> Duration {
        let paper = || operations.iter().map(|operation| paper(*operation)).sum();
        match self {
            Self::None => Duration::ZERO,
            Self::Paper => paper(),
            Self::PaperFaster(times) => {
                let paper: Duration = paper();
                paper / times.get()
            }
        }
    }
}

fn paper(operation: Operation) -> Duration {
    match operation {
        Operation::Bytes(count) => PAPER_BYTE * u32::try_from(count).unwrap_or(u32::MAX),
        Operation::PrivateKey => PAPER_PRIVATE_KEY,
        Operation::PublicKey => PAPER_PUBLIC_KEY,
        Operation::KeySchedule => PAPER_KEY_SCHEDULE,
    }
}

impl fmt::Display for Timing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none: as fast as this machine"),
            Self::Paper => write!(
                f,
                "paper: {} us per byte + {} ms per private-key operation \
                 + {} ms per server checked + {} ms per handshake",
                PAPER_BYTE.as_micros(),
                PAPER_PRIVATE_KEY.as_millis(),
                PAPER_PUBLIC_KEY.as_millis(),
                PAPER_KEY_SCHEDULE.as_millis(),
            ),
            Self::PaperFaster(times) => write!(f, "{}; all {times} times as fast", Self::Paper),
        }
    }
}

impl FromStr for Timing {
    type Err = UnknownTiming;

    fn from_str(text: &str) -> Result<Self, UnknownTiming> {
        match text {
            "none" => Ok(Self::None),
            "paper" => Ok(Self::Paper),
            _ => {
                let times = text.strip_prefix("paper/").ok_or(UnknownTiming)?;
                times
                    .parse()
                    .map(Self::PaperFaster)
                    .map_err(|_| UnknownTiming)
            }
        }
    }
}

/// The text names no timing model.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a timing model; known are none, paper, and paper/N for N times as fast")]
pub struct UnknownTiming;

const PAPER_BYTE: Duration = Duration::from_micros(170);
const PAPER_PRIVATE_KEY: Duration = Duration::from_millis(560);
const PAPER_PUBLIC_KEY: Duration = Duration::from_millis(550);
const PAPER_KEY_SCHEDULE: Duration = Duration::from_millis(270);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_paper_model_adds_up() {
        let operations = [Operation::Bytes(1000), Operation::PrivateKey];
        assert_eq!(Timing::Paper.price(&operations), Duration::from_millis(730));
        assert_eq!(Timing::None.price(&operations), Duration::ZERO);
    }

    #[test]
    fn the_model_is_named_with_its_prices() {
        let shown = Timing::Paper.to_string();
        assert!(
            shown.starts_with("paper: 170 us per byte + 560 ms per private-key"),
            "{shown}"
        );
        assert_eq!("paper".parse(), Ok(Timing::Paper));
        let faster: Timing = "paper/5".parse().expect("a model");
        assert_eq!(
            faster.price(&[Operation::PrivateKey]),
            Duration::from_millis(112)
        );
        assert!(faster.to_string().ends_with("5 times as fast"), "{faster}");
        assert_eq!("paper/0".parse::<Timing>(), Err(UnknownTiming));
        assert_eq!("papers".parse::<Timing>(), Err(UnknownTiming));
    }
}
