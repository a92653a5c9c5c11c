//! The whole order of one reading, spelled out once: head → body → ring → rule → sink.
//!
//! ```text
//! head(): route, method, credential, length, coding, type, rates → a ticket, or a refusal before the body is read
//! body(): signature, well-formed for the format, room in every queue → 200 `ok`, 401, 400 with the byte, 503 with Retry-After
//! step(): one slice of each rule in turn                         → messages in the outboxes of sinks
//! next_out(), done(): what a sink should send, and what became of it
//! ```
//!
//! Sans-IO: the socket shell, the tests and the seeded simulation drive this same type. Allocates when rules start and stop, never
//! per reading.

mod budget;
mod clock;
mod drain;
mod files;
mod intake;
mod lookups;

use std::sync::Arc;

use clock::WallClock;
use drain::Drain;
pub use files::{Batch, Job, Taken};
use lookups::{gather, lookup_of};

use crate::bill::Bill;
use crate::encode::Format;
use crate::gate::admit::Admission;
use crate::gate::body::{FLAG_ROWS, Index};
use crate::gate::cors::Origin;
use crate::gate::credential::{Access, Found};
use crate::gate::guess::Guesses;
use crate::gate::inflate::{Coding, Inflater};
use crate::gate::reason::{Reason, Reasons};
use crate::gate::replay::Replays;
use crate::gate::route::Endpoint;
use crate::limits::Limits;
use crate::pages::Pages;
use crate::ring::{Parts, Ring};
use crate::rule::run::{FeedId, Feeds, Lent, Rule, RuleUnit, Slice};
use crate::rule::status::{self, Metric};
use crate::sink::{Kind, Outcome, Payload, SinkScratch, SinkUnit, Target};
use crate::source::resolve::topic_matches;
use crate::source::simulator::SimState;
use crate::source::{Feed, PushFeed, StreamSpec};
use crate::table::Lookup;
use crate::time::{Instant, Now};
use crate::value::Value;
use crate::value::packed::Encoder;
use crate::wire::{Gate as _, Reply, certificate};

/// Why a rule cannot start. Always code 2201 of facts §5.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartFault(pub String);

/// What the engine wants from whoever drives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Call [`Engine::step`] again at once.
    More,
    /// Nothing to do until a reading comes, a sink reports, or this moment.
    Idle(Option<Instant>),
}

/// A sink of a running rule. Never used again for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SinkId {
    rule: u64,
    action: u16,
}

/// What the gate remembers between head and body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    route: u64,
    coding: Option<Coding>,
    /// Which credentials were in force.
    access: u64,
    found: Found,
    /// Bytes that were paid for.
    paid: u32,
}

/// What the port counts.
#[derive(Debug, Clone, Default)]
pub struct PortStats {
    /// Readings taken.
    pub accepted_total: u64,
    /// Why requests were not.
    pub refused: Reasons,
}

/// One open stream.
#[derive(Debug)]
struct Open {
    spec: Arc<StreamSpec>,
    ring: Ring<Pages>,
    /// Who may post: that of the spec, or a newer one.
    access: Arc<Access>,
    /// Why requests to its endpoint were not taken.
    refused: Reasons,
    accepted_total: u64,
    /// Bytes that rules were done with, for Retry-After.
    drained: Drain,
    /// True if a rule wants `meta()`.
    wants_meta: bool,
    /// Where its simulator stands, when it has one.
    simulator: Option<SimState>,
    /// The reading of its file, when it has one.
    file: Option<files::Reading>,
    /// Its rows, when it is a lookup table.
    lookup: Option<Lookup>,
    /// It is kept without a rule, as its definition stands.
    pinned: bool,
}

impl Open {
    /// Nothing comes any more.
    fn is_ended(&self) -> bool {
        self.simulator.is_some_and(|s| s.is_ended()) || self.file.as_ref().is_some_and(|file| file.ended)
    }
}

/// One endpoint and the streams behind it.
#[derive(Debug)]
struct Route {
    stamp: u64,
    endpoint: Endpoint,
    strict_type: bool,
    format: Format,
    origins: Vec<Origin>,
    decompression: Option<Coding>,
    access: Arc<Access>,
    /// Changes whenever the credentials do.
    access_stamp: u64,
    success: Reply,
    feeds: Vec<FeedId>,
}

#[derive(Debug)]
struct Running {
    stamp: u64,
    rule: Rule,
    /// Payloads that each sink had been given when it was last reported ready.
    given: Vec<u64>,
}

