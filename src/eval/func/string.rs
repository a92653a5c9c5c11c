//! Text functions with Go's rules: positions in octets, lengths in characters, case character by character.

use regex_lite::{CaptureLocations, Regex};

use super::{Table, arg, locale};
use crate::eval::Call;
use crate::json::write::Out;
use crate::sql::plan::Aux;
use crate::value::text::go_v;
use crate::value::{Eval, Fault, Value};

/// The functions of this family.
pub(super) static TABLE: Table = &[
    ("concat", concat),
    ("endswith", |c| Ok(Value::Bool(!nil(c) && text(c, 0)?.ends_with(text(c, 1)?)))),
    ("startswith", |c| Ok(Value::Bool(!nil(c) && text(c, 0)?.starts_with(text(c, 1)?)))),
    ("format", format),
    ("indexof", indexof),
    ("length", length),
    ("lower", |c| cased(c, lower)),
    ("upper", |c| cased(c, upper)),
    ("lpad", |c| pad(c, true)),
    ("rpad", |c| pad(c, false)),
    ("ltrim", |c| Ok(Value::Str(text(c, 0)?.trim_start()))),
    ("rtrim", |c| Ok(Value::Str(text(c, 0)?.trim_end()))),
    ("trim", |c| Ok(Value::Str(text(c, 0)?.trim()))),
    ("numbytes", |c| Ok(Value::Int(if nil(c) { 0 } else { int(text(c, 0)?.len()) }))),
    ("regexp_matches", regexp_matches),
    ("regexp_replace", regexp_replace),
    ("regexp_substr", regexp_substr),
    ("reverse", reverse),
    ("substring", substring),
    ("split_value", split_value),
];

/// Any nil, or empty list or map, among the arguments: these functions answer false or 0 then.
fn nil(c: &Call<'_, '_>) -> bool {
    c.args.iter().any(|a| a.is_nil_or_empty())
}

fn text<'a>(c: &Call<'_, 'a>, place: usize) -> Result<&'a str, Fault<'a>> {
    let text = arg::text(c.arg(place), c.ctx.scratch)?;
    c.work(text.len())?;
    Ok(text)
}

fn int(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

fn concat<'a>(c: &Call<'_, 'a>) -> Eval<'a> {
    let scratch = c.ctx.scratch;
    c.written(|out| {
        for a in c.args {
            if !a.is_null() {
                go_v(out, *a, scratch)?;
            }
        }
        Ok(())
    })
}

fn format<'a>(c: &Call<'_, 'a>) -> Eval<'a> {
    let x = arg::float(c.arg(0), c.ctx.scratch).unwrap_or(0.0);
    let digits = arg::strict(c.arg(1)).unwrap_or(0);
    if digits < 0 {
        return Err(Fault::new("the decimal places must greater or equal than 0"));
    }
    let digits = usize::try_from(digits).unwrap_or(usize::MAX);
    let style = if c.args.len() == 3 {
        let name = text(c, 2)?;
        match locale::find(name) {
            Some(style) => Some(style),
            None => return Err(c.ctx.scratch.fault(format_args!("not support for the specific locale:{name}"))),
        }
    } else {
        None
    };
    c.written(|out| Ok(locale::number(out, x, digits, style)?))
}

fn indexof<'a>(c: &Call<'_, 'a>) -> Eval<'a> {
    if c.arg(0).is_null() || c.arg(1).is_null() {
        return Ok(Value::Int(-1));
    }
    Ok(Value::Int(text(c, 0)?.find(text(c, 1)?).map_or(-1, int)))
}

fn length<'a>(c: &Call<'_, 'a>) -> Eval<'a> {
    if nil(c) {
        return Ok(Value::Int(0));
    }
    if let Some(n) = c.arg(0).count(c.ctx.scratch)? {
        c.elements(n)?;
        return Ok(Value::Int(int(n)));
    }
    Ok(Value::Int(int(text(c, 0)?.chars().count())))
}

fn cased<'a>(c: &Call<'_, 'a>, f: fn(char) -> char) -> Eval<'a> {
    let text = text(c, 0)?;
    c.written(|out| {
        for ch in text.chars() {
            out.text(f(ch).encode_utf8(&mut [0; 4]))?;
        }
        Ok(())
    })
}

/// One character's lower case: the simple mapping, which Unicode has beside the full one.
fn lower(ch: char) -> char {
    if ch == 'İ' {
        return 'i';
    }
    let mut mapped = ch.to_lowercase();
    if mapped.len() == 1 { mapped.next().unwrap_or(ch) } else { ch }
}

/// One character's upper case: the simple mapping (`ß` has none and stays).
fn upper(ch: char) -> char {
    let simple = match ch {
        '\u{1f80}'..='\u{1f87}' | '\u{1f90}'..='\u{1f97}' | '\u{1fa0}'..='\u{1fa7}' => 8,
        'ᾳ' | 'ῃ' | 'ῳ' => 9,
        _ => 0,
    };
    if simple > 0 {
        return char::from_u32(u32::from(ch) + simple).unwrap_or(ch);
    }
    let mut mapped = ch.to_uppercase();
    if mapped.len() == 1 { mapped.next().unwrap_or(ch) } else { ch }
}

fn pad<'a>(c: &Call<'_, 'a>, left: bool) -> Eval<'a> {
    let text = text(c, 0)?;
    let count = arg::strict_int(c.arg(1), c.ctx.scratch)?;
    if count < 0 {
        return Err(Fault::new("strings: negative Repeat count"));
    }
    let total = usize::try_from(count).ok().and_then(|n| n.checked_add(text.len())).ok_or(Fault::FULL)?;
    let lent = c.ctx.scratch.alloc(total)?;
    c.work(total)?;
    lent.fill(b' ');
    let at = if left { total - text.len() } else { 0 };
    lent[at..at + text.len()].copy_from_slice(text.as_bytes());
    Ok(Value::Str(core::str::from_utf8(lent).unwrap_or("")))
}

/// Runs `f` with the pattern that is argument 1: prepared, or compiled and kept.
fn with_regex<'a, T>(c: &Call<'_, 'a>, f: impl FnOnce(&Regex) -> Result<T, Fault<'a>>) -> Result<T, Fault<'a>> {
    match c.aux {
        Aux::Regex(regex) => f(regex),
        _ => f(&c.ctx.regex(text(c, 1)?)?),
    }
}

