//! xenstored as one guest sees it.
//!
//! To a plain xenstored everybody is dom0. What tells a guest's own nodes from another's is that
//! its relative paths (`domid`, `data/x`) mean `/local/domain/<domid>/…`: so they are made whole on
//! their way. Permissions stay those of dom0.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::thread;

use tempfile::TempDir;

use super::daemon::Xenstored;

/// Requests that begin with a path (XS_DIRECTORY .. XS_SET_PERMS, without transactions, which none
/// of our programs begins for a guest).
const WITH_PATH: [u32; 9] = [1, 2, 3, 4, 5, 11, 12, 13, 14];

/// A socket behind which a xenstored takes everybody for one domain.
#[derive(Debug)]
pub struct GuestView {
    folder: TempDir,
}

impl GuestView {
    /// That of the domain `domid`.
    ///
    /// # Panics
    /// When the system gives no socket.
    #[must_use]
    pub fn new(xenstored: &Xenstored, domid: u16) -> Self {
        Self::at(&xenstored.socket(), domid)
    }

    pub(crate) fn at(xenstored: &Path, domid: u16) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let listener = UnixListener::bind(folder.path().join("socket")).expect("a new folder");
        let xenstored = xenstored.to_owned();
        thread::spawn(move || {
            for guest in listener.incoming().map_while(Result::ok) {
                // A daemon that is not there looks like one that has ended.
                if let Ok(daemon) = UnixStream::connect(&xenstored) {
                    carry(guest, daemon, domid);
                }
            }
        });
        Self { folder }
    }

    /// The socket, for `XENSTORED_PATH`.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }
}

/// Carries both ways until either end has gone.
fn carry(guest: UnixStream, daemon: UnixStream, domid: u16) {
    let clone = |stream: &UnixStream| stream.try_clone().expect("a descriptor");
    let (mut answers, mut back) = (clone(&daemon), clone(&guest));
    thread::spawn(move || {
        let _ended = io::copy(&mut answers, &mut back);
        let _gone = back.shutdown(Shutdown::Both);
    });
    thread::spawn(move || {
        let _ended = ask(&guest, &daemon, domid);
        let _gone = daemon.shutdown(Shutdown::Both);
    });
}

fn ask(mut guest: &UnixStream, mut daemon: &UnixStream, domid: u16) -> io::Result<()> {
    loop {
        let mut header = [[0; 4]; 4];
        guest.read_exact(header.as_flattened_mut())?;
        let [kind, id, transaction, length] = header.map(u32::from_ne_bytes);
        let mut payload = vec![0; usize::try_from(length).expect("64 bits").min(4_096)];
        guest.read_exact(&mut payload)?;
        let is_relative = !matches!(payload.first(), Some(b'/' | b'@'));
        if WITH_PATH.contains(&kind) && is_relative {
            let own = format!("/local/domain/{domid}/").into_bytes();
            payload = [own, payload].concat();
        }
        let length = u32::try_from(payload.len()).expect("short");
        let header = [kind, id, transaction, length].map(u32::to_ne_bytes);
        daemon.write_all(&[&header.concat(), payload.as_slice()].concat())?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xenstored::{Client, Domain};

    #[test]
    fn a_relative_path_is_the_guests_own() {
        let daemon = Xenstored::start();
        daemon.create(&Domain::new(7, 1, "web01"));
        let view = GuestView::new(&daemon, 7);
        let mut guest = Client::connect(&view.socket()).expect("it listens");
        assert_eq!(guest.read("domid").expect("allowed"), Some(b"7".to_vec()));
        let whole = "/local/domain/0/name";
        assert_eq!(
            guest.read(whole).expect("allowed"),
            Some(b"Domain-0".to_vec())
        );
        guest.write("data/x", b"1").expect("allowed");
        let whole = guest.read("/local/domain/7/data/x");
        assert_eq!(whole.expect("allowed"), Some(b"1".to_vec()));
    }
}
