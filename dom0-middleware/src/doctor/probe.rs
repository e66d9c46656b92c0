//! Looks at everything; decides nothing.

use std::ffi::CString;
use std::io;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use pcsc::{Context, ReaderState, Scope, State};
use proto::id::Seid;

use super::facts::{ConfigFacts, Facts, PcscFacts, PcscProblem, Silence};
use super::grids::GridFacts;
use super::listening;
use super::vchan::VchanFacts;
use crate::admin::{AdminAnswer, AdminError, AdminRequest, PinStatusView, StatusView, ask};
use crate::config::{Config, ConfigError, DomainSource, ReaderPlace};
use crate::error::Causes;
use crate::time::Now;
use crate::xen;

/// Looks at the service behind `admin`, and at the configuration: the one given, or the one that
/// the service runs with.
pub(crate) fn probe(admin: &Path, config: Option<&Path>) -> Facts {
    let service = service(admin);
    let named = service
        .as_ref()
        .ok()
        .map(|status| PathBuf::from(&status.service.config));
    let config = config.map(Path::to_owned).or(named);
    let config =
        config.map(|path| configuration(&path).map_err(|error| Causes(&error).to_string()));
    let deadline = config
        .as_ref()
        .and_then(|config| config.as_ref().ok()?.xenstore);
    let has_vchans = matches!(&config, Some(Ok(config)) if config.vchan);
    let in_readers = match &config {
        Some(Ok(config)) => !config.readers.is_empty() || config.hv_card.is_some(),
        _ => false,
    };
    let grids = match &config {
        Some(Ok(config)) => config.grids.iter().map(GridFacts::probe).collect(),
        _ => Vec::new(),
    };
    let cards = service.iter().flat_map(|status| &status.state.cards);
    let pins = cards.filter_map(|card| Some((card.seid.clone(), pin(admin, &card.seid)?)));
    Facts {
        pins: pins.collect(),
        service,
        grids,
        config,
        xenstore: deadline.map(xen::probe),
        vchan: has_vchans.then(VchanFacts::probe),
        pcsc: in_readers.then(|| PcscFacts { readers: readers() }),
        listening: listening::of_program("pcscd"),
    }
}

fn service(admin: &Path) -> Result<StatusView, Silence> {
    let silence = |error: AdminError| Silence {
        socket: admin.to_owned(),
        denied: matches!(&error, AdminError::Unavailable { source, .. }
            if source.kind() == io::ErrorKind::PermissionDenied),
        why: match error {
            AdminError::Unavailable { source, .. } => source.to_string(),
            error => Causes(&error).to_string(),
        },
    };
    match ask(admin, &AdminRequest::Status {}) {
        Ok(AdminAnswer::Status(status)) => Ok(*status),
        Ok(_) => Err(silence(AdminError::OtherAnswer)),
        Err(error) => Err(silence(error)),
    }
}

/// How the PIN of a card stands. The service asks the card only if that costs nothing.
fn pin(admin: &Path, seid: &Seid) -> Option<PinStatusView> {
    let seid = seid.clone();
    match ask(admin, &AdminRequest::CardShow { seid }) {
        Ok(AdminAnswer::Card(card)) => card.pin_status,
        // What is wrong with the service was seen before.
        _ => None,
    }
}

fn configuration(path: &Path) -> Result<ConfigFacts, ConfigError> {
    let config = Config::load(path)?;
    let now = Now::read().unix;
    let missing = config.check_files(now)?;
    let hv_end = config.hv_end();
    let in_reader = |place: &ReaderPlace| match place {
        ReaderPlace::Reader(name) => Some(name.to_string_lossy().into_owned()),
        ReaderPlace::Socket(_) | ReaderPlace::Loopback(_) | ReaderPlace::Grid(_) => None,
    };
    Ok(ConfigFacts {
        path: path.to_owned(),
        missing: missing.iter().map(ToString::to_string).collect(),
        hv: hv_end.map(|end| (end.0.saturating_sub(now.0), end)),
        xenstore: match config.domains {
            DomainSource::Xenstore => Some(config.limits.domain_read),
            DomainSource::Config(_) => None,
        },
        vchan: config.vchan,
        hv_card: config.hv_card(),
        readers: config
            .readers
            .iter()
            .filter_map(|reader| Some((reader.card.seid.clone(), in_reader(&reader.place)?)))
            .collect(),
        grids: config
            .readers
            .iter()
            .filter_map(|reader| match &reader.place {
                ReaderPlace::Grid(place) => Some((reader.card.seid.clone(), (**place).clone())),
                _ => None,
            })
            .collect(),
    })
}

/// The readers of the PC/SC service, and whether a card is in each. No card is connected to.
fn readers() -> Result<Vec<(String, bool)>, PcscProblem> {
    let other = |error: pcsc::Error| match error {
        pcsc::Error::SecurityViolation => PcscProblem::AccessDenied,
        error => PcscProblem::Other(error.to_string()),
    };
    let socket = socket();
    UnixStream::connect(&socket).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => PcscProblem::NoSocket(socket.clone()),
        io::ErrorKind::ConnectionRefused => PcscProblem::NobodyListens(socket.clone()),
        io::ErrorKind::PermissionDenied => PcscProblem::SocketDenied(socket.clone()),
        _ => PcscProblem::Other(format!("{}: {error}", socket.display())),
    })?;
    let context = Context::establish(Scope::System).map_err(other)?;
    let names = match context.list_readers_owned() {
        Err(pcsc::Error::NoReadersAvailable) => Vec::new(),
        names => names.map_err(other)?,
    };
    let state = |name: &CString| ReaderState::new(name.clone(), State::UNAWARE);
    let mut states: Vec<ReaderState> = names.iter().map(state).collect();
    if !states.is_empty() {
        let at_once = std::time::Duration::ZERO;
        context
            .get_status_change(at_once, &mut states)
            .map_err(other)?;
    }
    let seen = states.iter().map(|state| {
        let name = state.name().to_string_lossy().into_owned();
        (name, state.event_state().contains(State::PRESENT))
    });
    Ok(seen.collect())
}

/// Where the library looks for the service.
fn socket() -> PathBuf {
    let named = std::env::var_os("PCSCLITE_CSOCK_NAME");
    named.map_or_else(|| PathBuf::from("/run/pcscd/pcscd.comm"), PathBuf::from)
}
