//! A long command as a chain of short ones.

use zeroize::Zeroizing;

use super::command::CommandApdu;

impl CommandApdu {
    /// The short commands that together carry what this one does. All but the last have bit 10 in
    /// their class and expect no answer; a card answers each of them with `9000`.
    ///
    /// Source: ISO/IEC 7816-4 §5.3.3; NIST SP 800-73-4 Part 2 §2.4.
    #[must_use]
    pub fn chained(&self) -> Vec<Self> {
        let header = |cla| Self::new(cla, self.ins, self.p1, self.p2);
        let mut links: Vec<Self> = self
            .data()
            .chunks(Self::MAX_DATA)
            .map(|piece| {
                let link = header(self.cla | MORE_FOLLOW);
                link.with_data(piece).expect("a piece is never empty")
            })
            .collect();
        let last = links.pop();
        let mut last = last.unwrap_or_else(|| header(self.cla));
        last.cla = self.cla;
        links.push(match self.le() {
            Some(le) => last.with_le(le.min(SHORT_LE)),
            None => last,
        });
        links
    }
}

/// A card's end of a chain: gathers the data of short commands until the last has come.
#[derive(Debug)]
pub struct CommandChain {
    max: usize,
    begun: Option<Begun>,
}

#[derive(Debug)]
struct Begun {
    /// Instruction and parameters of the first command; the others have the same.
    header: [u8; 3],
    data: Gathered,
}

/// Shown by its length: it may be a PIN.
struct Gathered(Zeroizing<Vec<u8>>);

impl std::fmt::Debug for Gathered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "({} bytes)", self.0.len())
    }
}

impl CommandChain {
    /// An empty chain that takes `max` bytes of data at most.
    #[must_use]
    pub fn new(max: usize) -> Self {
        let max = max.min(CommandApdu::MAX_LONG_DATA);
        Self { max, begun: None }
    }

    /// Takes one command. Gives the whole one once it is complete, without bit 10 in its class;
    /// `None` while more follow. A command outside a chain is given back as it came.
    ///
    /// # Errors
    /// [`ChainError`] for data beyond the limit and for a command that does not belong to the chain
    /// begun; the chain is forgotten.
    pub fn push(&mut self, command: CommandApdu) -> Result<Option<CommandApdu>, ChainError> {
        let more = command.cla & MORE_FOLLOW != 0;
        let header = [command.ins, command.p1, command.p2];
        let mut begun = match self.begun.take() {
            None if !more => return Ok(Some(command)),
            None => Begun {
                header,
                data: Gathered(Zeroizing::default()),
            },
            Some(begun) if begun.header != header => return Err(ChainError::OtherCommand),
            Some(begun) => begun,
        };
        let came = command.data();
        let so_far = &begun.data.0;
        if came.len() > self.max.saturating_sub(so_far.len()) {
            return Err(ChainError::TooLong { max: self.max });
        }
        // One allocation of the right size: growing in place could leave a copy behind.
        let mut joined = Zeroizing::new(Vec::with_capacity(so_far.len() + came.len()));
        joined.extend_from_slice(so_far);
        joined.extend_from_slice(came);
        begun.data = Gathered(joined);
        if more {
            self.begun = Some(begun);
            return Ok(None);
        }
        let [ins, p1, p2] = begun.header;
        let mut whole = CommandApdu::new(command.cla, ins, p1, p2);
        if !begun.data.0.is_empty() {
            let data = whole.with_long_data(&begun.data.0);
            whole = data.expect("bounded by what an extended command carries");
        }
        Ok(Some(match command.le() {
            Some(le) => whole.with_le(le),
            None => whole,
        }))
    }

    /// Forgets what was gathered, as a card does when it is reset.
    pub fn clear(&mut self) {
        self.begun = None;
    }
}

/// Why commands are no chain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// More data than is accepted.
    #[error("chained command of more than {max} bytes")]
    TooLong {
        /// Bytes accepted.
        max: usize,
    },
    /// Another instruction or other parameters in the middle of a chain.
    #[error("another command in the middle of a chain")]
    OtherCommand,
}

/// Bit of the class that says that more of this command follow.
const MORE_FOLLOW: u8 = 0x10;
const SHORT_LE: u32 = 256;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn command(data: &[u8]) -> CommandApdu {
        let command = CommandApdu::new(0x00, 0x87, 0x07, 0x9A);
        match data {
            [] => command,
            data => command.with_long_data(data).expect("fits"),
        }
    }

    #[test]
    fn a_long_command_goes_in_pieces_and_its_end_expects_the_answer() {
        let links = command(&[7; 266]).with_le(256).chained();
        let shown: Vec<String> = links.iter().map(|link| format!("{link:?}")).collect();
        assert_eq!(
            shown,
            ["10 87 07 9A (255 bytes)", "00 87 07 9A (11 bytes) Le 256"]
        );
        let short = command(&[1]).with_le(9);
        assert_eq!(short.chained(), [short]);
        assert_eq!(command(&[]).chained(), [command(&[])]);
    }

    #[test]
    fn what_does_not_belong_to_a_chain_ends_it() {
        let mut links = command(&[7; 266]).chained().into_iter();
        let mut chain = CommandChain::new(300);
        let first = links.next().expect("two links");
        assert_eq!(chain.push(first), Ok(None));
        let other = CommandApdu::new(0x00, 0xCB, 0x3F, 0xFF);
        assert_eq!(chain.push(other.clone()), Err(ChainError::OtherCommand));
        assert_eq!(chain.push(other.clone()), Ok(Some(other)));
    }

    #[test]
    fn a_chain_is_bounded() {
        let mut chain = CommandChain::new(300);
        let results: Vec<_> = command(&[7; 600])
            .chained()
            .into_iter()
            .take(2)
            .map(|link| chain.push(link))
            .collect();
        assert_eq!(results, [Ok(None), Err(ChainError::TooLong { max: 300 })]);
    }

    #[test]
    fn debug_shows_no_data() {
        let mut chain = CommandChain::new(300);
        let mut link = command(&[0xAB; 9]);
        link.cla = 0x10;
        chain.push(link).expect("more follow");
        let shown = format!("{chain:?}");
        assert!(
            shown.contains("(9 bytes)") && !shown.contains("171"),
            "{shown}"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_chained_command_comes_together_again(
            data in prop::collection::vec(any::<u8>(), 0..2000), le in prop::option::of(1..=256u32),
        ) {
            let command = match le {
                Some(le) => command(&data).with_le(le),
                None => command(&data),
            };
            let mut chain = CommandChain::new(2000);
            let mut links = command.chained();
            let last = links.pop().expect("at least one");
            for link in links {
                prop_assert_eq!(chain.push(link), Ok(None));
            }
            prop_assert_eq!(chain.push(last), Ok(Some(command)));
        }
    }
}
