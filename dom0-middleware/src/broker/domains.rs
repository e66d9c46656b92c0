//! Domains that are not who they were: turned away at the door, or ended while inside.

use proto::agent::Dom0Message;
use proto::id::{DomId, DomainUuid};
use tracing::info;

use super::action::Action;
use super::connection::Phase;
use super::core::Broker;
use super::event::ConnId;
use super::refusal::Refusal;
use crate::audit::{AuditEvent, ChannelEnd};
use crate::mapping::Reason;

impl Broker {
    /// A guest connected for whom no channel can be made.
    pub(super) fn on_unidentified(&mut self, conn: ConnId, domid: DomId, reason: Reason) {
        let refusal = Refusal::from(reason);
        self.note_refusal(domid, None, &refusal, None, None);
        self.send(conn, Dom0Message::Refused(refusal.message(None)));
        self.act(Action::Close { conn });
    }

    /// A domain ended: every right it had ends, and so do its channels.
    pub(super) fn on_domain_ended(
        &mut self,
        domid: DomId,
        domain: DomainUuid,
        successor: Option<DomainUuid>,
    ) {
        let reason = match successor {
            None => Reason::DomainGone { domid },
            Some(is) => Reason::DomainChanged {
                domid,
                was: domain,
                is,
            },
        };
        let conns: Vec<ConnId> = self
            .connections
            .iter()
            .filter(|(_, c)| (c.peer.domid, c.peer.made_for) == (domid, domain))
            .map(|(conn, _)| *conn)
            .collect();
        self.forget_made_for(domain);
        self.rights_until.remove(&domain);
        if conns.is_empty() {
            return;
        }
        info!(%domid, %domain, %reason, "channels end");
        self.audit(AuditEvent::DomainEnded {
            domid,
            domain,
            reason: reason.to_string(),
            connections: conns.len(),
        });
        for conn in conns {
            self.revoke(conn, &reason);
        }
    }

    /// Ends a connection whose right ended: the guest is told first, then its sessions go.
    fn revoke(&mut self, conn: ConnId, reason: &Reason) {
        self.act(Action::WithdrawKeys { conn });
        let phase = self.connections.get(&conn).map(|c| c.phase);
        if phase == Some(Phase::Admitted) {
            let code = reason.code();
            self.send(conn, Dom0Message::Revoked { code });
        }
        for key in self.sessions_of(conn) {
            self.refuse(key, reason.clone().into());
        }
        self.act(Action::Close { conn });
        self.forget_connection(conn, ChannelEnd::DomainEnded);
    }
}
