//! One connection, from its first byte to its last.

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Instant;

use tracing::{debug, info};
use zeroize::Zeroizing;

use super::census::Seat;
use super::grid::Grid;
use super::hand::Hand;
use super::line::{Came, Line, LineError};
use super::records::Records;
use super::settings::RacsSettings;
use super::tls;
use crate::audit::RacsRefusedFor;
use crate::racs::session::{RacsSession, Step};

/// What all connections of a server share.
pub(super) struct Shared<G> {
    pub(super) settings: RacsSettings,
    pub(super) grid: G,
    pub(super) records: Arc<Records>,
}

/// Serves one connection to its end, on the thread of who calls.
pub(super) fn serve<G: Grid>(
    shared: &Arc<Shared<G>>,
    socket: TcpStream,
    address: SocketAddr,
    seat: &Seat,
) {
    let settings = &shared.settings;
    let refuse = |user: Option<&str>, because, why: String| {
        info!(%address, user, %why, "RACS connection refused");
        shared.records.refused(user, address, because, why);
    };
    let deadline = Instant::now() + settings.handshake;
    let accepted = Line::accept(socket, &settings.tls, deadline, settings.tick());
    let mut line = match accepted {
        Ok(line) => line,
        Err(error) => return refuse(None, RacsRefusedFor::Tls, error.to_string()),
    };
    let user = tls::user(line.tls().peer_certificates().unwrap_or_default());
    let user = match user {
        Ok(user) => user,
        Err(error) => {
            refuse(None, RacsRefusedFor::Certificate, error.to_string());
            return line.hang_up();
        }
    };
    if seat.admit(&user).is_err() {
        let why = "as many users as racs.max_connections allows are connected";
        refuse(Some(&user), RacsRefusedFor::Limit, why.to_owned());
        return line.hang_up();
    }
    let is_listed = settings.users.contains_key(&user);
    info!(%address, %user, is_listed, "RACS user connected");
    shared.records.connected(&user, address, is_listed);
    let mut visit = Visit {
        shared,
        user: &user,
        address,
        session: RacsSession::new(settings.users.get(&user).cloned().unwrap_or_default()),
        end: "the thread of the connection has failed".to_owned(),
    };
    let end = visit.run(&mut line, seat);
    visit.end = match seat.is_closing() {
        true => "the service ends".to_owned(),
        false => end.to_string(),
    };
    drop(visit);
    // All cards are back; now there is time.
    line.hang_up();
}

/// A user who is connected. That this is over goes on record however it ends.
struct Visit<'a, G: Grid> {
    shared: &'a Arc<Shared<G>>,
    user: &'a str,
    address: SocketAddr,
    session: RacsSession,
    end: String,
}

impl<G: Grid> Visit<'_, G> {
    fn run(&mut self, line: &mut Line, seat: &Seat) -> End {
        let Shared { settings, grid, .. } = &**self.shared;
        let mut hand = Hand::new(grid, self.user, seat);
        let mut buffer = Zeroizing::new(vec![0; READ_LEN]);
        let mut last_deed = Instant::now();
        let mut last_look = last_deed;
        let mut last_heard = last_deed;
        loop {
            match self.session.next_step() {
                Step::NeedBytes => {
                    let came = match line.read(&mut buffer) {
                        Ok(came) => came,
                        Err(error) => return error.into(),
                    };
                    match came {
                        Came::Bytes(length) => {
                            self.session.take(buffer.get(..length).unwrap_or_default());
                        }
                        Came::Nothing => {}
                        Came::End => return End::Left,
                    }
                    let now = Instant::now();
                    last_heard = now;
                    if now.saturating_duration_since(last_look) >= settings.tick() {
                        last_look = now;
                        hand.let_go_of_idle(now, settings.idle_lock);
                    }
                    if now.saturating_duration_since(last_deed) >= settings.idle {
                        return End::Idle;
                    }
                }
                Step::Do(order) => {
                    let now = Instant::now();
                    if now.saturating_duration_since(last_heard) >= settings.gone_look {
                        last_heard = now;
                        if line.is_gone() {
                            return End::Left;
                        }
                    }
                    last_deed = now;
                    let outcome = hand.carry_out(order, now);
                    self.session.on_outcome(outcome);
                }
                Step::Respond(response) => {
                    last_deed = Instant::now();
                    if let Err(error) = line.write(&response, last_deed + settings.write) {
                        return error.into();
                    }
                }
                Step::Close => return End::Closed,
            }
        }
    }
}

impl<G: Grid> Drop for Visit<'_, G> {
    fn drop(&mut self) {
        let (user, address, why) = (self.user, self.address, &self.end);
        info!(%address, %user, %why, "RACS user left");
        let refused = self.session.apdus_refused();
        self.shared.records.closed(user, address, refused, why);
    }
}

/// How a visit ended.
#[derive(Debug, thiserror::Error)]
enum End {
    #[error("the user left")]
    Left,
    #[error("the user did nothing for too long")]
    Idle,
    #[error("closed after QUIT, or an error that ends the session")]
    Closed,
    #[error(transparent)]
    Broken(LineError),
}

impl From<LineError> for End {
    fn from(error: LineError) -> Self {
        debug!(%error, "RACS connection");
        match error {
            // Whoever dies says no goodbye.
            LineError::Io(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {
                Self::Left
            }
            error => Self::Broken(error),
        }
    }
}

/// What one TLS record holds.
const READ_LEN: usize = 16 << 10;
