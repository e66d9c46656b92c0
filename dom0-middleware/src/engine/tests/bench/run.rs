//! Handshakes from end to end, and data under the keys they give.

use std::io::Read as _;

use proto::tls::{Opened, Record, RecordLayer};
use zeroize::Zeroizing;

use super::{Link, SoftCard};
use crate::card::{CardSession, SessionError};
use crate::engine::{Engine, EngineRequest, EngineStep, Engines, TicketTaker};

/// A handshake that succeeded.
pub(in crate::engine::tests) struct Done {
    pub(in crate::engine::tests) session: Box<CardSession>,
    pub(in crate::engine::tests) tickets: Option<TicketTaker>,
    pub(in crate::engine::tests) link: Link,
    /// All that the client said.
    pub(in crate::engine::tests) client: Vec<u8>,
    /// All that the server said.
    pub(in crate::engine::tests) server: Vec<u8>,
}

/// One that did not.
#[derive(Debug)]
pub(in crate::engine::tests) struct Failure {
    pub(in crate::engine::tests) error: SessionError,
    pub(in crate::engine::tests) alert: Option<Vec<u8>>,
}

/// Runs a handshake.
pub(in crate::engine::tests) fn handshake(
    engines: &Engines,
    request: EngineRequest,
    link: Link,
    card: &SoftCard,
) -> Result<Done, Failure> {
    let begun = engines.begin(request);
    let (engine, hello) = begun.map_err(|error| Failure { error, alert: None })?;
    go_on(engine, hello, link, |engine, flight| {
        engine.on_records(flight, card.door())
    })
}

/// Runs a handshake that has begun, with `take` giving the engine each flight.
pub(in crate::engine::tests) fn go_on(
    mut engine: Engine,
    hello: Vec<u8>,
    mut link: Link,
    mut take: impl FnMut(Engine, &[u8]) -> EngineStep,
) -> Result<Done, Failure> {
    let mut client = hello;
    let mut told = 0;
    let mut server = Vec::new();
    loop {
        // What the server thinks of it, it says in an alert.
        let _ = link.receive(&client[told..]);
        told = client.len();
        let flight = link.flush();
        assert!(!flight.is_empty(), "server and client wait for each other");
        server.extend_from_slice(&flight);
        match take(engine, &flight) {
            EngineStep::AwaitServer { engine: next, out } => {
                client.extend(out);
                engine = next;
            }
            EngineStep::Established {
                session,
                out,
                tickets,
            } => {
                let _ = link.receive(&out);
                client.extend(out);
                server.extend(link.flush());
                return Ok(Done {
                    session,
                    tickets,
                    link,
                    client,
                    server,
                });
            }
            EngineStep::Failed { error, alert } => return Err(Failure { error, alert }),
        }
    }
}

/// What a record layer with the keys of a handshake has read and what the taker of tickets is left.
pub(in crate::engine::tests) struct Carried {
    pub(in crate::engine::tests) data: Vec<u8>,
    pub(in crate::engine::tests) alerts: Vec<String>,
    pub(in crate::engine::tests) tickets: Vec<Zeroizing<Vec<u8>>>,
    pub(in crate::engine::tests) taker: Option<TicketTaker>,
    pub(in crate::engine::tests) first_record: Vec<u8>,
}

impl Done {
    /// Carries data both ways under the keys that were handed over; each side must understand the
    /// other. What the server said behind the handshake comes first.
    pub(in crate::engine::tests) fn carry(self) -> Carried {
        let Self {
            session,
            tickets: taker,
            mut link,
            server,
            ..
        } = self;
        let consumed = usize::try_from(session.consumed).expect("short");
        let mut layer = RecordLayer::new(session.keys).expect("keys that fit together");
        let mut carried = Carried {
            data: Vec::new(),
            alerts: Vec::new(),
            tickets: Vec::new(),
            taker,
            first_record: Vec::new(),
        };
        carried.read(&mut layer, &server[consumed..]);
        for round in 0..3_u8 {
            let mut out = Vec::new();
            layer.seal(&[round; 100], &mut out).expect("a fresh key");
            if round == 0 {
                carried.first_record.clone_from(&out);
            }
            if link.receive(&out).is_err() {
                return carried;
            }
            let mut data = [0; 200];
            assert_eq!(link.0.reader().read(&mut data).expect("data"), 100);
            assert_eq!(data[..100], [round; 100]);
            link.say(&[round | 0x80; 50]);
            carried.data.clear();
            carried.read(&mut layer, &link.flush());
            assert_eq!(carried.data, [round | 0x80; 50]);
        }
        carried
    }

    /// What the server said behind the handshake.
    pub(in crate::engine::tests) fn surplus(&self) -> &[u8] {
        let consumed = usize::try_from(self.session.consumed).expect("short");
        &self.server[consumed..]
    }

    /// The same as [`carry`](Self::carry), and has the engine take the server's tickets.
    pub(in crate::engine::tests) fn take_tickets(self) -> usize {
        let mut carried = self.carry();
        let mut taker = carried
            .taker
            .take()
            .expect("TLS 1.3, and resumption is allowed");
        for ticket in &carried.tickets {
            taker.take(ticket).expect("a good ticket");
        }
        carried.tickets.len()
    }
}

impl Carried {
    fn read(&mut self, layer: &mut RecordLayer, bytes: &[u8]) {
        for record in Record::decode_all(bytes).expect("whole records") {
            let mut bytes = record.into_bytes();
            match layer.open(&mut bytes).expect("a record under these keys") {
                Opened::Data(data) => self.data.extend_from_slice(data),
                Opened::NewSessionTickets(tickets) => self.tickets.extend(tickets),
                Opened::Alert(alert) => self.alerts.push(alert.to_string()),
                Opened::Nothing => {}
                other => panic!("{other:?}"),
            }
        }
    }
}
