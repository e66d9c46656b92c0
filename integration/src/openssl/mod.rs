//! `openssl s_server`, which demands a client certificate, and what it reports.
//!
//! It is the judge from outside: a TLS implementation that shares nothing with the project.

mod output;
mod report;
mod server;

pub use self::report::ConnectionReport;
pub use self::server::{Mode, OpensslServer, ServerPlan};
