//! All programs of a host and its guests, started and ready.

mod config;
mod guest;
mod host;
mod plan;
mod served;
mod soft_card;

pub use self::guest::{Guest, Session, request};
pub use self::host::Chain;
pub use self::plan::{CardPlan, ChainPlan, GuestPlan};
pub use self::soft_card::{certificate_file, start_alone as start_card, start_at as start_card_at};
