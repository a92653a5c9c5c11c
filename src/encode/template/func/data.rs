//! Defaults, JSON, types and encodings: sprig's, and eKuiper's own `json`, `base64` and `prop`.

use super::super::print;
use super::super::val::{Cx, Res, Tag, Val};
use super::list::empty;
use super::{Args, Func, Param, arg, rest, text};
use crate::decode::base64;
use crate::json::scan;
use crate::json::write::Out;
use crate::value::{self, Fault, Numbers, Value};

const ANY: &[Param] = &[Param::Any];
const STR: &[Param] = &[Param::Str];
const MORE: Option<Param> = Some(Param::Any);

pub(super) const FUNCS: &[Func] = &[
    Func::new("default", ANY, MORE, |cx, args| {
        let given = arg(args, 1);
        Ok(if args.len() < 2 || empty(given, cx) { arg(args, 0) } else { given })
    }),
    Func::new("empty", ANY, None, |cx, args| Ok(Val::bool(empty(arg(args, 0), cx)))),
    Func::new("coalesce", &[], MORE, |cx, args| Ok(rest(args, 0).find(|v| !empty(*v, cx)).unwrap_or(Val::NIL))),
    Func::new("all", &[], MORE, |cx, args| Ok(Val::bool(rest(args, 0).all(|v| !empty(v, cx))))),
    Func::new("any", &[], MORE, |cx, args| Ok(Val::bool(rest(args, 0).any(|v| !empty(v, cx))))),
    Func::new("ternary", &[Param::Any, Param::Any, Param::Bool], None, |_, args| {
        Ok(arg(args, if matches!(arg(args, 2).v, Value::Bool(true)) { 0 } else { 1 }))
    }),
    Func::new("fail", STR, None, |_, args| Err(Fault::new(text(args, 0)))),
    Func::new("prop", STR, None, |_, args| Ok(arg(args, 0))),
    Func::new("json", ANY, None, |cx, args| Ok(json(arg(args, 0), cx).unwrap_or(Val::str("")))),
    Func::new("toJson", ANY, None, |cx, args| Ok(json(arg(args, 0), cx).unwrap_or(Val::str("")))),
    Func::new("mustToJson", ANY, None, |cx, args| json(arg(args, 0), cx)),
    Func::new("toPrettyJson", ANY, None, |cx, args| Ok(pretty(arg(args, 0), cx).unwrap_or(Val::str("")))),
    Func::new("mustToPrettyJson", ANY, None, |cx, args| pretty(arg(args, 0), cx)),
    Func::new("toRawJson", ANY, None, |cx, args| raw(arg(args, 0), cx)),
    Func::new("mustToRawJson", ANY, None, |cx, args| raw(arg(args, 0), cx)),
    Func::new("fromJson", STR, None, |cx, args| Ok(from_json(text(args, 0), cx).unwrap_or(Val::NIL))),
    Func::new("mustFromJson", STR, None, |cx, args| from_json(text(args, 0), cx)),
    Func::new("typeOf", ANY, None, |_, args| Ok(Val::str(arg(args, 0).type_name()))),
    Func::new("typeIs", &[Param::Str, Param::Any], None, |_, args| Ok(Val::bool(text(args, 0) == arg(args, 1).type_name()))),
    Func::new("typeIsLike", &[Param::Str, Param::Any], None, |_, args| {
        let (target, name) = (text(args, 0), arg(args, 1).type_name());
        Ok(Val::bool(target == name || name.strip_prefix('*') == Some(target)))
    }),
    Func::new("kindOf", ANY, None, |_, args| Ok(Val::str(arg(args, 0).kind_name()))),
    Func::new("kindIs", &[Param::Str, Param::Any], None, |_, args| Ok(Val::bool(text(args, 0) == arg(args, 1).kind_name()))),
    Func::new("deepEqual", &[Param::Any, Param::Any], None, |cx, args| super::same(arg(args, 0), arg(args, 1), cx).map(Val::bool)),
    Func::new("base64", ANY, None, base64_of),
    Func::new("b64enc", STR, None, |cx, args| coded(text(args, 0).as_bytes(), &data_encoding::BASE64, cx)),
    Func::new("b32enc", STR, None, |cx, args| coded(text(args, 0).as_bytes(), &data_encoding::BASE32, cx)),
    Func::new("b64dec", STR, None, |cx, args| {
        let coded = text(args, 0);
        let place = cx.scratch.alloc(coded.len() / 4 * 3 + 3)?;
        match base64::decode(coded.as_bytes(), place) {
            Ok(len) => cx.utf8(&place[..len]).map(Val::str),
            Err(at) => cx.scratch.format(format_args!("illegal base64 data at input byte {at}")).map(Val::str),
        }
    }),
    Func::new("b32dec", STR, None, |cx, args| {
        let coded = text(args, 0).as_bytes();
        let wrong = |at: usize| cx.scratch.format(format_args!("illegal base32 data at input byte {at}")).map(Val::str);
        let Ok(room) = data_encoding::BASE32.decode_len(coded.len()) else { return wrong(coded.len() / 8 * 8) };
        let place = cx.scratch.alloc(room)?;
        match data_encoding::BASE32.decode_mut(coded, place) {
            Ok(len) => cx.utf8(&place[..len]).map(Val::str),
            Err(partial) => wrong(partial.error.position),
        }
    }),
];

