//! Answers: what they say, and how they are written into a fixed buffer (RFC 9110 §15, RFC 9112 §4).
//!
//! A refusal is `{"error":<status>,"message":"…"}`. Everything a [`Reply`] of the data plane holds is inline, `'static`, or
//! shared ([`Canned`]); only the management port makes [`Body::Owned`] ones.
//!
//! ```
//! use pushgate::wire::Reply;
//! use pushgate::wire::reply::Style;
//! let mut out = Vec::new();
//! Reply::error(503, "stream demo: queue full").retry_after(2).emit(&mut out, &Style::default()).unwrap();
//! assert!(out.ends_with(br#"{"error":503,"message":"stream demo: queue full"}"#));
//! ```

use core::fmt::{self, Write as _};
use std::sync::Arc;

use serde::Serialize;

use super::head::{Method, Version};
use crate::time::Timestamp;

/// Longest message of a refusal, in bytes; a longer one is cut.
pub const MESSAGE_BYTES: usize = 200;
/// Room that one reply of the data plane never exceeds, head and body.
pub const REPLY_BYTES: usize = 2304;
/// Longest [`Canned`] body and longest [`Canned`] fields, so that a reply stays within [`REPLY_BYTES`].
pub const CANNED_BYTES: usize = 768;
/// Most bytes of [`Reply::fields`]; longer ones are left out.
pub const FIELD_BYTES: usize = 384;

/// What is still open to a server when it refuses or accepts: one answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Status code.
    pub status: u16,
    /// What the answer carries.
    pub body: Body,
    /// `Retry-After` in seconds; 0: none.
    pub retry_after_s: u16,
    /// `Allow`; empty: none, but for 405, where RFC 9110 §15.5.6 asks for it.
    pub allow: Methods,
    /// Further field lines, each ended by CR LF, at most [`FIELD_BYTES`]: prepared when a definition was published.
    pub fields: Option<Arc<str>>,
    /// The connection ends after this answer.
    pub close: bool,
}

/// The content of a [`Reply`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// `Content-Length: 0`, no type.
    Empty,
    /// Plain text.
    Text(&'static str),
    /// The message of a JSON error.
    Error(heapless::String<MESSAGE_BYTES, u8>),
    /// Prepared when a definition was published.
    Canned(Arc<Canned>),
    /// Made for this one answer (management only).
    Owned(Box<Owned>),
}

/// An answer that a definition prescribes: type, extra fields, content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Canned {
    content_type: Box<str>,
    fields: Box<str>,
    body: Box<[u8]>,
}

/// An answer made for one request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Owned {
    content_type: &'static str,
    fields: String,
    body: Vec<u8>,
}

/// Why a prepared answer cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CannedError {
    /// Body or fields are longer than [`CANNED_BYTES`].
    TooLong,
    /// A field name is no token, or one that the wire itself writes.
    BadName,
    /// A field value holds control octets.
    BadValue,
}

impl fmt::Display for CannedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "longer than {CANNED_BYTES} bytes"),
            Self::BadName => f.write_str("no field name that may be set"),
            Self::BadValue => f.write_str("control octets in a field value"),
        }
    }
}

impl core::error::Error for CannedError {}

impl Canned {
    /// Prepares an answer.
    ///
    /// # Errors
    /// [`CannedError`] when it does not fit or a field is not allowed.
    pub fn new<'f>(content_type: &str, fields: impl IntoIterator<Item = (&'f str, &'f str)>, body: &[u8]) -> Result<Self, CannedError> {
        let mut text = String::new();
        push_field(&mut text, "Content-Type", content_type)?;
        text.clear();
        for (name, value) in fields {
            push_field(&mut text, name, value)?;
        }
        if body.len() > CANNED_BYTES || text.len() + content_type.len() > CANNED_BYTES {
            return Err(CannedError::TooLong);
        }
        Ok(Self { content_type: content_type.into(), fields: text.into(), body: body.into() })
    }
}

impl Reply {
    /// 200 with eKuiper's body: the reading is in its queue.
    pub const OK: Self = Self::text(200, "ok");

    /// An answer without content.
    #[must_use]
    pub const fn empty(status: u16) -> Self {
        Self::of(status, Body::Empty)
    }

    const fn of(status: u16, body: Body) -> Self {
        Self { status, body, retry_after_s: 0, allow: Methods::NONE, fields: None, close: false }
    }

    /// An answer of plain text.
    #[must_use]
    pub const fn text(status: u16, text: &'static str) -> Self {
        Self::of(status, Body::Text(text))
    }

