//! The bytes of a handshake, both ways.

use proto::agent::{Dom0Message, RefusalCode, SessionData};
use proto::id::Seid;
use proto::tls::RECORD_HEADER_LEN;

use super::card::{Use, UseStep};
use super::core::Broker;
use super::refusal::Refusal;
use super::session::{SessionKey, Stage};
use crate::card::{UseId, WorkerCommand};

/// The most bytes of records in one message to a guest: far below the length of a frame.
const MAX_DATA: usize = 32 << 10;

impl Broker {
    /// Records of the server, for the card that waits for them.
    pub(super) fn on_server_records(&mut self, key: SessionKey, data: Vec<u8>) {
        let Some(session) = self.sessions.get(&key) else {
            self.on_late_data(key);
            return;
        };
        let plan = match &session.stage {
            // What comes after the handshake belongs to the guest's record layer.
            Stage::ExpectRelease { .. } => return,
            _ if session.engine.is_some() => {
                self.on_engine_records(key, data);
                return;
            }
            Stage::ExpectKeys { plan } | Stage::ExpectEngine { plan } => plan,
            Stage::ExpectJudgement(_) | Stage::ExpectCard { .. } => {
                self.refuse(key, spoke_first());
                return;
            }
        };
        let seid = plan.grant.seid.clone();
        let limit = self.limits.handshake_bytes;
        let Some(running) = self.use_of(&seid, key) else {
            return;
        };
        if running.client_bytes == 0 {
            self.refuse(key, spoke_first());
            return;
        }
        running.server_bytes = running.server_bytes.saturating_add(data.len());
        if running.server_bytes > limit {
            self.refuse(key, too_many_bytes(limit));
            return;
        }
        running.step = UseStep::ExpectWorker;
        let use_id = running.id;
        self.order(&seid, WorkerCommand::ServerRecords { use_id, data });
    }

    /// Tickets are of use where the service makes the handshake; else they are dropped.
    pub(super) fn on_post_handshake(&mut self, key: SessionKey, data: Vec<u8>) {
        if !self.sessions.contains_key(&key) {
            self.on_ticket(key, data);
            self.on_late_data(key);
        }
    }

    /// Data for a session that is over may have been on its way; for one that never was, it is an
    /// error of that session.
    fn on_late_data(&mut self, key: SessionKey) {
        let connection = self.connections.get(&key.conn);
        if connection.is_some_and(|connection| !connection.past.contains(key.session)) {
            self.refuse(key, Refusal::protocol("no such session"));
        }
    }

    /// Records of the card, for the server.
    pub(super) fn on_client_records(&mut self, seid: &Seid, use_id: UseId, data: &[u8]) {
        let limit = self.limits.handshake_bytes;
        let card = self.cards.get_mut(seid);
        let Some(running) = card.and_then(|card| card.running(use_id)) else {
            return;
        };
        let Some(key) = running.key else {
            return;
        };
        running.client_bytes = running.client_bytes.saturating_add(data.len());
        if running.client_bytes > limit {
            self.refuse(key, too_many_bytes(limit));
            return;
        }
        self.send_client_records(key, data);
    }

    pub(super) fn send_client_records(&mut self, key: SessionKey, data: &[u8]) {
        for records in whole_records(data) {
            let data = SessionData {
                session: key.session,
                data: records.to_vec(),
            };
            self.send(key.conn, Dom0Message::ClientRecords(data));
        }
    }

    /// The use a session has of a card.
    pub(super) fn use_of(&mut self, seid: &Seid, key: SessionKey) -> Option<&mut Use> {
        let running = self.cards.get_mut(seid)?.running.as_mut();
        running.filter(|running| running.key == Some(key))
    }
}

pub(super) fn spoke_first() -> Refusal {
    let reason = "the server spoke before the client did";
    Refusal::of_wish(RefusalCode::HandshakeFailed, reason)
}

pub(super) fn too_many_bytes(limit: usize) -> Refusal {
    let reason = format_args!("more than {limit} handshake bytes");
    Refusal::of_wish(RefusalCode::Limit, reason)
}

/// Cuts records into pieces that fit a message, none of them inside a record.
fn whole_records(mut data: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let mut end = 0;
        while let Some(next) = record_end(data, end)
            && (end == 0 || next <= MAX_DATA)
        {
            end = next;
        }
        // A rest that is no record goes as it is.
        let end = if end == 0 { data.len() } else { end };
        let (piece, rest) = data.split_at_checked(end)?;
        data = rest;
        (!piece.is_empty()).then_some(piece)
    })
}

/// Where the record that starts at `start` ends.
fn record_end(data: &[u8], start: usize) -> Option<usize> {
    let header = data.get(start..)?.get(..RECORD_HEADER_LEN)?;
    let &[.., high, low] = header else {
        return None;
    };
    let end = start + RECORD_HEADER_LEN + usize::from(u16::from_be_bytes([high, low]));
    (end <= data.len()).then_some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(payload: usize) -> Vec<u8> {
        let length = u16::try_from(payload).expect("short");
        let mut record = vec![22, 3, 3];
        record.extend(length.to_be_bytes());
        record.resize(RECORD_HEADER_LEN + payload, 0xAA);
        record
    }

    #[test]
    fn a_long_flight_is_cut_between_records() {
        let flight: Vec<u8> = [100, 16_384, 16_384, 16_384, 7]
            .into_iter()
            .flat_map(record)
            .collect();
        let pieces: Vec<&[u8]> = whole_records(&flight).collect();
        let lengths: Vec<usize> = pieces.iter().map(|piece| piece.len()).collect();
        assert_eq!(lengths, [105 + 16_389, 16_389, 16_389 + 12]);
        assert_eq!(pieces.concat(), flight);
    }

    #[test]
    fn a_short_flight_is_one_piece_and_nothing_is_none() {
        let flight = [record(10), record(20)].concat();
        assert_eq!(
            whole_records(&flight).collect::<Vec<_>>(),
            [flight.as_slice()]
        );
        assert_eq!(whole_records(&[]).count(), 0);
        assert_eq!(
            whole_records(&[22, 3, 3]).collect::<Vec<_>>(),
            [&[22, 3, 3]]
        );
    }
}