/// See the module text.
#[derive(Debug)]
pub struct Engine {
    limits: Limits,
    feeds: FeedTable,
    routes: Vec<Route>,
    /// By id, which is the order of turns, too.
    rules: Vec<Running>,
    turn: usize,
    scratch: Pages,
    rows: Pages,
    meta: Pages,
    index: Box<Index>,
    sink_scratch: SinkScratch,
    port: PortStats,
    /// What the wire in front counted, as of the last command.
    noted: Vec<(&'static str, i64)>,
    /// Some endpoint lists web pages.
    any_origins: bool,
    /// Taken when the first endpoint opens.
    inflater: Option<Box<Inflater>>,
    /// What a 415 adds (RFC 9110 §15.5.16).
    accept_encoding: Arc<str>,
    /// Made with the first endpoint that asks who sends, or bounds it.
    admission: Admission,
    /// Passwords that are being checked.
    guesses: Guesses,
    /// Made with the first endpoint whose requests sign a time.
    replays: Replays,
    /// Sinks that have something to send since they were last asked for: see [`Engine::take_ready`].
    ready: Vec<SinkId>,
    /// Files that are to be read.
    jobs: Vec<Job>,
    /// Streams that are fed by a simulator.
    simulators: usize,
    seq: u64,
    stamps: u64,
    seed: u64,
    clock: WallClock,
    /// What is taken whatever is defined.
    fixed: Bill,
}

#[derive(Debug)]
struct FeedTable {
    open: Vec<Option<Open>>,
}

impl Feeds for FeedTable {
    fn ring(&mut self, feed: FeedId) -> &mut Ring<Pages> {
        &mut self.open[usize::from(feed.0)].as_mut().expect("a rule's feed is open while the rule runs").ring
    }

    fn lookup(&self, feed: FeedId) -> Option<&Lookup> {
        self.open.get(usize::from(feed.0))?.as_ref()?.lookup.as_ref()
    }
}

impl Engine {
    /// An engine without rules. `seed`: of `rand()` and jitter.
    #[must_use]
    pub fn new(limits: Limits, seed: u64) -> Self {
        let zeroed = |bytes: usize| Pages::new(bytes);
        Self {
            feeds: FeedTable { open: Vec::new() },
            routes: Vec::new(),
            rules: Vec::new(),
            turn: 0,
            scratch: zeroed(limits.scratch_bytes),
            rows: zeroed(limits.payload_bytes),
            meta: zeroed(2 * crate::limits::HEAD_BYTES + 4096),
            index: Box::new(Index::new()),
            sink_scratch: SinkScratch::new(&limits),
            port: PortStats::default(),
            inflater: None,
            any_origins: false,
            noted: Vec::new(),
            accept_encoding: "Accept-Encoding: gzip, deflate\r\n".into(),
            admission: Admission::unused(),
            guesses: Guesses::default(),
            replays: Replays::unused(),
            ready: Vec::new(),
            jobs: Vec::new(),
            simulators: 0,
            seq: 0,
            stamps: 0,
            seed,
            clock: WallClock::default(),
            fixed: Bill::default(),
            limits,
        }
    }

    /// The same, knowing what is taken whatever is defined.
    #[must_use]
    pub fn with_bill(self, fixed: Bill) -> Self {
        Self { fixed, ..self }
    }

    /// Capacities in force.
    #[must_use]
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    // ---------------------------------------------------------------- definitions

    /// Starts a rule. A run of the same id is replaced: the new one stands before the old one stops.
    ///
    /// # Errors
    /// [`StartFault`] when a queue or reader cannot be had, or streams that share an endpoint do not agree; nothing changed then.
    pub fn start(&mut self, unit: RuleUnit, now: Now) -> Result<(), StartFault> {
        let place = self.place(&unit.id);
        if place.is_err() && self.rules.len() >= self.limits.rule_count {
            return Err(StartFault(format!("{} rules run already: raise limits.ruleCount", self.rules.len())));
        }
        self.agree(&unit)?;
        self.afford(&unit)?;
        let mut readers = Vec::new();
        for spec in &unit.sources {
            match self.attach(spec, unit.plan.meta, now.mono) {
                Ok(reader) => readers.push(reader),
                Err(fault) => {
                    for reader in readers {
                        self.detach(reader);
                    }
                    self.rebuild_routes();
                    return Err(fault);
                }
            }
        }
        self.stamps += 1;
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let mut rule = Rule::new(unit, &readers, self.seed);
        rule.connected(now);
        for at in 0..rule.unit.sources.len() {
            let name = &rule.unit.sources[at].name;
            let since = self.rules.iter().filter_map(|r| r.rule.shared_since(name)).min();
            if let Some(since) = since.filter(|_| rule.unit.sources[at].shared) {
                rule.join_shared(at, since);
            }
        }
        let given = vec![0; rule.unit.sinks.len()];
        let running = Running { stamp: self.stamps, rule, given };
        match place {
            Ok(at) => {
                let old = core::mem::replace(&mut self.rules[at], running);
                self.release(old.rule);
            }
            Err(at) => self.rules.insert(at, running),
        }
        let sinks: usize = self.rules.iter().map(|r| r.rule.unit.sinks.len()).sum();
        self.ready.reserve(sinks.saturating_sub(self.ready.len()));
        self.rebuild_routes();
        Ok(())
    }

