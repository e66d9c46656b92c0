//! A connection by which this guest speaks RACS to its own card.
//!
//! It has the channel's way, key and token, and ALPN `racs/1`. Nothing of what goes through is looked at,
//! but for dom0's word on the connection itself: let in, or not, or not any more.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use proto::agent::{RefusalCode, Refused};
use proto::racs::{self, ResponseReader, token_line, verdict};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::sleep;
use zeroize::Zeroizing;

use super::channel::Channel;
use super::error::LinkError;
use super::pipe::Pipe;
use super::tls::{Records, TlsError};

/// Bytes read at once, from either side.
const READ_SIZE: usize = 16_384;
/// So much of what dom0 says waits for who reads it; nothing more is read from dom0 until then.
const MAX_WAITING: usize = 64 << 10;

/// How often a vchan is tried, and the time between.
const ATTEMPTS: usize = 12;
const PAUSE: Duration = Duration::from_millis(250);

/// A connection that dom0 has let in.
pub(crate) struct RacsConnection {
    stream: Pipe,
    records: Box<Records>,
    /// dom0's responses, in passing.
    responses: ResponseReader,
    /// Why dom0 ends it.
    refused: Option<Refused>,
}

/// Why a conversation ended before its time.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JoinError {
    /// The connection to dom0.
    #[error(transparent)]
    Dom0(#[from] LinkError),
    /// Who speaks, or listens, on this side.
    #[error("copying data")]
    Copy(#[source] io::Error),
}

impl RacsConnection {
    /// Opens a connection, shows the token, and waits to be let in. Over a vchan dom0 may still be busy
    /// with the end of the one before.
    ///
    /// # Errors
    /// [`LinkError`] when there is no connection, or dom0 refuses.
    pub(crate) async fn open(channel: &Channel) -> Result<Self, LinkError> {
        let mut attempts = match channel.most_racs() {
            1 => ATTEMPTS,
            _ => 1,
        };
        loop {
            attempts -= 1;
            match Self::open_once(channel).await {
                Err(LinkError::Channel(_) | LinkError::Tls(TlsError::Ended)) if attempts > 0 => {
                    sleep(PAUSE).await;
                }
                opened => return opened,
            }
        }
    }

    async fn open_once(channel: &Channel) -> Result<Self, LinkError> {
        if !channel.is_secure() {
            return Err(LinkError::NoTls);
        }
        let token = channel.token_watch().read().await;
        let token = token.map_err(|error| LinkError::Token(Arc::new(error)))?;
        let line = token_line(&token).map_err(|error| {
            let error = io::Error::new(io::ErrorKind::InvalidData, error);
            LinkError::Token(Arc::new(error))
        })?;
        let (stream, records) = channel.connect_racs().await?;
        let mut connection = Self {
            stream,
            records,
            responses: ResponseReader::new(),
            refused: None,
        };
        connection.seal(&line)?;
        connection.await_admission().await?;
        Ok(connection)
    }

    async fn await_admission(&mut self) -> Result<(), LinkError> {
        let mut buffer = Zeroizing::new(vec![0; READ_SIZE]);
        loop {
            let has_to_send = self.has_to_send();
            self.stream.ready(has_to_send).await.map_err(broken)?;
            self.send()?;
            let responses = &mut self.responses;
            let take = |data: &[u8]| responses.push(data);
            let ended = receive(&mut self.stream, &mut self.records, &mut buffer, take);
            // What dom0 says comes before how it ends.
            match self.responses.next_response().map_err(LinkError::Racs)? {
                Some(response) => {
                    return match verdict(&response) {
                        Some(Ok(())) => Ok(()),
                        Some(Err(why)) => Err(LinkError::Refused(refused(why))),
                        None => Err(LinkError::BeforeWelcome),
                    };
                }
                None if ended? => return Err(LinkError::Closed),
                None => {}
            }
        }
    }

    /// Carries `input` to dom0 and what dom0 says to `output`, until dom0 ends it: after the end of
    /// `input` it does so once everything is answered.
    ///
    /// # Errors
    /// [`JoinError`]; what dom0 said before was written.
    pub(crate) async fn join<R, W>(mut self, mut input: R, mut output: W) -> Result<(), JoinError>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        let mut buffer = Zeroizing::new(vec![0; READ_SIZE]);
        let mut typed = Zeroizing::new(vec![0; READ_SIZE]);
        // It never grows, so that no copy is left behind.
        let mut waiting = Zeroizing::new(Vec::with_capacity(MAX_WAITING + 2 * READ_SIZE));
        let mut is_input_open = true;
        let end = loop {
            let has_to_send = self.has_to_send();
            let reads = waiting.len() < MAX_WAITING;
            tokio::select! {
                ready = self.stream.ready(has_to_send), if reads => {
                    ready.map_err(broken)?;
                    self.send()?;
                    let responses = &mut self.responses;
                    let take = |data: &[u8]| {
                        responses.push(data);
                        waiting.extend_from_slice(data);
                    };
                    let ended = receive(&mut self.stream, &mut self.records, &mut buffer, take);
                    self.look_at_responses();
                    match ended {
                        Ok(false) => {}
                        Ok(true) => break Ok(()),
                        Err(error) => break Err(error),
                    }
                }
                read = input.read(&mut typed), if is_input_open && !has_to_send => {
                    match read.map_err(JoinError::Copy)? {
                        0 => {
                            is_input_open = false;
                            self.records.close().map_err(LinkError::from)?;
                        }
                        read => self.seal(typed.get(..read).unwrap_or_default())?,
                    }
                    self.send()?;
                }
                written = output.write(&waiting), if !waiting.is_empty() => {
                    let written = written.map_err(JoinError::Copy)?;
                    let written = written.min(waiting.len());
                    waiting.drain(..written);
                    output.flush().await.map_err(JoinError::Copy)?;
                }
            }
        };
        output.write_all(&waiting).await.map_err(JoinError::Copy)?;
        output.flush().await.map_err(JoinError::Copy)?;
        match (self.refused, end) {
            (Some(refused), _) => Err(LinkError::Refused(refused).into()),
            (None, end) => Ok(end?),
        }
    }

    /// Whether dom0 says why it ends the connection.
    fn look_at_responses(&mut self) {
        while let Ok(Some(response)) = self.responses.next_response() {
            if let Some(Err(why)) = verdict(&response) {
                self.refused = Some(refused(why));
            }
        }
    }

    fn has_to_send(&self) -> bool {
        !self.records.to_send().is_empty()
    }

    fn seal(&mut self, mut plaintext: &[u8]) -> Result<(), LinkError> {
        while !plaintext.is_empty() {
            let sealed = self.records.seal(plaintext)?;
            plaintext = plaintext.get(sealed..).unwrap_or_default();
        }
        Ok(())
    }

    /// Sends what waits, as far as the channel takes it. A channel that dom0 has closed takes nothing,
    /// and what dom0 said last is still to be read.
    fn send(&mut self) -> Result<(), LinkError> {
        while self.has_to_send() {
            match self.stream.try_write(self.records.to_send()) {
                Ok(written) => self.records.on_sent(written),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                    self.records.on_sent(usize::MAX);
                }
                Err(error) => return Err(broken(error)),
            }
        }
        Ok(())
    }
}

/// Gives `take` what dom0 has sent, if there is anything; whether it has ended.
fn receive(
    stream: &mut Pipe,
    records: &mut Records,
    buffer: &mut [u8],
    mut take: impl FnMut(&[u8]),
) -> Result<bool, LinkError> {
    match stream.try_read(buffer) {
        Ok(0) => Err(LinkError::Closed),
        Ok(read) => records.on_bytes(buffer.get(..read).unwrap_or_default(), |data| {
            take(data);
            Ok::<(), LinkError>(())
        }),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
        Err(error) => Err(broken(error)),
    }
}

/// A word on a connection that could not be had, for somebody who speaks RACS.
pub(crate) fn refusal(error: &LinkError) -> Zeroizing<Vec<u8>> {
    let said = match error {
        LinkError::Refused(refused) => refused.clone(),
        other => refused((RefusalCode::Internal, other.to_string())),
    };
    racs::refusal(&said)
}

fn refused((code, message): (RefusalCode, String)) -> Refused {
    Refused {
        session: None,
        code,
        message,
        alert: None,
        retry_after_ms: None,
    }
}

fn broken(error: io::Error) -> LinkError {
    LinkError::Channel(Arc::new(error))
}
