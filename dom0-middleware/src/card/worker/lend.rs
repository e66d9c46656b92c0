//! The card is lent, waited for, and brought back to rest.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::info;

use super::inbox::Inbox;
use super::life::{Phase, TICK, Worker};
use super::link::Link;
use super::loan::{LendAnswer, LendJob, Loan};
use super::opening::OpenCard;
use super::session::Orders;
use crate::card::error::{CardError, SessionError};
use crate::card::job::UseId;
use crate::card::report::{LoanEnd, WorkerCommand, WorkerReport};
use crate::card::transport::TransportError;

/// How much longer than an APDU may take a borrower is waited for before it counts as hanging.
const GRACE: Duration = Duration::from_secs(1);

/// How the wait for a borrower ended.
struct Wait {
    /// `None` when the worker ends and the borrower is in the middle of an APDU.
    link: Option<Link>,
    orders: Orders,
    end: LoanEnd,
}

/// What the card was before it was lent.
enum Before {
    Ready(OpenCard),
    Unusable(CardError),
}

impl Worker {
    /// Lends the card, from its reset to [`WorkerReport::Free`]. One that guests cannot use is lent
    /// too: the borrower may be about to put that right.
    pub(super) fn lend(&mut self, job: LendJob, inbox: &Inbox) -> Orders {
        let use_id = job.use_id;
        let (mut link, before) = match self.take_phase() {
            Phase::Ready(ready) => (ready.link, Before::Ready(ready.opened)),
            Phase::Unusable { link, why, .. } => (link, Before::Unusable(why)),
            absent @ Phase::Absent { .. } => {
                self.phase = absent;
                return self.refuse_loan(use_id, job.answer, TransportError::Removed.into());
            }
        };
        // What guests have left in it, PIN and session, is not the borrower's.
        self.session = None;
        if let Err(error) = link.cold_reset() {
            let error = CardError::from(error);
            self.lose(error.clone());
            return self.refuse_loan(use_id, job.answer, error);
        }
        info!(seid = %self.settings.seid, %use_id, "card lent");
        link.restart_clock();
        let atr = link.transport.atr().clone();
        let loan = Arc::new(Loan::new(link, Arc::clone(&job.recalled)));
        let lent = loan.lent(self.settings.seid.clone(), atr, &job);
        (job.answer)(Ok(lent));
        let Wait { link, orders, end } = self.await_return(&loan, use_id, inbox);
        let apdus = loan.apdus();
        info!(seid = %self.settings.seid, %use_id, apdus, ?end, "card no longer lent");
        self.tell(WorkerReport::LoanEnded { use_id, apdus, end });
        let card_time = link.as_ref().map(Link::card_time).unwrap_or_default();
        if let Some(link) = link {
            self.take_back(link, before);
        }
        self.tell(WorkerReport::Free { use_id, card_time });
        orders
    }

    fn refuse_loan(&self, use_id: UseId, answer: LendAnswer, why: CardError) -> Orders {
        answer(Err(why));
        self.tell(WorkerReport::LoanEnded {
            use_id,
            apdus: 0,
            end: LoanEnd::NotLent,
        });
        self.tell(WorkerReport::Free {
            use_id,
            card_time: Duration::ZERO,
        });
        Orders::default()
    }

    /// Waits until the link is the worker's again, or the worker ends.
    fn await_return(&self, loan: &Loan, use_id: UseId, inbox: &Inbox) -> Wait {
        let mut orders = Orders::default();
        let mut end = LoanEnd::Returned;
        let mut hang = Hang::default();
        let mut is_returned = false;
        loop {
            match inbox.wait(TICK) {
                Some(WorkerCommand::Returned { use_id: of }) => is_returned |= of == use_id,
                Some(WorkerCommand::Recall { use_id: of }) if of == use_id => {
                    end = LoanEnd::Recalled;
                }
                // The operator's word comes before a borrower's wish.
                Some(WorkerCommand::Reopen(order)) => {
                    orders.reopen.push(order);
                    end = LoanEnd::Recalled;
                }
                Some(WorkerCommand::Stop) => {
                    orders.stop = true;
                    end = LoanEnd::Recalled;
                }
                Some(WorkerCommand::Start(job)) => {
                    self.refuse_use(job.use_id, SessionError::Busy);
                }
                Some(WorkerCommand::Sign(job)) => {
                    self.refuse_use(job.use_id, SessionError::Busy);
                }
                Some(WorkerCommand::Lend(job)) => {
                    self.refuse_loan(job.use_id, job.answer, CardError::InUse);
                }
                Some(
                    WorkerCommand::ServerRecords { .. }
                    | WorkerCommand::Cancel { .. }
                    | WorkerCommand::Recall { .. }
                    | WorkerCommand::LookAtPin(_)
                    | WorkerCommand::ForgetSession,
                ) => {}
                None => loan.look_for_card(),
            }
            if loan.is_removed() {
                end = LoanEnd::Removed;
            }
            if is_returned || end != LoanEnd::Returned {
                loan.recall();
                let link = loan.take();
                // One that ends waits for nobody: whoever lets go of the link resets the card.
                if link.is_some() || orders.stop {
                    return Wait { link, orders, end };
                }
            }
            if hang.is_news(loan, self.settings.apdu_timeout + GRACE) {
                // Before that is told: who hears of it may rely on it.
                loan.recall();
                end = LoanEnd::Recalled;
                self.tell(WorkerReport::LoanOverdue { use_id });
            }
        }
    }

    /// Cold reset, and what the card was before.
    fn take_back(&mut self, mut link: Link, before: Before) {
        match before {
            Before::Ready(opened) => self.recover(link, Some(opened)),
            // Whether its PIN may be sent to it is decided as ever, when it is looked at next.
            Before::Unusable(why) => match link.cold_reset() {
                Ok(()) => {
                    self.phase = Phase::Unusable {
                        link,
                        why,
                        retry_at: Instant::now(),
                    };
                }
                Err(error) => self.lose(error.into()),
            },
        }
    }
}

/// A call of a borrower that goes on and on.
#[derive(Default)]
struct Hang {
    /// Which call ran when it was looked last, and since when.
    running: Option<(u64, Instant)>,
    told: bool,
}

impl Hang {
    /// Whether the same call runs for longer than `limit`, which is said once.
    fn is_news(&mut self, loan: &Loan, limit: Duration) -> bool {
        self.running = match (loan.running(), self.running) {
            (None, _) => None,
            (Some(call), Some((before, since))) if call == before => Some((call, since)),
            (Some(call), _) => Some((call, Instant::now())),
        };
        let is_over = self
            .running
            .is_some_and(|(_, since)| since.elapsed() >= limit);
        is_over && !std::mem::replace(&mut self.told, true)
    }
}
