//! What is known of each binding besides what the broker needs.

use std::collections::BTreeMap;

use proto::id::{DomainUuid, Seid};

use super::bind_request::no;
use super::live::Live;
use crate::admin::{BindingView, Origin, Problem, ProblemCode};
use crate::config::{Bound, Config};
use crate::hex::hex;
use crate::mapping::{Binding, BindingId, Table};
use crate::state::StoredBinding;
use crate::time::UnixTime;

/// All bindings, by the numbers that they have in the broker's table.
#[derive(Debug, Default)]
pub(super) struct Bindings(BTreeMap<BindingId, Known>);

#[derive(Debug)]
struct Known {
    origin: Origin,
    shared: bool,
    trust_sha256: Option<String>,
    bound_at: Option<UnixTime>,
}

impl Bindings {
    /// Those of the configuration, which were added to the table first and in their order, and
    /// those of the state.
    pub(super) fn new(
        config: &Config,
        stored: &[(BindingId, StoredBinding)],
        bound: &Bound,
    ) -> Self {
        let digest = |id| bound.trust.get(&id).map(|trust| hex(&trust.fingerprint()));
        let configured = bound.table.iter().zip(&config.bindings);
        let configured = configured.map(|((id, _), binding)| {
            let known = Known {
                origin: Origin::Config,
                shared: binding.shared,
                trust_sha256: digest(id),
                bound_at: None,
            };
            (id, known)
        });
        let mut bindings = Self(configured.collect());
        for (id, stored) in stored {
            bindings.add(*id, stored, digest(*id));
        }
        bindings
    }

    pub(super) fn add(
        &mut self,
        id: BindingId,
        stored: &StoredBinding,
        trust_sha256: Option<String>,
    ) {
        let known = Known {
            origin: Origin::Command,
            shared: stored.shared,
            trust_sha256,
            bound_at: Some(stored.bound_at),
        };
        self.0.insert(id, known);
    }

    pub(super) fn remove(&mut self, id: BindingId) {
        self.0.remove(&id);
    }

    /// Whether the configuration has bindings of a domain.
    pub(super) fn are_configured(&self, table: &Table, domain: DomainUuid) -> bool {
        let mut ids = table.of_domain(domain).map(|(id, _)| id);
        ids.any(|id| {
            self.0
                .get(&id)
                .is_some_and(|known| known.origin == Origin::Config)
        })
    }

    /// Whether a binding that a command wants can stand beside all others.
    pub(super) fn check(
        &self,
        wanted: &StoredBinding,
        table: &Table,
        live: &Live,
    ) -> Result<(), Problem> {
        let (domain, seid) = (wanted.domain, &wanted.seid);
        if self.are_configured(table, domain) {
            return Err(no(format!(
                "{} is bound in the configuration, which commands do not change: add a \
                 [[binding]] there",
                who(live, domain)
            )));
        }
        if table.of_domain(domain).count() >= MAX_PER_DOMAIN {
            let who = who(live, domain);
            return Err(no(format!(
                "{who} has {MAX_PER_DOMAIN} bindings, which is the most"
            )));
        }
        let unshared = |(id, _): &(BindingId, &Binding)| {
            !wanted.shared || !self.0.get(id).is_some_and(|known| known.shared)
        };
        let others = table.on_card(seid);
        let mut others = others.filter(|(_, other)| other.domain != domain);
        if let Some((_, other)) = others.find(unshared) {
            return Err(no(format!(
                "card {seid} is bound to {} already; to share it, each of its bindings must say \
                 --shared (shared = true in the configuration)",
                who(live, other.domain)
            )));
        }
        self.check_raw_apdu(wanted, table)?;
        table
            .check(&super::durable::binding(wanted))
            .map_err(|why| {
                let names = table
                    .on_card(seid)
                    .filter_map(|(_, other)| live.name(other.domain));
                let names: Vec<String> = names.collect();
                match names.as_slice() {
                    [] => no(format!("card {seid}: {why}")),
                    names => no(format!(
                        "card {seid}: {why} (on this card: {})",
                        names.join(", ")
                    )),
                }
            })
    }

    /// A card to which a domain sends raw APDUs is not shared, and does not become so: not even by
    /// another binding of the same domain.
    fn check_raw_apdu(&self, wanted: &StoredBinding, table: &Table) -> Result<(), Problem> {
        let seid = &wanted.seid;
        let is_shared = |id: &BindingId| self.0.get(id).is_some_and(|known| known.shared);
        let mut on_card = table.on_card(seid);
        if wanted.raw_apdu.is_some() && on_card.any(|(id, _)| is_shared(&id)) {
            return Err(no(format!(
                "card {seid} is shared (--shared); raw APDUs are for a card that one domain has alone"
            )));
        }
        let mut on_card = table.on_card(seid);
        if wanted.shared && on_card.any(|(_, other)| other.raw_apdu.is_some()) {
            return Err(no(format!(
                "card {seid} has a binding with --raw-apdu, and such a card cannot be shared: unbind \
                 its domain first"
            )));
        }
        Ok(())
    }

    /// What an operator sees of the bindings of `table` that are `meant`.
    pub(super) fn views(
        &self,
        table: &Table,
        name: impl Fn(DomainUuid) -> Option<String>,
        meant: impl Fn(&Binding) -> bool,
    ) -> Vec<BindingView> {
        let bindings = table.iter().filter(|(_, binding)| meant(binding));
        bindings
            .map(|(id, binding)| self.view(id, binding, name(binding.domain)))
            .collect()
    }

    fn view(&self, id: BindingId, binding: &Binding, name: Option<String>) -> BindingView {
        let known = self.0.get(&id);
        let terms = &binding.terms;
        BindingView {
            domain: binding.domain,
            name,
            seid: binding.seid.clone(),
            identity: binding.identity.clone(),
            origin: known.map_or(Origin::Config, |known| known.origin),
            shared: known.is_some_and(|known| known.shared),
            server_names: terms.server_names.iter().map(ToString::to_string).collect(),
            min_version: terms.min_version.to_string(),
            resume: terms.resume,
            trust_sha256: known.and_then(|known| known.trust_sha256.clone()),
            raw_apdu: binding
                .raw_apdu
                .as_ref()
                .map(|list| list.rows().iter().map(ToString::to_string).collect()),
            bound_at: known
                .and_then(|known| known.bound_at)
                .map(|at| at.to_string()),
        }
    }
}

/// The most bindings of one domain, all of which are in one record when they are removed. A request
/// that begins below may end a little above.
const MAX_PER_DOMAIN: usize = 64;

/// A domain for people.
pub(super) fn who(live: &Live, domain: DomainUuid) -> String {
    match live.name(domain) {
        Some(name) => format!("{name} ({domain})"),
        None => domain.to_string(),
    }
}

/// That no such card is known.
pub(super) fn unknown_card(seid: &Seid, known: &[Seid]) -> Problem {
    let known: Vec<&str> = known.iter().map(Seid::as_str).collect();
    Problem {
        code: ProblemCode::NoCard,
        message: format!(
            "no card_source of the configuration has seid \"{seid}\"; there is {}",
            match known.as_slice() {
                [] => "none".to_owned(),
                known => known.join(", "),
            }
        ),
    }
}
