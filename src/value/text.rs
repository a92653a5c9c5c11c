//! Values as text: Go's `%v` and type names, RFC 3339 times, and the key text that groups compare by.

use super::{Fault, Moment, Numbers, Object, Packed, Scratch, Value};
use crate::json::scan;
use crate::json::write::{self, FloatStyle, Full, Out};

impl From<Full> for Fault<'_> {
    fn from(_: Full) -> Self {
        Self::FULL
    }
}

impl Value<'_> {
    /// The name Go's `%T` prints for a value of this kind, as eKuiper's errors show it.
    #[must_use]
    pub fn go_type(self) -> &'static str {
        match self {
            Self::Null => "<nil>",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int64",
            Self::Float(_) => "float64",
            Self::Time(_) => "time.Time",
            Self::Str(_) => "string",
            Self::Bytes(_) => "[]uint8",
            _ if self.is_list() => "[]interface {}",
            _ => "map[string]interface {}",
        }
    }
}

/// Writes `value` as Go's `%v` does: `<nil>`, `[1 2]`, `map[a:1]` with sorted keys, floats from 1e6 on with an exponent.
///
/// # Errors
/// [`Fault::FULL`] when out or scratch ends.
pub fn go_v<'a>(out: &mut Out<'_>, value: Value<'a>, scratch: &Scratch<'a>) -> Result<(), Fault<'a>> {
    match value {
        Value::Null => out.text("<nil>")?,
        Value::Bool(b) => out.text(if b { "true" } else { "false" })?,
        Value::Int(i) => write::integer(out, i)?,
        Value::Float(x) => write::float(out, x, FloatStyle::GoV)?,
        Value::Str(text) => out.text(text)?,
        Value::Time(t) => go_time(out, t)?,
        Value::Bytes(bytes) => {
            out.byte(b'[')?;
            for (i, b) in bytes.iter().enumerate() {
                if i > 0 {
                    out.byte(b' ')?;
                }
                write::integer(out, i64::from(*b))?;
            }
            out.byte(b']')?;
        }
        Value::Json(..) | Value::Packed(_) => {
            // Packed first: `out` may lie in the text half of the scratch, where elements would be unescaped.
            if let Some(list) = value.list(scratch)? {
                out.byte(b'[')?;
                for (i, element) in list.elements().enumerate() {
                    if i > 0 {
                        out.byte(b' ')?;
                    }
                    go_v(out, element, scratch)?;
                }
                out.byte(b']')?;
            } else if let Some(object) = value.object(scratch)? {
                out.text("map[")?;
                for (i, (key, value)) in object.entries().enumerate() {
                    if i > 0 {
                        out.byte(b' ')?;
                    }
                    out.text(key)?;
                    out.byte(b':')?;
                    go_v(out, value, scratch)?;
                }
                out.byte(b']')?;
            }
        }
    }
    Ok(())
}

/// `%v` text of `value`, in the scratch unless the value is text already.
///
/// # Errors
/// [`Fault::FULL`].
pub fn go_text<'a>(value: Value<'a>, scratch: &Scratch<'a>) -> Result<&'a str, Fault<'a>> {
    match value {
        Value::Str(text) => Ok(text),
        Value::Null => Ok("<nil>"),
        Value::Bool(b) => Ok(if b { "true" } else { "false" }),
        _ => {
            let bytes = scratch.write_bytes(|out| go_v(out, value, scratch))?;
            Ok(core::str::from_utf8(bytes).unwrap_or(""))
        }
    }
}

/// `func(float64(1.5))`-like text of an operand in an error: type and value, as eKuiper's errors show operands.
///
/// # Errors
/// [`Fault::FULL`].
pub fn typed<'a>(value: Value<'a>, scratch: &Scratch<'a>) -> Result<&'a str, Fault<'a>> {
    let text = go_text(value, scratch)?;
    scratch.format(format_args!("{}({text})", value.go_type()))
}

/// Date and time of day of a moment, in its own offset: year, month 1.., day 1.., hour, minute, second.
#[must_use]
pub fn civil(t: Moment) -> (i64, u32, u32, u32, u32, u32) {
    let local = t.secs + i64::from(t.offset_s);
    let (year, month, day) = civil_day(local.div_euclid(86_400));
    #[expect(clippy::cast_possible_truncation, reason = "rem_euclid keeps it in 0..86400")]
    let s = local.rem_euclid(86_400) as u32;
    (year, month, day, s / 3600, s / 60 % 60, s % 60)
}

