//! Carries payloads from the sinks of running rules to where they go, one task a sink: [`run`].
//!
//! In: a [`Port`] to the sink, behind which the engine lies. Out: log lines, commands for the writer thread, HTTP requests. What
//! to send, where, when again and what an answer means is decided in [`sink`](crate::sink); here is only the waiting.
//!
//! [`mqtt`] and [`redis`] keep a connection as long as the rule runs.
//!
//! A rest sink keeps one connection. A kept one that turns out to be closed before any byte of an answer is opened again at once,
//! which is no failure. Each exchange ends by the sink's `timeout`, redirects included.

mod link;
mod mqtt;
mod redis;

use std::{
    borrow::Cow,
    future::poll_fn,
    io,
    net::{IpAddr, Ipv4Addr},
    path::Path,
    sync::Arc,
    task::{Context, Poll},
};

use super::{
    net::{self, Clock, Deadline, ExchangeError, Socket},
    tls::{ClientOptions, ClientTls, Pem},
    trials::Trials,
    writer::{Handle, Progress, Writer},
};
use crate::{
    config::credentials::SecretFrom,
    json::write::Out,
    limits::HEAD_BYTES,
    sink::{
        Kind, Outcome, Payload, SinkUnit, Target, TlsClient, TlsLoader, TlsProps,
        oauth::{Token, TokenRequest},
        rest::{FIELDS_MAX, REDIRECTS_MAX, Redirect, RestRequest, Tokens, is_internal, redirect, resolve, retry_after, write_url},
    },
    time::{Instant, Now, Zone},
    wire::client::{Request, ResponseError, Url},
};

/// Payloads moved before others get their turn.
const BUDGET: usize = 64;
/// Bytes kept of an answer.
const ANSWER_BYTES: usize = 8192;
/// Bytes of an answer that holds a token.
const TOKEN_BYTES: usize = 32 << 10;

/// The way from a task to its sink.
pub trait Port {
    /// Lends the sink, with both clocks. `None` once the rule has stopped.
    fn with<T>(&self, f: impl FnOnce(&mut SinkUnit, Now) -> T) -> Option<T>;

    /// Ready when something may wait in the sink that did not before, or the sink is gone.
    fn poll_work(&self, cx: &mut Context<'_>) -> Poll<()>;

    /// The clock that `with` reads.
    fn clock(&self) -> &Clock;
}

/// Serves one sink until its rule stops. Memory topics are the engine's own matter.
pub async fn run(port: impl Port, writer: &Writer, trials: &Trials) {
    match port.with(|unit, _| unit.kind()) {
        Some(Kind::Log | Kind::Nop) => lines(&port, log_line).await,
        Some(Kind::Trial) => {
            let show = |payload: &Payload<'_>| {
                if let Target::Trial { id } = payload.target {
                    trials.publish(id, payload.body);
                }
            };
            lines(&port, show).await;
        }
        Some(Kind::File) => files(&port, &writer.open()).await,
        Some(Kind::Rest) => requests(&port).await,
        Some(Kind::Mqtt) => mqtt::run(&port).await,
        Some(Kind::Redis | Kind::RedisPub) => redis::run(&port).await,
        Some(Kind::Memory) | None => {}
    }
}

/// Waits for work, or for `until`.
async fn wait(port: &impl Port, until: Option<Instant>) {
    let mut deadline = until.map_or_else(Deadline::never, |at| port.clock().deadline(at));
    poll_fn(|cx| match port.poll_work(cx) {
        Poll::Ready(()) => Poll::Ready(()),
        Poll::Pending => deadline.poll(cx),
    })
    .await;
}

