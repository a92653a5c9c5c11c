//! `interval`: which message of a source may be read, and when.
//!
//! In: a source's ring and the clock. Out: its [`Turn`]. Ticks come every interval from the start of the run. What comes between two
//! is not read before the second: only the latest of them (the others leave the ring at once, so that it does not fill), or with
//! `mergeField` the latest for each value of that member ([`Frames`]).

use core::time::Duration;

use super::merge::{Frames, Full, key_of};
use super::run::{Feeds, Lent, Rule};
use crate::time::Instant;
use crate::value::Scratch;

/// One source's limit.
#[derive(Debug)]
pub(super) struct Limiter {
    every: Duration,
    /// Ticks are whole intervals from here.
    origin: Instant,
    /// The tick that a message waits for.
    tick: Option<Instant>,
    /// A message has passed and is being read.
    pub open: bool,
    /// What is merged at the next tick.
    pub frames: Option<Frames>,
}

/// What a source has for its rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// Nothing.
    Nothing,
    /// Nothing before this moment.
    Wait(Instant),
    /// The next row of its ring.
    Row,
    /// The next message of its ring, to be kept until the tick.
    Gather,
    /// One row of all that was kept.
    Merged,
}

impl Limiter {
    /// Of a source with `interval`; with `mergeField`, messages are kept in so many bytes.
    pub(super) fn new(every: Duration, merge_bytes: Option<usize>) -> Self {
        Self { every, origin: Instant::default(), tick: None, open: false, frames: merge_bytes.map(Frames::new) }
    }

    /// The run begins.
    pub(super) const fn start(&mut self, now: Instant) {
        self.origin = now;
    }

    /// The tick for a message that waits: the next one when it was first seen.
    fn armed(&mut self, now: Instant) -> Instant {
        let Self { every, origin, .. } = *self;
        *self.tick.get_or_insert_with(|| {
            let every = u64::try_from(every.as_nanos()).unwrap_or(u64::MAX).max(1);
            let passed = now.0.saturating_sub(origin.0) / every;
            Instant(origin.0.saturating_add(every.saturating_mul(passed + 1)))
        })
    }

    /// A message has passed: the next one waits for another tick.
    pub(super) const fn pass(&mut self) {
        self.tick = None;
    }
}

impl Rule {
    /// What source `index` has now.
    pub(super) fn turn(&mut self, index: usize, feeds: &mut impl Feeds, now: crate::time::Now) -> Turn {
        let Self { unit, inputs, limiters, .. } = self;
        if unit.sources[index].lookup.is_some() {
            return Turn::Nothing;
        }
        let input = &inputs[index];
        let ring = feeds.ring(input.feed);
        let held = |turn| if input.due > now.mono { Turn::Wait(input.due) } else { turn };
        let Some(limiter) = limiters[index].as_mut() else {
            return if ring.peek(input.reader).is_none() { Turn::Nothing } else { held(Turn::Row) };
        };
        if let Some(frames) = &limiter.frames {
            if !frames.is_empty() {
                let tick = limiter.armed(now.mono);
                if tick <= now.mono {
                    return held(Turn::Merged);
                }
                return if limiter.open || ring.peek(input.reader).is_none() { Turn::Wait(tick) } else { Turn::Gather };
            }
            return if ring.peek(input.reader).is_none() { Turn::Nothing } else { Turn::Gather };
        }
        if ring.peek(input.reader).is_none() {
            return Turn::Nothing;
        }
        if limiter.open {
            return held(Turn::Row);
        }
        let skipped = ring.skip_to_last(input.reader);
        let ops = unit.ops.sources[index];
        for _ in 0..skipped {
            unit.ops.at(ops.source).pass(now.wall);
            if let Some(limiter) = ops.rate_limit {
                let limiter = unit.ops.at(limiter);
                limiter.take(now.wall);
                limiter.messages_processed_total += 1;
            }
        }
        let tick = limiter.armed(now.mono);
        if tick > now.mono { Turn::Wait(tick) } else { held(Turn::Row) }
    }

    /// Keeps the next message of a ring until the tick. When there is no room it stays where it is.
    pub(super) fn gather(&mut self, index: usize, feeds: &mut impl Feeds, lent: &mut Lent<'_>) {
        let Self { unit, inputs, limiters, .. } = self;
        let (input, spec) = (&inputs[index], &unit.sources[index]);
        let (Some(limiter), Some(field)) = (limiters[index].as_mut(), &spec.merge_field) else { return };
        let Limiter { open, frames: Some(frames), .. } = limiter else { return };
        let ring = feeds.ring(input.feed);
        let Some(record) = ring.peek(input.reader) else { return };
        let scratch = Scratch::new(lent.scratch);
        let taken = match key_of(record.body, field, spec.numbers, &scratch) {
            Ok(key) => frames.put(key, record.meta, record.body),
            Err(fault) => {
                let op = unit.ops.sources[index].rate_limit.unwrap_or(unit.ops.sources[index].source);
                unit.ops.at(op).fail(fault.text, lent.now.wall);
                Ok(true)
            }
        };
        let ops = unit.ops.sources[index];
        match taken {
            // Until the tick has made room.
            Err(Full) => {
                *open = true;
                return;
            }
            Ok(true) => {}
            Ok(false) => {
                let fault = "a message is larger than the memory of mergeField: raise limits.stateBytes";
                unit.ops.at(ops.rate_limit.unwrap_or(ops.source)).fail(fault, lent.now.wall);
            }
        }
        unit.ops.at(ops.source).pass(lent.now.wall);
        if let Some(limiter) = ops.rate_limit {
            let limiter = unit.ops.at(limiter);
            limiter.take(lent.now.wall);
            limiter.messages_processed_total += 1;
        }
        ring.take(input.reader);
    }
}
