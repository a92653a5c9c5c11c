//! The client's side: requests out, responses in, without a socket (RFC 9112 §6, §7, §9).
//!
//! [`Request::emit`] writes one request. [`Exchange`] reads its response into a buffer of the caller's: interim responses are
//! skipped, a body that does not fit is cut and said to be. Heads are bounded by [`HEAD_BYTES`]. [`Url`] takes apart what
//! the operator wrote.
//!
//! ```
//! use pushgate::wire::client::{Exchange, Request};
//! let mut out = Vec::new();
//! Request { method: "POST", target: "/a", host: "h:80", fields: &[], body: b"{}" }.emit(&mut out).unwrap();
//! assert!(out.starts_with(b"POST /a HTTP/1.1\r\nHost: h:80\r\n") && out.ends_with(b"\r\nContent-Length: 2\r\n\r\n{}"));
//!
//! let mut buf = [0; 512];
//! let mut exchange = Exchange::new("POST");
//! let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
//! exchange.space(&mut buf)[..answer.len()].copy_from_slice(answer);
//! assert!(exchange.filled(&mut buf, answer.len()).unwrap());
//! let response = exchange.response(&buf);
//! assert_eq!((response.status, response.body, response.keep_alive), (200, &b"ok"[..], true));
//! ```

use core::{fmt, str};

use super::{body::Chunks, is_tchar, list, reply::Full, reply::Put, trim_ows};
use crate::limits::{FIELD_COUNT, HEAD_BYTES};

/// `User-Agent` of every request.
pub const USER_AGENT: &str = concat!("pushgate/", env!("CARGO_PKG_VERSION"));
/// Excess of a response body that is read and thrown away to keep the connection, in bytes.
const EXCESS_BYTES: u64 = 1 << 20;
/// End of the buffer that is only passed through, so that there is always room to read.
const PASS_BYTES: usize = 256;

/// One request.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The method.
    pub method: &'a str,
    /// Path and query, as they are to be sent.
    pub target: &'a str,
    /// `Host`.
    pub host: &'a str,
    /// Further fields; those that delimit the message are left out.
    pub fields: &'a [(&'a str, &'a str)],
    /// The content.
    pub body: &'a [u8],
}

/// Why a request cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmitError {
    /// No room left.
    Full,
    /// The method is no token.
    BadMethod,
    /// The target is empty or holds octets that would end it.
    BadTarget,
    /// A field's name is no token, or its value (or the host) holds control octets.
    BadField,
}

impl From<Full> for EmitError {
    fn from(_: Full) -> Self {
        Self::Full
    }
}

impl fmt::Display for EmitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "request too long",
            Self::BadMethod => "bad method",
            Self::BadTarget => "bad request target",
            Self::BadField => "bad header field",
        })
    }
}

impl core::error::Error for EmitError {}

impl Request<'_> {
    /// Writes head and body.
    ///
    /// # Errors
    /// [`EmitError`] when a part could be read as something else than what it is, or there is no room.
    pub fn emit(&self, out: &mut impl Put) -> Result<(), EmitError> {
        self.emit_head(out)?;
        Ok(out.put(self.body)?)
    }

    /// Writes the head alone, for a caller that sends [`Request::body`] from where it lies.
    ///
    /// # Errors
    /// As [`Request::emit`].
    pub fn emit_head(&self, out: &mut impl Put) -> Result<(), EmitError> {
        if self.method.is_empty() || !self.method.bytes().all(is_tchar) {
            return Err(EmitError::BadMethod);
        }
        if self.target.is_empty() || !self.target.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(EmitError::BadTarget);
        }
        let is = |name: &str, other: &str| name.eq_ignore_ascii_case(other);
        let given = |other: &str| self.fields.iter().any(|(name, _)| is(name, other));
        out.put(self.method.as_bytes())?;
        out.put(b" ")?;
        out.put(self.target.as_bytes())?;
        out.put(b" HTTP/1.1\r\n")?;
        if !given("host") {
            emit_field(out, "Host", self.host)?;
        }
        if !given("user-agent") {
            emit_field(out, "User-Agent", USER_AGENT)?;
        }
        for (name, value) in self.fields {
            if !is(name, "content-length") && !is(name, "transfer-encoding") && !is(name, "connection") && !is(name, "expect") {
                emit_field(out, name, value)?;
            }
        }
        if !self.body.is_empty() || !matches!(self.method, "GET" | "HEAD") {
            emit_field(out, "Content-Length", itoa::Buffer::new().format(self.body.len()))?;
        }
        Ok(out.put(b"\r\n")?)
    }
}

