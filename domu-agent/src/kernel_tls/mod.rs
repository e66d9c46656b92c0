//! TLS records that the kernel seals and opens: the application holds the TCP connection itself.
//!
//! Linux has TLS as an "upper layer protocol" of a TCP socket (module `tls`). It is given the keys
//! of both directions; from then on `read`, `write`, `sendfile` carry plaintext, and the agent is
//! out of the way of data. Only TLS 1.2 goes this way: in TLS 1.3 the peer may ask for new keys at
//! any time, which kernels before 6.14 cannot change.
//!
//! | Module | Holds |
//! |---|---|
//! | `support` | [`KernelSupport`]: what this kernel can do |
//! | `probe` | finding that out, once at start |
//! | `choice` | whether a connection may go this way |
//! | `crypto_info` | the keys in the kernel's form |
//! | `socket` | [`KernelTls`]: the connection as the agent keeps it beside the application |
//! | `record_type` | control messages that say which kind of record |
//!
//! Source: Linux, `Documentation/networking/tls.rst` and `include/uapi/linux/tls.h`.

mod choice;
mod crypto_info;
mod probe;
mod record_type;
mod socket;
mod support;

pub(crate) use choice::{Obstacle, choose};
pub(crate) use probe::probe;
pub(crate) use socket::{AttachError, KernelTls};
pub(crate) use support::KernelSupport;
pub use support::KernelTlsStatus;
