//! Too many records, too many certificates, too many new keys.

use std::io::{Read, Write};
use std::{fs, io};

use domu_agent::client::Ending;
use integration::meddler::{Delivery, RecordEdit};
use integration::openssl::{OpensslServer, ServerPlan};
use integration::pki::{KeyKind, VALID};
use integration::tls_server::{Connection, TlsServer};
use rustls::version::TLS13;

use super::page::{LIMITS, Outcome, fetch, page_server};
use crate::NAME;
use crate::world::World;

#[test]
fn messages_in_many_records_are_as_good_as_in_one() {
    let world = World::start(&LIMITS, &[]);
    for is_tls13 in [false, true] {
        let server = page_server(&world, is_tls13);
        for length in [1, 7, 100] {
            let delivery = Delivery::Records(RecordEdit::Fragments(length));
            assert_eq!(
                fetch(&world, &server, &delivery),
                Outcome::Unharmed,
                "{length}"
            );
        }
    }
    world.finish();
}

#[test]
fn a_certificate_chain_of_300_kib_is_refused() {
    let world = World::start(&LIMITS, &[]);
    let names: Vec<String> = (0..700)
        .map(|n| format!("name-{n:04}.example.org"))
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let long = world.pki.ca.server(&names, KeyKind::P256, VALID);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = long.write(folder.path(), "long").certificate;
    let pem = fs::read_to_string(&file).expect("written");
    let chain = pem.repeat((300 << 10) / long.certificate.len() + 1);
    fs::write(&file, chain).expect("written");
    for is_tls13 in [false, true] {
        let plan = ServerPlan::new(&world.credential);
        let plan = if is_tls13 { plan.tls13() } else { plan };
        let plan = plan
            .option("-cert_chain")
            .option(file.to_str().expect("UTF-8"));
        let server = OpensslServer::start(&world.pki, &plan);
        let no = world.beside("300 KiB", || world.rogue().connect(server.port(), NAME));
        let no = no.expect_err("far beyond the limit");
        // The agent counts the bytes; dom0, or in TLS 1.3 the card, reads how long the message is.
        assert!(["limit", "handshake-failed"].contains(&&*no.code), "{no}");
    }
    world.finish();
}

#[test]
fn a_server_may_update_its_keys_with_its_data_and_not_without_end() {
    /// How often without data; 32 are taken.
    const STORM: usize = 100;
    let world = World::start(&LIMITS, &[]);
    let storming = TlsServer::start(&world.pki, &world.credential, &TLS13, |connection| {
        let mut byte = [0];
        connection.read_exact(&mut byte)?;
        for _ in 0..STORM {
            refresh(connection)?;
            connection.write_all(&byte)?;
        }
        connection.read_exact(&mut byte)?;
        for _ in 0..STORM {
            refresh(connection)?;
        }
        connection.write_all(&byte)
    });
    let mut session = world
        .rogue()
        .connect(storming.port(), NAME)
        .expect("a session");
    session.send(b"x");
    assert_eq!(session.read(STORM), [b'x'; STORM]);
    session.send(b"y");
    let mut data = Vec::new();
    // It may be reset.
    let _ = session.stream.read_to_end(&mut data);
    assert!(data.is_empty(), "what comes behind the storm is not read");
    let ended = world.rogue().client().ended(session.established.session);
    let ended = ended.expect("the agent remembers");
    assert_eq!(ended.how, Ending::BadRecord, "{}", ended.message);
    assert!(ended.message.contains("KeyUpdates"), "{}", ended.message);
    world.exchange("rogue", "a storm of KeyUpdates");
    world.finish();
}

fn refresh(connection: &mut Connection) -> io::Result<()> {
    connection
        .conn
        .refresh_traffic_keys()
        .map_err(io::Error::other)
}
