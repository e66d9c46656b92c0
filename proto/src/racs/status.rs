//! What a server says of a command.

use std::fmt;

use zeroize::Zeroizing;

use super::line::extend_wiped;

/// The number of a command in status codes.
///
/// Source: specs/racs.md §5.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum CommandNumber {
    /// No command, or none that is known; what comes where BEGIN should.
    None = 0,
    /// BEGIN.
    Begin = 1,
    /// GET-VERSION.
    GetVersion = 2,
    /// SET-VERSION.
    SetVersion = 3,
    /// LIST.
    List = 4,
    /// RESET.
    Reset = 5,
    /// APDU.
    Apdu = 6,
    /// SHUTDOWN.
    Shutdown = 7,
    /// POWERON.
    PowerOn = 8,
    /// ECHO.
    Echo = 9,
    /// SEN.
    Sen = 10,
    /// GET-SEN.
    GetSen = 11,
    /// QUIT and XEND.
    Quit = 12,
}

/// The class of a negative status.
///
/// Source: specs/racs.md §6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum FailureClass {
    /// It was tried and failed: CONTINUE not met, no room for the answer.
    Execution = 0,
    /// No such command.
    UnknownCommand = 1,
    /// A command that this server does not have.
    NotImplemented = 2,
    /// It cannot be executed now.
    Illegal = 3,
    /// A parameter of a value that is not supported, such as the name of an element.
    Parameter = 4,
    /// A parameter missing or malformed.
    Malformed = 5,
    /// The user must not.
    Unauthorised = 6,
    /// The element is held by another session, or not powered.
    InUse = 7,
    /// The card or its reader failed.
    Hardware = 8,
    /// The server failed.
    System = 9,
}

/// A sign, a class and the number of a command: `+006`, `-408`.
///
/// The numbers are those on the wire, which may be none of [`CommandNumber`] and [`FailureClass`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct StatusCode {
    /// Whether it is positive.
    pub success: bool,
    /// The class, 0 to 9.
    pub class: u8,
    /// The number of the command, 0 to 99.
    pub command: u8,
}

impl StatusCode {
    /// `-302`, a label of BEGIN that is too long: so in published servers, though 02 is the number
    /// of GET-VERSION.
    pub const LABEL_TOO_LONG: Self = Self {
        success: false,
        class: FailureClass::Illegal as u8,
        command: 2,
    };

    /// Success of a command.
    #[must_use]
    pub fn success(command: CommandNumber) -> Self {
        Self {
            success: true,
            class: 0,
            command: command as u8,
        }
    }

    /// Failure of a command.
    #[must_use]
    pub fn failure(class: FailureClass, command: CommandNumber) -> Self {
        Self {
            success: false,
            class: class as u8,
            command: command as u8,
        }
    }

    /// Whether it is a failure of this class.
    #[must_use]
    pub fn is(self, class: FailureClass) -> bool {
        !self.success && self.class == class as u8
    }
}

impl fmt::Display for StatusCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.success { '+' } else { '-' };
        write!(f, "{sign}{}{:02}", self.class, self.command)
    }
}

impl fmt::Debug for StatusCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One line of a response: a code, the line of the request it is about, a text.
///
/// The text may be a card's answer: it is wiped on drop and shown by nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct StatusLine {
    /// The code.
    pub code: StatusCode,
    /// The line of the command, BEGIN being 0.
    pub line: u32,
    text: Zeroizing<Vec<u8>>,
}

impl StatusLine {
    /// A status line. What is not printable ASCII in `text` becomes `?`.
    #[must_use]
    pub fn new(code: StatusCode, line: u32, text: impl Into<Zeroizing<Vec<u8>>>) -> Self {
        let mut text = text.into();
        for byte in text.iter_mut() {
            if !matches!(*byte, 0x20..=0x7E) {
                *byte = b'?';
            }
        }
        Self { code, line, text }
    }

    /// The text behind the numbers, without spaces around it; empty if there is none.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// The text for an operator: at most 120 characters. A card's answer is left out.
    #[must_use]
    pub fn text_for_people(&self) -> String {
        if self.code == StatusCode::success(CommandNumber::Apdu) {
            return String::new();
        }
        let shown = self.text.iter().take(MAX_SHOWN);
        shown.copied().map(char::from).collect()
    }

    /// Appends its bytes to a response: three digits of line number, more where they do not do.
    pub fn encode_into(&self, response: &mut Zeroizing<Vec<u8>>) {
        let numbers = format!("{} {:03}", self.code, self.line);
        extend_wiped(response, numbers.as_bytes());
        if !self.text.is_empty() {
            extend_wiped(response, b" ");
            extend_wiped(response, &self.text);
        }
        extend_wiped(response, b"\r\n");
    }

