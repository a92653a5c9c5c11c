//! The short way of a rule that keeps nothing between rows but analytic state: one stream, no window, no event time, no table.
//!
//! In: records of its one ring. Out: messages. What all rows of a slice share is set up once; a row that WHERE turns away has no
//! more columns decoded than WHERE needs, where decoding cannot fail.

use core::cell::Cell;
use core::time::Duration;

use super::rows::Picks;
use super::rows::{Part, Raw, Rows};
use super::run::{Feeds, Lent, Rule, RuleUnit, SLICE_FUEL, SLICE_ROWS, Slice};
use super::single;
use super::stage::{Deliver, Select, Stage};
use super::windowed::{Windowed, analytics};
use crate::decode::strict::Strict;
use crate::eval::Event;
use crate::eval::expr::Evaluator;
use crate::eval::row::Row;
use crate::gate::body;
use crate::sink::TemplateFacts;
use crate::sql::plan::{Expr, Literal, Op, Plan, Slot, SlotKind};
use crate::time::{self, Timestamp};
use crate::value::{Moment, Numbers, Scratch, Value, packed, short_float};

/// A part of WHERE that is seen to fail without evaluating anything: a column compared with a number, where the column is a plain
/// decimal. Parts are joined by AND; one that cannot be told stops the look.
#[derive(Debug)]
pub(super) struct Quick {
    slot: Slot,
    op: Op,
    bound: f64,
}

/// The parts that WHERE begins with.
pub(super) fn quick(unit: &RuleUnit) -> Vec<Quick> {
    let mut parts = Vec::new();
    if let Some(filter) = &unit.plan.filter {
        collect(filter, &unit.plan, &mut parts);
    }
    parts
}

/// Adds the parts of a condition; false at the first one that is of another kind.
fn collect(expr: &Expr, plan: &Plan, parts: &mut Vec<Quick>) -> bool {
    let Expr::Binary(op, left, right) = expr else { return false };
    if *op == Op::And {
        return collect(left, plan, parts) && collect(right, plan, parts);
    }
    #[expect(clippy::cast_precision_loss, reason = "float op int is float, as in eKuiper")]
    let number = |expr: &Expr| match expr {
        Expr::Const(Literal::Int(i)) => Some(*i as f64),
        Expr::Const(Literal::Float(x)) => Some(*x),
        _ => None,
    };
    let turned = match op {
        Op::Eq | Op::Ne => *op,
        Op::Lt => Op::Gt,
        Op::Le => Op::Ge,
        Op::Gt => Op::Lt,
        Op::Ge => Op::Le,
        _ => return false,
    };
    let (slot, op, bound) = match (&**left, &**right) {
        (Expr::Slot(slot), right) => (*slot, *op, number(right)),
        (left, Expr::Slot(slot)) => (*slot, turned, number(left)),
        _ => return false,
    };
    let Some(bound) = bound else { return false };
    if !matches!(plan.slots.get(usize::from(slot.0)), Some(SlotKind::Column { .. })) {
        return false;
    }
    parts.push(Quick { slot, op, bound });
    true
}

impl Quick {
    /// Whether it holds for a number.
    const fn holds(&self, value: f64) -> bool {
        match self.op {
            Op::Eq => value == self.bound,
            Op::Ne => value != self.bound,
            Op::Lt => value < self.bound,
            Op::Le => value <= self.bound,
            Op::Gt => value > self.bound,
            _ => value >= self.bound,
        }
    }
}

/// True if a rule's rows can go this way.
pub(super) fn fits(unit: &RuleUnit, windowed: &Windowed) -> bool {
    let [spec] = unit.sources.as_slice() else { return false };
    let at_once = spec.interval.is_none() && spec.send_interval.is_none() && spec.payload.is_none();
    !spec.table && !windowed.is_used() && unit.plan.joins.is_empty() && at_once
}

/// True if decoding a column cannot fail for the type of its value, so that it may wait until it is needed.
pub(super) fn decodes_lazily(unit: &RuleUnit) -> bool {
    let untyped = |spec: &crate::source::StreamSpec| spec.columns.is_none() && !spec.strict && spec.numbers == Numbers::Float;
    unit.sources.iter().all(|spec| untyped(spec)) && unit.plan.analytics.is_empty() && single::is_plain(&unit.plan)
}

impl Picks {
    /// True if a part of WHERE is seen to fail.
    fn reject(&mut self, parts: &[Quick], object: &[u8], index: &[u8], plan: &Plan) -> bool {
        for part in parts {
            let Some(SlotKind::Column { name, .. }) = plan.slots.get(usize::from(part.slot.0)) else { return false };
            let Some(hint) = self.hint(part.slot) else { return false };
            let Some(number) = body::find(index, object, name.as_bytes(), hint).and_then(short_float) else { return false };
            if !part.holds(number) {
                return true;
            }
        }
        false
    }
}

