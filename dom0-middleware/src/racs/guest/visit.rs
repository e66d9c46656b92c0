//! The connection of a guest that was let in.

use std::pin::Pin;
use std::time::Duration;

use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, sleep_until, timeout};
use zeroize::Zeroizing;

use super::super::server::Grid;
use super::super::session::{Outcome, RacsRefusal, RacsSession, Rights, Step};
use super::card_thread::CardThread;

/// A guest that was let in: what it may do, and with which cards.
pub(crate) struct Visit<G> {
    /// What it may do with which card.
    pub(crate) rights: Rights,
    /// Who lends them.
    pub(crate) grid: G,
    /// The guest, for the log.
    pub(crate) name: String,
    /// How long it may have a card without doing anything with it.
    pub(crate) idle_lock: Duration,
}

/// How a visit went, as far as it went.
#[derive(Debug, Default)]
pub(crate) struct Ending {
    /// APDUs that the guest may not send, and sent.
    pub(crate) apdus_refused: u64,
    /// How it ended; `None` if the task was cut off.
    pub(crate) end: Option<VisitEnd>,
}

/// What ends a visit from this host's side.
#[derive(Debug)]
pub(crate) struct LastWord {
    /// Why it ends, for the audit.
    pub(crate) why: String,
    /// The last that the guest reads.
    pub(crate) bytes: Option<Zeroizing<Vec<u8>>>,
}

/// How a visit ended.
#[derive(Debug, Error)]
pub(crate) enum VisitEnd {
    /// The guest left.
    #[error("the guest left")]
    Left,
    /// It did nothing.
    #[error("the guest did nothing for too long")]
    Idle,
    /// It said QUIT, or something after which nothing can be understood.
    #[error("closed after QUIT, or an error that ends the session")]
    Closed,
    /// It does not read.
    #[error("the guest does not read its response")]
    SlowReader,
    /// Its right ended, or the service does.
    #[error("this host ended it: {0}")]
    Ended(String),
    /// The host has no thread for it.
    #[error("no thread for the cards")]
    NoThread,
}

impl<G: Grid> Visit<G> {
    /// Serves the guest over `stream` until one of both ends it. `rest` are bytes that came before.
    ///
    /// When `ended` is done, so is the visit.
    /// All cards are back, or are so as soon as their running APDU ends.
    pub(crate) async fn run<S, E>(
        self,
        stream: &mut S,
        rest: Zeroizing<Vec<u8>>,
        ended: Pin<&mut E>,
        ending: &mut Ending,
    ) where
        S: AsyncRead + AsyncWrite + Unpin,
        E: Future<Output = LastWord>,
    {
        let started = CardThread::start(self.grid, self.name, self.idle_lock);
        let Ok(cards) = started else {
            ending.end = Some(VisitEnd::NoThread);
            return;
        };
        let mut talk = Talk {
            session: RacsSession::new(self.rights),
            ahead: rest,
            cards,
            last_deed: Instant::now(),
            is_over: false,
        };
        let end = talk.run(stream, ended, ending).await;
        ending.end = Some(end);
        // What it held is to be back before it counts as gone; an APDU that runs for long is not
        // waited for.
        let _ = timeout(CLOSE_TIME, talk.cards.close()).await;
    }
}

/// A visit under way.
struct Talk {
    session: RacsSession,
    /// Bytes that came while a card was busy; not more than one read brings.
    ahead: Zeroizing<Vec<u8>>,
    cards: CardThread,
    last_deed: Instant,
    /// The guest has said that nothing more comes from it.
    is_over: bool,
}

impl Talk {
    fn may_read_ahead(&self) -> bool {
        self.ahead.is_empty() && !self.is_over
    }

    async fn run<S, E>(
        &mut self,
        stream: &mut S,
        mut ended: Pin<&mut E>,
        ending: &mut Ending,
    ) -> VisitEnd
    where
        S: AsyncRead + AsyncWrite + Unpin,
        E: Future<Output = LastWord>,
    {
        let mut buffer = Zeroizing::new(vec![0; READ_LEN]);
        loop {
            let step = self.session.next_step();
            ending.apdus_refused = self.session.apdus_refused();
            match step {
                Step::NeedBytes if !self.ahead.is_empty() => {
                    let ahead = std::mem::take(&mut self.ahead);
                    self.session.take(&ahead);
                }
                // It has said all it will, and was answered.
                Step::NeedBytes if self.is_over => return VisitEnd::Left,
                Step::NeedBytes => {
                    let until = self.last_deed + IDLE;
                    let read = tokio::select! {
                        biased;
                        last = ended.as_mut() => return say_last(stream, last, ending).await,
                        read = stream.read(&mut buffer) => read,
                        () = sleep_until(until) => return VisitEnd::Idle,
                    };
                    match read {
                        Ok(0) => self.is_over = true,
                        // It has left without a word.
                        Err(_) => return VisitEnd::Left,
                        Ok(read) => self.session.take(buffer.get(..read).unwrap_or_default()),
                    }
                }
                Step::Do(order) => {
                    let mut outcome = self.cards.begin(order);
                    let outcome = loop {
                        tokio::select! {
                            biased;
                            last = ended.as_mut() => return say_last(stream, last, ending).await,
                            outcome = &mut outcome => break outcome.unwrap_or_else(|_| failed()),
                            // Whoever leaves without a word while a card is busy does not keep it.
                            read = stream.read(&mut buffer), if self.may_read_ahead() => match read {
                                Ok(0) => self.is_over = true,
                                Err(_) => return VisitEnd::Left,
                                Ok(read) => {
                                    let came = buffer.get(..read).unwrap_or_default();
                                    self.ahead = Zeroizing::new(came.to_vec());
                                }
                            },
                        }
                    };
                    self.last_deed = Instant::now();
                    self.session.on_outcome(outcome);
                }
                Step::Respond(response) => {
                    self.last_deed = Instant::now();
                    match timeout(WRITE_TIME, say(stream, &response)).await {
                        Ok(Ok(())) => {}
                        Ok(Err(_)) => return VisitEnd::Left,
                        Err(_) => return VisitEnd::SlowReader,
                    }
                }
                Step::Close => return VisitEnd::Closed,
            }
        }
    }
}

/// Writes all of it; a response of up to 16 KiB is one TLS record.
async fn say<S: AsyncWrite + Unpin>(stream: &mut S, bytes: &[u8]) -> std::io::Result<()> {
    stream.write_all(bytes).await?;
    stream.flush().await
}

async fn say_last<S: AsyncWrite + Unpin>(
    stream: &mut S,
    LastWord { why, bytes }: LastWord,
    ending: &mut Ending,
) -> VisitEnd {
    // A guest that does not read may be cut off before this returns.
    ending.end = Some(VisitEnd::Ended(why.clone()));
    if let Some(bytes) = bytes {
        // Whether the guest reads it is its own affair.
        let _ = timeout(CLOSE_TIME, say(stream, &bytes)).await;
    }
    VisitEnd::Ended(why)
}

fn failed() -> Outcome {
    Outcome::Refused(RacsRefusal::System("the host failed".to_owned()))
}

/// What one TLS record holds.
const READ_LEN: usize = 16 << 10;
/// How long a guest may take to read one response.
const WRITE_TIME: Duration = Duration::from_secs(10);
/// How long a connection may be without a command for a card and without a response.
const IDLE: Duration = Duration::from_secs(600);
/// How long the end of a visit may take.
const CLOSE_TIME: Duration = Duration::from_secs(1);
