//! What the catalog needs from whoever runs it: the engine on its own thread, the data port, files, a clock.
//!
//! The shell implements [`Host`] over sockets and a state directory; tests implement it over memory. Every call blocks and is made
//! from one worker thread at a time, so implementations need no locks of their own. [`Machine`] is the engine as the catalog sees
//! it, so that the catalog and the management API can be tested without a data plane.

use core::net::SocketAddr;
use std::sync::Arc;

use super::sources::Sources;
use crate::config::{Config, TlsFiles};
use crate::gate::credential::Access;
use crate::rule::RuleDef;
use crate::rule::compile::Surroundings;
pub use crate::rule::status::Metric;
use crate::sink::TlsLoader;
use crate::source::StreamSpec;
use crate::time::{Now, Zone};

/// The outside world of [`Control`](super::Control).
pub trait Host {
    /// The engine behind this host.
    type Engine: Machine;

    /// Runs `f` on the data thread, between two readings, and waits for its result. `f` must not block.
    fn engine<T: Send + 'static>(&mut self, f: impl FnOnce(&mut Self::Engine, Now) -> T + Send + 'static) -> T;

    /// Opens the data port; a port that is open already stays as it is.
    ///
    /// # Errors
    /// One sentence that names address and reason: `listen 0.0.0.0:10081: address in use`.
    fn listen(&mut self, at: &DataListener) -> Result<(), String>;

    /// Closes the data port: no new connections, idle ones closed, requests in flight get a moment. A closed port stays closed.
    fn unlisten(&mut self);

    /// Stores one definition so that it survives a crash at any moment: afterwards the old or the new text is there, never neither.
    ///
    /// # Errors
    /// One sentence that names the file and the reason.
    fn save(&mut self, kind: Kind, name: &str, text: &str) -> Result<(), String>;

    /// Removes one stored definition; one that is not stored is no error.
    ///
    /// # Errors
    /// One sentence that names the file and the reason.
    fn remove(&mut self, kind: Kind, name: &str) -> Result<(), String>;

    /// Everything that is stored, in no particular order. A file that cannot be read has its reason in place of the text.
    fn load(&mut self) -> Vec<Stored>;

    /// Text of a file below `STATE/uploads`; `name` is relative and may not leave that directory.
    ///
    /// # Errors
    /// One sentence that names the file and the reason.
    fn read_upload(&mut self, name: &str) -> Result<String, String>;

    /// Stores a file below `STATE/uploads` and gives its path.
    ///
    /// # Errors
    /// One sentence that names the file and the reason.
    fn save_upload(&mut self, name: &str, content: &[u8]) -> Result<String, String>;

    /// Paths of the files directly below `STATE/uploads`, sorted.
    fn uploads(&mut self) -> Vec<String>;

    /// Removes a file below `STATE/uploads`.
    ///
    /// # Errors
    /// One sentence that names the file and the reason.
    fn remove_upload(&mut self, name: &str) -> Result<(), String>;

    /// A rule trial is over: whoever watches it is told.
    fn trial_ended(&mut self, id: &str);

    /// Whether something takes connections at `host:port`; waits a moment at most.
    ///
    /// # Errors
    /// The system's reason: `connection refused`.
    fn reach(&mut self, addr: &str) -> Result<(), String>;

    /// Tells the operator of something that may be a mistake.
    fn warn(&mut self, line: &str);

    /// Both clocks.
    fn now(&self) -> Now;

    /// The PEM text of the public key called `issuer`, in any letter case, below `mgmt/` beside the configuration file.
    ///
    /// # Errors
    /// eKuiper's sentence: there is none of that name, or it cannot be read.
    fn public_key(&mut self, issuer: &str) -> Result<String, String>;

    /// Loads certificates and keys that sinks name.
    fn tls(&self) -> &dyn TlsLoader;

    /// Loads a time zone by its IANA name.
    fn zone(&self, name: &str) -> Option<Zone>;

    /// How the process fares.
    fn system(&mut self) -> System;

    /// The configuration has changed: log level, time zone and other settings that live outside of the catalog.
    fn configured(&mut self, config: &Config);
}

/// How the process fares, as `GET /` shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct System {
    /// Seconds since the start.
    pub up_time_s: u64,
    /// CPU in use, in percent of one core: `0.50%`.
    pub cpu_usage: String,
    /// Resident memory in bytes.
    pub memory_used: String,
    /// Memory of the machine in bytes.
    pub memory_total: String,
}

/// The engine as the catalog sees it. A unit is a rule that passed every check and waits to be started.
pub trait Machine {
    /// A compiled rule.
    type Unit: Send + 'static;

