//! Sinks: messages of a rule in, payloads for the outside out; waiting, retry and back-off are states here.
//!
//! ```text
//! rows ─► [batch] ─► transform (sendSingle, template, fields) ─► encode ─► [compress] ─► outbox ─► next_out / done ─► shell
//! ```
//!
//! * [`build`] checks the properties of one action (facts §8) and takes all memory the sink will ever use.
//! * [`SinkUnit::accept`] takes one message: a packed list of row objects. It answers [`Accept::Blocked`] when the outbox is full
//!   and may not lose anything; the same message is then offered again.
//! * [`SinkUnit::next_out`] lends what to deliver now, [`SinkUnit::done`] says what became of it.
//!
//! Nothing is allocated per message: payloads are built in the engine's one [`SinkScratch`] and copied into the outbox.

mod common;
mod outbox;
mod pipeline;
mod props;

use core::time::Duration;
use std::sync::Arc;

use serde_json::{Map, Value as Json};

use self::common::Common;
pub use self::outbox::Drops;
use self::outbox::{Bounds, Outbox, Verdict, Waiting};
use self::pipeline::Pipeline;
use self::props::Props;
use crate::config::SinkDefaults;
use crate::limits::{HEAD_BYTES, Limits};
use crate::stats::{ConnStats, OpStats};
use crate::time::{Instant, Now, Timestamp, Zone};
use crate::value::Packed;

/// Where payloads go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Lines in pushgate's own log.
    Log,
    /// Files, through the writer thread.
    File,
    /// HTTP requests.
    Rest,
    /// Memory topics, for other rules.
    Memory,
    /// Nowhere.
    Nop,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::Log, Self::File, Self::Rest, Self::Memory, Self::Nop];

    /// Its name in a rule's actions.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::File => "file",
            Self::Rest => "rest",
            Self::Memory => "memory",
            Self::Nop => "nop",
        }
    }

    /// The kind of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// What a sink must know of the rule and the server it belongs to.
#[derive(Clone, Copy)]
pub struct SinkEnv<'e> {
    /// The rule's id.
    pub rule: &'e str,
    /// Place of the action among the rule's actions.
    pub action: usize,
    /// The rule's `qos`.
    pub qos: u8,
    /// Whether a full outbox waits even at qos 0: `disableBufferFullDiscard`, or a `stored` stream.
    pub waits_when_full: bool,
    /// The rule's `sendError`.
    pub send_error: bool,
    /// Section `sink` of the configuration.
    pub defaults: &'e SinkDefaults,
    /// Capacities in force.
    pub limits: &'e Limits,
    /// Whether rest sinks may reach private addresses.
    pub private_net: bool,
    /// Who loads certificates.
    pub tls: &'e dyn TlsLoader,
}

/// TLS properties of a sink, as given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsProps {
    /// Client certificate chain: a file.
    pub cert_path: Option<String>,
    /// Its key: a file.
    pub key_path: Option<String>,
    /// Certificates to trust: a file.
    pub ca_path: Option<String>,
    /// The same three, as PEM.
    pub cert_raw: Option<Vec<u8>>,
    /// See [`TlsProps::cert_raw`].
    pub key_raw: Option<Vec<u8>>,
    /// See [`TlsProps::cert_raw`].
    pub ca_raw: Option<Vec<u8>>,
    /// TLS 1.3 only.
    pub min_1_3: bool,
    /// Whether the server's certificate is not verified.
    pub skip_verify: bool,
}

/// A loaded TLS client configuration; only the shell knows what is inside.
pub type TlsClient = Arc<dyn core::any::Any + Send + Sync>;

/// Loads certificates and keys while a rule is created.
pub trait TlsLoader {
    /// Reads and checks what `props` name.
    ///
    /// # Errors
    /// One sentence that names the file and the reason.
    fn client(&self, props: &TlsProps) -> Result<TlsClient, String>;
}

/// Why a sink cannot be built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinkFault {
    /// eKuiper's code.
    pub code: u32,
    /// One sentence.
    pub message: String,
}

/// The code of a sink that cannot be set up.
const EXECUTOR: u32 = 2201;

/// What templates may look at besides the row.
#[derive(Debug, Clone, Copy)]
pub struct TemplateFacts<'f> {
    /// The zone of dates and times.
    pub zone: &'f Zone,
    /// State of random numbers.
    pub rng: &'f core::cell::Cell<u64>,
}

/// Memory in which payloads are built, one per engine.
#[derive(Debug)]
pub struct SinkScratch {
    head: Box<[u8]>,
    payload: Box<[u8]>,
    packed: Box<[u8]>,
    work: Box<[u8]>,
}

