//! A request head: found, judged once, then a view that nobody has to judge again (RFC 9112 §2 to §5).
//!
//! [`Scan`] finds the end of the head while bytes arrive, looking at each byte once, and stops at the first line that cannot
//! be part of one. [`HeadInfo::parse`] then judges the whole head with httparse for the octets and our own rules for the
//! rest. A [`HeadInfo`] holds offsets only, so the bytes may move; [`HeadInfo::view`] puts both together again.
//! Limits: [`HEAD_BYTES`], [`FIELD_COUNT`], [`TARGET_BYTES`].
//!
//! ```
//! use pushgate::wire::{Framing, HeadInfo, Method};
//! let bytes = b"POST /dev/%61?x=1 HTTP/1.1\r\nHost: gw\r\nContent-Length: 2\r\n\r\n{}";
//! let mut info = HeadInfo::default();
//! let head = info.read(bytes).unwrap().unwrap();
//! assert_eq!((head.method(), head.framing()), (Method::Post, Framing::Length(2)));
//! assert_eq!(head.path(&mut [0; 64]), "/dev/a");
//! assert_eq!(&bytes[head.len()..], b"{}");
//! ```

use core::{fmt, mem::MaybeUninit, str};

use scan::{LINE_SLACK, request_line};
use target::{PATH_OCTETS, after_scheme, has_dot_segments, is_host, percent_decode};

use super::{
    framing::{self, Framing, FramingError},
    is_tchar, list,
    reply::Reply,
    trim_ows,
};
use crate::limits::{FIELD_COUNT, HEAD_BYTES, TARGET_BYTES};

mod scan;
mod target;

pub use scan::Scan;
pub(crate) use target::hex;

const _: () = assert!(HEAD_BYTES < u16::MAX as usize, "offsets within a head are u16");
const _: () = assert!(TARGET_BYTES + LINE_SLACK <= HEAD_BYTES, "the longest target must fit a head");

/// Request methods. Anything else is [`Method::Other`]; its text is in [`Head::method_text`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Method {
    Get,
    Head,
    Post,
    Put,
    Delete,
    Patch,
    Options,
    Other,
}

impl Method {
    /// The method spelled `text` (case-sensitive, RFC 9110 §9.1).
    #[must_use]
    pub fn of(text: &str) -> Self {
        match text {
            "GET" => Self::Get,
            "HEAD" => Self::Head,
            "POST" => Self::Post,
            "PUT" => Self::Put,
            "DELETE" => Self::Delete,
            "PATCH" => Self::Patch,
            "OPTIONS" => Self::Options,
            _ => Self::Other,
        }
    }

    /// The method as it is written in a request; `Other` has no text of its own.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
            Self::Patch => "PATCH",
            Self::Options => "OPTIONS",
            Self::Other => "",
        }
    }
}

/// The HTTP versions that are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Version {
    Http10,
    Http11,
}

/// Why a request head is refused. The connection does not survive any of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeadError {
    /// A line that does not end in CR LF: one of the two stands alone.
    BareLf,
    /// Not `method SP target SP version`.
    BadRequestLine,
    /// More than a few empty lines before the request line.
    BlankLines,
    /// A field line that is not `name: value`: space before the colon, folding, control octets.
    BadField,
    /// Neither HTTP/1.1 nor HTTP/1.0.
    UnsupportedVersion,
    /// A method that is never served here (CONNECT).
    UnsupportedMethod,
    /// A target in none of the forms of RFC 9112 §3.2, or with an octet no URI has.
    BadTarget,
    /// A `%` in the path without two hex digits, an encoded NUL, or a path that is not UTF-8 once decoded.
    BadPercent,
    /// A path with `.`, `..` or empty segments, on a port that does not redirect them.
    DotSegment,
    /// The target is longer than [`TARGET_BYTES`].
    TargetTooLong,
    /// The head is longer than [`HEAD_BYTES`].
    TooLong,
    /// More than [`FIELD_COUNT`] fields.
    TooManyFields,
    /// HTTP/1.1 without Host.
    MissingHost,
    /// Host more than once.
    RepeatedHost,
    /// Host is no `host[:port]`.
    BadHost,
    /// An expectation other than `100-continue`.
    UnknownExpectation,
    /// The length of the body cannot be known.
    Framing(FramingError),
}

