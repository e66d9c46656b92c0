//! The functions of libxenvchan, and the names it is looked for by.

use std::error::Error;
use std::ffi::{OsStr, OsString, c_char, c_int, c_void};
use std::fmt;
use std::sync::Arc;

use libloading::Library;

/// The variable of the environment that names the library's file instead.
pub const LIBRARY_VARIABLE: &str = "XEN_VCHAN_LIBRARY";

/// What it may be called, the newest release of Xen first. The functions used here have been the
/// same in all of them.
const NAMES: [&str; 11] = [
    "libxenvchan.so.4.21",
    "libxenvchan.so.4.20",
    "libxenvchan.so.4.19",
    "libxenvchan.so.4.18",
    "libxenvchan.so.4.17",
    "libxenvchan.so.4.16",
    "libxenvchan.so.4.15",
    "libxenvchan.so.4.14",
    "libxenvchan.so.4.13",
    "libxenvchan.so.4.12",
    "libxenvchan.so.4.11",
];

/// `struct libxenvchan`, whose fields are the library's business.
#[repr(C)]
pub(crate) struct Control {
    _opaque: [u8; 0],
}

type ServerInit =
    unsafe extern "C" fn(*mut c_void, c_int, *const c_char, usize, usize) -> *mut Control;
type ClientInit = unsafe extern "C" fn(*mut c_void, c_int, *const c_char) -> *mut Control;
type Ask = unsafe extern "C" fn(*mut Control) -> c_int;
type Read = unsafe extern "C" fn(*mut Control, *mut c_void, usize) -> c_int;
type Write = unsafe extern "C" fn(*mut Control, *const c_void, usize) -> c_int;
type Close = unsafe extern "C" fn(*mut Control);

/// The library, open for as long as anybody uses it.
pub struct Libxenvchan {
    pub(crate) server_init: ServerInit,
    pub(crate) client_init: ClientInit,
    pub(crate) is_open: Ask,
    pub(crate) data_ready: Ask,
    pub(crate) buffer_space: Ask,
    pub(crate) wait: Ask,
    pub(crate) fd_for_select: Ask,
    pub(crate) read: Read,
    pub(crate) write: Write,
    pub(crate) close: Close,
    name: OsString,
    // The functions are part of it.
    _library: Library,
}

impl Libxenvchan {
    /// Opens the library: the file that [`LIBRARY_VARIABLE`] names, if it is set, else the first of
    /// the known names that is there, the newest release first.
    ///
    /// # Errors
    /// [`LibraryError`], with all names that were tried.
    pub fn open() -> Result<Arc<Self>, LibraryError> {
        let named = std::env::var_os(LIBRARY_VARIABLE).filter(|name| !name.is_empty());
        match named {
            Some(name) => Self::open_first([name]),
            None => Self::open_first(NAMES.map(OsString::from)),
        }
    }

    /// The name it was found by.
    #[must_use]
    pub fn name(&self) -> &OsStr {
        &self.name
    }

    fn open_first(names: impl IntoIterator<Item = OsString>) -> Result<Arc<Self>, LibraryError> {
        let mut tried = Vec::new();
        for name in names {
            match Self::open_named(&name) {
                Ok(library) => return Ok(Arc::new(library)),
                Err(error) => tried.push(Attempt {
                    name: name.to_string_lossy().into_owned(),
                    why: loaders_words(&error),
                }),
            }
        }
        Err(LibraryError { tried })
    }

    #[allow(unsafe_code)]
    fn open_named(name: &OsString) -> Result<Self, libloading::Error> {
        // SAFETY: opening runs the initialisers of libxenvchan and of the libraries of Xen below
        // it, which only register themselves. Whoever sets the variable or the loader's path
        // could as well replace this program.
        let library = unsafe { Library::new(name) }?;
        macro_rules! function {
            ($name:literal) => {{
                // SAFETY: the type is that of libxenvchan.h for this name, unchanged from Xen 4.11
                // to 4.21.
                let symbol = unsafe { library.get($name) }?;
                *symbol
            }};
        }
        Ok(Self {
            server_init: function!(b"libxenvchan_server_init\0"),
            client_init: function!(b"libxenvchan_client_init\0"),
            is_open: function!(b"libxenvchan_is_open\0"),
            data_ready: function!(b"libxenvchan_data_ready\0"),
            buffer_space: function!(b"libxenvchan_buffer_space\0"),
            wait: function!(b"libxenvchan_wait\0"),
            fd_for_select: function!(b"libxenvchan_fd_for_select\0"),
            read: function!(b"libxenvchan_read\0"),
            write: function!(b"libxenvchan_write\0"),
            close: function!(b"libxenvchan_close\0"),
            name: name.clone(),
            _library: library,
        })
    }
}

impl fmt::Debug for Libxenvchan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Libxenvchan").field(&self.name).finish()
    }
}

/// What the loader says, which libloading keeps as the source of its own words.
fn loaders_words(error: &libloading::Error) -> String {
    match error.source() {
        Some(source) => source.to_string(),
        None => error.to_string(),
    }
}

/// libxenvchan is not to be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct LibraryError {
    tried: Vec<Attempt>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Attempt {
    name: String,
    why: String,
}

impl LibraryError {
    /// What to do.
    #[must_use]
    pub fn cure(&self) -> &'static str {
        "install the package of this system's Xen that has it (Debian 12: apt install \
         libxenmisc4.17), or name its file in XEN_VCHAN_LIBRARY"
    }
}

impl fmt::Display for LibraryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("libxenvchan cannot be opened; tried ")?;
        for (at, attempt) in self.tried.iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            write!(f, "{comma}{}", attempt.name)?;
            // That it is not there goes without saying; of one that is there the reason matters.
            if !attempt.why.contains("No such file") {
                write!(f, " ({})", attempt.why)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_names_all_that_was_tried_and_why_one_that_is_there_is_not_taken() {
        let names = ["libxenvchan.so.0.0", "libc.so.6"].map(OsString::from);
        let error = Libxenvchan::open_first(names).expect_err("neither is it");
        let text = error.to_string();
        assert!(
            text.contains("tried libxenvchan.so.0.0, libc.so.6 ("),
            "{text}"
        );
        assert!(text.contains("libxenvchan_server_init"), "{text}");
    }

    #[test]
    fn the_newest_release_is_tried_first() {
        let number = |name: &str| -> u32 {
            let (_, minor) = name.rsplit_once('.').expect("dots");
            minor.parse().expect("a number")
        };
        assert!(NAMES.is_sorted_by(|a, b| number(a) > number(b)));
    }
}
