//! Configuration: texts and environment in, [`Config`] out; the caller reads the files.
//!
//! Follows eKuiper's `etc/kuiper.yaml` and `etc/sources/*.yaml` (both load unchanged) with REST over environment over file.
//! `docs/configuration.md` lists every key with unit, default and bound. Unknown keys warn with their line and the key that was
//! probably meant; a wrong value in a server section is an error `FILE:LINE: key: expected …, found …`; a wrong one in a conf key
//! is kept and given out to the streams that use it. Every value knows its [`Origin`].
//!
//! ```
//! use pushgate::config::{Config, File, Input};
//! let main = File { name: "pushgate.yaml", text: "basic:\n  restPort: 9082\n" };
//! let config = Config::load(&Input { main: Some(main), ..Input::default() }).unwrap();
//! assert_eq!(config.rest_listen().to_string(), "127.0.0.1:9082");
//! assert_eq!(config.conf_key("httppush", "").unwrap().text("method").unwrap().as_deref(), Some("POST"));
//! ```

mod conf_keys;
pub mod credentials;
mod env;
mod keys;
mod load;
mod near;
pub mod paths;
mod props;
mod read;
mod tree;
pub mod yaml;

use core::{
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};
use std::collections::BTreeMap;

use serde_json::{Map, Value};

pub use self::{
    conf_keys::ConfKeyError,
    near::nearest,
    props::{Prop, PropError, Props},
    tree::Origin,
};
use crate::{limits::Limits, wire::conn::Deadlines};

/// The source types whose `sources/TYPE.yaml` is read.
pub const SOURCE_TYPES: &[&str] = &["httppush", "memory", "simulator", "file"];

/// What is read at start.
#[derive(Debug, Clone, Copy, Default)]
pub struct Input<'a> {
    /// `pushgate.yaml`; without it every server key has its default.
    pub main: Option<File<'a>>,
    /// The texts of `sources/TYPE.yaml` by source type, as far as they exist.
    pub sources: &'a [(&'a str, File<'a>)],
    /// The environment, names and values.
    pub env: &'a [(String, String)],
}

/// One text and the name that messages give it.
#[derive(Debug, Clone, Copy)]
pub struct File<'a> {
    /// As the user would name it.
    pub name: &'a str,
    /// Its content.
    pub text: &'a str,
}

/// The configuration in force.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Config {
    /// Section `basic`.
    pub basic: Basic,
    /// Section `rule`: what a rule's options inherit.
    pub rule: RuleDefaults,
    /// Section `sink`: what a sink's cache properties inherit.
    pub sink: SinkDefaults,
    /// Section `source`: the data server, wherever its keys stand.
    pub source: DataServer,
    /// Section `limits`.
    pub limits: Limits,
    /// What to log once logging works: warnings, and at most one line of information.
    pub notes: Vec<Note>,
    origins: BTreeMap<String, Origin>,
    conf_keys: conf_keys::ConfKeys,
    /// Properties of the named connections that the management API made.
    connections: BTreeMap<String, Map<String, Value>>,
}

/// Section `basic`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Basic {
    /// Address of the management port as configured; see [`Config::rest_listen`] for the one to bind.
    pub rest_ip: IpAddr,
    /// The management port; 0 is any free one.
    pub rest_port: u16,
    /// HTTPS on the management port.
    pub rest_tls: Option<TlsFiles>,
    /// Whether the management port may leave loopback without authentication.
    pub rest_allow_open: bool,
    /// Host names that requests to the management port may carry besides IP literals and `localhost`.
    pub rest_hosts: Vec<String>,
    /// Origins of web pages that may use the management port.
    pub rest_origins: Vec<String>,
    /// Whether `http:` and `https:` files may be imported.
    pub import_http: bool,
    /// Whether the management port asks for JSON web tokens.
    pub authentication: bool,
    /// Whether each management request is logged.
    pub enable_rest_audit_log: bool,
    /// Least level that is logged; [`Basic::level`] counts `debug` in.
    pub log_level: log::LevelFilter,
    /// Debug lines whatever `log_level` says.
    pub debug: bool,
    /// Accepted; lines go to stderr either way.
    pub console_log: bool,
    /// Accepted; no log file is written, the service manager keeps the lines.
    pub file_log: bool,
    /// Lines without a time.
    pub log_disable_timestamp: bool,
    /// IANA zone name, `Local` or `UTC`.
    pub timezone: String,
    /// Whether SQL ignores the case of column names.
    pub ignore_case: bool,
    /// How often stopped and scheduled rules are looked at.
    pub rule_patrol_interval: Duration,
    /// How long SIGTERM waits for queues and outboxes to drain.
    pub graceful_shutdown_timeout: Duration,
    /// Whether rest sinks may reach private addresses: refused only when explicitly false.
    pub enable_private_net: Option<bool>,
    /// Whether metrics are offered for scraping.
    pub prometheus: bool,
    /// Port of the metrics; the management port when equal to it.
    pub prometheus_port: u16,
}

