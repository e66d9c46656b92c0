//! Putting a card's fragments together.

use super::tls::EapTls;

/// Gathers the fragments of one flight, up to a limit.
///
/// Cards differ in where they say the flight's length: in the first fragment, in each, in none, or
/// as zero. What is said must be the same each time and true in the end.
///
/// Source: specs/eap-tls-card.md §6, §13 point 7.
#[derive(Debug)]
pub struct Reassembly {
    flight: Vec<u8>,
    total: Option<u32>,
    max: usize,
}

/// What a fragment brings.
#[derive(Debug, PartialEq, Eq)]
pub enum Reassembled {
    /// There are more fragments; acknowledge this one.
    NeedMore,
    /// The whole flight, at least one byte.
    Flight(Vec<u8>),
    /// The whole flight, and it is empty: nothing to say.
    Empty,
}

impl Reassembly {
    /// Takes flights of at most `max` bytes of TLS data.
    #[must_use]
    pub fn new(max: usize) -> Self {
        Self {
            flight: Vec::new(),
            total: None,
            max,
        }
    }

    /// Adds a fragment. After a whole flight or an error it starts anew.
    ///
    /// # Errors
    /// [`EapError`] if the flight is too long or its lengths contradict each other.
    pub fn push(&mut self, fragment: &EapTls<'_>) -> Result<Reassembled, EapError> {
        let result = self.add(fragment);
        if !matches!(result, Ok(Reassembled::NeedMore)) {
            *self = Self::new(self.max);
        }
        result
    }

    fn add(&mut self, fragment: &EapTls<'_>) -> Result<Reassembled, EapError> {
        let max = self.max;
        if let Some(total) = fragment.total.filter(|total| *total != 0) {
            let declared = *self.total.get_or_insert(total);
            if declared != total {
                let got = total;
                return Err(EapError::TotalChanged { declared, got });
            }
            if usize::try_from(total).map_or(true, |total| total > max) {
                return Err(EapError::TooLong { max });
            }
        }
        if fragment.data.len() > max.saturating_sub(self.flight.len()) {
            return Err(EapError::TooLong { max });
        }
        self.flight.extend_from_slice(fragment.data);
        if fragment.flags.more_fragments() {
            return Ok(Reassembled::NeedMore);
        }
        let got = self.flight.len();
        match self.total {
            Some(declared) if usize::try_from(declared) != Ok(got) => {
                Err(EapError::Sum { declared, got })
            }
            _ if got == 0 => Ok(Reassembled::Empty),
            _ => Ok(Reassembled::Flight(std::mem::take(&mut self.flight))),
        }
    }
}

/// Why fragments do not make a flight.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EapError {
    /// More than is accepted.
    #[error("flight of more than {max} bytes")]
    TooLong {
        /// Bytes accepted.
        max: usize,
    },
    /// The fragments are not as long together as the flight was said to be.
    #[error("flight of {got} bytes was announced as {declared}")]
    Sum {
        /// As announced, in bytes.
        declared: u32,
        /// As it came, in bytes.
        got: usize,
    },
    /// Two fragments announce different lengths.
    #[error("flight announced as {declared} bytes, then as {got}")]
    TotalChanged {
        /// First.
        declared: u32,
        /// Then.
        got: u32,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eap::EapTlsFlags;

    fn fragment(flags: u8, total: Option<u32>, data: &[u8]) -> EapTls<'_> {
        let flags = EapTlsFlags(flags);
        EapTls { flags, total, data }
    }

    #[test]
    fn the_length_may_be_said_first_each_time_last_or_never() {
        for (first, last) in [
            (Some(3), None),
            (Some(3), Some(3)),
            (None, Some(3)),
            (None, None),
            (Some(0), Some(0)),
        ] {
            let mut reassembly = Reassembly::new(10);
            let more = reassembly.push(&fragment(0x40, first, &[1, 2]));
            assert_eq!(more, Ok(Reassembled::NeedMore));
            let whole = reassembly.push(&fragment(0, last, &[3]));
            assert_eq!(whole, Ok(Reassembled::Flight(vec![1, 2, 3])));
        }
    }

    #[test]
    fn a_single_packet_may_say_its_length_and_an_empty_one_is_empty() {
        let mut reassembly = Reassembly::new(10);
        let whole = reassembly.push(&fragment(0x80, Some(2), &[1, 2]));
        assert_eq!(whole, Ok(Reassembled::Flight(vec![1, 2])));
        let empty = reassembly.push(&fragment(0, None, &[]));
        assert_eq!(empty, Ok(Reassembled::Empty));
    }

    #[test]
    fn contradicting_lengths_are_refused() {
        let mut reassembly = Reassembly::new(10);
        let (declared, got) = (4, 2);
        let short = reassembly.push(&fragment(0x80, Some(4), &[1, 2]));
        assert_eq!(short, Err(EapError::Sum { declared, got }));
        assert!(reassembly.push(&fragment(0xC0, Some(4), &[1, 2])).is_ok());
        let (declared, got) = (4, 5);
        let changed = reassembly.push(&fragment(0x80, Some(5), &[3, 4, 5]));
        assert_eq!(changed, Err(EapError::TotalChanged { declared, got }));
        // It starts anew.
        assert_eq!(
            reassembly.push(&fragment(0, None, &[9])),
            Ok(Reassembled::Flight(vec![9]))
        );
    }

    #[test]
    fn the_limit_holds_for_what_is_said_and_for_what_comes() {
        let mut reassembly = Reassembly::new(3);
        let too_long = Err(EapError::TooLong { max: 3 });
        assert_eq!(reassembly.push(&fragment(0xC0, Some(4), &[1])), too_long);
        assert!(reassembly.push(&fragment(0x40, None, &[1, 2])).is_ok());
        assert_eq!(reassembly.push(&fragment(0, None, &[3, 4])), too_long);
        assert!(reassembly.push(&fragment(0x40, None, &[1, 2])).is_ok());
        assert!(reassembly.push(&fragment(0, None, &[3])).is_ok());
    }
}
