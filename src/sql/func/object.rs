//! Maps (eKuiper: object functions). Keys come in alphabetical order.

use super::{Arg, Args, Func};

const ONE: Args = Args::exact(&[Arg::Any]);
const TWO: Args = Args::exact(&[Arg::Any, Arg::Any]);
const TWO_OR_MORE: Args = Args::many(2, &[Arg::Any]);

/// The table of this family.
pub(super) static FUNCS: &[Func] = &[
    Func::scalar("keys", ONE, "list", "The keys.", "keys(object_construct(\"b\", 1, \"a\", 2))", "[\"a\",\"b\"]"),
    Func::scalar("values", ONE, "list", "The values, in the order of their keys.", "values(object_construct(\"b\", 1, \"a\", 2))", "[2,1]"),
    Func::scalar(
        "object",
        TWO,
        "map",
        "A map of a list of keys and a list of values.",
        "object(array_create(\"a\"), array_create(1))",
        "{\"a\":1}",
    ),
    Func::scalar("zip", ONE, "map", "A map of a list of pairs.", "zip(items(object_construct(\"a\", 1)))", "{\"a\":1}"),
    Func::scalar("items", ONE, "list", "The members as pairs of key and value.", "items(object_construct(\"a\", 1))", "[[\"a\",1]]"),
    Func::scalar(
        "object_concat",
        TWO_OR_MORE,
        "map",
        "The members of all maps, the last of equal keys; nils are skipped.",
        "object_concat(object_construct(\"a\", 1, \"b\", 2), object_construct(\"b\", 3))",
        "{\"a\":1,\"b\":3}",
    )
    .takes_nil(),
    // Keys stand at the odd places; the planner judges them (an even number of arguments, text).
    Func::scalar(
        "object_construct",
        Args::many(0, &[Arg::Any]),
        "map",
        "A map of keys and values in turn; a nil key drops its value.",
        "object_construct(\"a\", 1)",
        "{\"a\":1}",
    )
    .takes_nil(),
    Func::scalar(
        "erase",
        TWO_OR_MORE,
        "map",
        "The map without a key, or a list of keys.",
        "erase(object_construct(\"a\", 1, \"b\", 2), \"a\")",
        "{\"b\":2}",
    ),
    Func::scalar("object_size", ONE, "int", "Members; 0 for nil.", "object_size(object_construct(\"a\", 1))", "1").takes_nil(),
    Func::scalar(
        "object_pick",
        TWO_OR_MORE,
        "map",
        "The map with these keys alone: texts or one list of them; `a.b` picks b in the map a.",
        "object_pick(object_construct(\"a\", 1, \"b\", 2), \"b\")",
        "{\"b\":2}",
    )
    .takes_nil(),
    Func::scalar(
        "obj_to_kvpair_array",
        ONE,
        "list",
        "The members as a list of `{\"key\": .., \"value\": ..}`.",
        "obj_to_kvpair_array(object_construct(\"a\", 1))",
        "[{\"key\":\"a\",\"value\":1}]",
    ),
];
