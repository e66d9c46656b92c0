//! The token that dom0 puts into xenstore.
//!
//! A task of its own follows the node, so that a xenstored that does not answer keeps nobody waiting.
//! A watch tells of changes; a look now and then finds what a watch has missed. While xenstore cannot
//! be read, the token that was read last stands.

use std::future::pending;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use xenstore_client::{Watch, Xenstore, XenstoreError};

use super::token;
use super::token_watch::LOOK;

/// Where dom0 puts the token, relative to this domain's own nodes.
pub(super) const NODE: &str = "tessera/token";

/// How long xenstored may take for an answer.
const DEADLINE: Duration = Duration::from_secs(5);

/// Follows the node until it is dropped.
#[derive(Debug)]
pub(super) struct StoredToken(watch::Receiver<Option<Reading>>);

/// What stands at the node; of equal ones each is as good.
#[derive(Debug, Clone)]
struct Reading {
    /// Which content this is, counted from 1; nothing where there is none.
    stamp: Option<u64>,
    token: Result<Vec<u8>, Arc<io::Error>>,
}

impl StoredToken {
    /// Begins to follow it.
    pub(super) fn follow() -> Self {
        let (readings, reader) = watch::channel(None);
        let follower = Follower {
            readings,
            content: None,
            stamp: 0,
        };
        tokio::spawn(follower.run());
        Self(reader)
    }

    /// The token as it was read last, and which content that is. Waits for the first look.
    pub(super) async fn read(&mut self) -> (Option<u64>, io::Result<Vec<u8>>) {
        let is_read = self.0.wait_for(Option::is_some);
        // Should the time pass, it says nothing.
        let _ = timeout(DEADLINE * 2, is_read).await.map(drop);
        let reading = self.0.borrow_and_update().clone();
        match reading {
            Some(reading) => {
                let copy = |error: Arc<io::Error>| io::Error::new(error.kind(), error.to_string());
                (reading.stamp, reading.token.map_err(copy))
            }
            None => (
                None,
                Err(io::Error::new(ErrorKind::TimedOut, Unreadable::Silent)),
            ),
        }
    }

    /// Which content was read last, if there is any.
    pub(super) fn stamp(&self) -> Option<u64> {
        self.0.borrow().as_ref()?.stamp
    }

    /// Waits until something else was read.
    pub(super) async fn changed(&mut self) {
        if self.0.changed().await.is_err() {
            // The task ends only with the agent.
            pending().await
        }
    }
}

/// The task.
struct Follower {
    readings: watch::Sender<Option<Reading>>,
    /// What stood there when it was told: nothing is not the same as never read.
    content: Option<Option<Vec<u8>>>,
    stamp: u64,
}

impl Follower {
    async fn run(mut self) {
        loop {
            let problem = match in_time(Xenstore::connect()).await {
                Ok(store) => self.attend(&store).await,
                Err(error) => Some(error),
            };
            let Some(problem) = problem else {
                return;
            };
            self.unreadable(&problem);
            tokio::select! {
                () = self.readings.closed() => return,
                () = sleep(LOOK) => {}
            }
        }
    }

    /// Reads whenever there may be something new, until the connection ends; nothing when nobody
    /// wants to know any more.
    async fn attend(&mut self, store: &Xenstore) -> Option<Unreadable> {
        let mut watch: Option<Watch> = None;
        loop {
            match in_time(store.read(NODE)).await {
                Ok(content) => {
                    self.read(content);
                    if watch.is_none() {
                        // Without it there are still the looks. It begins by saying that it is set,
                        // so nothing is missed in between.
                        watch = in_time(store.watch(NODE)).await.ok();
                    }
                }
                Err(Unreadable::Store(error @ XenstoreError::Ended(_))) => {
                    return Some(error.into());
                }
                // In a guest the connection does not end with xenstored, which may answer again.
                Err(problem) => self.unreadable(&problem),
            }
            tokio::select! {
                () = self.readings.closed() => return None,
                () = sleep(LOOK) => {}
                changed = changed(&mut watch) => if let Err(error) = changed {
                    return Some(error.into());
                },
            }
        }
    }

    /// This stands there. An empty node is one that dom0 is about to write.
    fn read(&mut self, content: Option<Vec<u8>>) {
        let content = content.filter(|text| !text.is_empty());
        if self.content.as_ref() == Some(&content) {
            return;
        }
        let (stamp, token) = match &content {
            Some(text) => {
                self.stamp += 1;
                (Some(self.stamp), token::decode(text))
            }
            None => (None, Err(io::Error::new(ErrorKind::NotFound, ABSENT))),
        };
        self.content = Some(content);
        let at_node =
            |error: io::Error| io::Error::new(error.kind(), format!("xenstore, {NODE}: {error}"));
        self.tell(stamp, token.map_err(at_node));
    }

    /// xenstore cannot be read. What was read before stands, if it was a token.
    fn unreadable(&mut self, problem: &Unreadable) {
        let last = self.readings.borrow().clone();
        if last.is_none_or(|reading| reading.token.is_err()) {
            self.content = None;
            let words = format!("there is no token_file, and xenstore cannot be read: {problem}");
            self.tell(None, Err(io::Error::other(words)));
        }
    }

    fn tell(&self, stamp: Option<u64>, token: io::Result<Vec<u8>>) {
        let token = token.map_err(Arc::new);
        self.readings.send_replace(Some(Reading { stamp, token }));
    }
}

/// What it means that there is no node, and what to do.
const ABSENT: &str = "there is no token for this domain: the administrator of the host has issued \
                      none, or dom0-middleware does not run";

/// Why nothing was read.
#[derive(Debug, thiserror::Error)]
enum Unreadable {
    #[error("xenstored does not answer")]
    Silent,
    #[error(transparent)]
    Store(#[from] XenstoreError),
}

/// An answer, or that there was none in time.
async fn in_time<T>(
    answer: impl Future<Output = Result<T, XenstoreError>>,
) -> Result<T, Unreadable> {
    let answered = timeout(DEADLINE, answer).await;
    Ok(answered.map_err(|_| Unreadable::Silent)??)
}

/// Waits for a change; for ever without a watch.
async fn changed(watch: &mut Option<Watch>) -> Result<(), XenstoreError> {
    match watch {
        Some(watch) => watch.changed().await,
        None => pending().await,
    }
}
