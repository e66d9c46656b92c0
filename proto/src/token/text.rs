//! A token as text, in files and in xenstore: base64url without padding (RFC 4648 §5).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{MAX_TOKEN_LEN, TokenError};

/// `token` as text.
#[must_use]
pub fn to_text(token: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(token)
}

/// The token that `text` holds. White space around it is passed over, so a file may end its line.
///
/// Nothing is known about the token yet but that it is not longer than [`MAX_TOKEN_LEN`].
///
/// # Errors
/// [`TokenError::Text`] if it is not base64url without padding, [`TokenError::Length`] if it is
/// empty or too long.
pub fn from_text(text: &str) -> Result<Vec<u8>, TokenError> {
    let text = text.trim_ascii();
    // Three bytes take four characters.
    let got = text.len().saturating_mul(3) / 4;
    if got == 0 || got > MAX_TOKEN_LEN {
        return Err(TokenError::Length { got });
    }
    Ok(URL_SAFE_NO_PAD.decode(text)?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_base64url_without_padding_is_read() {
        assert_eq!(
            from_text(" 0oRDoQEm-_A\n"),
            Ok(b"\xD2\x84\x43\xA1\x01\x26\xFB\xF0".to_vec())
        );
        for other in ["0oRD=", "0oRD+A", "0o RD", "0oR", "0oRDo", "0oRÐ"] {
            assert!(
                matches!(from_text(other), Err(TokenError::Text(_))),
                "{other}"
            );
        }
        for (other, got) in [("", 0), (" \n", 0), (&*"A".repeat(2732), 2049)] {
            assert_eq!(from_text(other), Err(TokenError::Length { got }));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn every_token_is_its_text(token in prop::collection::vec(any::<u8>(), 1..=2048)) {
            prop_assert_eq!(from_text(&to_text(&token)), Ok(token));
        }
    }
}
