//! The RACS server as a part of the service: its cards are those of the desk.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use proto::apdu::{CommandApdu, ResponseApdu};
use proto::id::Seid;
use tracing::warn;

use super::card_desk::CardDesk;
use super::error::ServiceError;
use super::inbox::Inbox;
use crate::admin::{AdminRequest, RacsUserView, RacsView};
use crate::broker::{Holder, LeaseRefusal};
use crate::card::{LentCard, LoanError, TransportError};
use crate::config::{Config, RacsConfig, RacsFiles};
use crate::racs::server::{Census, Element, Fault, Grid, Lent, RacsListener, RacsServer, Records};
use crate::racs::session::RacsRefusal;
use crate::time::{Now, UnixTime};

/// The server, before it serves.
pub(super) struct Racs {
    pub(super) listener: RacsListener,
    pub(super) server: RacsServer<DeskGrid>,
    pub(super) watch: RacsWatch,
}

/// What can be said of the server while it serves.
#[derive(Clone)]
pub(super) struct RacsWatch {
    listen: String,
    certificate_until: UnixTime,
    census: Census,
    records: Arc<Records>,
    users: Vec<RacsUserView>,
}

impl Racs {
    /// Listens where the configuration says; nothing where it does not.
    pub(super) fn bind(
        config: &Config,
        inbox: &Inbox,
        desk: &CardDesk,
    ) -> Result<Option<Self>, ServiceError> {
        let (Some(racs), Some(files)) = (&config.racs, config.racs_files()?) else {
            return Ok(None);
        };
        let RacsFiles {
            settings,
            certificate_until,
        } = files;
        let listener = RacsListener::bind(&racs.listen)?;
        let census = Census::new(settings.max_connections);
        let tell = inbox.clone();
        let records = Arc::new(Records::new(move |record| tell.tell_of_racs(record)));
        let watch = RacsWatch {
            listen: listener.address().to_string(),
            certificate_until,
            census: census.clone(),
            records: Arc::clone(&records),
            users: users(racs),
        };
        let grid = DeskGrid::new(desk.clone());
        Ok(Some(Self {
            listener,
            server: RacsServer::new(settings, grid, census, records),
            watch,
        }))
    }
}

impl RacsWatch {
    /// For the operator.
    pub(super) fn view(&self) -> RacsView {
        RacsView {
            listen: self.listen.clone(),
            certificate_until: self.certificate_until.to_string(),
            certificate_left_s: self.certificate_left(Now::read().unix).as_secs(),
            max_connections: self.census.limit(),
            connections: self.census.views(),
            users: self.users.clone(),
        }
    }

    fn certificate_left(&self, now: UnixTime) -> Duration {
        self.certificate_until.0.saturating_sub(now.0)
    }

    /// Ends all connections, waits a little until their cards are back, and until that is on record.
    pub(super) async fn close(&self, inbox: &Inbox) {
        self.census.close();
        let deadline = Instant::now() + CLOSE_TIME;
        while !self.census.is_empty() {
            if Instant::now() >= deadline {
                warn!("a card in the hand of a RACS user does not return from a command");
                break;
            }
            tokio::time::sleep(CLOSE_TICK).await;
        }
        self.records.tell_rest();
        // Whoever answers this has heard of all before.
        let _ = inbox.ask(AdminRequest::QueueShow {}).await;
    }
}

fn users(racs: &RacsConfig) -> Vec<RacsUserView> {
    let users = racs.users.iter();
    let view = users.map(|(name, cards)| RacsUserView {
        name: name.clone(),
        cards: cards.iter().map(|card| card.seid.clone()).collect(),
    });
    view.collect()
}

/// The cards of the service.
#[derive(Clone)]
pub(super) struct DeskGrid {
    desk: CardDesk,
    /// The guest that has this in hand; `None` for users of the server.
    guest: Option<Holder>,
    returned: Returned,
}

/// Cards that were given back, and when: until their workers have noticed, they seem to be in use.
type Returned = Arc<Mutex<BTreeMap<Seid, Instant>>>;

/// A card of the desk in a user's hand.
pub(super) struct DeskCard {
    /// `None` once it is given back.
    card: Option<LentCard>,
    seid: Seid,
    returned: Returned,
}

impl Drop for DeskCard {
    fn drop(&mut self) {
        self.card = None;
        let mut returned = lock(&self.returned);
        returned.insert(self.seid.clone(), Instant::now());
    }
}

fn lock(returned: &Returned) -> MutexGuard<'_, BTreeMap<Seid, Instant>> {
    // Each change is one.
    returned.lock().unwrap_or_else(PoisonError::into_inner)
}

impl DeskGrid {
    /// For users of the server.
    pub(super) fn new(desk: CardDesk) -> Self {
        Self {
            desk,
            guest: None,
            returned: Returned::default(),
        }
    }

