//! GROUP BY: keys of groups, and what a group keeps beside its accumulators, its first row.
//!
//! In: rows under evaluation. Out: entries of a [`Store`], named by [`GROUP`] and the text of the keys.

use super::{Bound, GROUP};
use crate::eval::Event;
use crate::eval::aggregate::Trouble;
use crate::eval::expr::Evaluator;
use crate::eval::row::Row;
use crate::eval::state::{Id, Store, put_u32, u32_at};
use crate::rule::stage::prefixed;
use crate::sql::plan::Expr;
use crate::time::Timestamp;
use crate::value::text::go_v;
use crate::value::{Fault, Value};
use crate::window::rows::{Keep, facts_of, unpack};

/// Time i64, source u8, length of the arrival facts u32: in front of a group's first row.
const FIRST: usize = 13;

/// The key of a row's group, in the scratch: [`GROUP`], then every expression as Go's `%v` with a comma.
///
/// # Errors
/// `run Group By error: …`.
pub(in crate::rule) fn group_key<'a>(ev: &Evaluator<'_, 'a>) -> Result<&'a [u8], Fault<'a>> {
    if ev.plan.groups.is_empty() {
        return Ok(&[GROUP]);
    }
    key_of(GROUP, &ev.plan.groups, false, ev).map_err(|fault| prefixed("run Group By error", fault, ev.ctx.scratch))
}

/// A key of several expressions behind a first octet. `lenient`: one that fails is left out.
///
/// # Errors
/// What an expression gives; a full scratch.
pub(in crate::rule) fn key_of<'a>(first: u8, exprs: &'a [Expr], lenient: bool, ev: &Evaluator<'_, 'a>) -> Result<&'a [u8], Fault<'a>> {
    let scratch = ev.ctx.scratch;
    let mut values: heapless::Vec<Value<'a>, { crate::limits::ARG_COUNT }> = heapless::Vec::new();
    for expr in exprs {
        let value = match ev.eval(expr) {
            Err(_) if lenient => continue,
            value => value?,
        };
        values.push(value).map_err(|_| Fault::new("more than ARG_COUNT keys"))?;
    }
    scratch.write_bytes(|out| {
        out.byte(first)?;
        for value in values {
            go_v(out, value, scratch)?;
            out.byte(b',')?;
        }
        Ok(())
    })
}

/// Adds a unit to its group, which is made with the first one.
///
/// # Errors
/// As [`group_key`]; no room.
pub(super) fn add_to_group<'a, B: AsRef<[u8]> + AsMut<[u8]>>(
    store: &mut Store<B>,
    bound: &Bound,
    unit: u32,
    base: usize,
    ev: &Evaluator<'_, 'a>,
) -> Result<Id, Trouble<'a>> {
    let key = group_key(ev).map_err(Trouble::Fault)?;
    let id = match store.find(key) {
        Some(id) => id,
        None => {
            let id = store.insert(key, base + 4)?;
            put_u32(store.get_mut(id), base, unit as usize);
            id
        }
    };
    bound.aggregates.add(store, id, 0, &ev.plan.aggregates, ev)?;
    Ok(id)
}

/// Writes a group's first row behind its accumulators; gives the octets it takes.
pub(in crate::rule) fn first_bytes(meta: &[u8], body: &[u8]) -> usize {
    FIRST + meta.len() + body.len()
}

/// See [`first_bytes`].
pub(in crate::rule) fn store_first(room: &mut [u8], time_ms: i64, source: u8, meta: &[u8], body: &[u8]) {
    if room.len() < first_bytes(meta, body) {
        return;
    }
    room[..8].copy_from_slice(&time_ms.to_le_bytes());
    room[8] = source;
    put_u32(room, 9, meta.len());
    room[FIRST..FIRST + meta.len()].copy_from_slice(meta);
    room[FIRST + meta.len()..FIRST + meta.len() + body.len()].copy_from_slice(body);
}

/// Puts what [`store_first`] wrote into a row.
pub(super) fn load_first<'a>(bytes: &'a [u8], row: &Row<'a>, keep: &Keep) -> Event<'a> {
    let Some((head, rest)) = bytes.split_at_checked(FIRST) else { return Event::default() };
    let Some((meta, body)) = rest.split_at_checked(u32_at(head, 9) as usize) else { return Event::default() };
    unpack(body, row, keep.of(head[8]));
    let time = head.first_chunk().map_or(0, |b| i64::from_le_bytes(*b));
    Event { time: Timestamp(time), meta: facts_of(meta) }
}
