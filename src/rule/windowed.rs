//! What a run keeps between rows: analytic state, the rows or groups of its window, events that wait for the watermark.
//!
//! In: decoded rows, and time. Out: closed windows, handed to [`super::collect`]. All of it lies in the rule's `state_bytes`, shared
//! out when the run starts. A window whose groups can take rows one by one keeps no rows (`Windowed::accumulates`). When the
//! memory is full: `windowFull` emits early or drops the oldest rows, `groupFull` drops the new group or emits early, the least used
//! partition leaves; each is counted in [`Counters`].

use core::time::Duration;

use super::collect::{Bench, Bound, Collection, Units, first_bytes, group_key, key_of, run, store_first};
use super::join::{Joiner, Span};
use super::run::SLICE_FUEL;
use super::single;
use super::slide::Slider;
use super::stage::{Select, Stage, prefixed};
use crate::eval::Bounds;
use crate::eval::aggregate::{Kinds, Trouble};
use crate::eval::expr::Evaluator;
use crate::eval::row::Row;
use crate::eval::state::Store;
use crate::sql::plan::{Expr, Plan, Slot, WindowKind};
use crate::stats::{EXCEPTION_BYTES, fit};
use crate::table::Table;
use crate::time::{Instant, Now, Timestamp, Zone};
use crate::value::{Fault, Scratch, Value};
use crate::window::rows::{self, Head, Keep, NoRoom, Rows};
use crate::window::watermark::Watermark;
use crate::window::{After, At, Closed, Kind, Window, bounds};

/// Options of a rule about its window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WindowOptions {
    /// `windowFull: drop_oldest`; else what is there is emitted early.
    pub drop_oldest: bool,
    /// `groupFull: emit_early`; else the rows of a group too many are dropped.
    pub groups_early: bool,
    /// `idleTimeout` of the watermark.
    pub idle: Option<Duration>,
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
}

