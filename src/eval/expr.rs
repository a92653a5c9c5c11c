//! Expressions over a row: operators with eKuiper's coercions and null rules (facts §7.4), CASE, IN, BETWEEN, LIKE, paths,
//! indexes and calls.
//!
//! In: an [`Expr`] of the plan, a [`Row`], a [`Ctx`]. Out: a value or a [`Fault`]. Recursion is bounded by the plan's depth,
//! work by the row's fuel.

use core::cmp::Ordering;

use heapless::Vec;

use super::aggregate::fold;
use super::row::Row;
use super::{Call, Ctx, func};
use crate::limits::ARG_COUNT;
use crate::sql::like;
use crate::sql::plan::{Expr, Literal, Op, Plan, Slot, SlotKind};
use crate::value::text::{go_text, typed};
use crate::value::{Eval, Fault, Packed, Value};

/// Evaluates expressions of one plan over one row.
#[derive(Debug, Clone, Copy)]
pub struct Evaluator<'c, 'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// What functions may look at.
    pub ctx: &'c Ctx<'c, 'a>,
    /// The row.
    pub row: &'c Row<'a>,
}

impl<'c, 'a> Evaluator<'c, 'a> {
    /// The value of `expr`.
    ///
    /// # Errors
    /// A [`Fault`]: types that do not go together, a division by zero, an index out of range, what a function refuses, no
    /// scratch or fuel left.
    pub fn eval(&self, expr: &'a Expr) -> Eval<'a> {
        match expr {
            Expr::Const(literal) => Ok(constant(literal)),
            Expr::Slot(slot) => self.row.read(*slot),
            Expr::First(slots) => Ok(slots.iter().find_map(|slot| self.row.get(*slot)).unwrap_or(Value::Null)),
            Expr::Row { rows, except, replace } => self.whole_row(rows, except, replace),
            Expr::Alias(index) => self.alias(*index),
            Expr::Member(object, key) => self.member(self.eval(object)?, key),
            Expr::Into(object, other) => {
                let object = self.eval(object)?;
                if object.is_object() {
                    return Err(Fault::new("the right expression is not a field reference node"));
                }
                self.no_member(object, || self.eval(other))
            }
            Expr::Index(list, index, text) => self.index(self.eval(list)?, index, text),
            Expr::Slice(list, from, to, texts) => self.slice(self.eval(list)?, from.as_deref(), to.as_deref(), texts),
            Expr::Binary(op, left, right) => self.binary(*op, left, right),
            Expr::Case { value, arms, otherwise } => self.case(value.as_deref(), arms, otherwise.as_deref()),
            Expr::In { value, list, not } => self.one_of(value, list, *not),
            Expr::InList { value, list, not } => self.in_list(value, list, *not),
            Expr::Between { value, low, high, not } => self.between(value, low, high, *not),
            Expr::Like { value, pattern, regex, not } => self.like(value, pattern.as_deref(), regex.as_ref(), *not),
            Expr::Call { call, any_nil, args, aux } => {
                self.ctx.spend(1)?;
                let mut values: Vec<Value<'a>, ARG_COUNT> = Vec::new();
                for arg in args {
                    let value = self.eval(arg)?;
                    if values.push(value).is_err() {
                        return Err(Fault::new("a call has more arguments than ARG_COUNT"));
                    }
                }
                if *any_nil && values.iter().any(|v| v.is_nil_or_empty()) {
                    return Ok(Value::Null);
                }
                let Some(run) = self.ctx.rule.functions.get(usize::from(*call)) else {
                    return Err(Fault::new("a function was not bound to its implementation"));
                };
                run(&Call { args: &values, ctx: self.ctx, aux }).map_err(|fault| {
                    // eKuiper's ln, log and sqrt give this sentence as their value, which nothing is put in front of.
                    if fault.text.starts_with("The argument must be a") {
                        return fault;
                    }
                    let name = self.plan.calls.get(usize::from(*call)).map_or("", |(_, name)| *name);
                    self.ctx.scratch.fault(format_args!("call func {name} error: {}", fault.text))
                })
            }
            Expr::Fold { name, args } => {
                let [column, rest @ ..] = args.as_slice() else { return Err(Fault::new("unexpected wildcard value <nil>")) };
                let second = rest.first().map_or(Ok(Value::Null), |e| self.eval(e))?;
                fold(name, self.eval(column)?, second, self.ctx)
            }
            Expr::Meta(name, path) => self.meta(name.as_deref(), path),
        }
    }

    /// A condition: true keeps; false and null do not.
    ///
    /// # Errors
    /// As [`Evaluator::eval`]; a value that is neither a boolean nor null, with `what` in the sentence.
    pub fn holds(&self, expr: &'a Expr, what: &str) -> Result<bool, Fault<'a>> {
        let value = self.eval(expr).map_err(|fault| self.ctx.scratch.fault(format_args!("run {what} error: {}", fault.text)))?;
        match value {
            Value::Bool(b) => Ok(b),
            Value::Null => Ok(false),
            other => {
                let text = typed(other, self.ctx.scratch)?;
                Err(self.ctx.scratch.fault(format_args!("run {what} error: invalid condition that returns non-bool value {text}")))
            }
        }
    }

    /// `*` as a value.
    ///
    /// # Errors
    /// As [`Evaluator::eval`].
    pub(crate) fn whole_row(&self, rows: &'a [Slot], except: &'a [String], replace: &'a [(String, Expr)]) -> Eval<'a> {
        let scratch = self.ctx.scratch;
        if let ([row], [], []) = (rows, except, replace) {
            return Ok(self.row.get(*row).unwrap_or(Value::Packed(EMPTY_OBJECT)));
        }
        let mut replaced: Vec<(&str, Value<'a>), ARG_COUNT> = Vec::new();
        for (name, expr) in replace {
            if replaced.push((name, self.eval(expr)?)).is_err() {
                return Err(Fault::new("REPLACE has more columns than ARG_COUNT"));
            }
        }
        let mut objects: Vec<crate::value::Object<'a>, { u8::MAX as usize }> = Vec::new();
        for row in rows {
            let Some(value) = self.row.get(*row) else { continue };
            if let Some(object) = value.object(scratch)?
                && objects.push(object).is_err()
            {
                return Err(Fault::new("a row has more sources than 255"));
            }
        }
        let mut writer = scratch.pack();
        writer.begin_object()?;
        for (key, value) in objects.iter().flat_map(|object| object.entries()) {
            self.ctx.spend(1)?;
            if !except.iter().any(|name| name == key) {
                writer.entry(key, value)?;
            }
        }
        for (name, value) in replaced {
            writer.entry(name, value)?;
        }
        writer.end()?;
        Ok(Value::Packed(writer.finish()?))
    }

    fn alias(&self, index: u16) -> Eval<'a> {
        if let Some(value) = self.row.alias(index) {
            return Ok(value);
        }
        let Some(alias) = self.plan.aliases.get(usize::from(index)) else { return Ok(Value::Null) };
        let value = self.eval(&alias.expr)?;
        self.row.set_alias(index, value);
        Ok(value)
    }

    fn member(&self, object: Value<'a>, key: &str) -> Eval<'a> {
        self.ctx.spend(1)?;
        if object.is_object() {
            return Ok(object.member(key, self.ctx.scratch)?.unwrap_or(Value::Null));
        }
        self.no_member(object, || self.column(key))
    }

    /// `value -> other` of what is no object: nil, but for a list, and unless the other side, taken as a column, has a value.
    fn no_member(&self, value: Value<'a>, other: impl FnOnce() -> Eval<'a>) -> Eval<'a> {
        let s = self.ctx.scratch;
        if value.is_list() || matches!(value, Value::Bytes(_)) {
            let text = go_text(value, s)?;
            return Err(s.fault(format_args!("the result {text} is not a type of map[string]interface{{}}")));
        }
        if value.is_null() {
            return Ok(Value::Null);
        }
        #[expect(clippy::cast_precision_loss, reason = "int beside float is float")]
        let (value, other) = match (value, other()?) {
            (_, Value::Null) => return Ok(Value::Null),
            (Value::Int(i), other @ Value::Float(_)) => (Value::Float(i as f64), other),
            (Value::Float(_), Value::Int(i)) => (value, Value::Float(i as f64)),
            both => both,
        };
        Err(s.fault(format_args!("invalid operation {} -> {}", typed(value, s)?, typed(other, s)?)))
    }

    /// The value of a column that the rule decodes, of whatever source; null if none has it.
    fn column(&self, name: &str) -> Eval<'a> {
        let slots = self.plan.slots.iter().zip(0..).filter_map(|(kind, i)| match kind {
            SlotKind::Column { name: n, .. } if n == name => self.row.get(Slot(i)).map(Ok),
            SlotKind::Row { .. } => self.row.get(Slot(i)).and_then(|row| row.member(name, self.ctx.scratch).transpose()),
            _ => None,
        });
        slots.into_iter().next().unwrap_or(Ok(Value::Null))
    }

    /// An index or an end of a slice. A list says no more than that it got none.
    fn position(&self, list: Value<'a>, expr: &'a Expr, what: &str, text: &str) -> Result<i64, Fault<'a>> {
        let s = self.ctx.scratch;
        let found = match self.eval(expr) {
            Ok(Value::Int(i)) => return Ok(i),
            #[expect(clippy::cast_possible_truncation, reason = "an index that is a float truncates, as in eKuiper")]
            Ok(Value::Float(x)) => return Ok(x as i64),
            Err(Fault::FULL) => return Err(Fault::FULL),
            Ok(other) => typed(other, s)?,
            Err(fault) => s.format(format_args!("*errors.errorString({})", fault.text))?,
        };
        if list.is_list() {
            return Err(Fault::new("invalid evaluation result - <nil>"));
        }
        Err(s.fault(format_args!("{what} {text} is not int: cannot convert {found} to int")))
    }

    /// Refuses a list or object to the left of an operator that has no use for it.
    fn simple(&self, value: Value<'a>, not: bool, op: &str) -> Result<(), Fault<'a>> {
        if !matches!(value, Value::Bytes(_) | Value::Json(..) | Value::Packed(_)) {
            return Ok(());
        }
        let not = if not { "NOT " } else { "" };
        Err(self.ctx.scratch.fault(format_args!("{not}{op} is an invalid operation for {}", value.go_type())))
    }

    /// Length of a list to be indexed; `None` for null.
    fn indexable(&self, list: Value<'a>, from: i64, to: i64) -> Result<Option<i64>, Fault<'a>> {
        let len = match list {
            Value::Null => return Ok(None),
            Value::Bytes(bytes) => bytes.len(),
            _ if list.is_list() => list.count(self.ctx.scratch)?.unwrap_or(0),
            other => {
                self.simple(other, false, "[]")?;
                let text = typed(other, self.ctx.scratch)?;
                let fault = format_args!("invalid operation {text} [] *xsql.BracketEvalResult(&{{{from} {to}}})");
                return Err(self.ctx.scratch.fault(fault));
            }
        };
        self.ctx.spend(u32::try_from(len).unwrap_or(u32::MAX) / 16)?;
        Ok(Some(i64::try_from(len).unwrap_or(i64::MAX)))
    }

    fn index(&self, list: Value<'a>, index: &'a Expr, text: &str) -> Eval<'a> {
        let position = self.position(list, index, "index", text)?;
        self.at(list, position)
    }

    fn at(&self, list: Value<'a>, position: i64) -> Eval<'a> {
        let Some(len) = self.indexable(list, position, position)? else { return Ok(Value::Null) };
        let at = if position < 0 { position + len } else { position };
        if at < 0 || at >= len {
            return Err(self.ctx.scratch.fault(format_args!("out of index: {position} of {len}")));
        }
        let at = usize::try_from(at).unwrap_or(usize::MAX);
        match list {
            Value::Bytes(bytes) => Ok(bytes.get(at).map_or(Value::Null, |b| Value::Int(i64::from(*b)))),
            Value::Json(numbers, raw) => match crate::json::scan::elements(raw).nth(at) {
                Some(element) => Value::from_json(element, numbers, self.ctx.scratch),
                None => Ok(Value::Null),
            },
            Value::Packed(p) => Ok(p.elements().nth(at).unwrap_or(Value::Null)),
            _ => Ok(Value::Null),
        }
    }

    fn slice(&self, list: Value<'a>, from: Option<&'a Expr>, to: Option<&'a Expr>, [start, end]: &[Box<str>; 2]) -> Eval<'a> {
        let s = self.ctx.scratch;
        let from = from.map_or(Ok(0), |e| self.position(list, e, "colon start", start))?;
        let to = to.map(|e| self.position(list, e, "colon end", end)).transpose()?;
        // A slice whose ends are written alike is an element, as in eKuiper.
        if to == Some(from) {
            return self.at(list, from);
        }
        let Some(len) = self.indexable(list, from, to.unwrap_or(i64::from(i32::MIN)))? else { return Ok(Value::Null) };
        let start = if from < 0 { from + len } else { from };
        if start < 0 {
            return Err(s.fault(format_args!("out of index: {from} of {len}")));
        }
        if start >= len {
            return Err(s.fault(format_args!("start value is out of index: {from} of {len}")));
        }
        let end = match to {
            None => len,
            Some(to) if to < 0 && to + len < 0 => return Err(s.fault(format_args!("out of index: {to} of {len}"))),
            Some(to) if to < 0 => to + len,
            Some(to) if to > len => return Err(s.fault(format_args!("end value is out of index: {to} of {len}"))),
            Some(to) => to,
        };
        if start > end || (start == end && to.is_some_and(|to| to >= 0)) {
            return Err(s.fault(format_args!("start cannot be greater than end. start:{start}  end:{end}")));
        }
        let (start, end) = (usize::try_from(start).unwrap_or(0), usize::try_from(end).unwrap_or(0));
        if let Value::Bytes(bytes) = list {
            return Ok(Value::Bytes(bytes.get(start..end).unwrap_or(&[])));
        }
        let mut writer = s.pack();
        writer.begin_list()?;
        match list {
            Value::Json(numbers, raw) => {
                for element in crate::json::scan::elements(raw).skip(start).take(end - start) {
                    writer.json(element, numbers)?;
                }
            }
            Value::Packed(p) => {
                for element in p.elements().skip(start).take(end - start) {
                    writer.value(element)?;
                }
            }
            _ => {}
        }
        writer.end()?;
        Ok(Value::Packed(writer.finish()?))
    }

    fn binary(&self, op: Op, left: &'a Expr, right: &'a Expr) -> Eval<'a> {
        self.ctx.spend(1)?;
        let l = self.eval(left)?;
        match (op, l) {
            (Op::And, Value::Bool(false)) => return Ok(Value::Bool(false)),
            (Op::Or, Value::Bool(true)) => return Ok(Value::Bool(true)),
            (_, Value::Bytes(_) | Value::Json(..) | Value::Packed(_)) => {
                let s = self.ctx.scratch;
                return Err(s.fault(format_args!("{} is an invalid operation for {}", symbol(op), l.go_type())));
            }
            _ => {}
        }
        let r = self.eval(right)?;
        operate(op, l, r, self.ctx)
    }

    fn case(&self, value: Option<&'a Expr>, arms: &'a [(Expr, Expr)], otherwise: Option<&'a Expr>) -> Eval<'a> {
        self.ctx.spend(1)?;
        let wrap = |fault: Fault<'a>| self.ctx.scratch.fault(format_args!("evaluate case expression error: {}", fault.text));
        let value = value.map(|e| self.eval(e));
        for (when, then) in arms {
            let hit = match value {
                Some(value) => self.equals(value, self.eval(when)).map_err(wrap)?,
                None => self.eval(when).map_err(wrap)?,
            };
            if matches!(hit, Value::Bool(true)) {
                return self.eval(then);
            }
        }
        otherwise.map_or(Ok(Value::Null), |e| self.eval(e))
    }

    /// `value = when` of a CASE, where a fault on one side is a value like others: unequal to nil, and no operand.
    fn equals(&self, value: Eval<'a>, when: Eval<'a>) -> Eval<'a> {
        let s = self.ctx.scratch;
        let shown = |side: Eval<'a>| match side {
            Ok(value) => typed(value, s),
            Err(fault) => s.format(format_args!("*errors.errorString({})", fault.text)),
        };
        match (value, when) {
            (Err(Fault::FULL), _) | (_, Err(Fault::FULL)) => Err(Fault::FULL),
            (Ok(Value::Null), _) | (_, Ok(Value::Null)) => Ok(Value::Bool(false)),
            (Ok(value), Ok(when)) => operate(Op::Eq, value, when, self.ctx),
            (value, when) => Err(s.fault(format_args!("invalid operation {} = {}", shown(value)?, shown(when)?))),
        }
    }

    fn one_of(&self, value: &'a Expr, list: &'a [Expr], not: bool) -> Eval<'a> {
        let value = self.eval(value)?;
        self.simple(value, not, "IN")?;
        if value.is_null() {
            return Ok(Value::Bool(false));
        }
        for item in list {
            self.ctx.spend(1)?;
            if self.is_in(value, self.eval(item)?)? {
                return Ok(Value::Bool(!not));
            }
        }
        Ok(Value::Bool(not))
    }

    fn in_list(&self, value: &'a Expr, list: &'a Expr, not: bool) -> Eval<'a> {
        let value = self.eval(value)?;
        self.simple(value, not, "IN")?;
        let list = self.eval(list)?;
        let Some(elements) = list.elements(self.ctx.scratch) else {
            match list {
                Value::Null => return Ok(Value::Bool(not)),
                // A text is a list of its octets, as in eKuiper.
                Value::Str(text) => return self.in_octets(value, text.as_bytes(), not),
                Value::Bytes(bytes) => return self.in_octets(value, bytes, not),
                _ => {}
            }
            let text = typed(list, self.ctx.scratch)?;
            return Err(self.ctx.scratch.fault(format_args!("evaluate in expression error: IN expects a list, found {text}")));
        };
        if value.is_null() {
            return Ok(Value::Bool(false));
        }
        for item in elements {
            self.ctx.spend(1)?;
            if self.is_in(value, item?)? {
                return Ok(Value::Bool(!not));
            }
        }
        Ok(Value::Bool(not))
    }

