//! All files of an audit, read as one.

use std::fs::File;
use std::io::{self, BufReader};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::lines::{Line, Lines, MAX_LINE};
use super::report::{Fault, Report};
use super::verifier::{Expected, Verifier, Wrong};
use crate::audit::rotation;

/// How often files that rotate while they are opened are opened again.
const ATTEMPTS: usize = 10;

/// How much is looked at between two calls for progress, in bytes.
const PROGRESS: u64 = 64 << 20;

/// Told how many bytes were looked at, and of how many.
pub(crate) type Progress<'a> = &'a mut dyn FnMut(u64, u64);

/// Why nothing can be said of an audit.
#[derive(Debug, Error)]
pub(crate) enum VerifyError {
    /// A file cannot be read.
    #[error("audit file {}", path.display())]
    Read {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Something is wrong with it.
    #[error("{0}")]
    Fault(Fault),
}

/// One file, opened.
struct Opened {
    path: PathBuf,
    file: File,
    length: u64,
}

/// Looks at the audit at `path` and its old files. They may be written meanwhile.
///
/// # Errors
/// [`VerifyError::Fault`] for what is wrong, or that a file cannot be read.
pub(crate) fn verify(
    path: &Path,
    expected: Expected,
    progress: Progress<'_>,
) -> Result<Report, VerifyError> {
    let files = open(path)?;
    let total = files.iter().map(|file| file.length).sum();
    let mut verifier = Verifier::new(expected);
    let mut notes = Vec::new();
    let mut place = Place::default();
    let (mut done, mut told) = (0_u64, 0_u64);
    let count = files.len();
    for (n, opened) in files.iter().enumerate() {
        let failed = |source| VerifyError::Read {
            path: opened.path.clone(),
            source,
        };
        // What is written from now on is not looked at.
        let bounded = io::Read::take(&opened.file, opened.length);
        let mut lines = Lines::new(BufReader::with_capacity(1 << 18, bounded));
        let mut number = 0;
        while let Some(line) = lines.next().map_err(failed)? {
            number += 1;
            let at = (&opened.path, number);
            match line {
                Line::Whole(line) => {
                    done += line.len() as u64 + 1;
                    verifier
                        .line(line)
                        .map_err(|wrong| place.fault(at, wrong))?;
                }
                Line::Unfinished(bytes) if n + 1 == count => notes.push(format!(
                    "{} bytes of an unfinished line at the end: written right now, or by a \
                     service that was cut off; its next start removes them",
                    bytes.len()
                )),
                Line::Unfinished(_) => return Err(place.fault(at, cut())),
                Line::TooLong => return Err(place.fault(at, too_long())),
            }
            place.last = Some((opened.path.clone(), number));
            if done - told >= PROGRESS {
                told = done;
                progress(done, total);
            }
        }
    }
    let end = place.last.clone().unwrap_or_else(|| (path.to_owned(), 0));
    let seen = verifier
        .finish()
        .map_err(|wrong| place.fault((&end.0, end.1), wrong))?;
    notes.splice(0..0, seen.notes);
    Ok(Report {
        files: files.into_iter().map(|file| file.path).collect(),
        lines: seen.lines,
        first_seq: seen.first_seq,
        last_seq: seen.last_seq,
        last_time: seen.last_time,
        checkpoints: seen.checkpoints,
        notes,
    })
}

/// Opens all files, the oldest first. When the service begins another one meanwhile, all are
/// opened again: between two looks at the folder nothing may have moved.
fn open(path: &Path) -> Result<Vec<Opened>, VerifyError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| VerifyError::Read { path, source }
    };
    let mut attempts = 0;
    loop {
        attempts += 1;
        match open_once(path) {
            Ok((opened, true)) => return Ok(opened),
            Ok((opened, false)) if attempts == ATTEMPTS => return Ok(opened),
            // It may have got another name.
            Err((_, error))
                if error.kind() == io::ErrorKind::NotFound
                    && attempts < ATTEMPTS
                    && path.exists() => {}
            Err((path, error)) => return Err(failed(&path)(error)),
            Ok(_) => {}
        }
    }
}

/// Opens all files once, and says whether none has moved meanwhile.
fn open_once(path: &Path) -> Result<(Vec<Opened>, bool), (PathBuf, io::Error)> {
    let at = |path: &Path| {
        let path = path.to_owned();
        move |error| (path, error)
    };
    let names = || -> io::Result<Vec<PathBuf>> {
        let old = rotation::old_files(path)?.into_iter().rev();
        let old = old.map(|(_, file)| file);
        Ok(old.chain([path.to_owned()]).collect())
    };
    let before = names().map_err(at(path))?;
    let mut opened = Vec::new();
    for path in &before {
        let file = File::open(path).map_err(at(path))?;
        let length = file.metadata().map_err(at(path))?.len();
        opened.push(Opened {
            path: path.clone(),
            file,
            length,
        });
    }
    let after = names().map_err(at(path))?;
    let is_in_place = |opened: &Opened| {
        let ours = opened
            .file
            .metadata()
            .ok()
            .map(|meta| (meta.dev(), meta.ino()));
        let there = opened.path.metadata().ok();
        ours.is_some() && ours == there.map(|meta| (meta.dev(), meta.ino()))
    };
    let has_stood = before == after && opened.iter().all(is_in_place);
    Ok((opened, has_stood))
}

/// Where the last line was.
#[derive(Default)]
struct Place {
    last: Option<(PathBuf, u64)>,
}

impl Place {
    fn fault(&self, (file, line): (&PathBuf, u64), wrong: Wrong) -> VerifyError {
        let (file, line) = match &self.last {
            Some((file, line)) if wrong.is_before => (file.clone(), *line),
            _ => (file.clone(), line),
        };
        VerifyError::Fault(Fault {
            file,
            line,
            reason: wrong.reason,
        })
    }
}

fn cut() -> Wrong {
    Wrong {
        is_before: false,
        reason: "the last line of an old file is cut".to_owned(),
    }
}

fn too_long() -> Wrong {
    Wrong {
        is_before: false,
        reason: format!("a line of more than {MAX_LINE} bytes"),
    }
}
