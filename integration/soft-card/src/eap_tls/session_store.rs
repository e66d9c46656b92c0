//! The card's session cache: one session, whoever it was made by and for.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use rustls::NamedGroup;
use rustls::client::{ClientSessionStore, Tls12ClientSessionValue, Tls13ClientSessionValue};
use rustls_pki_types::ServerName;

/// One TLS 1.2 session for the whole card.
///
/// Like the cards it stands for, it is shared by all identities and looks at no server name; it
/// outlives SELECT, Set-Identity and power-off. Keeping sessions apart is the duty of the host.
/// TLS 1.3 sessions are never kept: their tickets arrive after the card's part is over.
///
/// Source: EAP-TLS card specification §7.6, §9.3.
#[derive(Default)]
pub(super) struct OneSession(Mutex<Option<Tls12ClientSessionValue>>);

impl OneSession {
    /// Forgets the session: method function C2, or flag 01 of the handshake parameters.
    pub(super) fn forget(&self) {
        self.replace(None);
    }

    fn replace(&self, session: Option<Tls12ClientSessionValue>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = session;
    }
}

impl ClientSessionStore for OneSession {
    fn set_kx_hint(&self, _: ServerName<'static>, _: NamedGroup) {}

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        None
    }

    fn set_tls12_session(&self, _: ServerName<'static>, session: Tls12ClientSessionValue) {
        self.replace(Some(session));
    }

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {
        self.forget();
    }

    fn insert_tls13_ticket(&self, _: ServerName<'static>, _: Tls13ClientSessionValue) {}

    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        None
    }
}

impl fmt::Debug for OneSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OneSession(..)")
    }
}
