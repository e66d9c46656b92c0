//! The end of the service.

use std::io;
use std::time::{Duration, Instant};

use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tracing::{error, warn};

use super::actor::Actor;
use super::durable;
use crate::audit::{AuditEvent, CheckpointReason};
use crate::time::Now;

/// Done when the process is told to stop.
pub(super) fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Lets guests read why, cards come to rest, and writes the last record.
pub(super) async fn finish(mut actor: Actor) {
    let mut links = JoinSet::new();
    for (_, link) in std::mem::take(&mut actor.links) {
        links.spawn(link.closed());
    }
    actor.write_sightings();
    let cards = actor.cards;
    let deadline = Instant::now() + STOP_TIME;
    let stopped = tokio::task::spawn_blocking(move || cards.stop());
    if tokio::time::timeout_at(deadline.into(), stopped)
        .await
        .is_err()
    {
        warn!("a card does not return from a command; it is left to itself");
    }
    links.join_all().await;
    // What they note is older than the last record.
    drop(actor.checkpoints);
    let (audit, now) = (&mut actor.audit, Now::read().unix);
    let stopped = audit
        .append(&AuditEvent::ServiceStopped, now)
        .and_then(|()| audit.checkpoint(CheckpointReason::Stop, now));
    if let Err(error) = stopped {
        error!(%error, "cannot write the audit");
        return;
    }
    if let Err(error) = durable::note_audit_head(&actor.state, &actor.audit) {
        error!(%error, "cannot write the state");
    }
}

/// How long cards may take to come to rest.
const STOP_TIME: Duration = Duration::from_secs(5);
