//! How a server is to be.

use super::program::Program;
use crate::pki::{Authority, Credential, Pki};

/// A server to be started.
#[derive(Debug, Clone)]
pub struct PeerPlan<'a> {
    pub(super) program: Program,
    pub(super) credential: &'a Credential,
    pub(super) clients: &'a Authority,
    pub(super) version: &'static str,
    pub(super) misbehaviour: Option<String>,
}

impl<'a> PeerPlan<'a> {
    /// A server of one version, `1.2` or `1.3`, that takes clients of the PKI's CA.
    #[must_use]
    pub fn new(
        program: Program,
        pki: &'a Pki,
        credential: &'a Credential,
        version: &'static str,
    ) -> Self {
        Self {
            program,
            credential,
            clients: &pki.ca,
            version,
            misbehaviour: None,
        }
    }

    /// Takes only clients of this CA.
    #[must_use]
    pub fn clients_of(mut self, authority: &'a Authority) -> Self {
        self.clients = authority;
        self
    }

    /// Does this wrong, as `peers/misbehaving.py` calls it: `bad-finished`, `key-updates=20`.
    #[must_use]
    pub fn misbehaving(mut self, how: &str) -> Self {
        self.misbehaviour = Some(how.to_owned());
        self
    }
}
