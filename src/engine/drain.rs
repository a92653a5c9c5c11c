//! How fast a queue drained lately: for Retry-After of its 503.

use crate::time::Instant;

/// How fast a queue drained lately.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Drain {
    since: Instant,
    /// Bytes that had left by then.
    drained: u64,
    /// Bytes a second before that.
    rate: u64,
}

/// Seconds over which a drain rate is taken.
const RATE_SECS: u64 = 10;

impl Drain {
    /// Looks at what has left the queue so far, now and then: a rate is taken over ten seconds.
    pub(super) fn note(&mut self, drained: u64, now: Instant) {
        let elapsed = now.since(self.since).as_secs();
        if elapsed >= RATE_SECS {
            self.rate = drained.saturating_sub(self.drained) / elapsed;
            self.drained = drained;
            self.since = now;
        }
    }

    /// Seconds until a full queue should have room: bytes ahead by the drain rate of the last ten seconds, 1 to 60, 30 when nothing
    /// drained, and up to a fifth more so that senders do not come back together.
    pub(super) fn retry_after(&self, drained: u64, ahead: usize, now: Instant, salt: u64) -> u16 {
        let elapsed = now.since(self.since).as_secs();
        let lately = drained.saturating_sub(self.drained).checked_div(elapsed).unwrap_or(0);
        let base = match self.rate.max(lately) {
            0 => 30,
            rate => (ahead as u64 / rate).clamp(1, 60),
        };
        let jitter = salt.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        u16::try_from(base + jitter % (base / 5 + 1)).unwrap_or(60)
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;

    #[test]
    fn retry_after_follows_the_drain_rate() {
        let start = Instant::default();
        let mut drain = Drain::default();
        let at = |s| start.after(Duration::from_secs(s));
        assert!((30..=36).contains(&drain.retry_after(0, 100_000, at(5), 1)), "nothing drained");
        drain.note(100_000, at(10)); // 10,000 bytes a second
        assert!((20..=24).contains(&drain.retry_after(100_000, 200_000, at(10), 7)));
        assert_eq!(drain.retry_after(100_000, 10, at(10), 3), 1, "never below one second");
        assert!((60..=72).contains(&drain.retry_after(100_000, 10_000_000, at(10), 9)), "never far above a minute");
    }
}
