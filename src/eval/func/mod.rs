//! Scalar functions by family; each file gives its implementations by name, and [`scalar`] finds them.

use super::{Ctx, ScalarFn};
use crate::sql::func::{Family, FuncId};
use crate::value::{Moment, Value};

/// Name and implementation, in any order.
pub(crate) type Table = &'static [(&'static str, ScalarFn)];

fn table(family: Family) -> Table {
    match family {
        Family::Math
        | Family::String
        | Family::Convert
        | Family::Hash
        | Family::JsonPath
        | Family::DateTime
        | Family::Array
        | Family::Object
        | Family::Aggregate
        | Family::Analytic
        | Family::SetReturning
        | Family::Window
        | Family::Other => &[],
    }
}

/// The implementation of a scalar function, by the name that `sql/func` gives it.
#[must_use]
pub fn scalar(id: FuncId, name: &str) -> Option<ScalarFn> {
    table(id.family).iter().find(|(n, _)| *n == name).map(|(_, f)| *f)
}

/// `value` as a moment, as far as eKuiper converts: a time, milliseconds, or text in a known layout.
#[must_use]
pub fn to_moment<'a>(value: Value<'a>, _ctx: &Ctx<'_, 'a>) -> Option<Moment> {
    match value {
        Value::Time(t) => Some(t),
        Value::Int(ms) => Some(Moment::from_ms(ms)),
        #[expect(clippy::cast_possible_truncation, reason = "milliseconds are whole")]
        Value::Float(ms) => Some(Moment::from_ms(ms as i64)),
        _ => None,
    }
}
