//! Properties of one stream's source: an ordered list of name, value and origin, laid over each other; and what each property of
//! an httppush source takes.
//!
//! Names are found in any letter case, as eKuiper finds them. The last layer wins key by key, never inside a value.

use core::{fmt, time::Duration};

use serde_json::{Map, Value};

use super::{
    credentials::{self, CredentialFault},
    near::nearest,
    read,
    tree::{Node, Origin, Tree},
};

/// One property.
#[derive(Clone, PartialEq)]
pub struct Prop {
    /// Its name, in the documented spelling if it is a known one.
    pub name: String,
    /// Its value.
    pub value: Value,
    /// Where the value comes from.
    pub origin: Origin,
}

/// Without secrets of credentials.
impl fmt::Debug for Prop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = Map::from_iter([(self.name.clone(), self.value.clone())]);
        credentials::mask(&mut shown);
        write!(f, "{}: {} ({})", self.name, shown.get(&self.name).unwrap_or(&Value::Null), self.origin)
    }
}

/// The properties in force for one stream.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Props {
    items: Vec<Prop>,
    /// The conf key that was named but does not exist, so that the defaults stand: worth a warning.
    pub missing: Option<String>,
}

impl Props {
    /// The property `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Prop> {
        self.items.iter().find(|p| p.name.eq_ignore_ascii_case(name))
    }

    /// All properties, in the order they were first set.
    pub fn iter(&self) -> impl Iterator<Item = &Prop> {
        self.items.iter()
    }

    /// Sets one property, in place of an older value.
    pub fn set(&mut self, name: &str, value: Value, origin: Origin) {
        let name = SPECS.iter().map(|s| s.name).find(|n| n.eq_ignore_ascii_case(name)).unwrap_or(name);
        match self.items.iter_mut().find(|p| p.name.eq_ignore_ascii_case(name)) {
            Some(prop) => (prop.value, prop.origin) = (value, origin),
            None => self.items.push(Prop { name: name.to_owned(), value, origin }),
        }
    }

    /// Sets a property to the program's own default unless it is there.
    pub(super) fn set_if_absent(&mut self, name: &str, value: Value) {
        if self.get(name).is_none() {
            self.set(name, value, Origin::Default);
        }
    }

    /// Lays a JSON object over these properties, key by key: a REST-made conf key, or the stream option EXTRA.
    pub fn lay(&mut self, layer: &Map<String, Value>, origin: &Origin) {
        let mut own = Self::default();
        for (name, value) in layer {
            own.set(name, value.clone(), origin.clone());
        }
        own.server_means_method();
        self.lay_props(&own);
    }

    /// Lays other properties over these.
    pub fn lay_props(&mut self, layer: &Self) {
        for prop in &layer.items {
            self.set(&prop.name, prop.value.clone(), prop.origin.clone());
        }
    }

    /// The seed page's sample writes `server: "PUT"` for `method: "PUT"`: taken so when `method` is absent from the same layer.
    /// Says whether it was.
    pub(super) fn server_means_method(&mut self) -> bool {
        let meant = self.get("method").is_none() && self.get("server").is_some_and(|p| matches!(p.value.as_str(), Some("POST" | "PUT")));
        if meant && let Some(prop) = self.items.iter_mut().find(|p| p.name.eq_ignore_ascii_case("server")) {
            prop.name = "method".into();
        }
        meant
    }

    /// As a JSON object.
    #[must_use]
    pub fn to_json(&self) -> Map<String, Value> {
        self.items.iter().map(|p| (p.name.clone(), p.value.clone())).collect()
    }

    /// A text property. Numbers and booleans count as their spelling; null and `""` as absent.
    ///
    /// # Errors
    /// [`PropError`] when it is a list or an object.
    pub fn text(&self, name: &str) -> Result<Option<String>, PropError> {
        Ok(self.typed(name, read::text)?.filter(|t| !t.is_empty()))
    }

    /// A list of texts; one text alone is a list of one.
    ///
    /// # Errors
    /// [`PropError`] when it is anything else.
    pub fn texts(&self, name: &str) -> Result<Option<Vec<String>>, PropError> {
        self.typed(name, read::texts)
    }

    /// A boolean property.
    ///
    /// # Errors
    /// [`PropError`] when it is anything else.
    pub fn boolean(&self, name: &str) -> Result<Option<bool>, PropError> {
        self.typed(name, read::boolean)
    }

    /// A whole number from 0.
    ///
    /// # Errors
    /// [`PropError`] when it is anything else.
    pub fn count(&self, name: &str) -> Result<Option<u64>, PropError> {
        self.typed(name, read::count)
    }

    /// A duration: a number of milliseconds or a text such as `10s`.
    ///
    /// # Errors
    /// [`PropError`] when it is anything else.
    pub fn duration(&self, name: &str) -> Result<Option<Duration>, PropError> {
        self.typed(name, read::duration)
    }

    fn typed<T>(&self, name: &str, reader: impl Fn(&Node) -> Result<T, String>) -> Result<Option<T>, PropError> {
        let Some(prop) = self.get(name).filter(|p| !p.value.is_null()) else { return Ok(None) };
        let node = Node::from_json(&prop.value, &prop.origin);
        reader(&node).map(Some).map_err(|expected| PropError::new(prop, expected))
    }

    /// Checks the values of the properties that an httppush source knows.
    ///
    /// # Errors
    /// The first value that is not what its property takes.
    pub fn check(&self) -> Result<(), PropError> {
        self.items.iter().try_for_each(check)
    }
}

