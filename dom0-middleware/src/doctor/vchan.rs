//! What vchans need of this host.

use xen_channel::{Device, LibraryError, Libxenvchan, Role};

use super::finding::Finding;

/// Whether it is there.
#[derive(Debug)]
pub(crate) struct VchanFacts {
    /// The library's name, or which names were tried.
    pub(super) library: Result<String, LibraryError>,
    /// Device nodes that are missing.
    pub(super) missing: Vec<Device>,
}

impl VchanFacts {
    /// Looks.
    pub(crate) fn probe() -> Self {
        let library = Libxenvchan::open();
        Self {
            library: library.map(|library| library.name().to_string_lossy().into_owned()),
            missing: Role::Server.missing_devices(),
        }
    }

    /// What is not as it should be.
    pub(crate) fn findings(&self) -> Vec<Finding> {
        let library = match &self.library {
            Ok(name) => Finding::ok("vchan", format!("{name} is there")),
            Err(error) => Finding::fail("vchan", error.to_string()).next(error.cure()),
        };
        let devices = self.missing.iter().map(|Device { path, module }| {
            Finding::fail("vchan", format!("{path} is missing"))
                .next(format!("modprobe {module}, and name it in /etc/modules"))
        });
        [library].into_iter().chain(devices).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_missing_device_has_its_module() {
        let facts = VchanFacts {
            library: Ok("libxenvchan.so.4.17".to_owned()),
            missing: Role::Server.devices().to_vec(),
        };
        let next = facts.findings().into_iter().filter_map(|it| it.next);
        let next: Vec<String> = next.collect();
        assert_eq!(next.len(), 2);
        assert!(next[0].starts_with("modprobe xen-gntalloc"), "{next:?}");
        assert!(next[1].starts_with("modprobe xen-evtchn"), "{next:?}");
    }
}
