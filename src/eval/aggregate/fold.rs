//! An aggregate where there is no group: in ON of a join and in OVER (WHEN ..), which look at one row (facts §7.7).
//!
//! In: the values of its arguments. Out: what the aggregate says over the elements of a list, or over the one value that is no
//! list. eKuiper does the first, and stops the rule for the second. Works in the row's scratch.

use super::acc::Acc;
use super::result::result;
use super::take::take;
use super::{ACC_BYTES, Kind, Trouble};
use crate::eval::Ctx;
use crate::eval::state::Store;
use crate::value::packed;
use crate::value::{Eval, Fault, Scratch, Value};

/// What a store needs besides values: its index, and the head of an entry.
const STORE_BYTES: usize = 512;
/// What an element may take in a store at most beside its own length.
const ELEMENT_BYTES: usize = 160;

/// The aggregate `name` over the elements of `value`, or over itself if it is no list; `second` is its other argument.
///
/// # Errors
/// `call func name error: ..`; a full scratch; no fuel left.
pub fn fold<'a>(name: &str, value: Value<'a>, second: Value<'a>, ctx: &Ctx<'_, 'a>) -> Eval<'a> {
    let kind = Kind::of(name).unwrap_or(Kind::Count);
    // A list is what would have been collected; over nothing at all the others are nil.
    if kind == Kind::Collect {
        return Ok(value);
    }
    if value.is_nil_or_empty() {
        return Ok(Value::Null);
    }
    let scratch = ctx.scratch;
    let list = value.list(scratch)?;
    let (count, bytes) = list.map_or_else(|| (1, packed::len(value)), |list| (list.count(), list.as_bytes().len()));
    ctx.spend(u32::try_from(count).unwrap_or(u32::MAX))?;
    let room = if kind.grows() { 2 * bytes + count * ELEMENT_BYTES } else { bytes };
    let mut store = Store::new(scratch.alloc(STORE_BYTES + room)?);
    let group = store.insert(b"g", ACC_BYTES).map_err(|_| Fault::FULL)?;
    let mut acc = Acc([0; ACC_BYTES]);
    let mut add = |element: Value<'a>| {
        let element = known_by_itself(kind, element, scratch).map_err(Trouble::Fault)?;
        take(&mut store, group, 0, &mut acc, kind, element, second, scratch)
    };
    let added = match list {
        Some(list) => list.elements().try_for_each(&mut add),
        None => add(value),
    };
    match added {
        Ok(()) => result(store.into_view(), &acc.0, kind, name, scratch),
        Err(Trouble::Full | Trouble::Fault(Fault::FULL)) => Err(Fault::FULL),
        Err(Trouble::Fault(fault)) => Err(scratch.fault(format_args!("call func {name} error: {fault}"))),
    }
}

/// `deduplicate` takes a row with the column it is known by: here the element is both.
fn known_by_itself<'a>(kind: Kind, element: Value<'a>, scratch: &Scratch<'a>) -> Eval<'a> {
    if kind != Kind::Deduplicate {
        return Ok(element);
    }
    let mut pair = scratch.pack();
    pair.begin_list()?;
    pair.value(element)?;
    pair.value(element)?;
    pair.end()?;
    Ok(Value::Packed(pair.finish()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::func::testing::{answer, with_ctx};
    use crate::value::Numbers;

    #[test]
    fn over_elements_or_one_value() {
        const LIST: &str = "[1,null,3]";
        let cases: &[(&str, &str, Value<'static>, &str)] = &[
            ("count", LIST, Value::Null, "2"),
            ("sum", LIST, Value::Null, "4"),
            ("avg", LIST, Value::Null, "2"),
            ("max", LIST, Value::Null, "3"),
            ("min", LIST, Value::Null, "1"),
            ("collect", LIST, Value::Null, "[1,null,3]"),
            ("last_value", LIST, Value::Bool(true), "3"),
            ("median", LIST, Value::Null, "2"),
            ("var", LIST, Value::Null, "1"),
            ("percentile_disc", LIST, Value::Float(0.5), "1"),
            ("deduplicate", "[1,1,2]", Value::Bool(true), "[1,2]"),
            ("merge_agg", r#"[{"a":1},{"b":2}]"#, Value::Null, r#"{"a":1,"b":2}"#),
            ("count", "[]", Value::Null, "null"),
            ("collect", "[]", Value::Null, "[]"),
            ("sum", r#"["a"]"#, Value::Null, "!call func sum error: run sum function error: found invalid arg string(a)"),
        ];
        for (name, list, second, wanted) in cases {
            let given = with_ctx(10_000, 16_384, |ctx| answer(fold(name, Value::Json(Numbers::Float, list), *second, ctx), ctx.scratch));
            assert_eq!(given, *wanted, "{name}({list})");
        }
        for (name, value, wanted) in [
            ("count", Value::Int(5), "1"),
            ("sum", Value::Float(2.5), "2.5"),
            ("collect", Value::Int(5), "5"),
            ("count", Value::Null, "null"),
            ("max", Value::Str("x"), "\"x\""),
        ] {
            let given = with_ctx(10_000, 16_384, |ctx| answer(fold(name, value, Value::Null, ctx), ctx.scratch));
            assert_eq!(given, wanted, "{name}({value:?})");
        }
    }

    #[test]
    fn a_list_beyond_the_scratch_or_the_fuel_is_a_fault() {
        const LIST: &str = "[1,2,3,4,5,6,7,8]";
        let list = Value::Json(Numbers::Float, LIST);
        assert_eq!(with_ctx(10_000, 512, |ctx| fold("median", list, Value::Null, ctx).err().map(|f| f == Fault::FULL)), Some(true));
        let given = with_ctx(7, 16_384, |ctx| answer(fold("sum", list, Value::Null, ctx), ctx.scratch));
        assert_eq!(given, "!step limit: the row takes too many evaluation steps");
        assert_eq!(with_ctx(8, 16_384, |ctx| answer(fold("sum", list, Value::Null, ctx), ctx.scratch)), "36");
    }
}
