//! A card made of switches. It speaks the protocol as the known cards do and can be told to
//! misbehave; its TLS is noise.

use proto::apdu::{CommandApdu, ResponseApdu, StatusWord};

use super::tls::{self, Hello};

/// Changes an answer on its way out.
pub(in crate::card) type Answers =
    Box<dyn FnMut(&CommandApdu, ResponseApdu) -> ResponseApdu + Send>;

/// Each field is one property of the card.
pub(in crate::card) struct FakeCard {
    pub(in crate::card) pin: Vec<u8>,
    pub(in crate::card) tries: u8,
    pub(in crate::card) verified: bool,
    /// The applets want a PIN even for the getters; the drafts do not.
    pub(in crate::card) getters_need_pin: bool,
    pub(in crate::card) identities: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    /// On T=0 the list does not move on with Le 00.
    pub(in crate::card) list_stuck_without_le: bool,
    pub(in crate::card) has_parameters: bool,
    /// Takes TLS 1.3 for the next handshake.
    pub(in crate::card) has_tls13: bool,
    pub(in crate::card) has_state: bool,
    pub(in crate::card) has_reset: bool,
    pub(in crate::card) has_store_session_id: bool,
    /// What it offers; its session id is replaced by `session` if there is one.
    pub(in crate::card) hello: Hello,
    pub(in crate::card) session: Option<Vec<u8>>,
    /// Whether it does what it is told about forgetting.
    pub(in crate::card) obeys_forget: bool,
    /// Empty 9000 answers before each flight.
    pub(in crate::card) single_steps: u32,
    /// TLS bytes in each EAP packet it sends.
    pub(in crate::card) fragment: usize,
    /// Whether the last fragment says how long the whole is.
    pub(in crate::card) length_in_first: bool,
    /// What it presents to the server.
    pub(in crate::card) certificate: Option<Vec<u8>>,
    /// Which Process-EAP flight it refuses with 6985, counted from 0 for the start.
    pub(in crate::card) refuses_flight: Option<usize>,
    pub(in crate::card) suite_answer: Vec<u8>,
    pub(in crate::card) key_block: Vec<u8>,
    /// What Get-State says after a handshake.
    pub(in crate::card) final_state: u8,
    /// What it exports as the list it verified, in TLS 1.3.
    pub(in crate::card) server_list: Vec<u8>,
    /// What it exports as the application protocol, in TLS 1.3.
    pub(in crate::card) alpn: Vec<u8>,
    pub(in crate::card) answers: Option<Answers>,
    /// Every command, in order.
    pub(in crate::card) log: Vec<CommandApdu>,
    pub(in crate::card) memory: Memory,
}

/// What it has in mind.
#[derive(Default)]
pub(in crate::card) struct Memory {
    current: Option<usize>,
    pointer: usize,
    packet: Vec<u8>,
    incoming: Vec<u8>,
    outgoing: Vec<u8>,
    total: usize,
    steps_left: u32,
    flights: usize,
    pending_answer: Vec<u8>,
    tls13_done: bool,
}

impl Default for FakeCard {
    fn default() -> Self {
        let certificate = tls::CLIENT_CERTIFICATE.to_vec();
        Self {
            pin: b"0000".to_vec(),
            tries: 3,
            verified: false,
            getters_need_pin: true,
            identities: vec![(b"alice".to_vec(), None), (b"bob".to_vec(), None)],
            list_stuck_without_le: false,
            has_parameters: true,
            has_tls13: false,
            has_state: true,
            has_reset: true,
            has_store_session_id: false,
            hello: Hello::default(),
            session: None,
            obeys_forget: true,
            single_steps: 0,
            fragment: 1484,
            length_in_first: true,
            certificate: Some(certificate),
            refuses_flight: None,
            suite_answer: [&tls::GCM.to_be_bytes()[..], &[3, 3, 0]].concat(),
            key_block: (0..40).collect(),
            final_state: 3,
            server_list: tls::exported_list(&[tls::SERVER_CERTIFICATE]),
            alpn: Vec::new(),
            answers: None,
            log: Vec::new(),
            memory: Memory::default(),
        }
    }
}

impl FakeCard {
    pub(in crate::card) fn transmit(&mut self, command: &CommandApdu) -> ResponseApdu {
        self.log.push(command.clone());
        let answer = self.answer(command);
        match self.answers.as_mut() {
            Some(change) => change(command, answer),
            None => answer,
        }
    }

    /// How often a command with this INS and P1 came.
    pub(in crate::card) fn count(&self, ins: u8, p1: u8) -> usize {
        self.log
            .iter()
            .filter(|c| c.ins == ins && c.p1 == p1)
            .count()
    }

    /// What a cold reset does to it.
    pub(in crate::card) fn reset(&mut self) {
        self.verified = false;
        self.rest();
    }

    fn rest(&mut self) {
        self.memory.packet.clear();
        self.memory.incoming.clear();
        self.memory.outgoing.clear();
        self.memory.flights = 0;
        self.memory.tls13_done = false;
    }

