//! What a run keeps between rows: analytic state, the rows or groups of its window, events that wait for the watermark.
//!
//! In: decoded rows, and time. Out: closed windows, handed to [`super::collect`]. All of it lies in the rule's `state_bytes`, shared
//! out when the run starts. A window whose groups can take rows one by one keeps no rows ([`super::memory`]). When the
//! memory is full: `windowFull` emits early or drops the oldest rows, `groupFull` drops the new group or emits early, the least used
//! partition leaves; each is counted in [`Counters`].

mod emit;
mod enter;

use core::time::Duration;

use super::collect::Bound;
use super::held::Held;
use super::join::Joiner;
use super::memory::{Shares, calls, incremental, slides};
use super::slide::Slider;
use super::stage::{Select, Stage};
use crate::eval::Bounds;
use crate::eval::aggregate::Kinds;
use crate::eval::expr::Evaluator;
use crate::eval::state::Store;
use crate::pages::Pages;
use crate::sql::plan::{Plan, Slot};
use crate::stats::EXCEPTION_BYTES;
use crate::time::{Instant, Now, Timestamp, Zone};
use crate::value::{Fault, Scratch, Value};
use crate::window::rows::{Keep, Rows};
use crate::window::watermark::Watermark;
use crate::window::{Closed, Window};

/// Options of a rule about its window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WindowOptions {
    /// `windowFull: drop_oldest`; else what is there is emitted early.
    pub drop_oldest: bool,
    /// `groupFull: emit_early`; else the rows of a group too many are dropped.
    pub groups_early: bool,
    /// `idleTimeout` of the watermark.
    pub idle: Option<Duration>,
    /// `enableSendSlidingWindowTwice`.
    pub twice: bool,
}

/// What happened for lack of memory, and the like. Names as in metrics.
#[derive(Debug, Clone, Copy, Default)]
#[expect(missing_docs, reason = "see Counters::all")]
pub struct Counters {
    pub window_early_total: u64,
    pub dropped_window_total: u64,
    pub dropped_group_total: u64,
    pub dropped_late_total: u64,
    pub evicted_partition_total: u64,
    pub clock_steps_total: u64,
    pub split_total: u64,
    pub no_payload_total: u64,
}

