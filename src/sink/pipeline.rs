//! From one message to payloads in the outbox: batch, transform, encode, compress.
//!
//! * A message whose payload finds no room is offered again; `place` remembers how many of its rows have left.
//! * A JSON array, or a list for a memory topic, that is larger than `PAYLOAD_BYTES` leaves as several; one row that is larger is
//!   an exception.
//! * Templated properties are written before the payload into the record's head; a batch keeps those of its last row.

use core::time::Duration;

use heapless::String as Fixed;

use super::common::Common;
use super::multipart::Multipart;
use super::outbox::{Outbox, Texts};
use super::rows::RowRules;
use super::shape::{Shape, Shaped};
use super::squeeze::Squeeze;
use super::words::{Dynamic, with_env};
use super::{Accept, SinkEnv, SinkScratch, TemplateFacts};
use crate::encode::{Encoding, Format};
use crate::json::write::Out;
use crate::limits::HEAD_BYTES;
use crate::pages::Pages;
use crate::stats::{OpStats, fit};
use crate::time::{Instant, Now};
use crate::value::packed::Encoder;
use crate::value::{Fault, Packed, Scratch, Value, text};

/// Bytes kept of an error's sentence.
const SENTENCE_BYTES: usize = 512;

/// An error's sentence, out of the scratch it was made in.
type Sentence = Fixed<SENTENCE_BYTES>;

/// What the sink does with shaped rows.
#[derive(Debug)]
pub(super) enum Form {
    /// Bytes of a format.
    Bytes,
    /// Rows as they are.
    Rows(RowRules),
    /// The content of an HTTP form, around the encoded bytes.
    Multipart(Multipart),
}

/// Where the next row begins and how long the payload is, or the step that failed and why.
type Filled = Result<(usize, usize), (usize, Sentence)>;

/// Place of a step in [`Pipeline::ops`].
#[derive(Debug, Clone, Copy)]
struct Steps {
    batch: Option<usize>,
    transform: usize,
    /// Encoder, or the batch's writer.
    write: Option<usize>,
    compress: Option<usize>,
    cache: Option<usize>,
}

/// See the module text.
#[derive(Debug)]
pub(super) struct Pipeline {
    send_single: bool,
    omit_if_empty: bool,
    send_error: bool,
    shape: Shape,
    form: Form,
    encoding: Encoding,
    dynamics: Vec<Dynamic>,
    batch: Option<Batch>,
    squeeze: Option<Squeeze>,
    ops: Vec<(String, OpStats)>,
    steps: Steps,
    /// Rows of the message in hand that are dealt with.
    place: usize,
}

/// Whether a payload was dealt with, or found no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Done,
    Blocked,
}

impl Pipeline {
    /// `header_apart`: the sink writes the header of delimited rows itself (files).
    ///
    /// # Errors
    /// A template that does not parse.
    pub(super) fn new(
        name: &str,
        common: &Common,
        form: Form,
        dynamics: Vec<Dynamic>,
        header_apart: bool,
        env: &SinkEnv<'_>,
    ) -> Result<Self, String> {
        let bytes = !matches!(form, Form::Rows(_));
        let mut ops = Vec::new();
        let mut op = |what: &str| {
            ops.push((format!("{name}_{}_{what}", ops.len()), OpStats::default()));
            ops.len() - 1
        };
        let batches = common.batches();
        let steps = Steps {
            batch: batches.then(|| op("batch")),
            transform: op("transform"),
            write: if batches { Some(op("batchWriter")) } else { bytes.then(|| op("encode")) },
            compress: common.compression.filter(|_| bytes).map(|_| op("compress")),
            cache: common.enable_cache.then(|| op("cache")),
        };
        let has_header = common.has_header && !(header_apart && common.send_single);
        let encoding = if batches {
            Encoding::new(common.format, "", false, &[])
        } else {
            Encoding::new(common.format, &common.delimiter, has_header, &common.fields)
        };
        Ok(Self {
            send_single: common.send_single,
            omit_if_empty: common.omit_if_empty,
            send_error: env.send_error,
            shape: Shape::new(common, bytes)?,
            form,
            encoding,
            dynamics,
            batch: batches.then(|| Batch::new(common, env.limits.payload_bytes, if bytes { 0 } else { Packed::LIST_HEADER_BYTES })),
            squeeze: common.compression.filter(|_| bytes).map(Squeeze::new),
            ops,
            steps,
            place: 0,
        })
    }

