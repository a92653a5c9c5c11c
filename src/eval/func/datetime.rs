//! Dates and times: parts and texts of moments in their own offset, the wall clock of the slice, durations as Go writes them.

use super::{Table, arg, to_moment};
use crate::eval::{Call, Ctx};
use crate::time::layout::{self, MONTHS, WEEKDAYS};
use crate::time::pattern::Pattern;
use crate::value::text::{civil, civil_day, day_number};
use crate::value::{Eval, Fault, Moment, Value};

/// The functions of this family.
pub(super) static TABLE: Table = &[
    ("now", |c| now(c, false)),
    ("cur_date", |c| spelled(c, "2006-01-02", wall(c.ctx))),
    ("cur_time", |c| now(c, true)),
    ("format_time", format_time),
    ("date_calc", date_calc),
    ("date_diff", date_diff),
    ("day_name", |c| Ok(Value::Str(WEEKDAYS[layout::weekday(layout::local_day(time(c)?)) % 7]))),
    ("day_of_month", |c| Ok(Value::Int(i64::from(civil(time(c)?).2)))),
    ("day_of_week", |c| Ok(Value::Int(i64::try_from(layout::weekday(layout::local_day(time(c)?))).unwrap_or(0)))),
    ("day_of_year", |c| {
        let t = time(c)?;
        Ok(Value::Int(layout::local_day(t) - day_number(civil(t).0, 1, 1) + 1))
    }),
    ("from_days", from_days),
    ("from_unix_time", from_unix_time),
    ("hour", |c| Ok(Value::Int(i64::from(civil(time(c)?).3)))),
    ("last_day", last_day),
    ("microsecond", |c| Ok(Value::Int(i64::from(time(c)?.nanos / 1000)))),
    ("minute", |c| Ok(Value::Int(i64::from(civil(time(c)?).4)))),
    ("month", |c| Ok(Value::Int(i64::from(civil(time(c)?).1)))),
    ("month_name", |c| Ok(Value::Str(MONTHS[(civil(time(c)?).1 as usize - 1) % 12]))),
    ("second", |c| Ok(Value::Int(i64::from(civil(time(c)?).5)))),
    ("tstamp", |c| Ok(Value::Int(c.ctx.now.wall.0))),
];

const DATE_TIME: &str = "2006-01-02 15:04:05";

/// Argument 0 as a time.
fn time<'a>(c: &Call<'_, 'a>) -> Result<Moment, Fault<'a>> {
    to_moment(c.arg(0), c.ctx)
}

/// The wall clock in the rule's zone.
fn wall(ctx: &Ctx<'_, '_>) -> Moment {
    let t = Moment::from_ms(ctx.now.wall.0);
    Moment { offset_s: ctx.rule.zone.offset_at(t.secs), ..t }
}

/// `t` by a layout. Its zone's abbreviation is known where its offset is the rule's zone's, or UTC's.
fn spelled<'a>(c: &Call<'_, 'a>, layout: &str, t: Moment) -> Eval<'a> {
    let (offset, name) = c.ctx.rule.zone.at(t.secs);
    let name = if offset == t.offset_s {
        name
    } else if t.offset_s == 0 {
        "UTC"
    } else {
        ""
    };
    c.written(|out| Ok(layout::write(out, layout, t, name)?))
}

fn now<'a>(c: &Call<'_, 'a>, time_only: bool) -> Eval<'a> {
    let layout = match (arg::strict(c.arg(0)), time_only) {
        (Some(1), false) => "2006-01-02 15:04:05.0",
        (Some(2), false) => "2006-01-02 15:04:05.00",
        (Some(3), false) => "2006-01-02 15:04:05.000",
        (Some(4), false) => "2006-01-02 15:04:05.0000",
        (Some(5), false) => "2006-01-02 15:04:05.00000",
        (Some(6), false) => "2006-01-02 15:04:05.000000",
        (_, false) => DATE_TIME,
        (Some(1), true) => "15:04:05.0",
        (Some(2), true) => "15:04:05.00",
        (Some(3), true) => "15:04:05.000",
        (Some(4), true) => "15:04:05.0000",
        (Some(5), true) => "15:04:05.00000",
        (Some(6), true) => "15:04:05.000000",
        (_, true) => "15:04:05",
    };
    spelled(c, layout, wall(c.ctx))
}

fn format_time<'a>(c: &Call<'_, 'a>) -> Eval<'a> {
    let t = time(c)?;
    let pattern = arg::text(c.arg(1), c.ctx.scratch)?;
    let pattern = Pattern::parse(pattern).map_err(|e| c.ctx.scratch.fault(format_args!("{e}")))?;
    spelled(c, pattern.layout(), t)
}

