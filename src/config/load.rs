//! Texts and environment → [`Config`]: files to trees, environment over them, server settings from their three places, then key
//! by key through the table.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{
    ClientAuth, Config, Fault, File, Input, Note, SOURCE_TYPES, TlsFiles,
    conf_keys::Section,
    env, keys,
    near::nearest,
    props::{self, Props},
    read,
    tree::{Entry, Node, Origin, Tree},
    yaml,
};
use crate::limits::LimitError;

/// The keys of the data server, which may stand in three places.
pub(super) const SERVER_KEYS: &[&str] = &[
    "httpServerIp",
    "httpServerPort",
    "httpServerTls",
    "handshakeTimeout",
    "firstByteTimeout",
    "headTimeout",
    "bodyTimeout",
    "idleTimeout",
    "writeTimeout",
    "minBodyRate",
    "connectionsPerAddress",
];

pub(super) fn load(input: &Input<'_>) -> Result<Config, Vec<Fault>> {
    let mut loader = Loader { config: Config::default(), faults: Vec::new(), elsewhere: Vec::new() };
    let mut main = loader.main_tree(input);
    let page = loader.sources(input);
    loader.place_server_keys(&mut main, page);
    loader.walk("", &main);
    loader.settle();
    if loader.faults.is_empty() { Ok(loader.config) } else { Err(loader.faults) }
}

pub(super) fn patch(config: &mut Config, body: &Map<String, Value>) -> Result<Vec<&'static str>, Fault> {
    let mut next = config.clone();
    let mut set = Vec::new();
    for (section, keys) in body {
        let Value::Object(keys) = keys else { continue };
        for (name, value) in keys {
            let Some(key) = keys::find(&format!("{section}.{name}")).filter(|k| k.live && !value.is_null()) else { continue };
            let node = Node::from_json(value, &Origin::Rest);
            (key.set)(&mut next, &node).map_err(|expected| fault(&node, key.path, &expected))?;
            next.origins.insert(key.path.to_owned(), Origin::Rest);
            set.push(key.path);
        }
    }
    *config = next;
    Ok(set)
}

/// A key of the data server found in `sources/httppush.yaml`.
struct ServerKey {
    /// `httpServerPort`, `httpServerTls.certfile`.
    path: String,
    node: Node,
}

struct Loader {
    config: Config,
    faults: Vec<Fault>,
    /// Keys of eKuiper's that mean nothing here.
    elsewhere: Vec<String>,
}

impl Loader {
    fn warn(&mut self, text: String) {
        self.config.notes.push(Note { level: log::Level::Warn, text });
    }

    fn main_tree(&mut self, input: &Input<'_>) -> Node {
        let mut root = Node::empty_map(Origin::Default);
        if let Some(file) = input.main {
            match yaml::parse(&Arc::from(file.name), file.text, 1) {
                Ok(Node { tree: Tree::Null, .. }) => {}
                Ok(node @ Node { tree: Tree::Map(_), .. }) => root = node,
                Ok(node) => self.faults.push(Fault {
                    place: node.at.to_string(),
                    key: String::new(),
                    what: format!("expected sections such as \"basic:\", found {}", node.describe()),
                }),
                Err(e) => self.faults.push(syntax(&file, &e)),
            }
        }
        for prefix in ["KUIPER", "PUSHGATE"] {
            for var in env::vars(input.env, prefix) {
                let is_text = |path: &[String]| keys::find(&path.join(".")).is_some_and(|k| k.text);
                if let Err(what) = env::overlay(&mut root, &var, is_text) {
                    self.faults.push(Fault { place: var.name.to_string(), key: String::new(), what });
                }
            }
        }
        root
    }

    /// Reads the conf keys of every source type; gives the server keys that stand among those of httppush.
    fn sources(&mut self, input: &Input<'_>) -> Vec<ServerKey> {
        let mut server = Vec::new();
        for kind in SOURCE_TYPES {
            let file = input.sources.iter().find(|(k, _)| k == kind).map(|(_, file)| *file);
            let push = *kind == "httppush";
            let mut root = file.map_or_else(|| Node::empty_map(Origin::Default), |file| self.source_tree(&file, push));
            for var in env::vars(input.env, &kind.to_ascii_uppercase()) {
                let is_text = |path: &[String]| path.last().is_some_and(|name| push && props::is_text(name));
                if let Err(what) = env::overlay(&mut root, &var, is_text) {
                    self.broken_by_variable(&mut root, &var, what);
                }
            }
            let mut sections = self.split(root, push, &mut server);
            if push && file.is_none() {
                default_of(&mut sections).props.set_if_absent("method", Value::String("POST".into()));
            }
            if *kind == "simulator" && file.is_none() {
                let props = &mut default_of(&mut sections).props;
                props.set_if_absent("data", serde_json::json!([{"humidity": 50, "temperature": 22.5}]));
                props.set_if_absent("interval", Value::String("1s".into()));
                props.set_if_absent("loop", Value::Bool(true));
            }
            self.config.conf_keys.put_file(kind, sections);
        }
        server
    }