    pub(super) fn start(&mut self, now: Now) {
        if let Some(batch) = &mut self.batch {
            batch.start = now.mono;
        }
    }

    pub(super) fn accept(
        &mut self,
        rows: Packed<'_>,
        out: &mut Outbox,
        scratch: &mut SinkScratch,
        now: Now,
        facts: &TemplateFacts<'_>,
    ) -> Accept {
        if self.batch.as_ref().is_some_and(|b| b.is_full) && !self.flush(out, scratch, now) {
            return Accept::Blocked;
        }
        if self.place == 0 {
            if let Some(batch) = self.steps.batch {
                self.op(batch).pass(now.wall);
            }
            self.op(self.steps.transform).take(now.wall);
        }
        let mut job = Job { out, scratch, now, facts };
        let step = if self.omit_if_empty && rows.is_empty() {
            Step::Done
        } else if self.send_single {
            self.each(rows, &mut job)
        } else if self.batch.is_none()
            && self.shape.is_by_row()
            && (self.encoding.format() == Format::Json || matches!(self.form, Form::Rows(_)))
        {
            self.list(rows, &mut job)
        } else {
            self.whole(Value::Packed(rows), &mut job)
        };
        if step == Step::Blocked {
            return Accept::Blocked;
        }
        self.place = 0;
        self.op(self.steps.transform).messages_processed_total += 1;
        Accept::Taken
    }

    /// True if the text of a row's JSON is what leaves, and a row is a payload.
    pub(super) fn takes_lines(&self) -> bool {
        matches!(self.form, Form::Bytes)
            && self.encoding.format() == Format::Json
            && self.shape.is_bare()
            && self.dynamics.is_empty()
            && self.batch.is_none()
            && self.squeeze.is_none()
            && !self.omit_if_empty
    }

    /// One row, as the text of a list. It counts as in [`Pipeline::accept`].
    pub(super) fn accept_line(&mut self, line: &[u8], out: &mut Outbox, now: Now) {
        let row = if let ([_, row @ .., _], true) = (line, self.send_single) { row } else { line };
        let transform = self.op(self.steps.transform);
        transform.take(now.wall);
        transform.messages_processed_total += 1;
        if out.push(&[], row, now) {
            self.op(self.steps.transform).give(1);
            self.leave(now);
        }
    }

    /// An error in place of rows. False: no room.
    pub(super) fn error(&mut self, text: &str, out: &mut Outbox, scratch: &mut SinkScratch, now: Now) -> bool {
        if matches!(self.form, Form::Rows(_)) {
            let mut encoder = Encoder::new(&mut scratch.payload);
            return match error_row(&mut encoder, text) {
                Ok(()) => out.push(&[], encoder.written(), now),
                Err(_) => true,
            };
        }
        out.push(&[], text.as_bytes(), now)
    }

    pub(super) fn tick(&mut self, out: &mut Outbox, scratch: &mut SinkScratch, now: Now) {
        if self.batch.as_ref().is_some_and(|b| b.due().is_some_and(|due| due <= now.mono)) {
            self.flush(out, scratch, now);
        }
    }

    /// Sends what the batch holds. False: no room.
    pub(super) fn flush(&mut self, out: &mut Outbox, scratch: &mut SinkScratch, now: Now) -> bool {
        let Some(batch) = self.batch.as_mut().filter(|b| b.count > 0) else { return true };
        let mut end = batch.len;
        match &self.form {
            Form::Rows(_) => {
                let header = Packed::list_header(batch.len - Packed::LIST_HEADER_BYTES, batch.rows);
                batch.buf[..Packed::LIST_HEADER_BYTES].copy_from_slice(&header);
            }
            _ => {
                let mut tail = Out::new(&mut batch.buf[batch.len..]);
                if self.encoding.end_batch(&mut tail).is_ok() {
                    end += tail.len();
                }
            }
        }
        let mut body: &[u8] = &batch.buf[..end];
        let mut fault = None;
        if let Some(squeeze) = &mut self.squeeze {
            match squeeze.squeeze(body, &mut scratch.packed) {
                Some(len) => body = &scratch.packed[..len],
                None => fault = Some((self.steps.compress, TOO_LARGE)),
            }
        }
        if let Form::Multipart(multipart) = &self.form {
            match multipart.wrap(body, Texts(&batch.head[..batch.head_len]), now, &mut scratch.payload) {
                Ok(len) => body = &scratch.payload[..len],
                Err(text) => fault = Some((self.steps.write, text)),
            }
        }
        if let Some((step, text)) = fault {
            batch.clear();
            self.op(step.unwrap_or(0)).fail(text, now.wall);
            return true;
        }
        if !out.push(&batch.head[..batch.head_len], body, now) {
            batch.is_full = true;
            return false;
        }
        batch.clear();
        self.leave(now);
        true
    }

