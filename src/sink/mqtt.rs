//! The mqtt sink (facts §8.2): which broker, and which message a payload becomes.
//!
//! * Versions 3.1, 3.1.1 (the default) and 5; qos 0, 1 and 2, the message under way acknowledged before the next is sent.
//! * The connection is made when the rule starts and again when it was lost; payloads wait in the outbox meanwhile.
//! * A templated topic takes no wildcard from a reading; user properties are sent in version 5 alone.
//! * Each sink has a connection of its own. One that takes its settings from a named connection adds rule and action to the client
//!   id, since a broker ends a connection when another comes under its name.

use std::sync::Arc;

use super::outbox::Texts;
use super::peer::Peer;
use super::props::Props;
use super::words::{Dynamic, Place, Word};
use super::{SinkEnv, TlsClient, tls};
use crate::wire::mqtt::{Qos, Version};

/// Seconds between pings where nothing else is sent.
const KEEP_ALIVE_S: u16 = 30;

/// The mqtt sink's own properties.
#[derive(Debug)]
pub(super) struct Mqtt {
    broker: Broker,
    topic: Word,
    qos: Qos,
    retain: bool,
    properties: Vec<(String, Word)>,
}

/// What it takes to connect, for whoever does it.
#[derive(Clone)]
pub struct Broker {
    /// Where it is.
    pub peer: Arc<Peer>,
    /// The version spoken.
    pub version: Version,
    /// The client id; empty: a random one.
    pub client_id: Arc<str>,
    /// Who connects.
    pub user: Option<Arc<str>>,
    /// And what proves it.
    pub password: Option<Arc<str>>,
    /// Whether the broker forgets what was before.
    pub clean: bool,
    /// Seconds for which it keeps the session, version 5 only.
    pub session_expiry_s: u32,
    /// Seconds of silence after which a ping is sent.
    pub keep_alive_s: u16,
    /// The TLS client that was loaded when the rule was created.
    pub tls: Option<TlsClient>,
}

impl core::fmt::Debug for Broker {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Broker").field("peer", &self.peer).field("version", &self.version).finish_non_exhaustive()
    }
}

/// One message, lent; its content is the payload.
#[derive(Debug, Clone, Copy)]
pub struct Message<'p> {
    mqtt: &'p Mqtt,
    texts: Texts<'p>,
}

impl<'p> Message<'p> {
    /// The topic.
    #[must_use]
    pub fn topic(&self) -> &'p str {
        self.mqtt.topic.get(self.texts)
    }

    /// How it is delivered.
    #[must_use]
    pub const fn qos(&self) -> Qos {
        self.mqtt.qos
    }

    /// Whether the broker keeps it.
    #[must_use]
    pub const fn retain(&self) -> bool {
        self.mqtt.retain
    }

    /// User properties.
    pub fn properties(&self) -> impl Iterator<Item = (&'p str, &'p str)> + Clone {
        let (mqtt, texts) = (self.mqtt, self.texts);
        mqtt.properties.iter().map(move |(name, value)| (name.as_str(), value.get(texts)))
    }
}

impl Mqtt {
    /// Reads and checks.
    ///
    /// # Errors
    /// A sentence that names the property.
    pub(super) fn read(props: &mut Props<'_>, dynamics: &mut Vec<Dynamic>, env: &SinkEnv<'_>) -> Result<Self, String> {
        let version = match props.text("protocolVersion")?.unwrap_or("") {
            "3.1" => Version::V3,
            "" | "3.1.1" | "4" => Version::V4,
            "5" => Version::V5,
            other => return Err(format!("unsupported protocol version {other}, expected 3.1, 3.1.1, 4 or 5")),
        };
        let server = props.text("server")?.unwrap_or("");
        if server.is_empty() {
            return Err("missing server property".into());
        }
        if version == Version::V5 && !server.contains("://") {
            return Err(format!("parse {server:?}: a server of version 5 needs a scheme, such as tcp://"));
        }
        let (peer, encrypted) = server_of(server)?;
        let topic = props.text("topic")?.unwrap_or("");
        if topic.is_empty() {
            return Err("mqtt sink is missing property topic".into());
        }
        if super::rows::has_wildcard(topic) {
            return Err("mqtt sink topic shouldn't contain # or +".into());
        }
        let qos = props.int("qos")?.unwrap_or(0);
        let qos = u8::try_from(qos)
            .ok()
            .and_then(Qos::of)
            .ok_or_else(|| format!("invalid qos value {qos}, the value could be only int 0 or 1 or 2"))?;
        let selected = props.text("connectionSelector")?.is_some_and(|name| !name.is_empty());
        let client_id = props.text("clientid")?.unwrap_or("");
        let client_id: Arc<str> =
            if selected && !client_id.is_empty() { format!("{client_id}-{}-{}", env.rule, env.action).into() } else { client_id.into() };
        let mut given = |name| props.text(name).map(|t| t.filter(|t| !t.is_empty()).map(Arc::from));
        let (user, password) = (given("username")?, given("password")?);
        let clean = !props.flag("enableClientSession")?.unwrap_or(false);
        let state_path = props.text("clientStatePath")?.unwrap_or("");
        if version == Version::V5 && !clean && state_path.is_empty() {
            return Err("missing client state path".into());
        }
        let expiry = props.count("sessionExpiryIntervalSeconds")?.unwrap_or(0);
        let session_expiry_s = u32::try_from(expiry).map_err(|_| format!("sessionExpiryIntervalSeconds {expiry} is too large"))?;
        let mut properties = Vec::new();
        for (name, value) in props.text_map("properties")? {
            if version == Version::V5 {
                properties.push((name, Word::new(&value, Place::Form, dynamics)?));
            }
        }
        let tls = tls::read(props, encrypted, false, env)?.filter(|_| encrypted);
        let topic = Word::new(topic, Place::Topic, dynamics)?;
        let broker =
            Broker { peer: Arc::new(peer), version, client_id, user, password, clean, session_expiry_s, keep_alive_s: KEEP_ALIVE_S, tls };
        Ok(Self { broker, topic, qos, retain: props.flag("retained")?.unwrap_or(false), properties })
    }

