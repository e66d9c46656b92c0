//! The main job, shown: a TLS session in a guest, made by a card that the guest cannot reach.
//!
//! Everything is real but the card, which is a program: the middleware, the agent, and an OpenSSL
//! server that demands a client certificate. The card takes its time as the cards of 2014 did.

mod memory;
mod narrator;
mod wire;

use std::error::Error;
use std::fs;
use std::io::{Read, Write};

use domu_agent::client::EstablishedAnswer;
use integration::chain::{CardPlan, Chain, ChainPlan, GuestPlan, Session};
use integration::openssl::{Mode, OpensslServer, ServerPlan};
use integration::pki::{KeyKind, Pki};
use proto::tls::{CipherSuite, ProtocolVersion};
use rsa::RsaPrivateKey;
use rsa::pkcs8::DecodePrivateKey;
use rsa::traits::PrivateKeyParts;

use crate::narrator::Narrator;
use crate::wire::Wire;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const GUEST: &str = "web01";
const SEID: &str = "se-00";
const SERVER: &str = "www.tessera.example";
const WRONG_NAME: &str = "bank.tessera.example";

fn main() -> Result<()> {
    let narrator = Narrator::new();
    narrator.title("1. A host, a guest, a card and a server");
    let pki = Pki::new();
    narrator.say("made a throw-away CA");
    let server = start_server(&pki);
    narrator.say(format_args!(
        "started openssl s_server as {SERVER}; it refuses clients without a certificate of the CA"
    ));
    narrator.say("making a client key, RSA-2048, and putting it on a soft card with a PIN ...");
    let card = CardPlan::new(SEID)
        .identity(GUEST, KeyKind::NewRsa2048)
        .options(&["--timing", "paper"]);
    let guest = GuestPlan::new(GUEST).bound(SEID, GUEST);
    let mut chain = Chain::start(&pki, &ChainPlan::new().card(card).guest(guest));
    narrator.say("started soft-card, dom0-middleware and domu-agent; dom0 sees this card:");
    for line in String::from_utf8_lossy(&chain.admin(&["card", "list"]).stdout).lines() {
        narrator.detail(line);
    }
    narrator.detail("(insecure_development: the channel to the guest has no TLS and no token)");
    let wire = Wire::watch(server.port(), narrator)?;

    narrator.title("2. The guest fetches a page; the card makes a full handshake");
    let full = fetch(&chain, &wire, 1, narrator)?;
    narrator.title("3. What the guest saw, and what it did not");
    show_secrets(&mut chain, &full, narrator)?;
    narrator.title("4. The same page again; the card resumes the session");
    let resumed = fetch(&chain, &wire, 2, narrator)?;
    narrator.title(&format!(
        "5. The server is {SERVER}, the guest asks for {WRONG_NAME}"
    ));
    refuse(&chain, &wire, narrator)?;
    narrator.title("6. What dom0 has on record");
    show_audit(&chain, narrator)?;

    if full.abbreviated || !resumed.abbreviated {
        return Err("the first session was to be full and the second resumed".into());
    }
    println!("\ndone in {:.1} s", narrator.elapsed().as_secs_f64());
    for session in [&full, &resumed] {
        println!(
            "established {} {} card {} total {}",
            session.version.replace("TLS ", "TLSv"),
            session.cipher_suite,
            session.card_ms,
            session.total_ms
        );
    }
    Ok(())
}

fn start_server(pki: &Pki) -> OpensslServer {
    let credential = pki.server(SERVER, KeyKind::NewRsa2048);
    let plan = ServerPlan::new(&credential).cipher("ECDHE-RSA-AES128-GCM-SHA256");
    OpensslServer::start(pki, &plan.mode(Mode::Page))
}

/// An application in the guest: a plain socket to the agent, HTTP over it.
fn fetch(
    chain: &Chain,
    wire: &Wire,
    number: usize,
    narrator: Narrator,
) -> Result<EstablishedAnswer> {
    narrator.say(format_args!("application: connect to {SERVER}"));
    let asked = chain.guest(GUEST).connect(wire.port(), SERVER);
    let Session {
        established,
        mut stream,
    } = asked.map_err(|error| format!("{}: {}", error.code, error.message))?;
    narrator.say(format_args!(
        "agent: established, {} {}, {} handshake",
        established.version,
        established.cipher_suite,
        if established.abbreviated {
            "abbreviated"
        } else {
            "full"
        }
    ));
    narrator.detail(format_args!(
        "waited {} ms for the card, the card worked {} ms, {} ms in all",
        established.wait_ms, established.card_ms, established.total_ms
    ));
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
    let mut page = Vec::new();
    stream.read_to_end(&mut page)?;
    drop(stream);
    wire.wait_ended(number);
    let page = String::from_utf8_lossy(&page);
    if !page.starts_with("HTTP/1.0 200") {
        return Err(format!("not a page: {page:.80}").into());
    }
    narrator.say(format_args!(
        "application: {} bytes of page; in it the server says:",
        page.len()
    ));
    for line in page.lines().filter(|line| is_telling(line)) {
        narrator.detail(line.trim());
    }
    Ok(established)
}

