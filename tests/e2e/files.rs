//! Files of the server as tables and streams: scan tables, lines, CSV, reading again, what may not be read. The expected rows are those of
//! a live eKuiper 2, but where a comment says otherwise.

use std::fs;

use serde_json::{Value, json};

use crate::gate::{Gate, Scratch, rule, to_file, until};

const LOG: &str = r#"{"log":{}}"#;

/// A stream or table over a file below `STATE/data`.
fn define(gate: &Gate, what: &str, columns: &str, file: &str, conf_key: &str) -> String {
    let (kind, name) = what.split_once(' ').expect("STREAM s");
    gate.sql(&format!(r#"CREATE {kind} {name} ({columns}) WITH (DATASOURCE="{file}", FORMAT="json", TYPE="file", CONF_KEY="{conf_key}")"#))
}

fn conf_key(gate: &Gate, name: &str, props: &Value) {
    gate.tell("PUT", &format!("/metadata/sources/file/confKeys/{name}"), &props.to_string());
}

/// Asks for the rows of a rule's tables until there are `count`.
fn scanned(gate: &Gate, id: &str, count: usize) -> String {
    let mut body = String::new();
    until("the rows of the table", || {
        body = gate.ask("GET", &format!("/rules/{id}/scantables"), "").body;
        body.matches("\"emitter\"").count() == count
    });
    body
}

fn counter(gate: &Gate, stream: &str, name: &str) -> i64 {
    gate.counters()["streams"][stream][name].as_i64().unwrap_or(-1)
}

#[test]
fn a_table_is_joined() {
    let scratch = Scratch::new();
    scratch.write("state/data/devices.json", r#"[{"id":1,"name":"D1"},{"id":2,"name":"D2"},{"id":3,"name":"D3"}]"#);
    let gate = Gate::start(&scratch);
    gate.stream("s", "/s");
    define(&gate, "TABLE d", "id BIGINT, name STRING", "devices.json", "");
    let out = to_file(&scratch.path("out"));
    gate.rule("r", "SELECT s.id, d.name, meta(d.file) AS f FROM s INNER JOIN d ON s.id = d.id", &out);
    let rows = scanned(&gate, "r", 3);
    assert!(rows.starts_with(r#"[{"emitter":"d","content":{"id":1,"name":"D1"}},"#), "{rows}");
    assert_eq!(gate.push("/s", r#"{"id":2}"#).status, 200);
    until("the joined row", || !scratch.lines("out").is_empty());
    assert!(scratch.read("out").contains(r#""id":2,"name":"D2""#), "{}", scratch.read("out"));
    let status = gate.status("r");
    assert_eq!((&status["status"], &status["source_d_0_records_in_total"]), (&json!("running"), &json!(1)), "the file is one message");
    // Read once: what is written later is not seen, as in eKuiper. A rule that starts anew reads anew.
    scratch.write("state/data/devices.json", r#"{"id":9,"name":"D9"}"#);
    gate.tell("POST", "/rules/r/restart", "");
    assert_eq!(scanned(&gate, "r", 1), r#"[{"emitter":"d","content":{"id":9,"name":"D9"}}]"#);
    let readers = |gate: &Gate| {
        let posts = gate.counters()["memory"]["posts"].clone();
        posts.as_array().and_then(|posts| posts.iter().find(|post| post["what"] == "readers of files").map(|post| post["count"].clone()))
    };
    assert_eq!(readers(&gate), Some(json!(1)), "the memory bill counts who reads");
    gate.tell("DELETE", "/rules/r", "");
    assert_eq!(readers(&gate), None);
    assert!(gate.tell("GET", "/metadata/sources", "").contains(r#""name":"file""#));
}

#[test]
fn lines_and_csv_run_to_their_end() {
    let scratch = Scratch::new();
    scratch.write("state/data/a.csv", "id,name\n1,A\n2,\"a, b\"\n\n3,\"c\"\"d\",zz\n4\n5,x\"y\n");
    scratch.write("state/data/l", "{\"id\":1}\n\n[{\"id\":2},{\"id\":3}]\nbad\n{\"id\":\"5\"}");
    let gate = Gate::start(&scratch);
    conf_key(&gate, "csv", &json!({"fileType": "csv", "hasHeader": true, "ignoreEndLines": 1}));
    conf_key(&gate, "named", &json!({"fileType": "csv", "columns": ["a"], "ignoreStartLines": 1}));
    conf_key(&gate, "lines", &json!({"fileType": "lines"}));
    // Fields of CSV are texts, whatever is declared. The last line is left out; line 6 has no name: eKuiper ends there.
    let csv = [r#"{"id":"1","name":"A"}"#, r#"{"id":"2","name":"a, b"}"#, r#"{"id":"3","name":"c\"d"}"#, r#"{"id":"4"}"#];
    let named = [r#"{"a":"1"}"#, r#"{"a":"2"}"#, r#"{"a":"3"}"#, r#"{"a":"4"}"#];
    let lines = [r#"{"id":1}"#, r#"{"id":2}"#, r#"{"id":3}"#];
    let cases: [(&str, &str, &str, &[&str], i64); 3] =
        [("csv", "a.csv", "id BIGINT", &csv, 0), ("named", "a.csv", "", &named, 1), ("lines", "l", "id BIGINT", &lines, 2)];
    for (key, file, columns, rows, refused) in cases {
        // A table that stays beside the stream, so that what was refused can still be asked for.
        define(&gate, &format!("STREAM s_{key}"), columns, file, key);
        define(&gate, &format!("TABLE t_{key}"), columns, file, key);
        gate.rule(key, &format!("SELECT * FROM s_{key}"), &to_file(&scratch.path(key)));
        until("the end of the file", || gate.status(key)["message"] == "done");
        assert_eq!(scratch.lines(key), rows, "{key}");
        assert_eq!(gate.status(key)["status"], "stopped");
        if key == "csv" {
            gate.stream("push", "/push");
        }
        gate.rule(&format!("t_{key}"), &format!("SELECT push.x FROM push INNER JOIN t_{key} ON push.x = t_{key}.id"), &json!({"nop": {}}));
        scanned(&gate, &format!("t_{key}"), rows.len());
        until("the counts", || counter(&gate, &format!("t_{key}"), "refused_malformed_total") == refused);
    }
    gate.wait_log("a.csv: line 7: a quote in a field without quotes");
    assert_eq!(gate.status("lines")["op_2_decoder_0_exceptions_total"], 1, "the line whose id is a text");
}

#[test]
fn a_file_is_read_again() {
    let scratch = Scratch::new();
    scratch.write("state/data/f", r#"{"a":1}"#);
    let gate = Gate::start(&scratch);
    conf_key(&gate, "again", &json!({"interval": 20}));
    define(&gate, "STREAM s", "", "f", "again");
    gate.rule("r", "SELECT a FROM s", &to_file(&scratch.path("out")));
    until("a second reading", || scratch.lines("out").len() > 1);
    scratch.write("state/data/f", r#"{"a":2}"#);
    until("what is new", || scratch.read("out").contains(r#"{"a":2}"#));
    fs::remove_file(scratch.path("state/data/f")).expect("it is there");
    until("what is gone is counted", || counter(&gate, "s", "refused_unfinished_total") > 0);
    assert_eq!(gate.status("r")["status"], "running");
    scratch.write("state/data/f", r#"{"a":3}"#);
    until("it is back", || scratch.read("out").contains(r#"{"a":3}"#));
    // Reading it goes on for as long as the rule runs, and not while the program ends.
    let (exit, log) = gate.terminate();
    assert_eq!(exit, Some(0), "{log:?}");
}

#[test]
fn a_long_file_waits_for_room() {
    const COUNT: usize = 20_000;
    let scratch = Scratch::new();
    let text: String = (0..COUNT).map(|i| format!("{{\"i\":{i},\"text\":\"0123456789012345678901234567890123456789\"}}\n")).collect();
    scratch.write("state/data/long", &text);
    let gate = Gate::start(&scratch);
    conf_key(&gate, "lines", &json!({"fileType": "lines"}));
    define(&gate, "STREAM s", "", "long", "lines");
    gate.rule("r", "SELECT i FROM s", &to_file(&scratch.path("out")));
    until("the end of the file", || gate.status("r")["message"] == "done");
    assert_eq!(gate.status("r")["source_s_0_records_in_total"], json!(COUNT));
    until("all of it", || scratch.lines("out").len() == COUNT);
    assert_eq!(scratch.lines("out").last().map(String::as_str), Some(r#"{"i":19999}"#), "in order, nothing lost");
}

#[test]
fn a_record_is_at_most_a_body() {
    let scratch = Scratch::new();
    let gate = Gate::start_with(&scratch, "basic:\n  restPort: 0\nsource:\n  httpServerPort: 0\nlimits:\n  bodyBytes: 4096\n");
    let of = |bytes: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(bytes - 8));
    scratch.write("state/data/fits", &of(4096));
    scratch.write("state/data/more", &of(4097));
    let huge = "y".repeat(300_000);
    scratch.write("state/data/lines", &format!("{}\n{}\n{huge}\n{{\"a\":\"end\"}}\n", of(4096), of(4097)));
    scratch.write("state/data/huge", &format!("[{huge}]"));
    conf_key(&gate, "lines", &json!({"fileType": "lines", "interval": "1h"}));
    conf_key(&gate, "json", &json!({"interval": "1h"}));
    for (file, key, taken, refused) in [("fits", "json", 1, 0), ("more", "json", 0, 1), ("huge", "json", 0, 1), ("lines", "lines", 2, 2)] {
        define(&gate, &format!("STREAM s_{file}"), "", file, key);
        gate.rule(file, &format!("SELECT * FROM s_{file}"), &json!({"nop": {}}));
        let name = format!("s_{file}");
        until("the counts", || {
            counter(&gate, &name, "accepted_total") == taken && counter(&gate, &name, "refused_too_large_total") == refused
        });
        assert_eq!(counter(&gate, &name, "refused_total"), refused, "{file}");
    }
    gate.wait_log("lines: line 3 is larger than limits.bodyBytes");
}

#[test]
fn what_is_not_read() {
    let scratch = Scratch::new();
    scratch.write("state/data/a", "{}");
    scratch.write("secret", "{}");
    fs::create_dir_all(scratch.path("state/data/dir")).expect("a folder");
    std::os::unix::fs::symlink(scratch.path("secret"), scratch.path("state/data/link")).expect("a link");
    let gate = Gate::start(&scratch);
    for (i, (file, props, words)) in [
        ("gone", json!({}), "/state/data/gone not exist"),
        ("dir", json!({}), "/state/data/dir is no regular file: directories are not supported"),
        ("", json!({}), "the stream has no DATASOURCE: it names the file (directories are not supported)"),
        ("../rules/r.json", json!({}), "a symbolic link there lets others be"),
        ("secret", json!({"path": scratch.text("")}), "a symbolic link there lets others be"),
        ("passwd", json!({"path": "/etc"}), "file /etc/passwd: only files below "),
        ("x", json!({"path": "confkeys"}), "only files below "),
        ("a", json!({"path": ""}), "missing property Path"),
        ("a", json!({"fileType": ""}), "missing or invalid property fileType, must be 'json'"),
        ("a", json!({"actionAfterRead": "2"}), "actionAfterRead: files are only read here"),
        ("a", json!({"actionAfterRead": "x"}), "property actionAfterRead: expected 0, found"),
        ("a", json!({"fileType": "parquet"}), "property fileType: expected json, lines or csv, found parquet"),
        ("a", json!({"actionAfterRead": 1}), "actionAfterRead: files are only read here"),
        ("a", json!({"actionAfterRead": 3}), "invalid actionAfterRead: 3"),
        ("a", json!({"decompression": "gzip"}), "decompression is not supported for files"),
        ("a", json!({"ignoreEndLines": 10_001}), "property ignoreEndLines: expected at most 10000, found 10001"),
        ("a", json!({"fileType": "csv", "delimiter": "\""}), "delimiter: expected an ASCII character"),
    ]
    .into_iter()
    .enumerate()
    {
        conf_key(&gate, &format!("k{i}"), &props);
        define(&gate, &format!("STREAM s{i}"), "", file, &format!("k{i}"));
        let reply = gate.ask("POST", "/rules", &rule("r", &format!("SELECT * FROM s{i}"), &serde_json::from_str(LOG).expect("JSON")));
        assert!(reply.status == 400 && reply.body.contains(words) && reply.body.contains("2201"), "{file} {props}: {reply:?}");
        assert_eq!(gate.tell("GET", "/rules", ""), "[]", "nothing is left of it");
    }
    // At the limits, and what the operator has linked.
    conf_key(&gate, "most", &json!({"ignoreEndLines": 10_000, "path": scratch.text("state/data")}));
    define(&gate, "STREAM most", "", "link", "most");
    gate.rule("most", "SELECT * FROM most", &json!({"nop": {}}));
    until("its end", || gate.status("most")["message"] == "done");
    assert_eq!(gate.status("most")["source_most_0_records_in_total"], 1);
    let lookup =
        gate.ask("POST", "/tables", &json!({"sql": r#"CREATE TABLE l () WITH (DATASOURCE="a", TYPE="file", KIND="lookup")"#}).to_string());
    assert!(lookup.status == 400 && lookup.body.contains("lookup source type file not found"), "{lookup:?}");
}
