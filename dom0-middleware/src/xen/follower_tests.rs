//! The follower, with a xenstore that is played.

use std::collections::BTreeMap;
use std::future::pending;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use proto::id::{DomId, DomainUuid};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::time::Instant;

use super::census::DomainEnded;
use super::follower::{Follower, Question, Questions};
use super::health::Health;
use super::living::Living;
use super::node;
use super::store::{Connect, Store, StoreError, Value};
use crate::mapping::{DomainFact, ReadFault};

const DEADLINE: Duration = Duration::from_millis(250);

/// What the played daemon knows and how it behaves.
#[derive(Default)]
pub(super) struct State {
    nodes: BTreeMap<String, Value>,
    pub(super) is_down: bool,
    pub(super) is_mute: bool,
    /// Whether watches tell nothing.
    is_quiet: bool,
    connections: usize,
    lists: usize,
}

/// A played daemon.
#[derive(Clone, Default)]
pub(super) struct Daemon {
    state: Arc<Mutex<State>>,
    changed: Arc<Notify>,
}

impl Daemon {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic")
    }

    /// Lets something happen, and the watches tell of it.
    pub(super) fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state();
        change(&mut state);
        if !state.is_quiet {
            self.changed.notify_one();
        }
    }

    async fn answer<T>(&self, of: impl FnOnce(&mut State) -> T) -> Result<T, StoreError> {
        if self.state().is_mute {
            return pending().await;
        }
        let mut state = self.state();
        match state.is_down {
            true => Err(io::Error::from(io::ErrorKind::BrokenPipe).into()),
            false => Ok(of(&mut state)),
        }
    }
}

impl State {
    pub(super) fn put(&mut self, domid: u16, vm: Value, name: Value) {
        self.nodes.insert(node::vm(DomId(domid)), vm);
        self.nodes.insert(node::name(DomId(domid)), name);
    }

    pub(super) fn domain(&mut self, domid: u16, uuid: u8, name: &str) {
        let vm = format!("/vm/{}", uuid_of(uuid));
        self.put(domid, Value::Text(vm), Value::Text(name.to_owned()));
    }

    pub(super) fn remove(&mut self, domid: u16) {
        self.nodes.remove(&node::vm(DomId(domid)));
        self.nodes.remove(&node::name(DomId(domid)));
    }
}

impl Connect for Daemon {
    type Store = Self;

    async fn connect(&self) -> Result<Self, StoreError> {
        self.answer(|state| state.connections += 1).await?;
        Ok(self.clone())
    }
}

impl Store for Daemon {
    async fn directory(&self, path: &str) -> Result<Vec<String>, StoreError> {
        let prefix = format!("{path}/");
        self.answer(|state| {
            state.lists += 1;
            let domid = |node: &String| Some(node.strip_prefix(&prefix)?.split_once('/')?.0.into());
            let mut children: Vec<String> = state.nodes.keys().filter_map(domid).collect();
            children.dedup();
            children
        })
        .await
    }

    async fn read(&self, paths: Vec<String>) -> Result<Vec<Value>, StoreError> {
        self.answer(|state| {
            let value = |path| state.nodes.get(path).cloned().unwrap_or(Value::Absent);
            paths.iter().map(value).collect()
        })
        .await
    }

    async fn changed(&self) {
        self.changed.notified().await;
    }
}

pub(super) fn uuid_of(number: u8) -> DomainUuid {
    DomainUuid::from_bytes([number; 16])
}

pub(super) fn known(uuid: u8, name: &str) -> DomainFact {
    DomainFact::Known {
        uuid: uuid_of(uuid),
        name: name.to_owned(),
    }
}

/// A follower of a played daemon that knows dom0 and domain 7.
pub(super) struct Rig {
    pub(super) daemon: Daemon,
    questions: Questions,
    pub(super) ended: mpsc::UnboundedReceiver<DomainEnded>,
    pub(super) living: Living,
    pub(super) health: watch::Receiver<Health>,
}

impl Rig {
    pub(super) fn start(daemon: Daemon) -> Self {
        let (sender, ended) = mpsc::unbounded_channel();
        let on_end = move |ended| sender.send(ended).expect("the test listens");
        let (follower, questions) = Follower::new(daemon.clone(), DEADLINE, on_end);
        let (living, health) = (follower.living(), follower.health());
        tokio::spawn(follower.run());
        Self {
            daemon,
            questions,
            ended,
            living,
            health,
        }
    }

    pub(super) fn new() -> Self {
        let daemon = Daemon::default();
        daemon.change(|state| {
            state.put(0, Value::Absent, Value::Text("Domain-0".to_owned()));
            state.domain(7, 1, "web01");
        });
        Self::start(daemon)
    }

    fn ask(&self, domid: u16) -> oneshot::Receiver<DomainFact> {
        let (answer, answered) = oneshot::channel();
        let question = Question::One {
            domid: DomId(domid),
            answer: Box::new(|fact| answer.send(fact).expect("the test waits")),
        };
        assert!(self.questions.send(question).is_ok(), "it runs");
        answered
    }

    pub(super) async fn fact(&self, domid: u16) -> DomainFact {
        self.ask(domid).await.expect("an answer")
    }

