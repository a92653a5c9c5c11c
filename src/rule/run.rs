//! One run of a rule: rows from its readers, through analytic functions, joins with tables, WHERE and SELECT, to its sinks.
//!
//! In: records of the rings it reads, and time. Out: messages (packed lists of rows) handed to its sinks. A slice ends after
//! [`SLICE_ROWS`] rows or [`SLICE_FUEL`] evaluation steps. A message that a sink cannot take waits packed in the rule's one pending
//! place and the rule stops there: evaluation never repeats. Nothing is allocated per row.

use core::cell::{Cell, RefCell};
use core::time::Duration;
use std::sync::Arc;

use super::direct::Shortcut;
use super::held::Held;
use super::limit::{Limiter, Turn};
use super::memory::{shares, slots_of};
use super::ops::Ops;
use super::project::Shaping;
use super::rows::{self, Part, Picks, Raw, Rows, Unread};
use super::single;
use super::stage::{Deliver, Pending, Select, Stage};
use super::unfold::{Coming, Unfold, unfolded};
use super::windowed::{Around, Counters, WindowOptions, Windowed, analytics, event_time};
use crate::decode::strict::Strict;
use crate::eval::analytic::Memory;
use crate::eval::expr::Evaluator;
use crate::eval::row::Row;
use crate::eval::{Event, Hits, RegexCache, RuleFacts};
use crate::pages::Pages;
use crate::ring::{ReaderId, Ring};
use crate::sink::{Accept, SinkScratch, SinkUnit, TemplateFacts};
use crate::source::StreamSpec;
use crate::sql::plan::{Plan, Slot};
use crate::table::{Lookup, Table};
use crate::time::{self, Instant, Now, Timestamp};
use crate::value::{Fault, Moment, Object, Packed, Scratch, Value, packed};

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
    /// Bytes a scan table may take, and what `mergeField` gathers.
    pub table_bytes: usize,
    /// `limits.payloadBytes`.
    pub payload_bytes: usize,
    /// Bytes of its state region.
    pub state_bytes: usize,
    /// Groups of its window.
    pub group_count: usize,
    /// Options of its window.
    pub window: WindowOptions,
    /// Slots of the TIMESTAMP columns, per source; with event time.
    pub time_slots: Vec<Option<Slot>>,
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
    fn ring(&mut self, feed: FeedId) -> &mut Ring<Pages>;
    /// The lookup table of a feed.
    fn lookup(&self, feed: FeedId) -> Option<&Lookup>;
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
pub(super) struct Input {
    pub feed: FeedId,
    pub reader: ReaderId,
    /// Not before: `sendInterval`, `delay()`.
    pub due: Instant,
}

/// A running rule.
#[derive(Debug)]
pub struct Rule {
    /// What it is.
    pub unit: RuleUnit,
    pub(super) inputs: Vec<Input>,
    /// Of sources with `interval`.
    pub(super) limiters: Vec<Option<Limiter>>,
    /// Of sources whose messages are no rows themselves.
    unfolds: Vec<Option<Unfold>>,
    tables: Vec<Option<Table>>,
    pub(super) hits: Hits,
    pub(super) agg_hits: Hits,
    pub(super) rng: Cell<u64>,
    pub(super) regexes: RefCell<RegexCache>,
    pub(super) pending: Pending,
    pub(super) windowed: Windowed,
    pub(super) analytic: Memory<Pages>,
    pub(super) picks: Picks,
    /// Its rows take the short way of [`super::direct`].
    pub(super) direct: bool,
    pub(super) shortcut: Option<Shortcut>,
    /// The row that was read last must be offered again: its window is emitted first.
    again: bool,
}

