//! Import and export: the ruleset of streams, tables and rules, and the whole configuration (facts §5).
//!
//! A failure costs its own entry and is listed with its reason. Files are read below `STATE/uploads` only.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::Control;
use super::connections::masked;
use super::host::{Fault, Host, Kind};
use super::keys::Group;
use super::text::{go_json, json_string};
use crate::json::words::kind as json_kind;
use crate::rule::def;

/// The members of a whole export, in eKuiper's order.
pub const SECTIONS: [&str; 12] = [
    "streams",
    "tables",
    "rules",
    "nativePlugins",
    "portablePlugins",
    "sourceConfig",
    "sinkConfig",
    "connectionConfig",
    "Service",
    "Schema",
    "uploads",
    "scripts",
];

/// What an import could not take: section, name, reason.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    faults: BTreeMap<(&'static str, String), String>,
}

impl Report {
    fn note(&mut self, section: &'static str, name: &str, result: Result<(), String>) -> bool {
        match result {
            Ok(()) => true,
            Err(why) => {
                self.faults.insert((section, name.to_owned()), why);
                false
            }
        }
    }

    /// True if everything was taken.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.faults.is_empty()
    }

    /// What was not taken: section, name, reason.
    pub fn faults(&self) -> impl Iterator<Item = (&'static str, &str, &str)> {
        self.faults.iter().map(|((section, name), why)| (*section, name.as_str(), why.as_str()))
    }

    /// Every section with the names and reasons of what was not taken.
    #[must_use]
    pub fn to_json(&self) -> String {
        sections_json(|section| {
            let of_section = self.faults.iter().filter(|((s, _), _)| *s == section);
            of_section.map(|((_, name), why)| (name.clone(), Value::String(why.clone()))).collect()
        })
    }

    /// One line for each entry that was not taken.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let line = |((section, name), why): (&(&str, String), &String)| format!("{} {name}: {why}", section.trim_end_matches('s'));
        self.faults.iter().map(line).collect()
    }
}

/// An import in the background: it was done at once, and is remembered for who asks.
#[derive(Debug, Clone)]
pub(super) struct Task {
    id: String,
    at_s: i64,
    result: Result<String, String>,
}

/// How many of a ruleset were taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Streams.
    pub streams: usize,
    /// Tables.
    pub tables: usize,
    /// Rules.
    pub rules: usize,
}

/// A ruleset that is taken at the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Initial {
    /// The file, for messages.
    pub name: String,
    /// Its text.
    pub text: String,
}

impl<H: Host> Control<H> {
    /// Streams, tables and rules as a ruleset.
    #[must_use]
    pub fn export_ruleset(&self) -> String {
        let texts = |section: &'static str| json!(self.exported(section, |_| true));
        let parts: Vec<String> = SECTIONS[..3].iter().map(|section| format!("\"{section}\":{}", go_json(&texts(section)))).collect();
        format!("{{{}}}", parts.join(","))
    }

