//! Who the guests are: which domain is behind a domid, and which domains come and go.
//!
//! # Primer
//!
//! Xen gives each running domain a number, the domid; a reboot gives it another one. What stays is
//! its UUID. Xen's toolstack in dom0 writes both into xenstore, a small tree of texts that a daemon
//! keeps, where guests can read but not change them:
//!
//! ```text
//! /local/domain/7/vm   = /vm/7e55e2a0-0000-4000-8000-000000000007
//! /local/domain/7/name = web01
//! ```
//!
//! A watch on `@introduceDomain` and `@releaseDomain` tells that domains came or went, but not
//! which; so the list of domains is compared with the one before. Nothing rests on a watch: each
//! judgement reads afresh, and what is found then is compared as well.
//!
//! # Map
//!
//! | Module | Holds |
//! |---|---|
//! | `domains` | [`Domains`], what the service asks; answered from the configuration or by xenstore |
//! | `follower` | the one task that asks xenstore, notices changes, and comes back to a lost daemon |
//! | `living`, `health` | [`Living`]: who lives now; [`Health`]: whether xenstored answers |
//! | `census`, `counting` | who is behind each domid at one moment; what changed between two |
//! | `node` | paths and what may stand there |
//! | `token_node` | where the token of a domain is put, and what the domain offers as its key |
//! | `store` | what is wanted of a connection to xenstored |
//! | `connection` | that connection, through our own client |
//! | `channel_nodes` | where guests find their vchans |
//! | `probe` | whether xenstored answers, and what to do if not |

mod census;
mod channel_nodes;
mod connection;
mod counting;
mod domains;
mod follower;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod health;
mod living;
mod node;
mod probe;
mod store;
mod token_node;

#[cfg(test)]
mod follower_tests;
#[cfg(test)]
mod living_tests;
#[cfg(test)]
mod token_node_tests;

pub use self::census::DomainEnded;
pub(crate) use self::channel_nodes::{ChannelNodes, NodeError};
pub use self::domains::{Answer, Domains, ListAnswer, LiveDomain, XenstoreDomains, read};
pub use self::health::{Health, Trouble};
pub use self::living::Living;
pub use self::probe::{XenstoreFault, probe};
pub(crate) use self::token_node::{Put, clear_ended, put_token, read_enrolment};
