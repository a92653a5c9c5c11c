//! The whole way: texts and environment in, [`Config`] or faults out.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Config, Fault, File, Input, Origin};

const SEED_SERVER: &str = include_str!("../../tests/data/seed/server.yaml");
const SEED_SOURCE: &str = include_str!("../../tests/data/seed/source.yaml");
const SEED_SERVER_CORRECTED: &str = include_str!("../../tests/data/seed/server.corrected.yaml");
const SEED_SOURCE_CORRECTED: &str = include_str!("../../tests/data/seed/source.corrected.yaml");
const SAMPLE: &str = include_str!("../../etc/pushgate.yaml");
const SAMPLE_PUSH: &str = include_str!("../../etc/sources/httppush.yaml");
const KUIPER: &str = include_str!("../../tests/data/config/kuiper.yaml");

fn vars(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect()
}

fn load(main: &str, push: Option<&str>, env: &[(&str, &str)]) -> Result<Config, Vec<Fault>> {
    let env = vars(env);
    let push: Vec<_> = push.map(|text| ("httppush", File { name: "httppush.yaml", text })).into_iter().collect();
    Config::load(&Input { main: Some(File { name: "p.yaml", text: main }), sources: &push, env: &env })
}

fn good(main: &str, push: Option<&str>, env: &[(&str, &str)]) -> Config {
    load(main, push, env).unwrap_or_else(|faults| panic!("{main:?} {push:?}: {faults:?}"))
}

fn faults(main: &str, push: Option<&str>, env: &[(&str, &str)]) -> Vec<String> {
    load(main, push, env).map_or_else(|faults| faults.iter().map(ToString::to_string).collect(), |_| Vec::new())
}

fn warnings(config: &Config) -> Vec<&str> {
    config.notes.iter().filter(|n| n.level == log::Level::Warn).map(|n| n.text.as_str()).collect()
}

fn method(config: &Config, key: &str) -> String {
    config.conf_key("httppush", key).expect("a conf key").text("method").expect("a text").expect("a method")
}

#[test]
fn nothing_at_all_is_the_defaults() {
    let config = Config::load(&Input::default()).expect("loads");
    assert!(config.notes.is_empty());
    assert_eq!(config.rest_listen().to_string(), "127.0.0.1:9081");
    assert_eq!(config.source.listen().to_string(), "0.0.0.0:10081");
    assert_eq!(method(&config, ""), "POST");
    assert_eq!(Value::Object(config.conf_keys_json("httppush")), json!({"default": {"method": "POST"}}));
    assert_eq!(Value::Object(config.conf_keys_json("nope")), json!({}));
    assert!(config.shown().iter().all(|s| s.origin == Origin::Default));
}

#[test]
fn samples_say_the_defaults() {
    let config = good(SAMPLE, Some(SAMPLE_PUSH), &[]);
    let plain = Config::default();
    assert_eq!(warnings(&config), [""; 0]);
    assert_eq!(config.basic, plain.basic);
    assert_eq!(config.rule, plain.rule);
    assert_eq!(config.sink, plain.sink);
    assert_eq!(config.source, plain.source);
    assert_eq!(config.limits, plain.limits);
    assert_eq!(Value::Object(config.conf_keys_json("httppush")), json!({"default": {"method": "POST"}}));
}

/// The commented keys of the samples, taken out of their comments.
#[test]
fn samples_hold_when_uncommented() {
    let open = |text: &str| -> String {
        let keyed = |l: &str| {
            l.trim_start().strip_prefix("# ").is_some_and(|k| k.trim_start().split_once(':').is_some_and(|(k, _)| !k.contains(' ')))
        };
        text.lines().map(|l| if keyed(l) { l.replacen("# ", "", 1) } else { l.to_owned() } + "\n").collect()
    };
    let config = good(&open(SAMPLE), Some(&open(SAMPLE_PUSH)), &[]);
    assert_eq!(config.limits.memory_budget, Some(12_000_000));
    assert_eq!(super::Limits { memory_budget: None, ..config.limits.clone() }, super::Limits::default());
    assert_eq!(config.basic.rest_tls.as_ref().map(|t| t.certfile.as_str()), Some("/etc/pushgate/tls/manage.crt"));
    assert_eq!(config.source.http_server_tls.as_ref().map(|t| t.keyfile.as_str()), Some("/etc/pushgate/tls/server.key"));
    assert_eq!(method(&config, "application_conf"), "PUT");
    assert_eq!(config.conf_key("httppush", "application_conf").expect("key").text("endpoint"), Ok(Some("/api/data".into())));
    assert_eq!(warnings(&config), [""; 0]);
}

