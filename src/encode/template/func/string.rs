//! Sprig's strings. Where Go cuts octets and a character is cut through, U+FFFD stands for the rest of it.

use super::super::print;
use super::super::printf;
use super::super::val::{Cx, Res, Tag, Val};
use super::{Args, Func, Param, arg, int, rest, text};
use crate::json::write::Out;
use crate::value::{Fault, Value};

const STR: &[Param] = &[Param::Str];
const TWO: &[Param] = &[Param::Str, Param::Str];
const THREE: &[Param] = &[Param::Str, Param::Str, Param::Str];
const INT: &[Param] = &[Param::Int];
const INT_STR: &[Param] = &[Param::Int, Param::Str];
const MORE: Option<Param> = Some(Param::Any);

pub(super) const FUNCS: &[Func] = &[
    Func::new("hello", &[], None, |_, _| Ok(Val::str("Hello!"))),
    Func::new("toString", &[Param::Any], None, |cx, args| print::strval(arg(args, 0), cx).map(Val::str)),
    Func::new("trim", STR, None, |_, args| Ok(Val::str(text(args, 0).trim()))),
    Func::new("trimAll", TWO, None, |_, args| Ok(Val::str(text(args, 1).trim_matches(|c| text(args, 0).contains(c))))),
    Func::new("trimall", TWO, None, |_, args| Ok(Val::str(text(args, 1).trim_matches(|c| text(args, 0).contains(c))))),
    Func::new("trimSuffix", TWO, None, |_, args| Ok(Val::str(text(args, 1).strip_suffix(text(args, 0)).unwrap_or(text(args, 1))))),
    Func::new("trimPrefix", TWO, None, |_, args| Ok(Val::str(text(args, 1).strip_prefix(text(args, 0)).unwrap_or(text(args, 1))))),
    Func::new("upper", STR, None, |cx, args| mapped(text(args, 0), cx, |_, c| upper(c))),
    Func::new("lower", STR, None, |cx, args| mapped(text(args, 0), cx, |_, c| lower(c))),
    Func::new("title", STR, None, |cx, args| {
        mapped(text(args, 0), cx, |before, c| if before.is_none_or(is_separator) { upper(c) } else { c })
    }),
    Func::new("untitle", STR, None, |cx, args| {
        mapped(text(args, 0), cx, |before, c| if before.is_none_or(char::is_whitespace) && !c.is_whitespace() { lower(c) } else { c })
    }),
    Func::new("swapcase", STR, None, swapcase),
    Func::new("repeat", INT_STR, None, |cx, args| {
        let count = repeat_count(int(args, 0))?;
        let count = if text(args, 1).is_empty() { 0 } else { count };
        cx.text(|out| (0..count).try_for_each(|_| Ok(out.text(text(args, 1))?)))
    }),
    Func::new("substr", &[Param::Int, Param::Int, Param::Str], None, |cx, args| {
        let (start, end, s) = (int(args, 0), int(args, 1), text(args, 2));
        let len = length(s);
        match (start < 0, end < 0 || end > len) {
            (true, _) => cut(s, 0, end, cx),
            (false, true) => cut(s, start, len, cx),
            (false, false) => cut(s, start, end, cx),
        }
    }),
    Func::new("trunc", INT_STR, None, |cx, args| {
        let (count, s) = (int(args, 0), text(args, 1));
        let len = length(s);
        if count < 0 && len.saturating_add(count) > 0 {
            cut(s, len + count, len, cx)
        } else if count >= 0 && len > count {
            cut(s, 0, count, cx)
        } else {
            Ok(Val::str(s))
        }
    }),
    Func::new("abbrev", INT_STR, None, |cx, args| {
        let (width, s) = (int(args, 0), text(args, 1));
        if width < 4 { Ok(Val::str(s)) } else { abbreviated(s, 0, width, cx) }
    }),
    Func::new("abbrevboth", &[Param::Int, Param::Int, Param::Str], None, |cx, args| {
        let (left, right, s) = (int(args, 0), int(args, 1), text(args, 2));
        if right < 4 || left > 0 && right < 7 { Ok(Val::str(s)) } else { abbreviated(s, left, right, cx) }
    }),
    Func::new("nospace", STR, None, |cx, args| {
        // Go's helper goes by octets: other than ASCII text changes if there was a space to delete.
        let s = text(args, 0);
        if !s.bytes().any(|b| char::from(b).is_whitespace()) {
            return Ok(Val::str(s));
        }
        cx.text(|out| put(out, s.bytes().map(char::from).filter(|c| !c.is_whitespace())))
    }),
    Func::new("initials", STR, None, |cx, args| {
        let mut gap = true;
        let first = |c: &char| {
            let hit = gap && !c.is_whitespace();
            gap = c.is_whitespace();
            hit
        };
        cx.text(|out| put(out, text(args, 0).bytes().map(char::from).filter(first)))
    }),
    Func::new("randAlphaNum", INT, None, |cx, args| random(cx, args, b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")),
    Func::new("randAlpha", INT, None, |cx, args| random(cx, args, b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")),
    Func::new("randNumeric", INT, None, |cx, args| random(cx, args, b"0123456789")),
    Func::new("randAscii", INT, None, |cx, args| {
        let count = usize::try_from(int(args, 0)).unwrap_or(0);
        cx.text(|out| (0..count).try_for_each(|_| Ok(out.byte(b' ' + u8::try_from(cx.env.random() % 95).unwrap_or(0))?)))
    }),
    Func::new("shuffle", STR, None, |cx, args| {
        let bytes = cx.scratch.alloc(4 * text(args, 0).chars().count())?;
        let (chars, _) = bytes.as_chunks_mut::<4>();
        for (place, c) in chars.iter_mut().zip(text(args, 0).chars()) {
            *place = u32::from(c).to_le_bytes();
        }
        for i in (1..chars.len()).rev() {
            let span = u64::try_from(i + 1).unwrap_or(1);
            chars.swap(i, usize::try_from(cx.env.random() % span).unwrap_or(0));
        }
        cx.text(|out| put(out, chars.iter().filter_map(|c| char::from_u32(u32::from_le_bytes(*c)))))
    }),
    Func::new("snakecase", STR, None, |cx, args| cx.text(|out| separated(out, text(args, 0), '_'))),
    Func::new("kebabcase", STR, None, |cx, args| cx.text(|out| separated(out, text(args, 0), '-'))),
    Func::new("camelcase", STR, None, |cx, args| cx.text(|out| pascal(out, text(args, 0)))),
    Func::new("wrap", INT_STR, None, |cx, args| wrapped(text(args, 1), int(args, 0), "\n", false, cx)),
    Func::new("wrapWith", &[Param::Int, Param::Str, Param::Str], None, |cx, args| {
        let with = if text(args, 1).is_empty() { "\n" } else { text(args, 1) };
        wrapped(text(args, 2), int(args, 0), with, true, cx)
    }),
    Func::new("contains", TWO, None, |_, args| Ok(Val::bool(text(args, 1).contains(text(args, 0))))),
    Func::new("hasPrefix", TWO, None, |_, args| Ok(Val::bool(text(args, 1).starts_with(text(args, 0))))),
    Func::new("hasSuffix", TWO, None, |_, args| Ok(Val::bool(text(args, 1).ends_with(text(args, 0))))),
    Func::new("quote", &[], MORE, |cx, args| {
        joined(args, cx, |out, v| match v.text() {
            Some(text) => printf::quote(out, text, '"'),
            None => printf::quote(out, print_beside(v, cx)?, '"'),
        })
    }),
    Func::new("squote", &[], MORE, |cx, args| {
        joined(args, cx, |out, v| {
            out.byte(b'\'')?;
            print::go_v(out, v, cx)?;
            Ok(out.byte(b'\'')?)
        })
    }),
    Func::new("cat", &[], MORE, |cx, args| joined(args, cx, |out, v| print::go_v(out, v, cx))),
    Func::new("indent", INT_STR, None, |cx, args| indented(cx, args, "")),
    Func::new("nindent", INT_STR, None, |cx, args| indented(cx, args, "\n")),
    Func::new("replace", THREE, None, |cx, args| {
        let (old, new, s) = (text(args, 0), text(args, 1), text(args, 2));
        cx.text(|out| {
            let mut from = 0;
            for (at, found) in s.match_indices(old) {
                out.text(&s[from..at])?;
                out.text(new)?;
                from = at + found.len();
            }
            Ok(out.text(&s[from..])?)
        })
    }),
    Func::new("plural", &[Param::Str, Param::Str, Param::Int], None, |_, args| Ok(Val::str(text(args, usize::from(int(args, 2) != 1))))),
    Func::new("split", TWO, None, |cx, args| numbered(text(args, 1), text(args, 0), -1, cx)),
    Func::new("splitn", &[Param::Str, Param::Int, Param::Str], None, |cx, args| numbered(text(args, 2), text(args, 0), int(args, 1), cx)),
    Func::new("splitList", TWO, None, |cx, args| {
        let list = cx.make_list(pieces(text(args, 1), text(args, 0), -1).map(Value::Str))?;
        Ok(Val::tagged(list, Tag::Strings))
    }),
];

fn length(s: &str) -> i64 {
    i64::try_from(s.len()).unwrap_or(i64::MAX)
}

/// Go's simple case mapping: one character for one.
fn upper(c: char) -> char {
    let mut more = c.to_uppercase();
    more.next().filter(|_| more.next().is_none()).unwrap_or(c)
}

fn lower(c: char) -> char {
    let mut more = c.to_lowercase();
    more.next().filter(|_| more.next().is_none()).unwrap_or(c)
}

/// What ends a word for Go's `strings.Title`.
fn is_separator(c: char) -> bool {
    if c.is_ascii() { !(c.is_ascii_alphanumeric() || c == '_') } else { !c.is_alphanumeric() && c.is_whitespace() }
}

fn put<'a>(out: &mut Out<'_>, mut chars: impl Iterator<Item = char>) -> Result<(), Fault<'a>> {
    chars.try_for_each(|c| Ok(out.text(c.encode_utf8(&mut [0; 4]))?))
}

/// Maps each character, given the one before it.
fn mapped<'a>(s: &str, cx: &Cx<'_, 'a>, map: impl Fn(Option<char>, char) -> char) -> Res<'a> {
    let mut before = None;
    cx.text(|out| put(out, s.chars().map(|c| map(before.replace(c), c))))
}

fn swapcase<'a>(cx: &Cx<'_, 'a>, args: Args<'_, 'a>) -> Res<'a> {
    let mut gap = true;
    let swap = |c: char| {
        if c.is_uppercase() {
            gap = false;
            lower(c)
        } else if c.is_lowercase() {
            gap = false;
            upper(c)
        } else {
            gap = c.is_whitespace();
            c
        }
    };
    cx.text(|out| put(out, text(args, 0).chars().map(swap)))
}

/// Octets `from..to`, as Go slices a string.
fn cut<'a>(s: &'a str, from: i64, to: i64, cx: &Cx<'_, 'a>) -> Res<'a> {
    let bytes = usize::try_from(from).ok().zip(usize::try_from(to).ok()).and_then(|(from, to)| s.as_bytes().get(from..to));
    match bytes {
        Some(bytes) => cx.utf8(bytes).map(Val::str),
        None => Err(cx.fault(format_args!("runtime error: slice bounds out of range [{from}:{to}] with length {}", s.len()))),
    }
}

