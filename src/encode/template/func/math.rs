//! Sprig's arithmetic and counting. Everything is taken as what `cast` makes of it: text that is no number is 0.

use core::fmt::Write as _;

use super::super::literal;
use super::super::print;
use super::super::val::{Cx, Res, Tag, Val};
use super::{Args, Func, Param, arg, int, rest, text};
use crate::value::{Fault, Value};

const ANY: &[Param] = &[Param::Any];
const TWO: &[Param] = &[Param::Any, Param::Any];
const MORE: Option<Param> = Some(Param::Any);

pub(super) const FUNCS: &[Func] = &[
    Func::new("atoi", &[Param::Str], None, |_, args| Ok(Val::int(text(args, 0).parse().unwrap_or(0)))),
    Func::new("int64", ANY, None, |_, args| Ok(Val::int64(to_int(arg(args, 0))))),
    Func::new("int", ANY, None, |_, args| Ok(Val::int(to_int(arg(args, 0))))),
    Func::new("float64", ANY, None, |_, args| Ok(Val::float(to_float(arg(args, 0))))),
    Func::new("toDecimal", ANY, None, |cx, args| {
        let shown = print::shown(arg(args, 0), cx)?;
        Ok(Val::int64(i64::from_str_radix(shown, 8).unwrap_or(0)))
    }),
    Func::new("seq", &[], Some(Param::Int), seq),
    Func::new("until", &[Param::Int], None, |cx, args| {
        let count = int(args, 0);
        ints(0, count, if count < 0 { -1 } else { 1 }, cx)
    }),
    Func::new("untilStep", &[Param::Int, Param::Int, Param::Int], None, |cx, args| ints(int(args, 0), int(args, 1), int(args, 2), cx)),
    Func::new("add1", ANY, None, |_, args| Ok(Val::int64(to_int(arg(args, 0)).wrapping_add(1)))),
    Func::new("add", &[], MORE, |_, args| Ok(Val::int64(rest(args, 0).fold(0, |sum, v| to_int(v).wrapping_add(sum))))),
    Func::new("sub", TWO, None, |_, args| Ok(Val::int64(to_int(arg(args, 0)).wrapping_sub(to_int(arg(args, 1)))))),
    Func::new("div", TWO, None, |_, args| divided(args, i64::wrapping_div)),
    Func::new("mod", TWO, None, |_, args| divided(args, i64::wrapping_rem)),
    Func::new("mul", ANY, MORE, |_, args| Ok(Val::int64(rest(args, 0).fold(1, |product, v| to_int(v).wrapping_mul(product))))),
    Func::new("randInt", &[Param::Int, Param::Int], None, |cx, args| {
        let (low, high) = (int(args, 0), int(args, 1));
        match u64::try_from(high.wrapping_sub(low)) {
            Ok(span) if span > 0 => Ok(Val::int(low.wrapping_add((cx.env.random() % span).cast_signed()))),
            _ => Err(Fault::new("invalid argument to Intn")),
        }
    }),
    Func::new("add1f", ANY, None, |_, args| Ok(Val::float(decimal(to_float(arg(args, 0)), core::iter::once(1.0), Op::Add)?))),
    Func::new("addf", &[], MORE, |_, args| Ok(Val::float(decimal(0.0, rest(args, 0).map(to_float), Op::Add)?))),
    Func::new("subf", ANY, MORE, |_, args| Ok(Val::float(decimal(to_float(arg(args, 0)), rest(args, 1).map(to_float), Op::Sub)?))),
    Func::new("mulf", ANY, MORE, |_, args| Ok(Val::float(decimal(to_float(arg(args, 0)), rest(args, 1).map(to_float), Op::Mul)?))),
    Func::new("divf", ANY, MORE, |_, args| Ok(Val::float(decimal(to_float(arg(args, 0)), rest(args, 1).map(to_float), Op::Div)?))),
    Func::new("biggest", ANY, MORE, |_, args| Ok(Val::int64(rest(args, 0).map(to_int).max().unwrap_or(0)))),
    Func::new("max", ANY, MORE, |_, args| Ok(Val::int64(rest(args, 0).map(to_int).max().unwrap_or(0)))),
    Func::new("min", ANY, MORE, |_, args| Ok(Val::int64(rest(args, 0).map(to_int).min().unwrap_or(0)))),
    Func::new("maxf", ANY, MORE, |_, args| Ok(Val::float(rest(args, 0).map(to_float).reduce(f64::max).unwrap_or(0.0)))),
    Func::new("minf", ANY, MORE, |_, args| Ok(Val::float(rest(args, 0).map(to_float).reduce(f64::min).unwrap_or(0.0)))),
    Func::new("ceil", ANY, None, |_, args| Ok(Val::float(to_float(arg(args, 0)).ceil()))),
    Func::new("floor", ANY, None, |_, args| Ok(Val::float(to_float(arg(args, 0)).floor()))),
    Func::new("round", &[Param::Any, Param::Int], Some(Param::Float), round),
];