fn date_calc<'a>(c: &Call<'_, 'a>) -> Eval<'a> {
    let t = time(c)?;
    let text = arg::text(c.arg(1), c.ctx.scratch)?;
    let (sign, text) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let by = sign * i128::from(duration(text, c)?);
    let nanos = i128::from(t.secs) * NANOS + i128::from(t.nanos) + by;
    let (Ok(secs), Ok(nanos)) = (i64::try_from(nanos.div_euclid(NANOS)), u32::try_from(nanos.rem_euclid(NANOS))) else {
        return Err(Fault::new("the date is out of range"));
    };
    spelled(c, DATE_TIME, Moment { secs, nanos, ..t })
}

const NANOS: i128 = 1_000_000_000;

/// Go's `time.ParseDuration`: a sign, then numbers with units, `1h30m`, `1.5s`; in nanoseconds.
fn duration<'a>(text: &str, c: &Call<'_, 'a>) -> Result<i64, Fault<'a>> {
    let invalid = || c.ctx.scratch.fault(format_args!("time: invalid duration \"{text}\""));
    let (negative, mut rest) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total: i128 = 0;
    while !rest.is_empty() {
        let digits = |t: &str| t.bytes().take_while(u8::is_ascii_digit).count();
        let (whole, behind) = rest.split_at(digits(rest));
        let (fraction, behind) = match behind.strip_prefix('.') {
            Some(f) => f.split_at(digits(f)),
            None => ("", behind),
        };
        if whole.is_empty() && fraction.is_empty() {
            return Err(invalid());
        }
        let (unit, behind) = behind.split_at(behind.find(|ch: char| ch == '.' || ch.is_ascii_digit()).unwrap_or(behind.len()));
        let scale: i128 = match unit {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => NANOS,
            "m" => 60 * NANOS,
            "h" => 3600 * NANOS,
            "" => return Err(c.ctx.scratch.fault(format_args!("time: missing unit in duration \"{text}\""))),
            _ => return Err(c.ctx.scratch.fault(format_args!("time: unknown unit \"{unit}\" in duration \"{text}\""))),
        };
        let whole: i128 = if whole.is_empty() { 0 } else { i128::from(whole.parse::<i64>().map_err(|_| invalid())?) };
        // 18 digits of a fraction are more than a nanosecond needs.
        let fraction = fraction.get(..18).unwrap_or(fraction);
        let part: i128 = if fraction.is_empty() { 0 } else { i128::from(fraction.parse::<i64>().map_err(|_| invalid())?) };
        let tens = 10_i128.pow(u32::try_from(fraction.len()).unwrap_or(18));
        total += whole * scale + part * scale / tens;
        if total > i128::from(i64::MAX) {
            return Err(invalid());
        }
        rest = behind;
    }
    i64::try_from(if negative { -total } else { total }).map_err(|_| invalid())
}

fn date_diff<'a>(c: &Call<'_, 'a>) -> Eval<'a> {
    let (a, b) = (time(c)?, to_moment(c.arg(1), c.ctx)?);
    let nanos = |t: Moment| i128::from(t.secs) * NANOS + i128::from(t.nanos);
    let diff = nanos(b) - nanos(a);
    // Go's Sub stops at the ends of an int64, some 292 years away.
    Ok(Value::Int(i64::try_from(diff).unwrap_or(if diff < 0 { i64::MIN } else { i64::MAX })))
}

/// Seconds since the epoch, in the rule's zone; far beyond any calendar they stop.
fn at_seconds(c: &Call<'_, '_>, secs: i64) -> Moment {
    let secs = secs.clamp(i64::MIN / 1000, i64::MAX / 1000);
    Moment { secs, nanos: 0, offset_s: c.ctx.rule.zone.offset_at(secs) }
}

fn from_days<'a>(c: &Call<'_, 'a>) -> Eval<'a> {
    match arg::strict_int(c.arg(0), c.ctx.scratch)? {
        0 => Ok(Value::Null),
        days => spelled(c, "2006-01-02", at_seconds(c, days.saturating_sub(1).saturating_mul(86_400))),
    }
}

fn from_unix_time<'a>(c: &Call<'_, 'a>) -> Eval<'a> {
    match arg::strict_int(c.arg(0), c.ctx.scratch)? {
        0 => Ok(Value::Null),
        secs => spelled(c, DATE_TIME, at_seconds(c, secs)),
    }
}

