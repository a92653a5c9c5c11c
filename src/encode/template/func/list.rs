//! Sprig's lists. `x` and `mustX` differ in Go by a panic that templates turn into the same error; here they are one.

use super::super::print;
use super::super::val::{Cx, Res, Tag, Val};
use super::math::to_int;
use super::{Args, Func, NIL_POINTER, Param, arg, int, rest, text};
use crate::value::{Fault, Packed, Value};

const ANY: &[Param] = &[Param::Any];
const TWO: &[Param] = &[Param::Any, Param::Any];
const MORE: Option<Param> = Some(Param::Any);

macro_rules! twice {
    ($($name:literal, $must:literal, $fixed:expr, $rest:expr, $run:expr;)*) => {
        &[
            $(Func::new($name, $fixed, $rest, $run), Func::new($must, $fixed, $rest, $run),)*
            Func::new("tuple", &[], MORE, list),
            Func::new("list", &[], MORE, list),
            Func::new("push", TWO, None, push),
            Func::new("mustPush", TWO, None, push),
            Func::new("concat", &[], MORE, concat),
            Func::new("toStrings", ANY, None, |cx, args| Ok(Val::tagged(strings(arg(args, 0), cx)?, Tag::Strings))),
            Func::new("join", &[Param::Str, Param::Any], None, join),
            Func::new("sortAlpha", ANY, None, sort_alpha),
        ]
    };
}

pub(super) const FUNCS: &[Func] = twice! {
    "append", "mustAppend", TWO, None, push;
    "prepend", "mustPrepend", TWO, None, |cx, args| {
        let list = packed(arg(args, 0), "prepend on", cx)?;
        made(core::iter::once(arg(args, 1).v).chain(list.elements()), cx)
    };
    "first", "mustFirst", ANY, None, |cx, args| {
        let list = packed(arg(args, 0), "find first on", cx)?;
        Ok(list.elements().next().map_or(Val::NIL, |v| arg(args, 0).element(v)))
    };
    "last", "mustLast", ANY, None, |cx, args| {
        let list = packed(arg(args, 0), "find last on", cx)?;
        Ok(list.elements().last().map_or(Val::NIL, |v| arg(args, 0).element(v)))
    };
    "rest", "mustRest", ANY, None, |cx, args| made(packed(arg(args, 0), "find rest on", cx)?.elements().skip(1), cx);
    "initial", "mustInitial", ANY, None, |cx, args| {
        let list = packed(arg(args, 0), "find initial on", cx)?;
        made(list.elements().take(list.count().saturating_sub(1)), cx)
    };
    "reverse", "mustReverse", ANY, None, |cx, args| {
        let list = packed(arg(args, 0), "find reverse on", cx)?;
        cx.spend(list.count().saturating_mul(list.count()) / 8)?;
        made((0..list.count()).rev().filter_map(|i| list.elements().nth(i)), cx)
    };
    "uniq", "mustUniq", ANY, None, |cx, args| {
        let list = packed(arg(args, 0), "find uniq on", cx)?;
        let mut keep = Keep::default();
        for (i, v) in list.elements().enumerate() {
            keep.set(i, !has(list.elements().take(i), v, cx)?)?;
        }
        made(list.elements().enumerate().filter(|(i, _)| keep.get(*i)).map(|(_, v)| v), cx)
    };
    "without", "mustWithout", ANY, MORE, |cx, args| {
        let list = packed(arg(args, 0), "find without on", cx)?;
        let mut keep = Keep::default();
        for (i, v) in list.elements().enumerate() {
            keep.set(i, !has(rest(args, 1).map(|v| v.v), v, cx)?)?;
        }
        made(list.elements().enumerate().filter(|(i, _)| keep.get(*i)).map(|(_, v)| v), cx)
    };
    "has", "mustHas", TWO, None, |cx, args| {
        if arg(args, 1).is_nil() {
            return Ok(Val::bool(false));
        }
        let list = packed(arg(args, 1), "find has on", cx)?;
        has(list.elements(), arg(args, 0).v, cx).map(Val::bool)
    };
    "slice", "mustSlice", ANY, MORE, slice;
    "chunk", "mustChunk", &[Param::Int, Param::Any], None, chunk;
    "compact", "mustCompact", ANY, None, |cx, args| {
        let list = packed(arg(args, 0), "compact on", cx)?;
        made(list.elements().filter(|v| !empty(Val::data(*v), cx)), cx)
    };
};

