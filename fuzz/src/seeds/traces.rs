//! What the cards of `integration/traces` said, where the driver asks the same.
//!
//! The hosts of the recordings did not ask exactly what the driver asks: each command gets the
//! answer that the next recorded command with its instruction got.

use std::path::Path;
use std::{fs, io};

use proto::apdu::{CommandApdu, ResponseApdu, StatusWord};
use proto::tls::{ClientFlight, ClientFlightKind};
use sha2::{Digest, Sha256};
use tessera_fuzz::driver::{self, World};
use tessera_fuzz::pieces::append;

use super::Seeds;

pub(super) fn write(seeds: &mut Seeds) -> io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../integration/traces");
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let text = fs::read_to_string(&path)?;
        let name = path.file_stem().and_then(|stem| stem.to_str());
        let exchanges = exchanges(&text);
        if let Some(name) = name
            && !exchanges.is_empty()
        {
            one(seeds, name, exchanges)?;
        }
    }
    Ok(())
}

fn one(seeds: &mut Seeds, name: &str, exchanges: Vec<Exchange>) -> io::Result<()> {
    let mut commands = vec![0];
    let mut packets = Vec::new();
    for exchange in &exchanges {
        append(&mut commands, 0, &exchange.command);
        if let [data @ .., 0x90, 0x00] = exchange.response.as_slice() {
            append(&mut packets, 3, data);
        }
    }
    seeds.add("soft_card", name, &commands)?;
    seeds.add("eap", name, &packets)?;

    let mut card = Recording::of(&exchanges);
    let _ = driver::open(&mut card, driver::parameters(1));
    seeds.add("opening", name, &[&[0], card.said.as_slice()].concat())?;

    let starts = exchanges.iter().enumerate().filter(|(_, it)| it.is_start());
    for (number, (at, start)) in starts.enumerate() {
        let name = format!("{name}-{number}");
        let scene = &exchanges[at..];
        let flights = server_flights(scene);
        for flight in &flights {
            let choice = 0xFC;
            let seed = [&[choice], flight.as_slice()].concat();
            seeds.add("server_flight", &name, &seed)?;
        }
        // The first run tells which certificate the card has.
        let mut certificate = [0; 32];
        for _ in 0..2 {
            let mut card = Recording::of(scene);
            card.flights = flights.clone().into_iter();
            let seed = card.handshake(start.command[6], certificate);
            seeds.add("handshake", &name, &seed)?;
            for records in &card.to_server {
                seeds.add("client_flight", &name, records)?;
                if let Ok(flight) = ClientFlight::read(records, ClientFlightKind::Full)
                    && let Some(list) = flight.certificates
                    && let Some(leaf) = list.leaf()
                {
                    certificate = Sha256::digest(leaf).into();
                }
            }
        }
    }
    Ok(())
}

/// A recorded command and its response.
#[derive(Clone)]
struct Exchange {
    command: Vec<u8>,
    response: Vec<u8>,
}

impl Exchange {
    fn is_start(&self) -> bool {
        matches!(
            self.command.as_slice(),
            [_, 0x80, 0, _, 0x0A, 1, _, 0, 6, 13, 0x20, ..]
        )
    }
}

/// A card that answers from a recording.
struct Recording<'a> {
    exchanges: &'a [Exchange],
    at: usize,
    flights: std::vec::IntoIter<Vec<u8>>,
    to_server: Vec<Vec<u8>>,
    said: Vec<u8>,
}

impl<'a> Recording<'a> {
    fn of(exchanges: &'a [Exchange]) -> Self {
        Self {
            exchanges,
            at: 0,
            flights: Vec::new().into_iter(),
            to_server: Vec::new(),
            said: Vec::new(),
        }
    }

