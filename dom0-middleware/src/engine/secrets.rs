//! The one way for secrets of TLS 1.3 out of rustls.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use proto::tls::TrafficSecrets;
use rustls::KeyLog;
use zeroize::Zeroizing;

/// Keeps the two application traffic secrets of one handshake. Every other secret, the master
/// secret of TLS 1.2 among them, is dropped unread.
#[derive(Default)]
pub(super) struct ApplicationSecrets(Mutex<Caught>);

#[derive(Default)]
struct Caught {
    client: Option<Zeroizing<Vec<u8>>>,
    server: Option<Zeroizing<Vec<u8>>>,
}

impl ApplicationSecrets {
    /// Both, once.
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

impl KeyLog for ApplicationSecrets {
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
impl fmt::Debug for ApplicationSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApplicationSecrets")
    }
}

const CLIENT: &str = "CLIENT_TRAFFIC_SECRET_0";
const SERVER: &str = "SERVER_TRAFFIC_SECRET_0";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_other_secret_is_kept() {
        let secrets = ApplicationSecrets::default();
        for label in [
            "CLIENT_RANDOM",
            "EXPORTER_SECRET",
            "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
            "SERVER_HANDSHAKE_TRAFFIC_SECRET",
            "CLIENT_EARLY_TRAFFIC_SECRET",
        ] {
            assert!(!secrets.will_log(label), "{label}");
            secrets.log(label, &[0; 32], &[1; 32]);
        }
        assert!(secrets.take().is_none());
        secrets.log(SERVER, &[0; 32], &[3; 32]);
        secrets.log(CLIENT, &[0; 32], &[2; 32]);
        let both = secrets.take().expect("both were logged");
        assert_eq!(
            (both.client[..].to_vec(), both.server[..].to_vec()),
            (vec![2; 32], vec![3; 32])
        );
        assert!(secrets.take().is_none());
    }

    #[test]
    fn never_shows_a_secret() {
        let secrets = ApplicationSecrets::default();
        secrets.log(CLIENT, &[0; 32], &[0xA5; 32]);
        assert_eq!(format!("{secrets:?}"), "ApplicationSecrets");
    }
}
