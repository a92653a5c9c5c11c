//! From a record to rows: the slots that the plan names, decoded by the stream's format and declared types.
//!
//! Only named columns are decoded (facts §1.7). A JSON object is read through the index that the gate made, each column first looked
//! for where it stood in the reading before; an array goes element by element, and a reader can stop between two and go on later.

use crate::decode::{self, strict::Strict};
use crate::encode::Format;
use crate::eval::row::Row;
use crate::gate::body::{self, FLAG_DISTINCT, FLAG_INDEXED, FLAG_OBJECT, FLAG_ROWS};
use crate::json::name::Name;
use crate::json::scan;
use crate::ring::Record;
use crate::source::StreamSpec;
use crate::sql::plan::{Plan, Slot, SlotKind};
use crate::sql::types::{Column, Type};
use crate::value::{Eval, Fault, Numbers, Object, Scratch, Value, key_is, packed, short_float, whole_numbers};

/// One row of a record, not decoded yet.
#[derive(Debug, Clone, Copy)]
pub enum Raw<'r> {
    /// A JSON object, checked, with the index of its members; whether their keys are distinct and plain.
    Indexed {
        /// The object.
        body: &'r [u8],
        /// Its index.
        index: &'r [u8],
        /// See [`FLAG_DISTINCT`].
        distinct: bool,
    },
    /// A JSON object.
    Object(&'r str),
    /// A row that was packed before.
    Packed(Value<'r>),
    /// A body in another format.
    Body(&'r [u8]),
}

/// Why a row was not read, by who found it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unread<'a> {
    /// The decoder: the body, or a value that its column does not take.
    Decoder(Fault<'a>),
    /// What looks behind it: STRICT_VALIDATION, or TIMESTAMP.
    Check(Fault<'a>),
}

impl<'a> Unread<'a> {
    /// The fault, whoever found it.
    #[must_use]
    pub const fn fault(self) -> Fault<'a> {
        match self {
            Self::Decoder(fault) | Self::Check(fault) => fault,
        }
    }
}

impl<'a> From<Fault<'a>> for Unread<'a> {
    fn from(fault: Fault<'a>) -> Self {
        Self::Decoder(fault)
    }
}

/// The rows of a record from where its reader stands; each with the place behind it, for [`crate::ring::Ring::set_row`].
#[derive(Debug, Clone, Copy)]
pub struct Rows<'r> {
    record: Record<'r>,
    json: bool,
    at: usize,
    done: bool,
}

impl<'r> Rows<'r> {
    /// The rows of `record`.
    #[must_use]
    pub fn new(record: Record<'r>, spec: &StreamSpec) -> Self {
        Self { record, json: spec.shape.format == Format::Json, at: record.row as usize, done: false }
    }

    /// Whether another row follows.
    #[must_use]
    pub fn has_more(&self) -> bool {
        !self.done && { *self }.next().is_some()
    }

    /// Where the next row is looked for.
    #[must_use]
    pub fn at(&self) -> u32 {
        u32::try_from(self.at).unwrap_or(u32::MAX)
    }
}

impl<'r> Iterator for Rows<'r> {
    type Item = Raw<'r>;

    fn next(&mut self) -> Option<Raw<'r>> {
        if self.done {
            return None;
        }
        if self.record.flags & FLAG_ROWS != 0 {
            // The list's elements begin behind its header; `at` counts bytes from there.
            let rest = self.record.body.get(packed::LIST_HEADER + self.at..)?;
            let (value, len) = packed::read(rest)?;
            self.at += len;
            return Some(Raw::Packed(value));
        }
        if !self.json {
            self.done = true;
            return Some(Raw::Body(self.record.body));
        }
        let flags = self.record.flags;
        if flags & FLAG_INDEXED != 0 {
            self.done = true;
            return Some(Raw::Indexed { body: self.record.body, index: self.record.index, distinct: flags & FLAG_DISTINCT != 0 });
        }
        let text = core::str::from_utf8(self.record.body).unwrap_or("");
        if flags & FLAG_OBJECT != 0 {
            self.done = true;
            return Some(Raw::Object(text));
        }
        let mut elements = scan::Elements::resume(text, self.at);
        let element = elements.next()?;
        self.at = elements.at();
        Some(Raw::Object(element))
    }
}

/// Which slots of a plan are columns, and where each was found last.
#[derive(Debug, Default)]
pub struct Picks {
    list: Vec<Pick>,
    /// Picks that WHERE needs; they come first.
    first: usize,
    /// Slots that hold whole rows.
    whole: bool,
}

#[derive(Debug)]
struct Pick {
    slot: u16,
    source: u8,
    hint: u16,
    name: Name,
}

/// Which part of the columns to decode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// All.
    All,
    /// Those that WHERE needs.
    Filter,
    /// The others.
    Rest,
}