    /// A refusal: `{"error":status,"message":message}`.
    #[must_use]
    pub fn error(status: u16, message: &str) -> Self {
        Self::error_fmt(status, format_args!("{message}"))
    }

    /// A refusal whose message is put together without allocating; what exceeds [`MESSAGE_BYTES`] is cut.
    #[must_use]
    pub fn error_fmt(status: u16, message: fmt::Arguments<'_>) -> Self {
        let mut text = Cut(heapless::String::new());
        // `Cut` itself never fails; an argument's own Display might, and then what it wrote stays.
        let _ = text.write_fmt(message);
        Self::of(status, Body::Error(text.0))
    }

    /// A prepared answer.
    #[must_use]
    pub const fn canned(status: u16, canned: Arc<Canned>) -> Self {
        Self::of(status, Body::Canned(canned))
    }

    /// An answer made for one request; an empty `content_type` leaves the field out.
    #[must_use]
    pub fn owned(status: u16, content_type: &'static str, body: impl Into<Vec<u8>>) -> Self {
        Self::of(status, Body::Owned(Box::new(Owned { content_type, fields: String::new(), body: body.into() })))
    }

    /// Adds a field to an [`Reply::owned`] answer; one that is not allowed (control octets, or framing) is left out.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        if let Body::Owned(owned) = &mut self.body {
            let before = owned.fields.len();
            if push_field(&mut owned.fields, name, value).is_err() {
                owned.fields.truncate(before);
            }
        }
        self
    }

    /// The same answer with `Retry-After` in seconds.
    #[must_use]
    pub const fn retry_after(mut self, seconds: u16) -> Self {
        self.retry_after_s = seconds;
        self
    }

    /// The same answer with `Allow`.
    #[must_use]
    pub const fn allow(mut self, methods: Methods) -> Self {
        self.allow = methods;
        self
    }

    /// The same answer with further field lines, see [`Reply::fields`]; replaces those it had.
    #[must_use]
    pub fn fields(mut self, lines: Arc<str>) -> Self {
        self.fields = Some(lines).filter(|lines| lines.len() <= FIELD_BYTES);
        self
    }

    /// The same answer, after which the connection ends.
    #[must_use]
    pub const fn closing(mut self) -> Self {
        self.close = true;
        self
    }

    /// The content, as far as it lies ready: not that of [`Body::Error`], which is put together while it is written.
    #[must_use]
    pub fn content(&self) -> &[u8] {
        match &self.body {
            Body::Empty => b"",
            Body::Text(text) => text.as_bytes(),
            Body::Error(message) => message.as_bytes(),
            Body::Canned(canned) => &canned.body,
            Body::Owned(owned) => &owned.body,
        }
    }

    /// Writes the answer.
    ///
    /// # Errors
    /// [`Full`] when `out` has no room; what was written until then is of no use.
    pub fn emit(&self, out: &mut impl Put, style: &Style) -> Result<(), Full> {
        let mut error = [0; ERROR_BYTES];
        let (content_type, fields, body) = match &self.body {
            Body::Empty => ("", "", &b""[..]),
            Body::Text(text) => (TEXT, "", text.as_bytes()),
            Body::Error(message) => (JSON, "", error_json(self.status, message, &mut error)),
            Body::Canned(canned) => (&*canned.content_type, &*canned.fields, &*canned.body),
            Body::Owned(owned) => (owned.content_type, owned.fields.as_str(), owned.body.as_slice()),
        };
        let mut number = itoa::Buffer::new();
        out.put(b"HTTP/1.1 ")?;
        out.put(number.format(self.status).as_bytes())?;
        out.put(b" ")?;
        out.put(reason(self.status).as_bytes())?;
        out.put(b"\r\nDate: ")?;
        out.put(&http_date(style.date))?;
        if !content_type.is_empty() {
            out.put(b"\r\nContent-Type: ")?;
            out.put(content_type.as_bytes())?;
        }
        // RFC 9110 §8.6: no Content-Length with 204.
        if self.status != 204 {
            out.put(b"\r\nContent-Length: ")?;
            out.put(number.format(body.len()).as_bytes())?;
        }
        if self.retry_after_s > 0 {
            out.put(b"\r\nRetry-After: ")?;
            out.put(number.format(self.retry_after_s).as_bytes())?;
        }
        if self.allow != Methods::NONE || self.status == 405 {
            out.put(b"\r\nAllow: ")?;
            let mut first = true;
            for method in self.allow.iter() {
                out.put(if first { b"" } else { b", " })?;
                out.put(method.as_str().as_bytes())?;
                first = false;
            }
        }
        if self.close || style.close {
            out.put(b"\r\nConnection: close")?;
        } else if style.version == Version::Http10 {
            out.put(b"\r\nConnection: keep-alive")?;
        }
        out.put(b"\r\n")?;
        out.put(fields.as_bytes())?;
        out.put(self.fields.as_deref().unwrap_or_default().as_bytes())?;
        out.put(b"\r\n")?;
        if !style.head_only && self.status != 204 && self.status != 304 { out.put(body) } else { Ok(()) }
    }
}