fn regexp_matches<'a>(c: &Call<'_, 'a>) -> Eval<'a> {
    if nil(c) {
        return Ok(Value::Bool(false));
    }
    let text = text(c, 0)?;
    c.work(8 * text.len())?;
    with_regex(c, |regex| Ok(Value::Bool(regex.is_match(text))))
}

fn regexp_substr<'a>(c: &Call<'_, 'a>) -> Eval<'a> {
    let text = text(c, 0)?;
    c.work(8 * text.len())?;
    with_regex(c, |regex| Ok(Value::Str(regex.find(text).map_or("", |m| m.as_str()))))
}

fn regexp_replace<'a>(c: &Call<'_, 'a>) -> Eval<'a> {
    let (text, to) = (text(c, 0)?, text(c, 2)?);
    c.work(8 * text.len())?;
    let run = |regex: &Regex, groups: &mut CaptureLocations| c.written(|out| replace(out, regex, groups, text, to));
    match c.aux {
        // A poisoned lock only means that a panic was on its way elsewhere; the groups are overwritten anyway.
        Aux::Replace(regex, groups) => run(regex, &mut groups.lock().unwrap_or_else(std::sync::PoisonError::into_inner)),
        _ => {
            let regex = c.ctx.regex(self::text(c, 1)?)?;
            let mut groups = regex.capture_locations();
            run(&regex, &mut groups)
        }
    }
}

/// Writes `text` with every match replaced; an empty match right behind another one does not count.
fn replace<'f>(out: &mut Out<'_>, regex: &Regex, groups: &mut CaptureLocations, text: &str, to: &str) -> Result<(), Fault<'f>> {
    let (mut copied, mut from, mut last_end) = (0, 0, None);
    while from <= text.len() {
        let Some((start, end)) = regex.captures_read_at(groups, text, from).map(|m| (m.start(), m.end())) else { break };
        if start < end || last_end != Some(end) {
            out.text(&text[copied..start])?;
            expand(out, regex, groups, text, to)?;
            copied = end;
            last_end = Some(end);
        }
        from = if start < end { end } else { end + text[end..].chars().next().map_or(1, char::len_utf8) };
    }
    Ok(out.text(&text[copied..])?)
}

/// Writes the replacement of one match: `$name`, `$1` and `${name}` are groups, `$$` is `$`, anything else stands for itself.
fn expand<'f>(out: &mut Out<'_>, regex: &Regex, groups: &CaptureLocations, text: &str, to: &str) -> Result<(), Fault<'f>> {
    let mut rest = to;
    while let Some(at) = rest.find('$') {
        out.text(&rest[..at])?;
        rest = &rest[at + 1..];
        if let Some(behind) = rest.strip_prefix('$') {
            out.byte(b'$')?;
            rest = behind;
            continue;
        }
        let word = |t: &str| t.find(|c: char| c != '_' && !c.is_alphanumeric()).unwrap_or(t.len());
        let (name, behind) = match rest.strip_prefix('{') {
            Some(inner) => match inner.split_once('}') {
                Some((name, behind)) if word(name) == name.len() => (name, behind),
                _ => ("", rest),
            },
            None => rest.split_at(word(rest)),
        };
        if name.is_empty() {
            out.byte(b'$')?;
            continue;
        }
        rest = behind;
        let index = name.parse().ok().or_else(|| regex.capture_names().position(|n| n == Some(name)));
        if let Some((start, end)) = index.and_then(|i| groups.get(i)) {
            out.text(&text[start..end])?;
        }
    }
    Ok(out.text(rest)?)
}

