//! The last lines of an audit, and those that come.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::rotation;
use super::verify::{Line, Lines};

/// The last `count` whole lines of the audit at `path`, the oldest first, without line feeds.
///
/// # Errors
/// An [`io::Error`] when a file cannot be read.
pub(crate) fn last_lines(path: &Path, count: usize) -> io::Result<Vec<Vec<u8>>> {
    let old = rotation::old_files(path)?;
    let files = std::iter::once(path.to_owned()).chain(old.into_iter().map(|(_, file)| file));
    let mut found = VecDeque::new();
    for file in files {
        let missing = count - found.len();
        if missing == 0 {
            break;
        }
        for line in last_of(&file, missing)?.into_iter().rev() {
            found.push_front(line);
        }
    }
    Ok(found.into())
}

fn last_of(path: &Path, count: usize) -> io::Result<VecDeque<Vec<u8>>> {
    let mut lines = Lines::new(BufReader::new(File::open(path)?));
    let mut last = VecDeque::new();
    while let Some(line) = lines.next()? {
        if let Line::Whole(line) = line {
            if last.len() == count {
                last.pop_front();
            }
            last.push_back(line.to_vec());
        }
    }
    Ok(last)
}

/// Follows an audit from file to file.
pub(crate) struct Follower {
    path: PathBuf,
    file: File,
    /// How far the file was read, in bytes: to the end of a whole line.
    position: u64,
    /// The number of the last line that was given.
    last_seq: Option<u64>,
}

#[derive(Deserialize)]
struct Numbered {
    seq: u64,
}

impl Follower {
    /// Gives lines that come after `last`, the last one that is known already.
    ///
    /// # Errors
    /// An [`io::Error`] when the file cannot be opened.
    pub(crate) fn new(path: &Path, last: Option<&[u8]>) -> io::Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            file: File::open(path)?,
            position: 0,
            last_seq: last.and_then(seq),
        })
    }

    /// Gives the lines that have come since the last call.
    ///
    /// # Errors
    /// What `take` says, or an [`io::Error`] when a file cannot be read.
    pub(crate) fn poll<E: From<io::Error>>(
        &mut self,
        mut take: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        self.drain(&mut take)?;
        if self.is_current() {
            return Ok(());
        }
        // Another one is written by now. What was written to this one before that:
        self.drain(&mut take)?;
        // And there may have been others in between.
        for (_, old) in rotation::old_files(&self.path)?.into_iter().rev() {
            if let Ok(file) = File::open(old) {
                self.go_on(file, &mut take)?;
            }
        }
        if let Ok(file) = File::open(&self.path) {
            self.go_on(file, &mut take)?;
        }
        Ok(())
    }

    fn go_on<E: From<io::Error>>(
        &mut self,
        file: File,
        take: &mut impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        self.file = file;
        self.position = 0;
        self.drain(take)
    }

    /// Whether the file that is read is the one that is written.
    fn is_current(&self) -> bool {
        let id = |meta: std::fs::Metadata| (meta.dev(), meta.ino());
        let ours = self.file.metadata().map(id).ok();
        // Nothing else is there: there is nothing else to read.
        let there = self.path.metadata().map(id).ok();
        there.is_none() || ours == there
    }

    fn drain<E: From<io::Error>>(
        &mut self,
        take: &mut impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        self.file.seek(SeekFrom::Start(self.position))?;
        let mut lines = Lines::new(BufReader::new((&mut self.file).take(u64::MAX)));
        while let Some(line) = lines.next()? {
            let Line::Whole(line) = line else { break };
            self.position += line.len() as u64 + 1;
            let seq = seq(line);
            if seq.is_some() && seq <= self.last_seq {
                continue;
            }
            self.last_seq = seq.or(self.last_seq);
            take(line)?;
        }
        Ok(())
    }
}

fn seq(line: &[u8]) -> Option<u64> {
    let numbered: Numbered = serde_json::from_slice(line).ok()?;
    Some(numbered.seq)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{AuditEvent, AuditLog, Rotation};
    use crate::time::UnixTime;

    const SMALL: Rotation = Rotation {
        max_bytes: 1_500,
        keep: 3,
    };

    fn open(path: &Path) -> AuditLog {
        AuditLog::open(path, SMALL, UnixTime::from_secs(1)).expect("opened")
    }

    fn write(log: &mut AuditLog, count: usize) {
        for _ in 0..count {
            log.append(&AuditEvent::ServiceStopped, UnixTime::from_secs(1))
                .expect("written");
        }
    }

    fn new_lines(follower: &mut Follower) -> Vec<u64> {
        let mut numbers = Vec::new();
        let taken = follower.poll(|line| {
            numbers.extend(seq(line));
            Ok::<_, io::Error>(())
        });
        taken.expect("readable");
        numbers
    }

    #[test]
    fn the_last_lines_come_from_as_many_files_as_needed() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("audit");
        let mut log = open(&path);
        write(&mut log, 20);
        let head = log.head().expect("lines").seq;
        for count in [0, 1, 5, 15] {
            let lines = last_lines(&path, count).expect("readable");
            let numbers: Vec<u64> = lines.iter().filter_map(|line| seq(line)).collect();
            let expected: Vec<u64> = (0..=head).rev().take(count).collect();
            let expected: Vec<u64> = expected.into_iter().rev().collect();
            assert_eq!(numbers, expected);
        }
        let all = last_lines(&path, 1_000).expect("readable");
        assert_eq!(all.len() as u64, head + 1);
    }

    #[test]
    fn every_line_is_given_once_however_often_files_rotate() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("audit");
        let mut log = open(&path);
        write(&mut log, 2);
        let last = last_lines(&path, 1).expect("readable").pop();
        let mut follower = Follower::new(&path, last.as_deref()).expect("opened");
        assert!(new_lines(&mut follower).is_empty());
        let mut expected = 2;
        for count in [1, 0, 3, 9, 17, 1] {
            write(&mut log, count);
            let head = log.head().expect("lines").seq;
            let new: Vec<u64> = (expected..=head).collect();
            assert_eq!(new_lines(&mut follower), new);
            expected = head + 1;
        }
        // Half a line waits for the rest of it.
        use std::io::Write as _;
        let mut file = File::options().append(true).open(&path).expect("there");
        file.write_all(b"{\"seq\":900").expect("written");
        assert!(new_lines(&mut follower).is_empty());
        file.write_all(b"}\n").expect("written");
        assert_eq!(new_lines(&mut follower), [900]);
    }
}
