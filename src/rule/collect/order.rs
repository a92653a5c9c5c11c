//! ORDER BY: the ranks of a collection's entries by keys that are evaluated once each.
//!
//! In: the entries of the list. Out: their ranks, in memory that outlives the rows. Nil comes last whatever the direction; values of
//! different types are an error (facts §7.4).

use core::cell::Cell;
use core::cmp::Ordering;

use super::{Bound, Collection, List, fill, with_row};
use crate::eval::Event;
use crate::eval::expr::Evaluator;
use crate::eval::row::Row;
use crate::eval::state::{Id, View, put_u32, u32_at};
use crate::rule::run::SLICE_FUEL;
use crate::rule::stage::{Select, Stage, prefixed};
use crate::sql::plan::Expr;
use crate::value::packed::{self, Encoder};
use crate::value::{Fault, Scratch, Value};

/// The row of an entry, and the group its aggregates come from.
pub(super) type Resolve<'r> = &'r dyn Fn(u32) -> (Option<u32>, Option<Id>);

/// Sorts the first `n` entries of the list: gives their ranks, and free memory behind them.
#[expect(clippy::too_many_arguments, reason = "one stage of the run")]
pub(super) fn sort<'m>(
    c: &Collection<'_>,
    stage: &Stage<'_>,
    select: &mut Select<'_>,
    bound: &Bound,
    groups: Option<(Resolve<'_>, Option<View<'_>>)>,
    base: usize,
    list: &List<'_>,
    n: usize,
    memory: &'m mut [u8],
    buf: &mut [u8],
    _again: bool,
) -> Option<(&'m [u8], &'m mut [u8])> {
    let plan = stage.plan;
    let op = select.ops.order.unwrap_or(select.ops.project);
    let no_room = Fault::new("the rows to sort do not fit the working memory: raise limits.scratchBytes");
    let counts = select.counts();
    // Ranks, offsets of keys, spare room for the caller, keys.
    let Some((places, keys)) = memory.split_at_mut_checked(12 * n) else {
        select.fail(op, no_room);
        return None;
    };
    let mut at = 0;
    let mut types: heapless::Vec<Option<&'static str>, { crate::limits::ARG_COUNT }> = heapless::Vec::new();
    for _ in &plan.order {
        let _ = types.push(None); // bounded by the planner's argument count
    }
    for i in 0..n {
        let entry = list.get(i);
        let (unit, group) = groups.map_or((Some(entry), None), |(resolve, _)| resolve(entry));
        let start = at;
        let ok = with_row!(stage, c, base, buf, counts, unit, ev => {
            let mut put = || {
                if let Some((_, view)) = groups {
                    fill(view, group, 0, bound, ev)?;
                }
                for (order, kind) in plan.order.iter().zip(&mut types) {
                    // A function that fails gives nothing to sort by, as in eKuiper.
                    let value = match ev.eval(&order.expr) {
                        Err(Fault::FULL) => return Err(Fault::FULL),
                        Err(_) if matches!(order.expr, Expr::Call { .. }) => Value::Null,
                        Err(_) => {
                            const ERROR: &str = "*errors.errorString";
                            let first = kind.unwrap_or(ERROR);
                            return Err(ev.ctx.scratch.fault(format_args!("incompatible types for comparison: {first} and {ERROR}")));
                        }
                        Ok(value) => value,
                    };
                    comparable(kind, value, ev.ctx.scratch)?;
                    let room = keys.get_mut(at..).unwrap_or(&mut []);
                    let mut key = Encoder::new(room);
                    key.value(value).map_err(|_: Fault<'_>| no_room)?;
                    at += key.len();
                }
                Ok(())
            };
            match put() {
                Ok(()) => true,
                Err(fault) => {
                    select.fail(op, prefixed("run Order By error", fault, ev.ctx.scratch));
                    false
                }
            }
        });
        if !ok {
            return None;
        }
        put_u32(places, 4 * i, i);
        put_u32(places, 4 * (n + i), start);
    }
    let (ranks, rest) = places.split_at_mut(4 * n);
    let (offsets, spare) = rest.split_at_mut(4 * n);
    let keys: &[u8] = keys;
    let (chunks, _) = ranks.as_chunks_mut::<4>();
    chunks.sort_unstable_by(|a, b| {
        let (i, j) = (u32::from_le_bytes(*a), u32::from_le_bytes(*b));
        let key = |i: u32| keys.get(u32_at(offsets, 4 * i as usize) as usize..).unwrap_or(&[]);
        let (mut x, mut y) = (key(i), key(j));
        for order in &plan.order {
            let (Some((p, p_len)), Some((q, q_len))) = (packed::read(x), packed::read(y)) else { break };
            (x, y) = (x.get(p_len..).unwrap_or(&[]), y.get(q_len..).unwrap_or(&[]));
            let found = match (p.is_null(), q.is_null()) {
                // Two nils are equal, whatever the further keys say, as in eKuiper.
                (true, true) => break,
                // Nil comes last, whatever the direction.
                (true, false) => return Ordering::Greater,
                (false, true) => return Ordering::Less,
                _ => ordering(p, q),
            };
            if found != Ordering::Equal {
                return if order.descending { found.reverse() } else { found };
            }
        }
        i.cmp(&j)
    });
    Some((ranks, spare))
}

/// The order of two values of one type; booleans and what has no order are equal.
fn ordering(p: Value<'_>, q: Value<'_>) -> Ordering {
    #[expect(clippy::cast_precision_loss, reason = "int op float is float")]
    match (p, q) {
        (Value::Int(a), Value::Int(b)) => a.cmp(&b),
        (Value::Float(a), Value::Float(b)) => a.partial_cmp(&b).unwrap_or(Ordering::Equal),
        (Value::Int(a), Value::Float(b)) => (a as f64).partial_cmp(&b).unwrap_or(Ordering::Equal),
        (Value::Float(a), Value::Int(b)) => a.partial_cmp(&(b as f64)).unwrap_or(Ordering::Equal),
        (Value::Str(a), Value::Str(b)) => a.cmp(b),
        (Value::Time(a), Value::Time(b)) => a.instant().cmp(&b.instant()),
        _ => Ordering::Equal,
    }
}

/// Whether a value can be sorted among those before it.
fn comparable<'a>(kind: &mut Option<&'static str>, value: Value<'a>, scratch: &Scratch<'a>) -> Result<(), Fault<'a>> {
    if value.is_null() {
        return Ok(());
    }
    let class = match value {
        Value::Int(_) | Value::Float(_) => "float64",
        _ => value.go_type(),
    };
    let first = *kind.get_or_insert(class);
    if first != class || value.is_list() || value.is_object() || matches!(value, Value::Bytes(_)) {
        return Err(scratch.fault(format_args!("incompatible types for comparison: {first} and {}", value.go_type())));
    }
    Ok(())
}
