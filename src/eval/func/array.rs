//! Lists. Arguments are packed whole first: elements can then be compared and read while a result is being written.

use heapless::Vec;

use super::{Table, arg, deep, scalar};
use crate::eval::Call;
use crate::json::write::{self, FloatStyle, Out};
use crate::sql::func::{self, Kind};
use crate::value::packed::{self, Packed};
use crate::value::text::{go_v, replaced, typed};
use crate::value::{Eval, Fault, Value, same};

/// The functions of this family.
pub(super) static TABLE: Table = &[
    ("array_create", array_create),
    ("array_position", |c| Ok(Value::Int(position(c, false)?))),
    ("element_at", element_at),
    ("array_contains", |c| Ok(Value::Bool(position(c, false)? >= 0))),
    ("array_remove", array_remove),
    ("array_last_position", |c| Ok(Value::Int(position(c, true)?))),
    ("array_contains_any", array_contains_any),
    ("array_intersect", array_intersect),
    ("array_union", array_union),
    ("array_max", |c| extreme(c, true)),
    ("array_min", |c| extreme(c, false)),
    ("array_except", array_except),
    ("repeat", repeat),
    ("sequence", sequence),
    ("array_cardinality", array_cardinality),
    ("cardinality", cardinality),
    ("array_flatten", array_flatten),
    ("array_distinct", array_distinct),
    ("array_map", array_map),
    ("array_join", array_join),
    ("array_shuffle", array_shuffle),
    ("array_sort", array_sort),
    ("array_concat", array_concat),
    ("kvpair_array_to_obj", kvpair_array_to_obj),
];

const FIRST_NO_LIST: Fault<'static> = Fault::new("first argument should be array of interface{}");
const SECOND_NO_LIST: Fault<'static> = Fault::new("second argument should be array of interface{}");

/// Argument `place` as a list, packed to the bottom; paid for by element.
fn list<'a>(c: &Call<'_, 'a>, place: usize, fault: Fault<'a>) -> Result<Packed<'a>, Fault<'a>> {
    match deep(c, c.arg(place))? {
        Value::Packed(p) if p.is_list() => {
            c.elements(p.count())?;
            Ok(p)
        }
        _ => Err(fault),
    }
}

/// Argument `place` as a list, nil as `None`.
fn list_or_nil<'a>(c: &Call<'_, 'a>, place: usize, fault: Fault<'a>) -> Result<Option<Packed<'a>>, Fault<'a>> {
    if c.arg(place).is_null() { Ok(None) } else { list(c, place, fault).map(Some) }
}

