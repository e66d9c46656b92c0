//! The one task of a connection, and what it shares with those who ask.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use crate::error::{Breach, Ending};
use crate::exchange::{Answer, Event, Exchange};
use crate::transport::{Sink, Source, Unsent};
use crate::wire::{ErrorName, Kind};

/// Bytes read at once.
const READ_SIZE: usize = 8_192;

/// Who waits for an answer, and the room that the request takes until it has one.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) answer: oneshot::Sender<Answer>,
    pub(crate) _room: OwnedSemaphorePermit,
}

/// Told that something has changed. One change that was not heard of yet stands for all.
pub(crate) type Watcher = mpsc::Sender<()>;

/// A request on its way to xenstored.
#[derive(Debug)]
pub(crate) struct Outgoing {
    request: u32,
    bytes: Vec<u8>,
}

/// What is known of a connection, by its task and by those who ask.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shared(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    exchange: Exchange<Waiting, Watcher>,
    ending: Option<Ending>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a request; `None` when the payload is too long.
    pub(crate) fn ask(
        &self,
        kind: Kind,
        payload: &[u8],
        waiting: Option<Waiting>,
    ) -> Result<Option<Outgoing>, Ending> {
        let mut state = self.lock();
        match state.ending {
            Some(ending) => Err(ending),
            None => {
                let asked = state.exchange.ask(kind, payload, waiting);
                Ok(asked.map(|(request, bytes)| Outgoing { request, bytes }))
            }
        }
    }

    /// Registers a watch: its token.
    pub(crate) fn watch(&self, watcher: Watcher) -> Result<u32, Ending> {
        let mut state = self.lock();
        match state.ending {
            Some(ending) => Err(ending),
            None => Ok(state.exchange.watch(watcher)),
        }
    }

    /// Forgets a watch.
    pub(crate) fn unwatch(&self, token: u32) {
        self.lock().exchange.unwatch(token);
    }

    /// Why the connection has ended; to be asked only when it has.
    pub(crate) fn ending(&self) -> Ending {
        self.lock().ending.unwrap_or(Ending::Stopped)
    }

    /// Ends the connection, once: all who wait find their answer not coming.
    fn end(&self, ending: Ending) {
        let mut state = self.lock();
        state.ending.get_or_insert(ending);
        state.exchange = Exchange::default();
    }

    /// Whether a request is still to be sent. One whose caller is gone is not, and is forgotten.
    fn is_wanted(&self, request: u32) -> bool {
        let mut state = self.lock();
        let waiting = state.exchange.waiting(request);
        let is_wanted = waiting.is_none_or(|waiting| !waiting.answer.is_closed());
        if !is_wanted {
            state.exchange.forget(request);
        }
        is_wanted
    }

    /// A request that could not be sent is its caller's trouble alone.
    fn refuse(&self, request: u32, name: ErrorName) {
        if let Some(waiting) = self.lock().exchange.forget(request) {
            let _gone = waiting.answer.send(Err(name));
        }
    }

    /// Hands on what has come; each answer makes room in the window.
    fn deliver(&self, bytes: &[u8], window: &Semaphore) -> Result<(), Breach> {
        let mut state = self.lock();
        state.exchange.receive(bytes);
        while let Some(event) = state.exchange.next()? {
            match event {
                Event::Answered(waiting, answer) => {
                    window.add_permits(1);
                    if let Some(waiting) = waiting {
                        let _gone = waiting.answer.send(answer);
                    }
                }
                Event::Changed(watcher) => {
                    // Full: it has not heard of the last one yet.
                    let _told = watcher.map(|watcher| watcher.try_send(()));
                }
            }
        }
        Ok(())
    }
}

/// What the task owns.
#[derive(Debug)]
pub(crate) struct Task {
    pub(crate) source: Source,
    pub(crate) sink: Sink,
    /// How many requests may be sent without their answers.
    pub(crate) window: usize,
    pub(crate) queue: mpsc::UnboundedReceiver<Outgoing>,
    pub(crate) end: EndWhenDropped,
    /// Ends with the last handle.
    pub(crate) in_use: oneshot::Receiver<Infallible>,
}

impl Task {
    /// Moves bytes until the connection ends or nobody has a handle any more.
    pub(crate) async fn run(self) {
        let shared = &self.end.0;
        let window = Semaphore::new(self.window);
        let ending = tokio::select! {
            ending = receive(self.source, shared, &window) => ending,
            ending = send(self.sink, self.queue, shared, &window) => ending,
            _ = self.in_use => Ending::Stopped,
        };
        shared.end(ending);
    }
}

/// Ends the connection also when the runtime ends and drops the task, even before it has begun.
#[derive(Debug)]
pub(crate) struct EndWhenDropped(pub(crate) Shared);

impl Drop for EndWhenDropped {
    fn drop(&mut self) {
        self.0.end(Ending::Stopped);
    }
}

async fn receive(mut source: Source, shared: &Shared, window: &Semaphore) -> Ending {
    let mut buffer = [0; READ_SIZE];
    loop {
        let bytes = match source.read(&mut buffer).await {
            Ok(0) => return Ending::Closed,
            Ok(length) => buffer.get(..length).unwrap_or_default(),
            Err(error) => return error.into(),
        };
        if let Err(breach) = shared.deliver(bytes, window) {
            return breach.into();
        }
    }
}

async fn send(
    mut sink: Sink,
    mut queue: mpsc::UnboundedReceiver<Outgoing>,
    shared: &Shared,
    window: &Semaphore,
) -> Ending {
    while let Some(Outgoing { request, bytes }) = queue.recv().await {
        let Ok(place) = window.acquire().await else {
            break;
        };
        if !shared.is_wanted(request) {
            continue;
        }
        // Until the answer comes.
        place.forget();
        match sink.send(bytes).await {
            Ok(()) => {}
            Err(Unsent::Refused(name)) => {
                window.add_permits(1);
                shared.refuse(request, name);
            }
            Err(Unsent::Broken(ending)) => return ending,
        }
    }
    Ending::Stopped
}
