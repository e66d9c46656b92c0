//! The tables, and how an older file becomes one of today.

use rusqlite::{Connection, TransactionBehavior};

/// In the header of every state file: "TESS".
pub(super) const APPLICATION_ID: i32 = 0x5445_5353;

/// What makes version n + 1 of version n, from the empty file on. Never changed once released.
const MIGRATIONS: [&str; VERSION as usize] = [
    // 1
    "
    -- One row: the number of the last change, and the last line of the audit that is known to be
    -- on disk.
    CREATE TABLE head (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        change INTEGER NOT NULL,
        audit_seq INTEGER,
        audit_hash BLOB CHECK (length(audit_hash) = 32)
    ) STRICT;
    INSERT INTO head (id, change) VALUES (1, 0);

    -- Who may use which identity of which card; identity NULL is the only one the card holds.
    CREATE TABLE binding (
        id INTEGER PRIMARY KEY,
        domain TEXT NOT NULL,
        seid TEXT NOT NULL,
        identity TEXT,
        trust TEXT NOT NULL,        -- CA certificates, PEM
        certificate BLOB,           -- the identity's, DER
        server_names TEXT NOT NULL, -- a JSON array
        min_version INTEGER NOT NULL,
        resume INTEGER NOT NULL,
        shared INTEGER NOT NULL,
        bound_at INTEGER NOT NULL,  -- seconds since 1970, as everywhere here
        change INTEGER NOT NULL
    ) STRICT;
    CREATE UNIQUE INDEX binding_identity ON binding (seid, coalesce(identity, ''));

    -- Tokens that do not count any more.
    CREATE TABLE revocation (
        cti BLOB PRIMARY KEY CHECK (length(cti) = 16),
        revoked_at INTEGER NOT NULL,
        exp INTEGER,                -- when known; the row is of no use some time after
        change INTEGER NOT NULL
    ) STRICT;

    -- Tokens of a domain that were issued before this do not count any more.
    CREATE TABLE tokens_from (
        domain TEXT PRIMARY KEY,
        tokens_from INTEGER NOT NULL,
        change INTEGER NOT NULL
    ) STRICT;

    -- The last token each domain showed.
    CREATE TABLE token_seen (
        domain TEXT PRIMARY KEY,
        cti BLOB NOT NULL CHECK (length(cti) = 16),
        iss BLOB NOT NULL CHECK (length(iss) = 32),
        iat INTEGER NOT NULL,
        exp INTEGER NOT NULL,
        first_seen INTEGER NOT NULL,
        last_seen INTEGER NOT NULL
    ) STRICT;

    -- Which card belongs where.
    CREATE TABLE card (
        seid TEXT PRIMARY KEY,
        adopted TEXT NOT NULL,      -- fingerprint and PIN file, JSON
        change INTEGER NOT NULL
    ) STRICT;

    -- PINs that were sent and not accepted, or not known to be: which state of the PIN file.
    CREATE TABLE pin_attempt (
        seid TEXT PRIMARY KEY,
        stamp TEXT NOT NULL         -- JSON; says nothing of the PIN
    ) STRICT;
    ",
    // 2
    "
    -- Cards that are not for guests now.
    CREATE TABLE maintenance (
        seid TEXT PRIMARY KEY,
        change INTEGER NOT NULL
    ) STRICT;
    ",
    // 3
    "
    -- The raw APDUs that the domain may send to the card: rows of mask and value; NULL for none.
    ALTER TABLE binding ADD COLUMN raw_apdu TEXT;
    ",
];

/// The version of the tables that this program writes.
pub(super) const VERSION: u32 = 3;

/// The version of a file; 0 for an empty one.
pub(super) fn version(connection: &Connection) -> rusqlite::Result<u32> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// Makes a file of any known version one of today's, each step whole or not at all.
pub(super) fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    let from = version(connection)?;
    for (version, step) in (1_u32..).zip(MIGRATIONS).skip(from as usize) {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(step)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", version)?;
        transaction.commit()?;
    }
    Ok(())
}