/// A property with a value it does not take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PropError {
    /// The property.
    pub name: String,
    /// Where its value stands.
    pub origin: Origin,
    /// `expected …, found …`, or eKuiper's sentence where it has one.
    pub what: String,
}

impl PropError {
    fn new(prop: &Prop, expected: String) -> Self {
        let found = Node::from_json(&prop.value, &prop.origin).describe();
        Self { name: prop.name.clone(), origin: prop.origin.clone(), what: format!("expected {expected}, found {found}") }
    }
}

impl From<CredentialFault> for PropError {
    fn from(fault: CredentialFault) -> Self {
        Self { name: fault.key, origin: fault.at, what: fault.what }
    }
}

impl fmt::Display for PropError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.origin {
            Origin::File { .. } | Origin::Env(_) => write!(f, "{}: {}: {}", self.origin, self.name, self.what),
            _ => write!(f, "{}: {}", self.name, self.what),
        }
    }
}

impl core::error::Error for PropError {}

/// What a property takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Takes {
    Any,
    Text,
    Texts,
    Bool,
    Count,
    Duration,
    Map,
    Credentials,
    Limits,
    OneOf(&'static [&'static str]),
}

struct Spec {
    name: &'static str,
    takes: Takes,
}

const fn spec(name: &'static str, takes: Takes) -> Spec {
    Spec { name, takes }
}

/// The properties of an httppush source, in the order of `docs/configuration.md`. Those after the gap are stream options in
/// eKuiper that overwrite what a conf key says.
const SPECS: &[Spec] = &[
    spec("method", Takes::OneOf(&["POST", "PUT"])),
    spec("endpoint", Takes::Text),
    spec("contentType", Takes::OneOf(&["strict", "any"])),
    spec("overflow", Takes::OneOf(&["reject", "drop_oldest"])),
    spec("ack", Takes::OneOf(&["queued", "stored"])),
    spec("bufferLength", Takes::Count),
    spec("metaHeaders", Takes::Texts),
    spec("origins", Takes::Texts),
    spec("successCode", Takes::Count),
    spec("successBody", Takes::Text),
    spec("responseHeaders", Takes::Map),
    spec("credentials", Takes::Credentials),
    spec("addressLimits", Takes::Limits),
    spec("fields", Takes::Texts),
    spec("hasHeader", Takes::Bool),
    spec("useInt64ForWholeNumber", Takes::Bool),
    spec("interval", Takes::Duration),
    spec("sendInterval", Takes::Duration),
    spec("decompression", Takes::Text),
    spec("mergeField", Takes::Text),
    spec("merger", Takes::Any),
    spec("payloadFormat", Takes::Text),
    spec("payloadField", Takes::Text),
    spec("payloadBatchField", Takes::Text),
    spec("payloadSchemaId", Takes::Text),
    spec("payloadDelimiter", Takes::Text),
    spec("connectionSelector", Takes::Text),
    //
    spec("format", Takes::Any),
    spec("key", Takes::Any),
    spec("datasource", Takes::Any),
    spec("schemaId", Takes::Any),
    spec("delimiter", Takes::Any),
    spec("retainSize", Takes::Any),
    spec("strictValidation", Takes::Any),
    spec("timestamp", Takes::Any),
    spec("timestampFormat", Takes::Any),
];

fn check(prop: &Prop) -> Result<(), PropError> {
    let Some(spec) = SPECS.iter().find(|s| s.name == prop.name).filter(|_| !prop.value.is_null()) else { return Ok(()) };
    let node = Node::from_json(&prop.value, &prop.origin);
    let read = match spec.takes {
        Takes::Any => Ok(()),
        Takes::Text => read::text(&node).map(drop),
        Takes::Texts => read::texts(&node).map(drop),
        Takes::Bool => read::boolean(&node).map(drop),
        Takes::Count => read::count(&node).map(drop),
        Takes::Duration => read::duration(&node).map(drop),
        Takes::Map => matches!(node.tree, Tree::Map(_)).then_some(()).ok_or_else(|| "a map".to_owned()),
        Takes::Credentials => return credentials::list(&node).map(drop).map_err(PropError::from),
        Takes::Limits => return credentials::limits(&node, spec.name).map(drop).map_err(PropError::from),
        Takes::OneOf(words) => match &node.tree {
            Tree::Text(t) if words.contains(&t.as_str()) => Ok(()),
            _ => Err(words.join(" or ")),
        },
    };
    read.map_err(|expected| {
        let mut error = PropError::new(prop, expected);
        // eKuiper's sentence, which scripts may know.
        if spec.name == "method" && !prop.origin.is_file() {
            let found = prop.value.as_str().map_or_else(|| prop.value.to_string(), str::to_owned);
            error.what = format!("method {found} is not supported, must be POST or PUT");
        }
        error
    })
}

