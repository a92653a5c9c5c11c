//! Lists (eKuiper: array functions).
//!
//! Elements are compared by type and content: the int 1 is not the float 1, and numbers of a schemaless stream are floats.

use super::{Arg, Args, Func};

const ONE: Args = Args::exact(&[Arg::Any]);
const TWO: Args = Args::exact(&[Arg::Any, Arg::Any]);
const TWO_OR_THREE: Args = Args::from(2, &[Arg::Any, Arg::Any, Arg::Any]);

/// The table of this family.
pub(super) static FUNCS: &[Func] = &[
    Func::scalar(
        "array_create",
        Args::many(0, &[Arg::Any]),
        "list",
        "A list of the arguments without nils; nil if nothing is left.",
        "array_create(1, \"a\")",
        "[1,\"a\"]",
    )
    .takes_nil(),
    Func::scalar(
        "array_position",
        TWO,
        "int",
        "Place of the first equal element from 0; -1 if there is none, or no list.",
        "array_position(array_create(1, 2), 2)",
        "1",
    )
    .takes_nil(),
    Func::scalar(
        "element_at",
        TWO,
        "any",
        "The element at a place from 0, or from -1 at the end; the member of a map by its key.",
        "element_at(array_create(1, 2), -1)",
        "2",
    ),
    Func::scalar(
        "array_contains",
        TWO,
        "boolean",
        "Whether an element is equal; false for nil.",
        "array_contains(array_create(1, 2), 2)",
        "true",
    )
    .takes_nil(),
    Func::scalar(
        "array_remove",
        TWO,
        "list",
        "The list without the elements that are equal.",
        "array_remove(array_create(1, 2, 1), 1)",
        "[2]",
    )
    .takes_nil(),
    Func::scalar(
        "array_last_position",
        TWO,
        "int",
        "Place of the last equal element from 0; -1 if there is none, or no list.",
        "array_last_position(array_create(1, 2, 1), 1)",
        "2",
    )
    .takes_nil(),
    Func::scalar(
        "array_contains_any",
        TWO,
        "boolean",
        "Whether two lists have an element in common; false if the first is nil.",
        "array_contains_any(array_create(1, 2), array_create(2, 3))",
        "true",
    )
    .takes_nil(),
    Func::scalar(
        "array_intersect",
        TWO,
        "list",
        "What both have, once each, in the order of the second.",
        "array_intersect(array_create(1, 2, 3), array_create(3, 2))",
        "[3,2]",
    ),
    Func::scalar(
        "array_union",
        TWO,
        "list",
        "What either has, once each; nil counts as empty.",
        "array_union(array_create(1, 2), array_create(2, 3))",
        "[1,2,3]",
    )
    .takes_nil(),
    Func::scalar("array_max", ONE, "any", "The largest number or text; nils are skipped.", "array_max(array_create(1, 3, 2))", "3"),
    Func::scalar("array_min", ONE, "any", "The smallest number or text; nils are skipped.", "array_min(array_create(3, 1, 2))", "1"),
    Func::scalar(
        "array_except",
        TWO,
        "list",
        "What the first has and the second has not, once each.",
        "array_except(array_create(1, 2, 2), array_create(1))",
        "[2]",
    )
    .takes_nil(),
    Func::scalar("repeat", TWO, "list", "A list of so many times the same value.", "repeat(\"a\", 3)", "[\"a\",\"a\",\"a\"]"),
    Func::scalar(
        "sequence",
        TWO_OR_THREE,
        "list",
        "The whole numbers from the first to the second, by steps of 1, -1 or the third; empty if the step leads away.",
        "sequence(1, 7, 3)",
        "[1,4,7]",
    ),
    Func::scalar("array_cardinality", ONE, "int", "Elements that are not nil; 0 for nil.", "array_cardinality(array_create(1, 2))", "2")
        .takes_nil(),
    Func::scalar("cardinality", ONE, "int", "Elements of a list; 0 for anything else.", "cardinality(array_create(1, 2))", "2").takes_nil(),
    Func::scalar(
        "array_flatten",
        ONE,
        "list",
        "The elements of the lists in a list, one level deep.",
        "array_flatten(array_create(array_create(1, 2), 3))",
        "[1,2,3]",
    ),
    Func::scalar(
        "array_distinct",
        ONE,
        "list",
        "Each element once; lists and maps are all kept.",
        "array_distinct(array_create(1, 2, 1))",
        "[1,2]",
    ),
    Func::scalar(
        "array_map",
        TWO,
        "list",
        "What a scalar function of one argument makes of each element.",
        "array_map(\"upper\", array_create(\"a\", \"b\"))",
        "[\"A\",\"B\"]",
    ),
    Func::scalar(
        "array_join",
        TWO_OR_THREE,
        "string",
        "The elements as text with the second argument between them; nils are left out, or written as the third.",
        "array_join(array_create(1, 2), \"-\")",
        "\"1-2\"",
    ),
    Func::scalar("array_shuffle", ONE, "list", "The elements in random order.", "array_shuffle(array_create(1, 1))", "[1,1]"),
    Func::scalar(
        "array_sort",
        ONE,
        "list",
        "The elements in the order of their texts: 10 stands before 9.",
        "array_sort(array_create(3, 10, 2))",
        "[10,2,3]",
    ),
    Func::scalar(
        "array_concat",
        Args::many(1, &[Arg::Any]),
        "list",
        "The elements of all lists; nils are skipped.",
        "array_concat(array_create(1), array_create(2))",
        "[1,2]",
    )
    .takes_nil(),
    Func::scalar(
        "kvpair_array_to_obj",
        ONE,
        "map",
        "The map of a list of `{\"key\": .., \"value\": ..}`.",
        "kvpair_array_to_obj(obj_to_kvpair_array(object_construct(\"a\", 1)))",
        "{\"a\":1}",
    ),
];
