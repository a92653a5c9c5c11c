//! Conversions between types and encodings, with eKuiper's sentences for what does not convert.

use super::{Table, arg, deflate, to_moment};
use crate::eval::Call;
use crate::json::scan;
use crate::json::write::{self, FloatStyle, Out};
use crate::sql::plan::Aux;
use crate::value::text::{self, go_text};
use crate::value::{Eval, Fault, Numbers, Scratch, Value};

/// The functions of this family.
pub(super) static TABLE: Table = &[
    ("cast", |c| cast(c, c.arg(0), c.arg(1))),
    ("chr", chr),
    ("encode", encode),
    ("decode", decode),
    ("trunc", trunc),
    ("hex2dec", hex2dec),
    ("dec2hex", dec2hex),
    ("to_json", to_json),
    ("parse_json", parse_json),
    ("to_seconds", |c| Ok(Value::Int(to_moment(c.arg(0), c.ctx)?.secs))),
    ("convert_tz", convert_tz),
    ("compress", |c| pressed(c, deflate::compress)),
    ("decompress", |c| pressed(c, deflate::decompress)),
];

/// `value` as the type of that name.
fn cast<'a>(c: &Call<'_, 'a>, value: Value<'a>, to: Value<'a>) -> Eval<'a> {
    let scratch = c.ctx.scratch;
    let Value::Str(name) = to else { return Err(Fault::new("expect string type for type parameter")) };
    let unsupported = |fault: Fault<'a>| scratch.fault(format_args!("not supported type conversion, got error {fault}"));
    match name {
        "bigint" => to_int(value).ok_or_else(|| unsupported(arg::cannot(value, "int", scratch))).map(Value::Int),
        "float" => to_float(value).ok_or_else(|| unsupported(arg::cannot(value, "float64", scratch))).map(Value::Float),
        "string" => to_text(value, scratch).map(Value::Str),
        "boolean" => to_bool(value, scratch).map(Value::Bool).map_err(unsupported),
        "datetime" => to_moment(value, c.ctx).map(Value::Time),
        "bytea" => match value {
            Value::Bytes(_) => Ok(value),
            Value::Str(text) => match base64(text, scratch)? {
                Ok(bytes) => Ok(Value::Bytes(bytes)),
                Err(_) => Ok(Value::Bytes(text.as_bytes())),
            },
            _ => Err(arg::cannot(value, "bytea", scratch)),
        },
        _ => Err(Fault::new("unknow type, only support bigint, float, string, boolean and datetime")),
    }
}

fn to_int(value: Value<'_>) -> Option<i64> {
    match value {
        Value::Int(i) => Some(i),
        Value::Float(x) => Some(arg::go_int(x)),
        Value::Bool(b) => Some(i64::from(b)),
        Value::Str(text) => go_parse_int(text),
        _ => None,
    }
}

fn to_float(value: Value<'_>) -> Option<f64> {
    match value {
        Value::Int(i) => Some(arg::go_float(i)),
        Value::Float(x) => Some(x),
        Value::Bool(b) => Some(f64::from(u8::from(b))),
        Value::Str(text) => go_parse_float(text),
        _ => None,
    }
}

/// Go's `strconv.ParseFloat`: single underscores may stand between digits; a number beyond a float is none, the word `inf` is one.
fn go_parse_float(text: &str) -> Option<f64> {
    if !text.contains('_') {
        return text.parse().ok().filter(|x: &f64| x.is_finite() || !text.contains(|c: char| c.is_ascii_digit()));
    }
    // More digits than this are beyond what anybody groups.
    let mut plain: heapless::String<64> = heapless::String::new();
    let mut before = '_';
    for c in text.chars() {
        if c == '_' && !before.is_ascii_digit() || before == '_' && !plain.is_empty() && !c.is_ascii_digit() {
            return None;
        }
        if c != '_' {
            plain.push(c).ok()?;
        }
        before = c;
    }
    if before == '_' { None } else { go_parse_float(&plain) }
}

