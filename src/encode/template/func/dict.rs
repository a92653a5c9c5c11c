//! Sprig's dicts. `set`, `unset` and the merges change the dict they are given, for everyone who holds it ([`Cx::change`]).

use super::super::print;
use super::super::val::{Cx, Res, Tag, Val};
use super::list::empty;
use super::{Args, Func, Param, arg, rest, text};
use crate::limits::JSON_DEPTH;
use crate::value::packed::Encoder;
use crate::value::{Fault, Object, Value};

const MAP: &[Param] = &[Param::Map];
const MAP_KEY: &[Param] = &[Param::Map, Param::Str];
const MAPS: Option<Param> = Some(Param::Map);

pub(super) const FUNCS: &[Func] = &[
    Func::new("get", MAP_KEY, None, |cx, args| {
        let found = cx.settle(arg(args, 0).v).member(text(args, 1), cx.scratch)?;
        Ok(found.map_or(Val::str(""), Val::data))
    }),
    Func::new("set", &[Param::Map, Param::Str, Param::Any], None, |cx, args| {
        let dict = arg(args, 0);
        let Some(old) = cx.object(dict)? else { return Err(Fault::new("assignment to entry in nil map")) };
        let new = cx.make_object(old.entries().chain(core::iter::once((text(args, 1), arg(args, 2).v))))?;
        cx.change(dict.v, new)?;
        Ok(dict)
    }),
    Func::new("unset", MAP_KEY, None, |cx, args| {
        let dict = arg(args, 0);
        let Some(old) = cx.object(dict)? else { return Ok(dict) };
        let new = cx.make_object(old.entries().filter(|(key, _)| *key != text(args, 1)))?;
        cx.change(dict.v, new)?;
        Ok(dict)
    }),
    Func::new("hasKey", MAP_KEY, None, |cx, args| Ok(Val::bool(cx.settle(arg(args, 0).v).member(text(args, 1), cx.scratch)?.is_some()))),
    Func::new("pluck", &[Param::Str], MAPS, |cx, args| {
        let mut found = [None; crate::limits::ARG_COUNT];
        for (place, dict) in found.iter_mut().zip(rest(args, 1)) {
            *place = cx.settle(dict.v).member(text(args, 0), cx.scratch)?;
        }
        cx.make_list(found.into_iter().flatten()).map(Val::data)
    }),
    Func::new("keys", &[], MAPS, |cx, args| {
        let mut objects: [Option<Object<'_>>; crate::limits::ARG_COUNT] = [None; crate::limits::ARG_COUNT];
        for (place, dict) in objects.iter_mut().zip(rest(args, 0)) {
            *place = cx.object(dict)?;
        }
        let keys = objects.into_iter().flatten().flat_map(Object::entries).map(|(key, _)| Value::Str(key));
        Ok(Val::tagged(cx.make_list(keys)?, Tag::Strings))
    }),
    Func::new("values", MAP, None, |cx, args| {
        let object = cx.object(arg(args, 0))?;
        cx.make_list(object.into_iter().flat_map(Object::entries).map(|(_, v)| v)).map(Val::data)
    }),
    Func::new("pick", MAP, Some(Param::Str), |cx, args| chosen(cx, args, true)),
    Func::new("omit", MAP, Some(Param::Str), |cx, args| chosen(cx, args, false)),
    Func::new("dict", &[], Some(Param::Any), dict),
    Func::new("merge", MAP, MAPS, |cx, args| merge(cx, args, false)),
    Func::new("mustMerge", MAP, MAPS, |cx, args| merge(cx, args, false)),
    Func::new("mergeOverwrite", MAP, MAPS, |cx, args| merge(cx, args, true)),
    Func::new("mustMergeOverwrite", MAP, MAPS, |cx, args| merge(cx, args, true)),
    Func::new("deepCopy", &[Param::Any], None, copy),
    Func::new("mustDeepCopy", &[Param::Any], None, copy),
    Func::new("dig", &[], Some(Param::Any), dig),
];

fn chosen<'a>(cx: &Cx<'_, 'a>, args: Args<'_, 'a>, wanted: bool) -> Res<'a> {
    let object = cx.object(arg(args, 0))?;
    let named = |key: &str| rest(args, 1).any(|v| v.text() == Some(key));
    cx.make_object(object.into_iter().flat_map(Object::entries).filter(|(key, _)| named(key) == wanted)).map(Val::data)
}

fn dict<'a>(cx: &Cx<'_, 'a>, args: Args<'_, 'a>) -> Res<'a> {
    // Keys become text before the dict is written: only one value can be written at a time.
    let mut keys = [""; crate::limits::ARG_COUNT];
    for (key, v) in keys.iter_mut().zip(rest(args, 0).step_by(2)) {
        *key = print::strval(v, cx)?;
    }
    let value = |i: usize| if 2 * i + 1 < args.len() { arg(args, 2 * i + 1).v } else { Value::Str("") };
    cx.make_object(keys.into_iter().take(args.len().div_ceil(2)).enumerate().map(|(i, key)| (key, value(i)))).map(Val::data)
}

fn copy<'a>(cx: &Cx<'_, 'a>, args: Args<'_, 'a>) -> Res<'a> {
    let v = arg(args, 0);
    if v.is_nil() {
        return Err(super::NIL_POINTER);
    }
    if let Some(object) = cx.object(v)? {
        return cx.make_object(object.entries()).map(|copy| Val::tagged(copy, v.tag));
    }
    match cx.list(v)? {
        Some(list) => cx.make_list(list.elements()).map(|copy| Val::tagged(copy, v.tag)),
        None => Ok(v),
    }
}

fn dig<'a>(cx: &Cx<'_, 'a>, args: Args<'_, 'a>) -> Res<'a> {
    let Some(keys) = args.len().checked_sub(2).filter(|n| *n > 0) else { return Err(Fault::new("dig needs at least three arguments")) };
    let mut dict = arg(args, keys + 1);
    let wrong = |v: Val<'a>, want: &str| {
        let is = if v.is_nil() { "nil" } else { v.type_name() };
        cx.fault(format_args!("interface conversion: interface {{}} is {is}, not {want}"))
    };
    for (i, key) in rest(args, 0).take(keys).enumerate() {
        if !dict.is_map() {
            return Err(wrong(dict, "map[string]interface {}"));
        }
        let Some(name) = key.text() else { return Err(wrong(key, "string")) };
        match cx.settle(dict.v).member(name, cx.scratch)? {
            None => return Ok(arg(args, keys)),
            Some(step) if i + 1 == keys => return Ok(Val::data(step)),
            Some(step) => dict = Val::data(step),
        }
    }
    Ok(dict)
}