    /// Memory it holds.
    pub(super) fn bytes(&self) -> usize {
        let batch = self.batch.as_ref().map_or(0, |b| b.buf.len() + b.head.len());
        batch + if self.squeeze.is_some() { super::squeeze::STATE_BYTES } else { 0 }
    }

    pub(super) fn until(&self) -> Option<Instant> {
        self.batch.as_ref().and_then(Batch::due)
    }

    pub(super) fn ops(&self) -> impl Iterator<Item = (&str, &OpStats)> {
        self.ops.iter().map(|(name, stats)| (name.as_str(), stats))
    }

    /// The header of delimited rows, once it is known.
    pub(super) fn header(&self, out: &mut Out<'_>) {
        // A header that does not fit is left out: the caller's buffer takes any that the encoder keeps.
        let _ = self.encoding.header(out);
    }

    fn op(&mut self, step: usize) -> &mut OpStats {
        &mut self.ops[step].1
    }

    /// One payload went on behind the transform step.
    fn leave(&mut self, now: Now) {
        if let Some(write) = self.steps.write {
            if self.steps.batch.is_some() { self.op(write).give(1) } else { self.op(write).pass(now.wall) }
        }
        for step in [self.steps.compress, self.steps.cache].into_iter().flatten() {
            self.op(step).pass(now.wall);
        }
    }

    /// `sendSingle`: a payload for each row.
    fn each(&mut self, rows: Packed<'_>, job: &mut Job<'_>) -> Step {
        for row in rows.elements().skip(self.place) {
            let empty = self.omit_if_empty && matches!(row, Value::Packed(p) if p.is_empty());
            if !empty && self.whole(row, job) == Step::Blocked {
                return Step::Blocked;
            }
            self.place += 1;
        }
        Step::Done
    }

    /// One payload of one value.
    fn whole(&mut self, data: Value<'_>, job: &mut Job<'_>) -> Step {
        let SinkScratch { head, payload, packed, work } = &mut *job.scratch;
        let (made, head_len) = {
            let work = Scratch::new(work);
            let mut head = Out::new(head);
            match render(&self.dynamics, data, job.facts, job.now, &mut head, &work) {
                Ok(()) => {
                    let shaped = self.shape.apply(data, job.facts, job.now, packed, &work);
                    let count = self.batch.as_ref().map(|b| b.count);
                    (make(shaped, payload, &work, &mut self.encoding, &self.form, &self.steps, count), head.len())
                }
                Err(fault) => (Err((self.steps.transform, keep(fault))), 0),
            }
        };
        match made {
            Ok(Made::Nothing) => Step::Done,
            Ok(Made::Batched { len, rows }) => self.gather(data, (len, rows), head_len, job),
            Ok(Made::Text(len)) => self.send(len, true, head_len, job),
            Ok(Made::Payload(len)) => self.send(len, false, head_len, job),
            Err((step, text)) => self.fault(step, &text, job),
        }
    }

    /// A list of rows, each shaped by itself, in as many payloads as it takes.
    fn list(&mut self, rows: Packed<'_>, job: &mut Job<'_>) -> Step {
        loop {
            let from = self.place;
            let (filled, head_len) = self.fill(rows, job);
            match filled {
                Ok((to, len)) => {
                    if self.send(len, false, head_len, job) == Step::Blocked {
                        return Step::Blocked;
                    }
                    job.out.drops.split_total += u64::from(from == 0 && to < rows.count());
                    self.place = to;
                }
                Err((step, text)) => {
                    if self.fault(step, &text, job) == Step::Blocked {
                        return Step::Blocked;
                    }
                    if text != TOO_LARGE {
                        return Step::Done; // the whole message is lost, as eKuiper has it
                    }
                    job.out.drops.too_large_total += 1;
                    self.place += 1;
                }
            }
            if self.place >= rows.count() {
                return Step::Done;
            }
        }
    }

