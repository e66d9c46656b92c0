//! The real libxenvchan, between programs of this machine.

mod pipe;
mod scribbler;