    /// Compiles a rule against the definitions in force.
    ///
    /// # Errors
    /// [`Fault::EXECUTOR`] when a source or sink cannot be set up, else [`Fault::UNDEFINED`].
    fn compile(def: &RuleDef, sources: &Sources, around: &Surroundings<'_>) -> Result<Compiled<Self::Unit>, Fault>;

    /// The plan of a rule as `GET /rules/{id}/explain` shows it.
    ///
    /// # Errors
    /// As [`Machine::compile`].
    fn explain(def: &RuleDef, sources: &Sources, around: &Surroundings<'_>) -> Result<String, Fault>;

    /// The plan of a rule with the bytes that each step may hold, as JSON: `POST /rules/{id}/explain`.
    ///
    /// # Errors
    /// As [`Machine::compile`].
    fn explain_bounds(def: &RuleDef, sources: &Sources, around: &Surroundings<'_>) -> Result<String, Fault>;

    /// Starts a unit. A run of the same rule is replaced: the new one stands before the old one stops, and a unit that cannot
    /// start leaves the old run as it was.
    ///
    /// # Errors
    /// [`Fault`] with code [`Fault::EXECUTOR`] when routes, queues or memory do not allow it.
    fn start(&mut self, unit: Self::Unit, now: Now) -> Result<(), Fault>;

    /// Stops the run of a rule; without a run nothing happens. The unit comes back to be dropped away from the data thread.
    fn stop(&mut self, id: &str, now: Now) -> Option<Self::Unit>;

    /// Metrics of a run in the order in which status shows them. `None` without a run.
    fn metrics(&self, id: &str, now: Now) -> Option<Vec<(String, Metric)>>;

    /// Metrics of a run that stops now, with what it leaves behind.
    fn last_metrics(&self, id: &str, now: Now) -> Option<Vec<(String, Metric)>> {
        self.metrics(id, now)
    }

    /// Keeps these lookup tables and no others, see [`crate::engine::Engine::keep_lookups`].
    ///
    /// # Errors
    /// A sentence when there is no room for one; nothing changed then.
    fn keep_lookups(&mut self, specs: &[Arc<StreamSpec>], now: Now) -> Result<(), String>;

    /// How a run ended by itself; `None` while it goes on and without a run.
    fn ended(&self, id: &str) -> Option<Ended>;

    /// Puts newer credentials in place, by name of the stream; connections stay. Gives the number of queues that have new ones.
    ///
    /// # Errors
    /// Streams that share an endpoint would no longer agree: everything stays as it was.
    fn set_access(&mut self, newer: &[(String, Arc<Access>)]) -> Result<usize, String>;

    /// The rows that a run's scan tables hold, oldest first: name of the table, and the row as JSON.
    fn scanned(&self, id: &str) -> Vec<(String, String)>;

    /// Whether any run needs the data port.
    fn needs_data_port(&self) -> bool;

    /// The body of `GET /counters`.
    fn counters(&self) -> String;

    /// The ports that use a certificate, and the seconds until it expires.
    fn expiries(&self) -> Vec<(&'static str, i64)> {
        Vec::new()
    }
}

/// Where the data port listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataListener {
    /// The address to bind; port 0 is any free one.
    pub addr: SocketAddr,
    /// Certificate and key files (PEM) for HTTPS.
    pub tls: Option<TlsFiles>,
}

/// The kinds of definition that are stored, one file each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A stream or a table: they share one name space.
    Source,
    /// A rule.
    Rule,
    /// A conf key made by the management API.
    ConfKey,
    /// A named connection.
    Connection,
}

impl Kind {
    /// All kinds, in the order in which they are loaded.
    pub const ALL: [Self; 4] = [Self::ConfKey, Self::Connection, Self::Source, Self::Rule];

    /// Its word, also the name of its directory.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Rule => "rule",
            Self::ConfKey => "confkey",
            Self::Connection => "connection",
        }
    }
}

/// One stored definition as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// What it should be.
    pub kind: Kind,
    /// The file, for messages.
    pub file: String,
    /// Its text, or why it could not be read.
    pub text: Result<String, String>,
}

/// Why a command is refused: a code of facts §5 and one sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The code.
    pub code: u32,
    /// The sentence.
    pub message: String,
}

impl Fault {
    /// Nothing more precise is known.
    pub const UNDEFINED: u32 = 1000;
    /// A general error.
    pub const GENERAL: u32 = 1001;
    /// A peer could not be reached.
    pub const IO: u32 = 1003;
    /// What was named does not exist; the only code that is answered with 404.
    pub const NOT_FOUND: u32 = 1002;
    /// A source or a sink could not be set up.
    pub const EXECUTOR: u32 = 2201;
    /// Something about a stream or table.
    pub const STREAM_TABLE: u32 = 3000;
    /// Something about a conf key.
    pub const CONF_KEY: u32 = 5000;

    /// A fault with its code.
    #[must_use]
    pub fn new(code: u32, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// A fault with code 1000.
    #[must_use]
    pub fn plain(message: impl Into<String>) -> Self {
        Self::new(Self::UNDEFINED, message)
    }

    /// A fault with code 1002.
    #[must_use]
    pub fn missing(message: impl Into<String>) -> Self {
        Self::new(Self::NOT_FOUND, message)
    }

    /// The same fault with words before its message.
    #[must_use]
    pub fn under(mut self, prefix: &str) -> Self {
        self.message = format!("{prefix}: {}", self.message);
        self
    }
}

impl core::fmt::Display for Fault {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(&self.message)
    }
}

impl core::error::Error for Fault {}

/// A rule that passed every check.
#[derive(Debug)]
pub struct Compiled<U> {
    /// What the engine starts.
    pub unit: U,
    /// Its operators.
    pub topo: Topo,
    /// Columns that it reads of each stream and table; `None`: all of them.
    pub reads: Vec<(String, Option<Vec<String>>)>,
    /// Whether it needs the data port.
    pub needs_data_port: bool,
    /// What in its definition may be a mistake, a line each.
    pub warnings: Vec<String>,
}

/// How a run ended by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// Its source is exhausted.
    Done(String),
    /// It cannot go on.
    Failed(String),
}

/// The operators of a rule and how rows pass between them, as `GET /rules/{id}/topo` shows them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Topo {
    /// Names of the sources.
    pub sources: Vec<String>,
    /// From each operator to those behind it.
    pub edges: std::collections::BTreeMap<String, Vec<String>>,
}
