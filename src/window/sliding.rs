//! SLIDINGWINDOW: every event that fires gives the window of the rows up to it, or a delay later also of those behind it.
//!
//! Rows that fire are marked [`PENDING`]; with a delay they become [`DELAYED`] when the watermark has passed them. Without a delay
//! the window is `[t - length, t]`, with one `[t - length, t + delay)`, or, sent twice, at once `(t - length, t]` and later
//! `(t, t + delay]` (facts §4.2, `enableSendSlidingWindowTwice`).

use super::rows::{DELAYED, PENDING, Rows};
use super::{After, At, Closed, bounds, instant_at};
use crate::eval::Bounds;
use crate::time::{Instant, Now, Timestamp};

/// See the module text.
#[derive(Debug)]
pub struct Sliding {
    length_ms: i64,
    delay_ms: i64,
    /// No row before this one is marked.
    cursor: usize,
    /// The watermark whose passed rows were marked already.
    seen_ms: i64,
    /// Two windows per event that fires.
    twice: bool,
}

impl Sliding {
    /// Windows of one length, fired so much later.
    #[must_use]
    pub const fn new(length_ms: i64, delay_ms: i64) -> Self {
        Self { length_ms, delay_ms, cursor: 0, seen_ms: i64::MIN, twice: false }
    }

    /// With a delay: one window at once and one later.
    pub const fn send_twice(&mut self) {
        self.twice = self.delay_ms > 0;
    }

    pub(super) const fn fires_at_once(&self) -> bool {
        self.delay_ms == 0 || self.twice
    }

    pub(super) fn next<B: AsRef<[u8]> + AsMut<[u8]>>(&mut self, rows: &mut Rows<B>, held: usize, at: At) -> Option<Closed> {
        if self.twice {
            return self.next_of_two(rows, held, at);
        }
        let index = match at {
            At::Clock(now) => self.marked(rows, held, |_, time| time + self.delay_ms <= now.wall.0 || self.delay_ms == 0)?,
            At::Watermark(mark) if self.delay_ms == 0 => self.marked(rows, held, |_, time| time <= mark)?,
            At::Watermark(mark) => {
                // Those marked by an earlier watermark fire first; what this one passed waits for the next.
                let moved = mark > self.seen_ms;
                match self.marked(rows, held, |flags, time| moved && flags == DELAYED && time + self.delay_ms <= mark) {
                    Some(index) => index,
                    None => {
                        if mark > self.seen_ms {
                            self.seen_ms = mark;
                            for index in self.cursor..held {
                                if rows.flags(index) == PENDING && rows.time(index) <= mark {
                                    rows.set_flags(index, DELAYED);
                                }
                            }
                        }
                        return None;
                    }
                }
            }
        };
        let time = rows.time(index);
        rows.set_flags(index, 0);
        self.cursor = index;
        let (start, end) = (time - self.length_ms, time + self.delay_ms);
        let from = rows.before(start, held);
        let to = rows.before(if self.delay_ms > 0 { end } else { time + 1 }, held);
        Some(Closed { bounds: bounds(start, end), from, to: to.max(from), tag: 0, after: After::DropFront(from) })
    }

    /// What an event before it still has to give comes first; with event time that waits for the next watermark.
    fn next_of_two<B: AsRef<[u8]> + AsMut<[u8]>>(&mut self, rows: &mut Rows<B>, held: usize, at: At) -> Option<Closed> {
        let (now, later) = match at {
            At::Clock(now) => (i64::MAX, Some(now.wall.0)),
            At::Watermark(mark) => (mark, Some(mark).filter(|mark| *mark > self.seen_ms)),
        };
        let mut find = |flag: u8, until: i64| {
            let index = (self.cursor..held).find(|index| rows.flags(*index) == flag && rows.time(*index) <= until)?;
            rows.set_flags(index, if flag == PENDING { DELAYED } else { 0 });
            Some(index)
        };
        let second = later.and_then(|later| find(DELAYED, later.saturating_sub(self.delay_ms)));
        let first = if second.is_none() { find(PENDING, now) } else { None };
        if let (At::Watermark(mark), None) = (at, second) {
            self.seen_ms = mark;
        }
        let (start, end, time) = match (second, first) {
            (Some(index), _) => (rows.time(index), rows.time(index) + self.delay_ms, rows.time(index)),
            (None, Some(index)) => (rows.time(index) - self.length_ms, rows.time(index), rows.time(index)),
            (None, None) => return None,
        };
        let (from, to) = (rows.before(start + 1, held), rows.before(end + 1, held));
        let bounds = Bounds { trigger: Timestamp(time), ..bounds(start, end) };
        Some(Closed { bounds, from, to: to.max(from), tag: 0, after: After::DropFront(0) })
    }

    /// The first marked row that is ripe; rows are marked in order, so one that is not ends the search.
    fn marked<B: AsRef<[u8]> + AsMut<[u8]>>(&self, rows: &Rows<B>, held: usize, ripe: impl Fn(u8, i64) -> bool) -> Option<usize> {
        let index = (self.cursor..held).find(|index| rows.flags(*index) != 0)?;
        ripe(rows.flags(index), rows.time(index)).then_some(index)
    }

    pub(super) fn until<B: AsRef<[u8]> + AsMut<[u8]>>(&self, rows: &Rows<B>, now: Now) -> Option<(Instant, i64)> {
        let index = (self.cursor..rows.len()).find(|index| rows.flags(*index) != 0)?;
        let end = rows.time(index) + self.delay_ms;
        Some((instant_at(end, now), end))
    }

    pub(super) fn awaits<B: AsRef<[u8]> + AsMut<[u8]>>(&self, rows: &Rows<B>) -> Option<i64> {
        (self.cursor..rows.len()).find(|index| rows.flags(*index) != 0).map(|index| rows.time(index) + self.delay_ms)
    }

    pub(super) fn stale<B: AsRef<[u8]> + AsMut<[u8]>>(&self, rows: &Rows<B>, held: usize, newest_ms: i64) -> usize {
        let first = (self.cursor..held).find(|index| rows.flags(*index) != 0).map_or(newest_ms, |index| rows.time(index));
        rows.before(first.min(newest_ms).saturating_sub(self.length_ms), held)
    }

    pub(super) const fn dropped(&mut self, count: usize) {
        self.cursor = self.cursor.saturating_sub(count);
    }
}
