//! The real libxenvchan, between programs of this machine.

mod chain;
mod pipe;
mod scribbler;
