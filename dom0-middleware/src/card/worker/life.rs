//! The life of a worker: a card comes, is opened, serves, fails, is brought back, leaves.

use std::sync::Arc;
use std::time::{Duration, Instant};

use proto::id::IdentityName;
use proto::repeated::Repeated;
use ring::rand::{SecureRandom, SystemRandom};
use tracing::{debug, info, warn};

use super::inbox::Inbox;
use super::link::Link;
use super::opening::OpenCard;
use super::session::Orders;
use crate::card::eap_tls::OfferedSession;
use crate::card::error::CardError;
use crate::card::handle::CardRecords;
use crate::card::report::{Reopen, Reporter, WorkerCommand, WorkerReport};
use crate::card::settings::CardSettings;
use crate::card::transport::{CardSource, SourceTrouble, TransportError};
use crate::card::trust::Believed;

/// How often a worker looks up from its command channel.
pub(super) const TICK: Duration = Duration::from_millis(100);

/// The longest a card may take to power up.
const POWER_UP: Duration = Duration::from_secs(5);

/// How often a card that waits for a PIN file is looked after.
const PIN_CHECK: Duration = Duration::from_secs(1);

/// First and longest wait before an unusable card is tried again.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LONGEST_RETRY: Duration = Duration::from_secs(30);

/// Everything one card's thread owns.
pub(in crate::card) struct Worker {
    pub(super) settings: CardSettings,
    pub(super) source: Box<dyn CardSource>,
    pub(super) records: CardRecords,
    pub(super) report: Reporter,
    pub(super) phase: Phase,
    /// The one session the card may offer; dies with every opening.
    pub(super) session: Option<OfferedSession>,
    /// Whom its handshakes have believed.
    pub(super) believed: Arc<Believed>,
    retry_after: Duration,
    /// What the broker was last told of an unusable card: said once.
    pub(super) told: Option<CardError>,
    /// What it was last told of the source.
    trouble: Option<SourceTrouble>,
    /// What was said of what came and is no card.
    strangers: Repeated,
}

/// How the card is.
pub(super) enum Phase {
    Absent {
        look_again: Instant,
    },
    Unusable {
        link: Link,
        why: CardError,
        retry_at: Instant,
    },
    Ready(Ready),
}

pub(super) struct Ready {
    pub(super) link: Link,
    pub(super) opened: OpenCard,
    /// What this card offers instead of a session it was made to forget.
    pub(super) stand_in: [u8; 32],
    /// The identity that a handshake has left it under, at rest.
    pub(super) rests_under: Option<IdentityName>,
}

impl Worker {
    pub(in crate::card) fn new(
        settings: CardSettings,
        source: Box<dyn CardSource>,
        records: CardRecords,
        report: Reporter,
    ) -> Self {
        Self {
            settings,
            source,
            records,
            report,
            phase: Phase::Absent {
                look_again: Instant::now(),
            },
            session: None,
            believed: Arc::default(),
            retry_after: FIRST_RETRY,
            told: None,
            trouble: None,
            strangers: Repeated::default(),
        }
    }

    /// Serves until told to stop.
    pub(in crate::card) fn run(mut self, inbox: Inbox) {
        let mut stop = false;
        while !stop {
            self.look();
            match inbox.wait(TICK) {
                Some(WorkerCommand::Stop) => stop = true,
                Some(WorkerCommand::Start(job)) => {
                    let orders = self.serve(&job, &inbox);
                    stop = self.obey(orders);
                }
                Some(WorkerCommand::Sign(job)) => {
                    let orders = self.sign(*job, &inbox);
                    stop = self.obey(orders);
                }
                Some(WorkerCommand::Lend(job)) => {
                    let orders = self.lend(*job, &inbox);
                    stop = self.obey(orders);
                }
                Some(WorkerCommand::Reopen(order)) => self.reopen(order),
                Some(WorkerCommand::LookAtPin(inquiry)) => self.look_at_pin(inquiry),
                Some(WorkerCommand::ForgetSession) => self.session = None,
                // Of a use that is over.
                Some(
                    WorkerCommand::ServerRecords { .. }
                    | WorkerCommand::Cancel { .. }
                    | WorkerCommand::Recall { .. }
                    | WorkerCommand::Returned { .. },
                ) => {}
                None => {}
            }
        }
    }

    /// Does what was ordered in the middle of a use; whether the worker ends.
    fn obey(&mut self, orders: Orders) -> bool {
        let reopen = orders.reopen;
        reopen.into_iter().for_each(|order| self.reopen(order));
        orders.stop
    }

    pub(super) fn tell(&self, report: WorkerReport) {
        (self.report)(self.settings.seid.clone(), report);
    }

    /// Sees cards come and go, and tries an unusable one again when it is time.
    fn look(&mut self) {
        let transport = match &mut self.phase {
            Phase::Absent { look_again } => {
                if Instant::now() >= *look_again {
                    self.admit();
                    self.tell_trouble();
                }
                return;
            }
            Phase::Unusable { link, .. } => &mut link.transport,
            Phase::Ready(ready) => &mut ready.link.transport,
        };
        if let Err(error) = transport.check_present() {
            self.lose(error.into());
            self.admit();
            return;
        }
        let count = self.source.refuse_surplus();
        if count > 0 {
            warn!(seid = %self.settings.seid, count, "a second card connected and was refused");
            self.tell(WorkerReport::SurplusRefused { count });
        }
        if self.is_due() {
            self.retry();
        }
        self.renew();
    }

