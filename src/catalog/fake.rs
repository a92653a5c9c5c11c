//! A host in memory and an engine that only remembers what runs: for tests of the catalog and the management API.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::host::{Compiled, DataListener, Ended, Fault, Host, Kind, Machine, Metric, Stored, System, Topo};
use super::{Control, Sources};
use crate::config::Config;
use crate::rule::RuleDef;
use crate::rule::compile::Surroundings;
use crate::sink::{TlsClient, TlsLoader, TlsProps};
use crate::source::StreamSpec;
use crate::time::{Instant, Now, Timestamp, Zone};

/// Files, clock and data port in memory.
#[derive(Debug, Default)]
pub(crate) struct Fake {
    pub(crate) engine: FakeEngine,
    pub(crate) files: BTreeMap<(Kind, String), String>,
    pub(crate) uploads: BTreeMap<String, String>,
    pub(crate) listening: Option<DataListener>,
    /// Every opening and closing of the data port.
    pub(crate) port_log: Vec<&'static str>,
    /// The next call of `listen` fails with this.
    pub(crate) listen_fault: Option<String>,
    /// Every call of `save` fails while it is set.
    pub(crate) full: bool,
    pub(crate) now_ms: i64,
    /// Whether peers can be reached.
    pub(crate) reachable: bool,
    /// Every call of `warn`.
    pub(crate) warned: Vec<String>,
    /// Every call of `trial_ended`.
    pub(crate) trials_ended: Vec<String>,
}

/// Remembers which rules run.
#[derive(Debug, Default)]
pub(crate) struct FakeEngine {
    /// Lookup tables that are kept.
    pub(crate) lookups: Vec<String>,
    pub(crate) runs: BTreeMap<String, Unit>,
    pub(crate) ended: BTreeMap<String, Ended>,
    /// Every start and stop.
    pub(crate) log: Vec<String>,
}

/// What is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unit {
    pub(crate) id: String,
    pub(crate) sql: String,
    needs_port: bool,
}

impl Machine for FakeEngine {
    type Unit = Unit;

    /// Refuses unknown streams, a sink called `bad`, and columns called `nope`.
    fn compile(def: &RuleDef, sources: &Sources, _: &Surroundings<'_>) -> Result<Compiled<Unit>, Fault> {
        let mut needs_port = false;
        let mut names = Vec::new();
        for name in def.sources() {
            let Some(source) = sources.get(name) else {
                return Err(Fault::plain(format!("fail to get stream {name}, please check if stream is created")));
            };
            needs_port |= source.create.options.kind_of_source == "httppush";
            names.push(format!("source_{name}"));
        }
        if def.sql.contains("nope") {
            return Err(Fault::plain("unknown field nope"));
        }
        if let Some(sink) = def.actions.iter().flat_map(|a| a.keys()).find(|k| *k == "bad") {
            return Err(Fault::new(Fault::EXECUTOR, format!("sink {sink} is not defined")));
        }
        let mut edges = BTreeMap::from([(names.first().cloned().unwrap_or_default(), vec!["op_2_decoder".to_owned()])]);
        if names.len() > 1 {
            edges.insert("op_3_join_aligner".to_owned(), Vec::new());
        }
        let unit = Unit { id: def.id.clone(), sql: def.sql.clone(), needs_port };
        let reads = def.sources().map(|name| (name.to_owned(), Some(vec!["a".to_owned()]))).collect();
        let warnings = if def.sql.contains("odd") { vec!["odd".to_owned()] } else { Vec::new() };
        Ok(Compiled { unit, topo: Topo { sources: names, edges }, reads, needs_data_port: needs_port, warnings })
    }

    fn explain(def: &RuleDef, sources: &Sources, around: &Surroundings<'_>) -> Result<String, Fault> {
        Self::compile(def, sources, around).map(|_| format!("plan of {}", def.id))
    }

    fn explain_bounds(def: &RuleDef, sources: &Sources, around: &Surroundings<'_>) -> Result<String, Fault> {
        Self::compile(def, sources, around).map(|_| format!("{{\"id\":\"{}\"}}", def.id))
    }

    fn start(&mut self, unit: Unit, _: Now) -> Result<(), Fault> {
        if unit.sql.contains("clash") {
            return Err(Fault::new(Fault::EXECUTOR, "streams a and b disagree on method"));
        }
        self.log.push(format!("start {}", unit.id));
        self.ended.remove(&unit.id);
        self.runs.insert(unit.id.clone(), unit);
        Ok(())
    }

    fn stop(&mut self, id: &str, _: Now) -> Option<Unit> {
        let unit = self.runs.remove(id)?;
        self.log.push(format!("stop {id}"));
        Some(unit)
    }

    fn keep_lookups(&mut self, specs: &[Arc<StreamSpec>], _: Now) -> Result<(), String> {
        self.lookups = specs.iter().map(|spec| spec.name.clone()).collect();
        if self.lookups.len() > 2 { Err("no room for a third table".to_owned()) } else { Ok(()) }
    }

