//! Places to connect to that never answer.

use std::net::{Ipv4Addr, TcpListener, TcpStream};

use nix::sys::socket::{Backlog, listen};

/// Takes TCP connections and says nothing.
pub(crate) struct SilentServer(TcpListener);

impl SilentServer {
    pub(crate) fn start() -> Self {
        Self(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port"))
    }

    pub(crate) fn port(&self) -> u16 {
        self.0.local_addr().expect("bound").port()
    }

    /// The next client.
    pub(crate) fn accept(&self) -> TcpStream {
        self.0.accept().expect("a client").0
    }
}

/// Does not even take TCP connections: the one place in its backlog is taken, and the system drops
/// what comes.
pub(crate) struct Blackhole {
    listener: TcpListener,
    _first: TcpStream,
}

impl Blackhole {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        listen(&listener, Backlog::new(0).expect("not negative")).expect("bound");
        let address = listener.local_addr().expect("bound");
        Self {
            listener,
            _first: TcpStream::connect(address).expect("one place"),
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.listener.local_addr().expect("bound").port()
    }
}
