//! `pushgate query`: one statement over events from a file, by the engine that the daemon runs, without sockets.
//!
//! In: a statement, the definitions of its streams (or none: JSON without columns), bodies as a sensor would push them, one after
//! another. Out: each row as the `log` sink would get it, and each refusal or error of a row as a line for people. The whole way of a
//! reading is taken: head, gate, ring, rule, encoding; what a gate would answer 400 is refused here too.
//!
//! Time stands still but for [`Ask::every`]; with event time the events alone move windows. At the end of the input
//! [`Query::finish`] lets time run on until nothing is left that time would let go, so that the last window is seen.

use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value as Json, json};

use crate::config::Config;
use crate::encode::Format;
use crate::engine::{Engine, Progress, SinkId};
use crate::rule::RuleDef;
use crate::rule::compile::{Definitions, PlanFault, Surroundings, compile};
use crate::rule::explain::{Explained, explain};
use crate::rule::run::{Rule, RuleUnit};
use crate::sink::{Outcome, Target, TlsClient, TlsLoader, TlsProps};
use crate::source::{Feed, StreamSpec};
use crate::sql::ddl::{Create, Options};
use crate::sql::error::{Place, SqlError};
use crate::sql::parse::{self, Statement};
use crate::time::{Instant, Now, Timestamp, Zone};
use crate::wire::{Answer, Gate as _, HeadInfo, Peer, Reply, Verdict};

/// The id of the rule.
const RULE: &str = "query";
/// Moments at the end at which something may be due: a window of years that hops by milliseconds must end, too.
const END_STEPS: usize = 100_000;
/// Pauses in one event, such as those of `delay()`.
const PAUSES: usize = 10_000;

/// What to run.
#[derive(Debug, Clone, Default)]
pub struct Ask<'a> {
    /// The statement.
    pub sql: &'a str,
    /// `CREATE STREAM …` and `CREATE TABLE …`; a source without one is JSON without columns.
    pub definitions: &'a [String],
    /// The field that holds an event's time.
    pub event_time: Option<&'a str>,
    /// FORMAT of sources without a definition.
    pub input_format: Option<&'a str>,
    /// Properties of the sink that prints (facts §8.1).
    pub props: Map<String, Json>,
    /// Options of the rule (facts §4.2).
    pub options: Map<String, Json>,
    /// Time between two events.
    pub every: Duration,
}

/// Where rows and faults go.
pub trait Printer {
    /// One payload of the sink.
    fn row(&mut self, payload: &[u8]);

    /// What a step of the rule could not do, and which.
    fn fault(&mut self, step: &str, text: &str);
}

/// A source of the statement.
#[derive(Debug)]
struct Source {
    name: String,
    table: bool,
    format: Format,
    /// Method and path of its requests, up to the length.
    head: String,
}

/// See the module text.
#[derive(Debug)]
pub struct Query {
    engine: Engine,
    now: Now,
    every: Duration,
    event_time: bool,
    sources: Vec<Source>,
    sinks: Vec<SinkId>,
    head: HeadInfo,
    text: String,
    /// Exceptions seen so far, per operator.
    seen: Vec<u64>,
}

impl Query {
    /// Plans and starts the statement.
    ///
    /// # Errors
    /// Text for people: what is wrong, with the line and a caret where it is one place of the statement.
    pub fn new(ask: &Ask<'_>, config: &Config, zone: &Zone, zones: &dyn Fn(&str) -> Option<Zone>, now: Now) -> Result<Self, String> {
        let (_, unit) = prepare(ask, config, zone, zones)?;
        let sources = unit.sources.iter().map(|spec| source(spec)).collect();
        let mut engine = Engine::new(config.limits.clone(), 1);
        engine.start(unit, now).map_err(|fault| fault.0)?;
        let sinks = engine.sinks().map(|(id, _)| id).collect();
        Ok(Self {
            engine,
            now,
            every: ask.every,
            event_time: ask.event_time.is_some(),
            sources,
            sinks,
            head: HeadInfo::default(),
            text: String::new(),
            seen: Vec::new(),
        })
    }

