//! What the actor is told, and by whom.

use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use proto::id::{Seid, SessionId};
use proto::piv::PinLook;
use tokio::sync::mpsc::{Receiver, Sender, UnboundedReceiver, UnboundedSender};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use super::card_desk::LeaseRequest;
use super::issuing::TokenMade;
use super::live::Live;
use super::racs_guests::RacsAdmitted;
use crate::admin::{AdminReply, AdminRequest};
use crate::audit::AuditEvent;
use crate::broker::{CardEntry, ConnId, Event};
use crate::card::{AdoptedCard, AdoptionError, KeepCard, Reporter, WorkerReport};
use crate::channel::LinkHandle;
use crate::mapping::{ReadFault, ShownToken};
use crate::tokens::TokenFile;
use crate::xen::{DomainEnded, LiveDomain};

/// Events of guests and operators that may wait for the actor; who has more waits in turn.
const MAX_EVENTS: usize = 256;

/// One thing the actor is told.
#[derive(Debug)]
pub(super) enum Told {
    /// A guest connected; the broker learns it by this event.
    Arrived {
        conn: ConnId,
        handle: LinkHandle,
        event: Event,
    },
    /// A guest said something that may wait together with what others say.
    Said {
        event: Event,
        /// Dropped when that was done.
        place: OwnedSemaphorePermit,
    },
    /// A guest said something wrong, or left.
    Guest(Event),
    /// A guest whose channel speaks RACS has said its first line. Admitted or not, it is told by
    /// `admit`, or by its link.
    RacsHello {
        conn: ConnId,
        token: ShownToken,
        admit: oneshot::Sender<RacsAdmitted>,
    },
    /// Who is behind a domid, or is no more.
    Domain(Event),
    /// A card's worker reports.
    Card { seid: Seid, report: WorkerReport },
    /// Who is running, for what an operator asks.
    Live {
        request: AdminRequest,
        live: Live,
        answer: oneshot::Sender<AdminReply>,
    },
    /// How the PIN of a card stands, for the operator who wants to know all about that card; `None`
    /// when it was not asked.
    PinSeen {
        seid: Seid,
        look: Option<PinLook>,
        answer: oneshot::Sender<AdminReply>,
    },
    /// A card's worker wants a card to be the right one, and waits for the answer.
    Adopted {
        seid: Seid,
        card: AdoptedCard,
        answer: SyncSender<Result<(), AdoptionError>>,
    },
    /// The engine of a session has something to say.
    Engine(Event),
    /// The task of an engine has ended.
    EngineEnded { conn: ConnId, session: SessionId },
    /// A token ends soon.
    TokenDue(Arc<TokenFile>),
    /// A token was signed, or not.
    TokenMade(Box<TokenMade>),
    /// Somebody wants a card for raw APDUs.
    LeaseWanted(LeaseRequest),
    /// Somebody wants to know which cards there are for that.
    LendableWanted { answer: SyncSender<Vec<CardEntry>> },
    /// Something of the RACS server is to be recorded.
    Racs(AuditEvent),
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
    workers: UnboundedSender<Told>,
    domains: UnboundedSender<Told>,
}

/// The actor's end.
#[derive(Debug)]
pub(super) struct Outlet {
    events: Receiver<Told>,
    workers: UnboundedReceiver<Told>,
    domains: UnboundedReceiver<Told>,
}

/// Makes both ends.
pub(super) fn channel() -> (Inbox, Outlet) {
    let (events, events_outlet) = mpsc::channel(MAX_EVENTS);
    // Workers may not wait; what they report is bounded by what they were ordered to do.
    let (workers, workers_outlet) = mpsc::unbounded_channel();
    // As many answers as the broker has asked questions, and as many ends as there were domains.
    let (domains, domains_outlet) = mpsc::unbounded_channel();
    let outlet = Outlet {
        events: events_outlet,
        workers: workers_outlet,
        domains: domains_outlet,
    };
    let inbox = Inbox {
        events,
        workers,
        domains,
    };
    (inbox, outlet)
}

impl Inbox {
    /// Tells the actor. It is only gone when the service ends; then nobody needs to know.
    pub(super) async fn tell(&self, told: Told) {
        let _ = self.events.send(told).await;
    }

    /// The same for a thread, which waits while too many others do.
    pub(super) fn tell_and_wait(&self, told: Told) {
        let _ = self.events.blocking_send(told);
    }

    /// Asks the actor something for an operator; `None` when the service ends.
    pub(crate) async fn ask(&self, request: AdminRequest) -> Option<AdminReply> {
        let (answer, outlet) = oneshot::channel();
        let query = AdminQuery { request, answer };
        self.tell(Told::Admin(query)).await;
        outlet.await.ok()
    }

    /// Tells the actor who is behind a domid, or is no more; never waits.
    pub(super) fn tell_of_domain(&self, event: Event) {
        let _ = self.domains.send(Told::Domain(event));
    }

    /// Tells the actor what an engine says; never waits. How much that is is bounded by what the
    /// broker lets a handshake have.
    pub(super) fn tell_of_engine(&self, event: Event) {
        let _ = self.workers.send(Told::Engine(event));
    }

    /// Tells the actor that a guest does not speak RACS any more; never waits. Once for each that was let
    /// in.
    pub(super) fn tell_of_racs_end(&self, event: Event) {
        let _ = self.workers.send(Told::Guest(event));
    }

    /// Tells the actor what is to be recorded of users of the RACS server; never waits. They are few
    /// records however many users there are.
    pub(super) fn tell_of_racs(&self, record: AuditEvent) {
        let _ = self.workers.send(Told::Racs(record));
    }

    /// Tells the actor that the task of an engine has ended; never waits.
    pub(super) fn tell_of_engine_end(&self, (conn, session): (ConnId, SessionId)) {
        let _ = self.workers.send(Told::EngineEnded { conn, session });
    }

    /// Tells the actor who is running, for an operator's request; never waits.
    pub(super) fn tell_of_live(
        &self,
        request: AdminRequest,
        live: Result<Vec<LiveDomain>, ReadFault>,
        answer: oneshot::Sender<AdminReply>,
    ) {
        let live = Live::new(live);
        let _ = self.domains.send(Told::Live {
            request,
            live,
            answer,
        });
    }

    /// What a worker reports through.
    pub(super) fn reporter(&self) -> Reporter {
        let workers = self.workers.clone();
        Box::new(move |seid, report| {
            let _ = workers.send(Told::Card { seid, report });
        })
    }

    /// What a worker has an adoption recorded by.
    pub(super) fn keeper(&self) -> KeepCard {
        let workers = self.workers.clone();
        Box::new(move |seid, card| {
            let (answer, outlet) = std::sync::mpsc::sync_channel(1);
            let (seid, card) = (seid.clone(), card.clone());
            let _ = workers.send(Told::Adopted { seid, card, answer });
            let ended = |_| Err(AdoptionError("the service ends".to_owned()));
            outlet.recv().unwrap_or_else(ended)
        })
    }
}

impl Outlet {
    /// The next thing; what ends rights comes first, then reports of cards.
    pub(super) async fn next(&mut self) -> Option<Told> {
        tokio::select! {
            biased;
            Some(told) = self.domains.recv() => Some(told),
            Some(told) = self.workers.recv() => Some(told),
            told = self.events.recv() => told,
        }
    }
}

impl From<DomainEnded> for Event {
    fn from(ended: DomainEnded) -> Self {
        Self::DomainEnded {
            domid: ended.domid,
            domain: ended.domain,
            successor: ended.successor,
        }
    }
}
