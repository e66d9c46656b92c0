//! The one task that owns the broker and does what it says.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use tokio::time::sleep_until;
use tracing::error;

use super::bindings::Bindings;
use super::bound::TellBound;
use super::cards::Cards;
use super::checkpoints::Checkpoints;
use super::due::Due;
use super::engines::EngineTasks;
use super::error::ServiceError;
use super::host_side::HvKeyWatch;
use super::inbox::{AdminQuery, Inbox, Outlet, Told};
use super::issuing::Issuing;
use super::leases::Leases;
use super::operator::Watchers;
use super::racs::RacsWatch;
use super::racs_guests::RacsGuests;
use super::revocations::TellRevoked;
use super::sightings::Sightings;
use super::vchans::Served;
use crate::admin::ServiceView;
use crate::audit::AuditLog;
use crate::broker::{Broker, ConnId, EngineReport, Event};
use crate::card::WorkerReport;
use crate::channel::LinkHandle;
use crate::mapping::StaticDomains;
use crate::state::State;
use crate::time::Now;
use crate::xen::Domains;

/// Everything the broker's actions reach.
pub(super) struct Actor {
    pub(super) broker: Broker,
    pub(super) audit: AuditLog,
    /// Brings the audit's checkpoints to disk.
    pub(super) checkpoints: Checkpoints,
    /// Changes of it go through [`Self::change`].
    pub(super) state: State,
    /// What is known of bindings beyond what the broker needs.
    pub(super) bindings: Bindings,
    /// Told after each change of them.
    pub(super) bound: TellBound,
    /// Told after each revocation.
    pub(super) revoked: TellRevoked,
    /// What tokens are issued with, where the service does that.
    pub(super) issuing: Option<Issuing>,
    /// The HV key, where there is one.
    pub(super) hv_key: Option<HvKeyWatch>,
    pub(super) sightings: Sightings,
    /// The names of the configuration's domains, if it has any.
    pub(super) names: Option<StaticDomains>,
    pub(super) cards: Cards,
    pub(super) leases: Leases,
    /// Guests that want to speak RACS.
    pub(super) racs_guests: RacsGuests,
    /// Handshakes that the service makes itself.
    pub(super) engines: EngineTasks,
    /// Who is behind each domid; the answers come through the inbox.
    pub(super) domains: Arc<dyn Domains>,
    pub(super) inbox: Inbox,
    /// What `status` says besides the broker's state.
    pub(super) service: ServiceView,
    /// The RACS server, if there is one.
    pub(super) racs: Option<RacsWatch>,
    /// Who has a vchan, where there are any.
    pub(super) vchans: Option<Served>,
    pub(super) started: Instant,
    pub(super) links: BTreeMap<ConnId, LinkHandle>,
    pub(super) watchers: Watchers,
}

impl Actor {
    /// Serves until `stop` is done, then gives everything up in order.
    ///
    /// # Errors
    /// [`ServiceError::WorkerEnded`], after which nothing can be relied on.
    pub(super) async fn run(
        mut self,
        mut outlet: Outlet,
        stop: impl Future<Output = ()>,
    ) -> Result<Self, ServiceError> {
        tokio::pin!(stop);
        let mut due = Due::default();
        loop {
            tokio::select! {
                biased;
                () = &mut stop => break,
                () = until(due.look_at()) => {
                    let now = Now::read();
                    if due.is_reached(now.monotonic, self.next_timeout()) {
                        self.on_timeout(now)?;
                        due.is_reached(now.monotonic, self.next_timeout());
                    }
                }
                told = outlet.next() => match told {
                    Some(told) => {
                        self.on_told(told)?;
                        due.may_have_changed(Instant::now);
                    }
                    None => break,
                },
            }
            self.tell_watchers();
            if let Some(written) = self.audit.take_checkpoint() {
                self.checkpoints.keep(written);
            }
        }
        self.tell_broker(Event::Stopping)?;
        self.leases.note_release();
        self.see_racs_guests_out(&mut outlet).await?;
        Ok(self)
    }

    /// When something is due by itself.
    fn next_timeout(&self) -> Option<Instant> {
        let timeouts = [
            self.broker.next_timeout(),
            self.audit.next_timeout(),
            self.sightings.next_timeout(),
        ];
        timeouts.into_iter().flatten().min()
    }

    fn on_timeout(&mut self, now: Now) -> Result<(), ServiceError> {
        if let Err(error) = self.audit.handle_timeout(now) {
            error!(%error, "cannot write a checkpoint of the audit");
        }
        if self.sightings.is_due(now) {
            self.write_sightings();
        }
        let actions = self.broker.handle_timeout(now);
        self.perform(actions)
    }

    pub(super) fn on_told(&mut self, told: Told) -> Result<(), ServiceError> {
        match told {
            Told::Arrived {
                conn,
                handle,
                event,
            } => {
                self.links.insert(conn, handle);
                self.tell_broker(event)
            }
            Told::Domain(event) => self.tell_broker(event),
            Told::Said { event, place } => {
                let done = self.tell_broker(event);
                drop(place);
                done
            }
            Told::Guest(event) => {
                if let Event::Disconnected { conn } | Event::RacsEnded { conn, .. } = event {
                    self.links.remove(&conn);
                    self.engines.forget_connection(conn);
                    self.racs_guests.forget(conn);
                    if let Event::RacsEnded { .. } = event {
                        self.racs_guests.gone(conn);
                    }
                    self.tell_broker(event)?;
                    self.leases.note_release();
                    return Ok(());
                }
                self.tell_broker(event)
            }
            Told::RacsHello { conn, token, admit } => {
                self.racs_guests.await_judgement(conn, admit);
                self.tell_broker(Event::RacsHello { conn, token })
            }
            Told::Card {
                seid,
                report: WorkerReport::Reopened { result },
            } => self.on_reopened(&seid, result),
            Told::PinSeen { seid, look, answer } => {
                let _ = answer.send(self.details(&seid, look).into());
                Ok(())
            }
            Told::Card { seid, report } => {
                self.tell_broker(Event::Card { seid, report })?;
                self.leases.note_release();
                Ok(())
            }
            Told::Adopted { seid, card, answer } => {
                // It does not wait any more when the service ends.
                let _ = answer.send(self.adopt(&seid, &card));
                Ok(())
            }
            Told::Live {
                request,
                live,
                answer,
            } => self.on_live(request, &live, answer),
            Told::Engine(event) => {
                if let Event::Engine {
                    conn,
                    session,
                    report: EngineReport::Established(_),
                } = event
                {
                    self.engines.established(conn, session);
                }
                self.tell_broker(event)
            }
            Told::EngineEnded { conn, session } => {
                self.engines.ended(conn, session);
                Ok(())
            }
            Told::TokenDue(token) => {
                self.on_token_due(token);
                Ok(())
            }
            Told::TokenMade(token) => {
                self.on_token_made(*token);
                Ok(())
            }
            Told::LeaseWanted(request) => self.on_lease_wanted(request),
            Told::LendableWanted { answer } => {
                // Who does not wait any more need not know.
                let _ = answer.send(self.broker.lendable());
                Ok(())
            }
            Told::Racs(record) => {
                self.note(&record);
                Ok(())
            }
            Told::Admin(AdminQuery { request, answer }) => self.on_request(request, answer),
        }
    }

    pub(super) fn tell_broker(&mut self, event: Event) -> Result<(), ServiceError> {
        let actions = self.broker.handle(event, Now::read());
        self.perform(actions)
    }
}

async fn until(timeout: Option<Instant>) {
    match timeout {
        Some(at) => sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
