//! An hour's worth of sessions while cards fail and are pulled, guests are killed and servers stall.
//!
//! As many sessions as the cards of the papers make in an hour, as fast as this machine makes them.
//! Prints the seed first; with it as an argument the same troubles come again. What came of it is also
//! written to `docs/benchmarks/fault-soak.md`. Exit code 1 when a session
//! ended without a named error, a card was lost, or anybody met another's certificate.
//!
//! ```sh
//! cargo run --release -p integration --example fault_soak -- SEED
//! ```

use std::process::ExitCode;

use integration::fault_soak::{FaultPlan, run};
use integration::soak_page;

fn main() -> ExitCode {
    let seed = match std::env::args().nth(1) {
        None => rand::random(),
        Some(text) => match text.parse() {
            Ok(seed) => seed,
            Err(_) => {
                eprintln!("{text:?} is no seed: a number up to 2^64");
                return ExitCode::from(64);
            }
        },
    };
    println!("seed {seed}");
    let report = run(&FaultPlan::hour(seed));
    let verdict = match report.wrong.is_empty() {
        true => "every session ended well or with a named error, and every card serves\n",
        false => "",
    };
    let said = format!("{report}{verdict}");
    print!("{report}{verdict}");
    if let Err(error) = soak_page::write("fault-soak", "An hour of troubles", ABOUT, &said) {
        eprintln!("the page cannot be written: {error}");
        return ExitCode::FAILURE;
    }
    match report.wrong.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

/// What the page says before the figures.
const ABOUT: &str = "As many sessions as the cards of the papers make in an hour, as fast as this machine \
makes them, while cards fail and are pulled, guests are killed and servers stall. Each server checks that \
the certificate is that of the domain that asked.";