impl SinkScratch {
    /// Takes the memory.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Self {
            head: vec![0; HEAD_BYTES].into(),
            payload: vec![0; limits.payload_bytes].into(),
            packed: vec![0; limits.payload_bytes].into(),
            work: vec![0; limits.scratch_bytes].into(),
        }
    }

    /// Bytes it takes, for the memory bill.
    #[must_use]
    pub fn bytes(limits: &Limits) -> usize {
        HEAD_BYTES + 2 * limits.payload_bytes + limits.scratch_bytes
    }
}

/// Whether a message was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accept {
    /// It was; whatever happened to it is counted.
    Taken,
    /// The outbox is full and must not lose: offer the same message again once something has left.
    Blocked,
}

/// One payload to deliver, lent until [`SinkUnit::done`].
#[derive(Debug, Clone, Copy)]
pub struct Payload<'p> {
    /// Its number in this sink.
    pub seq: u64,
    /// The bytes; for [`Target::Memory`] a packed list of row objects.
    pub body: &'p [u8],
    /// Where to.
    pub target: Target<'p>,
}

/// Where a payload goes.
#[derive(Debug, Clone, Copy)]
pub enum Target<'p> {
    /// A line in the log at info: `sink result for rule RULE: BODY`.
    Log {
        /// The rule's id.
        rule: &'p str,
    },
    /// Nowhere; with `log` the bare payload is logged at info.
    Nop {
        /// Whether to log it.
        log: bool,
    },
    /// Readers of a memory topic.
    Memory {
        /// The topic.
        topic: &'p str,
    },
}

/// What became of a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome<'o> {
    /// The receiver has it.
    Delivered,
    /// The writer thread has it: [`SinkUnit::settle`] will say how it ended.
    Queued,
    /// It did not get through, and that may heal: a short reason, such as `connect refused`.
    Broken {
        /// The reason.
        reason: &'o str,
    },
    /// It never will get through.
    Failed {
        /// A sentence.
        text: &'o str,
    },
    /// An HTTP answer.
    Answered {
        /// Its status.
        status: u16,
        /// Its `Retry-After`.
        retry_after: Option<Duration>,
        /// Its content, as far as it was kept.
        body: &'o [u8],
    },
}

/// One operator of the sink's chain, for status and topo.
#[derive(Debug)]
pub struct Op<'o> {
    /// `op` or `sink`.
    pub role: &'static str,
    /// Its name: `rest_0_0_transform`; the sink's own is `rest_0`.
    pub name: &'o str,
    /// Its counters.
    pub stats: &'o OpStats,
    /// Its connection, of the sink alone.
    pub conn: Option<&'o ConnStats>,
}

/// The settings of one kind.
#[derive(Debug)]
enum Sort {
    Log,
    Nop { log: bool },
}

impl Sort {
    const fn kind(&self) -> Kind {
        match self {
            Self::Log => Kind::Log,
            Self::Nop { .. } => Kind::Nop,
        }
    }
}

/// One sink of a running rule. See the module text.
#[derive(Debug)]
pub struct SinkUnit {
    name: String,
    rule: String,
    sort: Sort,
    pipeline: Pipeline,
    out: Outbox,
    send_error: bool,
    warnings: Vec<String>,
}

/// Builds the sink of one action.
///
/// # Errors
/// [`SinkFault`] when the kind is unknown or a property is wrong.
pub fn build(kind: &str, props: &Map<String, Json>, env: &SinkEnv<'_>) -> Result<SinkUnit, SinkFault> {
    build_unit(kind, props, env).map_err(|message| SinkFault { code: EXECUTOR, message })
}

fn build_unit(name: &str, map: &Map<String, Json>, env: &SinkEnv<'_>) -> Result<SinkUnit, String> {
    let kind = Kind::parse(name).ok_or_else(|| {
        let known: Vec<_> = Kind::ALL.iter().map(|k| k.name()).collect();
        format!("sink {name} is not defined, this build has {}", known.join(", "))
    })?;
    let mut props = Props::new(map);
    let sort = match kind {
        Kind::Nop => Sort::Nop { log: props.flag("log")?.unwrap_or(false) },
        _ => Sort::Log,
    };
    let common =
        Common::read(&mut props, env.defaults, kind == Kind::File).map_err(|e| format!("fail to parse sink configuration: {e}"))?;
    let name = format!("{name}_{}", env.action);
    let warnings = props.unknown(&name);
    let loses = env.qos == 0 && !env.waits_when_full;
    let mut out = Outbox::new(&Bounds {
        bytes: env.limits.outbox_bytes,
        // A cache in memory is bounded by OUTBOX_BYTES alone.
        payloads: common.buffer_length.filter(|_| !common.enable_cache),
        loses,
        resend_interval: common.resend_interval,
        retry_for: common.retry_for,
    })?;
    out.conn.status = i8::from(kind != Kind::Nop);
    let pipeline = Pipeline::new(&name, &common, kind, env)?;
    Ok(SinkUnit { name, rule: env.rule.to_owned(), sort, pipeline, out, send_error: env.send_error, warnings })
}

