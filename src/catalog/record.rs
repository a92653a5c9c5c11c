//! The text of a stored definition: a small JSON object with `format: 1`, the kind, the name, and the user's text byte for byte.
//!
//! A record of a newer format is refused by its number, so that an older program never guesses at it.

use serde_json::{Map, Value, json};

use super::host::Kind;
use crate::sql::ddl::Create;

/// The format written, and the newest one read.
const FORMAT: u64 = 1;

/// A stored definition, read back.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Record {
    /// A stream or table: statement and place in the order of creation.
    Source { name: String, text: String, order: u64, guarded: bool },
    /// A rule: its JSON as the user sent it.
    Rule { name: String, text: String },
    /// A conf key: group (`sources`, `sinks`, `connections`), type, name, properties.
    ConfKey { group: String, kind: String, name: String, props: Map<String, Value> },
    /// A named connection.
    Connection { name: String, kind: String, props: Option<Map<String, Value>> },
}

/// The record of a stream or table.
pub(super) fn source(create: &Create, text: &str, order: u64) -> String {
    let mut record = json!({"format": FORMAT, "kind": Kind::Source.word(), "name": create.name, "order": order, "text": text});
    if create.guarded {
        record["guarded"] = true.into();
    }
    lines(&record)
}

/// The record of a rule.
pub(super) fn rule(name: &str, text: &str) -> String {
    lines(&json!({"format": FORMAT, "kind": Kind::Rule.word(), "name": name, "text": text}))
}

/// The record of a conf key.
pub(super) fn conf_key(group: &str, kind: &str, name: &str, props: &Map<String, Value>) -> String {
    lines(&json!({"format": FORMAT, "kind": Kind::ConfKey.word(), "group": group, "type": kind, "name": name, "props": props}))
}

/// The record of a connection.
pub(super) fn connection(name: &str, kind: &str, props: Option<&Map<String, Value>>) -> String {
    lines(&json!({"format": FORMAT, "kind": Kind::Connection.word(), "name": name, "type": kind, "props": props}))
}

/// One member a line: a diff of two versions shows what changed.
fn lines(value: &Value) -> String {
    let mut text = super::text::go_json_indented(value, "  ");
    text.push('\n');
    text
}

/// Reads a record back.
///
/// # Errors
/// What is wrong with it, in one sentence.
pub(super) fn read(text: &str) -> Result<Record, String> {
    let value = crate::rule::def::json(text)?;
    match value.get("format").and_then(Value::as_u64) {
        Some(FORMAT) => {}
        Some(newer) => return Err(format!("format {newer} is newer than this program's format {FORMAT}")),
        None => return Err("no member \"format\"".to_owned()),
    }
    let member = |name: &str| {
        let text = value.get(name).and_then(Value::as_str).map(str::to_owned);
        text.ok_or_else(|| format!("member {name:?}: expected a text"))
    };
    let props = || value.get("props").and_then(Value::as_object).cloned().ok_or("member \"props\": expected an object");
    Ok(match member("kind")?.as_str() {
        "source" => {
            let order = value.get("order").and_then(Value::as_u64).ok_or("member \"order\": expected a number")?;
            let guarded = value.get("guarded").and_then(Value::as_bool).unwrap_or(false);
            Record::Source { name: member("name")?, text: member("text")?, order, guarded }
        }
        "rule" => Record::Rule { name: member("name")?, text: member("text")? },
        "confkey" => Record::ConfKey { group: member("group")?, kind: member("type")?, name: member("name")?, props: props()? },
        "connection" => {
            let props = if value.get("props").is_some_and(Value::is_null) { None } else { Some(props()?) };
            Record::Connection { name: member("name")?, kind: member("type")?, props }
        }
        other => return Err(format!("unknown kind {other:?}")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_survive_byte_for_byte() {
        for text in ["{\"id\": \"r\",\n\t\"x\":\"<\\u00e9é\"}", "a\0b\u{2028}", ""] {
            let read = read(&rule("r", text)).expect("own record");
            assert_eq!(read, Record::Rule { name: "r".into(), text: text.into() });
        }
    }

    #[test]
    fn refusals() {
        for (text, words) in [
            ("", "unexpected end"),
            ("{", "unexpected end of JSON input"),
            ("{}", "format"),
            (r#"{"format":2,"kind":"rule"}"#, "newer"),
            (r#"{"format":1,"kind":"rule","name":"r"}"#, "text"),
            (r#"{"format":1,"kind":"source","name":"r","text":""}"#, "order"),
            (r#"{"format":1,"kind":"x"}"#, "unknown kind"),
        ] {
            let e = read(text).expect_err(text);
            assert!(e.contains(words), "{text}: {e}");
        }
    }
}
