//! Request bodies: JSON into small typed structs, with the words that name the member at fault.

use serde_json::{Map, Value};

use crate::json::words::{complaint, kind};

/// The first JSON value of a body, as Go's decoder reads it: what follows is not looked at.
///
/// # Errors
/// What is wrong, in one sentence; `EOF` for an empty body.
pub fn first_value(body: &[u8]) -> Result<Value, String> {
    if body.trim_ascii().is_empty() {
        return Err("EOF".to_owned());
    }
    // The parser bounds nesting itself (128 levels), so hostile depth is an error, not a deep stack.
    match serde_json::Deserializer::from_slice(body).into_iter::<Value>().next() {
        Some(Ok(value)) => Ok(value),
        Some(Err(e)) => {
            let text = String::from_utf8_lossy(body);
            Err(complaint(&text, true).unwrap_or_else(|| format!("invalid JSON: {e}")))
        }
        None => Err("EOF".to_owned()),
    }
}

/// The members of a JSON object; null counts as an empty one.
///
/// # Errors
/// What is wrong, in one sentence.
pub fn object(body: &[u8]) -> Result<Object, String> {
    match first_value(body)? {
        Value::Object(map) => Ok(Object(map)),
        Value::Null => Ok(Object(Map::new())),
        other => Err(format!("json: cannot unmarshal {} into an object", kind(&other))),
    }
}

/// A JSON object whose members are read by name, in any letter case.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Object(pub Map<String, Value>);

impl Object {
    /// The member of that name; null counts as absent.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        let found = self.0.get(name).or_else(|| self.0.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, v)| v));
        found.filter(|value| !value.is_null())
    }

    /// A text; `""` when absent.
    ///
    /// # Errors
    /// The member is something else.
    pub fn text(&self, name: &str) -> Result<String, String> {
        match self.get(name) {
            None => Ok(String::new()),
            Some(Value::String(text)) => Ok(text.clone()),
            Some(other) => Err(format!("json: cannot unmarshal {} into {name} of type string", kind(other))),
        }
    }

    /// A list of texts; empty when absent.
    ///
    /// # Errors
    /// The member is something else.
    pub fn texts(&self, name: &str) -> Result<Vec<String>, String> {
        let Some(value) = self.get(name) else { return Ok(Vec::new()) };
        let items = value.as_array().and_then(|items| items.iter().map(|item| item.as_str().map(str::to_owned)).collect());
        items.ok_or_else(|| format!("json: cannot unmarshal {} into {name} of type []string", kind(value)))
    }

    /// An object; empty when absent.
    ///
    /// # Errors
    /// The member is something else.
    pub fn object(&self, name: &str) -> Result<Map<String, Value>, String> {
        match self.get(name) {
            None => Ok(Map::new()),
            Some(Value::Object(map)) => Ok(map.clone()),
            Some(other) => Err(format!("json: cannot unmarshal {} into {name}, expected an object", kind(other))),
        }
    }

    /// A whole number; 0 when absent.
    ///
    /// # Errors
    /// The member is something else.
    pub fn integer(&self, name: &str) -> Result<i64, String> {
        match self.get(name) {
            None => Ok(0),
            Some(value) => value.as_i64().ok_or_else(|| format!("json: cannot unmarshal {} into {name} of type int", kind(value))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies() {
        let deep = "[".repeat(100_000);
        let closed = format!("{}{}", "[".repeat(1_000), "]".repeat(1_000));
        for (body, words) in [
            ("", "EOF"),
            ("  ", "EOF"),
            ("{", "unexpected EOF"),
            ("{x", "invalid character 'x' looking for beginning of object key string"),
            ("[]", "array into an object"),
            ("5", "number"),
            (deep.as_str(), "unexpected EOF"),
            (closed.as_str(), "recursion"),
        ] {
            let e = object(body.as_bytes()).expect_err(body);
            assert!(e.contains(words), "{body:.20}: {e}");
        }
        assert_eq!(object(b"null"), Ok(Object::default()));
        let o = object(br#"{"SQL":"x","n":null} trailing"#).expect("object");
        assert_eq!((o.text("sql"), o.text("n"), o.text("missing")), (Ok("x".into()), Ok(String::new()), Ok(String::new())));
        assert!(object(br#"{"sql":5}"#).expect("object").text("sql").is_err());
        assert!(object(br#"{"tags":"a"}"#).expect("object").texts("tags").is_err());
    }
}
