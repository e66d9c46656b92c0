//! A client of xenstored for what the toolstack does.
//!
//! ```text
//! | type | request id | transaction | length |  length bytes, texts end with a zero byte
//!   u32    u32          u32           u32       in the machine's byte order
//! ```
//!
//! Source: Xen, docs/misc/xenstore.txt and xen/include/public/io/xs_wire.h.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use crate::wait::PATIENCE;

/// A connection to the daemon.
#[derive(Debug)]
pub struct Client(UnixStream);

/// What can be asked of the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Request {
    Read = 2,
    GetPerms = 3,
    Introduce = 8,
    Release = 9,
    Write = 11,
    Rm = 13,
    SetPerms = 14,
}

/// The type of an answer that is a no.
const ERROR: u32 = 16;

/// Why a request was not done.
#[derive(Debug)]
pub enum StoreError {
    /// The daemon does not answer.
    Io(io::Error),
    /// Its no, as `ENOENT`.
    Refused(String),
}

impl From<io::Error> for StoreError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Client {
    /// Connects to the daemon whose socket is at `path`.
    ///
    /// # Errors
    /// When nobody listens.
    pub fn connect(path: &Path) -> io::Result<Self> {
        let stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self(stream))
    }

    /// The value of a node, if it is there.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn read(&mut self, path: &str) -> Result<Option<Vec<u8>>, StoreError> {
        match self.ask(Request::Read, &terminated(&[path])) {
            Err(StoreError::Refused(code)) if code == "ENOENT" => Ok(None),
            answer => answer.map(Some),
        }
    }

    /// Who may use a node, as [`Self::set_permissions`] has it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn permissions(&mut self, path: &str) -> Result<Vec<String>, StoreError> {
        let answer = self.ask(Request::GetPerms, &terminated(&[path]))?;
        let texts = String::from_utf8_lossy(&answer);
        Ok(texts.split_terminator('\0').map(str::to_owned).collect())
    }

    /// Writes a node; those above it are made.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn write(&mut self, path: &str, value: &[u8]) -> Result<(), StoreError> {
        self.request(Request::Write, &[path.as_bytes(), b"\0", value].concat())
    }

    /// Removes a node with all below it; one that is not there is no error.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn remove(&mut self, path: &str) -> Result<(), StoreError> {
        match self.request(Request::Rm, &terminated(&[path])) {
            Err(StoreError::Refused(code)) if code == "ENOENT" => Ok(()),
            done => done,
        }
    }

    /// Says who may use a node: `n0` and `r7` for owner dom0, readable by domain 7.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn set_permissions(&mut self, path: &str, who: &[&str]) -> Result<(), StoreError> {
        let texts = [&[path], who].concat();
        self.request(Request::SetPerms, &terminated(&texts))
    }

    /// Tells the daemon that a domain began.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn introduce(&mut self, domid: u16) -> Result<(), StoreError> {
        // Frame and event channel of its ring, which is played.
        let texts = [&domid.to_string(), "1", "5"];
        self.request(Request::Introduce, &terminated(&texts))
    }

    /// Tells the daemon that a domain ended.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn release(&mut self, domid: u16) -> Result<(), StoreError> {
        self.request(Request::Release, &terminated(&[&domid.to_string()]))
    }

    fn request(&mut self, request: Request, payload: &[u8]) -> Result<(), StoreError> {
        self.ask(request, payload).map(drop)
    }

    fn ask(&mut self, request: Request, payload: &[u8]) -> Result<Vec<u8>, StoreError> {
        let length = u32::try_from(payload.len()).expect("at most 4096 bytes");
        let header = [request as u32, 0, 0, length].map(u32::to_ne_bytes);
        self.0.write_all(&[&header.concat(), payload].concat())?;
        let mut header = [[0; 4]; 4];
        self.0.read_exact(header.as_flattened_mut())?;
        let [kind, _, _, length] = header.map(u32::from_ne_bytes);
        let mut answer = vec![0; usize::try_from(length).expect("64 bits")];
        self.0.read_exact(&mut answer)?;
        match kind {
            ERROR => Err(StoreError::Refused(
                String::from_utf8_lossy(&answer)
                    .trim_end_matches('\0')
                    .to_owned(),
            )),
            _ => Ok(answer),
        }
    }
}

fn terminated(texts: &[&str]) -> Vec<u8> {
    texts
        .iter()
        .flat_map(|text| text.bytes().chain([0]))
        .collect()
}
