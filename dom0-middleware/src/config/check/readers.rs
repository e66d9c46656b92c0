//! Where cards come from, and how each is spoken to.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use proto::agent::Door;
use proto::racs::SeidToken;
use toml::Spanned;

use super::Check;
use super::grids::GridLines;
use super::profiles::Profiles;
use crate::card::{CardProfile, CardSettings, PinSource};
use crate::config::error::ConfigError;
use crate::config::file::{CardSourceKind, CardSourceTable, CardTable};
use crate::limits::Limits;
use crate::racs::client::Grid;

/// A source of cards and the card that comes from it.
#[derive(Debug, Clone)]
pub struct ReaderConfig {
    /// Where the card comes from.
    pub place: ReaderPlace,
    /// Its settings.
    pub card: CardSettings,
    /// Whether raw APDUs may use its keys and PINs.
    pub raw_key_use: bool,
    /// The line of `pin_file`.
    pub(in crate::config) pin_line: usize,
    /// Where the certificates between the card's and their CA are, and the line that says so.
    pub(in crate::config) chain: Option<(PathBuf, usize)>,
}

/// Where a card comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReaderPlace {
    /// A Unix socket on which a virtual card connects.
    Socket(PathBuf),
    /// A loopback port on which a virtual card connects: development only.
    Loopback(SocketAddr),
    /// A reader, by the name PC/SC has for it.
    Reader(CString),
    /// An element of another host's grid.
    Grid(Box<GridPlace>),
}

/// An element of another host's grid, and where the configuration says so.
#[derive(Debug, Clone)]
pub struct GridPlace {
    /// The grid.
    pub grid: Grid,
    /// The element's name there.
    pub seid: SeidToken,
    /// The lines of `certificate`, `key`, and `ca` or `pin`.
    pub(in crate::config) lines: GridLines,
}

/// Two places are one if they are the same element.
impl PartialEq for GridPlace {
    fn eq(&self, other: &Self) -> bool {
        self.grid.address == other.grid.address && self.seid == other.seid
    }
}

impl Eq for GridPlace {}

impl fmt::Display for ReaderPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(path) => write!(f, "socket {}", path.display()),
            Self::Loopback(address) => write!(f, "address {address}"),
            Self::Reader(name) => write!(f, "reader {:?}", name.to_string_lossy()),
            Self::Grid(place) => write!(f, "racs {} {}", place.grid.address, place.seid),
        }
    }
}

impl Check<'_> {
    pub(super) fn readers(
        &self,
        sources: Vec<CardSourceTable>,
        cards: Vec<CardTable>,
        profiles: &Profiles,
        limits: &Limits,
        insecure: bool,
    ) -> Result<Vec<ReaderConfig>, ConfigError> {
        let mut places = BTreeMap::new();
        for source in sources {
            let place = self.place(&source, insecure)?;
            if places.values().any(|other| *other == place) {
                let problem = "another card_source has the same place; one place is one card";
                return Err(self.error(source.seid.span(), "card_source.socket", problem));
            }
            let (span, seid) = (source.seid.span(), source.seid.into_inner());
            if places.contains_key(&seid) {
                let problem = format!("\"{seid}\" has a card_source already");
                return Err(self.error(span, "card_source.seid", problem));
            }
            places.insert(seid, place);
        }
        let mut readers: Vec<ReaderConfig> = Vec::new();
        for card in cards {
            let (span, seid) = (card.seid.span(), card.seid.get_ref());
            if readers.iter().any(|reader| reader.card.seid == *seid) {
                let problem = format!("\"{seid}\" is described twice");
                return Err(self.error(span, "card.seid", problem));
            }
            let Some(place) = places.remove(seid) else {
                let problem = format!("no [[card_source]] with seid \"{seid}\"; add one");
                return Err(self.error(span, "card.seid", problem));
            };
            readers.push(self.reader(place, card, profiles, limits)?);
        }
        readers.extend(places.into_iter().map(|(seid, place)| {
            let mut card = CardSettings::new(seid, CardProfile::eap_tls(), None);
            card.configured = false;
            timed(
                ReaderConfig {
                    place,
                    card,
                    raw_key_use: false,
                    pin_line: 0,
                    chain: None,
                },
                limits,
            )
        }));
        Ok(readers)
    }

    fn place(&self, source: &CardSourceTable, insecure: bool) -> Result<ReaderPlace, ConfigError> {
        let kind = *source.kind.get_ref();
        if kind == CardSourceKind::Racs {
            return Ok(ReaderPlace::Grid(Box::new(self.grid_place(source)?)));
        }
        self.no_grid_keys(source)?;
        if kind == CardSourceKind::Pcsc {
            return match (&source.reader, &source.socket, &source.address) {
                (Some(reader), None, None) => Ok(ReaderPlace::Reader(reader.get_ref().clone())),
                _ => {
                    let problem = "give the reader's name, as pcsc_scan shows it, and nothing else";
                    Err(self.error(source.kind.span(), "card_source.reader", problem))
                }
            };
        }
        if let Some(reader) = &source.reader {
            let problem = "only kind = \"pcsc\" has a reader";
            return Err(self.error(reader.span(), "card_source.reader", problem));
        }
        match (&source.socket, &source.address) {
            (Some(socket), None) => Ok(ReaderPlace::Socket(socket.clone())),
            (None, Some(address)) if !address.get_ref().ip().is_loopback() => {
                let problem = "not a loopback address; virtual cards get PINs and give keys";
                Err(self.error(address.span(), "card_source.address", problem))
            }
            (None, Some(address)) if !insecure => {
                let problem = "every user of this host can connect to a port; use a socket, or set \
                               service.insecure_development = true";
                Err(self.error(address.span(), "card_source.address", problem))
            }
            (None, Some(address)) => Ok(ReaderPlace::Loopback(*address.get_ref())),
            _ => {
                let problem = "give either a socket or an address";
                Err(self.error(source.kind.span(), "card_source.socket", problem))
            }
        }
    }

    fn reader(
        &self,
        place: ReaderPlace,
        card: CardTable,
        profiles: &Profiles,
        limits: &Limits,
    ) -> Result<ReaderConfig, ConfigError> {
        let profile = self.profile(profiles, card.profile.as_ref())?;
        let pin_line = card
            .pin_file
            .as_ref()
            .map_or(0, |file| self.line(&file.span()));
        let chain = match card.chain_file {
            Some(file) if profile.door() == Door::EapTls => {
                let problem = "a card that makes the handshake sends its own certificates; only those \
                               with profile = \"piv\" have a chain_file";
                return Err(self.error(file.span(), "card.chain_file", problem));
            }
            file => file.map(|file| (file.get_ref().clone(), self.line(&file.span()))),
        };
        let pin = card.pin_file.map(|file| PinSource::File(file.into_inner()));
        let reader = ReaderConfig {
            place,
            card: CardSettings::new(card.seid.into_inner(), profile, pin),
            raw_key_use: card.raw_key_use.is_some_and(Spanned::into_inner),
            pin_line,
            chain,
        };
        Ok(timed(reader, limits))
    }
}

fn timed(mut reader: ReaderConfig, limits: &Limits) -> ReaderConfig {
    reader.card.apdu_timeout = limits.apdu;
    reader.card.handshake_timeout = limits.handshake;
    reader
}
