//! Who opened a connection.

use std::ffi::CString;
use std::fmt;
use std::io;

use nix::unistd::{Gid, Uid, User, getgrouplist};
use tokio::net::UnixStream;

use super::list::AllowList;

/// The process at the other end, as the kernel saw it when it connected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Caller {
    /// Effective user.
    pub(crate) uid: u32,
    /// Effective group.
    pub(crate) gid: u32,
    /// Further groups of the user.
    pub(crate) groups: Vec<u32>,
    /// The process; for the log only, since its number may be another's by now.
    pub(crate) pid: Option<i32>,
}

impl Caller {
    /// Asks the kernel, and the user database where a rule names a group: the kernel's answer has
    /// one group only.
    pub(crate) async fn of(stream: &UnixStream, allow: &AllowList) -> io::Result<Self> {
        let credentials = stream.peer_cred()?;
        let (uid, gid) = (credentials.uid(), credentials.gid());
        let groups = match allow.names_a_group() {
            true => tokio::task::spawn_blocking(move || groups_of(uid, gid))
                .await
                .map_err(io::Error::other)?,
            false => Vec::new(),
        };
        Ok(Self {
            uid,
            gid,
            groups,
            pid: credentials.pid(),
        })
    }

    pub(super) fn is_member_of(&self, gid: u32) -> bool {
        self.gid == gid || self.groups.contains(&gid)
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "uid {} and gid {}", self.uid, self.gid)
    }
}

/// The groups of a user in the user database, which may be on another machine. A user that is not
/// there has none.
fn groups_of(uid: u32, gid: u32) -> Vec<u32> {
    let groups = || {
        let Some(user) = User::from_uid(Uid::from_raw(uid))? else {
            return Ok(Vec::new());
        };
        let name = CString::new(user.name).map_err(|_| nix::Error::EINVAL)?;
        getgrouplist(&name, Gid::from_raw(gid))
    };
    match groups() {
        Ok(groups) => groups.into_iter().map(Gid::as_raw).collect(),
        Err(error) => {
            tracing::warn!(uid, %error, "the groups of a user cannot be looked up");
            Vec::new()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_kernel_says_who_it_is() {
        let (ours, _theirs) = UnixStream::pair().expect("a pair");
        let caller = Caller::of(&ours, &AllowList::default()).await;
        let caller = caller.expect("a peer");
        assert_eq!(caller.uid, nix::unistd::geteuid().as_raw());
        assert!(caller.is_member_of(nix::unistd::getegid().as_raw()));
        assert!(caller.groups.is_empty(), "no rule names a group");
    }

    #[test]
    fn a_known_user_has_its_own_group_and_an_unknown_one_none() {
        assert!(groups_of(0, 7).contains(&7));
        assert!(groups_of(u32::MAX - 1, 7).is_empty());
    }
}
