//! The driver against recordings of cards that nobody here wrote, byte for byte.
//!
//! The driver must send exactly the recorded commands, and end as the recording does: with its
//! keys, or with a reason. `trace_replay/account.rs` says of every part of every recording who
//! replays it, or why nobody does.

mod trace_support;

#[path = "trace_replay/account.rs"]
mod account;
#[path = "trace_replay/account_table.rs"]
mod account_table;
#[path = "trace_replay/exports.rs"]
mod exports;
#[path = "trace_replay/failures.rs"]
mod failures;
#[path = "trace_replay/handshakes.rs"]
mod handshakes;
#[path = "trace_replay/identities.rs"]
mod identities;
#[path = "trace_replay/pin.rs"]
mod pin;
