//! What a soak printed, kept as a page beside the benchmarks.

use std::fs;
use std::io;
use std::path::Path;

/// `docs/benchmarks` of this checkout.
const PAGES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/benchmarks");

/// Writes `docs/benchmarks/{name}.md`: a title, what was done, and what the program said.
///
/// # Errors
/// When the file cannot be written.
pub fn write(name: &str, title: &str, about: &str, said: &str) -> io::Result<()> {
    let said = said.trim_end();
    let page = format!(
        "# {title}\n\nMade by `make soak`; not to be edited. {about}\n\n```text\n{said}\n```\n"
    );
    fs::create_dir_all(PAGES)?;
    fs::write(Path::new(PAGES).join(format!("{name}.md")), page)
}