impl HeadError {
    /// The sentence shown to the client.
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self {
            Self::BareLf => "a line of the head does not end in CR LF (RFC 9112 section 2.2)",
            Self::BadRequestLine => "the request line is not: method target HTTP-version (RFC 9112 section 3)",
            Self::BlankLines => "empty lines before the request line (RFC 9112 section 2.2)",
            Self::BadField => "a field line is not: name: value (RFC 9112 section 5)",
            Self::UnsupportedVersion => "HTTP version not supported, HTTP/1.1 and HTTP/1.0 are (RFC 9112 section 2.3)",
            Self::UnsupportedMethod => "method not implemented (RFC 9110 section 9.1)",
            Self::BadTarget => "the request target is in none of the allowed forms (RFC 9112 section 3.2)",
            Self::BadPercent => "the path has a bad percent-encoding (RFC 3986 section 2.1)",
            Self::DotSegment => "the path has a dot segment or an empty segment (RFC 3986 section 3.3)",
            Self::TargetTooLong => "the request target is longer than TARGET_BYTES",
            Self::TooLong => "the request head is longer than HEAD_BYTES",
            Self::TooManyFields => "the request has more header fields than FIELD_COUNT",
            Self::MissingHost => "Host is missing (RFC 9112 section 3.2)",
            Self::RepeatedHost => "Host more than once (RFC 9112 section 3.2)",
            Self::BadHost => "Host is not host[:port] (RFC 9112 section 3.2)",
            Self::UnknownExpectation => "the only expectation met is 100-continue (RFC 9110 section 10.1.1)",
            Self::Framing(error) => error.message(),
        }
    }

    /// The status of the refusal.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::TargetTooLong => 414,
            Self::UnknownExpectation => 417,
            Self::TooLong | Self::TooManyFields => 431,
            Self::UnsupportedMethod => 501,
            Self::UnsupportedVersion => 505,
            Self::Framing(error) => error.status(),
            _ => 400,
        }
    }

    /// The refusal; it closes the connection.
    #[must_use]
    pub fn reply(self) -> Reply {
        Reply::error(self.status(), self.message()).closing()
    }
}

impl fmt::Display for HeadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl core::error::Error for HeadError {}

/// A judged request head over the bytes it came in.
#[derive(Debug, Clone, Copy)]
pub struct Head<'b> {
    bytes: &'b [u8],
    info: &'b HeadInfo,
}

impl<'b> Head<'b> {
    /// Length of the head in bytes, the empty line included.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a head is never empty")]
    pub const fn len(&self) -> usize {
        self.info.len as usize
    }

    /// The method.
    #[must_use]
    pub const fn method(&self) -> Method {
        self.info.method
    }