fn abbreviated<'a>(s: &'a str, offset: i64, width: i64, cx: &Cx<'_, 'a>) -> Res<'a> {
    let len = length(s);
    if len <= width {
        return Ok(Val::str(s));
    }
    let mut offset = offset.min(len);
    if len - offset < width - 3 {
        offset = len - (width - 3);
    }
    let octets = |from: i64, to: i64| cut(s, from, to, cx).map(|v| v.text().unwrap_or(""));
    if offset <= 4 {
        let front = octets(0, width - 3)?;
        return cx.text(|out| Ok([front, "..."].into_iter().try_for_each(|t| out.text(t))?));
    }
    if width < 7 {
        return Ok(Val::str(""));
    }
    if offset + width - 3 < len {
        // What is abbreviated a second time: to three less, from its front.
        let middle = if len - offset <= width - 3 {
            octets(offset, len)?
        } else if width - 3 < 4 {
            ""
        } else {
            octets(offset, offset + width - 6)?
        };
        let tail = if width - 3 < 4 || len - offset <= width - 3 { "" } else { "..." };
        return cx.text(|out| Ok(["...", middle, tail].into_iter().try_for_each(|t| out.text(t))?));
    }
    let end = octets(len - (width - 3), len)?;
    cx.text(|out| Ok(["...", end].into_iter().try_for_each(|t| out.text(t))?))
}

