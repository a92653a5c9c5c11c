//! Conversions between types and encodings (eKuiper: transform functions, and the JSON text ones).

use super::{Arg, Args, Func};

const ONE: Args = Args::exact(&[Arg::Any]);
const TEXT: Args = Args::exact(&[Arg::String]);
const TWO_TEXTS: Args = Args::exact(&[Arg::String, Arg::String]);
const CODED: Args = Args::exact(&[Arg::String, Arg::StringLiteral]);

/// The table of this family.
pub(super) static FUNCS: &[Func] = &[
    Func::scalar(
        "cast",
        Args::exact(&[Arg::Any, Arg::String]),
        "the named type",
        "Converted to bigint, float, string, boolean, datetime or bytea; what cannot be converted is an error. Text to bigint takes the prefixes 0x, 0o and 0b; a float is cut.",
        "cast(\"0x1F\", \"bigint\")",
        "31",
    ),
    Func::scalar("chr", Args::exact(&[Arg::IntOrString]), "int", "The code of a character, or a number as a code.", "chr(\"A\")", "65"),
    Func::scalar("encode", CODED, "string", "Text in base64, the only encoding.", "encode(\"hello\", \"base64\")", "\"aGVsbG8=\""),
    Func::scalar("decode", CODED, "bytea", "The octets of a base64 text.", "decode(\"aGVsbG8=\", \"base64\")", "\"aGVsbG8=\""),
    Func::scalar(
        "trunc",
        Args::exact(&[Arg::Number, Arg::Int]),
        "float",
        "Rounded to so many decimals, halves away from zero.",
        "trunc(2.345, 2)",
        "2.35",
    ),
    Func::scalar("hex2dec", TEXT, "int", "The number of a hexadecimal text, with or without 0x.", "hex2dec(\"0x10\")", "16"),
    Func::scalar(
        "dec2hex",
        TEXT,
        "string",
        "A whole number in hexadecimal, with 0x. A literal is refused.",
        "dec2hex(length(\"0123456789abcdef\"))",
        "\"0x10\"",
    ),
    Func::scalar("to_json", ONE, "string", "The JSON text of a value.", "to_json(\"a<b\")", "\"\\\"a\\\\u003cb\\\"\""),
    Func::scalar(
        "parse_json",
        TEXT,
        "any",
        "The value of a JSON text; nil for nil and for null.",
        "parse_json(\"{\\\"a\\\":[1]}\")",
        "{\"a\":[1]}",
    )
    .takes_nil(),
    Func::scalar(
        "to_seconds",
        ONE,
        "int",
        "Seconds since 1970 of a time, milliseconds or a date text.",
        "to_seconds(1709210096789)",
        "1709210096",
    ),
    Func::scalar(
        "convert_tz",
        Args::exact(&[Arg::DateTime, Arg::String]),
        "datetime",
        "The same moment in another time zone, named as in the IANA database.",
        "convert_tz(cast(0, \"datetime\"), \"Asia/Shanghai\")",
        "\"1970-01-01T08:00:00+08:00\"",
    ),
    Func::scalar(
        "compress",
        TWO_TEXTS,
        "bytea",
        "Text or octets compressed: zlib, gzip, flate or zstd.",
        "cast(decompress(compress(\"hello\", \"gzip\"), \"gzip\"), \"string\")",
        "\"hello\"",
    )
    .takes_nil(),
    Func::scalar(
        "decompress",
        TWO_TEXTS,
        "bytea",
        "The octets behind compressed ones: zlib, gzip, flate or zstd.",
        "cast(decompress(decode(\"y0jNyckHAA==\", \"base64\"), \"flate\"), \"string\")",
        "\"hello\"",
    )
    .takes_nil(),
];
