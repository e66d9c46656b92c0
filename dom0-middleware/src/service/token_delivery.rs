//! Tokens from the folder to the nodes of their domains, and word of those that are due.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use proto::id::{DomId, DomainUuid};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{debug, info, warn};

use super::inbox::{Inbox, Told};
use super::revocations::RevokedTokens;
use super::token_store::{StoreFault, TokenStore};
use crate::admin::TokensView;
use crate::error::Causes;
use crate::mapping::Issuer;
use crate::time::{Now, UnixTime};
use crate::tokens::{
    NodeAction, Nodes, Revocations, Shelf, Standing, TokenFile, TokenFolder, is_due,
};
use crate::xen::{Living, Put};

/// How often the folder is looked at.
const LOOK: Duration = Duration::from_secs(2);

/// From one attempt to renew a token to the next.
const RENEW_AGAIN: Duration = Duration::from_secs(60);

/// What is needed to hand out tokens.
pub(super) struct TokenDelivery {
    pub(super) folder: TokenFolder,
    pub(super) shelf: Shelf,
    pub(super) issuers: Vec<Issuer>,
    pub(super) living: Living,
    pub(super) revoked: RevokedTokens,
    /// Whom to tell of tokens that are due; `None` where they are not renewed.
    pub(super) renewal: Option<Inbox>,
    /// What is told of it, for operators.
    pub(super) given: watch::Sender<TokensView>,
}

/// What goes on in it.
struct Running {
    setup: TokenDelivery,
    nodes: Nodes,
    store: TokenStore,
    /// What was said of the folder and of xenstore, so that it is said once.
    folder_trouble: Option<String>,
    store_trouble: Option<String>,
    /// Domains at whose nodes something went wrong, which was said.
    node_trouble: BTreeMap<DomId, DomainUuid>,
    /// When renewal was last asked for.
    asked: BTreeMap<DomainUuid, Instant>,
}

impl TokenDelivery {
    /// Hands out tokens, for ever: when the folder changes, when domains come, when tokens are
    /// revoked.
    pub(super) async fn run(self) {
        let mut running = Running {
            setup: self,
            nodes: Nodes::default(),
            store: TokenStore::default(),
            folder_trouble: None,
            store_trouble: None,
            node_trouble: BTreeMap::new(),
            asked: BTreeMap::new(),
        };
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let ended = tokio::select! {
                _ = look.tick() => false,
                changed = running.setup.living.changed() => changed.is_err(),
                changed = running.setup.revoked.changed() => changed.is_err(),
                error = running.store.ended() => {
                    running.lose(&Causes(&error));
                    false
                }
            };
            if ended {
                return;
            }
            running.look().await;
            running.tell();
        }
    }
}

impl Running {
    async fn look(&mut self) {
        self.read_folder().await;
        let now = Now::read();
        let revocations = Arc::clone(&self.setup.revoked.borrow_and_update());
        let Some(good) = self.good(&revocations, now.unix) else {
            return;
        };
        self.ask_for_renewal(&good, now).await;
        let living = Arc::clone(&self.setup.living.borrow_and_update());
        self.node_trouble
            .retain(|domid, domain| living.get(domid) == Some(domain));
        if let Err(fault) = self.store.clear_ended(&living).await {
            return self.lose(&Causes(&fault));
        }
        for action in self.nodes.actions(&living, &good, now.monotonic) {
            if !self.act(action).await {
                return;
            }
        }
    }

    /// Tells operators how it stands.
    fn tell(&self) {
        let setup = &self.setup;
        let folder = self.folder_trouble.iter();
        let folder = folder.map(|why| format!("the folder cannot be read: {why}"));
        let store = self.store_trouble.iter();
        let store = store.map(|why| format!("xenstore cannot be written: {why}"));
        let nodes = self.node_trouble.iter();
        let nodes = nodes.map(|(domid, domain)| {
            format!("domain {domid} ({domain}): xenstored refuses to write its node; see the log")
        });
        let files = setup.shelf.faults();
        let files = files.map(|(file, fault)| format!("{file}: {fault}; {}", fault.cure()));
        let view = TokensView {
            folder: setup.folder.path().display().to_string(),
            given: self.nodes.given(),
            problems: folder.chain(store).chain(nodes).chain(files).collect(),
        };
        setup.given.send_if_modified(|told| {
            let is_news = *told != view;
            *told = view;
            is_news
        });
    }

