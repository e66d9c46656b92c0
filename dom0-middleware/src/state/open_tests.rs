//! Files that are a state, and files that are not.

use std::fs;

use super::super::testing::{binding, record};
use super::*;

fn file(content: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("state.db");
    fs::write(&path, content).expect("written");
    (dir, path)
}

fn refused(path: &Path) -> StateError {
    State::open(path).expect_err("cannot be used")
}

#[test]
fn a_new_state_is_its_owners_alone_and_is_found_again() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("a/b/state.db");
    drop(State::open(&path).expect("made"));
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(path.parent().expect("a folder")), 0o700);
    let state = State::open(&path).expect("opened again");
    assert_eq!(mode(&beside(&path, "-wal")), 0o600);
    let inner = state.lock();
    let ask = |pragma| {
        let value = inner
            .connection
            .pragma_query_value(None, pragma, |row| row.get(0));
        value.expect("a number")
    };
    assert_eq!((ask("synchronous"), ask("user_version")), (2_i64, 3_i64));
}

#[test]
fn two_services_never_have_one_state() {
    let (_dir, path) = file(b"");
    let _first = State::open(&path).expect("free");
    let error = refused(&path);
    assert!(matches!(error, StateError::InUse(_)), "{error}");
    assert!(error.to_string().contains("another process"), "{error}");
}

#[test]
fn what_is_no_state_is_left_alone() {
    let (_dir, path) = file(b"PINs of all cards: 1234");
    assert!(matches!(refused(&path), StateError::Foreign(_)));
    assert_eq!(fs::read(&path).expect("there").len(), 23);
    // A database of something else.
    fs::remove_file(&path).expect("ours");
    let other = Connection::open(&path).expect("made");
    other.execute_batch("CREATE TABLE t (x)").expect("made");
    drop(other);
    let before = fs::read(&path).expect("there");
    assert!(matches!(refused(&path), StateError::Foreign(_)));
    assert_eq!(fs::read(&path).expect("there"), before);
}

#[test]
fn a_state_of_a_later_version_is_left_alone() {
    let (_dir, path) = file(b"");
    drop(State::open(&path).expect("made"));
    let other = Connection::open(&path).expect("opened");
    let later = schema::VERSION + 1;
    other
        .pragma_update(None, "user_version", later)
        .expect("written");
    drop(other);
    let error = refused(&path);
    assert!(matches!(error, StateError::Newer { .. }), "{error}");
}

#[test]
fn bindings_of_a_version_without_raw_apdus_are_there() {
    let (_dir, path) = file(b"");
    let state = State::open(&path).expect("made");
    let before = binding(1, "se-00", Some("web01"));
    state
        .change(|edit| edit.bind(&before), record)
        .expect("bound");
    drop(state);
    let older = Connection::open(&path).expect("opened");
    let undo = "ALTER TABLE binding DROP COLUMN raw_apdu; PRAGMA user_version = 2;";
    older.execute_batch(undo).expect("undone");
    drop(older);
    let state = State::open(&path).expect("a step further");
    assert_eq!(state.bindings().expect("read"), [before]);
}

#[test]
fn a_damaged_state_is_not_used() {
    let (_dir, path) = file(b"");
    drop(State::open(&path).expect("made"));
    let mut content = fs::read(&path).expect("there");
    let pages = content.len();
    // Each page but the header is overwritten.
    content.iter_mut().skip(100).for_each(|byte| *byte = 0xA5);
    fs::write(&path, &content).expect("written");
    let error = refused(&path);
    assert!(matches!(error, StateError::Damaged { .. }), "{error}");
    assert!(error.to_string().contains("put a backup in its place"));
    // Cut short, it is not taken for a new one either.
    content.truncate(pages / 2);
    fs::write(&path, &content).expect("written");
    assert!(State::open(&path).is_err());
}

#[test]
fn a_start_that_was_cut_short_is_begun_again() {
    let (_dir, path) = file(b"");
    let other = Connection::open(&path).expect("made");
    let mode: String = other
        .pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))
        .expect("set");
    assert_eq!(mode, "wal");
    drop(other);
    assert_ne!(fs::metadata(&path).expect("there").len(), 0);
    State::open(&path).expect("made");
}
