//! The deciding core: who may do what, in which order, and for how long.
//!
//! The broker has no socket, no thread and no clock. It is told what happened ([`Event`]) and when
//! ([`crate::time::Now`]), and says what to do ([`Action`]). One task owns it, so every judgement
//! and every change of a right has one place in one order: once [`Event::Unbound`] was handled, no
//! key follows.
//!
//! ```text
//! guest     connection         session                         card
//!  hello -> ExpectHello        |                               |
//!           ExpectJudgement    |                               |
//!  welcome <- Admitted         |                               |
//!  open ->                     ExpectJudgement                 |
//!  queued <-                   ExpectCard      its turn ->     Use: ExpectJudgement
//!  client_records <-           ExpectKeys      Start ->        ExpectWorker | ExpectGuest
//!  established <-              ExpectRelease   <- Established  (until Free)
//! ```
//!
//! Where the service makes the handshake itself, a session goes from its judgement to `ExpectEngine`,
//! and from there to its card and back for one signature, if it needs one.
//!
//! A session is judged when it is opened, when it takes its card, and when its keys are about to
//! leave. Each judgement waits for one fact that is read fresh ([`Action::ReadDomain`]).
//!
//! | Module | Holds |
//! |---|---|
//! | `event`, `action` | what goes in and what comes out |
//! | `core` | [`Broker`]: state, dispatch, timers |
//! | `guests`, `admission` | connections, `hello`, `identities`, the judgements |
//! | `domains` | guests that nobody can identify, and domains that end |
//! | `opening`, `starting`, `records`, `releasing`, `ending` | the life of a session, in that order |
//! | `pool` | which card, where several are as good |
//! | `engine`, `engines` | handshakes that the service makes itself |
//! | `cards` | what workers report; whose turn it is |
//! | `rights` | bindings and tokens that begin and end |
//! | `connection`, `session`, `card`, `plan`, `reads` | the state of each |
//! | `queue`, `pace`, `card_time` | whose turn it is, and when; whether a card has become slow |
//! | `refusal`, `last_refusals` | a no for the guest, and for the operator |
//! | `account`, `coalesced` | what the audit is told, and how often |
//! | `killing` | sessions that the operator ends |
//! | `lease`, `leases` | cards that are lent for raw APDUs, cards in maintenance |
//! | `racs_guests` | guests that speak RACS |
//! | `guest_wishes`, `guest_leases` | what they want their cards for; turns with their own handshakes |
//! | `snapshot`, `session_views`, `pace_view` | what the operator sees |

mod account;
mod action;
mod admission;
mod card;
mod card_time;
mod cards;
mod coalesced;
mod connection;
mod core;
mod domains;
mod ending;
mod engine;
mod engines;
mod event;
mod guest_leases;
mod guest_wishes;
mod guests;
mod killing;
mod last_refusals;
mod lease;
mod leases;
mod opening;
mod pace;
mod pace_view;
mod plan;
mod pool;
mod queue;
mod racs_guests;
mod reads;
mod records;
mod refusal;
mod releasing;
mod rights;
mod session;
mod session_views;
mod snapshot;
mod starting;

#[cfg(test)]
mod tests;

pub use self::action::Action;
pub(crate) use self::coalesced::{Coalesced, Countable};
pub use self::core::{Broker, Setup};
pub use self::engine::{EngineCommand, EngineReport, SignWish, Unresumable};
pub use self::event::{BadInput, ConnId, Event, Peer, ReadId, TokenRule};
pub use self::lease::{Holder, LeaseId, LeaseRefusal};
pub use self::leases::CardEntry;
pub use self::pace_view::{PaceView, PacesView, SignatureView};
pub use self::racs_guests::{RacsEnd, RacsGuest};
pub use self::session_views::{
    DebtView, NotASession, QueueView, SessionName, SessionState, SessionView, WaitingView,
};
pub use self::snapshot::{
    CardState, CardView, ConnectionView, Counters, HolderView, IdentityView, RefusalView,
    RunningView, Snapshot,
};
