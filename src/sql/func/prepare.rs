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
    if let Some(wrong) = refused(pattern) {
        // Our engine would take it; what it says of this one comes close.
        return Regex::new(wrong);
    }
    regex_lite::RegexBuilder::new(&translated(pattern)).size_limit(REGEX_BYTES).build()
}

/// Most repeats that RE2 takes.
const REPEAT_MAX: u32 = 1000;

/// For a pattern that our engine takes and RE2 does not, one that neither takes: a repetition of a repetition, or one of too many,
/// and the escape `\u`.
fn refused(pattern: &str) -> Option<&'static str> {
    let mut rest = pattern;
    let (mut class, mut repeated) = (false, false);
    while let Some(c) = rest.chars().next() {
        let behind = &rest[c.len_utf8()..];
        let mut next = behind;
        let mut repeats_now = false;
        match c {
            '\\' => {
                if behind.starts_with(['u', 'U']) {
                    return Some("\\y");
                }
                next = behind.get(behind.chars().next().map_or(0, char::len_utf8)..).unwrap_or("");
            }
            '[' if !class => class = true,
            ']' => class = false,
            '*' | '+' | '?' if !class => {
                if repeated {
                    return Some("*");
                }
                repeats_now = true;
                next = behind.strip_prefix('?').unwrap_or(behind);
            }
            '{' if !class && repeats(behind) => {
                let (inside, after) = behind.split_once('}').unwrap_or((behind, ""));
                let many = |count: &str| !count.is_empty() && count.parse().map_or(true, |n: u32| n > REPEAT_MAX);
                if repeated || inside.split(',').any(many) {
                    return Some("*");
                }
                repeats_now = true;
                next = after.strip_prefix('?').unwrap_or(after);
            }
            _ => {}
        }
        repeated = repeats_now;
        rest = next;
    }
    None
}

/// RE2's spellings that our engine takes otherwise: `\Q..\E`, a bare `[` in a class, a brace that repeats nothing.
fn translated(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len() + 8);
    let mut rest = pattern;
    let mut class = false;
    while let Some(c) = rest.chars().next() {
        let behind = &rest[c.len_utf8()..];
        if let Some(quoted) = rest.strip_prefix("\\Q") {
            let (text, after) = quoted.split_once("\\E").unwrap_or((quoted, ""));
            for c in text.chars() {
                if c.is_ascii_punctuation() {
                    out.push('\\');
                }
                out.push(c);
            }
            rest = after;
            continue;
        }
        match c {
            '\\' => {
                out.push(c);
                out.extend(behind.chars().next());
                rest = behind.get(behind.chars().next().map_or(0, char::len_utf8)..).unwrap_or("");
                continue;
            }
            '[' if !class => {
                class = true;
                out.push(c);
                // A bracket that closes nothing yet is one of the class.
                let negated = behind.strip_prefix('^');
                if negated.is_some() {
                    out.push('^');
                }
                rest = negated.unwrap_or(behind);
                if let Some(after) = rest.strip_prefix(']') {
                    out.push_str("\\]");
                    rest = after;
                }
                continue;
            }
            '[' if !behind.starts_with(':') => out.push_str("\\["),
            '[' => {
                let len = behind.find(":]").map_or(behind.len(), |at| at + 2);
                out.push('[');
                out.push_str(&behind[..len]);
                rest = &behind[len..];
                continue;
            }
            '&' | '~' if class => {
                out.push('\\');
                out.push(c);
            }
            ']' => {
                class = false;
                out.push(c);
            }
            '{' if !class && !repeats(behind) => out.push_str("\\{"),
            _ => out.push(c),
        }
        rest = behind;
    }
    out
}

/// Whether `n}`, `n,}` or `n,m}` stands here.
fn repeats(text: &str) -> bool {
    let Some((inside, _)) = text.split_once('}') else { return false };
    let (least, most) = inside.split_once(',').unwrap_or((inside, ""));
    !least.is_empty() && least.bytes().chain(most.bytes()).all(|b| b.is_ascii_digit())
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
    fn spellings_of_re2() {
        for (pattern, text, found) in [
            ("[1 a <nil> [2]]", "x2]", true),
            ("^[[]$", "[", true),
            ("[]a]+$", "]a", true),
            ("[^]a]", "]a", false),
            ("^[[:alpha:]]+$", "ab", true),
            ("[a&&b]", "&", true),
            ("\\Qa.b\\E+", "a.bb", true),
            ("\\Qa.b", "axb", false),
            ("^a{$", "a{", true),
            ("^{x}$", "{x}", true),
            ("^a{2}$", "aa", true),
            ("^a{1,}b{0,2}$", "aab", true),
            ("\\[a\\]", "[a]", true),
        ] {
            assert_eq!(regex(pattern).map(|r| r.is_match(text)), Ok(found), "{pattern}");
        }
        for pattern in ["a\\", "[a", "(", "a**", "a+*", "a{2}{3}", "a{1001}", "a{1,2000}", "\\u0061"] {
            assert!(regex(pattern).is_err(), "{pattern}");
        }
        for pattern in ["a*?", "a{2}?", "[*+]*", "a\\*+", "a{1000}", "(a*)*"] {
            assert!(regex(pattern).is_ok(), "{pattern}");
        }
    }

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
