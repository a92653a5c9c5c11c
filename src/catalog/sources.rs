//! Streams and tables: one name space, in order of creation, each with its statement byte for byte.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::host::{Fault, Host, Kind, Machine};
use super::{Control, record};
use crate::config::credentials;
use crate::rule::def::can_replace;
use crate::source::resolve::{resolve, secret_in_extra};
use crate::sql::ddl::{Create, check_id};
use crate::sql::parse::{self, Statement};

/// All streams and tables.
#[derive(Debug, Default)]
pub struct Sources {
    items: BTreeMap<String, Source>,
}

/// One stream or table.
#[derive(Debug)]
pub struct Source {
    /// What its statement says.
    pub create: Arc<Create>,
    /// Its statement as it came.
    pub text: String,
    /// Place in the order of creation.
    pub order: u64,
}

impl Sources {
    /// The stream or table called `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Source> {
        self.items.get(name)
    }

    /// All of them, in order of creation.
    #[must_use]
    pub fn in_order(&self) -> Vec<&Source> {
        let mut all: Vec<_> = self.items.values().collect();
        all.sort_by_key(|source| source.order);
        all
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// True without any.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    fn of(&self, name: &str, table: bool) -> Option<&Source> {
        self.get(name).filter(|source| source.create.table == table)
    }

    /// Takes a definition out.
    pub(super) fn take(&mut self, name: &str) -> Option<Source> {
        self.items.remove(name)
    }

    /// Takes a definition, in place of one of the same name.
    pub(super) fn put(&mut self, source: Source) {
        self.items.insert(source.create.name.clone(), source);
    }
}

/// `stream` or `table`.
#[must_use]
pub const fn noun(table: bool) -> &'static str {
    if table { "table" } else { "stream" }
}

/// `Stream` or `Table`.
#[must_use]
pub const fn title(table: bool) -> &'static str {
    if table { "Table" } else { "Stream" }
}

/// Which tables a list shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TableKind {
    /// All.
    #[default]
    Any,
    /// Scan tables.
    Scan,
    /// Lookup tables.
    Lookup,
}

impl<H: Host> Control<H> {
    /// Names of the streams or tables, in order of creation.
    #[must_use]
    pub fn source_names(&self, table: bool, kind: TableKind) -> Vec<&str> {
        let fits = |source: &&Source| {
            source.create.table == table
                && match kind {
                    TableKind::Any => true,
                    TableKind::Scan => matches!(source.create.options.kind.as_str(), "" | "scan"),
                    TableKind::Lookup => source.create.options.kind == "lookup",
                }
        };
        self.sources.in_order().into_iter().filter(fits).map(|source| source.create.name.as_str()).collect()
    }

    /// One stream or table.
    ///
    /// # Errors
    /// [`Fault::NOT_FOUND`] in the words of DESCRIBE.
    pub fn describe_source(&self, name: &str, table: bool) -> Result<&Create, Fault> {
        let found = self.sources.of(name, table).map(|source| &*source.create);
        found.ok_or_else(|| {
            let other = if self.sources.get(name).is_some() { format!("{} ", noun(table)) } else { String::new() };
            Fault::missing(format!("Describe {} fails, {other}{name} is not found.", noun(table)))
        })
    }

    /// The JSON schema of a stream or table: its declared columns, else, for a shared stream, those that running rules name.
    ///
    /// # Errors
    /// [`Fault::NOT_FOUND`] in the words of DESCRIBE.
    pub fn source_schema(&self, name: &str, table: bool) -> Result<String, Fault> {
        let create = self.describe_source(name, table)?;
        if !create.columns.is_empty() || !create.options.shared {
            return Ok(create.schema_json());
        }
        let mut named = std::collections::BTreeSet::new();
        let (mut used, mut numbered) = (false, false);
        for rule in self.rules.values() {
            for (_, columns) in rule.reads.iter().filter(|(source, _)| source == name) {
                used = true;
                // Rows as slices: eKuiper shows the place of each column then, in an order of its own.
                numbered |= rule.state.is_live() && rule.def.options.use_slice_tuple;
                match columns {
                    _ if !rule.state.is_live() => {}
                    Some(columns) => named.extend(columns.iter()),
                    None => return Ok("null".to_owned()),
                }
            }
        }
        let shown = |(place, column): (usize, &String)| {
            let facts = if numbered { format!("{{\"hasIndex\":true,\"index\":{place}}}") } else { "null".to_owned() };
            format!("{}:{facts}", super::text::json_string(column))
        };
        let items: Vec<String> = named.into_iter().enumerate().map(shown).collect();
        Ok(if used { format!("{{{}}}", items.join(",")) } else { "null".to_owned() })
    }

