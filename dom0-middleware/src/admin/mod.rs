//! The operator's door: a Unix socket, one JSON object per line in, one per line out.
//!
//! ```text
//! {"card_list":{}}   {"card_list":[{"seid":"se-00","state":"present", ...}]}
//! {"card_watch":{}}  {"card_news":{"seid":"se-00", ...}}, then one more for each change
//! {"card_show":{"seid":"se-00"}}                     {"card":{"seid":"se-00", ...}}
//! {"card_adopt":{"seid":"se-00","pin_file":"/..."}}  the same, once the card is open
//! {"card_pin":{"seid":"se-00","pin_file":"/..."}}    the same
//! {"status":{}}      {"status":{"version":"0.1.0", ...}}
//! anything else      {"error":{"code":"bad-request","message":"..."}}
//! ```
//!
//! | Module | Holds |
//! |---|---|
//! | `message` | requests and answers |
//! | `view` | what `status` says besides the broker's state |
//! | `reply` | one answer, or many over time |
//! | `listener` | the service's end |
//! | `client` | the command line's end |

mod client;
mod listener;
mod message;
mod reply;
mod view;

pub use self::client::{AdminError, ask, watch};
pub(crate) use self::listener::AdminListener;
pub use self::message::{AdminAnswer, AdminRequest, Problem, ProblemCode};
pub(crate) use self::reply::AdminReply;
pub use self::view::{BindingView, CardDetails, ChannelView, PinView, ServiceView, StatusView};
