//! `oauth` of the rest sink (facts §8.2): where a token comes from, when it is renewed, which headers it fills.
//!
//! `access {url, headers, body, expire}` is asked with POST when the rule starts; what it answers, a JSON object, fills the templates
//! in the sink's headers and in `refresh {url, headers, body}`, in place of the rows. After a send, once half of `expire` seconds have
//! passed, `refresh` is asked in the same way, or `access` again where there is none. With `expire` `"0"` a token is kept.

use core::cell::Cell;
use core::time::Duration;

use super::props::Props;
use crate::encode::template::{Place, Template, TemplateEnv};
use crate::json::scan;
use crate::json::write::Out;
use crate::time::{Instant, Now, Zone};
use crate::value::{Numbers, Scratch, Value};
use crate::wire::client::Url;

/// Longest text that a template makes of a token.
const TEXT_BYTES: usize = 16 << 10;

/// One kind of request for a token.
#[derive(Debug)]
struct Ask {
    url: String,
    fields: Vec<(String, Template)>,
    body: Template,
}

/// The property, checked.
#[derive(Debug)]
pub struct OAuth {
    access: Ask,
    refresh: Option<Ask>,
    expire: Duration,
    /// The sink's headers.
    fields: Vec<(String, Template)>,
}

/// A request for a token, ready to send with POST.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRequest {
    /// Where to.
    pub url: String,
    /// Header fields.
    pub fields: Vec<(String, String)>,
    /// Content.
    pub body: String,
}

/// What a token's answer gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// The sink's headers.
    pub fields: Vec<(String, String)>,
    /// How to renew it.
    pub renewal: TokenRequest,
    at: Instant,
}

impl OAuth {
    /// Reads the property; `None` where it is absent or has no url. `headers` are the sink's.
    ///
    /// # Errors
    /// A sentence that names the property.
    pub(super) fn read(props: &mut Props<'_>, headers: &[(String, String)]) -> Result<Option<Self>, String> {
        let Some(object) = props.object("oauth")? else { return Ok(None) };
        let mut own = Props::new(object);
        let Some(access) = own.object("access")? else { return Err("if setting oAuth, `access` property is required".into()) };
        let mut access_props = Props::new(access);
        let expire = access_props.text("expire").map_err(|e| format!("fail to parse the access properties of oAuth: {e}"))?.unwrap_or("");
        let Some(access) = ask(access_props)? else {
            log::warn!("access token url is not set, so ignored the oauth setting");
            return Ok(None);
        };
        let expire: i64 = expire
            .parse()
            .map_err(|_| format!("fail to covert the expire time {expire} for access token: expected seconds as text, \"0\" for ever"))?;
        let refresh = own.object("refresh")?.map(|refresh| ask(Props::new(refresh))).transpose()?.flatten();
        let fields = headers.iter().map(|(name, value)| Ok((name.clone(), template(value)?))).collect::<Result<_, String>>()?;
        Ok(Some(Self { access, refresh, expire: Duration::from_secs(u64::try_from(expire).unwrap_or(0)), fields }))
    }

    /// Whether a token comes over https.
    pub(super) fn is_https(&self) -> bool {
        let https = |ask: &Ask| Url::parse(&ask.url).is_ok_and(|url| url.https);
        https(&self.access) || self.refresh.as_ref().is_some_and(https)
    }

    /// The request for the first token.
    #[must_use]
    pub fn access(&self) -> TokenRequest {
        let plain = |(name, value): &(String, Template)| (name.clone(), value.text().to_owned());
        TokenRequest {
            url: self.access.url.clone(),
            fields: with_type(self.access.fields.iter().map(plain).collect()),
            body: self.access.body.text().to_owned(),
        }
    }

