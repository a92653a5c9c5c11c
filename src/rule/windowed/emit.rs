//! What time and the watermark do: events released in order, windows closed, their emission in pieces.

use super::super::collect::{Bench, Collection, Units, run};
use super::super::join::Span;
use super::super::run::SLICE_FUEL;
use super::super::single;
use super::super::stage::Select;
use super::enter::{Coming, Entered, Step};
use super::{Around, Open, Windowed, analytics, forget_group, part_key};
use crate::eval::expr::Evaluator;
use crate::eval::row::Row;
use crate::sql::plan::WindowKind;
use crate::stats::EXCEPTION_BYTES;
use crate::value::{Fault, Scratch, Value};
use crate::window::rows::{self, Rows};
use crate::window::{After, At, Closed, bounds};

/// Pairs of a join that are looked at in one slice: about a millisecond on a small box.
const JOIN_PAIRS: u32 = 2000;

impl Windowed {
    /// Does the next thing that is due: a release, a close, a piece of an emission. False when nothing is.
    pub(in crate::rule) fn pump(&mut self, around: &mut Around<'_, '_>, select: &mut Select<'_>) -> bool {
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
        let rows = core::mem::replace(&mut self.rows, Rows::new(crate::pages::Pages::default()));
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
                select.ops.join_begins(select.now.wall);
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
            held: around.held,
            units: Units::Rows { from, to, tag },
            bounds: open.bounds,
            filtered: self.filter_first || self.incremental,
            ready: None,
        };
        if !stage.plan.joins.is_empty() && !open.joined {
            match self.joiner.step(&collection, Span { from, to, tag }, &stage, select, scratch, JOIN_PAIRS) {
                Ok(false) => {
                    self.open = Some(open);
                    return;
                }
                Ok(true) if !self.joiner.places().is_empty() => {
                    open.joined = true;
                    select.ops.join_ends();
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