    /// Runs one DDL statement of any kind and gives what it prints.
    ///
    /// # Errors
    /// [`Fault::STREAM_TABLE`] with what is wrong.
    pub fn run_ddl(&mut self, text: &str) -> Result<String, Fault> {
        let general = |fault: Fault| Fault::new(Fault::STREAM_TABLE, fault.message);
        match statement(text)? {
            Some(Statement::Create(create)) => {
                let noun = create.noun();
                self.create_source(create, text).map_err(|e| general(e.or_under(&format!("Create {noun} fails"))))
            }
            Some(Statement::Show { table }) => {
                let names = self.source_names(table, TableKind::Any);
                Ok(if names.is_empty() { format!("No {} definitions are found.", noun(table)) } else { names.join("\n") })
            }
            Some(Statement::Describe(named)) => self.describe_source(&named.name, named.table).map(Create::describe).map_err(general),
            Some(Statement::Explain(named)) => {
                self.describe_source(&named.name, named.table)
                    .map_err(|e| general(Fault::plain(e.message.replacen("Describe", "Explain", 1))))?;
                Ok("TO BE SUPPORTED".to_owned())
            }
            Some(Statement::Drop(named)) => {
                let prefix = format!("Drop {} fails", noun(named.table));
                self.drop_source(&named.name, named.table, false).map_err(|e| general(Fault::plain(format!("{prefix}: {e}."))))
            }
            _ => Err(Fault::new(Fault::STREAM_TABLE, format!("Invalid stream statement: {text}"))),
        }
    }

    fn create_source(&mut self, create: Create, text: &str) -> Result<String, Refusal> {
        check_id(&create.name).map_err(Refusal::Bare)?;
        if self.sources.get(&create.name).is_some() {
            return Err(Refusal::Under(format!("Item {} already exists.", create.name)));
        }
        self.check_source(&create).map_err(|e| Refusal::Under(format!("{e}.")))?;
        let done = format!("{} {} is created.", title(create.table), create.name);
        self.store_source(create, text).map_err(|e| Refusal::Under(format!("{e}.")))?;
        Ok(done)
    }

    /// What only this build can say about a definition.
    fn check_source(&self, create: &Create) -> Result<(), String> {
        if create.is_lookup() {
            resolve(create, &self.config, self.host.tls())?;
        }
        // Not stored, and so never shown.
        if let Ok(Value::Object(extra)) = serde_json::from_str(&create.options.extra)
            && credentials::holds_secret(&extra)
        {
            return Err(secret_in_extra(&create.name));
        }
        Ok(())
    }

    fn store_source(&mut self, mut create: Create, text: &str) -> Result<(), String> {
        let order = match self.sources.get(&create.name) {
            Some(old) => {
                // Its new definition may name the conf key that is gone.
                create.guarded = old.create.guarded && old.create.options.conf_key == create.options.conf_key;
                old.order
            }
            None => self.next_order(),
        };
        let lookup = create.is_lookup();
        let name = create.name.clone();
        let (temp, record) = (create.options.temp, record::source(&create, text, order));
        let old = self.sources.take(&name);
        let had_lookup = old.as_ref().is_some_and(|old| old.create.is_lookup());
        self.sources.put(Source { create: Arc::new(create), text: text.to_owned(), order });
        let kept = if lookup || had_lookup { self.keep_lookups() } else { Ok(()) };
        let stored =
            kept.and_then(|()| if temp { self.host.remove(Kind::Source, &name) } else { self.host.save(Kind::Source, &name, &record) });
        if let Err(why) = stored {
            self.sources.take(&name);
            if let Some(old) = old {
                self.sources.put(old);
            }
            if lookup || had_lookup {
                self.keep_lookups()?;
            }
            return Err(why);
        }
        self.note_guard(&name)
    }

    /// Lookup tables gather rows from their definition on, whether a rule reads them or not.
    pub(super) fn keep_lookups(&mut self) -> Result<(), String> {
        let mut specs = Vec::new();
        for source in self.sources.in_order().into_iter().filter(|source| source.create.is_lookup()) {
            specs.push(Arc::new(resolve(&source.create, &self.config, self.host.tls())?));
        }
        self.host.engine(move |engine, now| engine.keep_lookups(&specs, now))
    }

