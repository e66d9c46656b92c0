//! One signature on a card that is ready.

use std::collections::VecDeque;
use std::io;
use std::time::Instant;

use ring::rand::{SecureRandom, SystemRandom};
use tracing::debug;

use super::inbox::Inbox;
use super::life::{Phase, Ready, Worker};
use super::opening::{Expected, OpenCard, pin_to_send};
use super::session::{Orders, Use};
use crate::card::error::SessionError;
use crate::card::fault::{CardFault, CardStep};
use crate::card::job::SignJob;
use crate::card::pin::PinLedger;
use crate::card::piv::signing::{self, Salt, SignError, Step};
use crate::card::piv::{PivParameters, SignRequest};
use crate::card::profile::{CardProfile, PivProfile};
use crate::card::report::WorkerReport;
use crate::card::session_fault::PolicyFault;
use crate::card::transport::TransportError;

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
        let (result, orders) = self.run_signature(&mut ready, profile, job, inbox);
        let card_time = ready.link.card_time();
        match result {
            Ok(signature) => {
                debug!(seid = %self.settings.seid, %use_id, ?card_time, "signed");
                self.phase = Phase::Ready(ready);
                self.tell(WorkerReport::Signed {
                    use_id,
                    signature,
                    card_time,
                });
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
        job: SignJob,
        inbox: &Inbox,
    ) -> (Result<Vec<u8>, SignError>, Orders) {
        let use_id = job.use_id;
        let request = match request(&ready.opened, job) {
            Ok(request) => request,
            Err(error) => return (Err(error.into()), Orders::default()),
        };
        let pin = self.records.pin_source(&self.settings);
        let expected = Expected {
            seid: &self.settings.seid,
            pin: pin.as_ref(),
            // It is the card that was opened: it has not left, and was not reset.
            fingerprint: None,
        };
        let (seid, report) = (&self.settings.seid, &self.report);
        let tell = |what| report(seid.clone(), what);
        let mut running = Use {
            use_id,
            link: &mut ready.link,
            source: self.source.as_mut(),
            inbox,
            report: &tell,
            limit: self.settings.handshake_timeout,
            begun: Instant::now(),
            records: VecDeque::new(),
            taken: 0,
            orders: Orders::default(),
        };
        let ledger = self.records.pins.as_ref();
        let parameters = PivParameters::new(profile);
        let first = signing::begin(request, parameters);
        let result = first.and_then(|first| running.sign(first, &expected, ledger));
        (result, running.orders)
    }
}

impl Use<'_> {
    /// Runs the signature to its end.
    fn sign(
        &mut self,
        first: Step,
        expected: &Expected<'_>,
        ledger: &dyn PinLedger,
    ) -> Result<Vec<u8>, SignError> {
        let mut step = first;
        loop {
            step = match step {
                Step::Transmit(signing, command) => {
                    self.take_orders();
                    if let Some(error) = self.interruption() {
                        return Err(error.into());
                    }
                    let response = self.link.transmit(&command);
                    let response = response
                        .map_err(|source| SessionError::of_transport(signing.step(), source))?;
                    signing.on_response(response)?
                }
                Step::NeedPin(signing) => {
                    let pin = pin_to_send(expected, ledger).map_err(SignError::Pin)?;
                    signing.with_pin(&pin)?
                }
                Step::PinAccepted(signing) => {
                    let recorded = ledger.record_accepted(expected.seid);
                    recorded.map_err(|error| SignError::Pin(error.into()))?;
                    signing.proceed()?
                }
                Step::Signed(signature) => return Ok(signature),
            };
        }
    }
}

/// What the job asks of the card that is there.
fn request(opened: &OpenCard, job: SignJob) -> Result<SignRequest, SessionError> {
    let OpenCard::Piv(opened) = opened else {
        return Err(SessionError::WrongDoor);
    };
    let key = opened
        .key(job.identity.as_str())
        .ok_or(PolicyFault::NoSuchIdentity)?;
    let got = key.certificate_sha256();
    if got != job.client_certificate_sha256 {
        return Err(SessionError::CardSwapped { got });
    }
    let mut salt: Salt = [0; 64];
    SystemRandom::new().fill(&mut salt).map_err(|_| {
        let source = TransportError::Io(io::ErrorKind::Other);
        let step = CardStep::Sign;
        SessionError::CardFailed(CardFault::Transport { step, source })
    })?;
    Ok(SignRequest {
        key: key.clone(),
        pin: opened.pin,
        scheme: job.scheme,
        message: job.message,
        salt,
    })
}
