//! A vchan for each bound domain that runs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use proto::id::{DomId, DomainUuid};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tracing::{debug, info, warn};
use xen_channel::{LibraryError, Libxenvchan, Role};

use super::bound::BoundDomains;
use super::guests::{self, Door};
use crate::admin::ChannelView;
use crate::channel::tls::ChannelTls;
use crate::channel::{Place, VchanChannel};
use crate::xen::{ChannelNodes, Living};

/// Domains that have a vchan now, for who asks.
pub(super) type Served = watch::Receiver<Arc<BTreeMap<DomId, DomainUuid>>>;

/// Time for removing all nodes at the end.
const STOP_TIME: Duration = Duration::from_secs(1);

/// Has a vchan for each bound domain that runs.
pub(super) struct Vchans {
    library: Arc<Libxenvchan>,
    tls: ChannelTls,
    door: Door,
    nodes: ChannelNodes,
    served: watch::Sender<Arc<BTreeMap<DomId, DomainUuid>>>,
    servers: BTreeMap<DomId, AbortHandle>,
    tasks: JoinSet<()>,
    /// One for each domid that has or had a server which may not be closed yet.
    places: BTreeMap<DomId, Place>,
}

/// What has to happen to have the domains served that should be.
#[derive(Debug, Default, PartialEq, Eq)]
struct Changes {
    end: Vec<DomId>,
    begin: Vec<(DomId, DomainUuid)>,
}

/// Who should be served: who lives and is bound.
fn wanted(
    living: &BTreeMap<DomId, DomainUuid>,
    bound: &BTreeSet<DomainUuid>,
) -> BTreeMap<DomId, DomainUuid> {
    let is_guest = |domid: DomId| domid != DomId(0);
    let living = living.iter().map(|(domid, domain)| (*domid, *domain));
    living
        .filter(|(domid, domain)| is_guest(*domid) && bound.contains(domain))
        .collect()
}

impl Changes {
    /// Another UUID under a domid is another domain: the one ends and the other begins.
    fn between(served: &BTreeMap<DomId, DomainUuid>, wanted: &BTreeMap<DomId, DomainUuid>) -> Self {
        let missing = |from: &BTreeMap<DomId, DomainUuid>, domid: &DomId, domain: &DomainUuid| {
            from.get(domid) != Some(domain)
        };
        let end = served.iter().filter(|(id, who)| missing(wanted, id, who));
        let begin = wanted.iter().filter(|(id, who)| missing(served, id, who));
        Self {
            end: end.map(|(domid, _)| *domid).collect(),
            begin: begin.map(|(domid, domain)| (*domid, *domain)).collect(),
        }
    }
}

impl Vchans {
    /// None yet, at these nodes; and what tells which there are.
    pub(super) fn new(
        library: Arc<Libxenvchan>,
        tls: ChannelTls,
        door: Door,
        nodes: ChannelNodes,
    ) -> (Self, Served) {
        let (served, receiver) = watch::channel(Arc::default());
        let vchans = Self {
            library,
            tls,
            door,
            nodes,
            served,
            servers: BTreeMap::new(),
            tasks: JoinSet::new(),
            places: BTreeMap::new(),
        };
        (vchans, receiver)
    }

    /// Serves until nobody tells any more who lives or who is bound.
    pub(super) async fn run(mut self, mut living: Living, mut bound: BoundDomains) {
        if let Err(error) = self.nodes.clear().await {
            warn!(%error, "nodes of vchans that an earlier run has left cannot be removed now; \
                           each is when its domain is served");
        }
        loop {
            let wanted = wanted(&living.borrow_and_update(), &bound.borrow_and_update());
            self.serve(wanted);
            let told = tokio::select! {
                told = living.changed() => told,
                told = bound.changed() => told,
                // Those that were ended, so that they do not pile up.
                Some(_) = self.tasks.join_next() => Ok(()),
            };
            if told.is_err() {
                return;
            }
        }
    }