#[test]
fn ekuipers_files_load_unchanged() {
    let config = good(KUIPER, Some("#Global httppush configurations\ndefault:\n  method: \"POST\"\n"), &[]);
    let warned = warnings(&config);
    assert_eq!(warned.len(), 1, "{warned:?}");
    assert!(
        warned[0].starts_with("p.yaml:20: basic.restIp: 0.0.0.0 would leave") && warned[0].contains("basic.restAllowOpen"),
        "{warned:?}"
    );
    assert_eq!(config.rest_listen().to_string(), "127.0.0.1:9081");
    assert_eq!(config.basic.enable_private_net, Some(false));
    assert_eq!(config.rule.checkpoint_interval.as_secs(), 300);
    let info: Vec<_> = config.notes.iter().filter(|n| n.level == log::Level::Info).collect();
    assert_eq!(info.len(), 1);
    assert!(info[0].text.contains("basic.syslog") && info[0].text.contains("openTelemetry"));
}

#[test]
fn open_management_must_be_said() {
    for (text, listen, warned) in [
        ("basic: {restIp: 0.0.0.0}", "127.0.0.1:9081", true),
        ("basic: {restIp: 0.0.0.0, restAllowOpen: true}", "0.0.0.0:9081", false),
        ("basic: {restIp: '::1', restPort: 0}", "[::1]:0", false),
        ("basic: {restIp: localhost}", "127.0.0.1:9081", false),
        ("basic: {restIp: ''}", "127.0.0.1:9081", true),
        ("basic: {restIp: 127.0.0.2}", "127.0.0.2:9081", false),
    ] {
        let config = good(text, None, &[]);
        assert_eq!(config.rest_listen().to_string(), listen, "{text}");
        assert_eq!(!warnings(&config).is_empty(), warned, "{text}");
    }
}

