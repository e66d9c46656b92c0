//! The PIV card.

mod chains;
mod faults;
mod host;
mod manage;
mod scripts;
mod sign;
mod store;
