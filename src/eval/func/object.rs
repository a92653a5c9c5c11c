//! Maps: members come sorted by key, and of equal keys the last one stays.

use super::{Table, convert, deep};
use crate::eval::Call;
use crate::value::packed::PackWriter;
use crate::value::text::go_text;
use crate::value::{Eval, Fault, Object, Packed, Value};

/// The functions of this family.
pub(super) static TABLE: Table = &[
    ("keys", |c| listed(c, |out, key, _| out.value(Value::Str(key)))),
    ("values", |c| listed(c, |out, _, value| out.value(value))),
    ("object", object),
    ("zip", zip),
    ("items", items),
    ("object_concat", object_concat),
    ("object_construct", object_construct),
    ("erase", erase),
    ("object_size", object_size),
    ("object_pick", object_pick),
    ("obj_to_kvpair_array", obj_to_kvpair_array),
];

/// Argument `place` as a map, packed to the bottom; paid for by member.
fn map<'a>(c: &Call<'_, 'a>, place: usize) -> Result<Option<Object<'a>>, Fault<'a>> {
    let Value::Packed(p) = deep(c, c.arg(place))? else { return Ok(None) };
    c.elements(p.count())?;
    Ok(p.object())
}

/// `words` and the text of argument `place`.
fn not_a_map<'a>(c: &Call<'_, 'a>, place: usize, words: &str) -> Fault<'a> {
    match go_text(c.arg(place), c.ctx.scratch) {
        Ok(given) => c.ctx.scratch.fault(format_args!("{words}, got {given}")),
        Err(fault) => fault,
    }
}

fn list<'a>(c: &Call<'_, 'a>, value: Value<'a>) -> Result<Option<Packed<'a>>, Fault<'a>> {
    let Value::Packed(p) = deep(c, value)? else { return Ok(None) };
    c.elements(p.count())?;
    Ok(p.is_list().then_some(p))
}

type Each<'a> = fn(&mut PackWriter<'_, 'a>, &'a str, Value<'a>) -> Result<(), Fault<'a>>;

/// A list with something of each member.
fn listed<'a>(c: &Call<'_, 'a>, each: Each<'a>) -> Eval<'a> {
    let Some(map) = map(c, 0)? else { return Err(Fault::new("the argument should be map[string]interface{}")) };
    let mut out = c.ctx.scratch.pack();
    out.begin_list()?;
    for (key, value) in map.entries() {
        each(&mut out, key, value)?;
    }
    out.end()?;
    Ok(Value::Packed(out.finish()?))
}

/// A map that `fill` writes.
fn built<'a>(c: &Call<'_, 'a>, fill: impl FnOnce(&mut PackWriter<'_, 'a>) -> Result<(), Fault<'a>>) -> Eval<'a> {
    let mut out = c.ctx.scratch.pack();
    out.begin_object()?;
    fill(&mut out)?;
    out.end()?;
    Ok(Value::Packed(out.finish()?))
}

fn object<'a>(c: &Call<'_, 'a>) -> Eval<'a> {
    const KEYS: Fault<'static> = Fault::new("first argument should be []string");
    let keys = list(c, c.arg(0))?.ok_or(KEYS)?;
    let values = list(c, c.arg(1))?.ok_or(Fault::new("second argument should be []interface{}"))?;
    if keys.count() != values.count() {
        return Err(Fault::new("the length of the arguments should be same"));
    }
    built(c, |out| {
        for (key, value) in keys.elements().zip(values.elements()) {
            let Value::Str(key) = key else { return Err(KEYS) };
            out.entry(key, value)?;
        }
        Ok(())
    })
}

