//! What is wrong with bytes that do not decode.

/// Why bytes are not what they were taken for.
///
/// `what` names the field or message in the words of its specification. The bytes themselves are
/// never part of the error: they may be secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes end too early.
    #[error("{what}: {need} bytes needed, {got} left")]
    Truncated {
        /// What was being read.
        what: &'static str,
        /// Bytes it takes.
        need: usize,
        /// Bytes there were.
        got: usize,
    },
    /// Bytes follow where there must be none.
    #[error("{what}: {got} bytes too many")]
    TrailingBytes {
        /// What was read.
        what: &'static str,
        /// Bytes behind its end.
        got: usize,
    },
    /// A length beyond what is accepted here.
    #[error("{what}: {got} bytes, at most {max} accepted")]
    TooLong {
        /// What was being read.
        what: &'static str,
        /// Bytes accepted at most.
        max: usize,
        /// Bytes there were or would have been.
        got: usize,
    },
    /// A value that the format does not allow.
    #[error("{what}: unexpected value {got:#04x}")]
    Unexpected {
        /// What was being read.
        what: &'static str,
        /// The value.
        got: u64,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_names_the_field_and_the_numbers() {
        let (what, got) = ("EAP length", 3);
        let texts = [
            DecodeError::Truncated { what, need: 4, got },
            DecodeError::TrailingBytes { what, got },
            DecodeError::TooLong { what, max: 2, got },
            DecodeError::Unexpected { what, got: 5 },
        ]
        .map(|error| error.to_string());
        assert_eq!(
            texts,
            [
                "EAP length: 4 bytes needed, 3 left",
                "EAP length: 3 bytes too many",
                "EAP length: 3 bytes, at most 2 accepted",
                "EAP length: unexpected value 0x05",
            ]
        );
    }
}
