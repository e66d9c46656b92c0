//! One open vchan, as the library has it.

use std::ffi::{CString, c_int};
use std::fmt;
use std::io;
use std::os::fd::{BorrowedFd, RawFd};
use std::ptr::{self, NonNull};
use std::sync::Arc;

use nix::fcntl::{FcntlArg, OFlag, fcntl};

use crate::devices::{Device, Role};
use crate::leftovers;
use crate::library::{Control, Libxenvchan};
use crate::ring::Ring;

/// The longest path: the library writes it with the names of its two keys into 64 bytes, and cuts
/// off what is too long without a word.
const MAX_PATH: usize = 64 - "/event-channel".len() - 1;

/// An open vchan. Dropping it closes it, which for a server asks xenstored and may take as long as
/// xenstored likes.
pub(crate) struct Handle {
    library: Arc<Libxenvchan>,
    control: NonNull<Control>,
    events: RawFd,
}

// SAFETY: the structure behind `control` belongs to this handle alone, and the library keeps
// nothing about it per thread; every use goes through `&mut self`, so there is one at a time.
#[allow(unsafe_code)]
unsafe impl Send for Handle {}

impl Handle {
    /// Shares two rings of `ring` bytes (a power of two, at least 4096) with `domid` and publishes
    /// them below `path`. Asks xenstored, so it may block.
    pub(crate) fn server(
        library: &Arc<Libxenvchan>,
        domid: u16,
        path: &str,
        ring: usize,
    ) -> Result<Self, OpenError> {
        let error = |source| OpenError::new(Role::Server, domid, path, source);
        let c_path = c_path(path).map_err(error)?;
        leftovers::zero_next_allocation();
        // SAFETY: the path is a string that outlives the call, which copies it. No logger is
        // given, which the library allows.
        #[allow(unsafe_code)]
        let control = unsafe {
            (library.server_init)(
                ptr::null_mut(),
                c_int::from(domid),
                c_path.as_ptr(),
                ring,
                ring,
            )
        };
        Self::opened(library, control).map_err(error)
    }

    /// Maps the rings that `domid` publishes below `path`. Asks xenstored, so it may block.
    pub(crate) fn client(
        library: &Arc<Libxenvchan>,
        domid: u16,
        path: &str,
    ) -> Result<Self, OpenError> {
        let error = |source| OpenError::new(Role::Client, domid, path, source);
        let c_path = c_path(path).map_err(error)?;
        leftovers::zero_next_allocation();
        // SAFETY: as for the server.
        #[allow(unsafe_code)]
        let control =
            unsafe { (library.client_init)(ptr::null_mut(), c_int::from(domid), c_path.as_ptr()) };
        Self::opened(library, control).map_err(error)
    }

    fn opened(library: &Arc<Libxenvchan>, control: *mut Control) -> io::Result<Self> {
        // What the last call has left there; kept before anything else is called.
        let why = io::Error::last_os_error();
        let Some(control) = NonNull::new(control) else {
            return Err(why);
        };
        let mut handle = Self {
            library: Arc::clone(library),
            control,
            events: -1,
        };
        // SAFETY: `control` is open.
        #[allow(unsafe_code)]
        let events = unsafe { (handle.library.fd_for_select)(handle.control.as_ptr()) };
        if events < 0 {
            return Err(io::Error::other("the vchan has no event descriptor"));
        }
        handle.events = events;
        // SAFETY: the library keeps the descriptor open until it closes the vchan, and nothing
        // closes that while `handle` is borrowed here.
        #[allow(unsafe_code)]
        let descriptor = unsafe { BorrowedFd::borrow_raw(events) };
        let flags = OFlag::from_bits_retain(fcntl(descriptor, FcntlArg::F_GETFL)?);
        fcntl(descriptor, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
        Ok(handle)
    }

    fn control(&mut self) -> *mut Control {
        self.control.as_ptr()
    }
}

// SAFETY: the library opens its descriptor with the vchan and closes it with the vchan.
#[allow(unsafe_code)]
unsafe impl Ring for Handle {
    fn events(&self) -> RawFd {
        self.events
    }

    fn take_event(&mut self) -> io::Result<()> {
        // SAFETY: `control` is open; the call reads and writes the event descriptor alone.
        match unsafe { (self.library.wait)(self.control()) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }

    fn is_open(&mut self) -> c_int {
        // SAFETY: `control` is open; one byte of the shared page is read.
        unsafe { (self.library.is_open)(self.control()) }
    }

    fn data_ready(&mut self) -> c_int {
        // SAFETY: `control` is open; words of the shared page are read, a bit there is set.
        unsafe { (self.library.data_ready)(self.control()) }
    }

    fn buffer_space(&mut self) -> c_int {
        // SAFETY: as for `data_ready`.
        unsafe { (self.library.buffer_space)(self.control()) }
    }

    fn read(&mut self, buffer: &mut [u8]) -> c_int {
        let (to, length) = (buffer.as_mut_ptr().cast(), buffer.len());
        // SAFETY: `control` is open. The library writes at most `length` bytes, whatever the
        // shared page says: it takes the smaller of that and a ring, once, and where it reads it
        // masks by the size that it keeps to itself (`do_recv` in `tools/libs/vchan/io.c`).
        unsafe { (self.library.read)(self.control(), to, length) }
    }

    fn write(&mut self, bytes: &[u8]) -> c_int {
        let (from, length) = (bytes.as_ptr().cast(), bytes.len());
        // SAFETY: `control` is open. The library reads at most `length` bytes and writes them
        // inside its ring, whatever the shared page says (`do_send`, as above).
        unsafe { (self.library.write)(self.control(), from, length) }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: `control` is open and not used again: this is the one owner's end.
        #[allow(unsafe_code)]
        unsafe {
            (self.library.close)(self.control());
        }
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").finish_non_exhaustive()
    }
}

fn c_path(path: &str) -> io::Result<CString> {
    if path.len() > MAX_PATH {
        let problem = format!("a path of a vchan has at most {MAX_PATH} bytes");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, problem));
    }
    CString::new(path).map_err(io::Error::from)
}

/// Why a vchan cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("vchan {} at {path} with domid {domid}: {source}{}", word(*.role), Listed(.missing))]
pub struct OpenError {
    role: Role,
    domid: u16,
    path: String,
    source: io::Error,
    missing: Vec<Device>,
}

impl OpenError {
    pub(crate) fn new(role: Role, domid: u16, path: &str, source: io::Error) -> Self {
        Self {
            role,
            domid,
            path: path.to_owned(),
            source,
            missing: role.missing_devices(),
        }
    }

    /// Device nodes that are missing, which is why if there are any.
    #[must_use]
    pub fn missing_devices(&self) -> &[Device] {
        &self.missing
    }

    /// Whether the server's keys are not in xenstore: for a client the sign that there is no server.
    #[must_use]
    pub fn is_without_server(&self) -> bool {
        self.role == Role::Client && self.source.kind() == io::ErrorKind::NotFound
    }
}

const fn word(role: Role) -> &'static str {
    match role {
        Role::Server => "server",
        Role::Client => "client",
    }
}

/// What is missing, behind the reason.
struct Listed<'l>(&'l [Device]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|device| write!(f, "; {device}"))
    }
}