fn reverse<'a>(c: &Call<'_, 'a>) -> Eval<'a> {
    let text = text(c, 0)?;
    c.written(|out| {
        for ch in text.chars().rev() {
            out.text(ch.encode_utf8(&mut [0; 4]))?;
        }
        Ok(())
    })
}

fn substring<'a>(c: &Call<'_, 'a>) -> Eval<'a> {
    let text = text(c, 0)?;
    let start = arg::strict_int(c.arg(1), c.ctx.scratch)?;
    if start < 0 {
        return Err(Fault::new("start index must be a positive number"));
    }
    let mut end = text.len();
    if c.args.len() > 2 {
        let given = arg::strict_int(c.arg(2), c.ctx.scratch)?;
        if given < 0 {
            return Err(Fault::new("end index must be a positive number"));
        }
        if start > given {
            return Err(Fault::new("start index must be smaller than end index"));
        }
        end = usize::try_from(given).unwrap_or(end).min(end);
    }
    let start = usize::try_from(start).unwrap_or(usize::MAX);
    let bytes = text.as_bytes().get(start..end).unwrap_or(&[]);
    Ok(Value::Str(crate::value::text::lossy(bytes, c.ctx.scratch)?))
}

fn split_value<'a>(c: &Call<'_, 'a>) -> Eval<'a> {
    let (text, separator) = (text(c, 0)?, text(c, 1)?);
    // A fraction or a text counts as 0, as in eKuiper.
    let index = arg::strict(c.arg(2)).unwrap_or(0);
    let size = if separator.is_empty() { text.chars().count() } else { text.split(separator).count() };
    let at = if index < 0 { index.saturating_add(int(size)) } else { index };
    let Some(at) = usize::try_from(at).ok().filter(|at| *at < size) else {
        return Err(c.ctx.scratch.fault(format_args!("{index} out of index array (size = {size})")));
    };
    Ok(Value::Str(if separator.is_empty() {
        text.char_indices().nth(at).map_or("", |(i, ch)| &text[i..i + ch.len_utf8()])
    } else {
        text.split(separator).nth(at).unwrap_or("")
    }))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Arg::*, check};

    #[test]
    fn plain() {
        check(&[
            ("concat", &[S("1"), N, S("2")], "\"12\""),
            ("concat", &[F(1e6), B(true), J("[1,\"x\"]"), J("{\"k\":1}")], "\"1e+06true[1 x]map[k:1]\""),
            ("endswith", &[S("hello"), S("lo")], "true"),
            ("endswith", &[N, S("lo")], "false"),
            ("startswith", &[F(123.0), F(1.0)], "true"),
            ("startswith", &[J("[]"), S("")], "false"),
            ("indexof", &[S("héllo"), S("l")], "3"),
            ("indexof", &[S("a"), S("b")], "-1"),
            ("indexof", &[N, S("b")], "-1"),
            ("length", &[S("é😀")], "2"),
            ("length", &[J("[1,2,3]")], "3"),
            ("length", &[J("{\"a\":1,\"a\":2}")], "1"),
            ("length", &[F(12.5)], "4"),
            ("length", &[N], "0"),
            ("lower", &[S("ÀÉİß")], "\"àéiß\""),
            ("upper", &[S("àéßᾀı")], "\"ÀÉßᾈI\""),
            ("upper", &[N], "null"),
            ("lpad", &[S("a"), I(2)], "\"  a\""),
            ("rpad", &[S("a"), F(2.0)], "\"a  \""),
            ("rpad", &[S("a"), I(-1)], "!negative Repeat count"),
            ("lpad", &[S("a"), F(1.5)], "!cannot convert float64(1.5) to int"),
            ("lpad", &[S("a"), I(i64::MAX)], "!limits.scratchBytes"),
            ("lpad", &[S("a"), I(100_000)], "!limits.scratchBytes"),
            ("ltrim", &[S("  Ab é😀\t\n ")], "\"Ab é😀\\t\\n \""),
            ("ltrim", &[J("{\"k\":1}")], "\"map[k:1]\""),
            ("rtrim", &[S(" a\u{a0}\u{2003}")], "\" a\""),
            ("trim", &[S(" a ")], "\"a\""),
            ("numbytes", &[S("é😀")], "6"),
            ("numbytes", &[J("{}")], "0"),
            ("reverse", &[S("aé😀")], "\"😀éa\""),
        ]);
    }

    #[test]
    fn pieces() {
        check(&[
            ("substring", &[S("hello"), I(1)], "\"ello\""),
            ("substring", &[S("hello"), I(1), I(99)], "\"ello\""),
            ("substring", &[S("hello"), I(9)], "\"\""),
            ("substring", &[S("hello"), I(9), I(10)], "\"\""),
            ("substring", &[S("hello"), I(3), I(2)], "!start index must be smaller than end index"),
            ("substring", &[S("hello"), I(-3)], "!start index must be a positive number"),
            ("substring", &[S("hello"), I(0), F(-1.0)], "!end index must be a positive number"),
            ("substring", &[S("héllo"), I(2)], "\"\u{fffd}llo\""),
            ("split_value", &[S("a/b/c"), S("/"), I(0)], "\"a\""),
            ("split_value", &[S("a/b/c"), S("/"), I(-1)], "\"c\""),
            ("split_value", &[S("a/b/c"), S("/"), I(3)], "!3 out of index array (size = 3)"),
            ("split_value", &[S("a/b/c"), S("/"), I(-4)], "!-4 out of index array (size = 3)"),
            ("split_value", &[S("a/b/c"), S("/"), F(1.5)], "\"a\""),
            ("split_value", &[S("aé"), S(""), I(1)], "\"é\""),
            ("split_value", &[S(""), S(""), I(0)], "!0 out of index array (size = 0)"),
            ("split_value", &[S(""), S("/"), I(i64::MIN)], "!out of index array (size = 1)"),
        ]);
    }

    #[test]
    fn patterns() {
        check(&[
            ("regexp_matches", &[S("hello"), S("^he")], "true"),
            ("regexp_matches", &[S("Hello"), S("h")], "false"),
            ("regexp_matches", &[S("a"), N], "false"),
            ("regexp_matches", &[S("a"), S("(")], "!error parsing regexp"),
            ("regexp_substr", &[S("aaa"), S("a+")], "\"aaa\""),
            ("regexp_substr", &[F(123.0), S("1")], "\"1\""),
            ("regexp_substr", &[S("a"), S("b")], "\"\""),
            ("regexp_replace", &[S("abc"), S("x*"), S("-")], "\"-a-b-c-\""),
            ("regexp_replace", &[S("abxé"), S("x*"), S("-")], "\"-a-b-é-\""),
            ("regexp_replace", &[S("john smith"), S("(\\w+) (\\w+)"), S("${2}, $1")], "\"smith, john\""),
            ("regexp_replace", &[S("ab"), S("(?P<n>a)"), S("[$n]$$$1x$9")], "\"[a]$b\""),
            ("regexp_replace", &[S("a$b"), S("a"), S("$")], "\"$$b\""),
            ("regexp_replace", &[S("aXbX"), S("X$"), S("")], "\"aXb\""),
        ]);
    }

    #[test]
    fn formats() {
        check(&[
            ("format", &[F(12_332.123_456), I(4)], "\"12332.1235\""),
            ("format", &[F(12_332.2), I(0)], "\"12332\""),
            ("format", &[S("x"), I(2)], "\"0.00\""),
            ("format", &[F(0.125), I(2)], "\"0.12\""),
            ("format", &[F(1.0), I(-1)], "!the decimal places must greater or equal than 0"),
            ("format", &[F(12_332.123_456), I(2), S("en_US")], "\"12,332.12\""),
            ("format", &[F(1_234_567.0), I(2), S("de_DE")], "\"1.234.567,00\""),
            ("format", &[F(-123_456.789_9), I(2), S("de_CH")], "\"-123’456.79\""),
            ("format", &[F(12_332.123_4), I(4), S("ar_IN")], "\"١٢٬٣٣٢٫١٢٣٤\""),
            ("format", &[F(12_332.2), I(2), S("es_CR")], "\"12\u{a0}332,20\""),
            ("format", &[F(12_332.2), I(2), S("ar_DZ")], "\"12.332,20\""),
            ("format", &[F(1_234_567.0), I(0), S("en_IN")], "\"12,34,567\""),
            ("format", &[F(-1.5), I(1), S("sv_SE")], "\"−1,5\""),
            ("format", &[F(1.0), I(2), S("ff")], "!not support for the specific locale:ff"),
            ("format", &[F(1.0), I(2), S("not_exist_locale")], "!not support for the specific locale"),
        ]);
    }
}
