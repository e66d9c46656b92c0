//! One connection of a guest that speaks RACS: its first line, then its requests.

use std::sync::Arc;

use proto::agent::{Dom0Message, Refused};
use proto::racs::{FirstLine, TokenLineError, TokenLineReader, admitted, refusal};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::oneshot;
use zeroize::Zeroizing;

use super::examiner::Examiner;
use super::guest::Guest;
use super::inbox::Told;
use super::racs_guests::RacsAdmitted;
use crate::broker::{BadInput, Event};
use crate::channel::{LastWords, Link, LinkEnd};
use crate::racs::guest::LastWord;

impl Guest {
    /// Runs the connection to its end. `spki` is the key that authenticated the guest in TLS, in DER.
    /// How long the first line may take is the broker's to say, as of `hello`.
    pub(super) async fn speak_racs<S>(&self, link: Link, mut stream: S, spki: Vec<u8>) -> LinkEnd
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        let conn = self.conn;
        let mut words = link.into_last_words();
        let first = tokio::select! {
            biased;
            last = words.next() => return say_last(stream, last).await,
            first = first_line(&mut stream) => first,
        };
        let FirstLine { token, rest } = match first {
            Some(Ok(first)) => first,
            Some(Err(error)) => {
                let error = BadInput::from(error);
                self.inbox
                    .tell(Told::Guest(Event::Garbled { conn, error }))
                    .await;
                return say_last(stream, words.next().await).await;
            }
            None => return LinkEnd::Lost,
        };
        let examiner = Examiner::new(Arc::clone(&self.issuers), spki);
        let token = examiner.examine(&token).await;
        let (admit, judged) = oneshot::channel();
        self.inbox
            .tell(Told::RacsHello { conn, token, admit })
            .await;
        let judged = tokio::select! {
            biased;
            last = words.next() => return say_last(stream, last).await,
            judged = judged => judged,
        };
        match judged {
            Ok(admitted) => self.receive(admitted, stream, rest, words).await,
            Err(_) => say_last(stream, words.next().await).await,
        }
    }

    async fn receive<S>(
        &self,
        RacsAdmitted {
            visit,
            mut farewell,
        }: RacsAdmitted,
        mut stream: S,
        rest: Zeroizing<Vec<u8>>,
        mut words: LastWords,
    ) -> LinkEnd
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        // If it does not get through, neither does the first answer.
        let _ = say(&mut stream, &admitted()).await;
        let mut ended = std::pin::pin!(async move { last_word(words.next().await) });
        let ending = farewell.ending();
        visit.run(&mut stream, rest, ended.as_mut(), ending).await;
        // Told before the guest can know: it may come back at once, and has its place then.
        drop(farewell);
        let _ = stream.shutdown().await;
        LinkEnd::Closed
    }
}

/// The first line; `None` if the guest leaves before its end.
async fn first_line<S>(stream: &mut S) -> Option<Result<FirstLine, TokenLineError>>
where
    S: AsyncRead + Unpin,
{
    let mut reader = TokenLineReader::new();
    let mut bytes = Zeroizing::new(vec![0; READ_LEN]);
    loop {
        let read = match stream.read(&mut bytes).await {
            Ok(0) | Err(_) => return None,
            Ok(read) => read,
        };
        reader.push(bytes.get(..read).unwrap_or_default());
        match reader.first_line() {
            Ok(None) => {}
            Ok(Some(first)) => return Some(Ok(first)),
            Err(error) => return Some(Err(error)),
        }
    }
}

/// Says why it ends, if there is something to be said, and ends it.
async fn say_last<S: AsyncWrite + Unpin>(mut stream: S, last: Option<Dom0Message>) -> LinkEnd {
    if let Some(bytes) = last_bytes(last) {
        // Whether the guest reads it is its own affair.
        let _ = say(&mut stream, &bytes).await;
    }
    let _ = stream.shutdown().await;
    LinkEnd::Closed
}

async fn say<S: AsyncWrite + Unpin>(stream: &mut S, bytes: &[u8]) -> std::io::Result<()> {
    stream.write_all(bytes).await?;
    stream.flush().await
}

/// What dom0 says to its agents, said in RACS.
fn last_bytes(message: Option<Dom0Message>) -> Option<Zeroizing<Vec<u8>>> {
    Some(refusal(&no(message?)?))
}

fn last_word(message: Option<Dom0Message>) -> LastWord {
    let no = message.and_then(no);
    LastWord {
        why: match &no {
            Some(no) => format!("{}: {}", no.code, no.message),
            None => "the connection was closed".to_owned(),
        },
        bytes: no.as_ref().map(refusal),
    }
}

fn no(message: Dom0Message) -> Option<Refused> {
    match message {
        Dom0Message::Refused(refused) => Some(refused),
        Dom0Message::Revoked { code } => Some(Refused {
            session: None,
            code,
            message: "the right to the card has ended".to_owned(),
            alert: None,
            retry_after_ms: None,
        }),
        _ => None,
    }
}

/// More than the first line takes.
const READ_LEN: usize = 4 << 10;