fn merge<'a>(cx: &Cx<'_, 'a>, args: Args<'_, 'a>, overwrite: bool) -> Res<'a> {
    let target = arg(args, 0);
    for source in rest(args, 1) {
        let (Some(into), Some(from)) = (deep_object(target.v, cx)?, deep_object(source.v, cx)?) else {
            return if target.is_nil() && !source.is_nil() { Ok(source) } else { Ok(target) };
        };
        let mut writer = cx.scratch.pack();
        merged(into, from, overwrite, 0, &mut writer, cx)?;
        let new = writer.finish()?;
        cx.change(target.v, Value::Packed(new))?;
    }
    Ok(target)
}

/// An object packed at every depth, so that merging needs no second writer.
fn deep_object<'a>(v: Value<'a>, cx: &Cx<'_, 'a>) -> Result<Option<Object<'a>>, Fault<'a>> {
    if !v.is_object() {
        return Ok(None);
    }
    let mut writer = cx.scratch.pack();
    deep(cx.settle(v), &mut writer, cx)?;
    Ok(writer.finish()?.object())
}

fn deep<'a>(v: Value<'a>, into: &mut Encoder<'_>, cx: &Cx<'_, 'a>) -> Result<(), Fault<'a>> {
    use crate::json::scan;
    cx.spend(1)?;
    match cx.settle(v) {
        Value::Json(numbers, raw) if raw.starts_with('{') => {
            into.begin_object()?;
            for (key, member) in scan::members(raw) {
                into.json_key(key)?;
                if member.starts_with('{') { deep(Value::Json(numbers, member), into, cx)? } else { into.json(member, numbers)? }
            }
            into.end()
        }
        Value::Packed(p) => match p.object() {
            Some(object) => {
                into.begin_object()?;
                for (key, member) in object.entries() {
                    into.key(key)?;
                    deep(member, into, cx)?;
                }
                into.end()
            }
            None => into.value(Value::Packed(p)),
        },
        other => into.value(other),
    }
}

fn merged<'a>(
    a: Object<'a>,
    b: Object<'a>,
    overwrite: bool,
    depth: usize,
    into: &mut Encoder<'_>,
    cx: &Cx<'_, 'a>,
) -> Result<(), Fault<'a>> {
    if depth > JSON_DEPTH {
        return Err(Fault::FULL);
    }
    into.begin_object()?;
    for (key, old) in a.entries() {
        cx.spend(1)?;
        into.key(key)?;
        match b.get(key) {
            None => into.value(old)?,
            Some(new) => match (object(old), object(new)) {
                (Some(x), Some(y)) => merged(x, y, overwrite, depth + 1, into, cx)?,
                _ => {
                    let take = if new.is_null() { overwrite } else { overwrite || empty(Val::data(old), cx) };
                    into.value(if take { new } else { old })?;
                }
            },
        }
    }
    for (key, new) in b.entries() {
        if a.get(key).is_none() && (overwrite || !new.is_null()) {
            into.entry(key, new)?;
        }
    }
    into.end()
}

fn object(v: Value<'_>) -> Option<Object<'_>> {
    match v {
        Value::Packed(p) => p.object(),
        _ => None,
    }
}