/// Text without an exponent; times as Go prints them, lists and maps as `%v`.
pub(super) fn to_text<'a>(value: Value<'a>, scratch: &Scratch<'a>) -> Result<&'a str, Fault<'a>> {
    match value {
        Value::Float(x) => {
            let bytes = scratch.write_bytes(|out| Ok(write::float(out, x, FloatStyle::Plain)?))?;
            Ok(core::str::from_utf8(bytes).unwrap_or(""))
        }
        Value::Bytes(bytes) => crate::value::text::lossy(bytes, scratch),
        Value::Null => Ok(""),
        _ => go_text(value, scratch),
    }
}

fn to_bool<'a>(value: Value<'a>, scratch: &Scratch<'a>) -> Result<bool, Fault<'a>> {
    match value {
        Value::Bool(b) => Ok(b),
        Value::Int(i) => Ok(i != 0),
        Value::Float(x) => Ok(x != 0.0),
        Value::Str("1" | "t" | "T" | "true" | "TRUE" | "True") => Ok(true),
        Value::Str("0" | "f" | "F" | "false" | "FALSE" | "False") => Ok(false),
        Value::Str(text) => Err(scratch.fault(format_args!("strconv.ParseBool: parsing {text:?}: invalid syntax"))),
        _ => Err(arg::cannot(value, "bool", scratch)),
    }
}

/// Go's `strconv.ParseInt(s, 0, 64)`: a sign, a prefix `0x` `0b` `0o` `0`, single underscores between digits.
fn go_parse_int(text: &str) -> Option<i64> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let lower = |i: usize| digits.as_bytes().get(i).map(u8::to_ascii_lowercase);
    let (base, body) = match (lower(0), lower(1)) {
        (Some(b'0'), Some(b'x')) => (16, digits.get(2..)?),
        (Some(b'0'), Some(b'b')) => (2, digits.get(2..)?),
        (Some(b'0'), Some(b'o')) => (8, digits.get(2..)?),
        (Some(b'0'), Some(_)) => (8, digits.get(1..)?),
        _ => (10, digits),
    };
    let mut magnitude: u64 = 0;
    let mut digit_before = base != 10; // a prefix counts as one
    let mut any = false;
    for ch in body.chars() {
        if ch == '_' {
            if !digit_before {
                return None;
            }
            digit_before = false;
            continue;
        }
        magnitude = magnitude.checked_mul(base)?.checked_add(u64::from(ch.to_digit(u32::try_from(base).ok()?)?))?;
        digit_before = true;
        any = true;
    }
    if !any || !digit_before {
        return None;
    }
    if negative { 0_i64.checked_sub_unsigned(magnitude) } else { i64::try_from(magnitude).ok() }
}

fn chr<'a>(c: &Call<'_, 'a>) -> Eval<'a> {
    #[expect(clippy::cast_possible_truncation, reason = "Go's rune(v) keeps the low 32 bits")]
    let rune = |i: i64| Ok(Value::Int(i64::from(i as i32)));
    match c.arg(0) {
        Value::Int(i) => rune(i),
        // What no int32 holds is the smallest one, as on amd64.
        Value::Float(x) => rune(i64::from(i32::try_from(arg::go_int(x)).unwrap_or(i32::MIN))),
        Value::Str(text) if text.len() > 1 => Err(Fault::new("Parameter length cannot larger than 1.")),
        Value::Str(text) => {
            text.chars().next().map(|ch| Value::Int(i64::from(u32::from(ch)))).ok_or(Fault::new("Parameter length cannot be 0."))
        }
        _ => Err(Fault::new("Only bigint, float and string type can be convert to char type.")),
    }
}

