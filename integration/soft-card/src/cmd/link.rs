//! The connection to a virtual reader, over a Unix socket or TCP.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::linux::net::TcpStreamExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

/// Where a reader listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A Unix socket.
    Unix(PathBuf),
    /// Host and port.
    Tcp(String),
}

impl Address {
    /// Reads `unix:PATH`, a path with a slash in it, or `HOST:PORT`.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(path) = text.strip_prefix("unix:") {
            return (!path.is_empty()).then(|| Self::Unix(path.into()));
        }
        if text.contains('/') {
            return Some(Self::Unix(text.into()));
        }
        let (host, port) = text.rsplit_once(':')?;
        (!host.is_empty() && port.parse::<u16>().is_ok()).then(|| Self::Tcp(text.to_owned()))
    }

    /// Connects.
    ///
    /// # Errors
    /// The system's reason.
    pub fn connect(&self) -> io::Result<Link> {
        match self {
            Self::Unix(path) => UnixStream::connect(path).map(Link::Unix),
            Self::Tcp(address) => {
                let stream = TcpStream::connect(address)?;
                stream.set_nodelay(true)?;
                Ok(Link::Tcp(stream))
            }
        }
    }
}

/// An open connection.
#[derive(Debug)]
pub enum Link {
    /// Over a Unix socket.
    Unix(UnixStream),
    /// Over TCP.
    Tcp(TcpStream),
}

impl Read for Link {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Unix(stream) => stream.read(buffer),
            Self::Tcp(stream) => {
                // The reader writes length and body apart and waits for our acknowledgement in
                // between: 40 ms for each APDU unless it is sent at once. The kernel forgets the
                // option, so it is set before every read.
                stream.set_quickack(true)?;
                stream.read(buffer)
            }
        }
    }
}

impl Write for Link {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match self {
            Self::Unix(stream) => stream.write(buffer),
            Self::Tcp(stream) => stream.write(buffer),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_path_or_a_host_with_its_port() {
        let unix = |path: &str| Some(Address::Unix(path.into()));
        assert_eq!(Address::parse("unix:vicc.sock"), unix("vicc.sock"));
        assert_eq!(Address::parse("/run/vicc:0.sock"), unix("/run/vicc:0.sock"));
        let tcp = Some(Address::Tcp("127.0.0.1:35963".to_owned()));
        assert_eq!(Address::parse("127.0.0.1:35963"), tcp);
        for text in ["", "unix:", "vicc.sock", "host:", ":35963", "host:port"] {
            assert_eq!(Address::parse(text), None, "{text}");
        }
    }
}
