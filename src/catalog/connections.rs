//! Named connections: properties that several sources and sinks take by `connectionSelector`, and the state of the peer behind them.
//!
//! Running rules keep what they were started with, so one that is in use can neither be changed nor dropped. The state is that of
//! the peer when somebody asks: `connected` for what takes readings, for the others whether their address takes a connection.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::host::{Fault, Host, Kind};
use super::text::{go_json, json_string};
use super::{Control, record};
use crate::config::credentials;
use crate::sql::ddl::check_id;

/// A named connection.
#[derive(Clone, PartialEq)]
pub struct Connection {
    /// Its type.
    pub kind: String,
    /// Its properties; `None` when none were given, which lists show as null.
    pub props: Option<Map<String, Value>>,
}

/// Without secrets of credentials.
impl core::fmt::Debug for Connection {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Connection({}, {:?})", self.kind, masked(self.props.as_ref()))
    }
}

/// How long what was found out about a peer is told again, in ms.
const FRESH_MS: i64 = 3_000;
/// Peers that one request asks; the others show what was known last.
const ASKED_COUNT: usize = 4;

/// What is known of a peer: when it was asked, and why it could not be reached.
pub(super) type Peers = BTreeMap<String, (i64, Result<(), String>)>;

impl<H: Host> Control<H> {
    /// Makes a named connection.
    ///
    /// # Errors
    /// [`Fault::UNDEFINED`] for a bad or used id, or no type.
    pub fn create_connection(&mut self, id: &str, kind: &str, props: Option<Map<String, Value>>) -> Result<(), Fault> {
        check_id(id).map_err(Fault::plain)?;
        let under = |message: String| Fault::plain(format!("create connection failed: {message}"));
        if kind.is_empty() {
            return Err(under("connection id and type should be defined".to_owned()));
        }
        if self.connections.contains_key(id) {
            return Err(under(format!("connection {id} already been created")));
        }
        self.store_connection(id, kind, props).map_err(under)
    }

    /// Replaces a named connection.
    ///
    /// # Errors
    /// [`Fault::NOT_FOUND`], no type, or a rule uses it.
    pub fn put_connection(&mut self, id: &str, kind: &str, props: Option<Map<String, Value>>) -> Result<(), Fault> {
        let under = |message: String| Fault::plain(format!("update connection failed: {message}"));
        if kind.is_empty() {
            return Err(under("connection id and type should be defined".to_owned()));
        }
        if !self.connections.contains_key(id) {
            return Err(missing(id).under("update connection failed"));
        }
        self.unused(id).map_err(under)?;
        self.store_connection(id, kind, props).map_err(under)
    }

    pub(super) fn store_connection(&mut self, id: &str, kind: &str, props: Option<Map<String, Value>>) -> Result<(), String> {
        let mut props = props;
        if let (Some(props), Some(old)) = (&mut props, self.connections.get(id).and_then(|old| old.props.as_ref())) {
            credentials::unmask(props, old);
        }
        self.host.save(Kind::Connection, id, &record::connection(id, kind, props.as_ref()))?;
        self.keep_connection(id, Connection { kind: kind.to_owned(), props });
        Ok(())
    }

    pub(super) fn keep_connection(&mut self, id: &str, connection: Connection) {
        self.config.set_connection(id, connection.props.clone().unwrap_or_default());
        self.peers.remove(id);
        self.connections.insert(id.to_owned(), connection);
    }

    /// Removes a named connection.
    ///
    /// # Errors
    /// [`Fault::NOT_FOUND`], or a rule uses it.
    pub fn drop_connection(&mut self, id: &str) -> Result<(), Fault> {
        if !self.connections.contains_key(id) {
            return Err(missing(id).under("drop connection failed"));
        }
        self.unused(id).map_err(|e| Fault::plain(e).under("drop connection failed"))?;
        self.host.remove(Kind::Connection, id).map_err(Fault::plain)?;
        self.forget_connection(id);
        Ok(())
    }

