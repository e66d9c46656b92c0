//! The passphrase or PIN of an HV key: from a file, or from whoever sits at the terminal.
//!
//! Never from the command line, which other users of the host can read.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use nix::sys::termios::{
    LocalFlags, SetArg, SpecialCharacterIndices, Termios, tcgetattr, tcsetattr,
};
use zeroize::Zeroizing;

use crate::error::ToolError;

/// Wiped when dropped.
pub(crate) type Passphrase = Zeroizing<Vec<u8>>;

/// The first line of a file that nobody but its owner can read.
pub(crate) fn from_file(path: &Path) -> Result<Passphrase, ToolError> {
    let unusable = |why: String| ToolError::unusable(path, why);
    let mut file = File::open(path).map_err(|error| unusable(error.to_string()))?;
    require_private(path, &file)?;
    // As large as it may get, so that it does not move and leave a copy behind.
    let mut content = Zeroizing::new(vec![0; MAX_LEN]);
    let mut len = 0;
    while let Some(rest) = content.get_mut(len..).filter(|rest| !rest.is_empty()) {
        match file
            .read(rest)
            .map_err(|error| unusable(error.to_string()))?
        {
            0 => break,
            more => len += more,
        }
    }
    let end = content.iter().take(len).position(|byte| *byte == b'\n');
    if end.is_none() && len == MAX_LEN {
        return Err(unusable(format!(
            "its first line is longer than {MAX_LEN} bytes"
        )));
    }
    content.truncate(end.unwrap_or(len));
    match content.is_empty() {
        true => Err(unusable("its first line is empty".to_owned())),
        false => Ok(content),
    }
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Secret {
    /// What a key in a file is encrypted with.
    Passphrase,
    /// That of a card.
    Pin,
}

impl Secret {
    fn name(self) -> &'static str {
        match self {
            Self::Passphrase => "passphrase",
            Self::Pin => "PIN",
        }
    }

    fn prompt(self) -> &'static str {
        match self {
            Self::Passphrase => "Passphrase",
            Self::Pin => "PIN",
        }
    }

    /// The option that names a file with it.
    fn option(self) -> &'static str {
        match self {
            Self::Passphrase => "--passphrase-file",
            Self::Pin => "--pin-file",
        }
    }
}

/// Asks on the terminal, which shows nothing of what is typed.
pub(crate) fn from_terminal(secret: Secret, of: &str) -> Result<Passphrase, ToolError> {
    let missing = |why: String| {
        let (name, option) = (secret.name(), secret.option());
        ToolError::Missing(format!(
            "{of} needs a {name} and there is no terminal to ask on ({why}): use {option}"
        ))
    };
    let terminal = OpenOptions::new().read(true).write(true).open("/dev/tty");
    let terminal = terminal.map_err(|error| missing(error.to_string()))?;
    let silence = Silence::on(&terminal).map_err(|error| missing(error.to_string()))?;
    let asked = write!(&terminal, "{} of {of}: ", secret.prompt());
    let typed = asked.map_err(|error| missing(error.to_string()));
    let typed = typed.and_then(|()| read_line(&terminal, secret));
    drop(silence);
    // The line that was not shown.
    let _ = writeln!(&terminal);
    typed
}

/// Refuses a file with a secret in it that others than its owner can open.
pub(crate) fn require_private(path: &Path, file: &File) -> Result<(), ToolError> {
    let metadata = file.metadata();
    let metadata = metadata.map_err(|error| ToolError::unusable(path, error))?;
    let mode = metadata.permissions().mode() & 0o777;
    if metadata.is_file() && mode & 0o077 != 0 {
        let why = format!("mode {mode:04o}, others can open it: run chmod 0600 on it");
        return Err(ToolError::unusable(path, why));
    }
    Ok(())
}

fn read_line(mut terminal: &File, secret: Secret) -> Result<Passphrase, ToolError> {
    let mut typed = Zeroizing::new(Vec::with_capacity(MAX_LEN));
    let mut byte = Zeroizing::new([0]);
    loop {
        let read = terminal.read(&mut *byte);
        let read = read.map_err(|error| ToolError::Missing(format!("the terminal: {error}")))?;
        match *byte {
            [b'\n'] if !typed.is_empty() => return Ok(typed),
            [other]
                if read > 0 && other != b'\n' && other != INTERRUPT && typed.len() < MAX_LEN =>
            {
                typed.push(other);
            }
            _ => {
                return Err(ToolError::Refused(format!(
                    "no {} was given",
                    secret.name()
                )));
            }
        }
    }
}

/// A terminal without echo, until it is dropped.
struct Silence<'a> {
    terminal: &'a File,
    before: Termios,
}

impl<'a> Silence<'a> {
    fn on(terminal: &'a File) -> nix::Result<Self> {
        let before = tcgetattr(terminal)?;
        let mut silent = before.clone();
        // Ctrl-C ends the line instead of the process, so that the echo comes back.
        silent.local_flags &= !(LocalFlags::ECHO | LocalFlags::ISIG);
        let end_of_line = SpecialCharacterIndices::VEOL as usize;
        if let Some(end_of_line) = silent.control_chars.get_mut(end_of_line) {
            *end_of_line = INTERRUPT;
        }
        tcsetattr(terminal, SetArg::TCSAFLUSH, &silent)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Silence<'_> {
    fn drop(&mut self) {
        // There is nothing to be done about a terminal that is gone.
        let _ = tcsetattr(self.terminal, SetArg::TCSAFLUSH, &self.before);
    }
}

/// Longest passphrase, in bytes.
const MAX_LEN: usize = 1024;

/// What Ctrl-C types.
const INTERRUPT: u8 = 0x03;
