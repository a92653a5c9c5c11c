//! Typed reads from a JSON object, as Go's decoder finds members: the exact name, else the same name in other letter case; null
//! counts as absent.

use serde_json::{Map, Value};

/// The member that Go's decoder would give to the field `name`.
pub(crate) fn field<'a>(map: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    map.get(name)
        .or_else(|| map.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value))
        .filter(|value| !value.is_null())
}

/// What a value is, as error texts name it.
pub(crate) const fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Reads typed members and remembers below which path they stand.
pub(crate) struct Fields<'a> {
    map: &'a Map<String, Value>,
    path: &'a str,
}

impl<'a> Fields<'a> {
    pub(crate) const fn new(map: &'a Map<String, Value>, path: &'a str) -> Self {
        Self { map, path }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&'a Value> {
        field(self.map, name)
    }

    pub(crate) fn wrong(&self, name: &str, value: &Value, expected: &str) -> String {
        format!("cannot unmarshal {} into {}{name}, expected {expected}", kind(value), self.path)
    }

    pub(crate) fn boolean(&self, name: &str) -> Result<Option<bool>, String> {
        self.read(name, "true or false", Value::as_bool)
    }

    pub(crate) fn integer(&self, name: &str) -> Result<Option<i64>, String> {
        self.read(name, "a whole number", Value::as_i64)
    }

    pub(crate) fn text(&self, name: &str) -> Result<Option<String>, String> {
        self.read(name, "a text", |v| v.as_str().map(str::to_owned))
    }

    pub(crate) fn texts(&self, name: &str) -> Result<Option<Vec<String>>, String> {
        self.read(name, "a list of texts", |v| {
            v.as_array()?.iter().map(|t| if t.is_null() { Some(String::new()) } else { t.as_str().map(str::to_owned) }).collect()
        })
    }

    pub(crate) fn object(&self, name: &str) -> Result<Option<&'a Map<String, Value>>, String> {
        self.read(name, "an object", Value::as_object)
    }

    pub(crate) fn read<T>(&self, name: &str, expected: &str, reader: impl Fn(&'a Value) -> Option<T>) -> Result<Option<T>, String> {
        let Some(value) = self.get(name) else { return Ok(None) };
        reader(value).map(Some).ok_or_else(|| self.wrong(name, value, expected))
    }
}
