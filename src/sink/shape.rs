//! The transform step: `dataTemplate`, then `dataField`, then `fields` or `excludeFields` (facts §8.1).

use super::TemplateFacts;
use super::common::Common;
use super::words::{Template, with_env};
use crate::json::scan;
use crate::json::write::Out;
use crate::time::Now;
use crate::value::packed::Encoder;
use crate::value::{Fault, Numbers, Scratch, Value, key_is};

/// What the transform step gives.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shaped<'a> {
    /// Nothing to send: the data field is absent.
    Nothing,
    /// A template's text, to be sent as it is.
    Text(&'a [u8]),
    /// An object, or a list of objects, to be encoded.
    Value(Value<'a>),
}

/// See the module text.
#[derive(Debug)]
pub(super) struct Shape {
    template: Option<Template>,
    /// A template's text leaves as it is, if nothing is picked from it.
    text_leaves: bool,
    data_field: Option<String>,
    fields: Vec<String>,
    exclude: Vec<String>,
}

impl Shape {
    /// `bytes`: the sink takes bytes, not rows.
    ///
    /// # Errors
    /// A template that does not parse.
    pub(super) fn new(common: &Common, bytes: bool) -> Result<Self, String> {
        Ok(Self {
            template: common.data_template.as_deref().map(Template::parse).transpose().map_err(|e| e.to_string())?,
            text_leaves: bytes && common.format.is_text() && !common.batches(),
            data_field: common.data_field.clone(),
            fields: common.fields.clone(),
            exclude: common.exclude.clone(),
        })
    }

    /// True if each row is shaped by itself, whether it comes alone or in a list.
    pub(super) const fn is_by_row(&self) -> bool {
        self.template.is_none() && self.data_field.is_none()
    }

    /// True if rows stay as they are.
    pub(super) const fn is_bare(&self) -> bool {
        self.is_by_row() && self.fields.is_empty() && self.exclude.is_empty()
    }

    /// Shapes one message, `buf` takes a template's text.
    ///
    /// # Errors
    /// A sentence for the row's exception.
    pub(super) fn apply<'a>(
        &'a self,
        data: Value<'a>,
        facts: &TemplateFacts<'_>,
        now: Now,
        buf: &'a mut [u8],
        scratch: &Scratch<'a>,
    ) -> Result<Shaped<'a>, Fault<'a>> {
        let mut value = data;
        if let Some(template) = &self.template {
            let mut out = Out::new(buf);
            with_env(facts, now, |env| template.render(data, env, &mut out, scratch))
                .map_err(|e| scratch.fault(format_args!("fail to encode data with dataTemplate for error {e}")))?;
            let text: &'a [u8] = out.split().0;
            if self.text_leaves && self.data_field.is_none() && self.fields.is_empty() && self.exclude.is_empty() {
                return Ok(Shaped::Text(text));
            }
            value = parse(text, scratch)?;
        }
        if let Some(name) = &self.data_field {
            let from = match value.list(scratch)? {
                Some(list) => match list.elements().next() {
                    Some(first) => first,
                    None => return Ok(Shaped::Nothing),
                },
                None => value,
            };
            if !from.is_object() {
                return Err(scratch.fault(format_args!("fail to take {name} out of {}", from.go_type())));
            }
            value = from.member(name, scratch)?.unwrap_or(Value::Null);
        }
        self.pick(value, scratch)
    }

    /// `fields` or `excludeFields` of one object or of each of a list.
    fn pick<'a>(&self, value: Value<'a>, scratch: &Scratch<'a>) -> Result<Shaped<'a>, Fault<'a>> {
        let picks = !self.fields.is_empty() || !self.exclude.is_empty();
        if let Some(list) = value.list(scratch)? {
            if let Some(strange) = list.elements().find(|e| !e.is_object()) {
                return Err(scratch.fault(format_args!("unsupported type {} in a list, must be a map", strange.go_type())));
            }
            if !picks {
                return Ok(Shaped::Value(value));
            }
            let mut writer = scratch.pack();
            writer.begin_list()?;
            for row in list.elements() {
                self.write_picked(row, &mut writer)?;
            }
            writer.end()?;
            return Ok(Shaped::Value(Value::Packed(writer.finish()?)));
        }
        if !value.is_object() {
            return match value {
                Value::Null if !picks => Err(Fault::new("receive unsupported data <nil>")),
                other if !picks => {
                    let text = crate::value::text::go_text(other, scratch)?;
                    Err(scratch.fault(format_args!("invalid transform result type {text}")))
                }
                other => Err(scratch.fault(format_args!("unsupported type {}, must be a map", other.go_type()))),
            };
        }
        if !picks {
            return Ok(Shaped::Value(value));
        }
        let mut writer = scratch.pack();
        self.write_picked(value, &mut writer)?;
        Ok(Shaped::Value(Value::Packed(writer.finish()?)))
    }

    fn write_picked<'f>(&self, row: Value<'_>, writer: &mut Encoder<'_>) -> Result<(), Fault<'f>> {
        writer.begin_object()?;
        let left_out = |key: &str, written: bool| self.exclude.iter().any(|e| if written { key_is(key, e) } else { key == e });
        match row {
            Value::Json(numbers, raw) if self.fields.is_empty() => {
                for (key, value) in scan::members(raw).filter(|(key, _)| !left_out(key, true)) {
                    writer.json_key(key)?;
                    writer.json(value, numbers)?;
                }
            }
            Value::Json(numbers, raw) => {
                for field in &self.fields {
                    writer.key(field)?;
                    match scan::members(raw).filter(|(key, _)| key_is(key, field)).last() {
                        Some((_, value)) => writer.json(value, numbers)?,
                        None => writer.value(Value::Null)?,
                    }
                }
            }
            Value::Packed(packed) => {
                let Some(object) = packed.object() else { return Err(Fault::new("a row is no object")) };
                if self.fields.is_empty() {
                    for (key, value) in object.entries().filter(|(key, _)| !left_out(key, false)) {
                        writer.entry(key, value)?;
                    }
                } else {
                    for field in &self.fields {
                        writer.entry(field, object.get(field).unwrap_or(Value::Null))?;
                    }
                }
            }
            _ => return Err(Fault::new("a row is no object")),
        }
        writer.end()
    }
}

