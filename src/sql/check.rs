//! What a statement must not say, judged before names are bound.
//!
//! [`args`] judges the literal arguments of one call, [`statement`] a SELECT by itself. What needs to know the aliases and the
//! declared columns is judged in `bind`.

use super::ast::{Expr, ExprKind, Select};
use super::error::{Span, SqlError};
use super::func::{Arg, Func, Kind};

/// Judges the number and the literals of a call's arguments.
///
/// # Errors
/// The place, when it is one argument, and the sentence to show.
pub(super) fn args(name: &str, func: &Func, args: &[Expr]) -> Result<(), (Option<Span>, String)> {
    let (min, max, count) = (func.args.min, func.args.max, args.len());
    if count < min || count > max {
        let why = match (min, max) {
            (min, max) if min == max => format!("Expect {min} arguments but found {count}."),
            (min, usize::MAX) => format!("At least has {min} argument but found {count}."),
            (min, max) => format!("Expect {min} to {max} arguments but found {count}."),
        };
        return Err((None, why));
    }
    if name == "object_construct" && count % 2 == 1 {
        return Err((None, "the args should be key value pairs".to_owned()));
    }
    if name == "dedup_trigger" && matches!(args.get(3), Some(Expr { kind, .. }) if !matches!(kind, ExprKind::Int(_))) {
        return Err((None, "dedup_trigger function should have integer as the fourth argument".to_owned()));
    }
    for (place, arg) in args.iter().enumerate() {
        let kind = match name {
            "object_construct" => [Arg::String, Arg::Any][place % 2],
            _ => func.args.kind_at(place),
        };
        if let Some(wanted) = misfit(kind, arg) {
            return Err((Some(arg.span), format!("Expect {wanted} type for parameter {}", place + 1)));
        }
    }
    Ok(())
}

/// What was wanted, when the literal `arg` cannot stand where `kind` is asked for.
fn misfit(kind: Arg, arg: &Expr) -> Option<&'static str> {
    let int = matches!(arg.kind, ExprKind::Int(_));
    let float = matches!(arg.kind, ExprKind::Float(_));
    let text = matches!(arg.kind, ExprKind::Text(_));
    let unit = matches!(arg.kind, ExprKind::Unit(..));
    let boolean = arg.is_condition();
    let column = matches!(arg.kind, ExprKind::Column(_));
    let (bad, wanted) = match kind {
        Arg::Any => (false, ""),
        Arg::String => (int || float || unit || boolean, "string"),
        Arg::Number => (text || unit || boolean, "number - float or int"),
        Arg::Int => (float || text || unit || boolean, "int"),
        Arg::Count => (float || text || unit || boolean || column, "int"),
        Arg::IntOrString => (float || unit || boolean, "int"),
        Arg::Bool => (int || float || text || unit, "bool"),
        Arg::DateTime => (int || float || text || boolean, "datetime"),
        Arg::Field => (!column, "field"),
        Arg::BoolLiteral => (!boolean, "bool"),
        Arg::StringLiteral => (!text, "string"),
        Arg::IntLiteral => (!int, "integer"),
        Arg::TimeUnit => (!unit, "time unit"),
        Arg::Meta => (int || float || unit || boolean || text, "meta reference"),
    };
    bad.then_some(wanted)
}

/// Judges where aggregates, set-returning functions and `row_number()` stand.
///
/// # Errors
/// The first misplaced call.
pub(super) fn statement(select: &Select) -> Result<(), SqlError> {
    let wrong = |span: Span, message: String| SqlError::at(&select.text, span.start, message);
    for key in &select.group {
        if let Some(span) = find(key, |e| is_kind(e, Kind::Aggregate)) {
            return Err(wrong(span, aggregate_in_group(&select.text, key)));
        }
    }
    let mut several = 0;
    for field in &select.fields {
        let nested = |e: &Expr| match &e.kind {
            ExprKind::Call(call) => call.args.iter().any(|arg| find(arg, |e| is_kind(e, Kind::SetReturning)).is_some()),
            _ => false,
        };
        if let Some(span) = find(&field.expr, nested) {
            return Err(wrong(span, "select clause shouldn't has nested set-returning-functions".to_owned()));
        }
        field.expr.walk(&mut |e| {
            several += usize::from(is_kind(e, Kind::SetReturning));
            true
        });
        if several > 1 {
            return Err(wrong(field.expr.span, "select clause shouldn't has multi set-returning-functions".to_owned()));
        }
    }
    let joins = select.joins.iter().filter_map(|j| j.on.as_ref());
    let order = select.order.iter().map(|o| &o.expr);
    for clause in joins.chain(&select.filter).chain(&select.group).chain(&select.having).chain(order) {
        if let Some(span) = find(clause, is_row_number) {
            return Err(wrong(span, "window functions can only be in select fields".to_owned()));
        }
        if let Some(span) = find(clause, |e| is_kind(e, Kind::SetReturning)) {
            return Err(wrong(span, "select statement shouldn't has srf except fields".to_owned()));
        }
    }
    Ok(())
}

/// The sentence about an aggregate in GROUP BY.
pub(super) fn aggregate_in_group(text: &str, key: &Expr) -> String {
    let shown = text.get(key.span.start as usize..key.span.end as usize).unwrap_or("");
    format!("Not allowed to call aggregate functions in GROUP BY clause: {shown}.")
}

/// Place of the first node, parents first, that `wanted` holds for.
pub(super) fn find(expr: &Expr, wanted: impl Fn(&Expr) -> bool) -> Option<Span> {
    let mut found = None;
    expr.walk(&mut |e| {
        if found.is_none() && wanted(e) {
            found = Some(e.span);
        }
        found.is_none()
    });
    found
}

/// Whether it is a call of that kind of function.
pub(super) fn is_kind(expr: &Expr, kind: Kind) -> bool {
    matches!(&expr.kind, ExprKind::Call(call) if call.kind == kind && call.name != "row_number")
}

fn is_row_number(expr: &Expr) -> bool {
    matches!(&expr.kind, ExprKind::Call(call) if call.name == "row_number")
}
