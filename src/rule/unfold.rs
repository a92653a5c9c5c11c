//! Messages within messages: second-level decoding (`payload…`), and the messages of one interval made into one row (`mergeField`).
//!
//! In: a row as it came, or what [`Frames`] gathered; out: packed rows. `payloadField` names a member that holds a message of its
//! own, as text or base64; its members are laid over those of the row, and a list in it gives a row per element.
//! `payloadBatchField` names a list of objects with such a member each; all of them are laid over one row. What is left out (no such
//! member, a batch element that is no message) is counted. Bounds: one row and one list of rows in the buffer given; nothing is
//! allocated per row.

use super::merge::Frames;
use super::ops::SourceOps;
use super::rows::Raw;
use super::stage::Select;
use crate::decode::NOT_ROWS;
use crate::decode::column::{decode_row, octets};
use crate::encode::Format;
use crate::json::scan::{self, Top};
use crate::pages::Pages;
use crate::source::{Payload, StreamSpec};
use crate::sql::plan::{Plan, SlotKind};
use crate::sql::types::Column;
use crate::value::packed::Encoder;
use crate::value::text::{go_text, typed};
use crate::value::{Eval, Fault, Numbers, Object, Packed, Scratch, Value, key_is};

/// Bytes of the buffer, as multiples of `limits.payloadBytes`: a row, and the list that it is an element of.
const PAYLOADS: usize = 2;

/// One source's way from messages to rows.
#[derive(Debug)]
pub(super) struct Unfold {
    /// Of a list that is read out: the row around it packed, the list as text. Behind them the row that is being made.
    bytes: Pages,
    /// Declared columns that the rule uses; `None`: schemaless.
    columns: Option<Vec<Column>>,
    /// Those without what holds the payload, which has no type.
    outer_columns: Option<Vec<Column>>,
    list: Option<List>,
    /// Rows and batch elements without a payload, and batch elements whose payload is no message.
    pub skipped_total: u64,
}

/// A list that is read out, one row at a time.
#[derive(Debug, Clone, Copy)]
struct List {
    /// Where the row around it ends.
    outer: usize,
    /// Where its text ends.
    end: usize,
    /// Where its next element is looked for, from the text's front.
    at: usize,
}

