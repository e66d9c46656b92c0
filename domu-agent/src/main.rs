//! `domu-agent`: TLS connections whose keys are made by a smart card in dom0.
//!
//! Exit codes: 0 done; 1 the thing asked about is not so; 64 usage; 69 the agent, dom0, a card or
//! the server is missing; 70 our fault; 77 refused; 78 configuration.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    domu_agent::main()
}
