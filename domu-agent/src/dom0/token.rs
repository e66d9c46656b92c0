//! The VM-Auth-Token as text.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use super::token_watch::FileStamp;

/// Longest token, in bytes.
const MAX_TOKEN: usize = 2_048;
/// Longest text that is looked at: the longest token as text, and space around it.
const MAX_TEXT: usize = 4_096;

/// Reads a token from a file. Says which state of the file that was, if there is one.
pub(super) fn read(path: &Path) -> (Option<FileStamp>, io::Result<Vec<u8>>) {
    let in_file =
        |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    let opened = File::open(path).and_then(|file| {
        let stamp = FileStamp::of(&file.metadata()?);
        Ok((file, stamp))
    });
    match opened {
        Ok((file, stamp)) => (Some(stamp), read_open(file).map_err(in_file)),
        Err(error) => (None, Err(in_file(error))),
    }
}

fn read_open(file: File) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    file.take(MAX_TEXT as u64).read_to_end(&mut text)?;
    decode(&text)
}

/// The token in a text: base64url without padding, with white space around it.
pub(super) fn decode(text: &[u8]) -> io::Result<Vec<u8>> {
    let invalid = |why: &str| io::Error::new(ErrorKind::InvalidData, why);
    if text.len() > MAX_TEXT {
        return Err(invalid("not 1 to 2048 bytes"));
    }
    let token = BASE64_URL_SAFE_NO_PAD.decode(text.trim_ascii());
    let token = token.map_err(|_| invalid("not base64url without padding"))?;
    if token.is_empty() || token.len() > MAX_TOKEN {
        return Err(invalid("not 1 to 2048 bytes"));
    }
    Ok(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> io::Result<Vec<u8>> {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("token");
        std::fs::write(&path, text).expect("writable");
        let (stamp, token) = read(&path);
        assert!(stamp.is_some());
        token
    }

    #[test]
    fn a_token_is_text_with_space_around_it() {
        assert_eq!(
            read_text("  0oQ_-w\n").expect("good"),
            [0xd2, 0x84, 0x3f, 0xfb]
        );
    }

    #[test]
    fn other_files_are_refused_with_path_and_reason_but_no_content() {
        let long = BASE64_URL_SAFE_NO_PAD.encode([0; MAX_TOKEN + 1]);
        for (text, reason) in [
            ("", "not 1 to 2048 bytes"),
            (long.as_str(), "not 1 to 2048 bytes"),
            ("0oQ/+w", "not base64url"),
            ("0oQ_-w==", "not base64url"),
            ("0oQ\u{e4}", "not base64url"),
        ] {
            let error = read_text(text).expect_err("bad token").to_string();
            assert!(
                error.contains("/token: ") && error.contains(reason),
                "{error}"
            );
            assert!(!error.contains("0oQ"), "{error}");
        }
        assert!(decode(&[b'A'; MAX_TEXT + 1]).is_err());
        assert!(decode(&[0xFF, 0, b'A']).is_err());
    }
}
