//! Carries stdin to the other end of a vchan, and what comes from there to stdout.
//!
//! ```text
//! vchan_pipe server DOMID PATH     dom0: vchan_pipe server 7 /local/domain/0/data/pipe
//! vchan_pipe client DOMID PATH     guest: vchan_pipe client 0 /local/domain/0/data/pipe
//! ```
//!
//! At the end of stdin it waits until the peer has read everything, then ends. A server serves one
//! client; a client waits for its server.

use std::convert::Infallible;
use std::error::Error;
use std::time::Duration;

use tokio::io::{AsyncWriteExt, copy, split, stdin, stdout};
use tokio::sync::oneshot;
use xen_channel::{Libxenvchan, VchanServer, VchanStream};

/// Bytes of each ring.
const RING: usize = 4_096;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let (closing, closed) = oneshot::channel();
    let ended = run(closing).await;
    // A server removes its keys before it is closed.
    let _closed = closed.await;
    // Not by returning: that would wait for whoever holds stdin open.
    std::process::exit(match ended {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("vchan_pipe: {error}");
            1
        }
    });
}

async fn run(closing: oneshot::Sender<Infallible>) -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [role, domid, path] = words.as_slice() else {
        return Err("usage: vchan_pipe server|client DOMID PATH".into());
    };
    let domid = domid.parse()?;
    let library = Libxenvchan::open()?;
    let stream = match role.as_str() {
        "server" => {
            let server = VchanServer::open(library, domid, path, RING, closing).await?;
            eprintln!("vchan_pipe: waiting");
            server.connected().await?
        }
        "client" => loop {
            match VchanStream::connect(library.clone(), domid, path, ()).await {
                Ok(stream) => break stream,
                // There may be no server yet, or the keys of one that has gone.
                Err(error) => {
                    eprintln!("vchan_pipe: {error}");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        },
        _ => return Err("say server or client".into()),
    };
    eprintln!("vchan_pipe: connected");
    let (mut reader, mut writer) = split(stream);
    let out = async {
        copy(&mut stdin(), &mut writer).await?;
        writer.shutdown().await
    };
    let back = async {
        let mut out = stdout();
        let copied = copy(&mut reader, &mut out).await;
        out.flush().await?;
        copied.map(drop)
    };
    tokio::pin!(out, back);
    tokio::select! {
        ended = &mut out => ended?,
        // The peer may have closed behind its last byte: what it leaves unread is its own affair.
        ended = &mut back => ended?,
    }
    Ok(())
}
