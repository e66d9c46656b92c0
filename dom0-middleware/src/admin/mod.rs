//! The operator's door: a Unix socket, one JSON object per line in, one per line out.
//!
//! ```text
//! {"card_list":{}}   {"card_list":[{"seid":"se-00","state":"present", ...}]}
//! {"card_watch":{}}  {"card_news":{"seid":"se-00", ...}}, then one more for each change
//! {"card_show":{"seid":"se-00"}}                     {"card":{"seid":"se-00", ...}}
//! {"card_adopt":{"seid":"se-00","pin_file":"/..."}}  the same, once the card is open
//! {"card_pin":{"seid":"se-00","pin_file":"/..."}}    the same
//! {"vm_show":{"vm":"web01"}}                         {"vm":{"uuid":"7e55e2a0-...", ...}}
//! {"vm_pending":{}}                                  {"vm_pending":[{"domain":"7e55e2a0-...", ...}]}
//! {"vm_approve":{"vm":"web01","fingerprint":"SHA256:...","days":30}}
//!                                                    {"vm_approved":{"uuid": ..., "cti":"07...", ...}}
//! {"vm_bind":{"vm":"web01","cards":["se-00"], ...}}  {"vm_bound":{"uuid": ..., "change":12, ...}}
//! {"token_revoke":{"cti":"07..."}}                   {"token_revoked":{"cti":"07...", ...}}
//! {"status":{}}      {"status":{"version":"0.1.0", ...}}
//! anything else      {"error":{"code":"bad-request","message":"..."}}
//! ```
//!
//! | Module | Holds |
//! |---|---|
//! | `message` | requests and answers |
//! | `rights` | what they say of bindings and tokens |
//! | `enrolment` | what they say of tokens through xenstore, and of guests that wait for one |
//! | `certificate` | what `card show` says of a card's certificates |
//! | `view` | what `status` says besides the broker's state |
//! | `racs` | what it says of the RACS server |
//! | `reply` | one answer, or many over time |
//! | `listener` | the service's end |
//! | `client` | the command line's end |

mod certificate;
mod client;
mod enrolment;
mod listener;
mod message;
mod racs;
mod reply;
mod rights;
mod view;

pub use self::certificate::CertificateView;
pub use self::client::{AdminError, ask, watch};
pub use self::enrolment::{
    ApproveRequest, DEFAULT_DAYS, MAX_DAYS, PendingView, TokensView, VmApproved,
};
pub(crate) use self::listener::AdminListener;
pub use self::message::{AdminAnswer, AdminRequest, Problem, ProblemCode};
pub use self::racs::{RacsUserView, RacsView};
pub(crate) use self::reply::AdminReply;
pub use self::rights::{
    BindRequest, BindingView, MAX_CERTIFICATE, MAX_RAW_APDU, MAX_TRUST, Origin, TokenRevoked,
    TokenState, TokenView, VmChanged, VmDetails, VmName, VmView,
};
pub use self::view::{
    CardDetails, ChannelView, HvKeyView, PinStatusView, PinView, ServiceView, StatusView,
    XenstoreState, XenstoreView,
};
