//! The first words on a guest's channel that speaks RACS (ALPN [`ALPN`]).
//!
//! ```text
//! guest                                       dom0
//! TOKEN 0oRDoQEm…                             BEGIN
//!                                             +000 000 admitted
//!                                             END
//! ```
//!
//! Then the guest's requests follow. A guest that is not let in, or not any more, gets a negative status
//! instead, at any time and outside of any request, and the connection closes:
//! `-600 000 token-revoked: the token was revoked`. Its text begins with the code of design §4.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use super::line::LineReader;
use super::response::Response;
use super::status::{CommandNumber, FailureClass, StatusCode, StatusLine};
use super::token::tokens;
use crate::agent::{RefusalCode, Refused};

/// The application protocol (RFC 7301) of a channel on which a guest speaks RACS to its own card.
pub const ALPN: &[u8] = b"racs/1";

/// The longest first line, in bytes without its LF: the longest token as text, the word before it, a
/// CR, and some spaces.
pub const MAX_TOKEN_LINE: usize = 2_752;

/// The longest token, in bytes; design §3.
const MAX_TOKEN: usize = 2_048;

/// The first line, with its end.
///
/// # Errors
/// [`TokenLineError::Length`] for what is no token by its length.
pub fn token_line(token: &[u8]) -> Result<Zeroizing<Vec<u8>>, TokenLineError> {
    check_length(token.len())?;
    let mut line = Zeroizing::new(Vec::with_capacity(MAX_TOKEN_LINE));
    line.extend_from_slice(b"TOKEN ");
    line.extend_from_slice(URL_SAFE_NO_PAD.encode(token).as_bytes());
    line.extend_from_slice(b"\r\n");
    Ok(line)
}

/// Reads the first line from a stream that is cut anywhere.
pub struct TokenLineReader(LineReader);

impl TokenLineReader {
    /// At the beginning of a connection.
    #[must_use]
    pub fn new() -> Self {
        Self(LineReader::new(MAX_TOKEN_LINE))
    }

    /// Takes the next bytes of the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        self.0.push(bytes);
    }

    /// The first line; `None` if it is not complete.
    ///
    /// # Errors
    /// [`TokenLineError`] when it is another one: nothing behind it is to be read.
    pub fn first_line(&mut self) -> Result<Option<FirstLine>, TokenLineError> {
        let line = self.0.next_line().map_err(|_| TokenLineError::NoEnd)?;
        let Some(token) = line.map(parse).transpose()? else {
            return Ok(None);
        };
        let rest = self.0.rest();
        Ok(Some(FirstLine { token, rest }))
    }
}

/// What the first line says. Neither is shown by anything.
pub struct FirstLine {
    /// The token, of which nothing is known yet but its length.
    pub token: Vec<u8>,
    /// What came behind the line.
    pub rest: Zeroizing<Vec<u8>>,
}

impl Default for TokenLineReader {
    fn default() -> Self {
        Self::new()
    }
}

fn parse(line: &[u8]) -> Result<Vec<u8>, TokenLineError> {
    let mut words = tokens(line);
    let (Some(b"TOKEN"), Some(text), None) = (words.next(), words.next(), words.next()) else {
        return Err(TokenLineError::OtherLine);
    };
    // Three bytes take four characters.
    check_length(text.len().saturating_mul(3) / 4)?;
    URL_SAFE_NO_PAD
        .decode(text)
        .map_err(|_| TokenLineError::Text)
}

fn check_length(got: usize) -> Result<(), TokenLineError> {
    match got {
        1..=MAX_TOKEN => Ok(()),
        got => Err(TokenLineError::Length { got }),
    }
}

/// Why the first line shows no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenLineError {
    /// It does not end.
    #[error("the first line has more than {MAX_TOKEN_LINE} bytes")]
    NoEnd,
    /// It is something else.
    #[error("the first line is not TOKEN and a token")]
    OtherLine,
    /// The token is empty or too long.
    #[error("a token of {got} bytes, not 1 to {MAX_TOKEN}")]
    Length {
        /// Its bytes.
        got: usize,
    },
    /// The token is not base64url.
    #[error("the token is not base64url without padding")]
    Text,
}

/// dom0's answer to a guest that is let in.
#[must_use]
pub fn admitted() -> Zeroizing<Vec<u8>> {
    let code = StatusCode::success(CommandNumber::None);
    alone(&StatusLine::new(code, 0, b"admitted".to_vec()))
}

/// What dom0 says to a guest that is not let in, or not any more. The connection closes behind it.
#[must_use]
pub fn refusal(refused: &Refused) -> Zeroizing<Vec<u8>> {
    let code = StatusCode::failure(class(refused.code), CommandNumber::None);
    let mut text = format!("{}: {}", refused.code, refused.message);
    if let Some(after) = refused.retry_after_ms {
        text.push_str(&format!(" (retry after {after} ms)"));
    }
    alone(&StatusLine::new(code, 0, text.into_bytes()))
}

/// What a response of dom0 says about the connection itself, if it is such a one: let in, or not, with
/// code and text.
#[must_use]
pub fn verdict(response: &Response) -> Option<Result<(), (RefusalCode, String)>> {
    let [line] = response.lines.as_slice() else {
        return None;
    };
    if line.code == StatusCode::success(CommandNumber::None) {
        return Some(Ok(()));
    }
    if line.code.success || line.code.command != CommandNumber::None as u8 || line.line != 0 {
        return None;
    }
    let text = line.text_for_people();
    let (code, message) = text.split_once(": ")?;
    let code = code.parse().ok()?;
    Some(Err((code, message.to_owned())))
}

