//! Enough descriptors for the connections that the configuration allows.

use nix::sys::resource::{Resource, getrlimit, rlim_t, setrlimit};

/// For each connection of an application: its socket, the server's, and one on its way out.
const PER_CONNECTION: rlim_t = 3;
/// For everything else.
const OTHERS: rlim_t = 64;

/// Raises the process's limit as far as `max_connections` need it and the system lets us.
pub(crate) fn provide(max_connections: usize) {
    let resource = Resource::RLIMIT_NOFILE;
    let limits = getrlimit(resource);
    let raised = limits.and_then(|(soft, hard)| {
        let wanted = wanted(max_connections);
        if wanted > hard {
            let connections = hard.saturating_sub(OTHERS) / PER_CONNECTION;
            tracing::warn!(
                max_connections,
                "the limit of {hard} open files is enough for {connections} connections only"
            );
        }
        match soft < wanted {
            true => setrlimit(resource, wanted.min(hard), hard),
            false => Ok(()),
        }
    });
    if let Err(error) = raised {
        tracing::warn!(%error, "limit of open files");
    }
}

fn wanted(max_connections: usize) -> rlim_t {
    let connections = rlim_t::try_from(max_connections).unwrap_or(rlim_t::MAX);
    connections
        .saturating_mul(PER_CONNECTION)
        .saturating_add(OTHERS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_raised_and_never_lowered() {
        let (before, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("there is one");
        provide(1);
        let (after, _) = getrlimit(Resource::RLIMIT_NOFILE).expect("there is one");
        assert!(after >= before);
        provide(usize::MAX);
        let limits = getrlimit(Resource::RLIMIT_NOFILE).expect("there is one");
        assert_eq!(limits, (hard, hard));
    }
}
