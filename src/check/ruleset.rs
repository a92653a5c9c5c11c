//! `pushgate check --ruleset FILE`: what of an eKuiper installation works here, one line for each definition.
//!
//! In goes the text of a ruleset, of `/data/export` or of `/v2/data/export` (YAML), from eKuiper 1.x or 2.x; it is imported over a
//! bare engine by the very code that would import it into a daemon, so capacities and clashes between rules show as well. Out come
//! the lines `NAME: works`, `NAME: works with this difference: …` and `NAME: not supported because …`, and the exit code: 0 when
//! everything works, 65 (sysexits(3) EX_DATAERR) when something does not, or the text is no ruleset.

use core::fmt::Write as _;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::Report;
use super::bare::{Bare, Outside};
use super::differences;
use crate::catalog::ruleset::SECTIONS;
use crate::catalog::text::go_json;
use crate::catalog::{Control, Host as _, Machine as _, State};
use crate::config::{Config, yaml};
use crate::engine::Engine;
use crate::rule::RuleDef;
use crate::rule::compile::Surroundings;
use crate::rule::def;
use crate::source::resolve::resolve;
use crate::time::Zone;

/// How one definition fares.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Verdict {
    Works,
    Differs(Vec<String>),
    Fails(String),
}

impl Verdict {
    fn of(differences: Vec<String>) -> Self {
        if differences.is_empty() { Self::Works } else { Self::Differs(differences) }
    }
}

/// Judges a ruleset. `file` is its name, for the first line.
#[must_use]
pub fn report(file: &str, text: &str, config: &Config, zone: &Zone, outside: Outside) -> Report {
    let text = match as_json(text) {
        Ok(text) => text,
        Err(why) => return Report { text: format!("{file}: {why}\n"), code: DATA_ERROR },
    };
    let mut control = Control::new(Bare::new(config, outside), config.clone(), zone.clone());
    let imported = match control.import_all(&text, false) {
        Ok(imported) => imported,
        Err(fault) => return Report { text: format!("{file}: {fault}\n"), code: DATA_ERROR },
    };
    let mut lines: Vec<(String, Verdict)> = Vec::new();
    for (section, name, why) in imported.faults() {
        if !matches!(section, "streams" | "tables" | "rules") {
            lines.push((format!("{} {name}", word(section)), Verdict::Fails(why.to_owned())));
        }
    }
    for (section, kind, name) in props_of(&text) {
        if !imported.faults().any(|(s, k, _)| s == section && k == kind) {
            lines.push((format!("{} {kind}.{name}", word(section)), Verdict::Works));
        }
    }
    for section in ["streams", "tables"] {
        for name in names(&text, section) {
            lines.push((format!("{} {name}", word(section)), source(&control, &imported_why(&imported, section, &name), &name)));
        }
    }
    for id in names(&text, "rules") {
        lines.push((format!("rule {id}"), rule(&control, &imported_why(&imported, "rules", &id), &id)));
    }
    render(file, &lines)
}

/// sysexits(3): the input data was wrong.
const DATA_ERROR: u8 = 65;

fn imported_why(imported: &crate::catalog::Report, section: &str, name: &str) -> Option<String> {
    imported.faults().find(|(s, n, _)| *s == section && *n == name).map(|(_, _, why)| why.to_owned())
}

fn source(control: &Control<Bare>, refused: &Option<String>, name: &str) -> Verdict {
    if let Some(why) = refused {
        return Verdict::Fails(why.clone());
    }
    let Some(source) = control.sources().get(name) else { return Verdict::Fails("it was not taken".to_owned()) };
    if source.create.is_lookup() {
        // Whether a rule may join it is said of the rule.
        return Verdict::Works;
    }
    match resolve(&source.create, &control.config, control.host.tls()) {
        Err(why) => Verdict::Fails(why),
        Ok(spec) => Verdict::of(differences::of_source(&source.create, &spec, control.sources())),
    }
}

