//! What a line says, as far as the chain and its checkpoints go.

use std::borrow::Cow;

use serde::Deserialize;

/// What every line has.
#[derive(Debug, Deserialize)]
pub(super) struct Record<'a> {
    pub(super) seq: u64,
    #[serde(borrow)]
    pub(super) time: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) prev: Cow<'a, str>,
    #[serde(borrow)]
    event: Cow<'a, str>,
}

/// A record that proves something.
#[derive(Debug)]
pub(super) enum Kind {
    Key(Key),
    Checkpoint(Proof),
    Continued(Continued),
    Other,
}

#[derive(Debug, Deserialize)]
pub(super) struct Key {
    pub(super) key: String,
    pub(super) certificates: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Proof {
    Signed {
        key: String,
        signature: String,
    },
    Unsigned {
        #[serde(rename = "unsigned")]
        _unsigned: bool,
    },
}

#[derive(Debug, Deserialize)]
pub(super) struct Continued {
    pub(super) previous_seq: u64,
    pub(super) previous_sha256: String,
}

/// Reads a line; the text says what is wrong with it.
pub(super) fn parse(line: &[u8]) -> Result<(Record<'_>, Kind), String> {
    let wrong = |error: serde_json::Error| format!("not a record of an audit: {error}");
    let record: Record<'_> = serde_json::from_slice(line).map_err(wrong)?;
    let kind = match &*record.event {
        "checkpoint-key" => Kind::Key(serde_json::from_slice(line).map_err(wrong)?),
        "checkpoint" => Kind::Checkpoint(serde_json::from_slice(line).map_err(wrong)?),
        "file-continued" => Kind::Continued(serde_json::from_slice(line).map_err(wrong)?),
        _ => Kind::Other,
    };
    Ok((record, kind))
}
