//! Connections of guests: how they begin, what they say, how they end.

use proto::agent::{AgentMessage, Dom0Message, Hello, MessageError, PROTOCOL_VERSION, RefusalCode};
use proto::id::SessionId;
use tracing::{debug, info};

use super::action::Action;
use super::connection::{Connection, Overdue, Phase, Speaks};
use super::core::Broker;
use super::event::{BadInput, ConnId, Peer};
use super::reads::Question;
use super::refusal::Refusal;
use super::session::SessionKey;
use crate::audit::ChannelEnd;
use crate::mapping::ShownToken;

/// Judgements that belong to no session and may wait at the same time, per connection. An agent
/// needs one or two.
const MAX_QUESTIONS: usize = 16;

impl Broker {
    pub(super) fn on_connected(&mut self, conn: ConnId, peer: Peer) {
        let same = |other: &&Connection| other.peer.domid == peer.domid;
        let connections = self.connections.values().filter(same).count();
        let refusal = if self.stopping {
            Refusal::of_wish(RefusalCode::Internal, "the service is ending")
        } else if connections >= self.limits.connections_per_domain {
            Refusal::of_wish(RefusalCode::Limit, "too many connections of this domain")
        } else {
            debug!(%conn, domid = %peer.domid, "guest connected");
            let connection = Connection::new(peer, &self.limits, self.now.monotonic);
            self.connections.insert(conn, connection);
            return;
        };
        self.note_refusal(peer.domid, Some(peer.made_for), &refusal, None, None);
        self.send(conn, Dom0Message::Refused(refusal.message(None)));
        self.act(Action::Close { conn });
    }

    pub(super) fn on_message(&mut self, conn: ConnId, message: AgentMessage) {
        self.on_said(conn, message, ShownToken::Missing);
    }

    /// A guest said something; a `hello` shows `token`.
    pub(super) fn on_said(&mut self, conn: ConnId, message: AgentMessage, token: ShownToken) {
        let now = self.now.monotonic;
        let Some(connection) = self.connections.get_mut(&conn) else {
            return;
        };
        connection.heard(now);
        match (connection.phase, message) {
            (Phase::ExpectHello { until }, AgentMessage::Hello(hello)) => {
                connection.phase = Phase::ExpectJudgement { until };
                self.on_hello(conn, &hello, token);
            }
            (Phase::Admitted, AgentMessage::Hello(hello)) => self.on_hello(conn, &hello, token),
            (Phase::Admitted, message) => self.on_admitted(conn, message),
            (Phase::ExpectHello { .. } | Phase::ExpectJudgement { .. }, _) => {
                self.end_connection(conn, Refusal::protocol("message before welcome"));
            }
        }
    }

    fn on_admitted(&mut self, conn: ConnId, message: AgentMessage) {
        let key = |session: SessionId| SessionKey { conn, session };
        match message {
            AgentMessage::Identities => self.ask_once(conn, Question::Identities),
            AgentMessage::Open(open) => self.on_open(key(open.session), open),
            AgentMessage::ServerRecords(data) => {
                self.on_server_records(key(data.session), data.data);
            }
            AgentMessage::PostHandshake(data) => {
                self.on_post_handshake(key(data.session), data.data);
            }
            AgentMessage::Close(close) => self.on_close(key(close.session), close.alert),
            AgentMessage::Ping => self.send(conn, Dom0Message::Pong),
            // A hello is looked at before.
            AgentMessage::Pong | AgentMessage::Hello(_) => {}
        }
    }

    fn on_hello(&mut self, conn: ConnId, hello: &Hello, token: ShownToken) {
        if !hello.versions.contains(&PROTOCOL_VERSION) {
            let no = Refusal::protocol("no common version of the protocol");
            self.end_connection(conn, no);
            return;
        }
        debug!(%conn, agent = ?hello.agent, "hello");
        self.ask_once(conn, Question::Hello(token));
    }

