//! A host that drives a card, in the plainest way that works.

use proto::eap;
use soft_card::card::Card;
use soft_card::cost::Operation;

/// The start packet's time: 2026-11-21.
pub(crate) const NOW: u32 = 1_795_219_200;

/// A card and what it cost so far.
pub(crate) struct Host {
    pub(crate) card: Card,
    pub(crate) cost: Vec<Operation>,
    /// Largest EAP packet to the card, bytes.
    pub(crate) max_packet: usize,
    /// Largest segment, bytes.
    pub(crate) max_segment: usize,
    /// Whether segments are extended commands.
    pub(crate) is_extended: bool,
    identifier: u8,
}

/// Data, or the status word of a refusal.
pub(crate) type Result = std::result::Result<Vec<u8>, u16>;

impl Host {
    pub(crate) fn new(card: Card) -> Self {
        Self {
            card,
            cost: Vec::new(),
            max_packet: 1400,
            max_segment: 240,
            is_extended: false,
            identifier: 0x10,
        }
    }

    /// Selects the application, verifies the PIN and sets an identity.
    pub(crate) fn open(card: Card, identity: &str) -> Self {
        let mut host = Self::new(card);
        host.select();
        host.set_identity(identity);
        host.cost.clear();
        host
    }

    pub(crate) fn select(&mut self) {
        let aid = *b"\xA0\x00\x00\x00\x30\x00\x02\xFF\xFF\xFF\xFF\x89128\x00";
        assert_eq!(
            self.transmit([0x00, 0xA4, 0x04, 0x00], &aid),
            (vec![], 0x9000)
        );
        assert_eq!(self.command(0x20, 0, 0, b"0000"), Ok(vec![]));
    }

    pub(crate) fn set_identity(&mut self, name: &str) {
        assert_eq!(self.command(0x16, 0, 0x80, name.as_bytes()), Ok(vec![]));
    }

    /// One command, with FETCH as long as there is more.
    pub(crate) fn command(&mut self, ins: u8, p1: u8, p2: u8, data: &[u8]) -> Result {
        let (mut all, mut sw) = self.transmit([0xA0, ins, p1, p2], data);
        while sw >> 8 == 0x9F {
            let le = u8::try_from(sw & 0xFF).expect("masked");
            let (block, next) = self.transmit_raw(&[0xA0, 0x12, 0, 0, le]);
            all.extend_from_slice(&block);
            sw = next;
        }
        if sw == 0x9000 { Ok(all) } else { Err(sw) }
    }

    /// Starts a handshake; returns the ClientHello record.
    pub(crate) fn start(&mut self) -> Result {
        self.start_at(NOW)
    }

    pub(crate) fn start_at(&mut self, unix_time: u32) -> Result {
        self.identifier = self.identifier.wrapping_add(1);
        let packet = eap::start(self.identifier, unix_time);
        let answer = self.command(0x80, 0, 0, &packet)?;
        self.collect(&answer)
    }

    /// Brings one EAP-TLS message; returns the TLS bytes of the answer.
    pub(crate) fn message(&mut self, tls: &[u8]) -> Result {
        let first = self.identifier.wrapping_add(1);
        let packets = eap::fragments(tls, first, self.max_packet);
        let mut answer = Vec::new();
        for (sent, packet) in packets.iter().enumerate() {
            self.identifier = packet[1];
            if sent > 0 {
                assert_eq!(
                    answer,
                    [2, packet[1].wrapping_sub(1), 0, 6, 13, 0],
                    "acknowledgement"
                );
            }
            answer = self.packet(packet)?;
        }
        self.collect(&answer)
    }

    /// One EAP packet, in segments.
    pub(crate) fn packet(&mut self, packet: &[u8]) -> Result {
        let segments: Vec<_> = eap::segments(packet, self.max_segment).collect();
        let mut answer = Ok(vec![]);
        for (more, segment) in segments {
            assert_eq!(answer, Ok(vec![]), "a segment is answered 9000 alone");
            answer = match self.is_extended {
                true => self.extended_eap(more, segment),
                false => self.command(0x80, u8::from(more), 0, segment),
            };
        }
        answer
    }

    /// Process-EAP as an extended command that wants as much as there is.
    fn extended_eap(&mut self, more: bool, segment: &[u8]) -> Result {
        let lc = u16::try_from(segment.len())
            .expect("a segment")
            .to_be_bytes();
        let header = [0xA0, 0x80, u8::from(more), 0, 0, lc[0], lc[1]];
        match self.transmit_raw(&[&header, segment, &[0, 0]].concat()) {
            (data, 0x9000) => Ok(data),
            (_, sw) => Err(sw),
        }
    }

    /// Get-Exported-Parameter.
    pub(crate) fn export(&mut self, index: u8) -> Result {
        self.command(0x86, 0, 0, &[index])
    }

    /// Get-State.
    pub(crate) fn state(&mut self) -> u8 {
        let (data, sw) = self.transmit_raw(&[0xA0, 0x19, 0, 0, 1]);
        assert_eq!((data.len(), sw), (1, 0x9000));
        data[0]
    }

    /// The TLS bytes of a packet of the card and of the fragments behind it.
    fn collect(&mut self, packet: &[u8]) -> Result {
        let mut packet = packet.to_vec();
        let (mut tls, mut total) = (Vec::new(), None);
        loop {
            let [2, identifier, length1, length2, 13, flags, rest @ ..] = packet.as_slice() else {
                panic!("not an EAP-TLS response: {packet:02X?}");
            };
            assert_eq!(*identifier, self.identifier);
            let length = usize::from(u16::from_be_bytes([*length1, *length2]));
            assert_eq!(length, packet.len(), "EAP length");
            let data = match (flags & 0x80, rest) {
                (0, data) => data,
                (_, [a, b, c, d, data @ ..]) => {
                    total = Some(u32::from_be_bytes([*a, *b, *c, *d]));
                    data
                }
                _ => panic!("no room for the TLS length"),
            };
            tls.extend_from_slice(data);
            if flags & 0x40 == 0 {
                break;
            }
            self.identifier = self.identifier.wrapping_add(1);
            packet = self.packet(&eap::acknowledge(self.identifier))?;
        }
        if let Some(total) = total {
            assert_eq!(
                tls.len(),
                usize::try_from(total).expect("small"),
                "TLS length"
            );
        }
        Ok(tls)
    }

    fn transmit(&mut self, header: [u8; 4], data: &[u8]) -> (Vec<u8>, u16) {
        let mut command = header.to_vec();
        if !data.is_empty() {
            command.push(u8::try_from(data.len()).expect("short APDU"));
            command.extend_from_slice(data);
        }
        self.transmit_raw(&command)
    }

    pub(crate) fn transmit_raw(&mut self, command: &[u8]) -> (Vec<u8>, u16) {
        let answer = self.card.transmit(command);
        self.cost.extend(answer.cost);
        let (data, sw) = answer.response.split_last_chunk().expect("a status word");
        (data.to_vec(), u16::from_be_bytes(*sw))
    }
}