    pub(super) fn forget_connection(&mut self, id: &str) {
        self.config.remove_connection(id);
        self.peers.remove(id);
        self.connections.remove(id);
    }

    fn unused(&self, id: &str) -> Result<(), String> {
        let users = self.users(id);
        if users.is_empty() {
            Ok(())
        } else {
            Err(format!("connection {id} can't be dropped due to rule references [{}]", users.join(" ")))
        }
    }

    /// Ids of the running rules that were started with a connection.
    fn users(&self, id: &str) -> Vec<String> {
        let selects = |props: &Map<String, Value>| {
            let found = props.iter().find(|(name, _)| name.eq_ignore_ascii_case("connectionSelector"));
            found.is_some_and(|(_, value)| value == id)
        };
        let rules = self.rules.values().filter(|rule| rule.state.is_live());
        let using = rules.filter(|rule| {
            let in_sinks = rule.def.actions.iter().flat_map(|a| a.values()).filter_map(Value::as_object).any(selects);
            let in_sources =
                rule.def.sources().filter_map(|name| self.sources.get(name)).any(|source| {
                    crate::source::resolve::connection_of(&source.create, &self.config).is_some_and(|selected| selected == id)
                });
            in_sinks || in_sources
        });
        using.map(|rule| rule.def.id.clone()).collect()
    }

    /// One named connection as JSON.
    ///
    /// # Errors
    /// [`Fault::NOT_FOUND`].
    pub fn connection_json(&mut self, id: &str) -> Result<String, Fault> {
        if !self.connections.contains_key(id) {
            return Err(missing(id));
        }
        self.ask_peers(&[id.to_owned()]);
        Ok(self.shown_connection(id))
    }

    /// All named connections as JSON; with `all`, also the endpoints of running rules, each with the number of its users.
    pub fn connections_json(&mut self, all: bool) -> String {
        let ids: Vec<String> = self.connections.keys().cloned().collect();
        self.ask_peers(&ids);
        let mut items: Vec<String> = ids.iter().map(|id| self.shown_connection(id)).collect();
        if all {
            items.extend(self.endpoints());
        }
        format!("[{}]", items.join(","))
    }

    /// All named connections.
    pub fn connections(&self) -> impl Iterator<Item = (&String, &Connection)> {
        self.connections.iter()
    }

    fn shown_connection(&self, id: &str) -> String {
        let Some(connection) = self.connections.get(id) else { return "null".to_owned() };
        let (status, err) = match self.peers.get(id) {
            Some((_, Ok(()))) => ("connected", String::new()),
            Some((_, Err(why))) => ("disconnected", format!(",\"err\":{}", json_string(why))),
            None if takes_readings(&connection.kind) => ("connected", String::new()),
            None => ("connecting", String::new()),
        };
        let users = self.users(id).len();
        let count = if users == 0 { String::new() } else { format!(",\"refCount\":{users}") };
        let props = go_json(&json!(masked(connection.props.as_ref())));
        let (id, kind) = (json_string(id), json_string(&connection.kind));
        format!("{{\"id\":{id},\"typ\":{kind},\"props\":{props},\"isNamed\":true,\"status\":\"{status}\"{err}{count}}}")
    }

