//! RACS: the host's cards for users over the network.
//!
//! | Module | Holds |
//! |---|---|
//! | [`session`] | what a server does with one user's bytes, without I/O |

pub mod session;
