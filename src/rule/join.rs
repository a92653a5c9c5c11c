//! Joins as nested loops over the rows of a window and of tables (facts §7.5), in steps that can stop anywhere.
//!
//! In: rows by source. Out: joined rows as places, one per source. Bound: the memory given for places; a join that gives more is
//! an error that names `limits.stateBytes`.

use core::cell::Cell;

use super::collect::{Collection, NONE};
use super::run::SLICE_FUEL;
use super::stage::{Select, Stage};
use crate::eval::Event;
use crate::eval::expr::Evaluator;
use crate::eval::row::Row;
use crate::sql::plan::{Expr, Join, JoinKind, Probe};
use crate::value::text::typed;
use crate::value::{Fault, Scratch, Value, key};

/// Where a join stands, and what it has found.
#[derive(Debug, Default)]
pub(super) struct Joiner {
    /// Joined rows of the level before, and of this one.
    lists: [Box<[u32]>; 2],
    lens: [usize; 2],
    /// Which list is the one before.
    old: usize,
    level: usize,
    left: usize,
    right: usize,
    matched: bool,
    /// The left side is through; now right rows alone.
    rights: bool,
    started: bool,
}

/// Which rows take part.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    pub from: usize,
    pub to: usize,
    pub tag: u32,
}

impl Joiner {
    /// Joins `width` sources, with room for so many places in all.
    pub(super) fn new(places: usize) -> Self {
        let half = || vec![NONE; places / 2].into_boxed_slice();
        Self { lists: [half(), half()], ..Self::default() }
    }

    /// Starts over.
    pub(super) fn reset(&mut self) {
        self.lens = [0, 0];
        (self.old, self.level, self.left, self.right) = (0, 0, 0, 0);
        (self.matched, self.rights, self.started) = (false, false, false);
    }

    /// True between the first step and the last.
    pub(super) const fn is_working(&self) -> bool {
        self.started
    }

    /// The joined rows, once all is done.
    pub(super) fn places(&self) -> &[u32] {
        self.lists[self.old].get(..self.lens[self.old]).unwrap_or(&[])
    }

    /// Goes on for about `budget` pairs: true when all is joined.
    ///
    /// # Errors
    /// Nothing to say: the fault was counted and sent.
    pub(super) fn step(
        &mut self,
        c: &Collection<'_>,
        span: Span,
        stage: &Stage<'_>,
        select: &mut Select<'_>,
        buf: &mut [u8],
        mut budget: u32,
    ) -> Result<bool, ()> {
        let width = stage.plan.sources.len();
        let full = Fault::new("a join gives more rows than fit the window's memory: raise limits.stateBytes");
        let op = select.ops.join_of(usize::MAX);
        if !self.started {
            self.started = true;
            let mut place = 0;
            while let Some(found) = next_right(c, span, 0, place) {
                if !self.push(width, |_| {}, 0, place_of(found)) {
                    select.fail(op, full);
                    return Err(());
                }
                place = found + 1;
            }
            self.old = 1 - self.old;
            self.lens[1 - self.old] = 0;
        }
        while let Some(join) = stage.plan.joins.get(self.level) {
            let source = self.level + 1;
            let lefts = self.lens[self.old] / width;
            if !self.rights && !join.right_first {
                while self.left < lefts {
                    loop {
                        // One row at most has a value that identifies rows.
                        let found = match &join.probe {
                            Some(Probe { pairs, key: Some(key) }) if self.right == 0 => {
                                let value = pairs.get(*key).map(|(value, _)| value);
                                self.find(c, stage, select, buf, source, value).map_err(drop)?
                            }
                            Some(Probe { key: Some(_), .. }) => None,
                            _ => next_right(c, span, source, self.right),
                        };
                        let Some(right) = found else { break };
                        if budget == 0 {
                            return Ok(false);
                        }
                        budget -= 1;
                        let hit = join.kind == JoinKind::Cross
                            || self.hit(c, stage, select, buf, self.left, source, right, join).map_err(drop)?;
                        if hit {
                            self.matched = true;
                            let left = self.left;
                            if !self.push_pair(width, left, source, right) {
                                select.fail(op, full);
                                return Err(());
                            }
                        }
                        self.right = right + 1;
                    }
                    if !self.matched && matches!(join.kind, JoinKind::Left | JoinKind::Full) {
                        let left = self.left;
                        if !self.push_left(width, left) {
                            select.fail(op, full);
                            return Err(());
                        }
                    }
                    self.left += 1;
                    self.right = 0;
                    self.matched = false;
                }
            }
            if join.right_first || join.kind == JoinKind::Full {
                if !self.rights {
                    self.rights = true;
                    (self.left, self.right, self.matched) = (0, 0, false);
                }
                while let Some(right) = next_right(c, span, source, self.right) {
                    self.right = right;
                    while self.left < lefts {
                        if budget == 0 {
                            return Ok(false);
                        }
                        budget -= 1;
                        if self.hit(c, stage, select, buf, self.left, source, right, join).map_err(drop)? {
                            self.matched = true;
                            let left = self.left;
                            if join.right_first && !self.push_pair(width, left, source, right) {
                                select.fail(op, full);
                                return Err(());
                            }
                        }
                        self.left += 1;
                    }
                    let alone = !self.matched && join.kind != JoinKind::Inner;
                    if alone && !self.push(width, |_| {}, source, place_of(right)) {
                        select.fail(op, full);
                        return Err(());
                    }
                    (self.left, self.right, self.matched) = (0, right + 1, false);
                }
            }
            self.old = 1 - self.old;
            self.lens[1 - self.old] = 0;
            self.level += 1;
            (self.left, self.right, self.matched, self.rights) = (0, 0, false, false);
        }
        Ok(true)
    }

