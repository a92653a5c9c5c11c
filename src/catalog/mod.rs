//! Definitions: streams, tables, rules, conf keys, connections. Commands are checked in full, then stored, then published.
//!
//! [`Control`] runs one command at a time on a worker thread; the data thread only swaps what it hands over through
//! [`Host::engine`]. A refused command changes nothing: a failed create stores nothing, a failed update leaves the old rule
//! running. Texts of statements and rules are kept byte for byte. The words are eKuiper's (facts §3.4, §4, §5).
//!
//! * [`host`]: what the outside must offer. [`record`]: the text of a stored definition.
//! * [`sources`]: streams and tables. [`rules`]: rules and their life, `views`: what is shown of them. [`schedule`]: what the patrol does every so often.
//! * [`trial`]: rules that run for a while without being defined.
//! * [`keys`]: conf keys. [`connections`]: named connections. [`ruleset`]: import and export.

mod access;
pub mod connections;
pub mod host;
pub mod keys;
mod machine;
mod record;
pub mod rules;
pub mod ruleset;
pub mod schedule;
pub mod sources;
pub mod text;
pub mod trial;
mod views;

#[cfg(test)]
pub(crate) mod fake;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use connections::Connection;
pub use host::{Compiled, DataListener, Ended, Fault, Host, Kind, Machine, Metric, Stored, System, Topo};
pub use keys::Group;
pub use rules::{Rule, State};
pub use ruleset::Report;
pub use sources::{Source, Sources, TableKind};

use crate::config::Config;
use crate::rule::RuleDef;
use crate::rule::compile::Surroundings;
use crate::sql::parse::{self, Statement};
use crate::time::Zone;
use keys::Keys;
use record::Record;

/// Every definition, and the way to the engine, the files and the data port.
pub struct Control<H: Host> {
    /// The outside.
    pub host: H,
    /// The configuration in force.
    pub config: Config,
    /// The configured time zone: schedules are read in it.
    pub zone: Zone,
    sources: Sources,
    rules: BTreeMap<String, Rule>,
    keys: Keys,
    connections: BTreeMap<String, Connection>,
    peers: connections::Peers,
    /// What the last import of everything could not take.
    imported: Report,
    tasks: Vec<ruleset::Task>,
    /// In order of creation.
    trials: Vec<trial::Trial>,
    data_port_open: bool,
    order: u64,
}

/// How much there is; definitions may hold secrets.
impl<H: Host> core::fmt::Debug for Control<H> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let (rules, keys) = (self.rules.len(), self.keys.len());
        f.debug_struct("Control").field("sources", &self.sources.len()).field("rules", &rules).field("keys", &keys).finish_non_exhaustive()
    }
}

impl<H: Host> Control<H> {
    /// Control over nothing; [`Control::boot`] fills it.
    pub fn new(host: H, config: Config, zone: Zone) -> Self {
        Self {
            host,
            config,
            zone,
            sources: Sources::default(),
            rules: BTreeMap::new(),
            keys: Keys::default(),
            connections: BTreeMap::new(),
            peers: connections::Peers::new(),
            imported: Report::default(),
            tasks: Vec::new(),
            trials: Vec::new(),
            data_port_open: false,
            order: 0,
        }
    }

    /// Loads what is stored, takes `initial` rulesets in their order, and starts every rule that should run. Gives one sentence for
    /// each definition that could not be loaded or taken and each rule that could not be started; the latter are tried again by the
    /// patrol.
    pub fn boot(&mut self, initial: &[ruleset::Initial]) -> Vec<String> {
        let mut faults = self.load();
        faults.extend(self.note_guards());
        if let Err(why) = self.keep_lookups() {
            faults.push(format!("lookup tables: {why}"));
        }
        let mut started = std::collections::BTreeSet::new();
        for ruleset in initial {
            started.extend(self.import_initial(ruleset, &mut faults));
        }
        let ids: Vec<String> = self.rules.keys().filter(|id| !started.contains(*id)).cloned().collect();
        for id in ids {
            if let Err(fault) = self.recover(&id) {
                faults.push(format!("rule {id} cannot be started: {fault}"));
            }
        }
        faults
    }

