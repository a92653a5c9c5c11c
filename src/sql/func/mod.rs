//! The one list of functions: name, arguments, result, null rule, example. `eval/func` implements what stands here.
//!
//! One table per family ([`math`], [`string`], ...); [`find`] looks a name up in all of them, in any letter case.
//! `docs/sql.md` is generated from these tables and every example that names its result is run by a test, so a row is
//! documentation and check at once. Follows eKuiper's function pages (<https://ekuiper.org/docs/en/latest/sqls/>).

pub mod aggregate;
pub mod analytic;
pub mod array;
pub mod convert;
pub mod datetime;
pub mod hash;
pub mod json_path;
pub mod math;
pub mod object;
pub mod other;
pub mod prepare;
pub mod set;
pub mod string;
pub mod window;

/// The file of this folder (and of `eval/func`) that a function lives in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// Arithmetic, bits, random numbers.
    Math,
    /// Text.
    String,
    /// Conversions between types and encodings.
    Convert,
    /// Digests.
    Hash,
    /// JSON paths.
    JsonPath,
    /// Dates and times.
    DateTime,
    /// Lists.
    Array,
    /// Maps.
    Object,
    /// One value from a group of rows.
    Aggregate,
    /// One value from a row and those before it.
    Analytic,
    /// Several rows from one.
    SetReturning,
    /// Window definitions and their bounds.
    Window,
    /// What fits nowhere else.
    Other,
}

/// How a function takes part in a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One value from the values of one row.
    Scalar,
    /// One value from the rows of a group; over a plain row it sees a list argument or that row alone.
    Aggregate,
    /// One value from this row and remembered ones; takes `OVER (PARTITION BY .. WHEN ..)`.
    Analytic,
    /// Several rows from one; only as a top-level field of SELECT.
    SetReturning,
    /// Defines a window; only in GROUP BY.
    Window,
}

/// What happens to a nil argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nulls {
    /// Any nil, or empty list or map, among the arguments gives nil at once.
    AnyNil,
    /// The function sees nils and decides itself.
    Taken,
}

/// What a *literal* argument at one place must be. Fields and other expressions are judged at run time. A comparison, AND, OR,
/// IN, BETWEEN and LIKE count as boolean literals here, as they do in eKuiper.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arg {
    /// Anything.
    Any,
    /// Not a number, time unit or boolean literal.
    String,
    /// Not a string, time unit or boolean literal.
    Number,
    /// Not a string, time unit, boolean or float literal.
    Int,
    /// As [`Arg::Int`], and no bare column either (`lag`).
    Count,
    /// Not a time unit, boolean or float literal.
    IntOrString,
    /// Not a number, string or time unit literal.
    Bool,
    /// Not a number, string or boolean literal: times are columns or calls.
    DateTime,
    /// A column reference and nothing else.
    Field,
    /// A boolean literal (or comparison) and nothing else.
    BoolLiteral,
    /// A string literal and nothing else.
    StringLiteral,
    /// An integer literal and nothing else.
    IntLiteral,
    /// A time unit (`ss`, `mi`, ...) and nothing else.
    TimeUnit,
    /// A name of arrival facts, as in `meta(topic)`: no literal but a string (`meta("topic")`).
    Meta,
}

/// How many arguments, and what literals among them must be.
#[derive(Debug, Clone, Copy)]
pub struct Args {
    /// Fewest.
    pub min: usize,
    /// Most; [`usize::MAX`] when there is no bound.
    pub max: usize,
    /// By place; the last one stands for all further places. Empty: anything anywhere.
    pub kinds: &'static [Arg],
}

impl Args {
    /// Exactly as many arguments as `kinds` has entries.
    #[must_use]
    pub const fn exact(kinds: &'static [Arg]) -> Self {
        Self { min: kinds.len(), max: kinds.len(), kinds }
    }

    /// From `min` up to as many arguments as `kinds` has entries.
    #[must_use]
    pub const fn from(min: usize, kinds: &'static [Arg]) -> Self {
        Self { min, max: kinds.len(), kinds }
    }

    /// At least `min` arguments, no upper bound.
    #[must_use]
    pub const fn many(min: usize, kinds: &'static [Arg]) -> Self {
        Self { min, max: usize::MAX, kinds }
    }

    /// What a literal at `place` (from 0) must be.
    #[must_use]
    pub fn kind_at(&self, place: usize) -> Arg {
        self.kinds.get(place).or_else(|| self.kinds.last()).copied().unwrap_or(Arg::Any)
    }
}

/// One function.
#[derive(Debug)]
pub struct Func {
    /// Its name, in lower case.
    pub name: &'static str,
    /// Other names for the same thing, in lower case.
    pub aliases: &'static [&'static str],
    /// How it takes part in a query.
    pub kind: Kind,
    /// Its arguments.
    pub args: Args,
    /// What happens to nil arguments.
    pub nulls: Nulls,
    /// Type of the result, as the documentation shows it.
    pub result: &'static str,
    /// What it does, in a sentence.
    pub note: &'static str,
    /// An expression that shows it.
    pub example: &'static str,
    /// JSON of the example's result, or empty when that varies or needs rows.
    pub gives: &'static str,
}

impl Func {
    /// A scalar function that gives nil for any nil, or empty list or map, among its arguments.
    const fn scalar(
        name: &'static str,
        args: Args,
        result: &'static str,
        note: &'static str,
        example: &'static str,
        gives: &'static str,
    ) -> Self {
        Self { name, aliases: &[], kind: Kind::Scalar, args, nulls: Nulls::AnyNil, result, note, example, gives }
    }

    /// The same function as one that decides about nils itself.
    const fn takes_nil(self) -> Self {
        Self { nulls: Nulls::Taken, ..self }
    }

    /// The same function under further names.
    const fn also(self, aliases: &'static [&'static str]) -> Self {
        Self { aliases, ..self }
    }

    /// The same function as one of another kind.
    const fn of(self, kind: Kind) -> Self {
        Self { kind, ..self }
    }
}

/// Place of a function in the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FuncId {
    /// The table.
    pub family: Family,
    /// The row in it.
    pub index: u16,
}

/// All tables, in the order in which they are searched and documented.
pub static FAMILIES: &[(Family, &[Func])] = &[
    (Family::Aggregate, aggregate::FUNCS),
    (Family::Math, math::FUNCS),
    (Family::String, string::FUNCS),
    (Family::Convert, convert::FUNCS),
    (Family::Hash, hash::FUNCS),
    (Family::JsonPath, json_path::FUNCS),
    (Family::DateTime, datetime::FUNCS),
    (Family::Array, array::FUNCS),
    (Family::Object, object::FUNCS),
    (Family::Analytic, analytic::FUNCS),
    (Family::SetReturning, set::FUNCS),
    (Family::Window, window::FUNCS),
    (Family::Other, other::FUNCS),
];

/// The function called `name` (any letter case, aliases included).
#[must_use]
pub fn find(name: &str) -> Option<(FuncId, &'static Func)> {
    for (family, funcs) in FAMILIES {
        for (index, func) in funcs.iter().enumerate() {
            if func.name.eq_ignore_ascii_case(name) || func.aliases.iter().any(|a| a.eq_ignore_ascii_case(name)) {
                return Some((FuncId { family: *family, index: u16::try_from(index).ok()? }, func));
            }
        }
    }
    None
}

/// The row behind an id that [`find`] gave.
#[must_use]
pub fn get(id: FuncId) -> Option<&'static Func> {
    let (_, funcs) = FAMILIES.iter().find(|(family, _)| *family == id.family)?;
    funcs.get(usize::from(id.index))
}

#[cfg(test)]
mod tests;
