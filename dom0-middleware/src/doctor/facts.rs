//! What was seen.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use proto::id::Seid;

use super::grids::GridFacts;
use super::vchan::VchanFacts;
use crate::admin::{PinStatusView, StatusView};
use crate::config::GridPlace;
use crate::time::UnixTime;
use crate::xen::XenstoreFault;

/// Everything that was looked at.
#[derive(Debug)]
pub(crate) struct Facts {
    /// What the running service says of itself.
    pub(super) service: Result<StatusView, Silence>,
    /// How the PINs of cards stand, as far as that is known.
    pub(super) pins: Vec<(Seid, PinStatusView)>,
    /// The configuration, if it is known where it is.
    pub(super) config: Option<Result<ConfigFacts, String>>,
    /// How many live domains xenstore knows; `None` when nobody asks it.
    pub(super) xenstore: Option<Result<usize, XenstoreFault>>,
    /// What vchans need; `None` when there are none.
    pub(super) vchan: Option<VchanFacts>,
    /// The PC/SC service; `None` when no card comes from a reader.
    pub(super) pcsc: Option<PcscFacts>,
    /// The grids of other hosts, one for each card in them.
    pub(super) grids: Vec<GridFacts>,
    /// Where `pcscd` listens; `None` when we may not know.
    pub(super) listening: Option<Vec<SocketAddr>>,
}

/// The service does not answer.
#[derive(Debug)]
pub(crate) struct Silence {
    /// The socket it was asked at.
    pub(super) socket: PathBuf,
    /// Why.
    pub(super) why: String,
    /// Whether it is there, and we may not ask.
    pub(super) denied: bool,
}

/// What the configuration says, and what is wrong with the files it names.
#[derive(Debug)]
pub(crate) struct ConfigFacts {
    /// The file.
    pub(super) path: PathBuf,
    /// Files that are missing.
    pub(super) missing: Vec<String>,
    /// Whether xenstore is asked who the guests are, and how long it may take to answer.
    pub(super) xenstore: Option<Duration>,
    /// Whether bound domains that run have vchans.
    pub(super) vchan: bool,
    /// How long the current HV certificate is still good, and when it ends; `None` without one.
    pub(super) hv: Option<(Duration, UnixTime)>,
    /// The reader of the card with the HV key, and the key's whole name; `None` for one in a file.
    pub(super) hv_card: Option<(String, String)>,
    /// Cards and the readers they are in, those in readers alone.
    pub(super) readers: Vec<(Seid, String)>,
    /// Cards and the grids of other hosts that they are in.
    pub(super) grids: Vec<(Seid, GridPlace)>,
}

/// The PC/SC service.
#[derive(Debug)]
pub(crate) struct PcscFacts {
    /// Its readers, and whether a card is in each.
    pub(super) readers: Result<Vec<(String, bool)>, PcscProblem>,
}

/// Why the PC/SC service cannot be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PcscProblem {
    /// Its socket is not there.
    NoSocket(PathBuf),
    /// Its socket is there and nobody listens.
    NobodyListens(PathBuf),
    /// The system does not let us open its socket.
    SocketDenied(PathBuf),
    /// It does not let us in.
    AccessDenied,
    /// Anything else, in the library's words.
    Other(String),
}
