//! What the actor is told, and by whom.

use proto::id::Seid;
use tokio::sync::mpsc::{Receiver, Sender, UnboundedReceiver, UnboundedSender};
use tokio::sync::{mpsc, oneshot};

use crate::admin::{AdminReply, AdminRequest};
use crate::broker::{ConnId, Event, Peer};
use crate::card::{Reporter, WorkerReport};
use crate::channel::LinkHandle;

/// Events of guests and operators that may wait for the actor; who has more waits in turn.
const MAX_EVENTS: usize = 256;

/// One thing the actor is told.
#[derive(Debug)]
pub(super) enum Told {
    /// A guest connected.
    Connected {
        conn: ConnId,
        peer: Peer,
        handle: LinkHandle,
    },
    /// A guest said something, or left.
    Guest(Event),
    /// A card's worker reports.
    Card { seid: Seid, report: WorkerReport },
    /// An operator asks.
    Admin(AdminQuery),
}

/// A question of an operator, and the way back.
#[derive(Debug)]
pub(crate) struct AdminQuery {
    pub(crate) request: AdminRequest,
    pub(crate) answer: oneshot::Sender<AdminReply>,
}

/// The way to the actor.
#[derive(Debug, Clone)]
pub(crate) struct Inbox {
    events: Sender<Told>,
    reports: UnboundedSender<(Seid, WorkerReport)>,
}

/// The actor's end.
#[derive(Debug)]
pub(super) struct Outlet {
    events: Receiver<Told>,
    reports: UnboundedReceiver<(Seid, WorkerReport)>,
}

/// Makes both ends.
pub(super) fn channel() -> (Inbox, Outlet) {
    let (events, events_outlet) = mpsc::channel(MAX_EVENTS);
    // Workers may not wait; what they report is bounded by what they were ordered to do.
    let (reports, reports_outlet) = mpsc::unbounded_channel();
    let outlet = Outlet {
        events: events_outlet,
        reports: reports_outlet,
    };
    (Inbox { events, reports }, outlet)
}

impl Inbox {
    /// Tells the actor. It is only gone when the service ends; then nobody needs to know.
    pub(super) async fn tell(&self, told: Told) {
        let _ = self.events.send(told).await;
    }

    /// Asks the actor something for an operator; `None` when the service ends.
    pub(crate) async fn ask(&self, request: AdminRequest) -> Option<AdminReply> {
        let (answer, outlet) = oneshot::channel();
        let query = AdminQuery { request, answer };
        self.tell(Told::Admin(query)).await;
        outlet.await.ok()
    }

    /// What a worker reports through.
    pub(super) fn reporter(&self) -> Reporter {
        let reports = self.reports.clone();
        Box::new(move |seid, report| {
            let _ = reports.send((seid, report));
        })
    }
}

impl Outlet {
    /// The next thing; reports of cards come first.
    pub(super) async fn next(&mut self) -> Option<Told> {
        tokio::select! {
            biased;
            Some((seid, report)) = self.reports.recv() => Some(Told::Card { seid, report }),
            told = self.events.recv() => told,
        }
    }
}
