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

use super::{
    framing::{self, Framing, FramingError},
    is_tchar, list,
    reply::Reply,
    trim_ows,
};
use crate::limits::{FIELD_COUNT, HEAD_BYTES, TARGET_BYTES};

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

    /// The path as it was written, percent-encoding and all; `*` for `OPTIONS *`.
    #[must_use]
    pub fn raw_path(&self) -> &'b str {
        if self.info.path.len == 0 { "/" } else { self.text(self.info.path) }
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
        self.fields().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// How many fields are called `name` (any case). A credential given twice is no credential.
    #[must_use]
    pub fn field_count(&self, name: &str) -> usize {
        self.fields().filter(|(n, _)| n.eq_ignore_ascii_case(name)).count()
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
        for (name, value) in self.fields(bytes) {
            if name.eq_ignore_ascii_case("host") {
                if host.replace(value).is_some() {
                    return Err(HeadError::RepeatedHost);
                }
            } else if name.eq_ignore_ascii_case("expect") && self.version == Version::Http11 {
                if !value.eq_ignore_ascii_case(b"100-continue") {
                    return Err(HeadError::UnknownExpectation);
                }
                expect_continue = true;
            } else if name.eq_ignore_ascii_case("connection") {
                for option in list(value) {
                    close |= option.eq_ignore_ascii_case(b"close");
                    keep |= option.eq_ignore_ascii_case(b"keep-alive");
                }
            }
        }
        self.framing = framing::decide(self.version, self.fields(bytes)).map_err(HeadError::Framing)?;
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
        if !path.iter().all(|&b| is_path_octet(b)) {
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
}

/// Finds the end of a head in bytes that arrive piece by piece. Each byte is looked at once, so a client that sends one byte
/// at a time costs no more than any other. Where it stops does not depend on the pieces.
#[derive(Debug, Clone, Copy, Default)]
pub struct Scan {
    /// Bytes looked at so far.
    at: u16,
    /// Where the current line begins.
    line: u16,
    /// Complete lines so far.
    lines: u16,
}

impl Scan {
    /// Looks at the rest of `bytes`, which start with the head's first byte; gives the head's length once it is complete.
    ///
    /// # Errors
    /// [`HeadError`] at the first line that is too long, too many, or ends in a bare LF.
    pub fn advance(&mut self, bytes: &[u8]) -> Result<Option<usize>, HeadError> {
        if self.lines == 0 {
            check_method(bytes)?;
        }
        loop {
            let at = usize::from(self.at);
            // A CR or LF here, or at the earliest where bytes are still missing: the line ends behind it, or further on.
            let cr = find_line_end(bytes.get(at..).unwrap_or_default()).map_or(bytes.len(), |found| at + found);
            let end = cr + 2;
            if self.lines == 0 && end > TARGET_BYTES + LINE_SLACK {
                return Err(HeadError::TargetTooLong);
            }
            if end > HEAD_BYTES {
                return Err(HeadError::TooLong);
            }
            match bytes.get(cr..) {
                None | Some([] | [b'\r']) => {
                    self.at = u16::try_from(cr).map_err(|_| HeadError::TooLong)?;
                    return Ok(None);
                }
                Some([b'\r', b'\n', ..]) => {}
                Some(_) => return Err(HeadError::BareLf),
            }
            if cr == usize::from(self.line) {
                return Ok(Some(end));
            }
            // Told at once: who speaks HTTP/0.9 or HTTP/2 sends no more lines to wait for.
            if self.lines == 0 {
                request_line(bytes.get(..cr).unwrap_or_default())?;
            }
            self.lines += 1;
            if usize::from(self.lines) > FIELD_COUNT + 1 {
                return Err(HeadError::TooManyFields);
            }
            self.at = u16::try_from(end).map_err(|_| HeadError::TooLong)?;
            self.line = self.at;
        }
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

/// The longest method that is looked at, and what else stands on a request line beside the target.
const METHOD_BYTES: usize = 32;
const LINE_SLACK: usize = 64;

/// The request line must begin with a token and a space: what is no HTTP at all (a TLS hello, say) is told at once.
fn check_method(bytes: &[u8]) -> Result<(), HeadError> {
    for (i, &b) in bytes.iter().take(METHOD_BYTES).enumerate() {
        if b == b' ' && i > 0 {
            return Ok(());
        }
        if !is_tchar(b) {
            return Err(HeadError::BadRequestLine);
        }
    }
    // Longer than any method there is (RFC 9112 §3).
    if bytes.len() < METHOD_BYTES { Ok(()) } else { Err(HeadError::UnsupportedMethod) }
}

/// Position of the first CR or LF, a word at a time.
fn find_line_end(bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    let mut at = 0;
    let (words, _) = bytes.as_chunks::<8>();
    for word in words {
        let (lf, cr) = (u64::from_le_bytes(*word) ^ (ONES * b'\n' as u64), u64::from_le_bytes(*word) ^ (ONES * b'\r' as u64));
        // Exact for the lowest byte that is zero, which is the one that counts.
        let hit = ((lf.wrapping_sub(ONES) & !lf) | (cr.wrapping_sub(ONES) & !cr)) & HIGHS;
        if hit != 0 {
            return Some(at + hit.trailing_zeros() as usize / 8);
        }
        at += 8;
    }
    bytes.get(at..)?.iter().position(|&b| b == b'\n' || b == b'\r').map(|i| at + i)
}

/// `method SP request-target SP HTTP-version` without its CR LF, judged by shape alone; gives the digit of the minor version.
/// A major version that is not ours is told from what is no version at all.
fn request_line(line: &[u8]) -> Result<u8, HeadError> {
    let mut parts = line.split(|&b| b == b' ');
    let (Some([_, ..]), Some([_, ..]), Some(version), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return Err(HeadError::BadRequestLine);
    };
    match version.strip_prefix(b"HTTP/") {
        Some([b'1', b'.', minor @ b'0'..=b'9']) => Ok(*minor),
        Some([b'0' | b'2'..=b'9', b'.', b'0'..=b'9'] | [b'2'..=b'9']) => Err(HeadError::UnsupportedVersion),
        _ => Err(HeadError::BadRequestLine),
    }
}

/// What follows `http://` or `https://`.
fn after_scheme(target: &[u8]) -> Option<&[u8]> {
    let at = target.iter().position(|&b| b == b':')?;
    let (scheme, rest) = target.split_at(at);
    if !scheme.eq_ignore_ascii_case(b"http") && !scheme.eq_ignore_ascii_case(b"https") {
        return None;
    }
    rest.strip_prefix(b"://")
}

/// `uri-host [":" port]` (RFC 9110 §7.2); empty is allowed, user information is not.
fn is_host(host: &[u8]) -> bool {
    let (name, port) = match host {
        [b'[', rest @ ..] => {
            let Some(end) = rest.iter().position(|&b| b == b']') else { return false };
            let (address, after) = rest.split_at(end);
            if !str::from_utf8(address).is_ok_and(|text| text.parse::<core::net::Ipv6Addr>().is_ok()) {
                return false;
            }
            (&[][..], after.get(1..).unwrap_or_default())
        }
        _ => host.split_at(host.iter().position(|&b| b == b':').unwrap_or(host.len())),
    };
    let name_ok = |b: &u8| b.is_ascii_alphanumeric() || b"-._~%!$&'()*+;=".contains(b);
    let port_ok = match port {
        [] | [b':'] => true,
        [b':', digits @ ..] => {
            digits.iter().all(u8::is_ascii_digit) && str::from_utf8(digits).is_ok_and(|text| text.parse::<u16>().is_ok())
        }
        _ => false,
    };
    name.iter().all(name_ok) && percent_decode(name, &mut []).is_some() && port_ok
}

/// `pchar` and the slash (RFC 3986 §3.3).
const fn is_path_octet(b: u8) -> bool {
    b.is_ascii_alphanumeric()
        || matches!(
            b,
            b'/' | b'-'
                | b'.'
                | b'_'
                | b'~'
                | b'%'
                | b'!'
                | b'$'
                | b'&'
                | b'\''
                | b'('
                | b')'
                | b'*'
                | b'+'
                | b','
                | b';'
                | b'='
                | b':'
                | b'@'
        )
}

/// Resolves percent-encoding into `out`; the length, or `None` at a `%` without two hex digits. What does not fit is cut.
fn percent_decode(raw: &[u8], out: &mut [u8]) -> Option<usize> {
    let mut len = 0;
    let mut rest = raw;
    while let [first, tail @ ..] = rest {
        let (b, tail) = match (first, tail) {
            (b'%', [high, low, tail @ ..]) => (hex(*high)? << 4 | hex(*low)?, tail),
            (b'%', _) => return None,
            _ => (*first, tail),
        };
        if let Some(place) = out.get_mut(len) {
            *place = b;
            len += 1;
        }
        rest = tail;
    }
    Some(len)
}

/// The value of a hex digit.
pub(crate) const fn hex(b: u8) -> Option<u8> {
    match b {
        b'0'..=b'9' => Some(b - b'0'),
        b'a'..=b'f' => Some(b - b'a' + 10),
        b'A'..=b'F' => Some(b - b'A' + 10),
        _ => None,
    }
}

/// `.`, `..` or an empty segment; the last segment may be empty.
fn has_dot_segments(path: &[u8]) -> bool {
    let path = path.strip_prefix(b"/").unwrap_or(path);
    let mut start = 0;
    loop {
        let rest = path.get(start..).unwrap_or_default();
        let end = rest.iter().position(|&b| b == b'/');
        let segment = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
        match (segment, end) {
            (b"." | b"..", _) | (b"", Some(_)) => return true,
            (_, Some(end)) => start += end + 1,
            (_, None) => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The error, or a short description of the head; the same for the whole input and for every split of it.
    fn read(bytes: &[u8]) -> Result<Option<String>, HeadError> {
        let mut info = HeadInfo::default();
        let whole = info.read(bytes).map(|head| head.map(|head| describe(&head)));
        let mut scan = Scan::default();
        let mut bytewise = Ok(None);
        for end in 1..=bytes.len() {
            match scan.advance(&bytes[..end]) {
                Ok(None) => continue,
                Ok(Some(len)) => bytewise = info.parse(&bytes[..len]).map(|()| Some(describe(&info.view(bytes)))),
                Err(error) => bytewise = Err(error),
            }
            break;
        }
        assert_eq!(whole, bytewise, "{}", bytes.escape_ascii());
        whole
    }

    fn describe(head: &Head<'_>) -> String {
        format!("{} {} {:?} {:?} keep={}", head.method_text(), head.raw_path(), head.query(), head.framing(), head.keep_alive())
    }

    fn refused(bytes: &[u8], want: HeadError) {
        assert_eq!(read(bytes), Err(want), "{}", bytes.escape_ascii());
    }

    fn taken(bytes: &[u8]) -> String {
        match read(bytes) {
            Ok(Some(text)) => text,
            other => panic!("{}: {other:?}", bytes.escape_ascii()),
        }
    }

    #[test]
    fn plain() {
        assert_eq!(taken(b"POST /a?b=c HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n"), "POST /a Some(\"b=c\") Length(3) keep=true");
        assert_eq!(taken(b"GET / HTTP/1.0\r\n\r\n"), "GET / None Empty keep=false");
        assert_eq!(taken(b"GET /? HTTP/1.1\r\nhost:\r\n\r\n"), "GET / Some(\"\") Empty keep=true");
        assert_eq!(read(b"GET / HTTP/1.1\r\nHost: x\r\n"), Ok(None));
        assert_eq!(read(b""), Ok(None));
    }

    #[test]
    fn rfc9112_2_2_lines() {
        refused(b"GET / HTTP/1.1\nHost: x\n\n", HeadError::BareLf);
        refused(b"GET / HTTP/1.1\r\nHost: x\n\r\n", HeadError::BareLf);
        refused(b"GET / HTTP/1.1\r\nHost: x\r\n\n", HeadError::BareLf);
        refused(b"GET / HTTP/1.1\r\nHost: x\r\nA: b\rc\r\n\r\n", HeadError::BareLf);
        refused(b"GET / HTTP/1.1\r\nHost: x\r\nA: b\r\r\n\r\n", HeadError::BareLf);
        refused(b"GET / HTTP/1.1\r\r\nHost: x\r\n\r\n", HeadError::BareLf);
        refused(b"GET / HTTP/1.1\rHost: x\r\r", HeadError::BareLf);
    }

    #[test]
    fn rfc9112_3_request_line() {
        for line in ["GET", "GET /", "GET / ", "GET  / HTTP/1.1", "GET /  HTTP/1.1", "GET\t/ HTTP/1.1", " GET / HTTP/1.1"] {
            refused(format!("{line}\r\nHost: x\r\n\r\n").as_bytes(), HeadError::BadRequestLine);
        }
        for line in ["GET / http/1.1", "GET / HTTP1.1", "GET / HTTP/", "GET / HTTPS/1.1", "GET / /a b HTTP/1.1"] {
            refused(format!("{line}\r\nHost: x\r\n\r\n").as_bytes(), HeadError::BadRequestLine);
        }
        refused(b"GET / HTTP/1.1 \r\nHost: x\r\n\r\n", HeadError::BadRequestLine);
        // HTTP/0.9 sends nothing more, so it is told at once.
        refused(b"GET /\r\n", HeadError::BadRequestLine);
        refused(b"\x16\x03\x01\x02\x00\x01", HeadError::BadRequestLine);
        refused(b"G(T / HTTP/1.1\r\n", HeadError::BadRequestLine);
        refused(&[b'A'; 32], HeadError::UnsupportedMethod);
        assert_eq!(read(&[b'A'; 31]), Ok(None));
    }

    #[test]
    fn rfc9112_2_3_versions() {
        for version in ["HTTP/0.9", "HTTP/2.0", "HTTP/2", "HTTP/3.0", "HTTP/2.1"] {
            refused(format!("GET / {version}\r\nHost: x\r\n\r\n").as_bytes(), HeadError::UnsupportedVersion);
            refused(format!("GET / {version}\r\n").as_bytes(), HeadError::UnsupportedVersion);
        }
        for version in ["HTTP/11.1", "HTTP/1", "HTTP/1.", "HTTP/1.10", "HTTP/01.1", "HTTP/1.1.1", "HTTP/1.a", "HTTP/-1.1"] {
            refused(format!("GET / {version}\r\nHost: x\r\n\r\n").as_bytes(), HeadError::BadRequestLine);
        }
        // RFC 9110 §2.5: a later minor version means what ours does.
        assert_eq!(taken(b"PUT /a%62?c HTTP/1.9\r\nHost: x\r\nContent-Length: 3\r\n\r\n"), "PUT /a%62 Some(\"c\") Length(3) keep=true");
        refused(b"GET / HTTP/1.2\r\n\r\n", HeadError::MissingHost);
        refused(b"GET / HTTP/1.2\r\nHost : x\r\n\r\n", HeadError::BadField);
        refused(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", HeadError::UnsupportedVersion);
        assert_eq!(HeadError::UnsupportedVersion.status(), 505);
    }

    #[test]
    fn rfc9112_5_fields() {
        for field in [
            "A : b",
            "A\t: b",
            ": b",
            "A",
            "A b: c",
            " A: b",
            "\tA: b",
            "A: b\0c",
            "A: b\x01",
            "A: b\x7f",
            "A\0: b",
            "A: \x0b",
            "\u{e4}: b",
        ] {
            refused(format!("GET / HTTP/1.1\r\nHost: x\r\n{field}\r\n\r\n").as_bytes(), HeadError::BadField);
        }
        refused(b"GET / HTTP/1.1\r\n Host: x\r\n\r\n", HeadError::BadField);
        refused(b"GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n", HeadError::BadField);
        refused(b"GET / HTTP/1.1\r\nHost: x\r\nA:\r\n\tc\r\n\r\n", HeadError::BadField);
        taken("GET / HTTP/1.1\r\nHost: x\r\nA: \t b\tc \u{e4} \t\r\nB:\r\n\r\n".as_bytes());
        let bytes = b"GET / HTTP/1.1\r\nHost:  x \r\nA: \t b\tc \t\r\na: 2\r\n\r\n";
        let mut info = HeadInfo::default();
        let head = info.read(bytes).ok().flatten().map(|h| (h.host(), h.field("a"), h.field_count("A"), h.field("zz"), h.fields().count()));
        assert_eq!(head, Some(("x", Some(&b"b\tc"[..]), 2, None, 3)));
    }

    #[test]
    fn rfc9112_3_2_host() {
        refused(b"GET / HTTP/1.1\r\n\r\n", HeadError::MissingHost);
        refused(b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", HeadError::RepeatedHost);
        refused(b"GET / HTTP/1.0\r\nHost: a\r\nhost: b\r\n\r\n", HeadError::RepeatedHost);
        refused(b"GET http://a/ HTTP/1.1\r\n\r\n", HeadError::MissingHost);
        for host in ["", "a", "a:80", "a:", "a:65535", "a%41", "[::1]", "[::1]:80", "[::ffff:1.2.3.4]", "1.2.3.4:10081", "a_b-c.d"] {
            taken(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes());
        }
        for host in [
            "a b",
            "a,b",
            "a/b",
            "u@a",
            "a:b",
            "a:80:80",
            "[::1",
            "[]",
            "[::1]x",
            "a:123456",
            "a:65536",
            "[:::1]",
            "[::zz]",
            "[1.2.3.4]",
            "a%zz",
            "a#",
            "a?b",
            "\u{e4}",
            "a\\b",
            "<a>",
        ] {
            refused(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes(), HeadError::BadHost);
        }
    }

    #[test]
    fn rfc9112_3_2_target_forms() {
        let with = |line: &str| format!("{line} HTTP/1.1\r\nHost: x\r\n\r\n");
        assert_eq!(taken(with("GET http://h:81/p/q?r").as_bytes()), "GET /p/q Some(\"r\") Empty keep=true");
        assert_eq!(taken(with("GET HTTPS://h").as_bytes()), "GET / None Empty keep=true");
        assert_eq!(taken(with("GET http://h?r").as_bytes()), "GET / Some(\"r\") Empty keep=true");
        assert_eq!(taken(with("OPTIONS *").as_bytes()), "OPTIONS * None Empty keep=true");
        for target in [
            "*",
            "a",
            "a/b",
            "h:80",
            "http:/a",
            "http://",
            "http:///a",
            "ftp://h/",
            "http://u@h/",
            "?a",
            "/a#b",
            "/a?b#c",
            "/a\\b",
            "/a\"b",
            "/<a>",
            "/a|b",
            "/{a}",
            "/a^b",
            "/`",
        ] {
            refused(with(&format!("GET {target}")).as_bytes(), HeadError::BadTarget);
        }
        refused(with("POST *").as_bytes(), HeadError::BadTarget);
        refused(with("GET /\u{e4}").as_bytes(), HeadError::BadTarget);
        refused(with("GET /a?\u{e4}").as_bytes(), HeadError::BadTarget);
        refused(with("GET /a\0b").as_bytes(), HeadError::BadRequestLine);
        refused(with("GET /a\x7fb").as_bytes(), HeadError::BadRequestLine);
        refused(with("CONNECT h:80").as_bytes(), HeadError::UnsupportedMethod);
        taken(with("GET /a?b={\"c\":[1|2]}").as_bytes());
        let bytes = b"GET http://H:81/ HTTP/1.1\r\nHost: x\r\n\r\n";
        assert_eq!(HeadInfo::default().read(bytes).ok().flatten().map(|head| head.host().to_owned()), Some("H:81".to_owned()));
    }

    #[test]
    fn rfc3986_2_1_percent_encoding() {
        let path = |raw: &str| {
            let bytes = format!("GET {raw} HTTP/1.1\r\nHost: x\r\n\r\n");
            let mut info = HeadInfo::default();
            info.read(bytes.as_bytes()).map(|head| head.map(|head| (head.path(&mut [0; TARGET_BYTES]).to_owned(), head.has_dot_segments())))
        };
        for (raw, want, dotted) in [
            ("/%61", "/a", false),
            ("/%41", "/A", false),
            ("/a%2Fb", "/a/b", false),
            ("/a%2fb", "/a/b", false),
            ("/%25", "/%", false),
            ("/%2525", "/%25", false),
            ("/a+b", "/a+b", false),
            ("/%C3%A4", "/\u{e4}", false),
            ("/a/", "/a/", false),
            ("/", "/", false),
            ("/a.b/..c/.d", "/a.b/..c/.d", false),
            ("/./a", "/./a", true),
            ("/a/..", "/a/..", true),
            ("/a/../b", "/a/../b", true),
            ("//a", "//a", true),
            ("/a//b", "/a//b", true),
            ("//", "//", true),
            ("/%2e%2E/a", "/../a", true),
            ("/a/%2e", "/a/.", true),
            ("/a%2F%2Fb", "/a//b", true),
            ("/a%2f..%2fb", "/a/../b", true),
        ] {
            assert_eq!(path(raw), Ok(Some((want.to_owned(), dotted))), "{raw}");
        }
        for raw in ["/%", "/%4", "/%4g", "/%g4", "/a%", "/%%41", "/%00", "/a%00b", "/%ff", "/%c3", "/%ed%a0%80"] {
            assert_eq!(path(raw), Err(HeadError::BadPercent), "{raw}");
        }
    }

    #[test]
    fn limits_at_and_one_past() {
        let target = |n: usize| format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(n - 1));
        taken(target(TARGET_BYTES).as_bytes());
        refused(target(TARGET_BYTES + 1).as_bytes(), HeadError::TargetTooLong);
        refused(target(TARGET_BYTES + 200).as_bytes(), HeadError::TargetTooLong);
        refused(&target(TARGET_BYTES + 200).as_bytes()[..TARGET_BYTES + LINE_SLACK + 1], HeadError::TargetTooLong);

        let fields = |n: usize| format!("GET / HTTP/1.1\r\nHost: x\r\n{}\r\n", "A: b\r\n".repeat(n - 1));
        taken(fields(FIELD_COUNT).as_bytes());
        refused(fields(FIELD_COUNT + 1).as_bytes(), HeadError::TooManyFields);

        let head = |n: usize| {
            let bare = "GET / HTTP/1.1\r\nHost: x\r\nA: \r\n\r\n".len();
            format!("GET / HTTP/1.1\r\nHost: x\r\nA: {}\r\n\r\n", "b".repeat(n - bare))
        };
        taken(head(HEAD_BYTES).as_bytes());
        refused(head(HEAD_BYTES + 1).as_bytes(), HeadError::TooLong);
        refused(head(HEAD_BYTES + 100).as_bytes(), HeadError::TooLong);
        for (error, status) in
            [(HeadError::TargetTooLong, 414), (HeadError::TooManyFields, 431), (HeadError::TooLong, 431), (HeadError::BareLf, 400)]
        {
            assert_eq!(error.status(), status);
        }
    }

    #[test]
    fn rfc9112_9_3_persistence() {
        let with = |version: &str, connection: &str| {
            taken(format!("GET / HTTP/{version}\r\nHost: x\r\n{connection}\r\n").as_bytes()).ends_with("keep=true")
        };
        assert!(with("1.1", ""));
        assert!(!with("1.1", "Connection: close\r\n"));
        assert!(!with("1.1", "Connection: upgrade, CLOSE\r\n"));
        assert!(!with("1.1", "Connection: keep-alive\r\nConnection: close\r\n"));
        assert!(with("1.1", "Connection: closed\r\n"));
        assert!(!with("1.0", ""));
        assert!(with("1.0", "Connection: Keep-Alive\r\n"));
        assert!(!with("1.0", "Connection: keep-alive, close\r\n"));
    }

    #[test]
    fn rfc9110_10_1_1_expect() {
        let expect = |text: &str| HeadInfo::default().read(text.as_bytes()).map(|head| head.is_some_and(|head| head.expect_continue()));
        assert_eq!(expect("PUT / HTTP/1.1\r\nHost: x\r\nExpect: 100-Continue\r\nContent-Length: 1\r\n\r\n"), Ok(true));
        assert_eq!(expect("PUT / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n"), Ok(true));
        assert_eq!(expect("PUT / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n"), Ok(false));
        assert_eq!(expect("PUT / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n\r\n"), Ok(false));
        assert_eq!(expect("PUT / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n"), Ok(false));
        assert_eq!(expect("PUT / HTTP/1.0\r\nExpect: x\r\nContent-Length: 1\r\n\r\n"), Ok(false));
        assert_eq!(expect("PUT / HTTP/1.1\r\nHost: x\r\nExpect: 200-ok\r\n\r\n"), Err(HeadError::UnknownExpectation));
        assert_eq!(expect("PUT / HTTP/1.1\r\nHost: x\r\nExpect:\r\n\r\n"), Err(HeadError::UnknownExpectation));
        assert_eq!(HeadError::UnknownExpectation.status(), 417);
    }

    #[test]
    fn the_view_survives_a_move_of_the_bytes() {
        let bytes = b"PUT /x%20y?q HTTP/1.1\r\nHost: h\r\nX-A: 1\r\n\r\n".to_vec();
        let mut info = HeadInfo::default();
        assert!(matches!(info.read(&bytes), Ok(Some(_))));
        let moved = [bytes.as_slice(), b"more"].concat();
        drop(bytes);
        let head = info.view(&moved);
        assert_eq!((head.path(&mut [0; 9]), head.query(), head.field("x-a")), ("/x y", Some("q"), Some(&b"1"[..])));
    }

    #[test]
    fn line_ends_are_found_at_every_place() {
        for len in 0..40 {
            for at in 0..len {
                let mut bytes = vec![0x8a; len];
                for b in [b'\n', b'\r'] {
                    bytes[at] = b;
                    assert_eq!(find_line_end(&bytes), Some(at));
                }
            }
            assert_eq!(find_line_end(&vec![0x0b; len]), None);
            assert_eq!(find_line_end(&vec![0x0e; len]), None);
        }
    }
}
