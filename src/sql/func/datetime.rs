//! Dates and times (eKuiper: date and time functions).
//!
//! A time is a datetime, milliseconds since 1970 or text in a known layout; fields are read in the rule's time zone. Most refuse
//! nil; literals are refused where a column or call must stand (`cast(0, "datetime")` is a call).

use super::{Arg, Args, Func};

const TIME: Args = Args::exact(&[Arg::DateTime]);
const FRACTION: Args = Args::from(0, &[Arg::IntLiteral]);
const NONE: Args = Args::exact(&[]);
/// A whole number that is no literal.
const COUNT: Args = Args::exact(&[Arg::DateTime]);

/// A part of a time, which nil has none of.
const fn part(name: &'static str, result: &'static str, note: &'static str, example: &'static str, gives: &'static str) -> Func {
    Func::scalar(name, TIME, result, note, example, gives).takes_nil()
}

/// The table of this family.
pub(super) static FUNCS: &[Func] = &[
    Func::scalar(
        "now",
        FRACTION,
        "string",
        "The current time as `yyyy-MM-dd HH:mm:ss`, with one to six digits of the second if asked for.",
        "now(3)",
        "",
    )
    .takes_nil()
    .also(&["current_timestamp", "local_time", "local_timestamp"]),
    Func::scalar("cur_date", NONE, "string", "Today as `yyyy-MM-dd`.", "cur_date()", "").takes_nil().also(&["current_date"]),
    Func::scalar(
        "cur_time",
        FRACTION,
        "string",
        "The current time of day as `HH:mm:ss`, with digits of the second as in `now`.",
        "cur_time()",
        "",
    )
    .takes_nil()
    .also(&["current_time"]),
    Func::scalar(
        "format_time",
        Args::exact(&[Arg::DateTime, Arg::String]),
        "string",
        "The time by a pattern: yyyy, MM, dd, HH, mm, ss, SSS (with its point), a, EEE, XXX and their kin.",
        "format_time(cast(1709210096789, \"datetime\"), \"yyyy-MM-dd HH:mm:ssSSS\")",
        "\"2024-02-29 12:34:56.789\"",
    ),
    Func::scalar(
        "date_calc",
        Args::exact(&[Arg::DateTime, Arg::StringLiteral]),
        "string",
        "The time moved by a duration as `1h30m`, `-10s`, `500ms`.",
        "date_calc(cast(\"2019-01-01\", \"datetime\"), \"1h30m\")",
        "\"2019-01-01 01:30:00\"",
    )
    .takes_nil(),
    Func::scalar(
        "date_diff",
        Args::exact(&[Arg::DateTime, Arg::DateTime]),
        "int",
        "Nanoseconds from the first to the second.",
        "date_diff(cast(1000, \"datetime\"), cast(2500, \"datetime\"))",
        "1500000000",
    )
    .takes_nil(),
    part("day_name", "string", "Name of the weekday.", "day_name(cast(0, \"datetime\"))", "\"Thursday\""),
    part("day_of_month", "int", "Day of the month, from 1.", "day_of_month(cast(0, \"datetime\"))", "1").also(&["day"]),
    part("day_of_week", "int", "Weekday, 0 for Sunday.", "day_of_week(cast(0, \"datetime\"))", "4"),
    part("day_of_year", "int", "Day of the year, from 1.", "day_of_year(cast(0, \"datetime\"))", "1"),
    Func::scalar(
        "from_days",
        COUNT,
        "string",
        "The date of a day number, 1 for 1970-01-01; nil for 0.",
        "from_days(length(\"ab\"))",
        "\"1970-01-02\"",
    ),
    Func::scalar(
        "from_unix_time",
        COUNT,
        "string",
        "The time of seconds since 1970; nil for 0.",
        "from_unix_time(length(\"ab\"))",
        "\"1970-01-01 00:00:02\"",
    ),
    part("hour", "int", "Hour, from 0.", "hour(cast(0, \"datetime\"))", "0"),
    part("last_day", "string", "Last day of the month.", "last_day(cast(\"2024-02-03\", \"datetime\"))", "\"2024-02-29\""),
    part("microsecond", "int", "Microseconds of the second.", "microsecond(cast(1250, \"datetime\"))", "250000"),
    part("minute", "int", "Minute of the hour.", "minute(cast(61000, \"datetime\"))", "1"),
    part("month", "int", "Month, from 1.", "month(cast(0, \"datetime\"))", "1"),
    part("month_name", "string", "Name of the month.", "month_name(cast(0, \"datetime\"))", "\"January\""),
    part("second", "int", "Second of the minute.", "second(cast(61000, \"datetime\"))", "1"),
    Func::scalar("tstamp", NONE, "int", "Milliseconds since 1970, now.", "tstamp()", "").takes_nil(),
];
