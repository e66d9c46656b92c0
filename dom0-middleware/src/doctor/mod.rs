//! What is wrong with an installation, and what to do about it.
//!
//! | Module | Does |
//! |---|---|
//! | `probe` | looks: service, configuration, `pcscd`, sockets |
//! | `facts` | what was seen |
//! | `examine` | decides what is wrong, without looking at anything |
//! | `readers` | the same for readers and their daemon |
//! | `grids` | the grids of other hosts |
//! | `finding` | one thing that is in order, or is not |
//! | `vchan` | what vchans need: the library, device nodes |
//! | `listening` | which ports a program listens on |

mod examine;
mod facts;
mod finding;
mod grids;
mod listening;
mod probe;
mod readers;
mod vchan;

pub(crate) use self::examine::examine;
#[cfg(test)]
pub(crate) use self::examine::hv_key;
pub(crate) use self::finding::{Finding, Level};
pub(crate) use self::probe::probe;
