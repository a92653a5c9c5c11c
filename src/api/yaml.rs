//! The whole export as YAML (`GET /v2/data/export`): rules with what they are, not as JSON within text.
//!
//! Laid out as eKuiper's: four spaces a level, plain scalars where YAML allows them. Read back by `POST /v2/data/import`.

use serde_json::{Value, json};

use crate::catalog::text::json_string;
use crate::catalog::{Control, Host};
use crate::rule::def;

pub(super) fn export<H: Host>(control: &Control<H>) -> String {
    let mut out = Vec::new();
    let props = control.exported_props();
    for section in ["sourceConfig", "sinkConfig", "connectionConfig"] {
        let own = props.iter().filter(|(s, ..)| *s == section);
        let own: Vec<(&str, Value)> = own.map(|(_, key, value)| (key.as_str(), value.clone())).collect();
        if !own.is_empty() {
            out.push((section, own));
        }
    }
    let all = control.sources().in_order();
    for (section, table) in [("streams", false), ("tables", true)] {
        let own = all.iter().filter(|source| source.create.table == table && !source.create.options.temp);
        let own: Vec<(&str, Value)> = own.map(|source| (source.create.name.as_str(), json!({"sql": source.text}))).collect();
        if !table || !own.is_empty() {
            out.push((section, own));
        }
    }
    let rules: Vec<_> = control.rules().filter(|rule| !rule.def.temp).collect();
    let mut text = String::new();
    for (section, items) in out {
        entry(&mut text, section, items.iter().map(|(name, value)| (*name, value)), 0, 4);
    }
    if rules.is_empty() {
        text.push_str("rules: {}\n");
        return text;
    }
    text.push_str("rules:\n");
    for rule in rules {
        let def = &rule.def;
        text.push_str(&format!("    {}:\n", scalar(&def.id)));
        let actions = Value::Array(def.actions.iter().cloned().map(Value::Object).collect());
        // Options as they work, but only of a rule that has some.
        let own = def::json(&rule.text).ok().and_then(|text| text.get("options").map(Value::is_object)).unwrap_or(false);
        let options: Vec<(&str, Value)> = if own { def.options.to_json() } else { Vec::new() };
        let members = [
            ("triggered", Some(json!(def.triggered))),
            ("id", Some(json!(def.id))),
            ("name", Some(json!(def.name)).filter(|_| !def.name.is_empty())),
            ("sql", Some(json!(def.sql))),
            ("actions", Some(actions)),
        ];
        for (name, value) in members {
            if let Some(value) = value {
                member(&mut text, name, &value, 8, 12);
            }
        }
        if !options.is_empty() {
            entry(&mut text, "options", options.iter().map(|(name, value)| (*name, value)), 8, 12);
        }
        if let Some(tags) = def.tags.as_ref().filter(|tags| !tags.is_empty()) {
            member(&mut text, "tags", &json!(tags), 8, 12);
        }
        if !def.version.is_empty() {
            member(&mut text, "version", &json!(def.version), 8, 12);
        }
    }
    text
}

/// A map under its name, at `indent`, with its members at `inner`.
fn entry<'v>(out: &mut String, name: &str, items: impl Iterator<Item = (&'v str, &'v Value)>, indent: usize, inner: usize) {
    let mut items = items.peekable();
    out.push_str(&format!("{:indent$}{}:", "", scalar(name)));
    out.push_str(if items.peek().is_none() { " {}\n" } else { "\n" });
    for (name, value) in items {
        member(out, name, value, inner, inner + 4);
    }
}

fn member(out: &mut String, name: &str, value: &Value, indent: usize, inner: usize) {
    match value {
        Value::Object(map) => entry(out, name, map.iter().map(|(name, value)| (name.as_str(), value)), indent, inner),
        Value::Array(items) if !items.is_empty() => {
            out.push_str(&format!("{:indent$}{}:\n", "", scalar(name)));
            list(out, items, inner);
        }
        value => out.push_str(&format!("{:indent$}{}: {}\n", "", scalar(name), plain(value))),
    }
}

