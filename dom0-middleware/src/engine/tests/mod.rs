//! The engine against servers in this process.

mod bench;
mod borders;
mod failures;
mod full;
mod hostile;
mod keys;
mod resumption;
