//! Everything about one card, for an operator. A PIV card is asked first how its PIN stands.

use std::time::Duration;

use proto::agent::Door;
use proto::id::Seid;
use proto::piv::PinLook;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::actor::Actor;
use super::cards::no_such_card;
use super::error::ServiceError;
use super::inbox::Told;
use crate::admin::{AdminAnswer, AdminReply, CardDetails, CertificateView, PinStatusView};
use crate::broker::{CardState, CardView};
use crate::card::{PinInquiry, WorkerCommand};

/// How long a card may take to show how its PIN stands. One that is being opened takes longer.
const PATIENCE: Duration = Duration::from_secs(2);

impl Actor {
    /// Answers with everything about a card, at once or when it has shown how its PIN stands.
    pub(super) fn show_card(
        &self,
        seid: &Seid,
        answer: oneshot::Sender<AdminReply>,
    ) -> Result<(), ServiceError> {
        if !self.shows_pin(seid) {
            let _ = answer.send(self.details(seid, None).into());
            return Ok(());
        }
        let (sender, seen) = oneshot::channel();
        let inquiry = PinInquiry::new(move |look| {
            let _ = sender.send(look);
        });
        self.cards.order(seid, WorkerCommand::LookAtPin(inquiry))?;
        let (inbox, seid) = (self.inbox.clone(), seid.clone());
        tokio::spawn(async move {
            let look = timeout(PATIENCE, seen).await.ok();
            let look = look.and_then(Result::ok);
            inbox.tell(Told::PinSeen { seid, look, answer }).await;
        });
        Ok(())
    }

    /// Whether a card can be asked how its PIN stands without harm, and has the time for it. To an
    /// EAP-TLS card the question would be a wrong PIN.
    fn shows_pin(&self, seid: &Seid) -> bool {
        let config = self.cards.config(seid);
        let is_piv = config.is_some_and(|config| config.card.profile.door() == Door::Piv);
        let is_idle = |card: &CardView| {
            let is_there = matches!(card.state, CardState::Present | CardState::Unusable);
            is_there && card.running.is_none()
        };
        is_piv && self.card_view(seid).as_ref().is_some_and(is_idle)
    }

    fn card_view(&self, seid: &Seid) -> Option<CardView> {
        let cards = self.broker.snapshot().cards;
        cards.into_iter().find(|card| card.seid == *seid)
    }

    /// Everything about one card; `look` is what it has shown of its PIN just now.
    pub(super) fn details(&self, seid: &Seid, look: Option<PinLook>) -> AdminAnswer {
        let (Some(card), Some(config)) = (self.card_view(seid), self.cards.config(seid)) else {
            return no_such_card(seid);
        };
        let door = config.card.profile.door();
        let known = || self.cards.unaccepted_pin(seid).map(PinStatusView::from);
        let look = look.map(PinStatusView::from);
        AdminAnswer::Card(Box::new(CardDetails {
            pin_status: look.or_else(known).or_else(|| of_card(door, &card)),
            card,
            place: config.place.to_string(),
            adopted: self.cards.adopted(seid),
            pin: self.cards.pin(config),
            certificates: self
                .broker
                .certificates(seid)
                .filter_map(|(identity, held)| CertificateView::of(identity, held.der()))
                .collect(),
        }))
    }
}

/// What is known of the PIN of a card that has not shown how it stands.
fn of_card(door: Door, card: &CardView) -> Option<PinStatusView> {
    match (door, card.state) {
        // It was opened with the PIN, or wants none.
        (Door::EapTls, CardState::Present) => Some(PinStatusView::Ok),
        (Door::Piv, CardState::Present) => Some(PinStatusView::NotAsked {
            why: "the card is in use".to_owned(),
        }),
        _ => None,
    }
}
