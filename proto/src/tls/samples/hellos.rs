//! Hello messages from their fields, to be read back.

use proptest::prelude::*;

use crate::tls::{CipherSuite, ClientHello, ProtocolVersion, ServerHello};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::tls) struct ClientHelloSample {
    pub(in crate::tls) versions: Vec<u16>,
    pub(in crate::tls) session_id: Vec<u8>,
    pub(in crate::tls) ticket: Option<Vec<u8>>,
    pub(in crate::tls) pre_shared_key: bool,
    pub(in crate::tls) server_name: Option<String>,
    pub(in crate::tls) alpn: Vec<Vec<u8>>,
    pub(in crate::tls) suites: Vec<u16>,
}

impl Default for ClientHelloSample {
    fn default() -> Self {
        Self {
            versions: Vec::new(),
            session_id: Vec::new(),
            ticket: None,
            pre_shared_key: false,
            server_name: None,
            alpn: Vec::new(),
            suites: vec![0xC02F],
        }
    }
}

impl ClientHelloSample {
    pub(in crate::tls) fn body(&self) -> Vec<u8> {
        let mut extensions = Vec::new();
        if !self.versions.is_empty() {
            extensions.push(extension(43, &vec8(&u16_list(&self.versions))));
        }
        if let Some(ticket) = &self.ticket {
            extensions.push(extension(35, ticket));
        }
        if let Some(name) = &self.server_name {
            let entry = [&[0][..], &vec16(name.as_bytes())].concat();
            extensions.push(extension(0, &vec16(&entry)));
        }
        if !self.alpn.is_empty() {
            extensions.push(alpn_extension(&self.alpn));
        }
        if self.pre_shared_key {
            extensions.push(extension(41, &[1, 2, 3]));
        }
        let mut body = self.fixed_part();
        if !extensions.is_empty() {
            body.extend(vec16(&extensions.concat()));
        }
        body
    }

    pub(in crate::tls) fn len_without_extensions(&self) -> usize {
        self.fixed_part().len()
    }

    pub(in crate::tls) fn of(hello: &ClientHello) -> Self {
        Self {
            versions: hello
                .supported_versions
                .iter()
                .map(|version| version.0)
                .collect(),
            session_id: hello.session_id.clone(),
            ticket: hello.session_ticket.clone(),
            pre_shared_key: hello.has_pre_shared_key,
            server_name: hello.server_name.clone(),
            alpn: hello.alpn.clone(),
            suites: hello.cipher_suites.iter().map(|suite| suite.0).collect(),
        }
    }

    pub(in crate::tls) fn strategy() -> impl Strategy<Value = Self> {
        use prop::collection::vec;
        (
            vec(any::<u16>(), 0..4),
            vec(any::<u8>(), 0..=32),
            prop::option::of(vec(any::<u8>(), 0..50)),
            any::<bool>(),
            prop::option::of("[a-z0-9.-]{0,40}"),
            vec(vec(any::<u8>(), 1..10), 0..3),
            vec(any::<u16>(), 0..10),
        )
            .prop_map(
                |(versions, session_id, ticket, pre_shared_key, server_name, alpn, suites)| Self {
                    versions,
                    session_id,
                    ticket,
                    pre_shared_key,
                    server_name,
                    alpn,
                    suites,
                },
            )
    }

    fn fixed_part(&self) -> Vec<u8> {
        let suites = vec16(&u16_list(&self.suites));
        [
            &[3, 3],
            &[0x52; 32][..],
            &vec8(&self.session_id),
            &suites,
            &vec8(&[0]),
        ]
        .concat()
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::tls) struct ServerHelloSample {
    pub(in crate::tls) version: u16,
    pub(in crate::tls) session_id: Vec<u8>,
    pub(in crate::tls) suite: u16,
    pub(in crate::tls) extended_master_secret: bool,
    pub(in crate::tls) encrypt_then_mac: bool,
    pub(in crate::tls) ticket: bool,
    pub(in crate::tls) alpn: Option<Vec<u8>>,
}

impl Default for ServerHelloSample {
    fn default() -> Self {
        Self {
            version: 0x0303,
            session_id: Vec::new(),
            suite: 0xC02F,
            extended_master_secret: false,
            encrypt_then_mac: false,
            ticket: false,
            alpn: None,
        }
    }
}

impl ServerHelloSample {
    pub(in crate::tls) fn body(&self) -> Vec<u8> {
        let mut extensions = Vec::new();
        if self.version > 0x0303 {
            extensions.push(extension(43, &self.version.to_be_bytes()));
        }
        if self.extended_master_secret {
            extensions.push(extension(23, &[]));
        }
        if self.encrypt_then_mac {
            extensions.push(extension(22, &[]));
        }
        if self.ticket {
            extensions.push(extension(35, &[]));
        }
        if let Some(name) = &self.alpn {
            extensions.push(alpn_extension(std::slice::from_ref(name)));
        }
        let mut body = self.fixed_part();
        if !extensions.is_empty() {
            body.extend(vec16(&extensions.concat()));
        }
        body
    }

    pub(in crate::tls) fn len_without_extensions(&self) -> usize {
        self.fixed_part().len()
    }

    pub(in crate::tls) fn of(hello: &ServerHello) -> Self {
        let ServerHello {
            version: ProtocolVersion(version),
            cipher_suite,
            ..
        } = *hello;
        let CipherSuite(suite) = cipher_suite;
        assert!(!hello.is_retry);
        Self {
            version,
            session_id: hello.session_id.clone(),
            suite,
            extended_master_secret: hello.extended_master_secret,
            encrypt_then_mac: hello.encrypt_then_mac,
            ticket: hello.session_ticket_expected,
            alpn: hello.alpn.clone(),
        }
    }

    pub(in crate::tls) fn strategy() -> impl Strategy<Value = Self> {
        use prop::collection::vec;
        (
            0x0301..=0x0304u16,
            vec(any::<u8>(), 0..=32),
            any::<u16>(),
            any::<[bool; 3]>(),
            prop::option::of(vec(any::<u8>(), 1..10)),
        )
            .prop_map(|(version, session_id, suite, flags, alpn)| {
                let [extended_master_secret, encrypt_then_mac, ticket] = flags;
                Self {
                    version,
                    session_id,
                    suite,
                    extended_master_secret,
                    encrypt_then_mac,
                    ticket,
                    alpn,
                }
            })
    }

    fn fixed_part(&self) -> Vec<u8> {
        let version = self.version.min(0x0303).to_be_bytes();
        let session_id = vec8(&self.session_id);
        [
            &version,
            &[0x53; 32][..],
            &session_id,
            &self.suite.to_be_bytes(),
            &[0],
        ]
        .concat()
    }
}

fn extension(code: u16, data: &[u8]) -> Vec<u8> {
    [&code.to_be_bytes()[..], &vec16(data)].concat()
}

fn alpn_extension(names: &[Vec<u8>]) -> Vec<u8> {
    let list: Vec<u8> = names.iter().flat_map(|name| vec8(name)).collect();
    extension(16, &vec16(&list))
}

fn u16_list(values: &[u16]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|value| value.to_be_bytes())
        .collect()
}

fn vec8(bytes: &[u8]) -> Vec<u8> {
    [&[u8::try_from(bytes.len()).unwrap()][..], bytes].concat()
}

fn vec16(bytes: &[u8]) -> Vec<u8> {
    [
        &u16::try_from(bytes.len()).unwrap().to_be_bytes()[..],
        bytes,
    ]
    .concat()
}