#[test]
fn wrong_server_values_stop_the_start() {
    for (main, fault) in [
        (
            "source:\n  httpServerPort: 70000",
            "p.yaml:2: source.httpServerPort: expected a port from 0 to 65535 (0: any free port), found 70000",
        ),
        ("source:\n  httpServerPort: -1", "p.yaml:2: source.httpServerPort: expected a port from 0 to 65535 (0: any free port), found -1"),
        (
            "source:\n  httpServerPort: \"abc\"",
            "p.yaml:2: source.httpServerPort: expected a port from 0 to 65535 (0: any free port), found \"abc\"",
        ),
        ("basic:\n  debug: yes", "p.yaml:2: basic.debug: expected true or false, found \"yes\""),
        (
            "basic:\n  restIp: gateway",
            "p.yaml:2: basic.restIp: expected an IP address such as 127.0.0.1, 0.0.0.0 or ::1, found \"gateway\"",
        ),
        ("basic:\n\n  rulePatrolInterval: 10", ""),
        (
            "basic:\n  gracefulShutdownTimeout: -1s",
            "p.yaml:2: basic.gracefulShutdownTimeout: expected a duration that is not negative, found \"-1s\"",
        ),
        ("basic:\n  logLevel: loud", "p.yaml:2: basic.logLevel: expected one of debug, info, warn, error, fatal, panic, found \"loud\""),
        (
            "basic:\n  timezone: ../etc",
            "p.yaml:2: basic.timezone: expected a time zone such as Local, UTC or Europe/Berlin, found \"../etc\"",
        ),
        ("basic: 5", "p.yaml:1: basic: expected a section, found 5"),
        ("basic:\n  restTls: x", "p.yaml:2: basic.restTls: expected a section, found \"x\""),
        ("basic:\n  restTls:\n    certfile: a", "p.yaml:3: basic.restTls: expected certfile and keyfile, found no keyfile"),
        ("rule: {qos: 3}", "p.yaml:1: rule.qos: expected 0, 1 or 2, found 3"),
        ("rule: {concurrency: -1}", "p.yaml:1: rule.concurrency: expected a whole number from 0, found -1"),
        ("sink: {bufferPageSize: 0}", "p.yaml:1: sink.bufferPageSize: expected a whole number from 1, found 0"),
        ("basic:\n  restPort: 1\n  restport: 2", "p.yaml:3: basic.restPort: expected each key once, found restport here and in line 2"),
        ("basic:\n  restPort: &a 1", "p.yaml:2: basic.restPort: anchors are not supported: write the value out"),
        ("- a\n- b", "p.yaml:1: expected sections such as \"basic:\", found a list"),
        (
            "limits: {connCount: 4097}",
            "p.yaml:1: limits.connCount: expected 1 to 4096 (the ceiling of CONN_COUNT in this build), found 4097",
        ),
        (
            "limits:\n  headBytes: 1",
            "p.yaml:2: limits.headBytes: expected no key: the capacity is fixed when pushgate is built, with PUSHGATE_HEAD_BYTES, found 1",
        ),
        ("limits: {bodyBytes: 1MiB}", "p.yaml:1: limits: limits.queueBytes must be at least 4 x limits.bodyBytes"),
        (
            "limits: {memoryBudget: lots}",
            "p.yaml:1: limits.memoryBudget: expected a number of bytes such as 65536, \"64KiB\" or \"12MB\", found \"lots\"",
        ),
    ] {
        let found = faults(main, None, &[]);
        assert_eq!(found.first().map_or("", String::as_str), fault, "{main}");
    }
    let found = faults("basic:\n  restPort: 1\n bad: 2\n", None, &[]);
    assert!(found[0].starts_with("p.yaml:3: expected YAML, found a fault in column"), "{found:?}");
}

#[test]
fn every_fault_is_listed() {
    assert_eq!(faults("basic: {restPort: x, debug: 7}\nrule: {qos: 9}", Some("httpServerPort: y"), &[]).len(), 4);
}

#[test]
fn unknown_keys_warn_with_a_guess() {
    for (main, env, warning) in [
        ("basic:\n  restprot: 1", ("A", ""), "p.yaml:2: basic.restprot: unknown key; probably basic.restPort is meant"),
        ("basic:\n  httpServerPort: 1", ("A", ""), "p.yaml:2: basic.httpServerPort: unknown key; probably source.httpServerPort is meant"),
        ("restPort: 1", ("A", ""), "p.yaml:1: restPort: unknown key; probably basic.restPort is meant"),
        ("basics:\n  restPort: 1", ("A", ""), "p.yaml:1: basics: unknown key; probably basic is meant"),
        ("limits:\n  conCount: 1", ("A", ""), "p.yaml:2: limits.conCount: unknown key; probably limits.connCount is meant"),
        ("zzz: 1", ("A", ""), "p.yaml:1: zzz: unknown key"),
        (
            "",
            ("PUSHGATE__BASIC__RESTPROT", "1"),
            "PUSHGATE__BASIC__RESTPROT: basic.restprot: unknown key; probably PUSHGATE__BASIC__RESTPORT is meant",
        ),
    ] {
        assert_eq!(warnings(&good(main, None, &[env])), [warning], "{main}");
    }
    assert_eq!(
        warnings(&good("", None, &[("PUSHGATE_URL", "x"), ("PUSHGATE_CONN_COUNT", "5"), ("KUIPER_FOO", "1"), ("PUSHGATE_X", "")])),
        [""; 0]
    );
}

