//! Expressions and calls to their planned form.

use super::{Kind, Lowerer, Stage, canonical};
use crate::limits::ARG_COUNT;
use crate::sql::ast::{self, BinaryOp, Call, ExprKind, Key, Set};
use crate::sql::bind::Target;
use crate::sql::error::{Span, SqlError};
use crate::sql::explain::Texts;
use crate::sql::func::prepare::prepare;
use crate::sql::func::{self, Nulls};
use crate::sql::like;
use crate::sql::plan::{Aggregate, Analytic, Aux, Expr, Literal, Op, Slot, SlotKind};

impl<'s> Lowerer<'s> {
    pub(super) fn expr(&mut self, expr: &'s ast::Expr) -> Result<Expr, SqlError> {
        Ok(match &expr.kind {
            ExprKind::Int(value) => Expr::Const(Literal::Int(*value)),
            ExprKind::Float(value) => Expr::Const(Literal::Float(*value)),
            ExprKind::Text(text) => Expr::Const(Literal::Str(text.clone())),
            ExprKind::Bool(value) => Expr::Const(Literal::Bool(*value)),
            ExprKind::Unit(_, name) => self.by_name(name),
            ExprKind::Column(column) => self.reference(column, expr.span)?,
            ExprKind::Meta(column) => self.meta(column, Vec::new()),
            ExprKind::Star(star) => {
                let rows = self.all_rows();
                let replace = self.replace(star)?;
                Expr::Row { rows, except: star.except.clone(), replace }
            }
            ExprKind::Paren(inner) => self.expr(inner)?,
            ExprKind::Binary { op, left, right } => Expr::Binary(operator(*op), self.boxed(left)?, self.boxed(right)?),
            ExprKind::Arrow { of, key: Key::Name(name) } => match self.expr(of)? {
                Expr::Meta(Some(fact), mut path) => {
                    path.push(name.clone());
                    Expr::Meta(Some(fact), path)
                }
                of => Expr::Member(Box::new(of), name.clone()),
            },
            ExprKind::Arrow { of, key: Key::Other(other) } => Expr::Into(self.boxed(of)?, self.boxed(other)?),
            ExprKind::Index { of, index } => {
                let text = Texts::of(self.bound).expr(index).into_boxed_str();
                Expr::Index(self.boxed(of)?, self.boxed(index)?, text)
            }
            ExprKind::Slice { of, start, end } => {
                let texts = [start, end].map(|e| e.as_deref().map(|e| Texts::of(self.bound).expr(e)).unwrap_or_default().into_boxed_str());
                Expr::Slice(self.boxed(of)?, self.option(start.as_deref())?, self.option(end.as_deref())?, texts)
            }
            ExprKind::In { of, not, set: Set::List(items) } => Expr::In { value: self.boxed(of)?, list: self.list(items)?, not: *not },
            ExprKind::In { of, not, set: Set::Array(array) } => {
                Expr::InList { value: self.boxed(of)?, list: self.boxed(array)?, not: *not }
            }
            ExprKind::Between { of, not, low, high } => {
                Expr::Between { value: self.boxed(of)?, low: self.boxed(low)?, high: self.boxed(high)?, not: *not }
            }
            ExprKind::Like { of, not, pattern } => self.like(of, *not, pattern)?,
            ExprKind::Case { of, whens, otherwise } => Expr::Case {
                value: self.option(of.as_deref())?,
                arms: whens.iter().map(|(when, then)| Ok((self.expr(when)?, self.expr(then)?))).collect::<Result<_, SqlError>>()?,
                otherwise: self.option(otherwise.as_deref())?,
            },
            ExprKind::Call(call) => self.call(expr, call)?,
            // Outside GROUP BY it means nothing.
            ExprKind::Window(_) => Expr::Const(Literal::Null),
        })
    }

    fn boxed(&mut self, expr: &'s ast::Expr) -> Result<Box<Expr>, SqlError> {
        self.expr(expr).map(Box::new)
    }

    fn option(&mut self, expr: Option<&'s ast::Expr>) -> Result<Option<Box<Expr>>, SqlError> {
        expr.map(|e| self.boxed(e)).transpose()
    }

    fn list(&mut self, exprs: &'s [ast::Expr]) -> Result<Vec<Expr>, SqlError> {
        exprs.iter().map(|e| self.expr(e)).collect()
    }

    fn reference(&mut self, column: &ast::Column, span: Span) -> Result<Expr, SqlError> {
        let bound = self.bound;
        let (name, target, key) = bound.column(column, span);
        let of = match target {
            Target::ByName => self.by_name(name),
            Target::Source(source) => Expr::Slot(self.column(source, name)),
            Target::Alias(alias) => self.alias(alias)?,
            Target::Nothing => Expr::Const(Literal::Null),
        };
        Ok(match key {
            Some(key) => Expr::Member(Box::new(of), key.to_owned()),
            None => of,
        })
    }