fn random<'a>(cx: &Cx<'_, 'a>, args: Args<'_, 'a>, set: &[u8]) -> Res<'a> {
    let count = usize::try_from(int(args, 0)).unwrap_or(0);
    let size = u64::try_from(set.len()).unwrap_or(1);
    cx.text(|out| {
        (0..count).try_for_each(|_| {
            let at = usize::try_from(cx.env.random() % size).unwrap_or(0);
            Ok(out.byte(set.get(at).copied().unwrap_or(b'0'))?)
        })
    })
}

/// All operands that are not nil, with a space between two.
fn joined<'a>(args: Args<'_, 'a>, cx: &Cx<'_, 'a>, mut write: impl FnMut(&mut Out<'_>, Val<'a>) -> Result<(), Fault<'a>>) -> Res<'a> {
    cx.text(|out| {
        for (i, v) in rest(args, 0).filter(|v| !v.is_nil()).enumerate() {
            if i > 0 {
                out.byte(b' ')?;
            }
            write(out, v)?;
        }
        Ok(())
    })
}

/// `%v` text of a value in the packed half, for use while the text half is being written.
fn print_beside<'a>(v: Val<'a>, cx: &Cx<'_, 'a>) -> Result<&'a str, Fault<'a>> {
    if matches!(v.v, Value::Json(..) | Value::Packed(_)) {
        return Err(Fault::new("quote takes no lists or objects: use toJson"));
    }
    let bytes = cx.scratch.write_packed(|buf| {
        let mut out = Out::new(buf);
        match v.v {
            Value::Bytes(bytes) => out.bytes(bytes)?,
            _ => print::go_v(&mut out, v, cx)?,
        }
        Ok(out.len())
    })?;
    Ok(core::str::from_utf8(bytes).unwrap_or(""))
}

