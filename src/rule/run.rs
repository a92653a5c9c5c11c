//! One run of a rule: rows from its readers, through analytic functions, joins with tables, WHERE and SELECT, to its sinks.
//!
//! In: records of the rings it reads, and time. Out: messages (packed lists of rows) handed to its sinks. A slice ends after
//! [`SLICE_ROWS`] rows or [`SLICE_FUEL`] evaluation steps. A message that a sink cannot take waits packed in the rule's one pending
//! place and the rule stops there: evaluation never repeats. Nothing is allocated per row.

use core::cell::{Cell, RefCell};
use core::time::Duration;
use std::sync::Arc;

use super::ops::{OpIndex, Ops};
use super::project::{Projection, Shaping};
use super::rows::{self, Raw, Rows, slot_at};
use crate::decode::strict::Strict;
use crate::eval::expr::Evaluator;
use crate::eval::row::Row;
use crate::eval::{Ctx, Event, Hits, RegexCache, RuleFacts};
use crate::ring::{ReaderId, Ring};
use crate::sink::{Accept, SinkScratch, SinkUnit, TemplateFacts};
use crate::source::StreamSpec;
use crate::sql::plan::{Field, JoinKind, Plan, SlotKind};
use crate::table::Table;
use crate::time::{self, Instant, Now, Timestamp};
use crate::value::packed::Encoder;
use crate::value::{Fault, Moment, Packed, Scratch, Value, packed};

/// Rows of one slice.
pub const SLICE_ROWS: usize = 64;
/// Evaluation steps of one row, and of one slice before it ends.
pub const SLICE_FUEL: u32 = 20_000;

/// A rule that passed every check, with everything it will ever need but the rings it reads.
#[derive(Debug)]
pub struct RuleUnit {
    /// Its id.
    pub id: String,
    /// What it computes.
    pub plan: Plan,
    /// What functions may know of it.
    pub facts: RuleFacts,
    /// Options that shape rows.
    pub shaping: Shaping,
    /// `sendError`.
    pub send_error: bool,
    /// `isEventTime`.
    pub event_time: bool,
    /// `lateTolerance`.
    pub late_ms: i64,
    /// Sources of the plan, in its order.
    pub sources: Vec<Arc<StreamSpec>>,
    /// Its sinks, in action order.
    pub sinks: Vec<SinkUnit>,
    /// Its operators.
    pub ops: Ops,
    /// Bytes of the pending place; 0 when no sink ever makes the rule wait.
    pub pending_bytes: usize,
    /// Bytes a scan table may take.
    pub table_bytes: usize,
    /// Bytes of its state region.
    pub state_bytes: usize,
    /// Groups of its window.
    pub group_count: usize,
}

/// What the engine lends to a slice.
#[derive(Debug)]
pub struct Lent<'e> {
    /// Memory of one row's evaluation.
    pub scratch: &'e mut [u8],
    /// Memory of one message's rows, packed: `limits.payloadBytes`.
    pub rows: &'e mut [u8],
    /// Buffers of the sinks.
    pub sinks: &'e mut SinkScratch,
    /// Both clocks.
    pub now: Now,
}

/// A ring that a rule reads, as the engine lends it.
pub trait Feeds {
    /// The ring of a feed.
    fn ring(&mut self, feed: FeedId) -> &mut Ring<Box<[u8]>>;
}

/// A feed of the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeedId(pub u16);

/// How a slice ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slice {
    /// There is more to do at once.
    More,
    /// Nothing to do until a reading comes, or this moment.
    Idle(Option<Instant>),
    /// A sink has no room.
    Blocked,
}

/// One source's reader.
#[derive(Debug)]
struct Input {
    feed: FeedId,
    reader: ReaderId,
    /// Not before: `interval` and `sendInterval`.
    due: Instant,
}

/// A running rule.
#[derive(Debug)]
pub struct Rule {
    /// What it is.
    pub unit: RuleUnit,
    inputs: Vec<Input>,
    tables: Vec<Option<Table>>,
    hits: Hits,
    agg_hits: Hits,
    rng: Cell<u64>,
    regexes: RefCell<RegexCache>,
    pending: Pending,
}

