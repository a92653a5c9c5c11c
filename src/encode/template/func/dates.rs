//! Sprig's dates. What is no time and no whole number stands for now, as in sprig; the zones are `Local`, the rule's own, and `UTC`.

use super::super::date;
use super::super::val::{Cx, Res, Val};
use super::{Args, Func, Param, arg, text};
use crate::time::layout;
use crate::value::{Fault, Moment, Value};

const ANY: &[Param] = &[Param::Any];
const STR_ANY: &[Param] = &[Param::Str, Param::Any];
const STR_TIME: &[Param] = &[Param::Str, Param::Time];
const IN_ZONE: &[Param] = &[Param::Str, Param::Any, Param::Str];

pub(super) const FUNCS: &[Func] = &[
    Func::new("now", &[], None, |cx, _| Ok(Val::data(Value::Time(now(cx))))),
    Func::new("date", STR_ANY, None, |cx, args| shown(cx, text(args, 0), arg(args, 1), "Local")),
    Func::new("htmlDate", ANY, None, |cx, args| shown(cx, "2006-01-02", arg(args, 0), "Local")),
    Func::new("htmlDateInZone", &[Param::Any, Param::Str], None, |cx, args| shown(cx, "2006-01-02", arg(args, 0), text(args, 1))),
    Func::new("dateInZone", IN_ZONE, None, |cx, args| shown(cx, text(args, 0), arg(args, 1), text(args, 2))),
    Func::new("date_in_zone", IN_ZONE, None, |cx, args| shown(cx, text(args, 0), arg(args, 1), text(args, 2))),
    Func::new("dateModify", STR_TIME, None, |_, args| Ok(modified(args).unwrap_or(arg(args, 1)))),
    Func::new("date_modify", STR_TIME, None, |_, args| Ok(modified(args).unwrap_or(arg(args, 1)))),
    Func::new("mustDateModify", STR_TIME, None, must_modify),
    Func::new("must_date_modify", STR_TIME, None, must_modify),
    Func::new("toDate", &[Param::Str, Param::Str], None, |cx, args| {
        // Go's zero time.
        let zero = Moment { secs: -62_135_596_800, nanos: 0, offset_s: 0 };
        Ok(Val::data(Value::Time(parsed(cx, args).unwrap_or(zero))))
    }),
    Func::new("mustToDate", &[Param::Str, Param::Str], None, |cx, args| match parsed(cx, args) {
        Some(t) => Ok(Val::data(Value::Time(t))),
        None => Err(cx.fault(format_args!("parsing time {:?} as {:?}: cannot parse", text(args, 1), text(args, 0)))),
    }),
    Func::new("unixEpoch", &[Param::Time], None, |cx, args| cx.text(|out| Ok(crate::json::write::integer(out, time(args, 0).secs)?))),
    Func::new("ago", ANY, None, |cx, args| {
        let since = now(cx);
        let t = moment(cx, arg(args, 0));
        let seconds = since.secs.saturating_sub(t.secs);
        // Rounded to the second, half away from zero.
        let nanos = i64::from(since.nanos) - i64::from(t.nanos);
        let total = seconds.saturating_mul(1_000_000_000).saturating_add(nanos);
        let half = if total < 0 { -500_000_000 } else { 500_000_000 };
        cx.text(|out| date::duration(out, total.saturating_add(half) / 1_000_000_000 * 1_000_000_000))
    }),
    Func::new("duration", ANY, None, |cx, args| {
        let seconds = match arg(args, 0).v {
            Value::Str(text) => text.parse().unwrap_or(0),
            Value::Int(i) if arg(args, 0).tag != super::super::val::Tag::Int => i,
            _ => 0,
        };
        cx.text(|out| date::duration(out, seconds.wrapping_mul(1_000_000_000)))
    }),
    Func::new("durationRound", ANY, None, duration_round),
];

fn now(cx: &Cx<'_, '_>) -> Moment {
    local(cx, Moment::from_ms(cx.env.now.wall.0))
}

fn local(cx: &Cx<'_, '_>, t: Moment) -> Moment {
    Moment { offset_s: cx.env.zone.offset_at(t.secs), ..t }
}

fn time(args: Args<'_, '_>, i: usize) -> Moment {
    match arg(args, i).v {
        Value::Time(t) => t,
        _ => Moment::from_ms(0),
    }
}

/// A time, or whole seconds since the epoch; anything else is now.
fn moment<'a>(cx: &Cx<'_, 'a>, v: Val<'a>) -> Moment {
    match v.v {
        Value::Time(t) => t,
        Value::Int(secs) => Moment { secs, nanos: 0, offset_s: 0 },
        _ => now(cx),
    }
}

fn shown<'a>(cx: &Cx<'_, 'a>, pattern: &str, v: Val<'a>, zone: &str) -> Res<'a> {
    let t = moment(cx, v);
    if t.secs.unsigned_abs() > 1 << 53 {
        return Err(Fault::new("the date is out of range"));
    }
    let (t, name) = if zone == "Local" || zone == cx.env.zone.name() {
        (local(cx, t), cx.env.zone.at(t.secs).1)
    } else {
        (Moment { offset_s: 0, ..t }, "UTC")
    };
    cx.text(|out| Ok(layout::write(out, pattern, t, name)?))
}

fn modified<'a>(args: Args<'_, 'a>) -> Option<Val<'a>> {
    let by = date::parse_duration(text(args, 0))?;
    let t = time(args, 1);
    let nanos = i128::from(t.secs) * 1_000_000_000 + i128::from(t.nanos) + i128::from(by);
    let secs = i64::try_from(nanos.div_euclid(1_000_000_000)).ok()?;
    let nanos = u32::try_from(nanos.rem_euclid(1_000_000_000)).ok()?;
    Some(Val::data(Value::Time(Moment { secs, nanos, offset_s: t.offset_s })))
}

fn must_modify<'a>(cx: &Cx<'_, 'a>, args: Args<'_, 'a>) -> Res<'a> {
    modified(args).ok_or_else(|| cx.fault(format_args!("time: invalid duration {:?}", text(args, 0))))
}

fn parsed(cx: &Cx<'_, '_>, args: Args<'_, '_>) -> Option<Moment> {
    layout::parse(text(args, 0), text(args, 1)).map(|fields| fields.moment(cx.env.zone))
}

fn duration_round<'a>(cx: &Cx<'_, 'a>, args: Args<'_, 'a>) -> Res<'a> {
    let nanos = match arg(args, 0).v {
        Value::Str(text) => date::parse_duration(text).unwrap_or(0),
        Value::Int(i) if arg(args, 0).tag != super::super::val::Tag::Int => i,
        Value::Time(t) => now(cx).secs.saturating_sub(t.secs).saturating_mul(1_000_000_000),
        _ => 0,
    };
    let n = nanos.unsigned_abs();
    const SECOND: u64 = 1_000_000_000;
    let units = [
        (365 * 24 * 3600 * SECOND, "y"),
        (30 * 24 * 3600 * SECOND, "mo"),
        (24 * 3600 * SECOND, "d"),
        (3600 * SECOND, "h"),
        (60 * SECOND, "m"),
        (SECOND, "s"),
    ];
    match units.iter().find(|(unit, _)| n > *unit) {
        Some((unit, name)) => cx.scratch.format(format_args!("{}{name}", n / unit)).map(Val::str),
        None => Ok(Val::str("0s")),
    }
}
