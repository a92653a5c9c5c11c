//! Readers of single values: [`Node`] → typed value, or the words for what was expected there.

use core::{net::IpAddr, time::Duration};

use super::ClientAuth;
use super::tree::{Node, Origin, Tree};
use crate::time;

/// What a key takes, in words that follow "expected".
pub(super) type Expected = String;

pub(super) fn boolean(node: &Node) -> Result<bool, Expected> {
    match (&node.tree, &node.at) {
        (Tree::Bool(b), _) => Ok(*b),
        // A variable's `1` was a number before it could be a bool.
        (Tree::Int(i @ 0..=1), Origin::Env(_)) => Ok(*i == 1),
        _ => Err("true or false".into()),
    }
}

pub(super) fn port(node: &Node) -> Result<u16, Expected> {
    whole(node).and_then(|n| u16::try_from(n).ok()).ok_or_else(|| "a port from 0 to 65535 (0: any free port)".into())
}

pub(super) fn count(node: &Node) -> Result<u64, Expected> {
    whole(node).ok_or_else(|| "a whole number from 0".into())
}

pub(super) fn count_from_1(node: &Node) -> Result<u64, Expected> {
    whole(node).filter(|n| *n > 0).ok_or_else(|| "a whole number from 1".into())
}

/// A whole number, plain or in a quoted text.
fn whole(node: &Node) -> Option<u64> {
    match &node.tree {
        Tree::Int(i) => u64::try_from(*i).ok(),
        Tree::Text(t) if t.bytes().all(|b| b.is_ascii_digit()) => t.parse().ok(),
        _ => None,
    }
}

pub(super) fn duration(node: &Node) -> Result<Duration, Expected> {
    let read = match &node.tree {
        Tree::Int(ms) => time::duration_ms(*ms),
        #[expect(clippy::cast_possible_truncation, reason = "whole and within i64's exact range, just tested")]
        Tree::Float(ms) if ms.fract() == 0.0 && ms.abs() < 9e15 => time::duration_ms(*ms as i64),
        Tree::Text(text) => time::parse_duration(text),
        _ => Err(time::DurationError::Syntax),
    };
    read.map_err(|e| match e {
        time::DurationError::Syntax => "a duration such as 10s, 1h30m or 500ms, or a whole number of milliseconds".into(),
        time::DurationError::Negative => "a duration that is not negative".into(),
        time::DurationError::TooLong => "a duration below 292 years".into(),
    })
}

/// A number of bytes: plain, or with a unit. `KB MB GB` count in thousands, `K M G` and `KiB MiB GiB` in 1024s.
pub(super) fn bytes(node: &Node) -> Result<u64, Expected> {
    let read = match &node.tree {
        Tree::Text(text) => parse_bytes(text),
        _ => whole(node),
    };
    read.ok_or_else(|| "a number of bytes such as 65536, \"64KiB\" or \"12MB\"".into())
}

fn parse_bytes(text: &str) -> Option<u64> {
    let text = text.trim();
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let factor: u64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

pub(super) fn ip(node: &Node) -> Result<IpAddr, Expected> {
    match &node.tree {
        // Go listens on every interface when the host is empty.
        Tree::Text(t) if t.is_empty() => Ok(IpAddr::from([0, 0, 0, 0])),
        Tree::Text(t) if t == "localhost" => Ok(IpAddr::from([127, 0, 0, 1])),
        Tree::Text(t) => t.trim_matches(['[', ']']).parse().map_err(|_| ()),
        _ => Err(()),
    }
    .map_err(|()| "an IP address such as 127.0.0.1, 0.0.0.0 or ::1".into())
}

pub(super) fn text(node: &Node) -> Result<String, Expected> {
    match &node.tree {
        Tree::Text(t) => Ok(t.clone()),
        Tree::Int(i) => Ok(i.to_string()),
        Tree::Bool(b) => Ok(b.to_string()),
        Tree::Float(x) => Ok(x.to_string()),
        _ => Err("a text".into()),
    }
}

/// A list of texts; one text alone is a list of one.
pub(super) fn texts(node: &Node) -> Result<Vec<String>, Expected> {
    let one = |n: &Node| text(n).map_err(|_| "a list of texts".to_owned());
    match &node.tree {
        Tree::List(items) => items.iter().map(one).collect(),
        _ => one(node).map(|t| vec![t]),
    }
}

pub(super) fn level(node: &Node) -> Result<log::LevelFilter, Expected> {
    let word = text(node).unwrap_or_default().to_ascii_lowercase();
    Ok(match word.as_str() {
        "trace" => log::LevelFilter::Trace,
        "debug" => log::LevelFilter::Debug,
        "info" => log::LevelFilter::Info,
        "warn" | "warning" => log::LevelFilter::Warn,
        // eKuiper's two levels above error end the process there; here nothing is logged above error.
        "error" | "fatal" | "panic" => log::LevelFilter::Error,
        _ => return Err("one of debug, info, warn, error, fatal, panic".into()),
    })
}

/// An IANA time zone name, `Local` or `UTC`; whether the zone is known is for who loads it.
pub(super) fn zone(node: &Node) -> Result<String, Expected> {
    let fits = |t: &String| {
        let plain = t.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'_' | b'-' | b'+'));
        plain && !t.is_empty() && !t.starts_with('/') && t.len() <= 64
    };
    text(node).ok().filter(fits).ok_or_else(|| "a time zone such as Local, UTC or Europe/Berlin".into())
}