    /// Reads a line, with or without leading zeros and spaces around; `None` if it is no status
    /// line.
    #[must_use]
    pub fn parse(line: &[u8]) -> Option<Self> {
        let line = line.trim_ascii();
        let (code, rest) = cut_at_space(line);
        let (sign, digits) = code.split_first()?;
        let success = match sign {
            b'+' => true,
            b'-' => false,
            _ => return None,
        };
        let number = number(digits, MAX_CODE_DIGITS)?;
        let (line, text) = cut_at_space(rest);
        let code = StatusCode {
            success,
            class: u8::try_from(number / 100).ok()?,
            command: u8::try_from(number % 100).ok()?,
        };
        let line = self::number(line, MAX_LINE_DIGITS)?;
        Some(Self::new(code, line, text.to_vec()))
    }
}

/// Shows the numbers, and how long the text is.
impl fmt::Debug for StatusLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (code, line, length) = (self.code, self.line, self.text.len());
        write!(f, "{code} {line:03} ({length} bytes)")
    }
}

/// The first token and what follows the spaces behind it.
fn cut_at_space(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = bytes.iter().position(|&byte| byte == b' ');
    let (token, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
    (token, rest.trim_ascii_start())
}

fn number(digits: &[u8], max_digits: usize) -> Option<u32> {
    let is_number = digits.len() <= max_digits && digits.iter().all(u8::is_ascii_digit);
    is_number.then(|| str::from_utf8(digits).ok()?.parse().ok())?
}

const MAX_CODE_DIGITS: usize = 3;
/// Lines are numbered with three digits, and by some servers with more from 1000 on.
const MAX_LINE_DIGITS: usize = 9;
/// Characters of a foreign server's text that an operator is shown.
const MAX_SHOWN: usize = 120;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encoded(line: &StatusLine) -> Vec<u8> {
        let mut bytes = Zeroizing::default();
        line.encode_into(&mut bytes);
        bytes.to_vec()
    }

    #[test]
    fn codes_are_a_sign_a_class_and_a_number() {
        let success = StatusCode::success(CommandNumber::Quit);
        assert_eq!(success.to_string(), "+012");
        let failure = StatusCode::failure(FailureClass::InUse, CommandNumber::PowerOn);
        assert_eq!(failure.to_string(), "-708");
        assert!(failure.is(FailureClass::InUse) && !success.is(FailureClass::Execution));
        let unknown = StatusCode::failure(FailureClass::UnknownCommand, CommandNumber::None);
        assert_eq!(unknown.to_string(), "-100");
    }

    #[test]
    fn lines_have_three_digits_and_more_where_needed() {
        let code = StatusCode::success(CommandNumber::Apdu);
        let line = |number, text: &str| {
            let line = StatusLine::new(code, number, text.as_bytes().to_vec());
            String::from_utf8(encoded(&line)).expect("ASCII")
        };
        assert_eq!(line(1, "9000"), "+006 001 9000\r\n");
        assert_eq!(line(10_000, "9000"), "+006 10000 9000\r\n");
        assert_eq!(line(0, ""), "+006 000\r\n");
        assert_eq!(line(1, "a\r\nEND"), "+006 001 a??END\r\n");
    }

    #[test]
    fn what_other_servers_write_is_understood() {
        let expected = StatusLine::new(
            StatusCode::success(CommandNumber::Apdu),
            1,
            b"9000".to_vec(),
        );
        for text in [
            "+006 001 9000",
            "+6 1 9000",
            "+006 001 9000 ",
            " +06  01   9000",
        ] {
            let read = StatusLine::parse(text.as_bytes());
            assert_eq!(read.as_ref(), Some(&expected), "{text}");
        }
        let empty = StatusLine::parse(b"+004 001 ").expect("an empty list");
        assert!(empty.text().is_empty());
        for text in [
            "", "+", "006 001", "+0006 1", "+x 1", "+006", "+006 x", "END", "- 1", "+-6 1",
        ] {
            assert_eq!(StatusLine::parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn a_cards_answer_is_not_shown() {
        let secret = StatusLine::parse(b"+006 001 0123456789ABCDEF9000").expect("good");
        assert_eq!(format!("{secret:?}"), "+006 001 (20 bytes)");
        assert_eq!(secret.text_for_people(), "");
        let refusal = StatusLine::parse(b"-708 001 SEID 1 in use\x1B[2J").expect("good");
        assert_eq!(refusal.text_for_people(), "SEID 1 in use?[2J");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn what_is_encoded_is_read_again(
            success: bool, class in 0..10u8, command in 0..100u8, line in 0..1_000_000u32,
            text in "([!-~]([ -~]{0,40}[!-~])?)?",
        ) {
            let code = StatusCode { success, class, command };
            let line = StatusLine::new(code, line, text.into_bytes());
            prop_assert_eq!(StatusLine::parse(&encoded(&line)), Some(line));
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            if let Some(line) = StatusLine::parse(&bytes) {
                prop_assert_eq!(StatusLine::parse(&encoded(&line)), Some(line));
            }
        }
    }
}
