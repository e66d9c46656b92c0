//! What the service asks: who is behind a domid, now.

use std::fmt;
use std::time::Duration;

use proto::id::{DomId, DomainUuid};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use super::census::DomainEnded;
use super::connection::Xenstored;
use super::follower::{Follower, Question, Questions};
use super::health::Health;
use super::living::Living;
use crate::mapping::{DomainFact, ReadFault, StaticDomains};

/// What an answer is given to. It is called once and must not wait.
pub type Answer = Box<dyn FnOnce(DomainFact) + Send>;

/// Knows who is behind a domid.
pub trait Domains: fmt::Debug + Send + Sync {
    /// Finds out who is behind `domid`: not from memory, but from what is there when this is
    /// called or later. What cannot be found out is [`DomainFact::Unreadable`].
    fn read(&self, domid: DomId, answer: Answer);

    /// Finds out who is there, for an operator who says names.
    fn list(&self, answer: ListAnswer);

    /// What follows xenstore, if that is where domains are known from.
    fn xenstore(&self) -> Option<&XenstoreDomains> {
        None
    }
}

/// A domain that is running, or as the configuration has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveDomain {
    /// Its domid.
    pub domid: DomId,
    /// Its UUID.
    pub uuid: DomainUuid,
    /// Its name, if it has one that can be read.
    pub name: Option<String>,
}

/// What a list of all domains is given to. It is called once and must not wait.
pub type ListAnswer = Box<dyn FnOnce(Result<Vec<LiveDomain>, ReadFault>) + Send>;

/// Waits for an answer, at most for `deadline`.
pub async fn read(domains: &dyn Domains, domid: DomId, deadline: Duration) -> DomainFact {
    let (answer, answered) = oneshot::channel();
    domains.read(
        domid,
        Box::new(|fact| {
            // Who does not wait any more does not need it.
            let _ = answer.send(fact);
        }),
    );
    match tokio::time::timeout(deadline, answered).await {
        Ok(Ok(fact)) => fact,
        Ok(Err(_)) => DomainFact::Unreadable(ReadFault::Unreachable),
        Err(_) => DomainFact::Unreadable(ReadFault::Late),
    }
}

/// The domains of the configuration never change.
impl Domains for StaticDomains {
    fn read(&self, domid: DomId, answer: Answer) {
        answer(self.fact(domid));
    }

    fn list(&self, answer: ListAnswer) {
        let live = self.iter().map(|(domid, domain)| LiveDomain {
            domid,
            uuid: domain.uuid,
            name: Some(domain.name.clone()),
        });
        answer(Ok(live.collect()));
    }
}

/// The domains of this host, as xenstore has them.
#[derive(Debug)]
pub struct XenstoreDomains {
    questions: Questions,
    living: Living,
    health: watch::Receiver<Health>,
    task: JoinHandle<()>,
}

impl XenstoreDomains {
    /// Begins to follow the domains of this host. Each request to xenstored may take `deadline`;
    /// `on_end` hears of each domain that ends, and must not wait. It all ends when this is
    /// dropped.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    #[must_use]
    pub fn follow(deadline: Duration, on_end: impl Fn(DomainEnded) + Send + 'static) -> Self {
        let (follower, questions) = Follower::new(Xenstored, deadline, on_end);
        let (living, health) = (follower.living(), follower.health());
        let task = tokio::spawn(follower.run());
        Self {
            questions,
            living,
            health,
            task,
        }
    }

    /// Who lives, from now on.
    #[must_use]
    pub fn living(&self) -> Living {
        self.living.clone()
    }

    /// How xenstored is doing.
    #[must_use]
    pub fn health(&self) -> Health {
        self.health.borrow().clone()
    }

    fn ask(&self, question: Question) {
        if let Err(unasked) = self.questions.send(question) {
            // It ends only with the service.
            unasked.0.refuse(ReadFault::Unreachable);
        }
    }
}

impl Domains for XenstoreDomains {
    fn read(&self, domid: DomId, answer: Answer) {
        self.ask(Question::One { domid, answer });
    }

    fn list(&self, answer: ListAnswer) {
        self.ask(Question::All(answer));
    }

    fn xenstore(&self) -> Option<&Self> {
        Some(self)
    }
}

impl Drop for XenstoreDomains {
    fn drop(&mut self) {
        self.task.abort();
    }
}
