//! One value from a group of rows (eKuiper: aggregate functions).
//!
//! Nils among the values are left out unless the row says otherwise; over no rows at all the result is nil.

use super::{Arg, Args, Func, Kind, Nulls};

const NUMBER: Args = Args::exact(&[Arg::Number]);
const ANY: Args = Args::exact(&[Arg::Any]);
const PERCENTILE: Args = Args::exact(&[Arg::Number, Arg::Number]);
const FLAGGED: Args = Args::exact(&[Arg::Any, Arg::BoolLiteral]);
const NONE: Args = Args::exact(&[]);

const fn aggregate(name: &'static str, args: Args, result: &'static str, note: &'static str, example: &'static str) -> Func {
    Func { name, aliases: &[], kind: Kind::Aggregate, args, nulls: Nulls::Taken, result, note, example, gives: "" }
}

/// The table of this family.
pub(super) static FUNCS: &[Func] = &[
    aggregate("avg", NUMBER, "int or float", "Mean; the mean of ints is an int, cut towards zero.", "avg(temperature)"),
    aggregate("count", ANY, "int", "Rows (`*`), or values that are not nil.", "count(*)"),
    aggregate("max", NUMBER, "int, float or text", "Largest value; all must be of the first one's type.", "max(temperature)"),
    aggregate("min", NUMBER, "int, float or text", "Smallest value; all must be of the first one's type.", "min(temperature)"),
    aggregate("sum", NUMBER, "int or float", "Sum; all must be of the first one's type.", "sum(amount)"),
    aggregate("collect", ANY, "list", "All values, or rows (`*`), in order, nils too.", "collect(temperature)"),
    aggregate("last_value", FLAGGED, "any", "Value of the last row, or of the last one that is not nil.", "last_value(temperature, true)"),
    aggregate("merge_agg", ANY, "object", "All objects, or rows (`*`), as one; of equal keys the last one wins.", "merge_agg(*)"),
    aggregate(
        "deduplicate",
        FLAGGED,
        "list or object",
        "With true the first row for each value of the column; with false the last row if its value is new, else nil.",
        "deduplicate(device, true)",
    ),
    aggregate("stddev", NUMBER, "float", "Standard deviation of the population.", "stddev(temperature)"),
    aggregate("stddevs", NUMBER, "float", "Standard deviation of a sample; of one value it is NaN.", "stddevs(temperature)"),
    aggregate("var", NUMBER, "float", "Variance of the population.", "var(temperature)"),
    aggregate("vars", NUMBER, "float", "Variance of a sample; of one value it is NaN.", "vars(temperature)"),
    aggregate(
        "percentile_cont",
        PERCENTILE,
        "float",
        "The value that the share 0..1 of all values does not exceed, between two values their mean.",
        "percentile_cont(temperature, 0.5)",
    ),
    aggregate(
        "percentile_disc",
        PERCENTILE,
        "float",
        "The value that the share 0..1 of all values does not exceed, by nearest rank.",
        "percentile_disc(temperature, 0.5)",
    ),
    aggregate("median", NUMBER, "int or float", "Value in the middle, or the mean of the two in the middle.", "median(temperature)"),
    aggregate("last_agg_hit_count", NONE, "int", "How often the rule's window met its condition before.", "last_agg_hit_count()"),
    aggregate("last_agg_hit_time", NONE, "int", "When it last did, in milliseconds; 0 before the first time.", "last_agg_hit_time()"),
];
