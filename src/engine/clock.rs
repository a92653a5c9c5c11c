//! What is known of the wall clock: for `meta(clock)`.

use crate::time::{Instant, Now};

/// What is known of the wall clock, for `meta(clock)`.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct WallClock {
    /// Wall clock less monotonic clock, in milliseconds, as last seen.
    offset_ms: Option<i64>,
    /// When it was last set.
    stepped: Option<Instant>,
    /// What the kernel says of it, where it says anything.
    synced: Option<bool>,
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

    /// Takes what the kernel says.
    pub(super) const fn set_synced(&mut self, synced: Option<bool>) {
        self.synced = synced;
    }

    pub(super) fn name(&self, now: Now) -> &'static str {
        if now.wall.0 < EARLIEST_MS || self.synced == Some(false) {
            "unsynced"
        } else if self.stepped.is_some_and(|at| now.mono.since(at) < STEPPED) {
            "stepped"
        } else {
            "synced"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    #[test]
    fn what_the_kernel_says_comes_before_steps() {
        let at = |s: u64, wall_ms: i64| Now { mono: Instant(s * 1_000_000_000), wall: Timestamp(wall_ms) };
        let day = 1_700_000_000_000;
        let mut clock = WallClock::default();
        clock.see(at(10, day));
        for (kernel, wanted) in [(None, "synced"), (Some(true), "synced"), (Some(false), "unsynced")] {
            clock.set_synced(kernel);
            assert_eq!(clock.name(at(10, day)), wanted, "{kernel:?}");
        }
        clock.see(at(11, day + 60_000));
        for (kernel, wanted) in [(None, "stepped"), (Some(true), "stepped"), (Some(false), "unsynced")] {
            clock.set_synced(kernel);
            assert_eq!(clock.name(at(70, day + 119_000)), wanted, "{kernel:?}");
        }
        clock.set_synced(Some(true));
        assert_eq!(clock.name(at(71, day + 120_000)), "synced", "a minute later");
        assert_eq!(clock.name(at(71, EARLIEST_MS - 1)), "unsynced", "whatever the kernel says");
    }
}
