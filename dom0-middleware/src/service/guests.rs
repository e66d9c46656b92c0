//! Guests: accepted, numbered, and their connections run.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::inbox::{Inbox, Told};
use crate::broker::{ConnId, Event};
use crate::channel::{Link, LinkEnd, UnixChannel};

/// Numbers connections; never one twice in a run of the service.
#[derive(Debug, Clone, Default)]
pub(super) struct ConnIds(Arc<AtomicU64>);

impl ConnIds {
    fn next(&self) -> ConnId {
        ConnId(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

/// Accepts guests of one channel, for ever.
pub(super) async fn accept(channel: UnixChannel, ids: ConnIds, inbox: Inbox, max_frame: usize) {
    loop {
        let (stream, peer) = channel.accept().await;
        let conn = ids.next();
        let (link, mut handle) = Link::new(stream, max_frame);
        let (go, started) = tokio::sync::oneshot::channel();
        let task = tokio::spawn({
            let inbox = inbox.clone();
            async move {
                // The actor hears of the connection before anything that comes from it.
                if started.await.is_ok() {
                    run(link, conn, inbox).await;
                }
            }
        });
        handle.run_by(task.abort_handle());
        inbox.tell(Told::Connected { conn, peer, handle }).await;
        // The task only ends before this when the service does.
        let _ = go.send(());
    }
}

async fn run(link: Link<tokio::net::UnixStream>, conn: ConnId, inbox: Inbox) {
    let end = link
        .run(|inbound| {
            let event = match inbound {
                Ok(message) => Event::Received { conn, message },
                Err(error) => Event::Garbled { conn, error },
            };
            let inbox = inbox.clone();
            async move { inbox.tell(Told::Guest(event)).await }
        })
        .await;
    if end == LinkEnd::Lost {
        inbox.tell(Told::Guest(Event::Disconnected { conn })).await;
    }
}
