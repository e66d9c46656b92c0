//! Who is connected, and holds what.

use std::collections::BTreeMap;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use proto::id::Seid;
use serde::{Deserialize, Serialize};

use super::hand::Listed;

/// All connections of a server.
#[derive(Debug, Clone)]
pub struct Census {
    room: Arc<Room>,
    /// Most users, and most connections that have yet to show who they are.
    limit: usize,
}

#[derive(Debug, Default)]
struct Room {
    seats: Mutex<Seats>,
    /// Somebody has given a card back, or left.
    left: Condvar,
}

#[derive(Debug, Default)]
struct Seats {
    next: u64,
    taken: BTreeMap<u64, Taken>,
    is_closed: bool,
}

#[derive(Debug)]
struct Taken {
    address: SocketAddr,
    since: Instant,
    /// `None` before the TLS handshake is over.
    user: Option<String>,
    held: BTreeMap<Seid, Instant>,
    /// To end it from outside.
    socket: TcpStream,
}

/// The place of one connection, which it leaves when this is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    census: Census,
    number: u64,
}

/// There is no place left, or the server ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoSeat;

impl Census {
    /// Nobody yet.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            room: Arc::default(),
            limit,
        }
    }

    /// Takes a place for a connection that has yet to show who it is.
    pub(super) fn sit(&self, address: SocketAddr, socket: TcpStream) -> Result<Seat, NoSeat> {
        let mut seats = self.lock();
        let strangers = seats.taken.values().filter(|taken| taken.user.is_none());
        if seats.is_closed || strangers.count() >= self.limit {
            return Err(NoSeat);
        }
        let number = seats.next;
        seats.next += 1;
        let taken = Taken {
            address,
            since: Instant::now(),
            user: None,
            held: BTreeMap::new(),
            socket,
        };
        seats.taken.insert(number, taken);
        let census = self.clone();
        Ok(Seat { census, number })
    }

    /// Ends all connections, and lets no more in.
    pub fn close(&self) {
        let mut seats = self.lock();
        seats.is_closed = true;
        for taken in seats.taken.values() {
            // It may have ended already.
            let _ = taken.socket.shutdown(Shutdown::Both);
        }
    }

    /// Whether no connection is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lock().taken.is_empty()
    }

    /// The most users at the same time.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// The users that are connected, those first who came first.
    #[must_use]
    pub fn views(&self) -> Vec<RacsConnectionView> {
        let seats = self.lock();
        let of_users = seats.taken.values().filter_map(|taken| {
            let holds = taken.held.iter().map(|(seid, since)| HoldView {
                seid: seid.clone(),
                since_s: since.elapsed().as_secs(),
            });
            Some(RacsConnectionView {
                user: taken.user.clone()?,
                address: taken.address.to_string(),
                since_s: taken.since.elapsed().as_secs(),
                holds: holds.collect(),
            })
        });
        of_users.collect()
    }

    fn lock(&self) -> MutexGuard<'_, Seats> {
        // Every change is made at once, so there is nothing half done.
        self.room
            .seats
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    /// It is this user's from now on.
    pub(super) fn admit(&self, user: &str) -> Result<(), NoSeat> {
        let mut seats = self.census.lock();
        let users = seats.taken.values().filter(|taken| taken.user.is_some());
        if seats.is_closed || users.count() >= self.census.limit {
            return Err(NoSeat);
        }
        if let Some(taken) = seats.taken.get_mut(&self.number) {
            taken.user = Some(user.to_owned());
        }
        Ok(())
    }

    /// Whether the server ends all connections.
    pub(super) fn is_closing(&self) -> bool {
        self.census.lock().is_closed
    }
}

impl Listed for Seat {
    fn took(&self, seid: &Seid, now: Instant) {
        if let Some(taken) = self.census.lock().taken.get_mut(&self.number) {
            taken.held.insert(seid.clone(), now);
        }
    }

    fn gave_back(&self, seid: &Seid) {
        if let Some(taken) = self.census.lock().taken.get_mut(&self.number) {
            taken.held.remove(seid);
        }
        self.census.room.left.notify_all();
    }

