//! Who lives, and how xenstored is doing, with a xenstore that is played.

use std::collections::BTreeMap;
use std::time::Duration;

use proto::id::{DomId, DomainUuid};
use tokio::time::{Instant, timeout};

use super::follower_tests::{Daemon, Rig, known, uuid_of};
use super::health::Health;
use super::store::Value;
use crate::mapping::DomainFact;

/// Longer than anything takes here, on a clock that does not wait.
const SOON: Duration = Duration::from_secs(5);

impl Rig {
    /// Who lives, once that has changed.
    async fn next_living(&mut self) -> BTreeMap<DomId, DomainUuid> {
        let changed = timeout(SOON, self.living.changed()).await;
        changed.expect("in time").expect("it runs");
        BTreeMap::clone(&self.living.borrow_and_update())
    }

    /// How xenstored is doing, once it is so.
    async fn health_when(&mut self, is_so: impl FnMut(&Health) -> bool) -> Health {
        let health = timeout(SOON, self.health.wait_for(is_so)).await;
        health.expect("in time").expect("it runs").clone()
    }
}

fn living<const N: usize>(domains: [(u16, u8); N]) -> BTreeMap<DomId, DomainUuid> {
    let domains = domains.map(|(domid, uuid)| (DomId(domid), uuid_of(uuid)));
    BTreeMap::from(domains)
}

#[tokio::test(start_paused = true)]
async fn who_comes_and_who_goes_is_told() {
    let mut rig = Rig::new();
    assert_eq!(rig.next_living().await, living([(7, 1)]));
    rig.daemon.change(|state| state.domain(8, 2, "mail"));
    assert_eq!(rig.next_living().await, living([(7, 1), (8, 2)]));
    rig.daemon.change(|state| state.remove(7));
    assert_eq!(rig.next_living().await, living([(8, 2)]));
    // A look that finds the same is no news.
    rig.daemon.change(|_| {});
    assert_eq!(rig.fact(8).await, known(2, "mail"));
    assert!(!rig.living.has_changed().expect("it runs"));
}

#[tokio::test(start_paused = true)]
async fn a_rename_changes_nothing_but_the_name() {
    let mut rig = Rig::new();
    assert_eq!(rig.next_living().await, living([(7, 1)]));
    rig.daemon.change(|state| state.domain(7, 1, "renamed"));
    assert_eq!(rig.fact(7).await, known(1, "renamed"));
    assert!(rig.ended.try_recv().is_err(), "nobody has ended");
    assert!(!rig.living.has_changed().expect("it runs"));
}

#[tokio::test(start_paused = true)]
async fn after_save_and_restore_the_same_uuid_has_another_domid() {
    let mut rig = Rig::new();
    assert_eq!(rig.next_living().await, living([(7, 1)]));
    // `xl save` ends the domain, `xl restore` makes one.
    rig.daemon.change(|state| state.remove(7));
    let ended = rig.ended.recv().await.expect("it has ended");
    assert_eq!((ended.domid, ended.successor), (DomId(7), None));
    assert_eq!(rig.next_living().await, living([]));
    rig.daemon.change(|state| state.domain(9, 1, "web01"));
    assert_eq!(rig.next_living().await, living([(9, 1)]));
    assert_eq!(rig.fact(9).await, known(1, "web01"));
    assert_eq!(rig.fact(7).await, DomainFact::Gone);
}

#[tokio::test(start_paused = true)]
async fn while_two_domains_have_one_uuid_neither_is_told_of() {
    // As within `xl migrate localhost`: the new one is there before the old one goes.
    let mut rig = Rig::new();
    assert_eq!(rig.next_living().await, living([(7, 1)]));
    rig.daemon
        .change(|state| state.domain(9, 1, "web01--incoming"));
    assert_eq!(rig.next_living().await, living([]));
    assert!(rig.ended.try_recv().is_err(), "it lives all the same");
    rig.daemon.change(|state| {
        state.remove(7);
        state.domain(9, 1, "web01");
    });
    assert_eq!(rig.next_living().await, living([(9, 1)]));
}

#[tokio::test(start_paused = true)]
async fn nobody_is_gone_because_xenstored_is() {
    let mut rig = Rig::new();
    assert_eq!(rig.next_living().await, living([(7, 1)]));
    rig.daemon.change(|state| state.is_down = true);
    rig.health_when(|health| health.trouble.is_some()).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(!rig.living.has_changed().expect("it runs"));
    rig.daemon.change(|state| state.is_down = false);
    rig.recover().await;
    assert!(!rig.living.has_changed().expect("it runs"));
}

#[tokio::test(start_paused = true)]
async fn how_xenstored_is_doing_is_known_at_any_time() {
    let daemon = Daemon::default();
    daemon.state().is_down = true;
    let mut rig = Rig::start(daemon);
    let begun = Instant::now();
    let at_start = rig.health.borrow().clone();
    assert!(at_start.trouble.is_some_and(|trouble| !trouble.is_mute));
    rig.daemon.change(|state| {
        state.is_down = false;
        state.put(0, Value::Absent, Value::Absent);
        state.domain(7, 1, "web01");
    });
    let health = rig.health_when(|health| health.trouble.is_none()).await;
    assert_eq!(health.domains, 2);

    tokio::time::sleep(SOON).await;
    let silent = Instant::now();
    assert!(silent > begun);
    rig.daemon.change(|state| state.is_mute = true);
    let health = rig.health_when(|health| health.trouble.is_some()).await;
    let trouble = health.trouble.expect("it is mute");
    assert!(trouble.is_mute && trouble.problem.contains("does not answer within 250 ms"));
    assert!(trouble.since >= silent);
    assert_eq!(health.domains, 2, "as it was");

    // It ends altogether: another trouble, and as long as there was any.
    rig.daemon
        .change(|state| (state.is_mute, state.is_down) = (false, true));
    let is_gone = |health: &Health| health.trouble.as_ref().is_some_and(|t| !t.is_mute);
    let gone = rig.health_when(is_gone).await.trouble.expect("it is gone");
    assert_eq!(gone.since, trouble.since);
    rig.daemon.change(|state| state.is_down = false);
    rig.health_when(|health| health.trouble.is_none()).await;
}
