//! Go's `fmt.Sprintf`: verbs, flags, width, precision, and what it writes where they do not fit (`%!d(float64=7)`).

use core::cell::Cell;
use core::fmt::Write as _;

use super::print;
use super::val::{Cx, Tag, Val};
use crate::json::write::{self, FloatStyle, Out};
use crate::value::{Fault, Value};

/// Largest width and precision; beyond it Go's own limit is far away, and our buffers are not.
const WIDEST: i64 = 1000;

#[derive(Debug, Clone, Copy, Default)]
struct Spec {
    minus: bool,
    plus: bool,
    sharp: bool,
    space: bool,
    zero: bool,
    width: Option<usize>,
    precision: Option<usize>,
}

/// Writes `format` with `args` put in.
pub(super) fn printf<'a>(out: &mut Out<'_>, format: &str, args: &[Cell<Val<'a>>], cx: &Cx<'_, 'a>) -> Result<(), Fault<'a>> {
    let mut rest = format;
    let mut next = 0_usize;
    let mut reordered = false;
    while let Some(at) = rest.find('%') {
        out.text(&rest[..at])?;
        rest = &rest[at + 1..];
        let mut spec = Spec::default();
        let mut good_index = true;
        loop {
            match rest.as_bytes().first() {
                Some(b'#') => spec.sharp = true,
                Some(b'0') => spec.zero = true,
                Some(b'+') => spec.plus = true,
                Some(b'-') => spec.minus = true,
                Some(b' ') => spec.space = true,
                _ => break,
            }
            rest = &rest[1..];
        }
        let mut indexed = index(&mut rest, &mut next, args.len(), &mut good_index, &mut reordered);
        if let Some(tail) = rest.strip_prefix('*') {
            rest = tail;
            match star(args, &mut next) {
                Some(width) => {
                    spec.minus |= width < 0;
                    spec.width = usize::try_from(width.unsigned_abs()).ok();
                }
                None => out.text("%!(BADWIDTH)")?,
            }
            indexed = false;
        } else if let Some(width) = digits(&mut rest) {
            spec.width = Some(width);
            good_index &= !indexed;
        }
        if let Some(tail) = rest.strip_prefix('.') {
            rest = tail;
            good_index &= !indexed;
            indexed = index(&mut rest, &mut next, args.len(), &mut good_index, &mut reordered);
            if let Some(tail) = rest.strip_prefix('*') {
                rest = tail;
                match star(args, &mut next) {
                    Some(precision) => spec.precision = usize::try_from(precision).ok(),
                    None => out.text("%!(BADPREC)")?,
                }
                indexed = false;
            } else {
                spec.precision = Some(digits(&mut rest).unwrap_or(0));
            }
        }
        if !indexed {
            index(&mut rest, &mut next, args.len(), &mut good_index, &mut reordered);
        }
        let Some(verb) = rest.chars().next() else {
            out.text("%!(NOVERB)")?;
            break;
        };
        rest = &rest[verb.len_utf8()..];
        let mut utf8 = [0; 4];
        let name = verb.encode_utf8(&mut utf8);
        if verb == '%' {
            out.byte(b'%')?;
        } else if !good_index {
            out.text("%!")?;
            out.text(name)?;
            out.text("(BADINDEX)")?;
        } else if let Some(value) = args.get(next) {
            next += 1;
            one(out, value.get(), verb, spec, cx)?;
        } else {
            out.text("%!")?;
            out.text(name)?;
            out.text("(MISSING)")?;
        }
    }
    out.text(rest)?;
    if !reordered && next < args.len() {
        out.text("%!(EXTRA ")?;
        for (i, value) in args[next..].iter().map(Cell::get).enumerate() {
            if i > 0 {
                out.text(", ")?;
            }
            if value.is_nil() {
                out.text("<nil>")?;
            } else {
                out.text(value.type_name())?;
                out.byte(b'=')?;
                print::go_v(out, value, cx)?;
            }
        }
        out.byte(b')')?;
    }
    Ok(())
}

fn digits(rest: &mut &str) -> Option<usize> {
    let len = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (number, tail) = rest.split_at(len);
    *rest = tail;
    if len == 0 { None } else { Some(number.parse().unwrap_or(usize::MAX)) }
}

/// `[n]`: the next argument is the n-th.
fn index(rest: &mut &str, next: &mut usize, count: usize, good: &mut bool, reordered: &mut bool) -> bool {
    let Some(inside) = rest.strip_prefix('[') else { return false };
    *reordered = true;
    let Some(end) = inside.find(']') else {
        *good = false;
        *rest = inside;
        return false;
    };
    match inside[..end].parse::<usize>() {
        Ok(n) if n >= 1 && n <= count => *next = n - 1,
        _ => *good = false,
    }
    *rest = &inside[end + 1..];
    true
}

fn star(args: &[Cell<Val<'_>>], next: &mut usize) -> Option<i64> {
    let value = args.get(*next)?.get();
    *next += 1;
    match value.v {
        Value::Int(i) if (-WIDEST..=WIDEST).contains(&i) => Some(i),
        _ => None,
    }
}

fn one<'a>(out: &mut Out<'_>, value: Val<'a>, verb: char, spec: Spec, cx: &Cx<'_, 'a>) -> Result<(), Fault<'a>> {
    // In `%+v` the plus asks for field names of structs, of which there are none here; it is no sign.
    let spec = Spec { plus: spec.plus && verb != 'v', ..spec };
    if verb == 'T' {
        return padded(out, spec, |out| Ok(out.text(value.type_name())?));
    }
    if value.is_nil() {
        return if verb == 'v' { padded(out, spec, |out| Ok(out.text("<nil>")?)) } else { bad(out, value, verb, spec, cx) };
    }
    match (value.tag, value.v) {
        (Tag::Version | Tag::Duration, _) | (_, Value::Time(_)) if matches!(verb, 'v' | 's' | 'q' | 'x' | 'X') => {
            let shown = cx_free_text(value, cx)?;
            string(out, shown.as_bytes(), shown, verb, Spec { sharp: false, ..spec })
        }
        (_, Value::Bool(b)) if matches!(verb, 'v' | 't') => padded(out, spec, |out| Ok(out.text(if b { "true" } else { "false" })?)),
        (tag, Value::Int(i)) => match verb {
            'v' | 'd' | 'b' | 'o' | 'O' | 'x' | 'X' => {
                let unsigned_hex = verb == 'v' && spec.sharp && tag == Tag::Uint8;
                integer(out, i, if unsigned_hex { 'x' } else { verb }, spec)
            }
            'c' | 'q' | 'U' => character(out, i, verb, spec),
            _ => bad(out, value, verb, spec, cx),
        },
        (_, Value::Float(x)) if matches!(verb, 'v' | 'g' | 'G' | 'e' | 'E' | 'f' | 'F') => float(out, x, verb, spec),
        (_, Value::Str(text)) if matches!(verb, 'v' | 's' | 'q' | 'x' | 'X') => string(out, text.as_bytes(), text, verb, spec),
        (_, Value::Bytes(bytes)) if matches!(verb, 's' | 'x' | 'X') => {
            string(out, bytes, core::str::from_utf8(bytes).unwrap_or(""), verb, spec)
        }
        (_, Value::Json(..) | Value::Packed(_)) => collection(out, value, verb, spec, cx),
        (_, Value::Bytes(_) | Value::Time(_)) if verb == 'v' => print::go_v(out, value, cx),
        _ => bad(out, value, verb, spec, cx),
    }
}

/// Text of a value whose type prints itself; it is short and lies in the scratch's packed half.
fn cx_free_text<'a>(value: Val<'a>, cx: &Cx<'_, 'a>) -> Result<&'a str, Fault<'a>> {
    let bytes = cx.scratch.write_packed(|buf| {
        let mut out = Out::new(buf);
        match value.v {
            Value::Time(_) => crate::value::text::go_v(&mut out, value.v, cx.scratch)?,
            _ => print::go_v(&mut out, value, cx)?,
        }
        Ok(out.len())
    })?;
    Ok(core::str::from_utf8(bytes).unwrap_or(""))
}

fn collection<'a>(out: &mut Out<'_>, value: Val<'a>, verb: char, spec: Spec, cx: &Cx<'_, 'a>) -> Result<(), Fault<'a>> {
    cx.spend(1)?;
    if let Some(list) = cx.list(value)? {
        if verb == 'v' && spec.sharp {
            out.text(value.type_name())?;
            out.byte(b'{')?;
        } else {
            out.byte(b'[')?;
        }
        for (i, element) in list.elements().enumerate() {
            if i > 0 {
                out.text(if verb == 'v' && spec.sharp { ", " } else { " " })?;
            }
            member(out, value.element(element), verb, spec, cx)?;
        }
        return Ok(out.byte(if verb == 'v' && spec.sharp { b'}' } else { b']' })?);
    }
    let Some(object) = cx.object(value)? else { return Ok(()) };
    let go_syntax = verb == 'v' && spec.sharp;
    if go_syntax {
        out.text(value.type_name())?;
        out.byte(b'{')?;
    } else {
        out.text("map[")?;
    }
    for (i, (key, element)) in object.entries().enumerate() {
        if i > 0 {
            out.text(if go_syntax { ", " } else { " " })?;
        }
        one(out, Val::str(key), verb, spec, cx)?;
        out.byte(b':')?;
        member(out, Val::data(element), verb, spec, cx)?;
    }
    Ok(out.byte(if go_syntax { b'}' } else { b']' })?)
}

fn member<'a>(out: &mut Out<'_>, value: Val<'a>, verb: char, spec: Spec, cx: &Cx<'_, 'a>) -> Result<(), Fault<'a>> {
    if value.is_nil() {
        return Ok(out.text(if verb == 'v' && spec.sharp { "interface {}(nil)" } else { "<nil>" })?);
    }
    one(out, value, verb, spec, cx)
}

/// `%!d(float64=7)`
fn bad<'a>(out: &mut Out<'_>, value: Val<'a>, verb: char, spec: Spec, cx: &Cx<'_, 'a>) -> Result<(), Fault<'a>> {
    out.text("%!")?;
    out.text(verb.encode_utf8(&mut [0; 4]))?;
    out.byte(b'(')?;
    if value.is_nil() {
        out.text("<nil>")?;
    } else {
        out.text(value.type_name())?;
        out.byte(b'=')?;
        one(out, value, 'v', spec, cx)?;
    }
    Ok(out.byte(b')')?)
}

/// Writes something, then fills it up to the width.
fn padded<'a>(out: &mut Out<'_>, spec: Spec, write: impl FnOnce(&mut Out<'_>) -> Result<(), Fault<'a>>) -> Result<(), Fault<'a>> {
    let from = out.len();
    write(out)?;
    let Some(width) = spec.width else { return Ok(()) };
    let chars = char_count(out.written().get(from..).unwrap_or(&[]));
    let missing = width.saturating_sub(chars);
    for _ in 0..missing {
        out.byte(if spec.zero && !spec.minus { b'0' } else { b' ' })?;
    }
    if !spec.minus
        && let Some(text) = out.written_mut().get_mut(from..)
    {
        text.rotate_right(missing);
    }
    Ok(())
}