impl Rule {
    /// A rule over the readers it was given, one per source of its plan.
    #[must_use]
    pub fn new(unit: RuleUnit, readers: &[(FeedId, ReaderId)], seed: u64) -> Self {
        let inputs = readers.iter().map(|&(feed, reader)| Input { feed, reader, due: Instant::default() }).collect();
        let scanned = |s: &Arc<StreamSpec>| (s.table && s.lookup.is_none()).then(|| Table::new(s.retain, unit.table_bytes));
        let tables = unit.sources.iter().map(scanned).collect();
        let limiter =
            |s: &Arc<StreamSpec>| s.interval.map(|every| Limiter::new(every, s.merge_field.is_some().then_some(unit.table_bytes)));
        let limiters = unit.sources.iter().map(limiter).collect();
        let unfold = |(i, s): (usize, &Arc<StreamSpec>)| Unfold::new(s, &unit.plan, i, unit.payload_bytes);
        let unfolds = unit.sources.iter().enumerate().map(unfold).collect();
        let pending = Pending { bytes: Pages::new(unit.pending_bytes), ..Pending::default() };
        let shares = shares(&unit.plan, unit.event_time, unit.window, unit.state_bytes);
        let mut windowed =
            Windowed::new(&unit.plan, &unit.facts.zone, unit.event_time, unit.late_ms, unit.window, shares, unit.group_count);
        windowed.set_time_slots(unit.time_slots.clone());
        let analytic = Memory::new(Pages::new(shares.analytic));
        let direct = super::direct::fits(&unit, &windowed);
        let shortcut = if direct { Shortcut::of(&unit) } else { None };
        let first = unit.plan.filter.as_ref().filter(|_| shortcut.is_some()).map(|filter| slots_of(filter, &unit.plan)).unwrap_or_default();
        Self {
            windowed,
            analytic,
            picks: Picks::new(&unit.plan, &first),
            direct,
            shortcut,
            again: false,
            unit,
            inputs,
            limiters,
            unfolds,
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
        self.unit.facts.start = now.wall;
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
        self.limiters.iter_mut().flatten().for_each(|limiter| limiter.start(now.mono));
        self.windowed.start(now);
    }

    /// Since when the shared stream `name`, which it reads, has been connected.
    #[must_use]
    pub fn shared_since(&self, name: &str) -> Option<Timestamp> {
        let at = self.unit.sources.iter().position(|spec| spec.shared && spec.name == name)?;
        let op = self.unit.ops.sources.get(at)?.source;
        self.unit.ops.list.get(op)?.conn.as_ref().map(|conn| conn.last_connected)
    }

    /// Its source `at` joins a shared stream that others have read `since` then.
    pub fn join_shared(&mut self, at: usize, since: Timestamp) {
        let op = self.unit.ops.sources.get(at).map(|ops| ops.source);
        if let Some(conn) = op.and_then(|op| self.unit.ops.list.get_mut(op)).and_then(|op| op.conn.as_mut()) {
            conn.last_connected = since;
        }
    }

    /// What happened for lack of memory.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let mut counters = self.windowed.counters;
        counters.evicted_partition_total += self.analytic.evicted_total;
        counters.no_payload_total += self.unfolds.iter().flatten().map(|u| u.skipped_total).sum::<u64>();
        counters
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
        self.unit.sinks.iter().filter_map(SinkUnit::tick_until).min()
    }