/// Whether `value` is among `values`; a step per comparison.
fn among<'a>(c: &Call<'_, 'a>, value: Value<'a>, values: impl Iterator<Item = Value<'a>>) -> Result<bool, Fault<'a>> {
    for other in values {
        c.elements(1)?;
        if same(value, other, c.ctx.scratch)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A list of what `each` lets through of `values`.
fn chosen<'a>(
    c: &Call<'_, 'a>,
    values: impl Iterator<Item = Value<'a>>,
    mut each: impl FnMut(usize, Value<'a>) -> Result<bool, Fault<'a>>,
) -> Eval<'a> {
    let mut out = c.ctx.scratch.pack();
    out.begin_list()?;
    for (i, value) in values.enumerate() {
        if each(i, value)? {
            out.value(value)?;
        }
    }
    out.end()?;
    Ok(Value::Packed(out.finish()?))
}

fn array_create<'a>(c: &Call<'_, 'a>) -> Eval<'a> {
    if c.args.iter().all(|a| a.is_null()) {
        return Ok(Value::Null);
    }
    chosen(c, c.args.iter().copied(), |_, value| Ok(!value.is_null()))
}

/// Place of the first, or last, element that equals argument 1; -1 without one.
fn position<'a>(c: &Call<'_, 'a>, last: bool) -> Result<i64, Fault<'a>> {
    let Some(list) = list_or_nil(c, 0, FIRST_NO_LIST)? else { return Ok(-1) };
    let wanted = deep(c, c.arg(1))?;
    let mut found = -1;
    for (i, element) in list.elements().enumerate() {
        if same(element, wanted, c.ctx.scratch)? {
            found = i64::try_from(i).unwrap_or(i64::MAX);
            if !last {
                break;
            }
        }
    }
    Ok(found)
}

fn element_at<'a>(c: &Call<'_, 'a>) -> Eval<'a> {
    let scratch = c.ctx.scratch;
    let of = c.arg(0);
    if of.is_object() {
        let Value::Str(key) = c.arg(1) else { return Err(Fault::new("second argument should be string")) };
        return Ok(of.member(key, scratch)?.unwrap_or(Value::Null));
    }
    if !of.is_list() {
        return Err(Fault::new("first argument should be []interface{} or map[string]interface{}"));
    }
    let index = arg::strict_int(c.arg(1), scratch)?;
    let count = of.count(scratch)?.unwrap_or(0);
    c.elements(count)?;
    let len = i64::try_from(count).unwrap_or(i64::MAX);
    let at = if index < 0 { index.saturating_add(len) } else { index };
    let Some(at) = usize::try_from(at).ok().filter(|at| *at < count) else { return Err(Fault::new("index out of range")) };
    of.elements(scratch).and_then(|mut elements| elements.nth(at)).unwrap_or(Ok(Value::Null))
}

fn array_remove<'a>(c: &Call<'_, 'a>) -> Eval<'a> {
    let Some(list) = list_or_nil(c, 0, FIRST_NO_LIST)? else { return Ok(Value::Null) };
    let unwanted = deep(c, c.arg(1))?;
    chosen(c, list.elements(), |_, element| Ok(!same(element, unwanted, c.ctx.scratch)?))
}

fn array_contains_any<'a>(c: &Call<'_, 'a>) -> Eval<'a> {
    let Some(a) = list_or_nil(c, 0, FIRST_NO_LIST)? else { return Ok(Value::Bool(false)) };
    let b = list(c, 1, SECOND_NO_LIST)?;
    for element in a.elements() {
        if among(c, element, b.elements())? {
            return Ok(Value::Bool(true));
        }
    }
    Ok(Value::Bool(false))
}

fn array_intersect<'a>(c: &Call<'_, 'a>) -> Eval<'a> {
    let (a, b) = (list(c, 0, FIRST_NO_LIST)?, list(c, 1, SECOND_NO_LIST)?);
    chosen(c, b.elements(), |i, element| Ok(among(c, element, a.elements())? && !among(c, element, b.elements().take(i))?))
}

fn array_union<'a>(c: &Call<'_, 'a>) -> Eval<'a> {
    let (a, b) = (list_or_nil(c, 0, FIRST_NO_LIST)?, list_or_nil(c, 1, SECOND_NO_LIST)?);
    let all = || a.iter().chain(&b).flat_map(|list| list.elements());
    chosen(c, all(), |i, element| Ok(!among(c, element, all().take(i))?))
}

fn array_except<'a>(c: &Call<'_, 'a>) -> Eval<'a> {
    let Some(a) = list_or_nil(c, 0, FIRST_NO_LIST)? else { return Ok(Value::Null) };
    let b = list_or_nil(c, 1, SECOND_NO_LIST)?;
    let unwanted = || b.iter().flat_map(|list| list.elements());
    chosen(c, a.elements(), |i, element| Ok(!among(c, element, unwanted())? && !among(c, element, a.elements().take(i))?))
}

/// The largest or smallest of a list whose first element that is not nil gives the type.
fn extreme<'a>(c: &Call<'_, 'a>, largest: bool) -> Eval<'a> {
    let list = list(c, 0, FIRST_NO_LIST)?;
    let mut best = Value::Null;
    for element in list.elements().filter(|e| !e.is_null()) {
        let clash = |wanted: &str| match typed(element, c.ctx.scratch) {
            Ok(found) => c.ctx.scratch.fault(format_args!("requires {wanted} but found {found}")),
            Err(fault) => fault,
        };
        best = match (best, element) {
            (Value::Null, Value::Int(_) | Value::Float(_) | Value::Str(_)) => element,
            (Value::Null, _) => {
                let found = typed(element, c.ctx.scratch)?;
                return Err(c.ctx.scratch.fault(format_args!("found invalid arg {found}")));
            }
            (Value::Int(b), _) => {
                let e = arg::int(element, c.ctx.scratch).map_err(|_| clash("int64"))?;
                Value::Int(if largest { b.max(e) } else { b.min(e) })
            }
            (Value::Float(b), Value::Float(e)) => Value::Float(if (largest && b < e) || (!largest && b > e) { e } else { b }),
            (Value::Float(_), _) => return Err(clash("float64")),
            (Value::Str(b), Value::Str(e)) => Value::Str(if largest { b.max(e) } else { b.min(e) }),
            _ => return Err(clash("string")),
        };
    }
    Ok(best)
}

fn repeat<'a>(c: &Call<'_, 'a>) -> Eval<'a> {
    let Some(count) = arg::strict(c.arg(1)) else { return Err(Fault::new("second argument should be int")) };
    let Ok(count) = u64::try_from(count) else { return Err(Fault::new("second argument should be int: it is negative")) };
    let value = c.arg(0);
    let mut out = c.ctx.scratch.pack();
    out.begin_list()?;
    for _ in 0..count {
        c.elements(1)?;
        out.value(value)?;
    }
    out.end()?;
    Ok(Value::Packed(out.finish()?))
}

fn sequence<'a>(c: &Call<'_, 'a>) -> Eval<'a> {
    let whole = |place: usize, fault: &'static str| arg::strict(c.arg(place)).map(i128::from).ok_or(Fault::new(fault));
    let (start, stop) = (whole(0, "first argument should be int")?, whole(1, "second argument should be int")?);
    let step = match c.args.len() {
        3 => whole(2, "third argument should be int")?,
        _ if start < stop => 1,
        _ => -1,
    };
    if step == 0 {
        return Err(Fault::new("invalid step: should not be zero"));
    }
    let mut out = c.ctx.scratch.pack();
    out.begin_list()?;
    let mut next = start;
    while (step > 0 && next <= stop) || (step < 0 && next >= stop) {
        c.elements(1)?;
        out.value(Value::Int(i64::try_from(next).unwrap_or(i64::MAX)))?;
        next += step;
    }
    out.end()?;
    Ok(Value::Packed(out.finish()?))
}

fn array_cardinality<'a>(c: &Call<'_, 'a>) -> Eval<'a> {
    if c.arg(0).is_nil_or_empty() {
        return Ok(Value::Int(0));
    }
    let count = list(c, 0, FIRST_NO_LIST)?.elements().filter(|e| !e.is_null()).count();
    Ok(Value::Int(i64::try_from(count).unwrap_or(i64::MAX)))
}

fn cardinality<'a>(c: &Call<'_, 'a>) -> Eval<'a> {
    let count = match c.arg(0) {
        Value::Bytes(bytes) => bytes.len(),
        of if of.is_list() => of.count(c.ctx.scratch)?.unwrap_or(0),
        _ => 0,
    };
    c.elements(count / 8)?;
    Ok(Value::Int(i64::try_from(count).unwrap_or(i64::MAX)))
}

fn array_flatten<'a>(c: &Call<'_, 'a>) -> Eval<'a> {
    let list = list(c, 0, FIRST_NO_LIST)?;
    let mut out = c.ctx.scratch.pack();
    out.begin_list()?;
    for element in list.elements() {
        match element {
            Value::Packed(inner) if inner.is_list() => {
                c.elements(inner.count())?;
                inner.elements().try_for_each(|e| out.value(e))?;
            }
            _ => out.value(element)?,
        }
    }
    out.end()?;
    Ok(Value::Packed(out.finish()?))
}

fn array_distinct<'a>(c: &Call<'_, 'a>) -> Eval<'a> {
    let list = list(c, 0, FIRST_NO_LIST)?;
    chosen(c, list.elements(), |i, element| Ok(matches!(element, Value::Packed(_)) || !among(c, element, list.elements().take(i))?))
}

/// Results that are gathered before they are packed together.
const GATHER: usize = 64;

fn array_map<'a>(c: &Call<'_, 'a>) -> Eval<'a> {
    let scratch = c.ctx.scratch;
    let Value::Str(name) = c.arg(0) else { return Err(Fault::new("first argument should be string")) };
    let list = list(c, 1, SECOND_NO_LIST)?;
    let Some((id, row)) = func::find(name) else { return Err(scratch.fault(format_args!("unknown built-in function: {name}."))) };
    let run = match scalar(id) {
        Some(run) if row.kind == Kind::Scalar => run,
        _ => return Err(Fault::new("first argument should be a scalar function.")),
    };
    if !(row.args.min..=row.args.max).contains(&1) {
        return Err(scratch.fault(format_args!("validate {name} arguments failed")));
    }
    // A function may pack lists of its own, one writer at a time: results are packed by the handful, then all together.
    let mut parts: Vec<Packed<'a>, GATHER> = Vec::new();
    let mut rest = list.elements().peekable();
    while rest.peek().is_some() {
        let mut results: Vec<Value<'a>, GATHER> = Vec::new();
        for element in rest.by_ref().take(GATHER) {
            c.elements(1)?;
            // The null rule is not asked: the function sees nils, as in eKuiper.
            let result = run(&Call { args: &[element], ctx: c.ctx, aux: &crate::sql::plan::Aux::None })?;
            results.push(result).map_err(|_| Fault::FULL)?;
        }
        let part = chosen(c, results.iter().copied(), |_, _| Ok(true))?;
        let Value::Packed(part) = part else { return Err(Fault::FULL) };
        parts.push(part).map_err(|_| Fault::new("step limit: array_map takes at most 4096 elements"))?;
    }
    chosen(c, parts.iter().flat_map(|part| part.elements()), |_, _| Ok(true))
}

fn array_join<'a>(c: &Call<'_, 'a>) -> Eval<'a> {
    let list = list(c, 0, FIRST_NO_LIST)?;
    let Value::Str(between) = c.arg(1) else { return Err(Fault::new("second argument should be string")) };
    let for_nil = match (c.args.len(), c.arg(2)) {
        (3, Value::Str(text)) => text,
        (3, _) => return Err(Fault::new("third argument should be string")),
        _ => "",
    };
    c.written(|out| {
        let mut first = true;
        for element in list.elements().filter(|e| !e.is_null() || !for_nil.is_empty()) {
            if !first {
                out.text(between)?;
            }
            first = false;
            match element {
                Value::Null => out.text(for_nil)?,
                _ => plain(out, element, c)?,
            }
        }
        Ok(())
    })
}

/// The text that a cast to string gives.
fn plain<'a>(out: &mut Out<'_>, value: Value<'a>, c: &Call<'_, 'a>) -> Result<(), Fault<'a>> {
    match value {
        Value::Float(x) => Ok(write::float(out, x, FloatStyle::Plain)?),
        Value::Bytes(bytes) => Ok(replaced(out, bytes)?),
        _ => go_v(out, value, c.ctx.scratch),
    }
}

/// Place of an element within its list's bytes, and its text within all texts: from and to.
type Entry = [u8; 12];

fn entry(place: usize, text: (usize, usize)) -> Option<Entry> {
    let mut e = [0; 12];
    for (to, n) in e.chunks_exact_mut(4).zip([place, text.0, text.1]) {
        to.copy_from_slice(&u32::try_from(n).ok()?.to_le_bytes());
    }
    Some(e)
}

fn field(e: &Entry, i: usize) -> usize {
    e.get(4 * i..4 * i + 4).and_then(|b| b.try_into().ok()).map_or(0, |b| u32::from_le_bytes(b) as usize)
}

/// Where the elements of `list` stand in its bytes; with their texts, if asked for.
fn entries<'a>(c: &Call<'_, 'a>, list: Packed<'a>, texts: bool) -> Result<(&'a mut [Entry], &'a [u8]), Fault<'a>> {
    let (entries, _) = c.ctx.scratch.alloc(12 * list.count())?.as_chunks_mut::<12>();
    let bytes = list.as_bytes();
    let mut at = bytes.len() - elements_len(bytes);
    let all = c.ctx.scratch.write_bytes(|out| {
        for e in entries.iter_mut() {
            let Some((element, len)) = bytes.get(at..).and_then(packed::read) else { return Err(Fault::FULL) };
            let from = out.len();
            if texts {
                go_v(out, element, c.ctx.scratch)?;
            }
            *e = entry(at, (from, out.len())).ok_or(Fault::FULL)?;
            at += len;
        }
        Ok(())
    })?;
    Ok((entries, all))
}