/// `cast.ToInt64`
pub(super) fn to_int(v: Val<'_>) -> i64 {
    match v.v {
        Value::Bool(b) => i64::from(b),
        Value::Int(i) => i,
        Value::Float(x) => truncated(x),
        Value::Str(text) if v.tag != Tag::Version => literal::int_base_0(without_zero_decimals(text)).unwrap_or(0),
        _ => 0,
    }
}

/// `cast.ToFloat64`
#[expect(clippy::cast_precision_loss, reason = "Go's conversion: the nearest float")]
pub(super) fn to_float(v: Val<'_>) -> f64 {
    match v.v {
        Value::Bool(b) => f64::from(u8::from(b)),
        Value::Int(i) => i as f64,
        Value::Float(x) => x,
        Value::Str(text) if v.tag != Tag::Version => literal::float(text).unwrap_or(0.0),
        _ => 0.0,
    }
}

/// Go's conversion of a float on amd64: towards zero, and the smallest int64 for what does not fit.
#[expect(clippy::cast_possible_truncation, reason = "checked to be in range")]
fn truncated(x: f64) -> i64 {
    if (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&x) { x as i64 } else { i64::MIN }
}

/// `2.00` is `2`.
fn without_zero_decimals(text: &str) -> &str {
    let short = text.trim_end_matches('0');
    if short.len() < text.len() { short.strip_suffix('.').unwrap_or(text) } else { text }
}

fn divided<'a>(args: Args<'_, 'a>, op: fn(i64, i64) -> i64) -> Res<'a> {
    match to_int(arg(args, 1)) {
        0 => Err(Fault::new("runtime error: integer divide by zero")),
        by => Ok(Val::int64(op(to_int(arg(args, 0)), by))),
    }
}

/// The numbers from `start` on, before `stop`.
fn steps(start: i64, stop: i64, step: i64) -> impl Iterator<Item = i64> {
    let up = stop >= start;
    let runs = if up { step > 0 } else { step < 0 };
    let mut next = runs.then_some(start);
    core::iter::from_fn(move || {
        let i = next.filter(|i| if up { *i < stop } else { *i > stop })?;
        next = i.checked_add(step);
        Some(i)
    })
}

fn ints<'a>(start: i64, stop: i64, step: i64, cx: &Cx<'_, 'a>) -> Res<'a> {
    let list = cx.make_list(steps(start, stop, step).map(Value::Int))?;
    Ok(Val::tagged(list, Tag::Ints))
}

fn seq<'a>(cx: &Cx<'_, 'a>, args: Args<'_, 'a>) -> Res<'a> {
    let (start, step, end) = match args.len() {
        1 => (1, None, int(args, 0)),
        2 => (int(args, 0), None, int(args, 1)),
        3 => (int(args, 0), Some(int(args, 1)), int(args, 2)),
        _ => return Ok(Val::str("")),
    };
    let unit = if end < start { -1 } else { 1 };
    if end < start && step.is_some_and(|s| s > 0) {
        return Ok(Val::str(""));
    }
    cx.text(|out| {
        for (i, n) in steps(start, end.saturating_add(unit), step.unwrap_or(unit)).enumerate() {
            cx.spend(1)?;
            if i > 0 {
                out.byte(b' ')?;
            }
            crate::json::write::integer(out, n)?;
        }
        Ok(())
    })
}

