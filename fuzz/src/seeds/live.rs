//! What a card and a server say in whole handshakes.

use std::io;
use std::sync::Arc;

use dom0_middleware::card::eap_tls::Capabilities;
use dom0_middleware::card::{PeerVerifier, TrustError};
use proto::agent::{Dom0Message, EstablishedFlags, EstablishedMessage, SessionData};
use proto::id::SessionId;
use proto::tls::Established;
use sha2::{Digest, Sha256};
use tessera_fuzz::driver;
use tessera_fuzz::meddler::{Meddler, Way};
use tessera_fuzz::partners::Pki;
use tessera_fuzz::pieces::append;
use tessera_fuzz::world::{Live, request};

use super::Seeds;

pub(super) fn write(seeds: &mut Seeds) -> io::Result<()> {
    for (name, tls13) in [("tls12", false), ("tls13", true)] {
        let mut world = Live::new(tls13, Meddler::default());
        let parameters = driver::parameters(1);
        let opened = driver::open(&mut world, parameters.clone());
        let opened = opened.expect("a card").expect("it opens");
        let log = std::mem::take(&mut world.log);
        seeds.add("opening", name, &[&[0], script(&log).as_slice()].concat())?;
        seeds.add("soft_card", &format!("opening-{name}"), &commands(4, &log))?;

        let mut session = None;
        let mut both = Vec::new();
        for round in ["first", "second"] {
            world.connect();
            let ended = driver::handshake(
                &mut world,
                request(),
                parameters.clone(),
                opened.capabilities,
                Arc::new(Anybody),
                session.take(),
            );
            let completed = ended.expect("a server").expect("a good one");
            session = completed.session;
            let log = std::mem::take(&mut world.log);
            let name = format!("{name}-{round}");
            both.extend_from_slice(&log);
            one(seeds, &name, &log, &opened.capabilities)?;
            relay(seeds, &name, &log, completed.keys, completed.consumed)?;
        }
        handshake(seeds, &format!("{name}-both"), &both, &opened.capabilities)?;
        let choice = if tls13 { 2 } else { 0 };
        seeds.add("soft_card", name, &commands(choice, &both))?;
        seeds.add("chain", name, &[u8::from(tls13)])?;
        let mut meddled = vec![u8::from(tls13)];
        append(&mut meddled, 3, &[0, 0, 60, 1]);
        append(&mut meddled, 5, &[20, 0, 2, 0x69, 0x85]);
        seeds.add("chain", &format!("{name}-meddled"), &meddled)?;
    }
    Ok(())
}

fn one(
    seeds: &mut Seeds,
    name: &str,
    log: &[(Way, Vec<u8>)],
    capabilities: &Capabilities,
) -> io::Result<()> {
    handshake(seeds, name, log, capabilities)?;
    for (number, (way, bytes)) in log.iter().enumerate() {
        let name = format!("{name}-{number}");
        match way {
            Way::FromServer => {
                for choice in [0xFC, 0xFE] {
                    let seed = [&[choice], bytes.as_slice()].concat();
                    seeds.add("server_flight", &format!("{name}-{choice}"), &seed)?;
                }
            }
            Way::ToServer => seeds.add("client_flight", &name, bytes)?,
            Way::FromCard if bytes.len() > 20 => {
                let mut seed = Vec::new();
                append(&mut seed, 3, &bytes[..bytes.len() - 2]);
                seeds.add("eap", &name, &seed)?;
                seeds.add("certificates", &name, &bytes[..bytes.len() - 2])?;
            }
            Way::FromCard | Way::ToCard => {}
        }
    }
    let mut answers = Vec::new();
    for (_, response) in log.iter().filter(|(way, _)| *way == Way::FromCard) {
        append(&mut answers, 0, response);
    }
    seeds.add("apdu", name, &answers)
}

fn handshake(
    seeds: &mut Seeds,
    name: &str,
    log: &[(Way, Vec<u8>)],
    capabilities: &Capabilities,
) -> io::Result<()> {
    let choice = u8::from(capabilities.parameters)
        | u8::from(capabilities.store_session_id) << 1
        | u8::from(capabilities.state) << 2
        | u8::from(capabilities.tls13) << 3;
    let certificate = Sha256::digest(Pki::get().client_der());
    let seed = [&[choice, 1], certificate.as_slice(), &script(log)].concat();
    seeds.add("handshake", name, &seed)
}

fn relay(
    seeds: &mut Seeds,
    name: &str,
    log: &[(Way, Vec<u8>)],
    keys: Established,
    consumed: u64,
) -> io::Result<()> {
    let session = SessionId(1);
    let mut seed = Vec::new();
    let mut stream = Vec::new();
    let mut say = |seed: &mut Vec<u8>, message: Dom0Message| {
        let body = message.encode();
        append(seed, 8, &body);
        stream.extend_from_slice(&proto::agent::encode_frame(&body).expect("short"));
    };
    for (way, bytes) in log {
        let data = bytes.clone();
        match way {
            Way::FromServer => append(&mut seed, 0, bytes),
            Way::ToServer => say(
                &mut seed,
                Dom0Message::ClientRecords(SessionData { session, data }),
            ),
            Way::ToCard | Way::FromCard => {}
        }
    }
    let established = EstablishedMessage {
        session,
        keys,
        flags: EstablishedFlags::default(),
        consumed,
        alpn: None,
        peer_certificates: vec![Pki::get().server_der().to_vec()],
        card_ms: 3,
        wait_ms: 4,
    };
    say(&mut seed, Dom0Message::Established(Box::new(established)));
    seeds.add("relay", name, &seed)?;
    seeds.add("messages", name, &[&[0xFF], stream.as_slice()].concat())
}

/// What card and server said, for targets that play both.
fn script(log: &[(Way, Vec<u8>)]) -> Vec<u8> {
    let mut seed = Vec::new();
    for (way, bytes) in log {
        match way {
            Way::FromCard => append(&mut seed, 0, bytes),
            Way::FromServer => append(&mut seed, 1, bytes),
            Way::ToCard | Way::ToServer => {}
        }
    }
    seed
}

fn commands(choice: u8, log: &[(Way, Vec<u8>)]) -> Vec<u8> {
    let mut seed = vec![choice];
    for (_, command) in log.iter().filter(|(way, _)| *way == Way::ToCard) {
        append(&mut seed, 0, command);
    }
    seed
}

struct Anybody;

impl PeerVerifier for Anybody {
    fn verify_peer(&self, _: &[Vec<u8>], _: &str) -> Result<(), TrustError> {
        Ok(())
    }
}