/// Why a message gives no row.
#[derive(Debug)]
pub(super) enum Trouble<'a> {
    /// It could not be read itself.
    Outer(Fault<'a>),
    /// What it holds could not be read.
    Inner(Fault<'a>),
}

impl Unfold {
    /// For a source of a plan; `None` when its messages are rows themselves.
    pub(super) fn new(spec: &StreamSpec, plan: &Plan, source: usize, payload_bytes: usize) -> Option<Self> {
        if spec.payload.is_none() && spec.merge_field.is_none() {
            return None;
        }
        let of_source = |s: u8| usize::from(s) == source;
        let all = spec.table || plan.slots.iter().any(|slot| matches!(slot, SlotKind::Row { source } if of_source(*source)));
        let used = |column: &&Column| {
            let named =
                |slot: &SlotKind| matches!(slot, SlotKind::Column { source, name, .. } if of_source(*source) && *name == column.name);
            all || plan.slots.iter().any(named)
        };
        let holder = spec.payload.as_ref().map(|payload| payload.batch.as_ref().unwrap_or(&payload.field));
        let columns: Option<Vec<Column>> = spec.columns.as_ref().map(|columns| columns.iter().filter(used).cloned().collect());
        let outer = |columns: &Vec<Column>| columns.iter().filter(|c| holder != Some(&c.name)).cloned().collect();
        let outer_columns = columns.as_ref().map(outer);
        Some(Self { bytes: Pages::new(Self::bytes_of(payload_bytes)), columns, outer_columns, list: None, skipped_total: 0 })
    }

    /// What its buffer takes.
    pub(super) const fn bytes_of(payload_bytes: usize) -> usize {
        PAYLOADS * payload_bytes
    }

    /// True while a list is being read out: the next row comes from the same message.
    pub(super) const fn is_open(&self) -> bool {
        self.list.is_some()
    }

    /// The row that was given has been taken: goes on to the next element. False when the message has no more.
    pub(super) fn advance(&mut self) -> bool {
        let Some(mut list) = self.list.take() else { return false };
        let Some(text) = self.bytes.get(list.outer..list.end).and_then(|text| core::str::from_utf8(text).ok()) else { return false };
        let mut elements = scan::Elements::resume(text, list.at);
        elements.next();
        list.at = elements.at();
        if elements.next().is_some() {
            self.list = Some(list);
        }
        self.list.is_some()
    }

    /// The next row of a message; `None` when it has none. Until [`Unfold::advance`] it stays the same.
    ///
    /// # Errors
    /// [`Trouble`]; no further row of the message can be had then.
    pub(super) fn row<'a>(
        &'a mut self,
        raw: Raw<'a>,
        payload: &'a Payload,
        spec: &'a StreamSpec,
        scratch: &Scratch<'a>,
    ) -> Result<Option<Value<'a>>, Trouble<'a>> {
        if let Some(list) = self.list {
            return self.element(list, spec, scratch).map(Some).map_err(Trouble::Inner);
        }
        let whole = Layer::of(raw, spec, scratch).map_err(Trouble::Outer)?;
        let outer = whole.typed(self.outer_columns.as_deref(), scratch).map_err(Trouble::Outer)?;
        if let Some(batch) = &payload.batch {
            let Some(list) = whole.get(batch, scratch).map_err(Trouble::Outer)? else {
                self.skipped_total += 1;
                return Ok(None);
            };
            return self.batch(outer, batch, list, payload, spec, scratch).map(Some).map_err(Trouble::Inner);
        }
        let Some(value) = whole.get(&payload.field, scratch).map_err(Trouble::Outer)? else {
            self.skipped_total += 1;
            return Ok(None);
        };
        let message =
            message_of(value, scratch).and_then(|bytes| Message::of(bytes, payload, spec.numbers, scratch)).map_err(Trouble::Inner)?;
        match message {
            Message::One(inner) => {
                let inner = inner.typed(self.columns.as_deref(), scratch).map_err(Trouble::Inner)?;
                build(&mut self.bytes, &[(outer, Some(&payload.field)), (inner, None)]).map(Some).map_err(Trouble::Inner)
            }
            Message::Many(text) if scan::elements(text).next().is_none() => Ok(None),
            Message::Many(text) => {
                let list = self.keep(outer, &payload.field, text).map_err(Trouble::Inner)?;
                self.list = Some(list);
                self.element(list, spec, scratch).map(Some).map_err(Trouble::Inner)
            }
        }
    }

    /// Keeps a list and the row around it.
    fn keep<'a>(&mut self, outer: Layer<'a>, field: &str, text: &str) -> Result<List, Fault<'a>> {
        let mut out = Encoder::new(&mut self.bytes);
        out.begin_object()?;
        outer.put(Some(field), &mut out)?;
        out.end()?;
        let outer = out.len();
        let end = outer + text.len();
        self.bytes.get_mut(outer..end).ok_or(TOO_LARGE)?.copy_from_slice(text.as_bytes());
        Ok(List { outer, end, at: 0 })
    }

    /// The row of a list's next element.
    fn element<'a>(&'a mut self, list: List, spec: &'a StreamSpec, scratch: &Scratch<'a>) -> Eval<'a> {
        let (kept, room) = self.bytes.split_at_mut(list.end);
        let (outer, text) = kept.split_at(list.outer);
        let outer = Packed::from_bytes(outer).and_then(Packed::object).map_or(Layer::Nothing, Layer::Object);
        let text = core::str::from_utf8(text).unwrap_or("");
        let element = scan::Elements::resume(text, list.at).next().unwrap_or("{}");
        let inner = Layer::Text(element, spec.numbers).typed(self.columns.as_deref(), scratch)?;
        build(room, &[(outer, None), (inner, None)])
    }

    /// One row of all that the elements of a batch hold.
    fn batch<'a>(
        &'a mut self,
        outer: Layer<'a>,
        name: &str,
        list: Value<'a>,
        payload: &'a Payload,
        spec: &'a StreamSpec,
        scratch: &Scratch<'a>,
    ) -> Eval<'a> {
        if !list.is_list() {
            return Err(scratch.fault(format_args!("payload batch field is not array: {}", go_text(list, scratch)?)));
        }
        let Self { bytes, columns, skipped_total, .. } = self;
        let mut out = Encoder::new(bytes);
        out.begin_object()?;
        outer.put(Some(name), &mut out)?;
        let mut at = 0;
        while let Some(element) = element_of(list, spec.numbers, &mut at, scratch)? {
            let Some(element) = Layer::of_value(element) else {
                let words = "unsupported payload received, must be a slice of maps";
                return Err(scratch.fault(format_args!("{words}: {}", go_text(list, scratch)?)));
            };
            let mark = out.mark();
            let inner = element.get(&payload.field, scratch)?.map(|value| message_of(value, scratch));
            let laid = match inner {
                Some(Ok(message)) => element
                    .put(Some(&payload.field), &mut out)
                    .and_then(|()| lay(message, payload, spec.numbers, columns.as_deref(), &mut out, scratch))
                    .or_else(|fault| if fault == Fault::FULL { Err(TOO_LARGE) } else { Ok(false) })?,
                Some(Err(Fault::FULL)) => return Err(Fault::FULL),
                _ => false,
            };
            if !laid {
                out.rewind(mark);
                *skipped_total += 1;
            }
        }
        out.end()?;
        finish(bytes)
    }

    /// One row of the messages of an interval, the later ones laid over the earlier.
    ///
    /// # Errors
    /// A row that does not fit.
    pub(super) fn merged<'a>(&'a mut self, frames: &'a Frames, spec: &'a StreamSpec, scratch: &Scratch<'a>) -> Eval<'a> {
        let Self { bytes, columns, skipped_total, .. } = self;
        let mut out = Encoder::new(bytes);
        out.begin_object()?;
        for body in frames.bodies() {
            let mark = out.mark();
            // The gate has seen that it is an object or a list of objects.
            let text = core::str::from_utf8(body).unwrap_or("{}");
            let mut put = |text: &'a str| Layer::Text(text, spec.numbers).typed(columns.as_deref(), scratch)?.put(None, &mut out);
            let laid = if text.trim_ascii_start().starts_with('[') { scan::elements(text).try_for_each(&mut put) } else { put(text) };
            match laid {
                Ok(()) => {}
                Err(Fault::FULL) => return Err(TOO_LARGE),
                Err(_) => {
                    out.rewind(mark);
                    *skipped_total += 1;
                }
            }
        }
        out.end()?;
        finish(bytes)
    }
}

