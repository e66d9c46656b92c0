//! Everything goes wrong at once, at load: cards fail and are pulled, guests are killed, servers
//! stall. Each session must end well or with an error that has a name, each card must serve again, and
//! no server may ever see a certificate that is not of the domain that asked.
//!
//! What happens is drawn from a seed, which makes the same troubles again; how the threads meet is not.
//! Troubles come by the number of sessions that have ended well, not by time.
//!
//! | Module | Holds |
//! |---|---|
//! | `plan` | [`FaultPlan`]: how much of what, and the troubles that a seed makes |
//! | `host` | the domains and cards, and who may show which certificate |
//! | `server` | servers that look whose certificate it is |
//! | `staller` | what stands between guest and server, and stalls |
//! | `load` | guests that make one session after the other |
//! | `tally` | how sessions ended |
//! | `operator` | what the operator is there for |
//! | `run` | [`run()`]: all of it, and what must hold at the end |

mod host;
mod load;
mod operator;
mod plan;
mod run;
mod server;
mod staller;
mod tally;

pub use self::plan::FaultPlan;
pub use self::run::run;
pub use self::tally::Report;