impl Counters {
    /// Each with its name: windows emitted early and rows dropped because the memory was full; rows of groups too many; late events;
    /// partitions that left; steps of the wall clock; messages split.
    #[must_use]
    pub const fn all(&self) -> [(&'static str, u64); 7] {
        [
            ("window_early_total", self.window_early_total),
            ("dropped_window_full_total", self.dropped_window_total),
            ("dropped_group_full_total", self.dropped_group_total),
            ("dropped_late_total", self.dropped_late_total),
            ("evicted_partition_total", self.evicted_partition_total),
            ("clock_steps_total", self.clock_steps_total),
            ("split_message_total", self.split_total),
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
    rows: Rows<Box<[u8]>>,
    keep: Keep,
    window: Option<Window>,
    groups: Store<Box<[u8]>>,
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
    parked: Box<[u8]>,
    parked_len: usize,
    overgrown: bool,
    /// Bytes of one message: a group that grows beyond most of it is emitted early.
    out_bytes: usize,
    /// A partition that left while the rows were out of reach; 0: none.
    gone_tag: u32,
}

/// Bytes of analytic results that outlive an early emission.
const PARKED_BYTES: usize = 4096;

/// Shares of a rule's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shares {
    pub analytic: usize,
    pub groups: usize,
    pub rows: usize,
    pub parts: usize,
    pub places: usize,
    pub marks: usize,
}

/// True if the groups of the plan's window can take rows one by one.
#[must_use]
fn incremental(plan: &Plan, event_time: bool, options: WindowOptions) -> bool {
    let Some(window) = &plan.window else { return false };
    let kind = match &window.kind {
        WindowKind::Tumbling { length_ms } => *length_ms > 0,
        WindowKind::Count { count, every } => every >= count,
        WindowKind::Session { max_ms, timeout_ms } => !event_time && *max_ms > 0 && *timeout_ms > 0,
        WindowKind::State { .. } => true,
        WindowKind::Hopping { .. } | WindowKind::Sliding { .. } => false,
    };
    let ordered = plan.groups.is_empty() && !plan.order.is_empty();
    let bounded = |expr: &Expr| uses_bounds(expr, plan);
    let early = plan.filter.iter().chain(&plan.groups).chain(plan.aggregates.iter().flat_map(|a| &a.args)).any(bounded);
    let grows = Kinds::of(&plan.aggregates).grow();
    kind && plan.grouped
        && plan.joins.is_empty()
        && plan.filter_aggregates.is_empty()
        && !ordered
        && !early
        && !(grows && options.drop_oldest)
}

/// True if an expression asks for the bounds of its window, which are not known while rows come in.
fn uses_bounds(expr: &Expr, plan: &Plan) -> bool {
    let each = |list: &[Expr]| list.iter().any(|e| uses_bounds(e, plan));
    match expr {
        Expr::Call { call, args, .. } => {
            let name = plan.calls.get(usize::from(*call)).map_or("", |(_, name)| name);
            name.starts_with("window_") || name == "event_time" || each(args)
        }
        Expr::Const(_) | Expr::Slot(_) | Expr::First(_) | Expr::Meta(..) => false,
        Expr::Row { replace, .. } => replace.iter().any(|(_, e)| uses_bounds(e, plan)),
        Expr::Alias(index) => plan.aliases.get(usize::from(*index)).is_some_and(|a| uses_bounds(&a.expr, plan)),
        Expr::Member(e, _) => uses_bounds(e, plan),
        Expr::Index(a, b) | Expr::Binary(_, a, b) => uses_bounds(a, plan) || uses_bounds(b, plan),
        Expr::Slice(a, b, c) => {
            uses_bounds(a, plan) || b.as_ref().is_some_and(|e| uses_bounds(e, plan)) || c.as_ref().is_some_and(|e| uses_bounds(e, plan))
        }
        Expr::Case { value, arms, otherwise } => {
            value.as_ref().is_some_and(|e| uses_bounds(e, plan))
                || arms.iter().any(|(a, b)| uses_bounds(a, plan) || uses_bounds(b, plan))
                || otherwise.as_ref().is_some_and(|e| uses_bounds(e, plan))
        }
        Expr::In { value, list, .. } => uses_bounds(value, plan) || each(list),
        Expr::InList { value, list, .. } => uses_bounds(value, plan) || uses_bounds(list, plan),
        Expr::Between { value, low, high, .. } => uses_bounds(value, plan) || uses_bounds(low, plan) || uses_bounds(high, plan),
        Expr::Like { value, pattern, .. } => uses_bounds(value, plan) || pattern.as_ref().is_some_and(|e| uses_bounds(e, plan)),
    }
}

/// True if windows overlap, and their aggregates can be put together from those of their parts.
fn slides(plan: &Plan, event_time: bool) -> bool {
    let kind = match plan.window.as_ref().map(|w| &w.kind) {
        Some(WindowKind::Count { count, every }) => every < count,
        Some(WindowKind::Sliding { delay_ms, .. }) => *delay_ms <= 0,
        _ => false,
    };
    kind && !event_time
        && plan.grouped
        && plan.groups.is_empty()
        && plan.joins.is_empty()
        && plan.filter.is_none()
        && plan.order.is_empty()
        && !plan.aggregates.is_empty()
        && Kinds::of(&plan.aggregates).can_merge()
        && !plan.aggregates.iter().flat_map(|a| &a.args).any(|e| uses_bounds(e, plan))
}

/// Shares `bytes` out among what a plan needs.
#[must_use]
pub(super) fn shares(plan: &Plan, event_time: bool, options: WindowOptions, bytes: usize) -> Shares {
    let incremental = incremental(plan, event_time, options);
    let analytic = usize::from(!plan.analytics.is_empty()) * 2;
    let groups = if incremental { 6 } else { 0 };
    let joins = !plan.joins.is_empty();
    let rows = if event_time || (plan.window.is_some() && !incremental) || joins { 6 } else { 0 };
    let parts = usize::from(matches!(plan.window.as_ref().map(|w| &w.kind), Some(WindowKind::State { .. })));
    let places = if joins { 2 } else { 0 };
    let marks = usize::from(slides(plan, event_time));
    let whole = (analytic + groups + rows + parts + places + marks).max(1);
    let share = |weight: usize| bytes / whole * weight;
    Shares {
        analytic: share(analytic),
        groups: share(groups),
        rows: share(rows),
        parts: share(parts),
        places: share(places),
        marks: share(marks),
    }
}

/// The least that a plan's state takes however small its values are, when that is more than it has: need and bound in bytes.
#[must_use]
pub(super) fn misfit(plan: &Plan, event_time: bool, options: WindowOptions, bytes: usize) -> Option<(usize, usize)> {
    /// Header, place in the order and time of a kept row.
    const ROW: usize = 32;
    /// Entry, index and blob header of a group.
    const GROUP: usize = 64;
    let shares = shares(plan, event_time, options, bytes);
    let accumulators = Kinds::of(&plan.aggregates).bytes();
    let (need, have) = match plan.window.as_ref().map(|w| &w.kind) {
        _ if incremental(plan, event_time, options) => (GROUP + accumulators, shares.groups),
        Some(WindowKind::Count { count, .. }) => {
            let slots = Keep::of_plan(plan).of(0).len();
            let row = ROW + slots.div_ceil(8) + slots;
            (usize::try_from(*count).unwrap_or(usize::MAX).saturating_mul(row), shares.rows)
        }
        _ => return None,
    };
    // As a need of the whole region, of which this is one share.
    (need > have).then(|| (need.saturating_mul(bytes.div_ceil(have.max(1))), bytes))
}

fn zeros(len: usize) -> Box<[u8]> {
    vec![0; len].into_boxed_slice()
}

/// What a row brings along beside its values.
#[derive(Debug, Clone, Copy)]
struct Coming<'m> {
    source: u8,
    time_ms: i64,
    meta: &'m [u8],
}

/// What was decided about a row that met every condition to enter.
enum Entered {
    /// It is in.
    In,
    /// It found no room: emit early, then try again.
    Early,
}

/// Everything else that an emission needs.
pub(super) struct Around<'r, 's> {
    pub stage: Stage<'s>,
    pub tables: &'s [Option<Table>],
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
        let window = plan.window.as_ref().map(|w| Window::new(w, zone, zeros(shares.parts)));
        let tables = plan.sources.iter().map(|s| s.table).collect();
        let analytic_slots = plan.analytics.iter().filter(|a| !a.late).map(|a| a.slot).collect::<Vec<_>>();
        let having = plan.having.as_ref().is_some_and(|h| calls(h, plan, "last_agg_hit"));
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