/// Writes a value as Go's `json.Marshal` would.
fn write_json<'a>(out: &mut Out<'_>, v: Val<'a>, cx: &Cx<'_, 'a>) -> Result<(), Fault<'a>> {
    match v.tag {
        Tag::Version => {
            out.byte(b'"')?;
            print::go_v(out, v, cx)?;
            Ok(out.byte(b'"')?)
        }
        _ => value::text::json(out, cx.deep(v.v)?, cx.scratch),
    }
}

fn json<'a>(v: Val<'a>, cx: &Cx<'_, 'a>) -> Res<'a> {
    cx.text(|out| write_json(out, v, cx))
}

/// Two spaces a level, as `json.MarshalIndent` has it.
fn pretty<'a>(v: Val<'a>, cx: &Cx<'_, 'a>) -> Res<'a> {
    let compact = cx.string(|out| write_json(out, v, cx))?;
    cx.text(|out| {
        let line = |out: &mut Out<'_>, depth: usize| -> Result<(), Fault<'a>> {
            out.byte(b'\n')?;
            for _ in 0..depth {
                out.text("  ")?;
            }
            Ok(())
        };
        let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
        let bytes = compact.as_bytes();
        for (i, c) in bytes.iter().copied().enumerate() {
            if quoted {
                out.byte(c)?;
                quoted = escaped || c != b'"';
                escaped = c == b'\\' && !escaped;
                continue;
            }
            match c {
                b'"' => {
                    quoted = true;
                    out.byte(c)?;
                }
                b'{' | b'[' => {
                    out.byte(c)?;
                    if !matches!(bytes.get(i + 1), Some(b'}' | b']')) {
                        depth += 1;
                        line(out, depth)?;
                    }
                }
                b'}' | b']' => {
                    if !matches!(bytes.get(i.wrapping_sub(1)), Some(b'{' | b'[')) {
                        depth = depth.saturating_sub(1);
                        line(out, depth)?;
                    }
                    out.byte(c)?;
                }
                b',' => {
                    out.byte(c)?;
                    line(out, depth)?;
                }
                b':' => out.text(": ")?,
                _ => out.byte(c)?,
            }
        }
        Ok(())
    })
}

/// Without the escapes of `<`, `>` and `&`.
fn raw<'a>(v: Val<'a>, cx: &Cx<'_, 'a>) -> Res<'a> {
    let escaped = cx.string(|out| write_json(out, v, cx))?;
    cx.text(|out| {
        let mut rest = escaped;
        while let Some(at) = rest.find('\\') {
            out.text(&rest[..at])?;
            let (len, text) = match rest.get(at..at + 6) {
                Some("\\u003c") => (6, "<"),
                Some("\\u003e") => (6, ">"),
                Some("\\u0026") => (6, "&"),
                _ => (2, rest.get(at..at + 2).unwrap_or("\\")),
            };
            out.text(text)?;
            rest = rest.get(at + len..).unwrap_or("");
        }
        Ok(out.text(rest)?)
    })
}

fn from_json<'a>(text: &'a str, cx: &Cx<'_, 'a>) -> Res<'a> {
    cx.spend(text.len() / 64)?;
    match scan::check(text, |_| {}) {
        Ok(_) => Value::from_json(text.trim_matches([' ', '\t', '\r', '\n']), Numbers::Float, cx.scratch).map(Val::data),
        Err(e) => Err(cx.fault(format_args!("invalid JSON: {e}"))),
    }
}

fn coded<'a>(bytes: &[u8], encoding: &data_encoding::Encoding, cx: &Cx<'_, 'a>) -> Res<'a> {
    let place = cx.scratch.alloc(encoding.encode_len(bytes.len()))?;
    encoding.encode_mut(bytes, place);
    cx.utf8(place).map(Val::str)
}

fn base64_of<'a>(cx: &Cx<'_, 'a>, args: Args<'_, 'a>) -> Res<'a> {
    let v = arg(args, 0);
    let text = match (v.tag, v.v) {
        (_, Value::Null) => return Err(Fault::new("based64 error for nil")),
        (Tag::Data, Value::Str(text)) => text,
        (Tag::Data | Tag::Int | Tag::Int64 | Tag::Uint64, Value::Bool(_) | Value::Int(_) | Value::Float(_)) => {
            cx.string(|out| crate::encode::plain(out, v.v, cx.scratch))?
        }
        _ if v.is_map() => cx.string(|out| write_json(out, v, cx))?,
        _ => return Err(cx.fault(format_args!("Unsupported data type {} for base64 function.", v.kind_name()))),
    };
    coded(text.as_bytes(), &data_encoding::BASE64, cx)
}
