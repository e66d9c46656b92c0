//! The secrets that a handshake ends in.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use proto::tls::TrafficSecrets;
use rustls::KeyLog;
use zeroize::Zeroizing;

const CLIENT: &str = "CLIENT_TRAFFIC_SECRET_0";
const SERVER: &str = "SERVER_TRAFFIC_SECRET_0";

/// Takes the two application traffic secrets of one handshake from rustls, and no others.
#[derive(Default)]
pub(super) struct SecretCatcher(Mutex<Caught>);

#[derive(Default)]
struct Caught {
    client: Option<Zeroizing<Vec<u8>>>,
    server: Option<Zeroizing<Vec<u8>>>,
}

impl SecretCatcher {
    /// The secrets, once the handshake is over.
    pub(super) fn take(&self) -> Option<TrafficSecrets> {
        let mut caught = self.caught();
        Some(TrafficSecrets {
            client: caught.client.take()?,
            server: caught.server.take()?,
        })
    }

    fn caught(&self) -> MutexGuard<'_, Caught> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl KeyLog for SecretCatcher {
    fn log(&self, label: &str, _client_random: &[u8], secret: &[u8]) {
        let secret = || Some(Zeroizing::new(secret.to_vec()));
        match label {
            CLIENT => self.caught().client = secret(),
            SERVER => self.caught().server = secret(),
            _ => {}
        }
    }

    fn will_log(&self, label: &str) -> bool {
        matches!(label, CLIENT | SERVER)
    }
}

/// Shows nothing.
impl fmt::Debug for SecretCatcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretCatcher")
    }
}
