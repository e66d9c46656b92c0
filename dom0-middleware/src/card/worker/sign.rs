//! One signature on a card that is ready.

use std::io;

use proto::apdu::{CommandApdu, ResponseApdu};
use proto::piv::driver::{self, PivStep, SignRequest, Signature};
use proto::piv::{Salt, Slot};
use ring::rand::{SecureRandom, SystemRandom};
use sha2::{Digest, Sha256};
use tracing::debug;

use super::inbox::Inbox;
use super::life::{Phase, Ready, Worker};
use super::opening::{Expected, OpenCard, RecordedPin};
use super::session::{Orders, Use};
use crate::card::error::SessionError;
use crate::card::fault::{CardFault, CardStep};
use crate::card::job::{SignJob, SignatureNews};
use crate::card::piv::{SignError, form_of};
use crate::card::profile::{CardProfile, PivProfile};
use crate::card::report::WorkerReport;
use crate::card::session_fault::PolicyFault;
use crate::card::transport::{ChainLink, Chains, TransportError};

impl Worker {
    /// Runs one signature from start to [`WorkerReport::Free`].
    pub(super) fn sign(&mut self, job: SignJob, inbox: &Inbox) -> Orders {
        let CardProfile::Piv(profile) = self.settings.profile.clone() else {
            return self.refuse_use(job.use_id, SessionError::WrongDoor);
        };
        match self.take_ready() {
            Ok(ready) => self.sign_ready(ready, profile, job, inbox),
            Err(error) => self.refuse_use(job.use_id, error),
        }
    }

    fn sign_ready(
        &mut self,
        mut ready: Ready,
        profile: PivProfile,
        job: SignJob,
        inbox: &Inbox,
    ) -> Orders {
        let use_id = job.use_id;
        ready.link.restart_clock();
        let (result, orders) = self.run_signature(&mut ready, profile, &job, inbox);
        let card_time = ready.link.card_time();
        let right = result.and_then(|signature| {
            // Who waits for it goes on meanwhile.
            let made = signature.unchecked().to_vec();
            job.slot.put(SignatureNews::Made(made));
            Ok(signature.checked()?)
        });
        match right {
            Ok(_) => {
                debug!(seid = %self.settings.seid, %use_id, ?card_time, "signed");
                self.phase = Phase::Ready(ready);
                self.tell(WorkerReport::Signed { use_id, card_time });
                job.slot.put(SignatureNews::Right);
            }
            Err(error) => {
                let session = error.session();
                self.tell_failure(use_id, session.clone(), None);
                match error {
                    SignError::Pin(why) => self.set_aside(ready.link, why),
                    // Wherever else it ended, the card may be in the middle of a chain.
                    SignError::Session(_) if card_time.is_zero() && !session.needs_recovery() => {
                        self.phase = Phase::Ready(ready);
                    }
                    SignError::Session(_) if orders.stop => {}
                    SignError::Session(_) => self.recover(ready.link, Some(ready.opened)),
                }
            }
        }
        self.tell(WorkerReport::Free { use_id, card_time });
        orders
    }

    fn run_signature(
        &mut self,
        ready: &mut Ready,
        profile: PivProfile,
        job: &SignJob,
        inbox: &Inbox,
    ) -> (Result<Signature, SignError>, Orders) {
        let use_id = job.use_id;
        let request = match request(&ready.opened, job) {
            Ok(request) => request,
            Err(error) => return (Err(error.into()), Orders::default()),
        };
        let pin = self.records.pin_source(&self.settings);
        let expected = Expected {
            seid: &self.settings.seid,
            pin: pin.as_ref(),
            pin_characters: self.settings.profile.pin_characters(),
            // It is the card that was opened: it has not left, and was not reset.
            fingerprint: None,
        };
        let mut running = Use::new(
            use_id,
            &mut ready.link,
            self.source.as_mut(),
            inbox,
            &self.settings,
            &self.report,
        );
        let keeper = RecordedPin::new(&expected, self.records.pins.as_ref());
        let begun = driver::signing::begin(request, profile.extended_length);
        let result = driver::run_in_rows(begun, &keeper, |step, command, following| {
            running.transmit(step, command, following)
        });
        let result = result.inspect_err(|error| {
            if let SignError::Pin(error) = error {
                keeper.note_refusal(error);
            }
        });
        (result, running.orders)
    }
}

impl Use<'_> {
    /// Sends a command of the signature, unless that was given up meanwhile. Over a network those that
    /// follow it go along.
    fn transmit(
        &mut self,
        step: PivStep,
        command: &CommandApdu,
        following: &[CommandApdu],
    ) -> Result<ResponseApdu, SignError> {
        self.take_orders();
        if let Some(error) = self.interruption() {
            return Err(error.into());
        }
        let chain = |chains: Chains| match chains.may_depend() {
            true => ChainLink::in_row(std::iter::once(command).chain(following).cloned()),
            false => Vec::new(),
        };
        let response = self.link.transmit_ahead(command, chain);
        let failed = |source| SessionError::of_transport(CardStep::Piv(step), source);
        Ok(response.map_err(failed)?)
    }
}

/// What the job asks of the card that is there.
fn request(opened: &OpenCard, job: &SignJob) -> Result<SignRequest, SessionError> {
    let OpenCard::Piv(opened) = opened else {
        return Err(SessionError::WrongDoor);
    };
    let slot = job.identity.as_str().parse::<Slot>().ok();
    let held = slot.and_then(|slot| opened.key(slot));
    let held = held.ok_or(PolicyFault::NoSuchIdentity)?;
    let got = Sha256::digest(&held.certificate).into();
    if got != job.client_certificate_sha256 {
        return Err(SessionError::CardSwapped { got });
    }
    let mut salt: Salt = [0; 64];
    SystemRandom::new().fill(&mut salt).map_err(|_| {
        let source = TransportError::Io(io::ErrorKind::Other);
        let step = CardStep::Piv(PivStep::Sign);
        SessionError::CardFailed(CardFault::Transport { step, source })
    })?;
    let (slot, scheme) = (held.key.slot(), job.scheme);
    let request = form_of(scheme).and_then(|form| {
        let (key, message) = (held.key.clone(), job.message.clone());
        SignRequest::new(key, opened.pin, form, message, &salt)
    });
    let request = request.ok_or(PolicyFault::SchemeNotOfKey { slot, scheme })?;
    Ok(request.pin_verified())
}
