//! Where rows go: files, HTTP targets, memory topics; and what becomes of them when the program ends.

use std::fs;

use serde_json::json;

use crate::gate::{Gate, Scratch, program, rule, to_file, until};
use crate::http::{Client, Target, dead_address};

#[test]
fn a_file_is_appended_to() {
    let scratch = Scratch::new();
    scratch.write("rows.txt", "before\n");
    let gate = Gate::start(&scratch);
    gate.stream("demo", "/api/data");
    gate.rule("r1", "SELECT a FROM demo", &to_file(&scratch.path("rows.txt")));
    assert_eq!(gate.push("/api/data", r#"{"a":1}"#).status, 200);
    assert_eq!(gate.terminate().0, Some(0));
    assert_eq!(scratch.lines("rows.txt"), ["before", r#"{"a":1}"#]);
    let gate = Gate::start(&scratch);
    assert_eq!(gate.push("/api/data", r#"{"a":2}"#).status, 200);
    until("the second row", || scratch.lines("rows.txt") == ["before", r#"{"a":1}"#, r#"{"a":2}"#]);
}

#[test]
fn a_target_that_comes_later_gets_all_in_order() {
    let scratch = Scratch::new();
    let gate = Gate::start(&scratch);
    let addr = dead_address();
    gate.stream("demo", "/api/data");
    gate.tell("POST", "/rules", &to_target("r1", addr));
    assert_eq!(gate.status("r1")["status"], "running", "an unreachable sink does not keep a rule from starting");
    let mut client = Client::connect(gate.data());
    for i in 1..=5 {
        assert_eq!(client.ask("POST", "/api/data", &json!({ "a": i }).to_string()).status, 200);
    }
    let target = Target::listen(addr);
    for i in 1..=5 {
        assert_eq!(target.body(), format!(r#"{{"a":{i}}}"#));
    }
}

/// A rule that sends column `a` of `demo` and tries again soon.
fn to_target(id: &str, addr: std::net::SocketAddr) -> String {
    let sink = json!({"rest": {"url": format!("http://{addr}/in"), "method": "post", "sendSingle": true, "resendInterval": "20ms"}});
    json!({"id": id, "sql": "SELECT a FROM demo", "actions": [sink], "options": {"qos": 1}}).to_string()
}

#[test]
fn memory_topics_chain_rules() {
    let scratch = Scratch::new();
    let gate = Gate::start(&scratch);
    gate.stream("demo", "/api/data");
    gate.sql(r#"CREATE STREAM mem () WITH (DATASOURCE="t/x", FORMAT="json", TYPE="memory")"#);
    gate.rule("r2", "SELECT b * 2 AS c FROM mem", &to_file(&scratch.path("rows.txt")));
    assert!(!gate.opened(), "a memory source needs no port");
    gate.rule("r1", "SELECT a + 1 AS b FROM demo", &json!({"memory": {"topic": "t/x", "sendSingle": true}}));
    assert_eq!(gate.push("/api/data", r#"{"a":1}"#).status, 200);
    until("the row", || scratch.lines("rows.txt") == [r#"{"c":4}"#]);
}

#[test]
fn a_value_cannot_climb_out_of_the_folder() {
    let scratch = Scratch::new();
    fs::create_dir_all(scratch.path("in/side")).expect("a folder");
    let gate = Gate::start(&scratch);
    gate.stream("demo", "/api/data");
    let path = scratch.text("in/side/{{.n}}.txt");
    gate.rule("r1", "SELECT n FROM demo", &json!({"file": {"path": path, "fileType": "lines", "sendSingle": true}}));
    let mut client = Client::connect(gate.data());
    for n in ["../out", "..", "/etc/x", "a/../../../out", "good"] {
        assert_eq!(client.ask("POST", "/api/data", &json!({ "n": n }).to_string()).status, 200);
    }
    until("the good row", || scratch.lines("in/side/good.txt") == [r#"{"n":"good"}"#]);
    let names = |folder: &str| -> Vec<String> {
        let entries = fs::read_dir(scratch.path(folder)).expect("a folder").flatten();
        entries.map(|e| e.file_name().to_string_lossy().into_owned()).collect()
    };
    assert_eq!(names("in"), ["side"]);
    assert!(
        names("in/side").iter().all(|name| name == "good.txt" || name == "...txt"),
        "`..` is but the front of a name: {:?}",
        names("in/side")
    );
    let status = gate.status("r1");
    assert_eq!(status["op_file_0_0_transform_0_exceptions_total"], 3, "{status}");
}

#[test]
fn sigterm_delivers_what_was_accepted() {
    let scratch = Scratch::new();
    let gate = Gate::start(&scratch);
    gate.stream("demo", "/api/data");
    gate.rule("r1", "SELECT a FROM demo", &to_file(&scratch.path("rows.txt")));
    let mut client = Client::connect(gate.data());
    let all: String = (0..200).map(|i| crate::http::request("POST", "/api/data", "", &json!({ "a": i }).to_string())).collect();
    client.send(all.as_bytes());
    for _ in 0..200 {
        assert_eq!(client.reply().status, 200);
    }
    let (code, log) = gate.terminate();
    assert_eq!(code, Some(0));
    assert!(!log.iter().any(|line| line.contains("not delivered")), "{log:?}");
    let want: Vec<String> = (0..200).map(|i| format!(r#"{{"a":{i}}}"#)).collect();
    assert_eq!(scratch.lines("rows.txt"), want);
}

#[test]
fn sigterm_delivers_a_batch_that_is_not_full() {
    let scratch = Scratch::new();
    let gate = Gate::start(&scratch);
    gate.stream("demo", "/d");
    let action = json!({"file": {"path": scratch.path("out.txt"), "sendSingle": true, "batchSize": 100}});
    gate.rule("r1", "SELECT a FROM demo", &action);
    for i in 0..3 {
        assert_eq!(gate.push("/d", &format!("{{\"a\":{i}}}")).status, 200);
    }
    let (code, _) = gate.terminate();
    assert_eq!(code, Some(0));
    assert_eq!(scratch.read("out.txt").trim(), r#"[{"a":0},{"a":1},{"a":2}]"#);
}

#[test]
fn sigterm_tells_what_was_not_delivered() {
    let scratch = Scratch::new();
    let gate = Gate::start_with(&scratch, "basic:\n  gracefulShutdownTimeout: 200ms\n");
    gate.stream("demo", "/api/data");
    gate.tell("POST", "/rules", &to_target("r1", dead_address()));
    for _ in 0..3 {
        assert_eq!(gate.push("/api/data", r#"{"a":1}"#).status, 200);
    }
    let (code, log) = gate.terminate();
    assert_eq!(code, Some(0));
    assert!(log.iter().any(|line| line.contains("rule r1: ") && line.contains("3 payloads")), "{log:?}");
}

#[test]
fn a_closed_stderr_does_not_stop_the_gate() {
    let scratch = Scratch::new();
    let gate = Gate::spawn(program().arg("run").arg("--state").arg(scratch.path("state")));
    gate.stream("demo", "/api/data");
    gate.rule("r1", "SELECT a FROM demo", &to_file(&scratch.path("rows.txt")));
    let mut client = Client::connect(gate.data());
    gate.stop_reading_the_log();
    gate.tell("POST", "/rules", &rule("r2", "SELECT a FROM demo", &json!({"log": {"sendSingle": true}})));
    for i in 1..=20 {
        assert_eq!(client.ask("POST", "/api/data", &json!({ "a": i }).to_string()).status, 200);
    }
    until("all rows", || scratch.lines("rows.txt").len() == 20);
    assert_eq!(gate.status("r2")["status"], "running");
    drop(client);
    assert_eq!(gate.terminate().0, Some(0));
}

#[test]
fn an_unknown_property_warns_and_does_not_fail() {
    let scratch = Scratch::new();
    let gate = Gate::start(&scratch);
    gate.stream("demo", "/api/data");
    gate.rule("r1", "SELECT a FROM demo", &json!({"nop": {"sendSngle": true}}));
    let line = gate.wait_log("unknown property sendSngle, did you mean sendSingle?");
    assert!(line.contains("rule r1: "), "{line}");
}