    /// The method as it was written.
    #[must_use]
    pub fn method_text(&self) -> &'b str {
        self.text(self.info.method_text)
    }

    /// The request target as it was written.
    #[must_use]
    pub fn target(&self) -> &'b str {
        self.text(self.info.target)
    }

    /// The path as it was written, percent-encoding and all; `*` for `OPTIONS *`, and for an absolute target without a path, which the
    /// last proxy on the way makes of it (RFC 9112 §3.2.4).
    #[must_use]
    pub fn raw_path(&self) -> &'b str {
        match self.info {
            HeadInfo { path: Span { len: 0, .. }, method: Method::Options, query: None, .. } => "*",
            HeadInfo { path: Span { len: 0, .. }, .. } => "/",
            info => self.text(info.path),
        }
    }

    /// The path with its percent-encoding resolved, which is what routes match; an encoded slash is a slash. At most as
    /// long as the raw path, so [`TARGET_BYTES`] of `out` always do; a shorter `out` cuts the path.
    #[must_use]
    pub fn path<'o>(&self, out: &'o mut [u8]) -> &'o str
    where
        'b: 'o,
    {
        let raw = self.raw_path();
        if !self.info.encoded {
            return raw;
        }
        let len = percent_decode(raw.as_bytes(), out).unwrap_or(0);
        str::from_utf8(out.get(..len).unwrap_or_default()).unwrap_or_default()
    }

    /// What follows the `?`, as it was written.
    #[must_use]
    pub fn query(&self) -> Option<&'b str> {
        self.info.query.map(|span| self.text(span))
    }

    /// True when the path, once decoded, has `.`, `..` or empty segments (a trailing slash makes none).
    #[must_use]
    pub const fn has_dot_segments(&self) -> bool {
        self.info.dotted
    }

    /// The version.
    #[must_use]
    pub const fn version(&self) -> Version {
        self.info.version
    }

    /// How the body is delimited.
    #[must_use]
    pub const fn framing(&self) -> Framing {
        self.info.framing
    }

    /// The client waits for `100 Continue` before it sends the body.
    #[must_use]
    pub const fn expect_continue(&self) -> bool {
        self.info.expect_continue
    }

    /// The client wants the connection to stay open.
    #[must_use]
    pub const fn keep_alive(&self) -> bool {
        self.info.keep_alive
    }

    /// The authority asked for: of an absolute target, else of Host, `host[:port]`; empty when HTTP/1.0 gave none.
    #[must_use]
    pub fn host(&self) -> &'b str {
        self.text(self.info.host)
    }

    /// The value of the first field called `name` (any case).
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&'b [u8]> {
        self.values(name).next()
    }

    /// The values of the fields called `name` (any case), in order.
    pub fn values(&self, name: &str) -> impl Iterator<Item = &'b [u8]> {
        let Self { bytes, info } = *self;
        info.octets(bytes).filter(move |(n, _)| n.eq_ignore_ascii_case(name.as_bytes())).map(|(_, value)| value)
    }

    /// How many fields are called `name` (any case). A credential given twice is no credential.
    #[must_use]
    pub fn field_count(&self, name: &str) -> usize {
        self.values(name).count()
    }

    /// All fields in order, values without the white space around them.
    pub fn fields(&self) -> impl Iterator<Item = (&'b str, &'b [u8])> + use<'b> {
        let Self { bytes, info } = *self;
        info.fields(bytes)
    }

    fn text(&self, span: Span) -> &'b str {
        span.text(self.bytes)
    }
}

/// Everything known about a head, as offsets from its first byte.
#[derive(Debug, Clone)]
pub struct HeadInfo {
    method: Method,
    version: Version,
    framing: Framing,
    keep_alive: bool,
    expect_continue: bool,
    encoded: bool,
    dotted: bool,
    len: u16,
    method_text: Span,
    target: Span,
    path: Span,
    query: Option<Span>,
    host: Span,
    fields: heapless::Vec<(Span, Span), FIELD_COUNT, u16>,
}

impl Default for HeadInfo {
    fn default() -> Self {
        Self {
            method: Method::Other,
            version: Version::Http11,
            framing: Framing::Empty,
            keep_alive: false,
            expect_continue: false,
            encoded: false,
            dotted: false,
            len: 0,
            method_text: Span::default(),
            target: Span::default(),
            path: Span::default(),
            query: None,
            host: Span::default(),
            fields: heapless::Vec::new(),
        }
    }
}

impl HeadInfo {
    /// Reads a head from the start of `bytes`; `None` while it is not complete.
    ///
    /// # Errors
    /// [`HeadError`] as soon as the bytes cannot become a head that is served.
    pub fn read<'b>(&'b mut self, bytes: &'b [u8]) -> Result<Option<Head<'b>>, HeadError> {
        let Some(len) = Scan::default().advance(bytes)? else { return Ok(None) };
        self.parse(bytes.get(..len).unwrap_or_default())?;
        Ok(Some(self.view(bytes)))
    }

