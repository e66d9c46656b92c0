//! The subcommands, one file each.

pub mod link;
pub mod personalise;
pub mod serve;
