//! A TCP proxy that delivers the server's bytes in awkward portions, or others than the server's.
//!
//! | Module | Holds |
//! |---|---|
//! | `delivery` | [`Delivery`]: what reaches the client |
//! | `record` | [`RecordEdit`]: records added, left out, exchanged, cut up |
//! | `proxy` | [`Meddler`] |

mod delivery;
mod proxy;
mod record;

pub use self::delivery::Delivery;
pub use self::proxy::Meddler;
pub use self::record::{RecordEdit, record};
