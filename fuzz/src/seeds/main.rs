//! Writes seeds for the fuzz targets: `seeds FOLDER` makes `FOLDER/TARGET/NAME`.
//!
//! | Module | Seeds are |
//! |---|---|
//! | `live` | what a card and a server say in whole handshakes |
//! | `signing` | what a server says to the engine for cards that only sign |
//! | `traces` | what the cards of `integration/traces` said, where the driver asks the same |
//! | `piv`, `hv_card` | what a PIV card says |
//! | `samples` | single messages |
//! | `racs` | what users of a RACS server send, and what servers answer |
//! | `audits` | audits of the service |
//! | `tokens` | tokens, and what HVs and agents show |

// Coverage counters need the fuzzer's runtime even where nothing is fuzzed.
use libfuzzer_sys as _;

mod audits;
mod hv_card;
mod live;
mod piv;
mod racs;
mod samples;
mod signing;
mod tokens;
mod traces;

use std::path::PathBuf;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let folder = env::args_os().nth(1).expect("usage: seeds FOLDER");
    let mut seeds = Seeds(folder.into());
    live::write(&mut seeds)?;
    signing::write(&mut seeds)?;
    traces::write(&mut seeds)?;
    piv::write(&mut seeds)?;
    hv_card::write(&mut seeds)?;
    racs::write(&mut seeds)?;
    samples::write(&mut seeds)?;
    tokens::write(&mut seeds)?;
    audits::write(&mut seeds)
}

/// The folder of all seeds.
struct Seeds(PathBuf);

impl Seeds {
    fn add(&mut self, target: &str, name: &str, seed: &[u8]) -> io::Result<()> {
        let folder = self.0.join(target);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(name), seed)
    }
}
