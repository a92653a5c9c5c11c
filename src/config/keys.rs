//! The one table of server keys: path, reader, field, and how its value is shown.
//!
//! Keys are eKuiper's (`kuiper.yaml`) but for `limits.*`, `basic.restAllowOpen`, `basic.restHosts`, `basic.restOrigins`,
//! `basic.importHttp`, those of client certificates and TLS versions, and those of `source` behind `httpServerTls`. [`ELSEWHERE`] lists those of eKuiper's keys that have no meaning here.

use core::{net::IpAddr, time::Duration};

use super::{
    ClientAuth, Config, TlsFiles,
    read::{self, Expected},
    tree::Node,
};
use crate::limits;

/// One key.
pub(super) struct Key {
    /// `section.key`, as documented.
    pub(super) path: &'static str,
    /// Whether it takes a text, so that a variable's digits stay one.
    pub(super) text: bool,
    /// Whether `PATCH /configs` changes it.
    pub(super) live: bool,
    pub(super) set: fn(&mut Config, &Node) -> Result<(), Expected>,
    pub(super) show: fn(&Config) -> String,
}

macro_rules! key {
    ($path:literal, $read:expr, $($field:ident).+ $(, $mark:ident)*) => {
        Key {
            path: $path,
            text: false $(|| marked!($mark, text))*,
            live: false $(|| marked!($mark, live))*,
            set: |config, node| {
                config.$($field).+ = $read(node)?;
                Ok(())
            },
            show: |config| Show::show(&config.$($field).+),
        }
    };
}

macro_rules! marked {
    (text, text) => {
        true
    };
    (live, live) => {
        true
    };
    ($a:ident, $b:ident) => {
        false
    };
}

macro_rules! tls {
    ($path:literal, $read:expr, $section:ident . $option:ident, $field:ident, $show:expr) => {
        Key {
            path: $path,
            text: true,
            live: false,
            set: |config, node| {
                config.$section.$option.get_or_insert_with(TlsFiles::default).$field = $read(node)?;
                Ok(())
            },
            show: |config| {
                let show: fn(&TlsFiles) -> String = $show;
                config.$section.$option.as_ref().map_or_else(|| show(&TlsFiles::default()), show)
            },
        }
    };
    ($path:literal, $section:ident . $option:ident, $file:ident) => {
        tls!($path, read::text, $section.$option, $file, |tls| {
            if tls.$file.is_empty() { "none".into() } else { Show::show(&tls.$file) }
        })
    };
}

/// A TLS version as it is written.
fn version(v: u8) -> String {
    format!("1.{}", v % 10)
}

fn auth(tls: &TlsFiles) -> String {
    match tls.client_auth() {
        ClientAuth::None => "none",
        ClientAuth::Optional => "optional",
        ClientAuth::Required => "required",
    }
    .into()
}

