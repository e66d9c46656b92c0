//! One job on a card that is ready: the handshake, its end, and the card's way back to rest.

use std::sync::Arc;
use std::time::Duration;

use proto::id::DomainUuid;
use rustls_pki_types::UnixTime;
use tracing::{debug, warn};

use super::inbox::Inbox;
use super::life::{Phase, Ready, Worker};
use super::opening::{OpenCard, parameters};
use super::session::{Orders, Use};
use crate::card::eap_tls::handshake::{self, Completed, Failure};
use crate::card::eap_tls::{DriverParameters, HandshakeRequest, OptionalSteps, closing};
use crate::card::error::SessionError;
use crate::card::job::{Job, UseId};
use crate::card::profile::{CardProfile, EapTlsProfile};
use crate::card::report::{CardSession, WorkerReport};
use crate::card::trust::{Believed, PeerVerifier, Trust, TrustError};

impl Worker {
    /// Runs one handshake from start to [`WorkerReport::Free`].
    pub(super) fn serve(&mut self, job: &Job, inbox: &Inbox) -> Orders {
        let CardProfile::EapTls(profile) = self.settings.profile.clone() else {
            return self.refuse_use(job.use_id, SessionError::WrongDoor);
        };
        match self.take_ready() {
            Ok(ready) => self.serve_ready(ready, &profile, job, inbox),
            Err(error) => self.refuse_use(job.use_id, error),
        }
    }

    /// The card, if it is ready; else why not.
    pub(super) fn take_ready(&mut self) -> Result<Ready, SessionError> {
        let (phase, error) = match self.take_phase() {
            Phase::Ready(ready) => return Ok(ready),
            Phase::Unusable {
                link,
                why,
                retry_at,
            } => {
                let error = SessionError::of_unusable_card(&why);
                let phase = Phase::Unusable {
                    link,
                    why,
                    retry_at,
                };
                (phase, error)
            }
            absent @ Phase::Absent { .. } => (absent, SessionError::NoCard),
        };
        self.phase = phase;
        Err(error)
    }

    /// Says no to a use before it has touched the card.
    pub(super) fn refuse_use(&self, use_id: UseId, error: SessionError) -> Orders {
        self.tell_failure(use_id, error, None);
        self.tell(WorkerReport::Free {
            use_id,
            card_time: Duration::ZERO,
        });
        Orders::default()
    }

    fn serve_ready(
        &mut self,
        mut ready: Ready,
        profile: &EapTlsProfile,
        job: &Job,
        inbox: &Inbox,
    ) -> Orders {
        let use_id = job.use_id;
        ready.link.restart_clock();
        let outcome = self.run_handshake(&mut ready, profile, job, inbox);
        let recover = match outcome.result {
            Ok(completed) => {
                self.session = completed.session.clone();
                self.tell_established(use_id, *completed, ready.link.card_time());
                false
            }
            Err(failure) => {
                let Failure {
                    error,
                    alert,
                    session,
                } = *failure;
                self.session = session;
                let recover = error.needs_recovery();
                self.tell_failure(use_id, error, alert);
                recover
            }
        };
        if outcome.orders.forget_session {
            self.session = None;
        }
        let at_rest = !recover && (!outcome.touched || self.close(&mut ready, profile, job));
        let card_time = ready.link.card_time();
        if at_rest {
            self.phase = Phase::Ready(ready);
        } else if !outcome.orders.stop {
            self.recover(ready.link, Some(ready.opened));
        }
        self.tell(WorkerReport::Free { use_id, card_time });
        outcome.orders
    }

    fn run_handshake(
        &mut self,
        ready: &mut Ready,
        profile: &EapTlsProfile,
        job: &Job,
        inbox: &Inbox,
    ) -> Outcome {
        let rested_under = ready.rests_under.take();
        let first = match &ready.opened {
            OpenCard::EapTls(opened) => handshake::begin(
                HandshakeRequest::from(job),
                DriverParameters {
                    at_rest: rested_under.as_ref() == Some(&job.identity),
                    ..parameters(profile, ready.stand_in)
                },
                opened.capabilities,
                Arc::new(TrustNow {
                    trust: Arc::clone(&job.trust),
                    domain: job.domain,
                    believed: Arc::clone(&self.believed),
                }),
                self.session.take(),
            ),
            OpenCard::Piv(_) => Err(Box::new(Failure {
                error: SessionError::WrongDoor,
                alert: None,
                session: None,
            })),
        };
        let first = match first {
            Ok(step) => step,
            Err(failure) => {
                return Outcome {
                    result: Err(failure),
                    touched: false,
                    orders: Orders::default(),
                };
            }
        };
        let mut running = Use::new(
            job.use_id,
            &mut ready.link,
            self.source.as_mut(),
            inbox,
            &self.settings,
            &self.report,
        );
        let result = running.run(first);
        Outcome {
            result,
            touched: true,
            orders: running.orders,
        }
    }

    /// Reset-State and Set-Identity; whether the card is at rest.
    fn close(&self, ready: &mut Ready, profile: &EapTlsProfile, job: &Job) -> bool {
        let steps = OptionalSteps::default();
        let first = closing::begin(profile, steps, job.identity.clone());
        match ready.link.close(first) {
            Ok(()) => {
                ready.rests_under = Some(job.identity.clone());
                true
            }
            Err(error) => {
                warn!(seid = %self.settings.seid, %error, "card did not come to rest");
                false
            }
        }
    }

    fn tell_established(&self, use_id: UseId, completed: Completed, card_time: Duration) {
        let session = Box::new(CardSession {
            keys: completed.keys,
            abbreviated: completed.abbreviated,
            extended_master_secret: completed.extended_master_secret,
            encrypt_then_mac: completed.encrypt_then_mac,
            consumed: completed.consumed,
            alpn: completed.alpn,
            peer_certificates: completed.peer_certificates,
            card_time,
        });
        debug!(seid = %self.settings.seid, %use_id, ?session, "handshake done");
        self.tell(WorkerReport::Established { use_id, session });
    }

    pub(super) fn tell_failure(&self, use_id: UseId, error: SessionError, alert: Option<Vec<u8>>) {
        debug!(seid = %self.settings.seid, %use_id, %error, "use of the card failed");
        self.tell(WorkerReport::Failed {
            use_id,
            error,
            alert,
        });
    }
}

/// How a handshake went.
struct Outcome {
    result: Result<Box<Completed>, Box<Failure>>,
    /// Whether a command of it reached the card.
    touched: bool,
    orders: Orders,
}

/// A binding's trust, at the time it is asked.
struct TrustNow {
    trust: Arc<Trust>,
    domain: DomainUuid,
    believed: Arc<Believed>,
}

impl PeerVerifier for TrustNow {
    fn verify_peer(&self, chain: &[Vec<u8>], server_name: &str) -> Result<(), TrustError> {
        let now = UnixTime::now();
        self.believed
            .verify(&self.trust, self.domain, chain, server_name, now)
    }
}
