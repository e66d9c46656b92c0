//! Which request an answer is for, and which watch an event.

use std::collections::BTreeMap;

use crate::error::Breach;
use crate::wire::{Decoder, ErrorName, Kind, encode, event_token};

/// What xenstored answered: the payload, or its no.
pub(crate) type Answer = Result<Vec<u8>, ErrorName>;

/// The state of one connection, without its bytes' way.
///
/// `R` is who waits for an answer, `W` who is told of changes. In order: [`Self::ask`] gives the
/// bytes to send; what comes back goes into [`Self::receive`], and [`Self::next`] is called until it
/// has nothing more.
#[derive(Debug)]
pub(crate) struct Exchange<R, W> {
    decoder: Decoder,
    requests: BTreeMap<u32, Asked<R>>,
    watches: BTreeMap<u32, W>,
    /// The last request id and the last token.
    last: (u32, u32),
}

/// A request without its answer.
#[derive(Debug)]
struct Asked<R> {
    kind: Kind,
    /// Nobody, where the answer changes nothing.
    waiting: Option<R>,
}

/// What to do about a message.
#[derive(Debug)]
pub(crate) enum Event<'a, R, W> {
    /// To tell who waits.
    Answered(Option<R>, Answer),
    /// To tell who watches; nobody, if the watch is given up.
    Changed(Option<&'a W>),
}

impl<R, W> Default for Exchange<R, W> {
    fn default() -> Self {
        Self {
            decoder: Decoder::default(),
            requests: BTreeMap::new(),
            watches: BTreeMap::new(),
            last: (0, 0),
        }
    }
}

impl<R, W> Exchange<R, W> {
    /// Makes a request: its id and its bytes. `None` when the payload is too long.
    pub(crate) fn ask(
        &mut self,
        kind: Kind,
        payload: &[u8],
        waiting: Option<R>,
    ) -> Option<(u32, Vec<u8>)> {
        let request = free(&self.requests, self.last.0);
        let bytes = encode(kind, request, payload)?;
        self.last.0 = request;
        self.requests.insert(request, Asked { kind, waiting });
        Some((request, bytes))
    }

    /// Who waits for the answer to a request that was made.
    pub(crate) fn waiting(&self, request: u32) -> Option<&R> {
        self.requests.get(&request)?.waiting.as_ref()
    }

    /// A request is not going to be answered: gives back who waits.
    pub(crate) fn forget(&mut self, request: u32) -> Option<R> {
        self.requests.remove(&request)?.waiting
    }

    /// A new watch: its token.
    pub(crate) fn watch(&mut self, watcher: W) -> u32 {
        let token = free(&self.watches, self.last.1);
        self.last.1 = token;
        self.watches.insert(token, watcher);
        token
    }

    /// A watch is over.
    pub(crate) fn unwatch(&mut self, token: u32) {
        self.watches.remove(&token);
    }

    /// Bytes have come.
    pub(crate) fn receive(&mut self, bytes: &[u8]) {
        self.decoder.push(bytes);
    }

    /// What the next message means, if there is one.
    ///
    /// # Errors
    /// [`Breach`]: the connection is of no more use.
    pub(crate) fn next(&mut self) -> Result<Option<Event<'_, R, W>>, Breach> {
        let Some(message) = self.decoder.next()? else {
            return Ok(None);
        };
        if message.kind == Kind::WatchEvent {
            let token = event_token(&message.payload);
            let watcher = token.and_then(|token| self.watches.get(&token));
            return Ok(Some(Event::Changed(watcher)));
        }
        let asked = self.requests.remove(&message.request);
        let asked = asked.ok_or(Breach::Unasked)?;
        let answer = match message.kind {
            Kind::Error => Err(ErrorName::from_payload(&message.payload)),
            kind if kind == asked.kind => Ok(message.payload),
            _ => return Err(Breach::OtherKind),
        };
        Ok(Some(Event::Answered(asked.waiting, answer)))
    }
}

