//! The watermark of event time: the smallest, over all streams, of the largest time seen, less the tolerance for late events.
//!
//! A stream that has sent nothing holds it back. Events before the mark are late: dropped and counted. With `idleTimeout` the mark
//! goes on by itself when nothing comes, as fast as the clock.

use core::time::Duration;

use crate::time::{Instant, Now};

/// See the module text.
#[derive(Debug)]
pub struct Watermark {
    late_ms: i64,
    /// Largest time per source; tables have none.
    seen_ms: Vec<Option<i64>>,
    tables: Vec<bool>,
    mark_ms: Option<i64>,
    idle: Option<Duration>,
    /// When the last event came.
    fed: Instant,
    /// It moved since [`Watermark::settle`].
    moved: bool,
    /// Events that came too late.
    pub late_total: u64,
}

impl Watermark {
    /// A mark over sources of which some are tables. `idle`: the silence after which it goes on by itself.
    #[must_use]
    pub fn new(tables: Vec<bool>, late_ms: i64, idle: Option<Duration>) -> Self {
        Self { late_ms, seen_ms: vec![None; tables.len()], tables, mark_ms: None, idle, fed: Instant(0), moved: false, late_total: 0 }
    }

    /// An event of time `time_ms` came; false if it is late.
    pub fn admit(&mut self, source: usize, time_ms: i64, now: Instant) -> bool {
        self.fed = now;
        if let Some(seen) = self.seen_ms.get_mut(source)
            && seen.is_none_or(|seen| time_ms > seen)
        {
            *seen = Some(time_ms);
        }
        let admitted = self.mark_ms.is_none_or(|mark| time_ms >= mark);
        self.late_total += u64::from(!admitted);
        admitted
    }

    /// Where the mark stands.
    #[must_use]
    pub const fn mark(&self) -> Option<i64> {
        self.mark_ms
    }

    /// True while what the mark passed by its last move is let go: an event that comes at the very mark waits for the next move.
    #[must_use]
    pub const fn has_moved(&self) -> bool {
        self.moved
    }

    /// All that the mark passed is gone.
    pub const fn settle(&mut self) {
        self.moved = false;
    }

    /// Moves the mark to where the events have brought it.
    pub fn advance(&mut self) {
        let mut least = i64::MAX;
        for (seen, table) in self.seen_ms.iter().zip(&self.tables) {
            match seen {
                _ if *table => {}
                Some(seen) => least = least.min(*seen),
                None => return,
            }
        }
        if least != i64::MAX {
            self.raise(least.saturating_sub(self.late_ms));
        }
    }

    /// Moves the mark on with the clock, if nothing came for the idle timeout.
    pub fn idle(&mut self, now: Now) {
        let Some(newest) = self.newest() else { return };
        if self.idle.is_some_and(|idle| now.mono.since(self.fed) >= idle) {
            let passed = i64::try_from(now.mono.since(self.fed).as_millis()).unwrap_or(i64::MAX);
            self.raise(newest.saturating_add(passed));
        }
    }

    /// No more events will come: it goes on with the clock from now on.
    pub const fn run_out(&mut self) {
        self.idle = Some(Duration::from_millis(1));
    }

    /// When the mark will have reached `time_ms` by itself.
    #[must_use]
    pub fn idle_at(&self, time_ms: i64) -> Option<Instant> {
        let (idle, newest) = (self.idle?, self.newest()?);
        let ahead = Duration::from_millis(u64::try_from(time_ms.saturating_sub(newest)).unwrap_or(0));
        Some(self.fed.after(idle.max(ahead)))
    }

    fn newest(&self) -> Option<i64> {
        self.seen_ms.iter().flatten().max().copied()
    }

    fn raise(&mut self, mark_ms: i64) {
        if self.mark_ms.is_none_or(|mark| mark_ms > mark) {
            self.mark_ms = Some(mark_ms);
            self.moved = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    #[test]
    fn the_slowest_stream_holds_it() {
        let mut w = Watermark::new(vec![false, true, false], 1000, None);
        assert!(w.admit(0, 5000, Instant(0)));
        w.advance();
        assert_eq!(w.mark(), None);
        assert!(w.admit(2, 3000, Instant(0)));
        w.advance();
        assert_eq!(w.mark(), Some(2000));
        assert!(w.admit(2, 2000, Instant(0)) && !w.admit(2, 1999, Instant(0)));
        w.advance();
        assert_eq!((w.mark(), w.late_total), (Some(2000), 1));
    }

    #[test]
    fn silence_moves_it_on() {
        let mut w = Watermark::new(vec![false], 1000, Some(Duration::from_secs(2)));
        w.admit(0, 5000, Instant(0));
        w.advance();
        let at = |ms: u64| Now { mono: Instant(ms * 1_000_000), wall: Timestamp(0) };
        w.idle(at(1999));
        assert_eq!((w.mark(), w.idle_at(5500), w.idle_at(9000)), (Some(4000), Some(at(2000).mono), Some(at(4000).mono)));
        w.idle(at(2000));
        assert_eq!(w.mark(), Some(7000));
    }
}