    fn serve(&mut self, wanted: BTreeMap<DomId, DomainUuid>) {
        let served = Arc::clone(&self.served.borrow());
        let changes = Changes::between(&served, &wanted);
        if changes == Changes::default() {
            return;
        }
        for domid in changes.end {
            self.end(domid);
        }
        for (domid, domain) in changes.begin {
            self.begin(domid, domain);
        }
        self.places
            .retain(|domid, place| wanted.contains_key(domid) || Arc::strong_count(place) > 1);
        self.served.send_replace(Arc::new(wanted));
    }

    fn begin(&mut self, domid: DomId, domain: DomainUuid) {
        info!(%domid, %domain, "vchan for a bound domain");
        let place = Arc::clone(self.places.entry(domid).or_default());
        let channel = VchanChannel::new(
            (domid, domain),
            Arc::clone(&self.library),
            self.tls.clone(),
            self.nodes.clone(),
            place,
        );
        let server = self.tasks.spawn(guests::accept(channel, self.door.clone()));
        self.servers.insert(domid, server);
    }

    /// A connection that stands is the broker's to end.
    fn end(&mut self, domid: DomId) {
        info!(%domid, "no vchan any more: its domain has ended, or is not bound");
        if let Some(server) = self.servers.remove(&domid) {
            server.abort();
        }
        let Some(place) = self.places.get(&domid).map(Arc::clone) else {
            return;
        };
        let nodes = self.nodes.clone();
        self.tasks.spawn(async move {
            // Once it is closed, and unless another one is open by then.
            let _place = place.lock_owned().await;
            if let Err(error) = nodes.remove(domid).await {
                debug!(%domid, %error, "the node of a vchan stays until the next start");
            }
        });
    }
}

/// The library, and a word of what is missing beside it.
pub(super) fn library() -> Result<Arc<Libxenvchan>, LibraryError> {
    let library = Libxenvchan::open()?;
    info!(library = %library.name().display(), "libxenvchan opened");
    for device in Role::Server.missing_devices() {
        warn!(%device, "no vchan can be made without it");
    }
    Ok(library)
}

/// Removes all nodes when the service ends.
pub(super) async fn remove_all() {
    let nodes = ChannelNodes::for_agents();
    for nodes in [nodes.for_racs(), nodes] {
        let cleared = tokio::time::timeout(STOP_TIME, nodes.clear());
        if !matches!(cleared.await, Ok(Ok(()))) {
            debug!("nodes of vchans stay until the next start");
        }
    }
}

/// How they are shown among the channels.
pub(super) fn views(served: &Served) -> Vec<ChannelView> {
    let served = served.borrow();
    let nodes = ChannelNodes::for_agents();
    let view = |(domid, domain): (&DomId, &DomainUuid)| ChannelView {
        kind: "vchan".to_owned(),
        path: nodes.path(*domid),
        domid: *domid,
        domain: Some(*domain),
        insecure_development: false,
    };
    served.iter().map(view).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uuid(number: u8) -> DomainUuid {
        DomainUuid::from_bytes([number; 16])
    }

    fn domains(of: &[(u16, u8)]) -> BTreeMap<DomId, DomainUuid> {
        let domain = |(domid, number): &(u16, u8)| (DomId(*domid), uuid(*number));
        of.iter().map(domain).collect()
    }

    #[test]
    fn who_lives_and_is_bound_is_served_and_never_dom0() {
        let living = domains(&[(0, 9), (1, 1), (2, 2), (3, 3)]);
        let bound = BTreeSet::from([uuid(1), uuid(3), uuid(7), uuid(9)]);
        assert_eq!(wanted(&living, &bound), domains(&[(1, 1), (3, 3)]));
    }

    #[test]
    fn another_domain_under_a_domid_gets_a_server_of_its_own() {
        let served = domains(&[(1, 1), (2, 2), (3, 3)]);
        let wanted = domains(&[(1, 1), (2, 4), (5, 3)]);
        let changes = Changes::between(&served, &wanted);
        assert_eq!(changes.end, [DomId(2), DomId(3)]);
        let begin = [(DomId(2), uuid(4)), (DomId(5), uuid(3))];
        assert_eq!(changes.begin, begin);
        assert_eq!(Changes::between(&wanted, &wanted), Changes::default());
    }
}
