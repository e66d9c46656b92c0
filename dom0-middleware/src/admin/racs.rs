//! What `status` says of the RACS server.

use proto::id::Seid;
use serde::{Deserialize, Serialize};

use crate::racs::server::RacsConnectionView;

/// The RACS server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RacsView {
    /// Where it listens.
    pub listen: String,
    /// When its certificate ends, as in RFC 3339.
    pub certificate_until: String,
    /// Seconds until then; none if it has ended.
    pub certificate_left_s: u64,
    /// The most users at the same time.
    pub max_connections: usize,
    /// Users who are connected.
    pub connections: Vec<RacsConnectionView>,
    /// Users who may do something.
    pub users: Vec<RacsUserView>,
}

/// A user whom the configuration knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RacsUserView {
    /// The common name of the user's certificate.
    pub name: String,
    /// The cards that the user may do something with.
    pub cards: Vec<Seid>,
}