    /// Puts newer credentials in place, by name of the stream. Connections stay; a request whose body is on its way is judged again.
    /// Gives the number of streams that changed.
    ///
    /// # Errors
    /// Streams that share an endpoint would no longer agree, or `limits.memoryBudget` has no room: everything stays as it was.
    pub fn set_access(&mut self, newer: &[(String, Arc<Access>)]) -> Result<usize, StartFault> {
        let of = |open: &Open| newer.iter().find(|(name, _)| *name == open.spec.name).map_or(&open.access, |(_, access)| access).clone();
        let open: Vec<_> = self.feeds.open.iter().flatten().collect();
        for (i, one) in open.iter().enumerate() {
            for other in &open[..i] {
                if let (Feed::Push(a), Feed::Push(b)) = (&one.spec.feed, &other.spec.feed)
                    && one.spec.name != other.spec.name
                    && same_endpoint(&a.endpoint, &b.endpoint)
                    && of(one) != of(other)
                {
                    return Err(disagree(&other.spec.name, &one.spec.name, &a.endpoint, "credentials"));
                }
            }
        }
        let more = open.iter().map(|one| of(one).count()).sum::<usize>().saturating_sub(open.iter().map(|one| one.access.count()).sum());
        self.afford_credentials(more)?;
        let mut changed = 0;
        for open in self.feeds.open.iter_mut().flatten() {
            let access = newer.iter().find(|(name, _)| *name == open.spec.name).map(|(_, access)| access);
            if let Some(access) = access {
                access.inherit(&open.access);
                open.access = Arc::clone(access);
                changed += 1;
            }
        }
        self.rebuild_routes();
        Ok(changed)
    }

    /// Stops a rule; without a run nothing happens. Gives its last unit back, so that its metrics stay visible and what waits in
    /// its outboxes can be drained or counted.
    pub fn stop(&mut self, id: &str) -> Option<RuleUnit> {
        let old = self.rules.remove(self.place(id).ok()?);
        self.turn = 0;
        let unit = self.release(old.rule);
        self.rebuild_routes();
        Some(unit)
    }

    /// Ids of the running rules.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.rules.iter().map(|r| r.rule.unit.id.as_str())
    }

    /// Why requests were refused, for the whole port.
    #[must_use]
    pub const fn refused(&self) -> &Reasons {
        &self.port.refused
    }

    /// Where the rule of an id stands, or would stand.
    fn place(&self, id: &str) -> Result<usize, usize> {
        self.rules.binary_search_by(|r| r.rule.unit.id.as_str().cmp(id))
    }

    fn running(&self, id: &str) -> Option<&Running> {
        self.rules.get(self.place(id).ok()?)
    }

    /// A running rule.
    #[must_use]
    pub fn rule(&self, id: &str) -> Option<&Rule> {
        self.running(id).map(|r| &r.rule)
    }

    /// Takes whether the kernel holds the wall clock for synchronised, for `meta(clock)`; `None`: it does not say.
    pub const fn set_synced(&mut self, synced: Option<bool>) {
        self.clock.set_synced(synced);
    }

    /// No more events will come for a rule: event time goes on with the clock from now on, so that its open windows close.
    pub fn run_out(&mut self, id: &str) {
        if let Ok(at) = self.place(id) {
            self.rules[at].rule.run_out();
        }
    }

    /// Readings that wait in front of a rule's sources, for `buffer_length`.
    #[must_use]
    pub fn waiting(&self, id: &str, source: usize) -> usize {
        let Some((feed, reader)) = self.running(id).and_then(|r| r.rule.readers().nth(source)) else { return 0 };
        self.feeds.open.get(usize::from(feed.0)).and_then(Option::as_ref).map_or(0, |open| open.ring.waiting(reader))
    }

