//! A chain with a server behind it.

use super::{Chain, ChainPlan};
use crate::openssl::{OpensslServer, ServerPlan};
use crate::pki::{KeyKind, Pki};

impl Chain {
    /// Starts everything as [`Self::start`], and a server of that name whose certificate is of the CA
    /// that the guests trust, and which demands one of the same CA.
    ///
    /// # Panics
    /// When something does not start.
    #[must_use]
    pub fn start_with_server(plan: &ChainPlan, name: &str) -> (Self, OpensslServer) {
        let pki = Pki::new();
        let chain = Self::start(&pki, plan);
        let credential = pki.server(name, KeyKind::P256);
        let server = OpensslServer::start(&pki, &ServerPlan::new(&credential));
        (chain, server)
    }
}
