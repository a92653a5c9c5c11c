//! Rules: create, update, start, stop, restart, drop (facts §4.3).
//!
//! A rule is compiled before anything changes. An update or restart starts the new run before the old one stops, so the data port
//! stays open. Stored texts change in two members only, `triggered` and `tags`, and are then written with sorted keys.

use serde_json::{Value, json};

use super::host::{Compiled, Ended, Fault, Host, Kind, Machine, Metric, Topo};
use super::text::go_json;
use super::{Control, record};
use crate::rule::RuleDef;
use crate::rule::def::{self, can_replace};

/// One rule and its last run.
#[derive(Debug)]
pub struct Rule {
    /// What its text says.
    pub def: RuleDef,
    /// Its text as it came, but for `triggered` and `tags`.
    pub text: String,
    /// Where it stands.
    pub state: State,
    /// Why it does not run, or how its last run ended.
    pub message: String,
    /// Last start in ms since the epoch; 0: never.
    pub started_ms: i64,
    /// Last stop in ms since the epoch; 0: never.
    pub stopped_ms: i64,
    /// Operators of the last run.
    pub topo: Option<Topo>,
    /// Streams and tables that the last run reads, with the columns named; `None`: all.
    pub reads: Vec<(String, Option<Vec<String>>)>,
    /// Whether tracing was asked for. Nothing is traced; lists show the wish.
    pub trace: bool,
    /// Set when it could not be started at boot or at an import: the patrol tries again.
    pub(super) retry: bool,
    /// Why its text cannot be planned at all.
    pub(super) unusable: Option<String>,
    /// Metrics of the last run, once it has stopped.
    pub(super) metrics: Metrics,
}

/// Where a rule stands (facts §4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Not running.
    Stopped,
    /// Running.
    Running,
    /// Waiting for its schedule.
    Scheduled,
    /// Stopped by an error.
    Failed,
}

impl State {
    /// The words on the wire.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::Running => "running",
            Self::Scheduled => "stopped: waiting for next schedule.",
            Self::Failed => "stopped by error",
        }
    }

    /// Whether the engine runs it.
    #[must_use]
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Running)
    }
}

impl Rule {
    pub(super) const fn new(def: RuleDef, text: String, unusable: Option<String>) -> Self {
        Self {
            def,
            text,
            state: State::Stopped,
            message: String::new(),
            started_ms: 0,
            stopped_ms: 0,
            topo: None,
            reads: Vec::new(),
            trace: false,
            retry: false,
            unusable,
            metrics: Vec::new(),
        }
    }
}

/// Metrics of a run, in the order of its status.
pub type Metrics = Vec<(String, Metric)>;

type Unit<H> = <<H as Host>::Engine as Machine>::Unit;

impl<H: Host> Control<H> {
    /// Creates a rule from its JSON; `id` is the name given beside it, or `""`. Gives its id.
    ///
    /// # Errors
    /// Why it is refused; nothing was stored then.
    pub fn create_rule(&mut self, id: &str, text: &str) -> Result<String, Fault> {
        let def = RuleDef::parse(id, text, &self.config.rule).map_err(|e| Fault::plain(format!("invalid rule json: {e}")))?;
        if self.rules.contains_key(&def.id) {
            return Err(Fault::plain(format!("rule {} already exists", def.id)));
        }
        self.add_rule(def, text)
    }

    fn add_rule(&mut self, def: RuleDef, text: &str) -> Result<String, Fault> {
        let id = def.id.clone();
        let most = self.config.limits.rule_count;
        if self.rules.len() >= most {
            return Err(Fault::plain(format!("rule {id}: there are {most} rules already, the most that limits.ruleCount allows")));
        }
        let compiled = self.compile(&def)?;
        let (temp, triggered) = (def.temp, def.triggered);
        if !temp {
            self.host.save(Kind::Rule, &id, &record::rule(&id, text)).map_err(|e| Fault::plain(format!("store the rule error: {e}")))?;
        }
        self.rules.insert(id.clone(), Rule::new(def, text.to_owned(), None));
        if triggered && let Err(fault) = self.run(&id, compiled) {
            self.rules.remove(&id);
            if !temp {
                let _ = self.host.remove(Kind::Rule, &id);
            }
            return Err(fault);
        }
        Ok(id)
    }