/// How often something is repeated. What no memory holds is as good as the most that `usize` counts, also where that has 32 bits.
fn repeat_count<'a>(n: i64) -> Result<usize, Fault<'a>> {
    if n < 0 { Err(Fault::new("strings: negative Repeat count")) } else { Ok(usize::try_from(n).unwrap_or(usize::MAX)) }
}

fn indented<'a>(cx: &Cx<'_, 'a>, args: Args<'_, 'a>, before: &str) -> Res<'a> {
    let count = repeat_count(int(args, 0))?;
    cx.text(|out| {
        out.text(before)?;
        for (i, line) in text(args, 1).split('\n').enumerate() {
            if i > 0 {
                out.byte(b'\n')?;
            }
            (0..count).try_for_each(|_| out.byte(b' '))?;
            out.text(line)?;
        }
        Ok(())
    })
}

/// Go's `strings.SplitN`: no more than `limit` pieces unless it is negative; an empty separator splits characters.
fn pieces<'s>(s: &'s str, separator: &'s str, limit: i64) -> impl Iterator<Item = &'s str> {
    let mut left = if limit < 0 { usize::MAX } else { usize::try_from(limit).unwrap_or(usize::MAX) };
    let mut rest = if left == 0 || (separator.is_empty() && s.is_empty()) { None } else { Some(s) };
    core::iter::from_fn(move || {
        let text = rest.take()?;
        left -= 1;
        if left == 0 {
            return Some(text);
        }
        if separator.is_empty() {
            let first = text.chars().next()?.len_utf8();
            rest = text.get(first..).filter(|t| !t.is_empty());
            return text.get(..first);
        }
        match text.split_once(separator) {
            Some((piece, tail)) => {
                rest = Some(tail);
                Some(piece)
            }
            None => Some(text),
        }
    })
}

