//! What an accumulator says: the value of its function over the rows it was given.
//!
//! In: the words of the accumulator, and its own value. Out: the result, nil where there is none, or the fault that a row caused.

use super::acc::{A, Acc, B, FAULT, FLAG, FLOAT, INT, NO_SHARE, TAG, TEXT};
use super::{ACC_BYTES, Kind};
use crate::eval::state::View;
use crate::value::packed;
use crate::value::{Eval, Fault, Packed, Scratch, Value};

/// The result of an aggregate called `name`.
///
/// # Errors
/// What a row broke, as `call func name error: ..`; a full scratch.
pub(super) fn result<'a>(view: View<'a>, acc: &[u8], kind: Kind, name: &str, scratch: &Scratch<'a>) -> Eval<'a> {
    let mut copy = Acc([0; ACC_BYTES]);
    if acc.len() == ACC_BYTES {
        copy.0.copy_from_slice(acc);
    }
    let acc = copy;
    let own = acc.own().map_or(&[][..], |id| view.get(id));
    let named = |text: &str| scratch.fault(format_args!("call func {name} error: {text}"));
    if acc.0[TAG] == FAULT {
        let text = match core::str::from_utf8(own) {
            Ok(text) => text,
            Err(e) => core::str::from_utf8(&own[..e.valid_up_to()]).unwrap_or(""),
        };
        return Err(named(text));
    }
    let count = acc.count();
    #[expect(clippy::cast_precision_loss, reason = "a count of rows")]
    let n = count as f64;
    Ok(match kind {
        Kind::Count => Value::Int(count.cast_signed()),
        Kind::Sum | Kind::Max | Kind::Min => match acc.0[TAG] {
            INT => Value::Int(acc.int(A)),
            FLOAT => Value::Float(acc.float(A)),
            TEXT => Value::Str(core::str::from_utf8(own).unwrap_or("")),
            _ => Value::Null,
        },
        Kind::Avg => match acc.0[TAG] {
            INT => Value::Int(acc.int(A).wrapping_div(count.cast_signed().max(1))),
            FLOAT => Value::Float(acc.float(A) / n),
            _ => Value::Null,
        },
        Kind::Stddev | Kind::Stddevs | Kind::Var | Kind::Vars => {
            if count == 0 {
                return Ok(Value::Null);
            }
            let sample = matches!(kind, Kind::Stddevs | Kind::Vars);
            let variance = acc.float(B) / if sample { n - 1.0 } else { n };
            Value::Float(if matches!(kind, Kind::Stddev | Kind::Stddevs) { variance.sqrt() } else { variance })
        }
        Kind::Collect => Packed::from_bytes(own).map_or(Value::Null, Value::Packed),
        Kind::LastValue => {
            let bytes =
                if acc.0[FLAG] == u8::MAX { own } else { scratch.copy(acc.0.get(A..A + usize::from(acc.0[FLAG])).unwrap_or(&[]))? };
            packed::read(bytes).map_or(Value::Null, |(value, _)| value)
        }
        Kind::MergeAgg => Packed::from_bytes(own).filter(|p| !p.is_empty()).map_or(Value::Null, Value::Packed),
        Kind::Deduplicate => match acc.0[FLAG] {
            1 | 2 => packed::read(own).map_or(Value::Null, |(value, _)| value),
            _ => Value::Null,
        },
        Kind::Median => {
            let words = sorted(own, acc.0[TAG] == INT, scratch)?;
            match (words.len(), acc.0[TAG]) {
                (0, _) => Value::Int(0),
                (len, INT) if len % 2 == 1 => Value::Int(i64::from_le_bytes(words[len / 2])),
                (len, _) if len % 2 == 1 => Value::Float(f64::from_le_bytes(words[len / 2])),
                #[expect(clippy::cast_precision_loss, reason = "as eKuiper converts")]
                (len, INT) => {
                    let sum = i64::from_le_bytes(words[len / 2 - 1]).wrapping_add(i64::from_le_bytes(words[len / 2]));
                    Value::Float(sum as f64 / 2.0)
                }
                (len, _) => Value::Float((f64::from_le_bytes(words[len / 2 - 1]) + f64::from_le_bytes(words[len / 2])) / 2.0),
            }
        }
        Kind::PercentileCont | Kind::PercentileDisc => {
            let words = sorted(own, false, scratch)?;
            let share = if acc.0[FLAG] == 0 { 1.0 } else { acc.float(B) };
            if acc.0[FLAG] == NO_SHARE {
                return Err(named("the second parameter requires float64 but found []interface {}([<nil>])"));
            }
            if words.is_empty() {
                return Ok(Value::Null);
            }
            let found = if kind == Kind::PercentileCont { between(words, share) } else { nearest(words, share) };
            match found {
                Some(x) => Value::Float(x),
                None if kind == Kind::PercentileCont => return Err(named("percentile exec with error: Input is outside of range.")),
                None => return Err(named("PopulationVariance exec with error: Input is outside of range.")),
            }
        }
    })
}

/// The kept words, sorted as ints or as floats.
fn sorted<'a>(words: &[u8], ints: bool, scratch: &Scratch<'a>) -> Result<&'a [[u8; 8]], Fault<'a>> {
    let bytes = scratch.alloc(words.len())?;
    bytes.copy_from_slice(words);
    let (words, _) = bytes.as_chunks_mut::<8>();
    if ints {
        words.sort_unstable_by_key(|w| i64::from_le_bytes(*w));
    } else {
        words.sort_unstable_by(|a, b| f64::from_le_bytes(*a).total_cmp(&f64::from_le_bytes(*b)));
    }
    Ok(words)
}

/// The percentile as eKuiper's library interpolates: at a whole place that value, else the mean of both neighbours; `None` out of
/// bounds.
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "places in a short list")]
fn between(words: &[[u8; 8]], share: f64) -> Option<f64> {
    let at = |i: usize| words.get(i).map(|w| f64::from_le_bytes(*w));
    if words.len() == 1 {
        return at(0);
    }
    let percent = share * 100.0;
    if percent.is_nan() || percent <= 0.0 || percent > 100.0 {
        return None;
    }
    let index = percent / 100.0 * words.len() as f64;
    let whole = index as usize;
    if index == whole as f64 {
        at(whole.checked_sub(1)?)
    } else if index > 1.0 {
        Some((at(whole - 1)? + at(whole)?) / 2.0)
    } else {
        None
    }
}

/// The percentile by nearest rank; `None` out of bounds.
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "places in a short list")]
fn nearest(words: &[[u8; 8]], share: f64) -> Option<f64> {
    let percent = share * 100.0;
    if percent.is_nan() || !(0.0..=100.0).contains(&percent) {
        return None;
    }
    let rank = (words.len() as f64 * percent / 100.0).ceil() as usize;
    words.get(rank.saturating_sub(1)).map(|w| f64::from_le_bytes(*w))
}
