//! Bindings, as operators make, remove and see them.

use std::sync::Arc;

use proto::id::{DomainUuid, IdentityName, Seid};
use sha2::{Digest, Sha256};

use super::actor::Actor;
use super::bind_request::{self, Wanted, no};
use super::bindings::{unknown_card, who};
use super::durable;
use super::live::Live;
use super::rights::{Said, problem};
use super::tokens;
use crate::admin::{AdminAnswer, BindRequest, BindingView, ProblemCode, VmChanged, VmDetails};
use crate::audit::{AuditEvent, BoundTo};
use crate::broker::{CardState, CardView, Event};
use crate::hex::hex;
use crate::mapping::BindingId;
use crate::time::Now;

impl Actor {
    pub(super) fn vm_list(&self, live: &Live) -> AdminAnswer {
        let table = self.broker.table();
        let all = self.bindings.views(table, |uuid| live.name(uuid), |_| true);
        AdminAnswer::VmList(all)
    }

    pub(super) fn vm_show(&self, uuid: DomainUuid, live: &Live) -> Said {
        let tokens_from = self.state.tokens_from()?.get(&uuid).copied();
        let revoked = self.state.revoked()?;
        let token = self.sightings.of(uuid).map(|token| {
            let revoked = revoked.get(&token.cti).copied();
            tokens::view(uuid, token, revoked, tokens_from, live)
        });
        let vm = live.view(uuid);
        let bindings = self.bindings_of(uuid, live);
        if vm.domids.is_empty() && bindings.is_empty() && token.is_none() && tokens_from.is_none() {
            let message = format!("{uuid} is not running, not bound, and showed no token");
            return Err(problem(ProblemCode::NotFound, message));
        }
        Ok(AdminAnswer::Vm(Box::new(VmDetails {
            vm,
            bindings,
            tokens_from: tokens_from.map(|from| from.to_string()),
            token,
        })))
    }

    pub(super) fn vm_bind(&mut self, request: BindRequest, live: &Live) -> Said {
        let domain = live.find(&request.vm)?;
        let wanted = bind_request::read(request, domain, Now::read().unix)?;
        for binding in &wanted.bindings {
            let Some(config) = self.cards.config(&binding.seid) else {
                return Err(unknown_card(&binding.seid, &self.cards.seids()).into());
            };
            if binding.shared && config.raw_key_use {
                return Err(no(format!(
                    "card {} has raw_key_use = true in the configuration; one whose keys raw APDUs \
                     may use is no card for several domains",
                    binding.seid
                ))
                .into());
            }
            self.bindings.check(binding, self.broker.table(), live)?;
        }
        let change = self.change(
            |edit| {
                let mut bindings = wanted.bindings.iter();
                bindings.try_for_each(|binding| edit.bind(binding))?;
                Ok(edit.number())
            },
            |change, _| added(change, &wanted),
        )?;
        let before: Vec<BindingId> = self.of_domain(domain);
        for binding in &wanted.bindings {
            let binding = durable::binding(binding);
            let trust = Arc::clone(&wanted.trust);
            self.tell_broker(Event::Bound { binding, trust })?;
        }
        self.bound.tell(self.broker.table());
        let digest = hex(&wanted.trust.fingerprint());
        let made = self.of_domain(domain).into_iter();
        let made = made.filter(|id| !before.contains(id));
        for (id, binding) in made.zip(&wanted.bindings) {
            self.bindings.add(id, binding, Some(digest.clone()));
        }
        let cards = self.broker.snapshot().cards;
        let notes = wanted.bindings.iter().filter_map(|wanted| {
            let card = cards.iter().find(|card| card.seid == wanted.seid)?;
            not_on_card(card, wanted.identity.as_ref())
        });
        let mut notes: Vec<String> = notes.collect();
        notes.extend(wanted.bindings.iter().filter_map(|wanted| {
            let config = self.cards.config(&wanted.seid)?;
            let is_raw = wanted.raw_apdu.is_some() && config.raw_key_use;
            is_raw.then(|| {
                format!(
                    "card {} has raw_key_use = true: where the list lets it, the domain may use, read \
                     and change the card's keys and PINs",
                    wanted.seid
                )
            })
        }));
        let mut bindings = self.bindings_of(domain, live);
        bindings.retain(|view| {
            let mut wanted = wanted.bindings.iter();
            wanted.any(|b| (&b.seid, &b.identity) == (&view.seid, &view.identity))
        });
        Ok(AdminAnswer::VmBound(Box::new(VmChanged {
            vm: live.view(domain),
            change,
            bindings,
            tokens_from: None,
            notes,
        })))
    }

