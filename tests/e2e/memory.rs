//! The memory bill: printed before anything serves, never passed, and a budget that refuses what does not fit.

use serde_json::{Value, json};

use crate::gate::{Gate, Scratch, finish, program, rule};
use crate::http::{Client, request};

const SQL: &str = "SELECT a, count(*) AS c FROM demo GROUP BY a, TUMBLINGWINDOW(ss, 10)";

fn bytes(counters: &Value) -> u64 {
    counters["memory"]["bytes"].as_u64().expect("a number")
}

fn budget(bytes: u64) -> String {
    format!("limits: {{memoryBudget: {bytes}}}\n")
}

/// `pushgate check` on a scratch folder: exit code and what it prints.
fn check(scratch: &Scratch, yaml: &str) -> (i32, String) {
    let config = scratch.write("check.yaml", yaml);
    let (code, out, err) = finish(program().arg("check").arg("--state").arg(scratch.path("state")).arg("--config").arg(config));
    (code, out + &err)
}

fn sum(text: &str) -> u64 {
    let line = text.lines().find(|line| line.ends_with("  in all")).unwrap_or_else(|| panic!("{text}"));
    line.split_whitespace().next().expect("a number").replace(',', "").parse().expect("digits")
}

#[test]
fn a_start_at_the_budget_and_one_byte_past_it() {
    let scratch = Scratch::new();
    let (code, text) = check(&scratch, "basic: {}\n");
    assert_eq!(code, 0, "{text}");
    let total = sum(&text);
    for what in ["connections: 1,024 x ", "large buffers: 16 x ", "management connections: 8 x "] {
        assert!(text.contains(what), "{what}\n{text}");
    }
    assert_eq!(check(&scratch, &budget(total)).0, 0);
    let (code, text) = check(&scratch, &budget(total - 1));
    let want = format!(
        "error: limits.memoryBudget: {} bytes are allowed, {total} bytes are needed: raise it, or lower limits.manageConnCount",
        total - 1
    );
    assert!(code == 78 && text.contains(&want), "{code} {text}");
    // The daemon counts the same, and says so before it serves.
    let config = scratch.write("run.yaml", &budget(total - 1));
    let (code, _, log) = finish(program().arg("run").arg("--state").arg(scratch.path("state")).arg("--config").arg(config));
    assert!(code == 78 && log.contains("limits.memoryBudget: ") && !log.contains("listen management"), "{code} {log}");
    let gate = Gate::start_with(&scratch, &budget(total));
    assert_eq!(bytes(&gate.counters()), total);
    let log = gate.logged();
    let at = |words: &str| log.iter().position(|line| line.contains(words)).unwrap_or_else(|| panic!("{words}\n{}", log.join("\n")));
    assert!(at("  in all") < at("listen management"));
}

#[test]
fn a_rule_that_fits_and_one_that_does_not() {
    let scratch = Scratch::new();
    let with_rule = {
        let gate = Gate::start(&scratch);
        let before = bytes(&gate.counters());
        gate.stream("demo", "/a");
        assert_eq!(bytes(&gate.counters()), before, "a stream without a rule has no queue");
        gate.rule("r1", SQL, &json!({"nop": {}}));
        let counters = gate.counters();
        let after = bytes(&counters);
        // Its state, its outbox and its stream's queue, all of 256 KiB.
        assert!(after > before + 3 * 262_144, "{before} {after}");
        let posts = counters["memory"]["posts"].as_array().expect("posts");
        assert_eq!(posts.iter().map(|post| post["bytes"].as_u64().expect("a number")).sum::<u64>(), after);
        gate.tell("DELETE", "/rules/r1", "");
        assert_eq!(bytes(&gate.counters()), before, "what a rule took goes with it");
        gate.tell("DELETE", "/streams/demo", "");
        after
    };
    let gate = Gate::start_with(&scratch, &budget(with_rule - 1));
    gate.stream("demo", "/a");
    let before = gate.counters();
    assert_eq!(before["memory"]["budget_bytes"], with_rule - 1);
    let refused = gate.ask("POST", "/rules", &rule("r1", SQL, &json!({"nop": {}})));
    assert_eq!(refused.status, 400);
    for words in ["rule r1 needs ", " are left of limits.memoryBudget (", ": raise it, or lower limits.stateBytes"] {
        assert!(refused.body.contains(words), "{words}: {refused:?}");
    }
    assert_eq!(gate.ask("GET", "/rules/r1", "").status, 404, "nothing is stored");
    assert_eq!(bytes(&gate.counters()), bytes(&before));
    assert!(!gate.counters()["streams"].as_object().is_some_and(|streams| streams.contains_key("demo")), "no queue is left open");
    gate.tell("DELETE", "/streams/demo", "");
    drop(gate);
    // One byte more, and it fits; what it is replaced by does too.
    let gate = Gate::start_with(&scratch, &budget(with_rule));
    gate.stream("demo", "/a");
    gate.rule("r1", SQL, &json!({"nop": {}}));
    assert_eq!(bytes(&gate.counters()), with_rule);
    gate.tell("PUT", "/rules/r1", &rule("r1", SQL, &json!({"nop": {}})));
    assert_eq!(gate.push("/a", "{\"a\":1}").status, 200);
    assert_eq!(gate.ask("POST", "/rules", &rule("r2", SQL, &json!({"nop": {}}))).status, 400);
    drop(gate);
    // Stored, and too much at the next start: the rule does not run, everything else does, and `check` says it before.
    let (code, text) = check(&scratch, &budget(with_rule - 1));
    assert!(code == 65 && text.contains("rule r1: error: rule r1 needs "), "{code} {text}");
    let gate = Gate::start_with(&scratch, &budget(with_rule - 1));
    assert!(gate.status("r1")["message"].as_str().is_some_and(|m| m.contains("limits.memoryBudget")));
}

#[test]
fn credentials_that_do_not_fit_leave_the_old_ones() {
    const PUT: &str = "/metadata/sources/httppush/confKeys/k";
    let conf = |names: &[&str]| {
        let one = |name: &&str| json!({"name": name, "type": "header", "header": "X-Token", "secret": format!("{name}-secret")});
        json!({"credentials": names.iter().map(one).collect::<Vec<_>>()}).to_string()
    };
    let define = |gate: &Gate| {
        gate.tell("PUT", PUT, &conf(&["one"]));
        gate.sql(r#"CREATE STREAM demo () WITH (DATASOURCE="/a", FORMAT="json", TYPE="httppush", CONF_KEY="k")"#);
        gate.rule("r1", SQL, &json!({"nop": {}}));
    };
    let total = {
        let scratch = Scratch::new();
        let gate = Gate::start(&scratch);
        define(&gate);
        bytes(&gate.counters())
    };
    let scratch = Scratch::new();
    let gate = Gate::start_with(&scratch, &budget(total));
    define(&gate);
    let post = |name: &str| {
        let mut client = Client::connect(gate.data());
        client.send(request("POST", "/a", &format!("X-Token: {name}-secret\r\n"), "{}").as_bytes());
        client.reply().status
    };
    let refused = gate.ask("PUT", PUT, &conf(&["one", "two"]));
    assert!(refused.status == 400 && refused.body.contains("1 more credentials need 1024 bytes of memory, and 0 are left"), "{refused:?}");
    assert_eq!((post("one"), post("two")), (200, 401));
    gate.tell("PUT", PUT, &conf(&["two"]));
    assert_eq!((post("one"), post("two")), (401, 200));
}
