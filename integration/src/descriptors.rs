//! Enough descriptors for a thousand connections.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Raises this process's limit of open files, and that of the processes it starts, to `count` if
/// it is lower. Says on stderr what stands against it, if anything does.
#[must_use]
pub fn provide(count: u64) -> bool {
    let resource = Resource::RLIMIT_NOFILE;
    let (soft, hard) = getrlimit(resource).expect("there is one");
    if hard < count {
        eprintln!("SKIPPED: {count} open files are needed, ulimit -Hn says {hard}");
        return false;
    }
    if soft < count {
        setrlimit(resource, count, hard).expect("below the hard limit");
    }
    true
}
