//! What the application gets when its TLS connection stands.
//!
//! | Module | Holds |
//! |---|---|
//! | `relay` | modes `stream` and `socket`: a socket that carries plaintext |
//! | `kernel` | mode `socket` where the kernel does TLS: the TCP connection itself |
//! | `keys` | mode `keys`: the keys and the TCP connection |
//! | `given` | a TCP connection that is handed over, for the last two |

mod given;
mod kernel;
mod keys;
mod relay;

pub(super) use kernel::socket;
pub(super) use keys::keys;
pub(super) use relay::stream;
