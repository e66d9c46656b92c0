//! One card of a grid, powered and held for us.

use std::thread;
use std::time::{Duration, Instant};

use proto::apdu::{Atr, CommandApdu, Protocol, ResponseApdu, StatusWord};
use proto::racs::{FailureClass, SeidToken, StatusCode, StatusLine};
use tracing::{debug, warn};

use super::atr;
use super::fetching::{Fetching, is_other_length};
use super::trouble::Trouble;
use crate::card::transport::{CardTransport, ChainLink, Chained, Chains, TransportError};
use crate::racs::client::{Grid, GridError, GridProblem, Played, Scripted, Session};

/// How long nothing may be asked of a server.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// After this it is asked for something, so that it does not let the card go.
    pub(super) keepalive: Duration,
    /// After this it may have let the card go.
    pub(super) lost: Duration,
}

impl Patience {
    /// A lock that is idle for 60 s is released by our servers.
    pub(super) const USUAL: Self = Self {
        keepalive: Duration::from_secs(20),
        lost: Duration::from_secs(55),
    };
}

/// A card of a grid. It is let go, and loses its power, when this is dropped.
pub(super) struct RacsTransport {
    grid: Grid,
    seid: SeidToken,
    /// `None` only while it is replaced.
    session: Option<Session>,
    atr: Atr,
    patience: Patience,
    /// Whether commands are sent together: not where the server has kept a status to itself.
    chains: bool,
    fetching: Fetching,
    trouble: Trouble,
}

impl RacsTransport {
    /// The element `seid`, which `session` has powered on; `status` is what its server said of it.
    pub(super) fn new(
        grid: &Grid,
        seid: &SeidToken,
        session: Session,
        status: &StatusLine,
        patience: Patience,
        fetching: Fetching,
        trouble: Trouble,
    ) -> Self {
        Self {
            grid: grid.clone(),
            seid: seid.clone(),
            session: Some(session),
            atr: atr::of_status(status),
            patience,
            chains: true,
            fetching,
            trouble,
        }
    }

    /// The session, if the card is still as we left it.
    fn held(&mut self) -> Result<&mut Session, TransportError> {
        let lost = self.patience.lost;
        let session = self.session.as_mut().ok_or(TransportError::Removed)?;
        if session.idle(Instant::now()) > lost {
            self.trouble.note(&self.grid.error(GridProblem::NotHeld));
            return Err(TransportError::Reset);
        }
        Ok(session)
    }

    /// A new connection, and the card on it. The old one ends first: it holds the card.
    fn reconnect(&mut self, deadline: Instant) -> Result<(), GridError> {
        self.session = None;
        let mut session = self.grid.connect(deadline)?;
        // A card that was taken from us costs the guests who wait no more than that.
        let noticed = deadline.min(Instant::now() + OLD_ENDS);
        let status = loop {
            match session.power_on(&self.seid, deadline) {
                // The server may be about to notice that the old connection has ended.
                Err(error) if is_held(&error) && Instant::now() + SHORT_WHILE < noticed => {
                    thread::sleep(SHORT_WHILE);
                }
                other => break other?,
            }
        };
        self.atr = atr::of_status(&status);
        self.session = Some(session);
        self.chains = true;
        self.fetching.forget();
        self.trouble.clear();
        Ok(())
    }

    /// RESET, or a new connection where the old one is of no use any more.
    fn reset(&mut self, warm: bool, deadline: Instant) -> Result<Atr, TransportError> {
        let worn = self.is_worn_at(Instant::now());
        let seid = self.seid.clone();
        if !worn
            && let Ok(session) = self.held()
            && session.is_open()
        {
            match session.reset(&seid, warm, deadline) {
                Ok(status) => {
                    self.atr = atr::of_status(&status);
                    self.trouble.clear();
                    return Ok(self.atr.clone());
                }
                Err(error) => debug!(%error, "RESET failed, connecting anew"),
            }
        }
        match self.reconnect(deadline) {
            Ok(()) => Ok(self.atr.clone()),
            Err(error) => Err(self.trouble.fault(&error)),
        }
    }

    fn is_worn_at(&self, now: Instant) -> bool {
        let session = self.session.as_ref();
        let replace_after = self.grid.rules.replace_after();
        match (session, replace_after) {
            (Some(session), Some(limit)) => session.age(now) >= limit,
            _ => false,
        }
    }
}

impl CardTransport for RacsTransport {
    fn atr(&self) -> &Atr {
        &self.atr
    }

    fn transmit(
        &mut self,
        command: &CommandApdu,
        deadline: Instant,
    ) -> Result<ResponseApdu, TransportError> {
        let seid = self.seid.clone();
        let answer = self.held()?.apdu(&seid, command.clone(), deadline);
        answer.map_err(|error| self.trouble.fault(&error))
    }

    fn cold_reset(&mut self, deadline: Instant) -> Result<Atr, TransportError> {
        self.reset(false, deadline)
    }

    fn warm_reset(&mut self, deadline: Instant) -> Result<Atr, TransportError> {
        self.reset(true, deadline)
    }

    fn check_present(&mut self) -> Result<(), TransportError> {
        let (seid, patience) = (self.seid.clone(), self.patience);
        let session = self.session.as_mut().ok_or(TransportError::Removed)?;
        if !session.is_open() {
            let doing = "between two requests";
            let closed = self.grid.error(GridProblem::Closed { doing });
            self.trouble.note_what_follows(&closed);
            return Err(TransportError::Removed);
        }
        let now = Instant::now();
        if session.idle(now) < patience.keepalive {
            return Ok(());
        }
        self.held()?;
        let session = self.session.as_mut().ok_or(TransportError::Removed)?;
        match session.power_on(&seid, now + KEEPALIVE_ANSWER) {
            Ok(status) if was_on(&status) => Ok(()),
            // It was let go meanwhile, and has just been given its power again.
            Ok(_) => {
                self.trouble.note(&self.grid.error(GridProblem::NotHeld));
                Err(TransportError::Removed)
            }
            Err(error) => {
                warn!(%error, "the grid does not hold the card any more");
                self.trouble.note(&error);
                Err(TransportError::Removed)
            }
        }
    }

