//! When the data port and its routes come and go, and which requests reach which stream.

use std::net::TcpListener;

use serde_json::json;

use crate::gate::{Gate, Scratch, program, rule, to_file, until};
use crate::http::{Client, dead_address, is_refused};

#[test]
fn the_port_opens_with_the_first_rule_and_closes_after_the_last() {
    let scratch = Scratch::new();
    let gate = Gate::start(&scratch);
    gate.stream("a", "/a");
    gate.stream("b", "/b");
    assert!(!gate.opened());
    let nop = json!({"nop": {}});
    gate.rule("ra", "SELECT * FROM a", &nop);
    let addr = gate.data();
    assert_eq!((gate.push("/a", "{}").status, gate.push("/b", "{}").status), (200, 404), "no rule reads b");
    gate.rule("rb", "SELECT * FROM b", &nop);
    assert_eq!(gate.push("/b", "{}").status, 200);
    gate.tell("DELETE", "/rules/ra", "");
    assert_eq!((gate.push("/a", "{}").status, gate.push("/b", "{}").status), (404, 200), "the route of a is gone, the port is not");
    gate.tell("POST", "/rules/rb/stop", "");
    until("the port closes", || is_refused(addr));
    gate.tell("POST", "/rules/rb/start", "");
    until("the port opens again", || gate.logged().iter().filter(|line| line.contains("listen data")).count() == 2);
    assert_eq!(gate.push("/b", "{}").status, 200);
}

