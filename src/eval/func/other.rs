//! What the engine knows of rule, event and window, and what fits nowhere else.

use super::{Table, arg};
use crate::eval::Call;
use crate::value::text::go_text;
use crate::value::{Eval, Value};

/// The functions of this family.
pub(super) static TABLE: Table = &[
    ("isnull", |c| Ok(Value::Bool(c.arg(0).is_null()))),
    ("coalesce", |c| Ok(c.args.iter().copied().find(|a| !a.is_null()).unwrap_or(Value::Null))),
    ("newuuid", newuuid),
    // The planner makes expressions of their own of meta(x) and mqtt(x); here they are what they are given.
    ("meta", |c| Ok(c.arg(0))),
    ("mqtt", |c| Ok(c.arg(0))),
    ("rule_id", |c| Ok(Value::Str(&c.ctx.rule.id))),
    ("rule_start", |c| Ok(Value::Int(c.ctx.rule.start.0))),
    ("event_time", |c| {
        let window = c.ctx.window.filter(|_| c.ctx.rule.window_time);
        Ok(Value::Int(window.map_or(c.ctx.event.time.0, |w| w.trigger.0)))
    }),
    ("last_hit_count", |c| Ok(Value::Int(c.ctx.hits.count))),
    ("last_hit_time", |c| Ok(Value::Int(c.ctx.hits.time))),
    ("delay", delay),
    ("get_keyed_state", get_keyed_state),
    ("props", props),
    ("bypass", |c| Ok(c.arg(0))),
];

/// A UUID of version 1 (RFC 9562 §5.1) from the slice's clock; what the clock leaves open, and the node, are random.
fn newuuid<'a>(c: &Call<'_, 'a>) -> Eval<'a> {
    let (high, low) = (c.ctx.random(), c.ctx.random());
    // 100 ns since 1582-10-15: 10,000 to the millisecond.
    let ticks = (c.ctx.now.wall.0.cast_unsigned().wrapping_mul(10_000).wrapping_add(high % 10_000)).wrapping_add(0x01b2_1dd2_1381_4000);
    let (time_low, time_mid, time_high) = (ticks & 0xffff_ffff, ticks >> 32 & 0xffff, ticks >> 48 & 0xfff);
    let sequence = high >> 32 & 0x3fff | 0x8000;
    let node = low & 0xffff_ffff_ffff | 0x0100_0000_0000; // the multicast bit: no network card has it
    Ok(Value::Str(c.ctx.scratch.format(format_args!("{time_low:08x}-{time_mid:04x}-1{time_high:03x}-{sequence:04x}-{node:012x}"))?))
}

/// The second argument. The pause is the rule's: it is added to [`crate::eval::Ctx::delay_ms`], and no thread waits for it.
fn delay<'a>(c: &Call<'_, 'a>) -> Eval<'a> {
    let ms = u64::try_from(arg::int(c.arg(0), c.ctx.scratch)?).unwrap_or(0);
    c.ctx.delay_ms.set(c.ctx.delay_ms.get().saturating_add(ms));
    Ok(c.arg(1))
}

/// Nothing is ever stored here, so the default is what there is.
fn get_keyed_state<'a>(c: &Call<'_, 'a>) -> Eval<'a> {
    if !matches!(c.arg(0), Value::Str(_)) {
        let given = go_text(c.arg(0), c.ctx.scratch)?;
        return Err(c.ctx.scratch.fault(format_args!("key {given} is not a string")));
    }
    Ok(c.arg(2))
}

fn props<'a>(c: &Call<'_, 'a>) -> Eval<'a> {
    let scratch = c.ctx.scratch;
    match c.arg(0) {
        Value::Str("et") => Ok(Value::Str(scratch.format(format_args!("{}", c.ctx.now.wall.0))?)),
        Value::Str(name) => Err(scratch.fault(format_args!("there is no property {name}"))),
        other => {
            let given = go_text(other, scratch)?;
            Err(scratch.fault(format_args!("invalid input {given}: must be property name of string type")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Arg::*, NOW_MS, answer, call, check, with_ctx};
    use crate::sql::plan::Aux;
    use crate::value::Value;

    #[test]
    fn facts() {
        check(&[
            ("isnull", &[N], "true"),
            ("isnull", &[J("[]")], "false"),
            ("coalesce", &[N, S("dd"), I(1)], "\"dd\""),
            ("coalesce", &[N], "null"),
            ("rule_id", &[], "\"r1\""),
            ("rule_start", &[], "1709288429456"),
            ("event_time", &[], "2001"),
            ("last_hit_count", &[], "3"),
            ("last_hit_time", &[], "77"),
            ("bypass", &[S("x")], "\"x\""),
            ("get_keyed_state", &[S("k"), S("bigint"), I(7)], "7"),
            ("get_keyed_state", &[F(1.0), S("bigint"), I(7)], "!key 1 is not a string"),
            ("props", &[S("et")], "\"1709288430456\""),
            ("props", &[S("x")], "!there is no property x"),
            ("delay", &[S("1"), I(1)], "!cannot convert string(1) to int"),
        ]);
    }

    #[test]
    fn delays_add_up_and_nobody_sleeps() {
        with_ctx(100, 1024, |ctx| {
            for ms in [3, 4, -5] {
                assert_eq!(answer(call(ctx, "delay", &[Value::Int(ms), Value::Str("x")], &Aux::None), ctx.scratch), "\"x\"");
            }
            assert_eq!(ctx.delay_ms.get(), 7);
        });
    }

    #[test]
    fn uuids() {
        with_ctx(100, 4096, |ctx| {
            let one = answer(call(ctx, "newuuid", &[], &Aux::None), ctx.scratch);
            let two = answer(call(ctx, "newuuid", &[], &Aux::None), ctx.scratch);
            assert_ne!(one, two);
            let id = uuid::Uuid::parse_str(one.trim_matches('"')).expect("a UUID");
            assert_eq!((id.get_version_num(), id.get_variant()), (1, uuid::Variant::RFC4122));
            let (secs, nanos) = id.get_timestamp().expect("version 1").to_unix();
            assert_eq!(secs * 1000 + u64::from(nanos) / 1_000_000, NOW_MS.unsigned_abs());
        });
    }

    #[test]
    fn random_numbers() {
        with_ctx(100, 1024, |ctx| {
            for _ in 0..50 {
                assert!(matches!(call(ctx, "rand", &[], &Aux::None), Ok(Value::Float(x)) if (0.0..1.0).contains(&x)));
            }
        });
    }
}
