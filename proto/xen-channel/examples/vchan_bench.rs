//! What a vchan costs through this crate: round trips, and bytes per second each way.
//!
//! ```text
//! dom0:   vchan_bench server DOMID /local/domain/0/data/bench
//! guest:  vchan_bench client 0 /local/domain/0/data/bench
//! ```
//!
//! The client measures and prints one JSON object per message size on stdout: `rtt_p50_us`,
//! `rtt_p99_us`, and `to_server_mb_s`, `to_client_mb_s` (10^6 bytes). Either end may be
//! `vchan_bench.c`, which does the same with the library alone:
//!
//! ```text
//! cargo build --release -p xen-channel --examples     target/release/examples/vchan_bench
//! gcc -O2 -o vchan_bench_c vchan_bench.c -ldl         needs no headers of Xen
//! ```
//!
//! A request is 9 bytes, big endian: what (1: send back each message, 2: take all, then answer with
//! one byte, 3: send all, 0: end), size of a message, number of messages. `VCHAN_BENCH_SECONDS`
//! says how long each measurement may take (default 1).

use std::error::Error;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use xen_channel::{Libxenvchan, VchanServer, VchanStream};

/// Bytes of each ring, as the middleware has them.
const RING: usize = 4_096;
/// Bytes of a message.
const SIZES: [u32; 5] = [64, 256, 1_024, 4_096, 16_384];
/// The longest message that a server takes.
const MAX_SIZE: u32 = 1 << 20;

const ECHO: u8 = 1;
const TAKE: u8 = 2;
const SEND: u8 = 3;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("vchan_bench: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [role, domid, path] = words.as_slice() else {
        return Err("usage: vchan_bench server|client DOMID PATH".into());
    };
    let domid = domid.parse()?;
    let library = Libxenvchan::open()?;
    match role.as_str() {
        "server" => {
            let server = VchanServer::open(library, domid, path, RING, ()).await?;
            serve(server.connected().await?).await
        }
        "client" => loop {
            match VchanStream::connect(library.clone(), domid, path, ()).await {
                Ok(stream) => break measure(stream).await,
                // There may be no server yet, or the keys of one that has gone.
                Err(error) => {
                    eprintln!("vchan_bench: {error}");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        },
        _ => Err("say server or client".into()),
    }
}

async fn serve(mut stream: VchanStream) -> Result<(), Box<dyn Error>> {
    loop {
        let what = stream.read_u8().await?;
        let (size, count) = (stream.read_u32().await?, stream.read_u32().await?);
        if size > MAX_SIZE {
            return Err("a message that is too long".into());
        }
        let mut message = vec![0; usize::try_from(size)?];
        for _ in 0..count {
            if what != SEND {
                stream.read_exact(&mut message).await?;
            }
            if what != TAKE {
                stream.write_all(&message).await?;
            }
        }
        match what {
            ECHO | SEND => {}
            TAKE => stream.write_u8(0).await?,
            _ => return Ok(()),
        }
    }
}

async fn measure(mut stream: VchanStream) -> Result<(), Box<dyn Error>> {
    let seconds = std::env::var("VCHAN_BENCH_SECONDS").unwrap_or_default();
    let time = Duration::from_secs_f64(seconds.parse().unwrap_or(1.0));
    for size in SIZES {
        let times = round_trips(&mut stream, size, time).await?;
        let at = |part: usize| times.get(times.len() * part / 100).copied();
        let micros = |part| at(part).unwrap_or_default().as_secs_f64() * 1e6;
        // As many as may fit into the time, judged by a few.
        let mut rates = Vec::new();
        for what in [TAKE, SEND] {
            let few = transfer(&mut stream, what, size, 200).await?;
            let count = (200.0 * time.as_secs_f64() / few.as_secs_f64()).clamp(200.0, 1e6);
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            let count = count as u32;
            let took = transfer(&mut stream, what, size, count).await?;
            rates.push(f64::from(size) * f64::from(count) / took.as_secs_f64() / 1e6);
        }
        println!(
            "{{\"by\":\"xen-channel\",\"size\":{size},\"rtt_p50_us\":{:.1},\"rtt_p99_us\":{:.1},\
             \"to_server_mb_s\":{:.2},\"to_client_mb_s\":{:.2}}}",
            micros(50),
            micros(99),
            rates.first().unwrap_or(&0.0),
            rates.get(1).unwrap_or(&0.0),
        );
    }
    request(&mut stream, 0, 0, 0).await?;
    stream.shutdown().await?;
    Ok(())
}

/// The times of round trips, in order.
async fn round_trips(
    stream: &mut VchanStream,
    size: u32,
    time: Duration,
) -> Result<Vec<Duration>, Box<dyn Error>> {
    let mut message = vec![7; usize::try_from(size)?];
    let (begin, mut times) = (Instant::now(), Vec::new());
    while begin.elapsed() < time {
        // A hundred at a time, so that asking costs nothing.
        request(stream, ECHO, size, 100).await?;
        for _ in 0..100 {
            let sent = Instant::now();
            // A message longer than a ring comes back while it is still going out.
            let (mut reader, mut writer) = tokio::io::split(&mut *stream);
            let (written, read) = tokio::join!(writer.write_all(&message), read(&mut reader, size));
            written?;
            message = read?;
            times.push(sent.elapsed());
        }
    }
    times.sort();
    Ok(times)
}

async fn read(
    reader: &mut (impl AsyncReadExt + Unpin),
    size: u32,
) -> Result<Vec<u8>, std::io::Error> {
    let mut message = vec![0; size as usize];
    reader.read_exact(&mut message).await?;
    Ok(message)
}

async fn transfer(
    stream: &mut VchanStream,
    what: u8,
    size: u32,
    count: u32,
) -> Result<Duration, Box<dyn Error>> {
    let mut message = vec![7; usize::try_from(size)?];
    let begin = Instant::now();
    request(stream, what, size, count).await?;
    for _ in 0..count {
        match what {
            TAKE => stream.write_all(&message).await?,
            _ => drop(stream.read_exact(&mut message).await?),
        }
    }
    if what == TAKE {
        stream.read_u8().await?;
    }
    Ok(begin.elapsed())
}

async fn request(
    stream: &mut VchanStream,
    what: u8,
    size: u32,
    count: u32,
) -> Result<(), std::io::Error> {
    let mut request = vec![what];
    request.extend(size.to_be_bytes());
    request.extend(count.to_be_bytes());
    stream.write_all(&request).await
}
