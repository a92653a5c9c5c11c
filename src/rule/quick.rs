//! WHERE by a look at the text of a reading: columns compared with numbers or texts, joined by AND.

use core::cmp::Ordering;

use super::run::RuleUnit;
use crate::gate::body;
use crate::json::name::Name;
use crate::sql::plan::{Expr, Literal, Op, Plan, SlotKind};
use crate::value::short_float;

/// What is seen of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It does not meet WHERE.
    Fails,
    /// It does, or there is no WHERE.
    Holds,
    /// That cannot be told without evaluating it.
    Open,
}

/// The parts that WHERE begins with, as far as they are of this kind.
#[derive(Debug)]
pub(super) struct Quick {
    parts: Vec<Part>,
    /// There is nothing else in WHERE.
    whole: bool,
}

/// A column compared with a constant.
#[derive(Debug)]
struct Part {
    name: Name,
    op: Op,
    bound: Bound,
    hint: u16,
}

#[derive(Debug)]
enum Bound {
    Number(f64),
    Text(Box<[u8]>),
}

impl Bound {
    fn of(expr: &Expr) -> Option<Self> {
        Some(match expr {
            #[expect(clippy::cast_precision_loss, reason = "float op int is float, as in eKuiper")]
            Expr::Const(Literal::Int(i)) => Self::Number(*i as f64),
            Expr::Const(Literal::Float(x)) => Self::Number(*x),
            Expr::Const(Literal::Str(text)) => Self::Text(text.as_bytes().into()),
            _ => return None,
        })
    }

    /// Whether a value as written stands to it as the operator says; `None` if that cannot be told.
    #[inline]
    fn met(&self, op: Op, raw: &[u8]) -> Option<bool> {
        match self {
            Self::Number(bound) => {
                let value = short_float(raw)?;
                Some(match op {
                    Op::Eq => value == *bound,
                    Op::Ne => value != *bound,
                    Op::Lt => value < *bound,
                    Op::Le => value <= *bound,
                    Op::Gt => value > *bound,
                    _ => value >= *bound,
                })
            }
            Self::Text(bound) => match raw {
                [b'"', text @ .., b'"'] if !text.contains(&b'\\') => Some(ordered(op, text.cmp(bound))),
                _ => None,
            },
        }
    }
}

impl Quick {
    /// What can be told of a rule's WHERE.
    pub(super) fn of(unit: &RuleUnit) -> Self {
        let mut parts = Vec::new();
        let whole = unit.plan.filter.as_ref().is_none_or(|filter| collect(filter, &unit.plan, &mut parts));
        Self { parts, whole }
    }

    /// Looks at a row whose keys are distinct. A part is told where its column is a plain decimal, or a string without escapes; the first
    /// that is not ends the look.
    pub(super) fn judge(&mut self, object: &[u8], index: &[u8]) -> Verdict {
        for Part { name, op, bound, hint } in &mut self.parts {
            match body::find(index, object, name, hint).and_then(|raw| bound.met(*op, raw)) {
                Some(true) => {}
                Some(false) => return Verdict::Fails,
                None => return Verdict::Open,
            }
        }
        if self.whole { Verdict::Holds } else { Verdict::Open }
    }
}

/// Whether a comparison of texts holds.
const fn ordered(op: Op, order: Ordering) -> bool {
    match op {
        Op::Eq => order.is_eq(),
        Op::Ne => order.is_ne(),
        Op::Lt => order.is_lt(),
        Op::Le => order.is_le(),
        Op::Gt => order.is_gt(),
        _ => order.is_ge(),
    }
}

/// Adds the parts of a condition; false at the first one that is of another kind.
fn collect(expr: &Expr, plan: &Plan, parts: &mut Vec<Part>) -> bool {
    let Expr::Binary(op, left, right) = expr else { return false };
    if *op == Op::And {
        return collect(left, plan, parts) && collect(right, plan, parts);
    }
    let turned = match op {
        Op::Eq | Op::Ne => *op,
        Op::Lt => Op::Gt,
        Op::Le => Op::Ge,
        Op::Gt => Op::Lt,
        Op::Ge => Op::Le,
        _ => return false,
    };
    let (slot, op, bound) = match (&**left, &**right) {
        (Expr::Slot(slot), right) => (*slot, *op, Bound::of(right)),
        (left, Expr::Slot(slot)) => (*slot, turned, Bound::of(left)),
        _ => return false,
    };
    let (Some(bound), Some(SlotKind::Column { name, .. })) = (bound, plan.slots.get(usize::from(slot.0))) else { return false };
    parts.push(Part { name: Name::new(name), op, bound, hint: 0 });
    true
}