/// A template's text as a value.
fn parse<'a>(text: &'a [u8], scratch: &Scratch<'a>) -> Result<Value<'a>, Fault<'a>> {
    let fault = |e: &dyn core::fmt::Display| scratch.fault(format_args!("fail to decode data after applying dataTemplate for error {e}"));
    let text = core::str::from_utf8(text).map_err(|e| fault(&e))?;
    scan::check(text, |_| {}).map_err(|e| fault(&e))?;
    Value::from_json(text.trim_ascii(), Numbers::Float, scratch)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::SinkDefaults;
    use crate::sink::props::Props;
    use crate::time::Zone;
    use crate::value::text;

    /// The shaped form of `row` as JSON, or the fault.
    fn shaped(props: &str, row: &str) -> String {
        let map = serde_json::from_str(props).expect("an object");
        let common = Common::read(&mut Props::new(&map), &SinkDefaults::default(), false).expect("sound");
        let shape = Shape::new(&common, true).expect("sound");
        let (mut work, mut buf, mut json) = (vec![0; 1 << 14], vec![0; 4096], vec![0; 4096]);
        let scratch = Scratch::new(&mut work);
        let (zone, rng) = (Zone::utc(), core::cell::Cell::new(1));
        let facts = TemplateFacts { zone: &zone, rng: &rng };
        let value = Value::from_json(row, Numbers::Float, &scratch).expect("json");
        match shape.apply(value, &facts, Now::default(), &mut buf, &scratch) {
            Ok(Shaped::Nothing) => "nothing".into(),
            Ok(Shaped::Text(text)) => format!("text {}", String::from_utf8_lossy(text)),
            Ok(Shaped::Value(value)) => {
                let mut out = Out::new(&mut json);
                text::json(&mut out, value, &scratch).expect("room");
                String::from_utf8_lossy(out.written()).into_owned()
            }
            Err(fault) => format!("fault {}", fault.text),
        }
    }

    #[test]
    fn picks() {
        for (props, row, want) in [
            ("{}", r#"{"b":1,"a":2}"#, r#"{"a":2,"b":1}"#),
            (r#"{"fields":["b","z"]}"#, r#"{"b":1,"a":2}"#, r#"{"b":1,"z":null}"#),
            (r#"{"fields":["b","z"]}"#, r#"[{"b":1},{"a":2}]"#, r#"[{"b":1,"z":null},{"b":null,"z":null}]"#),
            (r#"{"fields":["o.k"]}"#, r#"{"o":{"k":1},"o.k":3}"#, r#"{"o.k":3}"#),
            (r#"{"excludeFields":["b"]}"#, r#"{"b":1,"a":2}"#, r#"{"a":2}"#),
            (r#"{"excludeFields":["b"]}"#, r#"[{"b":1,"a":2},{"b":3}]"#, r#"[{"a":2},{}]"#),
            (r#"{"dataField":"o"}"#, r#"{"o":{"k":1}}"#, r#"{"k":1}"#),
            (r#"{"dataField":"o"}"#, r#"[{"o":{"k":1}},{"o":{"k":2}}]"#, r#"{"k":1}"#),
            (r#"{"dataField":"o"}"#, r#"{"o":[{"k":1},{"k":2}]}"#, r#"[{"k":1},{"k":2}]"#),
            (r#"{"dataField":"o","fields":["t"]}"#, r#"[{"o":{"h":80,"t":20},"x":1}]"#, r#"{"t":20}"#),
            (r#"{"dataField":"o"}"#, r#"{"a":1}"#, "fault receive unsupported data <nil>"),
            (r#"{"dataField":"o"}"#, "[]", "nothing"),
            (r#"{"dataField":"o"}"#, r#"{"o":1}"#, "fault invalid transform result type 1"),
            (r#"{"dataField":"o","fields":["t"]}"#, r#"{"a":1}"#, "fault unsupported type <nil>, must be a map"),
            (r#"{"dataField":"o"}"#, r#"{"o":[1]}"#, "fault unsupported type float64 in a list, must be a map"),
        ] {
            assert_eq!(shaped(props, row), want, "{props} {row}");
        }
    }
}
