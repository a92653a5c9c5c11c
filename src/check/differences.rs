//! What a definition does otherwise here than in eKuiper, in a clause each, for `check --ruleset`.
//!
//! Only what depends on the definition; what holds for every stream, rule or sink stands in `docs/from-ekuiper.md`.

use serde_json::{Map, Value};

use crate::catalog::Sources;
use crate::rule::RuleDef;
use crate::source::{Feed, StreamSpec};
use crate::sql::ddl::Create;
use crate::wire::Method;

/// Clauses about a stream or table. `all`: those it stands beside.
#[must_use]
pub(super) fn of_source(create: &Create, spec: &StreamSpec, all: &Sources) -> Vec<String> {
    let mut out = Vec::new();
    if let Feed::File(file) = &spec.feed {
        out.push(format!("only files below STATE/data and STATE/uploads are read; {} has not been looked for", file.path));
    }
    let Feed::Push(push) = &spec.feed else { return out };
    if create.options.datasource.is_empty() {
        out.push(format!("without DATASOURCE its endpoint is /{}, eKuiper refuses its rules", create.name));
    }
    if push.endpoint.method == Method::Put
        && let Some(other) = all.in_order().into_iter().find(|other| {
            other.create.name != create.name
                && !create.options.datasource.is_empty()
                && other.create.options.datasource == create.options.datasource
                && other.create.options.conf_key != create.options.conf_key
        })
    {
        let name = &other.create.name;
        out.push(format!("PUT and POST on one path are two endpoints: it no longer gets what is sent to {name}"));
    }
    out
}

/// Clauses about a rule; `text` is its JSON.
#[must_use]
pub(super) fn of_rule(def: &RuleDef, text: &str) -> Vec<String> {
    let mut out = Vec::new();
    let json: Map<String, Value> = serde_json::from_str(text).unwrap_or_default();
    let options = member(&json, "options").and_then(Value::as_object);
    if let Some(options) = options {
        of_options(options, &mut out);
    }
    if calls_meta(&def.sql) {
        out.push("meta() has values (method, path, query, remote ..) where eKuiper gives none".to_owned());
    }
    for (kind, props) in def.actions.iter().flatten() {
        let clause = match (kind.as_str(), props.as_object()) {
            ("file", _) => "the file sink appends to a file that is there, eKuiper overwrites it",
            ("rest", _) => "the rest sink retries what can heal, eKuiper drops it",
            _ => continue,
        };
        if !out.iter().any(|c| c == clause) {
            out.push(clause.to_owned());
        }
    }
    out
}

fn of_options(options: &Map<String, Value>, out: &mut Vec<String>) {
    let number = |name: &str| member(options, name).and_then(Value::as_i64);
    if number("concurrency").is_some_and(|n| n > 1) {
        out.push("concurrency: a rule evaluates one row at a time, in order".to_owned());
    }
    if number("bufferLength").is_some() {
        out.push("bufferLength: queues are bounded in bytes, by limits.queueBytes".to_owned());
    }
    if member(options, "sendMetaToSink").and_then(Value::as_bool) == Some(true) {
        out.push("sendMetaToSink: __meta has values where eKuiper gives an empty object".to_owned());
    }
    if let Some(restart) = member(options, "restartStrategy").and_then(Value::as_object) {
        let gone = ["delay", "multiplier", "maxDelay", "jitterFactor"];
        let given: Vec<&str> = gone.into_iter().filter(|name| member(restart, name).is_some()).collect();
        if !given.is_empty() {
            out.push(format!("restartStrategy: only attempts counts, as in eKuiper 2.x, not {}", given.join(", ")));
        }
    }
    for name in ["logFilename", "planOptimizeStrategy", "experiment"] {
        let set = match member(options, name) {
            Some(Value::String(text)) => !text.is_empty(),
            Some(Value::Object(map)) => !map.is_empty(),
            _ => false,
        };
        if set {
            out.push(format!("{name} has no effect on what comes out"));
        }
    }
}

/// A member as Go's decoder finds it: in any letter case, null counts as absent.
fn member<'a>(map: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let exact = map.get(name);
    exact.or_else(|| map.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, v)| v)).filter(|v| !v.is_null())
}

/// Whether a statement calls `meta`; a look at the text is enough for a remark.
fn calls_meta(sql: &str) -> bool {
    let lower = sql.to_ascii_lowercase();
    lower.match_indices("meta").any(|(at, _)| {
        let before = lower[..at].chars().next_back();
        let word = before.is_none_or(|c| !c.is_ascii_alphanumeric() && c != '_');
        word && lower[at + 4..].trim_start().starts_with('(')
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::RuleDefaults;

    fn clauses(text: &str) -> Vec<String> {
        of_rule(&RuleDef::parse("", text, &RuleDefaults::default()).expect(text), text)
    }

    #[test]
    fn of_rules() {
        let rule = |sql: &str, action: &str, options: &str| {
            clauses(&format!(r#"{{"id":"r","sql":"{sql}","actions":[{action}],"options":{{{options}}}}}"#)).join("; ")
        };
        let log = r#"{"log":{}}"#;
        for (said, want) in [
            (rule("SELECT a FROM demo", log, ""), &[][..]),
            (rule("SELECT a FROM demo", log, r#""qos":1,"debug":true,"concurrency":1,"logFilename":"""#), &[]),
            (rule("SELECT META (path) FROM demo", log, ""), &["meta()"]),
            (rule("SELECT mymeta FROM demo", log, ""), &[]),
            (rule("SELECT a FROM demo", r#"{"file":{}},{"file":{}},{"rest":{}}"#, ""), &["file sink", "rest sink"]),
            (rule("SELECT a FROM demo", log, r#""BufferLength":10,"sendMetaToSink":true"#), &["bufferLength", "sendMetaToSink"]),
            (rule("SELECT a FROM demo", log, r#""restartStrategy":{"attempts":0,"delay":1,"jitterFactor":0.1}"#), &["delay, jitterFactor"]),
            (rule("SELECT a FROM demo", log, r#""planOptimizeStrategy":{"enableIncrementalWindow":true}"#), &["planOptimizeStrategy"]),
        ] {
            assert_eq!(said.split("; ").filter(|c| !c.is_empty()).count(), want.len(), "{said}");
            for word in want {
                assert!(said.contains(word), "{word}: {said}");
            }
        }
    }
}
