//! The cards: their workers, what is remembered of them, operators who wait for one.

use std::collections::{BTreeMap, VecDeque};
use std::path::{self, PathBuf};

use proto::agent::Door;
use proto::id::Seid;
use tokio::sync::oneshot;
use tracing::{debug, warn};

use super::error::ServiceError;
use crate::admin::{AdminAnswer, AdminReply, PinView, ProblemCode};
use crate::card::{
    CardError, CardHandle, CardRecords, LendAnswer, PinSource, Reopen, SendError, Unaccepted,
    UseId, WorkerCommand,
};
use crate::config::{ReaderConfig, ReaderPlace};

/// All cards.
pub(super) struct Cards {
    places: BTreeMap<Seid, Place>,
    records: CardRecords,
}

/// One of them.
struct Place {
    worker: CardHandle,
    config: ReaderConfig,
    /// Who waits for the card to be opened again, in the order in which it was told to.
    waiting: VecDeque<oneshot::Sender<AdminReply>>,
}

impl Cards {
    pub(super) fn new(records: CardRecords) -> Self {
        Self {
            places: BTreeMap::new(),
            records,
        }
    }

    pub(super) fn add(&mut self, config: ReaderConfig, worker: CardHandle) {
        let place = Place {
            worker,
            config,
            waiting: VecDeque::new(),
        };
        self.places.insert(place.config.card.seid.clone(), place);
    }

    pub(super) fn seids(&self) -> Vec<Seid> {
        self.places.keys().cloned().collect()
    }

    /// Which part of a handshake each is to take, by its profile.
    pub(super) fn doors(&self) -> BTreeMap<Seid, Door> {
        let door = |place: &Place| place.config.card.profile.door();
        let places = self.places.iter();
        places
            .map(|(seid, place)| (seid.clone(), door(place)))
            .collect()
    }

    /// Where a card comes from.
    pub(super) fn config(&self, seid: &Seid) -> Option<&ReaderConfig> {
        self.places.get(seid).map(|place| &place.config)
    }

    /// The grid and element of a card that is at another host.
    pub(super) fn elsewhere(&self, seid: &Seid) -> Option<String> {
        let place = &self.config(seid)?.place;
        matches!(place, ReaderPlace::Grid(_)).then(|| place.to_string())
    }

    /// What the card that belongs to a SEID is known again by, if one was adopted.
    pub(super) fn adopted(&self, seid: &Seid) -> Option<String> {
        let card = self.records.adopted.of(seid)?;
        Some(card.fingerprint.to_string())
    }

    /// Where the PIN of a card is, and what is wrong with it.
    pub(super) fn pin(&self, config: &ReaderConfig) -> Option<PinView> {
        let source = self.records.pin_source(&config.card)?;
        let read = source.read(config.card.profile.pin_characters());
        let problem = read.map_err(CardError::from).and_then(|pin| {
            match self.records.pins.may_verify(&config.card.seid, &pin)? {
                true => Ok(()),
                false => Err(CardError::PinSpent),
            }
        });
        let PinSource::File(file) = source;
        Some(PinView {
            file,
            problem: problem.err().map(|error| error.to_string()),
        })
    }

    /// What came of the last PIN that was sent to a card, if the card did not take it.
    pub(super) fn unaccepted_pin(&self, seid: &Seid) -> Option<Unaccepted> {
        // Where that cannot be read, the PIN's own line says so.
        self.records.pins.unaccepted(seid).ok().flatten()
    }

    /// Has a card opened again, as the operator says; the answer comes when that is done.
    pub(super) fn reopen(
        &mut self,
        seid: &Seid,
        order: Reopen,
        answer: oneshot::Sender<AdminReply>,
    ) -> Result<(), ServiceError> {
        let Some(place) = self.places.get_mut(seid) else {
            let _ = answer.send(no_such_card(seid).into());
            return Ok(());
        };
        if let Some(problem) = pin_file_problem(&place.config, order.pin_file.as_ref()) {
            let _ = answer.send(AdminAnswer::error(ProblemCode::Refused, problem).into());
            return Ok(());
        }
        place.waiting.push_back(answer);
        self.order(seid, WorkerCommand::Reopen(order))
    }

    /// Who waited longest for a card to be opened again.
    pub(super) fn opened_again(&mut self, seid: &Seid) -> Option<oneshot::Sender<AdminReply>> {
        self.places.get_mut(seid)?.waiting.pop_front()
    }

    pub(super) fn order(&self, seid: &Seid, command: WorkerCommand) -> Result<(), ServiceError> {
        let Some(Place { worker, .. }) = self.places.get(seid) else {
            debug!(%seid, ?command, "no such card");
            return Ok(());
        };
        let use_id = match &command {
            WorkerCommand::ServerRecords { use_id, .. } => Some(*use_id),
            _ => None,
        };
        let sent = match (worker.send(command), use_id) {
            (Err(SendError::Overrun), Some(use_id)) => {
                warn!(%seid, %use_id, "more server records than a card can want");
                worker.send(WorkerCommand::Cancel { use_id })
            }
            (sent, _) => sent,
        };
        sent.map_err(|_| ServiceError::WorkerEnded {
            seid: seid.to_string(),
        })
    }

    /// Has a card lent; `answer` is called with it, or with why not.
    pub(super) fn lend(
        &self,
        seid: &Seid,
        use_id: UseId,
        answer: LendAnswer,
    ) -> Result<(), ServiceError> {
        let Some(place) = self.places.get(seid) else {
            debug!(%seid, "no such card");
            return Ok(());
        };
        let ended = |_| ServiceError::WorkerEnded {
            seid: seid.to_string(),
        };
        place.worker.lend(use_id, answer).map_err(ended)
    }

    /// Lets all workers come to rest; returns when they have.
    pub(super) fn stop(self) {
        for place in self.places.into_values() {
            place.worker.stop();
        }
    }
}

/// That a SEID is unknown.
pub(super) fn no_such_card(seid: &Seid) -> AdminAnswer {
    let message = format!("no card_source of the configuration has seid \"{seid}\"");
    AdminAnswer::error(ProblemCode::NoCard, message)
}

/// Why a card cannot have its PIN in that file.
fn pin_file_problem(config: &ReaderConfig, said: Option<&PathBuf>) -> Option<String> {
    let said = said?;
    if !said.is_absolute() {
        let said = said.display();
        return Some(format!("{said} is not an absolute path"));
    }
    match &config.card.pin {
        Some(PinSource::File(file)) if path::absolute(file).ok().as_ref() != Some(said) => {
            Some(format!(
                "the configuration says that the PIN of {} is in {}; change it there",
                config.card.seid,
                file.display()
            ))
        }
        _ => None,
    }
}
