//! Bindings made with `vm bind`.

use std::sync::Arc;

use proto::id::{DomainUuid, IdentityName, Seid};
use proto::racs::AllowList;
use proto::tls::ProtocolVersion;
use rusqlite::{Row, params};

use super::change::Edit;
use super::error::StateError;
use super::open::State;
use super::value::{int, json, parsed, seconds, time, to_json, unreadable};
use crate::mapping::{NamePattern, Terms};
use crate::time::UnixTime;

/// A domain may use one identity of a card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredBinding {
    /// The domain.
    pub domain: DomainUuid,
    /// The card.
    pub seid: Seid,
    /// The identity; `None` for the only one the card holds.
    pub identity: Option<IdentityName>,
    /// The CA certificates that servers must chain to, as PEM: what the operator's file held then.
    pub trust: String,
    /// The identity's certificate (DER), when the operator gave it.
    pub certificate: Option<Vec<u8>>,
    /// What handshakes may be made with it.
    pub terms: Terms,
    /// The raw APDUs that the domain may send to the card; `None` for none.
    pub raw_apdu: Option<Arc<AllowList>>,
    /// Whether other domains may use other identities of the card.
    pub shared: bool,
    /// When it was made, in whole seconds.
    pub bound_at: UnixTime,
}

impl State {
    /// All bindings.
    ///
    /// # Errors
    /// [`StateError`] when they cannot be read.
    pub fn bindings(&self) -> Result<Vec<StoredBinding>, StateError> {
        self.lock().run(|connection| {
            let mut select = connection.prepare(
                "SELECT domain, seid, identity, trust, certificate, server_names, min_version,
                        resume, shared, bound_at, raw_apdu
                 FROM binding ORDER BY id",
            )?;
            let rows = select.query_map((), read)?;
            rows.collect()
        })
    }
}

impl Edit<'_> {
    /// Adds a binding.
    ///
    /// # Errors
    /// As SQLite has them; also when the identity is bound already.
    pub fn bind(&self, binding: &StoredBinding) -> rusqlite::Result<()> {
        let terms = &binding.terms;
        let server_names: Vec<String> =
            terms.server_names.iter().map(ToString::to_string).collect();
        self.transaction
            .execute(
                "INSERT INTO binding (domain, seid, identity, trust, certificate, server_names,
                                      min_version, resume, shared, bound_at, change, raw_apdu)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
                params![
                    binding.domain.to_string(),
                    binding.seid.as_str(),
                    binding.identity.as_ref().map(IdentityName::as_str),
                    binding.trust,
                    binding.certificate,
                    to_json(&server_names)?,
                    terms.min_version.0,
                    terms.resume,
                    binding.shared,
                    seconds(binding.bound_at),
                    int(self.change),
                    binding.raw_apdu.as_ref().map(ToString::to_string),
                ],
            )
            .map(drop)
    }

    /// Removes all bindings of a domain and says how many there were.
    ///
    /// # Errors
    /// As SQLite has them.
    pub fn unbind(&self, domain: DomainUuid) -> rusqlite::Result<usize> {
        let delete = "DELETE FROM binding WHERE domain = ?1";
        self.transaction.execute(delete, [domain.to_string()])
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<StoredBinding> {
    let identity: Option<String> = row.get(2)?;
    let identity = identity.map(|name| name.parse().map_err(|error| unreadable(2, error)));
    let names: Vec<String> = json(row, 5)?;
    let names = names.iter().map(|name| name.parse());
    let names: Result<Vec<NamePattern>, _> = names.collect();
    let raw_apdu: Option<String> = row.get(10)?;
    let raw_apdu = raw_apdu.map(|text| text.parse::<AllowList>());
    Ok(StoredBinding {
        domain: parsed(row, 0)?,
        seid: parsed(row, 1)?,
        identity: identity.transpose()?,
        trust: row.get(3)?,
        certificate: row.get(4)?,
        terms: Terms {
            server_names: names.map_err(|error| unreadable(5, error))?,
            min_version: ProtocolVersion(row.get(6)?),
            resume: row.get(7)?,
        },
        shared: row.get(8)?,
        bound_at: time(row, 9)?,
        raw_apdu: raw_apdu
            .transpose()
            .map_err(|error| unreadable(10, error))?
            .map(Arc::new),
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{binding, open, open_again, record};
    use super::*;

    fn bind(state: &State, bindings: &[StoredBinding]) -> bool {
        let edit = |edit: &Edit<'_>| bindings.iter().try_for_each(|binding| edit.bind(binding));
        state.change(edit, record).is_ok()
    }

    #[test]
    fn a_binding_is_read_back_as_it_was_made() {
        let (dir, state) = open();
        let full = StoredBinding {
            certificate: Some(vec![0x30, 0]),
            terms: Terms {
                server_names: vec!["*.example.org".parse().expect("a pattern")],
                min_version: ProtocolVersion::TLS1_3,
                resume: false,
            },
            raw_apdu: Some(Arc::new("FFFF0000 00A40000".parse().expect("a list"))),
            shared: true,
            ..binding(1, "se-00", Some("web01"))
        };
        let all = [full, binding(2, "se-01", None)];
        assert!(bind(&state, &all));
        drop(state);
        assert_eq!(open_again(&dir).bindings().expect("read"), all);
    }

    #[test]
    fn several_bindings_are_made_at_once_or_not_at_all() {
        let (_dir, state) = open();
        assert!(bind(&state, &[binding(1, "se-00", Some("a"))]));
        for taken in [
            [
                binding(2, "se-00", Some("b")),
                binding(2, "se-00", Some("a")),
            ],
            [binding(2, "se-01", None), binding(3, "se-01", None)],
        ] {
            assert!(!bind(&state, &taken));
            assert_eq!(state.bindings().expect("read").len(), 1);
        }
    }

    #[test]
    fn a_domain_is_unbound_as_a_whole_and_no_other_is() {
        let (_dir, state) = open();
        let of_one = [
            binding(1, "se-00", Some("a")),
            binding(1, "se-00", Some("b")),
        ];
        assert!(bind(&state, &of_one));
        assert!(bind(&state, &[binding(2, "se-01", None)]));
        let unbind = |edit: &Edit<'_>| edit.unbind(DomainUuid::from_bytes([1; 16]));
        let removed = state.change(unbind, record);
        assert_eq!(removed.expect("made"), 2);
        assert_eq!(state.bindings().expect("read"), [binding(2, "se-01", None)]);
    }
}
