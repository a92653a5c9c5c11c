//! The short way of a rule that keeps nothing between rows but analytic state: one stream, no window, no event time, no table.
//!
//! In: records of its one ring. Out: messages. What all rows of a slice share is set up once. A row whose keys are plain and distinct
//! takes a shortcut where decoding cannot fail: WHERE by a look at its text ([`super::quick`]), SELECT from text to text
//! ([`super::line`]); what neither can tell is decoded, of which WHERE gets no more columns than it needs.

use core::cell::Cell;
use core::time::Duration;

use super::line::Line;
use super::ops::SourceOps;
use super::quick::{Quick, Verdict};
use super::rows::{Part, Picks, Raw, Rows};
use super::run::{Feeds, Lent, Rule, RuleUnit, SLICE_FUEL, SLICE_ROWS, Slice};
use super::single;
use super::stage::{Deliver, Select, Stage};
use super::windowed::{Windowed, analytics};
use crate::decode::strict::Strict;
use crate::eval::Event;
use crate::eval::expr::Evaluator;
use crate::eval::row::Row;
use crate::ring::Record;
use crate::sink::TemplateFacts;
use crate::source::StreamSpec;
use crate::sql::plan::Plan;
use crate::time::{self, Timestamp};
use crate::value::{Moment, Numbers, Scratch, Value, packed};

/// True if a rule's rows can go this way.
pub(super) fn fits(unit: &RuleUnit, windowed: &Windowed) -> bool {
    let [spec] = unit.sources.as_slice() else { return false };
    let at_once = spec.interval.is_none() && spec.send_interval.is_none() && spec.payload.is_none();
    !spec.table && !windowed.is_used() && unit.plan.joins.is_empty() && at_once
}

/// What can be told of a rule's rows, or made of them, without decoding.
#[derive(Debug)]
pub(super) struct Shortcut {
    quick: Quick,
    line: Option<Line>,
}

impl Shortcut {
    /// For a rule whose rows go this way; `None` if decoding a column can fail for the type of its value, so that it may not wait until
    /// it is needed.
    pub(super) fn of(unit: &RuleUnit) -> Option<Self> {
        let untyped = |spec: &StreamSpec| spec.columns.is_none() && !spec.strict && spec.numbers == Numbers::Float;
        let lazily = unit.sources.iter().all(|spec| untyped(spec)) && unit.plan.analytics.is_empty() && single::is_plain(&unit.plan);
        lazily.then(|| Self { quick: Quick::of(unit), line: Line::of(unit) })
    }
}

/// What all rows of a slice share.
struct Way<'w> {
    plan: &'w Plan,
    spec: &'w StreamSpec,
    ops: SourceOps,
    picks: &'w mut Picks,
    shortcut: Option<&'w mut Shortcut>,
    windowed: &'w Windowed,
    stage: Stage<'w>,
    strict: Strict<'w>,
    select: Select<'w>,
}

impl<'w> Way<'w> {
    /// A record's first row is about to be read.
    fn opened(&mut self) {
        let now = self.select.now.wall;
        self.select.ops.at(self.ops.source).pass(now);
        if let Some(decompress) = self.ops.decompress {
            self.select.ops.at(decompress).pass(now);
        }
        if let Some(decoder) = self.ops.decoder {
            self.select.ops.at(decoder).take(now);
        }
    }

    /// A record's last row was read.
    fn closed(&mut self) {
        if let Some(decoder) = self.ops.decoder {
            self.select.ops.at(decoder).messages_processed_total += 1;
        }
    }