impl Counters {
    /// Each with its name: windows emitted early and rows dropped because the memory was full; rows of groups too many; late events;
    /// partitions that left; steps of the wall clock; messages split; messages, or parts of one, without the payload that they
    /// should hold.
    #[must_use]
    pub const fn all(&self) -> [(&'static str, u64); 8] {
        [
            ("window_early_total", self.window_early_total),
            ("dropped_window_full_total", self.dropped_window_total),
            ("dropped_group_full_total", self.dropped_group_total),
            ("dropped_late_total", self.dropped_late_total),
            ("evicted_partition_total", self.evicted_partition_total),
            ("clock_steps_total", self.clock_steps_total),
            ("split_message_total", self.split_total),
            ("no_payload_total", self.no_payload_total),
        ]
    }
}

/// A collection that is being emitted.
#[derive(Debug, Clone, Copy)]
struct Open {
    closed: Closed,
    /// `None` without a window.
    bounds: Option<Bounds>,
    joined: bool,
    skip: usize,
    /// Incremental groups of one partition: their raw ids begin here.
    fresh: bool,
}

/// See the module text.
#[derive(Debug)]
pub(super) struct Windowed {
    rows: Rows<Pages>,
    keep: Keep,
    window: Option<Window>,
    groups: Store<Pages>,
    incremental: bool,
    watermark: Option<Watermark>,
    time_slots: Vec<Option<Slot>>,
    /// Rows that are in the window, at the front; the rest waits for the watermark.
    held: usize,
    bound: Bound,
    joiner: Joiner,
    /// Sums for windows that overlap.
    slider: Option<Slider>,
    /// Rows that left the front since the start.
    gone: u64,
    open: Option<Open>,
    /// Why the open window is lost already.
    lost: heapless::String<EXCEPTION_BYTES>,
    options: WindowOptions,
    group_count: usize,
    /// Wall clock less monotonic clock, in milliseconds, as last seen.
    offset_ms: Option<i64>,
    pub counters: Counters,
    filter_first: bool,
    /// Slots of analytic results, and the results of the row that is offered again.
    analytic_slots: Vec<Slot>,
    parked: Pages,
    parked_len: usize,
    overgrown: bool,
    /// Bytes of one message: a group that grows beyond most of it is emitted early.
    out_bytes: usize,
    /// A partition that left while the rows were out of reach; 0: none.
    gone_tag: u32,
}

/// Bytes of analytic results that outlive an early emission.
pub(super) const PARKED_BYTES: usize = 4096;

fn zeros(len: usize) -> Pages {
    Pages::new(len)
}

/// Everything else that an emission needs.
pub(super) struct Around<'r, 's> {
    pub stage: Stage<'s>,
    pub held: Held<'s>,
    pub scratch: &'r mut [u8],
    pub out: &'r mut [u8],
}

impl Windowed {
    pub(super) fn new(
        plan: &Plan,
        zone: &Zone,
        event_time: bool,
        late_ms: i64,
        options: WindowOptions,
        shares: Shares,
        group_count: usize,
    ) -> Self {
        let incremental = incremental(plan, event_time, options);
        let mut window = plan.window.as_ref().map(|w| Window::new(w, zone, zeros(shares.parts)));
        if let Some(window) = window.as_mut().filter(|_| options.twice) {
            window.send_twice();
        }
        let tables = plan.sources.iter().map(|s| s.table).collect();
        let analytic_slots = plan.analytics.iter().filter(|a| !a.late).map(|a| a.slot).collect::<Vec<_>>();
        let having = plan.having.as_ref().is_some_and(|h| calls(h, plan, |name| name.starts_with("last_agg_hit")));
        Self {
            rows: Rows::new(zeros(shares.rows)),
            keep: Keep::of_plan(plan),
            window,
            groups: Store::new(zeros(shares.groups)),
            incremental,
            watermark: event_time.then(|| Watermark::new(tables, late_ms, options.idle)),
            time_slots: Vec::new(),
            held: 0,
            bound: Bound { aggregates: Kinds::of(&plan.aggregates), filter_aggregates: Kinds::of(&plan.filter_aggregates), having },
            joiner: Joiner::new(shares.places / 4),
            slider: slides(plan, event_time).then(|| Slider::new(Kinds::of(&plan.aggregates).bytes(), shares.marks)),
            gone: 0,
            open: None,
            lost: heapless::String::new(),
            options,
            group_count,
            offset_ms: None,
            counters: Counters::default(),
            filter_first: plan.filters_before_window(event_time),
            parked: zeros(if analytic_slots.is_empty() || plan.window.is_none() { 0 } else { PARKED_BYTES }),
            analytic_slots,
            parked_len: 0,
            gone_tag: 0,
            out_bytes: usize::MAX,
            overgrown: false,
        }
    }

    /// Slots of the TIMESTAMP columns, per source.
    pub(super) fn set_time_slots(&mut self, slots: Vec<Option<Slot>>) {
        self.time_slots = slots;
    }

    /// True if rows do not go straight through.
    pub(super) const fn is_used(&self) -> bool {
        self.window.is_some() || self.watermark.is_some()
    }

    /// The aggregates of SELECT, and those of WHERE.
    pub(super) const fn kinds(&self) -> (&Kinds, &Kinds) {
        (&self.bound.aggregates, &self.bound.filter_aggregates)
    }

    /// True while a collection is being emitted.
    pub(super) const fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// True while there is something that time alone may yet let go.
    pub(super) fn is_holding(&self) -> bool {
        self.open.is_some() || !self.rows.is_empty() || !self.groups.is_empty()
    }

    /// Rows kept, or groups that rows were added to.
    pub(super) fn open_rows(&self) -> usize {
        let view = self.groups.view();
        self.rows.len() + view.named().filter(|id| view.key(*id).first() == Some(&super::collect::GROUP)).count()
    }

    /// No more events will come: the watermark goes on with the clock from now on.
    pub(super) const fn run_out(&mut self) {
        if let Some(mark) = &mut self.watermark {
            mark.run_out();
        }
    }

    /// True while a join has pairs to look at.
    pub(super) const fn is_joining(&self) -> bool {
        match &self.open {
            Some(open) => !open.joined && self.joiner.is_working(),
            None => false,
        }
    }

    pub(super) const fn is_event_time(&self) -> bool {
        self.watermark.is_some()
    }

    /// The slot of a source's TIMESTAMP column.
    pub(super) fn time_slot(&self, source: usize) -> Option<Slot> {
        self.time_slots.get(source).copied().flatten()
    }