    /// A decoded row in processing time; true if it must be offered `again` after an emission.
    pub(super) fn take<'a>(&mut self, ev: &Evaluator<'_, 'a>, source: u8, select: &mut Select<'_>, again: bool) -> bool {
        let coming = Coming { source, time_ms: ev.ctx.event.time.0, meta: facts(ev) };
        if again {
            rows::unpack_copied(self.parked.get(..self.parked_len).unwrap_or(&[]), ev, &self.analytic_slots);
        } else {
            if !self.admitted(ev, select) {
                return false;
            }
            if let Some(op) = select.ops.window {
                select.ops.at(op).take(select.now.wall);
                select.ops.at(op).messages_processed_total += 1;
            }
        }
        let early = matches!(self.enter(ev, coming, select, None), Entered::Early);
        if early && !again {
            self.parked_len = rows::pack(&mut self.parked, ev.row, &self.analytic_slots).unwrap_or(0);
        }
        early
    }

    /// Analytic functions, FILTER, and WHERE where it comes before the window.
    fn admitted<'a>(&self, ev: &Evaluator<'_, 'a>, select: &mut Select<'_>) -> bool {
        if !analytics(ev, select) {
            return false;
        }
        if let Some(filter) = ev.plan.window.as_ref().and_then(|w| w.filter.as_ref()) {
            let op = select.ops.window_filter.unwrap_or(select.ops.project);
            let now = select.now.wall;
            select.ops.at(op).take(now);
            select.ops.at(op).messages_processed_total += 1;
            match ev.holds(filter, "Where") {
                Ok(true) => select.ops.at(op).give(1),
                Ok(false) => return false,
                Err(fault) => {
                    select.fail(op, prefixed("run Where error", fault, ev.ctx.scratch));
                    return false;
                }
            }
        }
        !self.filter_first || select.filtered(ev)
    }

    /// A row enters the window. `index`: where it is kept already.
    fn enter<'a>(&mut self, ev: &Evaluator<'_, 'a>, coming: Coming<'_>, select: &mut Select<'_>, index: Option<usize>) -> Entered {
        let now = select.now;
        let Some(plan) = ev.plan.window.as_ref() else { return Entered::In };
        let fires = match &plan.when {
            Some(when) => matches!(ev.eval(when), Ok(Value::Bool(true))),
            None => true,
        };
        let mut tag = 0;
        let mut close = None;
        if let WindowKind::State { begin, emit } = &plan.kind {
            match self.state(ev, &plan.partition, begin, emit.as_ref(), coming.time_ms, select) {
                Some((part, Step::Skip)) => {
                    let _ = part;
                    return Entered::In;
                }
                Some((part, step)) => {
                    tag = part;
                    close = Some(step);
                }
                None => return Entered::In,
            }
        }
        if let Some(Step::CloseBefore(start)) = close {
            self.close_part(tag, bounds(start, coming.time_ms));
            // The row that closes the window opens the next one: it is offered again when that is emitted.
            return Entered::Early;
        }
        let entered = if self.incremental {
            self.accumulate(ev, coming, tag, select)
        } else {
            match index {
                Some(_) => Ok(index),
                None => self.keep_row(ev, coming, tag),
            }
        };
        let kept = match entered {
            Ok(kept) => kept,
            Err(NoRoom::TooLarge) => {
                select.fail(select.ops.window.unwrap_or(select.ops.project), rows::TOO_LARGE);
                return Entered::In;
            }
            Err(NoRoom::Full) => {
                self.early(now);
                return Entered::Early;
            }
        };
        if let Some(window) = &mut self.window {
            window.arrived(&mut self.rows, kept.unwrap_or(0), coming.time_ms, fires, now);
            if window.closes_by_rows()
                && self.watermark.is_none()
                && let Some(closed) = window.next(&mut self.rows, self.held, At::Clock(now))
            {
                self.emit(closed);
            }
        }
        if let Some(Step::CloseAfter(start)) = close {
            self.close_part(tag, bounds(start, coming.time_ms));
        }
        if core::mem::take(&mut self.overgrown) && self.open.is_none() {
            self.early(now);
        }
        Entered::In
    }

    /// What a state window makes of a row: its partition, and what happens.
    fn state<'a>(
        &mut self,
        ev: &Evaluator<'_, 'a>,
        partition: &'a [Expr],
        begin: &'a Expr,
        emit: Option<&'a Expr>,
        time_ms: i64,
        select: &mut Select<'_>,
    ) -> Option<(u32, Step)> {
        let key = match key_of(b'p', partition, true, ev) {
            Ok(key) => key,
            Err(fault) => {
                select.fail(select.ops.window.unwrap_or(select.ops.project), fault);
                return None;
            }
        };
        let Some(Window { kind: Kind::State(state), .. }) = &mut self.window else { return None };
        let id = loop {
            match state.partition(key) {
                Ok(id) => break id,
                Err(Some(gone)) => {
                    if self.watermark.is_some() {
                        self.gone_tag = gone.0;
                    } else {
                        self.held -= self.rows.drop_tagged(gone.0, self.held).min(self.held);
                    }
                    forget_group(&mut self.groups, &self.bound, gone.0);
                    self.counters.evicted_partition_total += 1;
                }
                Err(None) => {
                    select.fail(select.ops.window.unwrap_or(select.ops.project), rows::TOO_LARGE);
                    return None;
                }
            }
        };
        let holds = |condition: &'a Expr| matches!(ev.eval(condition), Ok(Value::Bool(true)));
        let step = match (state.open_since(id), emit) {
            (None, _) if holds(begin) => {
                state.set(id, Some(time_ms));
                Step::Stay
            }
            (None, _) => Step::Skip,
            (Some(start), Some(emit)) if holds(emit) => {
                state.set(id, None);
                Step::CloseAfter(start)
            }
            (Some(start), None) if holds(begin) => {
                state.set(id, None);
                Step::CloseBefore(start)
            }
            (Some(_), _) => Step::Stay,
        };
        Some((id.to_raw(), step))
    }

    fn close_part(&mut self, tag: u32, bounds: Bounds) {
        self.emit(Closed { bounds, from: 0, to: self.held, tag, after: After::DropTagged });
    }

    fn emit(&mut self, closed: Closed) {
        let fresh = self.open.is_none();
        self.open = Some(Open { closed, bounds: Some(closed.bounds), joined: false, skip: 0, fresh });
    }

    /// Makes room: what is there is emitted before its time, or the oldest rows go.
    fn early(&mut self, now: Now) {
        if self.options.drop_oldest && !self.incremental {
            let count = (self.held / 8).max(1);
            self.drop_rows(count);
            self.counters.dropped_window_total += count as u64;
            return;
        }
        self.counters.window_early_total += 1;
        let time = match &self.watermark {
            Some(_) if self.held > 0 => self.rows.time(self.held - 1),
            Some(mark) => mark.mark().unwrap_or(now.wall.0),
            None => now.wall.0,
        };
        let Some(window) = &mut self.window else {
            self.drop_rows(1);
            self.counters.dropped_window_total += 1;
            return;
        };
        let bounds = window.cut(time);
        if self.held == 0 && !self.incremental {
            // Only events that wait for the watermark are here: the oldest of them goes.
            self.rows.drop_front(1);
            self.counters.dropped_window_total += 1;
            return;
        }
        let mut closed = Closed { bounds, from: 0, to: self.held, tag: 0, after: After::DropFront(self.held) };
        if let Kind::State(state) = &mut window.kind {
            // The partition whose rows are oldest.
            closed.tag = if self.incremental { first_part(&self.groups) } else { self.rows.tag(0) };
            closed.after = After::DropTagged;
            closed.bounds.start = Timestamp(state.restart(closed.tag, time).unwrap_or(time));
        }
        self.emit(closed);
    }

    fn drop_rows(&mut self, count: usize) {
        self.gone += count.min(self.rows.len()) as u64;
        self.rows.drop_front(count);
        self.held = self.held.saturating_sub(count);
        if let Some(window) = &mut self.window {
            window.dropped(count);
        }
    }

    /// Adds a row to the accumulators of its group.
    fn accumulate<'a>(
        &mut self,
        ev: &Evaluator<'_, 'a>,
        coming: Coming<'_>,
        tag: u32,
        select: &mut Select<'_>,
    ) -> Result<Option<usize>, NoRoom> {
        if !self.filter_first && ev.plan.filter.is_some() {
            let hit = ev.plan.filter.as_ref().map_or(Ok(true), |filter| ev.holds(filter, "Where"));
            match hit {
                Ok(true) => select.hit(ev),
                Ok(false) => return Ok(None),
                Err(fault) => {
                    self.lose(prefixed("run Where error", fault, ev.ctx.scratch));
                    return Ok(None);
                }
            }
        }
        let scratch = ev.ctx.scratch;
        let part;
        let key = if tag == 0 {
            match group_key(ev) {
                Ok(key) => key,
                Err(fault) => {
                    self.lose(fault);
                    return Ok(None);
                }
            }
        } else {
            part = part_key(tag);
            &part[..]
        };
        let base = self.bound.aggregates.bytes();
        let id = match self.groups.find(key) {
            Some(id) => id,
            None => {
                let slots = self.keep.of(coming.source);
                let Ok(body) = scratch.write_packed(|room| rows::pack(room, ev.row, slots).ok_or(Fault::FULL)) else {
                    self.lose(Fault::FULL);
                    return Ok(None);
                };
                let len = base + first_bytes(coming.meta, body);
                let many = self.group_total() >= self.group_count;
                let made = if many { None } else { self.groups.insert(key, len).ok() };
                let Some(id) = made else {
                    if self.groups.is_empty() {
                        return Err(NoRoom::TooLarge);
                    }
                    if self.options.groups_early {
                        return Err(NoRoom::Full);
                    }
                    self.counters.dropped_group_total += 1;
                    return Ok(None);
                };
                if let Some(room) = self.groups.get_mut(id).get_mut(base..) {
                    store_first(room, coming.time_ms, coming.source, coming.meta, body);
                }
                id
            }
        };
        match self.bound.aggregates.add(&mut self.groups, id, 0, &ev.plan.aggregates, ev) {
            Ok(()) => {
                self.overgrown =
                    self.bound.aggregates.grow() && self.bound.aggregates.own_bytes(&self.groups, id, 0) > self.out_bytes / 4 * 3;
                Ok(None)
            }
            Err(Trouble::Full) => Err(NoRoom::Full),
            Err(Trouble::Fault(fault)) => {
                self.lose(fault);
                Ok(None)
            }
        }
    }

    /// Groups in the store; entries of other kinds count at most for themselves.
    const fn group_total(&self) -> usize {
        self.groups.len()
    }

    fn lose(&mut self, fault: Fault<'_>) {
        if self.lost.is_empty() {
            self.lost = fit(fault.text);
        }
    }

    fn keep_row<'a>(&mut self, ev: &Evaluator<'_, 'a>, coming: Coming<'_>, tag: u32) -> Result<Option<usize>, NoRoom> {
        let head = Head { time_ms: coming.time_ms, source: coming.source, tag, meta: coming.meta };
        let slots = self.keep.of(coming.source);
        let index = self.rows.push(head, |room| rows::pack(room, ev.row, slots))?;
        if self.watermark.is_none() {
            self.held += 1;
        }
        if let Some(slider) = self.slider.as_mut().filter(|_| index + 1 < self.rows.len()) {
            slider.reset(self.gone);
        }
        Ok(Some(index))
    }

    /// An event of event time; true if it must be offered again after an emission.
    pub(super) fn wait<'a>(&mut self, ev: &Evaluator<'_, 'a>, source: u8, time_ms: i64, select: &mut Select<'_>) -> bool {
        let now = select.now;
        let Some(mark) = &mut self.watermark else { return false };
        if let Some(op) = select.ops.watermark {
            select.ops.at(op).take(now.wall);
            select.ops.at(op).messages_processed_total += 1;
        }
        if !mark.admit(usize::from(source), time_ms, now.mono) {
            self.counters.dropped_late_total += 1;
            return false;
        }
        match self.keep_row(ev, Coming { source, time_ms, meta: facts(ev) }, 0) {
            Ok(_) => {
                if let Some(mark) = &mut self.watermark {
                    mark.advance();
                }
                false
            }
            Err(NoRoom::TooLarge) => {
                select.fail(select.ops.watermark.unwrap_or(select.ops.project), rows::TOO_LARGE);
                false
            }
            Err(NoRoom::Full) => {
                self.early(now);
                true
            }
        }
    }

    /// Joins the row with tables, without a window: it is kept until the joined rows are out.
    pub(super) fn take_joined<'a>(&mut self, ev: &Evaluator<'_, 'a>, source: u8, select: &mut Select<'_>) {
        if !analytics(ev, select) {
            return;
        }
        self.rows.drop_front(self.rows.len());
        let coming = Coming { source, time_ms: ev.ctx.event.time.0, meta: facts(ev) };
        if self.keep_row(ev, coming, 0).is_err() {
            select.fail(select.ops.join.unwrap_or(select.ops.project), rows::TOO_LARGE);
            return;
        }
        self.held = 1;
        self.alone(0);
    }

    /// Emits one kept row without a window.
    fn alone(&mut self, index: usize) {
        let closed = Closed { bounds: bounds(0, 0), from: index, to: index + 1, tag: 0, after: After::DropFront(1) };
        self.open = Some(Open { closed, bounds: None, joined: false, skip: 0, fresh: true });
    }

    /// Does the next thing that is due: a release, a close, a piece of an emission. False when nothing is.
    pub(super) fn pump(&mut self, around: &mut Around<'_, '_>, select: &mut Select<'_>) -> bool {
        if self.open.is_some() {
            self.go_on(around, select);
            return true;
        }
        let now = select.now;
        let at = match &mut self.watermark {
            None => At::Clock(now),
            Some(watermark) => {
                watermark.idle(now);
                let Some(mark) = watermark.mark() else { return false };
                if watermark.has_moved() && self.held < self.rows.len() && self.rows.time(self.held) <= mark {
                    let time = self.rows.time(self.held);
                    // Groups cannot be taken apart again: what ends before this row closes first.
                    if self.incremental
                        && let Some(window) = &mut self.window
                        && let Some(closed) = window.next(&mut self.rows, self.held, At::Watermark(time))
                    {
                        self.emit(closed);
                        return true;
                    }
                    self.release(around, select);
                    return true;
                }
                watermark.settle();
                At::Watermark(mark)
            }
        };
        let Some(window) = &mut self.window else { return false };
        if let Some(closed) = window.next(&mut self.rows, self.held, at) {
            self.emit(closed);
            return true;
        }
        let newest = match at {
            At::Clock(now) => now.wall.0,
            At::Watermark(mark) => mark,
        };
        let stale = window.stale(&self.rows, self.held, newest);
        if stale > 0 {
            self.drop_rows(stale);
        }
        false
    }

    /// The next event that the watermark has passed goes on: through analytic functions into the window, or straight out.
    fn release(&mut self, around: &mut Around<'_, '_>, select: &mut Select<'_>) {
        let index = self.held;
        if let Some(op) = select.ops.watermark.filter(|_| self.rows.flags(index) & rows::ADMITTED == 0) {
            select.ops.at(op).give(1);
        }
        let stage = around.stage;
        let windowed = stage.plan.window.is_some();
        let joined = !stage.plan.joins.is_empty();
        // The row is read where it lies while everything else here may change: it moves out of the way.
        let rows = core::mem::replace(&mut self.rows, Rows::new(Box::default()));
        let fuel = core::cell::Cell::new(SLICE_FUEL);
        let coming = Coming { source: rows.source(index), time_ms: rows.time(index), meta: &[] };
        let again = rows.flags(index) & rows::ADMITTED != 0;
        let mut repack = None;
        let outcome = {
            let scratch = Scratch::new(around.scratch);
            let row = Row::new(stage.plan.slots.len(), stage.plan.aliases.len());
            let event = rows.load(index, &row, &self.keep);
            let ctx = stage.ctx(&scratch, &fuel, event, None, select.counts());
            let ev = &Evaluator { plan: stage.plan, ctx: &ctx, row: &row };
            let meta = rows.facts(index);
            if windowed {
                if !again && !self.admitted(ev, select) {
                    Released::Drop
                } else {
                    if let Some(op) = select.ops.window.filter(|_| !again) {
                        select.ops.at(op).take(select.now.wall);
                        select.ops.at(op).messages_processed_total += 1;
                    }
                    if !again && !self.analytic_slots.is_empty() {
                        repack = rows::pack(around.out, ev.row, self.keep.of(coming.source));
                    }
                    Released::Enter(self.enter_released(ev, Coming { meta, ..coming }, select, index))
                }
            } else if !analytics(ev, select) {
                Released::Drop
            } else if joined {
                if !self.analytic_slots.is_empty() {
                    repack = rows::pack(around.out, ev.row, self.keep.of(coming.source));
                }
                Released::Join
            } else {
                if single::is_plain(stage.plan) {
                    select.alone(ev, around.out);
                } else {
                    single::run(ev, self.kinds(), select, around.out);
                }
                Released::Drop
            }
        };
        self.rows = rows;
        if let Some(len) = repack {
            let new = around.out.get(..len).unwrap_or(&[]);
            // No room for the results of analytic functions: they are missing then.
            let _ = self.rows.replace(index, |room| {
                room.get_mut(..len)?.copy_from_slice(new);
                Some(len)
            });
        }
        match outcome {
            Released::Drop => self.rows.drop_one(index),
            Released::Join => {
                self.held = 1;
                self.alone(index);
            }
            Released::Enter(Settled::Again) => self.rows.set_flags(index, rows::ADMITTED),
            Released::Enter(Settled::Gone) => self.rows.drop_one(index),
            Released::Enter(Settled::Kept { tag, fires }) => {
                self.rows.set_flags(index, 0);
                self.rows.set_tag(index, tag);
                self.held += 1;
                if let Some(window) = &mut self.window {
                    window.arrived(&mut self.rows, index, coming.time_ms, fires, select.now);
                }
                if let Some(open) = &mut self.open {
                    open.closed.to = self.held;
                }
            }
        }
        if self.gone_tag != 0 {
            let dropped = self.rows.drop_tagged(core::mem::take(&mut self.gone_tag), self.held);
            self.held = self.held.saturating_sub(dropped);
        }
    }

    /// [`Windowed::enter`] for a row that is kept already.
    fn enter_released<'a>(&mut self, ev: &Evaluator<'_, 'a>, coming: Coming<'_>, select: &mut Select<'_>, _index: usize) -> Settled {
        let Some(plan) = ev.plan.window.as_ref() else { return Settled::Gone };
        if self.incremental {
            return match self.enter(ev, coming, select, None) {
                Entered::In => Settled::Gone,
                Entered::Early => Settled::Again,
            };
        }
        let fires = match &plan.when {
            Some(when) => matches!(ev.eval(when), Ok(Value::Bool(true))),
            None => true,
        };
        let mut tag = 0;
        if let WindowKind::State { begin, emit } = &plan.kind {
            match self.state(ev, &plan.partition, begin, emit.as_ref(), coming.time_ms, select) {
                None | Some((_, Step::Skip)) => return Settled::Gone,
                Some((part, Step::Stay)) => tag = part,
                Some((part, Step::CloseAfter(start))) => {
                    tag = part;
                    self.close_part(part, bounds(start, coming.time_ms));
                }
                Some((part, Step::CloseBefore(start))) => {
                    self.close_part(part, bounds(start, coming.time_ms));
                    return Settled::Again;
                }
            }
        }
        Settled::Kept { tag, fires }
    }

    /// Works on the open emission.
    fn go_on(&mut self, around: &mut Around<'_, '_>, select: &mut Select<'_>) {
        let Some(mut open) = self.open else { return };
        let stage = around.stage;
        if open.fresh {
            open.fresh = false;
            self.joiner.reset();
            if let Some(op) = select.ops.window.filter(|_| open.bounds.is_some()) {
                select.ops.at(op).give(1);
            }
            if !stage.plan.joins.is_empty() {
                for op in [select.ops.join_aligner, select.ops.join].into_iter().flatten() {
                    select.ops.at(op).take(select.now.wall);
                    select.ops.at(op).messages_processed_total += 1;
                }
                if let Some(op) = select.ops.join_aligner {
                    select.ops.at(op).give(1);
                }
            }
        }
        if !self.lost.is_empty() {
            let text: heapless::String<EXCEPTION_BYTES> = core::mem::take(&mut self.lost);
            select.fail(select.ops.filter.unwrap_or(select.ops.project), Fault::new(text.as_str()));
            self.finish(&open);
            return;
        }
        let Closed { from, to, tag, .. } = open.closed;
        let half = around.scratch.len() / 2;
        let (work, scratch) = around.scratch.split_at_mut(half);
        let mut collection = Collection {
            rows: &self.rows,
            keep: &self.keep,
            tables: around.tables,
            units: Units::Rows { from, to, tag },
            bounds: open.bounds,
            filtered: self.filter_first || self.incremental,
            ready: None,
        };
        if !stage.plan.joins.is_empty() && !open.joined {
            match self.joiner.step(&collection, Span { from, to, tag }, &stage, select, scratch, SLICE_FUEL / 4) {
                Ok(false) => {
                    self.open = Some(open);
                    return;
                }
                Ok(true) if !self.joiner.places().is_empty() => {
                    open.joined = true;
                    if let Some(op) = select.ops.join {
                        select.ops.at(op).give(1);
                    }
                }
                // A join that matches nothing sends nothing.
                Ok(true) | Err(()) => {
                    self.finish(&open);
                    return;
                }
            }
        }
        if open.joined {
            collection.units = Units::Joined { places: self.joiner.places(), width: stage.plan.sources.len() };
        } else if self.incremental {
            let only = if tag == 0 { None } else { Some(self.groups.find(&part_key(tag))) };
            collection.units = Units::Groups { view: self.groups.view(), only };
        }
        if let Some(slider) = &mut self.slider {
            collection.ready = slider.sum(&collection, &stage, scratch, &self.bound.aggregates, (from, to), self.gone);
        }
        let bench = Bench { work, scratch, out: around.out };
        match run(&collection, &stage, select, &self.bound, bench, open.skip) {
            None => self.finish(&open),
            Some(skip) => {
                open.skip = skip;
                self.open = Some(open);
            }
        }
    }

    /// An emission is over: what it was made of goes.
    fn finish(&mut self, open: &Open) {
        self.open = None;
        if self.incremental {
            match open.closed.tag {
                0 => self.groups.clear(),
                tag => forget_group(&mut self.groups, &self.bound, tag),
            }
            return;
        }
        match open.closed.after {
            After::DropFront(count) => self.drop_rows(count),
            After::DropTagged => {
                let dropped = self.rows.drop_tagged(open.closed.tag, self.held);
                self.held = self.held.saturating_sub(dropped);
            }
        }
    }
}