    /// Whether any rule needs the data port.
    #[must_use]
    pub fn needs_data_port(&self) -> bool {
        !self.routes.is_empty()
    }

    /// Metrics of a run, as status shows them; `None` without a run.
    #[must_use]
    pub fn metrics(&self, id: &str) -> Option<Vec<(String, Metric)>> {
        let rule = &self.running(id)?.rule;
        let reader = |(feed, reader): (FeedId, crate::ring::ReaderId)| {
            let ring = self.feeds.open.get(usize::from(feed.0)).and_then(Option::as_ref).map(|open| &open.ring);
            ring.map_or((0, 0), |ring| (ring.waiting(reader), ring.lost(reader)))
        };
        let (waiting, lost): (Vec<usize>, Vec<u64>) = rule.readers().map(reader).unzip();
        let mut metrics = status::metrics(rule, &waiting, &lost);
        for (feed, _) in rule.readers() {
            let Some(open) = self.feeds.open.get(usize::from(feed.0)).and_then(Option::as_ref) else { continue };
            for (name, count) in open.refused.all(false).filter(|(_, count)| *count > 0) {
                let count = i64::try_from(count).unwrap_or(i64::MAX);
                metrics.push((format!("source_{}_0_{name}", open.spec.name), Metric::Int(count)));
            }
            let expires = self.expiries().find(|(port, left)| *port == "data" && *left < certificate::SOON_S);
            if let Some((_, left)) = expires.filter(|_| self.routes.iter().any(|route| route.feeds.contains(&feed))) {
                metrics.push((format!("source_{}_0_certificate_expires_in_s", open.spec.name), Metric::Int(left)));
            }
        }
        Some(metrics)
    }

