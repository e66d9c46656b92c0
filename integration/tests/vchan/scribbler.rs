//! Somebody who writes into the shared pages whatever comes to mind: a guest can.

use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use integration::payload::payload;
use integration::wait;
use rand::{Rng, SeedableRng, rngs::StdRng};

use super::pipe::{Pipes, rest};

/// How long the scribbler has its way with each pair.
const TIME: Duration = Duration::from_millis(500);

/// What is at the beginning of the first page: two pairs of counters, two orders, two signs of
/// life, two requests for signs, and the grants of further pages.
const HEADER: u64 = 0x20;

#[test]
fn whoever_scribbles_over_the_ring_crashes_neither_end() {
    let mut random = StdRng::seed_from_u64(6);
    for round in 0..4 {
        let pipes = Pipes::new();
        let (mut server, mut client) = pipes.connected();
        let mut threads = Vec::new();
        for end in [&mut server, &mut client] {
            let mut stdin = end.stdin().expect("piped");
            let drain = rest(end.stdout().expect("piped"));
            threads.push(thread::spawn(move || {
                let bytes = payload(64 << 10);
                // Until the end is gone.
                while stdin.write_all(&bytes).is_ok() {}
                drain.join().expect("no panic");
            }));
        }
        let pages = pipes.vchan.pages();
        let begin = Instant::now();
        while begin.elapsed() < TIME {
            for page in &pages {
                let mut bytes = [0; 4];
                random.fill(&mut bytes);
                // Words of the header in any case; the signs of life only in every other round,
                // since they end the stream at once.
                let offset = match round % 2 {
                    0 => [0x00, 0x04, 0x08, 0x0C, 0x10][random.gen_range(0..5)],
                    _ => random.gen_range(0..HEADER / 4) * 4,
                };
                page.scribble(offset, &bytes);
            }
        }
        // Neither has crashed: it runs, or has ended as after any other broken stream.
        client.kill();
        let ended = server.await_end();
        assert!(ended.code().is_some(), "{ended}: {}", server.log());
        for thread in threads {
            wait::until("nobody hangs", || thread.is_finished().then_some(()));
        }
    }
}
