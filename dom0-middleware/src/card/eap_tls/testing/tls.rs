//! TLS 1.2 flights whose protected parts are noise: neither driver nor card looks into them.

/// Stands for the server's certificate.
pub(in crate::card) const SERVER_CERTIFICATE: &[u8] = &[0x51; 900];
/// Stands for the card's certificate.
pub(in crate::card) const CLIENT_CERTIFICATE: &[u8] = &[0x52; 700];
/// ECDHE-ECDSA-AES128-GCM-SHA256.
pub(in crate::card) const GCM: u16 = 0xC02B;
/// RSA-AES128-CBC-SHA.
pub(in crate::card) const CBC: u16 = 0x002F;

/// Explicit nonce of every client Finished here.
pub(in crate::card) const NONCE: [u8; 8] = [0xFF, 0, 0, 0, 0, 0, 0, 0xFF];

/// The random of a HelloRetryRequest (RFC 8446 §4.1.3).
const RETRY_RANDOM: [u8; 32] = [
    0xCF, 0x21, 0xAD, 0x74, 0xE5, 0x9A, 0x61, 0x11, 0xBE, 0x1D, 0x8C, 0x02, 0x1E, 0x65, 0xB8, 0x91,
    0xC2, 0xA2, 0x11, 0x16, 0x7A, 0xBB, 0x8C, 0x5E, 0x07, 0x9E, 0x09, 0xE2, 0xC8, 0xA8, 0x33, 0x9C,
];

/// A ClientHello as one record.
#[derive(Clone)]
pub(in crate::card) struct Hello {
    pub(in crate::card) version: u16,
    pub(in crate::card) session_id: Vec<u8>,
    pub(in crate::card) ticket: Option<Vec<u8>>,
    pub(in crate::card) suites: Vec<u16>,
    pub(in crate::card) pre_shared_key: bool,
    /// Offers TLS 1.3 besides `version`.
    pub(in crate::card) tls13: bool,
}

impl Default for Hello {
    fn default() -> Self {
        Self {
            version: 0x0303,
            session_id: Vec::new(),
            ticket: None,
            suites: vec![GCM, CBC],
            pre_shared_key: false,
            tls13: false,
        }
    }
}

impl Hello {
    pub(in crate::card) fn record(&self) -> Vec<u8> {
        let mut body = self.version.to_be_bytes().to_vec();
        body.extend([0xC1; 32]);
        body.extend(vec8(&self.session_id));
        let suites: Vec<u8> = self.suites.iter().flat_map(|s| s.to_be_bytes()).collect();
        body.extend(vec16(&suites));
        body.extend([1, 0]);
        let mut extensions = Vec::new();
        if let Some(ticket) = &self.ticket {
            extensions.extend(extension(35, ticket));
        }
        if self.tls13 {
            let versions = [&[3, 4][..], &self.version.to_be_bytes()].concat();
            extensions.extend(extension(43, &vec8(&versions)));
        }
        if self.pre_shared_key {
            let identity = [vec16(&[1; 8]), vec![0; 4]].concat();
            let psk = [vec16(&identity), vec16(&vec8(&[2; 32]))].concat();
            extensions.extend(extension(41, &psk));
        }
        if !extensions.is_empty() {
            body.extend(vec16(&extensions));
        }
        record(22, &message(1, &body))
    }
}

/// A server that answers everything.
#[derive(Clone)]
pub(in crate::card) struct Server {
    pub(in crate::card) version: u16,
    pub(in crate::card) suite: u16,
    pub(in crate::card) session_id: Vec<u8>,
    pub(in crate::card) extended_master_secret: bool,
    pub(in crate::card) alpn: Option<Vec<u8>>,
    pub(in crate::card) asks_certificate: bool,
    pub(in crate::card) certificate: Vec<u8>,
    pub(in crate::card) ticket: Option<Vec<u8>>,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            version: 0x0303,
            suite: GCM,
            session_id: vec![0x5E; 32],
            extended_master_secret: true,
            alpn: None,
            asks_certificate: true,
            certificate: SERVER_CERTIFICATE.to_vec(),
            ticket: None,
        }
    }
}

impl Server {
    fn hello(&self) -> Vec<u8> {
        let tls13 = self.version == 0x0304;
        let legacy: u16 = if tls13 { 0x0303 } else { self.version };
        let mut body = legacy.to_be_bytes().to_vec();
        body.extend([0xC2; 32]);
        body.extend(vec8(&self.session_id));
        body.extend(self.suite.to_be_bytes());
        body.push(0);
        let mut extensions = Vec::new();
        if self.extended_master_secret {
            extensions.extend(extension(23, &[]));
        }
        if let Some(protocol) = &self.alpn {
            extensions.extend(extension(16, &vec16(&vec8(protocol))));
        }
        if tls13 {
            extensions.extend(extension(43, &self.version.to_be_bytes()));
        }
        if self.ticket.is_some() {
            extensions.extend(extension(35, &[]));
        }
        if !extensions.is_empty() {
            body.extend(vec16(&extensions));
        }
        message(2, &body)
    }

