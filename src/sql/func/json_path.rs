//! JSON paths over maps, lists and JSON text (eKuiper: JSON functions). The paths are those of [`crate::sql::json_path`].

use super::{Arg, Args, Func};

const TWO: Args = Args::exact(&[Arg::Any, Arg::StringLiteral]);

/// The table of this family.
pub(super) static FUNCS: &[Func] = &[
    Func::scalar(
        "json_path_query",
        TWO,
        "any",
        "What the path leads to: a list if it may lead to several values (`*`, `..`, ranges, filters), else a value; an error if there is nothing.",
        "json_path_query(object_construct(\"a\", array_create(1, 2)), \"$.a[1]\")",
        "2",
    )
    .takes_nil(),
    Func::scalar(
        "json_path_query_first",
        TWO,
        "any",
        "The first of the list that the path leads to; an error if that is no list, nil if it is empty.",
        "json_path_query_first(object_construct(\"a\", array_create(1, 2)), \"$.a[*]\")",
        "1",
    )
    .takes_nil(),
    Func::scalar(
        "json_path_exists",
        TWO,
        "boolean",
        "Whether the path leads to anything; false for null and an empty list.",
        "json_path_exists(object_construct(\"a\", 1), \"$.b\")",
        "false",
    )
    .takes_nil(),
];
