//! Moving in from eKuiper: `init.json`, `check --ruleset`, `client.yaml`, https in the command line.

use std::fs::{self, File};
use std::time::{Duration, SystemTime};

use serde_json::json;

use crate::gate::{Gate, Scratch, finish, program, rule};

fn stream(name: &str, version: &str) -> String {
    format!(r#"CREATE STREAM {name} () WITH (DATASOURCE="/{name}", FORMAT="json", TYPE="httppush", VERSION="{version}")"#)
}

/// A ruleset of streams (name, version) and rules over the first of them.
fn ruleset(streams: &[(&str, &str)], rules: &[&str]) -> String {
    let streams: serde_json::Map<_, _> = streams.iter().map(|(name, version)| ((*name).to_owned(), json!(stream(name, version)))).collect();
    let first = streams.keys().next().cloned().unwrap_or_default();
    let text = |id: &&str| ((*id).to_owned(), json!(rule(id, &format!("SELECT * FROM {first}"), &json!({"nop": {}}))));
    let rules: serde_json::Map<_, _> = rules.iter().map(text).collect();
    json!({"streams": streams, "tables": {}, "rules": rules}).to_string()
}

fn touch(scratch: &Scratch, name: &str, age_s: u64) {
    let file = File::options().append(true).open(scratch.path(name)).expect("it is there");
    file.set_modified(SystemTime::now() - Duration::from_secs(age_s)).expect("a time of change");
}

fn marks(scratch: &Scratch) -> Vec<String> {
    let names = fs::read_dir(scratch.path("state")).expect("made").flatten().map(|e| e.file_name().to_string_lossy().into_owned());
    let mut marks: Vec<String> = names.filter(|name| name.contains("initialized")).collect();
    marks.sort();
    marks
}

#[test]
fn init_json_is_taken_once_for_each_change() {
    let scratch = Scratch::new();
    let config = "basic:\n  restIp: 127.0.0.1\n";
    scratch.write("state/init.json", &ruleset(&[("a", "1")], &["r1", "same"]));
    scratch.write("init.json", &ruleset(&[("a", "1"), ("b", "1")], &["r2"]));
    let gate = Gate::start_with(&scratch, config);
    assert_eq!(gate.tell("GET", "/streams", ""), r#"["a","b"]"#);
    for id in ["r1", "r2", "same"] {
        assert_eq!(gate.status(id)["status"], "running", "{id}");
    }
    assert_eq!(gate.push("/a", "{}").status, 200);
    gate.wait_log("initialized 1 streams, 0 tables and 2 rules");
    // The state's own came first, so the other file's stream of the same version is refused by name.
    let line = gate.wait_log("stream a: ");
    assert!(line.contains("init.json") && line.contains("already exists with version (1)"), "{line}");
    let made = marks(&scratch);
    assert!(made.len() == 2 && made[0].starts_with("config-initialized") && made[1].starts_with("initialized"), "{made:?}");
    // What the operator drops stays dropped while the file is the same.
    gate.tell("DELETE", "/rules/r1", "");
    assert_eq!(gate.terminate().0, Some(0));
    let gate = Gate::start_with(&scratch, config);
    assert_eq!(gate.ask("GET", "/rules/r1", "").status, 404);
    assert_eq!(gate.status("same")["status"], "running", "stored, and started once");
    assert_eq!(gate.terminate().0, Some(0));
    // Another time of change, even an older one, and it is taken again.
    touch(&scratch, "state/init.json", 1000);
    let gate = Gate::start_with(&scratch, config);
    assert_eq!(gate.status("r1")["status"], "running");
    let again = marks(&scratch);
    assert!(again.len() == 2 && again[0] == made[0] && again[1] != made[1], "{again:?}");
}

#[test]
fn an_init_json_that_is_wrong_costs_itself_alone() {
    let scratch = Scratch::new();
    scratch.write("state/init.json", "{not json");
    scratch.write(
        "init.json",
        &json!({"streams": {"a": stream("a", ""), "bad": "CREATE"}, "rules": {
            "r1": rule("r1", "SELECT * FROM a", &json!({"nop": {}})),
            "lost": rule("lost", "SELECT * FROM none", &json!({"nop": {}})),
            "broken": "{"}, "sourceConfig": {"httppush": "{}"}})
        .to_string(),
    );
    let gate = Gate::start_with(&scratch, "basic:\n  restIp: 127.0.0.1\n");
    gate.wait_log("init.json: fail to import ruleset: invalid import file");
    gate.wait_log("init.json: stream bad: ");
    gate.wait_log("init.json: rule broken: ");
    gate.wait_log("rule lost cannot be started: ");
    gate.wait_log("only streams, tables and rules are taken from it, not sourceConfig");
    assert_eq!(gate.status("r1")["status"], "running");
    assert_eq!(gate.status("lost")["status"], "stopped by error");
    assert_eq!(marks(&scratch).len(), 2, "neither is tried again before it changes");
}

#[test]
fn check_says_what_of_a_ruleset_works() {
    let scratch = Scratch::new();
    let good = scratch.write("good.json", &ruleset(&[("a", "")], &["r1"]));
    let check = |file: &std::path::Path| finish(program().args(["check", "--ruleset"]).arg(file));
    let (code, out, err) = check(&good);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert!(out.contains("stream a: works\n") && out.contains("rule r1: works\n"), "{out}");
    // What an eKuiper exports that has more than we do: its mqtt stream, its plugin, a sink of that plugin.
    let rest = json!({"rest": {"url": "http://127.0.0.1:9/", "method": "post"}});
    let whole = json!({
        "streams": {"a": stream("a", ""), "m": r#"CREATE STREAM m () WITH (DATASOURCE="t", FORMAT="json", TYPE="mqtt")"#},
        "tables": {}, "rules": {
            "r1": rule("r1", "SELECT * FROM a", &rest),
            "r2": rule("r2", "SELECT * FROM a", &json!({"tdengine3": {}})),
            "r3": rule("r3", "SELECT * FROM m", &json!({"log": {}}))},
        "nativePlugins": {"sinks_tdengine3": "{}"}, "portablePlugins": {}, "sourceConfig": {"httppush": r#"{"k":{"method":"PUT"}}"#},
        "sinkConfig": {}, "connectionConfig": {}, "Service": {}, "Schema": {}, "uploads": {}, "scripts": {}});
    let (code, out, _) = check(&scratch.write("all.json", &whole.to_string()));
    assert_eq!(code, 65, "{out}");
    for start in [
        "stream a: works\n",
        "conf key httppush.k: works\n",
        "rule r1: works with this difference: ",
        "stream m: not supported because source type mqtt not found",
        "rule r2: not supported because sink tdengine3 is not defined",
        "rule r3: not supported because source type mqtt not found",
        "native plugin sinks_tdengine3: not supported because ",
    ] {
        assert!(out.contains(&format!("\n{start}")), "{start}\n{out}");
    }
    let (code, _, err) = check(&scratch.path("none.json"));
    assert_eq!(code, 66, "{err}");
    assert!(err.contains("none.json: no such file"), "{err}");
    assert_eq!(check(&scratch.write("no.json", "[1]")).0, 65);
}

#[test]
fn a_clients_yaml_of_ekuiper() {
    let scratch = Scratch::new();
    let gate = Gate::start(&scratch);
    gate.stream("demo", "/demo");
    let port = gate.management.port();
    let show = |config: &std::path::Path| {
        finish(program().args(["--config".as_ref(), config.as_os_str()]).args(["show", "streams"]).env_remove("PUSHGATE__BASIC__RESTPORT"))
    };
    // eKuiper's own port stands for the management port of the configuration beside it.
    let config = scratch.write("one/pushgate.yaml", &format!("basic:\n  restPort: {port}\n"));
    let client = scratch.write("one/client.yaml", "basic:\n  host: 127.0.0.1\n  port: 20498\n");
    let (code, out, err) = show(&config);
    assert_eq!((code, out.trim()), (0, "demo"), "{err}");
    assert_eq!(err.lines().count(), 1, "{err}");
    assert!(err.contains("port 20498 is eKuiper's own protocol"), "{err}");
    // Any other port is taken at its word, and the file itself may be named.
    fs::write(&client, format!("basic:\n  host: localhost\n  port: {port}\n")).expect("written");
    for config in [&config, &client] {
        let (code, out, err) = show(config);
        assert_eq!((code, out.trim(), err.as_str()), (0, "demo", ""), "{}", config.display());
    }
    fs::write(&client, "basic:\n  port: none\n").expect("written");
    let (code, _, err) = show(&config);
    assert_eq!(code, 78, "{err}");
    assert!(err.contains("basic.port: expected a port"), "{err}");
}

#[cfg(feature = "tls")]
#[test]
fn the_command_line_speaks_https() {
    let scratch = Scratch::new();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    let cert = scratch.write("cert.pem", &made.cert.pem());
    let key = scratch.write("key.pem", &made.signing_key.serialize_pem());
    let yaml = format!("basic:\n  restTls:\n    certfile: {}\n    keyfile: {}\n", cert.display(), key.display());
    let gate = Gate::start_with(&scratch, &yaml);
    let port = gate.management.port();
    let url = format!("https://localhost:{port}");
    let ask = |url: &str, more: &[&str]| finish(program().args(["show", "streams", "--url", url]).args(more));
    let (code, out, err) = ask(&url, &["--cacert", &scratch.text("cert.pem")]);
    assert_eq!((code, out.trim()), (0, "No stream definitions are found."), "{err}");
    assert_eq!(ask(&url, &["--insecure"]).0, 0);
    let (code, _, err) = ask(&url, &[]);
    assert_ne!(code, 0, "a certificate that nobody vouches for");
    assert!(err.contains("certificate") || err.contains("UnknownIssuer"), "{err}");
    // An answer longer than a TLS record.
    let long = format!(r#"{} WITH (DATASOURCE="/w", TYPE="httppush")"#, "wide ".to_owned() + &columns(900));
    let (code, said, err) = finish(program().args(["create", "stream", &long, "--insecure"]).env("PUSHGATE_URL", &url));
    assert_eq!(code, 0, "{said}{err}");
    let (code, said, _) = finish(program().args(["describe", "stream", "wide", "--insecure"]).env("PUSHGATE_URL", &url));
    assert!(code == 0 && said.contains("c899\tbigint"), "{said}");
    // The server of the configuration on this machine needs no words about trust.
    let own = scratch.write("own.yaml", &format!("{yaml}  restPort: {port}\n"));
    let (code, out, err) = finish(program().arg("--config").arg(own).args(["show", "streams"]).env_remove("PUSHGATE__BASIC__RESTPORT"));
    assert_eq!((code, out.trim()), (0, "wide"), "{err}");
}

#[cfg(feature = "tls")]
fn columns(count: usize) -> String {
    let columns: Vec<String> = (0..count).map(|n| format!("c{n} bigint")).collect();
    format!("({})", columns.join(", "))
}
