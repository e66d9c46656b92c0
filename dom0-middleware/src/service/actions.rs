//! What the broker asks for, done.

use std::collections::VecDeque;

use proto::agent::Dom0Message;
use proto::id::Seid;
use tracing::{error, warn};

use super::actor::Actor;
use super::error::ServiceError;
use crate::audit::AuditEvent;
use crate::broker::{Action, ConnId, Event};
use crate::channel::LinkHandle;
use crate::time::Now;

impl Actor {
    /// Does everything that was asked for, and what follows from it.
    pub(super) fn perform(&mut self, actions: Vec<Action>) -> Result<(), ServiceError> {
        let mut actions = VecDeque::from(actions);
        while let Some(action) = actions.pop_front() {
            if let Some(event) = self.act(action)? {
                // What follows comes after what was asked for already.
                actions.extend(self.broker.handle(event, Now::read()));
            }
        }
        Ok(())
    }

    /// Does one thing; the event that it brings about at once, if any.
    fn act(&mut self, action: Action) -> Result<Option<Event>, ServiceError> {
        Ok(match action {
            Action::Send { conn, message } => self.send(conn, &message),
            Action::Close { conn } => {
                if let Some(link) = self.links.remove(&conn) {
                    link.close();
                }
                self.engines.forget_connection(conn);
                self.racs_guests.forget(conn);
                None
            }
            Action::WithdrawKeys { conn } => {
                let link = self.links.get(&conn);
                match link.is_some_and(LinkHandle::has_unsent_keys) {
                    true => self.cut(conn, "leaves keys unread whose right has ended"),
                    false => None,
                }
            }
            Action::ReadDomain { read, domid } => {
                let inbox = self.inbox.clone();
                let answer = move |domain| inbox.tell_of_domain(Event::DomainRead { read, domain });
                self.domains.read(domid, Box::new(answer));
                None
            }
            Action::Card { seid, command } => {
                self.cards.order(&seid, command)?;
                None
            }
            Action::Lend {
                lease,
                seid,
                use_id,
                bound,
                record,
            } => self.lend(lease, &seid, (use_id, bound), &record)?,
            Action::RefuseLease { lease, why } => {
                self.refuse_lease(lease, why);
                None
            }
            Action::Engine {
                conn,
                session,
                command,
            } => {
                self.engines.order(conn, session, command);
                None
            }
            Action::AdmitRacs { conn, guest } => {
                let cards = &self.cards;
                let is_raw = |seid: &Seid| cards.config(seid).is_some_and(|c| c.raw_key_use);
                self.racs_guests.admit(conn, guest, is_raw);
                None
            }
            Action::ForgetResumption(which) => {
                self.engines.forget(&which);
                None
            }
            Action::TokenSeen { token, .. } => {
                self.on_token_seen(&token);
                None
            }
            Action::Audit(record) => {
                self.note(&record);
                None
            }
            Action::Deliver {
                conn,
                record,
                message,
            } => match self.record(&record) {
                Ok(()) => self.send(conn, &Dom0Message::Established(message)),
                Err(error) => {
                    error!(%error, "cannot write the audit, so no key leaves");
                    let session = message.session;
                    Some(Event::AuditFailed { conn, session })
                }
            },
        })
    }

    /// Records what happened in any case; when that fails the log has it.
    pub(super) fn note(&mut self, record: &AuditEvent) {
        let now = Now::read().unix;
        if let Err(error) = self.audit.append_or_own_up(record, now) {
            error!(%error, ?record, "cannot write the audit");
        }
    }

    pub(super) fn record(&mut self, record: &AuditEvent) -> std::io::Result<()> {
        self.audit.append(record, Now::read().unix)
    }

    fn send(&mut self, conn: ConnId, message: &Dom0Message) -> Option<Event> {
        let link = self.links.get(&conn)?;
        let error = link.send(message).err()?;
        self.cut(conn, error)
    }

    /// Ends a connection at once: nothing that waits for the guest leaves any more.
    fn cut(&mut self, conn: ConnId, why: impl std::fmt::Display) -> Option<Event> {
        warn!(%conn, %why, "guest cut off");
        self.links.remove(&conn)?.cut();
        self.engines.forget_connection(conn);
        self.racs_guests.forget(conn);
        Some(Event::Disconnected { conn })
    }
}
