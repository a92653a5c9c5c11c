//! One server connection as a state machine: bytes and time go in, a [`Step`] comes out (RFC 9112 §9).
//!
//! The shell owns the socket and the buffer; the connection says where the next bytes go ([`Conn::space`]), takes note of what
//! came ([`Conn::filled`], [`Conn::eof`]) and tells what to do next ([`Conn::receive`]). Each head is answered by
//! [`Conn::take`] or [`Conn::refuse`], each body by [`Conn::answer`], each [`Fault`] by [`Conn::fail`]; all of them write to
//! an out buffer with at least [`REPLY_BYTES`](super::reply::REPLY_BYTES) free. Head and body of a message lie side by side in one buffer until the
//! answer, so a connection needs no other memory.
//!
//! A refusal is written before the body is read. A body that is announced, small and on its way is then skipped and the
//! connection goes on; otherwise it closes lingering, so that the client sees the answer (RFC 9112 §9.6).

use core::time::Duration;

use super::{
    body::{BodyError, Chunks},
    framing::Framing,
    head::{Head, HeadError, HeadInfo, Method, Scan, Version},
    reply::{Put, Reply, Style},
};
use crate::{
    limits::{CONN_BYTES, HEAD_BYTES},
    time::{Instant, Now},
};

/// What one port allows its connections.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Longest body, in bytes.
    pub body_bytes: usize,
    /// The run-time key that sets it, for the message of a 413.
    pub body_key: &'static str,
    /// POST, PUT and PATCH must announce a length (411).
    pub require_length: bool,
    /// Paths with dot segments or empty segments are refused (400); otherwise whoever judges the head decides.
    pub refuse_dots: bool,
    /// Times allowed.
    pub deadlines: Deadlines,
    /// What the keys of the deadlines are called, for the messages of 408.
    pub keys: DeadlineKeys,
}

/// Names of deadlines in messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "as in Deadlines")]
pub struct DeadlineKeys {
    pub head: &'static str,
    pub body: &'static str,
    pub body_rate: &'static str,
}

impl DeadlineKeys {
    /// The keys of the data port.
    pub const DATA: Self = Self { head: "source.headTimeout", body: "source.bodyTimeout", body_rate: "source.minBodyRate" };
    /// The management port, whose deadlines have no keys.
    pub const FIXED: Self = Self { head: "the deadline", body: "the deadline", body_rate: "the least rate" };
}

/// How long each phase of a connection may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// From the connection to the end of its TLS handshake, where there is one.
    pub handshake: Duration,
    /// From there, or from the connection, to its first byte.
    pub first_byte: Duration,
    /// From the first byte of a head to its last.
    pub head: Duration,
    /// From the head to the last byte of the body.
    pub body: Duration,
    /// Between an answer and the next request.
    pub idle: Duration,
    /// Until the client has taken what is sent to it.
    pub write: Duration,
    /// After a refusal: how long the rest of what the client sends is read and thrown away.
    pub linger: Duration,
    /// Slowest body, in bytes per second (0: as slow as `body` allows), ...
    pub body_rate: u32,
    /// ... measured once a body has taken this long.
    pub rate_after: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(10),
            first_byte: Duration::from_secs(10),
            head: Duration::from_secs(10),
            body: Duration::from_secs(60),
            idle: Duration::from_secs(60),
            write: Duration::from_secs(10),
            linger: Duration::from_secs(5),
            body_rate: 64,
            rate_after: Duration::from_secs(5),
        }
    }
}

/// What a connection wants next.
#[derive(Debug)]
pub enum Step<'b> {
    /// Read into [`Conn::space`], or come back at `until`.
    Wait {
        /// When the phase runs out.
        until: Instant,
    },
    /// The buffer is too small for this message: move to a larger one ([`Conn::relocate`]) or fail with [`Fault::NoRoom`].
    Grow,
    /// A head to judge: [`Conn::take`] or [`Conn::refuse`].
    Head(Head<'b>),
    /// A whole body to answer, with its head: [`Conn::answer`].
    Body(Head<'b>, &'b [u8]),
    /// The peer broke a rule or ran out of time: [`Conn::fail`].
    Fault(Fault),
    /// Flush, then close.
    Close,
}