/// Characters; each octet that is no UTF-8 is one.
fn char_count(bytes: &[u8]) -> usize {
    bytes.utf8_chunks().map(|c| c.valid().chars().count() + c.invalid().len()).sum()
}

fn integer<'a>(out: &mut Out<'_>, i: i64, verb: char, spec: Spec) -> Result<(), Fault<'a>> {
    let mut digits = [0_u8; 80];
    let mut text = Out::new(&mut digits);
    let n = i.unsigned_abs();
    let written = match verb {
        'b' => write!(text, "{n:b}"),
        'o' | 'O' => write!(text, "{n:o}"),
        'x' => write!(text, "{n:x}"),
        'X' => write!(text, "{n:X}"),
        _ => write!(text, "{n}"),
    };
    written.map_err(|_| Fault::FULL)?;
    let prefix = match verb {
        'O' => "0o",
        'x' if spec.sharp => "0x",
        'X' if spec.sharp => "0X",
        'b' if spec.sharp => "0b",
        'o' if spec.sharp => "0",
        _ => "",
    };
    let sign = if i < 0 {
        "-"
    } else if spec.plus {
        "+"
    } else if spec.space {
        " "
    } else {
        ""
    };
    if spec.precision == Some(0) && i == 0 {
        return padded(out, Spec { zero: false, ..spec }, |_| Ok(()));
    }
    let least = match (spec.precision, spec.zero && !spec.minus, spec.width) {
        (Some(precision), ..) => precision,
        (None, true, Some(width)) => width.saturating_sub(sign.len()),
        _ => 0,
    };
    padded(out, Spec { zero: false, ..spec }, |out| {
        out.text(sign)?;
        out.text(prefix)?;
        for _ in text.len()..least {
            out.byte(b'0')?;
        }
        Ok(out.bytes(text.written())?)
    })
}

