//! Requests: from a head to a ticket or a refusal, from a body to the queues of every stream of its endpoint.
//!
//! In: heads and bodies as the wire framed them, who sent them, both clocks. Out: verdicts, answers, readings in the queues.
//! Limits: one queue each (`limits.queueBytes`), `limits.bodyBytes` after inflation, what credentials and addresses may send.

use std::sync::Arc;

use super::{Engine, Route, Ticket};
use crate::encode::Format;
use crate::gate::admit::{Pace, Wait, Who};
use crate::gate::cors;
use crate::gate::credential::{Access, Credential, Fault, Found};
use crate::gate::inflate::{self, InflateError};
use crate::gate::meta;
use crate::gate::reason::Reason;
use crate::gate::replay::Again;
use crate::gate::witness::Witness;
use crate::limits::TARGET_BYTES;
use crate::ring::{Parts, Refused};
use crate::rule::run::FeedId;
use crate::source::Feed;
use crate::time::Now;
use crate::value::packed::Encoder;
use crate::wire::{Answer, Framing, Gate, Head, Method, Methods, Peer, Reply, Verdict};

/// Who sends a body.
#[derive(Debug, Clone, Copy)]
struct Sender<'s> {
    head: &'s Head<'s>,
    peer: &'s Peer,
    credential: Option<&'s Credential>,
    /// `addressLimits`.
    address: Option<&'s Pace>,
    /// Bytes that its head announced.
    announced: usize,
}

impl Engine {
    /// The route that a decoded path and method mean; else the methods that the path takes.
    fn route(&self, method: Method, path: &str) -> Result<usize, Methods> {
        let mut best: Option<(usize, &Route)> = None;
        let mut allowed = Methods::default();
        for (at, route) in self.routes.iter().enumerate() {
            if !route.endpoint.template.matches(path) {
                continue;
            }
            allowed = allowed.with(route.endpoint.method);
            let better = best.is_none_or(|(_, b)| route.endpoint.template.preference(&b.endpoint.template).is_lt());
            if route.endpoint.method == method && better {
                best = Some((at, route));
            }
        }
        best.map(|(at, _)| at).ok_or(allowed)
    }

    /// Counts a refusal for the port and every stream of the endpoint.
    fn count(&mut self, route: usize, reason: Reason) {
        self.port.refused.count(reason);
        self.count_streams(route, reason);
    }

    /// Counts a refusal for every stream of the endpoint alone.
    fn count_streams(&mut self, route: usize, reason: Reason) {
        for feed in self.routes.get(route).map_or(&[][..], |r| &r.feeds) {
            if let Some(open) = self.feeds.open[usize::from(feed.0)].as_mut() {
                open.refused.count(reason);
            }
        }
    }