    /// Loads what is stored without starting anything. Gives one sentence for each definition that could not be loaded.
    pub fn load(&mut self) -> Vec<String> {
        let mut faults = Vec::new();
        let mut stored = self.host.load();
        stored.sort_by(|a, b| (a.kind, &a.file).cmp(&(b.kind, &b.file)));
        for item in stored {
            let taken = item.text.and_then(|text| record::read(&text)).and_then(|record| self.take(record));
            if let Err(e) = taken {
                faults.push(format!("{}: {e}", item.file));
            }
        }
        faults
    }

    fn take(&mut self, record: Record) -> Result<(), String> {
        match record {
            Record::Source { name, text, order, guarded } => {
                let Some(Statement::Create(mut create)) = parse::statement(&text).map_err(|e| e.to_string())? else {
                    return Err("the text is no CREATE statement".to_owned());
                };
                if create.name != name {
                    return Err(format!("the statement creates {}, not {name}", create.name));
                }
                self.order = self.order.max(order.saturating_add(1));
                create.guarded = guarded;
                self.sources.put(Source { create: Arc::new(create), text, order });
            }
            Record::Rule { name, text } => {
                let parsed = RuleDef::parse(&name, &text, &self.config.rule);
                // What an older version took is kept, and shows why it cannot run.
                let (def, why) = match parsed {
                    Ok(def) => (def, None),
                    Err(why) => (RuleDef::read(&name, &text, &self.config.rule)?, Some(why)),
                };
                if def.id != name {
                    return Err(format!("the text is that of rule {:?}, not {name:?}", def.id));
                }
                self.rules.insert(name, Rule::new(def, text, why));
            }
            Record::ConfKey { group, kind, name, props } => {
                let group = Group::from_word(&group).ok_or_else(|| format!("unknown group {group:?}"))?;
                self.keep_key(group, &kind, &name, props);
            }
            Record::Connection { name, kind, props } => {
                self.keep_connection(&name, Connection { kind, props });
            }
        }
        Ok(())
    }

    /// Every definition with the reason why it could not be used, without starting anything: `stream demo`, `rule r1`.
    #[must_use]
    pub fn verdicts(&self) -> Vec<(String, Option<String>)> {
        let sources = self.sources.in_order().into_iter().map(|source| {
            let fault = crate::source::resolve::resolve(&source.create, &self.config, self.host.tls()).err();
            (format!("{} {}", source.create.noun(), source.create.name), fault)
        });
        let rules = self.rules.iter().map(|(id, rule)| (format!("rule {id}"), self.compile(&rule.def).err().map(|fault| fault.message)));
        sources.chain(rules).collect()
    }

    /// Streams and tables, for planning outside of a command.
    #[must_use]
    pub const fn sources(&self) -> &Sources {
        &self.sources
    }

    /// True if nothing is defined: neither stream nor table nor rule.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sources.is_empty() && self.rules.is_empty()
    }

    /// Runs `f` with everything that a rule is planned with.
    fn around<R>(&self, f: impl FnOnce(&Surroundings<'_>) -> R) -> R {
        let zones = |name: &str| self.host.zone(name);
        f(&Surroundings { config: &self.config, tls: self.host.tls(), zone: &self.zone, zones: &zones })
    }

    const fn next_order(&mut self) -> u64 {
        self.order += 1;
        self.order - 1
    }

    /// Opens the data port if it is closed. Says whether it was.
    fn open_data_port(&mut self) -> Result<bool, Fault> {
        if self.data_port_open {
            return Ok(false);
        }
        let server = &self.config.source;
        let at = DataListener { addr: server.listen(), tls: server.http_server_tls.clone() };
        self.host.listen(&at).map_err(|e| Fault::new(Fault::EXECUTOR, e))?;
        self.data_port_open = true;
        Ok(true)
    }

    /// Closes the data port once no run needs it.
    fn close_unneeded_data_port(&mut self) {
        if self.data_port_open && !self.host.engine(|engine, _| engine.needs_data_port()) {
            self.host.unlisten();
            self.data_port_open = false;
        }
    }
}