    /// What the wire in front counted, for [`Engine::counters`]; replaces what was noted before.
    pub fn note_port(&mut self, counted: impl Iterator<Item = (&'static str, i64)>) {
        self.noted.clear();
        self.noted.extend(counted);
    }

    /// The ports that use a certificate, and the seconds until it expires, as they were noted.
    pub fn expiries(&self) -> impl Iterator<Item = (&'static str, i64)> {
        self.noted.iter().filter_map(|(name, left)| Some((name.strip_suffix("_certificate_expires_in_s")?, *left)))
    }

    /// Metrics of a run that stops now, with what it leaves behind; `None` without a run.
    #[must_use]
    pub fn last_metrics(&self, id: &str) -> Option<Vec<(String, Metric)>> {
        let rule = self.rule(id)?;
        let waiting: Vec<usize> = (0..rule.unit.sources.len()).map(|source| self.waiting(id, source)).collect();
        let mut metrics = self.metrics(id)?;
        metrics.extend(status::left_behind(rule, &waiting));
        Some(metrics)
    }

    /// Every counter that eKuiper lacks, zeros included: the body of `GET /counters`.
    #[must_use]
    pub fn counters(&self) -> serde_json::Value {
        use serde_json::{Map, Value as Json, json};
        let counts = |reasons: &Reasons, port| reasons.all(port).map(|(name, n)| (name.to_owned(), json!(n))).collect::<Map<_, _>>();
        let mut port = counts(&self.port.refused, true);
        port.insert("accepted_total".into(), json!(self.port.accepted_total));
        port.insert("senders_overflow_total".into(), json!(self.admission.overflow_total));
        port.insert("replays_forgotten_total".into(), json!(self.replays.forgotten_total));
        // A reason that both the wire and the gate have is one counter.
        for (name, n) in &self.noted {
            let sum = port.get(*name).and_then(Json::as_i64).unwrap_or(0) + n;
            port.insert((*name).to_owned(), json!(sum));
        }
        let mut streams = Map::new();
        for open in self.feeds.open.iter().flatten() {
            let mut own = counts(&open.refused, false);
            for (name, n) in [
                ("accepted_total", open.accepted_total),
                ("refused_total", open.refused.total()),
                ("queued", open.ring.len() as u64),
                ("queued_bytes", open.ring.used() as u64),
                ("queue_bytes", open.ring.capacity() as u64),
            ] {
                own.insert(name.into(), json!(n));
            }
            if let Some(lookup) = &open.lookup {
                own.insert("rows".into(), json!(lookup.len()));
                own.extend(lookup.lost.all().iter().map(|(name, n)| ((*name).to_owned(), json!(n))));
            }
            streams.insert(open.spec.name.clone(), Json::Object(own));
        }
        let (mut rules, mut sinks) = (Map::new(), Map::new());
        for running in &self.rules {
            let id = &running.rule.unit.id;
            let lost: u64 =
                running.rule.readers().filter_map(|(f, r)| Some(self.feeds.open.get(usize::from(f.0))?.as_ref()?.ring.lost(r))).sum();
            let mut own = Map::new();
            own.insert("dropped_queue_total".into(), json!(lost));
            own.insert("blocked".into(), json!(running.rule.is_blocked()));
            own.extend(running.rule.counters().all().iter().map(|(name, n)| ((*name).to_owned(), json!(n))));
            rules.insert(id.clone(), Json::Object(own));
            for sink in &running.rule.unit.sinks {
                let mut counts: Map<String, Json> = sink.drops().all().iter().map(|(name, n)| ((*name).to_owned(), json!(n))).collect();
                counts.insert("waiting".into(), json!(sink.waiting()));
                sinks.insert(format!("{id}/{}", sink.name()), Json::Object(counts));
            }
        }
        let bill = self.bill();
        let posts: Vec<Json> = bill
            .posts
            .iter()
            .map(|post| json!({"what": post.what, "count": post.count, "bytes": post.bytes(), "keys": post.keys}))
            .collect();
        let memory = json!({"bytes": bill.total(), "budget_bytes": self.limits.memory_budget, "posts": posts});
        json!({ "port": port, "streams": streams, "rules": rules, "sinks": sinks, "memory": memory })
    }

    /// Streams behind one endpoint must want the same of requests, else a sender could not please both.
    fn agree(&self, unit: &RuleUnit) -> Result<(), StartFault> {
        for spec in &unit.sources {
            let Feed::Push(push) = &spec.feed else { continue };
            let open = self.feeds.open.iter().flatten().map(|o| (&o.spec, Some(&*o.access)));
            for (other, access) in open.chain(unit.sources.iter().map(|spec| (spec, None))) {
                let Feed::Push(theirs) = &other.feed else { continue };
                // The same stream in an older version leaves with its last rule.
                if other.name == spec.name || !same_endpoint(&push.endpoint, &theirs.endpoint) {
                    continue;
                }
                let differ = if push.strict_type != theirs.strict_type {
                    "contentType"
                } else if spec.shape.format != other.shape.format {
                    "FORMAT"
                } else if push.decompression != theirs.decompression {
                    "decompression"
                } else if push.origins != theirs.origins {
                    "origins"
                } else if *push.access.0 != *access.unwrap_or(&theirs.access.0) {
                    "credentials"
                } else if push.success != theirs.success {
                    "successCode, successBody or responseHeaders"
                } else {
                    continue;
                };
                return Err(disagree(&other.name, &spec.name, &push.endpoint, differ));
            }
        }
        Ok(())
    }

    /// Where the queue of a stream, or the lookup table, is open that a new run would share.
    fn open_feed(&self, spec: &StreamSpec) -> Option<usize> {
        // Each run has a simulator, or reading of a file, of its own, unless the stream is SHARED.
        if (is_simulated(spec) || matches!(spec.feed, Feed::File(_))) && !spec.shared {
            return None;
        }
        self.feeds.open.iter().position(|o| o.as_ref().is_some_and(|o| same_feed(&o.spec, spec)))
    }

    fn attach(&mut self, spec: &Arc<StreamSpec>, wants_meta: bool, now: Instant) -> Result<(FeedId, crate::ring::ReaderId), StartFault> {
        let index = match self.open_feed(spec) {
            Some(index) => index,
            None => self.make_feed(spec, now)?,
        };
        let open = self.feeds.open[index].as_mut().expect("just found or made");
        open.wants_meta |= wants_meta;
        let reader = open
            .ring
            .add_reader()
            .ok_or_else(|| StartFault(format!("stream {}: its queue has as many readers as limits.ruleCount allows", spec.name)))?;
        // The configuration that this rule was made with is the newest.
        if let Feed::Push(push) = &spec.feed {
            for open in self.feeds.open.iter_mut().flatten().filter(|o| o.spec.name == spec.name) {
                if open.access != push.access.0 {
                    push.access.0.inherit(&open.access);
                    open.access = Arc::clone(&push.access.0);
                }
            }
        }
        Ok((FeedId(u16::try_from(index).unwrap_or(u16::MAX)), reader))
    }

    /// Opens the queue of a stream, or a lookup table.
    fn make_feed(&mut self, spec: &Arc<StreamSpec>, now: Instant) -> Result<usize, StartFault> {
        let simulated = is_simulated(spec);
        let free = self.feeds.open.iter().position(Option::is_none).unwrap_or(self.feeds.open.len());
        if free >= self.limits.stream_count {
            return Err(StartFault(format!(
                "stream {}: {free} stream queues and lookup tables are open already: raise limits.streamCount",
                spec.name
            )));
        }
        let file = self.reading_of(spec);
        // A table's rows do not go through a queue.
        let buf = Pages::new(if spec.lookup.is_some() { 0 } else { self.limits.queue_bytes });
        let open = Open {
            spec: Arc::clone(spec),
            // One more: an update's new run stands before the old one leaves.
            ring: Ring::new(buf, self.limits.rule_count + 1, spec.overflow, spec.records_max),
            access: match &spec.feed {
                Feed::Push(push) => Arc::clone(&push.access.0),
                _ => Arc::new(Access::open()),
            },
            refused: Reasons::default(),
            accepted_total: 0,
            drained: Drain::default(),
            wants_meta: false,
            simulator: simulated.then(|| SimState::new(now)),
            file,
            lookup: spec.lookup.as_ref().map(|key| lookup_of(spec, key, self.limits.state_bytes)),
            pinned: false,
        };
        self.simulators += usize::from(simulated);
        if free == self.feeds.open.len() {
            self.feeds.open.push(Some(open));
        } else {
            self.feeds.open[free] = Some(open);
        }
        Ok(free)
    }

    fn detach(&mut self, (feed, reader): (FeedId, crate::ring::ReaderId)) {
        let slot = &mut self.feeds.open[usize::from(feed.0)];
        if let Some(open) = slot {
            open.ring.remove_reader(reader);
            if open.ring.reader_count() == 0 && !open.pinned {
                self.simulators -= usize::from(open.simulator.is_some());
                *slot = None;
                self.admission.forget(feed.0);
            }
        }
    }

    fn release(&mut self, rule: Rule) -> RuleUnit {
        let readers: Vec<_> = rule.readers().collect();
        for reader in readers {
            self.detach(reader);
        }
        rule.unit
    }

    /// Routes of the open streams. A route that stays keeps its stamp, so that requests in flight still fit.
    fn rebuild_routes(&mut self) {
        let old = core::mem::take(&mut self.routes);
        for (i, open) in self.feeds.open.iter().enumerate() {
            let Some(open) = open else { continue };
            let Feed::Push(push) = &open.spec.feed else { continue };
            let PushFeed { endpoint, strict_type, origins, decompression, success, .. } = &**push;
            let same = |r: &Route| same_endpoint(&r.endpoint, endpoint);
            let feed = FeedId(u16::try_from(i).unwrap_or(u16::MAX));
            if let Some(route) = self.routes.iter_mut().find(|r| same(r)) {
                route.feeds.push(feed);
                continue;
            }
            let before = old.iter().find(|r| same(r));
            let mut next = || {
                self.stamps += 1;
                self.stamps
            };
            let stamp = before.map_or_else(&mut next, |r| r.stamp);
            let access_stamp = before.filter(|r| Arc::ptr_eq(&r.access, &open.access)).map_or_else(&mut next, |r| r.access_stamp);
            self.routes.push(Route {
                stamp,
                endpoint: endpoint.clone(),
                strict_type: *strict_type,
                format: open.spec.shape.format,
                origins: origins.clone(),
                decompression: *decompression,
                access: Arc::clone(&open.access),
                access_stamp,
                success: success.clone(),
                feeds: vec![feed],
            });
        }
        self.any_origins = self.routes.iter().any(|route| !route.origins.is_empty());
        if self.inflater.is_none() && !self.routes.is_empty() {
            self.inflater = Some(Box::new(Inflater::new(self.limits.body_bytes)));
        }
        if self.admission.is_unused() && self.routes.iter().any(|route| route.access.remembers_senders()) {
            let Limits { sender_count, conn_count, stream_count, .. } = self.limits;
            self.admission = Admission::new(sender_count, conn_count, stream_count, self.seed);
        }
        if self.replays.is_unused() && self.routes.iter().any(|route| route.access.signs_times()) {
            self.replays = Replays::new(self.limits.replay_count);
        }
    }

    // ---------------------------------------------------------------- rules and sinks

    /// Runs one slice of the next rule whose turn it is, and a few rounds of a password that waits to be checked.
    pub fn step(&mut self, now: Now) -> Progress {
        let guessing = self.advance(now);
        let progress = self.step_rules(now);
        if guessing { Progress::More } else { progress }
    }

    /// Whether something was found out since this was last asked: heads that were put off should be judged again.
    pub const fn take_settled(&mut self) -> bool {
        self.guesses.take_settled()
    }

    fn step_rules(&mut self, now: Now) -> Progress {
        let mut until: Option<Instant> = if self.simulators > 0 { self.simulate(now) } else { None };
        let count = self.rules.len();
        for _ in 0..count {
            self.turn = (self.turn + 1) % count.max(1);
            let Some(running) = self.rules.get_mut(self.turn) else { continue };
            let mut lent = Lent { scratch: &mut self.scratch, rows: &mut self.rows, sinks: &mut self.sink_scratch, now };
            let slice = running.rule.slice(&mut self.feeds, &mut lent);
            running.rule.tick(&mut lent);
            let mut local = false;
            for (i, (sink, seen)) in running.rule.unit.sinks.iter().zip(&mut running.given).enumerate() {
                let given = sink.taken_total();
                if *seen != given {
                    *seen = given;
                    local |= matches!(sink.kind(), Kind::Memory | Kind::Nop);
                    if self.ready.len() < self.ready.capacity() {
                        self.ready.push(SinkId { rule: running.stamp, action: u16::try_from(i).unwrap_or(u16::MAX) });
                    }
                }
            }
            let rule_until = running.rule.until();
            let moved = local && self.route_memory(now);
            if slice == Slice::More || moved {
                return Progress::More;
            }
            for at in [rule_until, if let Slice::Idle(at) = slice { at } else { None }].into_iter().flatten() {
                until = Some(until.map_or(at, |u| u.min(at)));
            }
        }
        for open in self.feeds.open.iter_mut().flatten() {
            open.drained.note(open.ring.drained(), now.mono);
        }
        Progress::Idle(until)
    }

    /// Puts the rows of simulators that are due into their queues; gives the moment of the next one.
    fn simulate(&mut self, now: Now) -> Option<Instant> {
        let mut until: Option<Instant> = None;
        for open in self.feeds.open.iter_mut().flatten() {
            let (Some(state), Feed::Simulator(feed)) = (&mut open.simulator, &open.spec.feed) else { continue };
            if let Some(row) = state.take(feed, now.mono) {
                self.seq += 1;
                let parts = Parts { seq: self.seq, flags: FLAG_ROWS, time_ms: now.wall.0, meta: &[], index: &[], body: row };
                match open.ring.push(&parts) {
                    Ok(_) => open.accepted_total += 1,
                    Err(_) => open.refused.count(Reason::QueueFull),
                }
            }
            if let Some(at) = state.until() {
                until = Some(until.map_or(at, |u| u.min(at)));
            }
        }
        until
    }

    /// True once every source of a rule has come to its end, and what they gave has left the rule's sinks.
    #[must_use]
    pub fn is_done(&self, id: &str) -> bool {
        let Some(running) = self.running(id) else { return false };
        let ended = |(feed, reader): (FeedId, crate::ring::ReaderId)| {
            let open = self.feeds.open.get(usize::from(feed.0)).and_then(Option::as_ref);
            open.is_some_and(|o| o.is_ended() && o.ring.waiting(reader) == 0)
        };
        let rule = &running.rule;
        !rule.is_blocked() && rule.readers().all(ended) && rule.unit.sinks.iter().all(|sink| sink.waiting() == 0)
    }

    /// Moves what memory sinks gave to the streams that read their topic. True if anything moved.
    fn route_memory(&mut self, now: Now) -> bool {
        let Some(running) = self.rules.get_mut(self.turn) else { return false };
        let mut moved = false;
        for sink in &mut running.rule.unit.sinks {
            if !matches!(sink.kind(), Kind::Memory | Kind::Nop) {
                continue;
            }
            while let Some(payload) = sink.next_out(now) {
                let (topic, configured, kinds) = match payload.target {
                    Target::Memory { topic, configured, kinds } => (topic, configured, kinds),
                    Target::Nop { log: false } => {
                        sink.done(Outcome::Delivered, now);
                        continue;
                    }
                    _ => break,
                };
                self.seq += 1;
                let mut out = Encoder::new(&mut self.meta);
                // The topic is at most a head's length, and so much fits.
                let facts = out.begin_object().and_then(|()| out.entry("topic", Value::Str(configured))).and_then(|()| out.end());
                let meta_len = facts.map_or(0, |()| out.len());
                let meta = self.meta.get(..meta_len).unwrap_or(&[]);
                let parts = Parts { seq: self.seq, flags: FLAG_ROWS, time_ms: now.wall.0, meta, index: &[], body: payload.body };
                for open in self.feeds.open.iter_mut().flatten() {
                    if let Feed::Memory(filter) = &open.spec.feed
                        && topic_matches(filter, topic)
                    {
                        if let Some(lookup) = &mut open.lookup {
                            gather(lookup, payload.body, kinds);
                            continue;
                        }
                        match open.ring.push(&parts) {
                            Ok(_) => open.accepted_total += 1,
                            Err(_) => open.refused.count(Reason::QueueFull),
                        }
                    }
                }
                moved = true;
                sink.done(Outcome::Delivered, now);
            }
        }
        moved
    }

    /// Puts what sinks have gathered for a batch into their outboxes: the process ends. False while an outbox has no room for it.
    pub fn flush(&mut self, now: Now) -> bool {
        let Self { rules, sink_scratch, .. } = self;
        // Each is asked, also behind one that had no room.
        let refused =
            rules.iter_mut().flat_map(|r| &mut r.rule.unit.sinks).filter_map(|s| (!s.flush(sink_scratch, now)).then_some(())).count();
        refused == 0
    }

    /// Sinks that have something to send, since this was last asked; one may come twice.
    pub fn take_ready(&mut self, mut each: impl FnMut(SinkId)) {
        for id in self.ready.drain(..) {
            each(id);
        }
    }

    /// True while a rule waits for room in an outbox: [`Engine::step`] is worth a call once something has left.
    #[must_use]
    pub fn is_stalled(&self) -> bool {
        self.rules.iter().any(|r| r.rule.is_blocked())
    }

    /// All sinks, with their ids.
    pub fn sinks(&self) -> impl Iterator<Item = (SinkId, &SinkUnit)> {
        self.rules.iter().flat_map(|r| {
            r.rule
                .unit
                .sinks
                .iter()
                .enumerate()
                .map(move |(i, sink)| (SinkId { rule: r.stamp, action: u16::try_from(i).unwrap_or(u16::MAX) }, sink))
        })
    }

    /// A sink; `None` once its rule has stopped.
    pub fn sink(&mut self, id: SinkId) -> Option<&mut SinkUnit> {
        self.rules.iter_mut().find(|r| r.stamp == id.rule)?.rule.unit.sinks.get_mut(usize::from(id.action))
    }

    /// What a sink should send now; it stays until [`Engine::done`].
    pub fn next_out(&mut self, id: SinkId, now: Now) -> Option<Payload<'_>> {
        self.sink(id)?.next_out(now)
    }