    /// Asks until domain 7 is known.
    pub(super) async fn recover(&self) {
        while self.fact(7).await != known(1, "web01") {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn each_question_is_answered_by_what_is_there_when_it_is_asked() {
    let rig = Rig::new();
    assert_eq!(rig.fact(7).await, known(1, "web01"));
    rig.daemon.state().domain(7, 1, "other");
    assert_eq!(rig.fact(7).await, known(1, "other"));
    assert_eq!(rig.fact(8).await, DomainFact::Gone);
    assert_eq!(rig.fact(0).await, DomainFact::Gone);
    rig.daemon.state().domain(8, 1, "twin");
    let shared = |other| DomainFact::Shared {
        uuid: uuid_of(1),
        other: DomId(other),
    };
    assert_eq!(rig.fact(7).await, shared(8));
    assert_eq!(rig.fact(8).await, shared(7));
}

#[tokio::test(start_paused = true)]
async fn questions_that_wait_share_a_census() {
    let rig = Rig::new();
    rig.recover().await;
    let before = rig.daemon.state().lists;
    let answers: Vec<_> = (0..100).map(|_| rig.ask(7)).collect();
    for answer in answers {
        assert_eq!(answer.await, Ok(known(1, "web01")));
    }
    assert_eq!(rig.daemon.state().lists, before + 1);
}

#[tokio::test(start_paused = true)]
async fn a_domain_that_leaves_is_told_at_once_and_once() {
    let mut rig = Rig::new();
    rig.recover().await;
    let begun = Instant::now();
    rig.daemon.change(|state| state.remove(7));
    let ended = DomainEnded {
        domid: DomId(7),
        domain: uuid_of(1),
        successor: None,
    };
    assert_eq!(rig.ended.recv().await, Some(ended));
    assert_eq!(begun.elapsed(), Duration::ZERO);
    rig.daemon.change(|_| {});
    assert_eq!(rig.fact(7).await, DomainFact::Gone);
    assert!(rig.ended.try_recv().is_err());
}

#[tokio::test(start_paused = true)]
async fn another_domain_behind_a_domid_ends_the_first_before_the_question_is_answered() {
    let mut rig = Rig::new();
    rig.recover().await;
    rig.daemon.state().domain(7, 2, "other");
    assert_eq!(rig.fact(7).await, known(2, "other"));
    let ended = rig.ended.try_recv().expect("told before");
    assert_eq!(ended.successor, Some(uuid_of(2)));
}

#[tokio::test(start_paused = true)]
async fn a_change_without_a_watch_is_found_soon() {
    let mut rig = Rig::new();
    rig.recover().await;
    rig.daemon.state().is_quiet = true;
    rig.daemon.change(|state| state.remove(7));
    let begun = Instant::now();
    assert!(rig.ended.recv().await.is_some());
    assert!(begun.elapsed() <= Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_daemon_that_does_not_answer_costs_the_deadline_and_is_left() {
    let mut rig = Rig::new();
    rig.recover().await;
    rig.daemon.state().is_mute = true;
    let begun = Instant::now();
    let late = DomainFact::Unreadable(ReadFault::Late);
    assert_eq!(rig.fact(7).await, late);
    assert_eq!(begun.elapsed(), DEADLINE);
    // From now on no question waits longer than an attempt to connect.
    for _ in 0..100 {
        let asked = Instant::now();
        let refused = rig.fact(7).await;
        assert_eq!(refused, DomainFact::Unreadable(ReadFault::Unreachable));
        assert!(asked.elapsed() <= DEADLINE);
    }
    rig.daemon.state().is_mute = false;
    rig.recover().await;
    assert_eq!(rig.daemon.state().connections, 2);
    assert!(rig.ended.try_recv().is_err(), "nobody has ended");
}

#[tokio::test(start_paused = true)]
async fn a_daemon_that_comes_back_is_found_and_compared_with_before() {
    let mut rig = Rig::new();
    rig.recover().await;
    rig.daemon.state().is_down = true;
    let unreachable = DomainFact::Unreadable(ReadFault::Unreachable);
    assert_eq!(rig.fact(7).await, unreachable);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(rig.fact(7).await, unreachable);
    // It has forgotten everything: that does not mean that anybody is gone.
    rig.daemon.change(|state| {
        state.is_down = false;
        state.nodes.clear();
    });
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(rig.fact(7).await, unreachable);
    assert!(rig.ended.try_recv().is_err());
    rig.daemon.change(|state| {
        state.put(0, Value::Absent, Value::Absent);
        state.domain(8, 1, "web01");
    });
    assert_eq!(
        rig.ended.recv().await.map(|ended| ended.domid),
        Some(DomId(7))
    );
    assert_eq!(rig.fact(8).await, known(1, "web01"));
}

#[tokio::test(start_paused = true)]
async fn a_daemon_that_is_not_there_yet_is_waited_for() {
    let daemon = Daemon::default();
    daemon.state().is_down = true;
    let rig = Rig::start(daemon);
    let begun = Instant::now();
    let unreachable = DomainFact::Unreadable(ReadFault::Unreachable);
    assert_eq!(rig.fact(7).await, unreachable);
    assert_eq!(begun.elapsed(), Duration::ZERO);
    tokio::time::sleep(Duration::from_secs(60)).await;
    rig.daemon.change(|state| {
        state.is_down = false;
        state.put(0, Value::Absent, Value::Absent);
        state.domain(7, 1, "web01");
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(rig.fact(7).await, known(1, "web01"));
}

#[tokio::test(start_paused = true)]
async fn garbage_at_one_domain_is_said_of_it_and_of_no_other() {
    let rig = Rig::new();
    rig.daemon
        .state()
        .put(8, Value::NotText, Value::Text("x".to_owned()));
    let malformed = DomainFact::Unreadable(ReadFault::Malformed("vm"));
    assert_eq!(rig.fact(8).await, malformed);
    assert_eq!(rig.fact(7).await, known(1, "web01"));
}
