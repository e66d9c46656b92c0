//! Every byte format that crosses a boundary in Tessera.

pub mod agent;
pub mod codec;
pub mod error;
pub mod id;
pub mod tls;