    fn answer(&mut self, command: &CommandApdu) -> ResponseApdu {
        let data = command.data();
        match (command.ins, command.p1, command.p2) {
            (0xA4, ..) => {
                self.reset();
                success(&[])
            }
            (0x20, 0, 0) => self.verify(data),
            (0x18, ..) if self.getters_need_pin && !self.verified => self.pin_wanted(),
            (0x18, ..) => {
                let name = self.memory.current.map(|at| self.identities[at].0.clone());
                success(&name.unwrap_or_default())
            }
            (0x17, ..) if self.getters_need_pin && !self.verified => self.pin_wanted(),
            (0x17, 0, 1) => self.next_identity(command.le()),
            (0x19, 0x10, _) if self.has_reset => {
                self.rest();
                success(&[])
            }
            (0x19, 0x00, _) if self.has_state => {
                let is_done = match self.hello.tls13 {
                    true => self.memory.tls13_done,
                    false => self.memory.flights >= 2,
                };
                success(&[if is_done { self.final_state } else { 2 }])
            }
            (0x19 | 0x8A | 0x60, ..) if self.is_missing(command) => status(0x6D00),
            _ if !self.verified => self.pin_wanted(),
            (0x16, ..) => self.set_identity(data),
            (0x8A, ..) => self.parameters(data),
            (0x60, 0xC2, _) => {
                if self.obeys_forget {
                    self.session = Some(data.to_vec());
                }
                success(&[])
            }
            (0x60, 0x00, _) => {
                let certificate = self
                    .memory
                    .current
                    .and_then(|at| self.identities[at].1.clone());
                match certificate {
                    Some(der) => self.long(der, true),
                    None => status(0x6986),
                }
            }
            (0x80, p1, _) => {
                let answer = self.process_eap(p1 & 1 == 1, data.to_vec());
                match command.le() {
                    Some(257..) if answer.sw == StatusWord(0x9F00) => {
                        success(&std::mem::take(&mut self.memory.pending_answer))
                    }
                    _ => answer,
                }
            }
            (0x86, ..) if data == [0x81] => success(&self.suite_answer),
            (0x86, ..) if data == [0x82] => success(&self.key_block),
            (0x86, ..) if data == [0x84] && self.has_tls13 => {
                self.long(self.server_list.clone(), true)
            }
            (0x86, ..) if data == [0x85] && self.has_tls13 => match self.certificate.clone() {
                Some(der) => self.long(der, true),
                None => status(0x6A88),
            },
            (0x86, ..) if data == [0x87] && self.has_tls13 => success(&self.alpn),
            (0x86, ..) => status(0x6A88),
            (0x12, ..) => self.fetch(),
            _ => status(0x6D00),
        }
    }

    fn is_missing(&self, command: &CommandApdu) -> bool {
        match (command.ins, command.p1) {
            (0x8A, _) => !self.has_parameters,
            (0x60, 0xC2) => !self.has_store_session_id,
            (0x19, _) => true,
            _ => false,
        }
    }

    fn verify(&mut self, pin: &[u8]) -> ResponseApdu {
        if self.tries == 0 {
            return status(0x6300);
        }
        if pin != self.pin {
            self.tries -= 1;
            return status(0x6300 | u16::from(self.tries));
        }
        self.tries = 3;
        self.verified = true;
        success(&[])
    }

    /// The applets' counter, OR'ed with 1.
    fn pin_wanted(&self) -> ResponseApdu {
        status(0x6300 | u16::from(self.tries) | 1)
    }

    fn next_identity(&mut self, le: Option<u32>) -> ResponseApdu {
        let name = self
            .identities
            .get(self.memory.pointer)
            .map(|(name, _)| name.clone());
        let stays = self.list_stuck_without_le && le == Some(256);
        if !stays && !self.identities.is_empty() {
            self.memory.pointer = (self.memory.pointer + 1) % self.identities.len();
        }
        success(&name.unwrap_or_default())
    }

    fn set_identity(&mut self, name: &[u8]) -> ResponseApdu {
        match self.identities.iter().position(|(known, _)| known == name) {
            Some(at) => {
                self.memory.current = Some(at);
                self.rest();
                success(&[])
            }
            None => status(0x6985),
        }
    }

    fn parameters(&mut self, mut tlv: &[u8]) -> ResponseApdu {
        while let [tag, length, rest @ ..] = tlv {
            let Some((value, next)) = rest.split_at_checked(usize::from(*length)) else {
                return status(0x6A80);
            };
            if *tag == 3 && value.starts_with(&[3, 4]) && !self.has_tls13 {
                return status(0x6A80);
            }
            if *tag == 4 && value == [1] && self.obeys_forget {
                self.session = None;
            }
            tlv = next;
        }
        success(&[])
    }

