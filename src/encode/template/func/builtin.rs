//! Go's own functions: comparison, logic, `len`, `index`, printing and escaping. `and` and `or` are in `exec`, `slice` is sprig's.

use super::super::print;
use super::super::printf;
use super::super::val::{Cx, Res, Tag, Val};
use super::{Args, Func, Param, arg, rest, text};
use crate::encode::urlencoded;
use crate::json::write::Out;
use crate::value::{self, Fault, Value};

const ANY: &[Param] = &[Param::Any];
const TWO: &[Param] = &[Param::Any, Param::Any];
const MORE: Option<Param> = Some(Param::Any);

pub(super) const FUNCS: &[Func] = &[
    Func::new("and", ANY, MORE, |_, args| Ok(arg(args, 0))),
    Func::new("or", ANY, MORE, |_, args| Ok(arg(args, 0))),
    Func::new("not", ANY, None, |cx, args| Ok(Val::bool(!arg(args, 0).truth(cx)?))),
    Func::new("eq", ANY, MORE, |cx, args| eq(arg(args, 0), rest(args, 1), cx).map(Val::bool)),
    Func::new("ne", TWO, None, |cx, args| Ok(Val::bool(!eq(arg(args, 0), rest(args, 1), cx)?))),
    Func::new("lt", TWO, None, |cx, args| less(arg(args, 0), arg(args, 1), cx).map(Val::bool)),
    Func::new("le", TWO, None, |cx, args| less_or_equal(args, cx).map(Val::bool)),
    Func::new("gt", TWO, None, |cx, args| Ok(Val::bool(!less_or_equal(args, cx)?))),
    Func::new("ge", TWO, None, |cx, args| Ok(Val::bool(!less(arg(args, 0), arg(args, 1), cx)?))),
    Func::new("len", ANY, None, len),
    Func::new("index", ANY, MORE, index),
    Func::new("print", &[], MORE, |cx, args| cx.text(|out| print::sprint(out, rest(args, 0), cx))),
    Func::new("println", &[], MORE, |cx, args| cx.text(|out| print::sprintln(out, rest(args, 0), cx))),
    Func::new("printf", &[Param::Str], MORE, |cx, args| cx.text(|out| printf::printf(out, text(args, 0), &args[1..], cx))),
    Func::new("html", &[], MORE, |cx, args| {
        let plain = operands(args, cx)?;
        cx.text(|out| html(out, plain))
    }),
    Func::new("js", &[], MORE, |cx, args| {
        let plain = operands(args, cx)?;
        cx.text(|out| js(out, plain))
    }),
    Func::new("urlquery", &[], MORE, |cx, args| {
        let plain = operands(args, cx)?;
        cx.text(|out| Ok(urlencoded::query(out, plain.as_bytes())?))
    }),
];

/// The text of operands, as the escaping functions see it.
fn operands<'a>(args: Args<'_, 'a>, cx: &Cx<'_, 'a>) -> Result<&'a str, Fault<'a>> {
    let shown = |v: Val<'a>| if v.is_nil() { Val::str("<no value>") } else { v };
    match (args.len(), arg(args, 0).text()) {
        (1, Some(text)) => Ok(text),
        _ => cx.string(|out| print::sprint(out, rest(args, 0).map(shown), cx)),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Other,
    Bool,
    Int,
    Float,
    Str,
    Uint,
}

fn kind(v: Val<'_>) -> Kind {
    match (v.tag, v.v) {
        (Tag::Uint8 | Tag::Uint64, _) => Kind::Uint,
        (Tag::Version, _) => Kind::Other,
        (_, Value::Bool(_)) => Kind::Bool,
        (_, Value::Int(_)) => Kind::Int,
        (_, Value::Float(_)) => Kind::Float,
        (_, Value::Str(_)) => Kind::Str,
        _ => Kind::Other,
    }
}

fn incompatible<'a>(a: Val<'a>, b: Val<'a>, cx: &Cx<'_, 'a>) -> Fault<'a> {
    cx.fault(format_args!("incompatible types for comparison: {} and {}", a.type_name(), b.type_name()))
}

fn eq<'a>(a: Val<'a>, others: impl Iterator<Item = Val<'a>>, cx: &Cx<'_, 'a>) -> Result<bool, Fault<'a>> {
    let mut any = false;
    for b in others {
        any = true;
        let (ka, kb) = (kind(a), kind(b));
        let numbers = matches!((ka, kb), (Kind::Int, Kind::Uint) | (Kind::Uint, Kind::Int));
        let equal = if ka != kb && !numbers {
            if !a.is_nil() && !b.is_nil() {
                return Err(incompatible(a, b, cx));
            }
            false
        } else if ka != Kind::Other {
            value::same(a.v, b.v, cx.scratch)?
        } else if a.is_nil() || b.is_nil() {
            a.is_nil() && b.is_nil()
        } else if a.kind_name() != b.kind_name() {
            return Err(cx.fault(format_args!("non-comparable types {}, {}", a.type_name(), b.type_name())));
        } else if let (Value::Time(x), Value::Time(y)) = (a.v, b.v) {
            x == y
        } else {
            return Err(cx.fault(format_args!("non-comparable type {}", b.type_name())));
        };
        if equal {
            return Ok(true);
        }
    }
    if any { Ok(false) } else { Err(Fault::new("missing argument for comparison")) }
}

