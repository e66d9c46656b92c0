//! Single messages.

use std::io;

use proto::agent::{
    AgentMessage, Dom0Message, Door, Hello, IdentityInfo, Open, PROTOCOL_VERSION, Queued,
    RefusalCode, Refused, SessionData, Welcome, WelcomeLimits, encode_frame,
};
use proto::card::NextHandshake;
use proto::id::{DomainUuid, SessionId};
use tessera_fuzz::partners::Pki;
use tessera_fuzz::pieces::append;

use super::Seeds;

pub(super) fn write(seeds: &mut Seeds) -> io::Result<()> {
    messages(seeds)?;
    record_layer(seeds)?;
    piv_card(seeds)?;
    texts(seeds)?;
    let wish = NextHandshake {
        server_name: Some("www.example.org".to_owned()),
        alpn: vec![b"h2".to_vec()],
        ..NextHandshake::default()
    };
    seeds.add("apdu", "next-handshake", &wish.encode().expect("short"))?;
    seeds.add("apdu", "atr", b"\x3B\x87\x01TESSERA\xC1")?;
    let reader = b"\x00\x0B\x3B\x87\x01TESSERA\xC1\x00\x03\x03\x90\x00\x00\x02\x6D\x00";
    seeds.add("vpcd", "card", reader)?;
    seeds.add(
        "vpcd",
        "reader",
        b"\x00\x01\x01\x00\x01\x04\x00\x05\xA0\x19\x00\x00\x01",
    )?;
    let parts: [&[u8]; 2] = [b"5\x000\x001\0", b"5\x0017\0\0"];
    let answer = |part: &[u8]| {
        let length = u32::try_from(part.len()).expect("short");
        let header = [22, 10, 0, length].map(u32::to_ne_bytes);
        [header.as_flattened(), part].concat()
    };
    seeds.add("xenstore", "parts", &parts.map(answer).concat())?;
    let mut chain = Vec::new();
    append(&mut chain, 1, &[]);
    seeds.add("trust", "good", &chain)?;
    append(&mut chain, 0, &Pki::get().ca_der());
    seeds.add("trust", "with-ca", &chain)
}

/// Reading a PIV card and signing with it, in one command and in a chain.
fn piv_card(seeds: &mut Seeds) -> io::Result<()> {
    let sign = b"\x7C\x24\x82\x00\x81\x20................................";
    let (first, rest) = sign.split_at(6);
    let header = |cla, data: &[u8]| {
        let length = u8::try_from(data.len()).expect("short");
        [&[cla, 0x87, 0x11, 0x9C, length], data].concat()
    };
    let verify = b"\x00\x20\x00\x80\x08123456\xFF\xFF".to_vec();
    let commands = [
        b"\x00\xCB\x3F\xFF\x05\x5C\x03\x5F\xC1\x05\x00".to_vec(),
        b"\x00\xC0\x00\x00\x00".to_vec(),
        b"\x00\xCB\x3F\xFF\x03\x5C\x01\x7E\x00".to_vec(),
        b"\x00\x24\x00\x80\x10123456\xFF\xFF123456\xFF\xFF".to_vec(),
        b"\x00\x2C\x00\x80\x1012345678123456\xFF\xFF".to_vec(),
        b"\x00\x87\x03\x9B\x04\x7C\x02\x80\x00\x00".to_vec(),
        b"\x00\x87\x0A\x9B\x04\x7C\x02\x81\x00\x00".to_vec(),
        verify.clone(),
        [header(0x00, sign), vec![0]].concat(),
        verify,
        header(0x10, first),
        [header(0x00, rest), vec![0]].concat(),
    ];
    for (choice, name) in [(0, "t1"), (1, "t0")] {
        let mut seed = vec![choice];
        for command in &commands {
            append(&mut seed, 0, command);
        }
        seeds.add("soft_piv_card", name, &seed)?;
    }
    Ok(())
}