    /// Creates a rule, or puts its new definition in place of the old one.
    ///
    /// # Errors
    /// Why it is refused; the old rule runs on then.
    pub fn put_rule(&mut self, id: &str, text: &str) -> Result<(), Fault> {
        let def = RuleDef::parse(id, text, &self.config.rule).map_err(|e| Fault::plain(format!("Invalid rule json: {e}")))?;
        let Some(old) = self.rules.get(id) else { return self.add_rule(def, text).map(drop) };
        if !can_replace(&old.def.version, &def.version) {
            let (old, new) = (&old.def.version, &def.version);
            return Err(Fault::plain(format!("rule {id} already exists with version ({old}), new version ({new}) is lower")));
        }
        let compiled = self.compile(&def)?;
        let old_text = old.text.clone();
        let old_temp = old.def.temp;
        self.store_rule(id, text, def.temp)?;
        let triggered = def.triggered;
        if triggered {
            if let Err(fault) = self.run(id, compiled) {
                let _ = self.store_rule(id, &old_text, old_temp);
                return Err(fault);
            }
        } else {
            self.halt(id, State::Stopped, "stopped by update");
        }
        if let Some(rule) = self.rules.get_mut(id) {
            rule.def = def;
            text.clone_into(&mut rule.text);
            (rule.unusable, rule.retry) = (None, false);
            if !triggered {
                rule.state = State::Stopped;
            }
        }
        Ok(())
    }

    fn store_rule(&mut self, id: &str, text: &str, temp: bool) -> Result<(), Fault> {
        let done = if temp { self.host.remove(Kind::Rule, id) } else { self.host.save(Kind::Rule, id, &record::rule(id, text)) };
        done.map_err(|e| Fault::plain(format!("store the rule error: {e}")))
    }

    /// Drops a rule.
    ///
    /// # Errors
    /// [`Fault::NOT_FOUND`], or the file could not be removed.
    pub fn drop_rule(&mut self, id: &str) -> Result<(), Fault> {
        if !self.rules.contains_key(id) {
            return Err(Fault::missing(format!("rule {id} not found")));
        }
        self.host.remove(Kind::Rule, id).map_err(Fault::plain)?;
        self.halt(id, State::Stopped, "");
        self.rules.remove(id);
        Ok(())
    }

    /// Starts a rule; one that runs is planned again and restarted.
    ///
    /// # Errors
    /// [`Fault::NOT_FOUND`], or why it cannot be started; its state stays as it was.
    pub fn start_rule(&mut self, id: &str) -> Result<(), Fault> {
        let def = self.wanted(id, true)?;
        let compiled = self.compile(&def)?;
        self.run(id, compiled)
    }

    /// Stops a rule; one that does not run stays as it is.
    ///
    /// # Errors
    /// [`Fault::NOT_FOUND`].
    pub fn stop_rule(&mut self, id: &str) -> Result<(), Fault> {
        self.wanted(id, false)?;
        self.settle(id);
        self.halt(id, State::Stopped, "canceled manually");
        Ok(())
    }

    /// Stops a rule and starts it again; the new run stands before the old one stops. One that has a schedule waits for it.
    ///
    /// # Errors
    /// [`Fault::NOT_FOUND`], or why it cannot be started; it is then stopped by that error.
    pub fn restart_rule(&mut self, id: &str) -> Result<(), Fault> {
        let def = self.wanted(id, true)?;
        if def.options.is_scheduled() {
            self.halt(id, State::Scheduled, "");
            self.turn(id, State::Scheduled, "");
            return Ok(());
        }
        let result = self.compile(&def).and_then(|compiled| self.run(id, compiled));
        if let Err(fault) = &result {
            self.halt(id, State::Failed, &fault.message);
            self.turn(id, State::Failed, &fault.message);
        }
        result
    }

    /// Starts a rule that is known already, as after a boot or an import: what cannot run is stopped by that error, and is tried
    /// again by the patrol.
    pub(super) fn recover(&mut self, id: &str) -> Result<(), Fault> {
        let Some(rule) = self.rules.get(id) else { return Ok(()) };
        if !rule.def.triggered {
            return Ok(());
        }
        if rule.def.options.is_scheduled() {
            self.turn(id, State::Scheduled, "");
            return Ok(());
        }
        let def = rule.def.clone();
        let result = self.compile(&def).and_then(|compiled| self.run(id, compiled));
        if let Err(fault) = &result {
            self.turn(id, State::Failed, &fault.message);
            if let Some(rule) = self.rules.get_mut(id) {
                rule.retry = true;
            }
        }
        result
    }

