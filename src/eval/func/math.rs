//! Arithmetic, bits and random numbers, with the results and sentences of Go's `math` package as eKuiper shows them.

use super::Table;
use super::arg;
use crate::eval::Call;
use crate::value::text::go_text;
use crate::value::{Eval, Fault, Value};

/// The functions of this family.
pub(super) static TABLE: Table = &[
    ("abs", abs),
    ("acos", |c| or_nil(c, f64::acos)),
    ("asin", |c| or_nil(c, f64::asin)),
    ("atan", |c| or_nil(c, f64::atan)),
    ("atan2", |c| Ok(number_or_nil(float(c, 0)?.atan2(float(c, 1)?)))),
    ("bitand", |c| bits(c, |a, b| a & b)),
    ("bitor", |c| bits(c, |a, b| a | b)),
    ("bitxor", |c| bits(c, |a, b| a ^ b)),
    ("bitnot", |c| Ok(Value::Int(!bit_operand(c, 0, "operand")?))),
    ("ceiling", |c| Ok(Value::Float(float(c, 0)?.ceil()))),
    ("cos", |c| or_nil(c, f64::cos)),
    ("cosh", |c| or_nil(c, f64::cosh)),
    ("exp", |c| or_nil(c, f64::exp)),
    ("floor", |c| Ok(Value::Float(float(c, 0)?.floor()))),
    ("ln", |c| positive(c, float(c, 0)?.ln(), "strictly positive")),
    ("log", log),
    ("mod", modulo),
    ("pi", |_| Ok(Value::Float(core::f64::consts::PI))),
    ("power", |c| Ok(Value::Float(float(c, 0)?.powf(float(c, 1)?)))),
    ("rand", rand),
    ("round", round),
    ("sign", sign),
    ("sin", |c| or_nil(c, f64::sin)),
    ("sinh", |c| or_nil(c, f64::sinh)),
    ("sqrt", |c| positive(c, float(c, 0)?.sqrt(), "positive")),
    ("tan", |c| or_nil(c, f64::tan)),
    ("tanh", |c| or_nil(c, f64::tanh)),
    ("cot", cot),
    ("radians", |c| or_nil(c, |x| x * (core::f64::consts::PI / 180.0))),
    ("degrees", |c| or_nil(c, |x| x * (180.0 / core::f64::consts::PI))),
    ("conv", conv),
];

fn float<'a>(c: &Call<'_, 'a>, place: usize) -> Result<f64, Fault<'a>> {
    arg::float(c.arg(place), c.ctx.scratch)
}

const fn number_or_nil<'a>(x: f64) -> Value<'a> {
    if x.is_nan() { Value::Null } else { Value::Float(x) }
}

/// A function of one number; NaN is nil.
fn or_nil<'a>(c: &Call<'_, 'a>, f: fn(f64) -> f64) -> Eval<'a> {
    Ok(number_or_nil(f(float(c, 0)?)))
}

/// A result that is NaN for arguments which the function does not take.
fn positive<'a>(c: &Call<'_, 'a>, result: f64, kind: &str) -> Eval<'a> {
    if result.is_nan() {
        let given = go_text(Value::Float(float(c, 0)?), c.ctx.scratch)?;
        return Err(c.ctx.scratch.fault(format_args!("The argument must be a {kind} number but got {given}")));
    }
    Ok(Value::Float(result))
}

fn abs<'a>(c: &Call<'_, 'a>) -> Eval<'a> {
    match c.arg(0) {
        // Through a float, as in eKuiper: beyond 2^53 the last digits go.
        Value::Int(i) => Ok(Value::Int(arg::go_int(arg::go_float(i).abs()))),
        Value::Float(x) => Ok(Value::Float(x.abs())),
        _ => Err(Fault::new("only float64 & int type are supported")),
    }
}

fn bit_operand<'a>(c: &Call<'_, 'a>, place: usize, name: &str) -> Result<i64, Fault<'a>> {
    match arg::strict(c.arg(place)) {
        Some(i) => Ok(i),
        None => {
            let given = go_text(c.arg(place), c.ctx.scratch)?;
            Err(c.ctx.scratch.fault(format_args!("Expect int type for {name} but got {given}")))
        }
    }
}

fn bits<'a>(c: &Call<'_, 'a>, f: fn(i64, i64) -> i64) -> Eval<'a> {
    Ok(Value::Int(f(bit_operand(c, 0, "the first operand")?, bit_operand(c, 1, "the second operand")?)))
}

