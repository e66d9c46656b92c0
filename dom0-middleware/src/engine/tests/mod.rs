//! The engine against servers in this process.

pub(super) mod bench;
mod borders;
mod failures;
mod full;
mod hostile;
mod keys;
mod resumption;
