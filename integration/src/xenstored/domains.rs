//! What the toolstack writes for a domain.

use super::daemon::Xenstored;
use super::wire::{Client, StoreError};

/// A domain as `xl create` makes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Domain {
    /// Its domid.
    pub domid: u16,
    /// Its UUID.
    pub uuid: String,
    /// Its name.
    pub name: String,
}

impl Domain {
    /// A domain with the `number`th UUID.
    #[must_use]
    pub fn new(domid: u16, number: usize, name: &str) -> Self {
        Self {
            domid,
            uuid: uuid(number),
            name: name.to_owned(),
        }
    }

    fn path(&self) -> String {
        format!("/local/domain/{}", self.domid)
    }

    /// Writes what identifies it, as libxl does: dom0 owns it, the domain may read it.
    fn write(&self, store: &mut Client) -> Result<(), StoreError> {
        let reader = format!("r{}", self.domid);
        let vm = format!("/vm/{}", self.uuid);
        let domain = self.path();
        for path in [&vm, &domain] {
            store.write(path, b"")?;
            store.set_permissions(path, &["n0", &reader])?;
        }
        store.write(&format!("{domain}/vm"), vm.as_bytes())?;
        store.write(&format!("{domain}/name"), self.name.as_bytes())?;
        store.write(
            &format!("{domain}/domid"),
            self.domid.to_string().as_bytes(),
        )?;
        // The domain's own: nothing below it may decide anything.
        store.write(&format!("{domain}/data"), b"")?;
        store.set_permissions(&format!("{domain}/data"), &[&format!("n{}", self.domid)])?;
        store.write(&format!("{vm}/uuid"), self.uuid.as_bytes())?;
        store.write(&format!("{vm}/name"), self.name.as_bytes())
    }
}

/// The UUID that guests of tests have by their number.
#[must_use]
pub fn uuid(number: usize) -> String {
    format!("7e55e2a0-0000-4000-8000-{number:012x}")
}

impl Xenstored {
    /// A domain begins: written first, then introduced.
    ///
    /// # Panics
    /// When the daemon says no.
    pub fn create(&self, domain: &Domain) {
        self.change(|store| {
            domain.write(store)?;
            store.introduce(domain.domid)
        });
    }

    /// Writes what stands in the store for many domains, without introducing them: the more
    /// domains there are, the longer the daemon takes for any request.
    ///
    /// # Panics
    /// When the daemon says no.
    pub fn write_all(&self, domains: impl IntoIterator<Item = Domain>) {
        self.change(|store| {
            let mut domains = domains.into_iter();
            domains.try_for_each(|domain| domain.write(store))
        });
    }

    /// A domain is destroyed: its nodes go first.
    ///
    /// # Panics
    /// When the daemon says no.
    pub fn destroy(&self, domid: u16) {
        self.change(|store| {
            store.remove(&format!("/local/domain/{domid}"))?;
            store.release(domid)
        });
    }

    /// A domain gets another name, as by `xl rename`.
    ///
    /// # Panics
    /// When the daemon says no.
    pub fn rename(&self, domain: &Domain, name: &str) {
        self.change(|store| {
            store.write(&format!("{}/name", domain.path()), name.as_bytes())?;
            store.write(&format!("/vm/{}/name", domain.uuid), name.as_bytes())
        });
    }
}
