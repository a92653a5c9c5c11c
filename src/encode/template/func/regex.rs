//! Sprig's regular expressions, on regex-lite: Go's syntax but for Unicode classes. Literal patterns are compiled when the
//! template is parsed; others for each call, the one thing here that allocates.

use regex_lite::Regex;

use super::super::val::{Cx, Res, Tag, Val};
use super::{Args, Func, Param, int, text};
use crate::json::write::Out;
use crate::value::{Fault, Value};

const TWO: &[Param] = &[Param::Str, Param::Str];
const THREE: &[Param] = &[Param::Str, Param::Str, Param::Str];
const COUNTED: &[Param] = &[Param::Str, Param::Str, Param::Int];

pub(super) const FUNCS: &[Func] = &[
    Func::new("regexMatch", TWO, None, |cx, args| Ok(Val::bool(pattern(cx, args).is_ok_and(|r| r.is_match(text(args, 1)))))),
    Func::new("mustRegexMatch", TWO, None, |cx, args| Ok(Val::bool(pattern(cx, args)?.is_match(text(args, 1))))),
    Func::new("regexFind", TWO, None, find),
    Func::new("mustRegexFind", TWO, None, find),
    Func::new("regexFindAll", COUNTED, None, find_all),
    Func::new("mustRegexFindAll", COUNTED, None, find_all),
    Func::new("regexReplaceAll", THREE, None, |cx, args| replaced(cx, args, false)),
    Func::new("mustRegexReplaceAll", THREE, None, |cx, args| replaced(cx, args, false)),
    Func::new("regexReplaceAllLiteral", THREE, None, |cx, args| replaced(cx, args, true)),
    Func::new("mustRegexReplaceAllLiteral", THREE, None, |cx, args| replaced(cx, args, true)),
    Func::new("regexSplit", COUNTED, None, split),
    Func::new("mustRegexSplit", COUNTED, None, split),
    Func::new("regexQuoteMeta", &[Param::Str], None, |cx, args| {
        cx.text(|out| {
            for c in text(args, 0).chars() {
                if "\\.+*?()|[]{}^$".contains(c) {
                    out.byte(b'\\')?;
                }
                out.text(c.encode_utf8(&mut [0; 4]))?;
            }
            Ok(())
        })
    }),
];

/// Compiles a pattern, at most 1 MiB large.
pub(in super::super) fn compile(pattern: &str) -> Result<Regex, regex_lite::Error> {
    regex_lite::RegexBuilder::new(pattern).size_limit(1 << 20).build()
}

/// A pattern compiled before, or for this call.
enum Pattern<'c> {
    Lent(&'c Regex),
    Own(Regex),
}

impl core::ops::Deref for Pattern<'_> {
    type Target = Regex;

    fn deref(&self) -> &Regex {
        match self {
            Self::Lent(regex) => regex,
            Self::Own(regex) => regex,
        }
    }
}

fn pattern<'c, 'a>(cx: &Cx<'c, 'a>, args: Args<'_, 'a>) -> Result<Pattern<'c>, Fault<'a>> {
    cx.spend(text(args, 1).len() / 16)?;
    match cx.regex.get() {
        Some(regex) => Ok(Pattern::Lent(regex)),
        None => compile(text(args, 0)).map(Pattern::Own).map_err(|e| cx.fault(format_args!("regexp: Compile({:?}): {e}", text(args, 0)))),
    }
}

fn find<'a>(cx: &Cx<'_, 'a>, args: Args<'_, 'a>) -> Res<'a> {
    let s: &'a str = text(args, 1);
    Ok(Val::str(pattern(cx, args)?.find(s).map_or("", |m| m.as_str())))
}

/// As many as `n` says; all if it is negative.
fn limit(n: i64) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

fn find_all<'a>(cx: &Cx<'_, 'a>, args: Args<'_, 'a>) -> Res<'a> {
    let (regex, s): (_, &'a str) = (pattern(cx, args)?, text(args, 1));
    let list = cx.make_list(regex.find_iter(s).take(limit(int(args, 2))).map(|m| Value::Str(m.as_str())))?;
    Ok(Val::tagged(list, Tag::Strings))
}

fn split<'a>(cx: &Cx<'_, 'a>, args: Args<'_, 'a>) -> Res<'a> {
    let (regex, s, n): (_, &'a str, _) = (pattern(cx, args)?, text(args, 1), int(args, 2));
    let mut writer = cx.scratch.pack();
    writer.begin_list()?;
    if s.is_empty() && n != 0 {
        writer.value(Value::Str(""))?;
    } else if n != 0 {
        let (mut from, mut end, mut count) = (0, 0, 0_usize);
        for found in regex.find_iter(s).take(limit(n)) {
            cx.spend(1)?;
            if n > 0 && count + 1 == limit(n) {
                break;
            }
            end = found.start();
            if found.end() != 0 {
                writer.value(Value::Str(s.get(from..end).unwrap_or("")))?;
                count += 1;
            }
            from = found.end();
        }
        if end != s.len() {
            writer.value(Value::Str(s.get(from..).unwrap_or("")))?;
        }
    }
    writer.end()?;
    Ok(Val::tagged(Value::Packed(writer.finish()?), Tag::Strings))
}

fn replaced<'a>(cx: &Cx<'_, 'a>, args: Args<'_, 'a>, literal: bool) -> Res<'a> {
    let (regex, s, with): (_, &'a str, _) = (pattern(cx, args)?, text(args, 1), text(args, 2));
    cx.text(|out| {
        let mut from = 0;
        for found in regex.captures_iter(s) {
            cx.spend(1)?;
            let Some(whole) = found.get(0) else { continue };
            out.text(s.get(from..whole.start()).unwrap_or(""))?;
            if literal {
                out.text(with)?
            } else {
                expand(out, with, &found)?
            }
            from = whole.end();
        }
        Ok(out.text(s.get(from..).unwrap_or(""))?)
    })
}

/// Puts groups in place of `$1`, `$name`, `${name}` and `$$`.
fn expand<'a>(out: &mut Out<'_>, with: &str, found: &regex_lite::Captures<'_>) -> Result<(), Fault<'a>> {
    let mut rest = with;
    while let Some(at) = rest.find('$') {
        out.text(&rest[..at])?;
        rest = &rest[at + 1..];
        if let Some(tail) = rest.strip_prefix('$') {
            out.byte(b'$')?;
            rest = tail;
            continue;
        }
        let is_word = |c: char| c == '_' || c.is_alphanumeric();
        let braced =
            rest.strip_prefix('{').and_then(|t| t.split_once('}')).filter(|(name, _)| !name.is_empty() && name.chars().all(is_word));
        let (name, tail) = braced.unwrap_or_else(|| rest.split_at(rest.find(|c| !is_word(c)).unwrap_or(rest.len())));
        if name.is_empty() {
            out.byte(b'$')?;
            continue;
        }
        rest = tail;
        let group = match name.parse::<usize>() {
            Ok(number) => found.get(number),
            Err(_) => found.name(name),
        };
        if let Some(group) = group {
            out.text(group.as_str())?;
        }
    }
    Ok(out.text(rest)?)
}