fn emit_field(out: &mut impl Put, name: &str, value: &str) -> Result<(), EmitError> {
    if name.is_empty() || !name.bytes().all(is_tchar) || value.bytes().any(|b| (b < b' ' && b != b'\t') || b == 0x7f) {
        return Err(EmitError::BadField);
    }
    for part in [name, ": ", value, "\r\n"] {
        out.put(part.as_bytes())?;
    }
    Ok(())
}

/// Why there is no response. The connection does not survive it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResponseError {
    /// The peer closed before it sent a single byte: the request may be sent again on a new connection.
    Closed,
    /// The peer closed in the middle of the response.
    Truncated,
    /// The head is no response head, or leaves the length of the body open to doubt.
    BadHead,
    /// The head is longer than the buffer or [`HEAD_BYTES`].
    HeadTooLong,
    /// A chunk is malformed.
    BadChunk,
}

impl fmt::Display for ResponseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "connection closed before an answer",
            Self::Truncated => "connection closed in the middle of the answer",
            Self::BadHead => "the answer is not HTTP",
            Self::HeadTooLong => "the head of the answer is too long",
            Self::BadChunk => "malformed chunk in the answer",
        })
    }
}

impl core::error::Error for ResponseError {}

/// One response being read into a buffer.
#[derive(Debug, Clone, Copy)]
pub struct Exchange {
    phase: Phase,
    head_request: bool,
    /// Bytes of the head; the body follows it in the buffer.
    head: usize,
    /// What is kept of head and body ends here.
    end: usize,
    status: u16,
    keep_alive: bool,
    cut: bool,
    excess: u64,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    Head,
    Length(u64),
    Chunked(Chunks),
    UntilClose,
    Done,
}

/// A whole response.
#[derive(Debug, Clone, Copy)]
pub struct Response<'b> {
    /// Status code.
    pub status: u16,
    /// The content, as far as it was kept.
    pub body: &'b [u8],
    /// The content did not fit the buffer: `body` is its beginning.
    pub cut: bool,
    /// The connection may carry another request.
    pub keep_alive: bool,
    head: &'b [u8],
}

impl<'b> Response<'b> {
    /// The value of the first field called `name` (any case).
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&'b [u8]> {
        self.fields().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// All fields in order.
    pub fn fields(&self) -> impl Iterator<Item = (&'b str, &'b [u8])> + use<'b> {
        let lines = self.head.split(|&b| b == b'\n').skip(1);
        lines.filter_map(|line| {
            let at = line.iter().position(|&b| b == b':')?;
            let value = line.get(at + 1..)?;
            Some((str::from_utf8(line.get(..at)?).ok()?, trim_ows(value.strip_suffix(b"\r").unwrap_or(value))))
        })
    }
}

impl Exchange {
    /// The response to a request with `method` (one to HEAD has no body).
    #[must_use]
    pub fn new(method: &str) -> Self {
        Self { phase: Phase::Head, head_request: method == "HEAD", head: 0, end: 0, status: 0, keep_alive: false, cut: false, excess: 0 }
    }

