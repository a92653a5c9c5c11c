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
pub mod file;
pub mod mqtt;
mod multipart;
pub mod oauth;
mod outbox;
pub mod peer;
mod pipeline;
mod props;
pub mod redis;
pub mod rest;
mod rows;
mod shape;
pub(crate) mod squeeze;
mod tls;
mod words;

use core::fmt::Write as _;
use core::time::Duration;
use std::sync::Arc;

use serde_json::{Map, Value as Json};

use self::common::Common;
use self::file::{File, FileWrite};
use self::mqtt::Mqtt;
pub use self::outbox::Drops;
use self::outbox::{Bounds, Outbox, Verdict, Waiting};
use self::pipeline::{Form, Pipeline};
use self::props::Props;
use self::redis::Redis;
use self::rest::{Judgement, Rest, RestRequest};
use self::rows::{Memory, RowRules};
use crate::config::SinkDefaults;
use crate::config::credentials::SecretFrom;
use crate::json::write::Out;
use crate::limits::{HEAD_BYTES, Limits};
use crate::stats::{ConnStats, EXCEPTION_BYTES, OpStats, fit};
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
    /// Messages to an MQTT broker.
    Mqtt,
    /// Keys of a Redis server.
    Redis,
    /// A channel of a Redis server.
    RedisPub,
    /// Nowhere.
    Nop,
    /// Whoever watches a rule trial; not for a rule's own actions.
    Trial,
}

/// What the ids of rule trials begin with: no rule can have such an id.
pub const TRIAL_PREFIX: &str = "$$trial_";

impl Kind {
    /// Every kind that a rule can name.
    pub const ALL: [Self; 8] = [Self::Log, Self::File, Self::Rest, Self::Memory, Self::Mqtt, Self::Redis, Self::RedisPub, Self::Nop];

    /// Its name in a rule's actions.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::File => "file",
            Self::Rest => "rest",
            Self::Memory => "memory",
            Self::Mqtt => "mqtt",
            Self::Redis => "redis",
            Self::RedisPub => "redisPub",
            Self::Nop => "nop",
            Self::Trial => "sse",
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
    /// What is spoken inside is not HTTP.
    pub no_http: bool,
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

    /// Reads a secret that a credential of the data port names: the first line of a file.
    ///
    /// # Errors
    /// One sentence that names the file and the reason, never what is in it.
    fn secret(&self, from: &SecretFrom) -> Result<String, String> {
        Err(format!("{from:?}: files cannot be read here"))
    }

    /// Where the file of a `file` source is, once it is known to be there and one that may be read. Who has no state directory takes
    /// its word.
    ///
    /// # Errors
    /// One sentence that names the file and the reason.
    fn source_file(&self, path: &str) -> Result<String, String> {
        Ok(path.to_owned())
    }
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
/// The code where eKuiper's own program fails over a property instead of refusing it.
const UNDEFINED: u32 = 1000;

impl From<String> for SinkFault {
    fn from(message: String) -> Self {
        Self { code: EXECUTOR, message }
    }
}

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