    /// How many streams, tables and rules there are.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let of = |section| self.exported(section, |_| true).len();
        Counts { streams: of("streams"), tables: of("tables"), rules: of("rules") }
    }

    /// Everything, or what the rules named by `only` need.
    #[must_use]
    pub fn export_all(&self, only: Option<&[String]>) -> String {
        let needed: Vec<String> = match only {
            Some(ids) => ids.iter().filter_map(|id| self.rules.get(id)).flat_map(|rule| rule_sources(&rule.def.sql)).collect(),
            None => Vec::new(),
        };
        sections_json(|section| match (section, only) {
            ("rules", Some(ids)) => {
                let text = |id: &String| self.rules.get(id).map(|rule| rule.text.clone()).unwrap_or_default();
                ids.iter().map(|id| (id.clone(), Value::String(text(id)))).collect()
            }
            ("streams" | "tables" | "rules", _) => self.exported(section, |name| only.is_none() || needed.iter().any(|n| n == name)),
            ("sourceConfig", None) => strings(self.exported_keys(Group::Sources)),
            ("sinkConfig", None) => strings(self.exported_keys(Group::Sinks)),
            ("connectionConfig", None) => {
                let mut all = self.exported_keys(Group::Connections);
                for (kind, named) in self.connections_by_kind() {
                    all.insert(kind, go_json(&Value::Object(named)));
                }
                strings(all)
            }
            _ => Map::new(),
        })
    }

    fn connections_by_kind(&self) -> BTreeMap<String, Map<String, Value>> {
        let mut out: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
        for (id, connection) in &self.connections {
            out.entry(connection.kind.clone())
                .or_default()
                .insert(id.clone(), Value::Object(masked(connection.props.as_ref()).unwrap_or_default()));
        }
        out
    }

    fn exported(&self, section: &str, wanted: impl Fn(&str) -> bool) -> Map<String, Value> {
        if section == "rules" {
            let kept = self.rules.values().filter(|rule| !rule.def.temp && wanted(&rule.def.id));
            return kept.map(|rule| (rule.def.id.clone(), Value::String(rule.text.clone()))).collect();
        }
        let table = section == "tables";
        let all = self.sources.in_order();
        let kept = all.iter().filter(|source| source.create.table == table && wanted(&source.create.name));
        kept.map(|source| (source.create.name.clone(), Value::String(source.text.clone()))).collect()
    }

    /// Takes a ruleset. What fails lowers the counts and is listed.
    ///
    /// # Errors
    /// The text is no ruleset; nothing was changed then.
    pub fn import_ruleset(&mut self, text: &str) -> Result<(Counts, Report), Fault> {
        let set = sections(text).map_err(|e| Fault::plain(format!("invalid import file: {e}")))?;
        let mut report = Report::default();
        let counts = self.import_definitions(&set, &mut report);
        Ok((counts, report))
    }

    /// Takes a ruleset at the start, and gives the ids of its rules: they have been started, or say why not.
    pub(super) fn import_initial(&mut self, initial: &Initial, faults: &mut Vec<String>) -> Vec<String> {
        let name = &initial.name;
        let set = match sections(&initial.text) {
            Ok(set) => set,
            Err(e) => {
                faults.push(format!("{name}: fail to import ruleset: invalid import file: {e}"));
                return Vec::new();
            }
        };
        let mut report = Report::default();
        let counts = self.import_definitions(&set, &mut report);
        log::info!("{name}: initialized {} streams, {} tables and {} rules", counts.streams, counts.tables, counts.rules);
        faults.extend(report.lines().into_iter().map(|line| format!("{name}: {line}")));
        let beyond: Vec<&str> = SECTIONS[3..].iter().filter(|s| set.get(*s).is_some_and(|e| !e.is_empty())).copied().collect();
        if !beyond.is_empty() {
            log::warn!("{name}: only streams, tables and rules are taken from it, not {}", beyond.join(", "));
        }
        let taken = |id: &&String| !report.faults.contains_key(&("rules", (*id).clone()));
        let ids: Vec<String> = set.get("rules").into_iter().flatten().map(|(id, _)| id).filter(taken).cloned().collect();
        for id in &ids {
            if let Some(rule) = self.rules.get(id).filter(|rule| rule.state == super::State::Failed) {
                faults.push(format!("rule {id} cannot be started: {}", rule.message));
            }
        }
        ids
    }

    fn import_definitions(&mut self, set: &BTreeMap<&'static str, BTreeMap<String, String>>, report: &mut Report) -> Counts {
        let mut counts = Counts::default();
        for (section, table) in [("streams", false), ("tables", true)] {
            let mut taken = 0;
            for (name, text) in set.get(section).into_iter().flatten() {
                let result = self.replace_source(name, text, table).map(drop).map_err(|e| e.message);
                taken += usize::from(report.note(section, name, result));
            }
            if table { counts.tables = taken } else { counts.streams = taken }
        }
        for (id, text) in set.get("rules").into_iter().flatten() {
            let result = self.import_rule(id, text);
            counts.rules += usize::from(report.note("rules", id, result));
        }
        counts
    }

    /// Takes a whole export. Without `partial` everything is dropped first; with it, rules and sources are replaced one by one and
    /// a rule that cannot be planned leaves the old one running.
    ///
    /// # Errors
    /// The text is no export; nothing was changed then.
    pub fn import_all(&mut self, text: &str, partial: bool) -> Result<Report, Fault> {
        let set = sections(text).map_err(|e| Fault::plain(format!("configuration unmarshal with error {e}")))?;
        let mut report = Report::default();
        if !partial {
            self.reset();
        }
        for (section, group) in [("sourceConfig", Group::Sources), ("sinkConfig", Group::Sinks), ("connectionConfig", Group::Connections)] {
            for (kind, text) in set.get(section).into_iter().flatten() {
                let result = self.import_keys(group, kind, text);
                report.note(section, kind, result);
            }
        }
        for section in ["nativePlugins", "portablePlugins", "Service", "Schema", "scripts"] {
            for name in set.get(section).into_iter().flatten().map(|(name, _)| name) {
                report.note(section, name, Err("not supported by pushgate".to_owned()));
            }
        }
        for (name, text) in set.get("uploads").into_iter().flatten() {
            let result = self.import_upload(name, text);
            report.note("uploads", name, result);
        }
        if partial {
            for (section, table) in [("streams", false), ("tables", true)] {
                for (name, text) in set.get(section).into_iter().flatten() {
                    let result = self.replace_source(name, text, table).map(drop).map_err(|e| e.message);
                    report.note(section, name, result);
                }
            }
            for (id, text) in set.get("rules").into_iter().flatten() {
                let result = self.put_rule(id, text).map_err(|e| e.message);
                report.note("rules", id, result);
            }
        } else {
            self.import_definitions(&set, &mut report);
        }
        self.imported = report.clone();
        Ok(report)
    }

    /// Takes an export in YAML (`GET /v2/data/export`): what it names is dropped and made again.
    ///
    /// # Errors
    /// The text is no such export, or an entry could not be taken; the others were.
    pub fn import_yaml(&mut self, text: &str) -> Result<(), Fault> {
        let set = crate::config::yaml::parse(&Arc::from("import"), text, 1)
            .map_err(|e| Fault::plain(format!("line {}, column {}: {}", e.line, e.column, e.what)))?
            .to_json();
        let Value::Object(set) = set else {
            return Err(Fault::plain(format!("cannot unmarshal {} into a map of sections", json_kind(&set))));
        };
        for section in SECTIONS {
            if let Some(other) = set.get(section).filter(|value| !value.is_object() && !value.is_null()) {
                return Err(Fault::plain(format!("{section}: cannot unmarshal {} into a map", json_kind(other))));
            }
        }
        let entries = |section: &str| set.get(section).and_then(Value::as_object).cloned().unwrap_or_default();
        let mut report = Report::default();
        for (section, group) in [("sourceConfig", Group::Sources), ("sinkConfig", Group::Sinks), ("connectionConfig", Group::Connections)] {
            for (key, props) in entries(section) {
                let parts: Vec<&str> = key.split('.').collect();
                let result = match (parts.as_slice(), props) {
                    ([_, kind, name], Value::Object(props)) if group == Group::Connections => {
                        self.store_connection(name, kind, Some(props))
                    }
                    ([_, kind, name], Value::Object(props)) => self.store_key(group, kind, name, props),
                    _ => Err("expected GROUP.TYPE.NAME: {properties}".to_owned()),
                };
                report.note(section, &key, result);
            }
        }
        for (section, table) in [("streams", false), ("tables", true)] {
            for (name, entry) in entries(section) {
                let sql = entry.get("sql").and_then(Value::as_str).unwrap_or_default();
                // Its version or SHARED may be another: the new definition stands for itself.
                let old = self.sources.take(&name);
                let result = self.replace_source(&name, sql, table).map(drop).map_err(|e| e.message);
                if let (Err(_), Some(old)) = (&result, old) {
                    self.sources.put(old);
                }
                report.note(section, &name, result);
            }
        }
        for (id, entry) in entries("rules") {
            let old = self.rules.get(&id).map(|rule| rule.text.clone());
            let _ = self.drop_rule(&id);
            let result = self.create_rule(&id, &yaml_rule(&entry)).map(drop).map_err(|e| e.message);
            if let (Err(_), Some(old)) = (&result, old) {
                let _ = self.import_rule(&id, &old);
            }
            report.note("rules", &id, result);
        }
        let failed =
            |(section, name, why): (&str, &str, &str)| format!("replace {} {name} failed, err:{why}", section.trim_end_matches('s'));
        if report.is_clean() { Ok(()) } else { Err(Fault::plain(report.faults().map(failed).collect::<Vec<_>>().join("\n"))) }
    }

    /// Properties of every conf key and connection that the management API made, as `(section, GROUP.TYPE.NAME, properties)`.
    #[must_use]
    pub fn exported_props(&self) -> Vec<(&'static str, String, Value)> {
        let mut out = Vec::new();
        for ((group, kind, name), props) in &self.keys {
            let section = match group {
                Group::Sources => "sourceConfig",
                Group::Sinks => "sinkConfig",
                Group::Connections => "connectionConfig",
            };
            let mut props = props.clone();
            crate::config::credentials::mask(&mut props);
            out.push((section, format!("{}.{kind}.{name}", group.word()), Value::Object(props)));
        }
        for (id, connection) in &self.connections {
            out.push((
                "connectionConfig",
                format!("connections.{}.{id}", connection.kind),
                Value::Object(masked(connection.props.as_ref()).unwrap_or_default()),
            ));
        }
        out
    }

    /// Notes what an import in the background came to, and gives the id to ask for it.
    pub fn note_task(&mut self, result: Result<String, String>) -> String {
        const TASK_COUNT: usize = 16;
        let secs = self.host.now().wall.0 / 1000;
        let fresh = |n: &i64| !self.tasks.iter().any(|task| task.id == format!("dataImport-{n}"));
        let id = format!("dataImport-{}", (secs..).find(fresh).unwrap_or(secs));
        if self.tasks.len() >= TASK_COUNT {
            self.tasks.remove(0);
        }
        self.tasks.push(Task { id: id.clone(), at_s: secs, result });
        id
    }

    /// An import in the background as JSON.
    ///
    /// # Errors
    /// No such task is remembered.
    pub fn task_json(&self, id: &str) -> Result<String, Fault> {
        let Some(task) = self.tasks.iter().find(|task| task.id == id) else {
            return Err(Fault::plain(format!("async task: {id} not found")));
        };
        let (status, message) = match &task.result {
            Ok(message) => ("finish", message),
            Err(message) => ("error", message),
        };
        let text = super::text::json_string;
        let at = task.at_s;
        Ok(format!(
            "{{\"id\":{},\"status\":\"{status}\",\"message\":{},\"createdTimestamp\":{at},\"updatedTimestamp\":{at}}}",
            text(id),
            text(message)
        ))
    }

    /// What the last import of everything could not take.
    #[must_use]
    pub const fn import_status(&self) -> &Report {
        &self.imported
    }

    fn import_keys(&mut self, group: Group, kind: &str, text: &str) -> Result<(), String> {
        let Value::Object(keys) = def::json(text)? else { return Err("expected an object of conf keys".to_owned()) };
        for (name, props) in keys {
            let Value::Object(props) = props else { return Err(format!("{name}: expected an object")) };
            crate::sql::ddl::check_id(&name)?;
            if group == Group::Connections {
                self.store_connection(&name, kind, Some(props))?;
            } else {
                self.store_key(group, kind, &name, props)?;
            }
        }
        Ok(())
    }

    fn import_upload(&mut self, name: &str, text: &str) -> Result<(), String> {
        let value = def::json(text)?;
        let content = value.get("content").and_then(Value::as_str).ok_or("only uploads with content can be imported")?;
        self.host.save_upload(name, content.as_bytes()).map(drop)
    }

    /// Drops every definition. What cannot be removed from the state directory stays, and is listed.
    pub fn reset(&mut self) -> Vec<String> {
        let mut faults = Vec::new();
        for id in self.rules.keys().cloned().collect::<Vec<_>>() {
            faults.extend(self.drop_rule(&id).err().map(|e| e.message));
        }
        let sources: Vec<(String, bool)> = self.sources.in_order().iter().map(|s| (s.create.name.clone(), s.create.table)).collect();
        for (name, table) in sources {
            faults.extend(self.drop_source(&name, table, true).err().map(|e| e.message));
        }
        for (group, kind, name) in self.keys.keys().cloned().collect::<Vec<_>>() {
            faults.extend(self.drop_key(group, &kind, &name).err().map(|e| e.message));
        }
        for id in self.connections.keys().cloned().collect::<Vec<_>>() {
            faults.extend(self.host.remove(Kind::Connection, &id).err());
            self.forget_connection(&id);
        }
        faults
    }

    /// The text of an import body: its content, or the file below `STATE/uploads` that it names.
    ///
    /// # Errors
    /// One sentence about the body or the file.
    pub fn import_text(&mut self, content: &str, file: &str) -> Result<String, Fault> {
        match (content.is_empty(), file.is_empty()) {
            (false, false) => Err(Fault::plain("Invalid body: Cannot specify both content and file")),
            (true, true) => Err(Fault::plain("Invalid body: must specify content or file")),
            (false, true) => Ok(content.to_owned()),
            (true, false) => {
                let Some(path) = file.strip_prefix("file://") else {
                    let hint =
                        if file.starts_with("http") { "turn basic.importHttp on, or send the content" } else { "expected file:///..." };
                    return Err(Fault::plain(format!("Fail to read file: {file}: {hint}")));
                };
                self.host.read_upload(path.trim_start_matches('/')).map_err(|e| Fault::plain(format!("Fail to read file: {e}")))
            }
        }
    }
}