/// What the connection adds to an answer.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    /// Version of the request; an HTTP/1.0 client has to be told that the connection stays.
    pub version: Version,
    /// The request was a HEAD: all fields, no content.
    pub head_only: bool,
    /// The connection ends after this answer.
    pub close: bool,
    /// `Date`.
    pub date: Timestamp,
}

impl Default for Style {
    fn default() -> Self {
        Self { version: Version::Http11, head_only: false, close: false, date: Timestamp(0) }
    }
}

/// A set of methods, for `Allow`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Methods(u8);

impl Methods {
    /// No method.
    pub const NONE: Self = Self(0);

    /// The set with `method` in it; [`Method::Other`] has no name to list and is left out.
    #[must_use]
    pub const fn with(self, method: Method) -> Self {
        match method {
            Method::Other => self,
            _ => Self(self.0 | 1 << method as u8),
        }
    }

    /// True when `method` is in the set.
    #[must_use]
    pub const fn has(self, method: Method) -> bool {
        self.0 & 1 << method as u8 != 0
    }

    /// The methods in the set.
    pub fn iter(self) -> impl Iterator<Item = Method> {
        [Method::Get, Method::Head, Method::Post, Method::Put, Method::Delete, Method::Patch, Method::Options]
            .into_iter()
            .filter(move |m| self.has(*m))
    }
}

impl FromIterator<Method> for Methods {
    fn from_iter<I: IntoIterator<Item = Method>>(methods: I) -> Self {
        methods.into_iter().fold(Self::NONE, Self::with)
    }
}

/// No room left in the buffer that is written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no room left")
    }
}

impl core::error::Error for Full {}

/// Somewhere bytes can be appended.
pub trait Put {
    /// Appends all of `bytes`.
    ///
    /// # Errors
    /// [`Full`]: nothing was appended.
    fn put(&mut self, bytes: &[u8]) -> Result<(), Full>;
}

impl Put for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) -> Result<(), Full> {
        self.extend_from_slice(bytes);
        Ok(())
    }
}

impl<const N: usize> Put for heapless::Vec<u8, N> {
    fn put(&mut self, bytes: &[u8]) -> Result<(), Full> {
        self.extend_from_slice(bytes).map_err(|_| Full)
    }
}

/// Bytes on their way out, in a buffer of the caller's.
#[derive(Debug)]
pub struct Out<'b> {
    buffer: &'b mut [u8],
    len: usize,
}

impl<'b> Out<'b> {
    /// An empty one over `buffer`.
    #[must_use]
    pub const fn new(buffer: &'b mut [u8]) -> Self {
        Self { buffer, len: 0 }
    }

    /// Room left, in bytes.
    #[must_use]
    pub const fn free(&self) -> usize {
        self.buffer.len() - self.len
    }

    /// What was put in so far.
    #[must_use]
    pub fn filled(&self) -> &[u8] {
        self.buffer.get(..self.len).unwrap_or_default()
    }
}

impl Put for Out<'_> {
    fn put(&mut self, bytes: &[u8]) -> Result<(), Full> {
        let end = self.len.checked_add(bytes.len()).ok_or(Full)?;
        self.buffer.get_mut(self.len..end).ok_or(Full)?.copy_from_slice(bytes);
        self.len = end;
        Ok(())
    }
}

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";
/// Every byte of a message may become six (`\u0001`), beside the rest of the object.
const ERROR_BYTES: usize = 6 * MESSAGE_BYTES + 40;
const _: () = assert!(ERROR_BYTES + FIELD_BYTES + 300 <= REPLY_BYTES, "a refusal fits");
const _: () = assert!(2 * CANNED_BYTES + FIELD_BYTES + 300 <= REPLY_BYTES, "a prepared answer fits");

