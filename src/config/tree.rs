//! The tree that configuration texts, environment and REST become before their keys are read: every node knows where it stands.
//!
//! A node that could not be read is kept as [`Tree::Bad`] with the reason, so that one broken section costs only what reads it.

use core::fmt;
use std::sync::Arc;

use serde_json::{Map, Number, Value};

/// Where a value comes from, as `check --show` prints it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Origin {
    /// The program's own default.
    #[default]
    Default,
    /// A line of a configuration file.
    File {
        /// The file as the user named it.
        file: Arc<str>,
        /// Line, from 1.
        line: u32,
        /// Column, from 1.
        column: u32,
    },
    /// An environment variable.
    Env(Arc<str>),
    /// The management API.
    Rest,
    /// The stream option EXTRA.
    Extra,
}

impl Origin {
    /// Whether a file says so.
    #[must_use]
    pub const fn is_file(&self) -> bool {
        matches!(self, Self::File { .. })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { file, line, .. } => write!(f, "{file}:{line}"),
            Self::Env(name) => f.write_str(name),
            Self::Rest => f.write_str("rest"),
            Self::Extra => f.write_str("EXTRA"),
        }
    }
}

/// One node: a value and its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// The value.
    pub tree: Tree,
    /// Where the value stands.
    pub at: Origin,
}

/// A value of a configuration text.
#[derive(Debug, Clone, PartialEq)]
pub enum Tree {
    /// Nothing: an empty value, `~` or `null`. Means the same as a key that is absent.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any other number.
    Float(f64),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A map, in the order written; keys are unique whatever their case.
    Map(Vec<Entry>),
    /// What cannot be used, with the reason.
    Bad(String),
}

/// One key of a map.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The key as written (lower case when it comes from the environment).
    pub key: String,
    /// Where the key stands.
    pub at: Origin,
    /// Its value.
    pub node: Node,
}

impl Node {
    /// A map without entries.
    #[must_use]
    pub const fn empty_map(at: Origin) -> Self {
        Self { tree: Tree::Map(Vec::new()), at }
    }

    /// The entry whose key is `key` in any letter case, if this is a map.
    #[must_use]
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        match &self.tree {
            Tree::Map(entries) => entries.iter().find(|e| e.key.eq_ignore_ascii_case(key)),
            _ => None,
        }
    }

    /// The first broken node below (or at) this one: its place and the reason.
    #[must_use]
    pub fn first_bad(&self) -> Option<(&Origin, &str)> {
        match &self.tree {
            Tree::Bad(why) => Some((&self.at, why)),
            Tree::List(items) => items.iter().find_map(Self::first_bad),
            Tree::Map(entries) => entries.iter().find_map(|e| e.node.first_bad()),
            _ => None,
        }
    }

    /// The value as an error message shows it: `70000`, `"abc"`, `a list`.
    #[must_use]
    pub fn describe(&self) -> String {
        match &self.tree {
            Tree::Null => "nothing".into(),
            Tree::Bool(b) => b.to_string(),
            Tree::Int(i) => i.to_string(),
            Tree::Float(x) => x.to_string(),
            Tree::Text(t) => {
                let short: String = t.chars().take(60).collect();
                let more = if short.len() < t.len() { "…" } else { "" };
                format!("{:?}{more}", short)
            }
            Tree::List(_) => "a list".into(),
            Tree::Map(_) => "a map".into(),
            Tree::Bad(why) => why.clone(),
        }
    }

    /// The value as JSON; numbers that JSON cannot say, and broken nodes, become null.
    #[must_use]
    pub fn to_json(&self) -> Value {
        match &self.tree {
            Tree::Null | Tree::Bad(_) => Value::Null,
            Tree::Bool(b) => Value::Bool(*b),
            Tree::Int(i) => Value::Number(Number::from(*i)),
            Tree::Float(x) => Number::from_f64(*x).map_or(Value::Null, Value::Number),
            Tree::Text(t) => Value::String(t.clone()),
            Tree::List(items) => Value::Array(items.iter().map(Self::to_json).collect()),
            Tree::Map(entries) => Value::Object(entries.iter().map(|e| (e.key.clone(), e.node.to_json())).collect::<Map<_, _>>()),
        }
    }

    /// A tree from JSON, every node with the same origin.
    #[must_use]
    pub fn from_json(value: &Value, at: &Origin) -> Self {
        let tree = match value {
            Value::Null => Tree::Null,
            Value::Bool(b) => Tree::Bool(*b),
            Value::Number(n) => n.as_i64().map_or_else(|| Tree::Float(n.as_f64().unwrap_or(f64::NAN)), Tree::Int),
            Value::String(t) => Tree::Text(t.clone()),
            Value::Array(items) => Tree::List(items.iter().map(|v| Self::from_json(v, at)).collect()),
            Value::Object(map) => {
                Tree::Map(map.iter().map(|(k, v)| Entry { key: k.clone(), at: at.clone(), node: Self::from_json(v, at) }).collect())
            }
        };
        Self { tree, at: at.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_both_ways() {
        let value: Value = serde_json::from_str(r#"{"a":[1,2.5,"x",true,null],"b":{"c":-7}}"#).expect("json");
        assert_eq!(Node::from_json(&value, &Origin::Rest).to_json(), value);
    }

    #[test]
    fn described() {
        let at = Origin::Default;
        let node = |tree| Node { tree, at: at.clone() };
        assert_eq!(node(Tree::Text("ab\"c".into())).describe(), "\"ab\\\"c\"");
        assert_eq!(node(Tree::Int(70000)).describe(), "70000");
        assert!(node(Tree::Text("x".repeat(100))).describe().ends_with("…"));
    }
}