impl Picks {
    /// The columns of a plan; those in `first` come first.
    #[must_use]
    pub fn new(plan: &Plan, first: &[Slot]) -> Self {
        let mut list: Vec<Pick> = Vec::new();
        for (i, kind) in plan.slots.iter().enumerate() {
            if let SlotKind::Column { source, name, .. } = kind {
                list.push(Pick { slot: slot_at(i).0, source: *source, hint: 0, name: Name::new(name) });
            }
        }
        list.sort_by_key(|pick| !first.contains(&Slot(pick.slot)));
        let first = list.iter().filter(|pick| first.contains(&Slot(pick.slot))).count();
        Self { list, first, whole: plan.slots.iter().any(|kind| matches!(kind, SlotKind::Row { .. })) }
    }

    /// True if there are columns that can wait until WHERE has held.
    #[must_use]
    pub const fn waits(&self) -> bool {
        self.first > 0
    }

    /// Decodes the columns of `source` that the plan names into `row`.
    ///
    /// # Errors
    /// A value that its declared type does not take, or a full scratch.
    #[expect(clippy::too_many_arguments, reason = "what a row is decoded with; it stays in registers")]
    pub fn fill<'a>(
        &mut self,
        part: Part,
        row: &Row<'a>,
        raw: Raw<'a>,
        source: u8,
        spec: &'a StreamSpec,
        plan: &'a Plan,
        strict: &Strict<'_>,
        scratch: &Scratch<'a>,
    ) -> Result<(), Unread<'a>> {
        match raw {
            Raw::Indexed { body, index, distinct: true } if !spec.ignore_case => {
                let range = match part {
                    Part::All => 0..self.list.len(),
                    Part::Filter => 0..self.first,
                    Part::Rest => self.first..self.list.len(),
                };
                for pick in self.list.get_mut(range).unwrap_or_default().iter_mut().filter(|pick| pick.source == source) {
                    let Some(SlotKind::Column { name, typ, .. }) = plan.slots.get(usize::from(pick.slot)) else { continue };
                    if let Some(value) = body::find(index, body, &pick.name, &mut pick.hint) {
                        row.set(Slot(pick.slot), Some(decode(name, value, typ.as_ref(), spec, scratch)?));
                    }
                }
                if self.whole && part != Part::Filter {
                    whole(row, source, plan, |_| json_row(text(body), unread(plan, source), spec, scratch))?;
                }
            }
            Raw::Indexed { body, index, .. } => {
                // Members that match in other letter case come first: the exact name wins.
                if spec.ignore_case {
                    for (key, value, _) in body::members(index, body) {
                        member(row, text(key), Match::Folded, value, source, spec, plan, scratch)?;
                    }
                }
                for (key, value, escaped) in body::members(index, body) {
                    member(row, text(key), Match::exact(escaped), value, source, spec, plan, scratch)?;
                }
                whole(row, source, plan, |_| json_row(text(body), unread(plan, source), spec, scratch))?;
            }
            Raw::Object(text) => {
                if spec.ignore_case {
                    for (key, value) in scan::members(text) {
                        member(row, key, Match::Folded, value.as_bytes(), source, spec, plan, scratch)?;
                    }
                }
                for (key, value) in scan::members(text) {
                    member(row, key, Match::exact(key.contains('\\')), value.as_bytes(), source, spec, plan, scratch)?;
                }
                whole(row, source, plan, |_| json_row(text, unread(plan, source), spec, scratch))?;
            }
            Raw::Packed(value) => from_object(row, value, source, plan),
            Raw::Body(_) => from_object(row, whole_row(raw, spec, scratch)?, source, plan),
        }
        let Some(columns) = spec.columns.as_ref().filter(|_| spec.strict) else { return Ok(()) };
        // STRICT_VALIDATION of the columns that the rule uses (facts §3.3).
        for (i, slot) in plan.slots.iter().enumerate() {
            if let SlotKind::Column { source: s, name, .. } = slot
                && *s == source
                && let Some(column) = columns.iter().find(|c| c.name == *name)
            {
                let value = strict.column(column, row.get(slot_at(i)), scratch).map_err(Unread::Check)?;
                row.set(slot_at(i), Some(value));
            }
            // `*` uses them all.
            if let SlotKind::Row { source: s } = slot
                && *s == source
                && let Some(object) = row.get(slot_at(i)).unwrap_or(Value::Null).object(scratch)?
            {
                row.set(slot_at(i), Some(strict_row(object, columns, strict, scratch).map_err(Unread::Check)?.value()));
            }
        }
        Ok(())
    }
}

/// A value of a checked body, as its column has it.
fn decode<'a>(name: &str, raw: &'a [u8], typ: Option<&Type>, spec: &StreamSpec, scratch: &Scratch<'a>) -> Eval<'a> {
    if typ.is_none()
        && spec.numbers == Numbers::Float
        && let Some(number) = short_float(raw)
    {
        return Ok(Value::Float(number));
    }
    decode::decode_column(name, text(raw), typ, spec.numbers, scratch)
}

/// A piece of a body that the gate found to be UTF-8.
fn text(raw: &[u8]) -> &str {
    core::str::from_utf8(raw).unwrap_or("")
}

