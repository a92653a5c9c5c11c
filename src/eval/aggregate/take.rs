//! Adds one row to an accumulator: its arguments, and what each function makes of them.
//!
//! In: the row under evaluation. Out: the changed accumulator. A value that the function cannot take turns it into a fault, whose
//! sentence is kept in its place; only a store without room leaves it as it was.

use super::acc::{A, Acc, B, COUNT, FAULT, FLAG, FLOAT, INT, NO_SHARE, NOTHING, TAG, TEXT, keep, push, put_own, word_list};
use super::{ACC_BYTES, Kind, Trouble};
use crate::eval::expr::Evaluator;
use crate::eval::func::go_int;
use crate::eval::state::{Id, Store};
use crate::sql::plan::Aggregate;
use crate::value::packed::{self, Encoder};
use crate::value::text::{go_text, typed};
use crate::value::{Fault, Packed, Scratch, Value};

/// Bytes kept of a fault's sentence.
const FAULT_BYTES: usize = 256;

/// Adds the evaluator's row to the accumulator at `at` of the group's value.
///
/// # Errors
/// [`Trouble::Full`]: it has not the row.
pub(super) fn add<'a, S: AsRef<[u8]> + AsMut<[u8]>>(
    store: &mut Store<S>,
    group: Id,
    at: usize,
    kind: Kind,
    index: usize,
    aggregate: &'a Aggregate,
    ev: &Evaluator<'_, 'a>,
) -> Result<(), Trouble<'a>> {
    let mut acc = Acc([0; ACC_BYTES]);
    match store.get(group).get(at..at + ACC_BYTES) {
        Some(bytes) => acc.0.copy_from_slice(bytes),
        None => return Err(Trouble::Full),
    }
    if acc.0[TAG] == FAULT {
        return Ok(());
    }
    let outcome = match arguments(aggregate, ev) {
        Ok(None) => return Ok(()),
        Ok(Some((value, second))) => take(store, group, index, &mut acc, kind, value, second, ev.ctx.scratch),
        Err(Fault::FULL) => Err(Trouble::Fault(Fault::FULL)),
        Err(fault) => Err(Trouble::Fault(no_operand(kind, acc.0[TAG], fault, ev.ctx.scratch))),
    };
    match outcome {
        Ok(()) => {}
        Err(Trouble::Full) => return Err(Trouble::Full),
        Err(Trouble::Fault(fault)) => {
            acc.0[TAG] = FAULT;
            let text = fault.text.as_bytes();
            let text = text.get(..FAULT_BYTES).unwrap_or(text);
            put_own(store, &mut acc, text)?;
        }
    }
    if let Some(place) = store.get_mut(group).get_mut(at..at + ACC_BYTES) {
        place.copy_from_slice(&acc.0);
    }
    Ok(())
}

/// The fault of a row whose argument is one, as eKuiper words it: a value of a wrong type.
fn no_operand<'a>(kind: Kind, tag: u8, fault: Fault<'a>, scratch: &Scratch<'a>) -> Fault<'a> {
    let text = fault.text;
    let run = match kind {
        Kind::Avg => "run avg function error: ",
        Kind::Sum => "run sum function error: ",
        Kind::Max | Kind::Min => "",
        _ => return fault,
    };
    match tag {
        NOTHING => scratch.fault(format_args!("{run}found invalid arg *errors.errorString({text})")),
        INT if run.is_empty() => scratch.fault(format_args!("requires int64 but found *errors.errorString({text})")),
        INT => scratch.fault(format_args!("requires int but found *errors.errorString({text})")),
        FLOAT => scratch.fault(format_args!("requires float64 but found *errors.errorString({text})")),
        _ => scratch.fault(format_args!("requires string but found *errors.errorString({text})")),
    }
}