    /// Takes a rule from an import: stores it, then starts it if it should run. One that cannot run yet is kept.
    pub(super) fn import_rule(&mut self, id: &str, text: &str) -> Result<(), String> {
        let def = RuleDef::parse(id, text, &self.config.rule)?;
        match self.rules.get(id) {
            Some(old) if !can_replace(&old.def.version, &def.version) => {
                let (old, new) = (&old.def.version, &def.version);
                return Err(format!("rule {id} already exists with version ({old}), new version ({new}) is lower"));
            }
            Some(_) => {}
            None if self.rules.len() >= self.config.limits.rule_count => {
                return Err(format!("there are {} rules already, the most that limits.ruleCount allows", self.rules.len()));
            }
            None => {}
        }
        self.store_rule(id, text, def.temp).map_err(|e| e.message)?;
        if !def.triggered || def.options.is_scheduled() {
            self.halt(id, State::Stopped, "stopped by update");
        }
        match self.rules.get_mut(id) {
            Some(rule) => {
                rule.def = def;
                text.clone_into(&mut rule.text);
                rule.unusable = None;
            }
            None => {
                self.rules.insert(id.to_owned(), Rule::new(def, text.to_owned(), None));
            }
        }
        if self.recover(id).is_err() {
            // The old run belongs to a definition that is gone.
            let message = self.rules.get(id).map(|rule| rule.message.clone()).unwrap_or_default();
            let name = id.to_owned();
            drop(self.host.engine(move |engine, now| engine.stop(&name, now)));
            self.close_unneeded_data_port();
            self.turn(id, State::Failed, &message);
        }
        Ok(())
    }

    /// Checks a rule's text as far as validate does: text, SQL, and that its streams exist. Gives their names.
    ///
    /// # Errors
    /// What is wrong, as plain text.
    pub fn validate_rule(&self, id: &str, text: &str) -> Result<Vec<String>, String> {
        let def = RuleDef::parse(id, text, &self.config.rule).map_err(|e| format!("invalid rule json: {e}"))?;
        if def.graph {
            return Err(format!("invalid rule graph: {GRAPH}"));
        }
        let sources: Vec<String> = def.sources().map(str::to_owned).collect();
        match sources.iter().find(|name| self.sources.get(name).is_none()) {
            Some(name) => Err(format!("{name} is not found")),
            None => Ok(sources),
        }
    }

    /// The plan of a rule with the bytes that each step may hold.
    ///
    /// # Errors
    /// [`Fault::NOT_FOUND`], or why it cannot be planned.
    pub fn explain_bounds(&self, id: &str) -> Result<String, Fault> {
        let Some(rule) = self.rules.get(id) else { return Err(Fault::missing(format!("Rule {id} is not found."))) };
        if rule.def.sql.is_empty() {
            return Err(Fault::plain("only support explain sql now"));
        }
        self.around(|around| H::Engine::explain_bounds(&rule.def, &self.sources, around))
    }

    /// A rule.
    #[must_use]
    pub fn rule(&self, id: &str) -> Option<&Rule> {
        self.rules.get(id)
    }

