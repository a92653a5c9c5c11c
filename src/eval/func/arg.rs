//! Arguments as Go converts them: the three degrees of eKuiper's `cast` package, and its sentences for what does not fit.
//!
//! *Strict* takes whole floats as ints, *kind* any number as any number, *all* reads text and booleans too.

use crate::value::text::{go_text, typed};
use crate::value::{Fault, Scratch, Value};

/// Go's `int64(x)` on amd64 and arm64's rounding towards zero; what does not fit (NaN too) is the smallest int, as on amd64.
#[must_use]
pub(crate) fn go_int(x: f64) -> i64 {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    #[expect(clippy::cast_possible_truncation, reason = "checked to fit; the fraction is cut on purpose")]
    if (-LIMIT..LIMIT).contains(&x) { x as i64 } else { i64::MIN }
}

/// An int as the float that Go makes of it.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "as Go's float64(i)")]
pub(crate) const fn go_float(i: i64) -> f64 {
    i as f64
}

/// `cannot convert string(abc) to float64`.
pub(crate) fn cannot<'a>(value: Value<'a>, to: &str, scratch: &Scratch<'a>) -> Fault<'a> {
    match typed(value, scratch) {
        Ok(text) => scratch.fault(format_args!("cannot convert {text} to {to}")),
        Err(fault) => fault,
    }
}

/// Any number as a float.
pub(crate) fn float<'a>(value: Value<'a>, scratch: &Scratch<'a>) -> Result<f64, Fault<'a>> {
    match value {
        Value::Float(x) => Ok(x),
        Value::Int(i) => Ok(go_float(i)),
        _ => Err(cannot(value, "float64", scratch)),
    }
}

/// An int, or a float that is whole.
pub(crate) fn strict<'a>(value: Value<'a>) -> Option<i64> {
    match value {
        Value::Int(i) => Some(i),
        #[expect(clippy::float_cmp, reason = "whole means exactly whole")]
        Value::Float(x) if x == go_float(go_int(x)) => Some(go_int(x)),
        _ => None,
    }
}

/// [`strict`], or the sentence.
pub(crate) fn strict_int<'a>(value: Value<'a>, scratch: &Scratch<'a>) -> Result<i64, Fault<'a>> {
    strict(value).ok_or_else(|| cannot(value, "int", scratch))
}

/// Any number as an int, cut towards zero.
pub(crate) fn int<'a>(value: Value<'a>, scratch: &Scratch<'a>) -> Result<i64, Fault<'a>> {
    match value {
        Value::Int(i) => Ok(i),
        Value::Float(x) => Ok(go_int(x)),
        _ => Err(cannot(value, "int", scratch)),
    }
}

/// Go's text of anything (`%v`); nothing for nil.
pub(crate) fn text<'a>(value: Value<'a>, scratch: &Scratch<'a>) -> Result<&'a str, Fault<'a>> {
    if value.is_null() { Ok("") } else { go_text(value, scratch) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ints_as_go_cuts_them() {
        for (x, want) in [
            (1.9, 1),
            (-1.9, -1),
            (1e20, i64::MIN),
            (f64::NAN, i64::MIN),
            (-9_223_372_036_854_775_808.0, i64::MIN),
            (9_223_372_036_854_774_784.0, 9_223_372_036_854_774_784),
        ] {
            assert_eq!(go_int(x), want, "{x}");
        }
        assert_eq!(strict(Value::Float(2.0)), Some(2));
        assert_eq!(strict(Value::Float(2.5)), None);
        assert_eq!(strict(Value::Float(1e20)), None);
        assert_eq!(strict(Value::Str("2")), None);
    }
}