    /// One row; gives the steps of its evaluation.
    fn row(&mut self, record: Record<'_>, raw: Raw<'_>, scratch: &mut [u8], rows: &mut [u8]) -> u32 {
        if let Raw::Indexed { body, index, distinct: true } = raw
            && let Some(shortcut) = self.shortcut.as_deref_mut()
        {
            let verdict = shortcut.quick.judge(body, index);
            if verdict == Verdict::Fails {
                self.select.decoded(&self.ops);
                self.select.turned_away();
                return 0;
            }
            if verdict == Verdict::Holds
                && let Some(line) = &mut shortcut.line
                && self.select.line(line, body, index, rows)
            {
                self.select.decoded(&self.ops);
                self.select.went(self.plan.filter.is_some(), record.time_ms);
                return 0;
            }
        }
        self.evaluated(record, raw, scratch, rows)
    }

    /// A row that has to be decoded.
    fn evaluated<'a>(&mut self, record: Record<'a>, raw: Raw<'a>, scratch: &'a mut [u8], rows: &mut [u8]) -> u32
    where
        'w: 'a,
    {
        let scratch = Scratch::new(scratch);
        let fuel = Cell::new(SLICE_FUEL);
        let row = Row::new(self.plan.slots.len(), self.plan.aliases.len());
        let lazy = self.shortcut.is_some() && self.picks.waits() && matches!(raw, Raw::Indexed { distinct: true, .. });
        let part = if lazy { Part::Filter } else { Part::All };
        if let Err(fault) = self.picks.fill(part, &row, raw, 0, self.spec, self.plan, &self.strict, &scratch) {
            self.select.unread(&self.ops, fault);
            return 0;
        }
        self.select.decoded(&self.ops);
        if let Some(preprocessor) = self.ops.preprocessor {
            self.select.ops.at(preprocessor).pass(self.select.now.wall);
        }
        let meta = if record.meta.is_empty() { None } else { packed::read(record.meta) };
        let meta = meta.and_then(|(v, _)| if let Value::Packed(p) = v { p.object() } else { None });
        let event = Event { time: Timestamp(record.time_ms), meta };
        let ctx = self.stage.ctx(&scratch, &fuel, event, None, self.select.counts());
        let ev = Evaluator { plan: self.plan, ctx: &ctx, row: &row };
        if lazy {
            if self.select.filtered(&ev) {
                match self.picks.fill(Part::Rest, &row, raw, 0, self.spec, self.plan, &self.strict, &scratch) {
                    Ok(()) => self.select.selected(&ev, rows),
                    Err(unread) => self.select.fail(self.ops.decoder.unwrap_or(self.ops.source), unread.fault()),
                }
            }
        } else if analytics(&ev, &mut self.select) {
            if single::is_plain(self.plan) {
                self.select.alone(&ev, rows);
            } else {
                single::run(&ev, self.windowed.kinds(), &mut self.select, rows);
            }
        }
        SLICE_FUEL - fuel.get()
    }
}

impl Rule {
    /// One slice.
    pub(super) fn direct(&mut self, feeds: &mut impl Feeds, lent: &mut Lent<'_>) -> Slice {
        let Self { unit, inputs, hits, agg_hits, rng, regexes, pending, windowed, analytic, picks, shortcut, .. } = self;
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
        let select = Select { shaping: *shaping, ops, hits, agg_hits, analytic, deliver, now };
        let delay_ms = Cell::new(0);
        let stage = Stage { plan, facts, now, rng, regexes, delay_ms: &delay_ms };
        let parse_time = |text: &str| time::text::parse(text, spec.time_pattern.as_ref(), &facts.zone, Moment::from_ms(now.wall.0));
        let strict = Strict { parse_time: &parse_time, zone: &facts.zone };
        let shortcut = shortcut.as_mut();
        let mut way = Way { plan, spec, ops: source_ops, picks, shortcut, windowed, stage, strict, select };
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
                way.opened();
            }
            if let Some(raw) = raw {
                fuel_left = fuel_left.saturating_sub(1 + way.row(record, raw, lent.scratch, lent.rows));
            }
            if more {
                ring.set_row(input.reader, at);
            } else {
                way.closed();
                ring.take(input.reader);
            }
            if way.select.deliver.is_blocked() {
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
