//! Where a sink's server is: host, port, and whether TLS is spoken to it.

use crate::wire::client::Url;

/// A server's address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Name or address, an IPv6 one without its brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl Peer {
    /// Reads `host`, `host:port` or `[v6]:port`; `default` is the port where none is written.
    ///
    /// # Errors
    /// A sentence.
    pub(super) fn parse(text: &str, default: u16) -> Result<Self, String> {
        if text.is_empty() || text.contains(['/', '?', '#']) {
            return Err(format!("{text:?} is no host:port"));
        }
        let url = format!("http://{text}");
        let url = Url::parse(&url).map_err(|e| format!("{text:?} is no host:port: {e}"))?;
        let has_port = text.rsplit(']').next().is_some_and(|behind| behind.contains(':'));
        Ok(Self { host: url.host.to_owned(), port: if has_port { url.port } else { default } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (text, want) in [
            ("h", Some(("h", 7))),
            ("h:80", Some(("h", 80))),
            ("127.0.0.1:1883", Some(("127.0.0.1", 1883))),
            ("[::1]", Some(("::1", 7))),
            ("[::1]:9", Some(("::1", 9))),
            ("", None),
            ("h:0", None),
            ("h:65536", None),
            ("h:x", None),
            ("u@h", None),
            ("h/x", None),
            ("a b", None),
        ] {
            let got = Peer::parse(text, 7).ok();
            assert_eq!(got, want.map(|(host, port)| Peer { host: host.to_owned(), port }), "{text}");
        }
    }
}
