//! SESSIONWINDOW: a window that closes when nothing came for the timeout, or at an aligned moment once it is older than its
//! longest duration.
//!
//! In event time the end follows from the rows alone, as eKuiper reckons it from one watermark to the next; the place where
//! that reckoning stands is kept, so that each row is looked at once.

use core::time::Duration;

use super::align::aligned_end;
use super::rows::Rows;
use super::{After, At, Closed, bounds, instant_at};
use crate::sql::plan::Unit;
use crate::time::{Instant, Now, Zone};

/// See the module text.
#[derive(Debug)]
pub struct Session {
    max_ms: i64,
    timeout_ms: i64,
    unit: Unit,
    /// When the open window began.
    first_ms: Option<i64>,
    /// Its last row.
    last_ms: i64,
    timeout: Instant,
    /// The next aligned moment, and when that is.
    tick_ms: i64,
    tick: Instant,
    /// Event time: the row to look at next, the one before it, and whether the last window was cut.
    next: usize,
    before_ms: Option<i64>,
    aligned_ms: Option<i64>,
    cut: bool,
}

impl Session {
    /// Windows of at most one duration, closed by a silence of `timeout_ms`.
    #[must_use]
    pub const fn new(max_ms: i64, timeout_ms: i64, unit: Unit) -> Self {
        Self {
            max_ms,
            timeout_ms,
            unit,
            first_ms: None,
            last_ms: 0,
            timeout: Instant(0),
            tick_ms: 0,
            tick: Instant(0),
            next: 0,
            before_ms: None,
            aligned_ms: None,
            cut: false,
        }
    }

    pub(super) fn start(&mut self, now: Now, zone: &Zone) {
        self.tick_ms = aligned_end(now.wall.0, self.max_ms, self.unit, zone);
        while self.tick_ms <= now.wall.0 {
            self.tick_ms += self.max_ms;
        }
        self.tick = instant_at(self.tick_ms, now);
    }

    pub(super) fn arrived(&mut self, time_ms: i64, now: Now) {
        self.first_ms.get_or_insert(time_ms);
        self.last_ms = time_ms;
        self.timeout = instant_at(time_ms + self.timeout_ms, now);
    }

    pub(super) fn next<B: AsRef<[u8]> + AsMut<[u8]>>(&mut self, rows: &Rows<B>, held: usize, at: At, zone: &Zone) -> Option<Closed> {
        match at {
            At::Clock(now) => {
                let (due, end) = self.until()?;
                if now.mono < due {
                    return None;
                }
                if self.tick_ms <= end {
                    self.advance((end - self.tick_ms) / self.max_ms + 1);
                }
                let start = self.first_ms.take().unwrap_or(end);
                let to = rows.before(end, held);
                if to < held {
                    self.first_ms = Some(rows.time(to));
                }
                Some(Closed { bounds: bounds(start, end), from: 0, to, tag: 0, after: After::DropFront(to) })
            }
            At::Watermark(watermark) => {
                let (end, cut) = self.event_end(rows, held, watermark, zone)?;
                let start = if self.cut { self.first_ms.unwrap_or(end) } else { rows.time(0) };
                let to = rows.before(end, held);
                self.cut = cut;
                self.first_ms = Some(end);
                self.restart();
                Some(Closed { bounds: bounds(start, end), from: 0, to, tag: 0, after: After::DropFront(to) })
            }
        }
    }

    /// Where the window that begins with the first row ends, if it does by now, and whether its duration cuts it.
    fn event_end<B: AsRef<[u8]> + AsMut<[u8]>>(&mut self, rows: &Rows<B>, held: usize, watermark: i64, zone: &Zone) -> Option<(i64, bool)> {
        if held == 0 {
            return None;
        }
        let first = rows.time(0);
        let mut tick = self.aligned_ms.unwrap_or_else(|| aligned_end(first, self.max_ms, self.unit, zone));
        while self.next < held {
            let time = rows.time(self.next);
            let mut end = self.before_ms.filter(|before| time - before > self.timeout_ms).map(|before| before + self.timeout_ms);
            let mut cut = false;
            if time > tick {
                if tick - self.max_ms > first && end.is_none_or(|end| tick < end) {
                    end = Some(tick);
                    cut = true;
                }
                tick += self.max_ms;
            }
            if let Some(end) = end {
                return Some((end, cut));
            }
            self.before_ms = Some(time);
            self.aligned_ms = Some(tick);
            self.next += 1;
        }
        let before = self.before_ms?;
        (watermark - before > self.timeout_ms).then_some((before + self.timeout_ms, false))
    }

    const fn restart(&mut self) {
        self.next = 0;
        self.before_ms = None;
        self.aligned_ms = None;
    }

    /// Silence, or the first tick at which the window is old enough, whichever the wall clock shows first.
    pub(super) fn until(&self) -> Option<(Instant, i64)> {
        let first = self.first_ms?;
        let behind = first.saturating_add(self.max_ms).saturating_sub(self.tick_ms).max(0);
        let ticks = behind / self.max_ms + i64::from(behind % self.max_ms > 0);
        let (silence, tick) = (self.last_ms + self.timeout_ms, self.tick_ms + ticks * self.max_ms);
        Some(if silence <= tick { (self.timeout, silence) } else { (self.tick_after(ticks), tick) })
    }

    fn tick_after(&self, ticks: i64) -> Instant {
        self.tick.after(Duration::from_millis(u64::try_from(ticks.saturating_mul(self.max_ms)).unwrap_or(0)))
    }

    fn advance(&mut self, ticks: i64) {
        self.tick = self.tick_after(ticks);
        self.tick_ms += ticks * self.max_ms;
    }

    pub(super) fn awaits<B: AsRef<[u8]> + AsMut<[u8]>>(&self, rows: &Rows<B>, held: usize) -> Option<i64> {
        held.checked_sub(1).map(|last| rows.time(last) + self.timeout_ms + 1)
    }

    pub(super) const fn dropped(&mut self, count: usize) {
        self.next = self.next.saturating_sub(count);
    }

    pub(super) const fn shift(&mut self, delta_ms: i64) {
        if let Some(first) = &mut self.first_ms {
            *first += delta_ms;
        }
        self.last_ms += delta_ms;
        self.tick_ms += delta_ms;
    }

    pub(super) fn cut(&mut self, now_ms: i64) -> i64 {
        self.restart();
        self.first_ms.replace(now_ms).unwrap_or(now_ms)
    }
}
