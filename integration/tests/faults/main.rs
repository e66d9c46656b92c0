//! Bad input and faults, over the whole chain.

mod guest;
mod world;

const NAME: &str = "www.example";
