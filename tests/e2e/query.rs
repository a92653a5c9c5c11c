//! `pushgate query`: statements over files and standard input, as a user types them; and the plan of a rule with its bounds.

use std::{io::Write as _, process::Stdio};

use serde_json::{Value, json};

use crate::gate::{Gate, Scratch, program};

/// Exit code, rows and complaints.
fn query(args: &[&str], input: &str) -> (i32, Vec<String>, String) {
    let mut command = program();
    command.arg("query").args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program");
    // A program that refused its arguments does not read.
    let _ = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
    let output = child.wait_with_output().expect("it ends");
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
    (output.status.code().unwrap_or(-1), text(&output.stdout).lines().map(str::to_owned).collect(), text(&output.stderr))
}

fn text_of(dir: &Scratch, name: &str, text: &str) -> String {
    dir.write(name, text).display().to_string()
}

const EVENTS: &str = concat!(
    "{\"ts\":1700000001000,\"device\":\"a\",\"t\":1}\n",
    "{\"ts\":1700000003000,\"device\":\"b\",\"t\":2.5}\n",
    "{\"ts\":1700000012000,\"device\":\"a\",\"t\":4}\n",
);

#[test]
fn rows_of_standard_input_and_of_a_file() {
    let dir = Scratch::new();
    let file = text_of(&dir, "events.jsonl", EVENTS);
    let sql = "SELECT device, t + 1 AS u FROM demo WHERE t > 1";
    let want = ["{\"device\":\"b\",\"u\":3.5}", "{\"device\":\"a\",\"u\":5}"].map(str::to_owned).to_vec();
    assert_eq!(query(&[sql], EVENTS), (0, want.clone(), String::new()));
    assert_eq!(query(&[sql, &file], ""), (0, want.clone(), String::new()));
    let statement = text_of(&dir, "q.sql", sql);
    assert_eq!(query(&["-f", &statement, &file], ""), (0, want, String::new()));
    let (code, rows, _) = query(&[sql, "--format", "delimited"], EVENTS);
    assert_eq!((code, rows), (0, vec!["b,3.5".to_owned(), "a,5".to_owned()]));
    let (code, rows, _) = query(&[sql, "--props", "{\"dataTemplate\":\"{{.device}}: {{.u}}\"}"], EVENTS);
    assert_eq!((code, rows), (0, vec!["b: 3.5".to_owned(), "a: 5".to_owned()]));
}

#[test]
fn event_time_moves_windows() {
    let sql = "SELECT device, sum(t) AS s, window_end() AS e FROM demo GROUP BY device, TUMBLINGWINDOW(ss, 10)";
    let (code, rows, told) = query(&[sql, "--event-time", "ts"], EVENTS);
    let want = [
        "{\"device\":\"a\",\"e\":1700000010000,\"s\":1}",
        "{\"device\":\"b\",\"e\":1700000010000,\"s\":2.5}",
        "{\"device\":\"a\",\"e\":1700000020000,\"s\":4}",
    ];
    assert_eq!((code, rows.iter().map(String::as_str).collect::<Vec<_>>(), told.as_str()), (0, want.to_vec(), ""));
    let (_, rows, _) = query(&[sql, "--event-time", "ts", "--keep-open"], EVENTS);
    assert_eq!(rows, want[..2], "what is open stays open");
    let (code, rows, told) = query(&[sql, "--event-time", "time"], EVENTS);
    assert_eq!((code, rows.len(), told.lines().count()), (1, 0, 3), "{told}");
    assert!(told.contains("stdin:1: ") && told.contains("cannot find timestamp field time"), "{told}");
}

#[test]
fn two_sources_need_an_input_each() {
    let dir = Scratch::new();
    let file = text_of(&dir, "a.jsonl", EVENTS);
    let table = text_of(&dir, "t.jsonl", "{\"id\":\"a\",\"name\":\"hall\"}\n");
    let sql = "SELECT m.t, d.name FROM m INNER JOIN d ON m.device = d.id";
    let ddl = "CREATE TABLE d (id STRING, name STRING) WITH (DATASOURCE=\"d\", RETAIN_SIZE=\"5\")";
    let both = [sql, "--stream", ddl, "--input", &format!("m={file}"), "--input", &format!("d={table}")];
    let want = vec!["{\"name\":\"hall\",\"t\":1}".to_owned(), "{\"name\":\"hall\",\"t\":4}".to_owned()];
    assert_eq!(query(&both, ""), (0, want, String::new()));
    let (code, _, told) = query(&[sql, "--stream", ddl], EVENTS);
    assert_eq!(code, 65);
    assert!(told.contains("events for m and d: give each its own --input NAME=FILE"), "{told}");
    let (code, _, told) = query(&[sql, "--stream", ddl, "--input", "x=/dev/null"], EVENTS);
    assert!(code == 65 && told.contains("does not read x"), "{code} {told}");
}