/// Every key that means something here, in the order of `docs/configuration.md`; `limits.*` are in [`limits::TABLE`].
pub(super) const KEYS: &[Key] = &[
    key!("basic.restIp", read::ip, basic.rest_ip, text),
    key!("basic.restPort", read::port, basic.rest_port),
    tls!("basic.restTls.certfile", basic.rest_tls, certfile),
    tls!("basic.restTls.keyfile", basic.rest_tls, keyfile),
    tls!("basic.restTls.clientCa", basic.rest_tls, client_ca),
    tls!("basic.restTls.clientCrl", basic.rest_tls, client_crl),
    tls!("basic.restTls.clientAuth", |n| read::client_auth(n).map(Some), basic.rest_tls, client_auth, auth),
    tls!("basic.restTls.minVersion", read::tls_version, basic.rest_tls, min_version, |tls| version(tls.min_version)),
    tls!("basic.restTls.maxVersion", read::tls_version, basic.rest_tls, max_version, |tls| version(tls.max_version)),
    key!("basic.restAllowOpen", read::boolean, basic.rest_allow_open),
    key!("basic.restHosts", read::texts, basic.rest_hosts),
    key!("basic.restOrigins", read::texts, basic.rest_origins),
    key!("basic.importHttp", read::boolean, basic.import_http),
    key!("basic.authentication", read::boolean, basic.authentication),
    key!("basic.enableRestAuditLog", read::boolean, basic.enable_rest_audit_log),
    key!("basic.logLevel", read::level, basic.log_level, text, live),
    key!("basic.debug", read::boolean, basic.debug, live),
    key!("basic.consoleLog", read::boolean, basic.console_log, live),
    key!("basic.fileLog", read::boolean, basic.file_log, live),
    key!("basic.logDisableTimestamp", read::boolean, basic.log_disable_timestamp),
    key!("basic.timezone", read::zone, basic.timezone, text, live),
    key!("basic.ignoreCase", read::boolean, basic.ignore_case),
    key!("basic.rulePatrolInterval", read::duration, basic.rule_patrol_interval),
    key!("basic.gracefulShutdownTimeout", read::duration, basic.graceful_shutdown_timeout),
    key!("basic.enablePrivateNet", |n| read::boolean(n).map(Some), basic.enable_private_net),
    key!("basic.prometheus", read::boolean, basic.prometheus),
    key!("basic.prometheusPort", read::port, basic.prometheus_port),
    key!("rule.qos", read::qos, rule.qos),
    key!("rule.checkpointInterval", read::duration, rule.checkpoint_interval),
    key!("rule.sendError", read::boolean, rule.send_error),
    key!("rule.sendMetaToSink", read::boolean, rule.send_meta_to_sink),
    key!("rule.isEventTime", read::boolean, rule.is_event_time),
    key!("rule.lateTolerance", read::duration, rule.late_tolerance),
    key!("rule.concurrency", read::count, rule.concurrency),
    key!("rule.bufferLength", read::count, rule.buffer_length),
    key!("rule.restartStrategy.attempts", read::count, rule.restart_attempts),
    key!("sink.enableCache", read::boolean, sink.enable_cache),
    key!("sink.memoryCacheThreshold", read::count, sink.memory_cache_threshold),
    key!("sink.maxDiskCache", read::count, sink.max_disk_cache),
    key!("sink.bufferPageSize", read::count_from_1, sink.buffer_page_size),
    key!("sink.resendInterval", read::duration, sink.resend_interval),
    key!("sink.cleanCacheAtStop", read::boolean, sink.clean_cache_at_stop),
    key!("source.httpServerIp", read::ip, source.http_server_ip, text, live),
    key!("source.httpServerPort", read::port, source.http_server_port, live),
    tls!("source.httpServerTls.certfile", source.http_server_tls, certfile),
    tls!("source.httpServerTls.keyfile", source.http_server_tls, keyfile),
    tls!("source.httpServerTls.clientCa", source.http_server_tls, client_ca),
    tls!("source.httpServerTls.clientCrl", source.http_server_tls, client_crl),
    tls!("source.httpServerTls.clientAuth", |n| read::client_auth(n).map(Some), source.http_server_tls, client_auth, auth),
    tls!("source.httpServerTls.minVersion", read::tls_version, source.http_server_tls, min_version, |tls| version(tls.min_version)),
    tls!("source.httpServerTls.maxVersion", read::tls_version, source.http_server_tls, max_version, |tls| version(tls.max_version)),
    key!("source.handshakeTimeout", read::deadline, source.deadlines.handshake),
    key!("source.firstByteTimeout", read::deadline, source.deadlines.first_byte),
    key!("source.headTimeout", read::deadline, source.deadlines.head),
    key!("source.bodyTimeout", read::deadline, source.deadlines.body),
    key!("source.idleTimeout", read::deadline, source.deadlines.idle),
    key!("source.writeTimeout", read::deadline, source.deadlines.write),
    key!("source.minBodyRate", read::rate, source.deadlines.body_rate),
    key!("source.connectionsPerAddress", read::count, source.connections_per_address),
    key!("limits.memoryBudget", |n| read::bytes(n).map(Some), limits.memory_budget),
];

/// eKuiper's keys without meaning here: the key itself and everything below it.
pub(super) const ELSEWHERE: &[&str] = &[
    "basic.syslog",
    "basic.rotateTime",
    "basic.maxAge",
    "basic.rotateSize",
    "basic.rotateCount",
    "basic.ip",
    "basic.port",
    "basic.pprof",
    "basic.pprofIp",
    "basic.pprofPort",
    "basic.pluginHosts",
    "basic.sql",
    "basic.enableOpenZiti",
    "basic.aesKey",
    "basic.connection",
    "basic.resourceProfileConfig",
    "basic.metricsDumpConfig",
    "basic.allowExternalFileAccess",
    "rule.debug",
    "rule.logFilename",
    "rule.sendNilField",
    "rule.cron",
    "rule.duration",
    "rule.cronDatetimeRange",
    "rule.planOptimizeStrategy",
    "rule.disableBufferFullDiscard",
    "rule.enableSaveStateBeforeStop",
    "rule.forceExitTimeout",
    "rule.notifySub",
    "rule.experiment",
    "rule.restartStrategy.delay",
    "rule.restartStrategy.multiplier",
    "rule.restartStrategy.maxDelay",
    "rule.restartStrategy.jitterFactor",
    "sink.resendAlterQueue",
    "sink.resendPriority",
    "sink.resendIndicatorField",
    "sink.resendDestination",
    "store",
    "portable",
    "openTelemetry",
    "connection",
    "security",
    "hack",
    "aesKey",
];