/// A rule of a YAML export as the text that is kept: members in eKuiper's order, and `triggered` is false unless it is there.
fn yaml_rule(entry: &Value) -> String {
    const ORDER: [&str; 10] = ["triggered", "id", "name", "version", "temp", "sql", "graph", "actions", "options", "tags"];
    let Value::Object(members) = entry else { return go_json(entry) };
    let place = |name: &str| ORDER.iter().position(|known| *known == name).unwrap_or(ORDER.len());
    let mut members: Vec<(&str, String)> = members.iter().map(|(name, value)| (name.as_str(), go_json(value))).collect();
    if !members.iter().any(|(name, _)| *name == "triggered") {
        members.push(("triggered", "false".to_owned()));
    }
    members.sort_by_key(|(name, _)| (place(name), *name));
    let parts: Vec<String> = members.iter().map(|(name, value)| format!("{}:{value}", json_string(name))).collect();
    format!("{{{}}}", parts.join(","))
}

/// Names after FROM and JOIN of a statement that was accepted before.
fn rule_sources(sql: &str) -> Vec<String> {
    crate::sql::parse::select(sql).map(|select| select.sources().map(str::to_owned).collect()).unwrap_or_default()
}

fn strings(map: BTreeMap<String, String>) -> Map<String, Value> {
    map.into_iter().map(|(name, text)| (name, Value::String(text))).collect()
}