fn encode<'a>(c: &Call<'_, 'a>) -> Eval<'a> {
    if !matches!(c.arg(1), Value::Str(name) if name.eq_ignore_ascii_case("base64")) {
        return Err(Fault::new("Only base64 encoding is supported."));
    }
    let Value::Str(text) = c.arg(0) else { return Err(Fault::new("Only string type can be encoded.")) };
    c.work(text.len())?;
    let lent = c.ctx.scratch.alloc(data_encoding::BASE64.encode_len(text.len()))?;
    data_encoding::BASE64.encode_mut(text.as_bytes(), lent);
    Ok(Value::Str(core::str::from_utf8(lent).unwrap_or("")))
}

fn decode<'a>(c: &Call<'_, 'a>) -> Eval<'a> {
    if !matches!(c.arg(1), Value::Str(name) if name.eq_ignore_ascii_case("base64")) {
        return Err(Fault::new("Only base64 decoding is supported."));
    }
    let Value::Str(text) = c.arg(0) else { return Err(Fault::new("Only string type can be decoded.")) };
    c.work(text.len())?;
    match base64(text, c.ctx.scratch)? {
        Ok(bytes) => Ok(Value::Bytes(bytes)),
        Err(at) => Err(c.ctx.scratch.fault(format_args!("fail to decode base64 string: illegal base64 data at input byte {at}"))),
    }
}

/// Octets of a base64 text, or the place of what is none.
fn base64<'a>(text: &str, scratch: &Scratch<'a>) -> Result<Result<&'a [u8], usize>, Fault<'a>> {
    let lent = scratch.alloc(text.len() / 4 * 3 + 3)?;
    Ok(crate::decode::base64::decode(text.as_bytes(), lent).map(|len| &lent[..len]))
}

fn trunc<'a>(c: &Call<'_, 'a>) -> Eval<'a> {
    let x = arg::float(c.arg(0), c.ctx.scratch)?;
    let Value::Int(digits) = c.arg(1) else { return Err(Fault::new("The 2nd parameter must be int value.")) };
    let factor = 10_f64.powf(arg::go_float(digits));
    let scaled = x * factor;
    // Where no int holds the product there is no fraction to cut either.
    if scaled.is_nan() || scaled.abs() >= 9e18 {
        return Ok(Value::Float(x));
    }
    Ok(Value::Float(arg::go_float(arg::go_int(scaled + 0.5_f64.copysign(scaled))) / factor))
}

fn hex2dec<'a>(c: &Call<'_, 'a>) -> Eval<'a> {
    let Value::Str(text) = c.arg(0) else {
        let given = go_text(c.arg(0), c.ctx.scratch)?;
        return Err(c.ctx.scratch.fault(format_args!("invalid input type: {given} please input hex string")));
    };
    let digits = text.strip_prefix("0x").unwrap_or(text);
    i64::from_str_radix(digits, 16).map(Value::Int).map_err(|_| c.ctx.scratch.fault(format_args!("invalid hexadecimal value: {digits}")))
}

fn dec2hex<'a>(c: &Call<'_, 'a>) -> Eval<'a> {
    let i = arg::strict_int(c.arg(0), c.ctx.scratch)?;
    let sign = if i < 0 { "-" } else { "" };
    Ok(Value::Str(c.ctx.scratch.format(format_args!("0x{sign}{:x}", i.unsigned_abs()))?))
}

fn to_json<'a>(c: &Call<'_, 'a>) -> Eval<'a> {
    let written = c.written(|out| json(out, c.arg(0), c));
    match written {
        Err(fault) if fault.text.starts_with("json:") => {
            let given = go_text(c.arg(0), c.ctx.scratch)?;
            Err(c.ctx.scratch.fault(format_args!("fail to convert {given} to json")))
        }
        other => other,
    }
}

