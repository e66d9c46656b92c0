//! By what it is seen that the operator has written a PIN anew.

use std::fs::Metadata;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// One state of a PIN file: another one means that the operator has written it again. The PIN cannot
/// be found from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum PinStamp {
    /// A file, which is known by when and where it was written. Nothing of its content is in here.
    File {
        /// The file system.
        device: u64,
        /// The file.
        inode: u64,
        /// When it was written, in seconds since 1970.
        modified_s: i64,
        /// The rest of that, in nanoseconds.
        modified_ns: i64,
    },
    /// A credential, which systemd makes anew at each start of the service, so that nothing but its
    /// content tells. One byte of a digest is all that is kept: it differs for 255 of 256 other
    /// contents, and of a million PINs four thousand have it.
    Credential {
        /// The first byte of SHA-256 over a label, the name, a zero and the content. There is no random
        /// salt: with another one for each attempt a reader of old states would have a byte of each.
        digest: u8,
    },
}

impl PinStamp {
    pub(super) fn of_file(metadata: &Metadata) -> Self {
        Self::File {
            device: metadata.dev(),
            inode: metadata.ino(),
            modified_s: metadata.mtime(),
            modified_ns: metadata.mtime_nsec(),
        }
    }

    /// Of the credential of that name. White space counts: so who wants the same PIN to be tried
    /// again can add a line.
    pub(super) fn of_credential(name: &Path, content: &[u8]) -> Self {
        let name = name.as_os_str().as_bytes();
        let digest = Sha256::new()
            .chain_update(LABEL)
            .chain_update(name)
            .chain_update([0])
            .chain_update(content)
            .finalize();
        let digest: Zeroizing<[u8; 32]> = Zeroizing::new(digest.into());
        let [digest, ..] = *digest;
        Self::Credential { digest }
    }

    #[cfg(test)]
    pub(super) fn for_test(modified_ns: i64) -> Self {
        Self::File {
            device: 1,
            inode: 2,
            modified_s: 3,
            modified_ns,
        }
    }
}

/// Before what is hashed.
const LABEL: &[u8] = b"tessera pin credential v1";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_are_kept_as_they_were_and_hold_one_byte_of_a_credential() {
        let file = r#"{"device":1,"inode":2,"modified_s":3,"modified_ns":4}"#;
        let credential = r#"{"digest":7}"#;
        for (text, stamp) in [
            (file, PinStamp::for_test(4)),
            (credential, PinStamp::Credential { digest: 7 }),
        ] {
            assert_eq!(serde_json::to_string(&stamp).expect("JSON"), text);
            assert_eq!(
                serde_json::from_str::<PinStamp>(text).expect("a stamp"),
                stamp
            );
        }
        for bad in ["{}", r#"{"digest":256}"#, r#"{"device":1}"#] {
            assert!(serde_json::from_str::<PinStamp>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn one_byte_tells_most_contents_apart_and_few_of_a_million() {
        let of = |pin: u32| PinStamp::of_credential("hv-pin".as_ref(), pin.to_string().as_bytes());
        let wrong = of(123_456);
        let alike = (100_000..110_000).filter(|pin| of(*pin) == wrong).count();
        assert!((20..80).contains(&alike), "{alike}");
        assert_ne!(
            PinStamp::of_credential("a".as_ref(), b"b1"),
            PinStamp::of_credential("ab".as_ref(), b"1")
        );
    }
}
