//! What can be compiled from the literal arguments of a call when a rule is planned.

use std::sync::Mutex;

use regex_lite::Regex;

use crate::sql::json_path::JsonPath;
use crate::sql::plan::Aux;
use crate::time::Zone;

/// Largest program of one pattern, in octets.
const REGEX_BYTES: usize = 1 << 20;

/// Compiles a pattern, with a bound on what it may grow to.
///
/// # Errors
/// What is no pattern, or too large a one.
pub fn regex(pattern: &str) -> Result<Regex, regex_lite::Error> {
    regex_lite::RegexBuilder::new(pattern).size_limit(REGEX_BYTES).build()
}

/// What `name`'s literal second argument compiles to; `zone` knows time zones by name. A pattern or zone that does not compile is
/// left to the row, where it is an error; a path is kept with what is wrong about it.
#[must_use]
pub fn prepare(name: &str, second: Option<&str>, zone: &dyn Fn(&str) -> Option<Zone>) -> Aux {
    let Some(text) = second else { return Aux::None };
    match name {
        "regexp_matches" | "regexp_substr" => regex(text).map_or(Aux::None, Aux::Regex),
        "regexp_replace" => regex(text).map_or(Aux::None, |regex| {
            let groups = Mutex::new(regex.capture_locations());
            Aux::Replace(regex, groups)
        }),
        "json_path_query" | "json_path_query_first" | "json_path_exists" => Aux::JsonPath(JsonPath::parse(text)),
        "convert_tz" => zone(text).map_or(Aux::None, Aux::Zone),
        _ => Aux::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_compiles() {
        let zone = |name: &str| (name == "X").then(Zone::utc);
        assert!(matches!(prepare("regexp_matches", Some("a+"), &zone), Aux::Regex(_)));
        assert!(matches!(prepare("regexp_matches", Some("("), &zone), Aux::None));
        assert!(matches!(prepare("regexp_replace", Some("a+"), &zone), Aux::Replace(..)));
        assert!(matches!(prepare("json_path_exists", Some("$.a"), &zone), Aux::JsonPath(Ok(_))));
        assert!(matches!(prepare("json_path_exists", Some("$.["), &zone), Aux::JsonPath(Err(_))));
        assert!(matches!(prepare("convert_tz", Some("X"), &zone), Aux::Zone(_)));
        assert!(matches!(prepare("convert_tz", Some("Y"), &zone), Aux::None));
        assert!(matches!(prepare("regexp_matches", None, &zone), Aux::None));
        assert!(matches!(prepare("concat", Some("a"), &zone), Aux::None));
    }
}