fn zip<'a>(c: &Call<'_, 'a>) -> Eval<'a> {
    const PAIRS: Fault<'static> = Fault::new("each argument should be [][2]interface{}");
    let pairs = list(c, c.arg(0))?.ok_or(PAIRS)?;
    built(c, |out| {
        for pair in pairs.elements().filter(|p| !p.is_null()) {
            let Value::Packed(pair) = pair else { return Err(PAIRS) };
            let mut parts = pair.elements();
            match (pair.count(), parts.next(), parts.next()) {
                (2, Some(Value::Str(key)), Some(value)) => out.entry(key, value)?,
                (2, Some(_), Some(_)) => return Err(Fault::new("the first element in the list item should be string")),
                _ => return Err(PAIRS),
            }
        }
        Ok(())
    })
}

fn items<'a>(c: &Call<'_, 'a>) -> Eval<'a> {
    if !c.arg(0).is_object() {
        return Err(Fault::new("first argument should be map[string]interface{}"));
    }
    listed(c, |out, key, value| {
        out.begin_list()?;
        out.value(Value::Str(key))?;
        out.value(value)?;
        out.end()
    })
}

fn object_concat<'a>(c: &Call<'_, 'a>) -> Eval<'a> {
    let mut maps: heapless::Vec<Object<'a>, { crate::limits::ARG_COUNT }> = heapless::Vec::new();
    for place in 0..c.args.len() {
        if c.arg(place).is_null() {
            continue;
        }
        let map = map(c, place)?.ok_or_else(|| not_a_map(c, place, "the argument should be map[string]interface{}"))?;
        maps.push(map).map_err(|_| Fault::FULL)?;
    }
    built(c, |out| maps.iter().flat_map(|map| map.entries()).try_for_each(|(key, value)| out.entry(key, value)))
}

fn object_construct<'a>(c: &Call<'_, 'a>) -> Eval<'a> {
    let scratch = c.ctx.scratch;
    if let Some(pair) = c.args.chunks_exact(2).find(|pair| !matches!(pair[0], Value::Null | Value::Str(_) | Value::Bytes(_))) {
        let given = go_text(pair[0], scratch)?;
        return Err(scratch.fault(format_args!("key {given} is not a string")));
    }
    built(c, |out| {
        for pair in c.args.chunks_exact(2) {
            match pair[0] {
                Value::Str(key) => out.entry(key, pair[1])?,
                Value::Bytes(bytes) => out.entry(crate::value::text::lossy(bytes, scratch)?, pair[1])?,
                _ => {}
            }
        }
        Ok(())
    })
}

fn erase<'a>(c: &Call<'_, 'a>) -> Eval<'a> {
    let scratch = c.ctx.scratch;
    if c.args.len() != 2 {
        return Err(scratch.fault(format_args!("the argument number should be 2, got {}", c.args.len())));
    }
    let map = map(c, 0)?.ok_or_else(|| not_a_map(c, 0, "the first argument should be map[string]interface{}"))?;
    let kept = |unwanted: &dyn Fn(&str) -> bool| {
        built(c, |out| map.entries().filter(|(key, _)| !unwanted(key)).try_for_each(|(key, value)| out.entry(key, value)))
    };
    if let Value::Str(unwanted) = c.arg(1) {
        return kept(&|key| key == unwanted);
    }
    let Some(unwanted) = list(c, c.arg(1))? else { return Err(Fault::new("the argument should be slice or string")) };
    c.elements(map.count().saturating_mul(unwanted.count()))?;
    // What is no text erases the key that is spelled like it.
    let mut texts = scratch.pack();
    texts.begin_list()?;
    for element in unwanted.elements() {
        let text = match element {
            Value::Packed(_) => continue,
            other => convert::to_text(other, scratch)?,
        };
        texts.value(Value::Str(text))?;
    }
    texts.end()?;
    let texts = texts.finish()?;
    kept(&|key| texts.elements().any(|text| matches!(text, Value::Str(text) if text == key)))
}

fn object_size<'a>(c: &Call<'_, 'a>) -> Eval<'a> {
    if c.arg(0).is_null() {
        return Ok(Value::Int(0));
    }
    if !c.arg(0).is_object() {
        return Err(not_a_map(c, 0, "the first argument should be map[string]any"));
    }
    let count = c.arg(0).count(c.ctx.scratch)?.unwrap_or(0);
    c.elements(count)?;
    Ok(Value::Int(i64::try_from(count).unwrap_or(i64::MAX)))
}

