//! The rest sink (facts §8.2): which requests a payload becomes, and what an answer says.
//!
//! * Done is 2xx. What can heal is tried again: no answer at all, 408, 425, 429 (after its `Retry-After`) and 5xx.
//!   Everything else ends the payload, counted.
//! * 301, 302 and 303 are followed with GET and without content, 307 and 308 as they came, at most [`REDIRECTS_MAX`] times.
//! * Configured headers go with every message; one that names the content's type replaces the one of `bodyType`.
//! * With `oauth` the headers are filled from a token: see [`oauth`](super::oauth).
//! * A templated url may not touch scheme or authority.

use core::net::IpAddr;
use core::time::Duration;
use std::sync::Arc;

use super::common::{Common, Compression};
use super::multipart::Multipart;
use super::oauth::OAuth;
use super::outbox::Texts;
use super::props::Props;
use super::words::{Dynamic, Place, Word};
use super::{SinkEnv, TlsClient};
use crate::encode::Format;
use crate::json::scan;
use crate::json::write::{Full, Out};
use crate::wire::client::{Url, UrlError};

/// Redirects followed for one payload.
pub const REDIRECTS_MAX: usize = 10;
/// Header fields of one request.
pub const FIELDS_MAX: usize = 32;

const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];
/// `bodyType` and the Content-Type it stands for.
const BODY_TYPES: [(&str, &str); 9] = [
    ("none", ""),
    ("text", "text/plain"),
    ("json", "application/json"),
    ("html", "text/html"),
    ("xml", "application/xml"),
    ("javascript", "application/javascript"),
    ("form", "application/x-www-form-urlencoded;param=value"),
    ("binary", ""),
    ("formdata", ""),
];

/// The rest sink's own properties.
pub(super) struct Rest {
    method: &'static str,
    url: Word,
    timeout: Duration,
    /// Fields sent with every message, in order.
    fields: Vec<(String, Word)>,
    has_body: bool,
    /// `responseType: body`, looked at together with `debugResp` as eKuiper does.
    judge_body: bool,
    debug: bool,
    tls: Option<TlsClient>,
    private_net: bool,
    oauth: Option<Arc<OAuth>>,
}

impl core::fmt::Debug for Rest {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Rest").field("method", &self.method).field("url", &self.url).finish_non_exhaustive()
    }
}

/// One request, lent.
#[derive(Clone, Copy)]
pub struct RestRequest<'p> {
    rest: &'p Rest,
    texts: Texts<'p>,
}

impl core::fmt::Debug for RestRequest<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("RestRequest").field("method", &self.method()).field("url", &self.url()).finish()
    }
}

impl<'p> RestRequest<'p> {
    /// The method, in capitals.
    #[must_use]
    pub const fn method(&self) -> &'static str {
        self.rest.method
    }

    /// The url as configured, or as the message's template gave it; see [`write_url`].
    #[must_use]
    pub fn url(&self) -> &'p str {
        self.rest.url.get(self.texts)
    }

    /// Time for the whole exchange; zero is no bound.
    #[must_use]
    pub const fn timeout(&self) -> Duration {
        self.rest.timeout
    }

    /// The fields to send besides those of every request; at most [`FIELDS_MAX`].
    pub fn fields(&self) -> impl Iterator<Item = (&'p str, &'p str)> {
        let (rest, texts) = (self.rest, self.texts);
        rest.fields.iter().map(move |(name, value)| (name.as_str(), value.get(texts)))
    }

    /// Whether the payload is sent as content.
    #[must_use]
    pub const fn has_body(&self) -> bool {
        self.rest.has_body
    }

    /// Whether the answer's content matters, or is logged.
    #[must_use]
    pub const fn wants_body(&self) -> bool {
        self.rest.debug
    }

    /// The TLS client that was loaded when the rule was created.
    #[must_use]
    pub const fn tls(&self) -> Option<&'p TlsClient> {
        self.rest.tls.as_ref()
    }

    /// Whether `ip` may be connected to.
    #[must_use]
    pub fn may_reach(&self, ip: IpAddr) -> bool {
        self.rest.private_net || !is_internal(ip)
    }
}

