//! Drives the real engine without a socket: definitions in, requests as bytes, messages out.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

use std::collections::BTreeMap;
use std::sync::Arc;

use pushgate::config::{Config, File, Input};
use pushgate::engine::{Engine, Progress};
use pushgate::limits::Limits;
use pushgate::rule::RuleDef;
use pushgate::rule::compile::{Definitions, PlanFault, Surroundings, compile};
use pushgate::rule::run::RuleUnit;
use pushgate::sink::{Outcome, Target, TlsClient, TlsLoader, TlsProps};
use pushgate::source::resolve::resolve;
use pushgate::sql::ddl::Create;
use pushgate::sql::parse::{self, Statement};
use pushgate::time::{Instant, Now, Timestamp, Zone};
use pushgate::wire::{Answer, Gate, HeadInfo, Peer, Reply, Verdict};

/// An engine with definitions and a clock that only moves when told to.
pub struct Bench {
    pub engine: Engine,
    pub now: Now,
    config: Config,
    streams: Streams,
    head: HeadInfo,
}

#[derive(Default)]
struct Streams(BTreeMap<String, Arc<Create>>);

impl Definitions for Streams {
    fn source(&self, name: &str) -> Option<Arc<Create>> {
        self.0.get(name).cloned()
    }
}

struct NoTls;

impl TlsLoader for NoTls {
    fn client(&self, _: &TlsProps) -> Result<TlsClient, String> {
        Err("no TLS in this test".into())
    }
}

impl Bench {
    pub fn new(seed: u64) -> Self {
        Self::with_conf_keys(seed, "")
    }

    /// With conf keys, as `sources/httppush.yaml` has them.
    pub fn with_conf_keys(seed: u64, push: &str) -> Self {
        Self::with_env(seed, push, &[])
    }

    /// With conf keys and keys of the environment.
    pub fn with_env(seed: u64, push: &str, env: &[(&str, &str)]) -> Self {
        let env: Vec<(String, String)> = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let sources = [("httppush", File { name: "httppush.yaml", text: push })];
        let config = Config::load(&Input { main: None, sources: &sources, env: &env }).expect("it loads");
        let now = Now { mono: Instant(1), wall: Timestamp(1_700_000_000_000) };
        Self { engine: Engine::new(config.limits.clone(), seed), now, config, streams: Streams::default(), head: HeadInfo::default() }
    }

    pub fn stream(&mut self, ddl: &str) {
        match parse::statement(ddl) {
            Ok(Some(Statement::Create(create))) => drop(self.streams.0.insert(create.name.clone(), Arc::new(create))),
            other => panic!("{ddl}: {other:?}"),
        }
    }

    /// A rule that passed every check, not started.
    pub fn unit(&self, json: &str) -> Result<RuleUnit, PlanFault> {
        let def = RuleDef::parse("", json, &self.config.rule).map_err(|message| PlanFault::new(1000, message))?;
        let zone = Zone::utc();
        let around = Surroundings { config: &self.config, tls: &NoTls, zone: &zone, zones: &|_| None };
        compile(&def, &self.streams, &around)
    }

    pub fn try_rule(&mut self, json: &str) -> Result<(), PlanFault> {
        let unit = self.unit(json)?;
        self.engine.start(unit, self.now).map_err(|fault| PlanFault::new(2201, fault.0))
    }

    /// Capacities in force.
    pub const fn limits(&self) -> &Limits {
        &self.config.limits
    }

    /// Keeps the lookup tables that are defined, as the catalog does.
    pub fn keep_lookups(&mut self) -> Result<(), String> {
        let lookups = self.streams.0.values().filter(|create| create.is_lookup());
        let specs: Result<Vec<_>, String> = lookups.map(|create| resolve(create, &self.config, &NoTls).map(Arc::new)).collect();
        self.engine.keep_lookups(&specs?, self.now).map_err(|fault| fault.0)
    }

