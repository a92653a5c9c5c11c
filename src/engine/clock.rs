//! What is known of the wall clock: for `meta(clock)`.

use crate::time::{Instant, Now};

/// What is known of the wall clock, for `meta(clock)`.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct WallClock {
    /// Wall clock less monotonic clock, in milliseconds, as last seen.
    offset_ms: Option<i64>,
    /// When it was last set.
    stepped: Option<Instant>,
}

/// 2023-01-01: a wall clock before that has not been set since a box without a battery was switched on.
const EARLIEST_MS: i64 = 1_672_531_200_000;
/// A jump of the wall clock that counts as a step.
const STEP_MS: i64 = 1000;
/// How long readings are marked after a step.
const STEPPED: core::time::Duration = core::time::Duration::from_secs(60);

impl WallClock {
    /// Looks at both clocks.
    pub(super) fn see(&mut self, now: Now) {
        let offset = now.wall.0.saturating_sub(i64::try_from(now.mono.0 / 1_000_000).unwrap_or(i64::MAX));
        if self.offset_ms.is_some_and(|old| (offset - old).abs() > STEP_MS) {
            self.stepped = Some(now.mono);
        }
        self.offset_ms = Some(offset);
    }

    pub(super) fn name(&self, now: Now) -> &'static str {
        if now.wall.0 < EARLIEST_MS {
            "unsynced"
        } else if self.stepped.is_some_and(|at| now.mono.since(at) < STEPPED) {
            "stepped"
        } else {
            "synced"
        }
    }
}