fn object_pick<'a>(c: &Call<'_, 'a>) -> Eval<'a> {
    if c.arg(0).is_null() {
        return Ok(Value::Null);
    }
    let map = map(c, 0)?.ok_or_else(|| not_a_map(c, 0, "the first argument should be a map"))?;
    let one = list(c, c.arg(1))?;
    // Keys that are no text pick nothing.
    let mut paths: heapless::Vec<&'a str, { crate::limits::ARG_COUNT }> = heapless::Vec::new();
    let mut add = |value: Value<'a>| match value {
        Value::Str(path) => paths.push(path).map_err(|_| Fault::new("object_pick takes at most ARG_COUNT keys")),
        _ => Ok(()),
    };
    match (one, c.arg(1)) {
        (Some(one), _) => one.elements().try_for_each(&mut add)?,
        (None, Value::Str(_)) => c.args.iter().skip(1).copied().try_for_each(&mut add)?,
        _ => {}
    }
    built(c, |out| pick(c, out, map, &paths, ""))
}

/// Writes the members of `map` that `paths` name below `prefix` (empty, or `a.b.`).
fn pick<'a>(c: &Call<'_, 'a>, out: &mut PackWriter<'_, 'a>, map: Object<'a>, paths: &[&'a str], prefix: &str) -> Result<(), Fault<'a>> {
    for (key, value) in map.entries() {
        c.elements(paths.len())?;
        // What follows the key in each path that leads here.
        let rests = || paths.iter().filter_map(|path| Some((*path, path.strip_prefix(prefix)?.strip_prefix(key)?)));
        if key.contains('.') {
            continue; // a point always leads down
        }
        if rests().any(|(_, rest)| rest.is_empty()) {
            out.entry(key, value)?;
            continue;
        }
        let Value::Packed(p) = value else { continue };
        let Some(inner) = p.object() else { continue };
        let deeper = rests().find(|(_, rest)| rest.strip_prefix('.').is_some_and(|rest| leads(inner, rest)));
        if let Some((path, rest)) = deeper {
            out.key(key)?;
            out.begin_object()?;
            pick(c, out, inner, paths, path.get(..path.len() - rest.len() + 1).unwrap_or(""))?;
            out.end()?;
        }
    }
    Ok(())
}

/// Whether a path ends at a member.
fn leads(map: Object<'_>, path: &str) -> bool {
    match path.split_once('.') {
        None => map.get(path).is_some(),
        Some((key, rest)) => matches!(map.get(key), Some(Value::Packed(p)) if p.object().is_some_and(|inner| leads(inner, rest))),
    }
}

fn obj_to_kvpair_array<'a>(c: &Call<'_, 'a>) -> Eval<'a> {
    if !c.arg(0).is_object() {
        return Err(not_a_map(c, 0, "the first argument should be map[string]interface{}"));
    }
    listed(c, |out, key, value| {
        out.begin_object()?;
        out.entry("key", Value::Str(key))?;
        out.entry("value", value)?;
        out.end()
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Arg::*, check};

    #[test]
    fn parts() {
        check(&[
            ("keys", &[J("{\"b\":1,\"a\":{\"x\":1}}")], "[\"a\",\"b\"]"),
            ("keys", &[J("[1]")], "!the argument should be map[string]interface{}"),
            ("keys", &[J("{}")], "null"),
            ("values", &[J("{\"b\":1,\"a\":{\"x\":\"\\u0041\"}}")], "[{\"x\":\"A\"},1]"),
            ("items", &[J("{\"b\":1,\"a\":[2]}")], "[[\"a\",[2]],[\"b\",1]]"),
            ("items", &[S("x")], "!first argument should be map[string]interface{}"),
            ("object_size", &[J("{\"a\":1,\"a\":2}")], "1"),
            ("object_size", &[J("{}")], "0"),
            ("object_size", &[N], "0"),
            ("object_size", &[J("[1]")], "!the first argument should be map[string]any, got [1]"),
            ("object_size", &[S("s")], "!the first argument should be map[string]any, got s"),
            ("obj_to_kvpair_array", &[J("{\"a\":null}")], "[{\"key\":\"a\",\"value\":null}]"),
            ("obj_to_kvpair_array", &[F(1.0)], "!the first argument should be map[string]interface{}, got 1"),
        ]);
    }

    #[test]
    fn building() {
        check(&[
            ("object", &[J("[\"a\",\"b\"]"), J("[1,[2]]")], "{\"a\":1,\"b\":[2]}"),
            ("object", &[J("[\"a\"]"), J("[1,2]")], "!the length of the arguments should be same"),
            ("object", &[J("[1]"), J("[1]")], "!first argument should be []string"),
            ("object", &[J("[1]"), S("x")], "!second argument should be []interface{}"),
            ("zip", &[J("[[\"a\",1],null,[\"a\",2]]")], "{\"a\":2}"),
            ("zip", &[J("[[\"a\",1,2]]")], "!each argument should be [][2]interface{}"),
            ("zip", &[J("[[1,2]]")], "!the first element in the list item should be string"),
            ("zip", &[J("{\"a\":1}")], "!each argument should be [][2]interface{}"),
            ("object_concat", &[J("{\"a\":1}"), N, J("{\"b\":2,\"a\":3}")], "{\"a\":3,\"b\":2}"),
            ("object_concat", &[N, N], "{}"),
            ("object_concat", &[J("{\"a\":1}"), J("[1]")], "!the argument should be map[string]interface{}, got [1]"),
            ("object_construct", &[S("k"), I(1), S("n"), N, N, I(3)], "{\"k\":1,\"n\":null}"),
            ("object_construct", &[F(5.0), I(1)], "!key 5 is not a string"),
            ("object_construct", &[J("[1]"), I(1)], "!key [1] is not a string"),
            ("object_construct", &[], "{}"),
        ]);
    }

    #[test]
    fn choosing() {
        check(&[
            ("erase", &[J("{\"a\":1,\"b\":2,\"c\":3}"), J("[\"a\",\"b\"]")], "{\"c\":3}"),
            ("erase", &[J("{\"1\":1,\"b\":2}"), J("[1,[2]]")], "{\"b\":2}"),
            ("erase", &[J("{\"a\":1}"), S("a")], "{}"),
            ("erase", &[J("{\"a\":1}"), F(1.0)], "!the argument should be slice or string"),
            ("erase", &[J("{\"a\":1}"), S("a"), S("b")], "!the argument number should be 2, got 3"),
            ("erase", &[S("x"), S("a")], "!the first argument should be map[string]interface{}, got x"),
            (
                "object_pick",
                &[J("{\"a\":1,\"b\":{\"c\":2,\"d\":{\"e\":3,\"f\":4}}}"), S("b.c"), S("b.d.e"), S("x.y")],
                "{\"b\":{\"c\":2,\"d\":{\"e\":3}}}",
            ),
            ("object_pick", &[J("{\"a\":1,\"b\":{\"c\":2}}"), J("[\"a\",1,\"b\",\"b.c\"]")], "{\"a\":1,\"b\":{\"c\":2}}"),
            ("object_pick", &[J("{\"a\":1,\"ab\":2,\"a.b\":3}"), S("a"), N], "{\"a\":1}"),
            ("object_pick", &[J("{\"a\":1}"), S("a.b")], "{}"),
            ("object_pick", &[J("{\"a\":1}"), F(1.0)], "{}"),
            ("object_pick", &[N, S("a")], "null"),
            ("object_pick", &[S("x"), S("a")], "!the first argument should be a map, got x"),
        ]);
    }
}
