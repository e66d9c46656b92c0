//! Records and messages, built by hand.

/// Bytes from hexadecimal digits; white space is for the reader.
pub(in crate::tls) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| u8::try_from(c.to_digit(16).expect("a hexadecimal digit")).unwrap())
        .collect();
    let (pairs, rest) = digits.as_chunks::<2>();
    assert!(rest.is_empty(), "half a byte in {text:?}");
    pairs.iter().map(|[high, low]| high << 4 | low).collect()
}

pub(in crate::tls) fn record(content_type: u8, version: u16, payload: &[u8]) -> Vec<u8> {
    let mut record = vec![content_type];
    record.extend(version.to_be_bytes());
    record.extend(u16::try_from(payload.len()).unwrap().to_be_bytes());
    record.extend(payload);
    record
}

/// `bytes` over as many records of at most `size` bytes as it takes.
pub(in crate::tls) fn split_records(
    content_type: u8,
    version: u16,
    bytes: &[u8],
    size: usize,
) -> Vec<u8> {
    bytes
        .chunks(size)
        .flat_map(|part| record(content_type, version, part))
        .collect()
}

pub(in crate::tls) fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut message = vec![kind];
    message.extend(length3(body.len()));
    message.extend(body);
    message
}

pub(in crate::tls) fn certificate_body(certificates: &[Vec<u8>]) -> Vec<u8> {
    let entries: Vec<u8> = certificates
        .iter()
        .flat_map(|certificate| [&length3(certificate.len())[..], certificate].concat())
        .collect();
    [&length3(entries.len())[..], &entries].concat()
}

/// The body of a NewSessionTicket up to TLS 1.2.
pub(in crate::tls) fn ticket_body(ticket: &[u8]) -> Vec<u8> {
    let length = u16::try_from(ticket.len()).unwrap().to_be_bytes();
    [&[0, 0, 0x1C, 0x20], &length[..], ticket].concat()
}

/// Certificate, ClientKeyExchange and CertificateVerify of a card.
pub(in crate::tls) fn full_client_flight() -> [Vec<u8>; 3] {
    [
        message(11, &certificate_body(&[vec![0x30, 3, 1, 2, 3]])),
        message(16, &[0xAA; 34]),
        message(15, &[0xBB; 40]),
    ]
}

fn length3(len: usize) -> [u8; 3] {
    let [first, bytes @ ..] = u32::try_from(len).unwrap().to_be_bytes();
    assert_eq!(first, 0, "longer than three bytes can say");
    bytes
}
