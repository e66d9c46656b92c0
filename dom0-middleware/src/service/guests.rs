//! Guests: accepted, numbered, and their connections run.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use proto::hv::HvCertificate;

use super::doorstep::Doorstep;
use super::guest::Guest;
use super::inbox::{Inbox, Told};
use crate::broker::{ConnId, Event, Peer};
use crate::channel::{GuestChannel, Link};
use crate::mapping::made_for;
use crate::xen::{self, Domains};

/// Numbers connections; never one twice in a run of the service.
#[derive(Debug, Clone, Default)]
pub(super) struct ConnIds(Arc<AtomicU64>);

impl ConnIds {
    fn next(&self) -> ConnId {
        ConnId(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

/// What all channels of the service have in common.
#[derive(Debug, Clone)]
pub(super) struct Door {
    pub(super) ids: ConnIds,
    pub(super) inbox: Inbox,
    /// Who is behind each domid.
    pub(super) domains: Arc<dyn Domains>,
    /// The time that finding out may take.
    pub(super) domain_read: Duration,
    /// The HV certificates of this host, by which tokens are signed.
    pub(super) issuers: Arc<[HvCertificate]>,
    /// Connections that one domain may have.
    pub(super) connections: usize,
    /// The longest frame, in bytes.
    pub(super) max_frame: usize,
}

/// Accepts guests of one channel, for ever.
///
/// A channel is one domain's: a guest whose connections take long to identify, or to make TLS,
/// keeps itself waiting.
pub(super) async fn accept(mut channel: impl GuestChannel, door: Door) {
    let (domid, inbox) = (channel.domid(), &door.inbox);
    let doorstep = Doorstep::new(door.connections);
    loop {
        let place = doorstep.place().await;
        let stream = channel.accept().await;
        let domain = xen::read(&*door.domains, domid, door.domain_read).await;
        let conn = door.ids.next();
        let (link, mut handle) = Link::new(door.max_frame);
        let (go, started) = tokio::sync::oneshot::channel();
        let task = tokio::spawn({
            let guest = Guest {
                conn,
                inbox: inbox.clone(),
                issuers: Arc::clone(&door.issuers),
            };
            let tls = channel.tls().cloned();
            async move {
                // The actor hears of the connection before anything that comes from it.
                if started.await.is_ok() {
                    guest.run(link, stream, tls, place).await;
                }
            }
        });
        handle.run_by(task.abort_handle());
        let event = match made_for(domid, &domain) {
            Ok(made_for) => Event::Connected {
                conn,
                peer: Peer {
                    domid,
                    made_for,
                    token: channel.token(),
                },
            },
            Err(reason) => Event::Unidentified {
                conn,
                domid,
                reason,
            },
        };
        inbox
            .tell(Told::Arrived {
                conn,
                handle,
                event,
            })
            .await;
        // The task only ends before this when the service does.
        let _ = go.send(());
    }
}