    /// Judges a head: route, method, credential, announced length, coding, type, rates. `witness` is told of what let it pass.
    fn judge(&mut self, head: &Head<'_>, peer: &Peer, now: Now, witness: &mut impl Witness) -> Verdict<Ticket> {
        let mut buf = [0; TARGET_BYTES];
        let path = head.path(&mut buf);
        let at = match self.route(head.method(), path) {
            Ok(at) => at,
            Err(allowed) if allowed == Methods::default() => {
                self.port.refused.count(Reason::NoRoute);
                return Verdict::Refuse(Reply::error(404, "no running rule reads this path"));
            }
            Err(allowed) if head.method() == Method::Options => {
                return Verdict::Refuse(Reply::empty(204).allow(allowed.with(Method::Options)));
            }
            Err(allowed) => {
                self.port.refused.count(Reason::Method);
                return Verdict::Refuse(Reply::error(405, "the path takes another method").allow(allowed.with(Method::Options)));
            }
        };
        let route = &self.routes[at];
        let (stamp, strict_type, format, access_stamp) = (route.stamp, route.strict_type, route.format, route.access_stamp);
        let demanded = route.decompression;
        let access = Arc::clone(&route.access);
        witness.saw("route", format_args!("{} {}", route.endpoint.method.as_str(), route.endpoint.template.text()));
        let found = match access.judge(head, peer, &mut self.admission, &mut self.guesses, now) {
            Ok(found) => found,
            Err(Fault::Waiting) => return Verdict::Later,
            Err(fault) => {
                self.count(at, fault.reason());
                return Verdict::Refuse(access.refusal(fault));
            }
        };
        let credential = access.of(found);
        match credential {
            Some(credential) => witness.saw("credential", format_args!("{}", credential.name)),
            None => witness.saw("credential", format_args!("none is asked for")),
        }
        let mut announced = 0;
        if let Framing::Length(length) = head.framing() {
            if length > self.limits.body_bytes {
                self.count(at, Reason::TooLarge);
                return Verdict::Refuse(too_large(self.limits.body_bytes));
            }
            announced = length;
        }
        let Ok(coding) = inflate::coding(head, demanded) else {
            self.count(at, Reason::Coding);
            let message = match demanded {
                None => "content coding not supported: gzip, deflate or none (RFC 9110 section 8.4)",
                Some(_) => "the content coding is not the one that this endpoint takes (decompression)",
            };
            return Verdict::Refuse(Reply::error(415, message).fields(Arc::clone(&self.accept_encoding)));
        };
        if strict_type && (head.field_count("content-type") > 1 || !type_fits(head.field("content-type"), format)) {
            self.count(at, Reason::Type);
            return Verdict::Refuse(Reply::error(415, "the content type does not fit the stream's format"));
        }
        witness.saw("type", format_args!("{}", if strict_type { "fits the stream's format" } else { "is not looked at" }));
        if let Some((reason, reply)) = self.pace(at, &access, credential, peer, announced, now) {
            self.count(at, reason);
            return Verdict::Refuse(reply);
        }
        // What is signed is paid for once the signature is known to be good: nobody can use up what is another's.
        if let Some(credential) = credential
            && !matches!(found, Found::Signed(_))
        {
            self.admission.take(Who::Credential(&credential.name), &credential.pace, 1, announced, now.mono);
        }
        if let Some(pace) = &access.address {
            self.admission.take(Who::Address(peer.addr), pace, 1, announced, now.mono);
        }
        let bounded = access.address.is_some() || credential.is_some_and(|c| !c.pace.is_none());
        witness.saw("admission", format_args!("{}", if bounded { "within its limits" } else { "no limits are set" }));
        let paid = u32::try_from(announced).unwrap_or(u32::MAX);
        Verdict::Take(Ticket { route: stamp, coding, access: access_stamp, found, paid })
    }

    /// Rates, connections and queue shares of a request that takes `bytes` of the queues: why it may not go. Takes nothing but the
    /// connection's seat.
    fn pace(
        &mut self,
        at: usize,
        access: &Access,
        credential: Option<&Credential>,
        peer: &Peer,
        bytes: usize,
        now: Now,
    ) -> Option<(Reason, Reply)> {
        let by_address = access.address.as_ref().map(|pace| (Who::Address(peer.addr), pace));
        let by_name = credential.map(|c| (Who::Credential(&c.name), &c.pace));
        for (who, pace) in [by_address, by_name].into_iter().flatten() {
            let name = credential.map_or("", |c| &c.name);
            let waited = self.admission.look(who, pace, now.mono).and_then(|()| self.admission.seat(peer.connection, who, pace, now.mono));
            match (waited, who) {
                (Ok(()), _) => {}
                (Err(Wait::Rate(seconds)), Who::Credential(_)) => {
                    let reply =
                        Reply::error_fmt(429, format_args!("credential {name}: more than its limits.requestsPerSecond or bytesPerSecond"));
                    return Some((Reason::Rate, reply.retry_after(seconds)));
                }
                (Err(Wait::Rate(seconds)), _) => {
                    let reply = Reply::error(429, "this address: more than addressLimits.requestsPerSecond or bytesPerSecond");
                    return Some((Reason::Rate, reply.retry_after(seconds)));
                }
                (Err(Wait::Connections), Who::Credential(_)) => {
                    let reply = Reply::error_fmt(429, format_args!("credential {name}: more connections than its limits.connections"));
                    return Some((Reason::Connections, reply.retry_after(1).closing()));
                }
                (Err(Wait::Connections), _) => {
                    let reply = Reply::error(429, "this address: more connections than addressLimits.connections");
                    return Some((Reason::Connections, reply.retry_after(1).closing()));
                }
            }
            if pace.queue_share > 0
                && let Some(seconds) = self.over_share(at, who, pace.queue_share, bytes, now)
            {
                let reply = match who {
                    Who::Credential(_) => {
                        Reply::error_fmt(429, format_args!("credential {name}: its share of the queue (limits.queueShare) is full"))
                    }
                    _ => Reply::error(429, "this address: its share of the queue (addressLimits.queueShare) is full"),
                };
                return Some((Reason::Share, reply.retry_after(seconds)));
            }
        }
        None
    }