/// Lines of the server's page that say whom it spoke to, and how.
fn is_telling(line: &str) -> bool {
    let line = line.trim();
    line.starts_with("New, ") || line.starts_with("Reused, ") || line.starts_with("Subject: ")
}

fn show_secrets(chain: &mut Chain, session: &EstablishedAnswer, narrator: Narrator) -> Result<()> {
    if let Some(shape) = key_block_len(&session.cipher_suite) {
        narrator.detail(format_args!(
            "saw:     the suite and a KeyBlock of {shape} bytes, the keys of that one connection"
        ));
    }
    narrator.detail("saw:     the bytes of the handshake, which it carried");
    narrator.detail("not:     the PIN, the master secret, any APDU");
    let needles = key_needles(chain)?;
    let agent = chain.guest(GUEST).agent_id();
    let card = chain.cards().first().map(|card| card.id());
    let card = card.ok_or("there is a card")?;
    match (
        memory::search(agent, &needles),
        memory::search(card, &needles),
    ) {
        (Ok(agent), Ok(card)) if card.found && !agent.found => narrator.detail(format_args!(
            "not:     the private key. Searched the agent's memory, {} kB: not there. The same \
             search finds it in the soft card's",
            agent.searched >> 10
        )),
        (Ok(agent), Ok(_)) if agent.found => return Err("the agent's memory holds the key".into()),
        (Ok(_), Ok(_)) => return Err("the search does not even find the key in the card".into()),
        (Err(error), _) | (_, Err(error)) => narrator.detail(format_args!(
            "not:     the private key (its memory cannot be searched here: {error})"
        )),
    }
    Ok(())
}

/// The secret numbers of the card's key, in both byte orders.
fn key_needles(chain: &Chain) -> Result<Vec<Vec<u8>>> {
    let file = chain.folder().join(format!("{SEID}.{GUEST}.key.pem"));
    let key = RsaPrivateKey::from_pkcs8_pem(&fs::read_to_string(file)?)?;
    let numbers = key.primes().iter().chain([key.d()]);
    Ok(numbers
        .flat_map(|number| [number.to_bytes_be(), number.to_bytes_le()])
        .collect())
}

fn key_block_len(suite: &str) -> Option<usize> {
    let suite = (0..=u16::MAX)
        .map(CipherSuite)
        .find(|known| known.to_string() == suite)?;
    let shape = suite.key_block_shape(ProtocolVersion::TLS1_2)?;
    Some(shape.total())
}

fn refuse(chain: &Chain, wire: &Wire, narrator: Narrator) -> Result<()> {
    match chain.guest(GUEST).connect(wire.port(), WRONG_NAME) {
        Ok(_) => Err("a server with the wrong name got a session".into()),
        Err(error) if error.code == "peer-untrusted" => {
            narrator.say(format_args!("agent: {}: {}", error.code, error.message));
            narrator.detail("the card saw nothing of the server's answer, and no key was made");
            Ok(())
        }
        Err(error) => Err(format!("{}: {}", error.code, error.message).into()),
    }
}

fn show_audit(chain: &Chain, narrator: Narrator) -> Result<()> {
    let records = chain.audit();
    for record in &records {
        let text = |key: &str| record[key].as_str().unwrap_or_default().to_owned();
        let line = match record["event"].as_str() {
            Some("session-established") => format!(
                "session-established  {} {} card {} ms",
                text("name"),
                text("server_name"),
                record["card_us"].as_u64().unwrap_or_default() / 1_000
            ),
            Some("session-refused") => {
                format!("session-refused      {} {}", text("code"), text("reason"))
            }
            Some(event) => event.to_owned(),
            None => return Err("a record without event".into()),
        };
        narrator.detail(line);
    }
    narrator.detail(format_args!(
        "{} records; each holds the hash of the one before, all checked",
        records.len()
    ));
    Ok(())
}
