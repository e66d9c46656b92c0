//! A real xenstored as a plain process, with domains that come and go as Xen's toolstack lets them.
//!
//! The daemon is Debian's own (see `plain-xenstored/`); the hypervisor it wants is played. Every
//! client counts as dom0, so what a guest may read and write cannot be tested here.
//!
//! | Module | Holds |
//! |---|---|
//! | `daemon` | the process: started, killed, frozen |
//! | `domains` | what the toolstack writes for a domain |
//! | `guest_view` | the daemon as one guest sees it |
//! | `wire` | the protocol, as far as the toolstack's part needs it |

mod daemon;
mod domains;
mod guest_view;
mod wire;

pub use self::daemon::Xenstored;
pub use self::domains::{Domain, uuid};
pub use self::guest_view::GuestView;
pub use self::wire::{Client, StoreError};