/// The values of the arguments for this row; `None` if FILTER leaves it out.
fn arguments<'a>(aggregate: &'a Aggregate, ev: &Evaluator<'_, 'a>) -> Result<Option<(Value<'a>, Value<'a>)>, Fault<'a>> {
    if let Some(filter) = &aggregate.filter
        && !ev.holds(filter, "Filter")?
    {
        return Ok(None);
    }
    let mut args = aggregate.args.iter().map(|arg| ev.eval(arg));
    let mut next = || args.next().unwrap_or(Ok(Value::Null));
    Ok(Some(match &aggregate.all {
        // `count(*)` looks at no column.
        Some(rows) if rows.is_empty() => (Value::Bool(true), Value::Null),
        Some(_) if aggregate.name == "deduplicate" => {
            let (column, all) = (next()?, next()?);
            if !matches!(all, Value::Bool(_)) {
                return Err(Fault::new("Invalid argument type found."));
            }
            (column, all)
        }
        Some(rows) => (ev.whole_row(rows, &[], &[])?, next()?),
        None => (next()?, next()?),
    }))
    .and_then(|found| match (&aggregate.all, found) {
        (Some(rows), Some((column, Value::Bool(all)))) if aggregate.name == "deduplicate" => {
            // The row goes along with the column it is known by: a list of both.
            let row = ev.whole_row(rows, &[], &[])?;
            let mut pair = ev.ctx.scratch.pack();
            pair.begin_list()?;
            pair.value(row)?;
            pair.value(column)?;
            pair.end()?;
            Ok(Some((Value::Packed(pair.finish()?), Value::Bool(all))))
        }
        (_, found) => Ok(found),
    })
}

#[expect(clippy::too_many_arguments, reason = "one call per row and aggregate")]
pub(super) fn take<'a, S: AsRef<[u8]> + AsMut<[u8]>>(
    store: &mut Store<S>,
    group: Id,
    index: usize,
    acc: &mut Acc,
    kind: Kind,
    value: Value<'a>,
    second: Value<'a>,
    scratch: &Scratch<'a>,
) -> Result<(), Trouble<'a>> {
    let count = acc.count();
    match kind {
        Kind::Count => acc.set(COUNT, count + u64::from(!value.is_null())),
        Kind::Sum | Kind::Avg => {
            if value.is_null() {
                return Ok(());
            }
            match (acc.0[TAG], value) {
                (NOTHING, Value::Int(i)) => {
                    acc.0[TAG] = INT;
                    acc.set(A, i.cast_unsigned());
                }
                (NOTHING, Value::Float(x)) => {
                    acc.0[TAG] = FLOAT;
                    // Sums begin at 0: that of -0 is 0.
                    acc.set(A, (0.0 + x).to_bits());
                }
                (INT, Value::Int(i)) => acc.set(A, acc.int(A).wrapping_add(i).cast_unsigned()),
                (INT, Value::Float(x)) => acc.set(A, acc.int(A).wrapping_add(go_int(x)).cast_unsigned()),
                (FLOAT, Value::Float(x)) => acc.set(A, (acc.float(A) + x).to_bits()),
                (tag, value) => {
                    let text = typed(value, scratch).map_err(Trouble::Fault)?;
                    let name = if kind == Kind::Avg { "avg" } else { "sum" };
                    return Err(Trouble::Fault(match tag {
                        NOTHING => scratch.fault(format_args!("run {name} function error: found invalid arg {text}")),
                        INT => scratch.fault(format_args!("requires int but found {text}")),
                        _ => scratch.fault(format_args!("requires float64 but found {text}")),
                    }));
                }
            }
            acc.set(COUNT, count + 1);
        }
        Kind::Max | Kind::Min => extreme(store, acc, kind == Kind::Max, value, scratch)?,
        Kind::Stddev | Kind::Stddevs | Kind::Var | Kind::Vars => {
            let Some(x) = number(value, scratch)? else { return Ok(()) };
            // Welford: mean in A, sum of squared distances in B.
            let n = count + 1;
            let mean = acc.float(A);
            let delta = x - mean;
            #[expect(clippy::cast_precision_loss, reason = "a count of rows")]
            let next = mean + delta / n as f64;
            acc.set(A, next.to_bits());
            acc.set(B, (acc.float(B) + delta * (x - next)).to_bits());
            acc.set(COUNT, n);
        }
        Kind::Collect => {
            push(store, acc, value)?;
            acc.set(COUNT, count + 1);
        }
        Kind::LastValue => {
            let Value::Bool(ignore) = second else {
                let text = typed(second, scratch).map_err(Trouble::Fault)?;
                return Err(Trouble::Fault(scratch.fault(format_args!("the second parameter requires bool but found {text}"))));
            };
            if ignore && value.is_null() {
                return Ok(());
            }
            keep(store, acc, value)?;
        }
        Kind::MergeAgg => merge(store, acc, value, scratch)?,
        Kind::Deduplicate => distinct(store, group, index, acc, value, second, scratch)?,
        Kind::Median => {
            match (acc.0[TAG], value) {
                (NOTHING, Value::Int(_)) => acc.0[TAG] = INT,
                (NOTHING, Value::Float(_)) => acc.0[TAG] = FLOAT,
                (NOTHING, other) => {
                    let text = go_text(other, scratch).map_err(Trouble::Fault)?;
                    return Err(Trouble::Fault(scratch.fault(format_args!("{text} should be number"))));
                }
                _ => {}
            }
            let word = match (acc.0[TAG], value) {
                (INT, Value::Int(i)) => i.cast_unsigned(),
                (INT, Value::Float(x)) => go_int(x).cast_unsigned(),
                (INT, other) => {
                    let text = typed(other, scratch).map_err(Trouble::Fault)?;
                    return Err(Trouble::Fault(scratch.fault(format_args!("cannot convert {text} to int64"))));
                }
                _ => match number(value, scratch)? {
                    Some(x) => x.to_bits(),
                    None => return Ok(()),
                },
            };
            word_list(store, acc, word)?;
            acc.set(COUNT, count + 1);
        }
        Kind::PercentileCont | Kind::PercentileDisc => {
            if acc.0[FLAG] == 0 && second.is_null() {
                acc.0[FLAG] = NO_SHARE;
            }
            if acc.0[FLAG] != 1 && !second.is_null() {
                let p = match second {
                    Value::Float(p) => p,
                    #[expect(clippy::cast_precision_loss, reason = "a share, 0 or 1")]
                    Value::Int(p) => p as f64,
                    other => {
                        let text = typed(other, scratch).map_err(Trouble::Fault)?;
                        let fault = scratch.fault(format_args!("the second parameter requires float64 but found {text}"));
                        return Err(Trouble::Fault(fault));
                    }
                };
                acc.0[FLAG] = 1;
                acc.set(B, p.to_bits());
            }
            let Some(x) = number(value, scratch)? else { return Ok(()) };
            word_list(store, acc, x.to_bits())?;
            acc.set(COUNT, count + 1);
        }
    }
    Ok(())
}

