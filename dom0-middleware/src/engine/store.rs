//! Sessions that can be resumed, of one (card, identity, domain).

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustls::NamedGroup;
use rustls::client::{ClientSessionStore, Tls12ClientSessionValue, Tls13ClientSessionValue};
use rustls_pki_types::ServerName;

/// Keeps sessions by server name: of each server one of TLS 1.2 and the latest tickets of TLS 1.3,
/// of the servers those used last. The secrets in them are wiped when they are dropped.
#[derive(Default)]
pub(super) struct SessionStore(Mutex<VecDeque<Server>>);

/// What is kept of one server.
struct Server {
    name: ServerName<'static>,
    group: Option<NamedGroup>,
    tls12: Option<Tls12ClientSessionValue>,
    tls13: VecDeque<Tls13ClientSessionValue>,
}

impl SessionStore {
    /// Forgets what there is of `name`.
    pub(super) fn forget(&self, name: &ServerName<'_>) {
        self.servers().retain(|server| server.name != *name);
    }

    fn servers(&self) -> MutexGuard<'_, VecDeque<Server>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what is kept of `name`, which is now the server used last.
    fn update<T>(&self, name: ServerName<'static>, change: impl FnOnce(&mut Server) -> T) -> T {
        let mut servers = self.servers();
        let known = servers.iter().position(|server| server.name == name);
        let mut server = known
            .and_then(|place| servers.remove(place))
            .unwrap_or_else(|| Server::new(name));
        let result = change(&mut server);
        if servers.len() >= MAX_SERVERS {
            servers.pop_front();
        }
        servers.push_back(server);
        result
    }

    /// Reads what is kept of `name`.
    fn read<T>(
        &self,
        name: &ServerName<'_>,
        read: impl FnOnce(&mut Server) -> Option<T>,
    ) -> Option<T> {
        let mut servers = self.servers();
        read(servers.iter_mut().find(|server| server.name == *name)?)
    }
}

impl Server {
    fn new(name: ServerName<'static>) -> Self {
        Self {
            name,
            group: None,
            tls12: None,
            tls13: VecDeque::new(),
        }
    }
}

impl ClientSessionStore for SessionStore {
    fn set_kx_hint(&self, name: ServerName<'static>, group: NamedGroup) {
        // Both are in the first ClientHello anyway, and to begin with the second would keep a
        // server that learns the first from ever being asked for it.
        let at_once = matches!(group, NamedGroup::X25519MLKEM768 | NamedGroup::X25519);
        self.update(name, |server| server.group = (!at_once).then_some(group));
    }

    fn kx_hint(&self, name: &ServerName<'_>) -> Option<NamedGroup> {
        self.read(name, |server| server.group)
    }

    fn set_tls12_session(&self, name: ServerName<'static>, session: Tls12ClientSessionValue) {
        self.update(name, |server| server.tls12 = Some(session));
    }

    fn tls12_session(&self, name: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.read(name, |server| server.tls12.clone())
    }

    fn remove_tls12_session(&self, name: &ServerName<'static>) {
        self.read(name, |server| server.tls12.take());
    }

    fn insert_tls13_ticket(&self, name: ServerName<'static>, ticket: Tls13ClientSessionValue) {
        self.update(name, |server| {
            if server.tls13.len() >= MAX_TICKETS {
                server.tls13.pop_front();
            }
            server.tls13.push_back(ticket);
        });
    }

    // The latest first: it lives longest.
    fn take_tls13_ticket(&self, name: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.read(name, |server| server.tls13.pop_back())
    }
}

/// Shows how much there is, not what.
impl fmt::Debug for SessionStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionStore({} servers)", self.servers().len())
    }
}

/// Servers of which something is kept.
const MAX_SERVERS: usize = 16;
/// Tickets of TLS 1.3 kept of each server; each is used once.
const MAX_TICKETS: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    fn name(number: usize) -> ServerName<'static> {
        ServerName::try_from(format!("server{number}.example")).expect("a DNS name")
    }

    #[test]
    fn the_server_used_longest_ago_is_forgotten_first() {
        let store = SessionStore::default();
        for number in 0..MAX_SERVERS {
            store.set_kx_hint(name(number), NamedGroup::secp256r1);
        }
        store.set_kx_hint(name(0), NamedGroup::secp384r1);
        store.set_kx_hint(name(MAX_SERVERS), NamedGroup::secp256r1);
        assert_eq!(store.servers().len(), MAX_SERVERS);
        assert_eq!(store.kx_hint(&name(0)), Some(NamedGroup::secp384r1));
        assert_eq!(store.kx_hint(&name(1)), None);
        assert_eq!(store.kx_hint(&name(2)), Some(NamedGroup::secp256r1));
    }

    #[test]
    fn no_server_keeps_a_handshake_from_beginning_with_the_hybrid_group() {
        let store = SessionStore::default();
        store.set_kx_hint(name(0), NamedGroup::secp256r1);
        for group in [NamedGroup::X25519, NamedGroup::X25519MLKEM768] {
            store.set_kx_hint(name(0), group);
            assert_eq!(store.kx_hint(&name(0)), None);
        }
    }

    #[test]
    fn a_forgotten_server_is_as_if_never_seen() {
        let store = SessionStore::default();
        store.set_kx_hint(name(0), NamedGroup::secp256r1);
        store.forget(&name(1));
        assert!(store.kx_hint(&name(0)).is_some());
        store.forget(&name(0));
        assert!(store.kx_hint(&name(0)).is_none() && store.servers().is_empty());
    }
}
