//! A change of a right: recorded in the audit, made durable, then told.

use proto::id::Seid;
use tracing::{error, info};

use super::actor::Actor;
use super::durable;
use crate::audit::AuditEvent;
use crate::card::{AdoptedCard, AdoptionError};
use crate::error::Causes;
use crate::state::{ChangeError, Edit};
use crate::time::Now;

impl Actor {
    /// Makes a change of the durable state; it is on disk when this returns, and so is its record.
    pub(super) fn change<T>(
        &mut self,
        edit: impl FnOnce(&Edit<'_>) -> rusqlite::Result<T>,
        event: impl FnOnce(u64, &T) -> AuditEvent,
    ) -> Result<T, ChangeError> {
        let state = self.state.clone();
        let now = Now::read().unix;
        let made = state.change(edit, |change, edit| {
            durable::append(&mut self.audit, &event(change, edit), now)
        });
        made.inspect_err(|failed| self.on_failed(failed))
    }

    /// What the audit may say of a change that was not made is taken back there.
    fn on_failed(&mut self, failed: &ChangeError) {
        let reason = Causes(failed).to_string();
        error!(reason, "a change was not made");
        if let Some(change) = failed.recorded() {
            self.note(&AuditEvent::ChangeFailed { change, reason });
        }
    }

    /// A card is the right one from now on.
    pub(super) fn adopt(&mut self, seid: &Seid, card: &AdoptedCard) -> Result<(), AdoptionError> {
        let made = self.change(
            |edit| edit.adopt(seid, card),
            |change, ()| AuditEvent::CardAdopted {
                change,
                seid: seid.clone(),
                fingerprint: card.fingerprint.to_string(),
                pin_file: card.pin_file.clone(),
            },
        );
        made.map_err(|error| AdoptionError(Causes(&error).to_string()))?;
        info!(%seid, fingerprint = %card.fingerprint, "card adopted");
        Ok(())
    }
}
