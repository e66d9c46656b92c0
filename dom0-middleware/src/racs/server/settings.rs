//! What a server must know before anybody comes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;

use super::super::session::Rights;

/// Users and limits.
#[derive(Clone)]
pub struct RacsSettings {
    /// TLS, and whose certificates are believed.
    pub tls: Arc<ServerConfig>,
    /// What each user may do, by the common name of the user's certificate. Whoever has a certificate
    /// and no rights may connect and has none.
    pub users: BTreeMap<String, Rights>,
    /// Users connected at the same time; as many may be in their TLS handshakes besides.
    pub max_connections: usize,
    /// How long a session may hold a card without doing anything with it.
    pub idle_lock: Duration,
    /// From a new connection to the end of its TLS handshake.
    pub handshake: Duration,
    /// How long a peer may take to read one response.
    pub write: Duration,
    /// How long a connection may be without doing anything.
    pub idle: Duration,
    /// In a long request: how often it is looked whether anybody still waits for the answer. Where
    /// APDUs take longer it is looked before each.
    pub gone_look: Duration,
}

impl RacsSettings {
    /// The limits of the specification, and no users.
    #[must_use]
    pub fn new(tls: Arc<ServerConfig>) -> Self {
        Self {
            tls,
            users: BTreeMap::new(),
            max_connections: DEFAULT_CONNECTIONS,
            idle_lock: DEFAULT_IDLE_LOCK,
            handshake: Duration::from_secs(5),
            write: Duration::from_secs(10),
            idle: Duration::from_secs(600),
            gone_look: Duration::from_millis(1),
        }
    }

    /// How often a connection looks at what time brings about.
    pub(super) fn tick(&self) -> Duration {
        let shortest = self.idle_lock.min(self.idle) / 4;
        shortest.clamp(MIN_TICK, MAX_TICK)
    }
}

/// How many users unless the configuration says so.
pub(crate) const DEFAULT_CONNECTIONS: usize = 64;
/// How long a lock may be idle unless the configuration says so.
pub(crate) const DEFAULT_IDLE_LOCK: Duration = Duration::from_secs(60);
const MIN_TICK: Duration = Duration::from_millis(5);
const MAX_TICK: Duration = Duration::from_secs(1);