/// [`text::json`] into the text half of the scratch: lists and objects are packed first, which unescapes into the other half.
fn json<'a>(out: &mut Out<'_>, value: Value<'a>, c: &Call<'_, 'a>) -> Result<(), Fault<'a>> {
    let scratch = c.ctx.scratch;
    c.ctx.spend(1)?;
    if let Some(list) = value.list(scratch)? {
        return text::json_list(out, list, |out, element| json(out, element, c));
    }
    match value.object(scratch)? {
        Some(object) => text::json_object(out, object, |out, member| json(out, member, c)),
        None => text::json(out, value, scratch),
    }
}

fn parse_json<'a>(c: &Call<'_, 'a>) -> Eval<'a> {
    let scratch = c.ctx.scratch;
    let text = match c.arg(0) {
        Value::Null | Value::Str("null") => return Ok(Value::Null),
        Value::Str(text) => text,
        Value::Bytes(bytes) => core::str::from_utf8(bytes).map_err(|_| Fault::new("fail to parse json: invalid UTF-8"))?,
        other => {
            let given = go_text(other, scratch)?;
            return Err(scratch.fault(format_args!("fail to convert {given} to string")));
        }
    };
    parse(c, text).map_err(|e| scratch.fault(format_args!("fail to parse json: {e}")))
}

/// The value of a JSON text, whose numbers are floats.
pub(super) fn parse<'a>(c: &Call<'_, 'a>, text: &'a str) -> Eval<'a> {
    c.work(text.len())?;
    if let Err(e) = scan::check(text, |_| {}) {
        // In Go's words where those say as much.
        return Err(match text.get(e.at..).map(|rest| rest.chars().next()) {
            Some(None) => Fault::new("unexpected end of JSON input"),
            Some(Some(found)) => {
                let place = match e.expected {
                    "a value" => "looking for beginning of value",
                    "a key in double quotes" => "looking for beginning of object key string",
                    "`:`" => "after object key",
                    "`,` or `}`" => "after object key:value pair",
                    "`,` or `]`" => "after array element",
                    "the end of the text" => "after top-level value",
                    _ => return Err(c.ctx.scratch.fault(format_args!("{e}"))),
                };
                c.ctx.scratch.fault(format_args!("invalid character '{found}' {place}"))
            }
            None => c.ctx.scratch.fault(format_args!("{e}")),
        });
    }
    Value::from_json(text.trim_matches([' ', '\t', '\r', '\n']), Numbers::Float, c.ctx.scratch)
}

fn convert_tz<'a>(c: &Call<'_, 'a>) -> Eval<'a> {
    let mut t = to_moment(c.arg(0), c.ctx)?;
    let name = arg::text(c.arg(1), c.ctx.scratch)?;
    t.offset_s = match c.aux {
        Aux::Zone(zone) => zone.offset_at(t.secs),
        _ => match name {
            "" | "UTC" => 0,
            "Local" => c.ctx.rule.zone.offset_at(t.secs),
            _ if name == c.ctx.rule.zone.name() => c.ctx.rule.zone.offset_at(t.secs),
            _ => return Err(c.ctx.scratch.fault(format_args!("unknown time zone {name}"))),
        },
    };
    Ok(Value::Time(t))
}

type Press = for<'a> fn(&Call<'_, 'a>, &[u8], &str) -> Result<&'a [u8], Fault<'a>>;

