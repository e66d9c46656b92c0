//! A token taken apart by hand, so that a program which knows nothing of tokens can check it.

/// What is signed of a token, a Sig_structure (RFC 9052 §4.4), and its signature. Written out here:
/// nothing of ours is asked.
pub(crate) fn parts(token: &[u8]) -> (Vec<u8>, Vec<u8>) {
    assert_eq!(token[..2], [0xD2, 0x84], "18([4 items])");
    let (protected, rest) = byte_string(&token[2..]);
    assert_eq!(rest[0], 0xA0, "nothing unprotected");
    let (payload, rest) = byte_string(&rest[1..]);
    let (signature, rest) = byte_string(rest);
    assert!(rest.is_empty());
    let aad = b"\x58\x18tessera vm-auth-token v1";
    let signed = [&b"\x84\x6ASignature1"[..], protected, &aad[..], payload].concat();
    let head = signature.len() - length_of(signature);
    (signed, signature[head..].to_vec())
}

/// A byte string of CBOR with its head, and what follows it.
fn byte_string(cbor: &[u8]) -> (&[u8], &[u8]) {
    let (head, length) = head_of(cbor);
    cbor.split_at(head + length)
}

fn length_of(byte_string: &[u8]) -> usize {
    head_of(byte_string).1
}

/// The bytes of a byte string's head, and the length that it says.
fn head_of(cbor: &[u8]) -> (usize, usize) {
    match *cbor {
        [short @ 0x40..=0x57, ..] => (1, usize::from(short - 0x40)),
        [0x58, length, ..] => (2, length.into()),
        [0x59, high, low, ..] => (3, u16::from_be_bytes([high, low]).into()),
        _ => panic!("no byte string: {cbor:02X?}"),
    }
}

/// r and s as OpenSSL takes them.
pub(crate) fn der(fixed: &[u8]) -> Vec<u8> {
    let integer = |number: &[u8]| {
        let zeroes = number.iter().take_while(|byte| **byte == 0).count();
        let number = &number[zeroes..];
        let sign: &[u8] = if number[0] < 0x80 { &[] } else { &[0] };
        let length = u8::try_from(sign.len() + number.len()).expect("33 at most");
        [&[2, length], sign, number].concat()
    };
    let (r, s) = fixed.split_at(32);
    let numbers = [integer(r), integer(s)].concat();
    let length = u8::try_from(numbers.len()).expect("70 at most");
    [&[0x30, length][..], &numbers].concat()
}
