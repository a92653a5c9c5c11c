//! The bounds of a window and the number of a row in it (eKuiper: windows, window functions). The windows themselves are grammar.

use super::{Args, Func, Kind};

const NONE: Args = Args::exact(&[]);

/// The table of this family.
pub(super) static FUNCS: &[Func] = &[
    Func::scalar("window_start", NONE, "int", "Where the window begins, in milliseconds; nil without a window.", "window_start()", ""),
    Func::scalar("window_end", NONE, "int", "Where the window ends, in milliseconds; nil without a window.", "window_end()", ""),
    Func::scalar(
        "window_trigger",
        NONE,
        "int",
        "When the window was closed, in milliseconds; nil without a window.",
        "window_trigger()",
        "",
    ),
    Func::scalar("row_number", NONE, "int", "Number of the row in its window, from 1, before ORDER BY.", "row_number()", "1")
        .of(Kind::Window),
];
