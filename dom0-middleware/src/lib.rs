//! The dom0 service that runs TLS handshakes on smart cards on behalf of Xen domains.

pub mod audit;
pub mod broker;
pub mod card;
mod exit_code;
mod limits;
pub mod mapping;
pub mod socket;
pub mod time;

pub use exit_code::ExitCode;
pub use limits::Limits;