    /// A name that no stream owns: an alias, if one is computed by now, else a column of the first source that has it.
    fn by_name(&mut self, name: &str) -> Expr {
        let alias = self.computed.iter().copied().find(|alias| self.bound.aliases.get(*alias).is_some_and(|a| a.name == name));
        if let Some(place) = alias.and_then(|alias| self.alias_places.get(alias).copied().flatten()) {
            return Expr::Alias(place);
        }
        let sources: Vec<usize> = self.joined_order().into_iter().filter(|source| self.may_have(*source, name)).collect();
        let mut slots: Vec<Slot> = sources.into_iter().map(|source| self.column(source, name)).collect();
        match (slots.pop(), slots.is_empty()) {
            (Some(only), true) => Expr::Slot(only),
            (Some(last), false) => {
                slots.push(last);
                Expr::First(slots)
            }
            (None, _) => Expr::Const(Literal::Null),
        }
    }

    /// Whether a source can have a column of that name: what is not declared is not decoded.
    fn may_have(&self, source: usize, name: &str) -> bool {
        let columns = self.bound.sources.get(source).and_then(|s| s.columns.as_ref());
        columns.is_none_or(|columns| columns.iter().any(|c| c.name == name))
    }

    /// An arrival fact, of whatever stream.
    fn meta(&mut self, column: &ast::Column, mut path: Vec<String>) -> Expr {
        self.plan.meta = true;
        let name = match column.stream.as_deref() {
            Some(stream) if !self.bound.is_source(stream) => {
                path.insert(0, column.name.clone());
                stream
            }
            _ => column.name.as_str(),
        };
        Expr::Meta((name != "*").then(|| name.to_owned()), path)
    }

    fn like(&mut self, of: &'s ast::Expr, not: bool, pattern: &'s ast::Expr) -> Result<Expr, SqlError> {
        let value = self.boxed(of)?;
        let ExprKind::Text(text) = &pattern.kind else {
            return Ok(Expr::Like { value, pattern: Some(self.boxed(pattern)?), regex: None, not });
        };
        let regex = like::compile(text).map_err(|why| self.wrong(pattern.span, format!("invalid LIKE pattern: {why}")))?;
        Ok(Expr::Like { value, pattern: None, regex: Some(regex), not })
    }

    fn call(&mut self, expr: &'s ast::Expr, call: &'s Call) -> Result<Expr, SqlError> {
        if call.name == "row_number" {
            self.plan.row_number = true;
            return Ok(Expr::Slot(self.row_number()));
        }
        match (call.name.as_str(), call.kind) {
            ("meta" | "mqtt", _) => match call.args.as_slice() {
                [arg] => self.expr(arg),
                _ => Err(self.wrong(expr.span, "meta takes one argument")),
            },
            // They read the rule's counters, no column.
            ("last_agg_hit_count" | "last_agg_hit_time", _) => self.scalar(expr, call),
            (_, Kind::Analytic) => Ok(Expr::Slot(self.analytic(expr)?)),
            (_, Kind::Aggregate) if self.stage == Stage::Early => {
                let (_, name) = canonical(call.id);
                let starred = call.args.iter().any(|arg| matches!(arg.kind, ExprKind::Star(_)));
                Ok(Expr::Fold { name, args: if starred { Vec::new() } else { self.list(&call.args)? } })
            }
            (_, Kind::Aggregate) => Ok(Expr::Slot(self.aggregate(expr, call)?)),
            (_, Kind::SetReturning) => match call.args.first() {
                // Below the top level it is the list itself.
                Some(arg) => self.expr(arg),
                None => Ok(Expr::Const(Literal::Null)),
            },
            (_, Kind::Scalar | Kind::Window) => self.scalar(expr, call),
        }
    }

    fn row_number(&mut self) -> Slot {
        let place = self.plan.slots.iter().position(|kind| matches!(kind, SlotKind::RowNumber));
        match place.and_then(|place| u16::try_from(place).ok()) {
            Some(place) => Slot(place),
            None => self.new_slot(SlotKind::RowNumber),
        }
    }

    fn scalar(&mut self, expr: &ast::Expr, call: &'s Call) -> Result<Expr, SqlError> {
        if call.args.len() > ARG_COUNT {
            return Err(self.wrong(expr.span, format!("{} has more arguments than ARG_COUNT ({ARG_COUNT})", call.name)));
        }
        let args = self.list(&call.args)?;
        let (id, name) = canonical(call.id);
        // Errors call a function as the statement does: `ceil`, not `ceiling`.
        let called = func::get(id).and_then(|f| f.aliases.iter().find(|alias| alias.eq_ignore_ascii_case(&call.name)));
        let called = called.copied().unwrap_or(name);
        let place = match self.plan.calls.iter().position(|known| *known == (id, called)) {
            Some(place) => place,
            None => {
                self.plan.calls.push((id, called));
                self.plan.calls.len() - 1
            }
        };
        let place = u16::try_from(place).map_err(|_| self.wrong(expr.span, "too many functions"))?;
        let any_nil = func::get(id).is_some_and(|f| f.nulls == Nulls::AnyNil);
        Ok(Expr::Call { call: place, any_nil, args, aux: self.aux(name, call) })
    }