#[test]
fn environment_over_files() {
    let config = good(
        "basic: {restPort: 1}\nsource: {httpServerPort: 2}",
        Some("default: {method: POST}\napplication_conf:\n  method: POST\n"),
        &[
            ("KUIPER__BASIC__RESTPORT", "3"),
            ("PUSHGATE__SOURCE__HTTPSERVERPORT", "4"),
            ("KUIPER__SOURCE__HTTPSERVERTLS__CERTFILE", "/c?a=b"),
            ("KUIPER__SOURCE__HTTPSERVERTLS__KEYFILE", "0123"),
            ("HTTPPUSH__APPLICATION_CONF__METHOD", "PUT"),
            ("HTTPPUSH__FRESH__ENDPOINT", "/a=b"),
        ],
    );
    assert_eq!(config.basic.rest_port, 3);
    assert_eq!(config.origin("basic.restPort").to_string(), "KUIPER__BASIC__RESTPORT");
    assert_eq!(config.source.http_server_port, 4);
    let tls = config.source.http_server_tls.as_ref().expect("tls");
    assert_eq!((tls.certfile.as_str(), tls.keyfile.as_str()), ("/c?a=b", "0123"));
    assert_eq!(method(&config, "application_conf"), "PUT");
    assert_eq!(method(&config, "default"), "POST");
    assert_eq!(config.conf_key("httppush", "fresh").expect("key").text("endpoint"), Ok(Some("/a=b".into())));
    assert_eq!(warnings(&config), [""; 0]);
}

#[test]
fn our_own_variables_win() {
    let env = [("PUSHGATE__SOURCE__HTTPSERVERPORT", "1"), ("KUIPER__SOURCE__HTTPSERVERPORT", "2"), ("HTTPPUSH__HTTPSERVERPORT", "3")];
    assert_eq!(good("", Some("httpServerPort: 4"), &env).source.http_server_port, 1);
    assert_eq!(good("", Some("httpServerPort: 4"), &env[1..]).source.http_server_port, 3);
    assert_eq!(good("", Some("httpServerPort: 4"), &env[1..2]).source.http_server_port, 2);
}

#[test]
fn variables_through_scalars_are_errors_or_broken_sections() {
    let env = [("KUIPER__BASIC__RESTPORT__X", "1")];
    assert_eq!(faults("basic:\n  restPort: 9", None, &env), ["KUIPER__BASIC__RESTPORT__X: expected a section above x, found 9 (p.yaml:2)"]);
    let env = [("HTTPPUSH__DEFAULT__METHOD__X", "1"), ("PUSHGATE__RULE__QOS", "7")];
    assert_eq!(faults("", None, &env), ["PUSHGATE__RULE__QOS: rule.qos: expected 0, 1 or 2, found 7"]);
    let config = good("", Some("default:\n  method: PUT\na:\n  endpoint: /a"), &env[..1]);
    let error = config.conf_key("httppush", "a").expect_err("default is broken").to_string();
    assert_eq!(
        error,
        "conf key default of httppush: HTTPPUSH__DEFAULT__METHOD__X: default: expected a section above x, found \"PUT\" (httppush.yaml:2)"
    );
}

#[test]
fn server_settings_from_three_places() {
    for (main, push, port, warned) in [
        ("source:\n  httpServerPort: 1", None, 1, ""),
        ("source:\n  httpServerPort: 1", Some("httpServerPort: 2"), 2, "httppush.yaml:1: source.httpServerPort: 2 wins over 1 of p.yaml:2"),
        (
            "source:\n  httpServerPort: 1",
            Some("source:\n  httpServerPort: 2"),
            2,
            "httppush.yaml:2: source.httpServerPort: 2 wins over 1 of p.yaml:2",
        ),
        ("source:\n  httpServerPort: 2", Some("httpServerPort: 2"), 2, ""),
        ("source:", Some("HTTPSERVERPORT: 2"), 2, ""),
        ("", Some("source: {httpServerPort: 2}\ndefault: {method: PUT}"), 2, ""),
        (
            "httpServerPort: 5",
            None,
            5,
            "p.yaml:1: httpServerPort stands outside a section and is taken as one of source; put it below \"source:\"",
        ),
    ] {
        let config = good(main, push, &[]);
        assert_eq!(config.source.http_server_port, port, "{main} {push:?}");
        assert_eq!(warnings(&config).first().copied().unwrap_or_default(), warned, "{main} {push:?}");
    }
    let config = good("", Some("httpServerIp: 127.0.0.1\nhttpServerTls:\n  certfile: c\n  keyfile: k\n"), &[]);
    assert_eq!(config.source.http_server_tls.as_ref().map(|t| t.keyfile.as_str()), Some("k"));
    assert_eq!(config.origin("source.httpServerTls.keyfile").to_string(), "httppush.yaml:4");
    for (push, fault) in [
        (
            "httpServerPort: 65536",
            "httppush.yaml:1: source.httpServerPort: expected a port from 0 to 65535 (0: any free port), found 65536",
        ),
        ("source: 5", "httppush.yaml:1: source: expected a section, found 5"),
        ("httpServerTls: {certfile: c}", "httppush.yaml:1: source.httpServerTls: expected certfile and keyfile, found no keyfile"),
        ("httpServerPort: [", "httppush.yaml:2: expected YAML"),
    ] {
        let found = faults("", Some(push), &[]);
        assert!(found.first().is_some_and(|f| f.starts_with(fault)), "{push}: {found:?}");
    }
}