    /// Whether `bytes` more would be above a sender's share of a queue; seconds until they should fit. Who has nothing in it may
    /// always send one.
    fn over_share(&self, at: usize, who: Who<'_>, percent: u8, bytes: usize, now: Now) -> Option<u16> {
        self.routes[at].feeds.iter().find_map(|feed| {
            let open = self.feeds.open[usize::from(feed.0)].as_ref()?;
            let share = open.ring.capacity() as u64 * u64::from(percent) / 100;
            let queued = self.admission.queued(who, feed.0, &open.ring);
            let over = queued > 0 && queued + bytes as u64 > share;
            let ahead = usize::try_from(queued).unwrap_or(usize::MAX);
            over.then(|| open.drained.retry_after(open.ring.drained(), ahead, now.mono, self.seq))
        })
    }

    /// Takes a body: signature, form, facts, room in every queue. `witness` is told of what let it pass.
    fn admit(&mut self, ticket: Ticket, head: &Head<'_>, peer: &Peer, body: &[u8], now: Now, witness: &mut impl Witness) -> Reply {
        let Some(at) = self.routes.iter().position(|r| r.stamp == ticket.route) else {
            self.port.refused.count(Reason::NoRoute);
            return Reply::error(404, "no running rule reads this path");
        };
        let access = Arc::clone(&self.routes[at].access);
        let mut found = ticket.found;
        if self.routes[at].access_stamp != ticket.access {
            // The credentials have changed since the head came.
            found = match access.judge(head, peer, &mut self.admission, &mut self.guesses, now) {
                Ok(found) => found,
                Err(fault) => {
                    self.count(at, fault.reason());
                    return access.refusal(fault);
                }
            };
        }
        let credential = access.of(found);
        let more = body.len().saturating_sub(ticket.paid as usize);
        let mut requests = 0;
        let mut signed = None;
        if let Found::Signed(index) = found {
            let verified = access.verify(index, head, body, now).and_then(|signed| {
                signed.map_or(Ok(()), |signed| self.replays.check(&signed)).map_err(|again| match again {
                    Again::Taken => Fault::Replayed,
                    Again::Forgotten => Fault::Forgotten,
                })?;
                Ok(signed)
            });
            match verified {
                Ok(found) => signed = found,
                Err(fault) => {
                    self.admission.failed(peer.addr, now.mono);
                    self.count(at, fault.reason());
                    return access.refusal(fault);
                }
            }
            witness.saw("signature", format_args!("fits the body"));
            requests = 1;
        }
        if let Some(credential) = credential {
            let bytes = if requests == 1 { body.len() } else { more };
            self.admission.take(Who::Credential(&credential.name), &credential.pace, requests, bytes, now.mono);
        }
        if let Some(pace) = &access.address {
            self.admission.take(Who::Address(peer.addr), pace, 0, more, now.mono);
        }
        let sender = Sender { head, peer, credential, address: access.address.as_ref(), announced: ticket.paid as usize };
        // Out of its place for as long as the body lies in it.
        let mut inflater = self.inflater.take();
        let plain = match (ticket.coding, &mut inflater) {
            (Some(coding), Some(inflater)) => inflater.inflate(coding, body),
            _ => Ok(body),
        };
        let reply = match plain {
            Ok(body) => self.queue(at, &sender, body, now, witness),
            Err(InflateError::TooLong) => {
                self.count(at, Reason::TooLarge);
                too_large(self.limits.body_bytes)
            }
            Err(error) => {
                self.count(at, Reason::Corrupt);
                Reply::error_fmt(400, format_args!("{error}"))
            }
        };
        self.inflater = inflater;
        if let Some(signed) = signed
            && reply.status < 300
        {
            self.replays.remember(&signed, now.wall);
        }
        reply
    }