/// What it takes to ask for tokens, for whoever does it.
#[derive(Clone)]
pub struct Tokens {
    /// Where they come from and go to.
    pub oauth: Arc<OAuth>,
    /// Time for one exchange; zero is no bound.
    pub timeout: Duration,
    /// The TLS client that was loaded when the rule was created.
    pub tls: Option<TlsClient>,
    /// Whether private addresses may be connected to.
    pub private_net: bool,
}

impl core::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Tokens").field("oauth", &self.oauth).finish_non_exhaustive()
    }
}

/// What an answer means for its payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Judgement {
    Delivered,
    /// The status to show, which may heal.
    Heals(i64),
    /// The status, or the code in the content, that ends the payload.
    Refused(i64),
}

impl Rest {
    /// Reads and checks. `seed` makes the multipart boundary.
    ///
    /// # Errors
    /// A sentence that names the property.
    pub(super) fn read(props: &mut Props<'_>, dynamics: &mut Vec<Dynamic>, env: &SinkEnv<'_>) -> Result<(Self, Option<Multipart>), String> {
        let url = text(props, "url")?.unwrap_or("http://localhost");
        if url.is_empty() {
            return Err("url is required".into());
        }
        let method = text(props, "method")?.unwrap_or("GET");
        let method = METHODS
            .into_iter()
            .find(|m| m.eq_ignore_ascii_case(method))
            .ok_or_else(|| format!("Not supported HTTP method {method}, expected one of {}.", METHODS.join(", ")))?;
        let timeout = props.duration("timeout")?.unwrap_or(Duration::from_secs(5));
        let body_type = match text(props, "bodyType")?.unwrap_or("") {
            "" if method == "GET" => "none",
            "" => "json",
            given => given,
        };
        let (body_type, content_type) = BODY_TYPES
            .into_iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(body_type))
            .ok_or_else(|| format!("Invalid body type value {body_type}."))?;
        let response = text(props, "responseType")?.unwrap_or("code");
        if !matches!(response, "code" | "body") {
            return Err(format!("Invalid response type value {response}."));
        }
        let format = text(props, "format")?.filter(|f| !f.is_empty()).unwrap_or("json");
        for (kind, needed) in [("json", Format::Json), ("form", Format::Urlencoded)] {
            if body_type == kind && Format::parse(format).is_some_and(|f| f != needed) {
                return Err(format!("format must be {} if bodyType is {kind}", needed.name()));
            }
        }
        let https = check_url(url)?;
        // Of pulling, which shares these properties in eKuiper.
        props.flag("incremental").map_err(|e| format!("fail to parse the properties: {e}"))?;
        for unused in ["body", "decompression"] {
            props.get(unused);
        }
        let url = Word::new(url, Place::Url, dynamics)?;
        let headers = props.text_map("headers")?;
        let oauth = OAuth::read(props, &headers)?.map(Arc::new);
        let mut fields = Vec::new();
        for (name, value) in headers {
            if !is_token(&name) || value.contains(['\r', '\n', '\0']) {
                return Err(format!("headers: {name} is no header field"));
            }
            // With a token they are filled from it, not from the rows.
            let word = if oauth.is_some() { Word::plain(value) } else { Word::new(&value, Place::Header, dynamics)? };
            fields.push((name, word));
        }
        let file_field = text(props, "fileFieldName")?.unwrap_or("");
        let form = props.text_map("formData")?;
        let multipart = if body_type == "formdata" {
            let form: Result<Vec<_>, String> =
                form.into_iter().map(|(name, value)| Ok((name, Word::new(&value, Place::Form, dynamics)?))).collect();
            Some(Multipart::new(&format!("{}_{}", env.rule, env.action), file_field, form?))
        } else {
            None
        };
        let content_type = multipart.as_ref().map_or_else(|| content_type.to_owned(), Multipart::content_type);
        let given = |fields: &[(String, Word)], name: &str| fields.iter().any(|(n, _)| n.eq_ignore_ascii_case(name));
        if body_type != "none" && !given(&fields, "content-type") {
            fields.insert(0, ("Content-Type".into(), Word::plain(content_type)));
        }
        let coding = match Compression::parse(text(props, "compression")?.unwrap_or("")) {
            Ok(Some(Compression::Gzip)) => Some("gzip"),
            Ok(Some(Compression::Zstd)) => Some("zstd"),
            _ => None,
        };
        if let Some(coding) = coding {
            fields.retain(|(name, _)| !name.eq_ignore_ascii_case("content-encoding"));
            fields.push(("Content-Encoding".into(), Word::plain(coding)));
        }
        if fields.len() > FIELDS_MAX {
            return Err(format!("headers: at most {FIELDS_MAX} are sent"));
        }
        let tls = super::tls::read(props, https || oauth.as_ref().is_some_and(|o| o.is_https()), true, env)?;
        let debug = props.flag("debugResp")?.unwrap_or(false);
        let rest = Self {
            method,
            url,
            timeout,
            fields,
            has_body: body_type != "none",
            judge_body: response == "body" && debug,
            debug,
            tls,
            private_net: env.private_net,
            oauth,
        };
        Ok((rest, multipart))
    }

    /// Sets what is only known with the common properties.
    ///
    /// # Errors
    /// A combination that cannot work.
    pub(super) fn check(&self, common: &Common) -> Result<(), String> {
        if self.method == "GET" && self.has_body && common.compression.is_some() {
            return Err("compression needs a method that carries content".into());
        }
        Ok(())
    }

    /// Time for one exchange, the TLS client, whether private addresses may be reached, and where tokens come from.
    pub(super) fn tokens(&self) -> Option<Tokens> {
        let oauth = Arc::clone(self.oauth.as_ref()?);
        Some(Tokens { oauth, timeout: self.timeout, tls: self.tls.clone(), private_net: self.private_net })
    }

    pub(super) const fn request<'p>(&'p self, texts: Texts<'p>) -> RestRequest<'p> {
        RestRequest { rest: self, texts }
    }

    /// What an answer means.
    pub(super) fn judge(&self, status: u16, body: &[u8]) -> Judgement {
        match status {
            200..=299 if self.judge_body => match code_in(body) {
                Some(code) if !(200..=299).contains(&code) => Judgement::Refused(code),
                _ => Judgement::Delivered,
            },
            200..=299 => Judgement::Delivered,
            408 | 425 | 429 | 500..=599 => Judgement::Heals(status.into()),
            _ => Judgement::Refused(status.into()),
        }
    }
}