/// Why the wire itself refuses a message. The connection closes after the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The head.
    Head(HeadError),
    /// A body without an announced length.
    LengthRequired,
    /// The announced body is above [`Settings::body_bytes`].
    TooLong,
    /// The chunks.
    Body(BodyError),
    /// The client closed in the middle of a message.
    Truncated,
    /// The head took too long.
    HeadTimeout,
    /// The body took too long.
    BodyTimeout,
    /// The body came slower than [`Deadlines::body_rate`].
    TooSlow,
    /// No larger buffer is free.
    NoRoom,
    /// Plain HTTP where TLS is spoken.
    Plain,
    /// All connections, or all large buffers, are in use, and this one was the slowest.
    GaveWay,
    /// The address has as many connections as it may have.
    TooManyFromAddress,
    /// What the gate waited for to judge the head took longer than a head may take.
    Undecided,
}

impl Fault {
    /// The refusal.
    #[must_use]
    pub fn reply(self, settings: &Settings) -> Reply {
        let deadlines = &settings.deadlines;
        let reply = match self {
            Self::Head(error) => return error.reply(),
            Self::Body(BodyError::TooLong) | Self::TooLong => {
                Reply::error_fmt(413, format_args!("the body is longer than {} ({} bytes)", settings.body_key, settings.body_bytes))
            }
            Self::Body(error) => Reply::error(error.status(), error.message()),
            Self::LengthRequired => Reply::error(411, "neither Content-Length nor Transfer-Encoding (RFC 9110 section 15.5.12)"),
            Self::Truncated => Reply::error(400, "the connection was closed in the middle of the request"),
            Self::HeadTimeout => {
                Reply::error_fmt(408, format_args!("the request head took longer than {} ({:?})", settings.keys.head, deadlines.head))
            }
            Self::BodyTimeout => {
                Reply::error_fmt(408, format_args!("the request body took longer than {} ({:?})", settings.keys.body, deadlines.body))
            }
            Self::TooSlow => Reply::error_fmt(
                408,
                format_args!("the request body came slower than {} ({} bytes per second)", settings.keys.body_rate, deadlines.body_rate),
            ),
            Self::GaveWay => Reply::error(
                503,
                "all connections or large buffers (limits.connCount, limits.loanCount) are in use and this one was the slowest",
            )
            .retry_after(1),
            Self::Plain => Reply::error(400, "this port speaks HTTPS, the request was plain HTTP"),
            Self::TooManyFromAddress => {
                Reply::error(429, "this address has as many connections as source.connectionsPerAddress allows").retry_after(1)
            }
            Self::Undecided => Reply::error_fmt(
                503,
                format_args!("the credential could not be checked within {} ({:?})", settings.keys.head, deadlines.head),
            )
            .retry_after(1),
            Self::NoRoom => Reply::error(503, "all large buffers are in use (limits.loanCount)").retry_after(1),
        };
        reply.closing()
    }
}

/// The one parsed head that all connections of a thread share: it is read again only if another connection came between.
#[derive(Debug, Default)]
pub struct HeadCache {
    info: HeadInfo,
    serial: u32,
}

/// Bytes that are skipped after a refusal to keep the connection; longer bodies are not worth it.
pub const SKIP_BYTES: usize = CONN_BYTES;
/// What a buffer needs beside head and body: a chunked body is read a little past its end.
pub const SLACK_BYTES: usize = 256;
const _: () = assert!(CONN_BYTES >= SLACK_BYTES && CONN_BYTES <= HEAD_BYTES + SLACK_BYTES);
/// How long a head may take, and a body, before the connection may have to give way to a new one; the former is also how long a large
/// buffer is safe.
const HEAD_PATIENCE: Duration = Duration::from_secs(2);
const BODY_PATIENCE: Duration = Duration::from_secs(10);
/// Empty lines that are skipped before a request line (RFC 9112 §2.2).
const BLANK_COUNT: u8 = 4;

/// A server connection. `T` is the ticket of the gate behind it.
#[derive(Debug)]
pub struct Conn<T> {
    phase: Phase<T>,
    /// When the phase began; while waiting for a head: when the last byte of nothing, or the first byte of the head came.
    since: Instant,
    /// The current message begins at `start`; bytes are there up to `end`.
    start: u32,
    end: u32,
    scan: Scan,
    blank: u8,
    served: bool,
    eof: bool,
    closing: bool,
    message: Message,
    /// Which parse of the shared [`HeadCache`] was this message's.
    serial: u32,
}