    /// ServerHello to ServerHelloDone.
    pub(in crate::card) fn full(&self) -> Vec<u8> {
        let certificates = vec24(&vec24(&self.certificate));
        let mut flight = record(22, &self.hello());
        flight.extend(record(22, &message(11, &certificates)));
        if self.asks_certificate {
            let request = [vec8(&[1, 64]), vec16(&[4, 1, 4, 3]), vec16(&[])].concat();
            flight.extend(record(22, &message(13, &request)));
        }
        flight.extend(record(22, &message(14, &[])));
        flight
    }

    /// ServerHello alone, as in TLS 1.3.
    pub(in crate::card) fn hello_only(&self) -> Vec<u8> {
        record(22, &self.hello())
    }

    /// ServerHello, ChangeCipherSpec, Finished.
    pub(in crate::card) fn abbreviated(&self) -> Vec<u8> {
        let mut flight = record(22, &self.hello());
        flight.extend(self.last());
        flight
    }

    /// [NewSessionTicket], ChangeCipherSpec, Finished.
    pub(in crate::card) fn last(&self) -> Vec<u8> {
        let mut flight = Vec::new();
        if let Some(ticket) = &self.ticket {
            let body = [vec![0, 0, 0, 100], vec16(ticket)].concat();
            flight.extend(record(22, &message(4, &body)));
        }
        flight.extend(finished([0xAB; 8]));
        flight
    }
}

/// The card's Certificate .. Finished; an empty certificate makes an empty list.
pub(in crate::card) fn client_flight(certificate: Option<&[u8]>) -> Vec<u8> {
    let mut messages = Vec::new();
    if let Some(der) = certificate {
        let list = if der.is_empty() {
            Vec::new()
        } else {
            vec24(der)
        };
        messages.extend(message(11, &vec24(&list)));
    }
    messages.extend(message(16, &vec8(&[4; 65])));
    if certificate.is_some_and(|der| !der.is_empty()) {
        messages.extend(message(15, &[vec![4, 3], vec16(&[6; 70])].concat()));
    }
    let mut flight = record(22, &messages);
    flight.extend(finished(NONCE));
    flight
}

/// ChangeCipherSpec and a protected Finished that begins with `nonce`.
pub(in crate::card) fn finished(nonce: [u8; 8]) -> Vec<u8> {
    let mut flight = record(20, &[1]);
    flight.extend(record(22, &[&nonce[..], &[0xEE; 32]].concat()));
    flight
}

/// A fatal alert in clear.
pub(in crate::card) fn alert(description: u8) -> Vec<u8> {
    record(21, &[2, description])
}

/// HelloRetryRequest of TLS 1.3, as one record.
pub(in crate::card) fn retry(suite: u16) -> Vec<u8> {
    let server = Server {
        version: 0x0304,
        suite,
        extended_master_secret: false,
        ..Server::default()
    };
    let mut record = server.hello_only();
    record[11..43].copy_from_slice(&RETRY_RANDOM);
    record
}

/// Whether a record is a HelloRetryRequest.
pub(in crate::card) fn is_retry(record: &[u8]) -> bool {
    record.get(11..43) == Some(&RETRY_RANDOM)
}

/// Something encrypted, as one record of TLS 1.3.
pub(in crate::card) fn encrypted13(content: &[u8]) -> Vec<u8> {
    record(23, content)
}

/// Stands for the server's Finished in TLS 1.3.
pub(in crate::card) fn server_finished13() -> Vec<u8> {
    encrypted13(&[0xF5; 40])
}

/// Stands for the card's Certificate .. Finished in TLS 1.3.
pub(in crate::card) fn client_finished13() -> Vec<u8> {
    [record(20, &[1]), encrypted13(&[0xFC; 900])].concat()
}

/// A list of certificates as a card exports it.
pub(in crate::card) fn exported_list(certificates: &[&[u8]]) -> Vec<u8> {
    certificates.iter().flat_map(|der| vec24(der)).collect()
}

/// One record of TLS 1.2.
pub(in crate::card) fn record(content_type: u8, payload: &[u8]) -> Vec<u8> {
    [&[content_type, 3, 3][..], &vec16(payload)].concat()
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    [vec![kind], vec24(body)].concat()
}

fn extension(kind: u16, body: &[u8]) -> Vec<u8> {
    [kind.to_be_bytes().to_vec(), vec16(body)].concat()
}

fn vec8(bytes: &[u8]) -> Vec<u8> {
    let length = u8::try_from(bytes.len()).expect("short");
    [&[length], bytes].concat()
}

fn vec16(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).expect("short");
    [&length.to_be_bytes(), bytes].concat()
}

fn vec24(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).expect("short").to_be_bytes();
    [&length[1..], bytes].concat()
}
