//! Answers longer than the host takes at once.

use proto::apdu::StatusWord;
use zeroize::Zeroizing;

use crate::output::Reply;
use crate::status;

/// The rest of an answer, waiting for GET RESPONSE.
///
/// Source: ISO/IEC 7816-4 §5.1.3, §11.7.1; NIST SP 800-73-4 part 2 §3.1.2.
#[derive(Default)]
pub(super) struct Outbox {
    data: Zeroizing<Vec<u8>>,
    taken: usize,
    sw: Option<StatusWord>,
}

impl Outbox {
    /// Drops what was not fetched.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Gives the first `most` bytes of an answer and keeps the rest.
    pub(super) fn send(&mut self, reply: Reply, most: usize) -> Reply {
        *self = Self {
            data: reply.data,
            taken: 0,
            sw: Some(reply.sw),
        };
        self.next(most)
    }

    /// GET RESPONSE of at most `most` bytes; 6985 if nothing waits.
    pub(super) fn next(&mut self, most: usize) -> Reply {
        let Some(sw) = self.sw else {
            return Reply::status(status::CONDITIONS);
        };
        let rest = self.data.get(self.taken..).unwrap_or_default();
        let (piece, rest) = rest.split_at(rest.len().min(most));
        let reply = Reply {
            data: Zeroizing::new(piece.to_vec()),
            sw: match rest.len() {
                0 => sw,
                left => status::get_response(left),
            },
        };
        self.taken += piece.len();
        if rest.is_empty() {
            self.clear();
        }
        reply
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(length: usize) -> Reply {
        Reply {
            data: Zeroizing::new(vec![7; length]),
            sw: status::OK,
        }
    }

    #[test]
    fn a_long_answer_says_how_much_is_left() {
        let mut outbox = Outbox::default();
        let shown = |reply: Reply| (reply.data.len(), reply.sw.0);
        assert_eq!(shown(outbox.send(reply(600), 256)), (256, 0x6100));
        assert_eq!(shown(outbox.next(256)), (256, 0x6158));
        assert_eq!(shown(outbox.next(0x50)), (0x50, 0x6108));
        assert_eq!(shown(outbox.next(256)), (8, 0x9000));
        assert_eq!(shown(outbox.next(256)), (0, 0x6985));
    }

    #[test]
    fn a_host_with_extended_length_gets_it_at_once() {
        let sent = Outbox::default().send(reply(600), 65_536);
        assert_eq!((sent.data.len(), sent.sw.0), (600, 0x9000));
    }
}
