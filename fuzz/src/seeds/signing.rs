//! What a server says to the engine for cards that only sign.

use std::cell::RefCell;
use std::io;

use dom0_middleware::engine::Engines;
use tessera_fuzz::partners::Pki;
use tessera_fuzz::pieces::append;
use tessera_fuzz::signing::handshake;

use super::Seeds;

pub(super) fn write(seeds: &mut Seeds) -> io::Result<()> {
    for (name, tls13) in [("tls12", false), ("tls13", true)] {
        let engines = Engines::new();
        for round in ["first", "second"] {
            let flights = RefCell::new(Vec::new());
            let keep = |said: Vec<u8>| {
                flights.borrow_mut().push(said.clone());
                said
            };
            let mut server = Pki::get().connect(tls13);
            let ended = handshake(&engines, &mut server, |said| said, keep);
            ended.expect("a good server");
            let mut script = vec![0];
            for flight in flights.borrow().iter() {
                append(&mut script, 1, flight);
            }
            seeds.add("engine", &format!("{name}-{round}"), &script)?;
        }
        let live = 2 | u8::from(tls13);
        seeds.add("engine", &format!("{name}-live"), &[live])?;
        // A bit, a cut, a ticket.
        for (number, kind, change) in [
            (0, 3, &[0, 0, 60, 1][..]),
            (1, 7, &[0, 0, 100]),
            (2, 1, &[0, 0, 9, 1]),
        ] {
            let mut meddled = vec![live];
            append(&mut meddled, kind, change);
            seeds.add("engine", &format!("{name}-meddled-{number}"), &meddled)?;
        }
    }
    Ok(())
}
