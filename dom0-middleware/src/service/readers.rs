//! Where cards are to be found, each with its worker.

use std::sync::Arc;

use super::cards::Cards;
use super::error::ServiceError;
use super::inbox::Inbox;
use crate::card::pcsc::PcscSource;
use crate::card::racs::RacsSource;
use crate::card::vicc::{ListenError, ViccListener};
use crate::card::{AdoptedCards, CardRecords, CardSource, PinLedger, spawn_worker};
use crate::config::{Config, ReaderPlace};
use crate::state::State;

/// Starts the worker of each card of the configuration.
///
/// # Errors
/// [`ServiceError`] when a place cannot be had, or a thread.
pub(super) fn start_cards(
    config: &Config,
    state: &State,
    pins: Arc<dyn PinLedger>,
    inbox: &Inbox,
) -> Result<Cards, ServiceError> {
    let records = CardRecords {
        pins,
        adopted: Arc::new(AdoptedCards::new(state.cards()?, inbox.keeper())),
    };
    let mut cards = Cards::new(records.clone());
    for reader in &config.readers {
        let seid = &reader.card.seid;
        let source = source(&reader.place).map_err(|source| ServiceError::Reader {
            seid: seid.to_string(),
            source,
        })?;
        let settings = reader.card.clone();
        let worker = spawn_worker(settings, source, records.clone(), inbox.reporter());
        cards.add(reader.clone(), worker.map_err(ServiceError::System)?);
    }
    Ok(cards)
}

fn source(place: &ReaderPlace) -> Result<Box<dyn CardSource>, ListenError> {
    Ok(match place {
        ReaderPlace::Socket(path) => Box::new(ViccListener::bind_unix(path)?),
        ReaderPlace::Loopback(address) => Box::new(ViccListener::bind_loopback(*address)?),
        ReaderPlace::Reader(name) => Box::new(PcscSource::new(name.clone())),
        ReaderPlace::Grid(place) => {
            Box::new(RacsSource::new(place.grid.clone(), place.seid.clone()))
        }
    })
}
