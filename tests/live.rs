//! Rows as a live eKuiper gave them: each line of `tests/data/cases/live.jsonl` is a table, its rules, what is pushed and what each
//! rule must send, errors by their text.

mod common;

use common::Bench;
use serde_json::{Value, json};

const CASES: &str = include_str!("data/cases/live.jsonl");

/// Numbers to ten digits, the rest exactly.
fn same(want: &Value, got: &Value) -> bool {
    match (want, got) {
        (Value::Number(a), Value::Number(b)) => {
            let (x, y) = (a.as_f64().unwrap_or(f64::NAN), b.as_f64().unwrap_or(f64::NAN));
            a == b || (x - y).abs() <= 1e-9 * x.abs().max(y.abs())
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => a.len() == b.len() && a.iter().all(|(k, v)| b.get(k).is_some_and(|w| same(v, w))),
        _ => want == got,
    }
}

fn rows(sql: &str, case: &Value) -> Vec<Value> {
    let mut b = Bench::new(1);
    for ddl in case["ddl"].as_array().into_iter().flatten() {
        b.stream(ddl.as_str().expect("ddl"));
    }
    let mut options = case.get("options").cloned().unwrap_or_else(|| json!({}));
    options["sendError"] = json!(true);
    let rule = json!({"id": "r1", "sql": sql, "actions": [{"log": {}}], "options": options});
    b.try_rule(&rule.to_string()).unwrap_or_else(|fault| panic!("{sql}: {fault:?}"));
    for input in case["input"].as_array().into_iter().flatten() {
        let (path, body) = (input[0].as_str().expect("path"), &input[1]);
        b.push(path, body.as_str().map_or_else(|| body.to_string(), str::to_owned).as_str());
        b.settle();
    }
    b.rows()
}

#[test]
fn rules_send_what_ekuiper_sends() {
    let mut faults = Vec::new();
    let mut count = 0;
    for line in CASES.lines() {
        let case: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        for (sql, want) in case["rules"].as_object().into_iter().flatten() {
            count += 1;
            let got = rows(sql, &case);
            let want = want.as_array().expect("rows");
            if want.len() != got.len() || !want.iter().zip(&got).all(|(a, b)| same(a, b)) {
                faults.push(format!("{sql}\n  want {}\n  got  {}", json!(want), json!(got)));
            }
        }
    }
    assert!(count >= 50, "{count} rules");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn letter_case_of_names_counts_unless_it_is_ignored() {
    let inputs = [r#"{"A":1}"#, r#"{"a":2,"A":1}"#, r#"{"A":1,"a":2}"#, r#"{"A":1,"A":3}"#, r#"[{"A":4}]"#, r#"{"b":1}"#];
    for (ignore, want) in
        [("false", "[{}][{\"a\":2}][{\"a\":2}][{}][{}][{}]"), ("true", "[{\"a\":1}][{\"a\":2}][{\"a\":2}][{\"a\":3}][{\"a\":4}][{}]")]
    {
        let mut b = Bench::with_env(1, "", &[("PUSHGATE__BASIC__IGNORECASE", ignore)]);
        b.stream(r#"CREATE STREAM demo () WITH (DATASOURCE="/s", FORMAT="json", TYPE="httppush")"#);
        b.try_rule(r#"{"id":"r1","sql":"SELECT a FROM demo","actions":[{"log":{}}]}"#).expect("a rule");
        inputs.iter().for_each(|input| b.push("/s", input));
        assert_eq!(b.logged().concat(), want, "{ignore}");
    }
}