/// The next number after `last` that is not taken. There are far fewer than numbers.
fn free<T>(taken: &BTreeMap<u32, T>, last: u32) -> u32 {
    let mut next = last.wrapping_add(1);
    while taken.contains_key(&next) {
        next = next.wrapping_add(1);
    }
    next
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    type Plain = Exchange<&'static str, &'static str>;

    fn ask(exchange: &mut Plain, kind: Kind, who: &'static str) -> u32 {
        exchange.ask(kind, b"", Some(who)).expect("short").0
    }

    fn say(exchange: &mut Plain, kind: Kind, request: u32, payload: &[u8]) {
        exchange.receive(&encode(kind, request, payload).expect("short"));
    }

    fn answered(exchange: &mut Plain) -> (Option<&'static str>, Answer) {
        match exchange.next() {
            Ok(Some(Event::Answered(who, answer))) => (who, answer),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn answers_find_who_asked_in_any_order() {
        let mut exchange = Plain::default();
        let first = ask(&mut exchange, Kind::Read, "first");
        let second = ask(&mut exchange, Kind::Rm, "second");
        say(&mut exchange, Kind::Error, second, b"ENOENT\0");
        say(&mut exchange, Kind::Read, first, b"value");
        let no = Err(ErrorName::NoEntry);
        assert_eq!(answered(&mut exchange), (Some("second"), no));
        let yes = Ok(b"value".to_vec());
        assert_eq!(answered(&mut exchange), (Some("first"), yes));
        assert!(matches!(exchange.next(), Ok(None)));
    }

    #[test]
    fn an_answer_to_nothing_or_to_something_else_is_a_breach() {
        let mut exchange = Plain::default();
        say(&mut exchange, Kind::Read, 7, b"");
        assert!(matches!(exchange.next(), Err(Breach::Unasked)));
        let mut exchange = Plain::default();
        let request = ask(&mut exchange, Kind::Read, "who");
        say(&mut exchange, Kind::Rm, request, b"OK\0");
        assert!(matches!(exchange.next(), Err(Breach::OtherKind)));
    }

    #[test]
    fn events_are_told_to_their_watch_and_to_no_other() {
        let mut exchange = Plain::default();
        let (one, two) = (exchange.watch("one"), exchange.watch("two"));
        assert_ne!(one, two);
        let told = |exchange: &mut Plain, token: &str| {
            let payload = format!("/a/path\0{token}\0");
            say(exchange, Kind::WatchEvent, 0, payload.as_bytes());
            match exchange.next() {
                Ok(Some(Event::Changed(watcher))) => watcher.copied(),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(told(&mut exchange, &two.to_string()), Some("two"));
        assert_eq!(told(&mut exchange, "nobody's"), None);
        exchange.unwatch(two);
        assert_eq!(told(&mut exchange, &two.to_string()), None);
        assert_eq!(told(&mut exchange, &one.to_string()), Some("one"));
    }

    #[test]
    fn numbers_that_are_taken_are_passed_over() {
        let mut exchange = Plain {
            last: (u32::MAX - 1, u32::MAX - 1),
            ..Plain::default()
        };
        let requests = [(); 3].map(|()| ask(&mut exchange, Kind::Read, "who"));
        assert_eq!(requests, [u32::MAX, 0, 1]);
        exchange.last.0 = u32::MAX;
        assert_eq!(ask(&mut exchange, Kind::Read, "who"), 2);
    }

    proptest! {
        #[test]
        fn nothing_that_comes_panics_or_answers_twice(
            pieces in vec(prop_oneof![
                vec(any::<u8>(), 0..40),
                (0_u32..24, 0_u32..6, vec(any::<u8>(), 0..20)).prop_map(|(kind, request, payload)| {
                    let length = u32::try_from(payload.len()).expect("short");
                    let header = [kind, request, 0, length].map(u32::to_ne_bytes);
                    [header.as_flattened(), &payload].concat()
                }),
            ], 0..20),
        ) {
            let mut exchange = Plain::default();
            exchange.watch("watch");
            for kind in [Kind::Read, Kind::Directory, Kind::Watch, Kind::GetPerms] {
                ask(&mut exchange, kind, "who");
            }
            let mut answers = 0;
            'all: for piece in pieces {
                exchange.receive(&piece);
                loop {
                    match exchange.next() {
                        Ok(None) => break,
                        Ok(Some(Event::Answered(..))) => answers += 1,
                        Ok(Some(Event::Changed(_))) => {}
                        Err(_) => break 'all,
                    }
                }
            }
            prop_assert!(answers <= 4);
        }
    }
}
