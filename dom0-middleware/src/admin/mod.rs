//! The operator's door: a Unix socket, one JSON object per line in, one per line out.
//!
//! ```text
//! {"card_list":{}}   {"card_list":[{"seid":"se-00","state":"present", ...}]}
//! {"status":{}}      {"status":{"version":"0.1.0", ...}}
//! anything else      {"error":{"code":"bad-request","message":"..."}}
//! ```
//!
//! | Module | Holds |
//! |---|---|
//! | `message` | requests and answers |
//! | `view` | what `status` says besides the broker's state |
//! | `listener` | the service's end |
//! | `client` | the command line's end |

mod client;
mod listener;
mod message;
mod view;

pub use self::client::{AdminError, ask};
pub(crate) use self::listener::AdminListener;
pub use self::message::{AdminAnswer, AdminRequest, Problem};
pub use self::view::{BindingView, ChannelView, ServiceView, StatusView};
