//! What the tests of the families share: calls by name, with the null rule and the prepared arguments that a plan would have.

use core::cell::{Cell, RefCell};

use super::scalar;
use crate::eval::{Bounds, Call, Ctx, Event, Hits, RegexCache, RuleFacts};
use crate::json::write::Out;
use crate::sql::func::prepare::prepare;
use crate::sql::func::{self, Nulls};
use crate::sql::plan::Aux;
use crate::time::{Instant, Now, Timestamp, Zone};
use crate::value::{Eval, Fault, Moment, Numbers, Scratch, Value, text};

/// An argument of a table row.
#[derive(Debug, Clone, Copy)]
pub(super) enum Arg {
    /// nil
    N,
    /// A boolean.
    B(bool),
    /// An int.
    I(i64),
    /// A float.
    F(f64),
    /// Text.
    S(&'static str),
    /// A list or object, as JSON of a schemaless stream.
    J(&'static str),
    /// Octets.
    X(&'static [u8]),
    /// A time: seconds, nanoseconds, offset.
    T(i64, u32, i32),
}

impl Arg {
    fn value(self) -> Value<'static> {
        match self {
            Self::N => Value::Null,
            Self::B(b) => Value::Bool(b),
            Self::I(i) => Value::Int(i),
            Self::F(x) => Value::Float(x),
            Self::S(text) => Value::Str(text),
            Self::J(raw) => Value::Json(Numbers::Float, raw),
            Self::X(bytes) => Value::Bytes(bytes),
            Self::T(secs, nanos, offset_s) => Value::Time(Moment { secs, nanos, offset_s }),
        }
    }
}

/// Friday, 2024-03-01 10:20:30.456 UTC: the wall clock of tests.
pub(super) const NOW_MS: i64 = 1_709_288_430_456;

/// A context with 32 KiB of scratch, as a rule `r1` in UTC sees it.
pub(in crate::eval) fn with_ctx<T>(fuel: u32, scratch_bytes: usize, f: impl for<'c, 'a> FnOnce(&Ctx<'c, 'a>) -> T) -> T {
    let mut buf = vec![0; scratch_bytes];
    let scratch = Scratch::new(&mut buf);
    let rule = RuleFacts { id: "r1".into(), start: Timestamp(NOW_MS - 1000), zone: Zone::utc(), window_time: true, functions: Vec::new() };
    let (fuel, rng, regexes) = (Cell::new(fuel), Cell::new(0x1234_5678_9abc_def1), RefCell::new(RegexCache::default()));
    let delay_ms = Cell::new(0);
    f(&Ctx {
        scratch: &scratch,
        now: Now { mono: Instant(5), wall: Timestamp(NOW_MS) },
        rule: &rule,
        event: Event { time: Timestamp(NOW_MS - 5), meta: None },
        window: Some(Bounds { start: Timestamp(1000), end: Timestamp(2000), trigger: Timestamp(2001) }),
        hits: Hits { count: 3, time: 77 },
        agg_hits: Hits { count: 2, time: 55 },
        fuel: &fuel,
        rng: &rng,
        regexes: &regexes,
        delay_ms: &delay_ms,
    })
}

/// A call without arguments, for what lies below the functions.
pub(super) fn with_call<T>(f: impl for<'c, 'a> FnOnce(&Call<'c, 'a>) -> T) -> T {
    with_ctx(1_000_000, 262_144, |ctx| f(&Call { args: &[], ctx, aux: &Aux::None }))
}

/// Calls the function `name` as a plan would.
pub(super) fn call<'a>(ctx: &Ctx<'_, 'a>, name: &str, args: &[Value<'a>], aux: &'a Aux) -> Eval<'a> {
    let (id, row) = func::find(name).unwrap_or_else(|| panic!("no row for {name}"));
    let run = scalar(id).unwrap_or_else(|| panic!("no implementation of {name}"));
    if row.nulls == Nulls::AnyNil && args.iter().any(|a| a.is_nil_or_empty()) {
        return Ok(Value::Null);
    }
    run(&Call { args, ctx, aux })
}

/// What a call gives, as JSON text, or `!` and the fault.
pub(in crate::eval) fn answer<'a>(result: Eval<'a>, scratch: &Scratch<'a>) -> String {
    let spell = |value| -> Result<String, Fault<'_>> {
        if let Value::Float(x) = value
            && !x.is_finite()
        {
            return Ok(x.to_string());
        }
        let mut buf = vec![0; 65_536];
        let mut out = Out::new(&mut buf);
        text::json(&mut out, value, scratch)?;
        Ok(String::from_utf8(out.written().to_vec()).expect("utf-8"))
    };
    match result.and_then(spell) {
        Ok(text) => text,
        Err(fault) => format!("!{}", fault.text),
    }
}

/// Zones that tests know beside UTC.
pub(super) fn zone(name: &str) -> Option<Zone> {
    match name {
        "UTC" => Some(Zone::utc()),
        "Asia/Shanghai" => Some(Zone::fixed("Asia/Shanghai", 8 * 3600)),
        _ => None,
    }
}

/// Runs each row twice, its texts and numbers once as literals and once as columns: function, arguments, JSON of the result (or
/// `!` and a part of the fault).
pub(super) fn check(rows: &[(&str, &[Arg], &str)]) {
    for (name, args, want) in rows {
        let second = args.get(1).and_then(|a| match a {
            Arg::S(text) => Some(*text),
            _ => None,
        });
        let canonical = func::find(name).map_or(*name, |(_, row)| row.name);
        let prepared = prepare(canonical, second, &zone);
        for aux in [Aux::None, prepared] {
            // Zones and paths are read when a rule is planned, and only from literals.
            if matches!(aux, Aux::None) && (name.starts_with("json_path") || second == Some("Asia/Shanghai")) {
                continue;
            }
            with_ctx(1_000_000, 32_768, |ctx| {
                // The scratch outlives neither: leak what a plan would own.
                let aux: &'static Aux = Box::leak(Box::new(aux));
                let values: Vec<Value<'_>> = args.iter().map(|a| a.value()).collect();
                let got = answer(call(ctx, name, &values, aux), ctx.scratch);
                let fits = match want.strip_prefix('!') {
                    Some(part) => got.starts_with('!') && got.contains(part),
                    None => got == *want,
                };
                assert!(fits, "{name}{args:?}: {got}, not {want}");
            });
        }
    }
}