/// The body of a refusal, in `out`.
fn error_json<'o>(status: u16, message: &str, out: &'o mut [u8]) -> &'o [u8] {
    #[derive(Serialize)]
    struct Refusal<'m> {
        error: u16,
        message: &'m str,
    }
    let len = serde_json_core::to_slice(&Refusal { error: status, message }, out).unwrap_or(0);
    out.get(..len).unwrap_or_default()
}

/// Takes what fits, on a character boundary, and drops the rest.
struct Cut(heapless::String<MESSAGE_BYTES, u8>);

impl fmt::Write for Cut {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let free = MESSAGE_BYTES - self.0.len();
        let text = text.get(..text.floor_char_boundary(free)).unwrap_or_default();
        self.0.push_str(text).map_err(|_| fmt::Error)
    }
}

/// Appends `name: value CR LF` unless it could change where the message ends.
fn push_field(out: &mut String, name: &str, value: &str) -> Result<(), CannedError> {
    const OURS: [&str; 7] = ["content-length", "transfer-encoding", "connection", "date", "retry-after", "allow", "upgrade"];
    if name.is_empty() || !name.bytes().all(super::is_tchar) || OURS.iter().any(|n| name.eq_ignore_ascii_case(n)) {
        return Err(CannedError::BadName);
    }
    if value.bytes().any(|b| (b < b' ' && b != b'\t') || b == 0x7f) {
        return Err(CannedError::BadValue);
    }
    out.extend([name, ": ", value, "\r\n"]);
    Ok(())
}

/// The reason phrase of `status` (RFC 9110 §15, RFC 6585); empty for codes that have none here.
#[must_use]
pub const fn reason(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        304 => "Not Modified",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        408 => "Request Timeout",
        409 => "Conflict",
        411 => "Length Required",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        417 => "Expectation Failed",
        421 => "Misdirected Request",
        422 => "Unprocessable Content",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        _ => "",
    }
}

/// An IMF-fixdate (RFC 9110 §5.6.7), always 29 bytes; years outside 1970..=9999 are shown as the nearest of them.
#[must_use]
pub fn http_date(at: Timestamp) -> [u8; 29] {
    const LAST: i64 = 253_402_300_799;
    let seconds = at.0.div_euclid(1000).clamp(0, LAST);
    let (days, in_day) = (seconds / 86_400, seconds % 86_400);
    // Days since 0000-03-01, in eras of 400 years; the year begins in March, so that the leap day is its last.
    let z = days + 719_468;
    let (era, of_era) = (z / 146_097, z % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let mut out = *b"Thu, 01 Jan 1970 00:00:00 GMT";
    let two = |n: i64| [digit(n / 10), digit(n)];
    let names = |table: &'static [u8], n: i64| {
        let at = usize::try_from(n * 3).unwrap_or(0);
        table.get(at..at + 3).unwrap_or(b"???")
    };
    out[..3].copy_from_slice(names(b"ThuFriSatSunMonTueWed", days % 7));
    out[5..7].copy_from_slice(&two(day));
    out[8..11].copy_from_slice(names(b"JanFebMarAprMayJunJulAugSepOctNovDec", month - 1));
    out[12..14].copy_from_slice(&two(year / 100));
    out[14..16].copy_from_slice(&two(year % 100));
    out[17..19].copy_from_slice(&two(in_day / 3600));
    out[20..22].copy_from_slice(&two(in_day / 60 % 60));
    out[23..25].copy_from_slice(&two(in_day % 60));
    out
}

