//! Starting: bare and as `run`, with what is stored, and every way in which it is refused.

use std::fs;
use std::net::TcpListener;

use crate::gate::{Gate, Scratch, finish, program, to_file, until};
use crate::http::{Client, dead_address};
use serde_json::json;

#[test]
fn a_bare_start_makes_the_starter_in_memory() {
    let scratch = Scratch::new();
    let bare = || Gate::spawn(program().arg("--state").arg(scratch.path("state")));
    let gate = bare();
    let hint = gate.wait_log("try it: curl");
    assert!(hint.contains(&format!("http://127.0.0.1:{}/api/data", gate.data().port())), "{hint}");
    let mut client = Client::connect(gate.data());
    for body in [r#"{"temperature":49.5}"#, r#"{"temperature":51.5}"#] {
        let reply = client.ask("POST", "/api/data", body);
        assert_eq!((reply.status, reply.body.as_str()), (200, "ok"));
    }
    gate.wait_log("51.5");
    assert!(!gate.logged().iter().any(|line| line.contains("49.5")), "the rule lets through only what is above 50");
    assert_eq!(gate.tell("GET", "/streams", ""), r#"["demo"]"#);
    assert_eq!(fs::read_dir(scratch.path("state/sources")).expect("made at the start").count(), 0, "kept in memory");
    // Once something is defined, a bare start adds nothing.
    gate.stream("own", "/own");
    gate.kill();
    let gate = bare();
    assert_eq!(gate.tell("GET", "/streams", ""), r#"["own"]"#);
    assert!(!gate.opened());
}

#[test]
fn run_makes_nothing_by_itself() {
    let scratch = Scratch::new();
    let gate = Gate::start(&scratch);
    assert_eq!((gate.tell("GET", "/streams", ""), gate.tell("GET", "/rules", "")), ("[]".into(), "[]".into()));
    gate.stream("demo", "/api/data");
    assert!(!gate.opened(), "a stream alone opens no port");
}

#[test]
fn a_state_folder_that_cannot_be_made() {
    let scratch = Scratch::new();
    let state = scratch.write("file", "").join("state");
    let (code, _, err) = finish(program().arg("run").arg("--state").arg(&state));
    assert_eq!(code, 73, "{err}");
    assert!(err.contains(&state.display().to_string()), "{err}");
    assert_eq!(scratch.read("file"), "");
}

#[test]
fn the_management_port_in_use() {
    let scratch = Scratch::new();
    let held = TcpListener::bind(("127.0.0.1", 0)).expect("loopback");
    let addr = held.local_addr().expect("bound");
    let state = scratch.path("state");
    let run = || finish(program().arg("run").arg("--state").arg(&state).env("PUSHGATE__BASIC__RESTPORT", addr.port().to_string()));
    let (code, _, err) = run();
    assert_eq!(code, 71, "{err}");
    assert!(err.contains(&format!("listen {addr}: address in use")), "{err}");
}

#[test]
fn a_named_configuration_absent_or_wrong() {
    let scratch = Scratch::new();
    let run = |config: &std::path::Path| {
        // The variable would lie over the file's port.
        let mut program = program();
        program.env_remove("PUSHGATE__SOURCE__HTTPSERVERPORT");
        finish(program.arg("run").arg("--state").arg(scratch.path("state")).arg("--config").arg(config))
    };
    let absent = scratch.path("none.yaml");
    let (code, _, err) = run(&absent);
    assert_eq!(code, 78, "{err}");
    assert!(err.contains(&format!("{}: expected a configuration file, found nothing there", absent.display())), "{err}");
    let wrong = scratch.write("wrong.yaml", "basic:\n  debug: false\n  rulePatrolInterval: soon\n");
    let (code, _, err) = run(&wrong);
    assert_eq!(code, 78, "{err}");
    assert!(err.contains(&format!("{}:3: basic.rulePatrolInterval: expected", wrong.display())), "{err}");
    let port = scratch.write("port.yaml", "source:\n  httpServerPort: 65536\n");
    let (code, _, err) = run(&port);
    assert_eq!(code, 78, "{err}");
    assert!(err.contains(&format!("{}:2: source.httpServerPort: expected", port.display())), "{err}");
    assert!(!scratch.path("state").exists(), "a refused start leaves nothing behind");
}

#[test]
fn check_says_what_run_would_do() {
    let scratch = Scratch::new();
    let check = |config: &std::path::Path, more: &[&str]| {
        finish(program().arg("check").args(more).arg("--config").arg(config).arg("--state").arg(scratch.path("state")))
    };
    let good = scratch.write("good/pushgate.yaml", "basic:\n  debug: true\n");
    let (code, out, err) = check(&good, &[]);
    assert_eq!((code, out.ends_with("ok\n")), (0, true), "{out}{err}");
    assert!(!scratch.path("state").exists(), "check makes nothing");
    let (code, out, _) = check(&good, &["--show"]);
    assert_eq!(code, 0, "{out}");
    let shows = |key: &str, from: &str| out.lines().any(|line| line.contains(key) && line.contains(from));
    assert!(shows("basic.debug", "pushgate.yaml:2") && shows("basic.restPort", "PUSHGATE__BASIC__RESTPORT"), "{out}");
    assert!(shows("basic.restIp", "(default)"), "{out}");

    let key = scratch.write("key/pushgate.yaml", "");
    scratch.write("key/sources/httppush.yaml", "default:\n  method: POST\nbad:\n  method: GET\n");
    let (code, out, _) = check(&key, &[]);
    assert_eq!(code, 65, "{out}");
    assert!(out.contains("httppush.yaml:4") && out.contains("expected POST or PUT"), "{out}");

    let wrong = scratch.write("wrong/pushgate.yaml", "basic:\n  rulePatrolInterval: soon\n");
    let (code, out, err) = check(&wrong, &[]);
    assert_eq!(code, 78, "{out}{err}");
    assert!(err.contains("pushgate.yaml:2"), "{err}");
}

#[test]
fn the_data_port_is_10081_unless_told_otherwise() {
    let scratch = Scratch::new();
    let mut program = program();
    program.env_remove("PUSHGATE__SOURCE__HTTPSERVERPORT");
    let config = scratch.write("pushgate.yaml", "");
    let (code, out, _) = finish(program.arg("check").arg("--show").arg("--config").arg(config).arg("--state").arg(scratch.path("state")));
    assert_eq!(code, 0, "{out}");
    let line = out.lines().find(|line| line.contains("source.httpServerPort")).unwrap_or_else(|| panic!("{out}"));
    assert!(line.contains("= 10081") && line.contains("(default)"), "{line}");
}

#[test]
fn a_broken_conf_key_costs_only_its_streams() {
    let scratch = Scratch::new();
    scratch.write("sources/httppush.yaml", "default:\n  method: POST\nbad:\n  method: GET\n");
    let gate = Gate::start_with(&scratch, "");
    gate.sql(r#"CREATE STREAM good () WITH (DATASOURCE="/good", TYPE="httppush")"#);
    gate.rule("r1", "SELECT * FROM good", &json!({"nop": {}}));
    let create = json!({"sql": r#"CREATE STREAM broken () WITH (DATASOURCE="/b", TYPE="httppush", CONF_KEY="bad")"#}).to_string();
    let mut reply = gate.ask("POST", "/streams", &create);
    if reply.status == 201 {
        reply = gate.ask("POST", "/rules", &crate::gate::rule("r2", "SELECT * FROM broken", &json!({"nop": {}})));
    }
    assert_eq!(reply.status, 400, "{reply:?}");
    assert!(reply.body.contains("httppush.yaml:4"), "{reply:?}");
    assert_eq!(gate.push("/good", "{}").status, 200);
}

#[test]
fn definitions_survive_and_a_broken_file_costs_its_own() {
    let scratch = Scratch::new();
    let gate = Gate::start(&scratch);
    gate.stream("lost", "/lost");
    gate.stream("demo", "/api/data");
    gate.rule("r1", "SELECT a FROM demo", &to_file(&scratch.path("rows.txt")));
    gate.tell("PUT", "/metadata/sources/httppush/confKeys/ck1", r#"{"method":"PUT"}"#);
    gate.kill();
    scratch.write("state/sources/lost.json", "{");

    let gate = Gate::start(&scratch);
    let fault = gate.wait_log("lost.json");
    assert!(fault.contains("error"), "{fault}");
    assert_eq!(gate.tell("GET", "/streams", ""), r#"["demo"]"#);
    assert_eq!(gate.status("r1")["status"], "running");
    assert!(gate.tell("GET", "/metadata/sources/yaml/httppush", "").contains(r#""ck1""#));
    assert_eq!(gate.push("/api/data", r#"{"a":1,"b":2}"#).status, 200);
    until("the row", || scratch.lines("rows.txt") == [r#"{"a":1}"#]);
    assert_eq!(scratch.read("state/sources/lost.json"), "{", "left for the operator to look at");
}

#[test]
fn check_judges_what_is_stored() {
    let scratch = Scratch::new();
    let gate = Gate::start(&scratch);
    gate.stream("demo", "/api/data");
    gate.kill();
    let check = || finish(program().arg("check").arg("--state").arg(scratch.path("state")));
    let (code, out, _) = check();
    assert_eq!((code, out.contains("stream demo: ok")), (0, true), "{out}");
    scratch.write("state/rules/r1.json", "no JSON");
    let (code, out, _) = check();
    assert_eq!((code, out.contains("r1.json"), out.contains("stream demo: ok")), (65, true, true), "{out}");
}

#[test]
fn both_programs_names_of_variables() {
    let scratch = Scratch::new();
    let (management, data) = (dead_address(), dead_address());
    let gate = Gate::spawn(
        program()
            .arg("run")
            .arg("--state")
            .arg(scratch.path("state"))
            .env_remove("PUSHGATE__BASIC__RESTPORT")
            .env("KUIPER__BASIC__RESTIP", management.ip().to_string())
            .env("KUIPER__BASIC__RESTPORT", management.port().to_string())
            .env("PUSHGATE__SOURCE__HTTPSERVERIP", data.ip().to_string())
            .env("PUSHGATE__SOURCE__HTTPSERVERPORT", data.port().to_string())
            .env("HTTPPUSH__APPLICATION_CONF__METHOD", "PUT"),
    );
    assert_eq!(gate.management, management);
    gate.sql(r#"CREATE STREAM demo () WITH (DATASOURCE="/api/data", TYPE="httppush", CONF_KEY="application_conf")"#);
    gate.rule("r1", "SELECT * FROM demo", &json!({"nop": {}}));
    assert_eq!(gate.data(), data);
    let mut client = Client::connect(data);
    let refused = client.ask("POST", "/api/data", "{}");
    assert_eq!((refused.status, refused.field("allow")), (405, Some("PUT, OPTIONS")), "{refused:?}");
    assert_eq!(client.ask("PUT", "/api/data", "{}").status, 200);
}