/// The one message that a sink had no room for.
#[derive(Debug, Default)]
struct Pending {
    bytes: Box<[u8]>,
    len: usize,
    /// True if the bytes are an error's text, not rows.
    error: bool,
    /// Sinks that have taken it already, a bit each.
    taken: u64,
}

impl Rule {
    /// A rule over the readers it was given, one per source of its plan.
    #[must_use]
    pub fn new(unit: RuleUnit, readers: &[(FeedId, ReaderId)], seed: u64) -> Self {
        let inputs = readers.iter().map(|&(feed, reader)| Input { feed, reader, due: Instant::default() }).collect();
        let tables = unit.sources.iter().map(|s| s.table.then(|| Table::new(s.retain, unit.table_bytes))).collect();
        let pending = Pending { bytes: vec![0; unit.pending_bytes].into_boxed_slice(), ..Pending::default() };
        Self {
            unit,
            inputs,
            tables,
            hits: Hits::default(),
            agg_hits: Hits::default(),
            rng: Cell::new(seed | 1),
            regexes: RefCell::new(RegexCache::default()),
            pending,
        }
    }

    /// The run begins: sources and sinks say when.
    pub fn connected(&mut self, now: Now) {
        for op in &mut self.unit.ops.list {
            if let Some(conn) = &mut op.conn {
                conn.status = 1;
                conn.last_connected = now.wall;
                conn.last_try = now.wall;
            }
        }
        for sink in &mut self.unit.sinks {
            sink.start(now);
        }
    }

    /// Lets the sinks do what is due.
    pub fn tick(&mut self, lent: &mut Lent<'_>) {
        for sink in &mut self.unit.sinks {
            sink.tick(lent.sinks, lent.now);
        }
    }

    /// When a sink has something to do by itself.
    #[must_use]
    pub fn until(&self) -> Option<Instant> {
        self.unit.sinks.iter().filter_map(SinkUnit::until).min()
    }

    /// The readers, to be given back when the rule stops.
    pub fn readers(&self) -> impl Iterator<Item = (FeedId, ReaderId)> {
        self.inputs.iter().map(|i| (i.feed, i.reader))
    }

    /// True while a message waits for a sink.
    #[must_use]
    pub const fn is_blocked(&self) -> bool {
        self.pending.len > 0
    }

    /// Runs one slice.
    pub fn slice(&mut self, feeds: &mut impl Feeds, lent: &mut Lent<'_>) -> Slice {
        if self.is_blocked() && !self.retry(lent) {
            return Slice::Blocked;
        }
        let mut fuel = SLICE_FUEL;
        for _ in 0..SLICE_ROWS {
            let (next, until) = self.next_input(feeds, lent.now);
            let Some(input) = next else { return Slice::Idle(until) };
            let spent = self.row(input, feeds, lent);
            if self.is_blocked() {
                return Slice::Blocked;
            }
            fuel = fuel.saturating_sub(spent);
            if fuel == 0 {
                break;
            }
        }
        Slice::More
    }

    /// The input whose next record came first, tables before streams at a tie; or until when none is due.
    fn next_input(&mut self, feeds: &mut impl Feeds, now: Now) -> (Option<usize>, Option<Instant>) {
        let mut until: Option<Instant> = None;
        let mut best: Option<(u64, usize)> = None;
        for (i, input) in self.inputs.iter().enumerate() {
            let ring = feeds.ring(input.feed);
            let Some(record) = ring.peek(input.reader) else { continue };
            if input.due > now.mono {
                until = Some(until.map_or(input.due, |u| u.min(input.due)));
                continue;
            }
            let key = (record.seq, i);
            if best.is_none_or(|b| key < b) {
                best = Some(key);
            }
        }
        (best.map(|(_, i)| i), until)
    }