    /// A variable that cannot be laid over a conf key breaks that conf key, or the start when it is about the server.
    fn broken_by_variable(&mut self, root: &mut Node, var: &env::Var, what: String) {
        let section = var.path.first().map_or("", String::as_str);
        let at = Origin::Env(Arc::clone(&var.name));
        match &mut root.tree {
            Tree::Map(entries) if var.path.len() > 1 && !is_server(section) => {
                let node = Node { tree: Tree::Bad(what), at: at.clone() };
                match entries.iter_mut().find(|e| e.key.eq_ignore_ascii_case(section)) {
                    Some(entry) => entry.node = node,
                    None => entries.push(Entry { key: section.to_owned(), at, node }),
                }
            }
            _ => self.faults.push(Fault { place: var.name.to_string(), key: String::new(), what }),
        }
    }

    /// A source file as a map of sections. A text that is no YAML as a whole is read section by section, so that a fault costs
    /// the section it is in; only a fault in the server's keys, or one above any section, stops the start.
    fn source_tree(&mut self, file: &File<'_>, push: bool) -> Node {
        let name: Arc<str> = Arc::from(file.name);
        let whole = match yaml::parse(&name, file.text, 1) {
            Ok(Node { tree: Tree::Null, at }) => return Node::empty_map(at),
            Ok(node @ Node { tree: Tree::Map(_), .. }) => return node,
            Ok(node) => Fault {
                place: node.at.to_string(),
                key: String::new(),
                what: format!("expected sections such as \"default:\", found {}", node.describe()),
            },
            Err(e) => syntax(file, &e),
        };
        let cut = yaml::sections(file.text);
        if !cut.iter().any(|s| s.key.is_some()) {
            self.faults.push(whole);
            return Node::empty_map(Origin::Default);
        }
        self.warn(format!("{whole}; read section by section"));
        let mut entries: Vec<Entry> = Vec::new();
        for section in cut {
            let read = yaml::parse(&name, section.text, section.line);
            match (read, section.key) {
                (Ok(Node { tree: Tree::Map(found), .. }), _) => {
                    for entry in found {
                        match entries.iter_mut().find(|e| e.key.eq_ignore_ascii_case(&entry.key)) {
                            Some(first) => {
                                let what = format!("expected each section once, found {} here and at {}", entry.key, first.at);
                                first.node = Node { tree: Tree::Bad(what), at: entry.at };
                            }
                            None => entries.push(entry),
                        }
                    }
                }
                (Ok(Node { tree: Tree::Null, .. }), _) => {}
                (Ok(node), _) => self.faults.push(Fault {
                    place: node.at.to_string(),
                    key: String::new(),
                    what: format!("expected \"key: value\", found {}", node.describe()),
                }),
                (Err(e), Some(key)) if !(push && is_server(key)) => {
                    let at = Origin::File { file: Arc::clone(&name), line: e.line, column: e.column };
                    let node = Node { tree: Tree::Bad(e.what), at: at.clone() };
                    entries.push(Entry { key: key.to_owned(), at, node });
                }
                (Err(e), _) => self.faults.push(syntax(file, &e)),
            }
        }
        Node { tree: Tree::Map(entries), at: Origin::Default }
    }

    /// Parts the map of a source file into conf keys and, for httppush, keys of the data server.
    fn split(&mut self, root: Node, push: bool, server: &mut Vec<ServerKey>) -> Vec<Section> {
        let Tree::Map(entries) = root.tree else { return Vec::new() };
        let mut sections = Vec::new();
        let mut bare = Vec::new();
        for entry in entries {
            if push && is_server(&entry.key) {
                self.server_entry(entry, server);
            } else if matches!(entry.node.tree, Tree::Map(_) | Tree::Null | Tree::Bad(_)) {
                sections.push(Section::from_node(&entry.key, &entry.node));
            } else {
                bare.push(entry);
            }
        }
        for entry in bare {
            self.bare_property(entry, &mut sections);
        }
        if push {
            for section in &sections {
                self.judge(section);
            }
        }
        sections
    }