    async fn read_folder(&mut self) {
        let folder = self.setup.folder.clone();
        let read = tokio::task::spawn_blocking(move || folder.read()).await;
        let folder = self.setup.folder.path().display();
        match read.unwrap_or_else(|error| Err(error.into())) {
            Ok(entries) => {
                self.setup.shelf.take_in(entries);
                if self.folder_trouble.take().is_some() {
                    info!(%folder, "the folder with the tokens can be read again");
                }
            }
            Err(error) => {
                let trouble = error.to_string();
                if self.folder_trouble.as_ref() != Some(&trouble) {
                    warn!(
                        %folder, error = trouble,
                        "cannot read the tokens; those of before stay as they are; see \
                         tokens.folder in the configuration"
                    );
                }
                self.folder_trouble = Some(trouble);
            }
        }
    }

    /// The tokens that count; complains of the others.
    fn good(
        &mut self,
        revocations: &Revocations,
        now: UnixTime,
    ) -> Option<BTreeMap<DomainUuid, Arc<TokenFile>>> {
        let judged = self.setup.shelf.judge(&Standing {
            issuers: &self.setup.issuers,
            revocations,
            now,
        })?;
        for (file, fault) in judged.complaints {
            let (folder, cure) = (self.setup.folder.path().display(), fault.cure());
            warn!(%folder, file, %fault, cure, "a token is given to nobody");
        }
        Some(judged.good)
    }

    async fn ask_for_renewal(&mut self, good: &BTreeMap<DomainUuid, Arc<TokenFile>>, now: Now) {
        let Some(inbox) = &self.setup.renewal else {
            return;
        };
        self.asked.retain(|domain, _| good.contains_key(domain));
        for (domain, token) in good {
            let asked = self.asked.get(domain);
            let is_early = asked.is_some_and(|at| now.monotonic - *at < RENEW_AGAIN);
            if !is_early && is_due(&token.claims, now.unix) {
                self.asked.insert(*domain, now.monotonic);
                inbox.tell(Told::TokenDue(Arc::clone(token))).await;
            }
        }
    }

    /// Does one thing; `false` when xenstored is to be left alone for now.
    async fn act(&mut self, action: NodeAction) -> bool {
        let (domid, domain) = (action.domid, action.domain);
        match self.store.put(&action).await {
            Ok(put) => {
                if self.store_trouble.take().is_some() {
                    info!("tokens are handed out again");
                }
                self.node_trouble.remove(&domid);
                self.on_put(action, put);
                true
            }
            Err(StoreFault::Refused(error)) => {
                self.nodes.failed(domid);
                if self.node_trouble.insert(domid, domain).is_none() {
                    warn!(
                        %domid, %domain, %error,
                        "cannot write the token of a domain into xenstore; it is tried again; see \
                         xenstore-ls -p /local/domain/{domid}"
                    );
                }
                true
            }
            Err(fault) => {
                self.lose(&Causes(&fault));
                false
            }
        }
    }

    fn on_put(&mut self, action: NodeAction, put: Put) {
        let (domid, domain) = (action.domid, action.domain);
        match (put, &action.token) {
            (Put::Done, Some(token)) => {
                let exp = UnixTime::from_secs(token.claims.exp);
                info!(%domid, %domain, %exp, "a domain has its token in xenstore");
            }
            (Put::Done, None) => {
                info!(%domid, %domain, "a domain has no token in xenstore any more")
            }
            (Put::AsItWas, _) => {}
            (Put::DomainGone, _) => {
                debug!(%domid, %domain, "gone before its token was there");
                return self.nodes.failed(domid);
            }
        }
        self.nodes.done(action, Instant::now());
    }

    /// The connection is of no more use. What stands in xenstore is looked at anew over the next.
    fn lose(&mut self, why: &dyn std::fmt::Display) {
        self.store.lose();
        self.nodes.forget();
        if self.store_trouble.replace(why.to_string()).is_none() {
            warn!(
                %why,
                "cannot hand out tokens through xenstore; it is tried every {} s; see \
                 dom0-middleware doctor", LOOK.as_secs()
            );
        }
    }
}