    /// The scan tables, each with the name of its source.
    pub fn tables(&self) -> impl Iterator<Item = (&str, &Table)> {
        let named = self.unit.sources.iter().zip(&self.tables);
        named.filter_map(|(spec, table)| Some((spec.name.as_str(), table.as_ref()?)))
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

    /// True while there are rows, groups or an emission that time alone may yet let go.
    #[must_use]
    pub fn is_holding(&self) -> bool {
        self.windowed.is_holding()
    }

    /// Rows, or groups of rows, that an open window holds.
    #[must_use]
    pub fn open_rows(&self) -> usize {
        self.windowed.open_rows()
    }

    /// No more events will come: event time goes on with the clock from now on.
    pub const fn run_out(&mut self) {
        self.windowed.run_out();
    }

    /// Runs one slice.
    pub fn slice(&mut self, feeds: &mut impl Feeds, lent: &mut Lent<'_>) -> Slice {
        if self.is_blocked() && !self.retry(lent) {
            return Slice::Blocked;
        }
        self.windowed.clock(lent.now, lent.rows.len());
        if self.direct {
            return self.direct(feeds, lent);
        }
        let mut fuel = SLICE_FUEL;
        for _ in 0..SLICE_ROWS {
            let (next, mut until) = match self.next_input(feeds, lent.now) {
                (Some((input, Turn::Gather)), _) => {
                    self.gather(input, feeds, lent);
                    continue;
                }
                found => found,
            };
            // What the clock closes comes before rows that arrived later, and after those that arrived before.
            let later = match (next, self.windowed.closes_at(lent.now)) {
                (None, _) => true,
                (Some((input, _)), Some(end)) => {
                    let input = &self.inputs[input];
                    feeds.ring(input.feed).peek(input.reader).is_none_or(|record| record.time_ms >= end)
                }
                (Some(_), None) => self.windowed.is_event_time(),
            };
            if (later || self.windowed.is_open()) && self.pump(&*feeds, lent, &mut fuel) {
                if self.is_blocked() {
                    return Slice::Blocked;
                }
                if fuel == 0 {
                    break;
                }
                continue;
            }
            let Some((input, turn)) = next else {
                for due in [self.windowed.until(lent.now), self.until()].into_iter().flatten() {
                    until = Some(until.map_or(due, |u| u.min(due)));
                }
                return Slice::Idle(until);
            };
            let spent = if turn == Turn::Merged { self.merged(input, lent) } else { self.row(input, feeds, lent) };
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

    /// Lets the window do the next thing that is due; false if there is nothing.
    fn pump(&mut self, feeds: &dyn Feeds, lent: &mut Lent<'_>, fuel: &mut u32) -> bool {
        let Self { unit, inputs, tables, hits, agg_hits, rng, regexes, pending, windowed, analytic, .. } = self;
        let RuleUnit { plan, facts, shaping, ops, sinks, send_error, sources, .. } = unit;
        let now = lent.now;
        let template = TemplateFacts { zone: &facts.zone, rng };
        let mut split_total = 0;
        let deliver =
            Deliver { sinks, pending, scratch: lent.sinks, now, send_error: *send_error, template, split_total: &mut split_total };
        let mut select = Select { shaping: *shaping, ops, hits, agg_hits, analytic, deliver, now };
        let delay_ms = Cell::new(0);
        let stage = Stage { plan, facts, now, rng, regexes, delay_ms: &delay_ms };
        let held = Held { scanned: tables, inputs, sources, feeds };
        let mut around = Around { stage, held, scratch: lent.scratch, out: lent.rows };
        let worked = windowed.pump(&mut around, &mut select);
        windowed.counters.split_total += split_total;
        // A piece of a join is a slice of its own: readings wait no longer than one takes.
        *fuel = if windowed.is_joining() { 0 } else { fuel.saturating_sub(SLICE_FUEL / 16) };
        if delay_ms.get() > 0 {
            for input in inputs {
                input.due = now.mono.after(Duration::from_millis(delay_ms.get()));
            }
        }
        worked
    }

    /// The input whose turn it is, and what it has: the one whose next record came first, tables before streams at a tie; or until
    /// when there is none.
    fn next_input(&mut self, feeds: &mut impl Feeds, now: Now) -> (Option<(usize, Turn)>, Option<Instant>) {
        let mut until: Option<Instant> = None;
        let mut best: Option<(u64, usize, Turn)> = None;
        for i in 0..self.inputs.len() {
            let turn = self.turn(i, feeds, now);
            let seq = match turn {
                Turn::Nothing => continue,
                Turn::Wait(due) => {
                    until = Some(until.map_or(due, |u| u.min(due)));
                    continue;
                }
                Turn::Merged => 0,
                Turn::Row | Turn::Gather => feeds.ring(self.inputs[i].feed).peek(self.inputs[i].reader).map_or(0, |record| record.seq),
            };
            if best.is_none_or(|(s, at, _)| (seq, i) < (s, at)) {
                best = Some((seq, i, turn));
            }
        }
        (best.map(|(_, i, turn)| (i, turn)), until)
    }

    /// Runs the one row that the messages of an interval make; gives the steps it took.
    fn merged(&mut self, index: usize, lent: &mut Lent<'_>) -> u32 {
        let Some(mut frames) = self.limiters[index].as_mut().and_then(|limiter| limiter.frames.take()) else { return 1 };
        let spec = Arc::clone(&self.unit.sources[index]);
        let again = core::mem::take(&mut self.again);
        let ops = self.unit.ops.sources[index];
        if !again && let Some(limiter) = ops.rate_limit {
            self.unit.ops.at(limiter).give(1);
        }
        let event = Event { time: lent.now.wall, meta: facts_of(frames.meta()) };
        let (spent, more) = self.process(index, Coming::Frames(&frames), &spec, event, lent, again);
        self.again = more;
        if !more {
            frames.clear();
        }
        if let Some(limiter) = self.limiters[index].as_mut() {
            limiter.frames = Some(frames);
            if !more {
                limiter.open = false;
                limiter.pass();
                if let Some(gap) = spec.send_interval {
                    self.inputs[index].due = lent.now.mono.after(gap);
                }
            }
        }
        spent + 1
    }

    /// Reads and runs one row of an input; gives the steps it took.
    fn row(&mut self, index: usize, feeds: &mut impl Feeds, lent: &mut Lent<'_>) -> u32 {
        let (feed, reader) = (self.inputs[index].feed, self.inputs[index].reader);
        let spec = Arc::clone(&self.unit.sources[index]);
        let ring = feeds.ring(feed);
        if let Some(limiter) = self.limiters[index].as_mut().filter(|limiter| !limiter.open) {
            limiter.open = true;
            limiter.pass();
        }
        let Some(record) = ring.peek(reader) else { return 0 };
        let within = self.unfolds[index].as_ref().is_some_and(Unfold::is_open);
        let first = record.row == 0 && !within;
        let mut rows = Rows::new(record, &spec);
        let raw = rows.next();
        let at = rows.at();
        let more = {
            let mut ahead = rows;
            ahead.next().is_some()
        };
        let ops = self.unit.ops.sources[index];
        let now = lent.now.wall;
        if first && !self.again {
            self.unit.ops.at(ops.source).pass(now);
            if let Some(limiter) = ops.rate_limit {
                self.unit.ops.at(limiter).pass(now);
            }
            if let Some(decompress) = ops.decompress {
                self.unit.ops.at(decompress).pass(now);
            }
            if let Some(decoder) = ops.decoder {
                self.unit.ops.at(decoder).take(now);
            }
        }
        let mut spent = 1;
        if let Some(raw) = raw {
            let event = Event { time: Timestamp(record.time_ms), meta: facts_of(record.meta) };
            let again = core::mem::take(&mut self.again);
            let (steps, more) = self.process(index, Coming::Row(raw), &spec, event, lent, again);
            spent += steps;
            if more {
                self.again = true;
                return spent;
            }
            if self.unfolds[index].as_mut().is_some_and(Unfold::advance) {
                self.pause(index, &spec, lent.now);
                return spent;
            }
        }
        if raw.is_some() {
            self.pause(index, &spec, lent.now);
        }
        if !more && let Some(decoder) = ops.decoder {
            self.unit.ops.at(decoder).messages_processed_total += 1;
        }
        let ring = feeds.ring(feed);
        if more {
            ring.set_row(reader, at);
        } else {
            ring.take(reader);
            if let Some(limiter) = self.limiters[index].as_mut() {
                limiter.open = false;
            }
        }
        spent
    }

    /// `sendInterval` goes from row to row, whatever message they are of.
    fn pause(&mut self, index: usize, spec: &StreamSpec, now: Now) {
        if let Some(gap) = spec.send_interval {
            let due = &mut self.inputs[index].due;
            *due = (*due).max(now.mono.after(gap));
        }
    }

    /// One row of an input: the steps it took, and whether it must be offered again.
    fn process(
        &mut self,
        index: usize,
        coming: Coming<'_>,
        spec: &StreamSpec,
        event: Event<'_>,
        lent: &mut Lent<'_>,
        again: bool,
    ) -> (u32, bool) {
        let Self { unit, inputs, unfolds, tables, hits, agg_hits, rng, regexes, pending, windowed, analytic, picks, .. } = self;
        let RuleUnit { plan, facts, shaping, ops, sinks, send_error, .. } = unit;
        let (fuel, delay_ms) = (Cell::new(SLICE_FUEL), Cell::new(0));
        let now = lent.now;
        let scratch = Scratch::new(lent.scratch);
        let source_ops = ops.sources[index];
        let template = TemplateFacts { zone: &facts.zone, rng };
        let mut split_total = 0;
        let deliver =
            Deliver { sinks, pending, scratch: lent.sinks, now, send_error: *send_error, template, split_total: &mut split_total };
        let mut select = Select { shaping: *shaping, ops, hits, agg_hits, analytic, deliver, now };
        let stage = Stage { plan, facts, now, rng, regexes, delay_ms: &delay_ms };
        let mut event = event;
        #[expect(clippy::cast_possible_truncation, reason = "a plan has at most 255 sources")]
        let source = index as u8;
        let parse_time = |text: &str| time::text::parse(text, spec.time_pattern.as_ref(), &facts.zone, Moment::from_ms(now.wall.0));
        let strict = Strict { parse_time: &parse_time, zone: &facts.zone };

        let raw = match unfolds[index].as_mut() {
            None => match coming {
                Coming::Row(raw) => raw,
                Coming::Frames(_) => return (1, false),
            },
            Some(unfold) => match unfolded(coming, unfold, spec, &scratch, &mut select, &source_ops, again) {
                Some(value) => Raw::Packed(value),
                None => return (1, false),
            },
        };
        if let Some(Some(table)) = tables.get_mut(index) {
            match table_row(raw, spec, &strict, &scratch) {
                Ok(row) => {
                    select.decoded(&source_ops);
                    if table.push(row).is_err() {
                        let fault = "a table row is larger than the table's memory: raise limits.stateBytes";
                        select.ops.at(select.ops.project).fail(fault, now.wall);
                    } else if let Some(aligner) = select.ops.join_aligner {
                        let aligner = select.ops.at(aligner);
                        aligner.take(now.wall);
                        aligner.messages_processed_total += 1;
                    }
                }
                Err(unread) => select.unread(&source_ops, unread),
            }
            return (SLICE_FUEL - fuel.get(), false);
        }

        let row = Row::new(plan.slots.len(), plan.aliases.len());
        let filled = picks.fill(Part::All, &row, raw, source, spec, plan, &strict, &scratch).and_then(|()| {
            if windowed.is_event_time() {
                let value = windowed.time_slot(index).and_then(|slot| row.get(slot));
                let name = spec.timestamp.as_deref().unwrap_or("");
                event.time = event_time(value, name, &parse_time, &scratch).map_err(Unread::Check)?;
            }
            Ok(())
        });
        if let Err(unread) = filled {
            select.unread(&source_ops, unread);
            return (SLICE_FUEL - fuel.get(), false);
        }
        if !again {
            select.decoded(&source_ops);
            if let Some(preprocessor) = source_ops.preprocessor {
                select.ops.at(preprocessor).pass(now.wall);
            }
        }
        let ctx = stage.ctx(&scratch, &fuel, event, None, select.counts());
        let ev = Evaluator { plan, ctx: &ctx, row: &row };
        let mut more = false;
        if windowed.is_event_time() {
            more = windowed.wait(&ev, source, event.time.0, &mut select);
        } else if windowed.is_used() {
            more = windowed.take(&ev, source, &mut select, again);
        } else if !plan.joins.is_empty() {
            windowed.take_joined(&ev, source, &mut select);
        } else if analytics(&ev, &mut select) {
            if single::is_plain(plan) {
                select.alone(&ev, lent.rows);
            } else {
                single::run(&ev, windowed.kinds(), &mut select, lent.rows);
            }
        }
        if delay_ms.get() > 0 {
            inputs[index].due = now.mono.after(Duration::from_millis(delay_ms.get()));
        }
        (SLICE_FUEL - fuel.get(), more)
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

/// The arrival facts of a message.
fn facts_of(meta: &[u8]) -> Option<Object<'_>> {
    match packed::read(meta) {
        Some((Value::Packed(p), _)) => p.object(),
        _ => None,
    }
}

/// A whole row of a table's own source, packed.
fn table_row<'a>(raw: Raw<'a>, spec: &'a StreamSpec, strict: &Strict<'_>, scratch: &Scratch<'a>) -> Result<Packed<'a>, Unread<'a>> {
    let row = rows::whole_row(raw, spec, scratch)?;
    let mut packed = row.object(scratch)?.ok_or(Fault::new("a table row is no object"))?;
    if spec.strict
        && let Some(columns) = &spec.columns
    {
        packed = rows::strict_row(packed, columns, strict, scratch).map_err(Unread::Check)?;
    }
    match packed.value() {
        Value::Packed(p) => Ok(p),
        _ => Err(Fault::FULL.into()),
    }
}