/// How a redirect is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redirect<'l> {
    /// It is none.
    No,
    /// GET what the location names, without content.
    Get(&'l str),
    /// The same request to what the location names.
    Same(&'l str),
    /// It says not where to.
    Lost,
}

/// What an answer's status and `Location` ask for (RFC 9110 §15.4).
#[must_use]
pub fn redirect(status: u16, location: Option<&[u8]>) -> Redirect<'_> {
    let location = location.and_then(|l| core::str::from_utf8(l).ok()).map(str::trim).filter(|l| !l.is_empty());
    match (status, location) {
        (301..=303, Some(location)) => Redirect::Get(location),
        (307 | 308, Some(location)) => Redirect::Same(location),
        (301..=303, None) => Redirect::Lost,
        _ => Redirect::No,
    }
}

/// The url that `location` means, seen from `base` (RFC 3986 §5.2, without dot segments).
#[must_use]
pub fn resolve(base: &str, location: &str) -> String {
    if location.contains("://") {
        return location.to_owned();
    }
    let scheme_end = base.find("://").map_or(0, |at| at + 3);
    if let Some(rest) = location.strip_prefix("//") {
        return format!("{}{rest}", &base[..scheme_end]);
    }
    let authority_end = base[scheme_end..].find(['/', '?', '#']).map_or(base.len(), |at| scheme_end + at);
    if location.starts_with('/') {
        return format!("{}{location}", &base[..authority_end]);
    }
    let path_end = base[authority_end..].find(['?', '#']).map_or(base.len(), |at| authority_end + at);
    if location.starts_with('?') {
        return format!("{}{location}", &base[..path_end]);
    }
    match base[authority_end..path_end].rfind('/') {
        Some(slash) => format!("{}{location}", &base[..=authority_end + slash]),
        None => format!("{}/{location}", &base[..authority_end]),
    }
}

