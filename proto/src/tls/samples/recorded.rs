//! Sessions of third-party card programs with third-party servers, from `proto/tests/data`.

use super::hex;

const VECTORS: &str = include_str!("../../../tests/data/vectors.txt");
const EXT_AES_T1: &str = include_str!("../../../tests/data/ext-aes-t1.txt");

/// Key material of one recorded session.
#[derive(Default)]
pub(in crate::tls) struct Vector {
    pub(in crate::tls) key_block_card: Vec<u8>,
    pub(in crate::tls) key_block_prf: Vec<u8>,
    pub(in crate::tls) client_last_cipher_block: Option<Vec<u8>>,
    pub(in crate::tls) server_last_cipher_block: Option<Vec<u8>>,
}

/// The sessions recorded in files whose name begins with `prefix`.
pub(in crate::tls) fn vectors(prefix: &str) -> Vec<Vector> {
    let mut all = Vec::new();
    for section in VECTORS
        .split("\n[")
        .filter(|section| section.starts_with(prefix))
    {
        let mut vector = Vector::default();
        for (name, value) in section.lines().filter_map(|line| line.split_once('=')) {
            match name.trim() {
                "key_block_card" => vector.key_block_card = hex(value),
                "key_block_prf" => vector.key_block_prf = hex(value),
                "client_last_cipher_block" => vector.client_last_cipher_block = Some(hex(value)),
                "server_last_cipher_block" => vector.server_last_cipher_block = Some(hex(value)),
                _ => {}
            }
        }
        all.push(vector);
    }
    all
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::tls) enum Direction {
    ToCard,
    FromCard,
}

/// TLS bytes of one EAP packet.
pub(in crate::tls) struct RecordedFlight {
    pub(in crate::tls) direction: Direction,
    pub(in crate::tls) bytes: Vec<u8>,
}

/// A full and an abbreviated handshake in TLS 1.0, suite 002F, flight by flight:
///
/// 0 ClientHello, 1 ServerHello .. ServerHelloDone, 2 Certificate .. Finished, 3 CCS, Finished;
/// 4 ClientHello, 5 ServerHello, CCS, Finished, 6 CCS, Finished.
pub(in crate::tls) fn ext_aes_flights() -> Vec<RecordedFlight> {
    let mut flights = Vec::new();
    let (mut to_card, mut from_card) = (Vec::new(), Vec::new());
    let mut is_last_segment = false;
    for (is_command, apdu) in apdus(EXT_AES_T1) {
        match (is_command, apdu.as_slice()) {
            // Process-EAP: P1 is 1 on every segment of a packet but the last.
            (true, [0xA0, 0x80, more, 0, _, data @ ..]) => {
                to_card.extend_from_slice(data);
                is_last_segment = *more == 0;
            }
            (true, _) => {}
            (false, [data @ .., _, _]) => from_card.extend_from_slice(data),
            (false, _) => panic!("a response has a status word"),
        }
        if is_command || !apdu.ends_with(&[0x90, 0]) {
            continue;
        }
        let answer = std::mem::take(&mut from_card);
        if std::mem::take(&mut is_last_segment) {
            let request = std::mem::take(&mut to_card);
            let both = [(Direction::ToCard, request), (Direction::FromCard, answer)];
            flights.extend(both.into_iter().filter_map(|(direction, packet)| {
                tls_of_eap(&packet).map(|bytes| RecordedFlight { direction, bytes })
            }));
        }
    }
    flights
}

/// Command (true) and response APDUs of a trace.
fn apdus(trace: &str) -> Vec<(bool, Vec<u8>)> {
    let mut apdus: Vec<(bool, Vec<u8>)> = Vec::new();
    for line in trace.lines() {
        match line.split_at_checked(2) {
            Some((">>", digits)) => apdus.push((true, hex(digits))),
            Some(("<<", digits)) => apdus.push((false, hex(digits))),
            Some(("  ", digits)) => apdus.last_mut().unwrap().1.extend(hex(digits)),
            _ => {}
        }
    }
    apdus
}

fn tls_of_eap(packet: &[u8]) -> Option<Vec<u8>> {
    let [1 | 2, _, high, low, 0x0D, flags, data @ ..] = packet else {
        return None;
    };
    if usize::from(u16::from_be_bytes([*high, *low])) != packet.len() {
        return None;
    }
    let data = if flags & 0x80 == 0 {
        data
    } else {
        data.get(4..)?
    };
    (!data.is_empty()).then(|| data.to_vec())
}