fn list(out: &mut String, items: &[Value], indent: usize) {
    for item in items {
        match item {
            Value::Object(map) if !map.is_empty() => {
                let mut inner = String::new();
                for (name, value) in map {
                    member(&mut inner, name, value, indent + 2, indent + 4);
                }
                // The first member stands beside the dash.
                out.push_str(&format!("{:indent$}- {}", "", inner.trim_start()));
            }
            Value::Array(items) if !items.is_empty() => {
                let mut inner = String::new();
                list(&mut inner, items, indent + 2);
                out.push_str(&format!("{:indent$}- {}", "", inner.trim_start()));
            }
            value => out.push_str(&format!("{:indent$}- {}\n", "", plain(value))),
        }
    }
}

/// A value on one line.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => scalar(text),
        Value::Object(_) => "{}".to_owned(),
        Value::Array(_) => "[]".to_owned(),
        value => value.to_string(),
    }
}

/// A text as a YAML scalar: plain where nothing else could be read from it, else in quotes.
fn scalar(text: &str) -> String {
    let words = ["true", "false", "null", "yes", "no", "on", "off", "y", "n", "~"];
    let other =
        words.iter().any(|word| word.eq_ignore_ascii_case(text)) || text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c));
    if text.is_empty() || text.chars().any(char::is_control) || text.contains(['\u{85}', '\u{2028}', '\u{2029}', '\u{feff}']) || other {
        return json_string(text);
    }
    let indicator = text.starts_with(|c: char| "?:,[]{}#&*!|>'\"%@`".contains(c));
    let split = text.contains(": ") || text.contains(" #") || text.ends_with(':') || text.starts_with(' ') || text.ends_with(' ');
    if indicator || split { format!("'{}'", text.replace('\'', "''")) } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::Map;

    use super::*;

    #[test]
    fn scalars() {
        for (text, want) in [
            ("demo", "demo"),
            ("SELECT * FROM demo WHERE a > 1", "SELECT * FROM demo WHERE a > 1"),
            (r#"CREATE STREAM s () WITH (TYPE="httppush")"#, r#"CREATE STREAM s () WITH (TYPE="httppush")"#),
            ("true", "\"true\""),
            ("12", "\"12\""),
            ("-a", "\"-a\""),
            ("", "\"\""),
            ("a: b", "'a: b'"),
            ("it's: so", "'it''s: so'"),
            ("{a}", "'{a}'"),
            ("a\nb", "\"a\\nb\""),
            ("a #b", "'a #b'"),
        ] {
            assert_eq!(scalar(text), want);
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let value = json!({
            "list": [{"a": 1, "b": {"c": "x: y", "d": []}}, "t", [1, 2], {}, {"e": [{"f": null}]}],
            "texts": ["-1", "1e3", "no", "it's", "é\u{2028}", "# x", "", "a\tb"],
            "flag": true, "number": -0.5, "empty": {},
        });
        let mut text = String::new();
        for (name, value) in value.as_object().expect("object") {
            member(&mut text, name, value, 0, 4);
        }
        let read =
            crate::config::yaml::parse(&Arc::from("t"), &text, 1).unwrap_or_else(|e| panic!("{text}\n{}:{} {}", e.line, e.column, e.what));
        assert_eq!(read.to_json(), value, "{text}");
    }

    #[test]
    fn lists_of_maps_are_laid_out_as_go_does() {
        let mut text = String::new();
        member(&mut text, "actions", &json!([{"rest": {"method": "post", "url": "http://h/x"}}, {"nop": Map::new()}]), 8, 12);
        let want =
            "        actions:\n            - rest:\n                method: post\n                url: http://h/x\n            - nop: {}\n";
        assert_eq!(text, want);
    }
}
