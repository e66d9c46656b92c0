//! Servers by other TLS libraries, which demand a client certificate and echo: `integration/peers`.
//!
//! They all speak alike to whoever started them, so one type serves them all.

mod plan;
mod program;
mod report;
mod server;

pub use self::plan::PeerPlan;
pub use self::program::Program;
pub use self::report::PeerReport;
pub use self::server::Peer;
