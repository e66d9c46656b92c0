//! The end of what a guest does over RACS, told however it comes.

use tracing::info;

use super::inbox::Inbox;
use crate::broker::{ConnId, Event, RacsEnd, RacsGuest};
use crate::racs::guest::Ending;

/// Tells, when it is dropped, that a guest that was let in does not speak RACS any more.
#[derive(Debug)]
pub(super) struct Farewell {
    inbox: Inbox,
    conn: ConnId,
    guest: RacsGuest,
    ending: Ending,
}

impl Farewell {
    /// Of a guest that was just let in.
    pub(super) fn new(inbox: Inbox, conn: ConnId, guest: RacsGuest) -> Self {
        info!(%conn, domid = %guest.domid, domain = %guest.domain, "guest speaks RACS");
        Self {
            inbox,
            conn,
            guest,
            ending: Ending::default(),
        }
    }

    /// Where it is written down how the visit went.
    pub(super) fn ending(&mut self) -> &mut Ending {
        &mut self.ending
    }
}

impl Drop for Farewell {
    fn drop(&mut self) {
        let conn = self.conn;
        let why = match self.ending.end.take() {
            Some(end) => end.to_string(),
            None => "it was cut off".to_owned(),
        };
        info!(%conn, domain = %self.guest.domain, %why, "guest speaks RACS no longer");
        let end = RacsEnd {
            domid: self.guest.domid,
            domain: self.guest.domain,
            name: std::mem::take(&mut self.guest.name),
            apdus_refused: self.ending.apdus_refused,
            why,
        };
        let end = Box::new(end);
        self.inbox.tell_of_racs_end(Event::RacsEnded { conn, end });
    }
}
