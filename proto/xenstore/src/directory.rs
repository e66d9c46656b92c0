//! The children of a node, however many there are.
//!
//! An answer of the C xenstored has at most 4,096 bytes: the domids of about 700 domains. Of more than
//! that `DIRECTORY` fails with `E2BIG`, and `DIRECTORY_PART` must be used: the request is
//! `path 0 offset 0`, where the offset is decimal text and counts the bytes of all children before. The
//! OCaml xenstored does so in a guest, and answers at length to who comes through its socket.

use crate::client::{Xenstore, present, texts};
use crate::error::XenstoreError;
use crate::wire::{ErrorName, Kind, MAX_DIRECTORY, Part};

/// How often a node may change while it is read.
const MAX_ATTEMPTS: usize = 8;

impl Xenstore {
    /// The names of a node's children, in no order; `None` when there is no such node.
    ///
    /// # Errors
    /// [`XenstoreError`].
    pub async fn directory(&self, path: &str) -> Result<Option<Vec<String>>, XenstoreError> {
        let asked = match self.request(Kind::Directory, &[path], b"").await {
            Err(XenstoreError::Refused(ErrorName::TooBig)) => self.all_parts(path).await,
            asked => asked,
        };
        let children = present(asked)?;
        children.map(|payload| texts(&payload)).transpose()
    }

    /// Reads the parts of a long directory, again from the beginning when it changes.
    async fn all_parts(&self, path: &str) -> Result<Vec<u8>, XenstoreError> {
        for _ in 0..MAX_ATTEMPTS {
            if let Some(children) = self.parts(path).await? {
                return Ok(children);
            }
        }
        Err(XenstoreError::Malformed("a node that changes all the time"))
    }

    /// Reads all parts; `None` when the node changed meanwhile.
    async fn parts(&self, path: &str) -> Result<Option<Vec<u8>>, XenstoreError> {
        let mut children = Vec::new();
        let mut generation = None;
        loop {
            let offset = children.len().to_string();
            let answer = self
                .request(Kind::DirectoryPart, &[path, &offset], b"")
                .await?;
            let part = Part::decode(&answer);
            let part = part.ok_or(XenstoreError::Malformed("not a part of a directory"))?;
            if *generation.get_or_insert_with(|| part.generation.to_vec()) != part.generation {
                return Ok(None);
            }
            children.extend_from_slice(part.children);
            if part.is_last {
                return Ok(Some(children));
            }
            if part.children.is_empty() || children.len() > MAX_DIRECTORY {
                return Err(XenstoreError::Malformed("a directory without end"));
            }
        }
    }
}