fn character<'a>(out: &mut Out<'_>, i: i64, verb: char, spec: Spec) -> Result<(), Fault<'a>> {
    let c = u32::try_from(i).ok().and_then(char::from_u32).unwrap_or('\u{fffd}');
    padded(out, spec, |out| match verb {
        'c' => Ok(out.text(c.encode_utf8(&mut [0; 4]))?),
        'q' => quote(out, c.encode_utf8(&mut [0; 4]), '\''),
        _ => {
            write!(out, "U+{i:04X}").map_err(|_| Fault::FULL)?;
            if spec.sharp && is_print(c) {
                write!(out, " '{c}'").map_err(|_| Fault::FULL)?;
            }
            Ok(())
        }
    })
}

fn string<'a>(out: &mut Out<'_>, bytes: &[u8], text: &str, verb: char, spec: Spec) -> Result<(), Fault<'a>> {
    let cut = match spec.precision {
        Some(p) => text.char_indices().nth(p).map_or(text, |(at, _)| &text[..at]),
        None => text,
    };
    match verb {
        'x' | 'X' => {
            let bytes = &bytes[..spec.precision.unwrap_or(bytes.len()).min(bytes.len())];
            padded(out, spec, |out| {
                for (i, b) in bytes.iter().enumerate() {
                    if spec.space && i > 0 {
                        out.byte(b' ')?;
                    }
                    if spec.sharp && (i == 0 || spec.space) {
                        out.text(if verb == 'x' { "0x" } else { "0X" })?;
                    }
                    let written = if verb == 'x' { write!(out, "{b:02x}") } else { write!(out, "{b:02X}") };
                    written.map_err(|_| Fault::FULL)?;
                }
                Ok(())
            })
        }
        'q' => padded(out, spec, |out| {
            if spec.sharp && !cut.contains('`') && cut.chars().all(|c| c == '\t' || is_print(c)) {
                out.byte(b'`')?;
                out.text(cut)?;
                return Ok(out.byte(b'`')?);
            }
            quote(out, cut, '"')
        }),
        'v' if spec.sharp => padded(out, spec, |out| quote(out, cut, '"')),
        _ if bytes.len() != text.len() => padded(out, spec, |out| Ok(out.bytes(bytes)?)),
        _ => padded(out, spec, |out| Ok(out.text(cut)?)),
    }
}

