//! Sessions against cards and holders in memory.

mod access;
mod bounds;
mod cuts;
mod locks;
mod status_codes;
mod transcripts;
mod world;
