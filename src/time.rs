//! Time as an argument: [`Instant`] is monotonic, [`Timestamp`] is wall-clock or event time; the two never mix.
//!
//! Cores never read a clock. The shell hands in a [`Now`] with both readings.

mod duration;

use core::time::Duration;

pub use self::duration::{DurationError, duration_ms, parse_duration};

/// A monotonic moment, in nanoseconds since the process started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(pub u64);

impl Instant {
    /// The moment `by` later; saturates.
    #[must_use]
    pub fn after(self, by: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(by.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// Time from `earlier` to `self`; zero if `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// A wall-clock or event time, in milliseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub i64);

/// Both clocks read at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Now {
    /// Monotonic reading: deadlines, back-off, window lengths.
    pub mono: Instant,
    /// Wall-clock reading: what SQL and logs show.
    pub wall: Timestamp,
}

/// A time zone: its offset from UTC at any instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    name: String,
    /// Instants (seconds since the epoch) from which an offset (seconds east) holds, in order.
    changes: Vec<(i64, i32)>,
    /// Offset before the first change.
    first: i32,
}

impl Zone {
    /// Coordinated Universal Time.
    #[must_use]
    pub fn utc() -> Self {
        Self { name: "UTC".into(), changes: Vec::new(), first: 0 }
    }

    /// The zone's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Offset from UTC in seconds, east positive, at `secs` since the epoch.
    #[must_use]
    pub fn offset_at(&self, secs: i64) -> i32 {
        match self.changes.partition_point(|(from, _)| *from <= secs) {
            0 => self.first,
            n => self.changes[n - 1].1,
        }
    }
}