fn log<'a>(c: &Call<'_, 'a>) -> Eval<'a> {
    let x = float(c, 0)?;
    let result = if c.args.len() > 1 { float(c, 1)?.ln() / x.ln() } else { x.log10() };
    positive(c, result, "strictly positive")
}

fn modulo<'a>(c: &Call<'_, 'a>) -> Eval<'a> {
    // A divisor that is no number counts as 0, as in eKuiper.
    Ok(Value::Float(float(c, 0)? % float(c, 1).unwrap_or(0.0)))
}

fn rand<'a>(c: &Call<'_, 'a>) -> Eval<'a> {
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit a float's mantissa")]
    Ok(Value::Float((c.ctx.random() >> 11) as f64 / 9_007_199_254_740_992.0))
}

fn round<'a>(c: &Call<'_, 'a>) -> Eval<'a> {
    let digits = match c.args.len() {
        0 | 1 => 0,
        _ => arg::int(c.arg(1), c.ctx.scratch)
            .map_err(|e| c.ctx.scratch.fault(format_args!("The second argument must be an integer: {e}")))?,
    };
    let x = float(c, 0)?;
    let exponent = arg::go_float(digits);
    let factor = 10_f64.powf(exponent);
    let scaled = x * factor;
    if !scaled.is_infinite() && !factor.is_infinite() {
        return Ok(Value::Float(scaled.round() / factor));
    }
    // 10^digits, or the product, is beyond a float: go there in two steps. A product that has no fraction left is the argument itself.
    let rest = 10_f64.powf(exponent - 308.0);
    let scaled = x * 1e308 * rest;
    if scaled.abs() < 9_007_199_254_740_992.0 { Ok(Value::Float(scaled.round() / 1e308 / rest)) } else { Ok(Value::Float(x)) }
}

fn sign<'a>(c: &Call<'_, 'a>) -> Eval<'a> {
    let x = float(c, 0)?;
    Ok(Value::Int(if x > 0.0 {
        1
    } else if x < 0.0 {
        -1
    } else {
        0
    }))
}

fn cot<'a>(c: &Call<'_, 'a>) -> Eval<'a> {
    let x = float(c, 0)?;
    let result = 1.0 / x.tan();
    if result.is_infinite() {
        return Err(Fault::new("out-of-range error"));
    }
    Ok(number_or_nil(result))
}

/// MySQL's `CONV`: the longest prefix that is a number to base `from`, written to base `to`.
fn conv<'a>(c: &Call<'_, 'a>) -> Eval<'a> {
    let scratch = c.ctx.scratch;
    let text = arg::text(c.arg(0), scratch)?.trim();
    let (from, to) = (arg::int(c.arg(1), scratch).unwrap_or(0), arg::int(c.arg(2), scratch).unwrap_or(0));
    let (signed, show_sign) = (from < 0, to < 0);
    let (Some(from), Some(to)) = (base(from), base(to)) else { return Ok(Value::Null) };
    let (negative, digits) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let mut value: u64 = 0;
    let mut seen = 0;
    for d in digits.chars().map_while(|d| d.to_digit(from)) {
        seen += 1;
        let Some(next) = value.checked_mul(u64::from(from)).and_then(|v| v.checked_add(u64::from(d))) else {
            let digits = digits.get(..digits.chars().take_while(|d| d.is_digit(from)).count()).unwrap_or(digits);
            return Err(scratch.fault(format_args!("strconv.ParseUint: parsing \"{digits}\": value out of range")));
        };
        value = next;
    }
    if seen == 0 {
        return Ok(Value::Str("0"));
    }
    if signed {
        value = value.min(if negative { 1 << 63 } else { (1 << 63) - 1 });
    }
    if negative {
        value = value.wrapping_neg();
    }
    let below_zero = value.cast_signed() < 0;
    if show_sign && below_zero {
        value = value.wrapping_neg();
    }
    let mut buf = [0_u8; 65];
    let mut at = buf.len();
    loop {
        at -= 1;
        #[expect(clippy::cast_possible_truncation, reason = "a digit is below 36")]
        let digit = (value % u64::from(to)) as u8;
        buf[at] = if digit < 10 { b'0' + digit } else { b'A' + digit - 10 };
        value /= u64::from(to);
        if value == 0 {
            break;
        }
    }
    if show_sign && below_zero && at > 0 {
        at -= 1;
        buf[at] = b'-';
    }
    Ok(Value::Str(scratch.copy_str(core::str::from_utf8(&buf[at..]).unwrap_or(""))?))
}