    fn is_worn(&self) -> bool {
        self.is_worn_at(Instant::now())
    }

    fn takes_chains(&self) -> Chains {
        if !(self.chains && self.grid.rules.batches) {
            return Chains::None;
        }
        match Protocol::first_offered(&self.atr) {
            Some(Protocol::T1) => Chains::All,
            _ => Chains::Silent,
        }
    }

    fn transmit_all(&mut self, chain: &[ChainLink], apdu_timeout: Duration) -> Chained {
        let script = chain.iter().map(|link| scripted(link, &self.fetching));
        let script: Vec<Scripted> = script.collect();
        let mut done = Chained::default();
        let seid = self.seid.clone();
        while let Some(rest) = script.get(done.responses.len()..)
            && !rest.is_empty()
        {
            let session = match self.held() {
                Ok(session) => session,
                Err(error) => return done.failed(error),
            };
            let count = session.room_for(&seid, rest, usize::MAX);
            let batch = rest.get(..count).unwrap_or(rest);
            let fetches = batch.iter().any(|apdu| apdu.fetch.is_some());
            let deadline = Instant::now() + time_for(batch, apdu_timeout);
            let played = match session.play(&seid, batch, deadline) {
                Ok(played) => played,
                Err(error) => {
                    if fetches && has_no_room(&error) {
                        self.fetching.give_up();
                    }
                    return done.failed(self.trouble.fault(&error));
                }
            };
            if let Some(end) = take(&mut done, played) {
                self.chains = end.error.is_none();
                return end;
            }
        }
        self.note_fetching(&script, chain, done)
    }
}

impl RacsTransport {
    /// Learns from the last answer of a chain who is to fetch the next one.
    fn note_fetching(
        &mut self,
        script: &[Scripted],
        chain: &[ChainLink],
        mut done: Chained,
    ) -> Chained {
        let (Some(sent), Some(link), Some(answer)) =
            (script.last(), chain.last(), done.responses.last())
        else {
            return done;
        };
        if sent.fetch.is_none() {
            self.fetching.note(link, answer);
        } else if is_other_length(answer.sw) {
            self.fetching.give_up();
            let why =
                "the card wants a command with another length, and the grid does not say which";
            done.responses.pop();
            return done.failed(TransportError::Refused(why.to_owned()));
        }
        done
    }
}

/// How long a batch may take.
fn time_for(batch: &[Scripted], apdu_timeout: Duration) -> Duration {
    let fetched = batch.iter().filter(|apdu| apdu.fetch.is_some()).count();
    let apdus = batch.len().saturating_add(fetched.saturating_mul(FETCHES));
    let apdus = u32::try_from(apdus).unwrap_or(u32::MAX);
    apdu_timeout.saturating_mul(apdus).min(LONGEST)
}

/// Whether the grid may have had no room for an answer. Published servers say so with the code that also
/// means that the element was lost; what is fetched by the driver then is slower, and right.
fn has_no_room(error: &GridError) -> bool {
    let execution_or_in_use =
        |code: StatusCode| code.is(FailureClass::Execution) || code.is(FailureClass::InUse);
    matches!(&error.problem, GridProblem::Refused { code, .. } if execution_or_in_use(*code))
}

/// Adds what was played; `Some` when nothing follows.
fn take(done: &mut Chained, played: Played) -> Option<Chained> {
    let silent = || ResponseApdu::new(Vec::new(), StatusWord(0x9000));
    let answers = played.answers.into_iter();
    done.responses
        .extend(answers.map(|answer| answer.unwrap_or_else(silent)));
    let stop = played.stop?;
    let of_sw = |sw| ResponseApdu::new(Vec::new(), sw);
    let mut end = std::mem::take(done);
    match stop.answer.or_else(|| stop.sw.map(of_sw)) {
        Some(answer) => end.responses.push(answer),
        None => end.error = Some(TransportError::StatusUnseen),
    }
    Some(end)
}

fn scripted(link: &ChainLink, fetching: &Fetching) -> Scripted {
    Scripted {
        command: link.command.clone(),
        expected: link.must_succeed.then_some(StatusWord(0x9000)),
        // What must be 9000 has nothing else to say.
        answered: !link.must_succeed,
        fetch: fetching.by_grid(link),
    }
}

/// Whether POWERON did nothing: published servers and ours say that the element is on "already".
fn was_on(status: &StatusLine) -> bool {
    status.text_for_people().contains("already")
}

/// Whether another session holds the element.
fn is_held(error: &GridError) -> bool {
    matches!(&error.problem, GridProblem::Refused { code, .. } if code.is(FailureClass::InUse))
}

/// How long the answer to a sign of life may take.
const KEEPALIVE_ANSWER: Duration = Duration::from_secs(5);
/// Between two tries to get a card that our old connection held.
const SHORT_WHILE: Duration = Duration::from_millis(50);
/// By then a server has noticed that the old connection has ended.
const OLD_ENDS: Duration = Duration::from_secs(1);
/// What an answer of the known cards, 1,494 bytes, is fetched with.
const FETCHES: usize = 6;
/// A handshake has no more than this.
const LONGEST: Duration = Duration::from_secs(30);