/// What a source gives.
#[derive(Debug, Clone, Copy)]
pub(super) enum Coming<'r> {
    /// A row of its ring.
    Row(Raw<'r>),
    /// The messages of an interval.
    Frames(&'r Frames),
}

/// The row that a message holds, or that several make; `None` when there is none (which was counted then).
pub(super) fn unfolded<'a>(
    coming: Coming<'a>,
    unfold: &'a mut Unfold,
    spec: &'a StreamSpec,
    scratch: &Scratch<'a>,
    select: &mut Select<'_>,
    ops: &SourceOps,
    again: bool,
) -> Option<Value<'a>> {
    let fresh = !again && !unfold.is_open();
    let now = select.now.wall;
    if fresh && let Some(payload) = ops.payload {
        let payload = select.ops.at(payload);
        payload.take(now);
        payload.messages_processed_total += 1;
    }
    let row = match (coming, &spec.payload) {
        (Coming::Row(raw), Some(payload)) => unfold.row(raw, payload, spec, scratch),
        (Coming::Row(_), None) => Ok(None),
        (Coming::Frames(frames), _) => unfold.merged(frames, spec, scratch).map(Some).map_err(Trouble::Inner),
    };
    let decoded = !matches!(row, Err(Trouble::Outer(_)));
    if fresh
        && decoded
        && let Some(decoder) = ops.decoder
    {
        select.ops.at(decoder).give(1);
    }
    match row {
        Ok(row) => row,
        Err(Trouble::Outer(fault)) => {
            select.fail(ops.decoder.unwrap_or(ops.source), fault);
            None
        }
        Err(Trouble::Inner(fault)) => {
            select.fail(ops.payload.unwrap_or(ops.source), fault);
            None
        }
    }
}

