//! The channel to dom0, with TLS or without.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::timeout;
use zeroize::Zeroize;

use super::error::LinkError;
use super::link::Link;
use super::pipe::Pipe;
use super::tls::{ALPN, ClientTls, Handshake, HvPin, Progress, Records, TlsError};

/// Time for the TLS handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes of dom0 read at once in the handshake.
const HANDSHAKE_READ: usize = 4_096;

/// The channel and what protects it.
pub(super) struct Wire {
    stream: Pipe,
    records: Option<Box<Records>>,
    /// dom0 has closed its end: nothing can be sent any more, and what it said last is still to be
    /// read.
    is_closing: bool,
}

impl Wire {
    /// Without TLS.
    pub(super) const fn insecure(stream: Pipe) -> Self {
        Self {
            stream,
            records: None,
            is_closing: false,
        }
    }

    /// With TLS; says who vouches for dom0.
    pub(super) async fn secure(
        mut stream: Pipe,
        tls: &ClientTls,
    ) -> Result<(Self, Option<HvPin>), LinkError> {
        let (records, pin) = secure(&mut stream, tls, ALPN).await?;
        let mut wire = Self::insecure(stream);
        wire.records = Some(Box::new(records));
        Ok((wire, pin))
    }

    /// Waits until [`Self::write`] or [`Self::read`] can do something.
    pub(super) async fn ready(&mut self, link: &Link) -> io::Result<()> {
        let has_sealed = self
            .records
            .as_ref()
            .is_some_and(|r| !r.to_send().is_empty());
        // A closed socket is always writable: waiting for that would not wait at all, and the end
        // would never be read.
        let to_write = !self.is_closing && (has_sealed || !link.to_send().is_empty());
        self.stream.ready(to_write).await
    }

    /// Sends what `link` has to send, as far as the socket takes it.
    pub(super) fn write(&mut self, link: &mut Link) -> Result<(), LinkError> {
        while !self.is_closing {
            if let Some(records) = &mut self.records
                && records.to_send().is_empty()
                && !link.to_send().is_empty()
            {
                let sealed = records.seal(link.to_send())?;
                link.on_sent(sealed);
            }
            let to_send = match &self.records {
                Some(records) => records.to_send(),
                None => link.to_send(),
            };
            if to_send.is_empty() {
                return Ok(());
            }
            match (self.stream.try_write(to_send), &mut self.records) {
                (Ok(n), Some(records)) => records.on_sent(n),
                (Ok(n), None) => link.on_sent(n),
                (Err(error), _) => match error.kind() {
                    io::ErrorKind::WouldBlock => return Ok(()),
                    // dom0 may have said why it closed; reading comes to the end by itself.
                    io::ErrorKind::BrokenPipe => self.is_closing = true,
                    _ => return Err(broken(error)),
                },
            }
        }
        Ok(())
    }

    /// Gives `link` what dom0 has sent, if there is anything.
    pub(super) fn read(
        &mut self,
        link: &mut Link,
        buffer: &mut [u8],
        now: Instant,
    ) -> Result<(), LinkError> {
        let read = match self.stream.try_read(buffer) {
            Ok(0) => return Err(link.ended()),
            Ok(n) => buffer.get_mut(..n).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(broken(error)),
        };
        match &mut self.records {
            Some(records) => match records.on_bytes(read, |data| link.on_bytes(data, now))? {
                true => Err(link.ended()),
                false => Ok(()),
            },
            None => {
                let taken = link.on_bytes(read, now);
                // Keys must not lie here until the next message comes.
                read.zeroize();
                taken
            }
        }
    }
}

/// Makes TLS for this application protocol; says who vouches for dom0.
pub(super) async fn secure(
    stream: &mut Pipe,
    tls: &ClientTls,
    alpn: &'static [u8],
) -> Result<(Records, Option<HvPin>), LinkError> {
    let handshake = tls.handshake(alpn).map_err(TlsError::of)?;
    let made = timeout(HANDSHAKE_TIMEOUT, shake_hands(stream, handshake)).await;
    made.map_err(|_| LinkError::Silent)?
}

/// Carries a handshake to its end.
async fn shake_hands(
    stream: &mut Pipe,
    mut handshake: Handshake,
) -> Result<(Records, Option<HvPin>), LinkError> {
    let mut buffer = [0; HANDSHAKE_READ];
    loop {
        let progress = handshake.advance();
        // When dom0 has closed, it may have said why.
        let sent = send(stream, &mut handshake).await;
        if progress? == Progress::Done {
            sent.map_err(broken)?;
            return Ok(handshake.finish()?);
        }
        match read(stream, &mut buffer).await.map_err(broken)? {
            [] => return Err(sent.err().map_or(TlsError::Ended.into(), broken)),
            bytes => handshake.on_bytes(bytes),
        }
    }
}

async fn send(stream: &mut Pipe, handshake: &mut Handshake) -> io::Result<()> {
    while !handshake.to_send().is_empty() {
        stream.writable().await?;
        match stream.try_write(handshake.to_send()) {
            Ok(n) => handshake.on_sent(n),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

async fn read<'b>(stream: &mut Pipe, buffer: &'b mut [u8]) -> io::Result<&'b [u8]> {
    loop {
        stream.ready(false).await?;
        match stream.try_read(buffer) {
            Ok(n) => return Ok(buffer.get(..n).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

fn broken(error: io::Error) -> LinkError {
    LinkError::Channel(Arc::new(error))
}
