//! What templates compute with: a [`Value`] and which Go type it stands for where that shows.

use core::cell::Cell;

use super::TemplateEnv;
use crate::json::scan;
use crate::json::write::Out;
use crate::value::packed::Encoder;
use crate::value::{Fault, Numbers, Object, Packed, Scratch, Value};

/// The Go type where the value alone does not say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tag {
    /// As readings have it: float64, int64, string, `[]interface {}`, `map[string]interface {}`, nil.
    Data,
    /// Go's zero `reflect.Value`: a missing key. Prints `<no value>`.
    Missing,
    /// `int`
    Int,
    /// An int64 that a function made; no `int` is asked for where it stands.
    Int64,
    /// `uint8`
    Uint8,
    /// `uint64`
    Uint64,
    /// `[]string`
    Strings,
    /// `[]int`
    Ints,
    /// `[]map[string]interface {}`: a message in array form.
    Rows,
    /// `[][]interface {}`
    Lists,
    /// `map[string]string`
    Texts,
    /// `*semver.Version`; the value is its text.
    Version,
    /// `time.Duration`, nanoseconds.
    Duration,
}

/// See the module text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Val<'a> {
    pub(super) v: Value<'a>,
    pub(super) tag: Tag,
}

pub(super) type Res<'a> = Result<Val<'a>, Fault<'a>>;

impl<'a> Val<'a> {
    pub(super) const MISSING: Self = Self { v: Value::Null, tag: Tag::Missing };
    pub(super) const NIL: Self = Self { v: Value::Null, tag: Tag::Data };

    pub(super) const fn data(v: Value<'a>) -> Self {
        Self { v, tag: Tag::Data }
    }

    pub(super) const fn str(text: &'a str) -> Self {
        Self::data(Value::Str(text))
    }

    pub(super) const fn bool(b: bool) -> Self {
        Self::data(Value::Bool(b))
    }

    pub(super) const fn float(x: f64) -> Self {
        Self::data(Value::Float(x))
    }

    pub(super) const fn int(i: i64) -> Self {
        Self { v: Value::Int(i), tag: Tag::Int }
    }

    pub(super) const fn int64(i: i64) -> Self {
        Self { v: Value::Int(i), tag: Tag::Int64 }
    }

    pub(super) const fn tagged(v: Value<'a>, tag: Tag) -> Self {
        Self { v, tag }
    }

    /// nil or missing.
    pub(super) const fn is_nil(self) -> bool {
        matches!(self.v, Value::Null)
    }

    pub(super) fn is_list(self) -> bool {
        self.v.is_list()
    }

    pub(super) fn is_map(self) -> bool {
        self.v.is_object()
    }

    /// Text, but no version.
    pub(super) fn text(self) -> Option<&'a str> {
        match self.v {
            Value::Str(text) if self.tag != Tag::Version => Some(text),
            _ => None,
        }
    }

    /// `%T`
    pub(super) fn type_name(self) -> &'static str {
        match self.tag {
            Tag::Data | Tag::Missing | Tag::Int64 => self.v.go_type(),
            Tag::Int => "int",
            Tag::Uint8 => "uint8",
            Tag::Uint64 => "uint64",
            Tag::Strings => "[]string",
            Tag::Ints => "[]int",
            Tag::Rows => "[]map[string]interface {}",
            Tag::Lists => "[][]interface {}",
            Tag::Texts => "map[string]string",
            Tag::Version => "*semver.Version",
            Tag::Duration => "time.Duration",
        }
    }

    /// The name of its `reflect.Kind`.
    pub(super) fn kind_name(self) -> &'static str {
        match (self.tag, self.v) {
            (_, Value::Null) => "invalid",
            (Tag::Version, _) => "ptr",
            (Tag::Int, _) => "int",
            (Tag::Uint8, _) => "uint8",
            (Tag::Uint64, _) => "uint64",
            (_, Value::Bool(_)) => "bool",
            (_, Value::Int(_)) => "int64",
            (_, Value::Float(_)) => "float64",
            (_, Value::Str(_)) => "string",
            (_, Value::Time(_)) => "struct",
            (_, Value::Bytes(_)) => "slice",
            (_, v) if v.is_list() => "slice",
            _ => "map",
        }
    }

    /// What an element of this list is.
    pub(super) const fn element(self, v: Value<'a>) -> Self {
        match self.tag {
            Tag::Ints => Self { v, tag: Tag::Int },
            _ => Self::data(v),
        }
    }

    /// True if it is not the zero value of its type, as `if` has it. `count` comes from the caller.
    pub(super) fn truth(self, cx: &Cx<'_, 'a>) -> Result<bool, Fault<'a>> {
        Ok(match self.v {
            Value::Null => false,
            Value::Bool(b) => b,
            Value::Int(i) => i != 0,
            Value::Float(x) => x != 0.0,
            Value::Str(text) => !text.is_empty() || self.tag == Tag::Version,
            Value::Bytes(bytes) => !bytes.is_empty(),
            Value::Time(_) => true,
            Value::Json(..) | Value::Packed(_) => !cx.settle(self.v).is_nil_or_empty(),
        })
    }
}