/// Year, month 1.. and day 1.. of a day number since 1970-01-01 (proleptic Gregorian).
#[must_use]
pub const fn civil_day(days: i64) -> (i64, u32, u32) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded by the calendar")]
    let (day, month) = ((doy - (153 * mp + 2) / 5 + 1) as u32, (if mp < 10 { mp + 3 } else { mp - 9 }) as u32);
    (yoe + era * 400 + if month <= 2 { 1 } else { 0 }, month, day)
}

/// Day number since 1970-01-01 of a date (proleptic Gregorian).
#[must_use]
pub const fn day_number(year: i64, month: u32, day: u32) -> i64 {
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let yoe = y.rem_euclid(400);
    let m = month as i64;
    let doy = (153 * (if m > 2 { m - 3 } else { m + 9 }) + 2) / 5 + day as i64 - 1;
    era * 146_097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719_468
}

fn offset(out: &mut Out<'_>, offset_s: i32, colon: bool) -> Result<(), Full> {
    let minutes = offset_s.abs() / 60;
    out.byte(if offset_s < 0 { b'-' } else { b'+' })?;
    two(out, minutes.unsigned_abs() / 60)?;
    if colon {
        out.byte(b':')?;
    }
    two(out, minutes.unsigned_abs() % 60)
}

fn two(out: &mut Out<'_>, n: u32) -> Result<(), Full> {
    out.bytes(&[b'0' + (n / 10 % 10) as u8, b'0' + (n % 10) as u8])
}

fn date_time(out: &mut Out<'_>, t: Moment, between: u8) -> Result<(), Full> {
    let (year, month, day, hour, minute, second) = civil(t);
    if (0..=9999).contains(&year) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked: four digits")]
        let year = year as u32;
        two(out, year / 100)?;
        two(out, year % 100)?;
    } else {
        write::integer(out, year)?;
    }
    out.byte(b'-')?;
    two(out, month)?;
    out.byte(b'-')?;
    two(out, day)?;
    out.byte(between)?;
    two(out, hour)?;
    out.byte(b':')?;
    two(out, minute)?;
    out.byte(b':')?;
    two(out, second)?;
    if t.nanos > 0 {
        let mut digits = [b'0'; 9];
        let mut n = t.nanos;
        for d in digits.iter_mut().rev() {
            {
                *d = b'0' + (n % 10) as u8;
            }
            n /= 10;
        }
        let len = 9 - digits.iter().rev().take_while(|d| **d == b'0').count();
        out.byte(b'.')?;
        out.bytes(&digits[..len])?;
    }
    Ok(())
}

/// RFC 3339 with as many digits of the second as there are, `Z` for UTC: how times leave in JSON.
///
/// # Errors
/// [`Full`].
pub fn rfc3339(out: &mut Out<'_>, t: Moment) -> Result<(), Full> {
    date_time(out, t, b'T')?;
    if t.offset_s == 0 { out.byte(b'Z') } else { offset(out, t.offset_s, true) }
}

/// Go's `Time.String`: `2024-01-02 03:04:05.6 +0000 UTC`.
fn go_time(out: &mut Out<'_>, t: Moment) -> Result<(), Full> {
    date_time(out, t, b' ')?;
    out.byte(b' ')?;
    offset(out, t.offset_s, false)?;
    out.byte(b' ')?;
    if t.offset_s == 0 { out.text("UTC") } else { offset(out, t.offset_s, false) }
}

/// Octets as text into `out`: each one that is no UTF-8 becomes U+FFFD, as in Go's JSON.
///
/// # Errors
/// [`Full`].
pub(crate) fn replaced(out: &mut Out<'_>, bytes: &[u8]) -> Result<(), Full> {
    for chunk in bytes.utf8_chunks() {
        out.text(chunk.valid())?;
        for _ in chunk.invalid() {
            out.text("\u{fffd}")?;
        }
    }
    Ok(())
}