    /// Its plan, without running it.
    ///
    /// # Errors
    /// As [`Query::new`].
    pub fn explain(ask: &Ask<'_>, config: &Config, zone: &Zone, zones: &dyn Fn(&str) -> Option<Zone>) -> Result<Explained, String> {
        let (def, unit) = prepare(ask, config, zone, zones)?;
        explain(&def, &unit, &config.limits).map_err(|e| told(ask.sql, &e))
    }

    /// Its streams and tables, in the order of the statement: name, whether it is a table, the format of its bodies.
    pub fn sources(&self) -> impl Iterator<Item = (&str, bool, Format)> {
        self.sources.iter().map(|source| (source.name.as_str(), source.table, source.format))
    }

    /// One body for a source, and everything that follows from it.
    ///
    /// # Errors
    /// What the gate would answer instead of `200 ok`.
    pub fn event(&mut self, source: usize, body: &[u8], out: &mut dyn Printer) -> Result<(), String> {
        let Some(source) = self.sources.get(source) else { return Err("no such source".to_owned()) };
        let table = source.table;
        self.text.clear();
        self.text.push_str(&source.head);
        self.text.push_str(&body.len().to_string());
        self.text.push_str("\r\n\r\n");
        let peer = Peer::new([127, 0, 0, 1].into(), false);
        self.head.parse(self.text.as_bytes()).map_err(|e| e.to_string())?;
        let head = self.head.view(self.text.as_bytes());
        let reply = match self.engine.head(&head, &peer, self.now) {
            Verdict::Refuse(reply) => reply,
            Verdict::Later => Reply::error(503, "the password is being checked"),
            Verdict::Take(ticket) => {
                let Answer::Now(reply) = self.engine.body(ticket, &head, &peer, body, self.now);
                reply
            }
        };
        if reply.status != 200 {
            return Err(refusal(&reply));
        }
        self.settle(out);
        if !table {
            self.pass(self.every);
            self.settle(out);
        }
        Ok(())
    }

    /// The input ends: time runs on until nothing is left that it would let go.
    pub fn finish(&mut self, out: &mut dyn Printer) {
        if self.event_time {
            self.engine.run_out(RULE);
        }
        for _ in 0..END_STEPS {
            let until = self.settle(out);
            let gathers = self.engine.rule(RULE).is_some_and(|rule| rule.until().is_some());
            let holds = gathers || self.engine.rule(RULE).is_some_and(Rule::is_holding);
            let Some(until) = until.filter(|_| holds) else { break };
            self.pass(until.since(self.now.mono).max(Duration::from_millis(1)));
        }
        self.engine.flush(self.now);
        self.drain(out);
        self.faults(out);
    }

    /// Runs the rule until it waits for input or time, through pauses while input waits; gives when it wants to go on.
    fn settle(&mut self, out: &mut dyn Printer) -> Option<Instant> {
        let mut pauses = 0;
        loop {
            let progress = self.engine.step(self.now);
            let moved = self.drain(out);
            if progress == Progress::More || moved {
                continue;
            }
            self.faults(out);
            let Progress::Idle(until) = progress else { return None };
            let waits = (0..self.sources.len()).any(|i| self.engine.waiting(RULE, i) > 0);
            match until {
                Some(until) if waits && pauses < PAUSES => {
                    pauses += 1;
                    self.pass(until.since(self.now.mono).max(Duration::from_millis(1)));
                }
                _ => return until,
            }
        }
    }

    /// Prints what the sink has; true if it had anything.
    fn drain(&mut self, out: &mut dyn Printer) -> bool {
        let mut moved = false;
        for id in &self.sinks {
            while let Some(payload) = self.engine.next_out(*id, self.now) {
                if matches!(payload.target, Target::Log { .. }) {
                    out.row(payload.body);
                }
                self.engine.done(*id, Outcome::Delivered, self.now);
                moved = true;
            }
        }
        self.engine.take_ready(|_| {});
        moved
    }