#[test]
fn page_samples_as_printed_and_corrected() {
    // The server sample works as printed.
    for (push, main) in [(Some(SEED_SERVER), ""), (Some(SEED_SERVER_CORRECTED), ""), (None, SEED_SERVER_CORRECTED)] {
        let open = |t: &str| {
            t.replace("10081", "10082")
                .replace("# httpServerTls", "httpServerTls")
                .replace("#    certfile", "  certfile")
                .replace("#    keyfile", "  keyfile")
        };
        let config = good(&open(main), push.map(open).as_deref(), &[]);
        assert_eq!(config.source.http_server_port, 10082);
        assert_eq!(config.source.http_server_tls.as_ref().map(|t| t.certfile.as_str()), Some("/var/https-server.crt"));
        assert_eq!(warnings(&config), [""; 0]);
        assert!(load(main, push, &[]).is_ok());
    }
    // The conf key sample is no YAML as printed; each section is, and does what the page means, with the corrected text.
    let config = good("", Some(SEED_SOURCE), &[]);
    assert_eq!((method(&config, ""), method(&config, "application_conf")), ("POST".into(), "PUT".into()));
    let warned = warnings(&config);
    assert!(warned[0].starts_with("httppush.yaml:5: expected YAML"), "{warned:?}");
    assert_eq!(
        warned[1..],
        [
            "httppush.yaml:3: method stands outside a section and is taken as one of default; write default: {method: \"POST\"}",
            "httppush.yaml:6: application_conf.server: taken as the request method; write method: \"PUT\" in place of server: \"PUT\"",
        ]
    );
    let config = good("", Some(SEED_SOURCE_CORRECTED), &[]);
    assert_eq!((method(&config, ""), method(&config, "application_conf")), ("POST".into(), "PUT".into()));
    assert_eq!(warnings(&config), [""; 0]);
    // The same sample with its first lines moved to the margin is YAML.
    let config = good("", Some("method: \"PUT\"\napplication_conf:\n  server: \"POST\"\n"), &[]);
    assert_eq!((method(&config, ""), method(&config, "application_conf")), ("PUT".into(), "POST".into()));
    assert_eq!(warnings(&config).len(), 2);
}

#[test]
fn a_broken_section_costs_only_its_streams() {
    for (section, what) in [
        ("  method: GET", "httppush.yaml:4: method: expected POST or PUT, found \"GET\""),
        ("  method: POST\n  METHOD: PUT", "httppush.yaml:5: bad: expected each key once, found METHOD here and in line 4"),
        ("  method: &x PUT", "httppush.yaml:4: bad: anchors are not supported: write the value out"),
        ("  bufferLength: many", "httppush.yaml:4: bufferLength: expected a whole number from 0, found \"many\""),
        ("  fields: [a, b", "httppush.yaml:"),
        ("  method: \"PUT", "httppush.yaml:"),
        ("\tmethod: PUT", "httppush.yaml:4: bad: expected YAML"),
    ] {
        let text = format!("default:\n  method: POST\nbad:\n{section}\nfine:\n  method: PUT\n");
        let config = good("", Some(&text), &[]);
        assert_eq!((method(&config, ""), method(&config, "fine")), ("POST".into(), "PUT".into()), "{section}");
        let error = config.conf_key("httppush", "bad").expect_err(section);
        assert!(error.what.starts_with(what), "{section}: {error}");
        assert_eq!(config.broken_conf_keys().first(), Some(&error), "{section}");
        assert!(warnings(&config).iter().any(|w| w.contains(&error.what)), "{section}");
    }
}

