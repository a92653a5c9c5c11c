//! Arithmetic, bits and random numbers (eKuiper: mathematical functions).
//!
//! Numbers only: text and booleans are errors. Results are floats unless the row says int.

use super::{Arg, Args, Func};

const ONE: Args = Args::exact(&[Arg::Number]);
const TWO: Args = Args::exact(&[Arg::Number, Arg::Number]);
const TWO_INTS: Args = Args::exact(&[Arg::Int, Arg::Int]);
const NONE: Args = Args::exact(&[]);

/// The table of this family.
pub(super) static FUNCS: &[Func] = &[
    Func::scalar("abs", ONE, "int or float", "Absolute value; an int stays an int.", "abs(-1.5)", "1.5"),
    Func::scalar("acos", ONE, "float", "Arc cosine in radians; nil outside -1..1.", "acos(1)", "0"),
    Func::scalar("asin", ONE, "float", "Arc sine in radians; nil outside -1..1.", "asin(0)", "0"),
    Func::scalar("atan", ONE, "float", "Arc tangent in radians.", "atan(0)", "0"),
    Func::scalar("atan2", TWO, "float", "Angle in radians of the point (second, first).", "atan2(0, 1)", "0"),
    Func::scalar("bitand", TWO_INTS, "int", "Bits set in both; floats must be whole.", "bitand(6, 3)", "2"),
    Func::scalar("bitor", TWO_INTS, "int", "Bits set in either; floats must be whole.", "bitor(6, 3)", "7"),
    Func::scalar("bitxor", TWO_INTS, "int", "Bits set in one of them; floats must be whole.", "bitxor(6, 3)", "5"),
    Func::scalar("bitnot", Args::exact(&[Arg::Int]), "int", "All bits turned; a float must be whole.", "bitnot(5)", "-6"),
    Func::scalar("ceiling", ONE, "float", "Smallest whole number that is not below the argument.", "ceiling(1.2)", "2").also(&["ceil"]),
    Func::scalar("cos", ONE, "float", "Cosine of radians.", "cos(0)", "1"),
    Func::scalar("cosh", ONE, "float", "Hyperbolic cosine.", "cosh(0)", "1"),
    Func::scalar("exp", ONE, "float", "e to the power of the argument.", "exp(0)", "1"),
    Func::scalar("floor", ONE, "float", "Largest whole number that is not above the argument.", "floor(1.8)", "1"),
    Func::scalar(
        "ln",
        ONE,
        "float",
        "Natural logarithm; a negative argument is an error, 0 gives -Inf, which JSON cannot hold.",
        "ln(1)",
        "0",
    ),
    Func::scalar(
        "log",
        Args::from(1, &[Arg::Number, Arg::Any]),
        "float",
        "Decimal logarithm, or with two arguments the logarithm of the second to the base of the first.",
        "log(2, 8)",
        "3",
    ),
    Func::scalar(
        "mod",
        TWO,
        "float",
        "Remainder of the division, with the sign of the first; by 0 it is NaN, which JSON cannot hold.",
        "mod(7, 3)",
        "1",
    ),
    Func::scalar("pi", NONE, "float", "The number pi.", "pi()", "3.141592653589793"),
    Func::scalar("power", TWO, "float", "First to the power of the second.", "power(2, 3)", "8").also(&["pow"]),
    Func::scalar("rand", NONE, "float", "Random number from 0 up to, but not including, 1.", "rand()", "").takes_nil(),
    Func::scalar(
        "round",
        Args::from(1, &[Arg::Number, Arg::Number]),
        "float",
        "Rounded to so many decimals (0 if not given), halves away from zero; a negative count rounds to tens, hundreds.",
        "round(42.4382, 2)",
        "42.44",
    ),
    Func::scalar("sign", ONE, "int", "1, 0 or -1.", "sign(-3.5)", "-1"),
    Func::scalar("sin", ONE, "float", "Sine of radians.", "sin(0)", "0"),
    Func::scalar("sinh", ONE, "float", "Hyperbolic sine.", "sinh(0)", "0"),
    Func::scalar("sqrt", ONE, "float", "Square root; a negative argument is an error.", "sqrt(9)", "3"),
    Func::scalar("tan", ONE, "float", "Tangent of radians.", "tan(0)", "0"),
    Func::scalar("tanh", ONE, "float", "Hyperbolic tangent.", "tanh(0)", "0"),
    Func::scalar("cot", ONE, "float", "Cotangent of radians; an error at 0.", "cot(1)", "0.6420926159343306"),
    Func::scalar("radians", ONE, "float", "Degrees to radians.", "radians(180)", "3.141592653589793"),
    Func::scalar("degrees", ONE, "float", "Radians to degrees.", "degrees(0)", "0"),
    Func::scalar(
        "conv",
        Args::exact(&[Arg::Any, Arg::IntLiteral, Arg::IntLiteral]),
        "string",
        "A number written to the base of the second argument, rewritten to the base of the third (2 to 36, else nil); a negative base counts as signed.",
        "conv(\"6E\", 18, 8)",
        "\"172\"",
    ),
];