    /// Writes rows from `place` on into the payload, as many as fit: where the next begins, and the payload's length.
    fn fill(&mut self, rows: Packed<'_>, job: &mut Job<'_>) -> (Filled, usize) {
        let SinkScratch { head, payload, work, .. } = &mut *job.scratch;
        let mut head = Out::new(head);
        {
            let work = Scratch::new(work);
            if let Err(fault) = render(&self.dynamics, Value::Packed(rows), job.facts, job.now, &mut head, &work) {
                return (Err((self.steps.transform, keep(fault))), 0);
            }
        }
        let step = self.steps.write.unwrap_or(self.steps.transform);
        let room = payload.len().saturating_sub(1);
        let mut sheet = match &self.form {
            Form::Rows(rules) => Sheet::Rows(Packed::LIST_HEADER_BYTES, rules),
            _ => Sheet::Json(1),
        };
        payload[0] = b'[';
        let mut to = self.place;
        for row in rows.elements().skip(self.place) {
            let work = Scratch::new(work);
            let value = match self.shape.apply(row, job.facts, job.now, &mut [], &work) {
                Ok(Shaped::Value(value)) => value,
                Ok(_) => continue,
                Err(fault) => return (Err((self.steps.transform, keep(fault))), 0),
            };
            match sheet.row(value, &mut payload[..room], to > self.place, &work) {
                Ok(()) => to += 1,
                Err(fault) if fault == Fault::FULL && to > self.place => break,
                Err(fault) if fault == Fault::FULL => return (Err((step, fit(TOO_LARGE))), 0),
                Err(fault) => return (Err((step, keep(fault))), 0),
            }
        }
        let len = match sheet {
            Sheet::Json(len) => {
                payload[len] = b']';
                len + 1
            }
            Sheet::Rows(len, _) => {
                let header = Packed::list_header(len - Packed::LIST_HEADER_BYTES, to - self.place);
                payload[..Packed::LIST_HEADER_BYTES].copy_from_slice(&header);
                len
            }
        };
        (Ok((to, len)), head.len())
    }

    /// Sends what lies in the payload buffer, or (a template's text) in the other one.
    fn send(&mut self, len: usize, text: bool, head_len: usize, job: &mut Job<'_>) -> Step {
        let SinkScratch { head, payload, packed, .. } = &mut *job.scratch;
        let (from, to) = if text { (packed, payload) } else { (payload, packed) };
        let mut body: &[u8] = &from[..len];
        let mut spare = to;
        if let Some(squeeze) = &mut self.squeeze {
            let Some(squeezed) = squeeze.squeeze(body, spare) else {
                let step = self.steps.compress.unwrap_or(self.steps.transform);
                return self.fault(step, TOO_LARGE, job);
            };
            (body, spare) = (&spare[..squeezed], from);
        }
        if let Form::Multipart(multipart) = &self.form {
            let texts = Texts(&head[..head_len]);
            match multipart.wrap(body, texts, job.now, spare) {
                Ok(wrapped) => body = &spare[..wrapped],
                Err(text) => {
                    let step = self.steps.write.unwrap_or(self.steps.transform);
                    return self.fault(step, text, job);
                }
            }
        }
        if !job.out.push(&head[..head_len], body, job.now) {
            return Step::Blocked;
        }
        self.op(self.steps.transform).give(1);
        self.leave(job.now);
        Step::Done
    }

    /// Puts an encoded row, or list of rows, into the batch.
    fn gather(&mut self, data: Value<'_>, (len, rows): (usize, usize), head_len: usize, job: &mut Job<'_>) -> Step {
        let step = self.steps.write.unwrap_or(self.steps.transform);
        let Some(batch) = &mut self.batch else { return Step::Done };
        if !batch.put(&job.scratch.payload[..len], rows, &job.scratch.head[..head_len], job.now) {
            if batch.count == 0 {
                job.out.drops.too_large_total += 1;
                return self.fault(step, TOO_LARGE, job);
            }
            // It begins the next batch, and is encoded anew for that.
            job.out.drops.split_total += 1;
            if !self.flush(job.out, job.scratch, job.now) {
                return Step::Blocked;
            }
            return self.whole(data, job);
        }
        let full = batch.size > 0 && batch.count >= batch.size;
        self.op(self.steps.transform).give(1);
        let write = self.op(step);
        write.take(job.now.wall);
        write.messages_processed_total += 1;
        if full {
            self.flush(job.out, job.scratch, job.now);
        }
        Step::Done
    }