    /// A property that stands outside any section, as in the seed page's sample that lost its `default:` line.
    fn bare_property(&mut self, entry: Entry, sections: &mut Vec<Section>) {
        let value = entry.node.to_json();
        let text = format!("{}: {} stands outside a section and is taken as one of default", entry.at, entry.key);
        let default = default_of(sections);
        if let Some(prop) = default.props.get(&entry.key) {
            let text = format!("{}: {} stands outside a section and gives way to {}", entry.at, entry.key, prop.origin);
            return self.warn(text);
        }
        self.config.notes.push(Note { level: log::Level::Warn, text: format!("{text}; write default: {{{}: {value}}}", entry.key) });
        default.props.set(&entry.key, value, entry.node.at);
    }

    /// Warns of what an httppush section holds besides known properties.
    fn judge(&mut self, section: &Section) {
        let name = &section.name;
        let mut meant = section.props.clone();
        let server_is_method = meant.server_means_method();
        for prop in section.props.iter() {
            if server_is_method && prop.name.eq_ignore_ascii_case("server") {
                self.warn(format!(
                    "{}: {name}.server: taken as the request method; write method: {} in place of server: {}",
                    prop.origin, prop.value, prop.value
                ));
            } else if let Some(guess) = props::unknown(&prop.name) {
                let guess = guess.map_or_else(String::new, |g| format!("; probably {g} is meant"));
                self.warn(format!("{}: {name}.{}: unknown property{guess}", prop.origin, prop.name));
            }
        }
    }

    /// A `source:` section or a bare `httpServer…` key in `sources/httppush.yaml`.
    fn server_entry(&mut self, entry: Entry, server: &mut Vec<ServerKey>) {
        let outer = if entry.key.eq_ignore_ascii_case("source") { String::new() } else { entry.key.clone() };
        match entry.node.tree {
            Tree::Map(inner) => {
                for e in inner {
                    let path = if outer.is_empty() { e.key.clone() } else { format!("{outer}.{}", e.key) };
                    match e.node.tree {
                        Tree::Map(deeper) => {
                            server.extend(deeper.into_iter().map(|d| ServerKey { path: format!("{path}.{}", d.key), node: d.node }));
                        }
                        _ => server.push(ServerKey { path, node: e.node }),
                    }
                }
            }
            Tree::Null => {}
            _ if outer.is_empty() => {
                let node = Node { tree: entry.node.tree, at: entry.node.at };
                self.faults.push(fault(&node, "source", "a section"));
            }
            _ => server.push(ServerKey { path: outer, node: entry.node }),
        }
    }

    /// Brings the server keys of all places under `source` of the main tree. A variable wins over a file; among files the
    /// connector page's place, `sources/httppush.yaml`, wins over the main file, with a warning that names both lines.
    fn place_server_keys(&mut self, main: &mut Node, page: Vec<ServerKey>) {
        let Tree::Map(entries) = &mut main.tree else { return };
        let mut bare = Vec::new();
        entries.retain(|e| {
            let keep = !SERVER_KEYS.iter().any(|k| e.key.eq_ignore_ascii_case(k));
            if !keep {
                bare.push(e.clone());
            }
            keep
        });
        let mut found = Vec::new();
        for entry in bare {
            self.warn(format!(
                "{}: {} stands outside a section and is taken as one of source; put it below \"source:\"",
                entry.at, entry.key
            ));
            self.server_entry(entry, &mut found);
        }
        for ServerKey { path, node } in found.into_iter().chain(page) {
            let Some(slot) = slot(main, &path) else {
                self.faults.push(fault(&node, &format!("source.{path}"), "a place below a section \"source:\""));
                continue;
            };
            if slot.tree == Tree::Null || rank(&node.at) >= rank(&slot.at) {
                if slot.at.is_file() && node.at.is_file() && slot.tree != Tree::Null && slot.tree != node.tree {
                    let text = format!("{}: source.{path}: {} wins over {} of {}", node.at, node.describe(), slot.describe(), slot.at);
                    self.config.notes.push(Note { level: log::Level::Warn, text });
                }
                *slot = node;
            }
        }
    }

