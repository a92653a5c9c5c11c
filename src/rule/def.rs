//! The definition of a rule: eKuiper's rule JSON (facts §4.1), parsed and checked as far as that needs no streams.
//!
//! The text is kept byte for byte; [`RuleDef`] is what it says. Member names are found in any letter case, unknown ones pass.

use serde_json::{Map, Value};

use super::fields::Fields;
use super::options::RuleOptions;
use crate::config::RuleDefaults;
use crate::json::{scan, words};
use crate::sql::{ast::Select, ddl::check_id, parse};

/// What a rule's JSON says.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleDef {
    /// Its id.
    pub id: String,
    /// The name that lists show; empty: the id.
    pub name: String,
    /// Its statement as written.
    pub sql: String,
    /// Its statement; absent in a graph rule.
    pub select: Option<Select>,
    /// Each object names sinks and their properties.
    pub actions: Vec<Map<String, Value>>,
    /// Options, defaults filled in.
    pub options: RuleOptions,
    /// Whether it should run.
    pub triggered: bool,
    /// A replacement must have a greater one, compared as text; see [`can_replace`].
    pub version: String,
    /// Kept in memory only.
    pub temp: bool,
    /// Words to find it by.
    pub tags: Option<Vec<String>>,
    /// Whether it has a `graph` in place of SQL.
    pub graph: bool,
}

impl RuleDef {
    /// Parses and checks a rule. `id` is the name given beside the text, or `""`.
    ///
    /// # Errors
    /// One sentence, in eKuiper's words where it has some.
    pub fn parse(id: &str, text: &str, defaults: &RuleDefaults) -> Result<Self, String> {
        let mut def = Self::read(id, text, defaults).map_err(|e| format!("Parse rule {} error : {e}.", shortened(text)))?;
        if def.id.is_empty() {
            return Err("Missing rule id.".to_owned());
        }
        if !id.is_empty() && id != def.id {
            return Err("RuleId is not consistent with rule id.".to_owned());
        }
        check_id(&def.id)?;
        if def.sql.is_empty() {
            if !def.graph {
                return Err(format!("Rule {} has neither sql nor graph.", def.id));
            }
        } else {
            if def.graph {
                return Err(format!("Rule {} has both sql and graph.", def.id));
            }
            let said = |e: String| if e.ends_with("is not a select statement.") { e } else { format!("Parse SQL {} error: {e}.", def.sql) };
            def.select = Some(parse::select(&def.sql).map_err(|e| said(e.to_string()))?);
            if def.actions.is_empty() {
                return Err("Missing rule actions.".to_owned());
            }
        }
        def.options.check().map_err(|e| format!("Rule {} has invalid options: {e}.", def.id))?;
        Ok(def)
    }

    /// Reads the members without judging them: for texts that were accepted before.
    ///
    /// # Errors
    /// What is no JSON, no object, or has a member of the wrong type.
    pub fn read(id: &str, text: &str, defaults: &RuleDefaults) -> Result<Self, String> {
        let value = json(text)?;
        let Some(map) = value.as_object() else {
            return Err(format!("json: cannot unmarshal {} into Go value of type def.Rule", words::kind(&value)));
        };
        let f = Fields::new(map, "Rule", "");
        let action = |a: &Value| if a.is_null() { Some(Map::new()) } else { a.as_object().cloned() };
        let actions = f.read("actions", "[]map[string]interface {}", |v| v.as_array()?.iter().map(action).collect())?;
        Ok(Self {
            id: f.text("id")?.unwrap_or_else(|| id.to_owned()),
            name: f.text("name")?.unwrap_or_default(),
            sql: f.text("sql")?.unwrap_or_default(),
            select: None,
            actions: actions.unwrap_or_default(),
            options: f
                .object("options", "def.RuleOption")?
                .map_or_else(|| Ok(RuleOptions::defaults(defaults)), |map| RuleOptions::parse(map, defaults))?,
            triggered: f.boolean("triggered")?.unwrap_or(true),
            version: f.text("version")?.unwrap_or_default(),
            temp: f.boolean("temp")?.unwrap_or(false),
            tags: f.texts("tags")?,
            graph: f.object("graph", "def.RuleGraph")?.is_some(),
        })
    }

    /// The name that lists show.
    #[must_use]
    pub fn shown_name(&self) -> &str {
        if self.name.is_empty() { &self.id } else { &self.name }
    }

    /// The streams and tables it reads, in the order written.
    pub fn sources(&self) -> impl Iterator<Item = &str> {
        self.select.iter().flat_map(Select::sources)
    }