#[test]
fn conf_keys_lie_over_default() {
    let text = "default: {method: POST, endpoint: /d}\nApp: {Endpoint: /a, extra: {b: 1}}\nempty:\n";
    let config = good("", Some(text), &[]);
    let props = config.conf_key("HTTPPUSH", "app").expect("any letter case");
    assert_eq!(Value::Object(props.to_json()), json!({"method": "POST", "endpoint": "/a", "extra": {"b": 1}}));
    assert_eq!(props.get("endpoint").map(|p| p.origin.to_string()), Some("httppush.yaml:2".into()));
    assert_eq!(warnings(&config), ["httppush.yaml:2: App.extra: unknown property"]);
    let props = config.conf_key("httppush", "nowhere").expect("defaults");
    assert_eq!((props.missing.as_deref(), props.text("endpoint")), (Some("nowhere"), Ok(Some("/d".into()))));
    assert_eq!(config.conf_key("httppush", "empty").map(|p| p.missing), Ok(None));
    assert_eq!(config.conf_key("memory", "").map(|p| p.iter().count()), Ok(0));
    // A variable for `default` does not take its method away.
    let config = Config::load(&Input { env: &vars(&[("HTTPPUSH__DEFAULT__ENDPOINT", "/e")]), ..Input::default() }).expect("loads");
    assert_eq!(Value::Object(config.conf_keys_json("httppush")), json!({"default": {"endpoint": "/e", "method": "POST"}}));
    // Without any `default` section the method still has its default.
    assert_eq!(method(&good("", Some("a: {endpoint: /x}"), &[]), "a"), "POST");
}

#[test]
fn rest_over_environment_over_file() {
    let mut config = good("", Some("a: {method: POST, endpoint: /file, overflow: reject}\n"), &[("HTTPPUSH__A__ENDPOINT", "/env")]);
    let map = |v: Value| if let Value::Object(m) = v { m } else { serde_json::Map::new() };
    config.set_conf_key("httppush", "a", map(json!({"method": "PUT"})));
    let props = config.conf_key("httppush", "a").expect("key");
    assert_eq!(Value::Object(props.to_json()), json!({"method": "PUT", "endpoint": "/env", "overflow": "reject"}));
    let origins: Vec<_> = props.iter().map(|p| p.origin.to_string()).collect();
    assert_eq!(origins, ["rest", "HTTPPUSH__A__ENDPOINT", "httppush.yaml:1"]);
    assert_eq!(Value::Object(config.conf_keys_json("httppush")), json!({"a": {"method": "PUT", "endpoint": "/env", "overflow": "reject"}}));
    // Replaced whole, then removed: the file's section is back.
    config.set_conf_key("httppush", "a", map(json!({})));
    assert_eq!(method(&config, "a"), "POST");
    assert!(config.remove_conf_key("httppush", "a"));
    assert!(!config.remove_conf_key("httppush", "a"));
    assert!(!config.remove_conf_key("nope", "a"));
    // Anything is taken; what is wrong is told to who uses it.
    config.set_conf_key("httppush", "b", map(json!({"method": "GET"})));
    let error = config.conf_key("httppush", "b").expect_err("wrong");
    assert_eq!(error.what, "method: method GET is not supported, must be POST or PUT");
    config.set_conf_key("other", "k", map(json!({"server": "PUT"})));
    assert_eq!(Value::Object(config.conf_keys_json("other")), json!({"k": {"server": "PUT"}}));
    // `default` can be laid over too.
    config.set_conf_key("httppush", "default", map(json!({"server": "PUT"})));
    assert_eq!(method(&config, ""), "PUT");
}