#[test]
fn update_and_restart_keep_the_port_open() {
    let scratch = Scratch::new();
    let gate = Gate::start(&scratch);
    gate.stream("demo", "/api/data");
    gate.rule("r1", "SELECT a FROM demo", &to_file(&scratch.path("rows.txt")));
    let mut client = Client::connect(gate.data());
    assert_eq!(client.ask("POST", "/api/data", r#"{"a":1}"#).status, 200);
    until("the first row", || scratch.lines("rows.txt").len() == 1);
    gate.tell("PUT", "/rules/r1", &rule("r1", "SELECT a + 10 AS a FROM demo", &to_file(&scratch.path("rows.txt"))));
    assert_eq!(client.ask("POST", "/api/data", r#"{"a":2}"#).status, 200, "the same connection, the next request");
    until("the second row", || scratch.lines("rows.txt").len() == 2);
    gate.tell("POST", "/rules/r1/restart", "");
    assert_eq!(client.ask("POST", "/api/data", r#"{"a":3}"#).status, 200);
    until("all rows", || scratch.lines("rows.txt") == [r#"{"a":1}"#, r#"{"a":12}"#, r#"{"a":13}"#]);
    assert_eq!(gate.logged().iter().filter(|line| line.contains("listen data")).count(), 1);
}

#[test]
fn the_data_port_in_use_refuses_the_rule() {
    let scratch = Scratch::new();
    let held = TcpListener::bind(dead_address()).expect("loopback");
    let addr = held.local_addr().expect("bound");
    let gate = Gate::spawn(&mut on(&scratch, addr, ""));
    gate.stream("demo", "/api/data");
    let create = rule("r1", "SELECT * FROM demo", &json!({"nop": {}}));
    let reply = gate.ask("POST", "/rules", &create);
    let error: serde_json::Value = serde_json::from_str(&reply.body).expect("JSON");
    assert_eq!((reply.status, &error["error"]), (400, &json!(2201)), "{reply:?}");
    assert!(reply.body.contains(&format!("listen {addr}: address in use")), "{reply:?}");
    assert_eq!(gate.tell("GET", "/rules", ""), "[]");
    assert!(!scratch.path("state/rules/r1.json").exists(), "nothing was stored");
    drop(held);
    gate.tell("POST", "/rules", &create);
    assert_eq!(gate.data(), addr);
    assert_eq!(gate.push("/api/data", "{}").status, 200);
}

#[test]
fn the_data_port_in_use_at_boot_heals() {
    let scratch = Scratch::new();
    let addr = dead_address();
    let yaml = "basic:\n  rulePatrolInterval: 1s\n";
    let gate = Gate::spawn(&mut on(&scratch, addr, yaml));
    gate.stream("demo", "/api/data");
    gate.rule("r1", "SELECT * FROM demo", &json!({"nop": {}}));
    gate.kill();
    let held = TcpListener::bind(addr).expect("free again");
    let gate = Gate::spawn(&mut on(&scratch, addr, yaml));
    let status = gate.status("r1");
    assert_eq!(status["status"], "stopped by error", "{status}");
    assert!(status["message"].as_str().is_some_and(|m| m.contains(&format!("listen {addr}: address in use"))), "{status}");
    drop(held);
    until("the patrol starts the rule", || gate.status("r1")["status"] == "running");
    assert_eq!(gate.push("/api/data", "{}").status, 200);
}

/// `run` with its data port at `addr`.
fn on(scratch: &Scratch, addr: std::net::SocketAddr, yaml: &str) -> std::process::Command {
    let config = scratch.write("pushgate.yaml", yaml);
    let mut command = program();
    command.arg("run").arg("--state").arg(scratch.path("state")).arg("--config").arg(config);
    command.env("PUSHGATE__SOURCE__HTTPSERVERIP", addr.ip().to_string());
    command.env("PUSHGATE__SOURCE__HTTPSERVERPORT", addr.port().to_string());
    command
}

#[test]
fn post_and_put_on_one_path_are_two_endpoints() {
    let scratch = Scratch::new();
    let gate = Gate::start(&scratch);
    gate.tell("PUT", "/metadata/sources/httppush/confKeys/puts", r#"{"method":"PUT"}"#);
    gate.stream("posted", "/api/data");
    gate.sql(r#"CREATE STREAM put () WITH (DATASOURCE="/api/data", TYPE="httppush", CONF_KEY="puts")"#);
    gate.rule("r1", "SELECT a FROM posted", &to_file(&scratch.path("posted.txt")));
    let refused = Client::connect(gate.data()).ask("PUT", "/api/data", r#"{"a":0}"#);
    assert_eq!((refused.status, refused.field("allow")), (405, Some("POST, OPTIONS")), "{refused:?}");
    gate.rule("r2", "SELECT a FROM put", &to_file(&scratch.path("put.txt")));
    let mut client = Client::connect(gate.data());
    assert_eq!(client.ask("POST", "/api/data", r#"{"a":1}"#).status, 200);
    assert_eq!(client.ask("PUT", "/api/data", r#"{"a":2}"#).status, 200);
    until("both rows", || scratch.lines("posted.txt").len() + scratch.lines("put.txt").len() == 2);
    assert_eq!((scratch.read("posted.txt"), scratch.read("put.txt")), (r#"{"a":1}"#.into(), r#"{"a":2}"#.into()));
}

#[test]
fn a_template_gives_its_parameter_to_meta() {
    let scratch = Scratch::new();
    let gate = Gate::start(&scratch);
    gate.stream("dev", "/dev/{id}");
    gate.rule("r1", "SELECT a, meta(id) AS id FROM dev", &to_file(&scratch.path("rows.txt")));
    assert_eq!(gate.push("/dev", r#"{"a":0}"#).status, 404);
    assert_eq!(gate.push("/dev/7/x", r#"{"a":0}"#).status, 404);
    assert_eq!(gate.push("/dev/seven", r#"{"a":1}"#).status, 200);
    until("the row", || scratch.lines("rows.txt") == [r#"{"a":1,"id":"seven"}"#]);
}

#[test]
fn without_datasource_the_name_is_the_path() {
    let scratch = Scratch::new();
    let gate = Gate::start(&scratch);
    let sample = include_str!("../data/seed/create.sql");
    gate.sql(sample.trim());
    gate.rule("r1", "SELECT * FROM httpDemo", &json!({"nop": {}}));
    assert_eq!((gate.push("/httpDemo", "{}").status, gate.push("/api/data", "{}").status), (200, 404));
    gate.tell("PUT", "/metadata/sources/httppush/confKeys/ck", r#"{"endpoint":"/from/key"}"#);
    gate.sql(r#"CREATE STREAM keyed () WITH (TYPE="httppush", CONF_KEY="ck")"#);
    gate.rule("r2", "SELECT * FROM keyed", &json!({"nop": {}}));
    assert_eq!((gate.push("/from/key", "{}").status, gate.push("/keyed", "{}").status), (200, 404));
}

#[test]
fn the_pages_statement_listens_on_its_datasource() {
    let scratch = Scratch::new();
    let gate = Gate::start(&scratch);
    gate.sql(include_str!("../data/seed/create-datasource.sql").trim());
    gate.rule("r1", "SELECT * FROM httpDemo", &to_file(&scratch.path("rows.txt")));
    assert_eq!((gate.push("/api/data", r#"{"a":1}"#).status, gate.push("/httpDemo", "{}").status), (200, 404));
    until("the row", || scratch.lines("rows.txt") == [r#"{"a":1}"#]);
}

#[test]
fn streams_and_rules_that_share() {
    let scratch = Scratch::new();
    let gate = Gate::start(&scratch);
    gate.sql(r#"CREATE STREAM one () WITH (DATASOURCE="/api/data", TYPE="httppush", SHARED="true")"#);
    gate.stream("two", "/api/data");
    for (id, stream) in [("r1", "one"), ("r2", "one"), ("r3", "two")] {
        gate.rule(id, &format!("SELECT a FROM {stream}"), &to_file(&scratch.path(id)));
    }
    assert_eq!(gate.push("/api/data", r#"{"a":1}"#).status, 200);
    for id in ["r1", "r2", "r3"] {
        until(id, || scratch.lines(id) == [r#"{"a":1}"#]);
    }
    let counters = gate.counters();
    assert_eq!(counters["port"]["accepted_total"], 1, "one request: {counters}");
}
