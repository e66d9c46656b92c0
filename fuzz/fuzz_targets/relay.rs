//! The agent between a server and dom0: both may say anything.
#![no_main]

use domu_agent::fuzzing::{self, Said};
use libfuzzer_sys::fuzz_target;
use tessera_fuzz::pieces::pieces;

fuzz_target!(|input: &[u8]| {
    fuzzing::dom0_link(input);
    let said = pieces(input).map(|piece| match piece.kind {
        0..8 => Said::Server(piece.bytes),
        8..15 => Said::Dom0(piece.bytes),
        _ => Said::ServerClosed,
    });
    fuzzing::handshake_relay(said);
});
