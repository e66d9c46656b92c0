//! A vchan that stands for one domain.
//!
//! One vchan serves one client, once. So there is a server that waits; when its client has come,
//! and has gone again, another one takes its place. While one waits it costs memory and
//! descriptors (see `xen-channel`), and no thread.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use proto::id::{DomId, DomainUuid};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tracing::{info, warn};
use xen_channel::{Libxenvchan, OpenError, VchanServer, VchanStream};

use super::guest_channel::GuestChannel;
use super::tls::ChannelTls;
use crate::xen::{ChannelNodes, NodeError};

/// Bytes of each of the two rings: with the page for both a domain costs three of the 1,024 pages
/// that `xen-gntalloc` gives unless told otherwise (its parameter `limit`).
const RING: usize = 4_096;

/// Time between two servers of one domain, whose guest may come and go as fast as it likes.
const REST: Duration = Duration::from_millis(200);

/// Pause after a server could not be made: the first one, and the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Time after which waiting for xenstored is worth a word.
const WORTH_A_WORD: Duration = Duration::from_secs(10);

/// The right to have a server for a domid: held by one that is open, until it has been closed and
/// has taken its keys away.
pub(crate) type Place = Arc<Mutex<()>>;

/// Serves the agent of one domain. The server and its keys go when this is dropped; a connection
/// that was accepted stands on its own.
#[derive(Debug)]
pub(crate) struct VchanChannel {
    domid: DomId,
    domain: DomainUuid,
    library: Arc<Libxenvchan>,
    tls: ChannelTls,
    nodes: ChannelNodes,
    place: Place,
    /// When the next server may be made.
    not_before: Instant,
}

/// Why there is no server now.
#[derive(Debug, thiserror::Error)]
enum ServerFault {
    #[error(transparent)]
    Node(#[from] NodeError),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("waiting for the agent: {0}")]
    Wait(#[from] io::Error),
    #[error(
        "the keys of the vchan are no longer in xenstore: it was restarted, or somebody removed them"
    )]
    KeysGone,
}

impl ServerFault {
    fn cure(&self) -> &'static str {
        match self {
            Self::Node(_) => "see that xenstored runs: systemctl status xenstored",
            Self::Open(error) if !error.missing_devices().is_empty() => {
                "modprobe -a xen-gntalloc xen-evtchn, and name both in /etc/modules"
            }
            Self::Open(_) => {
                "if the domain runs, see whether there are grants left \
                 (/sys/module/xen_gntalloc/parameters/limit)"
            }
            Self::Wait(_) | Self::KeysGone => "nothing: another one is made",
        }
    }
}

impl VchanChannel {
    pub(crate) fn new(
        (domid, domain): (DomId, DomainUuid),
        library: Arc<Libxenvchan>,
        tls: ChannelTls,
        nodes: ChannelNodes,
        place: Place,
    ) -> Self {
        Self {
            domid,
            domain,
            library,
            tls,
            nodes,
            place,
            not_before: Instant::now(),
        }
    }

    /// One server, until its client has come.
    async fn serve(&mut self) -> Result<VchanStream, ServerFault> {
        sleep_until(self.not_before).await;
        let place = Arc::clone(&self.place).lock_owned().await;
        self.not_before = Instant::now() + REST;
        self.nodes.make(self.domid).await?;
        let path = self.nodes.path(self.domid);
        let library = Arc::clone(&self.library);
        let opening = VchanServer::open(library, self.domid.0, &path, RING, place);
        let server = self.patiently(opening).await?;
        info!(domid = %self.domid, domain = %self.domain, path, "vchan waits for the agent");
        tokio::select! {
            stream = server.connected() => Ok(stream?),
            () = self.nodes.keys_gone(self.domid) => Err(ServerFault::KeysGone),
        }
    }

    /// libxenvchan asks xenstored and waits for ever.
    async fn patiently<T>(&self, opening: impl Future<Output = T>) -> T {
        tokio::pin!(opening);
        loop {
            match timeout(WORTH_A_WORD, &mut opening).await {
                Ok(opened) => return opened,
                Err(_) => warn!(
                    domid = %self.domid, domain = %self.domain,
                    "the vchan is not open yet: xenstored does not answer; see that it runs"
                ),
            }
        }
    }
}

impl GuestChannel for VchanChannel {
    type Stream = VchanStream;

    fn domid(&self) -> DomId {
        self.domid
    }

    fn tls(&self) -> Option<&ChannelTls> {
        Some(&self.tls)
    }

    async fn accept(&mut self) -> VchanStream {
        let mut pause = FIRST_PAUSE;
        let mut told = None;
        loop {
            let fault = match self.serve().await {
                Ok(stream) => return stream,
                Err(fault) => fault,
            };
            // Once, not with each attempt.
            let text = fault.to_string();
            if told.as_ref() != Some(&text) {
                warn!(domid = %self.domid, domain = %self.domain, fault = text,
                      next = fault.cure(), "no vchan for this domain; it is tried again");
                told = Some(text);
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}