/// Writes `url` with everything percent-encoded that may not stand in a request.
///
/// # Errors
/// [`Full`].
pub fn write_url(url: &str, out: &mut Out<'_>) -> Result<(), Full> {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for &b in url.as_bytes() {
        if b.is_ascii_graphic() && !matches!(b, b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}') {
            out.byte(b)?;
        } else {
            out.bytes(&[b'%', HEX[usize::from(b >> 4)], HEX[usize::from(b & 15)]])?;
        }
    }
    Ok(())
}

/// Seconds that a `Retry-After` asks for; a date is not looked at.
#[must_use]
pub fn retry_after(value: Option<&[u8]>) -> Option<Duration> {
    core::str::from_utf8(value?).ok()?.trim().parse().ok().map(Duration::from_secs)
}

/// Whether eKuiper counts `ip` to the inner network: what `enablePrivateNet: false` keeps off.
#[must_use]
pub fn is_internal(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_private() || ip.is_unspecified() || ip.is_multicast() || ip.is_link_local(),
        IpAddr::V6(ip) => {
            let private = ip.segments()[0] & 0xfe00 == 0xfc00 || ip.segments()[0] & 0xffc0 == 0xfe80;
            ip.to_ipv4_mapped().is_some_and(|v4| is_internal(IpAddr::V4(v4)))
                || ip.is_loopback()
                || ip.is_unspecified()
                || ip.is_multicast()
                || private
        }
    }
}

fn text<'p>(props: &mut Props<'p>, name: &'static str) -> Result<Option<&'p str>, String> {
    props.text(name).map_err(|e| format!("fail to parse the properties: {e}"))
}

/// Checks a configured url; true for https.
fn check_url(url: &str) -> Result<bool, String> {
    let Some((scheme, rest)) = url.split_once("://") else { return Err(format!("Invalid url {url}, expected http:// or https://")) };
    let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    if scheme.contains("{{") || authority.contains("{{") {
        return Err(format!("Invalid url {url}, scheme and host must not be templates"));
    }
    let literal = &url[..url.find("{{").unwrap_or(url.len())];
    let path = &literal[..literal.find(['?', '#']).unwrap_or(literal.len())];
    for (at, _) in path.match_indices('%') {
        if !path.get(at + 1..at + 3).is_some_and(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit())) {
            let end = path.char_indices().map(|(i, _)| i).chain([path.len()]).rfind(|i| *i <= at + 3).unwrap_or(path.len());
            return Err(format!("Invalid url {url}: invalid URL escape {:?}", &path[at..end]));
        }
    }
    let mut buf = vec![0; literal.len() * 3];
    let mut out = Out::new(&mut buf);
    let written = write_url(literal, &mut out).ok().and_then(|()| core::str::from_utf8(out.written()).ok());
    match Url::parse(written.unwrap_or("")) {
        Ok(url) => Ok(url.https),
        Err(UrlError::Scheme) => Err(format!("Invalid scheme {scheme}")),
        Err(UrlError::Host) if authority.is_empty() => Err("Invalid url, host not found".into()),
        Err(e) => Err(format!("Invalid url {url}: {e}")),
    }
}