/// What a state window makes of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// It is not in a window.
    Skip,
    /// It is in the open one.
    Stay,
    /// It is the last of the one that began then.
    CloseAfter(i64),
    /// It is the first after the one that began then.
    CloseBefore(i64),
}

/// What becomes of an event that was released.
enum Released {
    Drop,
    Join,
    Enter(Settled),
}

/// See [`Released`].
enum Settled {
    /// Its window had to be emitted first: it is released once more.
    Again,
    /// It need not be kept.
    Gone,
    /// It is in.
    Kept { tag: u32, fires: bool },
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

/// The arrival facts of a row, packed, if the rule asks for them.
fn facts<'a>(ev: &Evaluator<'_, 'a>) -> &'a [u8] {
    match ev.ctx.event.meta.map(|m| m.value()) {
        Some(Value::Packed(p)) if ev.plan.meta => p.as_bytes(),
        _ => &[],
    }
}

/// Key of the one group of a state window's partition.
fn part_key(tag: u32) -> [u8; 5] {
    let [a, b, c, d] = tag.to_le_bytes();
    [super::collect::GROUP, a, b, c, d]
}

/// Tag of the partition whose group came first; 0: there is none.
fn first_part(groups: &Store<Box<[u8]>>) -> u32 {
    let view = groups.view();
    let key = view.named().map(|id| view.key(id)).find(|key| key.first() == Some(&super::collect::GROUP));
    key.and_then(|key| key.get(1..)).and_then(|tag| tag.first_chunk()).map_or(0, |tag| u32::from_le_bytes(*tag))
}

fn forget_group(groups: &mut Store<Box<[u8]>>, bound: &Bound, tag: u32) {
    if let Some(id) = groups.find(&part_key(tag)) {
        bound.aggregates.release(groups, id, 0);
        groups.remove(id);
    }
}

/// True if an expression calls a function whose name begins so.
fn calls(expr: &Expr, plan: &Plan, start: &str) -> bool {
    match expr {
        Expr::Call { call, args, .. } => {
            plan.calls.get(usize::from(*call)).is_some_and(|(_, name)| name.starts_with(start))
                || args.iter().any(|a| calls(a, plan, start))
        }
        Expr::Binary(_, a, b) => calls(a, plan, start) || calls(b, plan, start),
        Expr::Alias(index) => plan.aliases.get(usize::from(*index)).is_some_and(|a| calls(&a.expr, plan, start)),
        Expr::Between { value, low, high, .. } => [value, low, high].into_iter().any(|e| calls(e, plan, start)),
        Expr::In { value, list, .. } => calls(value, plan, start) || list.iter().any(|e| calls(e, plan, start)),
        _ => false,
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
