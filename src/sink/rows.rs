//! What sinks of rows ask of them: a key and a row kind, where `keyField` and `rowkindField` name them (facts §8.2).

use super::props::Props;
use super::words::{Dynamic, Place, Word};
use crate::value::{Fault, Object, Scratch, Value};

/// The row kinds of an updatable topic.
const KINDS: [&str; 4] = ["insert", "update", "upsert", "delete"];

/// See the module text.
#[derive(Debug, Clone, Default)]
pub(super) struct RowRules {
    key: Option<String>,
    kind: Option<String>,
}

impl RowRules {
    /// Checks one row.
    ///
    /// # Errors
    /// No key, or a row kind that is none.
    pub(super) fn check<'a>(&self, row: Object<'a>, work: &Scratch<'a>) -> Result<(), Fault<'a>> {
        let (Some(kind), Some(key)) = (&self.kind, &self.key) else { return Ok(()) };
        row_kind(row, kind, work)?;
        if row.get(key).is_none() {
            return Err(work.fault(format_args!("key field {key} not found")));
        }
        Ok(())
    }
}

/// The memory sink's own properties.
#[derive(Debug)]
pub(super) struct Memory {
    pub(super) topic: Word,
    /// `rowkindField` and `keyField`.
    pub(super) kinds: Option<(String, String)>,
}

impl Memory {
    /// # Errors
    /// A wildcard in the topic, a `rowkindField` without `keyField`.
    pub(super) fn read(props: &mut Props<'_>, dynamics: &mut Vec<Dynamic>) -> Result<(Self, RowRules), String> {
        let topic = props.text("topic")?.unwrap_or("");
        if has_wildcard(topic) {
            return Err(format!("invalid memory topic {topic}: wildcard found"));
        }
        let rules = RowRules { key: given(props.text("keyField")?), kind: given(props.text("rowkindField")?) };
        if rules.kind.is_some() && rules.key.is_none() {
            return Err("keyField is required when rowkindField is set".into());
        }
        let kinds = rules.kind.clone().zip(rules.key.clone());
        Ok((Self { topic: Word::new(topic, Place::Topic, dynamics)?, kinds }, rules))
    }
}

/// What the member `field` says is to be done with a row: `upsert` where it says nothing, or no such member is asked for.
///
/// # Errors
/// A row kind that is none.
pub(super) fn row_kind<'a>(row: Object<'a>, field: &str, work: &Scratch<'a>) -> Result<&'a str, Fault<'a>> {
    match row.get(field).filter(|_| !field.is_empty()) {
        None => Ok("upsert"),
        Some(Value::Str(kind)) if KINDS.contains(&kind) => Ok(kind),
        Some(Value::Str(kind)) => Err(work.fault(format_args!("invalid rowkind {kind}"))),
        Some(_) => Err(work.fault(format_args!("rowkind field {field} is not a string"))),
    }
}

/// Whether a topic names several; what stands in a template's braces is no topic yet.
pub(super) fn has_wildcard(topic: &str) -> bool {
    topic.split("{{").map(|part| part.split_once("}}").map_or(part, |(_, rest)| rest)).any(|part| part.contains(['#', '+']))
}

fn given(text: Option<&str>) -> Option<String> {
    text.filter(|t| !t.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Numbers;

    #[test]
    fn topics_and_fields() {
        for (text, ok) in [
            ("{}", true),
            (r#"{"topic":"a/b"}"#, true),
            (r#"{"topic":"a/+/b"}"#, false),
            (r##"{"topic":"a/#"}"##, false),
            (r#"{"topic":1}"#, false),
            (r#"{"topic":"t","keyField":"id","rowkindField":"k"}"#, true),
            (r#"{"topic":"t","rowkindField":"k"}"#, false),
            (r#"{"topic":"t","keyField":"id"}"#, true),
        ] {
            let map = serde_json::from_str(text).expect("an object");
            assert_eq!(Memory::read(&mut Props::new(&map), &mut Vec::new()).is_ok(), ok, "{text}");
        }
    }

    #[test]
    fn rows_need_a_key_and_a_known_kind() {
        let rules = RowRules { key: Some("id".into()), kind: Some("k".into()) };
        let mut buf = vec![0; 4096];
        let work = Scratch::new(&mut buf);
        for (row, ok) in [
            (r#"{"id":1}"#, true),
            (r#"{"id":1,"k":"delete"}"#, true),
            (r#"{"id":1,"k":"remove"}"#, false),
            (r#"{"id":1,"k":7}"#, false),
            (r#"{"k":"insert"}"#, false),
        ] {
            let object = Value::Json(Numbers::Float, row).object(&work).expect("room").expect("an object");
            assert_eq!(rules.check(object, &work).is_ok(), ok, "{row}");
        }
    }
}
