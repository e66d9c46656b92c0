//! Recorded conversations with cards, and a card that says exactly what was recorded.

use std::fs;
use std::path::{Path, PathBuf};

use proto::apdu::{CommandApdu, ResponseApdu};

/// A recorded conversation: commands and responses in order.
#[derive(Debug)]
pub(crate) struct Trace {
    name: String,
    exchanges: Vec<Exchange>,
}

#[derive(Debug)]
struct Exchange {
    /// The note right before the command.
    note: String,
    command: Vec<u8>,
    response: Vec<u8>,
}

impl Trace {
    /// Reads a file of `integration/traces`.
    pub(crate) fn load(name: &str) -> Self {
        let mut exchanges: Vec<Exchange> = Vec::new();
        let mut note = String::new();
        let mut in_response = false;
        for line in read(name).lines() {
            if let Some(text) = line.strip_prefix('#') {
                note = text.trim().to_owned();
            } else if let Some(hex) = line.strip_prefix(">>") {
                in_response = false;
                exchanges.push(Exchange {
                    note: std::mem::take(&mut note),
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
        assert!(!exchanges.is_empty(), "{name}: nothing recorded");
        Self {
            name: name.to_owned(),
            exchanges,
        }
    }

    /// The conversation without the commands under these notes: steps of the recording host that
    /// no handshake needs.
    pub(crate) fn without(mut self, notes: &[&str]) -> Self {
        for unwanted in notes {
            let before = self.exchanges.len();
            self.exchanges
                .retain(|exchange| !exchange.note.starts_with(unwanted));
            assert!(self.exchanges.len() < before, "no note {unwanted:?}");
        }
        self
    }

    /// What the server sent, taken out of the EAP-TLS packets to the card: one entry a flight.
    pub(crate) fn server_flights(&self) -> Vec<Vec<u8>> {
        let mut flights = Vec::new();
        let mut packet = Vec::new();
        let mut flight = Vec::new();
        for exchange in &self.exchanges {
            let [_, 0x80, p1, _, length, data @ ..] = exchange.command.as_slice() else {
                continue;
            };
            packet.extend_from_slice(&data[..usize::from(*length)]);
            if *p1 & 1 == 1 {
                continue;
            }
            let flags = packet[5];
            let header = if flags & 0x80 == 0 { 6 } else { 10 };
            if flags & 0x20 == 0 {
                flight.extend_from_slice(&packet[header..]);
            }
            packet.clear();
            if flags & 0x40 == 0 && !flight.is_empty() {
                flights.push(std::mem::take(&mut flight));
            }
        }
        flights
    }
}

/// A card that knows one conversation by heart.
#[derive(Debug)]
pub(crate) struct Replay {
    trace: Trace,
    at: usize,
}

impl Replay {
    pub(crate) fn of(trace: Trace) -> Self {
        Self { trace, at: 0 }
    }

    /// The recorded response, if the command is the recorded one to the byte.
    pub(crate) fn transmit(&mut self, command: &CommandApdu) -> ResponseApdu {
        let name = &self.trace.name;
        let sent = hex(&command.encode());
        let Some(exchange) = self.trace.exchanges.get(self.at) else {
            panic!("{name}: the recording has ended, the driver sends {sent}");
        };
        self.at += 1;
        let recorded = hex(&exchange.command);
        assert_eq!(
            sent, recorded,
            "{name}: command {} ({})",
            self.at, exchange.note
        );
        ResponseApdu::decode(&exchange.response).expect("a recorded response")
    }

    /// How many commands were sent.
    pub(crate) fn sent(&self) -> usize {
        self.at
    }

    /// Whether every recorded command was sent.
    pub(crate) fn is_over(&self) -> bool {
        self.at == self.trace.exchanges.len()
    }
}

/// The key block that `vectors.txt` has for a section: what the card answered.
pub(crate) fn recorded_key_block(section: &str) -> Vec<u8> {
    let vectors = read("vectors.txt");
    let heading = format!("[{section}]");
    let line = vectors
        .lines()
        .skip_while(|line| *line != heading)
        .find_map(|line| line.strip_prefix("key_block_card"))
        .unwrap_or_else(|| panic!("no {heading}"));
    bytes(line.trim_start_matches([' ', '=']))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

fn bytes(hex: &str) -> Vec<u8> {
    hex.split_whitespace()
        .flat_map(|run| run.as_bytes().chunks(2))
        .map(|pair| {
            let digits = str::from_utf8(pair).expect("ASCII");
            u8::from_str_radix(digits, 16).expect("two hexadecimal digits")
        })
        .collect()
}

fn read(name: &str) -> String {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../integration/traces")
        .join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
