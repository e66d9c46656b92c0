//! A host, and servers that misbehave.

use integration::chain::Chain;
use integration::peer::{Peer, PeerPlan, Program};
use integration::pki::{Credential, KeyKind, Pki};

use crate::NAME;
use crate::door::{self, Door};

/// A host with both doors, and what servers by tlslite-ng need.
pub(crate) struct World {
    pki: Pki,
    pub(crate) chain: Chain,
    credential: Credential,
}

impl World {
    /// Starts the host; says why not where tlslite-ng cannot be had.
    pub(crate) fn start() -> Option<Self> {
        if !Program::TlsliteNg.is_there() {
            return None;
        }
        let pki = Pki::new();
        let chain = door::start(&pki);
        let credential = pki.server(NAME, KeyKind::P256);
        Some(Self {
            pki,
            chain,
            credential,
        })
    }

    /// Starts a server of one version that misbehaves so.
    pub(crate) fn server(&self, version: &'static str, how: &str) -> Peer {
        let plan = PeerPlan::new(Program::TlsliteNg, &self.pki, &self.credential, version);
        Peer::start(&plan.misbehaving(how))
    }

    /// Fails unless the card is free for the next one, which a good server gets.
    pub(crate) fn expect_free(&self, door: &Door) {
        door.expect_free(&self.chain, &self.pki);
    }
}
