//! A page, fetched through a meddler.

use std::io::{Read, Write};

use domu_agent::client::{AppError, Ending};
use integration::chain::request;
use integration::meddler::{Delivery, Meddler};
use integration::openssl::{Mode, OpensslServer, ServerPlan};
use integration::wait;

use crate::NAME;
use crate::world::World;

/// A server may be late by a second; that is enough for an honest one on a busy machine.
pub(super) const LIMITS: [(&str, u64); 2] =
    [("peer_wait_ms", 1_000), ("peer_wait_alone_ms", 1_000)];

/// What came of one connection through a meddler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// No handshake.
    Refused(AppError),
    /// A handshake, and then an end that is not in order.
    Ended(Ending, String),
    /// All as if nothing had been done to the bytes.
    Unharmed,
}

/// A server of pages, with one version of TLS.
pub(super) fn page_server(world: &World, is_tls13: bool) -> OpensslServer {
    let plan = ServerPlan::new(&world.credential).mode(Mode::Page);
    let plan = if is_tls13 { plan.tls13() } else { plan };
    OpensslServer::start(&world.pki, &plan)
}

/// Asks for a page through a meddler.
pub(super) fn fetch(world: &World, server: &OpensslServer, delivery: &Delivery) -> Outcome {
    fetch_through(world, &Meddler::start(server.port(), delivery.clone()))
}

/// Asks for a page through this meddler.
pub(super) fn fetch_through(world: &World, meddler: &Meddler) -> Outcome {
    let mut wish = request(meddler.port(), NAME);
    wish.resume = Some(false);
    let mut session = match world.rogue().ask(wish) {
        Ok(session) => session,
        Err(error) => return Outcome::Refused(error),
    };
    // Either may fail when the agent has given the connection up.
    let _ = session.stream.write_all(b"GET / HTTP/1.0\r\n\r\n");
    let mut page = Vec::new();
    let _ = session.stream.read_to_end(&mut page);
    drop(session.stream);
    let number = session.established.session;
    let ended = wait::until("the agent has seen the end", || {
        let ended = world.rogue().client().ended(number).expect("it remembers");
        (ended.how != Ending::Open).then_some(ended)
    });
    match ended.how {
        Ending::Closed => {
            assert!(page.ends_with(PAGE_END), "{meddler:?}");
            Outcome::Unharmed
        }
        how => Outcome::Ended(how, ended.message),
    }
}

/// The last words of a page of `openssl s_server -www`.
const PAGE_END: &[u8] = b"</pre></BODY></HTML>\r\n\r\n";

/// Whether an application is told that the server is to blame, and not its card or its host.
pub(super) fn blames_the_server(no: &AppError) -> bool {
    matches!(
        &*no.code,
        "handshake-failed" | "peer-untrusted" | "timeout" | "limit"
    )
}
