//! The real libxenvchan, between programs of this machine.

mod chain;
mod flood;
mod pipe;
mod scribbler;
