//! Handshakes through all of Tessera.

use std::time::{Duration, Instant};

use integration::chain::{Guest, request};

use super::case::Kind;
use super::client::{Client, Work, repeat};
use crate::NAME;
use crate::figures::Times;

pub(super) struct ThroughChain<'c> {
    pub(super) guest: &'c Guest,
    pub(super) identity: &'static str,
    pub(super) port: u16,
    pub(super) kind: Kind,
}

impl ThroughChain<'_> {
    /// The time from the application's request to its answer, and whether it was resumed.
    fn once(&self) -> (Duration, bool) {
        let mut wish = request(self.port, NAME);
        wish.identity = Some(self.identity.to_owned());
        wish.resume = Some(self.kind == Kind::Resumed);
        let begun = Instant::now();
        let session = self.guest.ask(wish).expect("a session");
        let time = begun.elapsed();
        let is_resumed = session.established.abbreviated;
        session.close();
        (time, is_resumed)
    }
}

impl Client for ThroughChain<'_> {
    fn prepare(&mut self) {
        let _ = self.once();
    }

    fn work(&mut self, work: Work) -> Times {
        repeat(work, || {
            let (time, is_resumed) = self.once();
            // A ticket of TLS 1.3 may still be on its way through the guest.
            (is_resumed == (self.kind == Kind::Resumed)).then_some(time)
        })
    }
}
