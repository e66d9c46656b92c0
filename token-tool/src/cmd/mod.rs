//! The commands, one file each.

pub(crate) mod issue;
pub(crate) mod keygen;
pub(crate) mod show;
pub(crate) mod verify;
