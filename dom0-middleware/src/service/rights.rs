//! What operators change and see of bindings and tokens.
//!
//! One order for all changes: judged against what stands now, recorded, made durable, told to the
//! broker, answered. So once a command has answered, what it took away is gone, and no key follows.

use std::time::Duration;

use proto::hv::HvId;
use proto::id::{DomainUuid, IdentityName};
use tokio::sync::oneshot;
use tracing::warn;

use super::actor::Actor;
use super::bind_request::{self, Wanted, no};
use super::bindings::{unknown_card, who};
use super::durable;
use super::error::ServiceError;
use super::live::Live;
use crate::admin::{
    AdminAnswer, AdminReply, AdminRequest, BindRequest, Problem, ProblemCode, TokenRevoked,
    TokenState, TokenView, VmChanged, VmDetails,
};
use crate::audit::{AuditEvent, BoundTo};
use crate::broker::{CardState, CardView, Event};
use crate::error::Causes;
use crate::hex::{hex, parse_cti};
use crate::mapping::{BindingId, VerifiedToken};
use crate::state::{ChangeError, Revocation, Sighting, StateError};
use crate::time::{Now, UnixTime};

/// Why a request is not done.
pub(super) enum No {
    /// The operator is told why.
    Problem(Problem),
    /// The service ends.
    Service(ServiceError),
}

type Said = Result<AdminAnswer, No>;

impl Actor {
    /// Finds out who is running, then does what an operator asks for.
    pub(super) fn ask_who_lives(&self, request: AdminRequest, answer: oneshot::Sender<AdminReply>) {
        let inbox = self.inbox.clone();
        let list = move |live| inbox.tell_of_live(request, live, answer);
        self.domains.list(Box::new(list));
    }

    /// Does what an operator asks for, now that it is known who is running.
    pub(super) fn on_live(
        &mut self,
        request: AdminRequest,
        live: &Live,
        answer: oneshot::Sender<AdminReply>,
    ) -> Result<(), ServiceError> {
        let said = match request {
            AdminRequest::VmList {} => Ok(self.vm_list(live)),
            AdminRequest::VmShow { vm } => live
                .find(&vm)
                .map_err(No::from)
                .and_then(|uuid| self.vm_show(uuid, live)),
            AdminRequest::VmBind(request) => self.vm_bind(*request, live),
            AdminRequest::VmUnbind { vm } => live
                .find(&vm)
                .map_err(No::from)
                .and_then(|uuid| self.vm_unbind(uuid, live)),
            AdminRequest::TokenList {} => self.token_list(live),
            AdminRequest::TokenRevoke { cti } => self.token_revoke(&cti, live),
            AdminRequest::TokensRevoke { vm, before } => live
                .find(&vm)
                .map_err(No::from)
                .and_then(|uuid| self.tokens_revoke(uuid, before.as_deref(), live)),
            // All others are done without knowing who is running.
            other => return self.on_request(other, answer),
        };
        let said = match said {
            Ok(said) => said,
            Err(No::Problem(problem)) => AdminAnswer::Error(problem),
            Err(No::Service(error)) => return Err(error),
        };
        let _ = answer.send(said.into());
        Ok(())
    }

    fn vm_list(&self, live: &Live) -> AdminAnswer {
        let table = self.broker.table();
        let all = self.bindings.views(table, |uuid| live.name(uuid), |_| true);
        AdminAnswer::VmList(all)
    }