fn base(b: i64) -> Option<u32> {
    u32::try_from(b.unsigned_abs()).ok().filter(|b| (2..=36).contains(b))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Arg::*, check};

    #[test]
    fn results() {
        check(&[
            ("abs", &[F(-1.5)], "1.5"),
            ("abs", &[I(-3)], "3"),
            ("abs", &[S("1")], "!only float64 & int type are supported"),
            ("acos", &[F(2.0)], "null"),
            ("asin", &[F(1000.0)], "null"),
            ("asin", &[F(0.5)], "0.5235987755982989"),
            ("asin", &[S("abc")], "!cannot convert string(abc) to float64"),
            ("atan2", &[F(2.0), F(3.0)], "0.5880026035475675"),
            ("atan2", &[F(0.0), F(0.0)], "0"),
            ("atan2", &[B(true), F(1.0)], "!cannot convert bool(true) to float64"),
            ("bitand", &[F(6.0), I(3)], "2"),
            ("bitor", &[F(1.5), I(3)], "!Expect int type for the first operand but got 1.5"),
            ("bitxor", &[I(1), S("x")], "!Expect int type for the second operand but got x"),
            ("bitnot", &[F(5.0)], "-6"),
            ("bitnot", &[F(-5.5)], "!Expect int type for operand but got -5.5"),
            ("ceil", &[F(1.2)], "2"),
            ("ceiling", &[F(-1.2)], "-1"),
            ("floor", &[F(-1.2)], "-2"),
            ("exp", &[F(0.0)], "1"),
            ("ln", &[F(-1.0)], "!The argument must be a strictly positive number but got -1"),
            ("log", &[F(100.0)], "2"),
            ("log", &[I(2), F(8.0)], "3"),
            ("log", &[F(-2.0)], "!The argument must be a strictly positive number but got -2"),
            ("mod", &[F(-7.0), F(3.0)], "-1"),
            ("mod", &[F(7.0), S("3")], "NaN"),
            ("mod", &[S("7"), F(3.0)], "!cannot convert string(7) to float64"),
            ("pow", &[F(2.0), F(-1.0)], "0.5"),
            ("power", &[F(2.0), F(10.0)], "1024"),
            ("sign", &[F(-0.1)], "-1"),
            ("sign", &[I(0)], "0"),
            ("sqrt", &[F(9.0)], "3"),
            ("sqrt", &[F(-1.0)], "!The argument must be a positive number but got -1"),
            ("cot", &[F(1.0)], "0.6420926159343306"),
            ("cot", &[F(0.0)], "!out-of-range error"),
            ("radians", &[F(180.0)], "3.141592653589793"),
            ("degrees", &[F(core::f64::consts::PI)], "180"),
        ]);
    }

    #[test]
    fn rounding() {
        check(&[
            ("round", &[F(2.5)], "3"),
            ("round", &[F(-5.5)], "-6"),
            ("round", &[F(-0.5)], "-1"),
            ("round", &[I(16), I(2)], "16"),
            ("round", &[F(25.987), I(2)], "25.99"),
            ("round", &[F(25.919), I(1)], "25.9"),
            ("round", &[F(9.9999), I(3)], "10"),
            ("round", &[F(56788.34), I(-3)], "57000"),
            ("round", &[F(1.8e306), I(2)], "1.8e+306"),
            ("round", &[F(1.5), I(400)], "1.5"),
            ("round", &[F(1.5), I(i64::MAX)], "1.5"),
            ("round", &[F(1e-320), I(310)], "0"),
            ("round", &[F(1.25), F(1.9)], "1.3"),
            ("round", &[F(1.0), S("x")], "!The second argument must be an integer: cannot convert string(x) to int"),
        ]);
    }

    #[test]
    fn conversion_between_bases() {
        check(&[
            ("conv", &[S("a"), I(16), I(2)], "\"1010\""),
            ("conv", &[S("6E"), I(18), I(8)], "\"172\""),
            ("conv", &[I(-17), I(10), I(-18)], "\"-H\""),
            ("conv", &[F(-17.0), I(10), I(18)], "\"2D3FGB0B9CG4BD1H\""),
            ("conv", &[S(" +12x"), I(10), I(10)], "\"12\""),
            ("conv", &[S("zz"), I(10), I(2)], "\"0\""),
            ("conv", &[S("-"), I(10), I(2)], "\"0\""),
            ("conv", &[S("1"), I(1), I(2)], "null"),
            ("conv", &[S("1"), I(10), I(i64::MIN)], "null"),
            ("conv", &[S("18446744073709551616"), I(10), I(2)], "!value out of range"),
            ("conv", &[S("18446744073709551615"), I(-10), I(16)], "\"7FFFFFFFFFFFFFFF\""),
        ]);
    }
}
