//! The part of the bench that plays engines, and cards that only sign.

use std::time::Duration;

use proto::agent::{AgentMessage, SessionData};
use proto::id::SessionId;
use rustls::SignatureScheme;

use super::bench::{Bench, Seen, session_with};
use crate::broker::{ConnId, EngineCommand, EngineReport, Event, SignWish};
use crate::card::{SignJob, SignatureSlot, UseId, WorkerCommand, WorkerReport};

impl Bench {
    /// A ticket as the guest's record layer decrypts it.
    pub(super) fn ticket(&mut self, conn: ConnId, session: u32) {
        let data = SessionData {
            session: SessionId(session),
            data: vec![4, 0, 0, 1, 0],
        };
        self.say(conn, AgentMessage::PostHandshake(data));
    }

    pub(super) fn engine(&mut self, conn: ConnId, session: u32, report: EngineReport) {
        self.handle(Event::Engine {
            conn,
            session: SessionId(session),
            report,
        });
    }

    /// Sends the ClientHello of an engine.
    pub(super) fn engine_says_client_hello(&mut self, conn: ConnId, session: u32) {
        let hello = vec![22, 3, 3, 0, 1, 1];
        self.engine(conn, session, EngineReport::ClientRecords(hello));
    }

    /// Has an engine want a signature of `message`.
    pub(super) fn engine_wants_signature(&mut self, conn: ConnId, session: u32, message: u8) {
        let wish = SignWish {
            scheme: SignatureScheme::ECDSA_NISTP256_SHA256,
            message: vec![message],
            slot: SignatureSlot::new().0,
        };
        self.engine(conn, session, EngineReport::WantsSignature(wish));
    }

    pub(super) fn engine_establishes(&mut self, conn: ConnId, session: u32) {
        let keys = Box::new(session_with(1));
        self.engine(conn, session, EngineReport::Established(keys));
    }

    pub(super) fn sign(&mut self, use_id: UseId) {
        self.report(WorkerReport::Signed {
            use_id,
            card_time: Duration::from_millis(5),
        });
    }

    /// What was ordered of engines since this was last asked; everything seen is forgotten.
    pub(super) fn engine_orders(&mut self) -> Vec<(u32, EngineCommand)> {
        let order = |seen| match seen {
            Seen::Engine(_, session, command) => Some((session.0, command)),
            _ => None,
        };
        self.seen.drain(..).filter_map(order).collect()
    }

    /// The signature that was ordered since this was last asked; everything seen is forgotten.
    #[track_caller]
    pub(super) fn signing(&mut self) -> SignJob {
        let seen = std::mem::take(&mut self.seen);
        let said = format!("{seen:?}");
        let job = |seen: Seen| match seen {
            Seen::Ordered(WorkerCommand::Sign(job)) => Some(*job),
            _ => None,
        };
        let mut jobs: Vec<SignJob> = seen.into_iter().filter_map(job).collect();
        assert_eq!(jobs.len(), 1, "not one signature: {said}");
        jobs.remove(0)
    }
}