    pub(super) fn vm_unbind(&mut self, domain: DomainUuid, live: &Live) -> Said {
        if self.bindings.are_configured(self.broker.table(), domain) {
            let message = format!(
                "{} is bound in the configuration, which commands do not change: remove the \
                 [[binding]] there",
                who(live, domain)
            );
            return Err(no(message).into());
        }
        let bindings = self.bindings_of(domain, live);
        if bindings.is_empty() {
            let message = format!("{} is not bound", who(live, domain));
            return Err(problem(ProblemCode::NotFound, message));
        }
        let bound_to = bindings.iter().map(|view| BoundTo {
            seid: view.seid.clone(),
            identity: view.identity.clone(),
        });
        let bound_to = bound_to.collect();
        let change = self.change(
            |edit| {
                edit.unbind(domain)?;
                Ok(edit.number())
            },
            |change, _| AuditEvent::BindingRemoved {
                change,
                domain,
                bindings: bound_to,
            },
        )?;
        for binding in self.of_domain(domain) {
            self.tell_broker(Event::Unbound { binding })?;
            self.bindings.remove(binding);
        }
        self.bound.tell(self.broker.table());
        Ok(AdminAnswer::VmUnbound(Box::new(VmChanged {
            vm: live.view(domain),
            change,
            bindings,
            tokens_from: None,
            notes: Vec::new(),
        })))
    }

    /// The bindings of a domain, by their numbers.
    fn of_domain(&self, domain: DomainUuid) -> Vec<BindingId> {
        let table = self.broker.table();
        table.of_domain(domain).map(|(id, _)| id).collect()
    }

    fn bindings_of(&self, domain: DomainUuid, live: &Live) -> Vec<BindingView> {
        let table = self.broker.table();
        let name = |uuid| live.name(uuid);
        self.bindings
            .views(table, name, |binding| binding.domain == domain)
    }
}

fn added(change: u64, wanted: &Wanted) -> AuditEvent {
    // There is at least one, and they differ in card and identity alone.
    let first = &wanted.bindings[0];
    let of_first = wanted.bindings.iter().filter(|b| b.seid == first.seid);
    let mut pool: Vec<Seid> = wanted.bindings.iter().map(|b| b.seid.clone()).collect();
    pool.dedup();
    pool.remove(0);
    AuditEvent::BindingAdded {
        change,
        domain: first.domain,
        seid: first.seid.clone(),
        pool,
        identities: of_first
            .filter_map(|binding| binding.identity.clone())
            .collect(),
        shared: first.shared,
        server_names: first
            .terms
            .server_names
            .iter()
            .map(ToString::to_string)
            .collect(),
        trust_sha256: hex(&wanted.trust.fingerprint()),
        raw_apdu_sha256: first
            .raw_apdu
            .as_ref()
            .map(|list| hex(&Sha256::digest(list.to_string().as_bytes()))),
    }
}

/// That the card that is there now does not hold what a binding means.
fn not_on_card(card: &CardView, identity: Option<&IdentityName>) -> Option<String> {
    if card.state != CardState::Present {
        return None;
    }
    let seid = &card.seid;
    let held = card.identities.iter().map(|held| held.name.to_string());
    let held: Vec<String> = held.collect();
    match identity {
        Some(name) if !held.iter().any(|held| held == name.as_str()) => {
            let held = held.join(", ");
            Some(format!(
                "card {seid} does not hold \"{name}\" now; it holds: {held}"
            ))
        }
        None if held.len() != 1 => {
            let held = held.join(", ");
            Some(format!(
                "card {seid} does not hold exactly one identity now, but: {held}"
            ))
        }
        _ => None,
    }
}