    /// Reads and runs one row of an input; gives the steps it took.
    fn row(&mut self, index: usize, feeds: &mut impl Feeds, lent: &mut Lent<'_>) -> u32 {
        let (feed, reader) = (self.inputs[index].feed, self.inputs[index].reader);
        let spec = Arc::clone(&self.unit.sources[index]);
        let ring = feeds.ring(feed);
        if let Some(interval) = spec.interval {
            // Only the latest message of a tick is read.
            while ring.waiting(reader) > 1 {
                ring.take(reader);
                let ops = self.unit.ops.sources[index];
                self.unit.ops.at(ops.source).pass(lent.now.wall);
            }
            self.inputs[index].due = lent.now.mono.after(interval);
        }
        let Some(record) = ring.peek(reader) else { return 0 };
        let first = record.row == 0;
        let mut rows = Rows::new(record, &spec);
        let raw = rows.next();
        let at = rows.at();
        let more = {
            let mut ahead = rows;
            ahead.next().is_some()
        };
        let ops = self.unit.ops.sources[index];
        let now = lent.now.wall;
        if first {
            self.unit.ops.at(ops.source).pass(now);
            if let Some(decoder) = ops.decoder {
                self.unit.ops.at(decoder).take(now);
            }
        }
        let mut spent = 1;
        if let Some(raw) = raw {
            let meta = packed::read(record.meta).and_then(|(v, _)| match v {
                Value::Packed(p) => p.object(),
                _ => None,
            });
            let event = Event { time: Timestamp(record.time_ms), meta };
            spent += self.process(index, raw, &spec, event, lent);
        }
        if !more && let Some(decoder) = ops.decoder {
            self.unit.ops.at(decoder).messages_processed_total += 1;
        }
        let ring = feeds.ring(feed);
        if more {
            ring.set_row(reader, at);
            if let Some(gap) = spec.send_interval {
                self.inputs[index].due = lent.now.mono.after(gap);
            }
        } else {
            ring.take(reader);
        }
        spent
    }

    /// One raw row of an input.
    fn process(&mut self, index: usize, raw: Raw<'_>, spec: &StreamSpec, event: Event<'_>, lent: &mut Lent<'_>) -> u32 {
        let Self { unit, inputs, tables, hits, agg_hits, rng, regexes, pending, .. } = self;
        let RuleUnit { plan, facts, shaping, ops, sinks, send_error, .. } = unit;
        let (fuel, delay_ms) = (Cell::new(SLICE_FUEL), Cell::new(0));
        let now = lent.now;
        let scratch = Scratch::new(lent.scratch);
        let source_ops = ops.sources[index];
        let template = TemplateFacts { zone: &facts.zone, rng };
        let mut deliver = Deliver { sinks, pending, scratch: lent.sinks, now, send_error: *send_error, template };
        let ctx = Ctx {
            scratch: &scratch,
            now,
            rule: facts,
            event,
            window: None,
            hits: *hits,
            agg_hits: *agg_hits,
            fuel: &fuel,
            rng,
            regexes,
            delay_ms: &delay_ms,
        };
        #[expect(clippy::cast_possible_truncation, reason = "a plan has at most 255 sources")]
        let source = index as u8;
        let parse_time = |text: &str| time::text::parse(text, spec.time_pattern.as_ref(), &facts.zone, Moment::from_ms(now.wall.0));
        let strict = Strict { parse_time: &parse_time, zone: &facts.zone };

        if let Some(Some(table)) = tables.get_mut(index) {
            match table_row(raw, spec, &strict, &scratch) {
                Ok(row) => {
                    if let Some(decoder) = source_ops.decoder {
                        ops.at(decoder).give(1);
                    }
                    if table.push(row).is_err() {
                        ops.at(ops.project).fail("a table row is larger than the table's memory: raise limits.stateBytes", now.wall);
                    }
                }
                Err(fault) => {
                    ops.at(source_ops.decoder.unwrap_or(source_ops.source)).fail(fault.text, now.wall);
                    deliver.error(fault);
                }
            }
            return SLICE_FUEL - fuel.get();
        }

        let row = Row::new(plan.slots.len(), plan.aliases.len());
        if let Err(fault) = rows::fill(&row, raw, source, spec, plan, &strict, &scratch) {
            let at = if fault.text.starts_with("error in preprocessor") { source_ops.preprocessor } else { None };
            if at.is_some()
                && let Some(decoder) = source_ops.decoder
            {
                ops.at(decoder).give(1);
            }
            ops.at(at.or(source_ops.decoder).unwrap_or(source_ops.source)).fail(fault.text, now.wall);
            deliver.error(fault);
            return SLICE_FUEL - fuel.get();
        }
        if let Some(decoder) = source_ops.decoder {
            ops.at(decoder).give(1);
        }
        if let Some(preprocessor) = source_ops.preprocessor {
            ops.at(preprocessor).pass(now.wall);
        }
        let ev = Evaluator { plan, ctx: &ctx, row: &row };
        let mut out = Select { shaping: *shaping, ops, hits, deliver, now };
        if plan.joins.is_empty() {
            out.alone(&ev, lent.rows);
        } else {
            out.joined(&ev, index, tables, lent.rows);
        }
        if delay_ms.get() > 0 {
            inputs[index].due = now.mono.after(Duration::from_millis(delay_ms.get()));
        }
        SLICE_FUEL - fuel.get()
    }

