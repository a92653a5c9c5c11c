//! Where the command line finds its server: `--url`, `PUSHGATE_URL`, eKuiper's `client.yaml`, the configuration.
//!
//! Pure: the caller reads the files. A `client.yaml` holds `basic: {host, port}`; the environment's `CLIENT__BASIC__HOST` and
//! `CLIENT__BASIC__PORT` go before it, as in eKuiper. Its port 20498 is that of a protocol which only eKuiper's own program speaks:
//! it stands for the management port, 9081 unless the configuration beside it says otherwise for this machine.

use std::net::IpAddr;
use std::sync::Arc;

use serde_json::Value;

use crate::config::yaml;

/// eKuiper's command-line port.
const KUIPER_PORT: u16 = 20498;
/// The management port of both.
const REST_PORT: u16 = 9081;

/// A server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Its URL.
    pub url: String,
    /// Something the user should hear once.
    pub note: Option<String>,
}

/// What the configuration says about the management port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Local {
    /// Its address.
    pub ip: IpAddr,
    /// Its port.
    pub port: u16,
    /// Whether it speaks HTTPS.
    pub tls: bool,
}

impl Local {
    /// The port as it is without any configuration.
    pub const DEFAULT: Self = Self { ip: IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), port: REST_PORT, tls: false };

    fn url(&self, host: &str, port: u16) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        if bare.contains(':') { format!("{scheme}://[{bare}]:{port}") } else { format!("{scheme}://{bare}:{port}") }
    }
}

/// The server of the configuration.
#[must_use]
pub fn configured(local: &Local) -> Target {
    let ip = if local.ip.is_unspecified() { Local::DEFAULT.ip } else { local.ip };
    Target { url: local.url(&ip.to_string(), local.port), note: None }
}

/// The server that a `client.yaml` called `name` means.
///
/// # Errors
/// The text is no such file.
pub fn client_yaml(name: &str, text: &str, local: &Local, env: impl Fn(&str) -> Option<String>) -> Result<Target, String> {
    let tree = yaml::parse(&Arc::from(name), text, 1).map_err(|e| format!("{name}:{}: {}", e.line, e.what))?.to_json();
    let basic = member(&tree, "basic");
    let host = env("CLIENT__BASIC__HOST").or_else(|| match basic.and_then(|b| member(b, "host")) {
        Some(Value::String(host)) => Some(host.clone()),
        _ => None,
    });
    let host = host.filter(|host| !host.is_empty()).unwrap_or_else(|| "127.0.0.1".to_owned());
    let port = match env("CLIENT__BASIC__PORT") {
        Some(text) => text.trim().parse::<u16>().map_err(|_| format!("CLIENT__BASIC__PORT: expected a port, found {text:?}"))?,
        None => match basic.and_then(|b| member(b, "port")) {
            None | Some(Value::Null) => KUIPER_PORT,
            Some(value) => {
                let port = value.as_u64().and_then(|n| u16::try_from(n).ok()).filter(|n| *n > 0);
                port.ok_or_else(|| format!("{name}: basic.port: expected a port, found {value}"))?
            }
        },
    };
    let here = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback() || ip.is_unspecified());
    // What is configured here says nothing about another machine.
    let local = if here { *local } else { Local::DEFAULT };
    if port != KUIPER_PORT {
        return Ok(Target { url: local.url(&host, port), note: None });
    }
    let note = format!("{name}: port {KUIPER_PORT} is eKuiper's own protocol, the management port {} is used", local.port);
    Ok(Target { url: local.url(&host, local.port), note: Some(note) })
}

/// A member in any letter case.
fn member<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    value.as_object()?.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(text: &str, local: &Local, env: &[(&str, &str)]) -> Result<Target, String> {
        client_yaml("client.yaml", text, local, |name| env.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()))
    }

    #[test]
    fn hosts_and_ports() {
        let other = Local { port: 9082, tls: true, ..Local::DEFAULT };
        for (text, local, env, url, noted) in [
            ("basic:\n  host: 127.0.0.1\n  port: 20498", &Local::DEFAULT, &[][..], "http://127.0.0.1:9081", true),
            ("Basic:\n  Host: 10.0.0.7\n  Port: 20498", &Local::DEFAULT, &[], "http://10.0.0.7:9081", true),
            ("basic:\n  host: gw\n  port: 9090", &Local::DEFAULT, &[], "http://gw:9090", false),
            ("basic: {host: localhost, port: 20498}", &other, &[], "https://localhost:9082", true),
            ("basic: {host: 10.0.0.7, port: 20498}", &other, &[], "http://10.0.0.7:9081", true),
            ("basic: {host: '::1', port: 1}", &Local::DEFAULT, &[], "http://[::1]:1", false),
            ("", &Local::DEFAULT, &[], "http://127.0.0.1:9081", true),
            (
                "basic: {port: 20498}",
                &Local::DEFAULT,
                &[("CLIENT__BASIC__PORT", "9085"), ("CLIENT__BASIC__HOST", "h")],
                "http://h:9085",
                false,
            ),
        ] {
            let target = target(text, local, env).expect(text);
            assert_eq!((target.url.as_str(), target.note.is_some()), (url, noted), "{text}");
        }
    }

    #[test]
    fn wrong_ones() {
        for (text, env, why) in [
            ("basic: {port: x}", &[][..], "basic.port: expected a port"),
            ("basic: {port: 0}", &[], "basic.port"),
            ("basic: {port: 65536}", &[], "basic.port"),
            ("basic: [", &[], "client.yaml:"),
            ("", &[("CLIENT__BASIC__PORT", "x")], "CLIENT__BASIC__PORT"),
        ] {
            let e = target(text, &Local::DEFAULT, env).expect_err(text);
            assert!(e.contains(why), "{text}: {e}");
        }
    }

    #[test]
    fn the_configured_one() {
        let any = Local { ip: "0.0.0.0".parse().expect("an address"), port: 1, tls: false };
        assert_eq!(configured(&any).url, "http://127.0.0.1:1");
        assert_eq!(configured(&Local { ip: "::1".parse().expect("an address"), port: 1, tls: true }).url, "https://[::1]:1");
    }
}