impl Basic {
    /// The level to log at.
    #[must_use]
    pub fn level(&self) -> log::LevelFilter {
        if self.debug { self.log_level.max(log::LevelFilter::Debug) } else { self.log_level }
    }
}

/// What a port speaks TLS with. Files are PEM; an empty path is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate chain.
    pub certfile: String,
    /// The private key.
    pub keyfile: String,
    /// Authorities that clients must be certified by.
    pub client_ca: String,
    /// Their revocation lists.
    pub client_crl: String,
    /// Whether clients must show a certificate; `None`: required when there is a `client_ca`.
    pub client_auth: Option<ClientAuth>,
    /// Oldest version, 12 or 13.
    pub min_version: u8,
    /// Newest version, 12 or 13.
    pub max_version: u8,
}

/// Whether clients show a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientAuth {
    /// They are not asked.
    None,
    /// They may.
    Optional,
    /// Without one there is no connection.
    Required,
}

impl TlsFiles {
    /// All files that are named.
    pub fn paths(&self) -> impl Iterator<Item = &String> {
        [&self.certfile, &self.keyfile, &self.client_ca, &self.client_crl].into_iter().filter(|path| !path.is_empty())
    }

    /// Whether clients show a certificate.
    #[must_use]
    pub fn client_auth(&self) -> ClientAuth {
        match self.client_auth {
            Some(auth) => auth,
            None if self.client_ca.is_empty() => ClientAuth::None,
            None => ClientAuth::Required,
        }
    }
}

impl Default for TlsFiles {
    fn default() -> Self {
        let none = String::new;
        Self {
            certfile: none(),
            keyfile: none(),
            client_ca: none(),
            client_crl: none(),
            client_auth: None,
            min_version: 12,
            max_version: 13,
        }
    }
}

/// Section `rule`: defaults of rule options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleDefaults {
    /// 0: at most once, 1: at least once, 2: exactly once.
    pub qos: u8,
    /// Time between checkpoints.
    pub checkpoint_interval: Duration,
    /// Whether errors go to the sinks.
    pub send_error: bool,
    /// Whether rows carry `__meta`.
    pub send_meta_to_sink: bool,
    /// Whether time comes from the events.
    pub is_event_time: bool,
    /// How late an event may be.
    pub late_tolerance: Duration,
    /// Accepted and validated; one row is evaluated at a time.
    pub concurrency: u64,
    /// Accepted and validated; a queue is bounded in bytes.
    pub buffer_length: u64,
    /// `restartStrategy.attempts`: above 0, a rule stopped by an error is started again.
    pub restart_attempts: u64,
}

/// Section `sink`: defaults of the cache properties of sinks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinkDefaults {
    /// Whether what cannot be delivered is kept on disk.
    pub enable_cache: bool,
    /// Messages kept in memory.
    pub memory_cache_threshold: u64,
    /// Messages kept on disk.
    pub max_disk_cache: u64,
    /// Messages written at once.
    pub buffer_page_size: u64,
    /// Wait before a message is sent again; zero is the sink's own back-off.
    pub resend_interval: Duration,
    /// Whether the cache goes when the rule stops.
    pub clean_cache_at_stop: bool,
}

