//! Windows: rows and time in, closed windows out.
//!
//! In: the times of rows as they arrive or are released by the watermark, and the clock. Out: [`Closed`]: which rows, and between
//! which bounds. A file per kind; [`rows`] keeps the rows, [`watermark`] orders events by their own time, [`align`] says where
//! windows end. Follows facts §7.6. No clock is read here: processing time runs on the monotonic clock of a [`Now`], its bounds
//! are given in wall time; a step of the wall clock moves what is open ([`Window::shift`]).

pub mod align;
pub mod count;
pub mod rows;
pub mod session;
pub mod sliding;
pub mod state;
pub mod ticks;
pub mod watermark;

use crate::eval::Bounds;
use crate::pages::Pages;
use crate::sql::plan::{self, WindowKind};
use crate::time::{Instant, Now, Timestamp, Zone};
use rows::Rows;

/// What a window is judged by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// Processing time.
    Clock(Now),
    /// Event time: nothing older will come.
    Watermark(i64),
}

/// A window that is complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closed {
    /// Its bounds.
    pub bounds: Bounds,
    /// First row.
    pub from: usize,
    /// Behind the last row.
    pub to: usize,
    /// Only rows with this tag; 0: all.
    pub tag: u32,
    /// Which rows are not needed any more afterwards.
    pub after: After,
}

/// See [`Closed::after`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// So many at the front.
    DropFront(usize),
    /// Those with the window's tag.
    DropTagged,
}

/// One rule's window.
#[derive(Debug)]
pub struct Window {
    /// Which.
    pub kind: Kind,
    zone: Zone,
}

/// Kinds, each with its state.
#[derive(Debug)]
#[expect(missing_docs, reason = "see the files of their names")]
pub enum Kind {
    Ticks(ticks::Ticks),
    Sliding(sliding::Sliding),
    Session(session::Session),
    Count(count::Count),
    State(state::State),
    /// A length that is not above 0: it never closes and keeps nothing.
    Never,
}

impl Window {
    /// A window as the plan has it. `parts`: memory for the partitions of a state window.
    #[must_use]
    pub fn new(window: &plan::Window, zone: &Zone, parts: Pages) -> Self {
        let unit = window.unit;
        let kind = match window.kind {
            WindowKind::Tumbling { length_ms } if length_ms > 0 => Kind::Ticks(ticks::Ticks::new(length_ms, length_ms, unit)),
            WindowKind::Hopping { length_ms, hop_ms } if length_ms > 0 && hop_ms > 0 => {
                Kind::Ticks(ticks::Ticks::new(length_ms, hop_ms, unit))
            }
            WindowKind::Sliding { length_ms, delay_ms } if length_ms > 0 => {
                Kind::Sliding(sliding::Sliding::new(length_ms, delay_ms.max(0)))
            }
            WindowKind::Session { max_ms, timeout_ms } if max_ms > 0 && timeout_ms > 0 => {
                Kind::Session(session::Session::new(max_ms, timeout_ms, unit))
            }
            WindowKind::Count { count, every } => Kind::Count(count::Count::new(count, every)),
            WindowKind::State { .. } => Kind::State(state::State::new(parts)),
            _ => Kind::Never,
        };
        Self { kind, zone: zone.clone() }
    }

    /// A sliding window with a delay is sent twice: `enableSendSlidingWindowTwice`.
    pub const fn send_twice(&mut self) {
        if let Kind::Sliding(sliding) = &mut self.kind {
            sliding.send_twice();
        }
    }

    /// The run begins, in processing time.
    pub fn start(&mut self, now: Now) {
        match &mut self.kind {
            Kind::Ticks(ticks) => ticks.start(now, &self.zone),
            Kind::Session(session) => session.start(now, &self.zone),
            _ => {}
        }
    }

    /// A row of time `time_ms` is in, as row `index` of those kept. `fires`: it meets OVER (WHEN ...).
    pub fn arrived<B: AsRef<[u8]> + AsMut<[u8]>>(&mut self, rows: &mut Rows<B>, index: usize, time_ms: i64, fires: bool, now: Now) {
        match &mut self.kind {
            Kind::Ticks(ticks) => ticks.arrived(time_ms),
            Kind::Sliding(_) if fires => rows.set_flags(index, rows::PENDING),
            Kind::Session(session) => session.arrived(time_ms, now),
            Kind::Count(count) => count.arrived(),
            _ => {}
        }
    }