    fn vm_show(&self, uuid: DomainUuid, live: &Live) -> Said {
        let tokens_from = self.state.tokens_from()?.get(&uuid).copied();
        let revoked = self.state.revoked()?;
        let token = self.sightings.of(uuid).map(|token| {
            let revoked = revoked.get(&token.cti).copied();
            view(uuid, token, revoked, tokens_from, live)
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

    fn vm_bind(&mut self, request: BindRequest, live: &Live) -> Said {
        let domain = live.find(&request.vm)?;
        let wanted = bind_request::read(request, domain, Now::read().unix)?;
        for binding in &wanted.bindings {
            if self.cards.config(&binding.seid).is_none() {
                return Err(unknown_card(&binding.seid, &self.cards.seids()).into());
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
            let trust = std::sync::Arc::clone(&wanted.trust);
            self.tell_broker(Event::Bound { binding, trust })?;
        }
        let digest = hex(&wanted.trust.fingerprint());
        let made = self.of_domain(domain).into_iter();
        let made = made.filter(|id| !before.contains(id));
        for (id, binding) in made.zip(&wanted.bindings) {
            self.bindings.add(id, binding, Some(digest.clone()));
        }
        let identities = wanted.bindings.iter();
        let identities: Vec<_> = identities.map(|binding| &binding.identity).collect();
        let cards = self.broker.snapshot().cards;
        let notes = wanted.bindings.iter().filter_map(|wanted| {
            let card = cards.iter().find(|card| card.seid == wanted.seid)?;
            not_on_card(card, wanted.identity.as_ref())
        });
        let notes = notes.collect();
        let mut bindings = self.bindings_of(domain, live);
        bindings.retain(|view| identities.contains(&&view.identity));
        Ok(AdminAnswer::VmBound(Box::new(VmChanged {
            vm: live.view(domain),
            change,
            bindings,
            tokens_from: None,
            notes,
        })))
    }

    fn vm_unbind(&mut self, domain: DomainUuid, live: &Live) -> Said {
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
        Ok(AdminAnswer::VmUnbound(Box::new(VmChanged {
            vm: live.view(domain),
            change,
            bindings,
            tokens_from: None,
            notes: Vec::new(),
        })))
    }

    fn token_list(&self, live: &Live) -> Said {
        let tokens_from = self.state.tokens_from()?;
        let mut revoked = self.state.revoked()?;
        let seen = self.sightings.iter().map(|(domain, token)| {
            let revoked = revoked.remove(&token.cti);
            view(
                domain,
                token,
                revoked,
                tokens_from.get(&domain).copied(),
                live,
            )
        });
        let mut tokens: Vec<TokenView> = seen.collect();
        let unseen = revoked
            .iter()
            .map(|(cti, revocation)| unseen(*cti, *revocation));
        tokens.extend(unseen);
        Ok(AdminAnswer::TokenList(tokens))
    }

    fn token_revoke(&mut self, cti: &str, live: &Live) -> Said {
        let Some(cti) = parse_cti(cti) else {
            let message = "the number of a token has 32 hexadecimal digits; token list and \
                           `token-tool show` show it";
            return Err(no(message).into());
        };
        let seen = self.sightings.by_cti(cti);
        let seen = seen.map(|(domain, token)| (domain, *token));
        let mut revocation = self.state.revoked()?.get(&cti).copied();
        let mut change = None;
        if revocation.is_none() {
            let at = Now::read().unix;
            let exp = seen.map(|(_, token)| token.exp);
            revocation = Some(Revocation { at, exp });
            change = Some(self.change(
                |edit| {
                    edit.revoke(cti, exp, at)?;
                    Ok(edit.number())
                },
                |change, _| AuditEvent::TokenRevoked {
                    change,
                    cti: hex(&cti),
                    domain: seen.map(|(domain, _)| domain),
                    exp: exp.map(|exp| exp.to_string()),
                },
            )?);
            self.tell_broker(Event::TokenRevoked { cti })?;
        }
        let token = match (seen, revocation) {
            (Some((domain, token)), revocation) => view(domain, &token, revocation, None, live),
            (None, revocation) => unseen(cti, revocation.unwrap_or_default()),
        };
        let revoked = TokenRevoked { token, change };
        Ok(AdminAnswer::TokenRevoked(Box::new(revoked)))
    }

    fn tokens_revoke(&mut self, domain: DomainUuid, before: Option<&str>, live: &Live) -> Said {
        let now = Now::read().unix;
        // A token says when it was issued in whole seconds: those of this second do not count.
        let soonest = UnixTime::from_secs(now.as_secs().saturating_add(1));
        let from = match before {
            None => soonest,
            Some(text) => whole(text.parse::<UnixTime>().map_err(no)?),
        };
        if from > soonest {
            let message = "this time is to come: tokens that will be issued until then would not \
                           count either";
            return Err(no(message).into());
        }
        let floor = self.state.tokens_from()?.get(&domain).copied();
        if let Some(floor) = floor.filter(|floor| *floor > from) {
            let who = who(live, domain);
            let message = format!("tokens of {who} count only from {floor} on, which is later");
            return Err(no(message).into());
        }
        let change = self.change(
            |edit| {
                edit.set_tokens_from(domain, from)?;
                Ok(edit.number())
            },
            |change, _| AuditEvent::TokensFromSet {
                change,
                domain,
                from: from.to_string(),
            },
        )?;
        self.tell_broker(Event::TokensFrom { domain, from })?;
        Ok(AdminAnswer::TokensRevoked(Box::new(VmChanged {
            vm: live.view(domain),
            change,
            bindings: Vec::new(),
            tokens_from: Some(from.to_string()),
            notes: Vec::new(),
        })))
    }

    /// A guest was let in with a token.
    pub(super) fn on_token_seen(&mut self, token: &VerifiedToken) {
        self.sightings.note(token, Now::read());
    }

    /// Writes down which tokens were seen.
    pub(super) fn write_sightings(&mut self) {
        if let Err(error) = self.sightings.write(&self.state, Now::read()) {
            warn!(error = %Causes(&error), "cannot write down which tokens were shown");
        }
    }

    fn of_domain(&self, domain: DomainUuid) -> Vec<BindingId> {
        let table = self.broker.table();
        table.of_domain(domain).map(|(id, _)| id).collect()
    }

    fn bindings_of(&self, domain: DomainUuid, live: &Live) -> Vec<crate::admin::BindingView> {
        let table = self.broker.table();
        let name = |uuid| live.name(uuid);
        self.bindings
            .views(table, name, |binding| binding.domain == domain)
    }
}

fn added(change: u64, wanted: &Wanted) -> AuditEvent {
    // There is at least one, and they differ in their identity alone.
    let first = &wanted.bindings[0];
    let identities = wanted.bindings.iter();
    AuditEvent::BindingAdded {
        change,
        domain: first.domain,
        seid: first.seid.clone(),
        identities: identities
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

/// The next whole second.
fn whole(time: UnixTime) -> UnixTime {
    let rest = Duration::from_nanos(time.0.subsec_nanos().into());
    match rest.is_zero() {
        true => time,
        false => UnixTime::from_secs(time.as_secs().saturating_add(1)),
    }
}

fn view(
    domain: DomainUuid,
    token: &Sighting,
    revoked: Option<Revocation>,
    tokens_from: Option<UnixTime>,
    live: &Live,
) -> TokenView {
    let state = match revoked {
        Some(_) => TokenState::Revoked,
        None if tokens_from.is_some_and(|from| token.iat < from) => TokenState::TooOld,
        None if token.exp <= Now::read().unix => TokenState::Expired,
        None => TokenState::Good,
    };
    TokenView {
        cti: hex(&token.cti),
        state,
        domain: Some(domain),
        name: live.name(domain),
        iss: Some(HvId(token.iss).to_string()),
        iat: Some(token.iat.to_string()),
        exp: Some(token.exp.to_string()),
        first_seen: Some(token.first_seen.to_string()),
        last_seen: Some(token.last_seen.to_string()),
        revoked_at: revoked.map(|revocation| revocation.at.to_string()),
    }
}

/// A revoked token that no domain showed last.
fn unseen(cti: [u8; 16], revocation: Revocation) -> TokenView {
    TokenView {
        cti: hex(&cti),
        state: TokenState::Revoked,
        domain: None,
        name: None,
        iss: None,
        iat: None,
        exp: revocation.exp.map(|exp| exp.to_string()),
        first_seen: None,
        last_seen: None,
        revoked_at: Some(revocation.at.to_string()),
    }
}

fn problem(code: ProblemCode, message: String) -> No {
    No::Problem(Problem { code, message })
}

impl From<Problem> for No {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<ServiceError> for No {
    fn from(error: ServiceError) -> Self {
        Self::Service(error)
    }
}

impl From<ChangeError> for No {
    fn from(error: ChangeError) -> Self {
        let causes = Causes(&error);
        no(format!("nothing was changed: {causes}")).into()
    }
}

impl From<StateError> for No {
    fn from(error: StateError) -> Self {
        no(Causes(&error)).into()
    }
}
