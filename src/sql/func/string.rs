//! Text (eKuiper: string functions).
//!
//! What is no text is turned into Go's text first: `[1 2]`, `map[k:1]`, `1e+06`. Positions count octets from 0.

use super::{Arg, Args, Func};

const ONE: Args = Args::exact(&[Arg::String]);
const TWO: Args = Args::exact(&[Arg::String, Arg::String]);
const PAD: Args = Args::exact(&[Arg::String, Arg::Int]);

/// The table of this family.
pub(super) static FUNCS: &[Func] = &[
    Func::scalar(
        "concat",
        Args::many(1, &[Arg::String]),
        "string",
        "The texts one behind the other; nil counts as nothing.",
        "concat(\"a\", \"b\")",
        "\"ab\"",
    )
    .takes_nil(),
    Func::scalar(
        "endswith",
        TWO,
        "boolean",
        "Whether the first ends with the second; false for nil.",
        "endswith(\"gateway\", \"way\")",
        "true",
    )
    .takes_nil(),
    Func::scalar(
        "startswith",
        TWO,
        "boolean",
        "Whether the first begins with the second; false for nil.",
        "startswith(\"gateway\", \"gate\")",
        "true",
    )
    .takes_nil(),
    Func::scalar(
        "format",
        Args::many(2, &[Arg::Any, Arg::IntLiteral, Arg::StringLiteral]),
        "string",
        "A number with so many decimals, halves to even; with a locale, its marks and grouping. What is no number counts as 0.",
        "format(12332.1234567, 4, \"en_US\")",
        "\"12,332.1235\"",
    ),
    Func::scalar("indexof", TWO, "int", "Where the second begins in the first, -1 if nowhere or nil.", "indexof(\"abcd\", \"c\")", "2")
        .takes_nil(),
    Func::scalar(
        "length",
        Args::exact(&[Arg::Any]),
        "int",
        "Characters of a text, elements of a list, members of a map; 0 for nil.",
        "length(\"é€\")",
        "2",
    )
    .takes_nil(),
    Func::scalar("lower", ONE, "string", "In lower case.", "lower(\"ABC\")", "\"abc\""),
    Func::scalar("upper", ONE, "string", "In upper case, character by character.", "upper(\"abc\")", "\"ABC\""),
    Func::scalar("lpad", PAD, "string", "With so many spaces in front; a negative count is an error.", "lpad(\"a\", 2)", "\"  a\""),
    Func::scalar("rpad", PAD, "string", "With so many spaces behind; a negative count is an error.", "rpad(\"a\", 2)", "\"a  \""),
    Func::scalar("ltrim", ONE, "string", "Without white space in front.", "ltrim(\"  a \")", "\"a \""),
    Func::scalar("rtrim", ONE, "string", "Without white space behind.", "rtrim(\" a  \")", "\" a\""),
    Func::scalar("trim", ONE, "string", "Without white space on either side.", "trim(\" a \")", "\"a\""),
    Func::scalar("numbytes", ONE, "int", "Octets of the text in UTF-8; 0 for nil.", "numbytes(\"é\")", "2").takes_nil(),
    Func::scalar(
        "regexp_matches",
        TWO,
        "boolean",
        "Whether the pattern is found in the text; false for nil. Patterns are RE2's without \\p and \\Q.",
        "regexp_matches(\"dev7\", \"[0-9]+$\")",
        "true",
    )
    .takes_nil(),
    Func::scalar(
        "regexp_replace",
        Args::exact(&[Arg::String, Arg::String, Arg::String]),
        "string",
        "Every match of the pattern replaced; $1 and ${name} in the replacement are groups.",
        "regexp_replace(\"a1b2\", \"[0-9]\", \"-\")",
        "\"a-b-\"",
    ),
    Func::scalar(
        "regexp_substr",
        TWO,
        "string",
        "The first match of the pattern, empty if there is none.",
        "regexp_substr(\"dev42\", \"[0-9]+\")",
        "\"42\"",
    )
    .also(&["regexp_substring"]),
    Func::scalar("reverse", ONE, "string", "The characters backwards.", "reverse(\"abc\")", "\"cba\""),
    Func::scalar(
        "substring",
        Args::from(2, &[Arg::String, Arg::Int, Arg::Int]),
        "string",
        "From the first position up to, but not including, the second (or the end); past the end it is empty, negative is an error.",
        "substring(\"hello\", 1, 3)",
        "\"el\"",
    ),
    Func::scalar(
        "split_value",
        Args::exact(&[Arg::String, Arg::String, Arg::Int]),
        "string",
        "The text cut at the separator, the piece of that number from 0, or from -1 at the end.",
        "split_value(\"a/b/c\", \"/\", 1)",
        "\"b\"",
    ),
];
