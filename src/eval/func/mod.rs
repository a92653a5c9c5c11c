//! Scalar functions by family; each file gives its implementations by name, and [`scalar`] finds them.

use super::ScalarFn;
use crate::sql::func::{Family, FuncId};

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
