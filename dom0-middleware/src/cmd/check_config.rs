//! `dom0-middleware check-config`.

use std::io::Write;

use xen_channel::{Libxenvchan, Role};

use crate::cli::CheckConfigArgs;
use crate::config::Config;
use crate::error::MiddlewareError;
use crate::time::Now;

/// Checks a configuration and what it names; says in one line what it amounts to.
pub(super) fn run(args: &CheckConfigArgs, out: &mut impl Write) -> Result<(), MiddlewareError> {
    let config = Config::load(&args.file)?;
    for missing in config.check_files(Now::read().unix)? {
        eprintln!("warning: {missing}");
    }
    if config.vchan {
        vchan_warnings();
    }
    writeln!(
        out,
        "{}: good (cards: {}, channels: {}, bindings: {})",
        args.file.display(),
        config.readers.len(),
        config.channels.len(),
        config.bindings.len()
    )?;
    Ok(())
}

/// What vchans need may be missing here and there where the service runs.
fn vchan_warnings() {
    if let Err(error) = Libxenvchan::open() {
        eprintln!("warning: {error}; {}", error.cure());
    }
    for device in Role::Server.missing_devices() {
        eprintln!("warning: {device}");
    }
}
