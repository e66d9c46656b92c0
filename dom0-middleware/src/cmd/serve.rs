//! `dom0-middleware serve`.

use crate::cli::ServeArgs;
use crate::config::Config;
use crate::error::MiddlewareError;
use crate::service;

/// Runs the service until it is told to stop.
pub(super) fn run(args: &ServeArgs) -> Result<(), MiddlewareError> {
    let config = Config::load(&args.config)?;
    Ok(service::run(config)?)
}