    /// Makes the way to an idle card anew when it is worn: nobody hears of it.
    fn renew(&mut self) {
        match self.take_phase() {
            Phase::Ready(ready) if ready.link.transport.is_worn() => {
                debug!(seid = %self.settings.seid, "connecting to the card anew");
                self.recover(ready.link, Some(ready.opened));
            }
            other => self.phase = other,
        }
    }

    /// Tells why no card can come, when that changes.
    fn tell_trouble(&mut self) {
        let trouble = self.source.trouble();
        if self.trouble != trouble {
            self.trouble.clone_from(&trouble);
            self.tell(WorkerReport::Trouble { trouble });
        }
    }

    /// Whether an unusable card should be tried again now.
    fn is_due(&mut self) -> bool {
        let Phase::Unusable { why, retry_at, .. } = &mut self.phase else {
            return false;
        };
        // To try again would be to send the PIN to a card it does not belong to.
        if why.awaits_adoption() || Instant::now() < *retry_at {
            return false;
        }
        if why.awaits_pin() {
            *retry_at = Instant::now() + PIN_CHECK;
            return self.has_fresh_pin();
        }
        true
    }

    /// Takes a card that arrived.
    fn admit(&mut self) {
        match self.source.poll(Instant::now() + POWER_UP) {
            Ok(None) => {}
            Ok(Some(transport)) => {
                info!(seid = %self.settings.seid, atr = %transport.atr(), "card arrived");
                self.retry_after = FIRST_RETRY;
                let link = Link::new(transport, self.settings.apdu_timeout);
                self.open(link, None);
            }
            Err(error) => {
                if let Some(left_out) = self.strangers.failed(Instant::now()) {
                    warn!(
                        seid = %self.settings.seid, %error, left_out,
                        "something arrived that is no card"
                    );
                }
                self.phase = Phase::Absent {
                    look_again: Instant::now() + FIRST_RETRY,
                };
            }
        }
    }

    /// Opens a card that was just powered up. `before` is what it was when it last was ready, if
    /// it did not leave since.
    fn open(&mut self, link: Link, before: Option<OpenCard>) {
        self.open_as(link, before, Reopen::default());
    }

    /// The same, with what the operator has just said about it.
    pub(super) fn open_as(&mut self, mut link: Link, before: Option<OpenCard>, order: Reopen) {
        self.session = None;
        let mut stand_in = [0; 32];
        if SystemRandom::new().fill(&mut stand_in).is_err() {
            // Without randomness no session may be run; the next try may find some.
            self.set_aside(link, TransportError::Io(std::io::ErrorKind::Other).into());
            return;
        }
        match self.open_or_adopt(&mut link, stand_in, order) {
            Ok(found) => {
                self.retry_after = FIRST_RETRY;
                self.told = None;
                let opened = found.opened;
                if found.adopted || before.as_ref() != Some(&opened) {
                    let identities = opened.identities();
                    info!(seid = %self.settings.seid, identities = identities.len(), "card is ready");
                    self.tell(WorkerReport::Present {
                        atr: link.transport.atr().clone(),
                        profile: self.settings.profile.name().to_owned(),
                        identities,
                        features: opened.features(),
                        fingerprint: found.fingerprint,
                        adopted: found.adopted,
                    });
                }
                self.phase = Phase::Ready(Ready {
                    link,
                    opened,
                    stand_in,
                    rests_under: None,
                });
            }
            Err(error @ CardError::Transport(TransportError::Removed)) => self.lose(error),
            Err(error) => {
                // Another card may have got its PIN before it was known for what it is.
                if error.awaits_adoption()
                    && let Err(error) = link.cold_reset()
                {
                    self.lose(error.into());
                    return;
                }
                self.set_aside(link, error);
            }
        }
    }

    /// Keeps a card that cannot be used, to try it again later.
    pub(super) fn set_aside(&mut self, link: Link, why: CardError) {
        warn!(seid = %self.settings.seid, error = %why, "card cannot be used");
        let wait = match why.awaits_pin() {
            true => PIN_CHECK,
            false => self.retry_after,
        };
        self.retry_after = (self.retry_after * 2).min(LONGEST_RETRY);
        if self.told.as_ref() != Some(&why) {
            self.tell(WorkerReport::Unusable { why: why.clone() });
            self.told = Some(why.clone());
        }
        self.phase = Phase::Unusable {
            link,
            why,
            retry_at: Instant::now() + wait,
        };
    }

    /// Lets a card go that is not there any more, or does not even answer to reset.
    pub(super) fn lose(&mut self, why: CardError) {
        warn!(seid = %self.settings.seid, error = %why, "card is gone");
        self.session = None;
        self.phase = Phase::Absent {
            look_again: Instant::now(),
        };
        self.told = None;
        // First, so that whoever asks about a card that is gone is told why there is none.
        self.tell_trouble();
        self.tell(WorkerReport::Gone { why });
    }

    fn retry(&mut self) {
        let phase = self.take_phase();
        if let Phase::Unusable { link, .. } = phase {
            self.recover(link, None);
        }
    }

    /// Cold reset and a new opening.
    pub(super) fn recover(&mut self, mut link: Link, before: Option<OpenCard>) {
        match link.cold_reset() {
            Ok(()) => self.open(link, before),
            Err(error) => self.lose(error.into()),
        }
    }

    pub(super) fn take_phase(&mut self) -> Phase {
        let absent = Phase::Absent {
            look_again: Instant::now(),
        };
        std::mem::replace(&mut self.phase, absent)
    }
}
