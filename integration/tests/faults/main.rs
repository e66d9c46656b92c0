//! Bad input and faults, over the whole chain.

mod card;
mod guest;
mod server;
mod world;

const NAME: &str = "www.example";