/// Whether a property takes a text, so that a variable's digits stay one.
pub(super) fn is_text(name: &str) -> bool {
    SPECS.iter().any(|s| s.name.eq_ignore_ascii_case(name) && matches!(s.takes, Takes::Text | Takes::OneOf(_)))
}

/// For a property that no httppush source knows: the one that was probably meant, if any. `None` for a known property.
pub(super) fn unknown(name: &str) -> Option<Option<&'static str>> {
    if SPECS.iter().any(|s| s.name.eq_ignore_ascii_case(name)) {
        return None;
    }
    Some(nearest(name, SPECS.iter().map(|s| s.name).chain(super::load::SERVER_KEYS.iter().copied())))
}

/// Names of all documented properties.
#[cfg(test)]
pub(super) fn documented() -> impl Iterator<Item = &'static str> {
    SPECS.iter().map(|s| s.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn props(value: Value) -> Props {
        let mut props = Props::default();
        if let Value::Object(map) = value {
            props.lay(&map, &Origin::Rest);
        }
        props
    }

    #[test]
    fn layers_win_key_by_key() {
        let mut p = props(json!({"method": "POST", "responseHeaders": {"a": "1"}}));
        p.lay_props(&props(json!({"METHOD": "PUT", "responseheaders": {"b": "2"}, "X": 1})));
        assert_eq!(Value::Object(p.to_json()), json!({"method": "PUT", "responseHeaders": {"b": "2"}, "X": 1}));
    }

    #[test]
    fn server_is_method_only_when_exact_and_alone() {
        for (layer, method) in [
            (json!({"server": "PUT"}), Some("PUT")),
            (json!({"server": "POST"}), Some("POST")),
            (json!({"server": "put"}), None),
            (json!({"server": "tcp://x"}), None),
            (json!({"server": "PUT", "method": "POST"}), Some("POST")),
        ] {
            assert_eq!(props(layer.clone()).text("method").expect("text").as_deref(), method, "{layer}");
        }
    }

    #[test]
    fn values_checked() {
        for (layer, what) in [
            (json!({"method": "GET"}), "method: method GET is not supported, must be POST or PUT"),
            (json!({"method": 5}), "method: method 5 is not supported, must be POST or PUT"),
            (json!({"overflow": "block"}), "overflow: expected reject or drop_oldest, found \"block\""),
            (json!({"bufferLength": -1}), "bufferLength: expected a whole number from 0, found -1"),
            (json!({"fields": [["a"]]}), "fields: expected a list of texts, found a list"),
            (json!({"responseHeaders": 1}), "responseHeaders: expected a map, found 1"),
            (json!({"hasHeader": "yes"}), "hasHeader: expected true or false, found \"yes\""),
        ] {
            assert_eq!(props(layer.clone()).check().map_err(|e| e.to_string()), Err(what.into()), "{layer}");
        }
        assert_eq!(props(json!({"method": "PUT", "interval": "10s", "fields": ["a"], "anything": [1], "ack": null})).check(), Ok(()));
        let mut file = Props::default();
        file.set("Method", json!("GET"), Origin::File { file: "f".into(), line: 3, column: 1 });
        assert_eq!(file.check().map_err(|e| e.to_string()), Err("f:3: method: expected POST or PUT, found \"GET\"".into()));
    }

    #[test]
    fn typed_getters() {
        let p = props(json!({"interval": 1500, "sendInterval": "2s", "endpoint": "", "bufferLength": 7, "fields": "a", "hasHeader": true}));
        assert_eq!(p.duration("interval"), Ok(Some(Duration::from_millis(1500))));
        assert_eq!(p.duration("SENDINTERVAL"), Ok(Some(Duration::from_secs(2))));
        assert_eq!(p.text("endpoint"), Ok(None));
        assert_eq!(p.count("bufferLength"), Ok(Some(7)));
        assert_eq!(p.texts("fields"), Ok(Some(vec!["a".into()])));
        assert_eq!(p.boolean("hasHeader"), Ok(Some(true)));
        assert_eq!(p.boolean("nothing"), Ok(None));
        assert!(p.boolean("interval").is_err());
    }

    #[test]
    fn unknown_with_a_guess() {
        assert_eq!(unknown("METHOD"), None);
        assert_eq!(unknown("metod"), Some(Some("method")));
        assert_eq!(unknown("httpServerport1"), Some(Some("httpServerPort")));
        assert_eq!(unknown("zzz"), Some(None));
    }
}