    /// The view over `bytes`, which must start with the head that was parsed.
    #[must_use]
    pub const fn view<'b>(&'b self, bytes: &'b [u8]) -> Head<'b> {
        Head { bytes, info: self }
    }

    /// Judges `bytes`, exactly one complete head as [`Scan`] delimits it.
    ///
    /// # Errors
    /// [`HeadError`].
    pub fn parse(&mut self, bytes: &[u8]) -> Result<(), HeadError> {
        let mut space = [const { MaybeUninit::uninit() }; FIELD_COUNT];
        let mut request = httparse::Request::new(&mut []);
        match request.parse_with_uninit_headers(bytes, &mut space) {
            Ok(httparse::Status::Complete(n)) if n == bytes.len() => {}
            Ok(_) => return Err(HeadError::BadField),
            Err(httparse::Error::Version) => {
                let line = bytes.split(|&b| b == b'\r').next().unwrap_or_default();
                let at = line.len().saturating_sub(1);
                return match (request_line(line)?, bytes.len() <= HEAD_BYTES) {
                    // A later minor version is read as the latest we know (RFC 9110 §2.5), which httparse does not do.
                    (b'2'..=b'9', true) => {
                        let mut copy = [0; HEAD_BYTES];
                        copy[..bytes.len()].copy_from_slice(bytes);
                        copy[at] = b'1';
                        self.parse(&copy[..bytes.len()])
                    }
                    _ => Err(HeadError::BadRequestLine),
                };
            }
            Err(httparse::Error::TooManyHeaders) => return Err(HeadError::TooManyFields),
            Err(httparse::Error::HeaderName | httparse::Error::HeaderValue | httparse::Error::NewLine) => return Err(HeadError::BadField),
            Err(httparse::Error::Token | httparse::Error::Status) => return Err(HeadError::BadRequestLine),
        }
        let (Some(method), Some(target), Some(version)) = (request.method, request.path, request.version) else {
            return Err(HeadError::BadRequestLine);
        };
        if target.len() > TARGET_BYTES {
            return Err(HeadError::TargetTooLong);
        }
        self.len = u16::try_from(bytes.len()).map_err(|_| HeadError::TooLong)?;
        self.method = Method::of(method);
        self.method_text = Span::of(bytes, method.as_bytes());
        self.version = if version == 0 { Version::Http10 } else { Version::Http11 };
        self.fields.clear();
        for header in request.headers.iter() {
            let name = Span::of(bytes, header.name.as_bytes());
            let value = Span::of(bytes, trim_ows(header.value));
            self.fields.push((name, value)).map_err(|_| HeadError::TooManyFields)?;
        }
        self.judge_fields(bytes)?;
        self.judge_target(bytes, target)
    }

    fn judge_fields(&mut self, bytes: &[u8]) -> Result<(), HeadError> {
        let mut host = None;
        let mut close = false;
        let mut keep = false;
        let mut expect_continue = false;
        for (name, value) in self.octets(bytes) {
            if name.eq_ignore_ascii_case(b"host") {
                if host.replace(value).is_some() {
                    return Err(HeadError::RepeatedHost);
                }
            } else if name.eq_ignore_ascii_case(b"expect") && self.version == Version::Http11 {
                if !list(value).all(|expectation| expectation.eq_ignore_ascii_case(b"100-continue")) {
                    return Err(HeadError::UnknownExpectation);
                }
                expect_continue = true;
            } else if name.eq_ignore_ascii_case(b"connection") {
                for option in list(value) {
                    close |= option.eq_ignore_ascii_case(b"close");
                    keep |= option.eq_ignore_ascii_case(b"keep-alive");
                }
            }
        }
        self.framing = framing::decide(self.version, self.octets(bytes)).map_err(HeadError::Framing)?;
        self.expect_continue = expect_continue && !matches!(self.framing, Framing::Empty | Framing::Length(0));
        self.keep_alive = !close && (keep || self.version == Version::Http11);
        match host {
            Some(host) if is_host(host) => self.host = Span::of(bytes, host),
            Some(_) => return Err(HeadError::BadHost),
            None if self.version == Version::Http11 => return Err(HeadError::MissingHost),
            None => self.host = Span::default(),
        }
        Ok(())
    }

