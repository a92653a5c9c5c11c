//! Conf keys: the named sections of `sources/TYPE.yaml`, what the management API laid over them, and what a stream gets.
//!
//! Precedence: REST over environment over file, key by key; the section `default` below the named one. A section that is broken
//! keeps its error and costs only the streams that name it.

use core::fmt;

use serde_json::{Map, Value};

use super::{
    credentials,
    props::Props,
    tree::{Node, Origin, Tree},
};

/// All conf keys, by source type.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct ConfKeys {
    types: Vec<Kind>,
}

#[derive(Clone, PartialEq)]
struct Kind {
    name: String,
    /// Sections of the file with the environment laid over.
    sections: Vec<Section>,
    /// What the management API made.
    rest: Vec<(String, Map<String, Value>)>,
}

/// Without secrets of credentials.
impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rest = |(name, map): &(String, Map<String, Value>)| {
            let mut map = map.clone();
            credentials::mask(&mut map);
            (name.clone(), map)
        };
        let rest: Vec<_> = self.rest.iter().map(rest).collect();
        f.debug_struct("Kind").field("name", &self.name).field("sections", &self.sections).field("rest", &rest).finish()
    }
}

/// One section of a file.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Section {
    pub(super) name: String,
    pub(super) props: Props,
    /// Why it cannot be used, with its place.
    pub(super) broken: Option<String>,
}

impl Section {
    /// A section from the tree of its file.
    pub(super) fn from_node(name: &str, node: &Node) -> Self {
        let mut section = Self { name: name.to_owned(), props: Props::default(), broken: None };
        if let Some((at, why)) = node.first_bad() {
            section.broken = Some(format!("{at}: {name}: {why}"));
        }
        match &node.tree {
            Tree::Map(entries) => {
                for entry in entries {
                    // Now, while each item of the list still knows its line.
                    if entry.key.eq_ignore_ascii_case("credentials")
                        && let Err(fault) = credentials::list(&entry.node)
                    {
                        section.broken.get_or_insert(fault.to_string());
                    }
                    section.props.set(&entry.key, entry.node.to_json(), entry.node.at.clone());
                }
            }
            Tree::Null | Tree::Bad(_) => {}
            _ => section.broken = Some(format!("{}: {name}: expected a section, found {}", node.at, node.describe())),
        }
        section
    }
}

/// Why a stream cannot have its conf key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfKeyError {
    /// The source type.
    pub kind: String,
    /// The section at fault: the one named, or `default`.
    pub key: String,
    /// The place and what is wrong.
    pub what: String,
}

impl fmt::Display for ConfKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "conf key {} of {}: {}", self.key, self.kind, self.what)
    }
}

impl core::error::Error for ConfKeyError {}

impl ConfKeys {
    pub(super) fn put_file(&mut self, kind: &str, sections: Vec<Section>) {
        self.kind_mut(kind).sections = sections;
    }

    /// See [`super::Config::conf_key`].
    pub(super) fn resolve(&self, kind: &str, name: &str) -> Result<Props, ConfKeyError> {
        let mut props = Props::default();
        if kind.eq_ignore_ascii_case("httppush") {
            props.set("method", Value::String("POST".into()), Origin::Default);
        }
        self.lay(&mut props, kind, "default")?;
        if !name.is_empty() && !name.eq_ignore_ascii_case("default") && !self.lay(&mut props, kind, name)? {
            props.missing = Some(name.to_owned());
        }
        Ok(props)
    }

    /// Whether there is a section of that name; without a name, the section `default`.
    pub(super) fn is_there(&self, kind: &str, name: &str) -> bool {
        let name = if name.is_empty() { "default" } else { name };
        let found = |kind: &Kind| pick(&kind.sections, name, |s| &s.name).is_some() || pick(&kind.rest, name, |r| &r.0).is_some();
        self.kind(kind).is_some_and(found)
    }

    /// Lays the section `name` over `props`; false if there is none.
    fn lay(&self, props: &mut Props, kind: &str, name: &str) -> Result<bool, ConfKeyError> {
        let error = |what| ConfKeyError { kind: kind.to_owned(), key: name.to_owned(), what };
        let Some(found) = self.kind(kind) else { return Ok(false) };
        let section = pick(&found.sections, name, |s| &s.name);
        let rest = pick(&found.rest, name, |r| &r.0);
        let mut layer = Props::default();
        if let Some(section) = section {
            if let Some(broken) = &section.broken {
                return Err(error(broken.clone()));
            }
            let mut own = section.props.clone();
            own.server_means_method();
            layer.lay_props(&own);
        }
        if let Some((_, map)) = rest {
            layer.lay(map, &Origin::Rest);
        }
        if kind.eq_ignore_ascii_case("httppush") {
            layer.check().map_err(|e| error(e.to_string()))?;
        }
        props.lay_props(&layer);
        Ok(section.is_some() || rest.is_some())
    }

