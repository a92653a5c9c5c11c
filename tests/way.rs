//! The whole way of one reading through the engine, without sockets.

mod common;

use common::Bench;

const DEMO: &str = r#"CREATE STREAM demo () WITH (DATASOURCE="/api/data", FORMAT="json", TYPE="httppush")"#;

#[test]
fn filter_and_projection() {
    let mut b = Bench::new(1);
    b.stream(DEMO);
    b.rule("SELECT temperature, humidity AS h, temperature + 1 AS next FROM demo WHERE temperature > 50");
    b.push("/api/data", r#"{"temperature":51,"humidity":3.5,"x":"y"}"#);
    b.push("/api/data", r#"{"temperature":50}"#);
    b.push("/api/data", r#"[{"temperature":52},{"temperature":1},{"temperature":60.25,"humidity":null}]"#);
    assert_eq!(
        b.logged(),
        [r#"{"h":3.5,"next":52,"temperature":51}"#, r#"{"next":53,"temperature":52}"#, r#"{"next":61.25,"temperature":60.25}"#]
    );
}

#[test]
fn wildcards() {
    let mut b = Bench::new(1);
    b.stream(DEMO);
    b.rule("SELECT *, a AS b FROM demo");
    b.push("/api/data", r#"{"z":[1,{"y":2,"x":1}],"a":"A","b":1,"n":null}"#);
    assert_eq!(b.logged(), [r#"{"a":"A","b":"A","n":null,"z":[1,{"x":1,"y":2}]}"#]);
}

#[test]
fn refusals_leave_the_port_usable() {
    let mut b = Bench::new(1);
    assert!(!b.engine.needs_data_port());
    b.stream(DEMO);
    b.rule("SELECT * FROM demo");
    assert!(b.engine.needs_data_port());
    assert_eq!(b.request("POST", "/nowhere", b"{}").0, 404);
    assert_eq!(b.request("PUT", "/api/data", b"{}").0, 405);
    let (status, text) = b.request("POST", "/api/data", b"{\"a\":}");
    assert_eq!(status, 400);
    assert!(text.contains("byte 5"), "{text}");
    assert_eq!(b.request("POST", "/api/data", b"[1]").0, 400);
    assert_eq!(b.request("POST", "/api/data", &vec![b' '; 65_537]).0, 413);
    b.push("/api/data", r#"{"a":1}"#);
    assert_eq!(b.logged(), [r#"{"a":1}"#]);
}

#[test]
fn a_full_queue_names_its_holder_and_loses_nothing() {
    let mut b = Bench::new(1);
    b.stream(DEMO);
    b.rule("SELECT a FROM demo");
    let body = format!(r#"{{"a":1,"pad":"{}"}}"#, "x".repeat(60_000));
    let mut taken = 0;
    loop {
        let (status, text) = b.request("POST", "/api/data", body.as_bytes());
        if status == 503 {
            assert!(text.contains("stream demo: queue full, held by rule r1"), "{text}");
            break;
        }
        taken += 1;
    }
    assert_eq!(taken, 4);
    assert_eq!(b.logged().len(), 4);
    b.push("/api/data", r#"{"a":2}"#);
}

#[test]
fn two_rules_share_one_ring_and_memory_topics_chain() {
    let mut b = Bench::new(1);
    b.stream(DEMO);
    b.stream(r#"CREATE STREAM mem () WITH (DATASOURCE="t/+", FORMAT="json", TYPE="memory")"#);
    b.rule("SELECT a, meta(topic) AS t FROM mem");
    b.try_rule(r#"{"id":"r0","sql":"SELECT a FROM demo","actions":[{"memory":{"topic":"t/x","sendSingle":true}}]}"#).expect("a rule");
    b.push("/api/data", r#"{"a":1}"#);
    assert_eq!(b.logged(), [r#"{"a":1,"t":"t/x"}"#]);
}

#[test]
fn meta_and_templates() {
    let mut b = Bench::new(1);
    b.stream(r#"CREATE STREAM dev () WITH (DATASOURCE="/dev/{id}", FORMAT="json", TYPE="httppush")"#);
    b.rule(r#"SELECT meta(id) AS id, meta("method") AS m, meta(header->"x-device") AS h, meta(remote) AS r, meta(nope) AS n FROM dev"#);
    b.push("/dev/7?x=1", r#"{"a":1}"#);
    assert_eq!(b.logged(), [r#"{"h":"d7","id":"7","m":"POST","r":"127.0.0.1"}"#]);
}

#[test]
fn a_scan_table_joins() {
    let mut b = Bench::new(1);
    b.stream(DEMO);
    b.stream(r#"CREATE TABLE t (id BIGINT, name STRING) WITH (DATASOURCE="/t", FORMAT="json", TYPE="httppush", RETAIN_SIZE="3")"#);
    b.rule("SELECT demo.id, t.name FROM demo INNER JOIN t ON demo.id = t.id");
    for i in 1..=4 {
        b.push("/t", &format!(r#"{{"id":{i},"name":"n{i}"}}"#));
    }
    b.push("/api/data", r#"{"id":4}"#);
    b.push("/api/data", r#"{"id":1}"#);
    assert_eq!(b.logged(), [r#"{"id":4,"name":"n4"}"#]);
}

#[test]
fn errors_are_counted_and_sent_when_asked() {
    let mut b = Bench::new(1);
    b.stream(DEMO);
    b.rule("SELECT a + b AS c FROM demo");
    b.push("/api/data", r#"{"a":1,"b":"x"}"#);
    b.push("/api/data", r#"{"a":1,"b":2}"#);
    assert_eq!(
        b.logged(),
        [
            "run Select error: alias: c expr: binaryExpr:{ demo.a + demo.b } meet error, err:invalid operation float64(1) + string(x)",
            r#"{"c":3}"#
        ]
    );
    let metrics = b.engine.metrics("r1").expect("runs");
    let value = |name: &str| metrics.iter().find(|(n, _)| n == name).map(|(_, v)| format!("{v:?}"));
    assert_eq!(value("op_3_project_0_exceptions_total").as_deref(), Some("Int(1)"));
    assert_eq!(value("source_demo_0_records_in_total").as_deref(), Some("Int(2)"));
}

/// What a rule makes of readings from text to text, and by way of values: a sink that would leave a field out wants values.
fn by_both_ways(sql: &str, options: &str, bodies: &[String]) {
    let mut b = Bench::new(1);
    b.stream(DEMO);
    for (id, props) in [("a", r#"{"sendSingle":true}"#), ("b", r#"{"sendSingle":true,"excludeFields":["no such field"]}"#)] {
        b.try_rule(&format!(r#"{{"id":"{id}","sql":"{sql}","actions":[{{"log":{props}}}],"options":{options}}}"#)).expect("a rule");
    }
    for body in bodies {
        b.push("/api/data", body);
    }
    let logged = b.logged();
    let (text, values) = logged.split_at(logged.len() / 2);
    assert_eq!(text, values, "{sql} {bodies:?}");
    let metrics = |id: &str| format!("{:?}", b.engine.metrics(id).expect("a run"));
    assert_eq!(metrics("a"), metrics("b"), "{sql} {bodies:?}");
}

const WAYS: [(&str, &str); 8] = [
    ("SELECT * FROM demo", "{}"),
    ("SELECT * FROM demo WHERE a > 1.5", "{}"),
    ("SELECT c, a, b FROM demo", "{}"),
    ("SELECT c, a AS x, b FROM demo WHERE a >= 2 AND b != 'x'", "{}"),
    ("SELECT c, a AS z, b AS y FROM demo", r#"{"sendNilField":true}"#),
    ("SELECT a FROM demo WHERE b < 'y' AND 2 > a", r#"{"sendError":true}"#),
    ("SELECT a, b FROM demo WHERE b = 'x' OR a = 3", "{}"),
    ("SELECT a AS `q<`, b FROM demo", "{}"),
];

#[test]
fn text_to_text_is_what_values_give() {
    let bodies: Vec<String> = [
        r#"{"a":2,"b":"y","c":null}"#,
        r#"{"c":1.50,"b":"x","a":3.25}"#,
        r#"{ "b" : "é<" , "a" : 1e2, "c":[1.0,"&",{"z":1,"y":2}] }"#,
        r#"{"a":"7","b":5,"c":{"k":[true,false,null]}}"#,
        r#"{"a":1e999,"b":"x"}"#,
        r#"{"a":-0.0,"b":"\u0078","c":"\n"}"#,
        r#"{"a":2,"a":4,"b":"x"}"#,
        r#"{"\u0061":2,"b":"x"}"#,
        r#"[{"a":5,"b":"x"},{"a":6,"b":"y","c":3}]"#,
        r#"{"a<":1,"a":9,"b":"a"}"#,
        "{}",
        r#"{"z":1,"y":2,"a":123456789012345678,"b":"","x":0.0000001,"a_very_long_key_indeed":2,"a_very_long_key_inside":1}"#,
    ]
    .map(str::to_owned)
    .to_vec();
    for (sql, options) in WAYS {
        by_both_ways(sql, options, &bodies);
    }
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(40))]
    #[test]
    fn text_to_text_is_what_values_give_of_any_reading(
        readings in proptest::collection::vec(
            proptest::collection::vec(("[abc]|[a-c]{9}|é|x<", "-?(0|[1-9][0-9]{0,17})(\\.[0-9]{1,8})?|\"[x-z&>|]{0,12}\"|null|true|\\[1, 2\\.0,\"a\"\\]|\\{\"b\":1,\"a\":2\\}"), 0..6),
            1..6,
        ),
        way in 0_usize..WAYS.len(),
    ) {
        let body = |members: &Vec<(String, String)>| {
            let members: Vec<_> = members.iter().map(|(key, value)| format!("\"{key}\": {value}")).collect();
            format!("{{{}}}", members.join(","))
        };
        let bodies: Vec<String> = readings.iter().map(body).collect();
        let (sql, options) = WAYS[way];
        by_both_ways(sql, options, &bodies);
    }
}