    /// A plain body: well-formed, with its facts, into every queue of the route.
    fn queue(&mut self, at: usize, sender: &Sender<'_>, body: &[u8], now: Now, witness: &mut impl Witness) -> Reply {
        let Sender { head, peer, credential, .. } = *sender;
        let format = self.routes[at].format;
        let checked = match self.index.check(format, body, at) {
            Ok(checked) => checked,
            Err(error) => {
                self.count(at, Reason::Malformed);
                return Reply::error_fmt(400, format_args!("{error}"));
            }
        };
        witness.saw("body", format_args!("{} bytes, well-formed {}", body.len(), format.name()));
        self.seq += 1;
        // Room in every queue first: both streams of an endpoint get the reading, or the sender gets a refusal.
        let mut meta_len = 0;
        self.clock.see(now);
        let wants_meta = self.routes[at].feeds.iter().any(|f| self.feeds.open[usize::from(f.0)].as_ref().is_some_and(|o| o.wants_meta));
        if wants_meta {
            match self.facts(at, head, peer, credential, now) {
                Some(len) => meta_len = len,
                None => {
                    self.count(at, Reason::Meta);
                    return Reply::error(431, "the header fields are more than meta() can keep");
                }
            }
        }
        let senders = [
            credential.filter(|c| c.pace.queue_share > 0).map(|c| (Who::Credential(&c.name), c.pace.queue_share)),
            sender.address.filter(|p| p.queue_share > 0).map(|p| (Who::Address(peer.addr), p.queue_share)),
        ];
        if body.len() > sender.announced {
            // Chunked, or longer now that it is inflated.
            for (who, percent) in senders.into_iter().flatten() {
                if let Some(seconds) = self.over_share(at, who, percent, body.len(), now) {
                    self.count(at, Reason::Share);
                    return Reply::error(429, "the sender's share of the queue (queueShare) is full").retry_after(seconds);
                }
            }
        }
        let parts = Parts {
            seq: self.seq,
            flags: checked.flags,
            time_ms: now.wall.0,
            meta: self.meta.get(..meta_len).unwrap_or(&[]),
            index: self.index.bytes(checked),
            body,
        };
        for i in 0..self.routes[at].feeds.len() {
            let feed = self.routes[at].feeds[i];
            let Some(open) = self.feeds.open[usize::from(feed.0)].as_mut() else { continue };
            if let Err(refused) = open.ring.admits(&parts) {
                let reply = self.full(feed, refused, now);
                self.count(at, if refused == Refused::TooLarge { Reason::TooLarge } else { Reason::QueueFull });
                return reply;
            }
        }
        for feed in &self.routes[at].feeds {
            let Some(open) = self.feeds.open[usize::from(feed.0)].as_mut() else { continue };
            let (_, before) = open.ring.span();
            if open.ring.push(&parts).is_ok() {
                open.accepted_total += 1;
                for (who, _) in senders.into_iter().flatten() {
                    self.admission.pushed(who, feed.0, before, &open.ring);
                }
                witness.saw("queue", format_args!("{}: {} of {} bytes", open.spec.name, open.ring.used(), open.ring.capacity()));
            }
        }
        self.port.accepted_total += 1;
        self.routes[at].success.clone()
    }

    /// The answer to a head, as it goes out. `witness` is told of each decision.
    pub fn first(&mut self, head: &Head<'_>, peer: &Peer, now: Now, witness: &mut impl Witness) -> Verdict<Ticket> {
        match self.judge(head, peer, now, witness) {
            Verdict::Refuse(reply) => Verdict::Refuse(self.with_cors(reply, head)),
            other @ (Verdict::Take(_) | Verdict::Later) => other,
        }
    }

    /// The answer to a body, as it goes out. `witness` is told of each decision.
    pub fn second(&mut self, ticket: Ticket, head: &Head<'_>, peer: &Peer, body: &[u8], now: Now, witness: &mut impl Witness) -> Reply {
        let reply = self.admit(ticket, head, peer, body, now, witness);
        self.with_cors(reply, head)
    }

    /// Adds what the browser of a listed web page looks for, whatever the answer is.
    fn with_cors(&self, reply: Reply, head: &Head<'_>) -> Reply {
        // Most senders are no web pages, most endpoints list none.
        if !self.any_origins || head.field("origin").is_none() {
            return reply;
        }
        let mut buf = [0; TARGET_BYTES];
        let path = head.path(&mut buf);
        let wanted = match (head.method(), head.field("access-control-request-method")) {
            (Method::Options, Some(method)) => Method::of(core::str::from_utf8(method).unwrap_or_default()),
            (method, _) => method,
        };
        let matching = |method| self.routes.iter().find(|r| r.endpoint.method == method && r.endpoint.template.matches(path));
        let route = self
            .route(wanted, path)
            .ok()
            .and_then(|at| self.routes.get(at))
            .or_else(|| matching(Method::Post))
            .or_else(|| matching(Method::Put));
        match route.and_then(|route| cors::fields(&route.origins, head)) {
            Some(fields) => reply.fields(fields),
            None => reply,
        }
    }