/// A row, or the list that it is in, does not fit.
const TOO_LARGE: Fault<'static> = Fault::new("the row of a payload is larger than a payload: raise limits.payloadBytes");

/// Members that are laid over those of other layers.
#[derive(Debug, Clone, Copy)]
enum Layer<'a> {
    Nothing,
    /// A checked JSON object.
    Text(&'a str, Numbers),
    Object(Object<'a>),
}

impl<'a> Layer<'a> {
    /// A row as it came, with all its members.
    fn of(raw: Raw<'a>, spec: &'a StreamSpec, scratch: &Scratch<'a>) -> Result<Self, Fault<'a>> {
        Ok(match raw {
            Raw::Indexed { body, .. } => Self::Text(core::str::from_utf8(body).unwrap_or("{}"), spec.numbers),
            Raw::Object(text) => Self::Text(text, spec.numbers),
            Raw::Packed(value) => Self::of_value(value).unwrap_or(Self::Nothing),
            Raw::Body(_) => Self::of_value(super::rows::whole_row(raw, spec, scratch)?).unwrap_or(Self::Nothing),
        })
    }

    /// An object; `None` for any other value.
    fn of_value(value: Value<'a>) -> Option<Self> {
        match value {
            Value::Json(numbers, text) if text.starts_with('{') => Some(Self::Text(text, numbers)),
            Value::Packed(p) => p.object().map(Self::Object),
            _ => None,
        }
    }

    /// With the declared columns only, as they are declared, of the row as of its payload; what is no JSON has no types.
    fn typed(self, columns: Option<&[Column]>, scratch: &Scratch<'a>) -> Result<Self, Fault<'a>> {
        match (self, columns) {
            (Self::Text(text, numbers), Some(columns)) => {
                Ok(Self::of_value(decode_row(text, columns, |_| false, numbers, scratch)?).unwrap_or(Self::Nothing))
            }
            _ => Ok(self),
        }
    }

    fn get(&self, name: &str, scratch: &Scratch<'a>) -> Result<Option<Value<'a>>, Fault<'a>> {
        match *self {
            Self::Nothing => Ok(None),
            Self::Text(text, numbers) => {
                let found = scan::members(text).filter(|(key, _)| key_is(key, name)).last();
                found.map(|(_, value)| Value::from_json(value, numbers, scratch)).transpose()
            }
            Self::Object(object) => Ok(object.get(name)),
        }
    }

    /// Writes the members but one.
    fn put<'f>(&self, except: Option<&str>, out: &mut Encoder<'_>) -> Result<(), Fault<'f>> {
        match *self {
            Self::Nothing => {}
            Self::Text(text, numbers) => {
                for (key, value) in scan::members(text).filter(|(key, _)| except.is_none_or(|name| !key_is(key, name))) {
                    out.json_key(key)?;
                    out.json(value, numbers)?;
                }
            }
            Self::Object(object) => {
                for (key, value) in object.entries().filter(|(key, _)| except.is_none_or(|name| *key != name)) {
                    out.entry(key, value)?;
                }
            }
        }
        Ok(())
    }
}

/// What a payload holds.
enum Message<'a> {
    One(Layer<'a>),
    /// A checked list of objects.
    Many(&'a str),
}

impl<'a> Message<'a> {
    fn of(bytes: &'a [u8], payload: &'a Payload, numbers: Numbers, scratch: &Scratch<'a>) -> Result<Self, Fault<'a>> {
        if payload.shape.format != Format::Json {
            let mut writer = scratch.pack();
            payload.shape.pack(bytes, &mut writer, scratch)?;
            return Ok(Self::One(Layer::of_value(Value::Packed(writer.finish()?)).unwrap_or(Layer::Nothing)));
        }
        let Ok(text) = core::str::from_utf8(bytes) else { return Err(Fault::new("the payload is no UTF-8 text")) };
        match scan::check(text, |_| {}) {
            Ok(Top::Object) => Ok(Self::One(Layer::Text(text.trim_ascii(), numbers))),
            Ok(Top::ObjectArray) => Ok(Self::Many(text.trim_ascii())),
            Ok(Top::Array | Top::Scalar) => Err(Fault::new(NOT_ROWS)),
            Err(error) => Err(scratch.fault(format_args!("the payload is no JSON: {error}"))),
        }
    }
}

/// Lays what a payload holds over a row; false when it is no message.
fn lay<'a>(
    bytes: &'a [u8],
    payload: &'a Payload,
    numbers: Numbers,
    columns: Option<&[Column]>,
    out: &mut Encoder<'_>,
    scratch: &Scratch<'a>,
) -> Result<bool, Fault<'a>> {
    match Message::of(bytes, payload, numbers, scratch)? {
        Message::One(layer) => layer.typed(columns, scratch)?.put(None, out)?,
        Message::Many(text) => {
            for element in scan::elements(text) {
                Layer::Text(element, numbers).typed(columns, scratch)?.put(None, out)?;
            }
        }
    }
    Ok(true)
}

/// The octets of a payload: a text is base64 if it can be, else itself.
fn message_of<'a>(value: Value<'a>, scratch: &Scratch<'a>) -> Result<&'a [u8], Fault<'a>> {
    match value {
        Value::Bytes(bytes) => Ok(bytes),
        Value::Str(text) if could_be_base64(text) => octets(text, scratch),
        Value::Str(text) => Ok(text.as_bytes()),
        other => Err(scratch.fault(format_args!("payload is not bytes: cannot convert {} to bytea", typed(other, scratch)?))),
    }
}

