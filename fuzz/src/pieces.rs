//! Several messages in one input.
//!
//! ```text
//! kind (upper 4 bits) and length (lower 12 bits), most significant byte first | bytes | ...
//! ```
//!
//! Any bytes are pieces: the last one may be shorter than its length says.

/// One message.
#[derive(Debug, Clone, Copy)]
pub struct Piece<'a> {
    /// What the target takes it for, 0 to 15.
    pub kind: u8,
    /// Its bytes, 4,095 at most.
    pub bytes: &'a [u8],
}

/// Cuts an input into its pieces.
pub fn pieces(input: &[u8]) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = input;
    std::iter::from_fn(move || {
        let (&[high, low], after) = rest.split_first_chunk::<2>()?;
        let length = usize::from(u16::from_be_bytes([high & 0x0F, low]));
        let (bytes, after) = after.split_at(length.min(after.len()));
        rest = after;
        let kind = high >> 4;
        Some(Piece { kind, bytes })
    })
}

/// Appends a piece of any length to an input; a long one becomes several of its kind.
pub fn append(input: &mut Vec<u8>, kind: u8, bytes: &[u8]) {
    let mut one = |part: &[u8]| {
        let length = u16::try_from(part.len()).expect("4,095 bytes at most");
        input.extend_from_slice(&(u16::from(kind) << 12 | length).to_be_bytes());
        input.extend_from_slice(part);
    };
    match bytes {
        [] => one(&[]),
        some => some.chunks(0x0FFF).for_each(one),
    }
}