/// Section `source`: the data server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataServer {
    /// Address of the data port.
    pub http_server_ip: IpAddr,
    /// The data port; 0 is any free one.
    pub http_server_port: u16,
    /// HTTPS on the data port.
    pub http_server_tls: Option<TlsFiles>,
    /// Times that connections may take.
    pub deadlines: Deadlines,
    /// Connections of one address at once, an IPv6 address counted by its /64; 0: any number.
    pub connections_per_address: u64,
}

impl DataServer {
    /// The address to bind.
    #[must_use]
    pub const fn listen(&self) -> SocketAddr {
        SocketAddr::new(self.http_server_ip, self.http_server_port)
    }
}

/// Something to say about the configuration that does not stop the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Warning or information.
    pub level: log::Level,
    /// One line, with the place in front.
    pub text: String,
}

/// An error that stops the start (exit 78): `FILE:LINE: key: expected …, found …`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// `FILE:LINE`, or the name of a variable.
    pub place: String,
    /// The key, empty when the whole text is at fault.
    pub key: String,
    /// What was expected, and what was found.
    pub what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in [&self.place, &self.key] {
            if !part.is_empty() {
                write!(f, "{part}: ")?;
            }
        }
        f.write_str(&self.what)
    }
}

impl core::error::Error for Fault {}

/// One line of `check --show`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// `section.key`.
    pub key: String,
    /// The value in force; secrets are masked.
    pub value: String,
    /// Where it comes from.
    pub origin: Origin,
}

impl Config {
    /// Reads everything that is known at start.
    ///
    /// # Errors
    /// Every fault in a server section, in the order found. Faults in conf keys are kept: see [`Config::conf_key`] and
    /// [`Config::broken_conf_keys`].
    pub fn load(input: &Input<'_>) -> Result<Self, Vec<Fault>> {
        load::load(input)
    }

    /// The address to bind for management: a non-loopback `restIp` without authentication stays on loopback unless
    /// `restAllowOpen` says otherwise.
    #[must_use]
    pub fn rest_listen(&self) -> SocketAddr {
        let basic = &self.basic;
        let open = basic.rest_ip.is_loopback() || basic.authentication || basic.rest_allow_open;
        SocketAddr::new(if open { basic.rest_ip } else { IpAddr::V4(Ipv4Addr::LOCALHOST) }, basic.rest_port)
    }

    /// The properties of a stream whose source type is `kind` and whose CONF_KEY is `name` (`""` without one): the section
    /// `default` with the named section laid over it. EXTRA goes on top with [`Props::lay`], then [`Props::check`].
    ///
    /// A name that does not exist is no error: as in eKuiper the defaults stand, and [`Props::missing`] says so.
    ///
    /// # Errors
    /// [`ConfKeyError`] when one of the two sections is broken.
    pub fn conf_key(&self, kind: &str, name: &str) -> Result<Props, ConfKeyError> {
        self.conf_keys.resolve(kind, name)
    }

    /// Whether there is a conf key of that name, in a file or made over REST; without a name, the section `default`.
    #[must_use]
    pub fn has_conf_key(&self, kind: &str, name: &str) -> bool {
        self.conf_keys.is_there(kind, name)
    }

    /// Makes or replaces a conf key of the management API; it is laid over the file's section of the same name.
    pub fn set_conf_key(&mut self, kind: &str, name: &str, props: Map<String, Value>) {
        self.conf_keys.set(kind, name, props);
    }

    /// Removes a conf key of the management API; false if the API made none of that name.
    pub fn remove_conf_key(&mut self, kind: &str, name: &str) -> bool {
        self.conf_keys.remove(kind, name)
    }

    /// What the management API made under that name, secrets included.
    #[must_use]
    pub fn made_conf_key(&self, kind: &str, name: &str) -> Option<&Map<String, Value>> {
        self.conf_keys.made(kind, name)
    }

    /// Takes the conf keys of files from `newer`; those that the management API made stay, and so does everything else.
    pub fn reload_conf_keys(&mut self, newer: &Self) {
        self.conf_keys.take_files(&newer.conf_keys);
    }

