//! Readers of files: a thread for each file that a started rule reads, so that a slow disk never holds the data thread.
//!
//! In: a [`Job`] of the engine. Out: batches of records, given to the data thread over the [`Link`] and offered again while the stream's
//! queue is full; faults and the end of the file. How a file falls into records is decided in [`source::file`](crate::source::file).
//!
//! A thread ends with its stream, or once a file that is read once has been. A record above `limits.bodyBytes`, one that is none, and the
//! rest of a file that cannot be read are counted for the stream and logged. What was read before a fault stays.

use std::fs::File;
use std::io::{self, Read as _, Seek as _};
use std::sync::mpsc::RecvTimeoutError;
use std::thread;
use std::time::Duration;

use super::host::Link;
use crate::engine::{Batch, Job, Taken};
use crate::gate::reason::Reason;
use crate::source::file::{Cut, Cutter, FileType, PIECE_BYTES, Tail};

/// Records given at once: more would hold the data thread for too long.
const BATCH_COUNT: usize = 256;
/// First wait for room in the queue; each further one is twice as long, up to [`ROOM_MAX`].
const ROOM_MIN: Duration = Duration::from_millis(5);
/// Longest wait for room.
const ROOM_MAX: Duration = Duration::from_millis(200);

/// Starts the thread of a job. Without one the file counts as unread, and as one that has ended.
pub(super) fn start(job: Job, link: Link, body_bytes: usize) {
    let (stamp, path, again) = (job.stamp, job.feed.path.clone(), link.clone());
    let reader = Reader { job, link, body_bytes, batch: Batch::default(), row: Vec::new() };
    let started = thread::Builder::new().name("file".into()).stack_size(256 * 1024).spawn(move || reader.run());
    if let Err(error) = started {
        log::error!("file {path}: no thread to read it: {error}");
        again.tell(move |engine, _| {
            engine.miss_record(stamp, Reason::Unfinished);
            engine.end_reading(stamp);
        });
    }
}

/// The stream is gone, or the process ends.
struct Gone;

struct Reader {
    job: Job,
    link: Link,
    body_bytes: usize,
    batch: Batch,
    /// A row of CSV.
    row: Vec<u8>,
}

impl Reader {
    fn run(mut self) {
        // The thread ends with its stream: nobody is left to be told.
        let _ = self.read_all();
    }

    fn read_all(&mut self) -> Result<(), Gone> {
        loop {
            if let Err(error) = self.read_once()? {
                let path = &self.job.feed.path;
                self.miss(Reason::Unfinished, &format!("file {path}: {error}"))?;
            }
            match self.job.feed.interval {
                None => return self.ended(),
                Some(interval) => self.wait(interval)?,
            }
        }
    }

    /// Reads the file from its beginning to its end.
    fn read_once(&mut self) -> Result<io::Result<()>, Gone> {
        let feed = self.job.feed.clone();
        let (mut file, mut left) = match open(&feed.path, if feed.kind == FileType::Json { 0 } else { feed.skip_last }) {
            Ok(opened) => opened,
            Err(error) => return Ok(Err(error)),
        };
        let mut cutter = Cutter::new(&feed);
        let mut buf = Vec::with_capacity(self.body_bytes + 2 * PIECE_BYTES);
        let (mut at, mut last, mut too_long) = (0, false, false);
        loop {
            let (cut, used) = cutter.next(buf.get(at..).unwrap_or(&[]), last);
            match cut {
                Cut::More if last => break,
                Cut::More => {
                    buf.drain(..at);
                    at = 0;
                    if buf.len() > self.body_bytes {
                        if !too_long {
                            let (path, line) = (&feed.path, cutter.line + 1);
                            let what = if feed.kind == FileType::Json { "it".to_owned() } else { format!("line {line}") };
                            self.give()?;
                            self.miss(Reason::TooLarge, &format!("file {path}: {what} is larger than limits.bodyBytes"))?;
                        }
                        if feed.kind == FileType::Json {
                            return Ok(Ok(()));
                        }
                        // Its end is looked for in what follows.
                        too_long = true;
                        buf.clear();
                    }
                    match (&mut file).take(left.min(PIECE_BYTES as u64)).read_to_end(&mut buf) {
                        Ok(0) => last = true,
                        Ok(n) => left -= n as u64,
                        Err(error) => {
                            self.give()?;
                            return Ok(Err(error));
                        }
                    }
                    continue;
                }
                // The end of what is too long.
                Cut::Record(_) | Cut::Bad(_) | Cut::Skipped if too_long => too_long = false,
                Cut::Skipped => {}
                Cut::Bad(why) => self.bad(cutter.line, why)?,
                Cut::Record(record) if record.len() > self.body_bytes => {
                    let (path, line) = (&feed.path, cutter.line);
                    self.miss(Reason::TooLarge, &format!("file {path}: line {line} is larger than limits.bodyBytes"))?;
                }
                Cut::Record(record) if feed.kind == FileType::Csv => {
                    self.row.resize(self.body_bytes + PIECE_BYTES, 0);
                    match cutter.pack(record, &mut self.row) {
                        Ok(len) => self.batch.add(self.row.get(..len).unwrap_or(&[])),
                        Err(why) => self.bad(cutter.line, why)?,
                    }
                }
                Cut::Record(record) => self.batch.add(record),
            }
            at += used;
            let full = self.batch.left() >= BATCH_COUNT || self.batch.bytes() >= PIECE_BYTES;
            if full || self.job.feed.send_interval.is_some() && self.batch.left() > 0 {
                self.give()?;
                if let Some(interval) = feed.send_interval {
                    self.wait(interval)?;
                }
            }
        }
        self.give()?;
        Ok(Ok(()))
    }

