//! The way to dom0 on Xen.
//!
//! dom0 has a vchan server for each bound domain that runs, at a path that holds the domain's own
//! domid. Which that is stands in the domain's part of xenstore, and changes when the domain is
//! restored or migrates: so it is read for each connection.
//!
//! A domain that is saved and restored, or migrates, keeps its memory and loses what it had in common
//! with dom0: its end of a vchan is silent for ever then. The kernel registers all watches anew when it
//! resumes, and each says so: that is the sign.

use std::future::pending;
use std::io;
use std::str;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::timeout;
use xen_channel::{LibraryError, Libxenvchan, VchanStream};
use xenstore_client::{Watch, Xenstore, XenstoreError};

/// dom0 is always this one.
const DOM0: u16 = 0;

/// Where dom0 has the servers, each under the domid of its client: that for the agent, and another one for
/// RACS, where the domain may speak that.
const AGENTS: &str = "/local/domain/0/data/tessera";
const RACS: &str = "/local/domain/0/data/tessera-racs";

/// Time for each of the two: asking xenstored, and connecting.
const DEADLINE: Duration = Duration::from_secs(5);

/// How this domain reaches dom0.
#[derive(Debug, Clone)]
pub(super) struct VchanWay {
    library: Arc<Libxenvchan>,
    /// Held by an attempt to connect and by an open vchan until it is closed: libxenvchan may wait
    /// for xenstored for ever, and such threads must not pile up.
    place: Arc<Mutex<()>>,
}

impl VchanWay {
    pub(super) fn new() -> Result<Self, LibraryError> {
        Ok(Self {
            library: Libxenvchan::open()?,
            place: Arc::default(),
        })
    }

    pub(super) async fn connect(&self) -> io::Result<DomainVchan> {
        self.connect_below(AGENTS, NO_SERVER).await
    }

    /// To the server that dom0 has for RACS.
    pub(super) async fn connect_racs(&self) -> io::Result<DomainVchan> {
        self.connect_below(RACS, NO_RACS).await
    }

    async fn connect_below(&self, folder: &str, absent: &'static str) -> io::Result<DomainVchan> {
        let server = timeout(DEADLINE, server(folder, absent)).await;
        let (path, watch) = server.map_err(|_| late())??;
        let connecting = async {
            let place = Arc::clone(&self.place).lock_owned().await;
            let library = Arc::clone(&self.library);
            VchanStream::connect(library, DOM0, &path, place).await
        };
        let connected = timeout(DEADLINE, connecting).await.map_err(|_| late())?;
        let stream = Some(connected.map_err(io::Error::other)?);
        Ok(DomainVchan { stream, watch })
    }
}

/// The vchan of this domain, as long as the domain goes on where it was opened.
#[derive(Debug)]
pub(super) struct DomainVchan {
    /// Nothing when the domain was saved and restored.
    stream: Option<VchanStream>,
    /// On the node `domid`, which nobody writes while the domain runs. There is none where xenstored
    /// refuses it: then only the silence tells.
    watch: Option<Watch>,
}

impl DomainVchan {
    /// Waits until [`Self::try_read`], or with `to_write` also [`Self::try_write`], can do
    /// something. An error when the domain was saved and restored.
    pub(super) async fn ready(&mut self, to_write: bool) -> io::Result<()> {
        let stream = self.stream.as_mut().ok_or_else(resumed)?;
        tokio::select! {
            biased;
            () = told(&mut self.watch) => {}
            ready = stream.ready(to_write) => return ready,
        }
        self.forsake()
    }

    /// Waits until [`Self::try_write`] can do something, likewise.
    pub(super) async fn writable(&mut self) -> io::Result<()> {
        let stream = self.stream.as_mut().ok_or_else(resumed)?;
        tokio::select! {
            biased;
            () = told(&mut self.watch) => {}
            writable = stream.writable() => return writable,
        }
        self.forsake()
    }

    /// Reads what is there; 0 bytes at the end.
    pub(super) fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.as_mut().ok_or_else(resumed)?.try_read(buffer)
    }

    /// Writes what there is room for.
    pub(super) fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.as_mut().ok_or_else(resumed)?.try_write(bytes)
    }

    /// It can be neither used nor closed any more.
    fn forsake(&mut self) -> io::Result<()> {
        if let Some(stream) = self.stream.take() {
            stream.forsake();
        }
        Err(resumed())
    }
}

/// Waits until the watch tells of something. A connection to xenstored that ends tells nothing, and
/// nothing more comes over it.
async fn told(watch: &mut Option<Watch>) {
    if let Some(set) = watch
        && set.changed().await.is_ok()
    {
        return;
    }
    *watch = None;
    pending().await
}

fn resumed() -> io::Error {
    io::Error::new(
        io::ErrorKind::ConnectionReset,
        "this domain was saved and restored, or has migrated",
    )
}

/// Where the server for this domain is, and what tells when that holds no more.
async fn server(folder: &str, absent: &'static str) -> io::Result<(String, Option<Watch>)> {
    let store = Xenstore::connect().await.map_err(io::Error::other)?;
    // Set before the domid is read, so that no change of it is missed.
    let mut watch = store.watch("domid").await.ok();
    if let Some(set) = &mut watch {
        // That it is set.
        set.changed().await.map_err(io::Error::other)?;
    }
    let domid = store.read("domid").await.map_err(io::Error::other)?;
    let domid = domid.as_deref().and_then(domid_of).ok_or_else(|| {
        io::Error::other("xenstore does not say which domid this domain has (node domid)")
    })?;
    let path = format!("{folder}/{domid}");
    match store.read(&format!("{path}/ring-ref")).await {
        Ok(Some(_)) => Ok((path, watch)),
        // Of what is not there and has nothing readable above it a guest learns no more.
        Ok(None) | Err(XenstoreError::Refused(_)) => {
            Err(io::Error::new(io::ErrorKind::NotFound, absent))
        }
        Err(error) => Err(io::Error::other(error)),
    }
}

/// What can be the case when there is no server.
const NO_SERVER: &str = "dom0 has no channel for this domain: it is not bound, or dom0-middleware \
                         does not run";

/// What can be the case when there is none for RACS.
const NO_RACS: &str = "dom0 has no channel for RACS for this domain: its binding has no list of raw APDUs \
                       (vm bind --raw-apdu), or dom0-middleware does not run";

fn late() -> io::Error {
    io::Error::new(
        io::ErrorKind::TimedOut,
        format!("no answer within {} s", DEADLINE.as_secs()),
    )
}

fn domid_of(value: &[u8]) -> Option<u16> {
    let digits = str::from_utf8(value).ok()?;
    digits.parse().ok().filter(|domid| *domid != DOM0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domid_is_a_small_number_and_not_that_of_dom0() {
        assert_eq!(domid_of(b"7"), Some(7));
        for bad in [&b""[..], b"0", b"-1", b"65536", b"7/x", b"\xFF"] {
            assert_eq!(domid_of(bad), None, "{bad:?}");
        }
    }
}
