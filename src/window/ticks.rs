//! TUMBLINGWINDOW and HOPPINGWINDOW: windows that end at regular moments, whether anything came or not.
//!
//! The first end is aligned ([`super::align`]), each further one a hop later. A tumbling window starts where the one before
//! ended, the first one with the run, or in event time with the first event.

use super::align::aligned_end;
use super::rows::Rows;
use super::{After, At, Closed, bounds, instant_at};
use crate::sql::plan::Unit;
use crate::time::{Instant, Now, Zone};

/// See the module text.
#[derive(Debug)]
pub struct Ticks {
    length_ms: i64,
    hop_ms: i64,
    unit: Unit,
    /// When the last window ended; before that, when all began.
    last_ms: Option<i64>,
    /// End of the open window.
    end_ms: Option<i64>,
    due: Instant,
    /// The clock was set: the next end is not a hop away but aligned.
    realign: bool,
}

impl Ticks {
    /// Windows of one length, a hop apart.
    #[must_use]
    pub const fn new(length_ms: i64, hop_ms: i64, unit: Unit) -> Self {
        Self { length_ms, hop_ms, unit, last_ms: None, end_ms: None, due: Instant(0), realign: false }
    }

    pub(super) fn start(&mut self, now: Now, zone: &Zone) {
        self.last_ms = Some(now.wall.0);
        self.plan(now.wall.0, now, zone);
    }

    /// Plans the first aligned end behind `from_ms`.
    fn plan(&mut self, from_ms: i64, now: Now, zone: &Zone) {
        let mut end = aligned_end(from_ms, self.hop_ms, self.unit, zone);
        while end <= from_ms {
            end += self.hop_ms;
        }
        self.end_ms = Some(end);
        self.due = instant_at(end, now);
    }

    pub(super) fn arrived(&mut self, time_ms: i64) {
        self.last_ms.get_or_insert(time_ms);
    }

    pub(super) fn next<B: AsRef<[u8]> + AsMut<[u8]>>(&mut self, rows: &Rows<B>, held: usize, at: At, zone: &Zone) -> Option<Closed> {
        let end = match at {
            At::Clock(now) => self.end_ms.filter(|_| now.mono >= self.due)?,
            At::Watermark(watermark) => {
                let end = self.first_end(zone)?;
                self.end_ms = Some(end);
                (end <= watermark).then_some(end)?
            }
        };
        let overlap = self.length_ms - self.hop_ms;
        let last = self.last_ms.unwrap_or(end - self.hop_ms);
        let from = if overlap == 0 { 0 } else { rows.before(end - self.length_ms, held) };
        let to = rows.before(end, held);
        let drop = if overlap == 0 { to } else { rows.before(end - overlap, to) };
        self.last_ms = Some(end);
        match at {
            At::Clock(now) if self.realign => {
                self.realign = false;
                self.plan(end, now, zone);
            }
            At::Clock(now) => {
                self.end_ms = Some(end + self.hop_ms);
                self.due = instant_at(end + self.hop_ms, now);
            }
            At::Watermark(_) => self.end_ms = Some(end + self.hop_ms),
        }
        Some(Closed { bounds: bounds(last - overlap, end), from, to: to.max(from), tag: 0, after: After::DropFront(drop) })
    }

    /// End of the open window in event time: known since the first event.
    fn first_end(&self, zone: &Zone) -> Option<i64> {
        self.end_ms.or_else(|| self.last_ms.map(|first| aligned_end(first, self.hop_ms, self.unit, zone)))
    }

    pub(super) fn until(&self) -> Option<(Instant, i64)> {
        self.end_ms.map(|end| (self.due, end))
    }

    pub(super) fn awaits<B: AsRef<[u8]> + AsMut<[u8]>>(&self, rows: &Rows<B>, held: usize, zone: &Zone) -> Option<i64> {
        let _ = (rows, held);
        self.first_end(zone)
    }

    pub(super) const fn shift(&mut self, delta_ms: i64) {
        if let Some(last) = &mut self.last_ms {
            *last += delta_ms;
        }
        if let Some(end) = &mut self.end_ms {
            *end += delta_ms;
        }
        self.realign = true;
    }

    pub(super) fn cut(&mut self, now_ms: i64) -> i64 {
        self.last_ms.replace(now_ms).unwrap_or(now_ms)
    }
}
