//! Faults on demand: what a card, a reader or a cable may do to a command.
//!
//! | Module | Holds |
//! |---|---|
//! | `kind` | [`FaultKind`]: what goes wrong, and which commands it can befall |
//! | `spec` | [`Fault`]: the kind and the place, as text |
//! | `distort` | the answer that comes out |

mod distort;
mod kind;
mod spec;

pub(crate) use self::distort::distort;
pub(crate) use self::kind::Exchange;
pub use self::kind::FaultKind;
pub use self::spec::{Fault, FaultError};
