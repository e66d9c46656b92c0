//! The one task that asks xenstore who is who, and notices who comes and goes.
//!
//! Each question is answered from a census that was begun after it was asked; questions that come
//! meanwhile wait for the next one and share it, so guests cannot make xenstored count domains
//! more than once at a time. Each census is compared with the one before. A census is also taken
//! when a watch tells of a change, and the list of domains is looked at once a second: a watch that
//! was missed is noticed then, and a daemon that has become mute.

use std::time::Duration;

use proto::id::DomId;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tracing::{debug, info, warn};

use super::census::{Census, DomainEnded};
use super::counting::{Asked, census, domids};
use super::domains::{Answer, ListAnswer};
use super::health::Health;
use super::living::{Living, TellLiving};
use super::probe::XenstoreFault;
use super::store::{Connect, Store, StoreError, Value};
use crate::mapping::{DomainFact, ReadFault};

/// Time between two looks at the list of domains when nothing else happens.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Time before the first and at most before each further attempt to connect.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// What can be asked.
pub(super) enum Question {
    /// Who is behind a domid?
    One {
        /// Which one.
        domid: DomId,
        /// Whom to tell.
        answer: Answer,
    },
    /// Who is there?
    All(ListAnswer),
}

impl Question {
    /// Answers that it cannot be found out.
    pub(super) fn refuse(self, fault: ReadFault) {
        match self {
            Self::One { answer, .. } => answer(DomainFact::Unreadable(fault)),
            Self::All(answer) => answer(Err(fault)),
        }
    }
}

/// The way to ask.
pub(super) type Questions = UnboundedSender<Question>;

/// Follows the domains of this host until nobody can ask any more.
pub(super) struct Follower<C> {
    connect: C,
    deadline: Duration,
    on_end: Box<dyn Fn(DomainEnded) + Send>,
    questions: UnboundedReceiver<Question>,
    /// The last census, over all connections.
    census: Option<Census>,
    living: TellLiving,
    health: watch::Sender<Health>,
}

/// Why a connection is given up.
enum Parting {
    /// It is of no more use.
    Lost(StoreError),
    /// Nobody asks any more.
    Done,
}

impl From<StoreError> for Parting {
    fn from(error: StoreError) -> Self {
        Self::Lost(error)
    }
}

impl<C: Connect> Follower<C> {
    /// A follower whose requests may each take `deadline`.
    pub(super) fn new(
        connect: C,
        deadline: Duration,
        on_end: impl Fn(DomainEnded) + Send + 'static,
    ) -> (Self, Questions) {
        // Who asks waits for the answer, and has a bound of its own on how many may wait.
        let (sender, questions) = unbounded_channel();
        let follower = Self {
            connect,
            deadline,
            on_end: Box::new(on_end),
            questions,
            census: None,
            living: TellLiving::default(),
            health: watch::Sender::new(Health::at_start(Instant::now())),
        };
        (follower, sender)
    }

    /// Who lives, as of the last census.
    pub(super) fn living(&self) -> Living {
        self.living.listen()
    }

    /// How xenstored is doing.
    pub(super) fn health(&self) -> watch::Receiver<Health> {
        self.health.subscribe()
    }

