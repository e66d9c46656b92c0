//! Whom a binding believes to be its server: CA certificates, or pinned leaf certificates.
//!
//! The system's roots are never used, and a [`Trust`] without content accepts nothing.

mod authorities;
mod believed;
mod error;
mod leaf;
mod server_check;
mod verifier;

#[cfg(test)]
mod tests;

pub use self::believed::Believed;
pub use self::error::{TrustError, TrustSetupError};
pub use self::server_check::{Judge, ServerCheck};
pub use self::verifier::{PeerVerifier, Trust};
