//! The two hello messages, as far as they matter outside the card.

mod client;
mod server;

pub use client::ClientHello;
pub use server::ServerHello;