/// A whole row with its declared columns checked, converted and filled by their defaults; undeclared nulls stay.
///
/// # Errors
/// As `fill`.
pub fn strict_row<'a>(row: Object<'a>, columns: &'a [Column], strict: &Strict<'_>, scratch: &Scratch<'a>) -> Result<Object<'a>, Fault<'a>> {
    let mut checked: heapless::Vec<Value<'a>, { crate::limits::SLOT_COUNT }> = heapless::Vec::new();
    for column in columns {
        let value = strict.column(column, row.get(&column.name), scratch)?;
        checked.push(value).map_err(|_| Fault::new("a stream has more columns than SLOT_COUNT"))?;
    }
    let mut writer = scratch.pack();
    writer.begin_object()?;
    for (key, value) in row.entries() {
        writer.entry(key, value)?;
    }
    for (column, value) in columns.iter().zip(&checked) {
        writer.entry(&column.name, *value)?;
    }
    writer.end()?;
    writer.finish()?.object().ok_or(Fault::FULL)
}

/// How a member's key is compared with a column's name.
#[derive(Debug, Clone, Copy)]
enum Match {
    /// As it stands.
    Exact,
    /// With its escapes undone.
    Escaped,
    /// As it stands, ASCII letters of either case.
    Folded,
}

impl Match {
    const fn exact(escaped: bool) -> Self {
        if escaped { Self::Escaped } else { Self::Exact }
    }
}

#[expect(clippy::too_many_arguments, reason = "one call per member of a reading, all of it in registers")]
fn member<'a>(
    row: &Row<'a>,
    key: &'a str,
    how: Match,
    value: &'a [u8],
    source: u8,
    spec: &'a StreamSpec,
    plan: &'a Plan,
    scratch: &Scratch<'a>,
) -> Result<(), Fault<'a>> {
    for (i, slot) in plan.slots.iter().enumerate() {
        if let SlotKind::Column { source: s, name, typ } = slot
            && *s == source
            && match how {
                Match::Exact => key == name,
                Match::Escaped => key_is(key, name),
                Match::Folded => key.eq_ignore_ascii_case(name),
            }
        {
            row.set(slot_at(i), Some(decode(name, value, typ.as_ref(), spec, scratch)?));
        }
    }
    Ok(())
}

/// Whether a column of a source is left out of its whole row.
fn unread(plan: &Plan, source: u8) -> impl Fn(&str) -> bool {
    move |name| plan.unread.iter().any(|(s, n)| *s == source && n == name)
}

fn json_row<'a>(text: &'a str, unread: impl Fn(&str) -> bool, spec: &'a StreamSpec, scratch: &Scratch<'a>) -> Result<Value<'a>, Fault<'a>> {
    match &spec.columns {
        None => {
            // They are read where a row is written; one that cannot be read is the decoder's matter.
            if spec.numbers == Numbers::Whole {
                whole_numbers(text, scratch)?;
            }
            Ok(Value::Json(spec.numbers, text))
        }
        Some(columns) => decode::column::decode_row(text, columns, |column| !spec.strict && unread(&column.name), spec.numbers, scratch),
    }
}

/// Fills the slots that hold all columns of the source.
fn whole<'a>(
    row: &Row<'a>,
    source: u8,
    plan: &Plan,
    mut value: impl FnMut(usize) -> Result<Value<'a>, Fault<'a>>,
) -> Result<(), Fault<'a>> {
    for (i, slot) in plan.slots.iter().enumerate() {
        if matches!(slot, SlotKind::Row { source: s } if *s == source) {
            row.set(slot_at(i), Some(value(i)?));
        }
    }
    Ok(())
}

/// Fills the slots of a source from a packed object: rows of memory topics, kept rows of tables and windows.
pub fn from_object<'a>(row: &Row<'a>, value: Value<'a>, source: u8, plan: &Plan) {
    let Value::Packed(p) = value else { return };
    let Some(object) = p.object() else { return };
    for (i, slot) in plan.slots.iter().enumerate() {
        match slot {
            SlotKind::Column { source: s, name, .. } if *s == source => row.set(slot_at(i), object.get(name)),
            SlotKind::Row { source: s } if *s == source => row.set(slot_at(i), Some(value)),
            _ => {}
        }
    }
}

/// A whole row as an object, whatever the plan names: for tables.
///
/// # Errors
/// A value that its declared type does not take, or a full scratch.
pub fn whole_row<'a>(raw: Raw<'a>, spec: &'a StreamSpec, scratch: &Scratch<'a>) -> Result<Value<'a>, Fault<'a>> {
    match raw {
        Raw::Indexed { body, .. } => json_row(text(body), |_| false, spec, scratch),
        Raw::Object(text) => json_row(text, |_| false, spec, scratch),
        Raw::Packed(value) => Ok(value),
        Raw::Body(bytes) => {
            let mut writer = scratch.pack();
            spec.shape.pack(bytes, &mut writer, scratch)?;
            Ok(Value::Packed(writer.finish()?))
        }
    }
}

/// Slots are at most [`crate::limits::SLOT_COUNT`].
#[expect(clippy::cast_possible_truncation, reason = "see above")]
pub(crate) const fn slot_at(index: usize) -> Slot {
    Slot(index as u16)
}