    /// The next window that is complete. `held`: rows that are in, at the front of `rows`.
    pub fn next<B: AsRef<[u8]> + AsMut<[u8]>>(&mut self, rows: &mut Rows<B>, held: usize, at: At) -> Option<Closed> {
        match &mut self.kind {
            Kind::Ticks(ticks) => ticks.next(rows, held, at, &self.zone),
            Kind::Sliding(sliding) => sliding.next(rows, held, at),
            Kind::Session(session) => session.next(rows, held, at, &self.zone),
            Kind::Count(count) => count.next(held, at),
            Kind::State(_) | Kind::Never => None,
        }
    }

    /// True if a row may complete a window at once.
    #[must_use]
    pub const fn closes_by_rows(&self) -> bool {
        match &self.kind {
            Kind::Count(_) => true,
            Kind::Sliding(sliding) => sliding.fires_at_once(),
            _ => false,
        }
    }

    /// The moment at which a row of `time_ms` completes what it completes: a sliding window looks no further than the row itself,
    /// because rows behind it may still lie in the queue.
    #[must_use]
    pub const fn moment(&self, time_ms: i64, now: Now) -> Now {
        match &self.kind {
            Kind::Sliding(_) => Now { wall: Timestamp(time_ms), ..now },
            _ => now,
        }
    }

    /// When the clock alone will complete a window, in processing time: on the monotonic clock, and in wall time.
    #[must_use]
    pub fn until<B: AsRef<[u8]> + AsMut<[u8]>>(&self, rows: &Rows<B>, now: Now) -> Option<(Instant, i64)> {
        match &self.kind {
            Kind::Ticks(ticks) => ticks.until(),
            Kind::Session(session) => session.until(),
            Kind::Sliding(sliding) => sliding.until(rows, now),
            _ => None,
        }
    }

    /// What the watermark must reach for a window to close, as far as that is known; event time.
    #[must_use]
    pub fn awaits<B: AsRef<[u8]> + AsMut<[u8]>>(&self, rows: &Rows<B>, held: usize) -> Option<i64> {
        match &self.kind {
            Kind::Ticks(ticks) => ticks.awaits(rows, held, &self.zone),
            Kind::Session(session) => session.awaits(rows, held),
            Kind::Sliding(sliding) => sliding.awaits(rows),
            _ => None,
        }
    }

    /// Rows at the front that no window will need any more, once nothing is complete.
    #[must_use]
    pub fn stale<B: AsRef<[u8]> + AsMut<[u8]>>(&self, rows: &Rows<B>, held: usize, newest_ms: i64) -> usize {
        match &self.kind {
            Kind::Sliding(sliding) => sliding.stale(rows, held, newest_ms),
            Kind::Never => held,
            _ => 0,
        }
    }

    /// The first `count` rows left, for whatever reason.
    pub fn dropped(&mut self, count: usize) {
        match &mut self.kind {
            Kind::Sliding(sliding) => sliding.dropped(count),
            Kind::Session(session) => session.dropped(count),
            _ => {}
        }
    }

    /// The wall clock was set by `delta_ms`: what is open moves along, and the next window aligns anew.
    pub fn shift(&mut self, delta_ms: i64) {
        match &mut self.kind {
            Kind::Ticks(ticks) => ticks.shift(delta_ms),
            Kind::Session(session) => session.shift(delta_ms),
            Kind::State(state) => state.shift(delta_ms),
            _ => {}
        }
    }

    /// Bounds of what is open now, when it must be emitted before its time at `now_ms`.
    #[must_use]
    pub fn cut(&mut self, now_ms: i64) -> Bounds {
        let start = match &mut self.kind {
            Kind::Ticks(ticks) => ticks.cut(now_ms),
            Kind::Session(session) => session.cut(now_ms),
            _ => now_ms,
        };
        bounds(start, now_ms)
    }
}

/// Bounds whose trigger is their end.
#[must_use]
pub const fn bounds(start_ms: i64, end_ms: i64) -> Bounds {
    Bounds { start: Timestamp(start_ms), end: Timestamp(end_ms), trigger: Timestamp(end_ms) }
}

/// The moment on the monotonic clock when the wall clock will show `wall_ms`.
#[must_use]
pub fn instant_at(wall_ms: i64, now: Now) -> Instant {
    let ahead = wall_ms.saturating_sub(now.wall.0);
    match u64::try_from(ahead) {
        Ok(ms) => Instant(now.mono.0.saturating_add(ms.saturating_mul(1_000_000))),
        Err(_) => now.mono,
    }
}