    /// What an answer to it, or to a renewal, gives.
    ///
    /// # Errors
    /// A sentence: the content is no JSON object, or a template fails over it.
    pub fn token(&self, content: &[u8], zone: &Zone, now: Now) -> Result<Token, String> {
        let text = core::str::from_utf8(content).map_err(|_| "the token's answer is no UTF-8".to_owned())?;
        let object = match scan::check(text, |_| {}) {
            Ok(scan::Top::Object) => text.trim_ascii(),
            Ok(scan::Top::ObjectArray) => scan::elements(text.trim_ascii()).next().unwrap_or("{}"),
            _ => return Err("the token's answer is no JSON object".to_owned()),
        };
        let render = |template: &Template, place| rendered(template, place, object, zone, now);
        let all = |fields: &[(String, Template)]| -> Result<Vec<(String, String)>, String> {
            fields.iter().map(|(name, value)| Ok((name.clone(), render(value, Some(Place::Header))?))).collect()
        };
        let renewal = match &self.refresh {
            None => self.access(),
            Some(ask) => TokenRequest { url: ask.url.clone(), fields: with_type(all(&ask.fields)?), body: render(&ask.body, None)? },
        };
        Ok(Token { fields: all(&self.fields)?, renewal, at: now.mono })
    }

    /// Whether a token should be renewed.
    #[must_use]
    pub fn is_due(&self, token: &Token, now: Instant) -> bool {
        !self.expire.is_zero() && now.since(token.at).as_secs() * 2 > self.expire.as_secs()
    }
}

fn ask(mut props: Props<'_>) -> Result<Option<Ask>, String> {
    let fail = |e: String| format!("fail to parse the properties of oAuth: {e}");
    let url = props.text("url").map_err(fail)?.unwrap_or("").to_owned();
    let fields = props.text_map("headers").map_err(fail)?;
    let body = template(props.text("body").map_err(fail)?.unwrap_or(""))?;
    if url.is_empty() {
        return Ok(None);
    }
    Url::parse(&url).map_err(|e| format!("oAuth: bad url {url}: {e}"))?;
    for (name, value) in &fields {
        if !super::rest::is_token(name) || value.contains(['\r', '\n', '\0']) {
            return Err(format!("oAuth: headers: {name} is no header field"));
        }
    }
    let fields = fields.into_iter().map(|(name, value)| Ok((name, template(&value)?))).collect::<Result<_, String>>()?;
    Ok(Some(Ask { url, fields, body }))
}

fn template(text: &str) -> Result<Template, String> {
    Template::parse(text).map_err(|e| e.to_string())
}

fn with_type(mut fields: Vec<(String, String)>) -> Vec<(String, String)> {
    if !fields.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
        fields.insert(0, ("Content-Type".to_owned(), "application/json".to_owned()));
    }
    fields
}

