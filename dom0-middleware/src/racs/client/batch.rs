//! APDUs cut into requests that a server has room for.

use proto::apdu::CommandApdu;
use proto::racs::{MAX_REQUEST, SeidToken};

/// How many of `commands` go into the next request, at least one if there is one: as many as fit
/// `max_bytes` of lines and `full_answers` answers of 256 bytes, `most` at most.
///
/// A single command that fits nothing is let through: whoever encodes it says so.
pub(super) fn next_batch<'a>(
    seid: &SeidToken,
    commands: impl IntoIterator<Item = &'a CommandApdu>,
    full_answers: usize,
    most: usize,
) -> usize {
    let (mut count, mut bytes, mut answers) = (0_usize, FRAME, 0_usize);
    for command in commands {
        bytes = bytes.saturating_add(line_len(seid, command));
        answers = answers.saturating_add(answer_units(command));
        let fits = bytes <= MAX_REQUEST && answers <= full_answers && count < most;
        if count > 0 && !fits {
            break;
        }
        count = count.saturating_add(1);
    }
    count
}

/// `APDU SEID HEX` with every option that we send.
fn line_len(seid: &SeidToken, command: &CommandApdu) -> usize {
    let digits = command.encode().len().saturating_mul(2);
    let options = "APDU   CONTINUE=9000 MORE=9F FETCH=A0120000 APPEND\r\n".len();
    let named = seid.as_str().len().saturating_add(options);
    named.saturating_add(digits)
}

/// How many answers of 256 bytes this command's answer may be. A card that is not asked for data may
/// still have some.
fn answer_units(command: &CommandApdu) -> usize {
    let expected = command.le().and_then(|le| usize::try_from(le).ok());
    expected.unwrap_or(0).div_ceil(FULL_ANSWER).max(1)
}

/// BEGIN with a label, POWERON, END.
const FRAME: usize = 256;
const FULL_ANSWER: usize = 256;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proto::racs::{ApduCommand, Command, CommandLine, Request};

    use super::*;

    fn seid() -> SeidToken {
        SeidToken::try_from(&[b's'; 64][..]).expect("the longest name")
    }

    fn command(data: usize, le: Option<u32>) -> CommandApdu {
        let command = CommandApdu::new(0, 0x10, 0, 0);
        let command = match data {
            0 => command,
            _ => command.with_long_data(&vec![0xAA; data]).expect("fits"),
        };
        match le {
            Some(le) => command.with_le(le),
            None => command,
        }
    }

    #[test]
    fn thirteen_full_answers_are_a_batch_for_published_servers() {
        let commands = vec![command(0, Some(256)); 40];
        assert_eq!(next_batch(&seid(), &commands, 13, usize::MAX), 13);
        assert_eq!(next_batch(&seid(), &commands, 100, usize::MAX), 40);
        assert_eq!(next_batch(&seid(), &commands, 100, 5), 5);
        assert_eq!(next_batch(&seid(), [], 13, 5), 0);
        let one = [command(0, Some(65_536)), command(0, None)];
        assert_eq!(next_batch(&seid(), &one, 13, usize::MAX), 1);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn a_batch_fits_one_record(
            lengths in prop::collection::vec((0..2_000_usize, prop::option::of(1..300_u32)), 1..60),
            full_answers in 1..120_usize,
        ) {
            let mut commands: Vec<_> = lengths.iter().map(|(data, le)| command(*data, *le)).collect();
            while !commands.is_empty() {
                let count = next_batch(&seid(), &commands, full_answers, usize::MAX);
                prop_assert!((1..=commands.len()).contains(&count));
                let batch = commands.drain(..count).map(|command| CommandLine {
                    command: Command::Apdu(ApduCommand {
                        continue_on: Some(proto::apdu::StatusWord(0x9000)),
                        more: Some(0x9F),
                        fetch: [0xA0, 0x12, 0, 0],
                        ..ApduCommand::new(seid(), command)
                    }),
                    append: true,
                });
                let mut request = Request::new(batch);
                request.label = proto::racs::Label::try_from(&[b'l'; 63][..]).ok();
                request.lines.insert(0, Command::PowerOn(seid()).into());
                prop_assert!(request.encode().is_ok());
            }
        }
    }
}
