//! Who in the guest may ask for what: the tables `[[allow]]`.
//!
//! The kernel says who opened the connection (`SO_PEERCRED`); nothing that an application sends
//! decides. A request passes if one rule that fits the caller allows all of it: the rules of a
//! caller add up, their parts do not.
//!
//! | Module | Holds |
//! |---|---|
//! | `table` | `[[allow]]` as it is written |
//! | `rule` | the same with user and group as numbers |
//! | `caller` | who opened a connection |
//! | `list` | all rules, and the judgement |
//! | `denied` | what is missing when the answer is no |
//! | `destination_pattern` | `*.example.org:443` |

mod caller;
mod denied;
mod destination_pattern;
mod list;
mod rule;
mod table;

pub(crate) use caller::Caller;
pub(crate) use denied::Denied;
#[cfg(feature = "fuzzing")]
pub(super) use destination_pattern::DestinationPattern;
pub(crate) use list::{AllowList, Asked, Rights};
pub(crate) use table::{AllowTable, UnknownAccount};
