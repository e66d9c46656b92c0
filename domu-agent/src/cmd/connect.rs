//! `domu-agent connect`.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use proto::tls::ProtocolVersion;

use crate::cli::ConnectArgs;
use crate::client::{Client, ConnectRequest, Ending, EstablishedAnswer, Verdict, was_cut_short};
use crate::error::AgentError;

/// Bytes copied at once.
const COPY_SIZE: usize = 65_536;

/// Connects, then carries standard input and output until the server ends.
pub(super) fn run(args: ConnectArgs) -> Result<(), AgentError> {
    let client = Client::new(&args.agent);
    let (established, stream) = client.connect(request(args))?;
    eprintln!("{}", summary(&established));
    let session = established.session;

    let mut to_server = stream.try_clone().map_err(AgentError::Copy)?;
    let has_ended = Arc::new(AtomicBool::new(false));
    let ending = has_ended.clone();
    // Not joined: reading standard input cannot be interrupted when the server has ended.
    thread::spawn(move || {
        let copied = copy(&mut io::stdin().lock(), &mut to_server);
        ending.store(true, Ordering::SeqCst);
        end_sending(&to_server, copied);
    });
    copy(&mut &stream, &mut io::stdout().lock()).map_err(AgentError::Copy)?;
    // Once our direction was shut down, the two kinds of end look alike.
    let looks_cut_short = was_cut_short(&stream) && !has_ended.load(Ordering::SeqCst);
    drop(stream);
    match client.ended(session) {
        Ok(ended) if is_bad(ended.how) => Err(AgentError::Ended(ended)),
        _ if looks_cut_short => Err(AgentError::CutShort),
        _ => Ok(()),
    }
}

/// Whether the server's data may be incomplete, or the server did not want us.
fn is_bad(how: Ending) -> bool {
    match how {
        Ending::Open | Ending::Closed | Ending::HandedOver => false,
        Ending::CertificateRefused
        | Ending::ServerAlert
        | Ending::CutShort
        | Ending::BadRecord
        | Ending::KeyUsedUp
        | Ending::Revoked => true,
    }
}

fn request(args: ConnectArgs) -> ConnectRequest {
    ConnectRequest {
        connect: args.destination.to_string(),
        server_name: args.server_name.map(crate::app::ServerName::into_string),
        identity: args.identity,
        alpn: args.alpn,
        min_version: args.min_version.map(number),
        max_version: args.max_version.map(number),
        resume: args.no_resume.then_some(false),
        timeout_ms: args.timeout_ms,
        ..ConnectRequest::default()
    }
}

/// `1.2`, without the name in front.
fn number(version: ProtocolVersion) -> String {
    version.to_string().trim_start_matches("TLS ").to_owned()
}

fn summary(established: &EstablishedAnswer) -> String {
    let verdict = match established.verdict {
        Some(Verdict::Pending) => ", the server may still refuse the certificate",
        None => "",
    };
    format!(
        "established {} {} card {} ms wait {} ms{verdict}",
        established.version, established.cipher_suite, established.card_ms, established.wait_ms
    )
}

/// Copies until the end, and lets out what it has before it reads more.
fn copy(from: &mut impl Read, to: &mut impl Write) -> io::Result<()> {
    let mut buffer = vec![0; COPY_SIZE];
    loop {
        let n = match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(n) => n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        to.write_all(buffer.get(..n).unwrap_or_default())?;
        to.flush()?;
    }
}

/// The server has gone when either of these fails, which the other direction shows.
fn end_sending(stream: &UnixStream, copied: io::Result<()>) {
    if let Err(error) = copied.and_then(|()| stream.shutdown(Shutdown::Write)) {
        tracing::debug!(%error, "sending ended");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_names_version_suite_and_times() {
        let mut established = EstablishedAnswer {
            session: 1,
            version: "TLS 1.2".to_owned(),
            cipher_suite: "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256".to_owned(),
            server_name: "a.example".to_owned(),
            alpn: None,
            abbreviated: false,
            verdict: None,
            card_ms: 12,
            wait_ms: 0,
            total_ms: 30,
            via: None,
        };
        assert_eq!(
            summary(&established),
            "established TLS 1.2 TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 card 12 ms wait 0 ms"
        );
        established.verdict = Some(Verdict::Pending);
        let end = "wait 0 ms, the server may still refuse the certificate";
        assert!(summary(&established).ends_with(end));
    }

    #[test]
    fn versions_are_sent_as_the_agent_reads_them() {
        let version = ProtocolVersion::TLS1_3;
        assert_eq!(number(version).parse(), Ok(version));
    }
}