    /// All rules by id.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.rules.values()
    }

    /// The text of a rule.
    ///
    /// # Errors
    /// [`Fault::NOT_FOUND`].
    pub fn rule_text(&mut self, id: &str) -> Result<&str, Fault> {
        // A run that has ended by itself shows in it.
        self.settle(id);
        let rule = self.rules.get(id).map(|rule| rule.text.as_str());
        rule.ok_or_else(|| Fault::missing(format!("Rule {id} is not found.")))
    }

    /// Notes whether tracing is wanted.
    ///
    /// # Errors
    /// A rule that does not exist or does not run.
    pub fn trace_rule(&mut self, id: &str, on: bool) -> Result<(), Fault> {
        let Some(rule) = self.rules.get_mut(id) else { return Err(Fault::plain(format!("rule {id} isn't existed"))) };
        if !rule.state.is_live() {
            return Err(Fault::plain(format!("rule {} set trace failed due to rule didn't started", rule.def.name)));
        }
        rule.trace = on;
        Ok(())
    }

    /// Sets, adds or removes tags.
    ///
    /// # Errors
    /// [`Fault::NOT_FOUND`], or the text could not be stored.
    pub fn tag_rule(&mut self, id: &str, tags: &[String], how: Tagging) -> Result<(), Fault> {
        let Some(rule) = self.rules.get(id) else { return Err(Fault::missing(format!("Rule {id} is not found."))) };
        let mut own = rule.def.tags.clone().unwrap_or_default();
        match how {
            Tagging::Set => own = tags.to_vec(),
            Tagging::Add => own.extend(tags.iter().filter(|tag| !rule.def.tags.iter().flatten().any(|t| t == *tag)).cloned()),
            Tagging::Remove => own.retain(|tag| !tags.contains(tag)),
        }
        let text = with_member(&rule.text, "tags", json!(own));
        let temp = rule.def.temp;
        self.store_rule(id, &text, temp)?;
        if let Some(rule) = self.rules.get_mut(id) {
            rule.text = text;
            rule.def.tags = Some(own);
        }
        Ok(())
    }

    /// Ids of the rules that carry every one of `tags`.
    #[must_use]
    pub fn tagged(&self, tags: &[String]) -> Vec<String> {
        self.rules.values().filter(|rule| rule.def.has_tags(tags)).map(|rule| rule.def.id.clone()).collect()
    }

    /// Notes in the stored text whether a rule should run, and gives its definition.
    fn wanted(&mut self, id: &str, run: bool) -> Result<RuleDef, Fault> {
        let Some(rule) = self.rules.get_mut(id) else {
            return Err(Fault::missing(format!("Rule {id} is not found in registry, please check if it is created")));
        };
        rule.text = with_member(&rule.text, "triggered", run.into());
        rule.def.triggered = run;
        rule.retry = false;
        let (def, text) = (rule.def.clone(), rule.text.clone());
        self.store_rule(id, &text, def.temp)?;
        Ok(def)
    }

    pub(super) fn compile(&self, def: &RuleDef) -> Result<Compiled<Unit<H>>, Fault> {
        if let Some(why) = self.rules.get(&def.id).filter(|rule| rule.def == *def).and_then(|rule| rule.unusable.as_ref()) {
            return Err(Fault::plain(why.clone()));
        }
        if def.graph {
            return Err(Fault::plain(GRAPH));
        }
        self.around(|around| H::Engine::compile(def, &self.sources, around))
    }

    /// Starts a run, in place of an older one of the same rule.
    pub(super) fn run(&mut self, id: &str, compiled: Compiled<Unit<H>>) -> Result<(), Fault> {
        let Compiled { unit, topo, reads, needs_data_port, warnings } = compiled;
        if needs_data_port {
            self.open_data_port()?;
        }
        let was_live = self.rules.get(id).is_some_and(|rule| rule.state.is_live());
        let started = self.host.engine(move |engine, now| engine.start(unit, now).map(|()| now.wall.0));
        // A failed start may have opened the port, a new run may need it no more.
        self.close_unneeded_data_port();
        let now = started?;
        warnings.iter().for_each(|line| self.host.warn(&format!("rule {id}: {line}")));
        if let Some(rule) = self.rules.get_mut(id) {
            rule.state = State::Running;
            rule.message.clear();
            rule.started_ms = now;
            if was_live {
                rule.stopped_ms = now;
            }
            rule.topo = Some(topo);
            rule.reads = reads;
            rule.retry = false;
            rule.metrics.clear();
        }
        Ok(())
    }

    /// Stops a run, if there is one, and keeps its metrics.
    pub(super) fn halt(&mut self, id: &str, state: State, message: &str) {
        let Some(rule) = self.rules.get(id) else { return };
        if !matches!(rule.state, State::Running | State::Scheduled) {
            return;
        }
        if rule.state == State::Running {
            let name = id.to_owned();
            // The old unit is dropped here, on this thread.
            let (metrics, _unit) = self.host.engine(move |engine, now| (engine.last_metrics(&name, now), engine.stop(&name, now)));
            if let (Some(rule), Some(metrics)) = (self.rules.get_mut(id), metrics) {
                rule.metrics = metrics;
            }
            self.close_unneeded_data_port();
        }
        self.turn(id, state, message);
    }

    /// Notes that a rule does not run any more.
    pub(super) fn turn(&mut self, id: &str, state: State, message: &str) {
        let now = self.host.now().wall.0;
        if let Some(rule) = self.rules.get_mut(id) {
            rule.state = state;
            message.clone_into(&mut rule.message);
            rule.stopped_ms = now;
        }
    }

    /// Notices a run that has ended by itself.
    pub(super) fn settle(&mut self, id: &str) {
        if !self.rules.get(id).is_some_and(|rule| rule.state.is_live()) {
            return;
        }
        let name = id.to_owned();
        match self.host.engine(move |engine, _| engine.ended(&name)) {
            None => {}
            Some(Ended::Failed(why)) => self.halt(id, State::Failed, &why),
            Some(Ended::Done(how)) => {
                let message = if how.is_empty() { "done".to_owned() } else { format!("done: {how}") };
                let _ = self.wanted(id, false);
                self.halt(id, State::Stopped, &message);
            }
        }
    }

    /// Notices every run that has ended by itself.
    pub(super) fn settle_all(&mut self) {
        let live: Vec<String> = self.rules.values().filter(|rule| rule.state.is_live()).map(|rule| rule.def.id.clone()).collect();
        if live.is_empty() {
            return;
        }
        let ended = self.host.engine(move |engine, _| live.into_iter().filter(|id| engine.ended(id).is_some()).collect::<Vec<_>>());
        for id in ended {
            self.settle(&id);
        }
    }
}