    /// Where the next bytes go; never empty in a buffer of at least 512 bytes.
    pub fn space<'b>(&self, buf: &'b mut [u8]) -> &'b mut [u8] {
        buf.get_mut(self.end..).unwrap_or_default()
    }

    /// True when nothing of the response has come.
    #[must_use]
    pub const fn is_untouched(&self) -> bool {
        matches!(self.phase, Phase::Head) && self.end == 0
    }

    /// `n` bytes were read into [`Exchange::space`], 0 when the peer has closed. True once the response is complete.
    ///
    /// # Errors
    /// [`ResponseError`].
    pub fn filled(&mut self, buf: &mut [u8], n: usize) -> Result<bool, ResponseError> {
        if n == 0 {
            return match self.phase {
                Phase::Done => Ok(true),
                Phase::UntilClose => {
                    self.phase = Phase::Done;
                    Ok(true)
                }
                Phase::Head if self.end == 0 => Err(ResponseError::Closed),
                _ => Err(ResponseError::Truncated),
            };
        }
        let mut fresh = self.end;
        self.end += n;
        while let Phase::Head = self.phase {
            if !self.parse_head(buf)? {
                return if self.end >= buf.len().min(HEAD_BYTES) { Err(ResponseError::HeadTooLong) } else { Ok(false) };
            }
            fresh = self.head;
        }
        let came = self.end - fresh;
        let extra = match &mut self.phase {
            Phase::Length(left) => {
                let taken = came.min(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= u64::try_from(taken).unwrap_or(*left);
                self.end = fresh + taken;
                if *left == 0 {
                    self.phase = Phase::Done;
                }
                came - taken
            }
            Phase::Chunked(chunks) => {
                let raw = buf.get_mut(self.head..self.end).unwrap_or_default();
                let progress = chunks.decode(raw, fresh - self.head, usize::MAX).map_err(|_| ResponseError::BadChunk)?;
                let extra = raw.len() - progress.read;
                self.end = self.head + progress.written;
                if progress.done {
                    self.phase = Phase::Done;
                }
                extra
            }
            Phase::Done => came,
            Phase::Head | Phase::UntilClose => 0,
        };
        // What a server sends behind its answer belongs to no request of ours.
        self.keep_alive &= extra == 0;
        if let Phase::Done = self.phase
            && matches!(self.status, 204 | 304)
        {
            self.end = self.head;
        }
        let keep = buf.len() - PASS_BYTES;
        if self.end > keep {
            self.excess += u64::try_from(self.end - keep).unwrap_or(0);
            self.end = keep;
            self.cut = true;
            if self.excess > EXCESS_BYTES {
                self.keep_alive = false;
                self.phase = Phase::Done;
            }
        }
        Ok(matches!(self.phase, Phase::Done))
    }

    /// The response, once [`Exchange::filled`] said that it is complete.
    #[must_use]
    pub fn response<'b>(&self, buf: &'b [u8]) -> Response<'b> {
        Response {
            status: self.status,
            body: buf.get(self.head..self.end).unwrap_or_default(),
            cut: self.cut,
            keep_alive: self.keep_alive,
            head: buf.get(..self.head).unwrap_or_default(),
        }
    }

    /// Reads a head from the front of `buf`; false while it is incomplete. An interim one is removed, and the phase stays.
    fn parse_head(&mut self, buf: &mut [u8]) -> Result<bool, ResponseError> {
        let bytes = buf.get(..self.end).unwrap_or_default();
        let mut space = [const { core::mem::MaybeUninit::uninit() }; FIELD_COUNT];
        let mut response = httparse::Response::new(&mut []);
        let parsed = httparse::ParserConfig::default().parse_response_with_uninit_headers(&mut response, bytes, &mut space);
        let len = match parsed {
            Ok(httparse::Status::Complete(len)) => len,
            Ok(httparse::Status::Partial) => return Ok(false),
            Err(httparse::Error::TooManyHeaders) => return Err(ResponseError::HeadTooLong),
            Err(_) => return Err(ResponseError::BadHead),
        };
        let (Some(status), Some(version)) = (response.code, response.version) else { return Err(ResponseError::BadHead) };
        if len > HEAD_BYTES || len + PASS_BYTES > buf.len() {
            return Err(ResponseError::HeadTooLong);
        }
        match status {
            100 | 102..=199 => {
                buf.copy_within(len..self.end, 0);
                self.end -= len;
                return Ok(self.end > 0);
            }
            200..=999 => {}
            _ => return Err(ResponseError::BadHead),
        }
        let (mut close, mut keep, mut coded, mut chunked) = (false, false, false, false);
        let mut length = None;
        for header in response.headers.iter() {
            let value = trim_ows(header.value);
            if header.name.eq_ignore_ascii_case("connection") {
                close |= list(value).any(|option| option.eq_ignore_ascii_case(b"close"));
                keep |= list(value).any(|option| option.eq_ignore_ascii_case(b"keep-alive"));
            } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
                coded = true;
                chunked = list(value).last().is_some_and(|coding| coding.eq_ignore_ascii_case(b"chunked"));
            } else if header.name.eq_ignore_ascii_case("content-length") {
                let digits = value.iter().all(u8::is_ascii_digit);
                let value = str::from_utf8(value).ok().filter(|_| digits).and_then(|text| text.parse().ok());
                let value: u64 = value.ok_or(ResponseError::BadHead)?;
                if length.replace(value).is_some_and(|before| before != value) {
                    return Err(ResponseError::BadHead);
                }
            }
        }
        self.status = status;
        self.head = len;
        self.keep_alive = !close && (keep || version == 1);
        // 204 has neither length nor coding (RFC 9110 §8.6): a server that says otherwise may send content that belongs to no request.
        self.keep_alive &= status != 204 || (!coded && length.is_none_or(|length| length == 0));
        // RFC 9112 §6.3, in its order.
        self.phase = if self.head_request || matches!(status, 204 | 304) {
            Phase::Done
        } else if coded {
            // A length beside a coding is a server's mistake or an attack: the coding counts, the connection ends.
            self.keep_alive &= length.is_none();
            if chunked { Phase::Chunked(Chunks::default()) } else { Phase::UntilClose }
        } else {
            match length {
                Some(0) => Phase::Done,
                Some(length) => Phase::Length(length),
                None => Phase::UntilClose,
            }
        };
        if let Phase::UntilClose = self.phase {
            self.keep_alive = false;
        }
        Ok(true)
    }
}

