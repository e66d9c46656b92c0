//! The length prefix around each message.

use std::collections::VecDeque;

use zeroize::Zeroizing;

/// Largest body of a frame, in bytes, without the four bytes of its length.
pub const MAX_FRAME: usize = 65_536;

/// Length of the prefix, in bytes.
const HEADER: usize = 4;

/// Why bytes are not a frame. After it the connection has no frame boundary left and must end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The body is longer than [`MAX_FRAME`].
    #[error("frame of {got} bytes, at most {MAX_FRAME} are allowed")]
    TooLong {
        /// Length in bytes, as announced or as given.
        got: usize,
    },
    /// A body of no bytes holds no message.
    #[error("frame without a body")]
    Empty,
}

/// Puts the length in front of one message.
///
/// # Errors
/// [`FrameError`] when `body` is empty or longer than [`MAX_FRAME`].
pub fn encode_frame(body: &[u8]) -> Result<Zeroizing<Vec<u8>>, FrameError> {
    let length = check_length(body.len())?;
    let mut frame = Zeroizing::new(Vec::with_capacity(HEADER + body.len()));
    frame.extend_from_slice(&length.to_be_bytes());
    frame.extend_from_slice(body);
    Ok(frame)
}

/// Cuts a stream of bytes into message bodies.
///
/// Bodies may hold keys: each lies in one allocation of its exact size that is wiped when dropped.
/// It holds the bodies not yet fetched and one unfinished body, so a caller that fetches all frames
/// after each push bounds it by the size of its own reads plus [`MAX_FRAME`].
#[derive(Default)]
pub struct FrameReader {
    complete: VecDeque<Zeroizing<Vec<u8>>>,
    header: Vec<u8>,
    body: Option<Body>,
    failed: Option<FrameError>,
}

struct Body {
    bytes: Zeroizing<Vec<u8>>,
    length: usize,
}

impl FrameReader {
    /// A reader at the start of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes over the next bytes of the stream. After a bad length the rest is ignored.
    pub fn push(&mut self, mut bytes: &[u8]) {
        while self.failed.is_none() && !bytes.is_empty() {
            bytes = self.consume(bytes);
        }
    }

    /// The next whole body, or `None` until more bytes have come.
    ///
    /// # Errors
    /// [`FrameError`] once all frames before the bad one were given, and from then on.
    pub fn next_frame(&mut self) -> Result<Option<Zeroizing<Vec<u8>>>, FrameError> {
        match (self.complete.pop_front(), self.failed) {
            (Some(body), _) => Ok(Some(body)),
            (None, Some(error)) => Err(error),
            (None, None) => Ok(None),
        }
    }

    /// Whether the stream stands between two frames: an end here cuts nothing off.
    pub fn is_at_boundary(&self) -> bool {
        self.header.is_empty() && self.body.is_none()
    }

    /// Uses up at least one byte and returns the rest.
    fn consume<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let Some(body) = &mut self.body else {
            let (now, rest) = split_at_most(bytes, HEADER - self.header.len());
            self.header.extend_from_slice(now);
            if let Ok(header) = <[u8; HEADER]>::try_from(self.header.as_slice()) {
                self.header.clear();
                self.start_body(u32::from_be_bytes(header));
            }
            return rest;
        };
        let (now, rest) = split_at_most(bytes, body.length - body.bytes.len());
        body.bytes.extend_from_slice(now);
        if body.bytes.len() == body.length {
            self.complete
                .extend(self.body.take().map(|body| body.bytes));
        }
        rest
    }

    fn start_body(&mut self, length: u32) {
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        match check_length(length) {
            Ok(_) => {
                let bytes = Zeroizing::new(Vec::with_capacity(length));
                self.body = Some(Body { bytes, length });
            }
            Err(error) => self.failed = Some(error),
        }
    }
}

fn check_length(length: usize) -> Result<u32, FrameError> {
    match u32::try_from(length) {
        Ok(0) => Err(FrameError::Empty),
        Ok(short) if length <= MAX_FRAME => Ok(short),
        _ => Err(FrameError::TooLong { got: length }),
    }
}

fn split_at_most(bytes: &[u8], n: usize) -> (&[u8], &[u8]) {
    bytes.split_at_checked(n).unwrap_or((bytes, &[]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all_frames(reader: &mut FrameReader) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| reader.next_frame().expect("good frames"))
            .map(|body| body.to_vec())
            .collect()
    }

    #[test]
    fn writes_the_length_as_four_big_endian_bytes() {
        let frame = encode_frame(&[0xa0; 0x102]).expect("short enough");
        assert_eq!(frame.get(..5), Some(&[0, 0, 1, 2, 0xa0][..]));
        assert_eq!(frame.len(), 4 + 0x102);
    }

    #[test]
    fn refuses_to_write_a_body_that_no_reader_takes() {
        assert_eq!(encode_frame(&[]), Err(FrameError::Empty));
        let long = vec![0; MAX_FRAME + 1];
        assert_eq!(
            encode_frame(&long),
            Err(FrameError::TooLong { got: 65_537 })
        );
        assert!(encode_frame(&long[1..]).is_ok());
    }

    #[test]
    fn gives_the_good_frames_before_an_oversized_one_and_then_only_the_error() {
        let mut reader = FrameReader::new();
        reader.push(&[0, 0, 0, 1, 0xa0, 0, 1, 0, 1]);
        reader.push(&[0, 0, 0, 1, 0xa0]);
        let body = reader.next_frame().expect("first frame is good");
        assert_eq!(body.as_deref(), Some(&vec![0xa0]));
        for _ in 0..2 {
            let error = reader.next_frame().expect_err("length 0x10001");
            assert_eq!(error, FrameError::TooLong { got: 65_537 });
        }
    }

    #[test]
    fn refuses_a_frame_of_no_bytes() {
        let mut reader = FrameReader::new();
        reader.push(&[0; 4]);
        assert_eq!(reader.next_frame().err(), Some(FrameError::Empty));
    }

    #[test]
    fn allocates_the_body_once() {
        let mut reader = FrameReader::new();
        let frame = encode_frame(&[7; 1000]).expect("short enough");
        for byte in frame.iter() {
            reader.push(&[*byte]);
        }
        let body = reader.next_frame().expect("good").expect("whole");
        assert_eq!((body.len(), body.capacity()), (1000, 1000));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn frames_survive_any_cut_of_the_stream(
            bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..300), 0..6),
            chunk in 1_usize..97,
        ) {
            let stream: Vec<u8> = bodies
                .iter()
                .flat_map(|body| encode_frame(body).expect("short").to_vec())
                .collect();
            let mut reader = FrameReader::new();
            let mut seen = Vec::new();
            for part in stream.chunks(chunk) {
                reader.push(part);
                seen.extend(all_frames(&mut reader));
            }
            prop_assert_eq!(seen, bodies);
            prop_assert!(reader.is_at_boundary());
        }

        #[test]
        fn a_prefix_of_a_frame_is_never_a_frame(
            body in prop::collection::vec(any::<u8>(), 1..200),
            cut in any::<prop::sample::Index>(),
        ) {
            let frame = encode_frame(&body).expect("short");
            let cut = cut.index(frame.len());
            let mut reader = FrameReader::new();
            reader.push(frame.get(..cut).expect("inside"));
            prop_assert_eq!(reader.next_frame(), Ok(None));
            prop_assert_eq!(reader.is_at_boundary(), cut == 0);
        }
    }
}
