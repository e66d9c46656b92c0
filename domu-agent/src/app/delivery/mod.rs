//! What the application gets when its TLS connection stands.
//!
//! | Module | Holds |
//! |---|---|
//! | `relay` | modes `stream` and `socket`: a socket that carries plaintext |
//! | `kernel` | mode `socket` where the kernel does TLS: the TCP connection itself |
//! | `keys` | mode `keys`: the keys and the TCP connection |

mod kernel;
mod keys;
mod relay;

use proto::agent::RefusalCode;
use tokio::sync::watch;

use crate::app::error::AppError;

pub(super) use kernel::socket;
pub(super) use keys::keys;
pub(super) use relay::stream;

/// Why nothing is handed over: the right to the card may have ended since the handshake.
fn right_ended(revoked: &watch::Receiver<Option<RefusalCode>>) -> Option<AppError> {
    let code = *revoked.borrow();
    code.map(|code| AppError::refused(code, "the right to the card has ended"))
}
