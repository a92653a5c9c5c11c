//! COUNTWINDOW: every so many rows the last so many, once there are enough.

use super::{After, At, Closed, bounds};

/// See the module text.
#[derive(Debug)]
pub struct Count {
    count: usize,
    every: usize,
    /// Rows since the last moment.
    seen: usize,
    /// Rows since the start, up to `count`: for windows that keep no rows.
    total: usize,
}

impl Count {
    /// Windows of `count` rows, `every` so many.
    #[must_use]
    pub fn new(count: i64, every: i64) -> Self {
        let whole = |n: i64| usize::try_from(n).unwrap_or(usize::MAX).max(1);
        Self { count: whole(count), every: whole(every), seen: 0, total: 0 }
    }

    /// Rows of one window.
    #[must_use]
    pub const fn size(&self) -> usize {
        self.count
    }

    /// True if no row is in two windows.
    #[must_use]
    pub const fn is_disjoint(&self) -> bool {
        self.every >= self.count
    }

    pub(super) fn arrived(&mut self) {
        self.seen += 1;
        self.total = self.count.min(self.total.saturating_add(1));
    }

    pub(super) fn next(&mut self, held: usize, at: At) -> Option<Closed> {
        if self.seen < self.every {
            return None;
        }
        self.seen = 0;
        if self.total < self.count {
            return None;
        }
        let now = match at {
            At::Clock(now) => now.wall.0,
            At::Watermark(mark) => mark,
        };
        let from = held.saturating_sub(self.count);
        let drop = if self.is_disjoint() { held } else { (from + 1).min(held) };
        if self.is_disjoint() {
            self.total = 0;
        }
        Some(Closed { bounds: bounds(now, now), from, to: held, tag: 0, after: After::DropFront(drop) })
    }
}
