//! Who is who, who has which card, and whether they may use it now.
//!
//! Four facts must agree before a guest gets a card: the domid that the channel proves, the domain
//! behind that domid, its token, and its binding. [`admit`] and [`judge`] look at them and say yes
//! or no; they are pure, so every combination can be tested. Collecting the facts is the broker's
//! work, and so is asking again at each moment that counts.
//!
//! | Module | Holds |
//! |---|---|
//! | `facts` | the four facts, as they were collected |
//! | `policy` | the judgement over them |
//! | `reason` | every no, with the code a guest learns |
//! | `token` | what a verified VM-Auth-Token says |
//! | `binding`, `holdings` | what binds a domain to a card, and what the card turned out to hold |
//! | `intermediates` | the certificates between a card's and its CA |
//! | `table` | all bindings |
//! | `domains` | domains named in the configuration |
//! | `name_pattern` | server names a binding allows |

mod binding;
mod domains;
mod facts;
mod holdings;
mod intermediates;
mod name_pattern;
mod policy;
mod reason;
mod table;
mod token;

#[cfg(test)]
mod binding_tests;
#[cfg(test)]
mod policy_tests;

pub use self::binding::{Binding, BindingFact, BindingId, CertificateFact, IdentityFact, Terms};
pub use self::domains::{StaticDomain, StaticDomains, StaticDomainsError, is_domain_name};
pub use self::facts::{ChannelFact, DomainFact, Facts, HostFact, Issuer, ReadFault, TokenFact};
pub use self::holdings::{Certificate, Holding};
pub use self::intermediates::{Intermediates, IntermediatesError};
pub use self::name_pattern::{NamePattern, ParsePatternError};
pub use self::policy::{Admission, Decision, Grant, Wish, admit, judge, judge_raw, made_for, pool};
pub use self::reason::Reason;
pub use self::table::{Table, TableError};
pub use self::token::{ShownToken, VerifiedToken};