/// `map[_0:a _1:b]`
fn numbered<'a>(s: &'a str, separator: &'a str, limit: i64, cx: &Cx<'_, 'a>) -> Res<'a> {
    let mut writer = cx.scratch.pack();
    writer.begin_object()?;
    for (i, piece) in pieces(s, separator, limit).enumerate() {
        cx.spend(1)?;
        let mut buf = [0; 24];
        let mut name = Out::new(&mut buf);
        name.byte(b'_')?;
        crate::json::write::integer(&mut name, i64::try_from(i).unwrap_or(0))?;
        writer.entry(core::str::from_utf8(name.written()).unwrap_or("_"), Value::Str(piece))?;
    }
    writer.end()?;
    Ok(Val::tagged(Value::Packed(writer.finish()?), Tag::Texts))
}

/// goutils' `WrapCustom`: by octets, at spaces.
fn wrapped<'a>(s: &str, width: i64, with: &str, long: bool, cx: &Cx<'_, 'a>) -> Res<'a> {
    let width = usize::try_from(width).unwrap_or(0).max(1);
    let bytes = s.as_bytes();
    cx.text(|out| {
        let mut at = 0;
        while bytes.len() - at > width {
            if bytes[at] == b' ' {
                at += 1;
                continue;
            }
            let space = bytes[at..=at + width].iter().rposition(|b| *b == b' ');
            let (end, next) = match space {
                Some(space) => (at + space, at + space + 1),
                None if long => (at + width, at + width),
                None => match bytes[at + width..].iter().position(|b| *b == b' ') {
                    Some(space) => (at + width + space, at + width + space + 1),
                    None => break,
                },
            };
            out.bytes(&bytes[at..end])?;
            out.text(with)?;
            at = next;
        }
        Ok(out.bytes(&bytes[at..])?)
    })
}

fn is_connector(c: char) -> bool {
    c == '-' || c == '_' || c.is_whitespace()
}

fn is_punct(c: char) -> bool {
    if c.is_ascii() {
        c.is_ascii_punctuation() && !"$+<=>^`|~".contains(c)
    } else {
        matches!(c, '\u{2010}'..='\u{2027}' | '\u{3001}'..='\u{3003}' | '«' | '»' | '¡' | '¿')
    }
}

fn is_alphabet(c: char) -> bool {
    c.is_alphabetic() && !c.is_numeric()
}

/// xstrings' `ToPascalCase`.
fn pascal<'a>(out: &mut Out<'_>, s: &str) -> Result<(), Fault<'a>> {
    let mut chars = s.chars();
    let leading = s.chars().take_while(|c| is_connector(*c)).count();
    put(out, chars.by_ref().take(leading))?;
    let Some(first) = chars.next() else {
        // Connectors alone: xstrings writes the last one twice.
        return put(out, s.chars().next_back().into_iter());
    };
    let mut was_upper = first.is_uppercase();
    let mut current = upper(first);
    for c in chars {
        let before = core::mem::replace(&mut current, c);
        if is_connector(c) && is_connector(before) {
            put(out, core::iter::once(before))?;
            continue;
        }
        if is_connector(before) {
            was_upper = c.is_uppercase();
            current = upper(c);
        } else {
            if was_upper {
                if c.is_uppercase() { current = lower(c) } else { was_upper = false }
            }
            put(out, core::iter::once(before))?;
        }
    }
    put(out, core::iter::once(current))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    None,
    Number,
    Upper,
    Alphabet,
    Connector,
    Punct,
    Other,
}