fn rendered(template: &Template, place: Option<Place>, object: &str, zone: &Zone, now: Now) -> Result<String, String> {
    if template.is_literal() {
        return Ok(template.text().to_owned());
    }
    let (mut memory, mut buf) = (vec![0; 4 * TEXT_BYTES], vec![0; TEXT_BYTES]);
    let scratch = Scratch::new(&mut memory);
    let mut out = Out::new(&mut buf);
    let (rng, fuel) = (Cell::new(now.mono.0 | 1), Cell::new(20_000));
    let env = TemplateEnv { now, zone, rng: &rng, fuel: &fuel };
    template.render_at(place, Value::Json(Numbers::Float, object), &env, &mut out, &scratch).map_err(|e| e.to_string())?;
    Ok(String::from_utf8_lossy(out.written()).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    fn read(text: &str, headers: &[(&str, &str)]) -> Result<Option<OAuth>, String> {
        let map = serde_json::from_str(text).expect("an object");
        let headers: Vec<(String, String)> = headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        OAuth::read(&mut Props::new(&map), &headers)
    }

    fn at(secs: u64) -> Now {
        Now { mono: Instant(secs * 1_000_000_000), wall: Timestamp(0) }
    }

    #[test]
    fn what_is_refused_or_ignored() {
        for text in ["{}", r#"{"oauth":null}"#, r#"{"oauth":{"access":{}}}"#, r#"{"oauth":{"access":{"url":"","expire":"x"}}}"#] {
            assert!(read(text, &[]).expect(text).is_none(), "{text}");
        }
        for (text, why) in [
            (r#"{"oauth":1}"#, "expected a map"),
            (r#"{"oauth":{}}"#, "`access` property is required"),
            (r#"{"oauth":{"access":{"url":"http://h/t"}}}"#, "expire time"),
            (r#"{"oauth":{"access":{"url":"http://h/t","expire":10}}}"#, "expire"),
            (r#"{"oauth":{"refresh":{}}}"#, "`access` property is required"),
            (r#"{"oauth":{"access":{"url":1}}}"#, "url"),
            (r#"{"oauth":{"access":{"url":"http://h/t","body":{}}}}"#, "body"),
            (r#"{"oauth":{"access":{"url":"nowhere"}}}"#, "bad url nowhere"),
            (r#"{"oauth":{"access":{"url":"http://h/t","expire":"soon"}}}"#, "expire time soon"),
            (r#"{"oauth":{"access":{"url":"http://h/t","expire":"1","headers":{"a b":"c"}}}}"#, "a b"),
            (r#"{"oauth":{"access":{"url":"http://h/t","body":"{{"}}}"#, "template"),
        ] {
            let e = read(text, &[]).expect_err(text);
            assert!(e.contains(why), "{text}: {e}");
        }
    }

    #[test]
    fn a_token_fills_headers_and_its_own_renewal() {
        let text = r#"{"oAuth":{"access":{"url":"http://h/t","body":"{\"user\":\"u\"}","expire":"10"},
            "refresh":{"url":"http://h/r","headers":{"X-R":"{{.refresh_token}}"},"body":"{{.access_token}}!"}}}"#;
        let oauth = read(text, &[("Authorization", "Bearer {{.access_token}}"), ("X-A", "1")]).expect("sound").expect("given");
        let access = oauth.access();
        assert_eq!((access.url.as_str(), access.body.as_str()), ("http://h/t", r#"{"user":"u"}"#));
        assert_eq!(access.fields, [("Content-Type".to_owned(), "application/json".to_owned())]);
        let token = oauth.token(br#" {"access_token":"T1","refresh_token":"R1"} "#, &Zone::utc(), at(100)).expect("a token");
        assert_eq!(token.fields, [("Authorization".to_owned(), "Bearer T1".to_owned()), ("X-A".to_owned(), "1".to_owned())]);
        assert_eq!((token.renewal.url.as_str(), token.renewal.body.as_str()), ("http://h/r", "T1!"));
        assert_eq!(token.renewal.fields[1], ("X-R".to_owned(), "R1".to_owned()));
        for (secs, due) in [(100, false), (105, false), (106, true)] {
            assert_eq!(oauth.is_due(&token, at(secs).mono), due, "{secs}");
        }
        let first = oauth.token(br#"[{"access_token":"A"},{"access_token":"B"}]"#, &Zone::utc(), at(0)).expect("a token");
        assert_eq!(first.fields[0].1, "Bearer A");
        for bad in [&b"no"[..], b"1", b"\"T\"", b"\xff", br#"{"access_token":"a\r\nX: b"}"#] {
            assert!(oauth.token(bad, &Zone::utc(), at(0)).is_err(), "{}", bad.escape_ascii());
        }
    }

    #[test]
    fn without_refresh_access_is_asked_again_and_without_expire_never() {
        let oauth = read(r#"{"oauth":{"access":{"url":"http://h/t","body":"b","expire":"0"}}}"#, &[]).expect("sound").expect("given");
        let token = oauth.token(b"{}", &Zone::utc(), at(0)).expect("a token");
        assert_eq!(token.renewal, oauth.access());
        assert!(!oauth.is_due(&token, at(1_000_000).mono));
        assert!(!oauth.is_https());
    }
}
