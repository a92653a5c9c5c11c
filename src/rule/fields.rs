//! Typed reads from a JSON object, as Go's decoder finds members: the exact name, else the same name in other letter case; null
//! counts as absent. What does not fit is said in Go's words, with the type that Go has there.

use serde_json::{Map, Value};

use crate::json::words::kind;

/// The member that Go's decoder would give to the field `name`.
pub(crate) fn field<'a>(map: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    map.get(name)
        .or_else(|| map.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value))
        .filter(|value| !value.is_null())
}

/// Reads typed members and remembers below which path they stand.
pub(crate) struct Fields<'a> {
    map: &'a Map<String, Value>,
    /// Go's struct, for error texts.
    owner: &'static str,
    path: &'a str,
}

impl<'a> Fields<'a> {
    pub(crate) const fn new(map: &'a Map<String, Value>, owner: &'static str, path: &'a str) -> Self {
        Self { map, owner, path }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&'a Value> {
        field(self.map, name)
    }

    /// `go` is the type of the member; of a list, the first element that does not fit is told.
    pub(crate) fn wrong(&self, name: &str, value: &Value, go: &str) -> String {
        let (value, go) = match (value, go.strip_prefix("[]")) {
            (Value::Array(items), Some(element)) => {
                let fits = |v: &&Value| v.is_null() || (element == "string") == v.is_string() && (element != "string") == v.is_object();
                (items.iter().find(|v| !fits(v)).unwrap_or(value), element)
            }
            _ => (value, go),
        };
        let number = match value {
            Value::Number(n) if !n.is_i64() => format!("number {n}"),
            other => kind(other).to_owned(),
        };
        format!("json: cannot unmarshal {number} into Go struct field {}.{}{name} of type {go}", self.owner, self.path)
    }

    pub(crate) fn boolean(&self, name: &str) -> Result<Option<bool>, String> {
        self.read(name, "bool", Value::as_bool)
    }

    pub(crate) fn integer(&self, name: &str) -> Result<Option<i64>, String> {
        self.read(name, if name == "qos" { "def.Qos" } else { "int" }, Value::as_i64)
    }

    pub(crate) fn text(&self, name: &str) -> Result<Option<String>, String> {
        self.read(name, "string", |v| v.as_str().map(str::to_owned))
    }

    pub(crate) fn texts(&self, name: &str) -> Result<Option<Vec<String>>, String> {
        self.read(name, "[]string", |v| {
            v.as_array()?.iter().map(|t| if t.is_null() { Some(String::new()) } else { t.as_str().map(str::to_owned) }).collect()
        })
    }

    pub(crate) fn object(&self, name: &str, go: &str) -> Result<Option<&'a Map<String, Value>>, String> {
        self.read(name, go, Value::as_object)
    }

    pub(crate) fn read<T>(&self, name: &str, go: &str, reader: impl Fn(&'a Value) -> Option<T>) -> Result<Option<T>, String> {
        let Some(value) = self.get(name) else { return Ok(None) };
        reader(value).map(Some).ok_or_else(|| self.wrong(name, value, go))
    }
}
