//! From the rows of a window to its messages: WHERE, GROUP BY, aggregates, HAVING, row numbers, ORDER BY, LIMIT, SELECT, in
//! this order (facts §7.2).
//!
//! In: a [`Collection`] of units (rows, joined rows, or groups that were accumulated as rows came). Out: packed lists of rows, split
//! where a payload ends. An error anywhere loses the whole collection, and is counted once. Each row is evaluated in scratch of
//! its own; what outlives it (which rows are selected, groups, sort keys) lies in the other half of the scratch. When a sink
//! has no room, the units sent so far are counted, and the rest is evaluated again later: rows do not change meanwhile.

mod group;
mod order;

use core::cell::Cell;

use self::group::{add_to_group, load_first};
pub(super) use self::group::{first_bytes, group_key, key_of, store_first};
use self::order::sort;
use super::held::Held;
use super::ops::OpIndex;
use super::run::SLICE_FUEL;
use super::stage::{ROW_TOO_LARGE, Select, Stage, prefixed};
use crate::eval::aggregate::{Kinds, Trouble};
use crate::eval::expr::Evaluator;
use crate::eval::row::Row;
use crate::eval::state::{Id, Store, View, put_u32, u32_at};
use crate::eval::{Bounds, Event};
use crate::pages::Pages;
use crate::sql::plan::{Field, Slot, SlotKind};
use crate::time::Timestamp;
use crate::value::packed::Encoder;
use crate::value::text::typed;
use crate::value::{Fault, Packed, Scratch, Value};
use crate::window::rows::{Keep, Rows};

/// A joined row's place for a source that has none.
pub(super) const NONE: u32 = u32::MAX;
/// Key of a group: this, then its key text.
pub(super) const GROUP: u8 = b'g';

/// The rows to run through.
#[derive(Debug, Clone, Copy)]
pub(super) struct Collection<'s> {
    pub rows: &'s Rows<Pages>,
    pub keep: &'s Keep,
    pub held: Held<'s>,
    pub units: Units<'s>,
    /// Its window; `None` without one.
    pub bounds: Option<Bounds>,
    /// WHERE was applied before the window.
    pub filtered: bool,
    /// The accumulators of all its rows, when they are summed up already.
    pub ready: Option<&'s [u8]>,
}

/// What its units are.
#[derive(Debug, Clone, Copy)]
pub(super) enum Units<'s> {
    /// Kept rows of one source, by index; with a tag other than 0 only those.
    Rows { from: usize, to: usize, tag: u32 },
    /// Joined rows: so many places each, of kept rows or rows of tables.
    Joined { places: &'s [u32], width: usize },
    /// Groups, complete with their accumulators.
    /// `only`: the one group of a partition, if it has any.
    Groups { view: View<'s>, only: Option<Option<Id>> },
}

impl<'s> Collection<'s> {
    /// Puts a unit's values into a row.
    pub(super) fn load<'a>(&self, unit: u32, row: &Row<'a>, base: usize) -> Event<'a>
    where
        's: 'a,
    {
        match self.units {
            Units::Rows { .. } => self.rows.load(unit as usize, row, self.keep),
            Units::Joined { places, width } => {
                let first = unit as usize * width;
                self.load_places(places.get(first..first + width).unwrap_or(&[]), row)
            }
            Units::Groups { view, .. } => Id::from_raw(unit).map_or_else(Event::default, |id| {
                let first = view.get(id).get(base..).unwrap_or(&[]);
                load_first(first, row, self.keep)
            }),
        }
    }

    /// Puts one row per source into a row.
    pub(super) fn load_places<'a>(&self, places: &[u32], row: &Row<'a>) -> Event<'a>
    where
        's: 'a,
    {
        let mut event = Event::default();
        for (source, place) in places.iter().enumerate().filter(|(_, place)| **place != NONE) {
            match self.held.of(source) {
                Some(table) => {
                    if let Some(value) = table.row(*place as usize) {
                        load_object(row, value, source, self.keep);
                    }
                }
                None => {
                    let found = self.rows.load(*place as usize, row, self.keep);
                    if event.time == Timestamp::default() {
                        event = found;
                    }
                }
            }
        }
        event
    }
}

/// What one emission works with.
pub(super) struct Bench<'b> {
    /// What outlives a row.
    pub work: &'b mut [u8],
    /// Scratch of one row.
    pub scratch: &'b mut [u8],
    /// The message.
    pub out: &'b mut [u8],
}

