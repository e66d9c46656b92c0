//! `domu-agent enroll`.

use std::fs::DirBuilder;
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::enrolment_node::{self, NotHandedIn};
use crate::channel_key::{ChannelKey, KeyAlgorithm, KeyFileError, create, read};
use crate::cli::EnrollArgs;
use crate::error::AgentError;

/// The key in its folder.
const KEY_FILE: &str = "channel.key.pem";

/// Makes the channel key and prints its public part; with a key that is there, prints that one's.
pub(super) fn run(args: &EnrollArgs, out: &mut impl Write) -> Result<(), AgentError> {
    make_folder(&args.out)?;
    let path = args.out.join(KEY_FILE);
    let (key, is_new) = key(&path, args.alg)?;
    let (public, fingerprint) = (key.public().to_pem(), key.public().fingerprint());
    let handed_in = enrolment_node::write(&public);
    let printed = match args.json {
        true => {
            let json = serde_json::json!({
                "key_file": path,
                "new": is_new,
                "public_key": public,
                "fingerprint": fingerprint,
                "xenstore_node": handed_in.as_ref().ok().map(|()| enrolment_node::NODE),
            });
            writeln!(out, "{json:#}")
        }
        false => write!(out, "{public}"),
    };
    printed.map_err(AgentError::Copy)?;
    let is_new = if is_new {
        "new key"
    } else {
        "key that was there"
    };
    eprintln!("{is_new}: {}\nfingerprint: {fingerprint}", path.display());
    eprintln!("{}", next_step(&path, &fingerprint, &handed_in));
    Ok(())
}

/// What is left to do, and who does it.
fn next_step(path: &Path, fingerprint: &str, handed_in: &Result<(), NotHandedIn>) -> String {
    let configuration = format!(
        "into domu-agent.toml, [dom0]:
    key_file = {path:?}
    hv_pins = [\"SHA256:...\"]    # the host's HV certificate, as token-tool keygen printed it"
    );
    match handed_in {
        Ok(()) => format!(
            "the public key is at {node} in xenstore, for the administrator of the host
next, in dom0, after comparing the fingerprint with the one above:
    dom0-middleware vm list --pending
    dom0-middleware vm approve VM --fingerprint {fingerprint}
then the token comes by itself (leave token_file out); {configuration}
    kind = \"vchan\"",
            node = enrolment_node::NODE,
        ),
        Err(why) => {
            let why = why.worth_saying().map(|why| format!("{why}\n"));
            format!(
                "{}next: give the public key above to the administrator of the host, for
    token-tool issue --hv-cert F --hv-key F --vm UUID --vm-cert F --agent-key PUBLIC --out TOKEN
then put the token into token_file, and {configuration}",
                why.unwrap_or_default(),
            )
        }
    }
}

/// Makes the folder, if it is not there and the one that it lies in is.
fn make_folder(folder: &Path) -> Result<(), EnrollError> {
    match DirBuilder::new().mode(0o755).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(EnrollError::Folder {
            path: folder.to_owned(),
            source: error,
        }),
        _ => Ok(()),
    }
}

/// The key, and whether it was made now.
fn key(path: &Path, algorithm: Option<KeyAlgorithm>) -> Result<(ChannelKey, bool), EnrollError> {
    match create(path, algorithm.unwrap_or_default()) {
        Ok(key) => return Ok((key, true)),
        Err(error) if error.is_there_already() => {}
        Err(error) => return Err(error.into()),
    }
    let key = read(path)?;
    match algorithm {
        Some(algorithm) if algorithm != key.algorithm() => Err(EnrollError::OtherKind {
            path: path.to_owned(),
            is: key.public().to_string(),
        }),
        _ => Ok((key, false)),
    }
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EnrollError {
    /// The folder is not there and cannot be made.
    #[error("{}: {source}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file cannot be made, or the key in it not be used.
    #[error(transparent)]
    File(#[from] KeyFileError),
    /// There is a key of another kind.
    #[error(
        "{}: there is a key already, {is}; leave out --alg to see it, or move it away for a new one",
        path.display()
    )]
    OtherKind {
        /// Its file.
        path: PathBuf,
        /// Its kind.
        is: String,
    },
}
