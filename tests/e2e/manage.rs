//! Management over REST and by the client verbs: who is let in, what is refused, and how it is said.

use serde_json::{Value, json};

use crate::gate::{Gate, Scratch, rule};
use crate::http::{Client, Reply, request};

fn create(name: &str) -> String {
    json!({"sql": format!(r#"CREATE STREAM {name} () WITH (DATASOURCE="/{name}", TYPE="httppush")"#)}).to_string()
}

fn code(reply: &Reply) -> i64 {
    let error: Value = serde_json::from_str(&reply.body).unwrap_or_else(|e| panic!("{e}: {reply:?}"));
    error["error"].as_i64().unwrap_or(-1)
}

#[test]
fn web_pages_and_rebound_names_are_kept_out() {
    let scratch = Scratch::new();
    let gate = Gate::start(&scratch);
    let send = |text: String| {
        let mut client = Client::connect(gate.management);
        client.send(text.as_bytes());
        client.reply()
    };
    for origin in ["https://evil.example", "null", "http://localhost:3000"] {
        let reply = send(request("POST", "/streams", &format!("Origin: {origin}\r\n"), &create("evil")));
        assert_eq!(reply.status, 403, "{reply:?}");
    }
    let foreign = request("POST", "/streams", "", &create("evil")).replace("Host: localhost", "Host: rebound.example");
    assert_eq!(send(foreign).status, 421);
    assert_eq!(gate.tell("GET", "/streams", ""), "[]", "none of them did anything");
    assert_eq!(send(request("POST", "/streams", "", &create("ours"))).status, 201);
}

#[test]
fn stop_is_no_link_to_click() {
    let scratch = Scratch::new();
    let gate = Gate::start(&scratch);
    assert_eq!(gate.ask("GET", "/stop", "").status, 405);
    assert_eq!(gate.ask("GET", "/ping", "").status, 200, "it still runs");
}

#[test]
fn a_body_nested_without_end() {
    let scratch = Scratch::new();
    let gate = Gate::start(&scratch);
    let deep = "[".repeat(100_000);
    for (target, body) in [
        ("/streams", deep.clone()),
        ("/streams", format!(r#"{{"sql":{deep}"#)),
        ("/rules", format!(r#"{{"id":"x","sql":"SELECT 1 FROM demo","actions":{deep}"#)),
        ("/ruleset/import", format!(r#"{{"content":{deep}"#)),
    ] {
        let reply = gate.ask("POST", target, &body);
        assert_eq!(reply.status, 400, "{target}: {reply:?}");
    }
    assert_eq!((gate.tell("GET", "/streams", ""), gate.tell("GET", "/rules", "")), ("[]".into(), "[]".into()));
}

#[test]
fn malformed_and_over_long() {
    let scratch = Scratch::new();
    let gate = Gate::start(&scratch);
    gate.stream("demo", "/api/data");
    for (body, status) in [
        ("{", 400),
        (r#"{"sql":"CREATE STREAM"}"#, 400),
        (r#"{"sql":"CREATE STREAM x () WITH (TYPE=\"httppush\""}"#, 400),
        (&json!({"sql": format!("CREATE STREAM x () WITH (TYPE=\"httppush\", DATASOURCE=\"/{}\")", "x".repeat(20_000))}).to_string(), 400),
    ] {
        let reply = gate.ask("POST", "/streams", body);
        assert_eq!(reply.status, status, "{body:.80}: {reply:?}");
    }
    for sql in ["SELECT", "SELECT a FROM", "SELECT a FROM demo WHERE", "SELECT nosuchfunction(a) FROM demo", "SELECT * FROM demo GROUP"] {
        let reply = gate.ask("POST", "/rules", &rule("x", sql, &json!({"nop": {}})));
        assert_eq!(reply.status, 400, "{sql}: {reply:?}");
    }
    let mut client = Client::connect(gate.management);
    client.send(b"POST /streams HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\n");
    assert_eq!(client.reply().status, 413);
    let mut client = Client::connect(gate.management);
    client.send(format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "x".repeat(3000)).as_bytes());
    assert_eq!(client.reply().status, 414);
    assert_eq!((gate.tell("GET", "/streams", ""), gate.tell("GET", "/rules", "")), (r#"["demo"]"#.into(), "[]".into()));
    assert!(!gate.opened());
}

#[test]
fn what_is_unknown_or_there_already() {
    let scratch = Scratch::new();
    let gate = Gate::start(&scratch);
    gate.stream("demo", "/api/data");
    for (method, target) in [
        ("GET", "/streams/none"),
        ("DELETE", "/streams/none"),
        ("GET", "/tables/none"),
        ("GET", "/rules/none"),
        ("DELETE", "/rules/none"),
        ("POST", "/rules/none/start"),
        ("GET", "/rules/none/status"),
    ] {
        let reply = gate.ask(method, target, "");
        assert_eq!((reply.status, code(&reply)), (404, 1002), "{method} {target}: {reply:?}");
    }
    let reply = gate.ask("POST", "/streams", &create("demo"));
    assert_eq!(reply.status, 400, "{reply:?}");
    assert!(reply.body.contains("demo already exists"), "{reply:?}");
    assert!(gate.tell("GET", "/streams/demo", "").contains("/api/data"), "the first one stands");
    let reply = gate.ask("POST", "/rules", &rule("r1", "SELECT * FROM none", &json!({"nop": {}})));
    assert_eq!(reply.status, 400, "{reply:?}");
    assert!(reply.body.contains("none"), "{reply:?}");
    assert_eq!(gate.tell("GET", "/rules", ""), "[]");
}

#[test]
fn an_unknown_conf_key_warns_and_means_default() {
    let scratch = Scratch::new();
    let gate = Gate::start(&scratch);
    gate.tell("PUT", "/metadata/sources/httppush/confKeys/default", r#"{"method":"PUT"}"#);
    gate.sql(r#"CREATE STREAM keyed () WITH (DATASOURCE="/k", TYPE="httppush", CONF_KEY="nosuch")"#);
    gate.rule("r1", "SELECT * FROM keyed", &json!({"nop": {}}));
    gate.wait_log("stream keyed: there is no conf key nosuch of httppush");
    let mut client = Client::connect(gate.data());
    assert_eq!((client.ask("POST", "/k", "{}").status, client.ask("PUT", "/k", "{}").status), (405, 200));
}

#[test]
fn the_verbs_in_any_letter_case() {
    let scratch = Scratch::new();
    let gate = Gate::start(&scratch);
    let corrected = shell_words(include_str!("../data/seed/cli.corrected.txt"));
    let corrected: Vec<&str> = corrected.iter().map(String::as_str).collect();
    let (code, said) = gate.verb(&corrected);
    assert_eq!((code, said.contains("Stream demo is created.")), (0, true), "{said}");
    let rule_text = rule("r1", "SELECT * FROM demo", &json!({"nop": {}}));
    for (words, code, want) in [
        (&["Show", "STREAMS"][..], 0, "demo"),
        (&["describe", "Stream", "demo"], 0, "/api/data"),
        (&["Create", "RULE", "r1", &rule_text], 0, "Rule r1 was created successfully"),
        (&["GETSTATUS", "rule", "r1"], 0, "\"status\": \"running\""),
        (&["STOP", "Rule", "r1"], 0, "Rule r1 was stopped"),
        (&["start", "rule", "r1"], 0, "Rule r1 was started"),
        (&["Drop", "Rule", "r1"], 0, "Rule r1 is dropped"),
        (&["drop", "RULE", "r1"], 1, "not found"),
        (&["create", "stream", "demo () WITH (TYPE=\"httppush\")"], 1, "demo already exists"),
    ] {
        let (got, said) = gate.verb(words);
        assert!(got == code && said.contains(want), "{words:?}: {got}, {said}");
    }
    assert_ne!(gate.verb(&["frobnicate"]).0, 0);
    let (code, said) = crate::gate::verb_without_server(&["show", "streams"]);
    assert_ne!(code, 0, "{said}");
}

#[test]
fn the_pages_mistyped_line_shows_its_fault() {
    let scratch = Scratch::new();
    let gate = Gate::start(&scratch);
    let words = shell_words(include_str!("../data/seed/cli.txt"));
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (code, said) = gate.verb(&words);
    assert_ne!(code, 0, "{said}");
    assert!(said.contains("string starting at column "), "{said}");
    assert!(said.contains("swallowed type=: missing \" here"), "{said}");
    let lines: Vec<&str> = said.lines().collect();
    let caret = lines.iter().position(|line| line.trim() == "^").unwrap_or_else(|| panic!("no caret in {said}"));
    let at = lines[caret].find('^').expect("it is there");
    assert!(lines[caret - 1][..at].ends_with("/api/data"), "{said}");
    assert_eq!(gate.tell("GET", "/streams", ""), "[]");
}

/// The words behind the program's name, as a shell would split this line: quotation marks of one kind only.
fn shell_words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), String::new(), false);
    for c in line.trim().chars() {
        match c {
            '\'' => quoted = !quoted,
            ' ' if !quoted => words.push(std::mem::take(&mut word)),
            // Outside of single quotes the shell would take double ones off; the page has none there.
            c => word.push(c),
        }
    }
    words.push(word);
    words.remove(0);
    words
}

#[test]
fn a_rule_trial_is_watched_on_the_management_port() {
    let scratch = Scratch::new();
    let gate = Gate::start(&scratch);
    gate.ask("POST", "/streams", &create("demo"));
    assert_eq!(gate.ask("GET", "/test/t", "").status, 404);
    let trial = json!({
        "id": "t", "sql": "SELECT a, a * 2 AS b FROM demo", "sinkProps": {"sendSingle": true},
        "mockSource": {"demo": {"data": [{"a": 1}, {"a": "x"}], "interval": 10, "loop": false}},
    });
    let made: Value = serde_json::from_str(&gate.tell("POST", "/ruletest", &trial.to_string())).unwrap_or_default();
    assert_eq!(made, json!({"id": "t", "port": gate.management.port()}));
    let watch = || {
        let mut client = Client::connect(gate.management);
        client.send(b"GET /test/t HTTP/1.1\r\nHost: localhost\r\n\r\n");
        client
    };
    let mut early = watch();
    assert_eq!(gate.tell("POST", "/ruletest/t/start", ""), "Test rule t was started");
    let rows = "data: {\"a\":1,\"b\":2}\n\ndata: ";
    assert!(early.read_until("invalid operation").contains(rows));
    let mut late = watch();
    assert!(late.read_until("invalid operation").contains(rows), "what was before is kept for a while");
    assert_eq!(gate.tell("GET", "/rules", ""), "[]", "a trial is no rule");
    assert_eq!(gate.tell("DELETE", "/ruletest/t", ""), "Test rule t was stopped.");
    // The trial is over, so the watchers come to an end.
    early.read_to_end();
    late.read_to_end();
    assert_eq!(gate.ask("GET", "/test/t", "").status, 404);
}

#[test]
fn a_simulated_rule_runs_to_its_end() {
    let scratch = Scratch::new();
    let gate = Gate::start(&scratch);
    let key = json!({"data": [{"a": 1}, {"a": 2}], "interval": 5, "loop": false}).to_string();
    gate.tell("PUT", "/metadata/sources/simulator/confKeys/once", &key);
    let ddl = json!({"sql": r#"CREATE STREAM sim () WITH (TYPE="simulator", CONF_KEY="once")"#}).to_string();
    gate.tell("POST", "/streams", &ddl);
    let rule = json!({"id": "r", "sql": "SELECT a FROM sim", "actions": [{"log": {"sendSingle": true}}]}).to_string();
    gate.tell("POST", "/rules", &rule);
    gate.wait_log(r#"{\"a\":2}"#);
    assert!(!gate.opened(), "no rule needs the data port");
    let mut status = String::new();
    for _ in 0..200 {
        status = gate.tell("GET", "/rules/r/status", "");
        if status.contains("\"status\": \"stopped\"") {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert!(status.contains("\"message\": \"done\"") && status.contains("\"source_sim_0_records_in_total\": 2"), "{status}");
    assert!(gate.tell("GET", "/rules/r", "").contains("\"triggered\":false"));
}

#[test]
fn metrics_have_a_port_of_their_own() {
    let scratch = Scratch::new();
    let gate = Gate::start(&scratch);
    assert_eq!(gate.ask("GET", "/metrics", "").status, 404, "off by default");
    let scratch = Scratch::new();
    let gate = Gate::start_with(&scratch, "basic:\n  restPort: 0\n  prometheus: true\n  prometheusPort: 0\nsource:\n  httpServerPort: 0\n");
    gate.stream("demo", "/demo");
    gate.rule("r", "SELECT * FROM demo", &json!({"nop": {}}));
    assert_eq!(gate.push("/demo", "{}").status, 200);
    let line = gate.wait_log("listen metrics ");
    let addr = line.split("listen metrics ").nth(1).and_then(|rest| rest.split(['"', ' ']).next()).and_then(|addr| addr.parse().ok());
    let addr: std::net::SocketAddr = addr.unwrap_or_else(|| panic!("{line}"));
    let scrape = |path: &str| Client::connect(addr).ask("GET", path, "");
    let reply = scrape("/metrics");
    assert_eq!(reply.status, 200);
    assert_eq!(reply.field("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert!(
        reply.body.contains("kuiper_source_records_in_total{op=\"demo\",op_instance=\"0\",rule=\"r\",type=\"source\"} 1"),
        "{}",
        reply.body
    );
    assert!(reply.body.contains("pushgate_port_accepted_total 1"), "{}", reply.body);
    assert_eq!((scrape("/rules").status, gate.ask("GET", "/metrics", "").status), (404, 200));
}

#[test]
fn rules_of_a_shared_stream_share_its_connection() {
    let scratch = Scratch::new();
    let gate = Gate::start(&scratch);
    for (name, shared) in [("one", "true"), ("own", "false")] {
        let sql = format!(r#"CREATE STREAM {name} () WITH (DATASOURCE="/{name}", TYPE="httppush", SHARED="{shared}")"#);
        gate.tell("POST", "/streams", &json!({ "sql": sql }).to_string());
        let since = |id: &str| {
            let status: Value = serde_json::from_str(&gate.tell("GET", &format!("/rules/{id}/status"), "")).expect("JSON");
            (status[format!("source_{name}_0_connection_last_connected_time")].clone(), status["lastStartTimestamp"].clone())
        };
        let make = |id: &str| {
            let body = json!({"id": id, "sql": format!("SELECT * FROM {name}"), "actions": [{"nop": {}}]});
            assert_eq!(gate.ask("POST", "/rules", &body.to_string()).status, 201);
        };
        let (first, second) = (format!("{name}1"), format!("{name}2"));
        make(&first);
        std::thread::sleep(std::time::Duration::from_millis(20));
        make(&second);
        assert_ne!(since(&first).1, since(&second).1, "they began one after the other");
        assert_eq!(since(&first).0 == since(&second).0, shared == "true", "{name}");
    }
}