/// An `http:` or `https:` URL, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Url<'u> {
    /// The scheme is `https`.
    pub https: bool,
    /// `host[:port]` as written: what `Host` says.
    pub authority: &'u str,
    /// The host without the brackets of an IPv6 address.
    pub host: &'u str,
    /// The port, 80 or 443 when none is written.
    pub port: u16,
    /// Path and query as written, without fragment; may lack the leading slash (`http://h?x`), see [`Url::target`].
    pub path_and_query: &'u str,
}

/// Why a URL cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UrlError {
    /// Neither `http://` nor `https://`.
    Scheme,
    /// No host, or user information, or octets that no host has.
    Host,
    /// The port is no number in 1..=65535.
    Port,
    /// White space or control octets.
    Octet,
}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheme => "expected http:// or https://",
            Self::Host => "expected a host after ://",
            Self::Port => "expected a port in 1..65535",
            Self::Octet => "white space, control or non-ASCII octets in the URL",
        })
    }
}

impl core::error::Error for UrlError {}

impl<'u> Url<'u> {
    /// Takes `url` apart.
    ///
    /// # Errors
    /// [`UrlError`].
    pub fn parse(url: &'u str) -> Result<Self, UrlError> {
        if !url.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(UrlError::Octet);
        }
        let (scheme, rest) = url.split_once("://").ok_or(UrlError::Scheme)?;
        let https = scheme.eq_ignore_ascii_case("https");
        if !https && !scheme.eq_ignore_ascii_case("http") {
            return Err(UrlError::Scheme);
        }
        let rest = rest.split('#').next().unwrap_or_default();
        let (authority, path_and_query) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let (host, port) = match authority.strip_prefix('[') {
            Some(bracketed) => bracketed.split_once(']').ok_or(UrlError::Host)?,
            None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
        };
        if host.is_empty() || host.contains(['@', '[', ']', '\\']) || authority.contains('@') {
            return Err(UrlError::Host);
        }
        let port = match port.strip_prefix(':') {
            None if port.is_empty() => {
                if https {
                    443
                } else {
                    80
                }
            }
            None => return Err(UrlError::Host),
            Some("") => {
                if https {
                    443
                } else {
                    80
                }
            }
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => digits.parse().ok().filter(|p| *p > 0).ok_or(UrlError::Port)?,
            Some(_) => return Err(UrlError::Port),
        };
        Ok(Self { https, authority, host, port, path_and_query })
    }

    /// The request target: a slash, and what follows it.
    #[must_use]
    pub fn target(&self) -> String {
        let slash = if self.path_and_query.starts_with('/') { "" } else { "/" };
        format!("{slash}{}", self.path_and_query)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Status, body, cut, keep-alive; the same whole and byte by byte. The peer closes at the end.
    fn read(method: &str, raw: &[u8], room: usize) -> Result<(u16, Vec<u8>, bool, bool), ResponseError> {
        let run = |piece: usize| {
            let mut buf = vec![0; room];
            let mut exchange = Exchange::new(method);
            let mut rest = raw;
            loop {
                let space = exchange.space(&mut buf);
                let n = rest.len().min(space.len()).min(piece);
                space[..n].copy_from_slice(&rest[..n]);
                rest = &rest[n..];
                if exchange.filled(&mut buf, n)? {
                    let response = exchange.response(&buf);
                    return Ok((response.status, response.body.to_vec(), response.cut, response.keep_alive));
                }
            }
        };
        let (whole, bytewise) = (run(usize::MAX), run(1));
        let text = |r: &Result<(u16, Vec<u8>, bool, bool), ResponseError>| r.clone().map(|(status, body, cut, _)| (status, body, cut));
        assert_eq!(text(&whole), text(&bytewise), "{}", raw.escape_ascii());
        whole
    }

    #[test]
    fn rfc9112_6_3_bodies() {
        for (method, raw, status, body, keep) in [
            ("GET", &b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"[..], 200, &b"ok"[..], true),
            ("GET", b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", 200, b"", true),
            ("GET", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok?", 200, b"ok", false),
            ("GET", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok", 200, b"ok", true),
            ("GET", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a\r\nok\r\n1\r\n!\r\n0\r\nA: b\r\n\r\n", 200, b"ok!", true),
            ("GET", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 9\r\n\r\n1\r\nx\r\n0\r\n\r\n", 200, b"x", false),
            ("GET", b"HTTP/1.1 200 OK\r\n\r\nuntil close", 200, b"until close", false),
            ("GET", b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", 200, b"x", false),
            ("GET", b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx", 200, b"x", true),
            ("GET", b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx", 200, b"x", false),
            ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", 200, b"", true),
            ("POST", b"HTTP/1.1 204 No Content\r\n\r\n", 204, b"", true),
            ("POST", b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", 204, b"", true),
            ("POST", b"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n", 204, b"", false),
            ("POST", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", 304, b"", true),
            (
                "POST",
                b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nA: b\r\n\r\nHTTP/1.1 503 No\r\nContent-Length: 1\r\n\r\nx",
                503,
                b"x",
                true,
            ),
        ] {
            assert_eq!(read(method, raw, 512), Ok((status, body.to_vec(), false, keep)), "{}", raw.escape_ascii());
        }
    }

    #[test]
    fn refusals() {
        for (raw, want) in [
            (&b""[..], ResponseError::Closed),
            (b"HTTP/1.1 200 OK\r\n", ResponseError::Truncated),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok", ResponseError::Truncated),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok", ResponseError::Truncated),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", ResponseError::BadChunk),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n", ResponseError::BadHead),
            (b"HTTP/1.1 200 OK\r\nContent-Length: -3\r\n\r\n", ResponseError::BadHead),
            (b"HTTP/1.1 101 Switching\r\n\r\n", ResponseError::BadHead),
            (b"SSH-2.0-OpenSSH\r\n", ResponseError::BadHead),
        ] {
            assert_eq!(read("GET", raw, 512), Err(want), "{}", raw.escape_ascii());
        }
        let long = [b"HTTP/1.1 200 OK\r\nA: ", "b".repeat(600).as_bytes(), b"\r\n\r\n"].concat();
        assert_eq!(read("GET", &long, 512), Err(ResponseError::HeadTooLong));
    }

    #[test]
    fn a_body_that_does_not_fit_is_cut() {
        for head in ["Content-Length: 2000\r\n", "", "Transfer-Encoding: chunked\r\n"] {
            let body = if head.starts_with('T') { format!("7d0\r\n{}\r\n0\r\n\r\n", "x".repeat(2000)) } else { "x".repeat(2000) };
            let raw = format!("HTTP/1.1 200 OK\r\n{head}\r\n{body}");
            let kept = read("GET", raw.as_bytes(), 1024).map(|(status, body, cut, keep)| (status, body.len(), cut, keep));
            let room = 1024 - PASS_BYTES - "HTTP/1.1 200 OK\r\n\r\n".len() - head.len();
            assert_eq!(kept, Ok((200, room, true, !head.is_empty())), "{head}");
        }
        let long = [&b"HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n"[..], &[b'x'; 9_999_999]].concat();
        assert!(read("GET", &long, 9000).is_ok_and(|(.., cut, keep)| cut && !keep));
    }

    #[test]
    fn fields_of_a_response() {
        let raw = b"HTTP/1.1 429 Slow\r\nRetry-After:  7 \r\nX:\r\nContent-Length: 0\r\n\r\n";
        let mut buf = [0; 512];
        let mut exchange = Exchange::new("POST");
        exchange.space(&mut buf)[..raw.len()].copy_from_slice(raw);
        assert_eq!(exchange.filled(&mut buf, raw.len()), Ok(true));
        let response = exchange.response(&buf);
        assert_eq!((response.field("retry-after"), response.field("x"), response.fields().count()), (Some(&b"7"[..]), Some(&b""[..]), 3));
    }

    #[test]
    fn requests() {
        let fields = [("X-A", "1"), ("content-length", "9"), ("Transfer-Encoding", "chunked")];
        let request = Request { method: "PUT", target: "/a?b", host: "h", fields: &fields, body: b"xyz" };
        let mut out = Vec::new();
        assert_eq!(request.emit(&mut out), Ok(()));
        let want = format!("PUT /a?b HTTP/1.1\r\nHost: h\r\nUser-Agent: {USER_AGENT}\r\nX-A: 1\r\nContent-Length: 3\r\n\r\nxyz");
        assert_eq!(String::from_utf8_lossy(&out), want);

        out.clear();
        let fields = [("host", "other"), ("user-agent", "me")];
        assert_eq!(Request { method: "GET", fields: &fields, body: b"", ..request }.emit(&mut out), Ok(()));
        assert_eq!(String::from_utf8_lossy(&out), "GET /a?b HTTP/1.1\r\nhost: other\r\nuser-agent: me\r\n\r\n");

        for (bad, want) in [
            (Request { method: "P T", ..request }, EmitError::BadMethod),
            (Request { target: "/a b", ..request }, EmitError::BadTarget),
            (Request { target: "/a\r\nX: y", ..request }, EmitError::BadTarget),
            (Request { target: "", ..request }, EmitError::BadTarget),
            (Request { host: "h\r\nX: y", ..request }, EmitError::BadField),
            (Request { fields: &[("X", "a\nb")], ..request }, EmitError::BadField),
            (Request { fields: &[("X Y", "a")], ..request }, EmitError::BadField),
        ] {
            assert_eq!(bad.emit(&mut Vec::new()), Err(want));
        }
        assert_eq!(request.emit(&mut super::super::reply::Out::new(&mut [0; 20])), Err(EmitError::Full));
    }

    #[test]
    fn urls() {
        let parts = |url| Url::parse(url).map(|u| (u.https, u.authority, u.host, u.port, u.target()));
        assert_eq!(parts("http://h/a?b#c"), Ok((false, "h", "h", 80, "/a?b".into())));
        assert_eq!(parts("HTTPS://h:8443"), Ok((true, "h:8443", "h", 8443, "/".into())));
        assert_eq!(parts("https://[::1]:1?x"), Ok((true, "[::1]:1", "::1", 1, "/?x".into())));
        for (url, want) in [
            ("h/a", UrlError::Scheme),
            ("ftp://h", UrlError::Scheme),
            ("http:///a", UrlError::Host),
            ("http://u:p@h/", UrlError::Host),
            ("http://[::1", UrlError::Host),
            ("http://[::1]x", UrlError::Host),
            ("http://h:0", UrlError::Port),
            ("http://h:65536", UrlError::Port),
            ("http://h:a", UrlError::Port),
            ("http://h/a b", UrlError::Octet),
        ] {
            assert_eq!(parts(url), Err(want), "{url}");
        }
    }
}
