//! The device nodes that libxenvchan opens.

use std::fmt;
use std::path::Path;

/// Which end of a vchan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The end that shares pages.
    Server,
    /// The end that maps them.
    Client,
}

/// A device node, and the kernel's module that makes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Device {
    /// Its path.
    pub path: &'static str,
    /// The module.
    pub module: &'static str,
}

const EVENTS: Device = Device {
    path: "/dev/xen/evtchn",
    module: "xen-evtchn",
};
const SHARE: Device = Device {
    path: "/dev/xen/gntalloc",
    module: "xen-gntalloc",
};
const MAP: Device = Device {
    path: "/dev/xen/gntdev",
    module: "xen-gntdev",
};

impl Role {
    /// The device nodes that this end needs.
    #[must_use]
    pub fn devices(self) -> [Device; 2] {
        match self {
            Self::Server => [SHARE, EVENTS],
            Self::Client => [MAP, EVENTS],
        }
    }

    /// Those of them that are not there.
    #[must_use]
    pub fn missing_devices(self) -> Vec<Device> {
        let devices = self.devices().into_iter();
        devices
            .filter(|device| !Path::new(device.path).exists())
            .collect()
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is missing: modprobe {}", self.path, self.module)
    }
}