impl SinkUnit {
    /// `TYPE_ACTION`: `rest_0`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.sort.kind()
    }

    /// What the properties hold that has no effect, a line each, for the log.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The rule runs from now on.
    pub fn start(&mut self, now: Now) {
        self.pipeline.start(now);
        if self.out.conn.status == 1 {
            self.out.conn.last_connected = now.wall;
            self.out.conn.last_try = now.wall;
        }
    }

    /// One message of the rule: a packed list of row objects.
    pub fn accept(&mut self, rows: Packed<'_>, scratch: &mut SinkScratch, now: Now, facts: &TemplateFacts<'_>) -> Accept {
        if self.out.is_blocked() {
            return Accept::Blocked;
        }
        self.pipeline.accept(rows, &mut self.out, scratch, now, facts, self.send_error)
    }

    /// An error of the rule, where `sendError` is set: bare text, or a row `{"error": text}` for a sink that takes rows.
    pub fn accept_error(&mut self, text: &str, scratch: &mut SinkScratch, now: Now) -> Accept {
        if self.pipeline.error(text, &mut self.out, scratch, now) { Accept::Taken } else { Accept::Blocked }
    }

    /// Does what is due: batches whose time has come.
    pub fn tick(&mut self, scratch: &mut SinkScratch, now: Now) {
        self.pipeline.tick(&mut self.out, scratch, now);
    }

    /// The rule ends: what is gathered leaves. False: the outbox has no room for it now.
    pub fn flush(&mut self, scratch: &mut SinkScratch, now: Now) -> bool {
        self.pipeline.flush(&mut self.out, scratch, now)
    }

    /// When [`SinkUnit::tick`] or [`SinkUnit::next_out`] has something to do that it has not now.
    #[must_use]
    pub fn until(&self) -> Option<Instant> {
        [self.out.until(), self.pipeline.until()].into_iter().flatten().min()
    }

    /// The payload to deliver now, the same one until [`SinkUnit::done`]. `None` when nothing waits, or during a pause.
    pub fn next_out(&mut self, now: Now) -> Option<Payload<'_>> {
        let Waiting { seq, body, .. } = self.out.next(now)?;
        let target = match &self.sort {
            Sort::Log => Target::Log { rule: &self.rule },
            Sort::Nop { log } => Target::Nop { log: *log },
        };
        Some(Payload { seq, body, target })
    }

    /// Says what became of the payload that [`SinkUnit::next_out`] lent.
    pub fn done(&mut self, outcome: Outcome<'_>, now: Now) {
        let verdict = match outcome {
            Outcome::Delivered => Verdict::Delivered,
            Outcome::Queued => Verdict::Queued,
            Outcome::Broken { reason } => Verdict::Retry { reason, text: reason, answered: false, after: None },
            Outcome::Failed { text } => Verdict::Failed { text },
            Outcome::Answered { .. } => Verdict::Delivered,
        };
        self.out.done(verdict, now);
    }

    /// `count` payloads that were [`Outcome::Queued`], up to `seq`, are settled; `failed` of them did not arrive, because of `text`.
    pub fn settle(&mut self, seq: u64, count: u64, failed: u64, text: &str, now: Now) {
        self.out.settle(seq, count, failed, text, now);
    }

    /// Payloads that have not left.
    #[must_use]
    pub const fn waiting(&self) -> usize {
        self.out.waiting()
    }

    /// Since when nothing gets through, and why: `connect refused`.
    #[must_use]
    pub fn down(&self) -> Option<(Timestamp, &str)> {
        self.out.down()
    }

    /// What left otherwise than by delivery, and why.
    #[must_use]
    pub const fn drops(&self) -> &Drops {
        &self.out.drops
    }

    /// The operators, in the order of the way through them.
    pub fn ops(&self) -> impl Iterator<Item = Op<'_>> {
        let own = Op { role: "sink", name: &self.name, stats: &self.out.sink, conn: Some(&self.out.conn) };
        self.pipeline.ops().map(|(name, stats)| Op { role: "op", name, stats, conn: None }).chain([own])
    }
}