    /// A row, or a message, ends here.
    fn fault(&mut self, step: usize, text: &str, job: &mut Job<'_>) -> Step {
        if self.send_error && !self.error(text, job.out, job.scratch, job.now) {
            return Step::Blocked;
        }
        if step != self.steps.transform {
            self.op(self.steps.transform).give(1);
            let write = self.op(step);
            write.take(job.now.wall);
            write.messages_processed_total += 1;
        }
        self.op(step).fail(text, job.now.wall);
        Step::Done
    }
}

const TOO_LARGE: &str = "the payload is too large: raise limits.payloadBytes";

/// What a message is worked with.
struct Job<'j> {
    out: &'j mut Outbox,
    scratch: &'j mut SinkScratch,
    now: Now,
    facts: &'j TemplateFacts<'j>,
}

/// Where a made payload lies, and its length.
#[derive(Debug, Clone, Copy)]
enum Made {
    Nothing,
    Text(usize),
    Payload(usize),
    Batched { len: usize, rows: usize },
}

/// A list being written row by row; each holds the length so far.
enum Sheet<'s> {
    Json(usize),
    Rows(usize, &'s RowRules),
}

impl Sheet<'_> {
    fn row<'a>(&mut self, value: Value<'a>, buf: &mut [u8], more: bool, work: &Scratch<'a>) -> Result<(), Fault<'a>> {
        match self {
            Self::Json(len) => {
                let mut out = Out::new(buf.get_mut(*len..).unwrap_or_default());
                if more {
                    out.byte(b',')?;
                }
                text::json(&mut out, value, work)?;
                *len += out.len();
            }
            Self::Rows(len, rules) => {
                let mut encoder = Encoder::new(buf.get_mut(*len..).unwrap_or_default());
                one_row(value, rules, &mut encoder, work)?;
                *len += encoder.len();
            }
        }
        Ok(())
    }
}

/// Encodes a shaped value into `payload`; `count` is what the batch, if there is one, holds already.
#[expect(clippy::result_large_err, reason = "the sentence outlives the scratch it was made in, and nothing is allocated for it")]
fn make<'a>(
    shaped: Result<Shaped<'a>, Fault<'a>>,
    payload: &mut [u8],
    work: &Scratch<'a>,
    encoding: &mut Encoding,
    form: &Form,
    steps: &Steps,
    count: Option<usize>,
) -> Result<Made, (usize, Sentence)> {
    let value = match shaped {
        Ok(Shaped::Nothing) => return Ok(Made::Nothing),
        Ok(Shaped::Text(text)) => return Ok(Made::Text(text.len())),
        Ok(Shaped::Value(value)) => value,
        Err(fault) => return Err((steps.transform, keep(fault))),
    };
    let step = steps.write.unwrap_or(steps.transform);
    let done = match form {
        Form::Rows(rules) => {
            let mut encoder = Encoder::new(payload);
            rows_of(value, rules, count.is_some(), &mut encoder, work).map(|rows| (encoder.len(), rows))
        }
        _ => {
            let mut out = Out::new(payload);
            let written = match count {
                Some(count) => encoding.batch(value, count, &mut out, work),
                None => encoding.encode(value, &mut out, work),
            };
            written.map(|()| (out.len(), 1))
        }
    };
    match done {
        Ok((len, rows)) if count.is_some() => Ok(Made::Batched { len, rows }),
        Ok((len, _)) => Ok(Made::Payload(len)),
        Err(fault) if fault == Fault::FULL => Err((step, fit(TOO_LARGE))),
        Err(fault) => Err((step, keep(fault))),
    }
}