    /// Whether ON holds for a pair.
    #[expect(clippy::too_many_arguments, reason = "one pair of one level")]
    fn hit(
        &self,
        c: &Collection<'_>,
        stage: &Stage<'_>,
        select: &mut Select<'_>,
        buf: &mut [u8],
        left: usize,
        source: usize,
        right: usize,
        join: &Join,
    ) -> Result<bool, Fault<'static>> {
        if join.on.is_none() && join.probe.is_none() {
            return Ok(true);
        }
        let width = stage.plan.sources.len();
        let mut places = [NONE; u8::MAX as usize];
        let places = &mut places[..width.min(u8::MAX as usize)];
        if let Some(old) = self.lists[self.old].get(left * width..(left + 1) * width) {
            places.copy_from_slice(old);
        }
        if let Some(place) = places.get_mut(source) {
            *place = place_of(right);
        }
        let fuel = Cell::new(SLICE_FUEL);
        let scratch = Scratch::new(buf);
        let row = Row::new(stage.plan.slots.len(), stage.plan.aliases.len());
        c.load_places(places, &row);
        let ctx = stage.ctx(&scratch, &fuel, Event::default(), c.bounds, select.counts());
        let ev = Evaluator { plan: stage.plan, ctx: &ctx, row: &row };
        match join.probe.as_ref().map_or(Ok(true), |probe| fits(probe, &ev)) {
            Ok(true) => {}
            Ok(false) => return Ok(false),
            Err(fault) => {
                select.fail(select.ops.join_of(source), super::stage::prefixed("run Join error", fault, &scratch));
                return Err(Fault::FULL);
            }
        }
        let Some(on) = &join.on else { return Ok(true) };
        let fault = match ev.eval(on) {
            Ok(Value::Bool(hit)) => return Ok(hit),
            Ok(other) => match typed(other, &scratch) {
                Ok(text) => scratch.fault(format_args!("run Join error: invalid join condition that returns non-bool value {text}")),
                Err(fault) => fault,
            },
            Err(fault) => super::stage::prefixed("run Join error", fault, &scratch),
        };
        select.fail(select.ops.join_of(source), fault);
        Err(Fault::FULL)
    }

    /// The row of a lookup table that the value of a left side identifies.
    fn find(
        &self,
        c: &Collection<'_>,
        stage: &Stage<'_>,
        select: &mut Select<'_>,
        buf: &mut [u8],
        source: usize,
        value: Option<&Expr>,
    ) -> Result<Option<usize>, Fault<'static>> {
        let (Some(value), Some(table)) = (value, c.held.of(source)) else { return Ok(None) };
        let width = stage.plan.sources.len();
        let fuel = Cell::new(SLICE_FUEL);
        let scratch = Scratch::new(buf);
        let row = Row::new(stage.plan.slots.len(), stage.plan.aliases.len());
        c.load_places(self.lists[self.old].get(self.left * width..(self.left + 1) * width).unwrap_or(&[]), &row);
        let ctx = stage.ctx(&scratch, &fuel, Event::default(), c.bounds, select.counts());
        let ev = Evaluator { plan: stage.plan, ctx: &ctx, row: &row };
        match ev.eval(value) {
            Ok(value) => Ok(table.find(value)),
            // What cannot be computed is not found, as in eKuiper.
            Err(fault) if fault != Fault::FULL => Ok(None),
            Err(fault) => {
                select.fail(select.ops.join_of(source), super::stage::prefixed("run Join error", fault, &scratch));
                Err(Fault::FULL)
            }
        }
    }

    fn push_pair(&mut self, width: usize, left: usize, source: usize, right: usize) -> bool {
        self.push_from(width, Some(left), source, place_of(right))
    }

    fn push_left(&mut self, width: usize, left: usize) -> bool {
        self.push_from(width, Some(left), usize::MAX, NONE)
    }

    fn push(&mut self, width: usize, _also: impl Fn(&mut [u32]), source: usize, place: u32) -> bool {
        self.push_from(width, None, source, place)
    }

    /// Appends a joined row: that of the left side, if any, with one more place.
    fn push_from(&mut self, width: usize, left: Option<usize>, source: usize, place: u32) -> bool {
        let new = 1 - self.old;
        let at = self.lens[new];
        let [a, b] = &mut self.lists;
        let (old_list, new_list) = if self.old == 0 { (a, b) } else { (b, a) };
        let Some(room) = new_list.get_mut(at..at + width) else { return false };
        match left.and_then(|left| old_list.get(left * width..(left + 1) * width)) {
            Some(left) => room.copy_from_slice(left),
            None => room.fill(NONE),
        }
        if let Some(slot) = room.get_mut(source) {
            *slot = place;
        }
        self.lens[new] += width;
        true
    }
}