    /// Where a rule writes the text of a row, for [`SinkUnit::accept_line`].
    pub fn line(&mut self) -> &mut [u8] {
        &mut self.payload
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
    /// Readers of a memory topic; the body is a packed list of row objects.
    Memory {
        /// The topic.
        topic: &'p str,
        /// The topic as configured, which is what `meta(topic)` shows.
        configured: &'p str,
        /// `rowkindField` and `keyField`: the columns that say what a row does to a table, and to which row of it.
        kinds: Option<(&'p str, &'p str)>,
    },
    /// An HTTP request.
    Rest(RestRequest<'p>),
    /// A message to a broker.
    Mqtt(mqtt::Message<'p>),
    /// Commands to a Redis server.
    Redis(redis::Commands<'p>),
    /// A file, through the writer thread.
    File(FileWrite<'p>),
    /// Whoever watches a rule trial.
    Trial {
        /// The trial's id.
        id: &'p str,
    },
    /// No payload: the file in this slot has to be closed.
    Close {
        /// The slot.
        slot: u8,
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
    Memory(Memory),
    Rest(Rest),
    Mqtt(Box<Mqtt>),
    Redis(Redis),
    RedisPub(Redis),
    File(Box<File>),
    Trial,
}

impl Sort {
    const fn kind(&self) -> Kind {
        match self {
            Self::Log => Kind::Log,
            Self::Nop { .. } => Kind::Nop,
            Self::Memory(_) => Kind::Memory,
            Self::Rest(_) => Kind::Rest,
            Self::Mqtt(_) => Kind::Mqtt,
            Self::Redis(_) => Kind::Redis,
            Self::RedisPub(_) => Kind::RedisPub,
            Self::File(_) => Kind::File,
            Self::Trial => Kind::Trial,
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
    warnings: Vec<String>,
}

/// Builds the sink of one action.
///
/// # Errors
/// [`SinkFault`] when the kind is unknown or a property is wrong.
pub fn build(kind: &str, props: &Map<String, Json>, env: &SinkEnv<'_>) -> Result<SinkUnit, SinkFault> {
    let (name, map) = (kind, props);
    let trial = (name == Kind::Trial.name() && env.rule.starts_with(TRIAL_PREFIX)).then_some(Kind::Trial);
    let kind = trial.or_else(|| Kind::parse(name)).ok_or_else(|| {
        let known: Vec<_> = Kind::ALL.iter().map(|k| k.name()).collect();
        format!("sink {name} is not defined, this build has {}", known.join(", "))
    })?;
    let mut props = Props::new(map);
    let mut dynamics = Vec::new();
    let mut form = Form::Bytes;
    let mut sort = match kind {
        Kind::Log => Sort::Log,
        Kind::Trial => Sort::Trial,
        Kind::Nop => {
            let log = props.flag("log").map_err(|message| SinkFault { code: UNDEFINED, message })?;
            Sort::Nop { log: log.unwrap_or(false) }
        }
        Kind::Memory => {
            let (memory, rules) = Memory::read(&mut props, &mut dynamics)?;
            form = Form::Rows(rules);
            Sort::Memory(memory)
        }
        Kind::Rest => {
            let (rest, multipart) = Rest::read(&mut props, &mut dynamics, env)?;
            form = multipart.map_or(Form::Bytes, Form::Multipart);
            Sort::Rest(rest)
        }
        Kind::Mqtt => Sort::Mqtt(Box::new(Mqtt::read(&mut props, &mut dynamics, env)?)),
        Kind::Redis => {
            form = Form::Rows(RowRules::default());
            Sort::Redis(Redis::read(&mut props)?)
        }
        Kind::RedisPub => Sort::RedisPub(Redis::read_publisher(&mut props)?),
        Kind::File => Sort::File(Box::new(File::read(&mut props, &mut dynamics)?)),
    };
    let common =
        Common::read(&mut props, env.defaults, kind == Kind::File).map_err(|e| format!("fail to parse sink configuration: {e}"))?;
    if let Some(length) = common.buffer_length.filter(|length| *length < 0) {
        return Err(SinkFault { code: UNDEFINED, message: format!("bufferLength {length} must not be negative") });
    }
    match &mut sort {
        Sort::Rest(rest) => rest.check(&common)?,
        Sort::File(file) => file.set_header(&common),
        _ => {}
    }
    let name = format!("{name}_{}", env.action);
    let warnings = props.unknown(&name);
    let loses = env.qos == 0 && !env.waits_when_full;
    let mut out = Outbox::new(&Bounds {
        bytes: env.limits.outbox_bytes,
        // A cache in memory is bounded by OUTBOX_BYTES alone.
        payloads: common.buffer_length.and_then(|n| usize::try_from(n).ok()).filter(|_| !common.enable_cache),
        loses,
        discards: matches!(sort, Sort::Nop { log: false }),
        resend_interval: common.resend_interval,
        retry_for: common.retry_for,
    })?;
    // A broker is connected to when the rule runs.
    out.conn.status = i8::from(!matches!(kind, Kind::Nop | Kind::Mqtt | Kind::Redis | Kind::RedisPub));
    let pipeline = Pipeline::new(&name, &common, form, dynamics, kind == Kind::File, env)?;
    Ok(SinkUnit { name, rule: env.rule.to_owned(), sort, pipeline, out, warnings })
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

    /// What it takes to ask for tokens, of a rest sink with `oauth`.
    #[must_use]
    pub fn tokens(&self) -> Option<rest::Tokens> {
        if let Sort::Rest(rest) = &self.sort { rest.tokens() } else { None }
    }

    /// What it takes to connect, of an mqtt sink.
    #[must_use]
    pub fn broker(&self) -> Option<mqtt::Broker> {
        if let Sort::Mqtt(mqtt) = &self.sort { Some(mqtt.broker()) } else { None }
    }

    /// What it takes to connect, of a sink that speaks to Redis.
    #[must_use]
    pub fn server(&self) -> Option<redis::Server> {
        if let Sort::Redis(redis) | Sort::RedisPub(redis) = &self.sort { Some(redis.server()) } else { None }
    }

    /// Its connection stands, whether or not anything waits to be sent.
    pub fn connected(&mut self, now: Now) {
        self.out.connected(now);
    }

    /// It has none, because of `reason`. What waits to be sent is counted as one exception, and tried again.
    pub fn disconnected(&mut self, reason: &str, now: Now) {
        let status = match &self.sort {
            Sort::Mqtt(mqtt) if self.out.conn.last_connected != Timestamp::default() => mqtt.status_down(),
            _ => -1,
        };
        self.out.disconnected(reason, status, now);
        if self.out.next(now).is_some() {
            self.done(Outcome::Broken { reason }, now);
        }
    }

    /// What the properties hold that has no effect, a line each, for the log.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Bytes of memory it holds, for the memory bill.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let files = if let Sort::File(file) = &self.sort { file.bytes() } else { 0 };
        self.out.bytes() + self.pipeline.bytes() + files
    }

    /// The rule runs from now on.
    pub fn start(&mut self, now: Now) {
        self.pipeline.start(now);
        if let Sort::File(file) = &mut self.sort {
            file.start(now);
        }
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
        let accept = self.pipeline.accept(rows, &mut self.out, scratch, now, facts);
        if let Sort::File(file) = &mut self.sort
            && file.awaits_header()
        {
            let mut header = Out::new(&mut scratch.head);
            self.pipeline.header(&mut header);
            file.take_header(core::str::from_utf8(header.written()).unwrap_or(""));
        }
        accept
    }

    /// True if rows may come as the JSON text that they leave as.
    #[must_use]
    pub fn takes_lines(&self) -> bool {
        self.pipeline.takes_lines()
    }

    /// Whether [`SinkUnit::accept_line`] has room now.
    #[must_use]
    pub fn has_room(&self, line: &[u8]) -> bool {
        self.out.has_room(line)
    }

    /// One message of one row, as the text of a list: `[{…}]`. What there is no room for is lost.
    pub fn accept_line(&mut self, line: &[u8], now: Now) {
        self.pipeline.accept_line(line, &mut self.out, now);
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

    /// When [`SinkUnit::tick`] has something to do: a batch's time.
    #[must_use]
    pub fn tick_until(&self) -> Option<Instant> {
        self.pipeline.until()
    }

    /// When [`SinkUnit::next_out`] has something to give that it has not now: the end of a pause, or a file's age.
    #[must_use]
    pub fn until(&self) -> Option<Instant> {
        let files = if let Sort::File(file) = &self.sort { file.until() } else { None };
        [self.out.until(), files].into_iter().flatten().min()
    }

    /// The payload to deliver now, the same one until [`SinkUnit::done`]. `None` when nothing waits, or during a pause.
    pub fn next_out(&mut self, now: Now) -> Option<Payload<'_>> {
        if let Sort::File(file) = &mut self.sort
            && let Some(slot) = file.close_due(now)
        {
            return Some(Payload { seq: 0, body: &[], target: Target::Close { slot } });
        }
        let Waiting { seq, meta, body } = self.out.next(now)?;
        let target = match &mut self.sort {
            Sort::Log => Target::Log { rule: &self.rule },
            Sort::Trial => Target::Trial { id: self.rule.strip_prefix(TRIAL_PREFIX).unwrap_or(&self.rule) },
            Sort::Nop { log } => Target::Nop { log: *log },
            Sort::Memory(memory) => Target::Memory {
                topic: memory.topic.get(meta),
                configured: memory.topic.source(),
                kinds: memory.kinds.as_ref().map(|(kind, key)| (kind.as_str(), key.as_str())),
            },
            Sort::Rest(rest) => Target::Rest(rest.request(meta)),
            Sort::Mqtt(mqtt) => Target::Mqtt(mqtt.message(meta)),
            Sort::Redis(redis) | Sort::RedisPub(redis) => Target::Redis(redis.commands()),
            Sort::File(file) => Target::File(file.plan(seq, meta, body.len(), now)),
        };
        Some(Payload { seq, body, target })
    }

    /// Says what became of the payload that [`SinkUnit::next_out`] lent.
    pub fn done(&mut self, outcome: Outcome<'_>, now: Now) {
        if let Sort::File(file) = &mut self.sort {
            if file.closed() {
                return;
            }
            file.written();
        }
        let mut long = heapless::String::<EXCEPTION_BYTES>::new();
        let verdict = match outcome {
            Outcome::Delivered => Verdict::Delivered,
            Outcome::Queued => Verdict::Queued,
            Outcome::Broken { reason } => {
                self.describe(&mut long, reason, format_args!("rest sink fails to send out the data:err={reason} recoverAble=true"));
                Verdict::Retry { reason, text: &long, answered: false, after: None }
            }
            Outcome::Failed { text } => {
                self.describe(&mut long, text, format_args!("rest sink fails to send out the data:err={text} recoverAble=false"));
                Verdict::Failed { text: &long }
            }
            Outcome::Answered { status, retry_after, body } => {
                let judgement = if let Sort::Rest(rest) = &self.sort { rest.judge(status, body) } else { Judgement::Delivered };
                let (Judgement::Heals(code) | Judgement::Refused(code)) = judgement else {
                    self.out.done(Verdict::Delivered, now);
                    return;
                };
                self.describe(&mut long, "", format_args!("parse response error: response code error: {code}. |"));
                if judgement == Judgement::Heals(code) {
                    let mut reason = heapless::String::<32>::new();
                    let _ = write!(reason, "answered {status}");
                    self.out.done(Verdict::Retry { reason: &reason, text: &long, answered: true, after: retry_after }, now);
                    return;
                }
                Verdict::Failed { text: &long }
            }
        };
        self.out.done(verdict, now);
    }

    /// A sentence for `last_exception`: `plain`, or of a rest sink `rest` with method and url behind it.
    fn describe(&self, out: &mut heapless::String<EXCEPTION_BYTES>, plain: &str, rest: core::fmt::Arguments<'_>) {
        let Sort::Rest(sink) = &self.sort else {
            *out = fit(plain);
            return;
        };
        let request = sink.request(self.out.in_hand());
        let mut cut = Cut(out);
        // What does not fit is cut, which is no error.
        let _ = write!(cut, "{rest} method={} path=\"{}\"", request.method(), request.url());
    }

    /// `count` payloads that were [`Outcome::Queued`], up to `seq`, are settled; `failed` of them did not arrive, because of `text`.
    pub fn settle(&mut self, seq: u64, count: u64, failed: u64, text: &str, now: Now) {
        self.out.settle(seq, count, failed, text, now);
    }

    /// Payloads that were put into the outbox so far.
    #[must_use]
    pub const fn taken_total(&self) -> u64 {
        self.out.taken_total()
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

/// Takes what fits.
struct Cut<'c>(&'c mut heapless::String<EXCEPTION_BYTES>);

impl core::fmt::Write for Cut<'_> {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        text.chars().try_for_each(|c| self.0.push(c)).map_err(|_| core::fmt::Error)
    }
}

#[cfg(test)]
pub(crate) mod tests;