/// Which elements of a list stay: at most 4096 are looked at.
struct Keep([u64; 64]);

impl Default for Keep {
    fn default() -> Self {
        Self([0; 64])
    }
}

impl Keep {
    fn set<'a>(&mut self, i: usize, keep: bool) -> Result<(), Fault<'a>> {
        let word = self.0.get_mut(i / 64).ok_or(Fault::new("the list has more than 4096 elements"))?;
        *word |= u64::from(keep) << (i % 64);
        Ok(())
    }

    fn get(&self, i: usize) -> bool {
        self.0.get(i / 64).is_some_and(|word| word >> (i % 64) & 1 == 1)
    }
}

/// The zero value of its type, as sprig's `empty` has it.
pub(super) fn empty<'a>(v: Val<'a>, cx: &Cx<'_, 'a>) -> bool {
    !v.truth(cx).unwrap_or(false)
}

fn packed<'a>(v: Val<'a>, verb: &str, cx: &Cx<'_, 'a>) -> Result<Packed<'a>, Fault<'a>> {
    if v.is_nil() {
        return Err(NIL_POINTER);
    }
    match cx.list(v)? {
        Some(list) => Ok(list),
        None => Err(cx.fault(format_args!("Cannot {verb} type {}", v.kind_name()))),
    }
}

fn made<'a>(elements: impl Iterator<Item = Value<'a>>, cx: &Cx<'_, 'a>) -> Res<'a> {
    cx.make_list(elements).map(Val::data)
}

fn list<'a>(cx: &Cx<'_, 'a>, args: Args<'_, 'a>) -> Res<'a> {
    made(rest(args, 0).map(|v| v.v), cx)
}

fn push<'a>(cx: &Cx<'_, 'a>, args: Args<'_, 'a>) -> Res<'a> {
    let list = packed(arg(args, 0), "push on", cx)?;
    made(list.elements().chain(core::iter::once(arg(args, 1).v)), cx)
}

fn concat<'a>(cx: &Cx<'_, 'a>, args: Args<'_, 'a>) -> Res<'a> {
    for v in rest(args, 0) {
        if v.is_nil() {
            return Err(NIL_POINTER);
        }
        if !v.is_list() {
            return Err(cx.fault(format_args!("Cannot concat type {} as list", v.kind_name())));
        }
    }
    // Packed one by one beforehand: only one value can be written at a time.
    let mut lists = [None; crate::limits::ARG_COUNT];
    for (place, v) in lists.iter_mut().zip(rest(args, 0)) {
        *place = cx.list(v)?;
    }
    made(lists.iter().flatten().flat_map(|l: &Packed<'a>| l.elements()), cx)
}

fn has<'a>(mut list: impl Iterator<Item = Value<'a>>, v: Value<'a>, cx: &Cx<'_, 'a>) -> Result<bool, Fault<'a>> {
    loop {
        cx.spend(1)?;
        match list.next() {
            None => return Ok(false),
            Some(other) if super::same(Val::data(other), Val::data(v), cx)? => return Ok(true),
            Some(_) => {}
        }
    }
}

fn slice<'a>(cx: &Cx<'_, 'a>, args: Args<'_, 'a>) -> Res<'a> {
    let v = arg(args, 0);
    if v.is_nil() {
        return Err(NIL_POINTER);
    }
    let Some(list) = cx.list(v)? else {
        return Err(cx.fault(format_args!("list should be type of slice or array but {}", v.kind_name())));
    };
    if list.is_empty() {
        return Ok(Val::NIL);
    }
    let count = i64::try_from(list.count()).unwrap_or(i64::MAX);
    let start = if args.len() > 1 { to_int(arg(args, 1)) } else { 0 };
    let end = if args.len() > 2 { to_int(arg(args, 2)) } else { count };
    match (usize::try_from(start), usize::try_from(end)) {
        (Ok(start), Ok(end)) if start <= end && end <= list.count() => {
            let cut = cx.make_list(list.elements().skip(start).take(end - start))?;
            Ok(Val::tagged(cut, v.tag))
        }
        _ => Err(Fault::new("reflect.Value.Slice: slice index out of bounds")),
    }
}

fn chunk<'a>(cx: &Cx<'_, 'a>, args: Args<'_, 'a>) -> Res<'a> {
    let list = packed(arg(args, 1), "chunk", cx)?;
    let size = Some(int(args, 0)).filter(|s| *s > 0).ok_or(Fault::new("runtime error: makeslice: len out of range"))?;
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let mut writer = cx.scratch.pack();
    writer.begin_list()?;
    for (i, v) in list.elements().enumerate() {
        if i % size == 0 {
            if i > 0 {
                writer.end()?;
            }
            writer.begin_list()?;
        }
        cx.write(v, &mut writer)?;
    }
    if !list.is_empty() {
        writer.end()?;
    }
    writer.end()?;
    Ok(Val::tagged(Value::Packed(writer.finish()?), Tag::Lists))
}

/// Texts of a list's elements, nil ones left out; of anything else a list of its one text.
fn strings<'a>(v: Val<'a>, cx: &Cx<'_, 'a>) -> Result<Value<'a>, Fault<'a>> {
    let Some(list) = cx.list(v)? else {
        let one = if v.is_nil() { None } else { Some(Value::Str(print::strval(v, cx)?)) };
        return cx.make_list(one.into_iter());
    };
    if list.elements().any(|e| matches!(e, Value::Json(..) | Value::Packed(_))) {
        return nested(list, cx);
    }
    let mut writer = cx.scratch.pack();
    writer.begin_list()?;
    for element in list.elements().filter(|e| !e.is_null()) {
        match element {
            Value::Str(_) => writer.value(element)?,
            _ => writer.value(Value::Str(print::strval(v.element(element), cx)?))?,
        }
    }
    writer.end()?;
    writer.finish().map(Value::Packed)
}

/// As [`strings`] where elements are lists or objects: printing them takes the packed half, so the texts are made first.
fn nested<'a>(list: Packed<'a>, cx: &Cx<'_, 'a>) -> Result<Value<'a>, Fault<'a>> {
    const TEXTS: usize = 64;
    let mut texts = [""; TEXTS];
    let mut count = 0;
    for element in list.elements().filter(|e| !e.is_null()) {
        let place = texts.get_mut(count).ok_or(Fault::new("the list of lists or objects has more than 64 elements"))?;
        *place = print::strval(Val::data(element), cx)?;
        count += 1;
    }
    cx.make_list(texts.into_iter().take(count).map(Value::Str))
}

