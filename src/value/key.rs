//! One spelling per value, to compare values by their octets: numbers by what they are worth, whatever their type.

use super::Value;
use crate::json::write::{Full, Out};

/// Writes the key of a value; false for lists and objects, which have none. Null has one too.
///
/// # Errors
/// [`Full`] when it does not fit.
pub fn write(value: Value<'_>, out: &mut Out<'_>) -> Result<bool, Full> {
    let (kind, worth) = match value {
        Value::Null => (b'n', &[][..]),
        Value::Bool(true) => (b't', &[][..]),
        Value::Bool(false) => (b'f', &[][..]),
        Value::Int(i) => match exact(i) {
            Some(x) => (b'd', &x.to_le_bytes()[..]),
            None => (b'i', &i.to_le_bytes()[..]),
        },
        // Zero has one key, whatever its sign.
        Value::Float(x) => (b'd', &(x + 0.0).to_le_bytes()[..]),
        Value::Str(text) => (b's', text.as_bytes()),
        Value::Bytes(bytes) => (b'b', bytes),
        Value::Time(time) => {
            out.byte(b'm')?;
            out.bytes(&time.secs.to_le_bytes())?;
            out.bytes(&time.nanos.to_le_bytes())?;
            return Ok(true);
        }
        Value::Json(..) | Value::Packed(_) => return Ok(false),
    };
    out.byte(kind)?;
    out.bytes(worth)?;
    Ok(true)
}

/// The float of the same worth, if there is one.
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "that is what is looked at")]
fn exact(i: i64) -> Option<f64> {
    let x = i as f64;
    // 2^63 is a float, and saturates on the way back.
    (x as i64 == i && i != i64::MAX).then_some(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(value: Value<'_>) -> Option<Vec<u8>> {
        let mut buf = [0; 64];
        let mut out = Out::new(&mut buf);
        write(value, &mut out).expect("room").then(|| out.written().to_vec())
    }

    #[test]
    fn equal_values_have_equal_keys() {
        for (a, b, same) in [
            (Value::Int(1), Value::Float(1.0), true),
            (Value::Int(1), Value::Str("1"), false),
            (Value::Int(0), Value::Float(-0.0), true),
            (Value::Int(9_007_199_254_740_993), Value::Float(9_007_199_254_740_992.0), false),
            (Value::Int(i64::MAX), Value::Float(9_223_372_036_854_775_807.0), false),
            (Value::Bool(true), Value::Bool(false), false),
            (Value::Str(""), Value::Null, false),
            (Value::Str("a"), Value::Bytes(b"a"), false),
        ] {
            assert_eq!(key(a) == key(b), same, "{a:?} {b:?}");
        }
        assert_eq!(key(Value::Json(crate::value::Numbers::Float, "[1]")), None);
    }
}
