//! What is to be done at the nodes of domains.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use proto::id::{DomId, DomainUuid};

use super::file::TokenFile;

/// Time after which a node is looked at again though nothing is known to have changed.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// The nodes of living domains, as they were left.
#[derive(Debug, Default)]
pub(crate) struct Nodes(BTreeMap<DomId, Left>);

#[derive(Debug)]
struct Left {
    domain: DomainUuid,
    token: Option<Arc<TokenFile>>,
    at: Instant,
}

/// What is to stand at the node of a domain. It may stand there already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NodeAction {
    /// The domid.
    pub(crate) domid: DomId,
    /// The domain that must be behind it.
    pub(crate) domain: DomainUuid,
    /// Its token; `None` for no node.
    pub(crate) token: Option<Arc<TokenFile>>,
}

impl Nodes {
    /// What is to be done, given who lives and which tokens count.
    pub(crate) fn actions(
        &mut self,
        living: &BTreeMap<DomId, DomainUuid>,
        good: &BTreeMap<DomainUuid, Arc<TokenFile>>,
        now: Instant,
    ) -> Vec<NodeAction> {
        self.0
            .retain(|domid, left| living.get(domid) == Some(&left.domain));
        let actions = living.iter().map(|(domid, domain)| NodeAction {
            domid: *domid,
            domain: *domain,
            token: good.get(domain).cloned(),
        });
        actions
            .filter(|action| !self.is_done(action, now))
            .collect()
    }

    fn is_done(&self, action: &NodeAction, now: Instant) -> bool {
        let text = |token: &Option<Arc<TokenFile>>| token.as_ref().map(|token| token.text.clone());
        self.0.get(&action.domid).is_some_and(|left| {
            text(&left.token) == text(&action.token)
                && now.saturating_duration_since(left.at) < LOOK_AGAIN
        })
    }

    /// How many have a token.
    pub(crate) fn given(&self) -> usize {
        let left = self.0.values();
        left.filter(|left| left.token.is_some()).count()
    }

    /// It was done.
    pub(crate) fn done(&mut self, action: NodeAction, now: Instant) {
        let left = Left {
            domain: action.domain,
            token: action.token,
            at: now,
        };
        self.0.insert(action.domid, left);
    }

    /// It could not be done, and nobody knows what stands there now.
    pub(crate) fn failed(&mut self, domid: DomId) {
        self.0.remove(&domid);
    }

    /// Nothing is known any more, as after xenstored was restarted.
    pub(crate) fn forget(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Host, claims, domain};
    use super::*;

    fn good(host: &Host, numbers: &[u8], cti: u8) -> BTreeMap<DomainUuid, Arc<TokenFile>> {
        let token = |number: &u8| {
            let mut claims = claims(host, *number);
            claims.cti = [cti; 16];
            let text = host.token(&claims);
            let read = TokenFile::read(domain(*number), text.as_bytes(), host.certificates());
            (domain(*number), Arc::new(read.expect("good")))
        };
        numbers.iter().map(token).collect()
    }

    fn living(domids: &[(u16, u8)]) -> BTreeMap<DomId, DomainUuid> {
        let of = |(domid, number): &(u16, u8)| (DomId(*domid), domain(*number));
        domids.iter().map(of).collect()
    }

    /// Does all there is to do; the domids, and whether they got a token.
    fn step(
        nodes: &mut Nodes,
        living: &BTreeMap<DomId, DomainUuid>,
        good: &BTreeMap<DomainUuid, Arc<TokenFile>>,
        now: Instant,
    ) -> Vec<(u16, bool)> {
        let actions = nodes.actions(living, good, now);
        let steps = actions.iter().map(|a| (a.domid.0, a.token.is_some()));
        let steps = steps.collect();
        for action in actions {
            nodes.done(action, now);
        }
        steps
    }

    #[test]
    fn each_domain_gets_its_own_token_once_and_only_changes_are_written() {
        let host = Host::new();
        let (mut nodes, now) = (Nodes::default(), Instant::now());
        let two = living(&[(5, 1), (6, 2)]);
        let of_first = good(&host, &[1, 3], 1);
        let first = nodes.actions(&two, &of_first, now);
        assert_eq!(first[0].token.as_ref(), of_first.get(&domain(1)));
        assert_eq!(
            step(&mut nodes, &two, &of_first, now),
            [(5, true), (6, false)]
        );
        assert_eq!(step(&mut nodes, &two, &of_first, now), []);
        assert_eq!(nodes.given(), 1);
        // A token more, another one, and none.
        assert_eq!(
            step(&mut nodes, &two, &good(&host, &[1, 2], 1), now),
            // Signed once more, so it is another one.
            [(5, true), (6, true)]
        );
        let none = BTreeMap::new();
        assert_eq!(step(&mut nodes, &two, &none, now), [(5, false), (6, false)]);
        assert_eq!(step(&mut nodes, &two, &none, now), []);
    }

    #[test]
    fn a_rebooted_domain_gets_it_again_and_its_former_domid_nothing() {
        let host = Host::new();
        let (mut nodes, now) = (Nodes::default(), Instant::now());
        let tokens = good(&host, &[1], 1);
        assert_eq!(
            step(&mut nodes, &living(&[(5, 1)]), &tokens, now),
            [(5, true)]
        );
        assert_eq!(step(&mut nodes, &living(&[]), &tokens, now), []);
        assert_eq!(
            step(&mut nodes, &living(&[(7, 1)]), &tokens, now),
            [(7, true)]
        );
        // Another domain under the same domid.
        assert_eq!(
            step(&mut nodes, &living(&[(7, 2)]), &tokens, now),
            [(7, false)]
        );
        assert_eq!(
            step(&mut nodes, &living(&[(7, 1)]), &tokens, now),
            [(7, true)]
        );
    }

    #[test]
    fn what_failed_or_was_forgotten_is_done_again_and_all_after_a_while() {
        let host = Host::new();
        let (mut nodes, now) = (Nodes::default(), Instant::now());
        let (tokens, two) = (good(&host, &[1], 1), living(&[(5, 1), (6, 2)]));
        step(&mut nodes, &two, &tokens, now);
        nodes.failed(DomId(5));
        assert_eq!(step(&mut nodes, &two, &tokens, now), [(5, true)]);
        nodes.forget();
        let both = [(5, true), (6, false)];
        assert_eq!(step(&mut nodes, &two, &tokens, now), both);
        let almost = now + LOOK_AGAIN - Duration::from_millis(1);
        assert_eq!(step(&mut nodes, &two, &tokens, almost), []);
        assert_eq!(step(&mut nodes, &two, &tokens, now + LOOK_AGAIN), both);
    }
}