    /// What literal arguments compile to.
    fn aux(&self, name: &str, call: &Call) -> Aux {
        let second = match call.args.get(1).map(|arg| &arg.kind) {
            Some(ExprKind::Text(text)) => Some(text.as_str()),
            _ => None,
        };
        prepare(name, second, self.zones)
    }

    /// The slot of an analytic call.
    pub(super) fn analytic(&mut self, expr: &'s ast::Expr) -> Result<Slot, SqlError> {
        if let Some(slot) = self.analytics.get(&expr.span.start) {
            return Ok(*slot);
        }
        let ExprKind::Call(call) = &expr.kind else { return Err(self.wrong(expr.span, "not a call")) };
        let late = self.is_late(expr);
        let (func, name) = canonical(call.id);
        let (mut args, mut columns, mut all) = (Vec::new(), Vec::new(), None);
        for arg in &call.args {
            if matches!(&arg.kind, ExprKind::Star(star) if star.except.is_empty() && star.replace.is_empty()) {
                let rows = self.all_rows();
                all = match rows.as_slice() {
                    [only] => Some(*only),
                    _ => return Err(self.wrong(arg.span, format!("{name} takes * of one stream only"))),
                };
                columns.push("*".to_owned());
                continue;
            }
            columns.push(column_name(arg));
            let lowered = self.expr(arg)?;
            args.push(lowered);
        }
        let partition = self.list(&call.partition)?;
        let when = call.when.as_ref().map(|e| self.expr(e)).transpose()?;
        let place = u16::try_from(self.plan.analytics.len()).map_err(|_| self.wrong(expr.span, "too many analytic functions"))?;
        let slot = self.new_slot(SlotKind::Analytic(place));
        self.plan.analytics.push(Analytic { func, name, args, columns, all, partition, when, late, slot });
        self.analytics.insert(expr.span.start, slot);
        Ok(slot)
    }

    /// The slot of an aggregate call.
    fn aggregate(&mut self, expr: &'s ast::Expr, call: &'s Call) -> Result<Slot, SqlError> {
        let filter = self.stage == Stage::Filter;
        let key = (filter, Texts::of(self.bound).expr(expr));
        if let Some(slot) = self.aggregates.get(&key) {
            return Ok(*slot);
        }
        let (func, name) = canonical(call.id);
        let mut rest = call.args.as_slice();
        let mut all = None;
        if let Some((ast::Expr { kind: ExprKind::Star(star), .. }, others)) = rest.split_first() {
            if star.except.is_empty() && star.replace.is_empty() {
                all = Some(if name == "count" { Vec::new() } else { self.all_rows() });
                rest = others;
            }
        } else if name == "deduplicate" {
            all = Some(self.all_rows());
        }
        let mut args = self.list(rest)?;
        if name == "deduplicate"
            && rest.len() < call.args.len()
            && let Some(rows) = all.clone()
        {
            // A row is known by the whole of itself.
            args.insert(0, Expr::Row { rows, except: Vec::new(), replace: Vec::new() });
        }
        let list = if filter { &self.plan.filter_aggregates } else { &self.plan.aggregates };
        let place = u16::try_from(list.len()).map_err(|_| self.wrong(expr.span, "too many aggregate functions"))?;
        let slot = self.new_slot(if filter { SlotKind::FilterAggregate(place) } else { SlotKind::Aggregate(place) });
        let aggregate = Aggregate { func, name, args, all, filter: None, slot };
        if filter {
            self.plan.filter_aggregates.push(aggregate);
        } else {
            self.plan.aggregates.push(aggregate);
        }
        self.aggregates.insert(key, slot);
        Ok(slot)
    }
}

/// The name that `changed_cols` gives a column argument.
fn column_name(arg: &ast::Expr) -> String {
    match &arg.kind {
        ExprKind::Column(column) => column.name.clone(),
        ExprKind::Unit(_, name) => name.clone(),
        ExprKind::Call(call) => call.name.clone(),
        _ => String::new(),
    }
}

const fn operator(op: BinaryOp) -> Op {
    match op {
        BinaryOp::Mul => Op::Mul,
        BinaryOp::Div => Op::Div,
        BinaryOp::Mod => Op::Mod,
        BinaryOp::BitAnd => Op::BitAnd,
        BinaryOp::Add => Op::Add,
        BinaryOp::Sub => Op::Sub,
        BinaryOp::BitOr => Op::BitOr,
        BinaryOp::BitXor => Op::BitXor,
        BinaryOp::Eq => Op::Eq,
        BinaryOp::Ne => Op::Ne,
        BinaryOp::Lt => Op::Lt,
        BinaryOp::Le => Op::Le,
        BinaryOp::Gt => Op::Gt,
        BinaryOp::Ge => Op::Ge,
        BinaryOp::And => Op::And,
        BinaryOp::Or => Op::Or,
    }
}
