//! `dom0-middleware grid list`.

use std::io::Write;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::table;
use crate::cli::GridListArgs;
use crate::error::MiddlewareError;

/// Prints the elements of a grid.
pub(super) fn run(args: &GridListArgs, out: &mut impl Write) -> Result<(), MiddlewareError> {
    let deadline = Instant::now() + DEADLINE;
    let mut session = args.grid.grid(1).connect(deadline)?;
    let names = session.list(deadline)?;
    let elements: Vec<String> = names.iter().map(ToString::to_string).collect();
    let grid = args.grid.host.to_string();
    match args.grid.json {
        true => table::json(&List { grid, elements }, out)?,
        false => {
            let rows: Vec<[String; 1]> = elements.into_iter().map(|name| [name]).collect();
            table::print(out, ["seid"], &rows)?;
        }
    }
    Ok(())
}

#[derive(Serialize)]
struct List {
    grid: String,
    elements: Vec<String>,
}

/// How long connecting and the answer may take.
pub(super) const DEADLINE: Duration = Duration::from_secs(15);
