//! A socket that carries plaintext: the agent seals and opens the records.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream as StdUnixStream;

use proto::agent::RefusalCode;
use proto::tls::RecordLayer;
use tokio::net::{TcpStream, UnixStream};

use crate::app::answer::{Answer, EstablishedAnswer};
use crate::app::connect::Connected;
use crate::app::connection::{write, write_with_fd};
use crate::app::destination::Destination;
use crate::app::endings::Standing;
use crate::app::error::{AppError, Chain};
use crate::dom0::Session;
use crate::handshake::Handover;
use crate::stream::{Ends, StreamError, StreamRelay, pump};

/// What `via` says of a socket that the agent serves.
const RELAY: &str = "relay";

/// Mode `stream`: the socket of the request carries the plaintext, whose beginning is `early`.
/// Returns when both directions have ended.
pub(in crate::app) async fn stream(
    connected: Connected,
    standing: Standing<'_>,
    mut app: UnixStream,
    answer: EstablishedAnswer,
    early: &[u8],
) -> io::Result<()> {
    let mut opened = match Opened::new(connected) {
        Ok(opened) => opened,
        Err(error) => return write(&mut app, &Answer::Error(error)).await,
    };
    write(&mut app, &Answer::Established(answer)).await?;
    opened.relay.on_app_bytes(early);
    opened.carry(app, standing).await;
    Ok(())
}

/// Mode `socket`: a new socket carries the plaintext. Its other end goes with the answer, after
/// which the socket of the request is of no use. Returns when both directions have ended.
pub(super) async fn socket(
    connected: Connected,
    standing: Standing<'_>,
    mut app: UnixStream,
    answer: EstablishedAnswer,
) -> io::Result<()> {
    let opened = match Opened::new(connected) {
        Ok(opened) => opened,
        Err(error) => return write(&mut app, &Answer::Error(error)).await,
    };
    let answer = EstablishedAnswer {
        via: Some(RELAY.to_owned()),
        ..answer
    };
    let line = Answer::Established(answer).to_line();
    let (ours, theirs) = StdUnixStream::pair()?;
    // A socket that does not block does so for whoever holds it: only our end is one.
    ours.set_nonblocking(true)?;
    let ours = UnixStream::from_std(ours)?;
    write_with_fd(&mut app, line.as_bytes(), theirs.as_fd()).await?;
    // With a copy of its end here, the application's leaving would not be seen.
    drop(theirs);
    drop(app);
    opened.carry(ours, standing).await;
    Ok(())
}

/// A connection with its record layer.
struct Opened {
    relay: StreamRelay,
    destination: Destination,
    server: TcpStream,
    session: Session,
}

impl Opened {
    fn new(connected: Connected) -> Result<Self, AppError> {
        let Handover { message, surplus } = *connected.handover;
        let keys = message.into_keys();
        let layer = match connected.records_per_key {
            None => RecordLayer::new(keys),
            Some(records) => RecordLayer::with_records_per_key(keys, records),
        };
        let layer = layer.map_err(|error| {
            tracing::error!(error = %Chain(&error), "keys from dom0");
            AppError::refused(RefusalCode::Protocol, "unusable keys from dom0")
        })?;
        Ok(Self {
            relay: StreamRelay::new(layer, &surplus),
            destination: connected.destination,
            server: connected.server,
            session: connected.session,
        })
    }

    /// Carries plaintext until both directions have ended.
    async fn carry(self, app: UnixStream, standing: Standing<'_>) {
        let Self {
            relay,
            destination,
            server,
            mut session,
        } = self;
        let mut ends = Ends {
            app,
            server,
            revoked: session.revoked(),
        };
        let result = pump(relay, &mut ends, |ticket| session.post_handshake(ticket)).await;
        match &result {
            Ok(()) => tracing::debug!(%destination, "closed"),
            Err(error @ StreamError::App(_)) => {
                tracing::debug!(%destination, error = %Chain(error), "ended");
            }
            Err(error) => tracing::warn!(%destination, error = %Chain(error), "ended"),
        }
        if let Err(StreamError::Alert(alert)) = &result {
            session.ended_by(alert.description);
        }
        // Before the application can see the end, and ask.
        standing.end_as(&result);
        drop(ends);
    }
}
