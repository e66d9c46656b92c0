//! The first line of a guest that speaks RACS on its channel: its token.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use super::line::LineReader;
use super::token::tokens;

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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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
