//! Somebody between card, host and server who changes what he is told to.

use std::collections::BTreeMap;

use crate::pieces::pieces;

/// Where he sits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// Commands to the card.
    ToCard,
    /// Responses of the card.
    FromCard,
    /// Records to the server.
    ToServer,
    /// Records of the server.
    FromServer,
}

/// The changes to make. Each piece of the input is one:
///
/// ```text
/// kind: lower 2 bits the way, upper 2 bits the change | number of the message | argument
/// ```
#[derive(Debug, Default)]
pub struct Meddler<'a> {
    changes: BTreeMap<(Way, u8), Vec<(u8, &'a [u8])>>,
    seen: BTreeMap<Way, u8>,
}

impl<'a> Meddler<'a> {
    /// The one that an input asks for.
    pub fn new(input: &'a [u8]) -> Self {
        let mut meddler = Self::default();
        for piece in pieces(input) {
            let Some((&number, argument)) = piece.bytes.split_first() else {
                continue;
            };
            let way = match piece.kind & 3 {
                0 => Way::ToCard,
                1 => Way::FromCard,
                2 => Way::ToServer,
                _ => Way::FromServer,
            };
            let changes = meddler.changes.entry((way, number)).or_default();
            changes.push((piece.kind >> 2, argument));
        }
        meddler
    }

    /// Whether he leaves everything as it is.
    pub fn is_idle(&self) -> bool {
        self.changes.is_empty()
    }

    /// The next message on its way.
    pub fn pass(&mut self, way: Way, message: &[u8]) -> Vec<u8> {
        let seen = self.seen.entry(way).or_default();
        let number = *seen;
        *seen = seen.wrapping_add(1);
        let mut message = message.to_vec();
        for (change, argument) in self.changes.get(&(way, number)).into_iter().flatten() {
            apply(*change, argument, &mut message);
        }
        message
    }
}

fn apply(change: u8, argument: &[u8], message: &mut Vec<u8>) {
    match (change, argument) {
        // Position and what the byte there is combined with.
        (0, _) => {
            for change in argument.chunks_exact(3) {
                let at = usize::from(u16::from_be_bytes([change[0], change[1]]));
                if let Some(byte) = message.get_mut(at) {
                    *byte ^= change[2];
                }
            }
        }
        (1, [high, low, rest @ ..]) => {
            message.truncate(usize::from(u16::from_be_bytes([*high, *low])));
            message.extend_from_slice(rest);
        }
        (2, _) => *message = argument.to_vec(),
        _ => message.splice(..0, argument.iter().copied()).for_each(drop),
    }
}