/// A number as float; `None` for nil.
fn number<'a>(value: Value<'a>, scratch: &Scratch<'a>) -> Result<Option<f64>, Trouble<'a>> {
    match value {
        Value::Null => Ok(None),
        Value::Float(x) => Ok(Some(x)),
        #[expect(clippy::cast_precision_loss, reason = "as eKuiper converts")]
        Value::Int(i) => Ok(Some(i as f64)),
        other => {
            let text = typed(other, scratch).map_err(Trouble::Fault)?;
            Err(Trouble::Fault(scratch.fault(format_args!("requires float64 slice but found {text}"))))
        }
    }
}

fn extreme<'a, S: AsRef<[u8]> + AsMut<[u8]>>(
    store: &mut Store<S>,
    acc: &mut Acc,
    max: bool,
    value: Value<'a>,
    scratch: &Scratch<'a>,
) -> Result<(), Trouble<'a>> {
    if value.is_null() {
        return Ok(());
    }
    match (acc.0[TAG], value) {
        (NOTHING, Value::Int(i)) => {
            acc.0[TAG] = INT;
            acc.set(A, i.cast_unsigned());
        }
        (NOTHING, Value::Float(x)) => {
            acc.0[TAG] = FLOAT;
            acc.set(A, x.to_bits());
        }
        (NOTHING, Value::Str(text)) => {
            acc.0[TAG] = TEXT;
            put_own(store, acc, text.as_bytes())?;
        }
        (INT, Value::Int(_) | Value::Float(_)) => {
            let i = match value {
                Value::Int(i) => i,
                Value::Float(x) => go_int(x),
                _ => 0,
            };
            let best = acc.int(A);
            acc.set(A, if max { best.max(i) } else { best.min(i) }.cast_unsigned());
        }
        (FLOAT, Value::Float(x)) => {
            let best = acc.float(A);
            if if max { best < x } else { best > x } {
                acc.set(A, x.to_bits());
            }
        }
        (TEXT, Value::Str(text)) => {
            let best = acc.own().map_or(&[][..], |id| store.get(id));
            if if max { best < text.as_bytes() } else { text.as_bytes() < best } {
                put_own(store, acc, text.as_bytes())?;
            }
        }
        (tag, value) => {
            let found = typed(value, scratch).map_err(Trouble::Fault)?;
            return Err(Trouble::Fault(match tag {
                NOTHING => scratch.fault(format_args!("found invalid arg {found}")),
                INT => scratch.fault(format_args!("requires int64 but found {found}")),
                FLOAT => scratch.fault(format_args!("requires float64 but found {found}")),
                _ => scratch.fault(format_args!("requires string but found {found}")),
            }));
        }
    }
    Ok(())
}