    /// The endpoints of running rules that stand for themselves.
    fn endpoints(&self) -> Vec<String> {
        let mut found: BTreeMap<String, (Map<String, Value>, usize)> = BTreeMap::new();
        let live = self.rules.values().filter(|rule| rule.state.is_live());
        for create in live.flat_map(|rule| rule.def.sources()).filter_map(|name| self.sources.get(name)).map(|source| &source.create) {
            let options = &create.options;
            if !options.kind_of_source.eq_ignore_ascii_case("httppush")
                || crate::source::resolve::connection_of(create, &self.config).is_some()
            {
                continue;
            }
            let endpoint = if options.datasource.is_empty() { format!("/{}", create.name) } else { options.datasource.clone() };
            found
                .entry(endpoint)
                .or_insert_with(|| {
                    let mut props = self.config.conf_key("httppush", &options.conf_key).map(|p| p.to_json()).unwrap_or_default();
                    credentials::mask(&mut props);
                    for (name, value) in [
                        ("datasource", json!(options.datasource)),
                        ("delimiter", json!(options.delimiter)),
                        ("format", json!(options.format_or_json())),
                        ("key", json!(options.key)),
                        ("retainSize", json!(options.retain_size)),
                        ("schemaId", json!(options.schema_id)),
                        ("strictValidation", json!(options.strict_validation)),
                        ("timestamp", json!(options.timestamp)),
                        ("timestampFormat", json!(options.timestamp_format)),
                    ] {
                        props.insert(name.to_owned(), value);
                    }
                    (props, 0)
                })
                .1 += 1;
        }
        let shown = |(id, (props, count)): (String, (Map<String, Value>, usize))| {
            let (id, props) = (json_string(&id), go_json(&Value::Object(props)));
            format!(
                "{{\"id\":{id},\"typ\":\"httppush\",\"props\":{props},\"isNamed\":false,\"status\":\"connected\",\"refCount\":{count}}}"
            )
        };
        found.into_iter().map(shown).collect()
    }

    /// Finds out whether the peers of these connections can be reached, as far as that is not known.
    fn ask_peers(&mut self, ids: &[String]) {
        let now = self.host.now().wall.0;
        let mut asked = 0;
        for id in ids {
            let Some(connection) = self.connections.get(id) else { continue };
            let Some((shown, addr)) = peer(connection) else { continue };
            if asked == ASKED_COUNT || self.peers.get(id).is_some_and(|(at, _)| (0..FRESH_MS).contains(&(now - at))) {
                continue;
            }
            asked += 1;
            let result = self.host.reach(&addr).map_err(|why| unreachable(&shown, &addr, &why));
            self.peers.insert(id.clone(), (now, result));
        }
    }

    /// Tries the peer that some properties name.
    ///
    /// # Errors
    /// That there is none in them, or why it cannot be reached.
    pub fn ping(&mut self, what: &str, kind: &str, props: &Map<String, Value>) -> Result<(), Fault> {
        let connection = Connection { kind: kind.to_owned(), props: Some(props.clone()) };
        let given = |name: &str| props.get(name).and_then(Value::as_str).is_some_and(|text| !text.is_empty());
        let dial = |addr: &str, why: &str| format!("dial tcp {addr}: connect: {why}");
        match (what, kind) {
            ("lookup source", "memory" | "httppull" | "redis") => {}
            ("lookup source", _) => return Err(Fault::plain(format!("lookup source type {kind} not found"))),
            (_, "mqtt") => {
                let Some((shown, addr)) = peer(&connection) else { return Err(Fault::plain("missing server property")) };
                return self.host.reach(&addr).map_err(|why| Fault::new(Fault::IO, unreachable(&shown, &addr, &why)));
            }
            ("sink", "redis") if !given("key") && !given("field") && props.get("keyType").is_none_or(|t| t == "single") => {
                return Err(Fault::plain("redis sink must have key or field when KeyType is single"));
            }
            ("sink", "redisPub") if !given("channel") => return Err(Fault::plain("redisPub sink is missing property channel")),
            ("sink", "redis" | "redisPub") => {
                let addr = peer(&connection).map_or_else(|| "localhost:6379".to_owned(), |(_, addr)| addr);
                let prefix = if kind == "redis" { "" } else { "Ping Redis failed with error: " };
                return self.host.reach(&addr).map_err(|why| Fault::plain(format!("{prefix}{}", dial(&addr, &why))));
            }
            _ => {}
        }
        Err(Fault::plain(format!("{what} {kind} doesn't support ping connection")))
    }
}

/// eKuiper's sentence about a peer that cannot be reached.
fn unreachable(shown: &str, addr: &str, why: &str) -> String {
    format!("found error when connecting for {shown}: network Error : dial tcp {addr}: connect: {why}")
}

/// What waits for others to connect has no peer.
fn takes_readings(kind: &str) -> bool {
    matches!(kind, "httppush" | "websocket")
}

