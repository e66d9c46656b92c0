//! What is left of keys in the agent and in dom0 once an application has them.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;

use base64::prelude::{BASE64_STANDARD, Engine};
use domu_agent::client::{ConnectRequest, Mode};
use integration::openssl::{OpensslServer, ServerPlan};
use integration::pki::{KeyKind, Pki};
use integration::wait;
use serde_json::Value;

use crate::{ALLOW_ALL, NAME, chain, request};

/// The writable memory of a process, region by region; nothing if we may not look.
fn memory(process: u32) -> Option<Vec<Vec<u8>>> {
    let maps = std::fs::read_to_string(format!("/proc/{process}/maps")).ok()?;
    let memory = File::open(format!("/proc/{process}/mem")).ok()?;
    let mut regions = Vec::new();
    for line in maps.lines() {
        // `7f1c0a000000-7f1c0a021000 rw-p 00000000 00:00 0`
        let (range, rest) = line.split_once(' ')?;
        let (start, end) = range.split_once('-')?;
        let number = |text| u64::from_str_radix(text, 16).ok();
        let (start, end) = (number(start)?, number(end)?);
        if rest.starts_with("rw") {
            let mut region = vec![0; usize::try_from(end - start).ok()?];
            // A region may go while we look.
            if memory.read_exact_at(&mut region, start).is_ok() {
                regions.push(region);
            }
        }
    }
    Some(regions)
}

fn holds(memory: &[Vec<u8>], bytes: &[u8]) -> bool {
    let mut regions = memory.iter();
    regions.any(|region| region.windows(bytes.len()).any(|part| part == bytes))
}

/// The secrets of an answer, as text.
fn secrets(established: &Value) -> Vec<String> {
    let keys = &established["keys"];
    let secrets = [
        &keys["key_block"],
        &keys["traffic_secrets"]["client"],
        &keys["traffic_secrets"]["server"],
    ];
    let texts = secrets.into_iter().filter_map(Value::as_str);
    texts.map(str::to_owned).collect()
}

#[test]
fn nobody_but_the_application_keeps_keys_that_were_handed_over() {
    let pki = Pki::new();
    let mut chain = chain(&pki, ALLOW_ALL);
    let middleware = chain.middleware().id();
    let guest = chain.guest("web01");
    let credential = pki.server(NAME, KeyKind::P256);
    for plan in [
        ServerPlan::new(&credential),
        ServerPlan::new(&credential).tls13(),
    ] {
        let server = OpensslServer::start(&pki, &plan);
        let wish = ConnectRequest {
            mode: Mode::Keys,
            ..request(server.port(), NAME)
        };
        let mut app = UnixStream::connect(guest.socket()).expect("listening");
        let line = serde_json::to_string(&wish).expect("texts and numbers") + "\n";
        app.write_all(line.as_bytes()).expect("connected");
        let mut answer = String::new();
        // The descriptor is lost here, the agent's own holds the connection.
        let mut reader = BufReader::new(&app);
        reader.read_line(&mut answer).expect("an answer");
        let answer: Value = serde_json::from_str(&answer).expect("JSON");
        let established = &answer["established"];
        let secrets = secrets(established);
        assert!(!secrets.is_empty(), "{answer}");

        let Some(now) = memory(guest.agent_id()) else {
            eprintln!("SKIPPED: the memory of another process cannot be read here");
            return;
        };
        // Looking works: the name is somewhere.
        assert!(holds(&now, NAME.as_bytes()));
        for secret in secrets {
            let bytes = BASE64_STANDARD.decode(&secret).expect("base64");
            for process in [guest.agent_id(), middleware] {
                // It wipes when it has written, which we may have overtaken.
                wait::until("the keys are wiped", || {
                    let now = memory(process)?;
                    let is_there = holds(&now, secret.as_bytes()) || holds(&now, &bytes);
                    (!is_there).then_some(())
                });
            }
        }
    }
}