    /// Follows.
    pub(super) async fn run(mut self) {
        let mut pause = FIRST_PAUSE;
        let mut is_lost = false;
        loop {
            let parting = match self.open().await {
                Err(error) => Parting::Lost(error),
                Ok(store) => {
                    info!("xenstored answers");
                    (pause, is_lost) = (FIRST_PAUSE, false);
                    self.serve(&store).await
                }
            };
            match parting {
                Parting::Done => return,
                Parting::Lost(error) => self.lost(error, is_lost),
            }
            is_lost = true;
            if !self.refuse_for(pause).await {
                return;
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// A connection over which a census could be taken.
    async fn open(&mut self) -> Result<C::Store, StoreError> {
        let connecting = timeout(self.deadline, self.connect.connect());
        let store = connecting
            .await
            .map_err(|_| StoreError::Late(self.deadline))??;
        self.count(&store, Vec::new()).await?;
        Ok(store)
    }

    /// Answers and watches for as long as the connection holds.
    async fn serve(&mut self, store: &C::Store) -> Parting {
        let mut look_at = Instant::now() + LOOK_EVERY;
        loop {
            let served = tokio::select! {
                question = self.questions.recv() => match question {
                    Some(question) => self.answer(store, question).await,
                    None => return Parting::Done,
                },
                () = store.changed() => self.count(store, Vec::new()).await,
                () = sleep_until(look_at) => {
                    look_at = Instant::now() + LOOK_EVERY;
                    self.look(store).await
                }
            };
            if let Err(error) = served {
                return error.into();
            }
        }
    }

    /// Answers a question and all that wait behind it.
    async fn answer(&mut self, store: &C::Store, first: Question) -> Result<(), StoreError> {
        let mut asked = vec![first];
        while let Ok(question) = self.questions.try_recv() {
            asked.push(question);
        }
        self.count(store, asked).await
    }

    /// Takes a census if other domains live than in the last one.
    async fn look(&mut self, store: &C::Store) -> Result<(), StoreError> {
        let looking = timeout(self.deadline, domids(store));
        let domids = looking
            .await
            .map_err(|_| StoreError::Late(self.deadline))??;
        let last = self.census.iter().flat_map(Census::domids);
        if last.eq(domids) {
            return Ok(());
        }
        self.count(store, Vec::new()).await
    }

    /// Takes a census, tells of those who have ended, and answers questions.
    async fn count(
        &mut self,
        store: &C::Store,
        questions: Vec<Question>,
    ) -> Result<(), StoreError> {
        let asked = Asked::by(&questions);
        let counting = timeout(self.deadline, census(store, asked));
        let late = |_| Err(StoreError::Late(self.deadline));
        match counting.await.unwrap_or_else(late) {
            Ok((census, names)) => {
                self.compare(&census);
                self.living.tell(&census);
                self.health
                    .send_replace(Health::answering(census.domids().count()));
                for question in questions {
                    match question {
                        Question::One { domid, answer } => {
                            let name = names.get(&domid).unwrap_or(&Value::Absent);
                            answer(census.fact(domid, name));
                        }
                        Question::All(answer) => answer(Ok(census.live(&names))),
                    }
                }
                self.census = Some(census);
                Ok(())
            }
            Err(error) => {
                for question in questions {
                    question.refuse(fault(&error));
                }
                Err(error)
            }
        }
    }

    fn compare(&self, census: &Census) {
        for ended in self.census.iter().flat_map(|last| last.ended(census)) {
            info!(domid = %ended.domid, domain = %ended.domain, "domain ended");
            (self.on_end)(ended);
        }
    }

    /// Notes what is wrong, and says it; in the log once, not with each attempt.
    fn lost(&self, error: StoreError, again: bool) {
        let fault = XenstoreFault::from(error);
        let is_mute = fault.is_mute();
        let problem = fault.to_string();
        self.health
            .send_modify(|health| health.lost(is_mute, problem, Instant::now()));
        match again {
            true => debug!(%fault, "xenstore still cannot be read"),
            false => {
                let cure = fault.cure();
                warn!(%fault, cure, "xenstore cannot be read; guests are refused until it can");
            }
        }
    }

    /// Answers that nothing can be read, for a time; `false` when nobody can ask any more.
    async fn refuse_for(&mut self, time: Duration) -> bool {
        let over = sleep(time);
        tokio::pin!(over);
        loop {
            tokio::select! {
                () = &mut over => return true,
                question = self.questions.recv() => match question {
                    Some(question) => question.refuse(ReadFault::Unreachable),
                    None => return false,
                },
            }
        }
    }
}

fn fault(error: &StoreError) -> ReadFault {
    match error {
        StoreError::Late(_) => ReadFault::Late,
        StoreError::Connect(_) | StoreError::Io(_) | StoreError::Empty => ReadFault::Unreachable,
    }
}