    /// Offers the pending message again; true when all sinks have it.
    fn retry(&mut self, lent: &mut Lent<'_>) -> bool {
        let Self { unit, pending, rng, .. } = self;
        let bytes = pending.bytes.get(..pending.len).unwrap_or(&[]);
        let mut taken = pending.taken;
        for (i, sink) in unit.sinks.iter_mut().enumerate() {
            if taken >> i & 1 == 1 {
                continue;
            }
            let accepted = if pending.error {
                sink.accept_error(core::str::from_utf8(bytes).unwrap_or(""), lent.sinks, lent.now)
            } else {
                match Packed::from_bytes(bytes) {
                    Some(list) => sink.accept(list, lent.sinks, lent.now, &TemplateFacts { zone: &unit.facts.zone, rng }),
                    None => Accept::Taken,
                }
            };
            if accepted == Accept::Taken {
                taken |= 1 << i;
            }
        }
        pending.taken = taken;
        if taken.count_ones() as usize == unit.sinks.len() {
            pending.len = 0;
            pending.taken = 0;
        }
        pending.len == 0
    }
}

/// Hands messages to the sinks, and keeps what one of them has no room for.
struct Deliver<'r> {
    sinks: &'r mut [SinkUnit],
    pending: &'r mut Pending,
    scratch: &'r mut SinkScratch,
    now: Now,
    send_error: bool,
    template: TemplateFacts<'r>,
}

impl Deliver<'_> {
    fn message(&mut self, list: Packed<'_>) {
        let template = self.template;
        self.offer(list.as_bytes(), false, |sink, scratch, now| sink.accept(list, scratch, now, &template));
    }

    fn error(&mut self, fault: Fault<'_>) {
        if self.send_error {
            self.offer(fault.text.as_bytes(), true, |sink, scratch, now| sink.accept_error(fault.text, scratch, now));
        }
    }

    fn offer(&mut self, bytes: &[u8], error: bool, accept: impl Fn(&mut SinkUnit, &mut SinkScratch, Now) -> Accept) {
        let mut taken = 0_u64;
        let mut all = true;
        for (i, sink) in self.sinks.iter_mut().enumerate() {
            if accept(sink, self.scratch, self.now) == Accept::Taken {
                taken |= 1 << i;
            } else {
                all = false;
            }
        }
        if all {
            return;
        }
        // The place holds one message of the largest size, and no row is read while it is taken.
        if let Some(place) = self.pending.bytes.get_mut(..bytes.len()) {
            place.copy_from_slice(bytes);
            self.pending.len = bytes.len();
            self.pending.error = error;
            self.pending.taken = taken;
        }
    }
}

/// WHERE, SELECT and what follows them, for one event.
struct Select<'r> {
    shaping: Shaping,
    ops: &'r mut Ops,
    hits: &'r mut Hits,
    deliver: Deliver<'r>,
    now: Now,
}