impl Rule {
    /// One slice.
    pub(super) fn direct(&mut self, feeds: &mut impl Feeds, lent: &mut Lent<'_>) -> Slice {
        let Self { unit, inputs, hits, agg_hits, rng, regexes, pending, windowed, analytic, picks, quick, .. } = self;
        let RuleUnit { plan, facts, shaping, ops, sinks, send_error, sources, .. } = unit;
        let ([input], [spec]) = (inputs.as_mut_slice(), sources.as_slice()) else { return Slice::Idle(None) };
        let ring = feeds.ring(input.feed);
        if ring.peek(input.reader).is_none() {
            return Slice::Idle(None);
        }
        let now = lent.now;
        if input.due > now.mono {
            return Slice::Idle(Some(input.due));
        }
        let source_ops = ops.sources[0];
        let template = TemplateFacts { zone: &facts.zone, rng };
        let mut split_total = 0;
        let deliver =
            Deliver { sinks, pending, scratch: lent.sinks, now, send_error: *send_error, template, split_total: &mut split_total };
        let mut select = Select { shaping: *shaping, ops, hits, agg_hits, analytic, deliver, now };
        let delay_ms = Cell::new(0);
        let stage = Stage { plan, facts, now, rng, regexes, delay_ms: &delay_ms };
        let parse_time = |text: &str| time::text::parse(text, spec.time_pattern.as_ref(), &facts.zone, Moment::from_ms(now.wall.0));
        let strict = Strict { parse_time: &parse_time, zone: &facts.zone };
        let (plain, waits) = (single::is_plain(plan), picks.waits());
        let mut fuel_left = SLICE_FUEL;
        let mut end = Slice::More;
        for _ in 0..SLICE_ROWS {
            let Some(record) = ring.peek(input.reader) else {
                end = Slice::Idle(None);
                break;
            };
            let mut rows = Rows::new(record, spec);
            let raw = rows.next();
            let (at, more) = (rows.at(), rows.has_more());
            if record.row == 0 {
                select.ops.at(source_ops.source).pass(now.wall);
                if let Some(decompress) = source_ops.decompress {
                    select.ops.at(decompress).pass(now.wall);
                }
                if let Some(decoder) = source_ops.decoder {
                    select.ops.at(decoder).take(now.wall);
                }
            }
            let rejected = match raw {
                Some(Raw::Indexed { body, index, distinct: true }) if waits => picks.reject(quick, body, index, plan),
                _ => false,
            };
            if rejected {
                if let Some(decoder) = source_ops.decoder {
                    select.ops.at(decoder).give(1);
                }
                select.turned_away();
                fuel_left = fuel_left.saturating_sub(1);
            } else if let Some(raw) = raw {
                let scratch = Scratch::new(lent.scratch);
                let fuel = Cell::new(SLICE_FUEL);
                let row = Row::new(plan.slots.len(), plan.aliases.len());
                let lazy = waits && matches!(raw, Raw::Indexed { distinct: true, .. });
                let part = if lazy { Part::Filter } else { Part::All };
                match picks.fill(part, &row, raw, 0, spec, plan, &strict, &scratch) {
                    Ok(()) => {
                        if let Some(decoder) = source_ops.decoder {
                            select.ops.at(decoder).give(1);
                        }
                        if let Some(preprocessor) = source_ops.preprocessor {
                            select.ops.at(preprocessor).pass(now.wall);
                        }
                        let meta = if record.meta.is_empty() { None } else { packed::read(record.meta) };
                        let meta = meta.and_then(|(v, _)| if let Value::Packed(p) = v { p.object() } else { None });
                        let event = Event { time: Timestamp(record.time_ms), meta };
                        let ctx = stage.ctx(&scratch, &fuel, event, None, select.counts());
                        let ev = Evaluator { plan, ctx: &ctx, row: &row };
                        if lazy {
                            if select.filtered(&ev) {
                                match picks.fill(Part::Rest, &row, raw, 0, spec, plan, &strict, &scratch) {
                                    Ok(()) => select.selected(&ev, lent.rows),
                                    Err(fault) => select.fail(source_ops.decoder.unwrap_or(source_ops.source), fault),
                                }
                            }
                        } else if analytics(&ev, &mut select) {
                            if plain {
                                select.alone(&ev, lent.rows);
                            } else {
                                single::run(&ev, windowed.kinds(), &mut select, lent.rows);
                            }
                        }
                    }
                    Err(fault) => select.unread(&source_ops, fault),
                }
                fuel_left = fuel_left.saturating_sub(1 + SLICE_FUEL - fuel.get());
            }
            if more {
                ring.set_row(input.reader, at);
            } else {
                if let Some(decoder) = source_ops.decoder {
                    select.ops.at(decoder).messages_processed_total += 1;
                }
                ring.take(input.reader);
            }
            if select.deliver.is_blocked() {
                end = Slice::Blocked;
                break;
            }
            if delay_ms.get() > 0 {
                input.due = now.mono.after(Duration::from_millis(delay_ms.get()));
                end = Slice::Idle(Some(input.due));
                break;
            }
            if fuel_left == 0 {
                break;
            }
        }
        windowed.counters.split_total += split_total;
        end
    }
}
