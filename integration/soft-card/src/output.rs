//! Answers longer than one response: the blocks that FETCH hands out.

use proto::apdu::StatusWord;
use zeroize::Zeroizing;

use crate::status;

/// What a command puts out: data and status word.
pub(crate) struct Reply {
    /// The data of the response.
    pub(crate) data: Zeroizing<Vec<u8>>,
    /// The status word.
    pub(crate) sw: StatusWord,
}

impl Reply {
    /// A status word alone.
    pub(crate) fn status(sw: StatusWord) -> Self {
        Self {
            data: Zeroizing::default(),
            sw,
        }
    }

    fn block(data: &[u8], sw: StatusWord) -> Self {
        Self {
            data: Zeroizing::new(data.to_vec()),
            sw,
        }
    }
}

/// Data waiting to be fetched. Empty unless the last command left some.
///
/// Source: EAP-TLS card specification §2.
#[derive(Default)]
pub(crate) struct Pending {
    data: Zeroizing<Vec<u8>>,
    taken: usize,
}

impl Pending {
    /// Drops what was not fetched.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Answers with the first block of `data` at once, 9Fxx behind it if there is more. An extended
    /// command gets as much as it `wanted`.
    pub(crate) fn answer(&mut self, data: Zeroizing<Vec<u8>>, wanted: u32) -> Reply {
        *self = Self { data, taken: 0 };
        self.next_block(at_once(wanted))
    }

    /// Answers Process-EAP: the whole of `data` or, if that is too much at once, 9F00 alone and FETCH
    /// for all.
    pub(crate) fn answer_eap(&mut self, data: Zeroizing<Vec<u8>>, wanted: u32) -> Reply {
        if data.len() <= at_once(wanted) {
            return self.answer(data, wanted);
        }
        *self = Self { data, taken: 0 };
        Reply::status(status::more(BLOCK))
    }

    /// FETCH of at most `le` bytes; 6F00 if nothing waits.
    pub(crate) fn fetch(&mut self, le: Option<u16>) -> Reply {
        if self.rest().is_empty() {
            return Reply::status(status::TECHNICAL);
        }
        self.next_block(le.map_or(BLOCK, usize::from).min(BLOCK))
    }

    fn next_block(&mut self, limit: usize) -> Reply {
        let (block, rest) = self.rest().split_at(self.rest().len().min(limit));
        let sw = if rest.is_empty() {
            status::OK
        } else {
            status::more(rest.len())
        };
        let reply = Reply::block(block, sw);
        self.taken += reply.data.len();
        if self.rest().is_empty() {
            self.clear();
        }
        reply
    }

    fn rest(&self) -> &[u8] {
        self.data.get(self.taken..).unwrap_or_default()
    }
}

/// The largest response to a command that wanted so many bytes.
fn at_once(wanted: u32) -> usize {
    usize::try_from(wanted).map_or(BLOCK, |wanted| wanted.max(BLOCK))
}

/// The largest response to a short command, bytes of data.
const BLOCK: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(length: usize) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(
            (0..length)
                .map(|i| u8::try_from(i % 251).expect("below 251"))
                .collect(),
        )
    }

    /// Fetches until 9000, as a host does, and returns the data and the status words.
    fn fetch_all(pending: &mut Pending, first: Reply) -> (Vec<u8>, Vec<u16>) {
        let (mut data, mut words) = (first.data.to_vec(), vec![first.sw.0]);
        while words.last() != Some(&0x9000) {
            let le = words.last().map(|sw| sw & 0xFF).filter(|le| *le != 0);
            let block = pending.fetch(le.or(Some(256)));
            data.extend_from_slice(&block.data);
            words.push(block.sw.0);
        }
        (data, words)
    }

    #[test]
    fn one_block_is_answered_directly() {
        let mut pending = Pending::default();
        let reply = pending.answer_eap(bytes(256), 0);
        assert_eq!((reply.data.len(), reply.sw.0), (256, 0x9000));
        assert_eq!(pending.fetch(None).sw.0, 0x6F00);
    }

    #[test]
    fn a_long_eap_answer_begins_without_data() {
        let mut pending = Pending::default();
        let first = pending.answer_eap(bytes(600), 256);
        assert!(first.data.is_empty());
        let (data, words) = fetch_all(&mut pending, first);
        assert_eq!(data, *bytes(600));
        assert_eq!(words, [0x9F00, 0x9F00, 0x9F58, 0x9000]);
    }

    #[test]
    fn an_extended_command_gets_all_at_once() {
        let mut pending = Pending::default();
        let reply = pending.answer_eap(bytes(600), 65_536);
        assert_eq!((reply.data.len(), reply.sw.0), (600, 0x9000));
        assert_eq!(pending.fetch(None).sw.0, 0x6F00);
        let reply = pending.answer_eap(bytes(600), 599);
        assert_eq!((reply.data.len(), reply.sw.0), (0, 0x9F00));
        let reply = pending.answer(bytes(600), 599);
        assert_eq!((reply.data.len(), reply.sw.0), (599, 0x9F01));
    }

    #[test]
    fn a_long_other_answer_begins_with_a_block() {
        let mut pending = Pending::default();
        let first = pending.answer(bytes(600), 256);
        assert_eq!(first.data.len(), 256);
        let (data, words) = fetch_all(&mut pending, first);
        assert_eq!(data, *bytes(600));
        assert_eq!(words, [0x9F00, 0x9F58, 0x9000]);
    }

    #[test]
    fn a_short_fetch_leaves_the_rest() {
        let mut pending = Pending::default();
        pending.answer_eap(bytes(300), 0);
        let reply = pending.fetch(Some(100));
        assert_eq!((reply.data.len(), reply.sw.0), (100, 0x9FC8));
        let reply = pending.fetch(Some(200));
        assert_eq!((reply.data.len(), reply.sw.0), (200, 0x9000));
    }
}