/// The first word of a text, by kinds of characters, and what follows it.
fn next_word(s: &str) -> (Word, &str, &str) {
    let run = |keep: &dyn Fn(char) -> bool| s.char_indices().find(|(_, c)| !keep(*c)).map_or(s.len(), |(at, _)| at);
    let Some(first) = s.chars().next() else { return (Word::None, "", "") };
    let (kind, end) = if is_connector(first) {
        (Word::Connector, run(&is_connector))
    } else if is_punct(first) {
        (Word::Punct, run(&is_punct))
    } else if first.is_uppercase() {
        let uppers = run(&char::is_uppercase);
        let after = s[uppers..].chars().next();
        let follows = after.is_some_and(is_alphabet);
        let first_len = first.len_utf8();
        if uppers == first_len {
            let lowers =
                s[uppers..].char_indices().find(|(_, c)| !is_alphabet(*c) || c.is_uppercase()).map_or(s.len(), |(at, _)| uppers + at);
            (Word::Upper, lowers)
        } else if follows {
            // "HTTPStatus": the last capital begins the next word.
            let last = s[..uppers].chars().next_back().map_or(0, char::len_utf8);
            (Word::Upper, uppers - last)
        } else {
            (Word::Upper, uppers)
        }
    } else if is_alphabet(first) {
        (Word::Alphabet, run(&|c| is_alphabet(c) && !c.is_uppercase()))
    } else if first.is_numeric() {
        (Word::Number, run(&char::is_numeric))
    } else {
        (Word::Other, run(&|c| !(is_connector(c) || is_alphabet(c) || c.is_numeric() || is_punct(c))))
    };
    (kind, &s[..end], &s[end..])
}

fn put_word<'a>(out: &mut Out<'_>, kind: Word, word: &str, connector: char) -> Result<(), Fault<'a>> {
    match kind {
        Word::Connector => put(out, word.chars().map(|_| connector)),
        Word::Upper => put(out, word.chars().map(lower)),
        _ => Ok(out.text(word)?),
    }
}

/// xstrings' `ToSnakeCase` and `ToKebabCase`.
fn separated<'a>(out: &mut Out<'_>, s: &str, connector: char) -> Result<(), Fault<'a>> {
    let dash = |out: &mut Out<'_>| put(out, core::iter::once(connector));
    let (mut kind, mut word, mut rest) = next_word(s);
    while !rest.is_empty() {
        if kind != Word::Connector {
            put_word(out, kind, word, connector)?;
        }
        let (before, last) = (kind, word);
        (kind, word, rest) = next_word(rest);
        match before {
            Word::Number => {
                while matches!(kind, Word::Alphabet | Word::Number) {
                    put_word(out, kind, word, connector)?;
                    (kind, word, rest) = next_word(rest);
                }
                if !matches!(kind, Word::None | Word::Punct | Word::Connector) {
                    dash(out)?;
                }
            }
            Word::Connector => put_word(out, before, last, connector)?,
            Word::Punct => {}
            _ if kind != Word::Number => {
                if !matches!(kind, Word::Connector | Word::Punct) {
                    dash(out)?;
                }
            }
            _ if rest.is_empty() => {}
            _ => {
                let number = word;
                (kind, word, rest) = next_word(rest);
                if kind == Word::Alphabet {
                    // "http2xx": the number belongs to what follows.
                    dash(out)?;
                    put_word(out, Word::Number, number, connector)?;
                    while matches!(kind, Word::Alphabet | Word::Number) {
                        put_word(out, kind, word, connector)?;
                        (kind, word, rest) = next_word(rest);
                    }
                    if !matches!(kind, Word::None | Word::Connector | Word::Punct) {
                        dash(out)?;
                    }
                } else {
                    put_word(out, Word::Number, number, connector)?;
                    if !matches!(kind, Word::Connector | Word::Punct) {
                        dash(out)?;
                    }
                }
            }
        }
    }
    put_word(out, kind, word, connector)
}
