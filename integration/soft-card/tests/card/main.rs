//! The card from outside: commands in, answers out, and a TLS server at the other end.

mod exports;
mod faults;
mod handshake;
mod host;
mod piv;
mod pki;
mod properties;
mod resumption;
mod scripts;
mod server;
mod store;
mod t0;
mod timing;
mod tls13;