    pub(super) fn broker(&self) -> Broker {
        self.broker.clone()
    }

    pub(super) const fn message<'p>(&'p self, texts: Texts<'p>) -> Message<'p> {
        Message { mqtt: self, texts }
    }

    /// `connection_status` while a broker is away that was there before: version 5 has it as lost, the others as connecting, as
    /// eKuiper does.
    pub(super) fn status_down(&self) -> i8 {
        if self.broker.version == Version::V5 { -1 } else { 0 }
    }
}

/// Where `server` is, and whether TLS is spoken to it.
fn server_of(server: &str) -> Result<(Peer, bool), String> {
    let (scheme, rest) = server.split_once("://").unwrap_or(("tcp", server));
    let encrypted = match scheme.to_ascii_lowercase().as_str() {
        "tcp" | "mqtt" => false,
        "ssl" | "tls" | "tcps" | "mqtts" | "mqtt+ssl" => true,
        other => return Err(format!("server {server}: scheme {other} is not supported, expected tcp, mqtt, ssl, tls or mqtts")),
    };
    let peer = Peer::parse(rest.trim_end_matches('/'), if encrypted { 8883 } else { 1883 }).map_err(|e| format!("server {server}: {e}"))?;
    Ok((peer, encrypted))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::SinkDefaults;
    use crate::limits::Limits;
    use crate::sink::tests::env;

    fn read(text: &str) -> Result<Mqtt, String> {
        let (defaults, limits) = (SinkDefaults::default(), Limits::default());
        let map = serde_json::from_str(text).expect("an object");
        Mqtt::read(&mut Props::new(&map), &mut Vec::new(), &env(&defaults, &limits))
    }

    #[test]
    fn servers() {
        for (server, want) in [
            ("tcp://h:1", Some(("h", 1, false))),
            ("mqtt://h", Some(("h", 1883, false))),
            ("h:2", Some(("h", 2, false))),
            ("ssl://h", Some(("h", 8883, true))),
            ("MQTTS://h/", Some(("h", 8883, true))),
            ("tls://[::1]:3", Some(("::1", 3, true))),
            ("ws://h", None),
            ("tcp://", None),
            ("tcp://h:x", None),
        ] {
            let got = server_of(server).ok();
            assert_eq!(got, want.map(|(host, port, tls)| (Peer { host: host.to_owned(), port }, tls)), "{server}");
        }
    }

    #[test]
    fn refusals_and_defaults() {
        for (text, why) in [
            (r#"{"topic":"t"}"#, "missing server"),
            (r#"{"server":"","topic":"t"}"#, "missing server"),
            (r#"{"server":"tcp://h"}"#, "missing property topic"),
            (r##"{"server":"tcp://h","topic":"a/#"}"##, "# or +"),
            (r#"{"server":"tcp://h","topic":"a/+/b"}"#, "# or +"),
            (r#"{"server":"tcp://h","topic":"t","qos":3}"#, "qos"),
            (r#"{"server":"tcp://h","topic":"t","qos":-1}"#, "qos"),
            (r#"{"server":"tcp://h","topic":"t","protocolVersion":"6"}"#, "protocol version 6"),
            (r#"{"server":"ws://h","topic":"t"}"#, "scheme ws"),
            (r#"{"server":"h:1","topic":"t","protocolVersion":"5"}"#, "scheme"),
            (r#"{"server":"tcp://h","topic":"t","protocolVersion":"5","enableClientSession":true}"#, "client state path"),
            (r#"{"server":"tcp://h","topic":"{{","qos":0}"#, "template"),
            (r#"{"server":"tcp://h","topic":"t","retained":"yes"}"#, "retained"),
            (r#"{"server":"tcp://h","topic":"t","properties":5}"#, "properties"),
        ] {
            assert!(read(text).as_ref().is_err_and(|e| e.contains(why)), "{text}: {:?}", read(text).err());
        }
        let m = read(r#"{"server":"tcp://h","topic":"t/{{.a}}","properties":{"k":"v"}}"#).expect("sound");
        assert_eq!((m.qos, m.retain, m.broker.version, m.broker.clean, m.properties.len()), (Qos::AtMost, false, Version::V4, true, 0));
        assert_eq!((&*m.broker.client_id, m.broker.user.as_deref(), m.status_down()), ("", None, 0));
        let m = read(
            r#"{"server":"tcp://h","topic":"t","qos":2,"retained":true,"clientId":"c","username":"u","password":"p",
                "protocolVersion":"5","enableClientSession":true,"clientStatePath":"x","properties":{"k":"v"}}"#,
        )
        .expect("sound");
        assert_eq!((m.qos, m.retain, m.broker.version, m.broker.clean), (Qos::Exactly, true, Version::V5, false));
        assert_eq!((&*m.broker.client_id, m.broker.user.as_deref(), m.status_down()), ("c", Some("u"), -1));
        assert_eq!(m.message(Texts::default()).properties().collect::<Vec<_>>(), [("k", "v")]);
        let m = read(r#"{"server":"h","topic":"t","clientid":"c","connectionSelector":"x"}"#).expect("sound");
        assert_eq!(&*m.broker.client_id, "c-r-0");
    }
}