fn pressed<'a>(c: &Call<'_, 'a>, press: Press) -> Eval<'a> {
    let bytes = match c.arg(0) {
        Value::Null => return Ok(Value::Null),
        Value::Str(text) => text.as_bytes(),
        Value::Bytes(bytes) => bytes,
        other => {
            let given = go_text(other, c.ctx.scratch)?;
            return Err(c.ctx.scratch.fault(format_args!("require string or bytea parameter, but got {given}")));
        }
    };
    let algorithm = arg::text(c.arg(1), c.ctx.scratch)?;
    c.work(4 * bytes.len())?;
    Ok(Value::Bytes(press(c, bytes, algorithm)?))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Arg::*, check};

    #[test]
    fn casts() {
        check(&[
            ("cast", &[F(1.9), S("bigint")], "1"),
            ("cast", &[F(1e20), S("bigint")], "-9223372036854775808"),
            ("cast", &[S("0x1F"), S("bigint")], "31"),
            ("cast", &[S("-0b101"), S("bigint")], "-5"),
            ("cast", &[S("017"), S("bigint")], "15"),
            ("cast", &[S("1_000"), S("bigint")], "1000"),
            ("cast", &[S("1__0"), S("bigint")], "!cannot convert string(1__0) to int"),
            ("cast", &[S("0x_1F"), S("bigint")], "31"),
            ("cast", &[S("-9223372036854775808"), S("bigint")], "-9223372036854775808"),
            (
                "cast",
                &[S("9223372036854775808"), S("bigint")],
                "!not supported type conversion, got error cannot convert string(9223372036854775808) to int",
            ),
            ("cast", &[S("1.5"), S("bigint")], "!not supported type conversion"),
            ("cast", &[S(" 7 "), S("bigint")], "!not supported type conversion"),
            ("cast", &[S("1e3"), S("bigint")], "!not supported type conversion"),
            ("cast", &[S(""), S("bigint")], "!not supported type conversion"),
            ("cast", &[B(true), S("bigint")], "1"),
            ("cast", &[J("[1]"), S("bigint")], "!cannot convert []interface {}([1]) to int"),
            ("cast", &[S("1.5"), S("float")], "1.5"),
            ("cast", &[S("1e3"), S("float")], "1000"),
            ("cast", &[S("1_0.5"), S("float")], "10.5"),
            ("cast", &[S("1__0"), S("float")], "!cannot convert string(1__0) to float64"),
            ("cast", &[S("_1"), S("float")], "!cannot convert"),
            ("cast", &[S("1_"), S("float")], "!cannot convert"),
            ("cast", &[S(" 7 "), S("float")], "!cannot convert string( 7 ) to float64"),
            ("cast", &[S("1e999"), S("float")], "!cannot convert string(1e999) to float64"),
            ("cast", &[F(1e6), S("string")], "\"1000000\""),
            ("cast", &[F(1e21), S("string")], "\"1000000000000000000000\""),
            ("cast", &[J("{\"k\":1e6}"), S("string")], "\"map[k:1e+06]\""),
            ("cast", &[T(0, 0, 0), S("string")], "\"1970-01-01 00:00:00 +0000 UTC\""),
            ("cast", &[F(-5.5), S("boolean")], "true"),
            ("cast", &[S("T"), S("boolean")], "true"),
            (
                "cast",
                &[S("abc"), S("boolean")],
                "!not supported type conversion, got error strconv.ParseBool: parsing \"abc\": invalid syntax",
            ),
            ("cast", &[J("{\"a\":1}"), S("boolean")], "!cannot convert map[string]interface {}(map[a:1]) to bool"),
            ("cast", &[F(1_709_210_096_789.0), S("datetime")], "\"2024-02-29T12:34:56.789Z\""),
            ("cast", &[B(true), S("datetime")], "!unsupported type to convert to timestamp true"),
            ("cast", &[S("aGVsbG8="), S("bytea")], "\"aGVsbG8=\""),
            ("cast", &[S("hi!"), S("bytea")], "\"aGkh\""),
            ("cast", &[F(1.0), S("bytea")], "!cannot convert float64(1) to bytea"),
            ("cast", &[F(1.0), S("BIGINT")], "!unknow type"),
            ("cast", &[N, S("bigint")], "null"),
        ]);
    }

    #[test]
    fn encodings() {
        check(&[
            ("chr", &[S("A")], "65"),
            ("chr", &[F(65.9)], "65"),
            ("chr", &[I(-1)], "-1"),
            ("chr", &[F(1e20)], "-2147483648"),
            ("chr", &[S("ab")], "!Parameter length cannot larger than 1."),
            ("chr", &[S("")], "!Parameter length"),
            ("chr", &[B(true)], "!Only bigint, float and string type can be convert to char type."),
            ("encode", &[S("hello"), S("base64")], "\"aGVsbG8=\""),
            ("encode", &[X(b"abc"), S("base64")], "!Only string type can be encoded."),
            ("encode", &[S("a"), S("hex")], "!Only base64 encoding is supported."),
            ("decode", &[S("YWJj\n"), S("BASE64")], "\"YWJj\""),
            ("decode", &[S("YQ=="), S("base64")], "\"YQ==\""),
            ("decode", &[S("YWI="), S("base64")], "\"YWI=\""),
            ("decode", &[S("YQ="), S("base64")], "!fail to decode base64 string: illegal base64 data"),
            ("decode", &[S("YQ==YQ=="), S("base64")], "!fail to decode base64 string: illegal base64 data"),
            ("decode", &[S("="), S("base64")], "!fail to decode base64 string: illegal base64 data at input byte 0"),
            ("decode", &[F(1.0), S("base64")], "!Only string type can be decoded."),
            ("hex2dec", &[S("0x10")], "16"),
            ("hex2dec", &[S("ff")], "255"),
            ("hex2dec", &[S("0X10")], "!invalid hexadecimal value: 0X10"),
            ("hex2dec", &[F(16.0)], "!invalid input type: 16 please input hex string"),
            ("dec2hex", &[F(16.0)], "\"0x10\""),
            ("dec2hex", &[I(-31)], "\"0x-1f\""),
            ("dec2hex", &[F(1.5)], "!cannot convert float64(1.5) to int"),
            ("trunc", &[F(2.345), I(2)], "2.35"),
            ("trunc", &[F(-5.5), I(0)], "-6"),
            ("trunc", &[F(1e300), I(2)], "1e+300"),
            ("trunc", &[F(5.0), F(2.0)], "!The 2nd parameter must be int value."),
            ("trunc", &[S("12"), I(2)], "!cannot convert string(12) to float64"),
        ]);
    }

    #[test]
    fn json_text() {
        check(&[
            ("to_json", &[J("{\"b\":[1.0,\"\\u0041<\"],\"a\":{\"z\":null}}")], r#""{\"a\":{\"z\":null},\"b\":[1,\"A\\u003c\"]}""#),
            ("to_json", &[S("x\"y")], r#""\"x\\\"y\"""#),
            ("to_json", &[B(true)], "\"true\""),
            ("to_json", &[J("[]")], "null"),
            ("to_json", &[F(f64::NAN)], "!fail to convert NaN to json"),
            ("parse_json", &[S(" {\"a\":[1,{\"b\":\"\\u0041\"}]} ")], r#"{"a":[1,{"b":"A"}]}"#),
            ("parse_json", &[S("12")], "12"),
            ("parse_json", &[S("\"x\"")], "\"x\""),
            ("parse_json", &[S("null")], "null"),
            ("parse_json", &[N], "null"),
            ("parse_json", &[S("{a}")], "!fail to parse json"),
            ("parse_json", &[F(1.0)], "!fail to convert 1 to string"),
            ("parse_json", &[J("{}")], "!fail to convert map[] to string"),
        ]);
    }

    #[test]
    fn times() {
        check(&[
            ("to_seconds", &[F(1_709_210_096_789.0)], "1709210096"),
            ("to_seconds", &[N], "null"),
            ("convert_tz", &[T(0, 0, 3600), S("UTC")], "\"1970-01-01T00:00:00Z\""),
            ("convert_tz", &[F(-1.0), S("Asia/Shanghai")], "\"1970-01-01T07:59:59.999+08:00\""),
            ("convert_tz", &[F(0.0), S("Mars/Base")], "!unknown time zone Mars/Base"),
            ("convert_tz", &[B(true), S("UTC")], "!unsupported type to convert to timestamp true"),
        ]);
    }
}
