//! The way to dom0 on Xen.
//!
//! dom0 has a vchan server for each bound domain that runs, at a path that holds the domain's own
//! domid. Which that is stands in the domain's part of xenstore, and changes when the domain is
//! restored or migrates: so it is read for each connection.

use std::io;
use std::str;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::timeout;
use xen_channel::{LibraryError, Libxenvchan, VchanStream};
use xenstore_client::{Xenstore, XenstoreError};

/// dom0 is always this one.
const DOM0: u16 = 0;

/// Where dom0 has the servers, each under the domid of its client.
const FOLDER: &str = "/local/domain/0/data/tessera";

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

    pub(super) async fn connect(&self) -> io::Result<VchanStream> {
        let path = timeout(DEADLINE, server()).await.map_err(|_| late())??;
        let connecting = async {
            let place = Arc::clone(&self.place).lock_owned().await;
            let library = Arc::clone(&self.library);
            VchanStream::connect(library, DOM0, &path, place).await
        };
        let connected = timeout(DEADLINE, connecting).await.map_err(|_| late())?;
        connected.map_err(io::Error::other)
    }
}

/// Where the server for this domain is.
async fn server() -> io::Result<String> {
    let store = Xenstore::connect().await.map_err(io::Error::other)?;
    let domid = store.read("domid").await.map_err(io::Error::other)?;
    let domid = domid.as_deref().and_then(domid_of).ok_or_else(|| {
        io::Error::other("xenstore does not say which domid this domain has (node domid)")
    })?;
    let path = format!("{FOLDER}/{domid}");
    match store.read(&format!("{path}/ring-ref")).await {
        Ok(Some(_)) => Ok(path),
        // Of what is not there and has nothing readable above it a guest learns no more.
        Ok(None) | Err(XenstoreError::Refused(_)) => {
            Err(io::Error::new(io::ErrorKind::NotFound, NO_SERVER))
        }
        Err(error) => Err(io::Error::other(error)),
    }
}

/// What can be the case when there is no server.
const NO_SERVER: &str = "dom0 has no channel for this domain: it is not bound, or dom0-middleware \
                         does not run";

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