    /// Creates a stream or table, or puts its new definition in place of the old one; running rules keep the old one.
    ///
    /// # Errors
    /// [`Fault::NOT_FOUND`] when the statement makes the other kind, else [`Fault::STREAM_TABLE`].
    pub fn replace_source(&mut self, name: &str, text: &str, table: bool) -> Result<String, Fault> {
        let refuse = |message: String| Err(Fault::new(Fault::STREAM_TABLE, message));
        let Some(Statement::Create(create)) = statement(text)? else {
            return refuse(format!("Invalid {} statement: {text}", noun(table)));
        };
        if create.table != table {
            return Err(Fault::missing(format!("{} {} is not found", noun(table), create.name)));
        }
        if create.name != name {
            return refuse(format!("Replace {name} fails: the sql statement must update the {name} source."));
        }
        check_id(name).or_else(refuse_text)?;
        if create.options.temp {
            return refuse(format!("Replace {name} fails: cannot replace with temp option."));
        }
        if let Some(old) = self.sources.of(name, table) {
            let (old, new) = (&old.create.options, &create.options);
            if old.shared != new.shared {
                return refuse(format!("Replace {name} fails: do not support to change stream SHARED option."));
            }
            if !can_replace(&old.version, &new.version) {
                let (old, new) = (&old.version, &new.version);
                return refuse(format!("source {name} already exists with version ({old}), new version ({new}) is lower"));
            }
        }
        let done = format!("{} {name} is replaced.", title(table));
        let result = self.check_source(&create).and_then(|()| self.store_source(create, text));
        result.or_else(|e| refuse_text(format!("Replace {} fails: {e}.", noun(table))))?;
        Ok(done)
    }

    /// Drops a stream or table.
    ///
    /// # Errors
    /// [`Fault::UNDEFINED`] while a rule runs on it and `force` is false, [`Fault::NOT_FOUND`] when it does not exist.
    pub fn drop_source(&mut self, name: &str, table: bool, force: bool) -> Result<String, Fault> {
        if !force && self.rules.values().any(|rule| rule.state.is_live() && rule.reads.iter().any(|(source, _)| source == name)) {
            return Err(Fault::plain(format!("stream {name} has been referenced by other rules")));
        }
        if self.sources.of(name, table).is_none() {
            return Err(Fault::missing(format!("{} {name} is not found", noun(table))));
        }
        self.host.remove(Kind::Source, name).map_err(|e| Fault::new(Fault::STREAM_TABLE, e))?;
        let gone = self.sources.take(name);
        if gone.is_some_and(|gone| gone.create.is_lookup()) {
            self.keep_lookups().map_err(|e| Fault::new(Fault::STREAM_TABLE, e))?;
        }
        Ok(format!("{} {name} is dropped.", title(table)))
    }
}

/// Why a CREATE is refused: with or without `Create stream fails` before it.
enum Refusal {
    Bare(String),
    Under(String),
}

impl Refusal {
    fn or_under(self, prefix: &str) -> Fault {
        match self {
            Self::Bare(message) => Fault::plain(message),
            Self::Under(message) => Fault::plain(format!("{prefix}: {message}")),
        }
    }
}

fn refuse_text<T>(message: String) -> Result<T, Fault> {
    Err(Fault::new(Fault::STREAM_TABLE, message))
}