fn sections_json(of: impl Fn(&'static str) -> Map<String, Value>) -> String {
    let parts: Vec<String> = SECTIONS.iter().map(|section| format!("\"{section}\":{}", go_json(&Value::Object(of(section))))).collect();
    format!("{{{}}}", parts.join(","))
}

/// The sections of an export: name to text. Members that are null or missing are empty.
fn sections(text: &str) -> Result<BTreeMap<&'static str, BTreeMap<String, String>>, String> {
    let map = match def::json(text)? {
        Value::Object(map) => map,
        Value::Null => Map::new(),
        other => return Err(format!("json: cannot unmarshal {} into an object", json_kind(&other))),
    };
    let mut out = BTreeMap::new();
    for section in SECTIONS {
        let found = map.get(section).or_else(|| map.iter().find(|(key, _)| key.eq_ignore_ascii_case(section)).map(|(_, v)| v));
        let mut entries = BTreeMap::new();
        match found {
            None | Some(Value::Null) => {}
            Some(Value::Object(items)) => {
                for (name, text) in items {
                    let Value::String(text) = text else { return Err(format!("{section}.{name}: expected a text")) };
                    entries.insert(name.clone(), text.clone());
                }
            }
            Some(_) => return Err(format!("{section}: expected an object")),
        }
        out.insert(section, entries);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::State;
    use crate::catalog::fake::control;

    const SET: &str = r#"{"streams":{"demo":"CREATE STREAM demo () WITH (DATASOURCE=\"/a\", TYPE=\"httppush\")","bad":"CREATE"},"tables":{},
        "rules":{"r1":"{\"id\":\"r1\",\"sql\":\"SELECT * FROM demo\",\"actions\":[{\"nop\":{}}]}","r2":"{\"id\":\"r2\",\"sql\":\"SELECT * FROM none\",\"actions\":[{\"nop\":{}}]}","r3":"{"}}"#;

    #[test]
    fn a_ruleset_comes_in_and_goes_out() {
        let mut c = control();
        let (counts, report) = c.import_ruleset(SET).expect("a ruleset");
        assert_eq!(counts, Counts { streams: 1, tables: 0, rules: 2 });
        let lines = report.lines();
        assert!(lines.len() == 2 && lines[0].starts_with("rule r3: ") && lines[1].starts_with("stream bad: "), "{lines:?}");
        assert_eq!(c.rule("r1").expect("rule").state, State::Running);
        assert_eq!(c.rule("r2").expect("kept").state, State::Failed);
        let out = c.export_ruleset();
        assert!(out.starts_with(r#"{"streams":{"demo":"CREATE STREAM"#), "{out}");
        let (again, report) = control().import_ruleset(&out).expect("own export");
        assert_eq!((again, report.is_clean()), (Counts { streams: 1, tables: 0, rules: 2 }, true));
        let (again, _) = c.import_ruleset(SET).expect("once more");
        assert_eq!(again, counts, "what exists counts again");
        assert_eq!(c.host.engine.log, ["start r1", "start r1"]);
    }

    #[test]
    fn what_is_no_ruleset() {
        let mut c = control();
        let deep = "[".repeat(100_000);
        for text in ["", "x", "[]", r#"{"streams":[]}"#, r#"{"rules":{"r":{}}}"#, deep.as_str()] {
            assert!(c.import_ruleset(text).is_err(), "{text:.40}");
            assert!(c.import_all(text, false).is_err(), "{text:.40}");
        }
    }

    #[test]
    fn whole_and_partial_imports() {
        let mut c = control();
        c.import_ruleset(SET).expect("a ruleset");
        c.put_key(Group::Sources, "httppush", "ck", "{}").expect("key");
        let all = c.export_all(None);
        for section in SECTIONS {
            assert!(all.contains(&format!("\"{section}\":{{")), "{section}");
        }
        assert!(all.contains(r#""sourceConfig":{"httppush":"{\"ck\":{}}"}"#), "{all}");
        let some = c.export_all(Some(&["r1".into(), "unknown".into()]));
        assert!(some.contains("\"unknown\":\"\"") && some.contains("\"demo\":") && !some.contains("r2"), "{some}");
        let report = c.import_all(r#"{"rules":{"r1":"{}"}}"#, true).expect("partial");
        assert!(report.to_json().contains(r#""rules":{"r1":""#), "{}", report.to_json());
        assert_eq!(c.rule("r1").expect("kept").state, State::Running);
        let report = c.import_all("{}", false).expect("empty");
        assert!(report.is_clean() && c.is_empty() && c.exported_keys(Group::Sources).is_empty());
        assert_eq!(c.host.files.len(), 0);
    }
}