#[derive(Debug, Clone, Copy)]
enum Phase<T> {
    Head,
    /// `again`: the gate has seen this head before.
    Judge {
        again: bool,
    },
    /// The gate will say later.
    Held,
    Body {
        ticket: T,
        chunks: Chunks,
        got: u32,
    },
    Answer {
        ticket: T,
        end: u32,
    },
    Skip {
        left: u32,
    },
    Linger,
    Closed,
}

/// What is still needed of a head once it was judged.
#[derive(Debug, Clone, Copy)]
struct Message {
    head_len: u16,
    framing: Framing,
    version: Version,
    head_only: bool,
    keep_alive: bool,
    expect_continue: bool,
    wants_length: bool,
}

impl<T: Copy> Conn<T> {
    /// A connection that was accepted at `now`.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self {
            phase: Phase::Head,
            since: now,
            start: 0,
            end: 0,
            scan: Scan::default(),
            blank: 0,
            served: false,
            eof: false,
            closing: false,
            message: Message::NONE,
            serial: 0,
        }
    }

    /// Where the next bytes go: all of `buf` behind what is still needed, which moves to the front.
    pub fn space<'b>(&mut self, buf: &'b mut [u8]) -> &'b mut [u8] {
        let (start, end) = self.span();
        if start > 0 {
            buf.copy_within(start..end, 0);
            self.set_span(0, end - start);
        }
        buf.get_mut(end - start..).unwrap_or_default()
    }

    /// `n` bytes were read into [`Conn::space`].
    pub fn filled(&mut self, n: usize, now: Instant) {
        if self.is_idle() && !matches!(self.phase, Phase::Linger) {
            self.since = now;
        }
        let (start, end) = self.span();
        self.set_span(start, end + n);
    }

    /// The connection can be used from now on: its TLS handshake is done.
    pub const fn begin(&mut self, now: Instant) {
        self.since = now;
    }

    /// The peer will send no more.
    pub const fn eof(&mut self) {
        self.eof = true;
    }

    /// The port closes: idle, this connection ends at once; else its next answer says that it is the last.
    pub const fn close_soon(&mut self) {
        self.closing = true;
    }

    /// No message has begun, or only an end is waited for: nothing is lost if the connection yields to another.
    #[must_use]
    pub const fn is_idle(&self) -> bool {
        match self.phase {
            Phase::Head => self.start == self.end,
            Phase::Linger | Phase::Closed => true,
            _ => false,
        }
    }

    /// A message has begun and takes longer than any does on a network that works: when others find no place, this one may have to
    /// go ([`Fault::GaveWay`]). Its own deadlines are longer, for times when there is room.
    #[must_use]
    pub fn is_overdue(&self, now: Instant) -> bool {
        let patience = match self.phase {
            Phase::Head if self.start < self.end => HEAD_PATIENCE,
            Phase::Held => HEAD_PATIENCE,
            Phase::Body { .. } | Phase::Skip { .. } => BODY_PATIENCE,
            _ => return false,
        };
        now >= self.since.after(patience)
    }

    /// A large buffer was lent for this message a while ago and still is: when another needs one, it may be taken back.
    #[must_use]
    pub fn holds_long(&self, now: Instant) -> bool {
        matches!(self.phase, Phase::Head | Phase::Held | Phase::Body { .. }) && now >= self.since.after(HEAD_PATIENCE)
    }

    /// The gate has put its verdict off.
    #[must_use]
    pub const fn is_held(&self) -> bool {
        matches!(self.phase, Phase::Held)
    }

    /// The gate was shown the head that is to be judged before, and put its verdict off.
    #[must_use]
    pub const fn is_judged_again(&self) -> bool {
        matches!(self.phase, Phase::Judge { again: true })
    }

    /// The rest of what the peer sends is only thrown away.
    #[must_use]
    pub const fn is_lingering(&self) -> bool {
        matches!(self.phase, Phase::Linger)
    }

    /// When the current phase began.
    #[must_use]
    pub const fn since(&self) -> Instant {
        self.since
    }

    /// Bytes that were read and not used yet, once no message is being handled; `None` inside a message.
    #[must_use]
    pub const fn between_messages(&self) -> Option<usize> {
        match self.phase {
            Phase::Head | Phase::Skip { .. } | Phase::Linger | Phase::Closed => Some((self.end - self.start) as usize),
            _ => None,
        }
    }

    /// Moves what is in `from` into `to`, another buffer, which must hold it.
    pub fn relocate(&mut self, from: &[u8], to: &mut [u8]) {
        let (start, end) = self.span();
        let used = from.get(start..end).unwrap_or_default();
        if let Some(place) = to.get_mut(..used.len()) {
            place.copy_from_slice(used);
            self.set_span(0, used.len());
        }
    }

    /// Says what to do with what is in `buf` at `now`.
    ///
    /// # Panics
    /// When the last head or body was not answered: a bug of the shell's.
    pub fn receive<'b>(&mut self, buf: &'b mut [u8], cache: &'b mut HeadCache, settings: &Settings, now: Instant) -> Step<'b> {
        loop {
            return match self.phase {
                Phase::Head => self.receive_head(buf, cache, settings, now),
                Phase::Held if now >= self.since.after(settings.deadlines.head) => Step::Fault(Fault::Undecided),
                Phase::Held => match self.head_again(buf, cache) {
                    Ok(head) => {
                        self.phase = Phase::Judge { again: true };
                        Step::Head(head)
                    }
                    Err(fault) => Step::Fault(fault),
                },
                Phase::Body { ticket, chunks, got } => match self.receive_body(ticket, chunks, got, buf, settings, now) {
                    Ok(Some(len)) => {
                        let at = self.span().0 + usize::from(self.message.head_len);
                        match self.head_again(buf, cache) {
                            Ok(head) => Step::Body(head, buf.get(at..at + len).unwrap_or_default()),
                            Err(fault) => Step::Fault(fault),
                        }
                    }
                    // Only who has filled the small buffer gets a large one: a slow sender holds it no longer than it must.
                    Ok(None) if self.end - self.start >= u32::try_from(buf.len()).unwrap_or(u32::MAX) => Step::Grow,
                    Ok(None) => Step::Wait { until: self.body_until(settings, got) },
                    Err(fault) => Step::Fault(fault),
                },
                Phase::Skip { left } => {
                    let (start, end) = self.span();
                    let n = (end - start).min(left as usize);
                    self.set_span(start + n, end);
                    let left = left - u32::try_from(n).unwrap_or(left);
                    self.phase = Phase::Skip { left };
                    if left == 0 {
                        self.next_message(now);
                        continue;
                    }
                    let until = self.since.after(settings.deadlines.rate_after);
                    if self.eof || now >= until { Step::Close } else { Step::Wait { until } }
                }
                Phase::Linger => {
                    self.set_span(0, 0);
                    let until = self.since.after(settings.deadlines.linger);
                    if self.eof || now >= until { Step::Close } else { Step::Wait { until } }
                }
                Phase::Closed => Step::Close,
                Phase::Judge { .. } | Phase::Answer { .. } => panic!("the last step was not answered"),
            };
        }
    }

    /// The head of the message that has begun: its very bytes were judged before, so they pass again.
    fn head_again<'b>(&mut self, buf: &'b [u8], cache: &'b mut HeadCache) -> Result<Head<'b>, Fault> {
        let message = buf.get(self.start as usize..).unwrap_or_default();
        if cache.serial != self.serial {
            cache.info.parse(message.get(..usize::from(self.message.head_len)).unwrap_or_default()).map_err(Fault::Head)?;
            self.serial = cache.next();
        }
        Ok(cache.info.view(message))
    }

    /// The ticket of the message whose body is being read or answered.
    #[must_use]
    pub const fn ticket(&self) -> Option<T> {
        match self.phase {
            Phase::Body { ticket, .. } | Phase::Answer { ticket, .. } => Some(ticket),
            _ => None,
        }
    }

    /// The head was accepted: the body is read next. `100 Continue` is written if it was asked for.
    ///
    /// # Errors
    /// [`Fault`] when the body was announced too long or not at all; hand it to [`Conn::fail`].
    pub fn take(&mut self, ticket: T, settings: &Settings, now: Now, out: &mut impl Put) -> Result<(), Fault> {
        match self.message.framing {
            Framing::Empty if self.message.wants_length && settings.require_length => return Err(Fault::LengthRequired),
            Framing::Length(length) if length > settings.body_bytes => return Err(Fault::TooLong),
            _ => {}
        }
        if self.message.expect_continue && out.put(b"HTTP/1.1 100 Continue\r\n\r\n").is_err() {
            self.phase = Phase::Closed;
            return Ok(());
        }
        self.phase = Phase::Body { ticket, chunks: Chunks::default(), got: 0 };
        self.since = now.mono;
        Ok(())
    }

    /// The head cannot be judged yet: it stays, and [`Conn::receive`] shows it again. Gives the moment when it has waited too long.
    pub fn hold(&mut self, settings: &Settings, now: Instant) -> Instant {
        if !self.is_judged_again() {
            self.since = now;
        }
        self.phase = Phase::Held;
        self.since.after(settings.deadlines.head)
    }

    /// The head was refused: answers at once, then skips a small body, or closes.
    pub fn refuse(&mut self, reply: &Reply, now: Now, out: &mut impl Put) {
        let skip = match self.message.framing {
            Framing::Empty => Some(0),
            // Whether a client that waits for 100 Continue will still send the body is anyone's guess.
            Framing::Length(n) if n <= SKIP_BYTES && !self.message.expect_continue => u32::try_from(n).ok(),
            _ => None,
        };
        let Some(left) = skip.filter(|_| self.stays(reply)) else {
            let (start, end) = self.span();
            let clean = skip == Some(0) && start + usize::from(self.message.head_len) == end;
            return self.last(reply, clean, now, out);
        };
        self.write(reply, false, now, out);
        let (start, end) = self.span();
        self.set_span(start + usize::from(self.message.head_len), end);
        self.served = true;
        if left == 0 {
            self.next_message(now.mono);
        } else if !matches!(self.phase, Phase::Closed) {
            self.phase = Phase::Skip { left };
            self.since = now.mono;
        }
    }

    /// The body was answered.
    ///
    /// # Panics
    /// When no body waits for an answer: a bug of the shell's.
    pub fn answer(&mut self, reply: &Reply, now: Now, out: &mut impl Put) {
        let Phase::Answer { end: message_end, .. } = self.phase else { panic!("no body to answer") };
        if !self.stays(reply) {
            return self.last(reply, message_end == self.end, now, out);
        }
        self.write(reply, false, now, out);
        self.start = message_end;
        self.served = true;
        self.next_message(now.mono);
    }

    /// Answers a [`Fault`]; the connection closes after it.
    pub fn fail(&mut self, fault: Fault, settings: &Settings, now: Now, out: &mut impl Put) {
        self.last(&fault.reply(settings), false, now, out);
    }

    fn receive_head<'b>(&mut self, buf: &'b mut [u8], cache: &'b mut HeadCache, settings: &Settings, now: Instant) -> Step<'b> {
        let deadlines = &settings.deadlines;
        while let Some([b'\r', b'\n', ..]) = buf.get(self.start as usize..self.end as usize) {
            self.blank += 1;
            if self.blank > BLANK_COUNT {
                return Step::Fault(Fault::Head(HeadError::BlankLines));
            }
            self.start += 2;
        }
        let (start, end) = self.span();
        let bytes = buf.get(start..end).unwrap_or_default();
        if bytes.is_empty() {
            let until = self.since.after(if self.served { deadlines.idle } else { deadlines.first_byte });
            return if self.eof || self.closing || now >= until { Step::Close } else { Step::Wait { until } };
        }
        // Until the head is known: a HEAD that is refused must not get content either.
        self.message = Message { head_only: bytes.starts_with(b"HEAD "), ..Message::NONE };
        // A lone CR may still become an empty line.
        let found = if bytes == b"\r" { Ok(None) } else { self.scan.advance(bytes) };
        let len = match found {
            Ok(Some(len)) => len,
            Ok(None) => {
                let until = self.since.after(deadlines.head);
                return if self.eof {
                    Step::Fault(Fault::Truncated)
                } else if now >= until {
                    Step::Fault(Fault::HeadTimeout)
                } else if end - start == buf.len() {
                    Step::Grow
                } else {
                    Step::Wait { until }
                };
            }
            Err(error) => return Step::Fault(Fault::Head(error)),
        };
        if let Err(error) = cache.info.parse(bytes.get(..len).unwrap_or_default()) {
            return Step::Fault(Fault::Head(error));
        }
        self.serial = cache.next();
        let head = cache.info.view(buf.get(start..end).unwrap_or_default());
        self.message = Message::of(&head);
        self.phase = Phase::Judge { again: false };
        if settings.refuse_dots && head.has_dot_segments() {
            return Step::Fault(Fault::Head(HeadError::DotSegment));
        }
        Step::Head(head)
    }

    /// The length of the body once it is complete.
    fn receive_body(
        &mut self,
        ticket: T,
        mut chunks: Chunks,
        mut got: u32,
        buf: &mut [u8],
        settings: &Settings,
        now: Instant,
    ) -> Result<Option<usize>, Fault> {
        let (start, end) = self.span();
        let body = start + usize::from(self.message.head_len);
        let complete = match self.message.framing {
            Framing::Empty => Some((0, body)),
            Framing::Length(n) => {
                got = u32::try_from(end - body).unwrap_or(u32::MAX);
                (end - body >= n).then_some((n, body + n))
            }
            Framing::Chunked => {
                let raw = buf.get_mut(body..end).unwrap_or_default();
                let progress = chunks.decode(raw, got as usize, settings.body_bytes).map_err(Fault::Body)?;
                got = u32::try_from(progress.written).unwrap_or(u32::MAX);
                if !progress.done {
                    self.set_span(start, body + progress.written);
                }
                progress.done.then_some((progress.written, body + progress.read))
            }
        };
        if let Some((len, end)) = complete {
            self.phase = Phase::Answer { ticket, end: u32::try_from(end).unwrap_or(u32::MAX) };
            return Ok(Some(len));
        }
        self.phase = Phase::Body { ticket, chunks, got };
        if self.eof {
            return Err(Fault::Truncated);
        }
        if now >= self.since.after(settings.deadlines.body) {
            return Err(Fault::BodyTimeout);
        }
        if now >= self.body_until(settings, got) {
            return Err(Fault::TooSlow);
        }
        Ok(None)
    }

    /// When a body of which `got` bytes are in has taken too long, or was too slow.
    fn body_until(&self, settings: &Settings, got: u32) -> Instant {
        let deadlines = &settings.deadlines;
        let earned = u64::from(got).saturating_mul(1000).checked_div(u64::from(deadlines.body_rate));
        self.since.after(earned.map_or(deadlines.body, |ms| deadlines.body.min(deadlines.rate_after.max(Duration::from_millis(ms)))))
    }

    const fn stays(&self, reply: &Reply) -> bool {
        self.message.keep_alive && !self.closing && !reply.close
    }

    /// The connection's last answer. `clean`: the client sent this message and no more, so closing at once loses nothing.
    fn last(&mut self, reply: &Reply, clean: bool, now: Now, out: &mut impl Put) {
        self.write(reply, true, now, out);
        self.set_span(0, 0);
        if !matches!(self.phase, Phase::Closed) {
            self.phase = if clean { Phase::Closed } else { Phase::Linger };
            self.since = now.mono;
        }
    }

    fn write(&mut self, reply: &Reply, close: bool, now: Now, out: &mut impl Put) {
        let style = Style { version: self.message.version, head_only: self.message.head_only, close, date: now.wall };
        // The caller left room for any reply; without it nothing sensible can be said any more.
        if reply.emit(out, &style).is_err() {
            self.phase = Phase::Closed;
        }
    }

    fn next_message(&mut self, now: Instant) {
        if matches!(self.phase, Phase::Closed) {
            return;
        }
        if self.start == self.end {
            self.set_span(0, 0);
        }
        self.phase = Phase::Head;
        self.since = now;
        self.scan = Scan::default();
        self.blank = 0;
    }

    const fn span(&self) -> (usize, usize) {
        (self.start as usize, self.end as usize)
    }

    /// Buffers are far below 4 GiB, so neither saturates.
    fn set_span(&mut self, start: usize, end: usize) {
        self.start = u32::try_from(start).unwrap_or(u32::MAX);
        self.end = u32::try_from(end).unwrap_or(u32::MAX);
    }
}

impl HeadCache {
    const fn next(&mut self) -> u32 {
        self.serial = self.serial.wrapping_add(1);
        self.serial
    }
}

impl Message {
    /// Before a head was read: what an answer to no readable request looks like.
    const NONE: Self = Self {
        head_len: 0,
        framing: Framing::Empty,
        version: Version::Http11,
        head_only: false,
        keep_alive: false,
        expect_continue: false,
        wants_length: false,
    };

    fn of(head: &Head<'_>) -> Self {
        Self {
            head_len: u16::try_from(head.len()).unwrap_or(u16::MAX),
            framing: head.framing(),
            version: head.version(),
            head_only: head.method() == Method::Head,
            keep_alive: head.keep_alive(),
            expect_continue: head.expect_continue(),
            wants_length: matches!(head.method(), Method::Post | Method::Put | Method::Patch),
        }
    }
}
