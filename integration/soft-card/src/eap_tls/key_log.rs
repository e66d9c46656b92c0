//! The filter through which TLS 1.3 application secrets leave the engine.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use rustls::KeyLog;
use zeroize::Zeroizing;

/// Keeps the two application traffic secrets of one TLS 1.3 handshake.
///
/// Every other secret, the TLS 1.2 master secret included, is dropped unread.
#[derive(Default)]
pub(super) struct TrafficSecretLog(Mutex<Secrets>);

#[derive(Default)]
struct Secrets {
    client: Option<Zeroizing<Vec<u8>>>,
    server: Option<Zeroizing<Vec<u8>>>,
}

impl TrafficSecretLog {
    /// `client_application_traffic_secret_0 | server_application_traffic_secret_0`, or nothing
    /// unless both were seen. The log is empty afterwards.
    pub(super) fn take(&self) -> Option<Zeroizing<Vec<u8>>> {
        let mut secrets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (client, server) = (secrets.client.take()?, secrets.server.take()?);
        let mut both = Zeroizing::new(Vec::with_capacity(client.len() + server.len()));
        both.extend_from_slice(&client);
        both.extend_from_slice(&server);
        Some(both)
    }
}

impl KeyLog for TrafficSecretLog {
    fn log(&self, label: &str, _client_random: &[u8], secret: &[u8]) {
        let mut secrets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = match label {
            CLIENT_LABEL => &mut secrets.client,
            SERVER_LABEL => &mut secrets.server,
            _ => return,
        };
        *place = Some(Zeroizing::new(secret.to_vec()));
    }

    fn will_log(&self, label: &str) -> bool {
        matches!(label, CLIENT_LABEL | SERVER_LABEL)
    }
}

impl fmt::Debug for TrafficSecretLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TrafficSecretLog(..)")
    }
}

const CLIENT_LABEL: &str = "CLIENT_TRAFFIC_SECRET_0";
const SERVER_LABEL: &str = "SERVER_TRAFFIC_SECRET_0";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_application_secrets_are_kept() {
        let log = TrafficSecretLog::default();
        for label in [
            "CLIENT_RANDOM",
            "EXPORTER_SECRET",
            "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
        ] {
            assert!(!log.will_log(label), "{label}");
            log.log(label, &[0; 32], &[1; 32]);
        }
        assert!(log.take().is_none());

        log.log(SERVER_LABEL, &[0; 32], &[3; 32]);
        log.log(CLIENT_LABEL, &[0; 32], &[2; 32]);
        let both = log.take().expect("both were logged");
        assert_eq!(both.as_slice(), [[2; 32], [3; 32]].concat());
        assert!(log.take().is_none(), "the log is empty once read");
    }
}
