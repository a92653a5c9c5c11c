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
    for (place, arg) in args.iter().enumerate() {
        let kind = match name {
            "object_construct" => [Arg::String, Arg::Any][place % 2],
            _ => func.args.kind_at(place),
        };
        if let Some(wanted) = misfit(kind, arg) {
            return Err((Some(arg.span), format!("Expect {wanted} type for parameter {}", place + 1)));
        }
    }
    match odd(name, args) {
        Some(why) => Err((None, why)),
        None => Ok(()),
    }
}

/// What single functions ask of their literals beyond the type.
fn odd(name: &str, args: &[Expr]) -> Option<String> {
    let int = |place: usize| match args.get(place)?.kind {
        ExprKind::Int(value) => Some(value),
        _ => None,
    };
    let text = |place: usize| match &args.get(place)?.kind {
        ExprKind::Text(text) => Some(text.as_str()),
        _ => None,
    };
    let one_of = |place: usize, known: &[&str]| {
        text(place)
            .filter(|t| !known.contains(t))
            .map(|_| format!("Expect one of following value for the 2nd parameter: {}.", known.join(", ")))
    };
    match name {
        "object_construct" => (args.len() % 2 == 1).then(|| "the args must be key value pairs".to_owned()),
        "dedup_trigger" => int(3).is_none().then(|| "dedup_trigger function should have integer as the fourth argument".to_owned()),
        "acc_sum" | "acc_avg" | "acc_min" | "acc_max" | "acc_count" => {
            (args.len() == 2).then(|| "Expect 1/3 arguments but found 2.".to_owned())
        }
        "substring" => match (int(1), int(2)) {
            (Some(start), _) if start < 0 => Some("The start index should not be a negative integer.".to_owned()),
            (Some(start), Some(end)) if end < start => Some("The end index should be larger than start index.".to_owned()),
            _ => None,
        },
        "split_value" => int(2).filter(|i| *i < 0).map(|_| "The index should not be a negative integer.".to_owned()),
        "lag" => int(1).filter(|i| *i < 0).map(|_| "the index should not be a negative integer".to_owned()),
        "cast" => one_of(1, &["bigint", "float", "string", "boolean", "datetime", "bytea"]),
        "get_keyed_state" => one_of(1, &["bigint", "float", "string", "boolean", "datetime"]),
        "encode" | "decode" => text(1).filter(|t| *t != "base64").map(|_| "Only base64 is supported for the 2nd parameter.".to_owned()),
        "meta" => args.first().filter(|arg| !is_meta(arg)).map(|_| "Expect meta reference type for parameter 1".to_owned()),
        "mqtt" => match &args.first()?.kind {
            ExprKind::Meta(fact) if !["topic", "messageid"].iter().any(|known| fact.name.eq_ignore_ascii_case(known)) => {
                Some("Parameter of mqtt function can be only topic or messageid.".to_owned())
            }
            _ => None,
        },
        _ => None,
    }
}

/// An arrival fact, or a path below one.
fn is_meta(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Meta(_) => true,
        ExprKind::Arrow { of, .. } => is_meta(of),
        _ => false,
    }
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