fn float<'a>(out: &mut Out<'_>, x: f64, verb: char, spec: Spec) -> Result<(), Fault<'a>> {
    let mut buf = [0_u8; 1500];
    let mut text = Out::new(&mut buf);
    let precision = spec.precision.map(|p| p.min(1000));
    let size = x.abs();
    if !x.is_finite() {
        text.text(if x.is_nan() { "NaN" } else { "Inf" })?;
    } else {
        match (verb, precision) {
            ('v' | 'g' | 'G', None) => write::float(&mut text, size, FloatStyle::GoV)?,
            ('v' | 'g' | 'G', Some(p)) => general(&mut text, size, p)?,
            ('e' | 'E', p) => exponent(&mut text, size, p.unwrap_or(6))?,
            (_, p) => write!(text, "{size:.*}", p.unwrap_or(6)).map_err(|_| Fault::FULL)?,
        }
    }
    if matches!(verb, 'G' | 'E') {
        text.written_mut().make_ascii_uppercase();
    }
    let sign = if x.is_sign_negative() && !x.is_nan() {
        "-"
    } else if spec.plus {
        "+"
    } else if spec.space {
        " "
    } else {
        ""
    };
    let zeros = if spec.zero && !spec.minus && x.is_finite() { spec.width.unwrap_or(0).saturating_sub(sign.len() + text.len()) } else { 0 };
    padded(out, Spec { zero: false, ..spec }, |out| {
        out.text(if !x.is_finite() && sign.is_empty() && !x.is_nan() { "+" } else { sign })?;
        for _ in 0..zeros {
            out.byte(b'0')?;
        }
        Ok(out.bytes(text.written())?)
    })
}

