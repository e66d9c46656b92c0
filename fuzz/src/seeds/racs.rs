//! What users of a RACS server send, and what servers answer.

use std::io;

use tessera_fuzz::pieces::append;

use super::Seeds;

pub(super) fn write(seeds: &mut Seeds) -> io::Result<()> {
    for (name, text) in REQUESTS {
        let mut seed = vec![0];
        append(&mut seed, 0, text.as_bytes());
        seeds.add("racs_request", name, &seed)?;
    }
    // A card that announces, corrects Le and fails, behind an allow-list; a bound one.
    let mut seed = vec![1];
    append(
        &mut seed,
        15,
        b"FFFF0000 00140000 # announces\nFF00FFFF 00000000\n",
    );
    append(&mut seed, 9, b"");
    for answer in [
        &b"\x61\x02"[..],
        b"\x6C\x01",
        b"\x01\x02\x90\x00",
        b"\x69\x85",
    ] {
        append(&mut seed, 12, answer);
    }
    append(&mut seed, 10, &[1]);
    append(
        &mut seed,
        0,
        b"BEGIN m\r\nAPDU 0 00140010 MORE=61 CONTINUE=9000 APPEND\r\nAPDU 0 00200080\r\nEND\r\n",
    );
    append(&mut seed, 0, b"BEGIN\r\nAPDU 0 00140010\r\nEND\r\n");
    seeds.add("racs_request", "card", &seed)?;
    // A guest, whose first line comes in two pieces.
    let mut seed = vec![5];
    append(&mut seed, 0, b"TOKEN 0oRDoQEm");
    append(&mut seed, 0, b"AAAA\r\nBEGIN\r\nLI");
    append(&mut seed, 0, b"ST\r\nEND\r\n");
    seeds.add("racs_request", "guest", &seed)?;
    for (name, text) in RESPONSES {
        let seed = [&[7], text.as_bytes()].concat();
        seeds.add("racs_response", name, &seed)?;
    }
    Ok(())
}

const REQUESTS: [(&str, &str); 5] = [
    (
        "inventory",
        "BEGIN a\r\nGET-VERSION APPEND\r\nSET-VERSION 0.3\r\nLIST APPEND\r\nGET-SEN 0\r\nEND\r\n",
    ),
    (
        "power",
        "BEGIN\r\nPOWERON 0\r\nRESET 0 WARM APPEND\r\nPOWERON 0\r\nSHUTDOWN 0\r\nPOWERON 2\r\nEND\r\n",
    ),
    (
        "apdus",
        "BEGIN b\nAPDU 0 00A4040005A000000001 APPEND\nAPDU 1 0010000001AA MORE=61 \
         FETCH=A0120000 CONTINUE=9000\nAPDU 0 00160000000001AA0000\nEND\n",
    ),
    (
        "mistakes",
        "BEGIN\r\nFOO\r\nEND\r\nBEGIN\r\nECHO\r\nEND\r\nBEGIN\r\nSEN 0 x\r\nEND\r\nBEGIN\r\nBEGIN\r\n",
    ),
    ("quit", "BEGIN\r\n  ECHO   x  APPEND \r\nQUIT\r\nEND\r\n"),
];

const RESPONSES: [(&str, &str); 5] = [
    (
        "guest",
        "BEGIN\r\n+000 000 admitted\r\nEND\r\nBEGIN\r\n-600 000 token-revoked: it was\r\nEND\r\n",
    ),
    (
        "published",
        "BEGIN \r\n+001 000 No error\r\nEND\r\nBEGIN x\r\n+006 001 AA9000\r\n+006 002 BB9000\r\nEND\r\n",
    ),
    (
        "lists",
        "BEGIN\n+004 001 0 1 alpha se[1-5] se[1;4;9] \nEND\n",
    ),
    (
        "loose",
        "BEGIN\n+6 1 bb9000 \nEND\nBEGIN c2\r\n-708 10000 SEID 1 In Use\r\nEND\r\n",
    ),
    (
        "allow-list",
        "FFFFFF00 00A40400 # SELECT\nffffffff 00c00000\n",
    ),
];
