//! `dom0-middleware`: TLS handshakes on smart cards, for the domains of this host.
//!
//! Exit codes: 0 done; 1 the thing asked about is not so; 64 usage; 69 a card, a socket or the
//! running service is missing; 70 our fault; 77 refused; 78 configuration.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    dom0_middleware::main()
}