    /// Tells of exceptions that are new.
    fn faults(&mut self, out: &mut dyn Printer) {
        let Some(rule) = self.engine.rule(RULE) else { return };
        let own = rule.unit.ops.list.iter().map(|op| (op.name.as_str(), &op.stats));
        let sinks = rule.unit.sinks.iter().flat_map(|sink| sink.ops()).map(|op| (op.name, op.stats));
        for (i, (name, stats)) in own.chain(sinks).enumerate() {
            if self.seen.len() <= i {
                self.seen.push(0);
            }
            let Some(seen) = self.seen.get_mut(i) else { continue };
            let new = stats.exceptions_total - *seen;
            if new > 0 {
                *seen = stats.exceptions_total;
                if new == 1 {
                    out.fault(name, &stats.last_exception);
                } else {
                    out.fault(name, &format!("{} ({new} times)", stats.last_exception));
                }
            }
        }
    }

    fn pass(&mut self, by: Duration) {
        self.now.mono = self.now.mono.after(by);
        let ms = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.now.wall = Timestamp(self.now.wall.0.saturating_add(ms));
    }
}

/// From the question to a compiled rule.
fn prepare(ask: &Ask<'_>, config: &Config, zone: &Zone, zones: &dyn Fn(&str) -> Option<Zone>) -> Result<(RuleDef, RuleUnit), String> {
    let select = parse::select(ask.sql).map_err(|e| told(ask.sql, &e))?;
    let mut given: BTreeMap<String, Create> = BTreeMap::new();
    for text in ask.definitions {
        let create = match parse::statement(text) {
            Ok(Some(Statement::Create(create))) => create,
            Ok(_) => return Err(format!("expected CREATE STREAM or CREATE TABLE, found: {text}")),
            Err(e) => return Err(told(text, &e)),
        };
        if given.insert(create.name.clone(), create).is_some() {
            return Err(format!("two definitions of one name: {text}"));
        }
    }
    let mut sources = BTreeMap::new();
    let mut paths: Vec<String> = Vec::new();
    for name in select.sources() {
        if sources.contains_key(name) {
            continue;
        }
        let mut create = given.remove(name).unwrap_or_else(|| Create {
            table: false,
            name: name.to_owned(),
            columns: Vec::new(),
            options: Options { format: ask.input_format.unwrap_or_default().to_owned(), ..Options::default() },
            guarded: false,
        });
        // Wherever it reads from in the field, here its events come from the input.
        create.options.kind_of_source = "httppush".to_owned();
        create.options.kind = String::new();
        create.options.shared = false;
        create.options.temp = false;
        if !create.options.datasource.starts_with('/') || paths.contains(&create.options.datasource) {
            create.options.datasource = format!("/query/{}", paths.len());
        }
        paths.push(create.options.datasource.clone());
        if let Some(field) = ask.event_time.filter(|_| !create.table && create.options.timestamp.is_empty()) {
            field.clone_into(&mut create.options.timestamp);
        }
        sources.insert(name.to_owned(), Arc::new(create));
    }
    if let Some(name) = given.keys().next() {
        return Err(format!("the statement does not read {name}, which is defined beside it"));
    }
    let mut options = ask.options.clone();
    if ask.event_time.is_some() {
        options.insert("isEventTime".to_owned(), true.into());
    }
    let rule = json!({"id": RULE, "sql": ask.sql, "actions": [{"log": ask.props}], "options": options});
    let def = RuleDef::parse("", &rule.to_string(), &config.rule)?;
    let around = Surroundings { config, tls: &NoTls, zone, zones };
    let unit = compile(&def, &Sources(sources), &around).map_err(|PlanFault { message, place, .. }| match place {
        Some(place) => format!("{message}\n{}", caret(ask.sql, place)),
        None => message,
    })?;
    Ok((def, unit))
}