/// Octets as text, in place where they are UTF-8, else as [`replaced`] has them.
///
/// # Errors
/// [`Fault::FULL`].
pub(crate) fn lossy<'a>(bytes: &'a [u8], scratch: &Scratch<'a>) -> Result<&'a str, Fault<'a>> {
    if let Ok(text) = core::str::from_utf8(bytes) {
        return Ok(text);
    }
    let bytes = scratch.write_bytes(|out| Ok(replaced(out, bytes)?))?;
    Ok(core::str::from_utf8(bytes).unwrap_or(""))
}

/// Seconds at which the year 0 begins.
const YEAR_0: i64 = -62_167_219_200;
/// Seconds at which the year 10000 begins: RFC 3339 ends there.
const YEAR_10000: i64 = 253_402_300_800;

/// Writes `value` as Go's `encoding/json` would: keys sorted at every depth, no spaces, octets as base64.
///
/// # Errors
/// `json: unsupported value: NaN` and the like, or [`Fault::FULL`].
pub fn json<'a>(out: &mut Out<'_>, value: Value<'a>, scratch: &Scratch<'a>) -> Result<(), Fault<'a>> {
    match value {
        Value::Null => out.text("null")?,
        Value::Bool(b) => out.text(if b { "true" } else { "false" })?,
        Value::Int(i) => write::integer(out, i)?,
        Value::Float(x) if !x.is_finite() => {
            return Err(Fault::new(if x.is_nan() {
                "json: unsupported value: NaN"
            } else if x > 0.0 {
                "json: unsupported value: +Inf"
            } else {
                "json: unsupported value: -Inf"
            }));
        }
        Value::Float(x) => write::float(out, x, FloatStyle::Json)?,
        Value::Time(t) if !(YEAR_0..YEAR_10000).contains(&t.secs.saturating_add(i64::from(t.offset_s))) => {
            return Err(Fault::new("json: error calling MarshalJSON for type time.Time: Time.MarshalJSON: year outside of range [0,9999]"));
        }
        Value::Time(t) => {
            out.byte(b'"')?;
            rfc3339(out, t)?;
            out.byte(b'"')?;
        }
        Value::Str(text) => write::string(out, text)?,
        Value::Bytes(bytes) => {
            out.byte(b'"')?;
            for chunk in bytes.chunks(48) {
                let mut text = [0; 64];
                let text = &mut text[..data_encoding::BASE64.encode_len(chunk.len())];
                data_encoding::BASE64.encode_mut(chunk, text);
                out.bytes(text)?;
            }
            out.byte(b'"')?;
        }
        Value::Json(numbers, raw) if raw.starts_with('[') && !raw.contains('\\') => {
            out.byte(b'[')?;
            for (i, element) in scan::elements(raw).enumerate() {
                if i > 0 {
                    out.byte(b',')?;
                }
                json_raw(out, element, numbers, scratch)?;
            }
            out.byte(b']')?;
        }
        Value::Json(..) => {
            // Packed first where strings hold escapes: `out` may lie in the text half of the scratch.
            if let Some(list) = value.list(scratch)? {
                json(out, Value::Packed(list), scratch)?;
            } else if let Some(object) = value.object(scratch)? {
                json_object(out, object, |out, member| json(out, member, scratch))?;
            }
        }
        Value::Packed(p) => {
            if let Some(object) = p.object() {
                json_object(out, object, |out, member| json(out, member, scratch))?;
            } else {
                json_list(out, p, |out, element| json(out, element, scratch))?;
            }
        }
    }
    Ok(())
}

/// A list of what `each` writes of its elements.
///
/// # Errors
/// No room, and what `each` gives.
pub fn json_list<'a>(
    out: &mut Out<'_>,
    list: Packed<'a>,
    mut each: impl FnMut(&mut Out<'_>, Value<'a>) -> Result<(), Fault<'a>>,
) -> Result<(), Fault<'a>> {
    out.byte(b'[')?;
    for (i, element) in list.elements().enumerate() {
        if i > 0 {
            out.byte(b',')?;
        }
        each(out, element)?;
    }
    Ok(out.byte(b']')?)
}

/// An object of what `each` writes of its members.
///
/// # Errors
/// No room, and what `each` gives.
pub fn json_object<'a>(
    out: &mut Out<'_>,
    object: Object<'a>,
    mut each: impl FnMut(&mut Out<'_>, Value<'a>) -> Result<(), Fault<'a>>,
) -> Result<(), Fault<'a>> {
    out.byte(b'{')?;
    for (i, (key, value)) in object.entries().enumerate() {
        if i > 0 {
            out.byte(b',')?;
        }
        write::string(out, key)?;
        out.byte(b':')?;
        each(out, value)?;
    }
    Ok(out.byte(b'}')?)
}