/// The address behind a connection, as written and as `host:port`.
fn peer(connection: &Connection) -> Option<(String, String)> {
    let (names, port): (&[&str], u16) = match connection.kind.as_str() {
        "mqtt" => (&["server"], 1883),
        "rest" => (&["url"], 80),
        "redis" => (&["addr"], 6379),
        "redisPub" => (&["address"], 6379),
        _ => return None,
    };
    let props = connection.props.as_ref()?;
    let text = names.iter().find_map(|name| props.iter().find(|(key, _)| key.eq_ignore_ascii_case(name))?.1.as_str())?;
    let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
    let port = match scheme {
        "https" => 443,
        "ssl" | "tls" | "mqtts" => 8883,
        _ => port,
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or("");
    let authority = authority.rsplit('@').next().unwrap_or("");
    if authority.is_empty() || authority.contains("{{") {
        return None;
    }
    let has_port =
        authority.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok() && !host.ends_with(':'));
    Some((text.to_owned(), if has_port { authority.to_owned() } else { format!("{authority}:{port}") }))
}

fn missing(id: &str) -> Fault {
    Fault::missing(format!("connection {id} not existed"))
}

/// Properties as they are shown: without the secrets of credentials.
pub(super) fn masked(props: Option<&Map<String, Value>>) -> Option<Map<String, Value>> {
    let mut props = props.cloned()?;
    credentials::mask(&mut props);
    Some(props)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::fake::control;

    fn props(value: Value) -> Option<Map<String, Value>> {
        value.as_object().cloned()
    }

    #[test]
    fn a_connection_in_use_stays() {
        let mut c = control();
        c.create_connection("c1", "httppush", props(json!({"datasource": "/n"}))).expect("connection");
        let ddl = r#"CREATE STREAM demo () WITH (TYPE="httppush", EXTRA="{\"connectionSelector\":\"c1\"}")"#;
        c.run_ddl(ddl).expect("stream");
        c.create_rule("", r#"{"id":"r1","sql":"SELECT * FROM demo","actions":[{"nop":{}}]}"#).expect("rule");
        assert!(c.connection_json("c1").expect("c1").ends_with(r#""status":"connected","refCount":1}"#));
        for refused in [c.drop_connection("c1"), c.put_connection("c1", "httppush", None)] {
            assert!(refused.expect_err("in use").message.contains("can't be dropped due to rule references [r1]"));
        }
        c.stop_rule("r1").expect("stop");
        c.put_connection("c1", "httppush", None).expect("free");
        assert!(c.connections_json(false).contains(r#""props":null"#));
        c.drop_connection("c1").expect("free");
        assert_eq!(c.drop_connection("c1").expect_err("gone").code, Fault::NOT_FOUND);
    }

    #[test]
    fn a_sink_uses_one_too() {
        let mut c = control();
        c.create_connection("c1", "rest", props(json!({"url": "http://127.0.0.1:1"}))).expect("connection");
        c.run_ddl(r#"CREATE STREAM demo () WITH (TYPE="httppush")"#).expect("stream");
        c.create_rule("", r#"{"id":"r1","sql":"SELECT * FROM demo","actions":[{"rest":{"connectionSelector":"c1"}}]}"#).expect("rule");
        assert!(c.drop_connection("c1").is_err());
        c.drop_rule("r1").expect("drop");
        assert!(c.drop_connection("c1").is_ok());
    }

    #[test]
    fn states_are_those_of_the_peer() {
        let mut c = control();
        c.create_connection("m", "mqtt", props(json!({"server": "tcp://127.0.0.1:1"}))).expect("connection");
        assert!(c.connection_json("m").expect("m").contains(
            r#""status":"disconnected","err":"found error when connecting for tcp://127.0.0.1:1: network Error : dial tcp 127.0.0.1:1: connect: connection refused""#
        ));
        c.host.reachable = true;
        assert!(c.connection_json("m").expect("m").contains("disconnected"), "not asked again at once");
        c.host.now_ms += FRESH_MS;
        assert!(c.connection_json("m").expect("m").ends_with(r#""status":"connected"}"#));
        c.create_connection("x", "nosuch", None).expect("any type");
        assert!(c.connection_json("x").expect("x").contains("\"connecting\""));
    }

    #[test]
    fn a_broker_can_be_tried() {
        let mut c = control();
        let server = props(json!({"server": "tcp://127.0.0.1:1"})).expect("object");
        for what in ["source", "sink"] {
            let e = c.ping(what, "mqtt", &server).expect_err("nobody there");
            assert_eq!(e.code, Fault::IO);
            assert!(e.message.ends_with("dial tcp 127.0.0.1:1: connect: connection refused"), "{e}");
        }
        c.host.reachable = true;
        assert_eq!(c.ping("sink", "mqtt", &server), Ok(()));
        let url = props(json!({"url": "http://127.0.0.1:1"})).expect("object");
        assert_eq!(c.ping("sink", "rest", &url).expect_err("as eKuiper").message, "sink rest doesn't support ping connection");
    }

    #[test]
    fn what_can_be_tried_says_what_is_missing() {
        let mut c = control();
        for (what, kind, value, words) in [
            ("source", "mqtt", json!({}), "missing server property"),
            ("sink", "mqtt", json!({}), "missing server property"),
            ("sink", "redis", json!({}), "must have key or field"),
            ("sink", "redis", json!({"addr": "127.0.0.1:1", "key": "k"}), "dial tcp 127.0.0.1:1: connect: connection refused"),
            ("sink", "redis", json!({"keyType": "multiple"}), "dial tcp localhost:6379"),
            ("sink", "redisPub", json!({}), "missing property channel"),
            ("sink", "redisPub", json!({"address": "h:2", "channel": "c"}), "Ping Redis failed with error: dial tcp h:2"),
            ("source", "redis", json!({}), "source redis doesn't support ping connection"),
            ("lookup source", "memory", json!({}), "lookup source memory doesn't support ping connection"),
            ("lookup source", "mqtt", json!({"server": "tcp://h"}), "lookup source type mqtt not found"),
        ] {
            let e = c.ping(what, kind, &props(value.clone()).expect("object")).expect_err("none of them");
            assert!(e.code == Fault::UNDEFINED && e.message.contains(words), "{what} {kind} {value}: {e:?}");
        }
    }

    #[test]
    fn endpoints_are_shown_when_asked_for() {
        let mut c = control();
        c.run_ddl(r#"CREATE STREAM demo () WITH (DATASOURCE="/d", TYPE="httppush")"#).expect("stream");
        for id in ["r1", "r2"] {
            c.create_rule("", &format!(r#"{{"id":"{id}","sql":"SELECT * FROM demo","actions":[{{"nop":{{}}}}]}}"#)).expect("rule");
        }
        assert_eq!(c.connections_json(false), "[]");
        let all = c.connections_json(true);
        assert!(all.starts_with(r#"[{"id":"/d","typ":"httppush","props":{"datasource":"/d","#), "{all}");
        assert!(all.ends_with(r#""isNamed":false,"status":"connected","refCount":2}]"#), "{all}");
    }

    #[test]
    fn peers() {
        for (kind, value, want) in [
            ("mqtt", json!({"server": "tcp://h:1884"}), Some("h:1884")),
            ("mqtt", json!({"server": "ssl://h"}), Some("h:8883")),
            ("mqtt", json!({"server": "h"}), Some("h:1883")),
            ("rest", json!({"url": "https://u:p@h/x?y"}), Some("h:443")),
            ("rest", json!({"URL": "http://[::1]:8/x"}), Some("[::1]:8")),
            ("rest", json!({"url": "http://{{.h}}/"}), None),
            ("rest", json!({}), None),
            ("httppush", json!({"url": "http://h"}), None),
        ] {
            let found = peer(&Connection { kind: kind.into(), props: props(value.clone()) });
            assert_eq!(found.map(|(_, addr)| addr).as_deref(), want, "{value}");
        }
    }
}