    /// Reads a section through the table of keys.
    fn walk(&mut self, prefix: &str, node: &Node) {
        let Tree::Map(entries) = &node.tree else { return };
        for Entry { key, at, node } in entries {
            let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
            let capacity = if prefix.eq_ignore_ascii_case("limits") { keys::capacity(key) } else { None };
            if keys::is_elsewhere(&path) {
                self.elsewhere.push(path);
            } else if let Tree::Bad(why) = &node.tree {
                self.faults.push(Fault { place: node.at.to_string(), key: path, what: why.clone() });
            } else if let Some(known) = keys::find(&path) {
                if node.tree != Tree::Null {
                    match (known.set)(&mut self.config, node) {
                        Ok(()) => drop(self.config.origins.insert(known.path.to_owned(), node.at.clone())),
                        Err(expected) => self.faults.push(fault(node, known.path, &expected)),
                    }
                }
            } else if let Some((constant, documented)) = capacity {
                self.limit(constant, &documented, node);
            } else if keys::is_section(&path) {
                match node.tree {
                    Tree::Map(_) => self.walk(&path, node),
                    Tree::Null => {}
                    _ => self.faults.push(fault(node, &path, "a section")),
                }
            } else {
                self.unknown(&path, at);
            }
        }
    }

    fn limit(&mut self, constant: &str, documented: &str, node: &Node) {
        if node.tree == Tree::Null {
            return;
        }
        let path = format!("limits.{documented}");
        let read = if constant.ends_with("_BYTES") { read::bytes(node) } else { read::count(node) };
        let set = read.and_then(|value| {
            self.config.limits.set(constant, value).map_err(|e| match e {
                LimitError::Range { ceiling } => format!("1 to {ceiling} (the ceiling of {constant} in this build)"),
                LimitError::Fixed | LimitError::Unknown => {
                    format!("no key: the capacity is fixed when pushgate is built, with PUSHGATE_{constant}")
                }
            })
        });
        match set {
            Ok(()) => drop(self.config.origins.insert(path, node.at.clone())),
            Err(expected) => self.faults.push(fault(node, &path, &expected)),
        }
    }

    fn unknown(&mut self, path: &str, at: &Origin) {
        let guess = guess(path).map(|g| match at {
            Origin::Env(_) => format!("PUSHGATE__{}", g.to_uppercase().replace('.', "__")),
            _ => g,
        });
        let guess = guess.map_or_else(String::new, |g| format!("; probably {g} is meant"));
        self.warn(format!("{at}: {path}: unknown key{guess}"));
    }

    /// What several keys together must hold, and the notes on the whole.
    fn settle(&mut self) {
        for (path, tls) in
            [("basic.restTls", &mut self.config.basic.rest_tls), ("source.httpServerTls", &mut self.config.source.http_server_tls)]
        {
            let Some(TlsFiles { certfile, keyfile, client_ca, client_crl, client_auth, min_version, max_version }) = tls else { continue };
            let asks = matches!(client_auth, Some(ClientAuth::Optional | ClientAuth::Required));
            let fault = match (certfile.is_empty(), keyfile.is_empty()) {
                (true, true) if client_ca.is_empty() && client_crl.is_empty() && !asks => {
                    *tls = None;
                    continue;
                }
                (true, true) => Some(("clientCa", "expected certfile and keyfile, found neither")),
                (true, false) => Some(("keyfile", "expected certfile and keyfile, found no certfile")),
                (false, true) => Some(("certfile", "expected certfile and keyfile, found no keyfile")),
                _ if asks && client_ca.is_empty() => Some(("clientAuth", "expected a clientCa whose certificates are taken, found none")),
                _ if !client_crl.is_empty() && client_ca.is_empty() => Some(("clientCrl", "expected a clientCa beside it, found none")),
                _ if *min_version > *max_version => Some(("minVersion", "expected at most maxVersion, found more")),
                _ => None,
            };
            let Some((given, what)) = fault else { continue };
            let place = self.config.origins.get(&format!("{path}.{given}")).cloned().unwrap_or_default().to_string();
            self.faults.push(Fault { place, key: path.into(), what: what.into() });
        }
        if self.config.basic.rule_patrol_interval.as_secs() < 1 {
            self.warn(format!("{}: basic.rulePatrolInterval: below 1s, 10s is used", self.config.origin("basic.rulePatrolInterval")));
            self.config.basic.rule_patrol_interval = core::time::Duration::from_secs(10);
        }
        if let Some(broken) = self.config.limits.broken_relation() {
            let keys = self.config.origins.iter().filter(|(key, _)| broken.contains(key.as_str()));
            let place = keys.map(|(_, origin)| origin).next_back().cloned().unwrap_or_default().to_string();
            self.faults.push(Fault { place, key: "limits".into(), what: broken.into() });
        }
        let basic = &self.config.basic;
        if self.config.rest_listen().ip() != basic.rest_ip {
            self.warn(format!(
                "{}: basic.restIp: {} would leave the management port open to the network without authentication; \
                 127.0.0.1 is used (basic.restAllowOpen: true allows it)",
                self.config.origin("basic.restIp"),
                basic.rest_ip
            ));
        }
        let basic = &self.config.basic;
        if basic.authentication && basic.rest_tls.is_none() && !basic.rest_ip.is_loopback() {
            let place = self.config.origin("basic.authentication").clone();
            self.warn(format!("{place}: basic.authentication: tokens cross the network in clear: set basic.restTls"));
        }
        for broken in self.config.broken_conf_keys() {
            self.warn(format!("{broken}; streams that use it cannot start"));
        }
        if !self.elsewhere.is_empty() {
            let text = format!("no meaning here: {}", self.elsewhere.join(", "));
            self.config.notes.push(Note { level: log::Level::Info, text });
        }
    }
}