    /// Makes or replaces a named connection of the management API.
    pub fn set_connection(&mut self, id: &str, props: Map<String, Value>) {
        self.connections.insert(id.to_owned(), props);
    }

    /// Removes a named connection.
    pub fn remove_connection(&mut self, id: &str) {
        self.connections.remove(id);
    }

    /// The properties of a named connection.
    #[must_use]
    pub fn connection(&self, id: &str) -> Option<&Map<String, Value>> {
        self.connections.get(id)
    }

    /// The body of `GET /metadata/sources/yaml/{kind}`: every section by name, as written but for secrets; empty for an unknown
    /// type.
    #[must_use]
    pub fn conf_keys_json(&self, kind: &str) -> Map<String, Value> {
        self.conf_keys.view(kind)
    }

    /// The errors of the conf keys that no stream can use, each once.
    #[must_use]
    pub fn broken_conf_keys(&self) -> Vec<ConfKeyError> {
        self.conf_keys.broken().collect()
    }

    /// The body of `PATCH /configs`: keys that may change while running are set, others are left alone. All or nothing.
    /// Gives the documented names of the keys that were set.
    ///
    /// # Errors
    /// A value that its key does not take.
    pub fn patch(&mut self, body: &Map<String, Value>) -> Result<Vec<&'static str>, Fault> {
        load::patch(self, body)
    }

    /// Where the value of `section.key` comes from.
    #[must_use]
    pub fn origin(&self, path: &str) -> &Origin {
        self.origins.get(path).unwrap_or(&Origin::Default)
    }

    /// Every effective value, for `check --show`.
    #[must_use]
    pub fn shown(&self) -> Vec<Shown> {
        let mut out: Vec<Shown> = keys::KEYS
            .iter()
            .map(|k| Shown { key: k.path.to_owned(), value: (k.show)(self), origin: self.origin(k.path).clone() })
            .collect();
        for (name, value) in self.limits.values() {
            let key = format!("limits.{}", crate::limits::key_of(name));
            out.push(Shown { value: value.to_string(), origin: self.origin(&key).clone(), key });
        }
        for (key, value, origin) in self.conf_keys.shown() {
            let value = if is_secret(&key) { "***".into() } else { value.to_string() };
            out.push(Shown { key, value, origin });
        }
        out
    }
}

impl Default for Basic {
    fn default() -> Self {
        Self {
            rest_ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
            rest_port: 9081,
            rest_tls: None,
            rest_allow_open: false,
            rest_hosts: Vec::new(),
            rest_origins: Vec::new(),
            import_http: false,
            authentication: false,
            enable_rest_audit_log: false,
            log_level: log::LevelFilter::Info,
            debug: false,
            console_log: false,
            file_log: true,
            log_disable_timestamp: false,
            timezone: "Local".into(),
            ignore_case: false,
            rule_patrol_interval: Duration::from_secs(10),
            graceful_shutdown_timeout: Duration::from_secs(10),
            enable_private_net: None,
            prometheus: false,
            prometheus_port: 20499,
        }
    }
}

impl Default for RuleDefaults {
    fn default() -> Self {
        Self {
            qos: 0,
            checkpoint_interval: Duration::from_secs(300),
            send_error: false,
            send_meta_to_sink: false,
            is_event_time: false,
            late_tolerance: Duration::from_secs(1),
            concurrency: 1,
            buffer_length: 1024,
            restart_attempts: 0,
        }
    }
}

impl Default for SinkDefaults {
    fn default() -> Self {
        Self {
            enable_cache: false,
            memory_cache_threshold: 1024,
            max_disk_cache: 1_024_000,
            buffer_page_size: 256,
            resend_interval: Duration::ZERO,
            clean_cache_at_stop: false,
        }
    }
}

impl Default for DataServer {
    fn default() -> Self {
        Self {
            http_server_ip: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            http_server_port: 10081,
            http_server_tls: None,
            deadlines: Deadlines::default(),
            connections_per_address: 0,
        }
    }
}

/// Whether a property's value must not be printed.
fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    ["password", "secret", "token", "sha256", "credentials", "authorization"].iter().any(|word| key.contains(word))
}

#[cfg(test)]
mod tests;