    /// No stream or table of this name is defined any more; rules go on.
    pub fn forget(&mut self, name: &str) {
        self.streams.0.remove(name);
    }

    /// A rule `r1` with the SQL and one log sink with `sendSingle`.
    pub fn rule(&mut self, sql: &str) {
        let json = serde_json::json!({"id": "r1", "sql": sql, "actions": [{"log": {"sendSingle": true}}], "options": {"sendError": true}});
        self.try_rule(&json.to_string()).unwrap_or_else(|fault| panic!("{sql}: {fault:?}"));
    }

    /// A request's head.
    pub fn head(&self, method: &str, path: &str, length: usize) -> String {
        format!("{method} {path} HTTP/1.1\r\nHost: x\r\nX-Device: d7\r\nContent-Length: {length}\r\n\r\n")
    }

    fn reply(&mut self, head: &str, body: &[u8]) -> Reply {
        self.reply_to(&Peer::new([127, 0, 0, 1].into(), false), head, body)
    }

    fn reply_to(&mut self, peer: &Peer, head: &str, body: &[u8]) -> Reply {
        self.head.parse(head.as_bytes()).expect("a head");
        let view = self.head.view(head.as_bytes());
        loop {
            return match self.engine.head(&view, peer, self.now) {
                Verdict::Refuse(reply) => reply,
                Verdict::Later => {
                    self.engine.advance(self.now);
                    continue;
                }
                Verdict::Take(ticket) => match self.engine.body(ticket, &view, peer, body, self.now) {
                    Answer::Now(reply) => reply,
                },
            };
        }
    }

    /// The status of a request whose head was made before.
    pub fn answer(&mut self, head: &str, body: &[u8]) -> u16 {
        self.reply(head, body).status
    }

    /// The answer to a request whose head was made before, from that connection of that address.
    pub fn answer_to(&mut self, peer: &Peer, head: &str, body: &[u8]) -> Reply {
        self.reply_to(peer, head, body)
    }

    /// One request; its status and answer.
    pub fn request(&mut self, method: &str, path: &str, body: &[u8]) -> (u16, String) {
        let head = self.head(method, path, body.len());
        let reply = self.reply(&head, body);
        (reply.status, String::from_utf8_lossy(reply.content()).into_owned())
    }

    pub fn push(&mut self, path: &str, body: &str) {
        let (status, text) = self.request("POST", path, body.as_bytes());
        assert_eq!((status, text.as_str()), (200, "ok"), "{body}");
    }

    /// Runs rules until nothing moves.
    pub fn settle(&mut self) {
        while self.engine.step(self.now) == Progress::More {}
    }

    /// Rows of all messages that the log sinks give, flat; an error is its text.
    pub fn rows(&mut self) -> Vec<serde_json::Value> {
        let mut out = Vec::new();
        for text in self.logged() {
            match serde_json::from_str(&text) {
                Ok(serde_json::Value::Array(list)) => out.extend(list),
                Ok(other) => out.push(other),
                Err(_) => out.push(serde_json::Value::String(text)),
            }
        }
        out
    }

    /// What the log sinks of all rules give, in order per rule.
    pub fn logged(&mut self) -> Vec<String> {
        self.settle();
        let ids: Vec<_> = self.engine.sinks().map(|(id, _)| id).collect();
        let mut out = Vec::new();
        for id in ids {
            loop {
                let now = self.now;
                let Some(payload) = self.engine.next_out(id, now) else { break };
                if matches!(payload.target, Target::Log { .. }) {
                    out.push(String::from_utf8_lossy(payload.body).into_owned());
                }
                self.engine.done(id, Outcome::Delivered, now);
            }
        }
        out
    }

    /// Lets `ms` milliseconds pass on both clocks.
    pub fn pass(&mut self, ms: u64) {
        self.now.mono = Instant(self.now.mono.0 + ms * 1_000_000);
        self.now.wall = Timestamp(self.now.wall.0 + i64::try_from(ms).expect("small"));
    }
}
