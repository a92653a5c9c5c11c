//! What a statement must not say, judged before it is planned.
//!
//! [`args`] judges the literal arguments of one call; [`statement`] judges a SELECT by itself; what needs the declared columns
//! is judged where names are bound.

use super::ast::{Expr, ExprKind};
use super::error::Span;
use super::func::{Arg, Func};

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