#[test]
fn what_is_wrong_is_shown_with_its_place() {
    let (code, rows, told) = query(&["SELECT device, FROM demo"], "");
    assert_eq!((code, rows.len()), (65, 0));
    let lines: Vec<&str> = told.lines().collect();
    assert!(lines[0].starts_with("error: found \"FROM\""), "{told}");
    assert_eq!(lines[1..], ["SELECT device, FROM demo", "               ^"], "{told}");
    let (code, _, told) = query(&["SELECT device, foo(t) FROM demo"], "");
    assert!(code == 65 && told.ends_with("SELECT device, foo(t) FROM demo\n               ^\n"), "{told}");
    // One damaged event costs that event.
    let (code, rows, told) = query(&["SELECT a FROM demo"], "{\"a\":1}\n{\"a\":}\n{\"a\":{\n{\"a\":2}\n");
    assert_eq!((code, rows), (1, vec!["{\"a\":1}".to_owned(), "{\"a\":2}".to_owned()]));
    assert!(told.contains("stdin:2: refused (400): ") && told.contains("stdin:3: refused (400): "), "{told}");
    for (args, code, words) in [
        (&["--explain"][..], 2, "expected a statement"),
        (&["SELECT a FROM demo", "--format", "xml"], 2, "expected json, delimited"),
        (&["SELECT a FROM demo", "/nonexistent/x"], 66, "/nonexistent/x: "),
        (&["-f", "/nonexistent/q"], 66, "/nonexistent/q: "),
        (&["SELECT a FROM demo", "--config", "/nonexistent/c"], 78, "expected a configuration file"),
        (&["SELECT a FROM demo", "--options", "{\"lateTolerance\":-1}"], 65, "invalidLateTol"),
        (&["SELECT a FROM demo GROUP BY COUNTWINDOW(2)", "--event-time", "ts"], 65, "unsupported window type 5"),
    ] {
        let (got, rows, told) = query(args, "");
        assert!(got == code && told.contains(words) && rows.is_empty(), "{args:?}: {got} {told}");
    }
}

#[test]
fn the_plan_with_its_bounds() {
    let sql = "SELECT avg(t) AS a FROM demo GROUP BY TUMBLINGWINDOW(ss, 10)";
    let (code, lines, _) = query(&[sql, "--explain"], "");
    let text = lines.join("\n");
    assert_eq!(code, 0);
    for words in
        ["ProjectPlan_0  Fields:[", "262140 bytes: groups and their accumulators, no rows; when full: ", "shared by the stream's rules"]
    {
        assert!(text.contains(words), "{text}");
    }
    let (_, lines, _) = query(&[sql, "--explain", "--json"], "");
    let of_query: Value = serde_json::from_str(&lines.join("")).expect("JSON");
    assert_eq!(of_query["steps"][1]["state"][0]["bytes"], 262_140);

    let scratch = Scratch::new();
    let gate = Gate::start(&scratch);
    gate.stream("demo", "/api/data");
    gate.rule("r1", sql, &json!({"log": {"sendSingle": true}}));
    let of_rule: Value = serde_json::from_str(&gate.tell("POST", "/rules/r1/explain", "")).expect("JSON");
    assert_eq!(of_rule["id"], "r1");
    for part in ["steps", "sinks", "stateBytes", "ruleBytes", "queueBytes"] {
        assert_eq!(of_rule[part], of_query[part], "{part}");
    }
    assert!(gate.tell("GET", "/rules/r1/explain", "").starts_with("{\"op\":\"ProjectPlan_0\""), "as eKuiper answers it");
    assert_eq!(gate.ask("POST", "/rules/none/explain", "").status, 404);
}
