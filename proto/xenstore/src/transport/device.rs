//! The device through which the kernel of a guest leads to xenstored.
//!
//! Three ways in which it is not like the socket:
//!
//! - A `write` holds one message, or part of one: what is behind a message's end is lost. One whose
//!   request the kernel itself refuses fails, and there is no other answer to it.
//! - `WATCH` and `UNWATCH` are answered inside of `write`, which waits for xenstored for as long as
//!   it takes. So a thread writes, which nobody has to wait for.
//! - That `write` holds a lock that the answer to an earlier request of the same connection needs,
//!   and which the one thread of the kernel that reads all answers would wait for: xenstore would
//!   stand still for the whole guest. So there is never more than one request without its answer.
//!
//! Source: Linux, drivers/xen/xenbus/xenbus_dev_frontend.c.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::mpsc;
use std::thread;

use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::sync::oneshot;

use super::Unsent;
use crate::error::Ending;
use crate::wire::ErrorName;

/// `O_NONBLOCK` of Linux, on the machines that Xen runs on.
const O_NONBLOCK: i32 = 0o4000;

/// The open device.
#[derive(Debug)]
pub(crate) struct Device(File);

impl Device {
    /// Requests that may be without their answers; see the module.
    pub(super) const WINDOW: usize = 1;

    /// Opens it.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let file = options
            .read(true)
            .write(true)
            .custom_flags(O_NONBLOCK)
            .open(path)?;
        Ok(Self(file))
    }

    /// What is open already, and does not block.
    #[cfg(test)]
    pub(crate) const fn from_file(file: File) -> Self {
        Self(file)
    }

    /// Both directions.
    pub(super) fn split(self) -> io::Result<(DeviceReader, DeviceWriter)> {
        // It is no pipe, but read and waited for like one. What tokio has for any descriptor is
        // `unsafe`, which this crate does without.
        let reader = pipe::Receiver::from_file_unchecked(self.0.try_clone()?)?;
        let file = self.0;
        let (requests, to_write) = mpsc::channel();
        thread::Builder::new()
            .name("xenstore".to_owned())
            .spawn(move || write_all(&file, &to_write))?;
        Ok((DeviceReader(reader), DeviceWriter(requests)))
    }
}

/// Where answers and events come from.
#[derive(Debug)]
pub(crate) struct DeviceReader(pipe::Receiver);

impl DeviceReader {
    pub(super) async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).await
    }
}

/// A message, and whom to tell how it went.
type Request = (Vec<u8>, oneshot::Sender<io::Result<()>>);

/// The thread that writes; it ends with this, or when the `write` that it is in does.
#[derive(Debug)]
pub(crate) struct DeviceWriter(mpsc::Sender<Request>);

impl DeviceWriter {
    pub(super) async fn send(&self, message: Vec<u8>) -> Result<(), Unsent> {
        let (done, is_done) = oneshot::channel();
        // Should the thread be gone, nobody tells that it is done.
        let _ = self.0.send((message, done));
        let gone = |_| Err(io::ErrorKind::BrokenPipe.into());
        let written = is_done.await.unwrap_or_else(gone);
        written.map_err(
            |error| match error.raw_os_error().and_then(ErrorName::from_os) {
                Some(name) => Unsent::Refused(name),
                None => Unsent::Broken(Ending::from(error)),
            },
        )
    }
}

fn write_all(mut file: &File, requests: &mpsc::Receiver<Request>) {
    for (message, done) in requests {
        let written = file
            .write(&message)
            .and_then(|length| match length == message.len() {
                true => Ok(()),
                false => Err(io::ErrorKind::WriteZero.into()),
            });
        let _nobody_waits = done.send(written);
    }
}
