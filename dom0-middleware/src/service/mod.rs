//! The running service: sockets, threads and clocks around the broker.
//!
//! ```text
//! agents ── channel ──┐                            ┌── worker ── card
//!                     ├── events ──> actor (broker) ── commands
//! operator ── admin ──┘                  │         └── worker ── card
//!                                        └── audit file
//! ```
//!
//! One task, the actor, owns the broker and does what it says, in order. Everything else only
//! moves bytes: it can be slow or hostile without anybody waiting for it.
//!
//! | Module | Does |
//! |---|---|
//! | `start` | makes everything that must be there before a guest is let in |
//! | `actor` | owns the broker, does its actions |
//! | `operator` | does what operators ask for |
//! | `cards` | the cards' workers and what is remembered of them |
//! | `guests` | accepts guests and runs their connections |
//! | `durable` | the durable state at start |
//! | `changes` | a change of a right: recorded, made, told |
//! | `inbox` | what the actor is told |

mod actor;
mod cards;
mod changes;
mod durable;
mod error;
mod guests;
mod inbox;
mod operator;
mod start;

pub use self::error::ServiceError;
pub(crate) use self::inbox::Inbox;
pub use self::start::run;