    pub(super) fn start(&mut self, now: Now) {
        if let (Some(window), None) = (&mut self.window, &self.watermark) {
            window.start(now);
        }
    }

    /// Sees whether the wall clock was set since the last slice, and how large a message may be.
    pub(super) fn clock(&mut self, now: Now, out_bytes: usize) {
        self.out_bytes = out_bytes;
        let mono_ms = i64::try_from(now.mono.0 / 1_000_000).unwrap_or(i64::MAX);
        let offset = now.wall.0.saturating_sub(mono_ms);
        if let Some(old) = self.offset_ms {
            let delta = offset - old;
            if delta.abs() > 1000 {
                self.counters.clock_steps_total += 1;
                if self.watermark.is_none() {
                    if let Some(window) = &mut self.window {
                        window.shift(delta);
                    }
                    self.rows.shift(delta);
                }
            }
        }
        self.offset_ms = Some(offset);
    }

    /// When time alone has something to do here.
    pub(super) fn until(&self, now: Now) -> Option<Instant> {
        let window = self.window.as_ref()?;
        match &self.watermark {
            None => window.until(&self.rows, now).map(|(due, _)| due),
            Some(mark) => window.awaits(&self.rows, self.held).and_then(|time| mark.idle_at(time)),
        }
    }

    /// In wall time, up to when rows that arrived belong to the window that closes next by the clock.
    pub(super) fn closes_at(&self, now: Now) -> Option<i64> {
        if self.watermark.is_some() {
            return None;
        }
        self.window.as_ref()?.until(&self.rows, now).filter(|(due, _)| *due <= now.mono).map(|(_, wall)| wall)
    }
}

/// Runs the analytic functions that come before the window; false when one failed.
pub(super) fn analytics<'a>(ev: &Evaluator<'_, 'a>, select: &mut Select<'_>) -> bool {
    let Some(op) = select.ops.analytic else { return true };
    let now = select.now.wall;
    select.ops.at(op).take(now);
    select.ops.at(op).messages_processed_total += 1;
    match select.analytic.run(false, ev) {
        Ok(()) => {
            select.ops.at(op).give(1);
            true
        }
        Err(fault) => {
            select.fail(op, fault);
            false
        }
    }
}

/// Key of the one group of a state window's partition.
fn part_key(tag: u32) -> [u8; 5] {
    let [a, b, c, d] = tag.to_le_bytes();
    [super::collect::GROUP, a, b, c, d]
}

/// Tag of the partition whose group came first; 0: there is none.
fn first_part(groups: &Store<Pages>) -> u32 {
    let view = groups.view();
    let key = view.named().map(|id| view.key(id)).find(|key| key.first() == Some(&super::collect::GROUP));
    key.and_then(|key| key.get(1..)).and_then(|tag| tag.first_chunk()).map_or(0, |tag| u32::from_le_bytes(*tag))
}

fn forget_group(groups: &mut Store<Pages>, bound: &Bound, tag: u32) {
    if let Some(id) = groups.find(&part_key(tag)) {
        bound.aggregates.release(groups, id, 0);
        groups.remove(id);
    }
}

/// The event time in a TIMESTAMP column.
///
/// # Errors
/// `cannot find timestamp field …`, `cannot convert timestamp field …`.
pub(super) fn event_time<'a>(
    value: Option<Value<'a>>,
    name: &str,
    parse: &dyn Fn(&str) -> Option<crate::value::Moment>,
    scratch: &Scratch<'a>,
) -> Result<Timestamp, Fault<'a>> {
    let Some(value) = value else { return Err(scratch.fault(format_args!("cannot find timestamp field {name} in the row"))) };
    let wrong = |why: &str| scratch.fault(format_args!("cannot convert timestamp field {name} to timestamp with error {why}"));
    match value {
        Value::Int(ms) => Ok(Timestamp(ms)),
        #[expect(clippy::cast_possible_truncation, reason = "Go's conversion: towards zero")]
        Value::Float(ms) => Ok(Timestamp(ms as i64)),
        Value::Time(t) => Ok(Timestamp(t.ms())),
        Value::Str(text) => parse(text).map(|t| Timestamp(t.ms())).ok_or_else(|| wrong("unknown layout")),
        other => Err(wrong(other.go_type())),
    }
}