/// Payloads that are dealt with at once.
async fn lines(port: &impl Port, each: impl Fn(&Payload<'_>)) {
    loop {
        let some = port.with(|unit, now| {
            for _ in 0..BUDGET {
                let Some(payload) = unit.next_out(now) else { return Err(unit.until()) };
                each(&payload);
                unit.done(Outcome::Delivered, now);
            }
            Ok(())
        });
        match some {
            Some(Ok(())) => smol::future::yield_now().await,
            Some(Err(until)) => wait(port, until).await,
            None => return,
        }
    }
}

/// The line of a log or nop sink.
fn log_line(payload: &Payload<'_>) {
    let body = String::from_utf8_lossy(payload.body);
    match payload.target {
        Target::Log { rule } => log::info!("sink result for rule {rule}: {body}"),
        Target::Nop { log: true } => log::info!("{body}"),
        _ => {}
    }
}

/// What a file sink's task goes to sleep for.
enum Sleep {
    Until(Option<Instant>),
    Room,
}

async fn files(port: &impl Port, handle: &Handle) {
    loop {
        let moved = port.with(|unit, now| {
            for _ in 0..BUDGET {
                let Some(payload) = unit.next_out(now) else { return Some(Sleep::Until(unit.until())) };
                let taken = match &payload.target {
                    Target::File(to) => handle.write(payload.seq, to, payload.body),
                    Target::Close { slot } => handle.close(*slot),
                    _ => true,
                };
                if !taken {
                    return Some(Sleep::Room);
                }
                unit.done(Outcome::Queued, now);
            }
            None
        });
        let (until, needs_room) = match moved {
            None => return,
            Some(None) => (Some(Instant(0)), false),
            Some(Some(Sleep::Until(until))) => (until, false),
            Some(Some(Sleep::Room)) => (None, true),
        };
        let mut deadline = until.map_or_else(Deadline::never, |at| port.clock().deadline(at));
        let progress = poll_fn(|cx| {
            if let Poll::Ready(progress) = handle.poll_progress(cx) {
                return Poll::Ready(Some(progress));
            }
            let room = if needs_room { handle.poll_room(cx) } else { Poll::Pending };
            match (room, port.poll_work(cx), deadline.poll(cx)) {
                (Poll::Pending, Poll::Pending, Poll::Pending) => Poll::Pending,
                // A full ring is not asked again because more waits for it.
                (Poll::Pending, Poll::Ready(()), Poll::Pending) if needs_room => Poll::Pending,
                _ => Poll::Ready(None),
            }
        })
        .await;
        if let Some(Progress { seq, count, failed, text }) = progress {
            port.with(|unit, now| unit.settle(seq, count, failed, &text, now));
        }
    }
}

/// A connection that waits for another request.
struct Kept {
    socket: Socket,
    https: bool,
    authority: String,
}

/// One payload's request, copied out of the outbox: the sink is not held while the request is under way.
#[derive(Default)]
struct Call {
    method: &'static str,
    url: Vec<u8>,
    texts: String,
    /// Ends of the names and values in `texts`, in turn.
    ends: Vec<usize>,
    body: Vec<u8>,
    timeout: std::time::Duration,
    tls: Option<TlsClient>,
    private_net: bool,
    wants_body: bool,
}

impl Call {
    /// False: the url is too long. What `token` says goes before what is configured.
    fn take(&mut self, request: &RestRequest<'_>, body: &[u8], token: Option<&Token>) -> bool {
        self.method = request.method();
        self.timeout = request.timeout();
        self.tls = request.tls().cloned();
        self.private_net = request.may_reach(IpAddr::V4(Ipv4Addr::LOCALHOST));
        self.wants_body = request.wants_body();
        self.texts.clear();
        self.ends.clear();
        for (name, value) in request.fields() {
            let known = token.and_then(|token| token.fields.iter().find(|(n, _)| n == name));
            self.field(name, known.map_or(value, |(_, value)| value));
        }
        self.body.clear();
        if request.has_body() {
            self.body.extend_from_slice(body);
        }
        self.url.resize(HEAD_BYTES, 0);
        let mut out = Out::new(&mut self.url);
        let fits = write_url(request.url(), &mut out).is_ok();
        let len = out.len();
        self.url.truncate(len);
        fits
    }

    fn field(&mut self, name: &str, value: &str) {
        for text in [name, value] {
            self.texts.push_str(text);
            self.ends.push(self.texts.len());
        }
    }

    /// The request for a token.
    fn of_token(request: &TokenRequest, tokens: &Tokens) -> Self {
        let mut call = Self {
            method: "POST",
            url: request.url.clone().into_bytes(),
            body: request.body.clone().into_bytes(),
            timeout: tokens.timeout,
            tls: tokens.tls.clone(),
            private_net: tokens.private_net,
            wants_body: true,
            ..Self::default()
        };
        for (name, value) in &request.fields {
            call.field(name, value);
        }
        call
    }

    /// The fields to send; those of the content are left out where none is sent, those that say who we are on another host.
    fn fields(&self, with_body: bool, same_host: bool) -> heapless::Vec<(&str, &str), FIELDS_MAX> {
        let is = |name: &str, other: &[&str]| other.iter().any(|o| o.eq_ignore_ascii_case(name));
        let mut from = 0;
        let mut text = |end: &usize| {
            let piece = self.texts.get(from..*end).unwrap_or("");
            from = *end;
            piece
        };
        let mut fields = heapless::Vec::new();
        for pair in self.ends.chunks_exact(2) {
            let (name, value) = (text(&pair[0]), text(&pair[1]));
            let content = is(name, &["content-type", "content-encoding", "content-language", "content-location"]);
            let secret = is(name, &["authorization", "cookie", "cookie2", "www-authenticate"]);
            if (with_body || !content) && (same_host || !secret) {
                // There are at most FIELDS_MAX, which was checked when the rule was made.
                let _ = fields.push((name, value));
            }
        }
        fields
    }
}

/// Why a payload got no answer.
enum Trouble {
    Broken(String),
    Failed(String),
}

impl Trouble {
    fn outcome(&self) -> Outcome<'_> {
        match self {
            Self::Broken(reason) => Outcome::Broken { reason },
            Self::Failed(text) => Outcome::Failed { text },
        }
    }
}