/// Whether a row of a lookup table has all the values that are looked up; null is never found.
fn fits<'a>(probe: &'a Probe, ev: &Evaluator<'_, 'a>) -> Result<bool, Fault<'a>> {
    for (value, slot) in &probe.pairs {
        let value = match ev.eval(value) {
            Err(fault) if fault != Fault::FULL => Value::Null,
            value => value?,
        };
        let held = ev.row.get(*slot).unwrap_or(Value::Null);
        if value.is_null() || held.is_null() {
            return Ok(false);
        }
        let mut keyed = [true; 2];
        let mut text = |value, i: usize| {
            ev.ctx.scratch.write_bytes(|out| {
                keyed[i] = key::write(value, out)?;
                Ok(())
            })
        };
        if text(value, 0)? != text(held, 1)? || keyed != [true; 2] {
            return Ok(false);
        }
    }
    Ok(true)
}

fn place_of(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(NONE)
}

/// The next row of a source from place `from` on.
fn next_right(c: &Collection<'_>, span: Span, source: usize, from: usize) -> Option<usize> {
    match c.held.of(source) {
        Some(table) => table.next(from),
        None => (from.max(span.from)..span.to)
            .find(|index| usize::from(c.rows.source(*index)) == source && (span.tag == 0 || c.rows.tag(*index) == span.tag)),
    }
}
