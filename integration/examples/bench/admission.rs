//! What the judgement of an `open` costs, and how fast a right ends.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use std::time::Instant;

use integration::binaries;
use integration::chain::{CardPlan, Chain, ChainPlan, GuestPlan};
use integration::pki::{KeyKind, Pki};
use integration::tls_server::{TlsServer, echo};
use integration::wait;
use rustls::version::TLS13;

use crate::NAME;
use crate::figures::{Figures, Times, Unit};

/// Sessions that are opened.
const COUNT: &str = "20000";

/// Measures the core with few and with many domains.
pub(crate) fn measure(pki: &Pki, figures: &mut Figures) {
    for domains in ["1", "64"] {
        let mut command = binaries::example("dom0-middleware", "admission");
        let output = command.args([domains, COUNT]).stdin(Stdio::null()).output();
        let output = output.expect("it is there");
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout).expect("numbers");
        for (line, share) in text.lines().zip(["p50", "p99"]) {
            let name = format!("admission of an open, {domains} domains, {share}");
            figures.add(&name, line.parse().expect("a number"), Unit::Micros);
        }
    }
    unbind(pki, figures);
    revoke(pki, figures);
}

/// From the command of an administrator to the end of the application's stream.
fn unbind(pki: &Pki, figures: &mut Figures) {
    let guest = GuestPlan::new("web01").bound("se-00", "web01");
    let plan = ChainPlan::new()
        .card(CardPlan::new("se-00").identity("web01", KeyKind::P256))
        .guest(guest.not_yet_bound());
    let chain = Chain::start(pki, &plan);
    let server = TlsServer::start(pki, &pki.server(NAME, KeyKind::P256), &TLS13, echo);
    let trust = chain.folder().join("ca.pem");
    let bind = ["vm", "bind", "web01", "--card", "se-00", "--trust"];
    let bind = [&bind[..], &[trust.to_str().expect("text")]].concat();
    let mut times = Times::default();
    for _ in 0..UNBOUND {
        let output = chain.admin(&bind);
        assert!(output.status.success(), "{output:?}");
        times.add(until_cut_off(
            &chain,
            server.port(),
            r#"{"vm_unbind":{"vm":"web01"}}"#,
        ));
    }
    add(figures, "vm unbind", UNBOUND, &times);
}

/// The same for a token; then the guest gets another one, which its agent finds by itself.
fn revoke(pki: &Pki, figures: &mut Figures) {
    let chain = Chain::start(pki, &ChainPlan::single(KeyKind::P256));
    let server = TlsServer::start(pki, &pki.server(NAME, KeyKind::P256), &TLS13, echo);
    let mut times = Times::default();
    for _ in 0..REVOKED {
        let token = chain.door("web01").token;
        let (_, claims) = proto::token::decode(&token).expect("it was issued");
        let mut cti = String::new();
        for byte in claims.cti {
            let _ = write!(cti, "{byte:02x}");
        }
        let request = format!(r#"{{"token_revoke":{{"cti":"{cti}"}}}}"#);
        times.add(until_cut_off(&chain, server.port(), &request));
        chain.issue_tokens();
    }
    add(figures, "token revoke", REVOKED, &times);
}

/// Makes a connection, as soon as the guest may, and then a request of an administrator.
fn until_cut_off(chain: &Chain, port: u16, request: &str) -> std::time::Duration {
    let mut session = wait::until("the guest is let in", || {
        chain.guest("web01").connect(port, NAME).ok()
    });
    let mut admin = UnixStream::connect(chain.admin_socket()).expect("it listens");
    let begun = Instant::now();
    admin
        .write_all(format!("{request}\n").as_bytes())
        .expect("it reads");
    let mut rest = Vec::new();
    // Cut off, in one way or the other.
    let _ = session.stream.read_to_end(&mut rest);
    let time = begun.elapsed();
    let mut answer = String::new();
    BufReader::new(admin)
        .read_line(&mut answer)
        .expect("it answers");
    assert!(!answer.contains("error"), "{answer}");
    time
}

fn add(figures: &mut Figures, command: &str, count: usize, times: &Times) {
    let name = |share: &str| format!("from {command} to the end of a stream, {share} of {count}");
    figures.add(&name("p50"), times.median(), Unit::Millis);
    figures.add_below(&name("p99"), times.p99(), Unit::Millis, TARGET_MS);
}

/// How often a guest is unbound, and a token revoked, which takes a new one each time.
const UNBOUND: usize = 100;
const REVOKED: usize = 20;
/// The guest is to be told within this time (design §3).
const TARGET_MS: f64 = 100.0;
