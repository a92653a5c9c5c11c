//! Methods that templates call on what functions made: times, durations and versions.

use core::cell::Cell;
use core::cmp::Ordering;

use super::date;
use super::semver::{self, Version};
use super::val::{Cx, Tag, Val};
use crate::time::layout;
use crate::value::text::{civil, day_number};
use crate::value::{Fault, Moment, Value};

/// Calls a method; `None` if the value has none of that name.
pub(super) fn call<'a>(receiver: Val<'a>, name: &str, args: &[Cell<Val<'a>>], cx: &Cx<'_, 'a>) -> Result<Option<Val<'a>>, Fault<'a>> {
    match (receiver.tag, receiver.v) {
        (Tag::Version, Value::Str(text)) => match semver::parse(text) {
            Some(version) => on_version(version, text, name, args, cx),
            None => Ok(None),
        },
        (Tag::Duration, Value::Int(nanos)) => on_duration(nanos, name, cx),
        (_, Value::Time(t)) => on_time(t, name, args, cx),
        _ => Ok(None),
    }
}

fn on_version<'a>(
    v: Version<'a>,
    text: &'a str,
    name: &str,
    args: &[Cell<Val<'a>>],
    cx: &Cx<'_, 'a>,
) -> Result<Option<Val<'a>>, Fault<'a>> {
    let number = |n: u64| Val::tagged(Value::Int(n.cast_signed()), Tag::Uint64);
    let other = || match args.first().map(Cell::get) {
        Some(Val { v: Value::Str(text), tag: Tag::Version }) => semver::parse(text).map(|o| v.order(&o)),
        _ => None,
    };
    let compared = |test: fn(Ordering) -> bool| match other() {
        Some(order) => Ok(Some(Val::bool(test(order)))),
        None => Err(Fault::new("wrong type for value; expected *semver.Version")),
    };
    Ok(Some(match name {
        "Major" => number(v.major),
        "Minor" => number(v.minor),
        "Patch" => number(v.patch),
        "Prerelease" => Val::str(v.pre),
        "Metadata" => Val::str(v.metadata),
        "Original" => Val::str(text),
        "String" => cx.text(|out| semver::normal(out, text))?,
        "Compare" => {
            let order = other().ok_or(Fault::new("wrong type for value; expected *semver.Version"))?;
            Val::int(order as i64)
        }
        "LessThan" => return compared(Ordering::is_lt),
        "GreaterThan" => return compared(Ordering::is_gt),
        "LessThanEqual" => return compared(Ordering::is_le),
        "GreaterThanEqual" => return compared(Ordering::is_ge),
        "Equal" => return compared(Ordering::is_eq),
        _ => return Ok(None),
    }))
}

#[expect(clippy::cast_precision_loss, reason = "Go divides floats here too")]
fn on_duration<'a>(nanos: i64, name: &str, cx: &Cx<'_, 'a>) -> Result<Option<Val<'a>>, Fault<'a>> {
    Ok(Some(match name {
        "String" => cx.text(|out| date::duration(out, nanos))?,
        "Nanoseconds" => Val::int64(nanos),
        "Microseconds" => Val::int64(nanos / 1_000),
        "Milliseconds" => Val::int64(nanos / 1_000_000),
        "Seconds" => Val::float(nanos as f64 / 1e9),
        "Minutes" => Val::float(nanos as f64 / 6e10),
        "Hours" => Val::float(nanos as f64 / 3.6e12),
        _ => return Ok(None),
    }))
}

fn on_time<'a>(t: Moment, name: &str, args: &[Cell<Val<'a>>], cx: &Cx<'_, 'a>) -> Result<Option<Val<'a>>, Fault<'a>> {
    let (year, month, day, hour, minute, second) = civil(t);
    let small = |n: u32| Val::int(i64::from(n));
    let other = || match args.first().map(|a| a.get().v) {
        Some(Value::Time(o)) => Ok(o),
        _ => Err(Fault::new("wrong type for value; expected time.Time")),
    };
    let nanos = |t: Moment| i128::from(t.secs) * 1_000_000_000 + i128::from(t.nanos);
    Ok(Some(match name {
        "Unix" => Val::int64(t.secs),
        "UnixMilli" => Val::int64(t.ms()),
        "UnixMicro" => Val::int64(t.secs.wrapping_mul(1_000_000).wrapping_add(i64::from(t.nanos / 1_000))),
        "UnixNano" => Val::int64(t.secs.wrapping_mul(1_000_000_000).wrapping_add(i64::from(t.nanos))),
        "Year" => Val::int(year),
        "Month" => Val::str(usize::try_from(month).ok().and_then(|m| layout::MONTHS.get(m - 1)).copied().unwrap_or("")),
        "Day" => small(day),
        "Hour" => small(hour),
        "Minute" => small(minute),
        "Second" => small(second),
        "Nanosecond" => small(t.nanos),
        "YearDay" => Val::int(layout::local_day(t) - day_number(year, 1, 1) + 1),
        "Weekday" => Val::str(layout::WEEKDAYS.get(layout::weekday(layout::local_day(t))).copied().unwrap_or("")),
        "UTC" => Val::data(Value::Time(Moment { offset_s: 0, ..t })),
        "Local" => Val::data(Value::Time(Moment { offset_s: cx.env.zone.offset_at(t.secs), ..t })),
        "IsZero" => Val::bool(t.secs == -62_135_596_800 && t.nanos == 0),
        "String" => cx.text(|out| crate::value::text::go_v(out, Value::Time(t), cx.scratch))?,
        "Format" => match args.first().and_then(|a| a.get().text()) {
            Some(pattern) => cx.text(|out| Ok(layout::write(out, pattern, t, if t.offset_s == 0 { "UTC" } else { "" })?))?,
            None => return Err(Fault::new("wrong type for value; expected string")),
        },
        "Before" => Val::bool(nanos(t) < nanos(other()?)),
        "After" => Val::bool(nanos(t) > nanos(other()?)),
        "Equal" => Val::bool(nanos(t) == nanos(other()?)),
        "Sub" => {
            let gap = nanos(t) - nanos(other()?);
            let gap = i64::try_from(gap).unwrap_or(if gap < 0 { i64::MIN } else { i64::MAX });
            Val::tagged(Value::Int(gap), Tag::Duration)
        }
        _ => return Ok(None),
    }))
}
