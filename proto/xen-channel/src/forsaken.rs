//! A vchan that must not be closed any more.
//!
//! A domain that is saved and restored, or migrates, keeps its descriptors and mappings, and what they
//! stood for is gone. In a PV domain the page of the ring is not there any more: who touches it is
//! killed, and so is the kernel's thread that clears the byte in it by which the library tells the other
//! end of its death (`unmap_grant_pages` in `drivers/xen/gntdev.c`, Linux 6.1: an oops while the process
//! exits, which never ends then). So that order is taken back, nothing is unmapped, and the descriptors
//! stay: two of them, and the pages' addresses, are what each restoring costs.

use std::fs;
use std::io;
use std::os::fd::RawFd;
use std::path::Path;

/// `struct ioctl_gntdev_unmap_notify` of `include/uapi/xen/gntdev.h`.
#[repr(C)]
struct UnmapNotify {
    /// Byte in the mappings of the descriptor, counted from the first one's begin.
    index: u64,
    /// What to do there when it is unmapped: nothing.
    action: u32,
    event_channel_port: u32,
}

/// `IOCTL_GNTDEV_SET_UNMAP_NOTIFY`, `_IOC(_IOC_NONE, 'G', 7, 16)`.
const SET_UNMAP_NOTIFY: u32 = 0x0010_4707;

#[allow(unsafe_code)]
mod ioctl {
    use super::{SET_UNMAP_NOTIFY, UnmapNotify};

    nix::ioctl_write_ptr_bad!(
        /// Says what happens when a mapping ends.
        set_unmap_notify,
        SET_UNMAP_NOTIFY,
        UnmapNotify
    );
}

/// Lets the kernel do nothing to the rings of vchans when this process ends. It has no other use for
/// that device, and no vchan as a client that is still good.
pub(crate) fn expect_nothing_of_the_kernel() {
    for descriptor in descriptors_of(Path::new("/dev/xen/gntdev")) {
        // The library maps the page with that byte first, at 0.
        let nothing = UnmapNotify {
            index: 0,
            action: 0,
            event_channel_port: 0,
        };
        // SAFETY: the descriptor is one of that device, at worst one of something else that a thread
        // has opened since, which does not know the call; the structure is the one it reads.
        #[allow(unsafe_code)]
        let _not_mapped_yet = unsafe { ioctl::set_unmap_notify(descriptor, &raw const nothing) };
    }
}

/// The open descriptors of this process that lead to `device`.
fn descriptors_of(device: &Path) -> Vec<RawFd> {
    let listed = || -> io::Result<Vec<RawFd>> {
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc/self/fd")? {
            let entry = entry?;
            if fs::read_link(entry.path()).is_ok_and(|target| target == device) {
                found.extend(
                    entry
                        .file_name()
                        .to_str()
                        .and_then(|name| name.parse::<RawFd>().ok()),
                );
            }
        }
        Ok(found)
    };
    listed().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::fd::AsRawFd;

    use super::*;

    #[test]
    fn the_descriptors_of_a_device_are_found() {
        let device = Path::new("/dev/null");
        let one = File::open(device).expect("there");
        let other = File::open(device).expect("there");
        let found = descriptors_of(device);
        assert!(found.contains(&one.as_raw_fd()) && found.contains(&other.as_raw_fd()));
        assert!(descriptors_of(Path::new("/dev/xen/nothing")).is_empty());
    }
}