    /// See [`super::Config::set_conf_key`].
    pub(super) fn set(&mut self, kind: &str, name: &str, props: Map<String, Value>) {
        let rest = &mut self.kind_mut(kind).rest;
        match rest.iter_mut().find(|(n, _)| n == name) {
            Some((_, old)) => *old = props,
            None => rest.push((name.to_owned(), props)),
        }
    }

    /// See [`super::Config::remove_conf_key`].
    pub(super) fn remove(&mut self, kind: &str, name: &str) -> bool {
        let Some(found) = self.types.iter_mut().find(|k| k.name.eq_ignore_ascii_case(kind)) else { return false };
        let before = found.rest.len();
        found.rest.retain(|(n, _)| n != name);
        found.rest.len() < before
    }

    /// Puts other sections of files in place; what the management API made stays.
    pub(super) fn take_files(&mut self, newer: &Self) {
        for kind in &mut self.types {
            kind.sections.clear();
        }
        for kind in &newer.types {
            self.kind_mut(&kind.name).sections.clone_from(&kind.sections);
        }
    }

    /// What the management API made under that name.
    pub(super) fn made(&self, kind: &str, name: &str) -> Option<&Map<String, Value>> {
        self.kind(kind)?.rest.iter().find(|(n, _)| n == name).map(|(_, map)| map)
    }

    /// See [`super::Config::conf_keys_json`].
    pub(super) fn view(&self, kind: &str) -> Map<String, Value> {
        let mut view = Map::new();
        let Some(found) = self.kind(kind) else { return view };
        let names = found.sections.iter().map(|s| &s.name).chain(found.rest.iter().map(|r| &r.0));
        for name in names {
            if view.contains_key(name) {
                continue;
            }
            let mut props = Props::default();
            match found.sections.iter().find(|s| s.name == *name) {
                Some(section) => props.lay_props(&section.props),
                // What the API made alone is shown as it came, but for secrets.
                None => {
                    let mut made = found.rest.iter().find(|(n, _)| n == name).map(|(_, map)| map.clone()).unwrap_or_default();
                    credentials::mask(&mut made);
                    view.insert(name.clone(), Value::Object(made));
                    continue;
                }
            }
            if let Some((_, map)) = found.rest.iter().find(|(n, _)| n == name) {
                for (key, value) in map {
                    props.set(key, value.clone(), Origin::Rest);
                }
            }
            let mut json = props.to_json();
            credentials::mask(&mut json);
            view.insert(name.clone(), Value::Object(json));
        }
        view
    }

    /// Every property of every section as `check --show` prints it: `httppush.default.method`, value, origin.
    pub(super) fn shown(&self) -> Vec<(String, Value, Origin)> {
        let mut out = Vec::new();
        for kind in &self.types {
            let mut names: Vec<&String> = kind.sections.iter().map(|s| &s.name).collect();
            names.extend(kind.rest.iter().map(|r| &r.0).filter(|n| !kind.sections.iter().any(|s| s.name == **n)));
            for name in names {
                let mut props = Props::default();
                if let Some(section) = kind.sections.iter().find(|s| s.name == *name) {
                    props.lay_props(&section.props);
                }
                if let Some((_, map)) = kind.rest.iter().find(|(n, _)| n == name) {
                    props.lay(map, &Origin::Rest);
                }
                out.extend(props.iter().map(|p| (format!("{}.{name}.{}", kind.name, p.name), p.value.clone(), p.origin.clone())));
            }
        }
        out
    }

    /// The errors of all broken sections.
    pub(super) fn broken(&self) -> impl Iterator<Item = ConfKeyError> {
        self.types.iter().flat_map(|kind| {
            let failed = |s: &Section| self.lay(&mut Props::default(), &kind.name, &s.name).err();
            kind.sections.iter().filter_map(failed)
        })
    }

    fn kind(&self, name: &str) -> Option<&Kind> {
        self.types.iter().find(|k| k.name.eq_ignore_ascii_case(name))
    }

    fn kind_mut(&mut self, name: &str) -> &mut Kind {
        let index = self.types.iter().position(|k| k.name.eq_ignore_ascii_case(name)).unwrap_or_else(|| {
            self.types.push(Kind { name: name.to_owned(), sections: Vec::new(), rest: Vec::new() });
            self.types.len() - 1
        });
        &mut self.types[index]
    }
}

/// The item of that exact name, else the first in any letter case.
fn pick<'a, T>(items: &'a [T], name: &str, of: impl Fn(&T) -> &String) -> Option<&'a T> {
    items.iter().find(|i| of(i) == name).or_else(|| items.iter().find(|i| of(i).eq_ignore_ascii_case(name)))
}
