//! The children of a node with more of them than one answer holds.
//!
//! An answer of xenstored has at most 4,096 bytes: the domids of about 700 domains. Of more than
//! that `DIRECTORY` fails with `E2BIG`, and `DIRECTORY_PART` must be used, which xenstore-rs does
//! not have. So this one request is made here, over a connection of its own.
//!
//! ```text
//! request   type 22 | request id | transaction | length | path 0 offset 0
//! answer    type 22 | request id | transaction | length | generation 0 child 0 child 0 ... [0]
//! ```
//!
//! Numbers are 32 bits in the machine's byte order, the offset is decimal text and counts the bytes
//! of all children before. An empty child ends the last part. Another generation than in the part
//! before means that the node has changed, and that it must be read from the beginning.
//!
//! Source: Xen, docs/misc/xenstore.txt, DIRECTORY_PART; xen/include/public/io/xs_wire.h.

use std::io;
use std::path::Path;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::UnixStream;

/// `XS_DIRECTORY_PART`.
const DIRECTORY_PART: u32 = 22;

/// `XS_ERROR`.
const ERROR: u32 = 16;

/// The most bytes an answer has (`XENSTORE_PAYLOAD_MAX`).
const MAX_PAYLOAD: usize = 4_096;

/// The most bytes all children may have: as many domids as there can be.
const MAX_CHILDREN: usize = 256 << 10;

/// How often a node may change while it is read.
const MAX_ATTEMPTS: usize = 8;

/// Reads the names of all children of a node.
///
/// # Errors
/// When the daemon does not answer, says no, or what it says is not an answer.
pub(super) async fn directory(socket: &Path, path: &str) -> io::Result<Vec<String>> {
    list(&mut UnixStream::connect(socket).await?, path).await
}

/// Reads them over a connection.
pub(super) async fn list(stream: &mut impl Connection, path: &str) -> io::Result<Vec<String>> {
    for _ in 0..MAX_ATTEMPTS {
        if let Some(children) = attempt(stream, path).await? {
            return split(&children);
        }
    }
    Err(io::Error::other("the node changes all the time"))
}

/// A connection to the daemon, or what stands for one.
pub(super) trait Connection: AsyncRead + AsyncWrite + Unpin {}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection for S {}

/// Reads all parts; `None` when the node changed meanwhile.
async fn attempt(stream: &mut impl Connection, path: &str) -> io::Result<Option<Vec<u8>>> {
    let mut children = Vec::new();
    let mut generation = None;
    loop {
        let answer = ask(stream, path, children.len()).await?;
        let part = Part::decode(&answer).ok_or_else(|| invalid("not a part of a directory"))?;
        if *generation.get_or_insert_with(|| part.generation.to_vec()) != part.generation {
            return Ok(None);
        }
        children.extend_from_slice(part.children);
        if part.is_last {
            return Ok(Some(children));
        }
        if part.children.is_empty() || children.len() > MAX_CHILDREN {
            return Err(invalid("a directory without end"));
        }
    }
}

async fn ask(stream: &mut impl Connection, path: &str, offset: usize) -> io::Result<Vec<u8>> {
    let request = format!("{path}\0{offset}\0");
    let length = u32::try_from(request.len()).map_err(|_| invalid("a path too long"))?;
    let header = [DIRECTORY_PART, 0, 0, length].map(u32::to_ne_bytes);
    stream
        .write_all(&[header.as_flattened(), request.as_bytes()].concat())
        .await?;
    let mut header = [[0; 4]; 4];
    stream.read_exact(header.as_flattened_mut()).await?;
    let [kind, _, _, length] = header.map(u32::from_ne_bytes);
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if length > MAX_PAYLOAD {
        return Err(invalid("an answer too long"));
    }
    let mut answer = vec![0; length];
    stream.read_exact(&mut answer).await?;
    match kind {
        DIRECTORY_PART => Ok(answer),
        ERROR => {
            let code = String::from_utf8_lossy(&answer);
            let code = code.trim_end_matches('\0').escape_debug();
            Err(io::Error::other(format!("xenstored says {code}")))
        }
        _ => Err(invalid("an answer to something else")),
    }
}

/// One answer.
#[derive(Debug, PartialEq, Eq)]
struct Part<'a> {
    generation: &'a [u8],
    /// Names, each with its zero byte.
    children: &'a [u8],
    is_last: bool,
}

