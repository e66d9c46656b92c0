//! Ports for programs that must be told theirs.

use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::{BuildHasher, Hasher};
use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;

use crate::wait;

/// Ports that no connection gets by itself: below those that Linux gives out.
const PORTS: Range<u16> = 10_000..32_000;

/// Whether somebody listens at a TCP port of this machine. Only looks: to try the port would take it
/// away from a daemon that is about to.
///
/// # Panics
/// Where this is not Linux.
#[must_use]
pub fn is_listened_at(port: u16) -> bool {
    const LISTEN: &str = "0A";
    let address = format!(":{port:04X}");
    let sockets = fs::read_to_string("/proc/net/tcp").expect("Linux");
    sockets.lines().any(|line| {
        // `sl local_address rem_address st`
        let mut fields = line.split_whitespace().skip(1);
        let is_there = fields.next().is_some_and(|local| local.ends_with(&address));
        is_there && fields.nth(1) == Some(LISTEN)
    })
}

/// The first of two ports in a row that nobody has.
///
/// # Panics
/// When there are none.
#[must_use]
pub fn two_free() -> u16 {
    let is_free = |port: u16| TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok();
    wait::until("two free ports in a row", || {
        // Tests run at the same time, so each begins somewhere else.
        let random = RandomState::new().build_hasher().finish();
        let pairs = u64::from(PORTS.end - PORTS.start) / 2;
        let port = PORTS.start + 2 * u16::try_from(random % pairs).ok()?;
        (is_free(port) && is_free(port + 1)).then_some(port)
    })
}
