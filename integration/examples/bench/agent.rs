//! What an agent takes in a guest: memory and disk; and what its sessions take of the service.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use integration::binaries;
use integration::chain::{Chain, ChainPlan, GuestPlan, request};
use integration::descriptors;
use integration::footprint::{Footprint, MIB};
use integration::pki::{KeyKind, Pki};
use integration::tls_server::{TlsServer, echo};
use integration::wait;
use rustls::version::TLS13;

use crate::NAME;
use crate::door::Door;
use crate::figures::{Figures, Unit};

/// Open connections at which memory is looked at, in rising order.
const CONNECTIONS: [usize; 3] = [1, 100, 1_000];
/// Both ends of each connection are in this process.
const DESCRIPTORS: u64 = 4_000;
/// Most memory that an agent with nothing to do should take, in MiB.
const IDLE_TARGET: f64 = 8.0;

/// Measures a new agent: its program, its memory with nothing to do, and with connections that
/// have carried data each way and are silent now, made at either door. The service remembers those.
pub(crate) fn measure(pki: &Pki, figures: &mut Figures) {
    let program = binaries::agent();
    let size = std::fs::metadata(program.get_program()).expect("it is there");
    figures.add("agent: program", size.len() as f64 / MIB, Unit::Mebibytes);
    for door in Door::BOTH {
        at(door, pki, figures);
    }
}

fn at(door: Door, pki: &Pki, figures: &mut Figures) {
    let guest = GuestPlan::new("web01").bound("se-00", door.identity(0));
    let card = door.card("se-00", 1, KeyKind::P256);
    let mut chain = Chain::start(pki, &ChainPlan::new().card(card).guest(guest));
    let service = chain.middleware().id();
    let prefix = door.prefix();
    if door == Door::EapTls {
        let idle = footprint(&chain);
        let memory = idle.resident / MIB;
        figures.add_below("agent: memory, idle", memory, Unit::Mebibytes, IDLE_TARGET);
        let descriptors = idle.descriptors as f64;
        figures.add("agent: descriptors, idle", descriptors, Unit::Count);
    }
    if !descriptors::provide(DESCRIPTORS) {
        return;
    }
    let credential = pki.server(NAME, KeyKind::P256);
    let server = TlsServer::start(pki, &credential, &TLS13, echo);
    let mut open = Vec::new();
    for count in CONNECTIONS {
        while open.len() < count {
            open.push(connect(&chain, server.port()));
        }
        for (program, now) in [
            ("agent", footprint(&chain)),
            ("service", Footprint::of(service)),
        ] {
            let name = |what: &str| format!("{prefix}{program}: {what}, {count} connections");
            figures.add(&name("memory"), now.resident / MIB, Unit::Mebibytes);
            figures.add(&name("descriptors"), now.descriptors as f64, Unit::Count);
        }
    }
    // The server is told before the agent goes.
    drop(open);
    wait::until("all connections have ended", || {
        let status = chain.guest("web01").client().status().ok()?;
        (status.sessions.running == 0).then_some(())
    });
}

/// A connection that has carried a page's worth of data each way.
fn connect(chain: &Chain, port: u16) -> UnixStream {
    let mut data = [7; 4_096];
    let session = chain.guest("web01").ask(request(port, NAME));
    let mut stream = session.expect("a session").stream;
    stream.write_all(&data).expect("it stands");
    stream.read_exact(&mut data).expect("it stands");
    stream
}

fn footprint(chain: &Chain) -> Footprint {
    Footprint::of(chain.guest("web01").agent_id())
}
