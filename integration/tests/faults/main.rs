//! Bad input and faults, over the whole chain.

mod at_end;
mod card;
mod guest;
mod host;
mod kill;
mod server;
mod world;

const NAME: &str = "www.example";