pub(super) fn qos(node: &Node) -> Result<u8, Expected> {
    whole(node).and_then(|n| u8::try_from(n).ok()).filter(|n| *n <= 2).ok_or_else(|| "0, 1 or 2".into())
}

/// Times that a connection may take: neither nothing nor for good.
pub(super) fn deadline(node: &Node) -> Result<Duration, Expected> {
    let bounds = Duration::from_millis(10)..=Duration::from_secs(3600);
    duration(node).ok().filter(|d| bounds.contains(d)).ok_or_else(|| "a duration from 10ms to 1h".into())
}

/// Bytes a second.
pub(super) fn rate(node: &Node) -> Result<u32, Expected> {
    whole(node).and_then(|n| u32::try_from(n).ok()).filter(|n| *n <= 1_000_000).ok_or_else(|| "bytes a second, from 0 to 1000000".into())
}

pub(super) fn tls_version(node: &Node) -> Result<u8, Expected> {
    match text(node).unwrap_or_default().to_ascii_lowercase().trim_start_matches("tls").trim_start_matches('v') {
        "1.2" => Ok(12),
        "1.3" => Ok(13),
        _ => Err("1.2 or 1.3".into()),
    }
}

pub(super) fn client_auth(node: &Node) -> Result<ClientAuth, Expected> {
    match text(node).unwrap_or_default().to_ascii_lowercase().as_str() {
        "none" => Ok(ClientAuth::None),
        "optional" => Ok(ClientAuth::Optional),
        "required" => Ok(ClientAuth::Required),
        _ => Err("none, optional or required".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(tree: Tree) -> Node {
        Node { tree, at: Origin::Default }
    }

    fn words(t: &str) -> Node {
        node(Tree::Text(t.into()))
    }

    #[test]
    fn ports() {
        for (tree, port_) in [(Tree::Int(0), Some(0)), (Tree::Int(65535), Some(65535)), (Tree::Int(65536), None), (Tree::Int(-1), None)] {
            assert_eq!(port(&node(tree)).ok(), port_);
        }
        assert_eq!(port(&words("9081")), Ok(9081));
        assert!(port(&words("")).is_err());
        assert!(port(&words("x")).is_err());
        assert!(port(&node(Tree::Float(1.5))).is_err());
    }

    #[test]
    fn sizes() {
        for (text, n) in [
            ("12MB", Some(12_000_000)),
            ("64KiB", Some(65_536)),
            ("64k", Some(65_536)),
            ("1 MiB", Some(1 << 20)),
            ("7", Some(7)),
            ("7b", Some(7)),
            ("MB", None),
            ("1.5MB", None),
            ("-1", None),
            ("99999999999999999999", None),
            ("18446744073709551615G", None),
        ] {
            assert_eq!(bytes(&words(text)).ok(), n, "{text}");
        }
        assert_eq!(bytes(&node(Tree::Int(5))), Ok(5));
    }

    #[test]
    fn durations() {
        assert_eq!(duration(&words("10s")), Ok(Duration::from_secs(10)));
        assert_eq!(duration(&node(Tree::Int(1500))), Ok(Duration::from_millis(1500)));
        assert_eq!(duration(&node(Tree::Float(2.0))), Ok(Duration::from_millis(2)));
        for bad in [Tree::Float(1.5), Tree::Int(-1), Tree::Text("10".into()), Tree::Bool(true), Tree::Float(f64::NAN)] {
            assert!(duration(&node(bad.clone())).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn booleans_are_strict_but_for_variables() {
        assert!(boolean(&words("yes")).is_err());
        assert!(boolean(&node(Tree::Int(1))).is_err());
        assert_eq!(boolean(&Node { tree: Tree::Int(1), at: Origin::Env("X".into()) }), Ok(true));
    }

    #[test]
    fn addresses() {
        for (text, ok) in [("127.0.0.1", true), ("::1", true), ("[::1]", true), ("localhost", true), ("gateway", false), ("1.2.3", false)] {
            assert_eq!(ip(&words(text)).is_ok(), ok, "{text}");
        }
    }
}
