//! An application that has the keys, and a record layer of its own.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;

use domu_agent::client::KeysConnection;
use integration::wait::PATIENCE;
use proto::tls::{Opened, RecordLayer, RecordReader};

/// One end of a TLS connection.
pub(crate) struct OwnRecords {
    layer: RecordLayer,
    records: RecordReader,
    tcp: TcpStream,
    /// Opened and not read yet.
    data: Vec<u8>,
    /// Whether the server has said its last.
    ended: bool,
    /// Kept open as long as `tcp`.
    _request: UnixStream,
}

impl OwnRecords {
    pub(crate) fn new(connection: KeysConnection) -> Self {
        let KeysConnection {
            keys,
            surplus,
            server,
            request,
            ..
        } = connection;
        server.set_read_timeout(Some(PATIENCE)).expect("not zero");
        let mut own = Self {
            layer: RecordLayer::new(keys).expect("good keys"),
            records: RecordReader::new(),
            tcp: server,
            data: Vec::new(),
            ended: false,
            _request: request,
        };
        own.open(&surplus);
        own
    }

    pub(crate) fn send(&mut self, data: &[u8]) {
        let mut records = Vec::new();
        self.layer.seal(data, &mut records).expect("open");
        self.tcp.write_all(&records).expect("it stands");
    }

    /// Sends close_notify; the other direction stays open.
    pub(crate) fn end(&mut self) {
        let mut records = Vec::new();
        self.layer.seal_close_notify(&mut records).expect("open");
        self.tcp.write_all(&records).expect("it stands");
    }

    /// Reads exactly `length` bytes.
    pub(crate) fn read(&mut self, length: usize) -> Vec<u8> {
        while self.data.len() < length {
            assert!(!self.ended, "{} bytes came", self.data.len());
            self.receive();
        }
        self.data.drain(..length).collect()
    }

    /// Ends in order, and waits until the server has as well.
    pub(crate) fn close(mut self) {
        self.end();
        while !self.ended {
            self.receive();
        }
        assert!(self.data.is_empty());
    }

    fn receive(&mut self) {
        let mut buffer = [0; 16_384];
        let n = self.tcp.read(&mut buffer).expect("the server sends");
        assert_ne!(n, 0, "the end without close_notify");
        self.open(&buffer[..n]);
    }

    fn open(&mut self, bytes: &[u8]) {
        self.records.push(bytes);
        while let Some(record) = self.records.next_record_mut().expect("records") {
            match self.layer.open(record).expect("good records") {
                Opened::Data(data) => self.data.extend_from_slice(data),
                Opened::CloseNotify => self.ended = true,
                Opened::NewSessionTickets(_) | Opened::Nothing => {}
                other => panic!("the server sent {other:?}"),
            }
        }
    }
}