    fn in_octets(&self, value: Value<'a>, octets: &[u8], not: bool) -> Eval<'a> {
        if value.is_null() {
            return Ok(Value::Bool(false));
        }
        self.ctx.spend(u32::try_from(octets.len()).unwrap_or(u32::MAX) / 16)?;
        for octet in octets {
            if self.is_in(value, Value::Int(i64::from(*octet)))? {
                return Ok(Value::Bool(!not));
            }
        }
        Ok(Value::Bool(not))
    }

    fn is_in(&self, value: Value<'a>, item: Value<'a>) -> Result<bool, Fault<'a>> {
        match operate(Op::Eq, value, item, self.ctx) {
            Ok(hit) => Ok(matches!(hit, Value::Bool(true))),
            Err(fault) => Err(self.ctx.scratch.fault(format_args!("evaluate in expression error: {}", fault.text))),
        }
    }

    fn between(&self, value: &'a Expr, low: &'a Expr, high: &'a Expr, not: bool) -> Eval<'a> {
        self.ctx.spend(1)?;
        let value = self.eval(value)?;
        self.simple(value, not, "BETWEEN")?;
        let (low, high) = (self.eval(low)?, self.eval(high)?);
        if value.is_null() || low.is_null() || high.is_null() {
            return Ok(Value::Bool(false));
        }
        let compare = |op, bound| {
            operate(op, value, bound, self.ctx).map_err(|_| {
                let s = self.ctx.scratch;
                match (typed(value, s), typed(bound, s)) {
                    (Ok(v), Ok(b)) => s.fault(format_args!("between operator cannot compare {v} and {b}")),
                    _ => Fault::FULL,
                }
            })
        };
        let above = matches!(compare(Op::Ge, low)?, Value::Bool(true));
        let below = matches!(compare(Op::Le, high)?, Value::Bool(true));
        Ok(Value::Bool((above && below) != not))
    }

    fn like(&self, value: &'a Expr, pattern: Option<&'a Expr>, regex: Option<&'a regex_lite::Regex>, not: bool) -> Eval<'a> {
        self.ctx.spend(8)?;
        let s = self.ctx.scratch;
        let value = self.eval(value)?;
        self.simple(value, not, "LIKE")?;
        let Value::Str(text) = value else {
            let found = go_text(value, s)?;
            return Err(s.fault(format_args!("LIKE operator left operand expects string, but found {found}")));
        };
        let hit = match (regex, pattern) {
            (Some(regex), _) => regex.is_match(text),
            (None, Some(pattern)) => {
                let pattern = self.eval(pattern)?;
                let Value::Str(pattern) = pattern else {
                    let found = go_text(pattern, s)?;
                    return Err(s.fault(format_args!("invalid LIKE pattern, must be a string but got {found}")));
                };
                let pattern = s.write_bytes(|out| Ok(like::pieces(pattern, |piece| out.text(piece))?))?;
                self.ctx.regex(core::str::from_utf8(pattern).unwrap_or(""))?.is_match(text)
            }
            (None, None) => false,
        };
        Ok(Value::Bool(hit != not))
    }

    fn meta(&self, name: Option<&str>, path: &'a [String]) -> Eval<'a> {
        let Some(facts) = self.ctx.event.meta else {
            return Ok(if name.is_none() { Value::Packed(EMPTY_OBJECT) } else { Value::Null });
        };
        let mut value = match name {
            None => facts.value(),
            Some(name) => facts.get(name).unwrap_or(Value::Null),
        };
        for key in path {
            value = self.member(value, key)?;
        }
        Ok(value)
    }
}

/// `{}`.
pub const EMPTY_OBJECT: Packed<'static> = Packed::EMPTY_OBJECT;

const fn constant(literal: &Literal) -> Value<'_> {
    match literal {
        Literal::Null => Value::Null,
        Literal::Bool(b) => Value::Bool(*b),
        Literal::Int(i) => Value::Int(*i),
        Literal::Float(x) => Value::Float(*x),
        Literal::Str(text) => Value::Str(text.as_str()),
    }
}

/// The operator as SQL writes it.
#[must_use]
pub const fn symbol(op: Op) -> &'static str {
    match op {
        Op::Add => "+",
        Op::Sub => "-",
        Op::Mul => "*",
        Op::Div => "/",
        Op::Mod => "%",
        Op::BitAnd => "&",
        Op::BitOr => "|",
        Op::BitXor => "^",
        Op::And => "AND",
        Op::Or => "OR",
        Op::Eq => "=",
        Op::Ne => "!=",
        Op::Lt => "<",
        Op::Le => "<=",
        Op::Gt => ">",
        Op::Ge => ">=",
    }
}

/// `l op r` for two values, with eKuiper's coercions.
///
/// # Errors
/// `invalid operation float64(1) = string(a)` and its kin, `divided by zero`.
pub fn operate<'a>(op: Op, l: Value<'a>, r: Value<'a>, ctx: &Ctx<'_, 'a>) -> Eval<'a> {
    let invalid = || {
        let s = ctx.scratch;
        // An int beside a float was made one before the operator looked at it.
        #[expect(clippy::cast_precision_loss, reason = "int op float is float, as in eKuiper")]
        let (l, r) = match (l, r) {
            (Value::Int(a), Value::Float(_)) => (Value::Float(a as f64), r),
            (Value::Float(_), Value::Int(b)) => (l, Value::Float(b as f64)),
            both => both,
        };
        match (typed(l, s), typed(r, s)) {
            (Ok(lt), Ok(rt)) => Err(s.fault(format_args!("invalid operation {lt} {} {rt}", symbol(op)))),
            _ => Err(Fault::FULL),
        }
    };
    if l.is_null() || r.is_null() {
        return Ok(match op {
            Op::Add | Op::Sub | Op::Mul | Op::Div | Op::Mod => Value::Null,
            _ => Value::Bool(false),
        });
    }
    match (l, r) {
        (Value::Bool(a), Value::Bool(b)) => Ok(Value::Bool(match op {
            Op::And | Op::BitAnd => a && b,
            Op::Or | Op::BitOr => a || b,
            Op::BitXor | Op::Ne => a != b,
            Op::Eq => a == b,
            _ => return invalid(),
        })),
        (Value::Int(a), Value::Int(b)) => integers(op, a, b).unwrap_or_else(invalid),
        #[expect(clippy::cast_precision_loss, reason = "int op float is float, as in eKuiper")]
        (Value::Int(a), Value::Float(b)) => floats(op, a as f64, b).unwrap_or_else(invalid),
        #[expect(clippy::cast_precision_loss, reason = "int op float is float, as in eKuiper")]
        (Value::Float(a), Value::Int(b)) => floats(op, a, b as f64).unwrap_or_else(invalid),
        (Value::Float(a), Value::Float(b)) => floats(op, a, b).unwrap_or_else(invalid),
        (Value::Str(a), Value::Str(b)) => compared(op, Some(a.cmp(b))).map_or_else(invalid, |b| Ok(Value::Bool(b))),
        (Value::Time(a), _) => match func::to_moment(r, ctx) {
            Ok(b) => compared(op, Some(a.instant().cmp(&b.instant()))).map_or_else(invalid, |b| Ok(Value::Bool(b))),
            Err(fault) => Err(fault),
        },
        _ => invalid(),
    }
}

/// What a comparison operator says of an order; `None` for another operator. Unordered (NaN) is only `!=`.
const fn compared(op: Op, order: Option<Ordering>) -> Option<bool> {
    Some(match (op, order) {
        (Op::Eq, Some(o)) => matches!(o, Ordering::Equal),
        (Op::Ne, Some(o)) => !matches!(o, Ordering::Equal),
        (Op::Lt, Some(o)) => matches!(o, Ordering::Less),
        (Op::Le, Some(o)) => !matches!(o, Ordering::Greater),
        (Op::Gt, Some(o)) => matches!(o, Ordering::Greater),
        (Op::Ge, Some(o)) => !matches!(o, Ordering::Less),
        (Op::Ne, None) => true,
        (Op::Eq | Op::Lt | Op::Le | Op::Gt | Op::Ge, None) => false,
        _ => return None,
    })
}

const ZERO: Fault<'static> = Fault::new("divided by zero");

fn integers<'a>(op: Op, a: i64, b: i64) -> Option<Eval<'a>> {
    if let Some(hit) = compared(op, Some(a.cmp(&b))) {
        return Some(Ok(Value::Bool(hit)));
    }
    Some(Ok(Value::Int(match op {
        Op::Add => a.wrapping_add(b),
        Op::Sub => a.wrapping_sub(b),
        Op::Mul => a.wrapping_mul(b),
        Op::Div | Op::Mod if b == 0 => return Some(Err(ZERO)),
        Op::Div => a.wrapping_div(b),
        Op::Mod => a.wrapping_rem(b),
        Op::BitAnd => a & b,
        Op::BitOr => a | b,
        Op::BitXor => a ^ b,
        _ => return None,
    })))
}

fn floats<'a>(op: Op, a: f64, b: f64) -> Option<Eval<'a>> {
    if let Some(hit) = compared(op, a.partial_cmp(&b)) {
        return Some(Ok(Value::Bool(hit)));
    }
    Some(Ok(Value::Float(match op {
        Op::Add => a + b,
        Op::Sub => a - b,
        Op::Mul => a * b,
        Op::Div | Op::Mod if b == 0.0 => return Some(Err(ZERO)),
        Op::Div => a / b,
        Op::Mod => a % b,
        _ => return None,
    })))
}