impl Select<'_> {
    /// One row, one message.
    fn alone<'a>(&mut self, ev: &Evaluator<'_, 'a>, rows: &mut [u8]) {
        if let Some(projection) = self.projected(ev) {
            self.emit(ev, &projection, rows);
        }
    }

    /// The row with the rows of tables, one message with all that match.
    fn joined<'a>(&mut self, ev: &Evaluator<'_, 'a>, event: usize, tables: &'a [Option<Table>], rows: &mut [u8]) {
        let now = self.now.wall;
        for op in [self.ops.join_aligner, self.ops.join].into_iter().flatten() {
            self.ops.at(op).take(now);
        }
        let mut saved: heapless::Vec<Option<Value<'a>>, { crate::limits::SLOT_COUNT }> = heapless::Vec::new();
        for i in 0..ev.row.slot_count() {
            let _ = saved.push(ev.row.get(slot_at(i))); // as many as the row has
        }
        let mut out = Encoder::new(rows);
        let mut count = 0;
        let join = Join { ev, event, tables, saved: &saved };
        let result = out.begin_list().and_then(|()| {
            join.from(&mut |ev| {
                if count == 0
                    && let Some(op) = self.ops.join
                {
                    self.ops.at(op).give(1);
                }
                for alias in 0..ev.plan.aliases.len() {
                    ev.row.forget_alias(u16::try_from(alias).unwrap_or(u16::MAX));
                }
                if let Some(projection) = self.projected(ev) {
                    projection.write(ev, self.shaping, None, &mut out)?;
                    count += 1;
                }
                Ok(())
            })
        });
        match result.and_then(|()| out.end()) {
            Ok(()) if count > 0 => {
                let list = Packed::from_bytes(out.written());
                if let Some(list) = list {
                    self.ops.at(self.ops.project).give(1);
                    self.deliver.message(list);
                }
            }
            Ok(()) => {}
            Err(fault) => {
                let at = self.ops.join.unwrap_or(self.ops.project);
                self.ops.at(at).fail(fault.text, now);
                self.deliver.error(fault);
            }
        }
    }

    /// WHERE and the fields of SELECT; `None` when the row is dropped or failed (which was counted then).
    fn projected<'a>(&mut self, ev: &Evaluator<'_, 'a>) -> Option<Projection<'a>> {
        let now = self.now.wall;
        if let Some(filter) = &ev.plan.filter {
            let op = self.ops.filter.unwrap_or(self.ops.project);
            self.ops.at(op).take(now);
            self.ops.at(op).messages_processed_total += 1;
            match ev.holds(filter, "Where") {
                Ok(true) => self.ops.at(op).give(1),
                Ok(false) => return None,
                Err(fault) => {
                    self.fail(op, fault, ev);
                    return None;
                }
            }
        }
        self.hits.count += 1;
        self.hits.time = ev.ctx.event.time.0;
        let project = self.ops.project;
        self.ops.at(project).take(now);
        self.ops.at(project).messages_processed_total += 1;
        match Projection::compute(ev, self.shaping) {
            Ok(projection) => Some(projection),
            Err(fault) => {
                let fault = ev.ctx.scratch.fault(format_args!("run Select error: {}", fault.text));
                self.fail(project, fault, ev);
                None
            }
        }
    }

    fn emit<'a>(&mut self, ev: &Evaluator<'_, 'a>, projection: &Projection<'a>, rows: &mut [u8]) {
        self.ops.at(self.ops.project).give(1);
        if !ev.plan.fields.iter().any(|f| matches!(f, Field::Unnest { .. })) {
            self.write(ev, projection, None, rows);
            return;
        }
        let now = self.now.wall;
        let set = self.ops.project_set.unwrap_or(self.ops.project);
        self.ops.at(set).take(now);
        self.ops.at(set).messages_processed_total += 1;
        let value = projection.unnest(ev).unwrap_or(Value::Null);
        let list = match value {
            Value::Null => None,
            v if v.is_nil_or_empty() => None,
            v => v.elements(ev.ctx.scratch),
        };
        let Some(list) = list else {
            let fault = Fault::new("can't find the result from the unnest function");
            self.fail(set, fault, ev);
            return;
        };
        // Each element of a set-returning function is a message of its own.
        let limit = ev.plan.limit.map_or(usize::MAX, |l| usize::try_from(l).unwrap_or(usize::MAX));
        for element in list.take(limit) {
            match element.and_then(|e| ev.ctx.spend(1).map(|()| e)) {
                Ok(element) => {
                    self.ops.at(set).give(1);
                    self.write(ev, projection, Some(element), rows);
                }
                Err(fault) => {
                    self.fail(set, fault, ev);
                    return;
                }
            }
        }
    }

    fn write<'a>(&mut self, ev: &Evaluator<'_, 'a>, projection: &Projection<'a>, element: Option<Value<'a>>, rows: &mut [u8]) {
        let mut out = Encoder::new(rows);
        let written = out.begin_list().and_then(|()| projection.write(ev, self.shaping, element, &mut out)).and_then(|()| out.end());
        match written {
            Ok(()) => {
                if let Some(list) = Packed::from_bytes(out.written()) {
                    self.deliver.message(list);
                }
            }
            Err(_) => {
                let fault = Fault::new("the row is larger than a payload: raise limits.payloadBytes");
                self.fail(self.ops.project, fault, ev);
            }
        }
    }

    fn fail<'a>(&mut self, op: OpIndex, fault: Fault<'a>, _ev: &Evaluator<'_, 'a>) {
        self.ops.at(op).fail(fault.text, self.now.wall);
        self.deliver.error(fault);
    }
}