    /// Whether it carries every one of `tags`.
    #[must_use]
    pub fn has_tags(&self, tags: &[String]) -> bool {
        let own = self.tags.as_deref().unwrap_or_default();
        tags.iter().all(|tag| own.contains(tag))
    }
}

/// Parses JSON strictly: RFC 8259 first, then the tree. Nesting is bounded by both, so hostile depth is an error.
///
/// # Errors
/// What was expected, and at which byte.
pub fn json(text: &str) -> Result<Value, String> {
    if text.trim_ascii().is_empty() {
        return Err("unexpected end of JSON input".to_owned());
    }
    // Go's words where it refuses the text as well.
    let said = |ours: String| words::complaint(text, false).unwrap_or(ours);
    scan::check(text, |_| {}).map_err(|e| said(format!("invalid JSON: {e}")))?;
    serde_json::from_str(text).map_err(|e| said(format!("invalid JSON: {e}")))
}

/// Whether a definition of version `new` may take the place of one of version `old`: it is greater as text, or both have none.
#[must_use]
pub fn can_replace(old: &str, new: &str) -> bool {
    (old.is_empty() && new.is_empty()) || new > old
}

/// The text for an error message: its beginning, when it is long.
fn shortened(text: &str) -> String {
    const CHARS: usize = 200;
    match text.char_indices().nth(CHARS) {
        Some((at, _)) => format!("{}...", &text[..at]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(id: &str, text: &str) -> Result<RuleDef, String> {
        RuleDef::parse(id, text, &RuleDefaults::default())
    }

    #[test]
    fn refusals() {
        let deep = "[".repeat(100_000);
        let wide = format!("{{\"id\":\"r\",\"x\":{}{}}}", "[".repeat(200), "]".repeat(200));
        for (id, text, words) in [
            ("", "{not json", "Parse rule {not json error"),
            ("", "", "unexpected end of JSON input"),
            ("", "null", "cannot unmarshal null into Go value of type def.Rule"),
            ("", "[]", "cannot unmarshal array"),
            ("", deep.as_str(), "Parse rule [["),
            ("", wide.as_str(), "Parse rule"),
            ("", "{}", "Missing rule id."),
            ("", r#"{"id":"","sql":"SELECT * FROM demo"}"#, "Missing rule id."),
            ("r1", r#"{"id":""}"#, "Missing rule id."),
            ("r1", r#"{"id":"r2"}"#, "RuleId is not consistent with rule id."),
            ("", r#"{"id":"a b"}"#, "id 'a b' contains invalid characters: only alphanumeric"),
            ("", r#"{"id":" a"}"#, "leading or trailing whitespace"),
            ("", r#"{"id":"r1"}"#, "Rule r1 has neither sql nor graph."),
            ("", r#"{"id":"r1","sql":"SELECT * FROM demo","graph":{}}"#, "Rule r1 has both sql and graph."),
            ("", r#"{"id":"r1","sql":"SELECT * FROM demo"}"#, "Missing rule actions."),
            ("", r#"{"id":"r1","sql":"SELECT * FROM demo","actions":[]}"#, "Missing rule actions."),
            (
                "",
                r#"{"id":"r1","sql":"SELECT * FROM demo","actions":{}}"#,
                "cannot unmarshal object into Go struct field Rule.actions of type",
            ),
            ("", r#"{"id":1}"#, "cannot unmarshal number into Go struct field Rule.id of type string"),
            (
                "",
                r#"{"id":"r1","sql":"SELECT * FROM demo","actions":[{"log":{}}],"options":{"bufferLength":-1}}"#,
                "Rule r1 has invalid options: invalidBufferLength",
            ),
        ] {
            let e = parse(id, text).expect_err(text);
            assert!(e.contains(words), "{text:.80}: {e:.300}");
        }
    }

    #[test]
    fn what_it_says() {
        let def =
            parse("r1", r#"{"SQL":"SELECT a FROM demo","actions":[{}],"triggered":false,"tags":["x","y"],"name":"n"}"#).expect("fits");
        assert_eq!((def.id.as_str(), def.shown_name(), def.triggered), ("r1", "n", false));
        assert_eq!(def.sources().collect::<Vec<_>>(), ["demo"]);
        assert!(def.has_tags(&["y".into()]) && !def.has_tags(&["z".into()]) && def.has_tags(&[]));
    }

    #[test]
    fn versions() {
        for (old, new, want) in [("", "", true), ("", "1", true), ("1", "2", true), ("2", "2", false), ("2", "10", false), ("2", "", false)]
        {
            assert_eq!(can_replace(old, new), want, "{old} {new}");
        }
    }
}
