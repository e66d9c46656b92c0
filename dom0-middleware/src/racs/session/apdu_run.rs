//! One APDU command, which may take several APDUs.

use proto::apdu::{CommandApdu, ResponseApdu};
use proto::id::Seid;
use proto::racs::{ApduCommand, MAX_RESPONSE};
use zeroize::Zeroizing;

/// An APDU command under way.
///
/// | Response | What follows |
/// |---|---|
/// | `6Cxx` without data to a command of five bytes | the command once more with Le = xx; not for `6C00`, and once for each command |
/// | the status word begins with MORE's byte | what FETCH names, with Le = the second byte |
/// | any other | nothing: data of all, and this status word |
///
/// Source: specs/racs.md §5, APDU.
#[derive(Debug, Clone)]
pub(super) struct ApduRun {
    pub(super) seid: Seid,
    pub(super) append: bool,
    /// The command; its APDU is the one sent last.
    pub(super) apdu: ApduCommand,
    repeated: bool,
    fetches_left: usize,
    gathered: Gathered,
}

/// What comes of a response.
#[derive(Debug)]
pub(super) enum RunStep {
    /// It has another APDU to be sent.
    Transmit(ApduRun),
    /// The answer as a whole.
    Complete(ResponseApdu),
    /// There is no end of it.
    TooLong,
}

impl ApduRun {
    /// The command, not sent yet.
    pub(super) fn new(seid: Seid, append: bool, apdu: ApduCommand) -> Self {
        Self {
            seid,
            append,
            apdu,
            repeated: false,
            fetches_left: MAX_FETCHES,
            gathered: Gathered::default(),
        }
    }

    /// The APDU to be sent now.
    pub(super) fn command(&self) -> &CommandApdu {
        &self.apdu.command
    }

    /// Takes a response to what was sent last.
    pub(super) fn on_response(mut self, response: ResponseApdu) -> RunStep {
        let sw = response.sw;
        if self.wants_other_le(&response) {
            self.repeated = true;
            self.apdu.command = self.apdu.command.with_le(sw.sw2().into());
            return RunStep::Transmit(self);
        }
        if self.gathered.add(response.into_data()).is_err() {
            return RunStep::TooLong;
        }
        if self.apdu.more != Some(sw.sw1()) {
            return RunStep::Complete(ResponseApdu::new(self.gathered.0, sw));
        }
        let Some(left) = self.fetches_left.checked_sub(1) else {
            return RunStep::TooLong;
        };
        let [cla, ins, p1, p2] = self.apdu.fetch;
        let le = match sw.sw2() {
            0 => 256,
            le => le.into(),
        };
        self.apdu.command = CommandApdu::new(cla, ins, p1, p2).with_le(le);
        self.repeated = false;
        self.fetches_left = left;
        RunStep::Transmit(self)
    }

    fn wants_other_le(&self, response: &ResponseApdu) -> bool {
        let sent = self.command();
        let has_five_bytes = sent.data().is_empty() && sent.le().is_some() && !sent.is_extended();
        let sw = response.sw;
        has_five_bytes
            && !self.repeated
            && sw.sw1() == WRONG_LE
            && sw.sw2() != 0
            && response.data().is_empty()
    }
}

/// What the card has said so far, shown by its length.
#[derive(Clone, Default)]
struct Gathered(Zeroizing<Vec<u8>>);

impl Gathered {
    fn add(&mut self, came: Zeroizing<Vec<u8>>) -> Result<(), ()> {
        let length = self.0.len().saturating_add(came.len());
        if length > MAX_ANSWER {
            return Err(());
        }
        if self.0.is_empty() {
            self.0 = came;
        } else {
            // One allocation of the right size: growing in place could leave a copy behind.
            let mut joined = Zeroizing::new(Vec::with_capacity(length));
            joined.extend_from_slice(&self.0);
            joined.extend_from_slice(&came);
            self.0 = joined;
        }
        Ok(())
    }
}

impl std::fmt::Debug for Gathered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "({} bytes)", self.0.len())
    }
}

const WRONG_LE: u8 = 0x6C;
/// A response that is full of one answer, in bytes of 256, and as many that bring nothing.
const MAX_FETCHES: usize = 256;
/// Two digits stand for a byte.
const MAX_ANSWER: usize = MAX_RESPONSE / 2;

#[cfg(test)]
mod tests {
    use proto::apdu::StatusWord;
    use proto::racs::SeidToken;