/// An answer whose content lies in the buffer.
struct Answer {
    status: u16,
    retry_after: Option<std::time::Duration>,
    body: Vec<u8>,
}

/// A token of a rest sink, and how it is had.
struct Pass {
    tokens: Tokens,
    token: Option<Token>,
    buf: Vec<u8>,
}

impl Pass {
    fn new(tokens: Tokens) -> Self {
        Self { tokens, token: None, buf: vec![0; TOKEN_BYTES] }
    }

    /// Asks for the first token, unless there is one.
    async fn first(&mut self, clock: Clock) -> Result<(), Trouble> {
        if self.token.is_none() {
            let request = self.tokens.oauth.access();
            self.ask(&request, clock).await?;
        }
        Ok(())
    }

    /// Renews a token whose half-time is over. One that cannot be renewed is used on.
    async fn renew(&mut self, clock: Clock) {
        let Some(request) = self.token.as_ref().filter(|t| self.tokens.oauth.is_due(t, clock.mono())).map(|t| t.renewal.clone()) else {
            return;
        };
        if let Err(Trouble::Broken(why) | Trouble::Failed(why)) = self.ask(&request, clock).await {
            log::warn!("rest sink: {why}");
        }
    }

    async fn ask(&mut self, request: &TokenRequest, clock: Clock) -> Result<(), Trouble> {
        let call = Call::of_token(request, &self.tokens);
        let under = |trouble| match trouble {
            Trouble::Broken(why) => Trouble::Broken(format!("token: {why}")),
            Trouble::Failed(why) => Trouble::Failed(format!("fail to authorize by oAuth: {why}")),
        };
        let answer = deliver(&call, &mut None, &mut Vec::new(), &mut self.buf).await.map_err(under)?;
        if !(200..300).contains(&answer.status) {
            return Err(Trouble::Broken(format!("token: answered {}", answer.status)));
        }
        let token = self.tokens.oauth.token(&answer.body, &Zone::utc(), clock.now());
        self.token = Some(token.map_err(|why| under(Trouble::Failed(why)))?);
        Ok(())
    }
}

