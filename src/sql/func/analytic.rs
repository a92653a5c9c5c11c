//! One value from a row and those before it (eKuiper: analytic functions).
//!
//! Each takes `OVER (PARTITION BY … WHEN …)`: state is kept per partition, and changed only by rows that meet WHEN.

use super::{Arg, Args, Func, Kind, Nulls};

/// `acc_sum(x)` or `acc_sum(x, begin, reset)`; two arguments are refused when the statement is checked.
const ACC: Args = Args::from(1, &[Arg::Any, Arg::Any, Arg::Any]);

const fn analytic(name: &'static str, args: Args, result: &'static str, note: &'static str, example: &'static str) -> Func {
    Func { name, aliases: &[], kind: Kind::Analytic, args, nulls: Nulls::Taken, result, note, example, gives: "" }
}

/// The table of this family.
pub(super) static FUNCS: &[Func] = &[
    analytic(
        "lag",
        Args::from(1, &[Arg::Any, Arg::Count, Arg::Any, Arg::Bool]),
        "any",
        "The value some rows back (1 if not given), else the default; nils are left out unless the fourth argument is false.",
        "lag(temperature, 1, 0)",
    ),
    analytic(
        "latest",
        Args::from(1, &[Arg::Any, Arg::Any]),
        "any",
        "The last value that is not nil, else the default.",
        "latest(temperature)",
    ),
    analytic(
        "changed_col",
        Args::exact(&[Arg::Bool, Arg::Any]),
        "any",
        "The value if it differs from the one before, else nil. With true, nils are left out.",
        "changed_col(true, temperature)",
    ),
    analytic(
        "had_changed",
        Args::many(2, &[Arg::Bool, Arg::Any]),
        "bool",
        "Whether any of the values (`*`: of the row) differs from the one before. With true, nils are left out.",
        "had_changed(true, temperature, humidity)",
    ),
    analytic(
        "changed_cols",
        Args::many(3, &[Arg::Any]),
        "columns",
        "The columns whose values differ from the ones before, under their names behind a prefix. With true, nils are left out.",
        "changed_cols(\"c_\", true, temperature, humidity)",
    ),
    analytic(
        "acc_avg",
        ACC,
        "float",
        "Running mean since the start, or from the row where begin holds to the one where reset does.",
        "acc_avg(a)",
    ),
    analytic("acc_max", ACC, "float", "Running maximum, likewise.", "acc_max(a)"),
    analytic("acc_min", ACC, "float", "Running minimum, likewise.", "acc_min(a)"),
    analytic("acc_sum", ACC, "float", "Running sum, likewise.", "acc_sum(a)"),
    analytic("acc_count", ACC, "int", "Running count of values that are not nil, likewise.", "acc_count(a, a > 1, a > 5)"),
];