    use super::*;

    /// Plays responses; gives what was sent and how it ended.
    fn play(
        command: &[u8],
        more: Option<u8>,
        responses: &[(u16, &[u8])],
    ) -> (Vec<Vec<u8>>, Ending) {
        let seid: Seid = "0".parse().expect("a name");
        let command = CommandApdu::decode(command).expect("a command");
        let apdu = ApduCommand {
            more,
            ..ApduCommand::new(SeidToken::from(&seid), command)
        };
        let mut run = ApduRun::new(seid, false, apdu);
        let mut sent = vec![run.command().encode().to_vec()];
        for (sw, data) in responses {
            match run.on_response(ResponseApdu::new(data.to_vec(), StatusWord(*sw))) {
                RunStep::Transmit(next) => {
                    sent.push(next.command().encode().to_vec());
                    run = next;
                }
                RunStep::Complete(answer) => return (sent, Some(answer.encode().to_vec())),
                RunStep::TooLong => return (sent, None),
            }
        }
        panic!("not at an end");
    }

    /// `None` if there was none.
    type Ending = Option<Vec<u8>>;

    const FIVE: &[u8] = &[0x00, 0x16, 0x00, 0x00, 0x00];

    #[test]
    fn a_wrong_length_is_corrected_once() {
        let (sent, answer) = play(FIVE, None, &[(0x6C08, &[]), (0x9000, &[7; 8])]);
        assert_eq!(sent[1..], [[0x00, 0x16, 0x00, 0x00, 0x08]]);
        assert_eq!(answer, Some([&[7; 8][..], &[0x90, 0x00]].concat()));
        let (sent, answer) = play(FIVE, None, &[(0x6C08, &[]), (0x6C09, &[])]);
        assert_eq!((sent.len(), answer), (2, Some(vec![0x6C, 0x09])));
    }

    #[test]
    fn a_length_is_not_corrected_where_there_was_none() {
        let four = [0x00, 0x16, 0x00, 0x00];
        let with_data = [0x00, 0x16, 0x00, 0x00, 0x01, 0xAA];
        for command in [&four[..], &with_data] {
            let (sent, answer) = play(command, None, &[(0x6C08, &[])]);
            assert_eq!((sent.len(), answer), (1, Some(vec![0x6C, 0x08])));
        }
        let (sent, _) = play(FIVE, None, &[(0x6C00, &[])]);
        assert_eq!(sent.len(), 1);
        let (sent, _) = play(FIVE, None, &[(0x6C08, &[1])]);
        assert_eq!(sent.len(), 1);
    }

    #[test]
    fn more_is_fetched_while_it_is_announced() {
        let four = [0x00, 0x14, 0x00, 0x10];
        let (sent, answer) = play(&four, None, &[(0x6110, &[])]);
        assert_eq!((sent.len(), answer), (1, Some(vec![0x61, 0x10])));
        let responses: [(u16, &[u8]); 4] = [
            (0x6100, &[1]),
            (0x6C02, &[]),
            (0x6102, &[2, 3]),
            (0x6282, &[4]),
        ];
        let (sent, answer) = play(&four, Some(0x61), &responses);
        let fetches = [0x00, 0x02, 0x02].map(|le| vec![0x00, 0xC0, 0x00, 0x00, le]);
        assert_eq!(sent[1..], fetches);
        assert_eq!(answer, Some(vec![1, 2, 3, 4, 0x62, 0x82]));
    }

    #[test]
    fn a_card_without_end_is_left() {
        let endless: Vec<(u16, &[u8])> = vec![(0x6100, &[]); 1_000];
        let (sent, answer) = play(FIVE, Some(0x61), &endless);
        assert_eq!((sent.len(), answer), (1 + MAX_FETCHES, None));
        let block = [0; 256];
        let full: Vec<(u16, &[u8])> = vec![(0x6100, &block); 1_000];
        let (sent, answer) = play(FIVE, Some(0x61), &full);
        assert_eq!((sent.len(), answer), (1 + MAX_ANSWER / 256, None));
        // What MORE takes for an announcement may also be what a card says of a wrong length.
        let wrong: Vec<(u16, &[u8])> = vec![(0x6C01, &[]); 2_000];
        let (_, answer) = play(FIVE, Some(0x6C), &wrong);
        assert_eq!(answer, None);
    }
}
