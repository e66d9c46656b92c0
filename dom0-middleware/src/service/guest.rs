//! One connection of a guest: TLS, then messages.

use std::sync::Arc;

use proto::agent::AgentMessage;
use proto::hv::HvCertificate;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Semaphore;
use tracing::info;

use super::doorstep::Place;
use super::examiner::Examiner;
use super::inbox::{Inbox, Told};
use crate::broker::{BadInput, ConnId, Event};
use crate::channel::tls::{ChannelTls, ChannelTlsError};
use crate::channel::{Inbound, Link, LinkEnd};
use crate::time::Now;

/// Messages of one connection that may wait for the actor: whoever says more at once waits, and not those
/// who come after it.
const MAX_SAID: usize = 8;

/// The shell's part in a connection. How long anything may take is the broker's to say, which ends
/// the task: TLS and `hello` have one limit together.
pub(super) struct Guest {
    pub(super) conn: ConnId,
    pub(super) inbox: Inbox,
    /// The HV certificates of this host, by which tokens are signed.
    pub(super) issuers: Arc<[HvCertificate]>,
}

impl Guest {
    /// Runs the connection to its end. Its `place` is for those who wait once TLS stands.
    pub(super) async fn run<S>(self, link: Link, stream: S, tls: Option<ChannelTls>, place: Place)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        let conn = self.conn;
        let end = match tls {
            None => {
                drop(place);
                self.talk(link, stream, Vec::new()).await
            }
            Some(tls) => match tls.accept(stream, Now::read().unix).await {
                Ok(secured) => {
                    place.after_handshake();
                    let spki = secured.key.spki_der();
                    match secured.speaks_racs {
                        true => self.speak_racs(link, secured.stream, spki).await,
                        false => self.talk(link, secured.stream, spki).await,
                    }
                }
                Err(ChannelTlsError::Ended) => {
                    self.inbox
                        .tell(Told::Guest(Event::Disconnected { conn }))
                        .await;
                    return place.after_failure().await;
                }
                Err(error) => {
                    info!(%conn, %error, "no TLS with a guest");
                    let error = BadInput::Channel(error.to_string());
                    let told = Told::Guest(Event::Garbled { conn, error });
                    self.inbox.tell(told).await;
                    return place.after_failure().await;
                }
            },
        };
        if end == LinkEnd::Lost {
            let told = Told::Guest(Event::Disconnected { conn });
            self.inbox.tell(told).await;
        }
    }

    /// Carries messages. `spki` is the key that authenticated the guest in TLS, in DER.
    async fn talk<S>(&self, link: Link, stream: S, spki: Vec<u8>) -> LinkEnd
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        let examiner = Examiner::new(Arc::clone(&self.issuers), spki);
        let examiner = &examiner;
        let places = Arc::new(Semaphore::new(MAX_SAID));
        let places = &places;
        let take = |inbound| async move {
            let event = self.event(inbound, examiner).await;
            // It is never closed.
            if let Ok(place) = Arc::clone(places).acquire_owned().await {
                self.inbox.tell(Told::Said { event, place }).await;
            }
        };
        link.run(stream, take).await
    }

    async fn event(&self, inbound: Inbound, examiner: &Examiner) -> Event {
        let conn = self.conn;
        match inbound {
            Ok(AgentMessage::Hello(hello)) => {
                let token = examiner.examine(&hello.token).await;
                Event::Hello { conn, hello, token }
            }
            Ok(message) => Event::Received { conn, message },
            Err(error) => Event::Garbled { conn, error },
        }
    }
}
