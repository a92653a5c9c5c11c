//! JSON paths over values: the steps of [`crate::sql::json_path`], with the conversions and sentences of eKuiper's library.
//!
//! A path of literal keys walks the value as it stands. Any other packs it whole first, so that a list of results can be written
//! while the walk goes on. Members are visited in the order of their keys. What fails below `*`, `..`, a range or a filter is
//! passed over; a path that may lead to several values cannot stand inside a filter.

use super::{Table, arg, convert, deep};
use crate::eval::Call;
use crate::sql::json_path::{JsonPath, Node, Op, Step};
use crate::sql::plan::Aux;
use crate::value::packed::PackWriter;
use crate::value::text::go_text;
use crate::value::{Eval, Fault, Value, same};

/// The functions of this family.
pub(super) static TABLE: Table =
    &[("json_path_query", |c| query(c).map_err(|miss| sentence(c, miss))), ("json_path_query_first", first), ("json_path_exists", exists)];

/// Why there is no value.
#[derive(Debug, Clone, Copy)]
enum Miss<'a> {
    /// The row cannot go on: no scratch, no fuel.
    Fault(Fault<'a>),
    /// Argument 0 is nothing to look into.
    Data(Value<'a>),
    /// A sentence of its own.
    Words(&'static str),
    Key(&'a str),
    Index(i64),
    BadIndex(Value<'a>),
    BadPlace(Value<'a>),
    BadBool(Value<'a>),
    Operands(Value<'a>, Op, Value<'a>),
}

impl<'a> From<Fault<'a>> for Miss<'a> {
    fn from(fault: Fault<'a>) -> Self {
        Self::Fault(fault)
    }
}

type Found<'a> = Result<Value<'a>, Miss<'a>>;

fn sentence<'a>(c: &Call<'_, 'a>, miss: Miss<'a>) -> Fault<'a> {
    let scratch = c.ctx.scratch;
    let text = |value: Value<'a>| go_text(value, scratch).unwrap_or("");
    match miss {
        Miss::Fault(fault) => fault,
        Miss::Data(Value::Null) => Fault::new("invalid data nil for jsonpath"),
        Miss::Data(Value::Str(given)) => scratch.fault(format_args!("data '{given}' is not a valid json string")),
        Miss::Data(given) => scratch.fault(format_args!("invalid data {} for jsonpath", text(given))),
        Miss::Words(words) => Fault::new(words),
        Miss::Key(key) => scratch.fault(format_args!("unknown key {key}")),
        Miss::Index(i) => scratch.fault(format_args!("index {i} out of bounds")),
        Miss::BadIndex(key) => {
            scratch.fault(format_args!("could not select value, invalid key: expected number but got {} ({})", text(key), key.go_type()))
        }
        Miss::BadPlace(of) => scratch.fault(format_args!(
            "unsupported value type {} for select, expected map[string]interface{{}} or []interface{{}}",
            of.go_type()
        )),
        Miss::BadBool(value) => scratch.fault(format_args!("expected bool but got {} ({})", text(value), value.go_type())),
        Miss::Operands(a, op, b) => scratch.fault(format_args!("invalid operation ({}) {} ({})", a.go_type(), op.mark(), b.go_type())),
    }
}

fn query<'a>(c: &Call<'_, 'a>) -> Found<'a> {
    let path: &'a JsonPath = match c.aux {
        Aux::JsonPath(Ok(path)) => path,
        Aux::JsonPath(Err(why)) => return Err(c.ctx.scratch.fault(format_args!("{why}")).into()),
        // The planner takes literals only.
        _ => return Err(Miss::Words("invalid jsonPath, must be a string literal")),
    };
    let data = match c.arg(0) {
        Value::Str(text) => match convert::parse(c, text) {
            Ok(data) => data,
            Err(fault) if fault == Fault::FULL => return Err(fault.into()),
            Err(_) => return Err(Miss::Data(Value::Str(text))),
        },
        data @ (Value::Json(..) | Value::Packed(_)) => data,
        data => return Err(Miss::Data(data)),
    };
    let data = if path.is_plain() { data } else { deep(c, data)? };
    Walk { c, root: data }.value(&path.root, data)
}

fn first<'a>(c: &Call<'_, 'a>) -> Eval<'a> {
    let found = query(c).map_err(|miss| sentence(c, miss))?;
    match found.elements(c.ctx.scratch) {
        Some(mut elements) => elements.next().unwrap_or(Ok(Value::Null)),
        None => {
            let given = go_text(found, c.ctx.scratch)?;
            Err(c.ctx.scratch.fault(format_args!("query result ({given}) is not an array")))
        }
    }
}

fn exists<'a>(c: &Call<'_, 'a>) -> Eval<'a> {
    match query(c) {
        Err(Miss::Fault(fault)) if !matches!(c.aux, Aux::JsonPath(Err(_))) => Err(fault),
        Err(_) | Ok(Value::Null) => Ok(Value::Bool(false)),
        Ok(found) => Ok(Value::Bool(!(found.is_list() && found.is_nil_or_empty()))),
    }
}

/// Where the values of a path go.
type Out<'o, 's, 'a> = &'o mut PackWriter<'s, 'a>;

struct Walk<'w, 'c, 'a> {
    c: &'w Call<'c, 'a>,
    root: Value<'a>,
}

impl<'a> Walk<'_, '_, 'a> {
    /// The value of an expression, where `at` is the value at hand.
    fn value(&self, node: &'a Node, at: Value<'a>) -> Found<'a> {
        self.c.elements(1)?;
        Ok(match node {
            Node::Number(x) => Value::Float(*x),
            Node::Text(text) => Value::Str(text),
            Node::Bool(b) => Value::Bool(*b),
            Node::Path { current, steps, several } => {
                let start = if *current { at } else { self.root };
                if !several {
                    return steps.iter().try_fold(start, |at, step| match step {
                        Step::Select(key) => self.select(key, at),
                        _ => Ok(at),
                    });
                }
                let mut out = self.c.ctx.scratch.pack();
                if out.begin_list().is_err() {
                    // The writer of the results is at work: this path stands in one of its filters.
                    return Err(Miss::Fault(Fault::new("a path to several values inside a filter is not supported")));
                }
                self.gather(steps, start, &mut out)?;
                out.end()?;
                Value::Packed(out.finish()?)
            }
            Node::Variable(keys) => keys.iter().try_fold(self.root, |of, key| self.variable(key, of, at))?,
            Node::List(items) => {
                let mut out = self.c.ctx.scratch.pack();
                out.begin_list().map_err(|_| Fault::new("a list inside a filter stands only behind `in`"))?;
                for item in items {
                    let item = self.value(item, at)?;
                    out.value(item)?;
                }
                out.end()?;
                Value::Packed(out.finish()?)
            }
            Node::Not(inner) => Value::Bool(!self.holds(inner, at)?),
            Node::Negative(inner) => {
                let value = self.value(inner, at)?;
                Value::Float(-number(value).ok_or(Miss::BadIndex(value))?)
            }
            Node::Binary(op, left, right) => return self.binary(*op, left, right, at),
            Node::Matches { of, regex, not } => {
                let text = go_text(self.value(of, at)?, self.c.ctx.scratch)?;
                self.c.work(8 * text.len())?;
                Value::Bool(regex.is_match(text) != *not)
            }
        })
    }

    /// A condition as Go's library converts it; text that is neither number nor truth is none.
    fn holds(&self, node: &'a Node, at: Value<'a>) -> Result<bool, Miss<'a>> {
        let value = self.value(node, at)?;
        truth(value).ok_or(Miss::BadBool(value))
    }

    /// The element or member of `of` that `key` names.
    fn select(&self, key: &'a Node, of: Value<'a>) -> Found<'a> {
        let scratch = self.c.ctx.scratch;
        if of.is_list() {
            let key = self.value(key, of)?;
            let index = arg::go_int(number(key).ok_or(Miss::BadIndex(key))?);
            let at = usize::try_from(index).map_err(|_| Miss::Index(index))?;
            self.c.elements(at / 8)?;
            let element = of.elements(scratch).and_then(|mut elements| elements.nth(at));
            return Ok(element.ok_or(Miss::Index(index))??);
        }
        if of.is_object() {
            let key = go_text(self.value(key, of)?, scratch)?;
            return of.member(key, scratch)?.ok_or(Miss::Key(key));
        }
        Err(Miss::BadPlace(of))
    }

    /// As [`Walk::select`] for a name without `$`: a missing member is nil.
    fn variable(&self, key: &'a Node, of: Value<'a>, at: Value<'a>) -> Found<'a> {
        let scratch = self.c.ctx.scratch;
        let key = go_text(self.value(key, at)?, scratch)?;
        if of.is_object() {
            return Ok(of.member(key, scratch)?.unwrap_or(Value::Null));
        }
        let Some(mut elements) = of.elements(scratch) else { return Err(Miss::Words("unknown parameter")) };
        // A list has no members: what is no place in it leads nowhere, and so stays where it is.
        key.parse().ok().and_then(|at| elements.nth(at)).map_or(Ok(of), |element| Ok(element?))
    }

    /// Writes what `steps` lead to from `at`. Only a fault ends the walk; whatever else fails is passed over.
    fn gather(&self, steps: &'a [Step], at: Value<'a>, out: Out<'_, '_, 'a>) -> Result<(), Fault<'a>> {
        self.c.elements(1)?;
        let Some((step, rest)) = steps.split_first() else { return out.value(at) };
        match step {
            Step::Select(key) => self.follow(self.select(key, at), rest, out),
            Step::Many(keys) => keys.iter().try_for_each(|key| self.follow(self.select(key, at), rest, out)),
            Step::All => self.each(at, &mut |value| self.gather(rest, value, out)),
            Step::Descend => self.descend(rest, at, out),
            Step::Filter(condition) => self.each(at, &mut |value| match self.holds(condition, value) {
                Ok(true) => self.gather(rest, value, out),
                Err(Miss::Fault(fault)) => Err(fault),
                _ => Ok(()),
            }),
            Step::Range(parts) => self.range(parts, rest, at, out),
        }
    }

    fn follow(&self, found: Found<'a>, rest: &'a [Step], out: Out<'_, '_, 'a>) -> Result<(), Fault<'a>> {
        match found {
            Ok(value) => self.gather(rest, value, out),
            Err(Miss::Fault(fault)) => Err(fault),
            Err(_) => Ok(()),
        }
    }

    /// The value itself, then all below it. Depth is that of the value, which JSON_DEPTH bounds.
    fn descend(&self, rest: &'a [Step], at: Value<'a>, out: Out<'_, '_, 'a>) -> Result<(), Fault<'a>> {
        self.gather(rest, at, out)?;
        self.each(at, &mut |value| self.descend(rest, value, out))
    }

    /// Elements, or values of members.
    fn each(&self, of: Value<'a>, visit: &mut dyn FnMut(Value<'a>) -> Result<(), Fault<'a>>) -> Result<(), Fault<'a>> {
        let Value::Packed(p) = of else { return Ok(()) };
        match p.object() {
            Some(object) => object.entries().try_for_each(|(_, value)| visit(value)),
            None => p.elements().try_for_each(visit),
        }
    }

    fn range(&self, parts: &'a [Node; 3], rest: &'a [Step], at: Value<'a>, out: Out<'_, '_, 'a>) -> Result<(), Fault<'a>> {
        let Value::Packed(list) = at else { return Ok(()) };
        let mut bounds = [0_i64; 3];
        for (bound, part) in bounds.iter_mut().zip(parts) {
            *bound = match self.value(part, at) {
                Ok(value) => match number(value) {
                    Some(x) => arg::go_int(x),
                    None => return Ok(()),
                },
                Err(Miss::Fault(fault)) => return Err(fault),
                Err(_) => return Ok(()),
            };
        }
        let [from, to, step] = bounds;
        if !list.is_list() || from > to {
            return Ok(());
        }
        let count = i64::try_from(list.count()).unwrap_or(i64::MAX);
        let clamp = |n: i64| if n < 0 { n.saturating_add(count).max(0) } else { n.min(count) };
        let (from, to) = (clamp(from), clamp(to));
        let stride = usize::try_from(step.unsigned_abs().max(1)).unwrap_or(usize::MAX);
        let (skip, len) = (usize::try_from(from).unwrap_or(0), usize::try_from(to - from).unwrap_or(0));
        if step >= 0 {
            return list.elements().skip(skip).take(len).step_by(stride).try_for_each(|value| self.gather(rest, value, out));
        }
        // Backwards: each place is looked up anew, and paid for.
        let mut place = len;
        while place > 0 {
            self.c.elements(skip + place)?;
            if let Some(value) = list.elements().nth(skip + place - 1) {
                self.gather(rest, value, out)?;
            }
            place = place.saturating_sub(stride);
        }
        Ok(())
    }

    fn binary(&self, op: Op, left: &'a Node, right: &'a Node, at: Value<'a>) -> Found<'a> {
        let scratch = self.c.ctx.scratch;
        let a = self.value(left, at)?;
        match (op, a) {
            (Op::And, Value::Bool(false)) => return Ok(a),
            (Op::Or, Value::Bool(true)) => return Ok(a),
            (Op::Coalesce, _) if !is_zero(a) => return Ok(a),
            (Op::Coalesce, _) => return self.value(right, at),
            (Op::In, _) => {
                if let Node::List(items) = right {
                    for item in items {
                        if same(a, self.value(item, at)?, scratch)? {
                            return Ok(Value::Bool(true));
                        }
                    }
                    return Ok(Value::Bool(false));
                }
                let Value::Packed(list) = self.value(right, at)? else {
                    return Err(Miss::Words("expected type []interface {} for in operator"));
                };
                for element in list.elements() {
                    self.c.elements(1)?;
                    if same(a, element, scratch)? {
                        return Ok(Value::Bool(true));
                    }
                }
                return Ok(Value::Bool(false));
            }
            _ => {}
        }
        let b = self.value(right, at)?;
        // As they are first, then as numbers, then as truths, then as texts.
        match (a, b) {
            (Value::Bool(x), Value::Bool(y)) => {
                if let Some(result) = truths(op, x, y) {
                    return Ok(Value::Bool(result));
                }
            }
            (Value::Str(x), Value::Str(y)) => {
                if let Some(result) = self.texts(op, x, y)? {
                    return Ok(result);
                }
            }
            _ => {}
        }
        if let (Some(x), Some(y)) = (number(a), number(b))
            && let Some(result) = numbers(op, x, y)
        {
            return Ok(result);
        }
        if let (Some(x), Some(y)) = (truth(a), truth(b))
            && let Some(result) = truths(op, x, y)
        {
            return Ok(Value::Bool(result));
        }
        match op {
            Op::Eq => return Ok(Value::Bool(same(a, b, scratch)?)),
            Op::Ne => return Ok(Value::Bool(!same(a, b, scratch)?)),
            _ => {}
        }
        if !a.is_null()
            && !b.is_null()
            && let Some(result) = self.texts(op, go_text(a, scratch)?, go_text(b, scratch)?)?
        {
            return Ok(result);
        }
        Err(Miss::Operands(a, op, b))
    }

    fn texts(&self, op: Op, a: &str, b: &str) -> Result<Option<Value<'a>>, Fault<'a>> {
        Ok(Some(match op {
            Op::Add => Value::Str(self.c.ctx.scratch.format(format_args!("{a}{b}"))?),
            Op::Lt => Value::Bool(a < b),
            Op::Le => Value::Bool(a <= b),
            Op::Gt => Value::Bool(a > b),
            Op::Ge => Value::Bool(a >= b),
            _ => return Ok(None),
        }))
    }
}

fn numbers<'a>(op: Op, a: f64, b: f64) -> Option<Value<'a>> {
    #[expect(clippy::float_cmp, reason = "as Go's ==")]
    Some(match op {
        Op::Add => Value::Float(a + b),
        Op::Sub => Value::Float(a - b),
        Op::Mul => Value::Float(a * b),
        Op::Div => Value::Float(a / b),
        Op::Mod => Value::Float(a % b),
        Op::Pow => Value::Float(a.powf(b)),
        Op::Eq => Value::Bool(a == b),
        Op::Ne => Value::Bool(a != b),
        Op::Lt => Value::Bool(a < b),
        Op::Le => Value::Bool(a <= b),
        Op::Gt => Value::Bool(a > b),
        Op::Ge => Value::Bool(a >= b),
        Op::Coalesce | Op::Or | Op::And | Op::In => return None,
    })
}

const fn truths(op: Op, a: bool, b: bool) -> Option<bool> {
    match op {
        Op::And => Some(a && b),
        Op::Or => Some(a || b),
        Op::Eq => Some(a == b),
        Op::Ne => Some(a != b),
        _ => None,
    }
}

/// A number, or text that is one.
fn number(value: Value<'_>) -> Option<f64> {
    match value {
        Value::Float(x) => Some(x),
        Value::Int(i) => Some(arg::go_float(i)),
        Value::Str(text) => text.parse().ok(),
        _ => None,
    }
}

fn truth(value: Value<'_>) -> Option<bool> {
    match value {
        Value::Bool(b) => Some(b),
        Value::Null | Value::Str("false" | "FALSE") => Some(false),
        Value::Str("true" | "TRUE") => Some(true),
        _ => number(value).map(|x| x != 0.0),
    }
}

/// Go's zero value of the type.
fn is_zero(value: Value<'_>) -> bool {
    match value {
        Value::Null | Value::Bool(false) | Value::Int(0) | Value::Str("") => true,
        Value::Float(x) => x == 0.0,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Arg::*, answer, call, check, with_ctx};
    use crate::sql::json_path::JsonPath;
    use crate::sql::plan::Aux;
    use crate::value::{Numbers, Value};

    const GATEWAY: super::super::testing::Arg =
        J(r#"{"name":"gw","list":[{"v":1,"t":"a"},{"v":2,"t":"b"},{"v":3}],"deep":{"x":{"y":[10,20]}},"n":null,"a.b":7}"#);

    #[test]
    fn plain() {
        check(&[
            ("json_path_query", &[GATEWAY, S("$.name")], "\"gw\""),
            ("json_path_query", &[GATEWAY, S("$.list[1].t")], "\"b\""),
            ("json_path_query", &[GATEWAY, S("$[\"a.b\"]")], "7"),
            ("json_path_query", &[GATEWAY, S("$.deep")], "{\"x\":{\"y\":[10,20]}}"),
            ("json_path_query", &[GATEWAY, S("$.n")], "null"),
            ("json_path_query", &[GATEWAY, S("$.no")], "!unknown key no"),
            ("json_path_query", &[GATEWAY, S("$.list[3]")], "!index 3 out of bounds"),
            ("json_path_query", &[GATEWAY, S("$.list[-1]")], "!index -1 out of bounds"),
            ("json_path_query", &[GATEWAY, S("$.list.x")], "!could not select value, invalid key: expected number but got x (string)"),
            (
                "json_path_query",
                &[GATEWAY, S("$.name.x")],
                "!unsupported value type string for select, expected map[string]interface{} or []interface{}",
            ),
            ("json_path_query", &[GATEWAY, S("$.list[\"1\"].v")], "2"),
            ("json_path_query", &[GATEWAY, S("$['name']")], "!parsing error"),
            ("json_path_query", &[S("{\"x\":1}"), S("$.x")], "1"),
            ("json_path_query", &[J("[1]"), S("$.x")], "!could not select value, invalid key: expected number but got x (string)"),
            ("json_path_query", &[F(5.0), S("$.x")], "!invalid data 5 for jsonpath"),
            ("json_path_query", &[N, S("$.x")], "!invalid data nil for jsonpath"),
            ("json_path_query", &[S("x"), S("$.x")], "!data 'x' is not a valid json string"),
            ("json_path_query", &[GATEWAY, S("deep.x.y[1]")], "20"),
            ("json_path_query", &[GATEWAY, S("no")], "null"),
            ("json_path_query", &[J("[1]"), S("no")], "[1]"),
            ("json_path_query", &[GATEWAY, S("name.no")], "!unknown parameter"),
            ("json_path_query", &[GATEWAY, S("$.list[0].v + $.list[1].v")], "3"),
            ("json_path_query", &[J("{\"\\u0061\":\"\\u0062\"}"), S("$.a")], "\"b\""),
        ]);
    }

    #[test]
    fn several() {
        check(&[
            ("json_path_query", &[GATEWAY, S("$.list[*].v")], "[1,2,3]"),
            ("json_path_query", &[GATEWAY, S("$.list[*].t")], "[\"a\",\"b\"]"),
            ("json_path_query", &[GATEWAY, S("$.deep.x.*")], "[[10,20]]"),
            ("json_path_query", &[GATEWAY, S("$..v")], "[1,2,3]"),
            ("json_path_query", &[GATEWAY, S("$..y[0]")], "[10]"),
            ("json_path_query", &[GATEWAY, S("$..[1]")], "[20,{\"t\":\"b\",\"v\":2}]"),
            ("json_path_query", &[GATEWAY, S("$..no")], "[]"),
            ("json_path_query", &[GATEWAY, S("$.no[*]")], "[]"),
            ("json_path_query", &[GATEWAY, S("$.list[0,2].v")], "[1,3]"),
            ("json_path_query", &[GATEWAY, S("$[\"name\",\"n\"]")], "[\"gw\",null]"),
            ("json_path_query", &[GATEWAY, S("$.list[1:].v")], "[2,3]"),
            ("json_path_query", &[GATEWAY, S("$.list[:2].v")], "[1,2]"),
            ("json_path_query", &[GATEWAY, S("$.list[-1:].v")], "[3]"),
            ("json_path_query", &[GATEWAY, S("$.list[::2].v")], "[1,3]"),
            ("json_path_query", &[GATEWAY, S("$.list[0:3:-1].v")], "[3,2,1]"),
            ("json_path_query", &[GATEWAY, S("$.list[0:3:-2].v")], "[3,1]"),
            ("json_path_query", &[GATEWAY, S("$.list[2:-1].v")], "[]"),
            ("json_path_query", &[GATEWAY, S("$.name[0:1]")], "[]"),
            ("json_path_query", &[GATEWAY, S("$.list[?(@.v > 1)].v")], "[2,3]"),
            ("json_path_query", &[GATEWAY, S("$.list[? @.t == \"a\"].v")], "[1]"),
            ("json_path_query", &[GATEWAY, S("$.list[?(@.v > 1 && @.t =~ \"^[a-c]\")].v")], "[2]"),
            ("json_path_query", &[GATEWAY, S("$.list[?(@.v in [1, 3])].v")], "[1,3]"),
            ("json_path_query", &[GATEWAY, S("$.list[?(@.v == $.list[1].v || !(@.v < 3))].v")], "[2,3]"),
            ("json_path_query", &[GATEWAY, S("$.list[?(@.v)].v")], "[1,2,3]"),
            ("json_path_query", &[GATEWAY, S("$.list[?(@.t)].v")], "[]"),
            ("json_path_query", &[GATEWAY, S("$.list[?(@.v % 2 == 1)].v")], "[1,3]"),
            ("json_path_query", &[GATEWAY, S("$.list[?(@.t < \"b\")].v")], "[1]"),
            ("json_path_query", &[GATEWAY, S("$.list[?(@..v)].v")], "!a path to several values inside a filter is not supported"),
        ]);
    }

    #[test]
    fn first_and_exists() {
        check(&[
            ("json_path_query_first", &[GATEWAY, S("$.list[*].v")], "1"),
            ("json_path_query_first", &[GATEWAY, S("$.deep.x.y")], "10"),
            ("json_path_query_first", &[GATEWAY, S("$.n")], "!query result (<nil>) is not an array"),
            ("json_path_query_first", &[GATEWAY, S("$.name")], "!query result (gw) is not an array"),
            ("json_path_query_first", &[GATEWAY, S("$..no")], "null"),
            ("json_path_exists", &[GATEWAY, S("$.list[0].v")], "true"),
            ("json_path_exists", &[GATEWAY, S("$.n")], "false"),
            ("json_path_exists", &[GATEWAY, S("$.no")], "false"),
            ("json_path_exists", &[GATEWAY, S("$..no")], "false"),
            ("json_path_exists", &[GATEWAY, S("$['name']")], "false"),
            ("json_path_exists", &[S("x"), S("$.list")], "false"),
            ("json_path_exists", &[N, S("$.list")], "false"),
        ]);
    }

    #[test]
    fn deep_values_run_out_of_fuel_not_of_stack() {
        let nested = format!("{}{}", "[".repeat(250), "]".repeat(250));
        let raw: &'static str = Box::leak(nested.into_boxed_str());
        for (fuel, part) in [(400, "step limit"), (100_000, "[")] {
            with_ctx(fuel, 1 << 20, |ctx| {
                let aux: &'static Aux = Box::leak(Box::new(Aux::JsonPath(JsonPath::parse("$..*"))));
                let got = answer(call(ctx, "json_path_query", &[Value::Json(Numbers::Float, raw), Value::Null], aux), ctx.scratch);
                assert!(got.contains(part), "{}", got.get(..60).unwrap_or(&got));
            });
        }
    }
}