async fn requests(port: &impl Port) {
    let mut call = Call::default();
    let mut kept: Option<Kept> = None;
    let (mut head, mut buf) = (Vec::new(), vec![0; ANSWER_BYTES]);
    let clock = *port.clock();
    let mut pass = port.with(|unit, _| unit.tokens()).flatten().map(Pass::new);
    if let Some(pass) = &mut pass
        && let Err(Trouble::Broken(why) | Trouble::Failed(why)) = pass.first(clock).await
    {
        log::warn!("rest sink: {why}: asked again with the first payload");
    }
    loop {
        // A payload must wait for its token before its head is made.
        if let Some(pass) = &mut pass
            && pass.token.is_none()
            && port.with(|unit, now| unit.next_out(now).is_some()) == Some(true)
            && let Err(trouble) = pass.first(clock).await
        {
            port.with(|unit, now| unit.done(trouble.outcome(), now));
            continue;
        }
        let token = pass.as_ref().and_then(|pass| pass.token.as_ref());
        let taken = port.with(|unit, now| match unit.next_out(now) {
            Some(Payload { body, target: Target::Rest(request), .. }) => Ok(call.take(&request, body, token)),
            Some(_) => Ok(false),
            None => Err(unit.until()),
        });
        let result = match taken {
            None => return,
            Some(Err(until)) => {
                wait(port, until).await;
                continue;
            }
            Some(Ok(false)) => Err(Trouble::Failed("the url is too long".to_owned())),
            Some(Ok(true)) => deliver(&call, &mut kept, &mut head, &mut buf).await,
        };
        if let Ok(answer) = &result
            && call.wants_body
        {
            log::info!("Response raw content: {}", String::from_utf8_lossy(&answer.body));
        }
        port.with(|unit, now| {
            let outcome = match &result {
                Ok(answer) => Outcome::Answered { status: answer.status, retry_after: answer.retry_after, body: &answer.body },
                Err(trouble) => trouble.outcome(),
            };
            unit.done(outcome, now);
        });
        if let Some(pass) = &mut pass {
            pass.renew(clock).await;
        }
    }
}

/// One payload's exchange, redirects included.
async fn deliver(call: &Call, kept: &mut Option<Kept>, head: &mut Vec<u8>, buf: &mut [u8]) -> Result<Answer, Trouble> {
    let mut deadline = if call.timeout.is_zero() { Deadline::never() } else { Deadline::after(call.timeout) };
    let first = std::str::from_utf8(&call.url).unwrap_or("");
    let origin = Url::parse(first).map_err(|e| Trouble::Failed(format!("bad url: {e}")))?;
    let mut url = Cow::Borrowed(first);
    let (mut method, mut with_body) = (call.method, true);
    for _ in 0..=REDIRECTS_MAX {
        let at = Url::parse(&url).map_err(|e| Trouble::Failed(format!("bad url {url}: {e}")))?;
        let target = at.target();
        let fields = call.fields(with_body, at.authority == origin.authority);
        let body = if with_body { &call.body[..] } else { &[] };
        let request = Request { method, target: &target, host: at.authority, fields: &fields, body };
        let response = loop {
            let (mut conn, was_kept) = match kept.take().filter(|k| k.https == at.https && k.authority == at.authority) {
                Some(conn) => (conn, true),
                None => (connect(call, &at, &mut deadline).await?, false),
            };
            match net::exchange(&mut conn.socket, &request, head, buf, &mut deadline).await {
                Ok(response) => {
                    let redirect = match redirect(response.status, response.field("location")) {
                        Redirect::No => None,
                        Redirect::Get(location) => Some((resolve(&url, location), true)),
                        Redirect::Same(location) => Some((resolve(&url, location), false)),
                        Redirect::Lost => return Err(Trouble::Failed(format!("{} response missing Location header", response.status))),
                    };
                    let answer = Answer {
                        status: response.status,
                        retry_after: retry_after(response.field("retry-after")),
                        body: if call.wants_body { response.body.to_vec() } else { Vec::new() },
                    };
                    if response.keep_alive {
                        *kept = Some(conn);
                    }
                    break (answer, redirect);
                }
                // A kept connection that its peer had given up in the meantime: once more, on a new one.
                Err(error) if was_kept && has_grown_old(&error) => {}
                // Nobody can mend a request that may not be written, or what is no HTTP answer; silence may end.
                Err(error @ (ExchangeError::Io(_) | ExchangeError::Response(ResponseError::Closed | ResponseError::Truncated))) => {
                    return Err(Trouble::Broken(error.to_string()));
                }
                Err(error) => return Err(Trouble::Failed(error.to_string())),
            }
        };
        match response {
            (answer, None) => return Ok(answer),
            (_, Some((next, as_get))) => {
                if as_get && !matches!(method, "GET" | "HEAD") {
                    (method, with_body) = ("GET", false);
                }
                url = Cow::Owned(fit_url(&next).ok_or_else(|| Trouble::Failed("a redirect's url is too long".to_owned()))?);
            }
        }
    }
    Err(Trouble::Failed(format!("stopped after {REDIRECTS_MAX} redirects")))
}