/// A response of this line alone.
fn alone(line: &StatusLine) -> Zeroizing<Vec<u8>> {
    let mut response = Zeroizing::new(b"BEGIN\r\n".to_vec());
    line.encode_into(&mut response);
    response.extend_from_slice(b"END\r\n");
    response
}

/// Where RACS puts what design §4 has a code for.
fn class(code: RefusalCode) -> FailureClass {
    match code {
        RefusalCode::BadToken
        | RefusalCode::TokenExpired
        | RefusalCode::TokenRevoked
        | RefusalCode::NotBound
        | RefusalCode::PeerUntrusted
        | RefusalCode::Policy => FailureClass::Unauthorised,
        RefusalCode::Limit => FailureClass::InUse,
        RefusalCode::NoCard
        | RefusalCode::CardRemoved
        | RefusalCode::CardFailed
        | RefusalCode::PinRequired
        | RefusalCode::PinBlocked => FailureClass::Hardware,
        RefusalCode::HandshakeFailed | RefusalCode::Timeout | RefusalCode::Protocol => {
            FailureClass::Illegal
        }
        RefusalCode::Internal => FailureClass::System,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::response::ResponseReader;
    use super::*;

    type Read = Option<(Vec<u8>, Vec<u8>)>;

    fn read(bytes: &[u8]) -> Result<Read, TokenLineError> {
        let mut reader = TokenLineReader::new();
        reader.push(bytes);
        let read = reader.first_line()?;
        Ok(read.map(|first| (first.token, first.rest.to_vec())))
    }

    #[test]
    fn the_first_line_is_a_token_however_it_is_cut() {
        let line = token_line(&[0xD2, 0x84, 0x43]).expect("short");
        assert_eq!(line.as_slice(), b"TOKEN 0oRD\r\n");
        let whole = [&line[..], b"BEGIN\r\nLI"].concat();
        for cut in 0..=whole.len() {
            let (before, after) = whole.split_at(cut);
            let mut reader = TokenLineReader::new();
            reader.push(before);
            let first = reader.first_line().expect("good");
            assert_eq!(first.is_some(), cut >= line.len(), "{cut}");
            let (token, mut rest) = match first {
                Some(first) => (first.token, [&first.rest[..], after].concat()),
                None => {
                    reader.push(after);
                    let first = reader.first_line().expect("good").expect("whole");
                    (first.token, first.rest.to_vec())
                }
            };
            assert_eq!(token, [0xD2, 0x84, 0x43]);
            rest.truncate(9);
            assert_eq!(rest, b"BEGIN\r\nLI");
        }
        let spaced = read(b"  TOKEN   0oRD  \n").expect("good").expect("whole");
        assert_eq!(spaced.0, [0xD2, 0x84, 0x43]);
    }

    #[test]
    fn every_other_first_line_is_refused() {
        for (line, why) in [
            (&b"BEGIN\r\n"[..], TokenLineError::OtherLine),
            (b"\r\n", TokenLineError::OtherLine),
            (b"TOKEN\r\n", TokenLineError::OtherLine),
            (b"token 0oRD\r\n", TokenLineError::OtherLine),
            (b"TOKEN\t0oRD\r\n", TokenLineError::OtherLine),
            (b"TOKEN 0oRD 0oRD\r\n", TokenLineError::OtherLine),
            (b"TOKEN 0oR=\r\n", TokenLineError::Text),
            (b"TOKEN 0o/D\r\n", TokenLineError::Text),
            (b"TOKEN \xFF\xFF\xFF\xFF\r\n", TokenLineError::Text),
            (b"TOKEN A\r\n", TokenLineError::Length { got: 0 }),
        ] {
            assert_eq!(read(line), Err(why), "{}", line.escape_ascii());
        }
        assert!(token_line(&[]).is_err() && token_line(&[0; 2_049]).is_err());
        let long = [&b"TOKEN "[..], &[b'A'; 2_732], b"\r\n"].concat();
        assert_eq!(read(&long), Err(TokenLineError::Length { got: 2_049 }));
        let longest = token_line(&[0; 2_048]).expect("a token");
        assert!(read(&longest).expect("good").is_some());
        assert_eq!(read(&[b'A'; MAX_TOKEN_LINE]), Ok(None));
        let endless = [b'A'; MAX_TOKEN_LINE + 1];
        assert_eq!(read(&endless), Err(TokenLineError::NoEnd));
    }

    #[test]
    fn what_dom0_says_is_read_back() {
        let said = |bytes: &[u8]| {
            let mut reader = ResponseReader::new();
            reader.push(bytes);
            let response = reader.next_response().expect("good").expect("whole");
            assert!(reader.is_idle());
            verdict(&response)
        };
        assert_eq!(said(&admitted()), Some(Ok(())));
        for code in RefusalCode::ALL {
            let refused = Refused {
                session: None,
                code,
                message: "one line: of text".to_owned(),
                alert: None,
                retry_after_ms: None,
            };
            let read = said(&refusal(&refused));
            assert_eq!(read, Some(Err((code, refused.message.clone()))));
            let later = Refused {
                retry_after_ms: Some(1_000),
                ..refused
            };
            let text = refusal(&later);
            assert!(text.ends_with(b" (retry after 1000 ms)\r\nEND\r\n"));
        }
        assert_eq!(
            said(b"BEGIN\r\n-300 000 waiting for BEGIN\r\nEND\r\n"),
            None
        );
        assert_eq!(said(b"BEGIN\r\n+001 000 No error\r\nEND\r\n"), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn every_token_is_its_line(token in prop::collection::vec(any::<u8>(), 1..=2_048)) {
            let line = token_line(&token).expect("a token");
            let (read, rest) = read(&line).expect("good").expect("whole");
            prop_assert_eq!(read, token);
            prop_assert!(rest.is_empty());
        }
    }
}