/// False for what surely is none, such as any JSON object: it need not be decoded to see that.
fn could_be_base64(text: &str) -> bool {
    text.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'+' | b'/' | b'=' | b'\r' | b'\n'))
}

/// The element of a list at place `at`, which moves on.
fn element_of<'a>(list: Value<'a>, numbers: Numbers, at: &mut usize, scratch: &Scratch<'a>) -> Result<Option<Value<'a>>, Fault<'a>> {
    match list {
        Value::Json(_, text) => {
            let mut elements = scan::Elements::resume(text, *at);
            let found = elements.next();
            *at = elements.at();
            found.map(|element| Value::from_json(element, numbers, scratch)).transpose()
        }
        Value::Packed(list) => {
            *at += 1;
            Ok(list.elements().nth(*at - 1))
        }
        _ => Ok(None),
    }
}

/// One object of layers, each laid over those before it, without the member named.
fn build<'b>(buf: &'b mut [u8], layers: &[(Layer<'_>, Option<&str>)]) -> Eval<'b> {
    let mut out = Encoder::new(buf);
    let full = |fault: Fault<'b>| if fault == Fault::FULL { TOO_LARGE } else { fault };
    out.begin_object().map_err(full)?;
    for (layer, except) in layers {
        layer.put(*except, &mut out).map_err(full)?;
    }
    out.end().map_err(full)?;
    finish(buf)
}

/// The object at the front of a buffer.
fn finish(buf: &[u8]) -> Eval<'_> {
    crate::value::packed::read(buf).map(|(value, _)| value).ok_or(TOO_LARGE)
}