fn json_raw<'a>(out: &mut Out<'_>, raw: &'a str, numbers: Numbers, scratch: &Scratch<'a>) -> Result<(), Fault<'a>> {
    json(out, Value::from_json(raw, numbers, scratch)?, scratch)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spell(f: impl FnOnce(&mut Out<'_>, &Scratch<'_>)) -> String {
        let mut buf = vec![0; 8192];
        let mut text = vec![0; 1024];
        let mut out = Out::new(&mut text);
        f(&mut out, &Scratch::new(&mut buf));
        String::from_utf8(out.written().to_vec()).expect("utf-8")
    }

    #[test]
    fn json_is_sorted_and_spelled_as_go_does() {
        for (raw, want) in [
            (
                r#"{"b":1.0,"a":{"z":[1e2,{"y":null,"x":"<"}],"k":"\u0041"},"b":30.0}"#,
                r#"{"a":{"k":"A","z":[100,{"x":"\u003c","y":null}]},"b":30}"#,
            ),
            ("[ ]", "[]"),
            ("{ }", "{}"),
            ("[0.0000001,1e21,-0]", "[1e-7,1e+21,-0]"),
        ] {
            // A scratch of its own lives as long as the text it gives.
            let mut buf = vec![0; 8192];
            let scratch = Scratch::new(&mut buf);
            let mut text = vec![0; 1024];
            let mut out = Out::new(&mut text);
            json(&mut out, Value::Json(Numbers::Float, raw), &scratch).expect("room");
            assert_eq!(core::str::from_utf8(out.written()), Ok(want));
        }
    }

    #[test]
    fn go_v_of_lists_and_maps() {
        let mut buf = vec![0; 8192];
        let scratch = Scratch::new(&mut buf);
        let value = Value::Json(Numbers::Float, r#"{"b":[1,"x",null,true],"a":1000000}"#);
        assert_eq!(go_text(value, &scratch), Ok("map[a:1e+06 b:[1 x <nil> true]]"));
        assert_eq!(typed(Value::Float(1.5), &scratch), Ok("float64(1.5)"));
        assert_eq!(go_text(Value::Bytes(b"ab"), &scratch), Ok("[97 98]"));
    }

    #[test]
    fn times() {
        for (ms, offset_s, want) in [
            (0, 0, "1970-01-01T00:00:00Z"),
            (1_579_140_864_913, 0, "2020-01-16T02:14:24.913Z"),
            (1_579_140_864_913, 28_800, "2020-01-16T10:14:24.913+08:00"),
            (-1, 0, "1969-12-31T23:59:59.999Z"),
            (951_782_400_000, 0, "2000-02-29T00:00:00Z"),
        ] {
            assert_eq!(spell(|out, _| rfc3339(out, Moment { offset_s, ..Moment::from_ms(ms) }).expect("room")), want);
        }
        assert_eq!(spell(|out, _| go_time(out, Moment::from_ms(0)).expect("room")), "1970-01-01 00:00:00 +0000 UTC");
    }

    #[test]
    fn days_round_trip() {
        for days in [-1_000_000, -719_468, -1, 0, 1, 11_016, 59, 60, 1_000_000] {
            let (y, m, d) = civil_day(days);
            assert_eq!(day_number(y, m, d), days);
        }
        assert_eq!(civil_day(0), (1970, 1, 1));
        assert_eq!(civil_day(19_782), (2024, 2, 29));
    }

    #[test]
    fn non_finite_is_refused() {
        let mut buf = vec![0; 64];
        let mut text = [0; 16];
        let r = json(&mut Out::new(&mut text), Value::Float(f64::NAN), &Scratch::new(&mut buf));
        assert_eq!(r, Err(Fault::new("json: unsupported value: NaN")));
    }

    #[test]
    fn octets_become_text() {
        let mut buf = [0; 64];
        let s = Scratch::new(&mut buf);
        assert_eq!(lossy(b"ab", &s), Ok("ab"));
        assert_eq!(lossy(&[b'a', 0xe2, 0x80, b'b'], &s), Ok("a\u{fffd}\u{fffd}b"));
    }
}
