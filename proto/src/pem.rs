//! PEM, the text form of certificates and public keys (RFC 7468).
//!
//! For public things only: what is decoded here is not wiped.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The content of the first block called `label` in `pem`; other blocks and text are passed over.
///
/// # Errors
/// [`PemError`] if there is none, or if what stands in it is not base64.
pub fn decode(label: &'static str, pem: &[u8]) -> Result<Vec<u8>, PemError> {
    let missing = || PemError::Missing { label };
    let text = str::from_utf8(pem).map_err(|_| missing())?;
    let (begin, end) = (begin(label), end(label));
    let mut lines = text.lines().map(str::trim_end);
    lines.find(|line| *line == begin).ok_or_else(missing)?;
    let mut base64 = String::new();
    for line in lines {
        if line == end {
            let content = STANDARD.decode(base64);
            return content.map_err(|_| PemError::Base64 { label });
        }
        base64.push_str(line);
    }
    Err(PemError::Unfinished { label })
}

/// `content` as one block called `label`.
#[must_use]
pub fn encode(label: &str, content: &[u8]) -> String {
    let base64 = STANDARD.encode(content);
    let mut pem = begin(label);
    for (at, letter) in base64.chars().enumerate() {
        if at % LINE == 0 {
            pem.push('\n');
        }
        pem.push(letter);
    }
    pem + "\n" + &end(label) + "\n"
}

fn begin(label: &str) -> String {
    format!("-----BEGIN {label}-----")
}

fn end(label: &str) -> String {
    format!("-----END {label}-----")
}

/// Why a text is no PEM of that kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PemError {
    /// No line begins such a block.
    #[error("no line \"-----BEGIN {label}-----\"")]
    Missing {
        /// What the block is called.
        label: &'static str,
    },
    /// The block has no end.
    #[error("no line \"-----END {label}-----\"")]
    Unfinished {
        /// What the block is called.
        label: &'static str,
    },
    /// What stands in the block is not base64.
    #[error("what stands below \"-----BEGIN {label}-----\" is not base64")]
    Base64 {
        /// What the block is called.
        label: &'static str,
    },
}

/// Characters in a line (RFC 7468 §2).
const LINE: usize = 64;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_block_asked_for_is_found_among_others() {
        let pem = "of the host\n-----BEGIN A-----\nAAAA\n-----END A-----\r\n\
                   -----BEGIN B-----\r\n_AQ=\r\n-----END B-----\n";
        assert_eq!(decode("A", pem.as_bytes()), Ok(vec![0, 0, 0]));
        assert_eq!(
            decode("B", pem.as_bytes()),
            Err(PemError::Base64 { label: "B" })
        );
        assert_eq!(
            decode("C", pem.as_bytes()),
            Err(PemError::Missing { label: "C" })
        );
        assert_eq!(
            decode("A", &pem.as_bytes()[..40]),
            Err(PemError::Unfinished { label: "A" })
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_is_encoded_decodes_to_the_same(content: Vec<u8>) {
            let pem = encode("CERTIFICATE", &content);
            prop_assert!(pem.lines().all(|line| line.len() <= 64));
            prop_assert_eq!(decode("CERTIFICATE", pem.as_bytes()), Ok(content));
        }
    }
}
