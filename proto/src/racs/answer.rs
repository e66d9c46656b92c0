//! What the text of a status line carries.

use super::status::{CommandNumber, StatusCode, StatusLine};
use super::token::{SeidToken, tokens};
use crate::apdu::ResponseApdu;
use crate::hex;

/// A card's answer out of `+006`.
///
/// Lower case is read as well. Nothing may follow the digits: published clients take whatever
/// follows for data, so who sends it does not mean it.
///
/// # Errors
/// [`AnswerError`] for another status and for what is no response APDU.
///
/// Source: specs/racs.md §5, §14.
pub fn apdu_answer(line: &StatusLine) -> Result<ResponseApdu, AnswerError> {
    expect(line, CommandNumber::Apdu)?;
    let bytes = hex::decode_any_case(line.text()).ok_or(AnswerError::NotHexadecimal)?;
    ResponseApdu::decode(&bytes).map_err(|_| AnswerError::NoResponse)
}

/// The names of elements out of `+004`, at most 1,024, compressed ones written out: `se[1-3]` is
/// `se1 se2 se3`, `se[1;4;9]` is `se1 se4 se9`.
///
/// # Errors
/// [`AnswerError`] for another status, for brackets that are not of this form, and for more names.
///
/// Source: specs/racs.md §5, LIST.
pub fn list_answer(line: &StatusLine) -> Result<Vec<SeidToken>, AnswerError> {
    expect(line, CommandNumber::List)?;
    let mut names = Names(Vec::new());
    for token in tokens(line.text()) {
        match token.iter().position(|&byte| byte == b'[') {
            Some(open) => {
                let (prefix, numbers) = token.split_at(open);
                names.add_numbered(prefix, between_brackets(numbers)?)?;
            }
            None => names.add(token)?,
        }
    }
    Ok(names.0)
}

fn expect(line: &StatusLine, command: CommandNumber) -> Result<(), AnswerError> {
    let code = line.code;
    let is_it = code == StatusCode::success(command);
    is_it.then_some(()).ok_or(AnswerError::Status(code))
}

fn between_brackets(text: &[u8]) -> Result<&[u8], AnswerError> {
    let open = text.strip_prefix(b"[");
    let closed = open.and_then(|text| text.strip_suffix(b"]"));
    closed.ok_or(AnswerError::Name)
}

struct Names(Vec<SeidToken>);

impl Names {
    fn add(&mut self, name: &[u8]) -> Result<(), AnswerError> {
        if self.0.len() >= MAX_NAMES {
            return Err(AnswerError::TooManyNames);
        }
        self.0
            .push(SeidToken::try_from(name).map_err(|_| AnswerError::Name)?);
        Ok(())
    }

    fn add_numbered(&mut self, prefix: &[u8], numbers: &[u8]) -> Result<(), AnswerError> {
        for part in numbers.split(|&byte| byte == b';') {
            let mut ends = part.splitn(2, |&byte| byte == b'-').map(number);
            let first = ends.next().flatten().ok_or(AnswerError::Name)?;
            let last = match ends.next() {
                Some(last) => last.ok_or(AnswerError::Name)?,
                None => first,
            };
            for number in first..=last {
                let name = [prefix, number.to_string().as_bytes()].concat();
                self.add(&name)?;
            }
        }
        Ok(())
    }
}

/// A number of at most six digits. What a leading zero would mean is not said anywhere.
fn number(digits: &[u8]) -> Option<u32> {
    let is_number = match digits {
        [b'0', _, ..] => false,
        _ => digits.len() <= 6 && digits.iter().all(u8::is_ascii_digit),
    };
    is_number.then(|| str::from_utf8(digits).ok()?.parse().ok())?
}

/// Why a status line does not carry what was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// It is the status of something else, or negative.
    #[error("the RACS server answered {0}")]
    Status(StatusCode),
    /// Not an even number of hexadecimal digits.
    #[error("the RACS server's answer to an APDU is not hexadecimal")]
    NotHexadecimal,
    /// Fewer than two bytes, or more than any card gives.
    #[error("the RACS server's answer to an APDU is no response APDU")]
    NoResponse,
    /// What stands in the list is no name.
    #[error("the RACS server's list has a name that is none")]
    Name,
    /// More names than anybody has.
    #[error("the RACS server's list has more than {MAX_NAMES} names")]
    TooManyNames,
}

/// Published servers have 1,000 at most.
const MAX_NAMES: usize = 1_024;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line(text: &str) -> StatusLine {
        StatusLine::parse(text.as_bytes()).expect("a status line")
    }

    fn list(text: &str) -> Result<Vec<String>, AnswerError> {
        let names = list_answer(&line(&format!("+004 001 {text}")))?;
        Ok(names.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn an_answer_is_hexadecimal_and_nothing_else() {
        let answer = apdu_answer(&line("+006 001 00010203aabb9000 ")).expect("good");
        assert_eq!(answer.data(), [0, 1, 2, 3, 0xAA, 0xBB]);
        assert!(answer.sw.is_success());
        let refused = |text: &str| apdu_answer(&line(text)).expect_err(text);
        let code = line("-706 001").code;
        assert_eq!(refused("-706 001 in use"), AnswerError::Status(code));
        assert!(matches!(refused("+009 001 9000"), AnswerError::Status(_)));
        assert_eq!(refused("+006 001 9000 OK"), AnswerError::NotHexadecimal);
        assert_eq!(refused("+006 001 900"), AnswerError::NotHexadecimal);
        assert_eq!(refused("+006 001 90"), AnswerError::NoResponse);
        assert_eq!(refused("+006 001"), AnswerError::NoResponse);
    }

    #[test]
    fn a_list_is_names_with_spaces_between() {
        assert_eq!(
            list("0 1 alpha 999 ").expect("good"),
            ["0", "1", "alpha", "999"]
        );
        assert_eq!(list("").expect("empty"), [""; 0]);
    }

    #[test]
    fn compressed_names_are_written_out() {
        assert_eq!(list("se[9-11]").expect("good"), ["se9", "se10", "se11"]);
        assert_eq!(
            list("se[1;4;9] x").expect("good"),
            ["se1", "se4", "se9", "x"]
        );
        assert_eq!(list("[0;2-3]").expect("good"), ["0", "2", "3"]);
        assert_eq!(list("se[3-1]").expect("none"), [""; 0]);
        for bad in [
            "se[", "se[]", "se[1", "se[1]x", "se[1-]", "se[-1]", "se[01-3]", "se[1,2]",
        ] {
            assert_eq!(list(bad), Err(AnswerError::Name), "{bad}");
        }
    }

    #[test]
    fn a_short_line_cannot_name_millions() {
        assert_eq!(list("se[1-1024]").expect("good").len(), 1_024);
        for many in ["se[0-1024]", "se[0-999999]", "se[1-600] se[1-600]"] {
            assert_eq!(list(many), Err(AnswerError::TooManyNames), "{many}");
        }
        assert_eq!(list("se[0-4294967295]"), Err(AnswerError::Name));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn no_list_panics(text in "[se0-9;\\[\\] -]{0,60}") {
            if let Ok(names) = list(&text) {
                prop_assert!(names.len() <= MAX_NAMES);
            }
        }
    }
}
