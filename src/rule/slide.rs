//! Aggregates of windows that overlap, without a second look at every row: what is in a window is split into a front, of which
//! the sums from every few rows to its end are kept, and a back that only grows.
//!
//! In: which rows the window has. Out: its accumulators. A row is evaluated about twice in all: when it comes, and when the front is
//! built anew after all of the old one has left. For one group, and for accumulators that can be merged; a text, a fault or a change
//! of type makes it give up, and the window is then summed up row by row.

use core::cell::Cell;

use super::collect::{Collection, with_row};
use super::run::SLICE_FUEL;
use super::stage::Stage;
use crate::eval::aggregate::Kinds;
use crate::eval::expr::Evaluator;
use crate::eval::row::Row;
use crate::eval::state::{Id, Store};
use crate::eval::{Event, Hits};
use crate::pages::Pages;
use crate::value::Scratch;

/// Rows between two kept sums.
const STEP: usize = 8;

/// See the module text.
#[derive(Debug)]
pub(super) struct Slider {
    /// Sum of the rows behind the front.
    back: Pages,
    /// Sums from every [`STEP`]th row of the front to its end.
    marks: Pages,
    /// The sum that was asked for.
    sum: Pages,
    /// One row's accumulators.
    one: Store<Pages>,
    group: Option<Id>,
    /// Rows are counted from the start of the run.
    front: (u64, u64),
    back_end: u64,
    off: bool,
}

impl Slider {
    /// For accumulators of so many octets, with `marks` octets for sums.
    pub(super) fn new(width: usize, marks: usize) -> Self {
        let zeros = |len: usize| Pages::new(len);
        let mut one = Store::new(zeros(1024 + width));
        let group = one.insert(b"g", width).ok();
        Self {
            back: zeros(width),
            marks: zeros(marks),
            sum: zeros(width),
            one,
            group,
            front: (0, 0),
            back_end: 0,
            off: width == 0 || group.is_none(),
        }
    }

    /// What it takes beside the marks, for accumulators of so many octets.
    pub(super) const fn bytes(width: usize) -> usize {
        1024 + 3 * width
    }

    /// Forgets all sums: rows came or left in another way than at the ends.
    pub(super) fn reset(&mut self, at: u64) {
        self.front = (at, at);
        self.back_end = at;
        self.back.fill(0);
    }

    /// The accumulators of rows `from..to`; `gone`: rows that left before the first one now kept. `None`: sum them up yourself.
    pub(super) fn sum(
        &mut self,
        c: &Collection<'_>,
        stage: &Stage<'_>,
        buf: &mut [u8],
        kinds: &Kinds,
        span: (usize, usize),
        gone: u64,
    ) -> Option<&[u8]> {
        if self.off {
            return None;
        }
        let (from, to) = (gone + span.0 as u64, gone + span.1 as u64);
        if from < self.front.0 || to < self.back_end || self.back_end < gone {
            self.reset(from);
        }
        if from > self.front.1 || self.front.0 < gone && self.front.1 <= from {
            self.build(c, stage, buf, kinds, (from, to), gone)?;
        }
        while self.back_end < to {
            self.row(c, stage, buf, kinds, self.back_end, gone)?;
            let Self { back, one, group, .. } = self;
            let acc = group.map_or(&[][..], |id| one.get(id));
            if !kinds.merge(back, acc) {
                self.off = true;
                return None;
            }
            self.back_end += 1;
        }
        self.sum.fill(0);
        let width = self.sum.len();
        let mut at = from;
        while at < self.front.1 {
            let place = usize::try_from(at - self.front.0).unwrap_or(usize::MAX);
            if place.is_multiple_of(STEP) {
                let mark = self.marks.get(place / STEP * width..(place / STEP + 1) * width)?;
                if !kinds.merge(&mut self.sum, mark) {
                    self.off = true;
                    return None;
                }
                break;
            }
            self.row(c, stage, buf, kinds, at, gone)?;
            let Self { sum, one, group, .. } = self;
            let acc = group.map_or(&[][..], |id| one.get(id));
            if !kinds.merge(sum, acc) {
                self.off = true;
                return None;
            }
            at += 1;
        }
        if !kinds.merge(&mut self.sum, &self.back) {
            self.off = true;
            return None;
        }
        Some(&self.sum)
    }

    /// Makes all rows of the window the front.
    fn build(
        &mut self,
        c: &Collection<'_>,
        stage: &Stage<'_>,
        buf: &mut [u8],
        kinds: &Kinds,
        (from, to): (u64, u64),
        gone: u64,
    ) -> Option<()> {
        let width = self.sum.len();
        let count = usize::try_from(to - from).ok()?;
        if count.div_ceil(STEP) * width > self.marks.len() {
            self.off = true;
            return None;
        }
        self.sum.fill(0);
        for place in (0..count).rev() {
            self.row(c, stage, buf, kinds, from + place as u64, gone)?;
            let Self { sum, one, group, .. } = self;
            let acc = group.map(|id| one.get_mut(id))?;
            if !kinds.merge(acc, sum) {
                self.off = true;
                return None;
            }
            sum.copy_from_slice(acc);
            if place.is_multiple_of(STEP) {
                self.marks.get_mut(place / STEP * width..(place / STEP + 1) * width)?.copy_from_slice(sum);
            }
        }
        self.front = (from, to);
        self.back_end = to;
        self.back.fill(0);
        Some(())
    }

    /// Evaluates one row into `one`.
    fn row(&mut self, c: &Collection<'_>, stage: &Stage<'_>, buf: &mut [u8], kinds: &Kinds, at: u64, gone: u64) -> Option<()> {
        let unit = u32::try_from(at.checked_sub(gone)?).ok()?;
        let group = self.group?;
        self.one.get_mut(group).fill(0);
        let one = &mut self.one;
        let counts = (Hits::default(), Hits::default());
        let added = with_row!(stage, c, 0, buf, counts, Some(unit), ev => {
            kinds.add(one, group, 0, &stage.plan.aggregates, ev).is_ok()
        });
        if !added || kinds.own_bytes(&self.one, group, 0) > 0 {
            self.off = true;
            return None;
        }
        Some(())
    }
}
