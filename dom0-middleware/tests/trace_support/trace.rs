//! The files of `integration/traces`, and the scenes they are cut into.

use std::fs;
use std::path::{Path, PathBuf};

use proto::eap;

/// A recorded conversation: commands and responses in order.
#[derive(Debug, Clone)]
pub(crate) struct Trace {
    pub(super) name: String,
    pub(super) exchanges: Vec<Exchange>,
}

#[derive(Debug, Clone)]
pub(super) struct Exchange {
    /// The note right before the command.
    pub(super) note: String,
    pub(super) command: Vec<u8>,
    pub(super) response: Vec<u8>,
}

impl Exchange {
    /// Whether the answer is not complete: the next command belongs to this one.
    fn goes_on(&self) -> bool {
        matches!(self.response.as_slice(), [.., 0x61 | 0x6C | 0x9F, _])
    }
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
    /// the driver does not take.
    pub(crate) fn without(mut self, notes: &[&str]) -> Self {
        for unwanted in notes {
            let before = self.exchanges.len();
            while let Some(place) = self.find(0, unwanted) {
                let len = self.step_len(place);
                self.exchanges.drain(place..place + len);
            }
            assert!(self.exchanges.len() < before, "no note {unwanted:?}");
        }
        self
    }

    /// What is between the first command under `from` and the next one under `until`, or the end.
    pub(crate) fn scene(&self, from: &str, until: Option<&str>) -> Self {
        let begin = self.expect(0, from);
        let end = until.map_or(self.exchanges.len(), |note| self.expect(begin + 1, note));
        self.cut(begin, end)
    }

    /// These commands with all that belongs to their answers, in the order of `notes`; one that
    /// is named again is looked for behind itself.
    pub(crate) fn pick(&self, notes: &[&str]) -> Self {
        let mut picked = self.cut(0, 0);
        for (index, note) in notes.iter().enumerate() {
            let earlier = notes[..index].iter().filter(|other| *other == note).count();
            let mut place = self.expect(0, note);
            for _ in 0..earlier {
                place = self.expect(place + 1, note);
            }
            let end = place + self.step_len(place);
            picked
                .exchanges
                .extend_from_slice(&self.exchanges[place..end]);
        }
        picked
    }

    /// This and then `other`, of the same card.
    pub(crate) fn then(mut self, other: &Self) -> Self {
        if self.name != other.name {
            self.name = format!("{}, {}", self.name, other.name);
        }
        self.exchanges.extend_from_slice(&other.exchanges);
        self
    }

    /// Where a command under a note that begins with `note` is, from `place` on.
    pub(crate) fn find(&self, place: usize, note: &str) -> Option<usize> {
        let rest = self.exchanges.get(place..)?;
        let found = rest
            .iter()
            .position(|exchange| exchange.note.starts_with(note));
        found.map(|found| place + found)
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
            let flags = packet.get(5).copied().unwrap_or(0x20);
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

    /// The conversation with its first server flight in other pieces; there must be as many.
    pub(crate) fn recut(mut self, max_packet: usize, max_segment: usize) -> Self {
        let flight = self.server_flights().remove(0);
        let is_flight = |exchange: &Exchange| {
            let command = exchange.command.as_slice();
            matches!(command, [_, 0x80, ..]) && !matches!(command, [_, 0x80, 0, 0, 0x0A, ..])
        };
        let first = self.exchanges.iter().position(is_flight).expect("a flight");
        let identifier = self.exchanges[first].command[6];
        let commands: Vec<Vec<u8>> = eap::fragments(&flight, identifier, max_packet)
            .iter()
            .flat_map(|packet| eap::segments(packet, max_segment))
            .map(|(more, piece)| {
                let length = u8::try_from(piece.len()).expect("a segment");
                [&[0xA0, 0x80, u8::from(more), 0, length], piece].concat()
            })
            .collect();
        let places = self.exchanges[first..].iter_mut();
        for (exchange, command) in places.zip(&commands) {
            assert_eq!(exchange.command[..3], command[..3], "{}", self.name);
            exchange.command.clone_from(command);
        }
        let again = self.server_flights().remove(0);
        assert_eq!(again, flight, "{}: as many pieces as before", self.name);
        self
    }

    /// The data of the last response, without its status word.
    pub(crate) fn last_answer(&self) -> &[u8] {
        let response = &self.exchanges.last().expect("a response").response;
        &response[..response.len() - 2]
    }

    fn expect(&self, place: usize, note: &str) -> usize {
        self.find(place, note)
            .unwrap_or_else(|| panic!("{}: no note {note:?}", self.name))
    }

    /// Commands it takes until the answer to the one at `place` is complete.
    fn step_len(&self, place: usize) -> usize {
        let rest = self.exchanges[place..].iter();
        rest.take_while(|exchange| exchange.goes_on()).count() + 1
    }

    fn cut(&self, begin: usize, end: usize) -> Self {
        Self {
            name: self.name.clone(),
            exchanges: self.exchanges[begin..end].to_vec(),
        }
    }
}

/// The names of all recordings.
pub(crate) fn files() -> Vec<String> {
    let entries = fs::read_dir(folder()).expect("the recordings");
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    let mut names: Vec<String> = names
        .filter_map(|name| name.into_string().ok())
        .filter(|name| name.ends_with(".txt") && name != "vectors.txt")
        .collect();
    names.sort();
    names
}

pub(super) fn bytes(hex: &str) -> Vec<u8> {
    hex.split_whitespace()
        .flat_map(|run| run.as_bytes().chunks(2))
        .map(|pair| {
            let digits = str::from_utf8(pair).expect("ASCII");
            u8::from_str_radix(digits, 16).expect("two hexadecimal digits")
        })
        .collect()
}

pub(super) fn read(name: &str) -> String {
    let path = folder().join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../integration/traces")
}