/// Dicts that `set`, `unset` and `merge` changed in one rendering.
const CHANGED: usize = 32;

/// What functions may use: scratch, clock, chance, steps; and the current state of changed dicts.
///
/// Packed values never change, so a changed dict is written anew, and the place of the old one is remembered: whoever holds
/// the old one sees the new one through [`Cx::settle`], as all holders of a Go map would.
pub(super) struct Cx<'c, 'a> {
    pub(super) scratch: &'c Scratch<'a>,
    pub(super) env: &'c TemplateEnv<'c>,
    /// The compiled pattern of the call, if it was a literal.
    pub(super) regex: Cell<Option<&'c regex_lite::Regex>>,
    changed: [Cell<(usize, Value<'a>)>; CHANGED],
    changed_count: Cell<usize>,
}

impl<'c, 'a> Cx<'c, 'a> {
    pub(super) const fn new(scratch: &'c Scratch<'a>, env: &'c TemplateEnv<'c>) -> Self {
        Self {
            scratch,
            env,
            regex: Cell::new(None),
            changed: [const { Cell::new((0, Value::Null)) }; CHANGED],
            changed_count: Cell::new(0),
        }
    }

    /// Spends steps.
    pub(super) fn spend(&self, steps: usize) -> Result<(), Fault<'a>> {
        let steps = u32::try_from(steps).unwrap_or(u32::MAX);
        match self.env.fuel.get().checked_sub(steps) {
            Some(left) => {
                self.env.fuel.set(left);
                Ok(())
            }
            None => Err(Fault::new("step limit: the template takes too many evaluation steps")),
        }
    }

    pub(super) fn fault(&self, args: core::fmt::Arguments<'_>) -> Fault<'a> {
        self.scratch.fault(args)
    }

    /// Lets `write` make a text. It must not ask for more scratch text itself.
    pub(super) fn text(&self, write: impl FnOnce(&mut Out<'_>) -> Result<(), Fault<'a>>) -> Res<'a> {
        self.string(write).map(Val::str)
    }

    /// As [`Cx::text`], bare. What is no UTF-8 becomes U+FFFD.
    pub(super) fn string(&self, write: impl FnOnce(&mut Out<'_>) -> Result<(), Fault<'a>>) -> Result<&'a str, Fault<'a>> {
        let bytes = self.scratch.write_bytes(write)?;
        self.spend(bytes.len() / 64)?;
        self.utf8(bytes)
    }

    /// Octets as text; what is no UTF-8 becomes U+FFFD.
    pub(super) fn utf8(&self, bytes: &'a [u8]) -> Result<&'a str, Fault<'a>> {
        if let Ok(text) = core::str::from_utf8(bytes) {
            return Ok(text);
        }
        let fixed = self.scratch.write_bytes(|out| {
            for chunk in bytes.utf8_chunks() {
                out.text(chunk.valid())?;
                if !chunk.invalid().is_empty() {
                    out.text("\u{fffd}")?;
                }
            }
            Ok(())
        })?;
        Ok(core::str::from_utf8(fixed).unwrap_or(""))
    }

    /// The current state of a dict.
    pub(super) fn settle(&self, v: Value<'a>) -> Value<'a> {
        let count = self.changed_count.get();
        if count == 0 {
            return v;
        }
        let mut v = v;
        // A new state may have been changed in turn.
        for _ in 0..CHANGED {
            let Some(place) = place(v) else { return v };
            match self.changed.iter().take(count).map(Cell::get).find(|(at, _)| *at == place) {
                Some((_, new)) => v = new,
                None => return v,
            }
        }
        v
    }

    /// Makes `new` the state of the dict `old`.
    pub(super) fn change(&self, old: Value<'a>, new: Value<'a>) -> Result<(), Fault<'a>> {
        let Some(place) = place(self.settle(old)) else { return Ok(()) };
        let count = self.changed_count.get();
        let Some(entry) = self.changed.get(count) else {
            return Err(Fault::new("the template changes dicts more than 32 times"));
        };
        entry.set((place, new));
        self.changed_count.set(count + 1);
        Ok(())
    }

    /// A value with every change inside it in place.
    pub(super) fn deep(&self, v: Value<'a>) -> Result<Value<'a>, Fault<'a>> {
        if self.changed_count.get() == 0 || !matches!(v, Value::Json(..) | Value::Packed(_)) {
            return Ok(v);
        }
        let mut writer = self.scratch.pack();
        self.write(v, &mut writer)?;
        writer.finish().map(Value::Packed)
    }

    /// Writes a value with every change inside it in place.
    pub(super) fn write(&self, v: Value<'a>, into: &mut Encoder<'_>) -> Result<(), Fault<'a>> {
        if self.changed_count.get() == 0 {
            return into.value(v);
        }
        self.spend(1)?;
        match self.settle(v) {
            Value::Json(numbers, raw) if raw.starts_with('[') => {
                into.begin_list()?;
                for element in scan::elements(raw) {
                    self.write_json(element, numbers, into)?;
                }
                into.end()
            }
            Value::Json(numbers, raw) => {
                into.begin_object()?;
                for (key, member) in scan::members(raw) {
                    into.json_key(key)?;
                    self.write_json(member, numbers, into)?;
                }
                into.end()
            }
            Value::Packed(p) => match p.object() {
                Some(object) => {
                    into.begin_object()?;
                    for (key, member) in object.entries() {
                        into.key(key)?;
                        self.write(member, into)?;
                    }
                    into.end()
                }
                None => {
                    into.begin_list()?;
                    for element in p.elements() {
                        self.write(element, into)?;
                    }
                    into.end()
                }
            },
            other => into.value(other),
        }
    }

    fn write_json(&self, raw: &'a str, numbers: Numbers, into: &mut Encoder<'_>) -> Result<(), Fault<'a>> {
        if raw.starts_with(['{', '[']) { self.write(Value::Json(numbers, raw), into) } else { into.json(raw, numbers) }
    }

    /// A list, packed; `None` if it is none.
    pub(super) fn list(&self, v: Val<'a>) -> Result<Option<Packed<'a>>, Fault<'a>> {
        let list = self.deep(v.v)?.list(self.scratch)?;
        self.spend(list.map_or(0, Packed::count))?;
        Ok(list)
    }

    /// An object in its current state; `None` if it is none.
    pub(super) fn object(&self, v: Val<'a>) -> Result<Option<Object<'a>>, Fault<'a>> {
        let object = self.deep(v.v)?.object(self.scratch)?;
        self.spend(object.map_or(0, Object::count))?;
        Ok(object)
    }

    /// A list of these values.
    pub(super) fn make_list(&self, elements: impl Iterator<Item = Value<'a>>) -> Result<Value<'a>, Fault<'a>> {
        let mut writer = self.scratch.pack();
        writer.begin_list()?;
        for element in elements {
            self.spend(1)?;
            self.write(element, &mut writer)?;
        }
        writer.end()?;
        writer.finish().map(Value::Packed)
    }

    /// An object of these entries; of equal keys the last one stays.
    pub(super) fn make_object(&self, entries: impl Iterator<Item = (&'a str, Value<'a>)>) -> Result<Value<'a>, Fault<'a>> {
        let mut writer = self.scratch.pack();
        writer.begin_object()?;
        for (key, value) in entries {
            self.spend(1)?;
            writer.key(key)?;
            self.write(value, &mut writer)?;
        }
        writer.end()?;
        writer.finish().map(Value::Packed)
    }
}

/// Where a list or object lies in memory: its identity.
fn place(v: Value<'_>) -> Option<usize> {
    match v {
        Value::Json(_, raw) => Some(raw.as_ptr() as usize),
        Value::Packed(p) => Some(p.as_bytes().as_ptr() as usize),
        _ => None,
    }
}