    /// Something at a line that is no record.
    fn bad(&mut self, line: u64, why: &str) -> Result<(), Gone> {
        let path = &self.job.feed.path;
        self.miss(Reason::Malformed, &format!("file {path}: line {line}: {why}"))
    }

    /// Gives the batch, waiting for room.
    fn give(&mut self) -> Result<(), Gone> {
        let mut pause = ROOM_MIN;
        while self.batch.left() > 0 {
            let (stamp, mut batch) = (self.job.stamp, core::mem::take(&mut self.batch));
            let given = self.link.engine(move |engine, now| {
                let taken = engine.take_records(stamp, &mut batch, now);
                (batch, taken)
            });
            let Some((batch, taken)) = given else { return Err(Gone) };
            self.batch = batch;
            match taken {
                Taken::Gone => return Err(Gone),
                Taken::Full => {
                    self.wait(pause)?;
                    pause = (pause * 2).min(ROOM_MAX);
                }
                Taken::All { refused } if refused > 0 => {
                    log::warn!("file {}: {refused} records are no readings: not well-formed, or larger than the queue", self.job.feed.path);
                }
                Taken::All { .. } => {}
            }
        }
        self.batch.clear();
        Ok(())
    }

    /// Counts what could not be read, and says so.
    fn miss(&self, reason: Reason, line: &str) -> Result<(), Gone> {
        log::warn!("{line}");
        let stamp = self.job.stamp;
        self.link.engine(move |engine, _| engine.miss_record(stamp, reason)).ok_or(Gone)
    }

    fn ended(&self) -> Result<(), Gone> {
        let stamp = self.job.stamp;
        self.link.engine(move |engine, _| engine.end_reading(stamp)).ok_or(Gone)
    }

    /// Waits, unless the stream goes.
    fn wait(&self, time: Duration) -> Result<(), Gone> {
        match self.job.gone.recv_timeout(time) {
            Err(RecvTimeoutError::Disconnected) => Err(Gone),
            Ok(()) | Err(RecvTimeoutError::Timeout) => Ok(()),
        }
    }
}

/// A file at its beginning, and the bytes of it that are to be read: all but the last lines.
fn open(path: &str, skip_last: usize) -> io::Result<(File, u64)> {
    // What is no regular file may never come to an end, or to a beginning.
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("no regular file"));
    }
    let mut file = File::open(path)?;
    if skip_last == 0 {
        return Ok((file, u64::MAX));
    }
    let mut tail = Tail::new(skip_last);
    let mut piece = Vec::with_capacity(PIECE_BYTES);
    while (&mut file).take(PIECE_BYTES as u64).read_to_end(&mut piece)? > 0 {
        tail.see(&piece);
        piece.clear();
    }
    file.rewind()?;
    Ok((file, tail.end()))
}