fn join<'a>(cx: &Cx<'_, 'a>, args: Args<'_, 'a>) -> Res<'a> {
    let v = arg(args, 1);
    let Some(list) = cx.list(v)? else {
        return if v.is_nil() { Ok(Val::str("")) } else { print::strval(v, cx).map(Val::str) };
    };
    cx.text(|out| {
        for (i, element) in list.elements().filter(|e| !e.is_null()).enumerate() {
            if i > 0 {
                out.text(text(args, 0))?;
            }
            match element {
                Value::Bytes(bytes) => out.bytes(bytes)?,
                _ => print::go_v(out, v.element(element), cx)?,
            }
        }
        Ok(())
    })
}

fn sort_alpha<'a>(cx: &Cx<'_, 'a>, args: Args<'_, 'a>) -> Res<'a> {
    let texts = strings(arg(args, 0), cx)?;
    let Value::Packed(list) = texts else { return Ok(Val::NIL) };
    // Places of the texts, sorted.
    cx.spend(list.count().saturating_mul(8))?;
    let (places, _) = cx.scratch.alloc(4 * list.count())?.as_chunks_mut::<4>();
    let base = list.as_bytes().as_ptr() as usize;
    for (place, v) in places.iter_mut().zip(list.elements()) {
        if let Value::Str(text) = v {
            *place = u32::try_from(text.as_ptr() as usize - base).map_err(|_| Fault::FULL)?.to_le_bytes();
        }
    }
    let text_at = |place: &[u8; 4]| {
        let at = u32::from_le_bytes(*place) as usize;
        let len = list.as_bytes().get(at.wrapping_sub(4)..at).and_then(|b| b.try_into().ok()).map_or(0, u32::from_le_bytes) as usize;
        list.as_bytes().get(at..at + len).and_then(|b| core::str::from_utf8(b).ok()).unwrap_or("")
    };
    places.sort_unstable_by(|a, b| text_at(a).cmp(text_at(b)));
    let sorted = cx.make_list(places.iter().map(|p| Value::Str(text_at(p))))?;
    Ok(Val::tagged(sorted, Tag::Strings))
}