/// Nested loops over the event and the rows of tables (facts §7.5).
struct Join<'j, 'c, 'a> {
    ev: &'j Evaluator<'c, 'a>,
    /// Index of the source that the event came from.
    event: usize,
    tables: &'a [Option<Table>],
    /// The event's slots.
    saved: &'j [Option<Value<'a>>],
}

type Found<'f, 'c, 'a> = &'f mut dyn FnMut(&Evaluator<'c, 'a>) -> Result<(), Fault<'a>>;

impl<'c, 'a> Join<'_, 'c, 'a> {
    /// All combinations, from the source in FROM on.
    fn from(&self, found: Found<'_, 'c, 'a>) -> Result<(), Fault<'a>> {
        let mut result = Ok(());
        let mut any = false;
        self.side(0, &mut |join| {
            any = true;
            if result.is_ok() {
                result = join.step(0, found);
            }
        });
        result?;
        if !any
            && let Some(first) = self.ev.plan.joins.first()
            && matches!(first.kind, JoinKind::Right | JoinKind::Full)
        {
            // FROM is an empty table: the event alone is left.
            self.side(1, &mut |join| {
                if result.is_ok() {
                    result = join.step(1, found);
                }
            });
        }
        result
    }

    /// Puts each row of a source into its slots in turn.
    fn side(&self, source: usize, each: &mut dyn FnMut(&Self)) {
        if source == self.event {
            self.restore(source);
            each(self);
        } else if let Some(Some(table)) = self.tables.get(source) {
            for value in table.rows() {
                self.load(source, Some(value));
                each(self);
            }
        }
    }

    /// Joins `sources[k + 1]` to the row built so far.
    fn step(&self, k: usize, found: Found<'_, 'c, 'a>) -> Result<(), Fault<'a>> {
        let Some(join) = self.ev.plan.joins.get(k) else { return found(self.ev) };
        let right = k + 1;
        let mut matched = false;
        let mut result = Ok(());
        self.side(right, &mut |j| {
            if result.is_err() {
                return;
            }
            let hit = j.ev.ctx.spend(1).and_then(|()| match &join.on {
                None => Ok(true),
                Some(on) => j.ev.eval(on).and_then(|v| match v {
                    Value::Bool(b) => Ok(b),
                    other => {
                        let text = crate::value::text::go_text(other, j.ev.ctx.scratch)?;
                        Err(j
                            .ev
                            .ctx
                            .scratch
                            .fault(format_args!("run Join error: invalid join condition that returns non-bool value {text}")))
                    }
                }),
            });
            result = match hit {
                Ok(true) => {
                    matched = true;
                    j.step(k + 1, found)
                }
                Ok(false) if join.kind == JoinKind::Right => {
                    // The right row stays, without what stands on its left.
                    let kept: heapless::Vec<Option<Value<'a>>, { crate::limits::SLOT_COUNT }> =
                        (0..j.ev.row.slot_count()).map(|i| j.ev.row.get(slot_at(i))).collect();
                    for left in 0..right {
                        j.load(left, None);
                    }
                    let result = j.step(k + 1, found);
                    for (i, value) in kept.iter().enumerate() {
                        j.ev.row.set(slot_at(i), *value);
                    }
                    result
                }
                Ok(false) => Ok(()),
                Err(fault) => Err(fault),
            };
        });
        result?;
        if !matched && matches!(join.kind, JoinKind::Left | JoinKind::Full) {
            self.load(right, None);
            self.step(k + 1, found)?;
        }
        if join.kind == JoinKind::Full {
            self.unmatched(k, found)?;
        }
        Ok(())
    }

    /// FULL: right rows that match nothing, after the others.
    fn unmatched(&self, k: usize, found: Found<'_, 'c, 'a>) -> Result<(), Fault<'a>> {
        let Some(join) = self.ev.plan.joins.get(k) else { return Ok(()) };
        let mut result = Ok(());
        self.side(k + 1, &mut |j| {
            let miss = join.on.as_ref().is_some_and(|on| !matches!(j.ev.eval(on), Ok(Value::Bool(true))));
            if miss && result.is_ok() {
                let kept: heapless::Vec<Option<Value<'a>>, { crate::limits::SLOT_COUNT }> =
                    (0..j.ev.row.slot_count()).map(|i| j.ev.row.get(slot_at(i))).collect();
                for left in 0..=k {
                    j.load(left, None);
                }
                result = j.step(k + 1, found);
                for (i, value) in kept.iter().enumerate() {
                    j.ev.row.set(slot_at(i), *value);
                }
            }
        });
        result
    }

    fn restore(&self, source: usize) {
        for (i, slot) in self.ev.plan.slots.iter().enumerate() {
            if belongs(slot, source) {
                self.ev.row.set(slot_at(i), self.saved.get(i).copied().flatten());
            }
        }
    }

    fn load(&self, source: usize, value: Option<Value<'a>>) {
        match value {
            #[expect(clippy::cast_possible_truncation, reason = "a plan has at most 255 sources")]
            Some(value) => rows::from_object(self.ev.row, value, source as u8, self.ev.plan),
            None => {
                for (i, slot) in self.ev.plan.slots.iter().enumerate() {
                    if belongs(slot, source) {
                        self.ev.row.set(slot_at(i), None);
                    }
                }
            }
        }
    }
}

fn belongs(slot: &SlotKind, source: usize) -> bool {
    matches!(slot, SlotKind::Column { source: s, .. } | SlotKind::Row { source: s } if usize::from(*s) == source)
}

/// A whole row of a table's own source, packed.
fn table_row<'a>(raw: Raw<'a>, spec: &'a StreamSpec, strict: &Strict<'_>, scratch: &Scratch<'a>) -> Result<Packed<'a>, Fault<'a>> {
    let row = rows::whole_row(raw, spec, scratch)?;
    let mut packed = row.object(scratch)?.ok_or(Fault::new("a table row is no object"))?;
    if spec.strict
        && let Some(columns) = &spec.columns
    {
        let mut checked: heapless::Vec<Value<'a>, { crate::limits::SLOT_COUNT }> = heapless::Vec::new();
        for column in columns {
            let value = strict.column(column, packed.get(&column.name), scratch)?;
            checked.push(value).map_err(|_| Fault::new("a table has more columns than SLOT_COUNT"))?;
        }
        let mut writer = scratch.pack();
        writer.begin_object()?;
        for (column, value) in columns.iter().zip(&checked) {
            writer.entry(&column.name, *value)?;
        }
        writer.end()?;
        packed = writer.finish()?.object().ok_or(Fault::FULL)?;
    }
    match packed.value() {
        Value::Packed(p) => Ok(p),
        _ => Err(Fault::FULL),
    }
}
