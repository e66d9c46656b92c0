//! Scripts of APDUs.

use proto::apdu::{CommandApdu, StatusWord};
use proto::hex;
use thiserror::Error;
use zeroize::Zeroizing;

/// An APDU of a script, and the status that the card must answer with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScriptLine {
    /// Its line, the first being 1.
    pub line: usize,
    /// The command.
    pub command: CommandApdu,
    /// The status word it must be answered with; `None` if any will do.
    pub expected: Option<StatusWord>,
}

/// Reads a script: on each line an APDU as hexadecimal digits, spaces allowed, then maybe `=` and the
/// status word that must be the answer; `#` begins a comment.
///
/// ```text
/// 00 A4 04 00 05 A000000001  =9000   # SELECT
/// 80E60C00
/// ```
///
/// # Errors
/// [`ScriptError`], which shows nothing of the line: it may be a PIN.
pub fn parse_script(text: &str) -> Result<Vec<ScriptLine>, ScriptError> {
    let mut script = Vec::new();
    for (line, text) in (1..).zip(text.lines()) {
        let text = text.split('#').next().unwrap_or_default().trim();
        if text.is_empty() {
            continue;
        }
        let error = |problem| ScriptError { line, problem };
        let (command, expected) = parse_apdu(text).map_err(error)?;
        if script.len() >= MAX_APDUS {
            return Err(error(ScriptProblem::TooLong));
        }
        script.push(ScriptLine {
            line,
            command,
            expected,
        });
    }
    Ok(script)
}

/// Reads one APDU with the status it must be answered with: `00A40400=9000`.
///
/// # Errors
/// [`ScriptProblem`].
pub fn parse_apdu(text: &str) -> Result<(CommandApdu, Option<StatusWord>), ScriptProblem> {
    let (digits, expected) = match text.split_once('=') {
        Some((digits, expected)) => (digits, Some(expected.trim())),
        None => (text, None),
    };
    // One allocation of the right size: what grows leaves copies behind.
    let mut packed = Zeroizing::new(Vec::with_capacity(digits.len()));
    packed.extend(digits.bytes().filter(|byte| !byte.is_ascii_whitespace()));
    let bytes = hex::decode_any_case(&packed).ok_or(ScriptProblem::NotHexadecimal)?;
    let command = CommandApdu::decode_any(&bytes).map_err(|_| ScriptProblem::NoApdu)?;
    let expected = expected.map(status_word).transpose()?;
    Ok((command, expected))
}

fn status_word(text: &str) -> Result<StatusWord, ScriptProblem> {
    let bytes = hex::decode_any_case(text.as_bytes()).ok_or(ScriptProblem::NoStatus)?;
    let bytes = <[u8; 2]>::try_from(bytes.as_slice()).map_err(|_| ScriptProblem::NoStatus)?;
    Ok(StatusWord(u16::from_be_bytes(bytes)))
}

/// A line that is no APDU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("line {line}: {problem}")]
pub struct ScriptError {
    /// Which one, the first being 1.
    pub line: usize,
    /// Why.
    pub problem: ScriptProblem,
}

/// Why something is no APDU of a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ScriptProblem {
    /// Other characters, or half a byte.
    #[error("not an even number of hexadecimal digits")]
    NotHexadecimal,
    /// The lengths in it do not fit.
    #[error("no command APDU of ISO 7816-4: its lengths do not fit")]
    NoApdu,
    /// What follows `=`.
    #[error("\"=\" is followed by a status word of four hexadecimal digits, such as =9000")]
    NoStatus,
    /// Too many.
    #[error("more than {MAX_APDUS} APDUs")]
    TooLong,
}

const MAX_APDUS: usize = 1_000_000;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_script_is_apdus_with_the_status_they_must_have() {
        let text =
            "# select\r\n00 A4 04 00 05 A000000001  =9000 # or not\n\n80e60c00\n0020000000=63C3\n";
        let script = parse_script(text).expect("a script");
        let read: Vec<_> = script
            .iter()
            .map(|line| (line.line, line.command.ins, line.expected.map(|sw| sw.0)))
            .collect();
        assert_eq!(
            read,
            [
                (2, 0xA4, Some(0x9000)),
                (4, 0xE6, None),
                (5, 0x20, Some(0x63C3))
            ]
        );
        assert_eq!(script[0].command.data(), [0xA0, 0, 0, 0, 1]);
        assert_eq!(parse_script("# nothing\n"), Ok(Vec::new()));
    }

    #[test]
    fn a_mistake_is_named_by_its_line_and_not_repeated() {
        use ScriptProblem::{NoApdu, NoStatus, NotHexadecimal};
        for (text, problem) in [
            ("00A4040", NotHexadecimal),
            ("0x00A40400", NotHexadecimal),
            ("00A4é", NotHexadecimal),
            ("00A404", NoApdu),
            ("00A4040005A0", NoApdu),
            ("00A40400 =900", NoStatus),
            ("00A40400=", NoStatus),
            ("00A40400=9000=9000", NoStatus),
            ("=9000", NoApdu),
        ] {
            let error = parse_script(&format!("# one\n{text}\n")).expect_err(text);
            assert_eq!(error, ScriptError { line: 2, problem }, "{text}");
            assert!(!error.to_string().contains(text.get(..6).unwrap_or(text)));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn no_text_panics(text in "[0-9A-F= #\\n]{0,80}|\\PC{0,40}") {
            let _ = parse_script(&text);
        }

        #[test]
        fn what_is_written_is_read(
            header: [u8; 4], data in prop::collection::vec(any::<u8>(), 0..300),
            sw in prop::option::of(any::<u16>()),
        ) {
            let [cla, ins, p1, p2] = header;
            let command = CommandApdu::new(cla, ins, p1, p2);
            let command = match data.is_empty() {
                true => command,
                false => command.with_long_data(&data).expect("fits"),
            };
            let mut text = hex::encode(&command.encode());
            if let Some(sw) = sw {
                text += &format!(" = {sw:04x}");
            }
            prop_assert_eq!(parse_apdu(&text), Ok((command, sw.map(StatusWord))));
        }
    }
}