/// The aggregates of a plan, bound.
#[derive(Debug, Default)]
pub(super) struct Bound {
    pub aggregates: Kinds,
    pub filter_aggregates: Kinds,
    /// HAVING decides what `last_agg_hit_count()` counts.
    pub having: bool,
}

/// Evaluates `$body` over one unit; `$ev` is its evaluator.
macro_rules! with_row {
    ($stage:expr, $c:expr, $base:expr, $buf:expr, $counts:expr, $unit:expr, $ev:ident => $body:expr) => {{
        let fuel = Cell::new(SLICE_FUEL);
        let scratch = Scratch::new(&mut $buf[..]);
        let row = Row::new($stage.plan.slots.len(), $stage.plan.aliases.len());
        let event = match $unit {
            Some(unit) => $c.load(unit, &row, $base),
            None => Event::default(),
        };
        let ctx = $stage.ctx(&scratch, &fuel, event, $c.bounds, $counts);
        let $ev = &Evaluator { plan: $stage.plan, ctx: &ctx, row: &row };
        $body
    }};
}

pub(super) use with_row;

/// Runs a collection. `skip`: units that were sent before. Gives how many were sent when a sink has no room; `None` when all is done.
#[expect(clippy::too_many_lines, reason = "the stages in their order, as facts §7.2 has them")]
pub(super) fn run(
    c: &Collection<'_>,
    stage: &Stage<'_>,
    select: &mut Select<'_>,
    bound: &Bound,
    bench: Bench<'_>,
    skip: usize,
) -> Option<usize> {
    let Bench { work, scratch: buf, out } = bench;
    let plan = stage.plan;
    let again = skip > 0;
    let base = bound.aggregates.bytes();
    let total = match c.units {
        Units::Rows { from, to, .. } => to.saturating_sub(from),
        Units::Joined { places, width } => places.len() / width.max(1),
        Units::Groups { view, .. } => view.named().count(),
    };
    let no_room = Fault::new("the window has more rows than fit the working memory: raise limits.scratchBytes");
    let Some((list, rest)) = work.split_at_mut_checked((4 * total).next_multiple_of(8)) else {
        select.fail(select.ops.project, no_room);
        return None;
    };
    let mut list = List(list);
    let mut n = 0;
    match c.units {
        Units::Rows { from, .. } if c.ready.is_some() => {
            n = total.min(1);
            list.set(0, u32::try_from(from).unwrap_or(NONE));
        }
        Units::Rows { from, to, tag } => {
            for index in (from..to).filter(|index| tag == 0 || c.rows.tag(*index) == tag) {
                list.set(n, u32::try_from(index).unwrap_or(NONE));
                n += 1;
            }
        }
        Units::Joined { .. } => {
            n = total;
            (0..n).for_each(|i| list.set(i, u32::try_from(i).unwrap_or(NONE)));
        }
        Units::Groups { only: Some(only), .. } => {
            if let Some(id) = only {
                list.set(0, id.to_raw());
                n = 1;
            }
        }
        Units::Groups { view, only: None } => {
            for id in view.named().filter(|id| view.key(*id).first() == Some(&GROUP)) {
                list.set(n, id.to_raw());
                n += 1;
            }
        }
    }
    let accumulated = matches!(c.units, Units::Groups { .. });
    let counts = select.counts();

    // WHERE, with its own aggregates over all rows.
    let (filter_memory, rest) = if plan.filter_aggregates.is_empty() { rest.split_at_mut(0) } else { rest.split_at_mut(rest.len() / 4) };
    let mut filter_view = None;
    if !plan.filter_aggregates.is_empty() {
        let mut store = Store::new(filter_memory);
        let group = store.insert(&[GROUP], bound.filter_aggregates.bytes()).ok();
        for i in 0..n {
            let Some(group) = group else { break };
            let added = with_row!(stage, c, base, buf, counts, Some(list.get(i)), ev => {
                match bound.filter_aggregates.add(&mut store, group, 0, &plan.filter_aggregates, ev) {
                    Ok(()) => true,
                    Err(trouble) => {
                        select.fail(filter_op(select), trouble_fault(trouble));
                        false
                    }
                }
            });
            if !added {
                return None;
            }
        }
        filter_view = Some((store.into_view(), group.filter(|_| n > 0)));
    }
    if let Some(filter) = plan.filter.as_ref().filter(|_| !c.filtered) {
        let op = filter_op(select);
        note(select, op, again, 1, 0);
        let mut kept = 0;
        for i in 0..n {
            let unit = list.get(i);
            let verdict = with_row!(stage, c, base, buf, counts, Some(unit), ev => {
                let aggregates = filter_view.map_or(Ok(()), |(view, group)| {
                    bound.filter_aggregates.results(view, group, 0, &plan.filter_aggregates, ev)
                });
                match aggregates.and_then(|()| ev.holds(filter, "Where")) {
                    Ok(true) => {
                        if !again {
                            select.hit(ev.ctx.event.time.0);
                        }
                        Some(true)
                    }
                    Ok(false) => Some(false),
                    Err(fault) => {
                        select.fail(op, prefixed("run Where error", fault, ev.ctx.scratch));
                        None
                    }
                }
            });
            if verdict? {
                list.set(kept, unit);
                kept += 1;
            }
        }
        n = kept;
        if n > 0 {
            note(select, op, again, 0, 1);
        }
    }
    if n == 0 && (plan.filter.is_some() || !plan.groups.is_empty()) {
        return None;
    }

    // ORDER BY comes before the aggregates of a window without groups: they see the rows in that order.
    let (order_memory, group_memory) = if plan.order.is_empty() { rest.split_at_mut(0) } else { rest.split_at_mut(rest.len() / 2) };
    let sorted_first = plan.grouped && plan.groups.is_empty() && !plan.order.is_empty() && !accumulated;
    if sorted_first {
        let ranks = sort(c, stage, select, bound, None, base, &list, n, order_memory, buf, again)?;
        // The list takes the new order; the ranks stand behind the keys.
        let (ranks, spare) = ranks;
        for (i, place) in spare.chunks_exact_mut(4).enumerate().take(n) {
            put_u32(place, 0, list.get(u32_at(ranks, 4 * i) as usize) as usize);
        }
        for i in 0..n {
            list.set(i, u32_at(spare, 4 * i));
        }
    }

    // GROUP BY and the accumulators.
    let mut view: Option<(View<'_>, Option<Id>)> = None;
    if let Units::Groups { view: groups, .. } = c.units {
        view = Some((groups, None));
    } else if plan.grouped || !plan.aggregates.is_empty() {
        let mut store = Store::new(group_memory);
        let mut single = None;
        for i in 0..n {
            let unit = list.get(i);
            if let Some(ready) = c.ready {
                single = store.insert(&[GROUP], base + 4).ok();
                if let Some(id) = single
                    && let Some((accs, first)) = store.get_mut(id).split_at_mut_checked(ready.len())
                {
                    accs.copy_from_slice(ready);
                    put_u32(first, 0, unit as usize);
                }
                break;
            }
            let ok = with_row!(stage, c, base, buf, counts, Some(unit), ev => {
                match add_to_group(&mut store, bound, unit, base, ev) {
                    Ok(id) => {
                        single = single.or(Some(id));
                        true
                    }
                    Err(trouble) => {
                        let fault = trouble_fault(trouble);
                        let op = if plan.groups.is_empty() { select.ops.project } else { select.ops.aggregate.unwrap_or(select.ops.project) };
                        select.fail(op, fault);
                        false
                    }
                }
            });
            if !ok {
                return None;
            }
        }
        let done = store.into_view();
        view = Some((done, if plan.groups.is_empty() { single } else { None }));
        if plan.grouped {
            n = 0;
            for id in done.named().filter(|id| done.key(*id).first() == Some(&GROUP)) {
                list.set(n, id.to_raw());
                n += 1;
            }
        }
        if let Some(op) = select.ops.aggregate {
            note(select, op, again, 1, 1);
        }
    } else if let Some(op) = select.ops.aggregate {
        note(select, op, again, 1, 1);
    }
    // A window without rows and group keys still gives one row, of nil aggregates.
    let empty = plan.grouped && n == 0;
    if empty {
        if !plan.groups.is_empty() {
            return None;
        }
        n = 1;
    }
    let grouped = plan.grouped;
    // The row of a unit, and the group its aggregates come from.
    let resolve = |entry: u32| -> (Option<u32>, Option<Id>) {
        if empty {
            return (None, None);
        }
        match view {
            Some((view, _)) if grouped => {
                let id = Id::from_raw(entry);
                if accumulated { (Some(entry), id) } else { (id.map(|id| u32_at(view.get(id), base)), id) }
            }
            Some((_, single)) => (Some(entry), single),
            None => (Some(entry), None),
        }
    };

    // HAVING keeps groups, or a window without groups as a whole.
    if let Some(having) = &plan.having {
        let op = select.ops.having.unwrap_or(select.ops.project);
        note(select, op, again, 1, 0);
        let mut kept = 0;
        let rounds = if grouped { n } else { 1 };
        for i in 0..rounds {
            let entry = if n == 0 { NONE } else { list.get(i) };
            let (unit, group) = if n == 0 { (None, None) } else { resolve(entry) };
            let verdict = with_row!(stage, c, base, buf, counts, unit, ev => {
                let held = fill(view.map(|(view, _)| view), group, 0, bound, ev).and_then(|()| match ev.eval(having)? {
                    Value::Bool(hit) => Ok(hit),
                    other => {
                        let text = typed(other, ev.ctx.scratch)?;
                        Err(ev.ctx.scratch.fault(format_args!("invalid condition that returns non-bool value {text}")))
                    }
                });
                match held {
                    Ok(hit) => Some(hit),
                    Err(fault) => {
                        select.fail(op, prefixed("run Having error", fault, ev.ctx.scratch));
                        None
                    }
                }
            });
            if verdict? {
                list.set(kept, entry);
                kept += 1;
            }
        }
        if kept == 0 {
            return None;
        }
        if grouped {
            n = kept;
        }
        note(select, op, again, 0, 1);
        if bound.having && !again {
            agg_hit(select, c.bounds, stage);
        }
    }
    if let Some(op) = select.ops.window_func {
        note(select, op, again, 1, 1);
    }

    // ORDER BY.
    let mut ranks: Option<&[u8]> = None;
    if !plan.order.is_empty() {
        if let Some(op) = select.ops.order {
            note(select, op, again, 1, 1);
        }
        if !sorted_first && n > 1 {
            let found =
                sort(c, stage, select, bound, Some((&resolve, view.map(|(view, _)| view))), base, &list, n, order_memory, buf, again)?;
            ranks = Some(found.0);
        }
    }

    // SELECT and LIMIT.
    let project = select.ops.project;
    note(select, project, again, 1, 0);
    if plan.limit == Some(0) {
        return None;
    }
    let limit = plan.limit.map_or(usize::MAX, |l| usize::try_from(l).unwrap_or(usize::MAX));
    let unnests = plan.fields.iter().any(|f| matches!(f, Field::Unnest { .. }));
    let row_number = plan.slots.iter().position(|kind| matches!(kind, SlotKind::RowNumber)).and_then(|i| u16::try_from(i).ok()).map(Slot);
    let mut message = Encoder::new(out);
    if message.begin_list().is_err() {
        select.fail(project, ROW_TOO_LARGE);
        return None;
    }
    let mut in_message = 0_usize;
    let mut sent = 0_usize;
    for i in 0..n.min(limit) {
        let rank = ranks.map_or(i, |ranks| u32_at(ranks, 4 * i) as usize);
        if i < skip {
            continue;
        }
        let (unit, group) = resolve(list.get(rank));
        // Twice: once into the message so far, once more into a new one when that was full.
        for fresh in [false, true] {
            if fresh {
                // The message ends before this unit.
                if message.end().is_ok()
                    && in_message > 0
                    && let Some(list) = Packed::from_bytes(message.written())
                {
                    select.ops.at(project).give(1);
                    select.deliver.message(list);
                    select.deliver.split();
                }
                if select.deliver.is_blocked() {
                    return Some(i);
                }
                message.restart();
                let _ = message.begin_list(); // an empty buffer has room for that
                in_message = 0;
            }
            let mark = message.mark();
            let outcome = with_row!(stage, c, base, buf, counts, unit, ev => {
                let projection = fill(view.map(|(view, _)| view), group, 0, bound, ev).and_then(|()| {
                    if let Some(slot) = row_number {
                        ev.row.set(slot, Some(Value::Int(i64::try_from(rank + 1).unwrap_or(i64::MAX))));
                    }
                    select.compute(ev)
                });
                match projection {
                    Err(fault) => {
                        select.fail(project, prefixed("run Select error", fault, ev.ctx.scratch));
                        Outcome::Lost
                    }
                    Ok(projection) if unnests => match projection.unnest(ev) {
                        Err(fault) => {
                            select.fail(select.ops.project_set.unwrap_or(project), fault);
                            Outcome::Lost
                        }
                        Ok(elements) => {
                            let mut outcome = Outcome::Written(0);
                            for (count, element) in elements.take(limit.saturating_sub(sent)).enumerate() {
                                let written = element.and_then(|element| projection.write(ev, select.shaping, Some(element), &mut message));
                                if written.is_err() {
                                    outcome = Outcome::Full;
                                    break;
                                }
                                outcome = Outcome::Written(count + 1);
                            }
                            outcome
                        }
                    },
                    Ok(projection) => match projection.write(ev, select.shaping, None, &mut message) {
                        Ok(()) => Outcome::Written(1),
                        Err(_) => Outcome::Full,
                    },
                }
            });
            match outcome {
                Outcome::Lost => return None,
                Outcome::Written(count) => {
                    in_message += count;
                    sent += count;
                    if !bound.having && !again {
                        agg_hit(select, c.bounds, stage);
                    }
                    break;
                }
                Outcome::Full if fresh => {
                    message.rewind(mark);
                    select.fail(project, ROW_TOO_LARGE);
                }
                Outcome::Full => message.rewind(mark),
            }
        }
    }
    if let Some(op) = select.ops.project_set {
        note(select, op, again, 1, 1);
    }
    if (in_message > 0 || (n == 0 && skip == 0))
        && message.end().is_ok()
        && let Some(list) = Packed::from_bytes(message.written())
    {
        select.ops.at(project).give(1);
        select.deliver.message(list);
    }
    None
}

/// What became of a unit.
enum Outcome {
    /// So many rows stand in the message.
    Written(usize),
    /// The message has no room for it.
    Full,
    /// An error: all is lost.
    Lost,
}

fn fill<'a>(view: Option<View<'a>>, group: Option<Id>, at: usize, bound: &Bound, ev: &Evaluator<'_, 'a>) -> Result<(), Fault<'a>> {
    let empty: &'a mut [u8] = &mut [];
    let view = view.unwrap_or_else(|| Store::new(empty).into_view());
    bound.aggregates.results(view, group, at, &ev.plan.aggregates, ev)
}