fn rule(control: &Control<Bare>, refused: &Option<String>, id: &str) -> Verdict {
    if let Some(why) = refused {
        return Verdict::Fails(why.clone());
    }
    let Some(rule) = control.rule(id) else { return Verdict::Fails("it was not taken".to_owned()) };
    if rule.state == State::Failed {
        return Verdict::Fails(rule.message.clone());
    }
    match plan(control, &rule.def) {
        Err(why) => Verdict::Fails(why),
        Ok(warnings) => {
            let mut all = differences::of_rule(&rule.def, &rule.text);
            all.extend(warnings);
            Verdict::of(all)
        }
    }
}

/// Plans a rule; gives what its sinks warn of.
fn plan(control: &Control<Bare>, def: &RuleDef) -> Result<Vec<String>, String> {
    let zones = |name: &str| control.host.zone(name);
    let around = Surroundings { config: &control.config, tls: control.host.tls(), zone: &control.zone, zones: &zones };
    let compiled = Engine::compile(def, control.sources(), &around).map_err(|fault| fault.message)?;
    Ok(compiled.unit.sinks.iter().flat_map(|sink| sink.warnings().iter().cloned()).collect())
}

fn render(file: &str, lines: &[(String, Verdict)]) -> Report {
    let mut text = format!("ruleset: {file}\n");
    let (mut different, mut failed) = (0_usize, 0_usize);
    for (what, verdict) in lines {
        let _ = match verdict {
            Verdict::Works => writeln!(text, "{what}: works"),
            Verdict::Differs(how) => {
                different += 1;
                writeln!(text, "{what}: works with this difference: {}", one_line(&how.join("; ")))
            }
            Verdict::Fails(why) => {
                failed += 1;
                writeln!(text, "{what}: not supported because {}", one_line(why))
            }
        };
    }
    let working = lines.len() - failed;
    let _ = writeln!(text, "{working} of {} work, {different} of them with a difference; {failed} not supported", lines.len());
    text.push_str("what differs for every stream, rule and sink: docs/from-ekuiper.md\n");
    Report { text, code: if failed == 0 { 0 } else { DATA_ERROR } }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// How a line calls an entry of a section.
fn word(section: &str) -> &'static str {
    match section {
        "streams" => "stream",
        "tables" => "table",
        "nativePlugins" => "native plugin",
        "portablePlugins" => "portable plugin",
        "sourceConfig" => "conf key",
        "sinkConfig" => "sink conf key",
        "connectionConfig" => "connection",
        "Service" => "service",
        "Schema" => "schema",
        "uploads" => "upload",
        "scripts" => "script",
        _ => "rule",
    }
}

/// The names of a section, sorted.
fn names(text: &str, section: &str) -> Vec<String> {
    entries(text, section).into_keys().collect()
}

fn entries(text: &str, section: &str) -> BTreeMap<String, Value> {
    let Ok(Value::Object(all)) = serde_json::from_str(text) else { return BTreeMap::new() };
    let found = all.into_iter().find(|(key, _)| key.eq_ignore_ascii_case(section));
    match found {
        Some((_, Value::Object(map))) => map.into_iter().collect(),
        _ => BTreeMap::new(),
    }
}

/// Every conf key and connection: section, type, name.
fn props_of(text: &str) -> Vec<(&'static str, String, String)> {
    let mut out = Vec::new();
    for section in ["sourceConfig", "sinkConfig", "connectionConfig"] {
        for (kind, keys) in entries(text, section) {
            let Some(Ok(Value::Object(keys))) = keys.as_str().map(serde_json::from_str) else { continue };
            out.extend(keys.into_iter().map(|(name, _)| (section, kind.clone(), name)));
        }
    }
    out
}

