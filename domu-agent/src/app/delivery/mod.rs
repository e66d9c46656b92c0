//! What the application gets when its TLS connection stands.
//!
//! | Module | Holds |
//! |---|---|
//! | `relay` | modes `stream` and `socket`: a socket that carries plaintext |
//! | `keys` | mode `keys`: the keys and the TCP connection |

mod keys;
mod relay;

pub(super) use keys::keys;
pub(super) use relay::{socket, stream};