    /// Writes what `meta()` will see; gives its bytes. `None` when it is too much.
    fn facts(&mut self, route: usize, head: &Head<'_>, peer: &Peer, credential: Option<&Credential>, now: Now) -> Option<usize> {
        let route = &self.routes[route];
        let mut buf = [0; TARGET_BYTES];
        let path = head.path(&mut buf);
        let mut out = Encoder::new(&mut self.meta);
        let headers = route.feeds.iter().find_map(|f| match &self.feeds.open[usize::from(f.0)].as_ref()?.spec.feed {
            Feed::Push(push) => Some(push.meta_headers.as_slice()),
            Feed::Memory(_) | Feed::Simulator(_) | Feed::File(_) => None,
        });
        let facts = meta::Facts {
            head,
            path,
            peer,
            arrived: now.wall,
            seq: self.seq,
            credential: credential.map(|c| &*c.name),
            clock: self.clock.name(now),
        };
        meta::write(&mut out, &facts, &route.endpoint.template, headers.unwrap_or(&[]), route.access.token_fields())
            .ok()
            .map(|()| out.len())
    }

    /// The 503 that names who holds the queue, and for how long to stay away.
    fn full(&self, feed: FeedId, refused: Refused, now: Now) -> Reply {
        let Some(open) = self.feeds.open[usize::from(feed.0)].as_ref() else { return Reply::error(503, "queue full") };
        let name = &open.spec.name;
        match refused {
            Refused::TooLarge => {
                Reply::error_fmt(413, format_args!("stream {name}: the reading is larger than its queue: raise limits.queueBytes"))
            }
            Refused::Full { holder } => {
                let rule = self.rules.iter().find(|r| r.rule.readers().any(|(f, r)| f == feed && r == holder));
                let seconds = open.drained.retry_after(open.ring.drained(), open.ring.used(), now.mono, self.seq);
                let reply = match rule {
                    None => Reply::error_fmt(503, format_args!("stream {name}: queue full")),
                    Some(running) => {
                        let id = &running.rule.unit.id;
                        match running.rule.unit.sinks.iter().find_map(|s| s.down().map(|d| (s.kind(), d))) {
                            Some((kind, (since, reason))) if running.rule.is_blocked() => {
                                let minute = since.0.div_euclid(60_000);
                                let (hour, minute) = (minute.div_euclid(60).rem_euclid(24), minute.rem_euclid(60));
                                Reply::error_fmt(
                                    503,
                                    format_args!(
                                        "stream {name}: queue full, held by rule {id} (sink {}: {reason} since {hour:02}:{minute:02} UTC)",
                                        kind.name()
                                    ),
                                )
                            }
                            _ => Reply::error_fmt(503, format_args!("stream {name}: queue full, held by rule {id}")),
                        }
                    }
                };
                reply.retry_after(seconds)
            }
        }
    }
}

impl Gate for Engine {
    type Ticket = Ticket;

    fn head(&mut self, head: &Head<'_>, peer: &Peer, now: Now) -> Verdict<Self::Ticket> {
        self.first(head, peer, now, &mut ())
    }

    fn body(&mut self, ticket: Ticket, head: &Head<'_>, peer: &Peer, body: &[u8], now: Now) -> Answer {
        Answer::Now(self.second(ticket, head, peer, body, now, &mut ()))
    }

    fn advance(&mut self, now: Now) -> bool {
        let at_work = self.guesses.is_at_work();
        self.guesses.advance(now.mono, &mut self.admission);
        at_work
    }

    fn dropped(&mut self, ticket: Ticket, refused: Option<u16>) {
        if let Some(at) = self.routes.iter().position(|r| r.stamp == ticket.route) {
            match refused {
                None => self.count(at, Reason::Unfinished),
                Some(413) => self.count_streams(at, Reason::TooLarge),
                Some(_) => self.count_streams(at, Reason::Unfinished),
            }
        }
    }

    fn closed(&mut self, peer: &Peer) {
        self.admission.closed(peer.connection);
    }
}

/// The 413 of this gate.
fn too_large(bytes: usize) -> Reply {
    Reply::error_fmt(413, format_args!("the body is larger than {bytes} bytes: the limit is limits.bodyBytes"))
}

/// `contentType: strict`.
fn type_fits(field: Option<&[u8]>, format: Format) -> bool {
    let Some(field) = field else { return false };
    let essence = field.split(|b| *b == b';').next().unwrap_or(&[]).trim_ascii();
    match format {
        Format::Json => essence.eq_ignore_ascii_case(b"application/json") || essence.to_ascii_lowercase().ends_with(b"+json"),
        Format::Urlencoded => essence.eq_ignore_ascii_case(b"application/x-www-form-urlencoded"),
        Format::Delimited => essence.len() > 5 && essence[..5].eq_ignore_ascii_case(b"text/"),
        Format::Binary => essence.eq_ignore_ascii_case(b"application/octet-stream"),
    }
}