#[test]
fn patch_is_all_or_nothing() {
    let mut config = good("basic: {restPort: 5}", None, &[]);
    let map = |v: Value| if let Value::Object(m) = v { m } else { serde_json::Map::new() };
    let set = config.patch(&map(json!({"basic": {"LOGLEVEL": "debug", "restPort": 6, "zzz": 1}, "source": {"httpServerPort": 0}, "x": 5})));
    assert_eq!(set, Ok(vec!["basic.logLevel", "source.httpServerPort"]));
    assert_eq!((config.basic.level(), config.basic.rest_port, config.source.http_server_port), (log::LevelFilter::Debug, 5, 0));
    assert_eq!(config.origin("basic.logLevel"), &Origin::Rest);
    let fault = config.patch(&map(json!({"basic": {"debug": true, "logLevel": "loud"}}))).expect_err("wrong level").to_string();
    assert_eq!(fault, "basic.logLevel: expected one of debug, info, warn, error, fatal, panic, found \"loud\"");
    assert!(!config.basic.debug);
}

#[test]
fn shown_with_origin_and_masked() {
    let config = good(
        "basic: {restPort: 7}\nlimits: {connCount: 64}",
        Some("a: {credentials: [{secret: hush}], method: PUT}"),
        &[("PUSHGATE__RULE__QOS", "1")],
    );
    let line = |key: &str| config.shown().iter().find(|s| s.key == key).map(|s| format!("{} ({})", s.value, s.origin));
    assert_eq!(line("basic.restPort").as_deref(), Some("7 (p.yaml:1)"));
    assert_eq!(line("limits.connCount").as_deref(), Some("64 (p.yaml:2)"));
    assert_eq!(line("rule.qos").as_deref(), Some("1 (PUSHGATE__RULE__QOS)"));
    assert_eq!(line("basic.timezone").as_deref(), Some("\"Local\" (default)"));
    assert_eq!(line("httppush.a.method").as_deref(), Some("\"PUT\" (httppush.yaml:1)"));
    assert_eq!(line("httppush.a.credentials").as_deref(), Some("*** (httppush.yaml:1)"));
}

#[test]
fn the_documentation_has_every_key_and_default() {
    let page = include_str!("../../docs/configuration.md");
    let config = Config::default();
    for key in super::keys::KEYS {
        let shown = (key.show)(&config);
        let row = format!("| `{}` | {} |", key.path, shown.trim_matches('"'));
        assert!(page.contains(&row), "docs/configuration.md lacks {row}");
    }
    // Options of rules have a table of their own there.
    let is_key = |key: &str| key.contains('.') && !key.starts_with("planOptimizeStrategy.");
    let rows = page.lines().filter(|l| l.starts_with("| `") && l.split('`').nth(1).is_some_and(is_key));
    assert_eq!(rows.count(), super::keys::KEYS.len(), "a key without meaning is documented");
    for name in super::props::documented().chain(super::keys::ELSEWHERE.iter().copied().filter(|k| k.starts_with("basic."))) {
        assert!(page.contains(&format!("`{name}`")), "docs/configuration.md lacks {name}");
    }
}

proptest! {
    #[test]
    fn any_text_is_no_panic(main in "[a-z:{}\\[\\]&*!\"'\n \t#0-9.-]{0,80}", push in "\\PC{0,80}", name in "(KUIPER|HTTPPUSH|PUSHGATE)(__[A-Za-z_]{0,6}){0,4}", value in "\\PC{0,20}") {
        if let Ok(config) = load(&main, Some(&push), &[(&name, &value)]) {
            let _ = (config.shown(), config.conf_key("httppush", "a"), config.conf_keys_json("httppush"));
        }
    }

    #[test]
    fn any_value_of_a_known_key_is_no_panic(index in 0..super::keys::KEYS.len(), value in "[-+a-z0-9.:\\[\\]{}, \"']{0,12}") {
        let path = super::keys::KEYS[index].path;
        let text: String = path.split('.').enumerate().map(|(i, k)| format!("\n{}{k}:", "  ".repeat(i))).collect();
        let _ = load(&format!("{text} {value}\n"), Some(&format!("a:\n  method: {value}\n  fields: {value}\n")), &[]);
    }
}