    fn process_eap(&mut self, more: bool, data: Vec<u8>) -> ResponseApdu {
        self.memory.packet.extend(data);
        if more {
            return success(&[]);
        }
        let packet = std::mem::take(&mut self.memory.packet);
        let [1, identifier, _, _, 13, flags, body @ ..] = packet.as_slice() else {
            return success(&[]);
        };
        let identifier = *identifier;
        if self.memory.current.is_none() {
            return success(&[2, identifier, 0, 5, 3]);
        }
        if flags & 0x20 != 0 {
            self.rest();
            return self.flight(identifier, Some(self.offered_hello()));
        }
        let body = if flags & 0x80 != 0 { &body[4..] } else { body };
        if flags & 0x40 != 0 {
            self.memory.incoming.extend_from_slice(body);
            return success(&[2, identifier, 0, 6, 13, 0]);
        }
        if body.is_empty() && self.memory.incoming.is_empty() {
            return self.more(identifier);
        }
        self.memory.incoming.extend_from_slice(body);
        let incoming = std::mem::take(&mut self.memory.incoming);
        let reply = self.reply(&incoming);
        self.flight(identifier, reply)
    }

    fn offered_hello(&self) -> Vec<u8> {
        let mut hello = self.hello.clone();
        if let Some(session) = &self.session {
            hello.session_id = session.clone();
        }
        hello.record()
    }

    /// What it says to a server flight.
    fn reply(&mut self, flight: &[u8]) -> Option<Vec<u8>> {
        if self.hello.tls13 {
            return self.reply_tls13(flight);
        }
        if self.memory.flights == 2 {
            return None;
        }
        // ServerHello is the first message; the second record tells what kind of flight it is.
        let session_at = 5 + 4 + 2 + 32;
        let session_id = flight
            .get(session_at)
            .map(|&length| flight[session_at + 1..][..usize::from(length)].to_vec());
        let hello_end = 5 + usize::from(u16::from_be_bytes([flight[3], flight[4]]));
        let resumes = match flight.get(hello_end) {
            Some(20) => true,
            // NewSessionTicket
            Some(22) => flight.get(hello_end + 5) == Some(&4),
            _ => false,
        };
        if resumes {
            self.memory.flights = 2;
            return Some(tls::finished(tls::NONCE));
        }
        self.session = session_id.filter(|id| !id.is_empty());
        Some(tls::client_flight(self.certificate.as_deref()))
    }

    /// What it says to a record of TLS 1.3.
    fn reply_tls13(&mut self, record: &[u8]) -> Option<Vec<u8>> {
        if tls::is_retry(record) {
            return Some(self.offered_hello());
        }
        (record == tls::server_finished13()).then(|| {
            self.memory.tls13_done = true;
            tls::client_finished13()
        })
    }

    /// Counts a flight to the card and lays its answer out.
    fn flight(&mut self, identifier: u8, reply: Option<Vec<u8>>) -> ResponseApdu {
        let number = self.memory.flights;
        self.memory.flights += 1;
        if self.refuses_flight == Some(number) {
            self.rest();
            return status(0x6985);
        }
        self.memory.outgoing = reply.unwrap_or_default();
        self.memory.total = self.memory.outgoing.len();
        self.memory.steps_left = self.single_steps;
        self.more(identifier)
    }

    /// The next piece of what it has to say.
    fn more(&mut self, identifier: u8) -> ResponseApdu {
        if self.memory.steps_left > 0 {
            self.memory.steps_left -= 1;
            return success(&[]);
        }
        let first = self.memory.outgoing.len() == self.memory.total;
        let count = self.memory.outgoing.len().min(self.fragment);
        let body: Vec<u8> = self.memory.outgoing.drain(..count).collect();
        let mut flags = if self.memory.outgoing.is_empty() {
            0
        } else {
            0x40
        };
        let mut length = Vec::new();
        if first && self.length_in_first && !body.is_empty() {
            flags |= 0x80;
            length = u32::try_from(self.memory.total)
                .expect("short")
                .to_be_bytes()
                .to_vec();
        }
        let size = u16::try_from(6 + length.len() + body.len()).expect("short");
        let header = [2, identifier];
        let packet = [
            &header[..],
            &size.to_be_bytes(),
            &[13, flags],
            &length,
            &body,
        ]
        .concat();
        self.long(packet, false)
    }

    /// Gives a long answer in blocks of 256; the first at once or only on FETCH.
    fn long(&mut self, answer: Vec<u8>, at_once: bool) -> ResponseApdu {
        if answer.len() <= 256 {
            return success(&answer);
        }
        self.memory.pending_answer = answer;
        match at_once {
            true => self.fetch(),
            false => status(0x9F00),
        }
    }

    fn fetch(&mut self) -> ResponseApdu {
        let count = self.memory.pending_answer.len().min(256);
        let block: Vec<u8> = self.memory.pending_answer.drain(..count).collect();
        let sw = match self.memory.pending_answer.len() {
            0 => 0x9000,
            left if left >= 256 => 0x9F00,
            left => 0x9F00 | u16::try_from(left).expect("below 256"),
        };
        ResponseApdu::new(block, StatusWord(sw))
    }
}

fn success(data: &[u8]) -> ResponseApdu {
    ResponseApdu::new(data.to_vec(), StatusWord(0x9000))
}

fn status(sw: u16) -> ResponseApdu {
    ResponseApdu::new(Vec::new(), StatusWord(sw))
}
