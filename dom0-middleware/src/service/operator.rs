//! What operators ask for.

use proto::id::Seid;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::actor::Actor;
use super::error::ServiceError;
use super::host_side::HvKeyWatch;
use super::racs::RacsWatch;
use super::rights::No;
use super::vchans;
use crate::admin::{AdminAnswer, AdminReply, AdminRequest, ProblemCode, StatusView, XenstoreView};
use crate::audit::AuditEvent;
use crate::broker::{CardView, Event, SessionName};
use crate::card::{CardError, Reopen, TransportError};
use crate::xen::XenstoreDomains;

/// What may wait for an operator who watches cards: whoever is slower is let go.
const MAX_WATCHED: usize = 256;

/// Operators who watch cards.
#[derive(Default)]
pub(super) struct Watchers {
    outlets: Vec<mpsc::Sender<CardView>>,
    last: Vec<CardView>,
}

impl Actor {
    pub(super) fn on_request(
        &mut self,
        request: AdminRequest,
        answer: oneshot::Sender<AdminReply>,
    ) -> Result<(), ServiceError> {
        let said = match request {
            AdminRequest::CardList {} => {
                let mut cards = self.broker.snapshot().cards;
                for card in &mut cards {
                    card.elsewhere = self.cards.elsewhere(&card.seid);
                }
                AdminAnswer::CardList(cards)
            }
            AdminRequest::CardShow { seid } => return self.show_card(&seid, answer),
            AdminRequest::CardWatch {} => {
                let _ = answer.send(AdminReply::Watch(self.watchers.join()));
                return Ok(());
            }
            AdminRequest::CardAdopt { seid, pin_file } => {
                let order = Reopen {
                    adopt: true,
                    pin_file,
                    retry_pin: false,
                };
                return self.reopen(&seid, order, answer);
            }
            AdminRequest::CardPin { seid, pin_file } => {
                let order = Reopen {
                    adopt: false,
                    pin_file: Some(pin_file),
                    retry_pin: true,
                };
                return self.reopen(&seid, order, answer);
            }
            AdminRequest::CardMaintenance { seid, on } => match self.maintain(&seid, on) {
                Ok(said) => said,
                Err(No::Problem(problem)) => AdminAnswer::Error(problem),
                Err(No::Service(error)) => return Err(error),
            },
            request @ (AdminRequest::VmList {}
            | AdminRequest::VmPending {}
            | AdminRequest::VmApprove(_)
            | AdminRequest::VmShow { .. }
            | AdminRequest::VmBind(_)
            | AdminRequest::VmUnbind { .. }
            | AdminRequest::TokenList {}
            | AdminRequest::TokenRevoke { .. }
            | AdminRequest::TokensRevoke { .. }) => {
                self.ask_who_lives(request, answer);
                return Ok(());
            }
            AdminRequest::SessionList {} => AdminAnswer::SessionList(self.broker.sessions()),
            AdminRequest::SessionKill { session } => self.kill(session)?,
            AdminRequest::QueueShow {} => AdminAnswer::QueueShow(self.broker.queues()),
            AdminRequest::Status {} => AdminAnswer::Status(Box::new(self.status())),
        };
        // An operator who does not wait for the answer does not need it.
        let _ = answer.send(said.into());
        Ok(())
    }

    fn status(&self) -> StatusView {
        let names = &self.names;
        let name = |uuid| Some(names.as_ref()?.by_uuid(uuid)?.name.clone());
        let mut service = self.service.clone();
        if let Some(served) = &self.vchans {
            service.channels.extend(vchans::views(served));
        }
        service.bindings = self.bindings.views(self.broker.table(), name, |_| true);
        let issuing = self.issuing.as_ref();
        service.tokens = issuing.map(|issuing| issuing.given.borrow().clone());
        service.racs = self.racs.as_ref().map(RacsWatch::view);
        service.hv_key = self.hv_key.as_ref().and_then(HvKeyWatch::view);
        let health = self.domains.xenstore().map(XenstoreDomains::health);
        StatusView {
            service,
            uptime_s: self.started.elapsed().as_secs(),
            xenstore: health.map(|health| XenstoreView::of(health, Instant::now())),
            state: self.broker.snapshot(),
        }
    }

    /// Has a card opened again. That somebody said so is on record before anything is done.
    fn reopen(
        &mut self,
        seid: &Seid,
        order: Reopen,
        answer: oneshot::Sender<AdminReply>,
    ) -> Result<(), ServiceError> {
        if self.cards.config(seid).is_some() {
            self.note(&AuditEvent::OperatorReopenedCard {
                seid: seid.clone(),
                adopt: order.adopt,
                retry_pin: order.retry_pin,
            });
        }
        self.cards.reopen(seid, order, answer)
    }

    /// Ends a session; the answer says what it was.
    fn kill(&mut self, name: SessionName) -> Result<AdminAnswer, ServiceError> {
        let Some(view) = self.broker.session(name) else {
            let message = format!(
                "no session {name}: it has ended, or there never was one; \
                 dom0-middleware session list shows those there are"
            );
            return Ok(AdminAnswer::error(ProblemCode::NotFound, message));
        };
        let SessionName { conn, session } = name;
        self.tell_broker(Event::Kill { conn, session })?;
        Ok(AdminAnswer::SessionKilled(Box::new(view)))
    }

    /// A card was opened again, as somebody said.
    pub(super) fn on_reopened(
        &mut self,
        seid: &Seid,
        result: Result<(), CardError>,
    ) -> Result<(), ServiceError> {
        let Some(answer) = self.cards.opened_again(seid) else {
            return Ok(());
        };
        let said = match result {
            Ok(()) => return self.show_card(seid, answer),
            Err(CardError::Transport(TransportError::Removed)) => {
                AdminAnswer::error(ProblemCode::NoCard, format!("{seid}: no card is there"))
            }
            Err(error) => AdminAnswer::error(ProblemCode::Refused, format!("{seid}: {error}")),
        };
        let _ = answer.send(said.into());
        Ok(())
    }

    /// Tells those who watch what has changed.
    pub(super) fn tell_watchers(&mut self) {
        if self.watchers.outlets.is_empty() {
            return;
        }
        self.watchers.tell(self.broker.snapshot().cards);
    }
}

impl Watchers {
    /// One more; it is told of all cards first.
    fn join(&mut self) -> mpsc::Receiver<CardView> {
        let (sender, receiver) = mpsc::channel(MAX_WATCHED);
        // Whoever watches already hears of every card once more, and loses nothing.
        self.last.clear();
        self.outlets.push(sender);
        receiver
    }

    fn tell(&mut self, cards: Vec<CardView>) {
        let known = |card: &CardView| self.last.iter().any(|last| last.looks_like(card));
        let news: Vec<CardView> = cards.iter().filter(|card| !known(card)).cloned().collect();
        self.last = cards;
        self.outlets.retain(|outlet| {
            let mut news = news.iter().cloned();
            news.all(|card| outlet.try_send(card).is_ok()) && !outlet.is_closed()
        });
    }
}