fn has_grown_old(error: &ExchangeError) -> bool {
    match error {
        ExchangeError::Response(error) => *error == ResponseError::Closed,
        ExchangeError::Io(error) => matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset),
        ExchangeError::Request(_) => false,
    }
}

fn fit_url(url: &str) -> Option<String> {
    let mut buf = vec![0; HEAD_BYTES];
    let mut out = Out::new(&mut buf);
    write_url(url, &mut out).ok()?;
    let len = out.len();
    buf.truncate(len);
    String::from_utf8(buf).ok()
}

async fn connect(call: &Call, at: &Url<'_>, deadline: &mut Deadline) -> Result<Kept, Trouble> {
    let client = call.tls.as_ref().and_then(|tls| tls.downcast_ref::<ClientTls>());
    let tls = match (at.https, client) {
        (false, _) => None,
        (true, Some(client)) => Some(client),
        (true, None) => return Err(Trouble::Failed("redirected to https, but the sink has no TLS".to_owned())),
    };
    let allows = |ip: IpAddr| call.private_net || !is_internal(ip);
    match net::connect_where(at.host, at.port, tls, deadline, allows).await {
        Ok(socket) => Ok(Kept { socket, https: at.https, authority: at.authority.to_owned() }),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(Trouble::Failed(error.to_string())),
        Err(error) if error.kind() == io::ErrorKind::TimedOut => Err(Trouble::Broken("connect timed out".to_owned())),
        Err(error) => Err(Trouble::Broken(net::reason(&error))),
    }
}

/// Loads the certificates of rest sinks, and the secrets of credentials, while rules are made.
#[derive(Debug, Clone, Copy, Default)]
pub struct Certificates;

impl TlsLoader for Certificates {
    fn client(&self, props: &TlsProps) -> Result<TlsClient, String> {
        // A file goes before what the rule itself holds, as in eKuiper.
        let options = ClientOptions {
            ca: pem(props.ca_path.as_ref(), props.ca_raw.as_ref(), "rootCARaw"),
            cert: pem(props.cert_path.as_ref(), props.cert_raw.as_ref(), "certificationRaw").zip(pem(
                props.key_path.as_ref(),
                props.key_raw.as_ref(),
                "privateKeyRaw",
            )),
            insecure_skip_verify: props.skip_verify,
            only_1_3: props.min_1_3,
            no_http: props.no_http,
        };
        ClientTls::new(&options).map(|client| Arc::new(client) as TlsClient).map_err(|e| e.to_string())
    }

    fn secret(&self, from: &SecretFrom) -> Result<String, String> {
        super::secrets::read(from)
    }
}

/// What a property names or holds. A file goes before what the rule itself holds, as in eKuiper.
fn pem<'p>(path: Option<&'p String>, text: Option<&'p Vec<u8>>, name: &'static str) -> Option<Pem<'p>> {
    let file = path.map(|path| Pem::File(Path::new(path)));
    file.or_else(|| text.map(|text| Pem::Text { name, text }))
}

#[cfg(test)]
mod tests;