fn digit(n: i64) -> u8 {
    b'0' + u8::try_from(n.rem_euclid(10)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(reply: &Reply, style: &Style) -> String {
        let mut out = Vec::new();
        assert_eq!(reply.emit(&mut out, style), Ok(()));
        String::from_utf8_lossy(&out).into_owned()
    }

    const DATE: &str = "\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n";

    #[test]
    fn ok_is_what_ekuiper_says() {
        let want = format!("HTTP/1.1 200 OK{DATE}Content-Type: text/plain; charset=utf-8\r\nContent-Length: 2\r\n\r\nok");
        assert_eq!(text(&Reply::OK, &Style::default()), want);
    }

    #[test]
    fn refusals_are_json() {
        let full = Reply::error_fmt(503, format_args!("stream {}: \"full\"\n", "a")).retry_after(7);
        let body = r#"{"error":503,"message":"stream a: \"full\"\n"}"#;
        let want = format!(
            "HTTP/1.1 503 Service Unavailable{DATE}Content-Type: application/json\r\nContent-Length: {}\r\nRetry-After: 7\r\n\r\n{body}",
            body.len()
        );
        assert_eq!(text(&full, &Style::default()), want);
    }

    #[test]
    fn the_longest_refusal_fits_and_is_cut_on_a_character() {
        for fill in ["\u{1}", "a", "\u{e4}", "\u{20ac}", "\""] {
            let reply = Reply::error(413, &fill.repeat(MESSAGE_BYTES + 5)).retry_after(u16::MAX).closing();
            let reply =
                reply.allow(Methods::from_iter([Method::Get, Method::Post, Method::Put, Method::Delete, Method::Patch, Method::Options]));
            let mut space = [0; REPLY_BYTES];
            let mut out = Out::new(&mut space);
            assert_eq!(reply.emit(&mut out, &Style::default()), Ok(()), "{fill}");
            let body = out.filled().split(|&b| b == b'{').nth(1).unwrap_or_default();
            assert!(body.ends_with(b"\"}"), "{}", body.escape_ascii());
            assert!(serde_json::from_slice::<serde_json::Value>(&[b"{", body].concat()).is_ok());
        }
    }

    #[test]
    fn allow_close_head_and_versions() {
        let not_allowed = Reply::error(405, "method").allow(Methods::NONE.with(Method::Put).with(Method::Post));
        assert!(text(&not_allowed, &Style::default()).contains("\r\nAllow: POST, PUT\r\n"));
        assert!(text(&Reply::empty(405), &Style::default()).contains("\r\nAllow: \r\n"));
        let head = text(&Reply::OK, &Style { head_only: true, ..Style::default() });
        assert!(head.contains("Content-Length: 2\r\n") && head.ends_with("\r\n\r\n"));
        assert!(text(&Reply::OK.closing(), &Style::default()).contains("\r\nConnection: close\r\n"));
        assert!(text(&Reply::OK, &Style { close: true, ..Style::default() }).contains("\r\nConnection: close\r\n"));
        assert!(text(&Reply::OK, &Style { version: Version::Http10, ..Style::default() }).contains("\r\nConnection: keep-alive\r\n"));
        let none = text(&Reply::empty(204), &Style::default());
        assert!(!none.contains("Content-Length") && none.ends_with("\r\n\r\n"));
    }

    #[test]
    fn canned_and_owned_fields_cannot_break_out() {
        let canned = Canned::new("application/json", [("X-Gate", "a b")], b"{}").map(Arc::new);
        let text_of = canned.map(|c| text(&Reply::canned(202, c), &Style::default()));
        assert!(text_of.is_ok_and(|t| t.contains("\r\nX-Gate: a b\r\n\r\n{}")));
        for (name, value, want) in [
            ("X", "a\r\nY: b", CannedError::BadValue),
            ("X", "a\0", CannedError::BadValue),
            ("X:", "a", CannedError::BadName),
            ("", "a", CannedError::BadName),
            ("content-length", "5", CannedError::BadName),
            ("Transfer-Encoding", "chunked", CannedError::BadName),
        ] {
            assert_eq!(Canned::new("a/b", [(name, value)], b""), Err(want), "{name}");
            assert!(!text(&Reply::owned(200, "a/b", "").with(name, value), &Style::default()).contains("Y: b"));
        }
        assert!(Canned::new("a/b", [], &[0; CANNED_BYTES]).is_ok());
        assert_eq!(Canned::new("a/b", [], &[0; CANNED_BYTES + 1]), Err(CannedError::TooLong));
        let moved = Reply::owned(301, "", "").with("Location", "/a?b");
        assert!(text(&moved, &Style::default()).contains("\r\nLocation: /a?b\r\n"));
    }

    #[test]
    fn full_is_said() {
        let need = text(&Reply::OK, &Style::default()).len();
        for room in 0..need {
            let mut space = vec![0; need];
            assert_eq!(Reply::OK.emit(&mut Out::new(&mut space[..room]), &Style::default()), Err(Full));
        }
        assert_eq!(heapless::Vec::<u8, 3>::new().put(b"abcd"), Err(Full));
    }

    #[test]
    fn dates() {
        for (ms, want) in [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (784_111_777_000, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (951_782_400_000, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (951_868_800_999, "Wed, 01 Mar 2000 00:00:00 GMT"),
            (4_107_542_399_000, "Sun, 28 Feb 2100 23:59:59 GMT"),
            (4_107_542_400_000, "Mon, 01 Mar 2100 00:00:00 GMT"),
            (-5, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (i64::MAX, "Fri, 31 Dec 9999 23:59:59 GMT"),
        ] {
            assert_eq!(String::from_utf8_lossy(&http_date(Timestamp(ms))), want);
        }
    }
}