    /// RFC 9112 §3.2: origin-form, absolute-form, and `*` for OPTIONS; authority-form belongs to CONNECT alone.
    fn judge_target(&mut self, bytes: &[u8], target: &str) -> Result<(), HeadError> {
        self.target = Span::of(bytes, target.as_bytes());
        (self.encoded, self.dotted, self.query) = (false, false, None);
        if self.method_text.text(bytes) == "CONNECT" {
            return Err(HeadError::UnsupportedMethod);
        }
        if target == "*" {
            self.path = self.target;
            return if self.method == Method::Options { Ok(()) } else { Err(HeadError::BadTarget) };
        }
        let mut rest = target.as_bytes();
        if rest.first() != Some(&b'/') {
            let after = after_scheme(rest).ok_or(HeadError::BadTarget)?;
            let end = after.iter().position(|b| matches!(b, b'/' | b'?')).unwrap_or(after.len());
            let (authority, path) = after.split_at(end);
            if authority.is_empty() || !is_host(authority) {
                return Err(HeadError::BadTarget);
            }
            self.host = Span::of(bytes, authority);
            rest = path;
        }
        let (path, query) = match rest.iter().position(|&b| b == b'?') {
            Some(at) => (rest.get(..at).unwrap_or_default(), rest.get(at + 1..)),
            None => (rest, None),
        };
        self.path = Span::of(bytes, path);
        self.query = query.map(|query| Span::of(bytes, query));
        if query.is_some_and(|query| query.iter().any(|b| !b.is_ascii_graphic() || *b == b'#')) {
            return Err(HeadError::BadTarget);
        }
        if !path.iter().all(|&b| PATH_OCTETS[usize::from(b)]) {
            return Err(HeadError::BadTarget);
        }
        self.encoded = path.contains(&b'%');
        if self.encoded {
            let mut space = [0; TARGET_BYTES];
            let len = percent_decode(path, &mut space).ok_or(HeadError::BadPercent)?;
            let decoded = space.get(..len).unwrap_or_default();
            if decoded.contains(&0) || str::from_utf8(decoded).is_err() {
                return Err(HeadError::BadPercent);
            }
            self.dotted = has_dot_segments(decoded);
        } else {
            self.dotted = has_dot_segments(path);
        }
        Ok(())
    }

    fn fields<'i, 'b>(&'i self, bytes: &'b [u8]) -> impl Iterator<Item = (&'b str, &'b [u8])> + use<'i, 'b> {
        self.fields.iter().map(|(name, value)| (name.text(bytes), value.bytes(bytes)))
    }

    /// [`HeadInfo::fields`] with names that nobody reads as text.
    fn octets<'i, 'b>(&'i self, bytes: &'b [u8]) -> impl Iterator<Item = (&'b [u8], &'b [u8])> + use<'i, 'b> {
        self.fields.iter().map(|(name, value)| (name.bytes(bytes), value.bytes(bytes)))
    }
}

/// A stretch of the head.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Span {
    start: u16,
    len: u16,
}

impl Span {
    /// Where `part` lies in `bytes`, of which it is a piece.
    fn of(bytes: &[u8], part: &[u8]) -> Self {
        let start = (part.as_ptr() as usize).wrapping_sub(bytes.as_ptr() as usize);
        match (u16::try_from(start), u16::try_from(part.len())) {
            (Ok(start), Ok(len)) => Self { start, len },
            _ => Self::default(),
        }
    }

    fn bytes(self, bytes: &[u8]) -> &[u8] {
        let start = usize::from(self.start);
        bytes.get(start..start + usize::from(self.len)).unwrap_or_default()
    }

    fn text(self, bytes: &[u8]) -> &str {
        str::from_utf8(self.bytes(bytes)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