/// What becomes of the tags of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tagging {
    /// They are replaced.
    Set,
    /// New ones are added.
    Add,
    /// Those named are removed.
    Remove,
}

const GRAPH: &str = "graph rules are not supported, write the rule in sql";

/// A rule's text with one member set: written again with sorted keys, as eKuiper does.
fn with_member(text: &str, name: &str, value: Value) -> String {
    let Ok(Value::Object(mut map)) = def::json(text) else { return text.to_owned() };
    map.insert(name.to_owned(), value);
    go_json(&Value::Object(map))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::fake::{Fake, control};

    const DDL: &str = r#"CREATE STREAM demo () WITH (DATASOURCE="/a", TYPE="httppush")"#;
    const RULE: &str = r#"{"id":"r1","sql":"SELECT * FROM demo","actions":[{"nop":{}}]}"#;

    fn with_stream() -> Control<Fake> {
        let mut c = control();
        c.run_ddl(DDL).expect("stream");
        c
    }

    fn state(c: &Control<Fake>) -> State {
        c.rule("r1").expect("rule").state
    }

    #[test]
    fn a_failed_create_stores_nothing() {
        for (text, code, words) in [
            ("{", 1000, "invalid rule json"),
            (r#"{"id":"r1","sql":"SELECT * FROM none","actions":[{"nop":{}}]}"#, 1000, "fail to get stream none"),
            (r#"{"id":"r1","sql":"SELECT * FROM demo","actions":[{"bad":{}}]}"#, 2201, "not defined"),
            (r#"{"id":"r1","sql":"SELECT clash FROM demo","actions":[{"nop":{}}]}"#, 2201, "disagree"),
            (r#"{"id":"r1","graph":{}}"#, 1000, "graph"),
        ] {
            let mut c = with_stream();
            let e = c.create_rule("", text).expect_err(text);
            assert!(e.code == code && e.message.contains(words), "{text}: {e:?}");
            assert!(c.rule("r1").is_none() && c.host.engine.runs.is_empty() && c.host.listening.is_none());
            assert!(!c.host.files.contains_key(&(Kind::Rule, "r1".into())), "{text}");
        }
    }

    #[test]
    fn the_port_opens_with_the_first_rule_and_closes_after_the_last() {
        let mut c = with_stream();
        c.create_rule("", RULE).expect("r1");
        c.create_rule("", &RULE.replace("r1", "r2")).expect("r2");
        c.put_rule("r1", RULE).expect("update keeps it open");
        c.restart_rule("r2").expect("restart keeps it open");
        c.drop_rule("r1").expect("drop");
        assert_eq!(c.host.port_log, ["open"]);
        c.stop_rule("r2").expect("stop");
        assert_eq!(c.host.port_log, ["open", "close"]);
    }

    #[test]
    fn a_port_in_use() {
        let mut c = with_stream();
        c.host.listen_fault = Some("listen 0.0.0.0:10081: address in use".into());
        let e = c.create_rule("", RULE).expect_err("in use");
        assert_eq!((e.code, e.message.as_str()), (2201, "listen 0.0.0.0:10081: address in use"));
        assert!(c.rule("r1").is_none() && c.host.engine.log.is_empty());
        c.create_rule("", RULE).expect("free again");
        c.stop_rule("r1").expect("stop");
        c.host.listen_fault = Some("listen 0.0.0.0:10081: address in use".into());
        assert_eq!(c.start_rule("r1").expect_err("in use").code, 2201);
        assert_eq!(state(&c), State::Stopped);
    }

    #[test]
    fn a_full_disk_refuses_and_changes_nothing() {
        let mut c = with_stream();
        c.create_rule("", RULE).expect("r1");
        c.host.full = true;
        assert!(c.create_rule("", &RULE.replace("r1", "r2")).expect_err("full").message.contains("no space"));
        assert!(c.put_rule("r1", &RULE.replace('*', "a")).expect_err("full").message.contains("no space"));
        assert_eq!(c.rule_text("r1"), Ok(RULE));
        assert_eq!(c.host.engine.runs["r1"].sql, "SELECT * FROM demo");
    }

    #[test]
    fn a_failed_update_leaves_the_old_rule_running() {
        let mut c = with_stream();
        c.create_rule("", RULE).expect("r1");
        for sql in ["SELECT nope FROM demo", "SELECT clash FROM demo", "SELECT"] {
            let text = RULE.replace("SELECT * FROM demo", sql);
            assert!(c.put_rule("r1", &text).is_err(), "{sql}");
            assert_eq!(c.rule_text("r1"), Ok(RULE));
            assert_eq!(state(&c), State::Running);
            assert_eq!(c.host.engine.runs["r1"].sql, "SELECT * FROM demo");
            assert!(c.host.files[&(Kind::Rule, "r1".into())].contains("SELECT * FROM demo"));
        }
    }

    #[test]
    fn update_starts_a_stopped_rule_unless_told_otherwise() {
        let mut c = with_stream();
        c.create_rule("", RULE).expect("r1");
        c.stop_rule("r1").expect("stop");
        c.put_rule("r1", RULE).expect("put");
        assert_eq!(state(&c), State::Running);
        c.put_rule("r1", &RULE.replace("\"id\"", "\"triggered\":false,\"id\"")).expect("put");
        assert_eq!((state(&c), c.rule("r1").expect("rule").message.as_str()), (State::Stopped, "stopped by update"));
    }

    #[test]
    fn start_and_stop_rewrite_the_text() {
        let mut c = with_stream();
        let text = r#"{"sql": "SELECT * FROM demo", "id":"r1", "x":1.0,"actions":[{"nop":{}}]}"#;
        c.create_rule("", text).expect("r1");
        assert_eq!(c.rule_text("r1"), Ok(text));
        c.stop_rule("r1").expect("stop");
        let want = r#"{"actions":[{"nop":{}}],"id":"r1","sql":"SELECT * FROM demo","triggered":false,"x":1}"#;
        assert_eq!(c.rule_text("r1"), Ok(want));
    }

    #[test]
    fn failed_starts_and_restarts() {
        let mut c = with_stream();
        c.create_rule("", RULE).expect("r1");
        c.drop_source("demo", false, true).expect("forced");
        assert!(c.restart_rule("r1").is_err());
        assert_eq!(state(&c), State::Failed);
        assert!(c.rule("r1").expect("rule").message.contains("fail to get stream demo"));
        assert!(c.host.engine.runs.is_empty() && c.host.listening.is_none());
        let mut c = with_stream();
        c.create_rule("", RULE).expect("r1");
        c.stop_rule("r1").expect("stop");
        c.drop_source("demo", false, false).expect("nothing runs on it");
        assert!(c.start_rule("r1").is_err());
        assert_eq!(state(&c), State::Stopped);
    }

    #[test]
    fn missing_rules() {
        let mut c = control();
        let codes = [
            c.start_rule("x").expect_err("missing").code,
            c.stop_rule("x").expect_err("missing").code,
            c.restart_rule("x").expect_err("missing").code,
            c.drop_rule("x").expect_err("missing").code,
            c.rule_status("x").expect_err("missing").code,
            c.rule_status_v2("x").expect_err("missing").code,
            c.rule_topo("x").expect_err("missing").code,
            c.explain_rule("x").expect_err("missing").code,
            c.rule_text("x").expect_err("missing").code,
        ];
        assert_eq!(codes, [Fault::NOT_FOUND; 9]);
    }

    #[test]
    fn status_texts() {
        let mut c = with_stream();
        c.create_rule("", RULE).expect("r1");
        let want = "{\n  \"status\": \"running\",\n  \"message\": \"\",\n  \"lastStartTimestamp\": 1700000000000,\n  \"lastStopTimestamp\": 0,\n  \"nextStartTimestamp\": 0,\n  \"source_demo_0_records_in_total\": 3,\n  \"op_2_x_0_exceptions_total\": 1,\n  \"op_2_x_0_last_exception\": \"a \\\"b\\\"\",\n  \"op_2_x_0_last_exception_time\": 5\n}";
        assert_eq!(c.rule_status("r1").expect("status"), want);
        assert_eq!(c.all_status(), r#"{"r1":{"status":"running","last_exception":"a \"b\"","exceptions_total":1}}"#);
        assert!(
            c.rule_status_v2("r1").expect("v2").starts_with(r#"{"lastStartTimestamp":1700000000000,"lastStopTimestamp":0,"message":"","#)
        );
        c.stop_rule("r1").expect("stop");
        let stopped = c.rule_status("r1").expect("status");
        assert!(stopped.contains("\"message\": \"canceled manually\"") && stopped.contains("records_in_total\": 3"), "{stopped}");
        assert_eq!(c.all_status(), r#"{"r1":{"status":"stopped","last_exception":"","exceptions_total":0}}"#);
        assert_eq!(c.rules_json(), r#"[{"id":"r1","name":"r1","status":"stopped","tags":null,"trace":false,"version":""}]"#);
    }

    #[test]
    fn definitions_come_back_after_a_restart() {
        let mut c = with_stream();
        c.run_ddl(r#"CREATE TABLE aaa () WITH (DATASOURCE="/t", TYPE="httppush")"#).expect("table");
        c.run_ddl(r#"CREATE STREAM gone () WITH (TEMP="true")"#).expect("temp");
        c.create_rule("", RULE).expect("r1");
        c.create_rule("", &RULE.replace("r1", "r2")).expect("r2");
        c.stop_rule("r2").expect("stop");
        c.put_key(crate::catalog::Group::Sources, "httppush", "ck", r#"{"method":"PUT"}"#).expect("key");
        let mut files = std::mem::take(&mut c.host.files);
        files.insert((Kind::Rule, "r3".into()), record::rule("r3", &RULE.replace("r1", "r3").replace("demo", "none")));
        files.insert((Kind::Rule, "broken".into()), "{".into());
        files.insert((Kind::Source, "newer".into()), r#"{"format":2}"#.into());
        let mut c = control();
        c.host.files = files;
        let faults = c.boot(&[]);
        assert_eq!(faults.len(), 3, "{faults:?}");
        assert_eq!(c.host.engine.log, ["start r1"]);
        assert_eq!(c.source_names(false, crate::catalog::TableKind::Any), ["demo"]);
        assert_eq!(c.source_names(true, crate::catalog::TableKind::Any), ["aaa"]);
        assert_eq!(c.rule("r3").expect("kept").state, State::Failed);
        assert_eq!(c.rule_text("r1"), Ok(RULE));
        assert!(c.keys_of(crate::catalog::Group::Sources, "httppush").contains_key("ck"));
        c.run_ddl(&DDL.replace("demo", "none")).expect("the missing stream");
        let now = c.host.now();
        assert!(c.patrol(now).is_empty());
        assert_eq!(c.rule("r3").expect("kept").state, State::Running, "tried again");
    }

    #[test]
    fn tags_are_sets() {
        let mut c = with_stream();
        c.create_rule("", RULE).expect("r1");
        c.tag_rule("r1", &["a".into()], Tagging::Add).expect("add");
        c.tag_rule("r1", &["a".into(), "b".into()], Tagging::Add).expect("add");
        c.tag_rule("r1", &["a".into()], Tagging::Remove).expect("remove");
        assert_eq!(c.rule("r1").expect("rule").def.tags, Some(vec!["b".into()]));
        assert_eq!(c.tagged(&["b".into()]), ["r1"]);
        assert!(c.tagged(&["a".into()]).is_empty());
        c.tag_rule("r1", &[], Tagging::Set).expect("set");
        assert!(c.rule_text("r1").expect("text").contains("\"tags\":[]"));
    }
}
