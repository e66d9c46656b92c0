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
//! | `start`, `stop` | makes everything that must be there before a guest is let in; gives it up in order |
//! | `readers`, `insecurity` | the workers of the configuration's cards; warnings of what it allows |
//! | `actor`, `actions` | owns the broker; does what that asks for |
//! | `operator` | does what operators ask for |
//! | `rights`, `vms`, `tokens` | what operators do with bindings and tokens |
//! | `bind_request`, `bindings`, `live` | what they say, beside what stands; who is meant by a name |
//! | `bound`, `revocations` | tell which domains are bound, which tokens do not count |
//! | `token_delivery`, `token_store` | take tokens from their folder to the domains in xenstore |
//! | `issuing`, `token_certificates` | tokens that the service has signed, and what they name |
//! | `token_renewal`, `approval`, `offer` | of those that end soon; of keys that guests offer |
//! | `pending` | which guests wait for one |
//! | `sightings` | the last token of each domain |
//! | `card_show` | everything about one card, its PIN among it |
//! | `cards` | the cards' workers and what is remembered of them |
//! | `card_desk`, `leases`, `releases` | cards for raw APDUs; cards in maintenance; who waits for one |
//! | `racs` | users of RACS |
//! | `racs_guest`, `racs_guests`, `racs_farewell` | guests that speak RACS: one connection, who is let in, how it ended |
//! | `durable`, `checkpoints` | the durable state at start; how far the audit is on disk |
//! | `changes` | a change of a right: recorded, made, told |
//! | `guests` | accepts guests |
//! | `vchans` | a vchan for each bound domain that runs |
//! | `guest`, `doorstep` | one connection of a guest; how many are on their way in |
//! | `examiner` | looks at the tokens of a connection, rarely enough |
//! | `host_side` | what it has of the HV: issuers of tokens, TLS of channels |
//! | `renewal` | renews the channel key's certificate |
//! | `inbox`, `due` | what the actor is told; when something is due by itself |

mod actions;
mod actor;
mod approval;
mod bind_request;
mod bindings;
mod bound;
mod card_desk;
mod card_show;
mod cards;
mod changes;
mod checkpoints;
mod doorstep;
mod due;
mod durable;
mod engines;
mod error;
mod examiner;
mod guest;
mod guests;
mod host_side;
mod inbox;
mod insecurity;
mod issuing;
mod leases;
mod live;
mod offer;
mod operator;
mod pending;
mod racs;
mod racs_farewell;
mod racs_guest;
mod racs_guests;
mod readers;
mod releases;
mod renewal;
mod revocations;
mod rights;
mod sightings;
mod start;
mod stop;
mod token_certificates;
mod token_delivery;
mod token_renewal;
mod token_store;
mod tokens;
mod vchans;
mod vms;

pub use self::card_desk::CardDesk;
pub use self::error::ServiceError;
pub(crate) use self::inbox::Inbox;
pub use self::start::{run, run_with};