fn filter_op(select: &Select<'_>) -> OpIndex {
    select.ops.filter.unwrap_or(select.ops.project)
}

/// Counts a message in or out of an operator, unless the collection is run again.
fn note(select: &mut Select<'_>, op: OpIndex, again: bool, taken: u64, given: u64) {
    if again {
        return;
    }
    let now = select.now.wall;
    let stats = select.ops.at(op);
    for _ in 0..taken {
        stats.take(now);
        stats.messages_processed_total += 1;
    }
    stats.give(given);
}

fn agg_hit(select: &mut Select<'_>, bounds: Option<Bounds>, stage: &Stage<'_>) {
    select.agg_hits.count += 1;
    select.agg_hits.time = bounds.map_or(stage.now.wall.0, |b| b.trigger.0);
}

fn trouble_fault(trouble: Trouble<'_>) -> Fault<'_> {
    match trouble {
        Trouble::Full => Fault::new("the groups of a window do not fit the working memory: raise limits.scratchBytes"),
        Trouble::Fault(fault) => fault,
    }
}

/// Puts a table's row into the slots of its source.
fn load_object<'a>(row: &Row<'a>, value: Value<'a>, source: usize, keep: &Keep) {
    let Value::Packed(p) = value else { return };
    let Some(object) = p.object() else { return };
    let Ok(source) = u8::try_from(source) else { return };
    for (slot, name) in keep.named(source) {
        row.set(slot, name.map_or(Some(value), |name| object.get(name)));
    }
}

/// Numbers of 4 octets in borrowed memory.
struct List<'m>(&'m mut [u8]);

impl List<'_> {
    fn get(&self, index: usize) -> u32 {
        u32_at(self.0, 4 * index)
    }

    fn set(&mut self, index: usize, value: u32) {
        put_u32(self.0, 4 * index, value as usize);
    }
}
