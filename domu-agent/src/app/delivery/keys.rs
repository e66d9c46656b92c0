//! The keys and the TCP connection: the application seals and opens the records itself.

use std::io;
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd;

use tokio::net::UnixStream;

use super::given::Given;
use crate::app::Answer;
use crate::app::answer::EstablishedAnswer;
use crate::app::connect::Connected;
use crate::app::connection::{write, write_with_fd};
use crate::app::endings::Standing;
use crate::app::keys_answer::KeysAnswer;
use crate::dom0::revocation;
use crate::presence;
use crate::stream::StreamError;

/// Mode `keys`: hands over keys and TCP connection. From then on the agent neither reads nor writes
/// the connection; it only shuts it down when the right to the card ends. Returns when that has
/// happened, or the application has closed the socket of its request.
pub(in crate::app) async fn keys(
    connected: Connected,
    standing: Standing<'_>,
    mut app: UnixStream,
    answer: EstablishedAnswer,
) -> io::Result<()> {
    let (given, handover) = match Given::take(connected) {
        Ok(given) => given,
        Err(error) => return write(&mut app, &Answer::Error(error)).await,
    };
    let Given {
        destination,
        server,
        session: _session,
        mut revoked,
    } = given;
    let line = KeysAnswer::from(&*handover).to_line(&answer);
    drop(handover);
    let handed_over = async {
        write_with_fd(&mut app, &line, server.as_fd()).await?;
        drop(line);
        presence::closed(&app).await;
        Ok(())
    };
    tokio::select! {
        biased;
        code = revocation(&mut revoked) => {
            tracing::warn!(%destination, %code, "the right to the card has ended");
            shut_down(&server);
            standing.end_as(&Err(StreamError::Revoked(code)));
            Ok(())
        }
        handed_over = handed_over => {
            tracing::debug!(%destination, "closed");
            standing.hand_over();
            handed_over
        }
    }
}

/// The application's descriptor is another of the same connection: what it reads and writes ends.
fn shut_down(server: &TcpStream) {
    if let Err(error) = server.shutdown(Shutdown::Both) {
        tracing::debug!(%error, "shutdown");
    }
}