    /// The same for a guest, who is the holder of what is lent here.
    pub(super) fn for_guest(&self, guest: Holder) -> Self {
        Self {
            guest: Some(guest),
            ..self.clone()
        }
    }

    /// Until when a card that was just given back may seem to be in use.
    fn returned_until(&self, seid: &Seid) -> Option<Instant> {
        let at = lock(&self.returned).get(seid).copied()?;
        Some(at + RETURN_TIME).filter(|until| Instant::now() < *until)
    }
}

impl Grid for DeskGrid {
    type Card = DeskCard;

    fn present(&self) -> Result<Vec<Seid>, RacsRefusal> {
        let cards = self.desk.list().into_iter();
        let present = cards.filter(|card| card.present).map(|card| card.seid);
        Ok(present.collect())
    }

    fn lend(&self, seid: &Seid, user: &str) -> Result<Lent<DeskCard>, RacsRefusal> {
        let begun = Instant::now();
        loop {
            // Before it is asked for: what happens in between counts.
            let seen = self.desk.releases();
            let holder = self.guest.clone();
            let holder = holder.unwrap_or_else(|| Holder::RacsUser(user.to_owned()));
            let why = match self.desk.acquire(seid, holder) {
                Ok(card) => {
                    lock(&self.returned).remove(seid);
                    let bound = card.is_bound();
                    let card = DeskCard {
                        card: Some(card),
                        seid: seid.clone(),
                        returned: Arc::clone(&self.returned),
                    };
                    return Ok(Lent { card, bound });
                }
                Err(why) => why,
            };
            // Whoever has just given it back may have it again.
            let until = match why {
                LeaseRefusal::ComingToRest => Some(begun + REST_TIME),
                LeaseRefusal::InUse => self.returned_until(seid).or_else(|| {
                    // A guest that comes back at once may be faster than the end of its connection
                    // before.
                    self.guest.is_some().then(|| begun + SAME_GUEST_TIME)
                }),
                _ => None,
            };
            match until.filter(|until| Instant::now() < *until) {
                Some(until) => self.desk.await_release(seen, until),
                None => return Err(refusal(why)),
            }
        }
    }

    fn is_free(&self, seid: &Seid) -> Result<(), RacsRefusal> {
        if self.returned_until(seid).is_some() {
            return Ok(());
        }
        let cards = self.desk.list();
        let card = cards.iter().find(|card| card.seid == *seid);
        match card {
            // That guests use it is no use of somebody else to its own guest.
            Some(card) if card.in_use && self.guest.is_none() => Err(RacsRefusal::InUse),
            Some(card) if card.lent => Err(RacsRefusal::InUse),
            _ => Ok(()),
        }
    }
}

/// What a user is told; what is wrong with the host is the operator's business.
fn refusal(why: LeaseRefusal) -> RacsRefusal {
    match why {
        LeaseRefusal::Unknown
        | LeaseRefusal::Absent
        | LeaseRefusal::NotPermitted
        | LeaseRefusal::HvKeyCard => RacsRefusal::Absent,
        LeaseRefusal::InUse | LeaseRefusal::ComingToRest => RacsRefusal::InUse,
        LeaseRefusal::Failed(how) => RacsRefusal::Hardware(how),
        LeaseRefusal::NotRecorded | LeaseRefusal::Stopping => RacsRefusal::System(why.to_string()),
    }
}

impl Element for DeskCard {
    fn transmit(&mut self, command: &CommandApdu) -> Result<ResponseApdu, Fault> {
        let card = self.card.as_mut().ok_or(Fault::Recalled)?;
        Ok(card.transmit(command)?)
    }

    fn reset(&mut self, warm: bool) -> Result<(), Fault> {
        let card = self.card.as_mut().ok_or(Fault::Recalled)?;
        match warm {
            true => card.warm_reset()?,
            false => card.cold_reset()?,
        };
        Ok(())
    }

    fn is_recalled(&self) -> bool {
        self.card.as_ref().is_none_or(LentCard::is_recalled)
    }
}

impl From<LoanError> for Fault {
    fn from(error: LoanError) -> Self {
        match error {
            LoanError::Recalled => Self::Recalled,
            LoanError::Transport(TransportError::Removed) => Self::Removed,
            LoanError::AwaitsReset | LoanError::Transport(_) => Self::Failed(error.to_string()),
        }
    }
}

/// How long a card that was given back may take to come to rest: a cold reset and its opening.
const REST_TIME: Duration = Duration::from_secs(10);
/// How long a worker may take to notice that its card was given back.
const RETURN_TIME: Duration = Duration::from_secs(1);
/// How long a guest's other connection is waited for.
const SAME_GUEST_TIME: Duration = Duration::from_millis(200);
/// How long running APDUs may take when the service ends.
const CLOSE_TIME: Duration = Duration::from_secs(2);
const CLOSE_TICK: Duration = Duration::from_millis(5);