#[expect(clippy::cast_precision_loss, reason = "places are small")]
fn round<'a>(_: &Cx<'_, 'a>, args: Args<'_, 'a>) -> Res<'a> {
    let on = match arg(args, 2).v {
        Value::Float(on) if args.len() > 2 => on,
        _ => 0.5,
    };
    let power = 10_f64.powf(int(args, 1) as f64);
    let digit = power * to_float(arg(args, 0));
    let rounded = if digit.fract() >= on { digit.ceil() } else { digit.floor() };
    Ok(Val::float(rounded / power))
}

#[derive(Debug, Clone, Copy)]
enum Op {
    Add,
    Sub,
    Mul,
    Div,
}

/// Decimal arithmetic on the shortest digits of the floats, as shopspring/decimal does it; where 38 digits do not do, on the floats.
fn decimal<'a>(first: f64, others: impl Iterator<Item = f64>, op: Op) -> Result<f64, Fault<'a>> {
    let mut exact = Decimal::of(first);
    let mut float = first;
    for x in others {
        if matches!(op, Op::Div) && x == 0.0 {
            return Err(Fault::new("decimal division by 0"));
        }
        exact = exact.zip(Decimal::of(x)).and_then(|(a, b)| a.apply(b, op));
        float = match op {
            Op::Add => float + x,
            Op::Sub => float - x,
            Op::Mul => float * x,
            Op::Div => float / x,
        };
    }
    Ok(exact.and_then(Decimal::float).unwrap_or(float))
}

/// `digits × 10^power`
#[derive(Debug, Clone, Copy)]
struct Decimal {
    digits: i128,
    power: i32,
}

impl Decimal {
    fn of(x: f64) -> Option<Self> {
        let mut buf = [0; 40];
        let mut out = crate::json::write::Out::new(&mut buf);
        write!(out, "{x:e}").ok()?;
        let text = core::str::from_utf8(out.written()).ok()?;
        let (mantissa, power) = text.split_once('e')?;
        let power: i32 = power.parse().ok()?;
        let decimals = mantissa.split_once('.').map_or(0, |(_, d)| d.len());
        let mut digits = 0_i128;
        for c in mantissa.bytes().filter(u8::is_ascii_digit) {
            digits = digits * 10 + i128::from(c - b'0');
        }
        let digits = if x < 0.0 { -digits } else { digits };
        Some(Self { digits, power: power - i32::try_from(decimals).ok()? })
    }

    fn apply(self, other: Self, op: Op) -> Option<Self> {
        match op {
            Op::Mul => Some(Self { digits: self.digits.checked_mul(other.digits)?, power: self.power.checked_add(other.power)? }),
            Op::Add | Op::Sub => {
                let power = self.power.min(other.power);
                let (a, b) = (self.at(power)?, other.at(power)?);
                let digits = if matches!(op, Op::Add) { a.checked_add(b)? } else { a.checked_sub(b)? };
                Some(Self { digits, power })
            }
            Op::Div => {
                // Sixteen decimals, rounded half away from zero.
                let scaled = self.at(other.power.checked_sub(16)?)?;
                let (quotient, remainder) = (scaled / other.digits, scaled % other.digits);
                let up = remainder.unsigned_abs().checked_mul(2)? >= other.digits.unsigned_abs();
                let sign = if (scaled < 0) == (other.digits < 0) { 1 } else { -1 };
                Some(Self { digits: quotient + if up { sign } else { 0 }, power: -16 })
            }
        }
    }

    /// The digits at a smaller power.
    fn at(self, power: i32) -> Option<i128> {
        let by = u32::try_from(self.power.checked_sub(power)?).ok()?;
        if self.digits == 0 { Some(0) } else { self.digits.checked_mul(10_i128.checked_pow(by)?) }
    }

    fn float(self) -> Option<f64> {
        let mut buf = [0; 64];
        let mut out = crate::json::write::Out::new(&mut buf);
        write!(out, "{}e{}", self.digits, self.power).ok()?;
        core::str::from_utf8(out.written()).ok()?.parse().ok()
    }
}
