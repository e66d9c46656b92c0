//! What a virtual card could say.

use std::io::Write;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use proto::apdu::CommandApdu;

use super::transport::ViccTransport;
use crate::card::transport::CardTransport;

/// Powers up, uses and resets a card that has said `bytes` and closed its end.
pub fn virtual_card(bytes: &[u8]) {
    let (mut card, reader) = UnixStream::pair().expect("a pair of sockets");
    // More than this does not fit into a socket that nobody reads.
    let bytes = bytes.get(..MAX_BYTES).unwrap_or(bytes);
    card.write_all(bytes).expect("there is room");
    card.shutdown(Shutdown::Write).expect("it is connected");
    let deadline = Instant::now() + Duration::from_secs(5);
    let Ok(mut transport) = ViccTransport::power_up(reader.into(), deadline) else {
        return;
    };
    let command = CommandApdu::new(0xA0, 0x19, 0, 0).with_le(1);
    for round in 0..ROUNDS {
        let response = transport.transmit(&command, deadline);
        let used = match round % 4 {
            3 => transport.cold_reset(deadline).map(|atr| {
                assert_eq!(transport.atr(), &atr);
            }),
            _ => response.map(|_| ()),
        };
        if used.is_err() && transport.check_present().is_err() {
            return;
        }
    }
}

const MAX_BYTES: usize = 32 << 10;
const ROUNDS: usize = 16;
