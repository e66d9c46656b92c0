//! Handshakes of guests with cards of another host: two services, and a network between them.

use std::thread;
use std::time::{Duration, Instant};

use integration::chain::{CardPlan, Chain, ChainPlan, GuestPlan, request};
use integration::pki::{KeyKind, Pki};
use integration::racs_user::{ALL, RacsDesk, SERVER_NAME, address, user_of};
use integration::tls_server::{TlsServer, echo};
use integration::wait;
use rustls::version::TLS12;

use super::delay::Delay;
use crate::NAME;
use crate::door::Door;
use crate::figures::{Figures, Times, Unit};

/// The user that the host with the guests is.
const HOST: &str = "host-a";
/// How a card elsewhere is spoken to, and what the configuration says of that.
pub(crate) const FAR: [(&str, &str); 2] = [("batches", ""), ("one by one", "batches = false\n")];
/// How far it is, in milliseconds each way, and how many handshakes are made.
pub(crate) const DISTANCES: [(u64, usize); 3] = [(0, 60), (1, 60), (20, 8)];

/// Measures full handshakes of TLS 1.2 at both doors.
pub(super) fn measure(pki: &Pki, figures: &mut Figures) {
    for door in Door::BOTH {
        at(door, pki, figures);
    }
}

fn at(door: Door, pki: &Pki, figures: &mut Figures) {
    let desk = RacsDesk::new(pki);
    let cards = || (0..FAR.len()).map(|number| door.card(&seid(number), 1, KeyKind::Rsa2048));
    let seids: Vec<String> = (0..FAR.len()).map(seid).collect();
    let rights: Vec<(&str, &str)> = seids.iter().map(|seid| (seid.as_str(), ALL)).collect();
    let plan = cards().fold(ChainPlan::new(), ChainPlan::card);
    let grid = plan.more_config(&desk.config("", &[&user_of(HOST, &rights)]));
    let grid = Chain::start(pki, &grid);
    let port = address(&grid).port();
    wait_listed(&grid, &desk);
    let delay = Delay::start(port);

    let near = door.card("se-near", 1, KeyKind::Rsa2048);
    let plan = ChainPlan::new().card(near);
    let plan = plan.guest(GuestPlan::new("near").bound("se-near", door.identity(0)));
    let elsewhere = |(card, (_, more)): (CardPlan, &(&str, &str))| {
        card.elsewhere(grid.folder(), &source(&desk, delay.port(), more))
    };
    let plan = cards().zip(&FAR).map(elsewhere).fold(plan, ChainPlan::card);
    let plan = FAR
        .iter()
        .zip(&seids)
        .fold(plan, |plan, ((name, _), seid)| {
            plan.guest(GuestPlan::new(&guest(name)).bound(seid, door.identity(0)))
        });
    let chain = Chain::start(pki, &plan);

    let credential = pki.server(NAME, KeyKind::P256);
    let server = TlsServer::start(pki, &credential, &TLS12, echo);
    let guests = ["near", &guest(FAR[0].0), &guest(FAR[1].0)];
    let mut here = Times::default();
    let mut there = Vec::new();
    for (distance, count) in DISTANCES {
        delay.set(Duration::from_millis(distance));
        let [near, far @ ..] = handshakes(&chain, guests, server.port(), (distance, count));
        here.extend(near);
        let far = FAR.iter().zip(far);
        there.extend(far.map(|((how, _), times)| (distance, how, times.median())));
    }
    let near = here.median();
    let name = format!("racs, {}handshake: card here", door.prefix());
    figures.add(&name, near, Unit::Millis);
    for (distance, how, far) in there {
        figures.add(&added(door, distance, how), far - near, Unit::Millis);
    }
}

/// The name of the figure.
pub(crate) fn added(door: Door, milliseconds: u64, how: &str) -> String {
    let door = door.prefix();
    format!("racs, {door}handshake: card {milliseconds} ms away, {how}, added")
}

/// The times of full handshakes of these guests, made in turns.
fn handshakes(
    chain: &Chain,
    guests: [&str; 3],
    port: u16,
    (distance, count): (u64, usize),
) -> [Times; 3] {
    let mut times: [Times; 3] = Default::default();
    // The first ones show the middleware what the cards can do.
    for number in 0..count + 2 {
        for (guest, times) in guests.into_iter().zip(&mut times) {
            // The card comes to rest after the one before.
            thread::park_timeout(Duration::from_millis(5 + 3 * distance));
            let time = handshake(chain, guest, port);
            if number >= 2 {
                times.add(time);
            }
        }
    }
    times
}

fn handshake(chain: &Chain, guest: &str, port: u16) -> Duration {
    let mut wish = request(port, NAME);
    wish.resume = Some(false);
    let begun = Instant::now();
    let session = chain.guest(guest).ask(wish).expect("a session");
    let time = begun.elapsed();
    assert!(!session.established.abbreviated);
    session.close();
    time
}

fn seid(number: usize) -> String {
    format!("se-{number:02}")
}

fn guest(how: &str) -> String {
    how.replace(' ', "-")
}

/// What the configuration says of a card beyond the network.
fn source(desk: &RacsDesk, port: u16, more: &str) -> String {
    let (ca, own) = desk.files_of(HOST);
    format!(
        "kind = \"racs\"\nhost = \"127.0.0.1:{port}\"\nserver_name = \"{SERVER_NAME}\"\n\
         certificate = {:?}\nkey = {:?}\nca = {ca:?}\nrules = \"tessera\"\n\
         trusted_with_keys = true\n{more}",
        own.certificate, own.key,
    )
}

fn wait_listed(grid: &Chain, desk: &RacsDesk) {
    let mut user = desk.user(grid, HOST);
    wait::until("the cards are there", || {
        let listed = user.say("LIST");
        (listed.split_whitespace().count() == FAR.len() + 2).then_some(())
    });
    user.leave();
}
