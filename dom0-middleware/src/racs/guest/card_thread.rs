//! The thread that speaks to the cards of one connection.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::super::server::{Grid, Hand, Unlisted};
use super::super::session::{Order, Outcome};

/// Does orders one after the other, and lets go of a card with which nothing is done. It ends when this
/// is dropped, once no APDU runs, and all cards go back then.
#[derive(Debug)]
pub(super) struct CardThread {
    jobs: Sender<Job>,
    ended: oneshot::Receiver<()>,
}

struct Job {
    order: Order,
    answer: oneshot::Sender<Outcome>,
}

impl CardThread {
    /// For the cards that `grid` lends to this guest.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub(super) fn start<G: Grid>(grid: G, name: String, idle_lock: Duration) -> io::Result<Self> {
        let (jobs, inbox) = channel();
        let (end, ended) = oneshot::channel();
        let thread = thread::Builder::new().name("racs guest".to_owned());
        thread.spawn(move || {
            serve(&grid, &name, idle_lock, &inbox);
            // Nobody waits for it when the connection was cut off.
            let _ = end.send(());
        })?;
        Ok(Self { jobs, ended })
    }

    /// Begins an order; its outcome comes when the card has done it, and never if the thread has failed.
    pub(super) fn begin(&self, order: Order) -> oneshot::Receiver<Outcome> {
        let (answer, outcome) = oneshot::channel();
        // If the thread is gone, so is `answer`.
        let _ = self.jobs.send(Job { order, answer });
        outcome
    }

    /// Waits until all cards are back.
    pub(super) async fn close(self) {
        drop(self.jobs);
        let _ = self.ended.await;
    }
}

fn serve<G: Grid>(grid: &G, name: &str, idle_lock: Duration, jobs: &Receiver<Job>) {
    let mut hand = Hand::new(grid, name, &Unlisted);
    let tick = (idle_lock / 4).clamp(MIN_TICK, MAX_TICK);
    loop {
        let job = match hand.is_empty() {
            true => jobs.recv().map_err(|_| RecvTimeoutError::Disconnected),
            false => jobs.recv_timeout(tick),
        };
        match job {
            Ok(Job { order, answer }) => {
                let outcome = hand.carry_out(order, Instant::now());
                // Whoever has left does not need it.
                let _ = answer.send(outcome);
            }
            Err(RecvTimeoutError::Timeout) => hand.let_go_of_idle(Instant::now(), idle_lock),
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

const MIN_TICK: Duration = Duration::from_millis(5);
const MAX_TICK: Duration = Duration::from_secs(1);
