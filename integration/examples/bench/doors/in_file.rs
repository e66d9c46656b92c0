//! A TLS library with its key in memory, as it would be read from a file.

use std::sync::Arc;
use std::time::Duration;

use integration::pki::{KeyKind, Pki};
use rustls::client::Resumption;
use rustls::{ClientConfig, HandshakeKind};

use super::case::{Case, Kind};
use super::client::{Client, Work, repeat};
use crate::figures::Times;
use crate::software;

pub(super) struct InFile {
    config: Arc<ClientConfig>,
    port: u16,
    kind: Kind,
}

impl InFile {
    pub(super) fn new(pki: &Pki, key: KeyKind, port: u16, case: &Case) -> Self {
        let mut config = software::config(pki, key, case.version.of_rustls());
        if case.kind == Kind::Full {
            config.resumption = Resumption::disabled();
        }
        Self {
            config: Arc::new(config),
            port,
            kind: case.kind,
        }
    }

    /// Its time, and what the processor did of it for this end.
    pub(super) fn once(&self) -> (Duration, Duration) {
        let kind = match self.kind {
            Kind::Full => HandshakeKind::Full,
            Kind::Resumed => HandshakeKind::Resumed,
        };
        software::run(&self.config, self.port, kind)
    }
}

impl Client for InFile {
    fn prepare(&mut self) {
        // Whatever was kept may be gone at the server.
        if self.kind == Kind::Resumed {
            let config = Arc::make_mut(&mut self.config);
            config.resumption = Resumption::in_memory_sessions(8);
        }
        software::run(&self.config, self.port, HandshakeKind::Full);
    }

    fn work(&mut self, work: Work) -> Times {
        repeat(work, || Some(self.once().0))
    }
}
