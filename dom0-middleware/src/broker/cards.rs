//! What workers report, and uses that go on for too long.

use proto::agent::RefusalCode;
use proto::id::Seid;
use tracing::{info, warn};

use super::card::{Presence, UseStep, absent, stuck};
use super::core::Broker;
use super::engine::Unresumable;
use super::lease::LeaseRefusal;
use super::pace::PaceDrift;
use super::refusal::Refusal;
use crate::audit::{AuditEvent, PinOutcome};
use crate::card::{CardError, CardIdentity, SessionError, UseId, WorkerReport};
use crate::mapping::{Certificate, Holding};

impl Broker {
    pub(super) fn on_report(&mut self, seid: &Seid, report: WorkerReport) {
        match report {
            WorkerReport::Present {
                atr,
                profile,
                identities,
                features,
                fingerprint,
                adopted: _,
            } => {
                self.audit(AuditEvent::CardPresent {
                    seid: seid.clone(),
                    atr: atr.to_string(),
                    profile: profile.clone(),
                    identities: identities.iter().map(|held| held.name.clone()).collect(),
                });
                if let Some(card) = self.cards.get_mut(seid) {
                    let names = identities.iter().map(|held| &held.name);
                    card.pace.serve(features.door, fingerprint, names);
                    card.holdings = Some(identities.into_iter().map(holding).collect());
                    card.presence = Presence::Present {
                        atr,
                        profile,
                        features,
                    };
                }
            }
            WorkerReport::Trouble { trouble } => {
                if let Some(card) = self.cards.get_mut(seid) {
                    card.trouble = trouble;
                }
            }
            WorkerReport::Unusable { why } => {
                if let Some(outcome) = pin_outcome(&why) {
                    self.audit(AuditEvent::PinFailed {
                        seid: seid.clone(),
                        outcome,
                        why: why.to_string(),
                    });
                }
                self.audit(AuditEvent::CardUnusable {
                    seid: seid.clone(),
                    why: why.to_string(),
                });
                let refusal = Refusal::of_card(&why);
                self.lose_card(seid, Presence::Unusable(why), &refusal);
            }
            WorkerReport::Gone { why } => {
                self.audit(AuditEvent::CardGone {
                    seid: seid.clone(),
                    why: why.to_string(),
                });
                self.lose_card(seid, Presence::Absent, &absent());
            }
            // For the operator who said so; the rest was in the report before.
            WorkerReport::Reopened { .. } => {}
            WorkerReport::SurplusRefused { count } => {
                let seid = seid.clone();
                self.audit(AuditEvent::SecondCardRefused { seid, count });
            }
            WorkerReport::AwaitingServer {
                use_id,
                waited,
                taken,
            } => {
                let now = self.now.monotonic;
                let card = self.cards.get_mut(seid);
                // With records on their way to it, the card works and the guest owes nothing.
                if let Some(running) = card.and_then(|card| card.running(use_id))
                    && running.server_bytes == taken
                {
                    let since = now.checked_sub(waited).unwrap_or(now);
                    running.step = UseStep::ExpectGuest { since };
                }
            }
            WorkerReport::ClientRecords { use_id, data } => {
                self.on_client_records(seid, use_id, &data);
            }
            WorkerReport::Established { use_id, session } => {
                self.on_established(seid, use_id, session);
            }
            WorkerReport::Signed { use_id, card_time } => self.on_signed(seid, use_id, card_time),
            WorkerReport::Failed {
                use_id,
                error,
                alert,
            } => self.on_failed(seid, use_id, &error, alert),
            WorkerReport::LoanEnded { use_id, apdus, end } => {
                self.on_loan_ended(seid, use_id, apdus, end);
            }
            WorkerReport::LoanOverdue { use_id } => self.on_loan_overdue(seid, use_id),
            WorkerReport::Free { use_id, .. } => {
                let now = self.now.monotonic;
                let card = self.cards.get_mut(seid);
                if let Some(drift) = card.and_then(|card| card.release(use_id, now)) {
                    tell(seid, &drift);
                }
            }
        }
    }

