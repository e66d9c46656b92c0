//! Tokens of domains that xenstore knows: kept in a folder, put into xenstore, issued anew.
//!
//! # Primer
//!
//! The folder holds one file for each domain, `UUID.token`. `token-tool issue` writes it, `vm approve`
//! does, and renewal does. Whatever stands there and is good is put to the domain's node, where its
//! agent reads it; whatever is not good, or not there, is taken from the node:
//!
//! ```text
//! token-tool issue ──┐                                    /local/domain/7/tessera/token
//! vm approve ────────┼──> folder/UUID.token ──judged──>   owner dom0, readable by domain 7
//! renewal ───────────┘
//! ```
//!
//! The folder is what counts; the nodes follow it. A file that is not good is named in the log once
//! and disturbs no other.
//!
//! Nothing here asks for the time or speaks to xenstore.
//!
//! | Module | Holds |
//! |---|---|
//! | `folder` | the files |
//! | `file` | what a file holds, and whether it counts now |
//! | `shelf` | all files: which are good, which are to be complained of |
//! | `nodes` | what is to be done at the nodes of domains |
//! | `renewal` | when a token is issued anew, which one never is, and what it says then |
//! | `issuing` | the HV's signature |
//! | `enrolment` | what a guest offers as its key |
//!
//! Source: design §3 and §5, "Token delivery".

mod enrolment;
mod file;
mod folder;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod issuing;
mod nodes;
mod renewal;
mod shelf;

#[cfg(test)]
mod testing;

pub(crate) use self::enrolment::enrolled_key;
pub(crate) use self::file::{Revocations, Standing, TokenFile};
pub(crate) use self::folder::TokenFolder;
pub(crate) use self::issuing::{Wish, issue};
pub(crate) use self::nodes::{NodeAction, Nodes};
pub(crate) use self::renewal::{NotRenewed, Renewal, is_due, renewed};
pub(crate) use self::shelf::Shelf;