impl<'a> Part<'a> {
    fn decode(answer: &'a [u8]) -> Option<Self> {
        let end = answer.iter().position(|byte| *byte == 0)?;
        let (generation, rest) = answer.split_at_checked(end)?;
        let rest = rest.strip_prefix(&[0])?;
        let without_one = rest.strip_suffix(&[0])?;
        // An empty name at the end: two zero bytes, or one alone.
        let is_last = without_one.is_empty() || without_one.ends_with(&[0]);
        Some(Self {
            generation,
            children: if is_last { without_one } else { rest },
            is_last,
        })
    }
}

fn split(children: &[u8]) -> io::Result<Vec<String>> {
    let names = children.split(|byte| *byte == 0);
    names
        .filter(|name| !name.is_empty())
        .map(|name| String::from_utf8(name.to_vec()).map_err(|_| invalid("a name that is no text")))
        .collect()
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::net::UnixListener;

    use super::*;

    /// A daemon that gives these answers and returns what it was asked.
    async fn ask_daemon(answers: Vec<(u32, Vec<u8>)>) -> (io::Result<Vec<String>>, Vec<String>) {
        let folder = tempfile::tempdir().expect("a folder");
        let socket = folder.path().join("socket");
        let listener = UnixListener::bind(&socket).expect("free");
        let daemon = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a client");
            let mut asked = Vec::new();
            for (kind, answer) in answers {
                let mut header = [[0; 4]; 4];
                if stream.read_exact(header.as_flattened_mut()).await.is_err() {
                    break;
                }
                let [asked_kind, _, _, length] = header.map(u32::from_ne_bytes);
                assert_eq!(asked_kind, DIRECTORY_PART);
                let mut request = vec![0; length.try_into().expect("small")];
                stream.read_exact(&mut request).await.expect("a request");
                asked.push(String::from_utf8(request).expect("text"));
                let length = answer.len().try_into().expect("small");
                let header = [kind, 0, 0, length].map(u32::to_ne_bytes);
                let message = [header.as_flattened(), &answer].concat();
                let _ = stream.write_all(&message).await;
            }
            asked
        });
        let children = directory(&socket, "/d").await;
        (children, daemon.await.expect("no panic"))
    }

    fn part(text: &str) -> (u32, Vec<u8>) {
        (DIRECTORY_PART, text.as_bytes().to_vec())
    }

    #[tokio::test]
    async fn parts_are_put_together() {
        let answers = vec![part("5\x000\x001\0"), part("5\x0017\0\0")];
        let (children, asked) = ask_daemon(answers).await;
        assert_eq!(children.expect("a list"), ["0", "1", "17"]);
        assert_eq!(asked, ["/d\x000\0", "/d\x004\0"]);
        let (children, _) = ask_daemon(vec![part("5\0\0")]).await;
        assert!(children.expect("a list").is_empty());
    }

    #[tokio::test]
    async fn a_node_that_changes_is_read_from_the_beginning() {
        let answers = vec![part("5\x000\0"), part("6\x001\0"), part("6\x000\x002\0\0")];
        let (children, asked) = ask_daemon(answers).await;
        assert_eq!(children.expect("a list"), ["0", "2"]);
        assert_eq!(asked.last().map(String::as_str), Some("/d\x000\0"));
    }

    #[tokio::test]
    async fn what_is_no_answer_is_an_error() {
        for answers in [
            vec![],
            vec![part("")],
            vec![part("5")],
            vec![part("5\0")],
            vec![part("5\0a")],
            vec![(ERROR, b"ENOENT\0".to_vec())],
            vec![(1, b"5\0a\0\0".to_vec())],
            vec![(DIRECTORY_PART, vec![b'a'; MAX_PAYLOAD + 1])],
            vec![(DIRECTORY_PART, b"5\0\xFF\0\0".to_vec())],
            vec![part("5\0a\0"), part("5\0")],
            (0..20)
                .flat_map(|n| [part(&format!("{n}\0a\0")), part("x\0b\0")])
                .collect(),
            std::iter::repeat_n(part(&format!("5\0{}\0", "a".repeat(4_000))), 100).collect(),
        ] {
            let described = format!("{:?}", answers.first());
            let (children, _) = ask_daemon(answers).await;
            assert!(children.is_err(), "{described}: {children:?}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(answer in proptest::collection::vec(any::<u8>(), 0..32)) {
            if let Some(part) = Part::decode(&answer) {
                prop_assert!(part.children.is_empty() || part.children.ends_with(&[0]));
                let _ = split(part.children);
            }
        }
    }
}