fn messages(seeds: &mut Seeds) -> io::Result<()> {
    let session = SessionId(1);
    let data = SessionData {
        session,
        data: vec![22, 3, 3, 0, 1, 0],
    };
    let agent = [
        AgentMessage::Hello(Hello {
            versions: vec![PROTOCOL_VERSION],
            agent: "domu-agent".to_owned(),
            token: vec![1, 2, 3],
        }),
        AgentMessage::Identities,
        AgentMessage::Open(Open {
            session,
            server_name: "www.example.org".to_owned(),
            identity: Some("alice".to_owned()),
            alpn: vec!["h2".to_owned()],
            min_version: Some(0x0303),
            max_version: Some(0x0304),
            resume: Some(true),
            role: Some("client".to_owned()),
        }),
        AgentMessage::ServerRecords(data.clone()),
        AgentMessage::PostHandshake(data.clone()),
        AgentMessage::Close(session.into()),
        AgentMessage::Ping,
    ];
    let dom0 = [
        Dom0Message::Welcome(Welcome {
            version: PROTOCOL_VERSION,
            domain: DomainUuid::from_bytes([7; 16]),
            token_expires: Some(1_800_000_000),
            limits: WelcomeLimits {
                handshakes: 256,
                handshake_bytes: 262_144,
                frame: 65_536,
            },
        }),
        Dom0Message::Identities(vec![IdentityInfo {
            name: "alice".parse().expect("a friendly name"),
            certificates: vec![vec![0x30, 0x00]],
            door: Door::EapTls,
            versions: vec![0x0303, 0x0304],
            server_name: true,
            alpn: true,
        }]),
        Dom0Message::Queued(Queued {
            session,
            place: 2,
            expected_ms: 900,
        }),
        Dom0Message::ClientRecords(data),
        Dom0Message::Refused(Refused {
            session: Some(session),
            code: RefusalCode::PeerUntrusted,
            message: "unknown issuer".to_owned(),
            alert: Some(vec![21, 3, 3, 0, 2, 2, 48]),
            retry_after_ms: Some(5),
        }),
        Dom0Message::Revoked {
            code: RefusalCode::NotBound,
        },
        Dom0Message::Pong,
    ];
    let mut stream = vec![40];
    let bodies = agent.iter().map(AgentMessage::encode);
    for (number, body) in bodies
        .chain(dom0.iter().map(Dom0Message::encode))
        .enumerate()
    {
        seeds.add("messages", &format!("body-{number}"), &body)?;
        stream.extend_from_slice(&encode_frame(&body).expect("short"));
    }
    seeds.add("messages", "stream", &stream)?;
    let mut from_dom0 = Vec::new();
    for message in &dom0 {
        from_dom0.extend_from_slice(&encode_frame(&message.encode()).expect("short"));
    }
    seeds.add("relay", "link", &from_dom0)
}

fn record_layer(seeds: &mut Seeds) -> io::Result<()> {
    for suite in 0..6 {
        let mut seed = vec![suite];
        append(&mut seed, 7, b"data");
        append(&mut seed, 1, b"answer");
        // HelloRequest or KeyUpdate, and two tickets in three records.
        match suite {
            0..3 => append(&mut seed, 6, &[0, 0, 0, 0]),
            _ => {
                let ticket = [4, 0, 0, 14, 0, 0, 1, 0, 0, 0, 0, 1, 1, 9, 0, 1, 7, 0];
                append(&mut seed, 6, &ticket);
                append(&mut seed, 6, &ticket[..5]);
                append(&mut seed, 6, &ticket[5..]);
                append(&mut seed, 6, &[24, 0, 0, 1, 1]);
                append(&mut seed, 3, &[]);
            }
        }
        append(&mut seed, 2, &[]);
        append(&mut seed, 0, &[23, 3, 3, 0, 0]);
        append(&mut seed, 5, &[1, 0]);
        seeds.add("record_layer", &format!("suite-{suite}"), &seed)?;
    }
    Ok(())
}

fn texts(seeds: &mut Seeds) -> io::Result<()> {
    for (target, name, text) in [
        (
            "request",
            "short",
            "{\"connect\":\"a.example:443\"}\n{\"status\":{}}\n",
        ),
        (
            "request",
            "long",
            "{\"connect\":\"[::1]:443\",\"server_name\":\"a\",\"identity\":\"b\",\"alpn\":[\"h2\"],\
             \"min_version\":\"1.2\",\"max_version\":\"1.3\",\"resume\":true,\"timeout_ms\":9,\
             \"mode\":\"keys\"}\n{\"ended\":{\"session\":1}}\n{\"identities\":{}}\n",
        ),
        (
            "request",
            "pattern",
            "*.example.org:443\nwww.example.org:443",
        ),
        ("request", "address", "[2001:db8::1]:*\n[2001:DB8:0::1]:1"),
        ("names", "uuid", "7e55e2a0-0000-4000-8000-000000000007"),
        ("names", "seid", "se-00"),
        ("names", "pin", " 1234\n"),
        ("names", "pattern", "*.example.org\nwww.example.org"),
        ("xenstore", "vm", "/vm/7e55e2a0-0000-4000-8000-000000000007"),
        ("xenstore", "domid", "32751"),
    ] {
        seeds.add(target, name, text.as_bytes())?;
    }
    Ok(())
}
