//! Tokens, as operators see and revoke them.

use std::time::Duration;

use proto::hv::HvId;
use proto::id::DomainUuid;

use super::actor::Actor;
use super::bind_request::no;
use super::bindings::who;
use super::live::Live;
use super::rights::Said;
use crate::admin::{AdminAnswer, TokenRevoked, TokenState, TokenView, VmChanged};
use crate::audit::AuditEvent;
use crate::broker::Event;
use crate::hex::{hex, parse_cti};
use crate::state::{Revocation, Sighting};
use crate::time::{Now, UnixTime};

impl Actor {
    pub(super) fn token_list(&self, live: &Live) -> Said {
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

    pub(super) fn token_revoke(&mut self, cti: &str, live: &Live) -> Said {
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
            let at = UnixTime::from_secs(Now::read().unix.as_secs());
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
            self.revoked.token(cti);
        }
        let token = match (seen, revocation) {
            (Some((domain, token)), revocation) => view(domain, &token, revocation, None, live),
            (None, revocation) => unseen(cti, revocation.unwrap_or_default()),
        };
        let revoked = TokenRevoked { token, change };
        Ok(AdminAnswer::TokenRevoked(Box::new(revoked)))
    }

    pub(super) fn tokens_revoke(
        &mut self,
        domain: DomainUuid,
        before: Option<&str>,
        live: &Live,
    ) -> Said {
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
        self.revoked.tokens_from(domain, from);
        Ok(AdminAnswer::TokensRevoked(Box::new(VmChanged {
            vm: live.view(domain),
            change,
            bindings: Vec::new(),
            tokens_from: Some(from.to_string()),
            notes: Vec::new(),
        })))
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

/// A token that a domain showed, as it stands now.
pub(super) fn view(
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
