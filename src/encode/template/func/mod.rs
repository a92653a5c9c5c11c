//! The functions of templates: Go's built-ins, sprig v3 without network, environment and key making, `json` and `base64`.
//!
//! A function is a name, Go's parameter types (checked before it runs, as Go's reflection would) and its implementation.
//! What eKuiper would have but is not here is refused when the rule is created, by name ([`find`]).

mod builtin;
mod crypto;
mod data;
mod dates;
mod dict;
mod list;
mod math;
mod path;
mod regex;
mod string;

use core::cell::Cell;

pub(super) use builtin::same;
pub(super) use regex::compile;

use super::val::{Cx, Res, Val};
use crate::value::Fault;

/// Go's type of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Param {
    /// `interface {}`
    Any,
    /// `string`
    Str,
    /// `int`
    Int,
    /// `float64`
    Float,
    /// `bool`
    Bool,
    /// `map[string]interface {}`
    Map,
    /// `time.Time`
    Time,
}

impl Param {
    pub(super) const fn type_name(self) -> &'static str {
        match self {
            Self::Any => "interface {}",
            Self::Str => "string",
            Self::Int => "int",
            Self::Float => "float64",
            Self::Bool => "bool",
            Self::Map => "map[string]interface {}",
            Self::Time => "time.Time",
        }
    }
}

/// Arguments, checked against the parameters.
pub(super) type Args<'c, 'a> = &'c [Cell<Val<'a>>];

/// An implementation.
pub(super) type Run = for<'c, 'a> fn(&Cx<'c, 'a>, Args<'_, 'a>) -> Res<'a>;

/// One function.
pub(super) struct Func {
    pub(super) name: &'static str,
    pub(super) fixed: &'static [Param],
    /// Type of any number of further arguments.
    pub(super) rest: Option<Param>,
    pub(super) run: Run,
}

impl core::fmt::Debug for Func {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.name)
    }
}

impl Func {
    const fn new(name: &'static str, fixed: &'static [Param], rest: Option<Param>, run: Run) -> Self {
        Self { name, fixed, rest, run }
    }

    /// True if its first argument is a regular expression.
    pub(super) fn takes_pattern(&self) -> bool {
        regex::FUNCS.iter().any(|f| f.name == self.name && f.name != "regexQuoteMeta")
    }
}

const TABLES: &[&[Func]] = &[
    builtin::FUNCS,
    crypto::FUNCS,
    data::FUNCS,
    dates::FUNCS,
    dict::FUNCS,
    list::FUNCS,
    math::FUNCS,
    path::FUNCS,
    regex::FUNCS,
    string::FUNCS,
];

/// What eKuiper's templates have and these do not.
const MISSING: &[(&str, &str)] = &[
    ("call", "readings hold no functions"),
    ("env", "templates do not see the environment"),
    ("expandenv", "templates do not see the environment"),
    ("getHostByName", "templates do not use the network"),
    ("bcrypt", "templates make no keys or password hashes"),
    ("htpasswd", "templates make no keys or password hashes"),
    ("derivePassword", "templates make no keys or password hashes"),
    ("genPrivateKey", "templates make no keys or password hashes"),
    ("buildCustomCert", "templates make no keys or password hashes"),
    ("genCA", "templates make no keys or password hashes"),
    ("genCAWithKey", "templates make no keys or password hashes"),
    ("genSelfSignedCert", "templates make no keys or password hashes"),
    ("genSelfSignedCertWithKey", "templates make no keys or password hashes"),
    ("genSignedCert", "templates make no keys or password hashes"),
    ("genSignedCertWithKey", "templates make no keys or password hashes"),
    ("encryptAES", "templates do not encrypt"),
    ("decryptAES", "templates do not decrypt"),
];

/// The function of that name, or why there is none.
pub(super) fn find(name: &str) -> Result<&'static Func, String> {
    if let Some(function) = TABLES.iter().flat_map(|t| t.iter()).find(|f| f.name == name) {
        return Ok(function);
    }
    Err(match MISSING.iter().find(|(n, _)| *n == name) {
        Some((_, why)) => format!("function {name:?} is not supported: {why}"),
        None => format!("function {name:?} not defined"),
    })
}

/// Every function's name.
#[cfg(test)]
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    TABLES.iter().flat_map(|t| t.iter()).map(|f| f.name)
}

fn arg<'a>(args: Args<'_, 'a>, i: usize) -> Val<'a> {
    args.get(i).map_or(Val::NIL, Cell::get)
}

/// A string argument.
fn text<'a>(args: Args<'_, 'a>, i: usize) -> &'a str {
    arg(args, i).text().unwrap_or("")
}

/// An int argument.
fn int(args: Args<'_, '_>, i: usize) -> i64 {
    match arg(args, i).v {
        crate::value::Value::Int(i) => i,
        _ => 0,
    }
}

/// Arguments from `from` on.
fn rest<'c, 'a>(args: Args<'c, 'a>, from: usize) -> impl Iterator<Item = Val<'a>> + use<'c, 'a> {
    args.get(from..).unwrap_or(&[]).iter().map(Cell::get)
}

/// What dereferencing a nil type gives in Go.
const NIL_POINTER: Fault<'static> = Fault::new("runtime error: invalid memory address or nil pointer dereference");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_unknown_ones_are_told_apart() {
        let mut names: Vec<_> = TABLES.iter().flat_map(|t| t.iter()).map(|f| f.name).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
        assert!(MISSING.iter().all(|(name, _)| !names.contains(name)));
        assert!(find("env").is_err_and(|e| e.contains("environment")));
        assert!(find("nope").is_err_and(|e| e.contains("not defined")));
    }
}