pub(super) fn is_token(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

/// The member `code` of a JSON object (of each object of an array, the first that is no success); 0 if there is none. `None` if
/// the content is no such JSON.
fn code_in(body: &[u8]) -> Option<i64> {
    let text = core::str::from_utf8(body).ok()?;
    let top = scan::check(text, |_| {}).ok()?;
    let text = text.trim_ascii();
    // A number as Go's int takes it; a fraction does not matter.
    #[expect(clippy::cast_possible_truncation, reason = "out of range saturates, which is no success either")]
    let code = |object: &str| match scan::members(object).filter(|(key, _)| key.eq_ignore_ascii_case("code")).last() {
        None | Some((_, "null")) => Some(0),
        Some((_, raw)) => raw.parse::<f64>().ok().map(|code| code as i64),
    };
    match top {
        scan::Top::Object => code(text),
        scan::Top::ObjectArray => scan::elements(text).filter_map(code).find(|c| !(200..=299).contains(c)).or(Some(200)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::SinkDefaults;
    use crate::limits::Limits;
    use crate::sink::tests::NoTls;

    fn read(text: &str) -> Result<(Rest, Option<Multipart>), String> {
        let map = serde_json::from_str(text).expect("an object");
        let (defaults, limits) = (SinkDefaults::default(), Limits::default());
        Rest::read(&mut Props::new(&map), &mut Vec::new(), &crate::sink::tests::env(&defaults, &limits))
    }

    #[test]
    fn refusals() {
        for (text, why) in [
            (r#"{"url":"ftp://127.0.0.1/x"}"#, "Invalid scheme ftp"),
            (r#"{"url":"/x"}"#, "Invalid url"),
            (r#"{"url":"http://h/%zz"}"#, "invalid URL escape \"%zz\""),
            (r#"{"url":"http://h/a%"}"#, "invalid URL escape \"%\""),
            (r#"{"url":"http:///x"}"#, "host not found"),
            (r#"{"url":"http://u:p@h/x"}"#, "Invalid url"),
            (r#"{"url":"http://h:0/x"}"#, "Invalid url"),
            (r#"{"url":"http://h:65536/x"}"#, "Invalid url"),
            (r#"{"url":""}"#, "url is required"),
            (r#"{"url":7}"#, "url"),
            (r#"{"method":"head"}"#, "HTTP method head"),
            (r#"{"method":"{{.m}}"}"#, "HTTP method"),
            (r#"{"bodyType":"yaml"}"#, "body type value yaml"),
            (r#"{"bodyType":"form","method":"post"}"#, "format must be urlencoded"),
            (r#"{"bodyType":"json","format":"delimited"}"#, "format must be json"),
            (r#"{"responseType":"header"}"#, "response type value header"),
            (r#"{"timeout":-1}"#, "timeout"),
            (r#"{"headers":"x"}"#, "expected a map"),
            (r#"{"headers":{"a":1}}"#, "headers[a]"),
            (r#"{"headers":{"a b":"c"}}"#, "a b"),
            (r#"{"headers":{"a":"x\r\nB: c"}}"#, "headers"),
            (r#"{"oauth":{"refresh":{}}}"#, "access"),
            (r#"{"tlsMinVersion":"tls9"}"#, "tls9"),
            (r#"{"renegotiationSupport":"x"}"#, "expected never, once or freely"),
            (r#"{"rootCARaw":"***"}"#, "base64"),
            (r#"{"certificationPath":"/c.pem"}"#, "private key"),
            (r#"{"url":"https://h/"}"#, NoTls::WHY),
            (r#"{"rootCaPath":"/nowhere/ca.pem"}"#, NoTls::WHY),
        ] {
            assert!(read(text).as_ref().is_err_and(|e| e.contains(why)), "{text}: {:?}", read(text).err());
        }
    }

    #[test]
    fn requests() {
        for (text, method, fields, body) in [
            ("{}", "GET", &[][..], false),
            (r#"{"method":"Patch"}"#, "PATCH", &[("Content-Type", "application/json")], true),
            (r#"{"method":"get","bodyType":"TEXT"}"#, "GET", &[("Content-Type", "text/plain")], true),
            (r#"{"method":"post","bodyType":"binary"}"#, "POST", &[("Content-Type", "")], true),
            (r#"{"method":"put","bodyType":"none"}"#, "PUT", &[], false),
            (
                r#"{"method":"post","compression":"gzip","headers":{"X-A":"1","content-type":"a/b"}}"#,
                "POST",
                &[("X-A", "1"), ("content-type", "a/b"), ("Content-Encoding", "gzip")],
                true,
            ),
            (r#"{"method":"post","compression":"zlib"}"#, "POST", &[("Content-Type", "application/json")], true),
        ] {
            let (rest, multipart) = read(text).expect(text);
            let request = rest.request(Texts::default());
            let mut got: Vec<_> = request.fields().collect();
            let mut want = fields.to_vec();
            got.sort_unstable();
            want.sort_unstable();
            assert_eq!((request.method(), got, request.has_body(), multipart.is_some()), (method, want, body, false), "{text}");
        }
    }

    #[test]
    fn answers() {
        let (rest, _) = read("{}").expect("sound");
        let (judging, _) = read(r#"{"responseType":"body","debugResp":true}"#).expect("sound");
        let (careless, _) = read(r#"{"responseType":"body"}"#).expect("sound");
        for (rest, status, body, want) in [
            (&rest, 200, "", Judgement::Delivered),
            (&rest, 299, "", Judgement::Delivered),
            (&rest, 300, "", Judgement::Refused(300)),
            (&rest, 404, "", Judgement::Refused(404)),
            (&rest, 408, "", Judgement::Heals(408)),
            (&rest, 425, "", Judgement::Heals(425)),
            (&rest, 429, "", Judgement::Heals(429)),
            (&rest, 500, "", Judgement::Heals(500)),
            (&rest, 503, "", Judgement::Heals(503)),
            (&judging, 200, "hello", Judgement::Delivered),
            (&judging, 200, r#"{"code":200}"#, Judgement::Delivered),
            (&judging, 200, r#"{"code":500}"#, Judgement::Refused(500)),
            (&judging, 200, "{}", Judgement::Refused(0)),
            (&judging, 200, r#"[{"code":200},{"code":404}]"#, Judgement::Refused(404)),
            (&careless, 200, r#"{"code":500}"#, Judgement::Delivered),
        ] {
            assert_eq!(rest.judge(status, body.as_bytes()), want, "{status} {body}");
        }
    }

    #[test]
    fn redirects() {
        for (status, location, want) in [
            (302, Some("/b"), Redirect::Get("/b")),
            (301, Some("/b"), Redirect::Get("/b")),
            (303, None, Redirect::Lost),
            (301, Some(" "), Redirect::Lost),
            (307, Some("/b"), Redirect::Same("/b")),
            (308, None, Redirect::No),
            (304, Some("/b"), Redirect::No),
            (200, Some("/b"), Redirect::No),
        ] {
            assert_eq!(redirect(status, location.map(str::as_bytes)), want);
        }
        for (base, location, want) in [
            ("http://h:1/a/b?q", "https://x/y", "https://x/y"),
            ("http://h:1/a/b?q", "//x/y", "http://x/y"),
            ("http://h:1/a/b?q", "/c", "http://h:1/c"),
            ("http://h:1/a/b?q", "c", "http://h:1/a/c"),
            ("http://h:1", "c", "http://h:1/c"),
            ("http://h:1/a?q", "?r", "http://h:1/a?r"),
        ] {
            assert_eq!(resolve(base, location), want);
        }
    }

    #[test]
    fn urls_are_made_fit() {
        let mut buf = [0; 64];
        let mut out = Out::new(&mut buf);
        write_url("http://h/a b/é?x={1}%20", &mut out).expect("room");
        assert_eq!(out.written(), b"http://h/a%20b/%C3%A9?x=%7B1%7D%20");
        assert_eq!(retry_after(Some(b" 7 ")), Some(Duration::from_secs(7)));
        assert_eq!((retry_after(Some(b"soon")), retry_after(None)), (None, None));
    }

    #[test]
    fn internal_addresses() {
        for (ip, internal) in [
            ("127.0.0.1", true),
            ("10.1.2.3", true),
            ("192.168.0.1", true),
            ("169.254.1.1", true),
            ("0.0.0.0", true),
            ("8.8.8.8", false),
            ("::1", true),
            ("fd00::1", true),
            ("fe80::1", true),
            ("::ffff:10.0.0.1", true),
            ("2001:db8::1", false),
        ] {
            assert_eq!(is_internal(ip.parse().expect("an address")), internal, "{ip}");
        }
    }
}