/// Bytes of a packed list's elements: what stands behind its tag, length and count.
const fn elements_len(list: &[u8]) -> usize {
    list.len().saturating_sub(9)
}

/// The list in the order of `entries`.
fn ordered<'a>(c: &Call<'_, 'a>, list: Packed<'a>, entries: &[Entry]) -> Eval<'a> {
    let element = |e: &Entry| list.as_bytes().get(field(e, 0)..).and_then(packed::read).map_or(Value::Null, |(value, _)| value);
    chosen(c, entries.iter().map(element), |_, _| Ok(true))
}

fn array_shuffle<'a>(c: &Call<'_, 'a>) -> Eval<'a> {
    let list = list(c, 0, FIRST_NO_LIST)?;
    let (entries, _) = entries(c, list, false)?;
    for i in (1..entries.len()).rev() {
        let j = usize::try_from(c.ctx.random() % (i as u64 + 1)).unwrap_or(0);
        entries.swap(i, j);
    }
    ordered(c, list, entries)
}

fn array_sort<'a>(c: &Call<'_, 'a>) -> Eval<'a> {
    let list = list(c, 0, Fault::new("array elements should be array"))?;
    let (entries, texts) = entries(c, list, true)?;
    // n log n comparisons of texts.
    c.elements(entries.len() * entries.len().checked_ilog2().map_or(0, |n| n as usize))?;
    let text = |e: &Entry| texts.get(field(e, 1)..field(e, 2)).unwrap_or(&[]);
    entries.sort_unstable_by(|a, b| text(a).cmp(text(b)).then(field(a, 0).cmp(&field(b, 0))));
    ordered(c, list, entries)
}

