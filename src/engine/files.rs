//! Files as sources: records that a reader outside cut from a file, into the queue of the stream that wants them.
//!
//! In: [`Batch`]es of records, faults, the end of a file, each with the stamp of the open stream it is for. Out: a [`Job`] for each
//! file that a started rule reads, and how much of a batch there was room for: what finds none stays in the batch and is offered again.
//! Limits: as for bodies, `limits.queueBytes`; what cannot be a reading is counted as refused.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use super::Engine;
use crate::gate::body::{Checked, FLAG_ROWS};
use crate::gate::reason::Reason;
use crate::ring::{Parts, Refused};
use crate::source::file::{FileFeed, FileType};
use crate::source::{Feed, StreamSpec};
use crate::time::Now;
use crate::value::Value;
use crate::value::packed::Encoder;

/// A file that is to be read for an open stream.
#[derive(Debug)]
pub struct Job {
    /// Of the open stream.
    pub stamp: u64,
    /// What is read.
    pub feed: Arc<FileFeed>,
    /// Disconnected once nobody reads the stream any more.
    pub gone: Receiver<()>,
}

/// The engine's end of a [`Job`].
#[derive(Debug)]
pub(super) struct Reading {
    stamp: u64,
    pub(super) ended: bool,
    /// Dropped with the stream, which the reader sees.
    _there: Sender<()>,
}

/// Records on their way; of CSV, packed lists of one row each.
#[derive(Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    next: usize,
}

impl Batch {
    /// Adds a record.
    pub fn add(&mut self, record: &[u8]) {
        self.bytes.extend_from_slice(record);
        self.ends.push(self.bytes.len());
    }

    /// Bytes of its records.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Records that have not been taken.
    #[must_use]
    pub const fn left(&self) -> usize {
        self.ends.len() - self.next
    }

    /// Empty again.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        self.next = 0;
    }

    fn first(&self) -> Option<&[u8]> {
        let from = if self.next == 0 { 0 } else { *self.ends.get(self.next - 1)? };
        self.bytes.get(from..*self.ends.get(self.next)?)
    }
}

/// What became of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It is empty. So many of its records are no readings, and are counted.
    All {
        /// How many.
        refused: usize,
    },
    /// The queue is full: the rest should be offered again.
    Full,
    /// Nobody reads the stream any more.
    Gone,
}

impl Engine {
    /// Files that are to be read since this was last asked.
    pub fn take_jobs(&mut self) -> Vec<Job> {
        core::mem::take(&mut self.jobs)
    }

    /// The reading of a stream that opens, if it is of a file.
    pub(super) fn reading_of(&mut self, spec: &StreamSpec) -> Option<Reading> {
        let Feed::File(feed) = &spec.feed else { return None };
        self.stamps += 1;
        let (there, gone) = channel();
        self.jobs.push(Job { stamp: self.stamps, feed: Arc::clone(feed), gone });
        Some(Reading { stamp: self.stamps, ended: false, _there: there })
    }

    /// Where the stream of a reading is open.
    fn place_of(&self, stamp: u64) -> Option<usize> {
        self.feeds.open.iter().position(|o| o.as_ref().and_then(|o| o.file.as_ref()).is_some_and(|file| file.stamp == stamp))
    }

    /// Puts the records of a batch into the queue, as far as there is room.
    pub fn take_records(&mut self, stamp: u64, batch: &mut Batch, now: Now) -> Taken {
        let Some(at) = self.place_of(stamp) else { return Taken::Gone };
        let Self { feeds, index, meta, seq, .. } = self;
        let Some(open) = feeds.open[at].as_mut() else { return Taken::Gone };
        let Feed::File(feed) = &open.spec.feed else { return Taken::Gone };
        let mut meta_len = 0;
        if open.wants_meta {
            let mut out = Encoder::new(meta);
            let facts = out.begin_object().and_then(|()| out.entry("file", Value::Str(&feed.path))).and_then(|()| out.end());
            meta_len = facts.map_or(0, |()| out.len());
        }
        let mut refused = 0;
        while let Some(body) = batch.first() {
            let checked = match feed.kind {
                FileType::Csv => Ok(Checked { flags: FLAG_ROWS, index_len: 0 }),
                FileType::Json | FileType::Lines => index.check(open.spec.shape.format, body, at),
            };
            let reason = match checked {
                Err(_) => Some(Reason::Malformed),
                Ok(checked) => {
                    *seq += 1;
                    let (flags, index) = (checked.flags, if checked.index_len == 0 { &[][..] } else { index.bytes(checked) });
                    let meta = meta.get(..meta_len).unwrap_or(&[]);
                    match open.ring.push(&Parts { seq: *seq, flags, time_ms: now.wall.0, meta, index, body }) {
                        Ok(_) => None,
                        Err(Refused::Full { .. }) => return Taken::Full,
                        Err(Refused::TooLarge) => Some(Reason::TooLarge),
                    }
                }
            };
            match reason {
                None => open.accepted_total += 1,
                Some(reason) => {
                    open.refused.count(reason);
                    refused += 1;
                }
            }
            batch.next += 1;
        }
        Taken::All { refused }
    }

    /// Counts a record, or the rest of a file, that could not be read.
    pub fn miss_record(&mut self, stamp: u64, reason: Reason) {
        if let Some(open) = self.place_of(stamp).and_then(|at| self.feeds.open[at].as_mut()) {
            open.refused.count(reason);
        }
    }

    /// Nothing is read any more: the process ends.
    pub fn end_readings(&mut self) {
        self.feeds.open.iter_mut().flatten().for_each(|open| open.file = None);
    }

    /// A file will not be read again.
    pub fn end_reading(&mut self, stamp: u64) {
        if let Some(file) = self.place_of(stamp).and_then(|at| self.feeds.open[at].as_mut()?.file.as_mut()) {
            file.ended = true;
        }
    }
}