/// The key at `path`, in any letter case.
pub(super) fn find(path: &str) -> Option<&'static Key> {
    KEYS.iter().find(|k| k.path.eq_ignore_ascii_case(path))
}

/// Whether a known key stands below `path`, so that it is a section.
pub(super) fn is_section(path: &str) -> bool {
    let below =
        |known: &str| known.len() > path.len() && known.as_bytes()[path.len()] == b'.' && known[..path.len()].eq_ignore_ascii_case(path);
    path.eq_ignore_ascii_case("limits") || KEYS.iter().any(|k| below(k.path)) || ELSEWHERE.iter().any(|k| below(k))
}

/// Whether `path` is, or lies below, a key of eKuiper's without meaning here.
pub(super) fn is_elsewhere(path: &str) -> bool {
    ELSEWHERE.iter().any(|known| {
        path.split_at_checked(known.len())
            .is_some_and(|(head, tail)| head.eq_ignore_ascii_case(known) && (tail.is_empty() || tail.starts_with('.')))
    })
}

/// The capacity behind `limits.KEY`: the constant's name and its key.
pub(super) fn capacity(key: &str) -> Option<(&'static str, String)> {
    limits::TABLE.iter().map(|(name, ..)| (*name, limits::key_of(name))).find(|(_, k)| k.eq_ignore_ascii_case(key))
}

/// All documented paths, for guessing what was meant.
pub(super) fn paths() -> Vec<String> {
    let capacities = limits::TABLE.iter().map(|(name, ..)| format!("limits.{}", limits::key_of(name)));
    KEYS.iter().map(|k| k.path.to_owned()).chain(capacities).chain(ELSEWHERE.iter().map(|k| (*k).to_owned())).collect()
}

/// A value as `check --show` prints it.
pub(super) trait Show {
    fn show(&self) -> String;
}

macro_rules! show_as_is {
    ($($t:ty),*) => { $(impl Show for $t { fn show(&self) -> String { self.to_string() } })* };
}
show_as_is!(bool, u8, u16, u32, u64, IpAddr);

impl Show for String {
    fn show(&self) -> String {
        format!("{self:?}")
    }
}

impl Show for Vec<String> {
    fn show(&self) -> String {
        format!("{self:?}")
    }
}

impl Show for Duration {
    fn show(&self) -> String {
        if self.is_zero() { "0s".into() } else { format!("{self:?}") }
    }
}

impl Show for log::LevelFilter {
    fn show(&self) -> String {
        self.to_string().to_lowercase()
    }
}

impl<T: Show> Show for Option<T> {
    fn show(&self) -> String {
        self.as_ref().map_or_else(|| "none".into(), Show::show)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_unique_and_known() {
        let mut all = paths();
        all.sort_by_key(|p| p.to_ascii_lowercase());
        let count = all.len();
        all.dedup_by(|a, b| a.eq_ignore_ascii_case(b));
        assert_eq!(all.len(), count);
        assert!(KEYS.iter().all(|k| !is_elsewhere(k.path)));
    }

    #[test]
    fn sections_and_keys() {
        for (path, section) in [
            ("basic", true),
            ("BASIC", true),
            ("basic.restTls", true),
            ("basic.restPort", false),
            ("limits", true),
            ("rule.restartstrategy", true),
            ("x", false),
        ] {
            assert_eq!(is_section(path), section, "{path}");
        }
        assert!(is_elsewhere("store.redis.host"));
        assert!(is_elsewhere("basic.ResourceProfileConfig.enable"));
        assert!(!is_elsewhere("basic.portX"));
        assert_eq!(capacity("conncount").map(|c| c.0), Some("CONN_COUNT"));
    }
}