/// `d.ddde+XX`
fn exponent<'a>(out: &mut Out<'_>, x: f64, precision: usize) -> Result<(), Fault<'a>> {
    let mut buf = [0_u8; 1100];
    let mut text = Out::new(&mut buf);
    write!(text, "{x:.precision$e}").map_err(|_| Fault::FULL)?;
    let text = core::str::from_utf8(text.written()).unwrap_or("0e0");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    out.text(mantissa)?;
    let (sign, digits) = match exponent.strip_prefix('-') {
        Some(digits) => ("e-", digits),
        None => ("e+", exponent),
    };
    out.text(sign)?;
    if digits.len() < 2 {
        out.byte(b'0')?;
    }
    Ok(out.text(digits)?)
}

/// `%.<p>g`
fn general<'a>(out: &mut Out<'_>, x: f64, precision: usize) -> Result<(), Fault<'a>> {
    let precision = precision.max(1);
    let mut buf = [0_u8; 1100];
    let mut text = Out::new(&mut buf);
    write!(text, "{x:.*e}", precision - 1).map_err(|_| Fault::FULL)?;
    let text = core::str::from_utf8(text.written()).unwrap_or("0e0");
    let (mantissa, power) = text.split_once('e').unwrap_or((text, "0"));
    let power: i32 = power.parse().unwrap_or(0);
    let mantissa = if mantissa.contains('.') { mantissa.trim_end_matches('0').trim_end_matches('.') } else { mantissa };
    let digit_count = mantissa.len() - usize::from(mantissa.contains('.'));
    let count = i32::try_from(digit_count).unwrap_or(i32::MAX);
    let mut limit = i32::try_from(precision).unwrap_or(i32::MAX);
    if limit > count && count > power {
        limit = count;
    }
    if power < -4 || power >= limit {
        out.text(mantissa)?;
        return write!(out, "e{}{:02}", if power < 0 { '-' } else { '+' }, power.unsigned_abs()).map_err(|_| Fault::FULL);
    }
    let decimals = usize::try_from(count - 1 - power).unwrap_or(0);
    let rounded: f64 = text.parse().unwrap_or(x);
    write!(out, "{rounded:.decimals$}").map_err(|_| Fault::FULL)
}

/// Go's `strconv.Quote`.
pub(super) fn quote<'a>(out: &mut Out<'_>, text: &str, mark: char) -> Result<(), Fault<'a>> {
    let mut utf8 = [0; 4];
    let mark_text = &*mark.encode_utf8(&mut utf8);
    out.text(mark_text)?;
    for c in text.chars() {
        let escape = match c {
            '\u{7}' => "\\a",
            '\u{8}' => "\\b",
            '\u{c}' => "\\f",
            '\n' => "\\n",
            '\r' => "\\r",
            '\t' => "\\t",
            '\u{b}' => "\\v",
            '\\' => "\\\\",
            _ if c == mark => {
                out.byte(b'\\')?;
                mark_text
            }
            _ => "",
        };
        if !escape.is_empty() {
            out.text(escape)?;
        } else if is_print(c) {
            out.text(c.encode_utf8(&mut [0; 4]))?;
        } else {
            let code = u32::from(c);
            let written = if code < 0x80 {
                write!(out, "\\x{code:02x}")
            } else if code < 0x10000 {
                write!(out, "\\u{code:04x}")
            } else {
                write!(out, "\\U{code:08x}")
            };
            written.map_err(|_| Fault::FULL)?;
        }
    }
    Ok(out.text(mark_text)?)
}

/// Go's `unicode.IsPrint`: letters, marks, numbers, punctuation, symbols, and the plain space.
pub(super) fn is_print(c: char) -> bool {
    if c.is_ascii() {
        return !c.is_ascii_control();
    }
    // Behind a letter `escape_debug` lets marks stand and escapes what is not printable.
    let mut buf = [0; 5];
    buf[0] = b'a';
    let len = 1 + c.encode_utf8(&mut buf[1..]).len();
    let text = core::str::from_utf8(&buf[..len]).unwrap_or("a");
    !c.is_whitespace() && text.escape_debug().nth(1) == Some(c)
}