/// The text as a JSON export; one in YAML is written anew.
fn as_json(text: &str) -> Result<String, String> {
    let first = text.trim_start().trim_start_matches('\u{feff}').chars().next();
    if matches!(first, None | Some('{' | '[' | '"')) {
        return match def::json(text) {
            Ok(Value::Object(map)) if SECTIONS.iter().any(|s| map.keys().any(|key| key.eq_ignore_ascii_case(s))) => Ok(text.to_owned()),
            Ok(_) => Err(format!("no ruleset: expected an object with one of {}", SECTIONS.join(", "))),
            Err(e) => Err(format!("no ruleset: {e}")),
        };
    }
    let tree = yaml::parse(&Arc::from("ruleset"), text, 1)
        .map_err(|e| format!("no ruleset: neither JSON nor YAML: line {}, column {}: {}", e.line, e.column, e.what))?
        .to_json();
    let Value::Object(sections) = tree else { return Err("no ruleset: expected a map of sections".to_owned()) };
    let mut out: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for (section, entries) in &sections {
        let Some(section) = SECTIONS.iter().find(|s| s.eq_ignore_ascii_case(section)) else { continue };
        let Some(entries) = entries.as_object() else { continue };
        let to = out.entry(section).or_default();
        let mut kinds: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
        for (name, value) in entries {
            match *section {
                "streams" | "tables" => {
                    let sql = value.get("sql").and_then(Value::as_str).unwrap_or_default();
                    to.insert(name.clone(), Value::String(sql.to_owned()));
                }
                "sourceConfig" | "sinkConfig" | "connectionConfig" => {
                    // GROUP.TYPE.NAME
                    let mut parts = name.splitn(3, '.').skip(1);
                    let (Some(kind), Some(key)) = (parts.next(), parts.next()) else { continue };
                    kinds.entry(kind).or_default().insert(key.to_owned(), value.clone());
                }
                _ => {
                    to.insert(name.clone(), Value::String(go_json(value)));
                }
            }
        }
        to.extend(kinds.into_iter().map(|(kind, keys)| (kind.to_owned(), Value::String(go_json(&Value::Object(keys))))));
    }
    if out.is_empty() {
        return Err(format!("no ruleset: expected one of the sections {}", SECTIONS.join(", ")));
    }
    Ok(go_json(&Value::Object(out.into_iter().map(|(section, map)| (section.to_owned(), Value::Object(map))).collect())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::{TlsClient, TlsLoader, TlsProps};
    use crate::time::{Instant, Now, Timestamp};
    use serde_json::json;

    struct NoTls;

    impl TlsLoader for NoTls {
        fn client(&self, _: &TlsProps) -> Result<TlsClient, String> {
            Err("no certificates in tests".to_owned())
        }
    }

    fn judge(text: &str) -> Report {
        let now = Now { mono: Instant(0), wall: Timestamp(1_700_000_000_000) };
        let outside = Outside { tls: Box::new(NoTls), zone: |_| None, now };
        report("all.json", text, &Config::default(), &Zone::utc(), outside)
    }

    fn rule(id: &str, sql: &str, actions: &Value, options: &Value) -> Value {
        json!(json!({"id": id, "sql": sql, "actions": actions, "options": options}).to_string())
    }

    #[test]
    fn a_line_for_each_definition() {
        let log = json!([{"log": {}}]);
        let text = json!({
            "streams": {
                "demo": r#"CREATE STREAM demo () WITH (DATASOURCE="/a", FORMAT="json", TYPE="httppush")"#,
                "bare": r#"CREATE STREAM bare () WITH (TYPE="httppush")"#,
                "m": r#"CREATE STREAM m () WITH (DATASOURCE="t", FORMAT="json")"#,
                "bad": "CREATE",
            },
            "tables": {"t": r#"CREATE TABLE t (id STRING) WITH (DATASOURCE="/t", TYPE="httppush")"#},
            "rules": {
                "plain": rule("plain", "SELECT * FROM demo", &log, &json!({})),
                "opts": rule("opts", "SELECT meta(remote) AS r FROM demo", &json!([{"rest": {"url": "http://127.0.0.1:1/", "runAsync": true}}]),
                    &json!({"concurrency": 4, "restartStrategy": {"attempts": 1, "delay": 1000}})),
                "mqtt": rule("mqtt", "SELECT * FROM demo", &json!([{"kafka": {"brokers": "b"}}]), &json!({})),
                "lost": rule("lost", "SELECT * FROM none", &log, &json!({})),
                "off": json!(r#"{"id":"off","triggered":false,"sql":"SELECT nosuch(a) FROM demo","actions":[{"log":{}}]}"#),
                "notext": "{",
            },
            "nativePlugins": {"functions_x": "{}"},
            "sourceConfig": {"httppush": r#"{"k":{"method":"PUT"}}"#},
        });
        let report = judge(&text.to_string());
        for line in [
            "stream demo: works",
            "stream bare: works with this difference: without DATASOURCE its endpoint is /bare, eKuiper refuses its rules",
            "table t: works",
            "rule plain: works",
            "conf key httppush.k: works",
        ] {
            assert!(report.text.lines().any(|l| l == line), "{line}\n{}", report.text);
        }
        for start in [
            "stream m: not supported because source type mqtt not found",
            "stream bad: not supported because ",
            "rule opts: works with this difference: ",
            "rule mqtt: not supported because sink kafka is not defined",
            "rule lost: not supported because ",
            "rule off: not supported because ",
            "rule notext: not supported because ",
            "native plugin functions_x: not supported because ",
        ] {
            assert!(report.text.lines().any(|l| l.starts_with(start)), "{start}\n{}", report.text);
        }
        let opts = report.text.lines().find(|l| l.starts_with("rule opts")).unwrap_or_default();
        for word in ["concurrency", "delay", "meta()", "runAsync", "retries"] {
            assert!(opts.contains(word), "{word}: {opts}");
        }
        assert_eq!(report.code, 65);
        assert!(report.text.contains("\n6 of 13 work, "), "{}", report.text);
    }

    #[test]
    fn all_well_is_exit_code_0() {
        let text = json!({"streams": {"demo": r#"CREATE STREAM demo () WITH (DATASOURCE="/a", TYPE="httppush")"#}, "tables": {},
            "rules": {"r": rule("r", "SELECT * FROM demo", &json!([{"log": {}}]), &json!({}))}});
        let report = judge(&text.to_string());
        assert_eq!(report.code, 0, "{}", report.text);
        assert!(report.text.contains("stream demo: works\nrule r: works\n2 of 2 work, 0 of them with a difference; 0 not supported\n"));
    }

    #[test]
    fn rules_that_do_not_fit_beside_each_other() {
        let stream =
            |name: &str, key: &str| json!(format!(r#"CREATE STREAM {name} () WITH (DATASOURCE="/a", TYPE="httppush", CONF_KEY="{key}")"#));
        let log = json!([{"log": {}}]);
        let text = json!({
            "streams": {"a": stream("a", "strict"), "b": stream("b", "default")}, "tables": {},
            "rules": {"r1": rule("r1", "SELECT * FROM a", &log, &json!({})), "r2": rule("r2", "SELECT * FROM b", &log, &json!({}))},
            "sourceConfig": {"httppush": r#"{"strict":{"contentType":"strict"}}"#},
        });
        let report = judge(&text.to_string());
        assert_eq!(report.code, 65, "{}", report.text);
        assert!(report.text.contains("rule r1: works\nrule r2: not supported because "), "{}", report.text);
    }

    #[test]
    fn yaml_of_2_x() {
        let text = "streams:\n  demo:\n    sql: CREATE STREAM demo () WITH (DATASOURCE=\"/a\", TYPE=\"httppush\", CONF_KEY=\"k\")\n\
             rules:\n  r1:\n    id: r1\n    sql: SELECT * FROM demo\n    actions:\n      - log: {}\n    triggered: false\n\
             sourceConfig:\n  sources.httppush.k:\n    method: PUT\n";
        let report = judge(text);
        assert_eq!(report.code, 0, "{}", report.text);
        for line in ["stream demo: works", "rule r1: works", "conf key httppush.k: works"] {
            assert!(report.text.lines().any(|l| l == line), "{line}\n{}", report.text);
        }
    }

    #[test]
    fn what_is_no_ruleset() {
        for text in ["", "[]", "{}", "{", "\"x\"", "hello", "a: b", "\t: :", &"[".repeat(100_000)] {
            let report = judge(text);
            assert_eq!(report.code, 65, "{text:.40}");
            assert!(report.text.starts_with("all.json: "), "{text:.40}: {}", report.text);
        }
    }
}
