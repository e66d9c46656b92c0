//! What a virtual card could say.

use std::io::Write;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use proto::apdu::CommandApdu;

use super::transport::ViccTransport;
use crate::card::transport::{CardTransport, ChainLink};

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
    let link = |must_succeed| ChainLink {
        command: command.clone(),
        must_succeed,
        fetch: None,
    };
    let chain = [link(false), link(true), link(false), link(false)];
    for round in 0..ROUNDS {
        if round % 4 == 2 {
            let done = transport.transmit_all(&chain, Duration::from_secs(5));
            let all = done.responses.len() == chain.len();
            let stopped = done
                .responses
                .last()
                .is_some_and(|last| !last.sw.is_success());
            assert!(all || stopped || done.error.is_some());
        }
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
