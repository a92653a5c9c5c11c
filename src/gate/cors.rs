//! Cross-origin requests (the Fetch standard's CORS protocol): which web pages may post to an endpoint.
//!
//! A browser asks before it lets a page post, and looks for its answer in fields. Those of each listed origin are put together
//! when its stream is published; a request costs a comparison. A request from an origin that is not listed, or to an endpoint that
//! lists none, is treated as any other and gets no such field, so the page's browser shows it nothing.

use std::sync::Arc;

use crate::wire::{Head, Method};

/// Longest origin, in bytes.
pub const ORIGIN_BYTES: usize = 120;

/// One origin that is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// `scheme://host[:port]`, or `*`.
    text: Box<str>,
    /// Fields of every answer.
    answer: Arc<str>,
    /// Fields of the answer to a preflight.
    preflight: Arc<str>,
}

impl Origin {
    /// Prepares the fields for `text`, at an endpoint that takes `method`.
    ///
    /// # Errors
    /// A sentence for the rule's creation.
    pub fn new(text: &str, method: Method) -> Result<Self, String> {
        let fits = text == "*"
            || text.split_once("://").is_some_and(|(scheme, host)| {
                !scheme.is_empty()
                    && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
                    && !host.is_empty()
                    && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b))
            });
        if !fits || text.len() > ORIGIN_BYTES {
            return Err(format!("property origins: expected https://host, https://host:port or *, found {text}"));
        }
        // The answer depends on who asks, which a cache between has to know.
        let vary = if text == "*" { "" } else { "Vary: Origin\r\n" };
        let answer = format!("Access-Control-Allow-Origin: {text}\r\n{vary}Access-Control-Expose-Headers: Retry-After\r\n");
        let preflight = format!(
            "Access-Control-Allow-Origin: {text}\r\n{vary}Access-Control-Allow-Methods: {}\r\nAccess-Control-Allow-Headers: *, Authorization\r\nAccess-Control-Max-Age: 600\r\n",
            method.as_str()
        );
        Ok(Self { text: text.into(), answer: answer.into(), preflight: preflight.into() })
    }

    /// As it was listed.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// The fields for the answer to `head`; `None`: it comes from no page, or from one that is not listed.
#[must_use]
pub fn fields(origins: &[Origin], head: &Head<'_>) -> Option<Arc<str>> {
    if origins.is_empty() {
        return None;
    }
    let from = head.field("origin").filter(|_| head.field_count("origin") == 1)?;
    let listed = origins.iter().find(|o| &*o.text == "*" || o.text.as_bytes().eq_ignore_ascii_case(from))?;
    let preflight = head.method() == Method::Options && head.field("access-control-request-method").is_some();
    Some(Arc::clone(if preflight { &listed.preflight } else { &listed.answer }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::HeadInfo;
    use crate::wire::reply::FIELD_BYTES;

    #[test]
    fn listed_or_not() {
        let list =
            [Origin::new("https://panel.example", Method::Put), Origin::new("http://[::1]:8080", Method::Put)].map(|o| o.expect("good"));
        let ask = |origins: &[Origin], text: &str| {
            let bytes = format!("{text}\r\n\r\n");
            let mut info = HeadInfo::default();
            fields(origins, &info.read(bytes.as_bytes()).expect("good").expect("whole"))
        };
        let put = "PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nOrigin: ";
        let fields = ask(&list, &format!("{put}https://Panel.example")).expect("listed");
        assert_eq!(
            &*fields,
            "Access-Control-Allow-Origin: https://panel.example\r\nVary: Origin\r\nAccess-Control-Expose-Headers: Retry-After\r\n"
        );
        assert!(ask(&list, &format!("{put}http://[::1]:8080")).is_some());
        for other in
            ["https://evil.example", "http://panel.example", "https://panel.example:444", "null", "*", "", "https://panel.example/"]
        {
            assert_eq!(ask(&list, &format!("{put}{other}")), None, "{other}");
        }
        assert_eq!(ask(&list, &format!("{put}https://panel.example\r\nOrigin: https://panel.example")), None);
        assert_eq!(ask(&list, "PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 0"), None);
        assert_eq!(ask(&[], &format!("{put}https://panel.example")), None);
        let any = [Origin::new("*", Method::Post).expect("good")];
        assert!(
            ask(&any, &format!("{put}https://evil.example")).is_some_and(|f| f.starts_with("Access-Control-Allow-Origin: *\r\nAccess-"))
        );

        let options = "OPTIONS /a HTTP/1.1\r\nHost: x\r\nOrigin: https://panel.example";
        let fields = ask(&list, &format!("{options}\r\nAccess-Control-Request-Method: PUT")).expect("listed");
        assert!(fields.contains("\r\nAccess-Control-Allow-Methods: PUT\r\n"), "{fields}");
        assert!(!ask(&list, options).expect("listed").contains("Allow-Methods"));
    }

    #[test]
    fn what_is_no_origin() {
        let longest = format!("https://{}", "a".repeat(ORIGIN_BYTES - 8));
        let fits = Origin::new(&longest, Method::Post).expect("at the limit");
        assert!(fits.preflight.len() <= FIELD_BYTES, "{}", fits.preflight.len());
        for text in
            [&format!("{longest}a"), "", "panel.example", "https://", "https://a/", "https://a b", "https://a\r\nX: y", "://a", "null"]
        {
            assert!(Origin::new(text, Method::Post).is_err(), "{text}");
        }
    }
}
