//! Reads the properties of one action: names in any letter case, wrong JSON types as errors, unknown names as warnings.
//!
//! What is taken and refused follows eKuiper's decoder (facts §8.1): a number is no text, a text is no flag, a number with a
//! fraction loses it where a whole one is wanted, null means "not given", a duration is milliseconds or Go's notation.

use core::time::Duration;

use serde_json::{Map, Value};

use crate::config::nearest;
use crate::json::words::kind;
use crate::time::parse_duration;

/// The properties of one action, and which names anyone asked for.
#[derive(Debug)]
pub(super) struct Props<'p> {
    map: &'p Map<String, Value>,
    known: Vec<&'static str>,
}

impl<'p> Props<'p> {
    pub(super) const fn new(map: &'p Map<String, Value>) -> Self {
        Self { map, known: Vec::new() }
    }

    /// The value under `name`, if it is given and not null. The exact spelling goes before other letter cases.
    pub(super) fn get(&mut self, name: &'static str) -> Option<&'p Value> {
        if !self.known.contains(&name) {
            self.known.push(name);
        }
        let exact = self.map.get(name);
        let any_case = || self.map.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value);
        exact.or_else(any_case).filter(|value| !value.is_null())
    }

    pub(super) fn text(&mut self, name: &'static str) -> Result<Option<&'p str>, String> {
        self.get(name).map(|value| value.as_str().ok_or_else(|| wrong(name, "string", value))).transpose()
    }

    pub(super) fn flag(&mut self, name: &'static str) -> Result<Option<bool>, String> {
        self.get(name).map(|value| value.as_bool().ok_or_else(|| wrong(name, "bool", value))).transpose()
    }

    pub(super) fn int(&mut self, name: &'static str) -> Result<Option<i64>, String> {
        let read = |value: &Value| {
            #[expect(clippy::cast_possible_truncation, reason = "a fraction is dropped, what is out of range saturates")]
            value.as_i64().or_else(|| value.as_f64().map(|x| x as i64))
        };
        self.get(name).map(|value| read(value).ok_or_else(|| wrong(name, "int", value))).transpose()
    }

    /// A count that may not be negative.
    pub(super) fn count(&mut self, name: &'static str) -> Result<Option<u64>, String> {
        self.int(name)?.map(|n| u64::try_from(n).map_err(|_| format!("{name} must be positive"))).transpose()
    }

    pub(super) fn duration(&mut self, name: &'static str) -> Result<Option<Duration>, String> {
        match self.get(name) {
            Some(Value::String(text)) => match parse_duration(text) {
                Ok(duration) => Ok(Some(duration)),
                Err(crate::time::DurationError::Negative) => Err(format!("{name} must be positive")),
                Err(e) => Err(format!("error decoding '{name}': invalid duration \"{text}\": {e}")),
            },
            Some(Value::Number(_)) => Ok(self.count(name)?.map(Duration::from_millis)),
            Some(value) => Err(wrong(name, "duration", value)),
            None => Ok(None),
        }
    }

    pub(super) fn texts(&mut self, name: &'static str) -> Result<Vec<String>, String> {
        let Some(value) = self.get(name) else { return Ok(Vec::new()) };
        let Some(list) = value.as_array() else {
            return Err(format!("'{name}' source data must be an array or slice, got {}", kind(value)));
        };
        let text =
            |(i, value): (usize, &Value)| value.as_str().map(str::to_owned).ok_or_else(|| wrong(&format!("{name}[{i}]"), "string", value));
        list.iter().enumerate().map(text).collect()
    }

    /// An object whose values are texts, in the order of its names.
    pub(super) fn text_map(&mut self, name: &'static str) -> Result<Vec<(String, String)>, String> {
        let Some(object) = self.object(name)? else { return Ok(Vec::new()) };
        let entry = |(key, value): (&String, &Value)| {
            let text = value.as_str().ok_or_else(|| wrong(&format!("{name}[{key}]"), "string", value))?;
            Ok((key.clone(), text.to_owned()))
        };
        object.iter().map(entry).collect()
    }

    pub(super) fn object(&mut self, name: &'static str) -> Result<Option<&'p Map<String, Value>>, String> {
        self.get(name).map(|value| value.as_object().ok_or_else(|| format!("'{name}' expected a map, got '{}'", kind(value)))).transpose()
    }

    /// A line for each name that nobody asked for, with the one that was probably meant.
    pub(super) fn unknown(&self, sink: &str) -> Vec<String> {
        let strange = self.map.keys().filter(|key| !self.known.iter().any(|k| k.eq_ignore_ascii_case(key)));
        let line = |key: &String| match nearest(key, self.known.iter().copied()) {
            Some(meant) => format!("sink {sink}: unknown property {key}, did you mean {meant}?"),
            None => format!("sink {sink}: unknown property {key} has no effect"),
        };
        strange.map(line).collect()
    }
}

/// eKuiper's sentence, which scripts look for.
fn wrong(name: &str, wanted: &str, value: &Value) -> String {
    let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    format!("'{name}' expected type '{wanted}', got unconvertible type '{}', value: '{shown}'", kind(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(text: &str) -> Map<String, Value> {
        serde_json::from_str(text).expect("an object")
    }

    #[test]
    fn types_are_strict_as_ekuipers() {
        let map = map(
            r#"{"s":1,"b":"true","i":"3","f":2.9,"n":null,"l":"x","l2":["a",1],"m":{"a":1},"m2":"x","d":true,"D2":"1m30s","d3":50,"d4":-1,"d5":"-1s","d6":"abc"}"#,
        );
        let mut p = Props::new(&map);
        assert!(p.text("s").is_err());
        assert!(p.flag("b").is_err());
        assert!(p.int("i").is_err());
        assert_eq!(p.int("f"), Ok(Some(2)));
        assert_eq!((p.text("n"), p.flag("n"), p.int("absent")), (Ok(None), Ok(None), Ok(None)));
        assert!(p.texts("l").is_err_and(|e| e.contains("must be an array or slice, got string")));
        assert!(p.texts("l2").is_err_and(|e| e.contains("l2[1]")));
        assert!(p.text_map("m").is_err());
        assert!(p.text_map("m2").is_err_and(|e| e.contains("expected a map")));
        assert!(p.duration("d").is_err());
        assert_eq!(p.duration("d2"), Ok(Some(Duration::from_secs(90))));
        assert_eq!(p.duration("d3"), Ok(Some(Duration::from_millis(50))));
        assert!(p.duration("d4").is_err() && p.duration("d5").is_err() && p.duration("d6").is_err());
    }

    #[test]
    fn unknown_names_are_told_with_what_was_meant() {
        let map = map(r#"{"sendsingle":true,"sendSngle":true,"whatever":1}"#);
        let mut p = Props::new(&map);
        assert_eq!(p.flag("sendSingle"), Ok(Some(true)));
        let mut lines = p.unknown("log_0");
        lines.sort();
        assert_eq!(
            lines,
            ["sink log_0: unknown property sendSngle, did you mean sendSingle?", "sink log_0: unknown property whatever has no effect"]
        );
    }
}
