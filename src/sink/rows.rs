//! What the memory sink asks of rows: a key and a row kind, where `keyField` and `rowkindField` name them (facts §8.2).

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
        match row.get(kind) {
            None => {}
            Some(Value::Str(kind)) if KINDS.contains(&kind) => {}
            Some(Value::Str(kind)) => return Err(work.fault(format_args!("invalid rowkind {kind}"))),
            Some(_) => return Err(work.fault(format_args!("rowkind field {kind} is not a string"))),
        }
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
}

impl Memory {
    /// # Errors
    /// A wildcard in the topic, a `rowkindField` without `keyField`.
    pub(super) fn read(props: &mut Props<'_>, dynamics: &mut Vec<Dynamic>) -> Result<(Self, RowRules), String> {
        let topic = props.text("topic")?.unwrap_or("");
        // What stands in a template's braces is no topic yet.
        let literal: String = topic.split("{{").map(|part| part.split_once("}}").map_or(part, |(_, rest)| rest)).collect();
        if literal.contains(['#', '+']) {
            return Err(format!("invalid memory topic {topic}: wildcard found"));
        }
        let rules = RowRules { key: given(props.text("keyField")?), kind: given(props.text("rowkindField")?) };
        if rules.kind.is_some() && rules.key.is_none() {
            return Err("keyField is required when rowkindField is set".into());
        }
        Ok((Self { topic: Word::new(topic, Place::Topic, dynamics)? }, rules))
    }
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
