//! What evaluating any row of a rule needs, and what every selected row goes through at the end.

use core::cell::{Cell, RefCell};

use super::line::Line;
use super::ops::{OpIndex, Ops, SourceOps};
use super::project::{Projection, Shaping};
use super::rows::Unread;
use crate::eval::analytic::Memory;
use crate::eval::expr::Evaluator;
use crate::eval::{Bounds, Ctx, Event, Hits, RegexCache, RuleFacts};
use crate::pages::Pages;
use crate::sink::{Accept, SinkScratch, SinkUnit, TemplateFacts};
use crate::sql::plan::{Field, Plan};
use crate::time::Now;
use crate::value::packed::Encoder;
use crate::value::{Fault, Packed, Scratch, Value};

/// What stays the same for all rows of a slice.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stage<'s> {
    pub plan: &'s Plan,
    pub facts: &'s RuleFacts,
    pub now: Now,
    pub rng: &'s Cell<u64>,
    pub regexes: &'s RefCell<RegexCache>,
    /// Milliseconds that `delay()` asks for.
    pub delay_ms: &'s Cell<u64>,
}

impl<'s> Stage<'s> {
    /// The context of one row.
    pub(super) const fn ctx<'c, 'a>(
        &self,
        scratch: &'c Scratch<'a>,
        fuel: &'c Cell<u32>,
        event: Event<'a>,
        window: Option<Bounds>,
        (hits, agg_hits): (Hits, Hits),
    ) -> Ctx<'c, 'a>
    where
        's: 'a,
        's: 'c,
    {
        Ctx {
            scratch,
            now: self.now,
            rule: self.facts,
            event,
            window,
            hits,
            agg_hits,
            fuel,
            rng: self.rng,
            regexes: self.regexes,
            delay_ms: self.delay_ms,
        }
    }
}

/// The one message that a sink had no room for.
#[derive(Debug, Default)]
pub(super) struct Pending {
    pub bytes: Pages,
    pub len: usize,
    /// True if the bytes are an error's text, not rows.
    pub error: bool,
    /// Sinks that have taken it already, a bit each.
    pub taken: u64,
}

/// Hands messages to the sinks, and keeps what one of them has no room for.
pub(super) struct Deliver<'r> {
    pub sinks: &'r mut [SinkUnit],
    pub pending: &'r mut Pending,
    pub scratch: &'r mut SinkScratch,
    pub now: Now,
    pub send_error: bool,
    pub template: TemplateFacts<'r>,
    /// Messages that had to be split.
    pub split_total: &'r mut u64,
}

impl Deliver<'_> {
    pub(super) fn message(&mut self, list: Packed<'_>) {
        let template = self.template;
        self.offer(list.as_bytes(), false, |sink, scratch, now| sink.accept(list, scratch, now, &template));
    }

    /// One row that `write` makes text of, `[{…}]`. False: it did not, or a sink has no room for it now; nothing happened then.
    pub(super) fn line(&mut self, write: impl FnOnce(&mut [u8]) -> Option<usize>) -> bool {
        let Some(len) = write(self.scratch.line()) else { return false };
        let Some(line) = self.scratch.line().get(..len) else { return false };
        if !self.sinks.iter().all(|sink| sink.has_room(line)) {
            return false;
        }
        for sink in self.sinks.iter_mut() {
            sink.accept_line(line, self.now);
        }
        true
    }

    pub(super) fn error(&mut self, fault: Fault<'_>) {
        if self.send_error {
            self.offer(fault.text.as_bytes(), true, |sink, scratch, now| sink.accept_error(fault.text, scratch, now));
        }
    }

    /// The message before was not the whole of its window.
    pub(super) const fn split(&mut self) {
        *self.split_total += 1;
    }

    /// True while a message waits for a sink.
    pub(super) const fn is_blocked(&self) -> bool {
        self.pending.len > 0
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

/// WHERE, SELECT and what follows them.
pub(super) struct Select<'r> {
    pub shaping: Shaping,
    pub ops: &'r mut Ops,
    pub hits: &'r mut Hits,
    pub agg_hits: &'r mut Hits,
    pub analytic: &'r mut Memory<Pages>,
    pub deliver: Deliver<'r>,
    pub now: Now,
}