    /// Asks something that belongs to no session: a guest cannot pile such questions up.
    fn ask_once(&mut self, conn: ConnId, question: Question) {
        if self.reads.without_session(conn) >= MAX_QUESTIONS {
            let no = Refusal::of_wish(RefusalCode::Limit, "too many questions at once");
            self.end_connection(conn, no);
            return;
        }
        self.ask(conn, question);
    }

    pub(super) fn on_garbled(&mut self, conn: ConnId, error: BadInput) {
        let Some(connection) = self.connections.get_mut(&conn) else {
            return;
        };
        connection.heard(self.now.monotonic);
        let in_session = match (&error, connection.phase) {
            (BadInput::Message(MessageError::InSession { session, .. }), Phase::Admitted) => {
                Some(*session)
            }
            (BadInput::Message(MessageError::UnknownType { session }), Phase::Admitted) => {
                // Without a session it concerns nothing and nobody.
                let Some(session) = session else { return };
                Some(*session)
            }
            _ => None,
        };
        let refusal = Refusal::protocol(&error);
        match in_session {
            Some(session) => self.refuse(SessionKey { conn, session }, refusal),
            None => self.end_connection(conn, refusal),
        }
    }

    pub(super) fn check_connections(&mut self) {
        let now = self.now.monotonic;
        let limits = &self.limits;
        let overdue: Vec<(ConnId, Overdue)> = self
            .connections
            .iter_mut()
            .filter_map(|(conn, connection)| Some((*conn, connection.overdue(limits, now)?)))
            .collect();
        for (conn, overdue) in overdue {
            match overdue {
                Overdue::Silent => self.send(conn, Dom0Message::Ping),
                Overdue::Hello => {
                    let no = Refusal::of_wish(RefusalCode::Timeout, "no hello in time");
                    self.end_connection(conn, no);
                }
                Overdue::Dead => {
                    info!(%conn, "guest gives no sign of life");
                    self.act(Action::Close { conn });
                    self.forget_connection(conn, ChannelEnd::Silent);
                }
            }
        }
    }

    /// Refuses a whole connection and ends it.
    pub(super) fn end_connection(&mut self, conn: ConnId, refusal: Refusal) {
        if let Some(connection) = self.connections.get(&conn) {
            let peer = connection.peer;
            self.note_refusal(peer.domid, Some(peer.made_for), &refusal, None, None);
            self.send(conn, Dom0Message::Refused(refusal.message(None)));
            self.act(Action::Close { conn });
            self.forget_connection(conn, ChannelEnd::Refused);
        }
    }

    /// Ends a connection because the service ends; its sessions learn it first.
    pub(super) fn stop_connection(&mut self, conn: ConnId) {
        for key in self.sessions_of(conn) {
            let no = Refusal::of_wish(RefusalCode::Internal, "the service is ending");
            self.refuse(key, no);
        }
        let connection = self.connections.get(&conn);
        if connection.is_some_and(|connection| connection.speaks == Speaks::Racs) {
            let no = Refusal::of_wish(RefusalCode::Internal, "the service is ending");
            self.send(conn, Dom0Message::Refused(no.message(None)));
        }
        self.act(Action::Close { conn });
        self.forget_connection(conn, ChannelEnd::Stopping);
    }

    /// Gives up everything that belongs to a connection.
    pub(super) fn forget_connection(&mut self, conn: ConnId, by: ChannelEnd) {
        self.note_channel_end(conn, by);
        self.reads.forget(conn);
        self.take_leases_of(conn);
        self.connections.remove(&conn);
        for key in self.sessions_of(conn) {
            self.drop_session(key);
        }
    }

    pub(super) fn sessions_of(&self, conn: ConnId) -> Vec<SessionKey> {
        let first = SessionKey {
            conn,
            session: SessionId(0),
        };
        let of_conn = |key: &&SessionKey| key.conn == conn;
        let keys = self.sessions.range(first..).map(|(key, _)| key);
        keys.take_while(of_conn).copied().collect()
    }
}
