//! Several rows from one (eKuiper: multi row functions). At most one in a SELECT, at its top level.

use super::{Arg, Args, Func, Kind};

/// The table of this family.
pub(super) static FUNCS: &[Func] = &[
    Func::scalar(
        "unnest",
        Args::exact(&[Arg::Any]),
        "rows",
        "A row per element of a list; the members of maps become columns. No list is an error.",
        "unnest(a)",
        "",
    )
    .of(Kind::SetReturning),
    Func::scalar("extract", Args::exact(&[Arg::Any]), "row", "The members of a map as columns. No map is an error.", "extract(a)", "")
        .of(Kind::SetReturning),
];