    fn is_left_by_others_of(&self, user: &str, seid: &Seid, deadline: Instant) -> bool {
        let is_held = |seats: &mut Seats| {
            let mut others = seats.taken.iter().filter(|(at, _)| **at != self.number);
            others.any(|(_, taken)| {
                taken.user.as_deref() == Some(user) && taken.held.contains_key(seid)
            })
        };
        let time = deadline.saturating_duration_since(Instant::now());
        let Room { left, .. } = &*self.census.room;
        let waited = left.wait_timeout_while(self.census.lock(), time, is_held);
        let (_seats, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        !waited.timed_out()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.census.lock().taken.remove(&self.number);
        self.census.room.left.notify_all();
    }
}

/// A user who is connected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RacsConnectionView {
    /// The common name of the certificate.
    pub user: String,
    /// From where.
    pub address: String,
    /// For how long, in seconds.
    pub since_s: u64,
    /// Cards that nobody else can use meanwhile.
    pub holds: Vec<HoldView>,
}

/// A card in a user's hand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldView {
    /// The card.
    pub seid: Seid,
    /// For how long, in seconds.
    pub since_s: u64,
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::net::TcpListener;
    use std::thread;
    use std::time::Duration;

    use super::*;

    fn socket() -> (SocketAddr, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound");
        (address, TcpStream::connect(address).expect("it listens"))
    }

    #[test]
    fn places_are_bounded_and_free_again() {
        let census = Census::new(2);
        let sit = || {
            let (address, socket) = socket();
            census.sit(address, socket)
        };
        let (first, second) = (sit().expect("room"), sit().expect("room"));
        assert_eq!(sit().expect_err("two strangers"), NoSeat);
        first.admit("a").expect("room");
        // A stranger's place is free, a user's not before one leaves.
        let third = sit().expect("room");
        second.admit("b").expect("room");
        assert_eq!(third.admit("c"), Err(NoSeat));
        drop(first);
        third.admit("c").expect("room");
        let users: Vec<String> = census.views().into_iter().map(|view| view.user).collect();
        assert_eq!(users, ["b", "c"]);
        census.close();
        assert_eq!(sit().expect_err("it ends"), NoSeat);
        assert!(!census.is_empty());
        drop((second, third));
        assert!(census.is_empty());
    }

    #[test]
    fn who_holds_what_can_be_seen() {
        let census = Census::new(1);
        let (address, socket) = socket();
        let seat = census.sit(address, socket).expect("room");
        assert!(census.views().is_empty(), "a stranger is nobody yet");
        seat.admit("factory").expect("room");
        let seid: Seid = "se-00".parse().expect("a name");
        seat.took(&seid, Instant::now());
        let [view] = &census.views()[..] else {
            panic!("one");
        };
        assert_eq!((view.user.as_str(), view.holds.len()), ("factory", 1));
        assert_eq!(view.holds[0].seid, seid);
        seat.gave_back(&seid);
        assert!(census.views()[0].holds.is_empty());
    }

    #[test]
    fn a_card_that_another_connection_of_the_same_user_leaves_is_waited_for() {
        let census = Census::new(3);
        let [first, second, other] = ["one", "one", "other"].map(|user| {
            let (address, socket) = socket();
            let seat = census.sit(address, socket).expect("room");
            seat.admit(user).expect("room");
            seat
        });
        let seid: Seid = "se-00".parse().expect("a name");
        let soon = || Instant::now() + Duration::from_secs(60);
        assert!(
            second.is_left_by_others_of("one", &seid, soon()),
            "nobody has it"
        );
        other.took(&seid, Instant::now());
        assert!(
            second.is_left_by_others_of("one", &seid, soon()),
            "not this user's"
        );
        first.took(&seid, Instant::now());
        assert!(!second.is_left_by_others_of("one", &seid, Instant::now()));
        let left = |leave: &dyn Fn()| {
            thread::scope(|scope| {
                let waiter = scope.spawn(|| second.is_left_by_others_of("one", &seid, soon()));
                leave();
                waiter.join().expect("no panic")
            })
        };
        assert!(left(&|| first.gave_back(&seid)));
        first.took(&seid, Instant::now());
        let first = Cell::new(Some(first));
        assert!(left(&|| drop(first.take())));
    }
}