    /// What became of a payload.
    pub fn done(&mut self, id: SinkId, outcome: Outcome<'_>, now: Now) {
        if let Some(sink) = self.sink(id) {
            sink.done(outcome, now);
        }
    }

    /// Readings accepted that no sink has delivered: per running rule, those in queues and payloads in outboxes.
    pub fn undelivered(&self) -> impl Iterator<Item = (&str, usize, usize)> {
        self.rules.iter().map(|r| {
            let id = &r.rule.unit.id;
            let queued = (0..r.rule.unit.sources.len()).map(|i| self.waiting(id, i)).sum();
            (id.as_str(), queued, r.rule.unit.sinks.iter().map(SinkUnit::waiting).sum())
        })
    }
}

/// Whether a stream makes its rows up; a lookup table has them from the start.
const fn is_simulated(spec: &StreamSpec) -> bool {
    matches!(spec.feed, Feed::Simulator(_)) && spec.lookup.is_none()
}

/// Whether two uses share a queue, or a table.
fn same_feed(a: &StreamSpec, b: &StreamSpec) -> bool {
    match (&a.lookup, &b.lookup) {
        (None, None) => *a == *b,
        (Some(x), Some(y)) => x == y && a.feed == b.feed,
        _ => false,
    }
}

fn same_endpoint(a: &Endpoint, b: &Endpoint) -> bool {
    a.method == b.method && a.template.same_endpoint(&b.template)
}

fn disagree(one: &str, other: &str, endpoint: &Endpoint, key: &str) -> StartFault {
    let (method, path) = (endpoint.method.as_str(), endpoint.template.text());
    StartFault(format!("streams {one} and {other} share the endpoint {method} {path} but differ in {key}"))
}