    fn metrics(&self, id: &str, _: Now) -> Option<Vec<(String, Metric)>> {
        self.runs.get(id)?;
        Some(vec![
            ("source_demo_0_records_in_total".to_owned(), Metric::Int(3)),
            ("op_2_x_0_exceptions_total".to_owned(), Metric::Int(1)),
            ("op_2_x_0_last_exception".to_owned(), Metric::Text("a \"b\"".to_owned())),
            ("op_2_x_0_last_exception_time".to_owned(), Metric::Int(5)),
        ])
    }

    fn ended(&self, id: &str) -> Option<Ended> {
        self.ended.get(id).cloned()
    }

    fn set_access(&mut self, newer: &[(String, std::sync::Arc<crate::gate::credential::Access>)]) -> Result<usize, String> {
        self.log.extend(newer.iter().map(|(name, access)| format!("access of {name}: {access:?}")));
        Ok(newer.len())
    }

    fn scanned(&self, id: &str) -> Vec<(String, String)> {
        let rows = self.runs.get(id).is_some_and(|unit| unit.sql.contains("JOIN kept"));
        if rows { vec![("kept".to_owned(), r#"{"id":1}"#.to_owned())] } else { Vec::new() }
    }

    fn needs_data_port(&self) -> bool {
        self.runs.values().any(|unit| unit.needs_port)
    }

    fn counters(&self) -> String {
        r#"{"port":{},"streams":{},"rules":{},"sinks":{}}"#.to_owned()
    }
}

impl Host for Fake {
    type Engine = FakeEngine;

    fn engine<T: Send + 'static>(&mut self, f: impl FnOnce(&mut FakeEngine, Now) -> T + Send + 'static) -> T {
        let now = self.now();
        f(&mut self.engine, now)
    }

    fn listen(&mut self, at: &DataListener) -> Result<(), String> {
        if let Some(fault) = self.listen_fault.take() {
            return Err(fault);
        }
        self.listening = Some(at.clone());
        self.port_log.push("open");
        Ok(())
    }

    fn unlisten(&mut self) {
        self.listening = None;
        self.port_log.push("close");
    }

    fn save(&mut self, kind: Kind, name: &str, text: &str) -> Result<(), String> {
        if self.full {
            return Err("state/x.json: no space left on device".to_owned());
        }
        self.files.insert((kind, name.to_owned()), text.to_owned());
        Ok(())
    }

    fn remove(&mut self, kind: Kind, name: &str) -> Result<(), String> {
        self.files.remove(&(kind, name.to_owned()));
        Ok(())
    }

    fn load(&mut self) -> Vec<Stored> {
        let stored =
            |((kind, name), text): (&(Kind, String), &String)| Stored { kind: *kind, file: format!("{name}.json"), text: Ok(text.clone()) };
        self.files.iter().map(stored).collect()
    }

    fn read_upload(&mut self, name: &str) -> Result<String, String> {
        self.uploads.get(name).cloned().ok_or_else(|| format!("uploads/{name}: no such file"))
    }

    fn save_upload(&mut self, name: &str, content: &[u8]) -> Result<String, String> {
        self.uploads.insert(name.to_owned(), String::from_utf8_lossy(content).into_owned());
        Ok(format!("uploads/{name}"))
    }

    fn uploads(&mut self) -> Vec<String> {
        self.uploads.keys().map(|name| format!("uploads/{name}")).collect()
    }

    fn remove_upload(&mut self, name: &str) -> Result<(), String> {
        self.uploads.remove(name).map(drop).ok_or_else(|| format!("uploads/{name}: no such file"))
    }

    fn reach(&mut self, _: &str) -> Result<(), String> {
        if self.reachable { Ok(()) } else { Err("connection refused".to_owned()) }
    }

    fn warn(&mut self, line: &str) {
        self.warned.push(line.to_owned());
    }

    fn trial_ended(&mut self, id: &str) {
        self.trials_ended.push(id.to_owned());
    }

    fn now(&self) -> Now {
        Now { mono: Instant(0), wall: Timestamp(self.now_ms) }
    }

    fn public_key(&mut self, issuer: &str) -> Result<String, String> {
        self.uploads.get(issuer).cloned().ok_or_else(|| format!("not found target key file {issuer} in /etc/mgmt"))
    }

    fn tls(&self) -> &dyn TlsLoader {
        &NoTls
    }

    fn zone(&self, _: &str) -> Option<Zone> {
        None
    }

    fn system(&mut self) -> System {
        System { up_time_s: 7, cpu_usage: "0.50".into(), memory_used: "1000".into(), memory_total: "2000".into() }
    }

    fn configured(&mut self, _: &Config) {}
}

struct NoTls;

impl TlsLoader for NoTls {
    fn client(&self, _: &TlsProps) -> Result<TlsClient, String> {
        Err("no TLS in tests".to_owned())
    }
}

/// Control over an empty fake host whose clock stands at 1,700,000,000 s.
pub(crate) fn control() -> Control<Fake> {
    let host = Fake { now_ms: 1_700_000_000_000, ..Fake::default() };
    Control::new(host, Config::default(), Zone::utc())
}