fn array_concat<'a>(c: &Call<'_, 'a>) -> Eval<'a> {
    let mut lists: Vec<Packed<'a>, { crate::limits::ARG_COUNT }> = Vec::new();
    for place in 0..c.args.len() {
        if let Some(list) = list_or_nil(c, place, Fault::new("array elements should be array"))? {
            lists.push(list).map_err(|_| Fault::FULL)?;
        }
    }
    // Without an element it is nil, which SELECT sends as null.
    if lists.iter().all(|list| list.is_empty()) {
        return Ok(Value::Null);
    }
    chosen(c, lists.iter().flat_map(|list| list.elements()), |_, _| Ok(true))
}

fn kvpair_array_to_obj<'a>(c: &Call<'_, 'a>) -> Eval<'a> {
    let list = list(c, 0, FIRST_NO_LIST)?;
    let mut out = c.ctx.scratch.pack();
    out.begin_object()?;
    for element in list.elements() {
        let Value::Packed(p) = element else { return Err(Fault::new("array item should be map[string]interface{}")) };
        let Some(pair) = p.object() else { return Err(Fault::new("array item should be map[string]interface{}")) };
        match (pair.count(), pair.get("key"), pair.get("value")) {
            (2, Some(Value::Str(key)), Some(value)) => out.entry(key, value)?,
            _ => return Err(Fault::new("array item should be key-value pair")),
        }
    }
    out.end()?;
    Ok(Value::Packed(out.finish()?))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Arg::*, answer, call, check, with_ctx};
    use super::*;
    use crate::sql::plan::Aux;

    #[test]
    fn looking() {
        check(&[
            ("array_create", &[N, F(1.0), S("a")], "[1,\"a\"]"),
            ("array_create", &[N, N], "null"),
            ("array_create", &[], "null"),
            ("array_position", &[J("[1,2,1]"), F(1.0)], "0"),
            ("array_position", &[J("[1,2,1]"), I(1)], "-1"),
            ("array_position", &[N, F(1.0)], "-1"),
            ("array_position", &[S("x"), F(1.0)], "!first argument should be array of interface{}"),
            ("array_last_position", &[J("[1,2,1]"), F(1.0)], "2"),
            ("array_contains", &[J("[1,\"a\"]"), S("a")], "true"),
            ("array_contains", &[J("[1,2]"), I(1)], "false"),
            ("array_contains", &[J("[[1],{\"a\":\"\\u0062\"}]"), J("{\"a\":\"b\"}")], "true"),
            ("array_contains", &[N, F(1.0)], "false"),
            ("array_contains_any", &[J("[1,\"a\"]"), J("[\"1\",\"a\"]")], "true"),
            ("array_contains_any", &[J("[]"), J("[1]")], "false"),
            ("array_contains_any", &[J("[null]"), J("[null]")], "true"),
            ("array_contains_any", &[N, J("[1]")], "false"),
            ("array_contains_any", &[J("[1]"), N], "!second argument should be array of interface{}"),
            ("element_at", &[J("[1,2,3]"), I(-1)], "3"),
            ("element_at", &[J("[1,2,3]"), F(0.0)], "1"),
            ("element_at", &[J("[1,2,3]"), I(3)], "!index out of range"),
            ("element_at", &[J("[1,2,3]"), I(i64::MIN)], "!index out of range"),
            ("element_at", &[J("[1]"), F(0.5)], "!cannot convert float64(0.5) to int"),
            ("element_at", &[J("{\"k\":1}"), S("k")], "1"),
            ("element_at", &[J("{\"k\":1}"), S("x")], "null"),
            ("element_at", &[J("{\"k\":1}"), I(0)], "!second argument should be string"),
            ("element_at", &[S("abc"), I(0)], "!first argument should be []interface{} or map[string]interface{}"),
            ("array_cardinality", &[J("[1,null]")], "1"),
            ("array_cardinality", &[N], "0"),
            ("array_cardinality", &[F(1.0)], "!first argument should be array of interface{}"),
            ("cardinality", &[J("[1,null]")], "2"),
            ("cardinality", &[J("{\"a\":1}")], "0"),
            ("cardinality", &[S("abc")], "0"),
        ]);
    }

    #[test]
    fn sets() {
        check(&[
            ("array_remove", &[J("[1,2,1]"), F(1.0)], "[2]"),
            ("array_remove", &[N, F(1.0)], "null"),
            ("array_intersect", &[J("[1,2,3,1]"), J("[3,1,3]")], "[3,1]"),
            ("array_intersect", &[J("[1]"), J("[2]")], "[]"),
            ("array_union", &[J("[1,1,[2]]"), J("[2,1,[2]]")], "[1,[2],2]"),
            ("array_union", &[N, N], "[]"),
            ("array_union", &[N, F(1.0)], "!second argument should be array of interface{}"),
            ("array_except", &[J("[1,1,1,1,3]"), J("[4]")], "[1,3]"),
            ("array_except", &[J("[1]"), N], "[1]"),
            ("array_except", &[N, J("[1]")], "null"),
            ("array_distinct", &[J("[1,1.0,\"1\",null,null,[1],[1]]")], "[1,\"1\",null,[1],[1]]"),
        ]);
    }

    #[test]
    fn making() {
        check(&[
            ("repeat", &[S("a"), F(2.0)], "[\"a\",\"a\"]"),
            ("repeat", &[S("a"), I(0)], "[]"),
            ("repeat", &[S("a"), I(-1)], "!second argument should be int"),
            ("repeat", &[S("a"), S("2")], "!second argument should be int"),
            ("repeat", &[S("a"), I(i64::MAX)], "!"),
            ("sequence", &[I(1), I(5)], "[1,2,3,4,5]"),
            ("sequence", &[I(5), F(3.0)], "[5,4,3]"),
            ("sequence", &[I(1), I(1)], "[1]"),
            ("sequence", &[I(1), I(6), I(2)], "[1,3,5]"),
            ("sequence", &[I(1), I(6), I(-2)], "[]"),
            ("sequence", &[I(1), I(6), I(0)], "!invalid step: should not be zero"),
            ("sequence", &[S("1"), I(6)], "!first argument should be int"),
            ("sequence", &[I(i64::MIN), I(i64::MAX)], "!"),
            ("sequence", &[I(i64::MAX), I(i64::MAX), I(i64::MAX)], "[9223372036854775807]"),
            ("array_flatten", &[J("[[1,[2]],3]")], "[1,[2],3]"),
            ("array_concat", &[J("[1]"), N, J("[\"\\u0061\"]")], "[1,\"a\"]"),
            ("array_concat", &[J("[1]"), F(1.0)], "!array elements should be array"),
            ("array_concat", &[N], "null"),
            ("kvpair_array_to_obj", &[J("[{\"key\":\"k\",\"value\":[1]},{\"value\":2,\"key\":\"k\"}]")], "{\"k\":2}"),
            ("kvpair_array_to_obj", &[J("[1]")], "!array item should be map[string]interface{}"),
            ("kvpair_array_to_obj", &[J("[{\"key\":1,\"value\":1}]")], "!array item should be key-value pair"),
        ]);
    }

    #[test]
    fn order_and_text() {
        check(&[
            ("array_max", &[J("[1,null,3,2]")], "3"),
            ("array_max", &[J("[\"a\",\"b\"]")], "\"b\""),
            ("array_max", &[J("[null]")], "null"),
            ("array_max", &[J("[1,\"a\"]")], "!requires float64 but found string(a)"),
            ("array_max", &[J("[true]")], "!found invalid arg bool(true)"),
            ("array_min", &[J("[2,1.5]")], "1.5"),
            ("array_min", &[J("[\"a\",1]")], "!requires string but found float64(1)"),
            ("array_sort", &[J("[3,10,2]")], "[10,2,3]"),
            ("array_sort", &[J("[1,\"a\",null]")], "[1,null,\"a\"]"),
            ("array_sort", &[J("[[1,2],[3]]")], "[[1,2],[3]]"),
            ("array_sort", &[J("[]")], "null"),
            ("array_sort", &[S("abc")], "!array elements should be array"),
            ("array_join", &[J("[1,1000000,null,\"\\u0061\",[1]]"), S("-")], "\"1-1000000-a-[1]\""),
            ("array_join", &[J("[1,null]"), S(","), S("nil")], "\"1,nil\""),
            ("array_join", &[J("[1]"), F(1.0)], "!second argument should be string"),
            ("array_join", &[J("[1]"), S(","), F(1.0)], "!third argument should be string"),
            ("array_map", &[S("upper"), J("[\"a\",\"b\"]")], "[\"A\",\"B\"]"),
            ("array_map", &[S("array_sort"), J("[[2,1],[3]]")], "[[1,2],[3]]"),
            ("array_map", &[S("ceil"), J("[1.5]")], "[2]"),
            ("array_map", &[S("length"), J("[null,\"ab\"]")], "[0,2]"),
            ("array_map", &[S("no"), J("[1]")], "!unknown built-in function: no."),
            ("array_map", &[S("avg"), J("[1]")], "!first argument should be a scalar function."),
            ("array_map", &[S("power"), J("[1]")], "!validate power arguments failed"),
            ("array_map", &[S("abs"), J("[null]")], "!only float64 & int type are supported"),
        ]);
    }

    #[test]
    fn shuffled_lists_keep_their_elements() {
        with_ctx(10_000, 32_768, |ctx| {
            let list = Value::Json(crate::value::Numbers::Float, "[1,2,3,4,5,6,7,8,\"x\",[9]]");
            let mixed = call(ctx, "array_shuffle", &[list], &Aux::None).expect("room");
            assert_ne!(answer(Ok(mixed), ctx.scratch), "[1,2,3,4,5,6,7,8,\"x\",[9]]");
            assert_eq!(answer(call(ctx, "array_sort", &[mixed], &Aux::None), ctx.scratch), "[1,2,3,4,5,6,7,8,[9],\"x\"]");
        });
    }

    #[test]
    fn work_is_bounded() {
        with_ctx(2_000, 1 << 20, |ctx| {
            for (name, args) in [("repeat", [Value::Int(1), Value::Int(1 << 40)]), ("sequence", [Value::Int(0), Value::Int(1 << 40)])] {
                assert!(answer(call(ctx, name, &args, &Aux::None), ctx.scratch).contains("step limit"), "{name}");
            }
        });
        let long = format!("[{}0]", "1,".repeat(150));
        with_ctx(5_000, 1 << 20, |ctx| {
            let raw: &'static str = Box::leak(long.into_boxed_str());
            let list = Value::Json(crate::value::Numbers::Float, raw);
            assert!(answer(call(ctx, "array_except", &[list, list], &Aux::None), ctx.scratch).starts_with('['));
            let unlike = Value::Json(crate::value::Numbers::Float, "[\"a\"]");
            assert!(answer(call(ctx, "array_sort", &[unlike], &Aux::None), ctx.scratch).starts_with('['));
        });
    }
}