fn last_day<'a>(c: &Call<'_, 'a>) -> Eval<'a> {
    let (year, month, ..) = civil(time(c)?);
    let next = if month == 12 { day_number(year + 1, 1, 1) } else { day_number(year, month + 1, 1) };
    let (_, _, day) = civil_day(next - 1);
    spelled(c, "2006-01-02", Moment { secs: day_number(year, month, day) * 86_400, nanos: 0, offset_s: 0 })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Arg::*, check};

    #[test]
    fn clock() {
        check(&[
            ("now", &[], "\"2024-03-01 10:20:30\""),
            ("current_timestamp", &[I(3)], "\"2024-03-01 10:20:30.456\""),
            ("local_time", &[I(7)], "\"2024-03-01 10:20:30\""),
            ("local_timestamp", &[I(6)], "\"2024-03-01 10:20:30.456000\""),
            ("cur_date", &[], "\"2024-03-01\""),
            ("current_time", &[I(2)], "\"10:20:30.45\""),
            ("cur_time", &[], "\"10:20:30\""),
            ("tstamp", &[], "1709288430456"),
        ]);
    }

    #[test]
    fn parts() {
        let t = F(1_709_210_096_789.0); // 2024-02-29T12:34:56.789Z, a Thursday
        check(&[
            ("day", &[t], "29"),
            ("day_of_month", &[S("2024-02-29")], "29"),
            ("day_of_week", &[t], "4"),
            ("day_of_year", &[t], "60"),
            ("day_name", &[t], "\"Thursday\""),
            ("hour", &[t], "12"),
            ("hour", &[S("2024-02-29T12:34:56+02:00")], "12"),
            ("hour", &[F(-1.0)], "23"),
            ("hour", &[F(1.5)], "0"),
            ("hour", &[N], "!unsupported type to convert to timestamp <nil>"),
            ("hour", &[B(true)], "!unsupported type to convert to timestamp true"),
            ("hour", &[S("bad date")], "!Can't parse string as time: bad date"),
            ("minute", &[t], "34"),
            ("second", &[t], "56"),
            ("microsecond", &[t], "789000"),
            ("month", &[S("2019-01-01 01:23:45")], "1"),
            ("month_name", &[t], "\"February\""),
            ("last_day", &[t], "\"2024-02-29\""),
            ("last_day", &[S("2023-12-05")], "\"2023-12-31\""),
            ("from_days", &[I(1)], "\"1970-01-01\""),
            ("from_days", &[F(-1.0)], "\"1969-12-30\""),
            ("from_days", &[I(0)], "null"),
            ("from_days", &[F(1.5)], "!cannot convert float64(1.5) to int"),
            ("from_unix_time", &[F(1_709_210_096.0)], "\"2024-02-29 12:34:56\""),
            ("from_unix_time", &[I(0)], "null"),
            ("from_unix_time", &[S("1")], "!cannot convert string(1) to int"),
        ]);
    }

    #[test]
    fn formats() {
        let t = T(1_709_210_096, 789_000_000, 7200);
        check(&[
            ("format_time", &[F(1_709_210_096_789.0), S("HHmmss")], "\"123456\""),
            ("format_time", &[S("2024-02-03 04:05:06"), S("HHmmss")], "\"040506\""),
            ("format_time", &[t, S("yyyy-MM-dd'T'HH:mm:ssSSSXXX")], "\"2024-02-29T14:34:56.789+02:00\""),
            ("format_time", &[t, S("EEE MMM d h:mm a z")], "\"Thu Feb 29 2:34 PM +0200\""),
            ("format_time", &[F(0.0), S("EEEE z")], "\"Thursday UTC\""),
            ("format_time", &[F(0.0), S("H")], "!invalid time format H of H, only HH is supported"),
            ("format_time", &[N, S("HH")], "null"),
        ]);
    }

    #[test]
    fn arithmetic() {
        check(&[
            ("date_calc", &[S("2019-01-01"), S("1h30m10s100ms200us300ns")], "\"2019-01-01 01:30:10\""),
            ("date_calc", &[S("2019-01-01"), S("-1h")], "\"2018-12-31 23:00:00\""),
            ("date_calc", &[S("2019-01-01"), S("1.5h")], "\"2019-01-01 01:30:00\""),
            ("date_calc", &[S("2019-01-01"), S("--1h")], "\"2019-01-01 01:00:00\""),
            ("date_calc", &[S("2019-01-01"), S("0")], "\"2019-01-01 00:00:00\""),
            ("date_calc", &[S("2019-01-01"), S("1d")], "!time: unknown unit \"d\" in duration \"1d\""),
            ("date_calc", &[S("2019-01-01"), S("1")], "!time: missing unit in duration \"1\""),
            ("date_calc", &[S("2019-01-01"), S("x")], "!time: invalid duration \"x\""),
            ("date_calc", &[S("2019-01-01"), S("99999999h")], "!time: invalid duration"),
            ("date_calc", &[N, S("1h")], "!unsupported type to convert to timestamp <nil>"),
            ("date_diff", &[F(1_709_210_096_789.0), F(1_709_210_098_289.0)], "1500000000"),
            ("date_diff", &[S("2024-02-28"), S("2024-03-01")], "172800000000000"),
            ("date_diff", &[F(0.0), I(i64::MAX)], "9223372036854775807"),
            ("date_diff", &[N, F(1.0)], "!unsupported type to convert to timestamp <nil>"),
            ("date_diff", &[S("x"), F(1.0)], "!Can't parse string as time: x"),
        ]);
    }
}