/// Method and path of a source's requests; a parameter of the path has its own name for a value.
fn source(spec: &StreamSpec) -> Source {
    let (method, path) = match &spec.feed {
        Feed::Push(push) => (push.endpoint.method.as_str(), push.endpoint.template.text()),
        // None here: every source was made one of the data port.
        Feed::Memory(_) | Feed::Simulator(_) | Feed::File(_) => ("POST", "/"),
    };
    let mut target = String::new();
    for segment in path.split('/').skip(1) {
        target.push('/');
        let segment = segment.strip_prefix('{').map_or(segment, |s| s.split([':', '}']).next().unwrap_or(s));
        for byte in segment.bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                target.push(char::from(byte));
            } else {
                target.push_str(&format!("%{byte:02X}"));
            }
        }
    }
    let head = format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: ");
    Source { name: spec.name.clone(), table: spec.table, format: spec.shape.format, head }
}

/// A refusal as one line.
fn refusal(reply: &Reply) -> String {
    let content = String::from_utf8_lossy(reply.content());
    let text = serde_json::from_str::<Json>(&content).ok();
    let text = text.as_ref().and_then(|json| json.get("error").or_else(|| json.get("message"))).and_then(Json::as_str);
    format!("refused ({}): {}", reply.status, text.unwrap_or(&content).trim_end())
}

/// An error of a statement, its line and a caret below.
fn told(text: &str, error: &SqlError) -> String {
    match (error.place, &error.marked) {
        (Some(place), None) => format!("{error}\n{}", caret(text, place)),
        _ => error.to_string(),
    }
}

/// The line of a place and a caret below the column.
fn caret(text: &str, place: Place) -> String {
    const WIDTH: usize = 100;
    let line = usize::try_from(place.line).unwrap_or(1).saturating_sub(1);
    let column = usize::try_from(place.column).unwrap_or(1).saturating_sub(1);
    let line: Vec<char> = text.lines().nth(line).unwrap_or("").chars().collect();
    let from = column.saturating_sub(WIDTH / 2);
    let shown: String = line.iter().skip(from).take(WIDTH).map(|c| if *c == '\t' { ' ' } else { *c }).collect();
    format!("{shown}\n{}^", " ".repeat(column - from))
}

struct Sources(BTreeMap<String, Arc<Create>>);

impl Definitions for Sources {
    fn source(&self, name: &str) -> Option<Arc<Create>> {
        self.0.get(name).cloned()
    }
}

struct NoTls;

impl TlsLoader for NoTls {
    fn client(&self, _: &TlsProps) -> Result<TlsClient, String> {
        Err("a query has no encrypted sinks".to_owned())
    }
}

/// Puts lines together to bodies: a line each, but for JSON values that go on over several lines.
///
/// A line that begins with `{` ends a value that began with `{` and was cut off, so that one damaged line does not take the rest
/// of the input with it.
#[derive(Debug, Default)]
pub struct Bodies {
    body: Vec<u8>,
    depth: usize,
    text: bool,
    escaped: bool,
    first: u64,
    line: u64,
    json: bool,
}

impl Bodies {
    /// For lines of JSON, or of anything else.
    #[must_use]
    pub fn new(json: bool) -> Self {
        Self { json, ..Self::default() }
    }

    /// The next line, without its end. Calls `each` with bodies that are complete and the number of their first line.
    pub fn line(&mut self, line: &[u8], mut each: impl FnMut(u64, &[u8])) {
        self.line += 1;
        if !self.json {
            if !line.is_empty() {
                each(self.line, line);
            }
            return;
        }
        if self.depth > 0 && self.body.first() == Some(&b'{') && line.first() == Some(&b'{') {
            self.end(&mut each);
        }
        if self.body.is_empty() {
            let line = line.trim_ascii();
            if line.is_empty() {
                return;
            }
            self.first = self.line;
            self.scan(line);
            if self.depth == 0 {
                self.text = false;
                each(self.line, line);
                return;
            }
            self.body.extend_from_slice(line);
            return;
        }
        self.body.push(b'\n');
        self.body.extend_from_slice(line);
        self.scan(line);
        if self.depth == 0 {
            self.end(&mut each);
        }
    }

