//! A server, or a network before it, that breaks the rules of TLS.

mod bytes;
mod page;
mod steps;
mod volume;