fn merge<'a, S: AsRef<[u8]> + AsMut<[u8]>>(
    store: &mut Store<S>,
    acc: &mut Acc,
    value: Value<'a>,
    scratch: &Scratch<'a>,
) -> Result<(), Trouble<'a>> {
    let Some(new) = value.object(scratch).map_err(Trouble::Fault)? else { return Ok(()) };
    let old = acc.own().and_then(|id| Packed::from_bytes(store.get(id))).and_then(Packed::object);
    let mut writer = scratch.pack();
    let mut write = || {
        writer.begin_object()?;
        for (key, value) in old.into_iter().flat_map(|o| o.entries()) {
            writer.entry(key, value)?;
        }
        for (key, value) in new.entries() {
            writer.entry(key, value)?;
        }
        writer.end()
    };
    write().map_err(Trouble::Fault)?;
    put_own(store, acc, writer.finish_bytes())?;
    Ok(())
}

/// What a deduplicated value is known by: its text, behind group and aggregate.
pub(super) fn seen_prefix(group: Id, index: usize) -> [u8; 7] {
    let [a, b, c, d] = group.to_raw().to_le_bytes();
    #[expect(clippy::cast_possible_truncation, reason = "an index of a slot")]
    let index = (index as u16).to_le_bytes();
    [b'd', a, b, c, d, index[0], index[1]]
}

fn distinct<'a, S: AsRef<[u8]> + AsMut<[u8]>>(
    store: &mut Store<S>,
    group: Id,
    index: usize,
    acc: &mut Acc,
    pair: Value<'a>,
    all: Value<'a>,
    scratch: &Scratch<'a>,
) -> Result<(), Trouble<'a>> {
    let Value::Packed(pair) = pair else { return Ok(()) };
    let mut pair = pair.elements();
    let (row, column) = (pair.next().unwrap_or(Value::Null), pair.next().unwrap_or(Value::Null));
    let text = go_text(column, scratch).map_err(Trouble::Fault)?;
    let key = scratch.alloc(7 + text.len()).map_err(Trouble::Fault)?;
    key[..7].copy_from_slice(&seen_prefix(group, index));
    key[7..].copy_from_slice(text.as_bytes());
    let new = store.find(key).is_none();
    if matches!(all, Value::Bool(true)) {
        acc.0[FLAG] = 1;
        if new {
            push(store, acc, row)?;
        }
    } else {
        acc.0[FLAG] = if new { 2 } else { 3 };
        if new {
            let len = packed::len(row);
            let bytes = scratch.alloc(len).map_err(Trouble::Fault)?;
            Encoder::new(bytes).value(row).map_err(Trouble::Fault)?;
            put_own(store, acc, bytes)?;
        }
    }
    if new {
        store.insert(key, 0)?;
    }
    Ok(())
}
