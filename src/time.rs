//! Time as an argument: [`Instant`] is monotonic, [`Timestamp`] is wall-clock or event time; the two never mix.
//!
//! Cores never read a clock. The shell hands in a [`Now`] with both readings.
//!
//! * [`zone`]: time zones from the bytes of their files.
//! * [`layout`]: Go's reference layouts, out and in.
//! * [`pattern`]: eKuiper's patterns (`yyyy-MM-dd HH:mm:ss`) as layouts.
//! * [`text`]: times from any text that eKuiper takes for one.

mod duration;

pub mod layout;
pub mod pattern;
pub mod text;
pub mod zone;

use core::time::Duration;

pub use zone::Zone;

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
