//! One use of the card: a handshake, moved between the card and the broker.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::inbox::Inbox;
use super::life::TICK;
use super::link::Link;
use crate::card::eap_tls::handshake::{Completed, Failure, Step};
use crate::card::error::{CardError, SessionError};
use crate::card::job::UseId;
use crate::card::report::{LoanEnd, Reopen, Reporter, WorkerCommand, WorkerReport};
use crate::card::settings::CardSettings;
use crate::card::transport::CardSource;

/// What one handshake needs besides its own state.
pub(super) struct Use<'a> {
    use_id: UseId,
    pub(super) link: &'a mut Link,
    source: &'a mut dyn CardSource,
    inbox: &'a Inbox,
    settings: &'a CardSettings,
    report: &'a Reporter,
    begun: Instant,
    /// What came from the server and was not asked for yet.
    records: VecDeque<Vec<u8>>,
    /// How many bytes have come from the server.
    taken: usize,
    pub(super) orders: Orders,
}

/// What the broker said in the middle of a use.
#[derive(Debug, Default)]
pub(super) struct Orders {
    /// This use is over.
    cancelled: bool,
    /// The worker ends.
    pub(super) stop: bool,
    /// What could be resumed is forgotten.
    pub(super) forget_session: bool,
    /// The card is to be opened again, in this order.
    pub(super) reopen: Vec<Reopen>,
}

impl<'a> Use<'a> {
    /// One that begins now.
    pub(super) fn new(
        use_id: UseId,
        link: &'a mut Link,
        source: &'a mut dyn CardSource,
        inbox: &'a Inbox,
        settings: &'a CardSettings,
        report: &'a Reporter,
    ) -> Self {
        Self {
            use_id,
            link,
            source,
            inbox,
            settings,
            report,
            begun: Instant::now(),
            records: VecDeque::new(),
            taken: 0,
            orders: Orders::default(),
        }
    }

    /// Runs the handshake to its end.
    pub(super) fn run(&mut self, first: Step) -> Result<Box<Completed>, Box<Failure>> {
        let mut waiting_since = None;
        let mut step = first;
        loop {
            step = match step {
                Step::Transmit(handshake, command) => {
                    waiting_since = None;
                    self.take_orders();
                    if let Some(error) = self.interruption() {
                        return Err(handshake.abandon(error));
                    }
                    let chain = |chains| handshake.chain(&command, chains);
                    match self.link.transmit_ahead(&command, chain) {
                        Ok(response) => handshake.on_response(response)?,
                        Err(source) => {
                            let error = SessionError::of_transport(handshake.step(), source);
                            return Err(handshake.abandon(error));
                        }
                    }
                }
                Step::SendToServer(data, then) => {
                    let use_id = self.use_id;
                    self.tell(WorkerReport::ClientRecords { use_id, data });
                    *then
                }
                Step::AwaitServer(handshake) => {
                    let since = *waiting_since.get_or_insert_with(Instant::now);
                    match self.next_records(since) {
                        Ok(data) => handshake.on_records(&data)?,
                        Err(error) => return Err(handshake.abandon(error)),
                    }
                }
                Step::Finished(completed) => {
                    self.take_orders();
                    return match self.interruption() {
                        // The keys are dropped here, unseen.
                        Some(error) => Err(Box::new(Failure {
                            error,
                            alert: None,
                            session: completed.session,
                        })),
                        None => Ok(completed),
                    };
                }
            };
        }
    }

    fn next_records(&mut self, since: Instant) -> Result<Vec<u8>, SessionError> {
        self.take_orders();
        if self.records.is_empty() {
            let use_id = self.use_id;
            let waited = since.elapsed();
            let taken = self.taken;
            self.tell(WorkerReport::AwaitingServer {
                use_id,
                waited,
                taken,
            });
        }
        loop {
            if let Some(error) = self.interruption() {
                return Err(error);
            }
            if let Some(data) = self.records.pop_front() {
                return Ok(data);
            }
            match self.inbox.wait(TICK.min(self.time_left())) {
                Some(command) => self.note(command),
                None => self.look_at_card()?,
            }
        }
    }

    /// Notes what the broker has said meanwhile, without waiting.
    pub(super) fn take_orders(&mut self) {
        while !self.orders.stop
            && let Some(command) = self.inbox.poll()
        {
            self.note(command);
        }
    }

    fn note(&mut self, command: WorkerCommand) {
        match command {
            WorkerCommand::ServerRecords { use_id, data } if use_id == self.use_id => {
                self.taken = self.taken.saturating_add(data.len());
                self.records.push_back(data);
            }
            WorkerCommand::Cancel { use_id } if use_id == self.use_id => {
                self.orders.cancelled = true;
            }
            WorkerCommand::ServerRecords { .. }
            | WorkerCommand::Cancel { .. }
            | WorkerCommand::Recall { .. }
            | WorkerCommand::Returned { .. } => {}
            WorkerCommand::Reopen(order) => self.orders.reopen.push(order),
            // It is not for a card in use.
            WorkerCommand::LookAtPin(_) => {}
            WorkerCommand::ForgetSession => self.orders.forget_session = true,
            WorkerCommand::Stop => self.orders.stop = true,
            WorkerCommand::Start(job) => self.refuse(job.use_id),
            WorkerCommand::Sign(job) => self.refuse(job.use_id),
            WorkerCommand::Lend(job) => {
                let use_id = job.use_id;
                (job.answer)(Err(CardError::InUse));
                let end = LoanEnd::NotLent;
                self.tell(WorkerReport::LoanEnded {
                    use_id,
                    apdus: 0,
                    end,
                });
                self.tell_free(use_id);
            }
        }
    }

    /// Another use, while this one runs.
    fn refuse(&self, use_id: UseId) {
        self.tell(WorkerReport::Failed {
            use_id,
            error: SessionError::Busy,
            alert: None,
        });
        self.tell_free(use_id);
    }

    fn tell_free(&self, use_id: UseId) {
        let card_time = Duration::ZERO;
        self.tell(WorkerReport::Free { use_id, card_time });
    }

    fn tell(&self, what: WorkerReport) {
        (self.report)(self.settings.seid.clone(), what);
    }

    pub(super) fn interruption(&self) -> Option<SessionError> {
        if self.orders.stop {
            return Some(SessionError::Stopped);
        }
        if self.orders.cancelled {
            return Some(SessionError::Cancelled);
        }
        let limit = self.settings.handshake_timeout;
        (self.begun.elapsed() >= limit).then_some(SessionError::Timeout { limit })
    }

    fn time_left(&self) -> Duration {
        let limit = self.settings.handshake_timeout;
        limit.saturating_sub(self.begun.elapsed())
    }

    fn look_at_card(&mut self) -> Result<(), SessionError> {
        if self.link.transport.check_present().is_err() {
            return Err(SessionError::CardRemoved);
        }
        let count = self.source.refuse_surplus();
        if count > 0 {
            self.tell(WorkerReport::SurplusRefused { count });
        }
        Ok(())
    }
}