/// The section `default`, made as the first one if absent.
fn default_of(sections: &mut Vec<Section>) -> &mut Section {
    let index = sections.iter().position(|s| s.name.eq_ignore_ascii_case("default")).unwrap_or_else(|| {
        sections.insert(0, Section { name: "default".into(), props: Props::default(), broken: None });
        0
    });
    &mut sections[index]
}

/// Whether a top-level key of `sources/httppush.yaml` is about the data server.
fn is_server(key: &str) -> bool {
    key.eq_ignore_ascii_case("source") || SERVER_KEYS.iter().any(|k| key.eq_ignore_ascii_case(k))
}

/// Which place of a server key wins: our own variables, eKuiper's, then files.
fn rank(at: &Origin) -> u8 {
    match at {
        Origin::Env(name) if name.get(..8).is_some_and(|p| p.eq_ignore_ascii_case("pushgate")) => 3,
        Origin::Env(_) => 2,
        Origin::File { .. } => 1,
        _ => 0,
    }
}

/// The node of `source.PATH`, made if absent; `None` when a value that is no section stands in the way.
fn slot<'a>(main: &'a mut Node, path: &str) -> Option<&'a mut Node> {
    let mut node = main;
    for key in core::iter::once("source").chain(path.split('.')) {
        if node.tree == Tree::Null {
            node.tree = Tree::Map(Vec::new());
        }
        let Tree::Map(entries) = &mut node.tree else { return None };
        let index = entries.iter().position(|e| e.key.eq_ignore_ascii_case(key)).unwrap_or_else(|| {
            let node = Node { tree: Tree::Null, at: Origin::Default };
            entries.push(Entry { key: key.to_owned(), at: Origin::Default, node });
            entries.len() - 1
        });
        node = &mut entries[index].node;
    }
    Some(node)
}

/// The documented key that was probably meant by `path`.
fn guess(path: &str) -> Option<String> {
    let (section, key) = path.rsplit_once('.').unwrap_or(("", path));
    let known = keys::paths();
    let last = |p: &str| p.rsplit_once('.').map_or(0, |(head, _)| head.len() + 1);
    // The right key in the wrong section.
    if let Some(found) = known.iter().find(|p| p[last(p)..].eq_ignore_ascii_case(key)) {
        return Some(found.clone());
    }
    // A slip in the same section.
    let depth = if section.is_empty() { 0 } else { section.len() + 1 };
    let beside = known
        .iter()
        .filter(|p| depth == 0 || (p.len() > depth && p[..depth - 1].eq_ignore_ascii_case(section) && p.as_bytes()[depth - 1] == b'.'));
    let words: Vec<&str> = beside.map(|p| p[depth..].split('.').next().unwrap_or_default()).collect();
    if let Some(word) = nearest(key, words.iter().copied()) {
        return Some(if section.is_empty() { word.to_owned() } else { format!("{section}.{word}") });
    }
    // A slip in the key of another section.
    let hit = nearest(key, known.iter().map(|p| &p[last(p)..]))?;
    known.iter().find(|p| &p[last(p)..] == hit).cloned()
}

fn fault(node: &Node, path: &str, expected: &str) -> Fault {
    let place = if node.at == Origin::Rest { String::new() } else { node.at.to_string() };
    Fault { place, key: path.to_owned(), what: format!("expected {expected}, found {}", node.describe()) }
}

fn syntax(file: &File<'_>, e: &yaml::Syntax) -> Fault {
    Fault { place: format!("{}:{}", file.name, e.line), key: String::new(), what: e.what.clone() }
}