impl Select<'_> {
    /// Both counts of hits, as a row sees them.
    pub(super) const fn counts(&self) -> (Hits, Hits) {
        (*self.hits, *self.agg_hits)
    }

    /// One row without a window: one message.
    pub(super) fn alone<'a>(&mut self, ev: &Evaluator<'_, 'a>, rows: &mut [u8]) {
        if !self.filtered(ev) {
            return;
        }
        self.selected(ev, rows);
    }

    /// A row that met WHERE: SELECT and what follows.
    pub(super) fn selected<'a>(&mut self, ev: &Evaluator<'_, 'a>, rows: &mut [u8]) {
        if let Some(projection) = self.projected(ev) {
            self.emit(ev, &projection, rows);
        }
    }

    /// WHERE over one row; false when the row is dropped or failed (which was counted then).
    pub(super) fn filtered<'a>(&mut self, ev: &Evaluator<'_, 'a>) -> bool {
        let Some(filter) = &ev.plan.filter else { return true };
        let op = self.ops.filter.or(self.ops.window_filter).unwrap_or(self.ops.project);
        self.ops.at(op).take(self.now.wall);
        self.ops.at(op).messages_processed_total += 1;
        match ev.holds(filter, "Where") {
            Ok(true) => {
                self.ops.at(op).give(1);
                self.hit(ev.ctx.event.time.0);
                true
            }
            Ok(false) => false,
            Err(fault) => {
                let fault = prefixed("run Where error", fault, ev.ctx.scratch);
                self.fail(op, fault);
                false
            }
        }
    }

    /// A row is known not to meet WHERE.
    pub(super) fn turned_away(&mut self) {
        let op = self.ops.filter.or(self.ops.window_filter).unwrap_or(self.ops.project);
        self.ops.at(op).take(self.now.wall);
        self.ops.at(op).messages_processed_total += 1;
    }

    /// The rule's condition held once more.
    pub(super) const fn hit(&mut self, time_ms: i64) {
        self.hits.count += 1;
        self.hits.time = time_ms;
    }

    /// SELECT of a row that met WHERE, from text to text. False: it has to be evaluated, and nothing happened.
    pub(super) fn line(&mut self, line: &mut Line, object: &[u8], index: &[u8], work: &mut [u8]) -> bool {
        self.deliver.line(|out| line.write(object, index, work, out))
    }

    /// A row went by [`Select::line`]: it counts as others do.
    pub(super) fn went(&mut self, has_filter: bool, time_ms: i64) {
        if has_filter {
            let op = self.ops.filter.or(self.ops.window_filter).unwrap_or(self.ops.project);
            self.ops.at(op).pass(self.now.wall);
        }
        self.hit(time_ms);
        self.agg_hit(time_ms);
        self.ops.at(self.ops.project).pass(self.now.wall);
    }

    const fn agg_hit(&mut self, time_ms: i64) {
        self.agg_hits.count += 1;
        self.agg_hits.time = time_ms;
    }

    /// The fields of SELECT; `None` when one failed.
    fn projected<'a>(&mut self, ev: &Evaluator<'_, 'a>) -> Option<Projection<'a>> {
        let project = self.ops.project;
        self.ops.at(project).take(self.now.wall);
        self.ops.at(project).messages_processed_total += 1;
        if ev.plan.filter.is_none() {
            self.hit(ev.ctx.event.time.0);
        }
        match self.compute(ev) {
            Ok(projection) => {
                self.agg_hit(ev.ctx.event.time.0);
                Some(projection)
            }
            Err(fault) => {
                let fault = prefixed("run Select error", fault, ev.ctx.scratch);
                self.fail(project, fault);
                None
            }
        }
    }

    /// The functions that run with SELECT, and its fields.
    ///
    /// # Errors
    /// What an expression gives.
    pub(super) fn compute<'a>(&mut self, ev: &Evaluator<'_, 'a>) -> Result<Projection<'a>, Fault<'a>> {
        self.analytic.run(true, ev)?;
        Projection::compute(ev, self.shaping)
    }

    fn emit<'a>(&mut self, ev: &Evaluator<'_, 'a>, projection: &Projection<'a>, rows: &mut [u8]) {
        self.ops.at(self.ops.project).give(1);
        if !ev.plan.fields.iter().any(|f| matches!(f, Field::Unnest { .. })) {
            if ev.plan.limit != Some(0) {
                self.write(ev, projection, None, rows);
            }
            return;
        }
        let set = self.ops.project_set.unwrap_or(self.ops.project);
        self.ops.at(set).take(self.now.wall);
        self.ops.at(set).messages_processed_total += 1;
        let list = match projection.unnest(ev) {
            Ok(list) => list,
            Err(fault) => return self.fail(set, fault),
        };
        // Each element of a set-returning function is a message of its own.
        let limit = ev.plan.limit.map_or(usize::MAX, |l| usize::try_from(l).unwrap_or(usize::MAX));
        for element in list.take(limit) {
            match element.and_then(|e| ev.ctx.spend(1).map(|()| e)) {
                Ok(element) => {
                    self.ops.at(set).give(1);
                    self.write(ev, projection, Some(element), rows);
                }
                Err(fault) => return self.fail(set, fault),
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
            Err(_) => self.fail(self.ops.project, ROW_TOO_LARGE),
        }
    }

    /// A row has come out of the last decoder.
    pub(super) fn decoded(&mut self, ops: &SourceOps) {
        if let Some(decoder) = ops.payload.or(ops.decoder) {
            self.ops.at(decoder).give(1);
        }
    }

    /// Counts and sends an error of a row that could not be read: the decoder's, or the preprocessor's, which checks it behind.
    pub(super) fn unread(&mut self, ops: &SourceOps, unread: Unread<'_>) {
        let checked = ops.preprocessor.filter(|_| matches!(unread, Unread::Check(_)));
        if checked.is_some() {
            self.decoded(ops);
        }
        self.fail(checked.or(ops.payload).or(ops.decoder).unwrap_or(ops.source), unread.fault());
    }

    /// Counts and sends an error.
    pub(super) fn fail(&mut self, op: OpIndex, fault: Fault<'_>) {
        self.ops.at(op).fail(fault.text, self.now.wall);
        self.deliver.error(fault);
    }
}

/// A row that no payload holds.
pub(super) const ROW_TOO_LARGE: Fault<'static> = Fault::new("the row is larger than a payload: raise limits.payloadBytes");

/// A fault with the stage it happened in, unless it says so itself or the scratch is full.
pub(super) fn prefixed<'a>(stage: &str, fault: Fault<'a>, scratch: &Scratch<'a>) -> Fault<'a> {
    if fault == Fault::FULL || fault.text.starts_with(stage) {
        return fault;
    }
    scratch.fault(format_args!("{stage}: {}", fault.text))
}