    /// The input ends: what is left is a body, whole or not.
    pub fn end(&mut self, mut each: impl FnMut(u64, &[u8])) {
        if !self.body.is_empty() {
            each(self.first, &self.body);
        }
        self.body.clear();
        (self.depth, self.text, self.escaped) = (0, false, false);
    }

    /// Follows brackets outside texts.
    fn scan(&mut self, line: &[u8]) {
        // A text never goes on over a line's end: what looks so is damaged, and the gate will say where.
        (self.text, self.escaped) = (false, false);
        for byte in line {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.text => self.escaped = true,
                b'"' => self.text = !self.text,
                b'{' | b'[' if !self.text => self.depth += 1,
                b'}' | b']' if !self.text => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Input;

    #[derive(Default)]
    struct Seen(Vec<String>);

    impl Printer for Seen {
        fn row(&mut self, payload: &[u8]) {
            self.0.push(String::from_utf8_lossy(payload).into_owned());
        }

        fn fault(&mut self, step: &str, text: &str) {
            self.0.push(format!("{step}: {text}"));
        }
    }

    fn config() -> Config {
        Config::load(&Input { main: None, sources: &[], env: &[] }).expect("defaults")
    }

    fn ask(sql: &str) -> Ask<'_> {
        Ask { sql, props: serde_json::from_str(r#"{"sendSingle":true}"#).expect("json"), ..Ask::default() }
    }

    fn at() -> Now {
        Now { mono: Instant(1), wall: Timestamp(1_700_000_000_000) }
    }

    fn run(ask: &Ask<'_>, events: &[&str]) -> Vec<String> {
        let mut query = Query::new(ask, &config(), &Zone::utc(), &|_| None, at()).unwrap_or_else(|e| panic!("{e}"));
        let mut seen = Seen::default();
        for event in events {
            if let Err(refused) = query.event(0, event.as_bytes(), &mut seen) {
                seen.0.push(refused);
            }
        }
        query.finish(&mut seen);
        seen.0
    }

    fn refused(ask: &Ask<'_>) -> String {
        Query::new(ask, &config(), &Zone::utc(), &|_| None, at()).expect_err("refused")
    }

    #[test]
    fn rows_refusals_and_faults() {
        let seen = run(&ask("SELECT a + 1 AS b FROM demo WHERE a != 5"), &[r#"{"a":1}"#, r#"{"a":}"#, r#"{"a":5}"#, r#"{"a":"x"}"#]);
        assert_eq!(seen.len(), 3, "{seen:?}");
        assert_eq!(seen[0], r#"{"b":2}"#);
        assert!(seen[1].starts_with("refused (400): ") && seen[1].contains("byte 5"), "{seen:?}");
        assert!(seen[2].starts_with("op_3_filter: run Where error"), "{seen:?}");
    }

    #[test]
    fn event_time_closes_the_last_window_too() {
        let mut windows = ask("SELECT count(*) AS n, window_end() AS e FROM demo GROUP BY TUMBLINGWINDOW(ss, 10)");
        windows.event_time = Some("ts");
        let events = [r#"{"ts":1700000001000}"#, r#"{"ts":1700000003000}"#, r#"{"ts":1700000012000}"#];
        assert_eq!(run(&windows, &events), [r#"{"e":1700000010000,"n":2}"#, r#"{"e":1700000020000,"n":1}"#]);
    }

    #[test]
    fn the_clock_moves_as_told() {
        let sql = "SELECT count(*) AS n FROM demo GROUP BY TUMBLINGWINDOW(ss, 10)";
        let still = ask(sql);
        assert_eq!(run(&still, &["{}", "{}", "{}"]), [r#"{"n":3}"#]);
        let moving = Ask { every: Duration::from_secs(4), ..ask(sql) };
        assert_eq!(run(&moving, &["{}"; 6]), [r#"{"n":3}"#, r#"{"n":2}"#, r#"{"n":1}"#]);
        assert_eq!(run(&ask("SELECT count(*) AS n FROM demo GROUP BY HOPPINGWINDOW(ss, 4, 2)"), &["{}"]), [r#"{"n":1}"#, r#"{"n":1}"#]);
        assert_eq!(run(&ask("SELECT count(*) AS n FROM demo GROUP BY COUNTWINDOW(2)"), &["{}"; 3]), [r#"{"n":2}"#], "time closes none");
    }

    #[test]
    fn definitions_are_used_and_checked() {
        let ddl = [
            r#"CREATE STREAM m () WITH (DATASOURCE="dev/#", FORMAT="delimited", DELIMITER=";", TYPE="mqtt")"#.to_owned(),
            r#"CREATE TABLE t (a BIGINT, n STRING) WITH (DATASOURCE="t.csv", TYPE="file", RETAIN_SIZE="9")"#.to_owned(),
        ];
        let join = Ask { definitions: &ddl, ..ask("SELECT m.col1 AS c, t.n FROM m INNER JOIN t ON m.col0 = t.n") };
        let mut query = Query::new(&join, &config(), &Zone::utc(), &|_| None, at()).expect("planned");
        assert_eq!(query.sources().collect::<Vec<_>>(), [("m", false, Format::Delimited), ("t", true, Format::Json)]);
        let mut seen = Seen::default();
        query.event(1, br#"{"a":7,"n":"seven"}"#, &mut seen).expect("a row of the table");
        query.event(0, b"seven;x", &mut seen).expect("an event");
        assert_eq!(seen.0, [r#"{"c":"x","n":"seven"}"#]);
        assert_eq!(query.event(2, b"7", &mut seen), Err("no such source".to_owned()));
        for (definitions, words) in [
            (&["CREATE STREAM x () WITH (DATASOURCE=\"/x\")"][..], "does not read x"),
            (&["SHOW STREAMS"], "expected CREATE STREAM"),
            (&["CREATE STREAM demo (a BIGNIT) WITH ()"], "BIGNIT"),
            (&["CREATE STREAM demo () WITH ()", "CREATE STREAM demo () WITH ()"], "two definitions"),
        ] {
            let definitions: Vec<String> = definitions.iter().map(|s| (*s).to_owned()).collect();
            let why = refused(&Ask { definitions: &definitions, ..ask("SELECT * FROM demo") });
            assert!(why.contains(words), "{why}");
        }
    }

    #[test]
    fn errors_have_a_caret() {
        for (sql, line, under) in [
            ("SELECT a FRM demo", "SELECT a FRM demo", "FRM demo"),
            ("SELECT a,\n  nope(b) FROM demo", "  nope(b) FROM demo", "nope(b) FROM demo"),
            ("SELECT avg(a, 2) FROM demo", "SELECT avg(a, 2) FROM demo", "avg(a, 2) FROM demo"),
        ] {
            let why = refused(&ask(sql));
            let lines: Vec<&str> = why.lines().collect();
            let at = lines.iter().position(|l| l.trim() == "^").unwrap_or_else(|| panic!("{sql}: no caret\n{why}"));
            assert_eq!(lines[at - 1], line, "{why}");
            let column = lines[at].find('^').expect("a caret");
            assert_eq!(&lines[at - 1][column..], under, "{why}");
        }
        assert_eq!(caret(&format!("{}x", " ".repeat(500)), Place { line: 1, column: 501 }).lines().next().map(str::len), Some(51));
    }

    #[test]
    fn explained_with_bounds() {
        let plan = |sql: &str, options: &str| {
            let ask = Ask { options: serde_json::from_str(options).expect("json"), ..ask(sql) };
            Query::explain(&ask, &config(), &Zone::utc(), &|_| None).unwrap_or_else(|e| panic!("{e}"))
        };
        for (sql, options, step, what) in [
            ("SELECT a, avg(b) FROM demo GROUP BY TUMBLINGWINDOW(ss, 10), a", "{}", "WindowPlan", "groups and their accumulators, no rows"),
            ("SELECT a FROM demo GROUP BY TUMBLINGWINDOW(ss, 10)", r#"{"windowFull":"drop_oldest"}"#, "WindowPlan", "rows, with the"),
            ("SELECT avg(a) AS m FROM demo GROUP BY COUNTWINDOW(9, 1)", "{}", "WindowPlan", "sums of overlapping windows"),
            ("SELECT lag(a) AS l FROM demo", "{}", "AnalyticFuncsPlan", "what functions remember"),
            ("SELECT a FROM demo INNER JOIN b ON demo.x = b.x GROUP BY TUMBLINGWINDOW(ss, 1)", "{}", "JoinPlan", "places of joined rows"),
            ("SELECT a FROM demo", r#"{"qos":1}"#, "ProjectPlan", "the message that a full outbox refused"),
            ("SELECT a FROM demo", "{}", "DataSourcePlan", "the stream's queue"),
            ("SELECT a FROM demo GROUP BY STATEWINDOW(a > 1, a < 0)", "{}", "WindowPlan", "partitions of the state window"),
        ] {
            let explained = plan(sql, options);
            let found = explained.steps.iter().any(|(s, parts)| s.op.starts_with(step) && parts.iter().any(|p| p.what.starts_with(what)));
            assert!(found, "{sql}\n{}", explained.text());
            let shown: usize = explained.steps.iter().flat_map(|(_, parts)| parts).chain(&explained.sinks).map(|p| p.bytes).sum();
            assert_eq!(shown, explained.rule_bytes + explained.queue_bytes, "every part stands at a step\n{}", explained.text());
            assert!(explained.json()["steps"].as_array().is_some_and(|s| s.len() == explained.steps.len()));
        }
    }

    #[test]
    fn bodies_out_of_lines() {
        let bodies = |json: bool, text: &str| {
            let (mut bodies, mut out) = (Bodies::new(json), Vec::new());
            let mut each = |line: u64, body: &[u8]| out.push((line, String::from_utf8_lossy(body).into_owned()));
            text.split('\n').for_each(|line| bodies.line(line.as_bytes(), &mut each));
            bodies.end(&mut each);
            out
        };
        let own = |list: &[(u64, &str)]| list.iter().map(|(n, s)| (*n, (*s).to_owned())).collect::<Vec<_>>();
        assert_eq!(bodies(true, "{\"a\":1}\n\n{\"a\":2}\n"), own(&[(1, "{\"a\":1}"), (3, "{\"a\":2}")]));
        assert_eq!(bodies(true, "{\n \"a\": [1,\n 2]\n}\n{\"b\":\"}\"}"), own(&[(1, "{\n \"a\": [1,\n 2]\n}"), (5, "{\"b\":\"}\"}")]));
        assert_eq!(bodies(true, "[\n{\"a\":1},\n{\"a\":2}\n]"), own(&[(1, "[\n{\"a\":1},\n{\"a\":2}\n]")]));
        assert_eq!(
            bodies(true, "{\"a\":1\n{\"a\":2}\n{\"a\":\"\\\"{\"}"),
            own(&[(1, "{\"a\":1"), (2, "{\"a\":2}"), (3, "{\"a\":\"\\\"{\"}")])
        );
        assert_eq!(bodies(true, "{\"a\":\"{\n{\"b\":1}"), own(&[(1, "{\"a\":\"{"), (2, "{\"b\":1}")]));
        assert_eq!(bodies(true, "x\n]"), own(&[(1, "x"), (2, "]")]));
        assert_eq!(bodies(false, "1,{\n\n2,3"), own(&[(1, "1,{"), (3, "2,3")]));
    }
}
