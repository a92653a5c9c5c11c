//! Rows on their way into the window: what they must pass, the group or place they take, and whose window they close.

use super::super::collect::{first_bytes, group_key, key_of, store_first};
use super::super::stage::{Select, prefixed};
use super::{Open, Windowed, analytics, first_part, forget_group, part_key};
use crate::eval::Bounds;
use crate::eval::aggregate::Trouble;
use crate::eval::expr::Evaluator;
use crate::sql::plan::{Expr, WindowKind};
use crate::stats::fit;
use crate::time::{Now, Timestamp};
use crate::value::{Fault, Value};
use crate::window::rows::{self, Head, NoRoom};
use crate::window::{After, At, Closed, Kind, Window, bounds};

/// What a row brings along beside its values.
#[derive(Debug, Clone, Copy)]
pub(super) struct Coming<'m> {
    pub source: u8,
    pub time_ms: i64,
    pub meta: &'m [u8],
}

/// What was decided about a row that met every condition to enter.
pub(super) enum Entered {
    /// It is in.
    In,
    /// It found no room: emit early, then try again.
    Early,
}

impl Windowed {
    /// A decoded row in processing time; true if it must be offered `again` after an emission.
    pub(in crate::rule) fn take<'a>(&mut self, ev: &Evaluator<'_, 'a>, source: u8, select: &mut Select<'_>, again: bool) -> bool {
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
    pub(super) fn admitted<'a>(&self, ev: &Evaluator<'_, 'a>, select: &mut Select<'_>) -> bool {
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
    pub(super) fn enter<'a>(
        &mut self,
        ev: &Evaluator<'_, 'a>,
        coming: Coming<'_>,
        select: &mut Select<'_>,
        index: Option<usize>,
    ) -> Entered {
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
                && let Some(closed) = window.next(&mut self.rows, self.held, At::Clock(window.moment(coming.time_ms, now)))
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
    pub(super) fn state<'a>(
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

    pub(super) fn close_part(&mut self, tag: u32, bounds: Bounds) {
        self.emit(Closed { bounds, from: 0, to: self.held, tag, after: After::DropTagged });
    }

    pub(super) fn emit(&mut self, closed: Closed) {
        let fresh = self.open.is_none();
        self.open = Some(Open { closed, bounds: Some(closed.bounds), joined: false, skip: 0, fresh });
    }

    /// Makes room: what is there is emitted before its time, or the oldest rows go.
    pub(super) fn early(&mut self, now: Now) {
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

    pub(super) fn drop_rows(&mut self, count: usize) {
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
                Ok(true) => select.hit(ev.ctx.event.time.0),
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
    pub(in crate::rule) fn wait<'a>(&mut self, ev: &Evaluator<'_, 'a>, source: u8, time_ms: i64, select: &mut Select<'_>) -> bool {
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
    pub(in crate::rule) fn take_joined<'a>(&mut self, ev: &Evaluator<'_, 'a>, source: u8, select: &mut Select<'_>) {
        if !analytics(ev, select) {
            return;
        }
        if let Some(filter) = &ev.plan.early_filter {
            match ev.holds(filter, "Where") {
                Ok(true) => {}
                Ok(false) => return,
                Err(fault) => {
                    let fault = prefixed("run Where error", fault, ev.ctx.scratch);
                    select.fail(select.ops.filter.unwrap_or(select.ops.project), fault);
                    return;
                }
            }
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
    pub(super) fn alone(&mut self, index: usize) {
        let closed = Closed { bounds: bounds(0, 0), from: index, to: index + 1, tag: 0, after: After::DropFront(1) };
        self.open = Some(Open { closed, bounds: None, joined: false, skip: 0, fresh: true });
    }
}

/// What a state window makes of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// It is not in a window.
    Skip,
    /// It is in the open one.
    Stay,
    /// It is the last of the one that began then.
    CloseAfter(i64),
    /// It is the first after the one that began then.
    CloseBefore(i64),
}

/// The arrival facts of a row, packed, if the rule asks for them.
fn facts<'a>(ev: &Evaluator<'_, 'a>) -> &'a [u8] {
    match ev.ctx.event.meta.map(|m| m.value()) {
        Some(Value::Packed(p)) if ev.plan.meta => p.as_bytes(),
        _ => &[],
    }
}
