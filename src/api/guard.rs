//! Who may talk to the management port, judged on the head: before a body is read.
//!
//! A Host that is no IP literal, not `localhost` and not in `basic.restHosts` is 421 (a rebound name in a browser); a request with
//! an Origin that is not in `basic.restOrigins` is 403 (scripts send none; a web page must not be able to create rules).

use core::net::IpAddr;

use super::{Response, TEXT};
use crate::config::Basic;

/// The refusal of a request, or the answer to a preflight; `None` for one that may go on.
#[must_use]
pub fn judge(basic: &Basic, method: &str, host: Option<&str>, origin: Option<&str>) -> Option<Response> {
    if !host.is_none_or(|host| is_ours(basic, host)) {
        let text = "421 misdirected request: this Host is not served here; basic.restHosts lists further names\n";
        return Some(Response::new(421, TEXT, text));
    }
    if let Some(origin) = origin
        && !basic.rest_origins.iter().any(|listed| listed.eq_ignore_ascii_case(origin))
    {
        let text = "403 forbidden: web pages of this Origin may not use the management port; basic.restOrigins lists those that may\n";
        return Some(Response::new(403, TEXT, text));
    }
    if method != "OPTIONS" {
        return None;
    }
    Some(match origin {
        None => Response::empty(200).with("Allow", METHODS),
        Some(origin) => Response::empty(204)
            .with("Access-Control-Allow-Origin", origin)
            .with("Access-Control-Allow-Methods", METHODS)
            .with("Access-Control-Allow-Headers", "Accept, Accept-Language, Content-Type, Content-Language, Origin, Authorization")
            .with("Vary", "Origin"),
    })
}

const METHODS: &str = "POST, GET, PUT, PATCH, DELETE";

/// Whether a Host field names this server.
fn is_ours(basic: &Basic, host: &str) -> bool {
    let host = host.trim();
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((v6, _)) => v6,
        None => host.rsplit_once(':').filter(|(name, _)| !name.contains(':')).map_or(host, |(name, _)| name),
    };
    let name = name.trim_end_matches('.');
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok()
        || basic.rest_hosts.iter().any(|listed| listed.eq_ignore_ascii_case(name) || listed.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        let basic = Basic { rest_hosts: vec!["gate.example".into()], ..Basic::default() };
        for (host, ours) in [
            (None, true),
            (Some("127.0.0.1:9081"), true),
            (Some("192.168.1.7"), true),
            (Some("[::1]:9081"), true),
            (Some("::1"), true),
            (Some("LocalHost:9081"), true),
            (Some("gate.example:9081"), true),
            (Some("rebound.example"), false),
            (Some("localhost.evil.example"), false),
            (Some("127.0.0.1.evil.example"), false),
            (Some(""), false),
        ] {
            let refusal = judge(&basic, "GET", host, None).map(|r| r.status);
            assert_eq!(refusal, (!ours).then_some(421), "{host:?}");
        }
    }

    #[test]
    fn origins() {
        let basic = Basic { rest_origins: vec!["https://ui.example".into()], ..Basic::default() };
        for (method, origin, status) in [
            ("GET", None, None),
            ("POST", Some("https://evil.example"), Some(403)),
            ("POST", Some("null"), Some(403)),
            ("POST", Some(""), Some(403)),
            ("POST", Some("https://ui.example"), None),
            ("OPTIONS", Some("https://ui.example"), Some(204)),
            ("OPTIONS", Some("https://evil.example"), Some(403)),
            ("OPTIONS", None, Some(200)),
        ] {
            assert_eq!(judge(&basic, method, Some("localhost"), origin).map(|r| r.status), status, "{method} {origin:?}");
        }
    }
}