fn less<'a>(a: Val<'a>, b: Val<'a>, cx: &Cx<'_, 'a>) -> Result<bool, Fault<'a>> {
    let (ka, kb) = (kind(a), kind(b));
    if ka == Kind::Other || kb == Kind::Other {
        return Err(Fault::new("invalid type for comparison"));
    }
    match (a.v, b.v) {
        (Value::Int(x), Value::Int(y)) => Ok(x < y),
        (Value::Float(x), Value::Float(y)) => Ok(x < y),
        (Value::Str(x), Value::Str(y)) => Ok(x < y),
        (Value::Bool(_), Value::Bool(_)) => Err(Fault::new("invalid type for comparison")),
        _ => Err(incompatible(a, b, cx)),
    }
}

fn less_or_equal<'a>(args: Args<'_, 'a>, cx: &Cx<'_, 'a>) -> Result<bool, Fault<'a>> {
    let (a, b) = (arg(args, 0), arg(args, 1));
    Ok(less(a, b, cx)? || eq(a, core::iter::once(b), cx)?)
}

/// Go's `reflect.DeepEqual` of two values.
pub(in super::super) fn same<'a>(a: Val<'a>, b: Val<'a>, cx: &Cx<'_, 'a>) -> Result<bool, Fault<'a>> {
    value::same(cx.deep(a.v)?, cx.deep(b.v)?, cx.scratch)
}

#[expect(clippy::cast_possible_wrap, reason = "lengths are far below 2^63")]
fn len<'a>(cx: &Cx<'_, 'a>, args: Args<'_, 'a>) -> Res<'a> {
    let v = arg(args, 0);
    let count = match v.v {
        Value::Null => return Err(Fault::new("len of nil pointer")),
        Value::Str(text) if v.tag != Tag::Version => Some(text.len()),
        Value::Bytes(bytes) => Some(bytes.len()),
        other => cx.settle(other).count(cx.scratch)?,
    };
    match count {
        Some(count) => Ok(Val::int(count as i64)),
        None => Err(cx.fault(format_args!("len of type {}", v.type_name()))),
    }
}

fn index<'a>(cx: &Cx<'_, 'a>, args: Args<'_, 'a>) -> Res<'a> {
    let mut item = arg(args, 0);
    if item.is_nil() {
        return Err(Fault::new("index of untyped nil"));
    }
    for at in rest(args, 1) {
        if item.is_nil() {
            return Err(Fault::new("index of nil pointer"));
        }
        if item.is_map() {
            let Some(key) = at.text() else {
                return Err(if at.is_nil() {
                    Fault::new("value is nil; should be of type string")
                } else {
                    cx.fault(format_args!("value has type {}; should be string", at.type_name()))
                });
            };
            item = match cx.settle(item.v).member(key, cx.scratch)? {
                Some(member) => Val::data(member),
                None if item.tag == Tag::Texts => Val::str(""),
                None => Val::NIL,
            };
            continue;
        }
        let place = match at.v {
            Value::Int(i) => i,
            Value::Null => return Err(Fault::new("cannot index slice/array with nil")),
            _ => return Err(cx.fault(format_args!("cannot index slice/array with type {}", at.type_name()))),
        };
        let out_of_range = || cx.fault(format_args!("index out of range: {place}"));
        let i = usize::try_from(place).map_err(|_| out_of_range())?;
        item = match item.v {
            Value::Str(text) if item.tag != Tag::Version => byte(text.as_bytes().get(i).copied().ok_or_else(out_of_range)?),
            Value::Bytes(bytes) => byte(bytes.get(i).copied().ok_or_else(out_of_range)?),
            _ if item.is_list() => {
                let list = cx.list(item)?;
                item.element(list.and_then(|l| l.elements().nth(i)).ok_or_else(out_of_range)?)
            }
            _ => return Err(cx.fault(format_args!("can't index item of type {}", item.type_name()))),
        };
    }
    Ok(item)
}

fn byte<'a>(b: u8) -> Val<'a> {
    Val::tagged(Value::Int(i64::from(b)), Tag::Uint8)
}

fn html<'a>(out: &mut Out<'_>, text: &str) -> Result<(), Fault<'a>> {
    for c in text.chars() {
        match c {
            '\0' => out.text("\u{fffd}")?,
            '"' => out.text("&#34;")?,
            '\'' => out.text("&#39;")?,
            '&' => out.text("&amp;")?,
            '<' => out.text("&lt;")?,
            '>' => out.text("&gt;")?,
            _ => out.text(c.encode_utf8(&mut [0; 4]))?,
        }
    }
    Ok(())
}

fn js<'a>(out: &mut Out<'_>, text: &str) -> Result<(), Fault<'a>> {
    use core::fmt::Write as _;
    for c in text.chars() {
        match c {
            '\\' => out.text("\\\\")?,
            '\'' => out.text("\\'")?,
            '"' => out.text("\\\"")?,
            '<' | '>' | '&' | '=' | '\0'..='\u{1f}' => {
                out.write_fmt(format_args!("\\u{:04X}", u32::from(c))).map_err(|_| Fault::FULL)?;
            }
            _ if printf::is_print(c) || c.is_ascii() => out.text(c.encode_utf8(&mut [0; 4]))?,
            _ => out.write_fmt(format_args!("\\u{:04X}", u32::from(c))).map_err(|_| Fault::FULL)?,
        }
    }
    Ok(())
}
