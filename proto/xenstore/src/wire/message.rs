//! One message, in either direction.

/// The most bytes a payload has (`XENSTORE_PAYLOAD_MAX`).
pub(crate) const MAX_PAYLOAD: usize = 4_096;

/// The most bytes an answer to `DIRECTORY` has: as many domids as there can be. Over its socket the
/// OCaml xenstored answers at length where the C one says `E2BIG`.
pub(crate) const MAX_DIRECTORY: usize = 256 << 10;

/// Bytes of the header: four numbers.
pub(super) const HEADER: usize = 16;

/// The type of a message (`xsd_sockmsg_type`), as far as this client knows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Kind {
    Directory = 1,
    Read = 2,
    GetPerms = 3,
    Watch = 4,
    Unwatch = 5,
    Write = 11,
    Mkdir = 12,
    Rm = 13,
    SetPerms = 14,
    WatchEvent = 15,
    Error = 16,
    DirectoryPart = 22,
}

impl Kind {
    pub(super) const ALL: [Self; 12] = [
        Self::Directory,
        Self::Read,
        Self::GetPerms,
        Self::Watch,
        Self::Unwatch,
        Self::Write,
        Self::Mkdir,
        Self::Rm,
        Self::SetPerms,
        Self::WatchEvent,
        Self::Error,
        Self::DirectoryPart,
    ];

    /// The most bytes the payload of such a message has, when it comes.
    pub(super) const fn max_payload(self) -> usize {
        match self {
            Self::Directory => MAX_DIRECTORY,
            _ => MAX_PAYLOAD,
        }
    }

    pub(super) fn from_code(code: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u32 == code)
    }
}

/// A message that has come. Nothing here uses transactions, so theirs is not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    /// Its type.
    pub(crate) kind: Kind,
    /// The request that it answers; of an event it means nothing.
    pub(crate) request: u32,
    /// At most [`Kind::max_payload`] bytes.
    pub(crate) payload: Vec<u8>,
}

/// The bytes of a request outside of any transaction; `None` when the payload is too long.
pub(crate) fn encode(kind: Kind, request: u32, payload: &[u8]) -> Option<Vec<u8>> {
    let length = u32::try_from(payload.len()).ok()?;
    if payload.len() > MAX_PAYLOAD {
        return None;
    }
    let header = [kind as u32, request, 0, length].map(u32::to_ne_bytes);
    Some([header.as_flattened(), payload].concat())
}
