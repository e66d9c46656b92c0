//! A card that knows one conversation by heart.

use proto::apdu::{CommandApdu, ResponseApdu};

use super::hex;
use super::trace::Trace;

/// Answers the recorded commands in their order, and no others.
#[derive(Debug)]
pub(crate) struct Replay {
    trace: Trace,
    at: usize,
}

impl Replay {
    pub(crate) fn of(trace: Trace) -> Self {
        Self { trace, at: 0 }
    }

    /// The recorded response, if the command is the recorded one to the byte.
    pub(crate) fn transmit(&mut self, command: &CommandApdu) -> ResponseApdu {
        let name = &self.trace.name;
        let sent = hex(&command.encode());
        let Some(exchange) = self.trace.exchanges.get(self.at) else {
            panic!("{name}: the recording has ended, the driver sends {sent}");
        };
        self.at += 1;
        let recorded = hex(&exchange.command);
        assert_eq!(
            sent, recorded,
            "{name}: command {} ({})",
            self.at, exchange.note
        );
        ResponseApdu::decode(&exchange.response).expect("a recorded response")
    }

    /// Identifier and time of the next recorded start packet: the host chose them.
    pub(crate) fn next_start(&self) -> Option<(u8, u32)> {
        self.trace.exchanges[self.at..].iter().find_map(|exchange| {
            match exchange.command.as_slice() {
                [
                    _,
                    0x80,
                    0,
                    _,
                    0x0A,
                    1,
                    identifier,
                    0,
                    6,
                    0x0D,
                    0x20,
                    time @ ..,
                ] => {
                    let time = time.first_chunk().expect("four bytes of time");
                    Some((*identifier, u32::from_be_bytes(*time)))
                }
                _ => None,
            }
        })
    }

    /// How many commands were sent.
    pub(crate) fn sent(&self) -> usize {
        self.at
    }

    /// Whether every recorded command was sent.
    pub(crate) fn is_over(&self) -> bool {
        self.at == self.trace.exchanges.len()
    }
}