fn statement(text: &str) -> Result<Option<Statement>, Fault> {
    parse::statement(text).map_err(|e| Fault::new(Fault::STREAM_TABLE, e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::fake::control;

    const DDL: &str = r#"CREATE STREAM demo (a BIGINT) WITH (DATASOURCE="/a", TYPE="httppush")"#;

    #[test]
    fn statements_and_what_they_print() {
        let mut c = control();
        for (text, want) in [
            ("SHOW STREAMS", "No stream definitions are found."),
            ("show tables", "No table definitions are found."),
            (DDL, "Stream demo is created."),
            (r#"CREATE TABLE tab () WITH (DATASOURCE="/t");"#, "Table tab is created."),
            (r#"CREATE STREAM aaa () WITH ()"#, "Stream aaa is created."),
            ("SHOW STREAMS", "demo\naaa"),
            ("EXPLAIN STREAM demo", "TO BE SUPPORTED"),
            ("DROP TABLE tab", "Table tab is dropped."),
            ("drop stream demo;", "Stream demo is dropped."),
        ] {
            assert_eq!(c.run_ddl(text).as_deref(), Ok(want), "{text}");
        }
    }

    #[test]
    fn refusals() {
        let mut c = control();
        c.run_ddl(DDL).expect("stream");
        for (text, words) in [
            (DDL, "Create stream fails: Item demo already exists."),
            (r#"CREATE TABLE demo () WITH (DATASOURCE="/t")"#, "Create table fails: Item demo already exists."),
            ("CREATE STREAM `a b` () WITH ()", "id 'a b' contains invalid characters"),
            (
                r#"CREATE TABLE l () WITH (DATASOURCE="/t", TYPE="httppush", KIND="lookup")"#,
                "Create table fails: lookup source type httppush not found.",
            ),
            ("DESCRIBE STREAM none", "Describe stream fails, none is not found."),
            ("DESCRIBE TABLE demo", "Describe table fails, table demo is not found."),
            ("EXPLAIN STREAM none", "Explain stream fails, none is not found."),
            ("DROP STREAM none", "Drop stream fails: stream none is not found."),
            ("DROP TABLE demo", "Drop table fails: table demo is not found."),
            ("SELECT * FROM demo", "Invalid stream statement: SELECT * FROM demo"),
            ("", "Invalid stream statement: "),
            ("CREATE STREAM x", "lparen"),
        ] {
            let e = c.run_ddl(text).expect_err(text);
            assert!(e.code == Fault::STREAM_TABLE && e.message.contains(words), "{text}: {e:?}");
        }
        assert_eq!(c.source_names(false, TableKind::Any), ["demo"]);
    }

    #[test]
    fn replacing() {
        let mut c = control();
        let shared = DDL.replace("TYPE", "SHARED=\"true\", TYPE");
        let versioned = |v: &str| DDL.replace("TYPE", &format!("VERSION=\"{v}\", TYPE"));
        assert_eq!(c.replace_source("demo", DDL, false).as_deref(), Ok("Stream demo is replaced."));
        for (name, text, table, code, words) in [
            ("other", DDL.to_owned(), false, 3000, "Replace other fails: the sql statement must update the other source."),
            ("demo", DDL.to_owned(), true, 1002, "table demo is not found"),
            ("demo", shared, false, 3000, "SHARED"),
            ("demo", DDL.replace("TYPE", "TEMP=\"true\", TYPE"), false, 3000, "cannot replace with temp option"),
            ("demo", "SHOW STREAMS".to_owned(), false, 3000, "Invalid stream statement"),
            ("demo", String::new(), false, 3000, "Invalid stream statement"),
        ] {
            let e = c.replace_source(name, &text, table).expect_err(&text);
            assert!(e.code == code && e.message.contains(words), "{text}: {e:?}");
        }
        c.replace_source("demo", &versioned("2"), false).expect("newer than none");
        for v in ["2", "1", "10"] {
            assert!(c.replace_source("demo", &versioned(v), false).expect_err(v).message.contains("version (2)"), "{v}");
        }
        c.replace_source("demo", &versioned("3"), false).expect("newer");
    }

    #[test]
    fn lookup_tables_are_kept_from_their_definition_on() {
        let mut c = control();
        let ddl = |name: &str, topic: &str| {
            format!(r#"CREATE TABLE {name} () WITH (TYPE="memory", DATASOURCE="{topic}", KIND="lookup", KEY="id")"#)
        };
        c.run_ddl(&ddl("a", "x")).expect("a table");
        c.run_ddl(&ddl("b", "y")).expect("a table");
        assert_eq!(c.host.engine.lookups, ["a", "b"]);
        // The engine has room for two.
        let e = c.run_ddl(&ddl("d", "z")).expect_err("a third");
        assert!(e.message.contains("Create table fails: no room for a third table."), "{e:?}");
        assert_eq!(c.source_names(true, TableKind::Lookup), ["a", "b"]);
        assert_eq!(c.host.engine.lookups, ["a", "b"], "as before");
        c.replace_source("b", &ddl("b", "z"), true).expect("replaced");
        c.replace_source("a", r#"CREATE TABLE a () WITH (TYPE="memory", DATASOURCE="x")"#, true).expect("a scan table");
        assert_eq!(c.host.engine.lookups, ["b"]);
        c.drop_source("b", true, false).expect("dropped");
        assert!(c.host.engine.lookups.is_empty());
        for (options, words) in [
            (r#"TYPE="memory", KEY="id""#, "datasource(topic) is required"),
            (r#"TYPE="memory", DATASOURCE="x""#, "Option \"key\" is required for memory lookup table."),
            (r#"TYPE="redis", DATASOURCE="0""#, "lookup source type redis not found"),
            (r#"DATASOURCE="x""#, "lookup source type  not found"),
        ] {
            let e = c.run_ddl(&format!(r#"CREATE TABLE l () WITH ({options}, KIND="lookup")"#)).expect_err(words);
            assert!(e.message.contains(words), "{e:?}");
        }
    }

    #[test]
    fn a_source_in_use_is_kept() {
        let mut c = control();
        c.run_ddl(DDL).expect("stream");
        c.create_rule("", r#"{"id":"r1","sql":"SELECT * FROM demo","actions":[{"nop":{}}]}"#).expect("rule");
        let e = c.drop_source("demo", false, false).expect_err("in use");
        assert_eq!((e.code, e.message.as_str()), (1000, "stream demo has been referenced by other rules"));
        assert!(c.run_ddl("DROP STREAM demo").is_err());
        c.drop_source("demo", false, true).expect("forced");
        assert!(c.host.engine.runs.contains_key("r1"), "the rule runs on");
    }
}