    fn on_failed(
        &mut self,
        seid: &Seid,
        use_id: UseId,
        error: &SessionError,
        alert: Option<Vec<u8>>,
    ) {
        let card = self.cards.get_mut(seid);
        let Some(running) = card.and_then(|card| card.running(use_id)) else {
            return;
        };
        let key = running.key.take();
        if matches!(error, SessionError::CardSwapped { .. }) {
            let record = AuditEvent::CardSwapped {
                seid: seid.clone(),
                identity: running.plan.grant.identity.clone(),
                why: error.to_string(),
            };
            self.audit(record);
        }
        if let Some(key) = key {
            self.refuse(key, Refusal::of_session(error, alert));
        }
    }

    /// A card cannot be used any more: who waits for it need not wait longer. Who has it hears of
    /// it from the worker.
    fn lose_card(&mut self, seid: &Seid, presence: Presence, refusal: &Refusal) {
        let Some(card) = self.cards.get_mut(seid) else {
            return;
        };
        let is_gone = matches!(presence, Presence::Absent);
        card.presence = presence;
        if is_gone {
            self.refuse_guest_wishes(seid, &LeaseRefusal::Absent);
        }
        self.empty_queue(seid, refusal);
        self.give_up_unstarted(seid, refusal);
        self.end_engines_of(seid, refusal);
        self.forget_resumption(Unresumable::Card(seid.clone()));
    }

    /// A use its worker has not heard of yet need not be started.
    fn give_up_unstarted(&mut self, seid: &Seid, refusal: &Refusal) {
        let running = self.cards.get(seid).and_then(|card| card.running.as_ref());
        if let Some(running) = running
            && running.step == UseStep::ExpectJudgement
            && let Some(key) = running.key
        {
            self.refuse(key, refusal.clone());
        }
    }

    pub(super) fn empty_queue(&mut self, seid: &Seid, refusal: &Refusal) {
        let Some(card) = self.cards.get_mut(seid) else {
            return;
        };
        for key in card.queue.drain() {
            self.move_on(key, refusal.clone());
        }
    }

    /// Ends uses whose time is over.
    pub(super) fn check_cards(&mut self) {
        let now = self.now.monotonic;
        let limits = &self.limits;
        let late = |card: &super::card::Card| {
            let until = card.use_timeout(limits);
            until.is_some_and(|until| until <= now)
        };
        let late: Vec<Seid> = self
            .cards
            .iter()
            .filter(|(_, card)| late(card))
            .map(|(seid, _)| seid.clone())
            .collect();
        for seid in late {
            self.end_use(&seid);
        }
    }

    fn end_use(&mut self, seid: &Seid) {
        let card = self.cards.get_mut(seid);
        let Some(running) = card.and_then(|card| card.running.as_mut()) else {
            return;
        };
        let reason = match running.step {
            UseStep::ExpectGuest { .. } => "the server's answer did not come in time",
            UseStep::ExpectJudgement | UseStep::ExpectWorker => "the handshake took too long",
        };
        match running.key {
            Some(key) => self.refuse(key, Refusal::of_wish(RefusalCode::Timeout, reason)),
            None => {
                warn!(%seid, "the card does not return from a command");
                running.stuck = true;
                self.empty_queue(seid, &stuck());
            }
        }
    }
}

/// What came of the card's PIN, if that is what is wrong with the card.
fn pin_outcome(why: &CardError) -> Option<PinOutcome> {
    match why {
        CardError::PinRejected { .. } => Some(PinOutcome::Rejected),
        CardError::PinSpent => Some(PinOutcome::NotSentAgain),
        CardError::LastPinTry => Some(PinOutcome::LastTryKept),
        CardError::PinBlocked => Some(PinOutcome::Blocked),
        _ => None,
    }
}

fn holding(found: CardIdentity) -> Holding {
    Holding {
        name: found.name,
        certificate: found.certificate.map(Certificate::new),
        schemes: found.schemes,
    }
}

fn tell(seid: &Seid, drift: &PaceDrift) {
    match drift.is_slow() {
        true => warn!(
            %seid,
            "the card has become slow: {drift}; clean its contacts, try another reader, look who \
             else uses it"
        ),
        false => info!(%seid, "the card is no longer slow: {drift}"),
    }
}