    /// The seed of a handshake with this card: what it said and what the server said.
    fn handshake(&mut self, identifier: u8, certificate: [u8; 32]) -> Vec<u8> {
        /// TLS 1.0 is allowed, the states are not those of draft 26.
        const CHOICE: u8 = 1 << 6 | 1 << 5;
        let mut parameters = driver::parameters(identifier);
        parameters.profile.draft26_states = false;
        let request = dom0_middleware::card::eap_tls::HandshakeRequest {
            min_version: proto::tls::ProtocolVersion::TLS1_0,
            client_certificate_sha256: certificate,
            ..tessera_fuzz::world::request()
        };
        let capabilities = Default::default();
        let verifier = std::sync::Arc::new(Anybody);
        let _ = driver::handshake(self, request, parameters, capabilities, verifier, None);
        [&[CHOICE, identifier], certificate.as_slice(), &self.said].concat()
    }
}

impl World for Recording<'_> {
    fn card(&mut self, command: &CommandApdu) -> Option<ResponseApdu> {
        let rest = self.exchanges.get(self.at..).unwrap_or_default();
        let same = |exchange: &Exchange| exchange.command.get(1) == Some(&command.ins);
        let response = match rest.iter().position(same) {
            Some(found) if command.ins != INS_EXPORT => {
                self.at += found + 1;
                ResponseApdu::decode(&rest[found].response).ok()?
            }
            // A stand-in for a card that can export.
            _ if command.ins == INS_EXPORT => {
                let suite = ResponseApdu::new(vec![0x00, 0x2F], StatusWord(0x9000));
                let key_block = ResponseApdu::new(vec![0; 104], StatusWord(0x9000));
                match command.data() {
                    [0x81] => suite,
                    _ => key_block,
                }
            }
            _ => ResponseApdu::new(Vec::new(), StatusWord(0x9000)),
        };
        append(&mut self.said, 0, &response.encode());
        Some(response)
    }

    fn to_server(&mut self, records: &[u8]) {
        self.to_server.push(records.to_vec());
    }

    fn from_server(&mut self) -> Option<Vec<u8>> {
        let flight = self.flights.next()?;
        append(&mut self.said, 1, &flight);
        Some(flight)
    }
}

struct Anybody;

impl dom0_middleware::card::PeerVerifier for Anybody {
    fn verify_peer(&self, _: &[Vec<u8>], _: &str) -> Result<(), dom0_middleware::card::TrustError> {
        Ok(())
    }
}

const INS_EXPORT: u8 = 0x86;

/// Reads a recording: `>>` begins a command, `<<` its response, other lines go on.
fn exchanges(text: &str) -> Vec<Exchange> {
    let mut exchanges: Vec<Exchange> = Vec::new();
    let mut in_response = false;
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        if let Some(hex) = line.strip_prefix(">>") {
            in_response = false;
            exchanges.push(Exchange {
                command: bytes(hex),
                response: Vec::new(),
            });
        } else if let Some(exchange) = exchanges.last_mut() {
            in_response |= line.starts_with("<<");
            let field = match in_response {
                true => &mut exchange.response,
                false => &mut exchange.command,
            };
            field.extend(bytes(line.trim_start_matches("<<")));
        }
    }
    exchanges
}

fn bytes(hex: &str) -> Vec<u8> {
    hex.split_whitespace()
        .filter_map(|pair| u8::from_str_radix(pair, 16).ok())
        .collect()
}

/// The server's flights, out of the EAP-TLS packets to the card.
fn server_flights(exchanges: &[Exchange]) -> Vec<Vec<u8>> {
    let mut flights = Vec::new();
    let mut packet = Vec::new();
    let mut flight = Vec::new();
    for exchange in exchanges {
        let [_, 0x80, p1, _, _, data @ ..] = exchange.command.as_slice() else {
            continue;
        };
        packet.extend_from_slice(data);
        if p1 & 1 == 1 {
            continue;
        }
        let flags = packet.get(5).copied().unwrap_or(0x20);
        let header = if flags & 0x80 == 0 { 6 } else { 10 };
        if flags & 0x20 == 0 {
            flight.extend_from_slice(packet.get(header..).unwrap_or_default());
        }
        packet.clear();
        if flags & 0x40 == 0 && !flight.is_empty() {
            flights.push(std::mem::take(&mut flight));
        }
    }
    flights
}
