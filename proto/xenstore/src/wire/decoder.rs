//! Messages out of bytes that come in pieces.

use super::message::{HEADER, Kind, Message};
use crate::error::Breach;

/// Collects bytes until they are a message. It holds no more than what it was given since it last
/// had none to give, and at most one message that is not complete.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    bytes: Vec<u8>,
    /// How many of them are done with.
    done: usize,
}

impl Decoder {
    /// Adds what has come.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.done);
        self.done = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// The next message, if it is complete.
    ///
    /// # Errors
    /// [`Breach`] when it is none; what follows cannot be told apart then.
    pub(crate) fn next(&mut self) -> Result<Option<Message>, Breach> {
        let rest = self.bytes.get(self.done..).unwrap_or_default();
        let Some((header, rest)) = rest.split_first_chunk::<HEADER>() else {
            return Ok(None);
        };
        let (kind, request, length) = split(header);
        let kind = Kind::from_code(kind).ok_or(Breach::Kind(kind))?;
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > kind.max_payload() {
            return Err(Breach::TooLong);
        }
        let Some((payload, _)) = rest.split_at_checked(length) else {
            return Ok(None);
        };
        let message = Message {
            kind,
            request,
            payload: payload.to_vec(),
        };
        self.done += HEADER + length;
        Ok(Some(message))
    }
}

/// Type, request id and length.
fn split(header: &[u8; HEADER]) -> (u32, u32, u32) {
    let mut numbers = header.chunks_exact(4).map(|bytes| {
        let bytes: [u8; 4] = bytes.try_into().unwrap_or_default();
        u32::from_ne_bytes(bytes)
    });
    let mut next = || numbers.next().unwrap_or_default();
    let (kind, request, _transaction, length) = (next(), next(), next(), next());
    (kind, request, length)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::wire::encode;
    use crate::wire::message::MAX_PAYLOAD;

    /// Gives the bytes in pieces that end at these places.
    fn decode(bytes: &[u8], cuts: &[usize]) -> Result<Vec<Message>, Breach> {
        let mut decoder = Decoder::default();
        let mut messages = Vec::new();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        for piece in cuts.windows(2) {
            decoder.push(&bytes[piece[0]..piece[1]]);
            while let Some(message) = decoder.next()? {
                messages.push(message);
            }
        }
        Ok(messages)
    }

    fn kinds() -> impl Strategy<Value = Kind> {
        proptest::sample::select(Kind::ALL.to_vec())
    }

    proptest! {
        #[test]
        fn messages_come_as_they_went_however_they_are_cut(
            messages in vec((kinds(), any::<u32>(), vec(any::<u8>(), 0..100)), 0..6),
            cuts in vec(any::<usize>(), 0..12),
        ) {
            let bytes: Vec<u8> = messages
                .iter()
                .flat_map(|(kind, request, payload)| encode(*kind, *request, payload).expect("short"))
                .collect();
            let expected: Vec<Message> = messages
                .into_iter()
                .map(|(kind, request, payload)| Message { kind, request, payload })
                .collect();
            prop_assert_eq!(decode(&bytes, &cuts), Ok(expected));
        }

        #[test]
        fn no_bytes_panic(bytes in vec(any::<u8>(), 0..200), cuts in vec(any::<usize>(), 0..4)) {
            let _ = decode(&bytes, &cuts);
        }
    }

    #[test]
    fn a_length_that_cannot_be_is_refused_before_anything_is_waited_for() {
        for (kind, length) in [
            (Kind::Read, 4_097),
            (Kind::WatchEvent, u32::MAX),
            (Kind::Directory, (256 << 10) + 1),
        ] {
            let header = [kind as u32, 1, 0, length].map(u32::to_ne_bytes);
            assert_eq!(decode(header.as_flattened(), &[]), Err(Breach::TooLong));
        }
        let most = encode(Kind::Read, 1, &[7; MAX_PAYLOAD]).expect("it fits");
        assert_eq!(decode(&most, &[1_000]).expect("good").len(), 1);
        assert_eq!(encode(Kind::Read, 1, &[7; MAX_PAYLOAD + 1]), None);
    }

    #[test]
    fn an_unknown_type_is_refused() {
        for code in [0, 6, 17, 23, u32::MAX] {
            let header = [code, 1, 0, 0].map(u32::to_ne_bytes);
            assert_eq!(decode(header.as_flattened(), &[]), Err(Breach::Kind(code)));
        }
    }
}