/// Writes the rows of a shaped value: a list of them, or, for a batch, one behind the other. Gives how many there are.
fn rows_of<'a>(value: Value<'a>, rules: &RowRules, bare: bool, encoder: &mut Encoder<'_>, work: &Scratch<'a>) -> Result<usize, Fault<'a>> {
    if !bare {
        encoder.begin_list()?;
    }
    let mut count = 1;
    match value.list(work)? {
        Some(list) => {
            count = list.count();
            for row in list.elements() {
                one_row(row, rules, encoder, work)?;
            }
        }
        None => one_row(value, rules, encoder, work)?,
    }
    if !bare {
        encoder.end()?;
    }
    Ok(count)
}

fn one_row<'a>(row: Value<'a>, rules: &RowRules, encoder: &mut Encoder<'_>, work: &Scratch<'a>) -> Result<(), Fault<'a>> {
    let object = row.object(work)?.ok_or(Fault::new("a row is no object"))?;
    rules.check(object, work)?;
    encoder.value(object.value())
}

fn error_row<'f>(encoder: &mut Encoder<'_>, text: &str) -> Result<(), Fault<'f>> {
    encoder.begin_list()?;
    encoder.begin_object()?;
    encoder.entry("error", Value::Str(text))?;
    encoder.end()?;
    encoder.end()
}

/// Writes the templated properties of a message, each behind its length.
fn render<'a>(
    dynamics: &'a [Dynamic],
    data: Value<'a>,
    facts: &TemplateFacts<'_>,
    now: Now,
    out: &mut Out<'_>,
    work: &Scratch<'a>,
) -> Result<(), Fault<'a>> {
    for dynamic in dynamics {
        let at = out.len();
        out.bytes(&[0; 4])?;
        with_env(facts, now, |env| dynamic.render(data, env, out, work))
            .map_err(|e| work.fault(format_args!("fail to calculate props {} for error {e}", dynamic.text())))?;
        let len = u32::try_from(out.len() - at - 4).map_err(|_| Fault::FULL)?;
        out.patch(at, &len.to_le_bytes());
    }
    Ok(())
}

fn keep(fault: Fault<'_>) -> Sentence {
    fit(fault.text)
}

/// Rows that wait to leave as one payload.
#[derive(Debug)]
struct Batch {
    buf: Pages,
    len: usize,
    head: Pages,
    head_len: usize,
    /// Bytes kept free in front, for the header of a list of rows.
    front: usize,
    count: usize,
    /// Rows in it, where it is a list of rows.
    rows: usize,
    size: usize,
    linger: Duration,
    /// The ticks of `lingerInterval` are counted from here.
    start: Instant,
    due: Option<Instant>,
    /// It is complete, but the outbox had no room.
    is_full: bool,
}

impl Batch {
    fn new(common: &Common, bytes: usize, front: usize) -> Self {
        Self {
            buf: Pages::new(bytes),
            len: 0,
            head: Pages::new(HEAD_BYTES),
            head_len: 0,
            front,
            count: 0,
            rows: 0,
            size: common.batch_size,
            linger: common.linger,
            start: Instant::default(),
            due: None,
            is_full: false,
        }
    }

    /// False: no room.
    fn put(&mut self, row: &[u8], rows: usize, head: &[u8], now: Now) -> bool {
        // The last byte is for the end of a JSON array.
        let room = self.buf.len() - 1;
        let at = if self.count == 0 { self.front } else { self.len };
        let Some(place) = self.buf[..room].get_mut(at..at + row.len()) else { return false };
        place.copy_from_slice(row);
        self.len = at + row.len();
        self.head[..head.len()].copy_from_slice(head);
        self.head_len = head.len();
        self.count += 1;
        self.rows += rows;
        if self.count == 1 && !self.linger.is_zero() {
            // The ticker runs freely from the rule's start; a tick without rows sends nothing.
            let (passed, linger) = (now.mono.since(self.start).as_nanos(), self.linger.as_nanos());
            let next = u64::try_from((passed / linger + 1) * linger).unwrap_or(u64::MAX);
            self.due = Some(self.start.after(Duration::from_nanos(next)));
        }
        true
    }

    const fn clear(&mut self) {
        self.count = 0;
        self.rows = 0;
        self.len = 0;
        self.due = None;
        self.is_full = false;
    }

    /// When it leaves whatever it holds. One that is complete waits for room, not for a time.
    fn due(&self) -> Option<Instant> {
        self.due.filter(|_| !self.is_full)
    }
}
