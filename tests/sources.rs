//! What becomes of messages between the queue and SQL: rate limits, merging, messages within messages, spacing. The expected rows
//! are those of a live eKuiper, but where a comment says otherwise.

mod common;

use common::Bench;
use pushgate::rule::status::Metric;

/// A stream `s` at `/s` with properties in EXTRA.
fn stream(extra: &str, columns: &str, options: &str) -> String {
    let extra = extra.replace('"', "\\\"");
    format!(r#"CREATE STREAM s ({columns}) WITH (DATASOURCE="/s", TYPE="httppush", EXTRA="{extra}"{options})"#)
}

fn metric(bench: &Bench, name: &str) -> i64 {
    let metrics = bench.engine.metrics("r1").expect("the rule runs");
    match metrics.iter().find(|(n, _)| n == name) {
        Some((_, Metric::Int(n))) => *n,
        _ => 0,
    }
}

static ROWS: &[&str] = &[
    r#"{"id":1,"d":"{\"q\":1}"}"#,
    r#"{"id":2,"d":"[{\"q\":2},{\"q\":3,\"id\":9}]"}"#,
    r#"{"id":3}"#,
    r#"{"id":4,"d":null}"#,
    r#"{"id":5,"d":{"q":1}}"#,
    r#"{"id":6,"d":5}"#,
    r#"{"id":7,"d":"5"}"#,
    r#"{"id":8,"d":"{bad"}"#,
    r#"{"id":9,"d":"eyJxIjoiYiJ9"}"#,
    r#"{"id":10,"d":"[]"}"#,
    r#"{"id":11,"d":"{}"}"#,
    r#"{"id":12,"d":""}"#,
    r#"{"id":13,"d":"[{\"q\":1},5]"}"#,
    r#"[{"id":14,"d":"{\"q\":1}"},{"id":15,"\u0064":" {\"\\u0071\":2} "}]"#,
    r#"{"id":16,"d":"{\"d\":\"{}\",\"q\":1}"}"#,
    r#"{"id":17,"d":"{\"q\":null}"}"#,
    r#"{"id":18,"d":true}"#,
];

static BATCHES: &[&str] = &[
    r#"{"id":1,"b":[{"d":"{\"q\":1}","z":1},{"d":"{\"r\":2,\"q\":3}","z":2}]}"#,
    r#"{"id":2}"#,
    r#"{"id":3,"b":5}"#,
    r#"{"id":4,"b":[]}"#,
    r#"{"id":5,"b":[5]}"#,
    r#"{"id":6,"b":[{"d":"{\"q\":1}"},5]}"#,
    r#"{"id":7,"b":[{"z":1},{"d":5,"y":1},{"d":"{bad","x":1},{"d":"{\"q\":1}"}]}"#,
    r#"{"id":8,"b":[{"d":"[{\"q\":1},{\"w\":2}]","id":"o"}]}"#,
    r#"{"id":9,"b":{"d":"{\"q\":1}"}}"#,
    r#"{"id":10,"b":null}"#,
    r#"[{"id":11,"b":[{"d":"{\"q\":1}"}]},{"id":12,"b":[{"d":"{\"b\":1}"}]}]"#,
];

const PLAIN: &str = r#"{"payloadFormat":"json","payloadField":"d"}"#;
const BATCH: &str = r#"{"payloadFormat":"json","payloadField":"d","payloadBatchField":"b"}"#;
const DELIMITED: &str = r#"{"payloadFormat":"delimited","payloadField":"d","payloadDelimiter":"|"}"#;
const NAMED: &str = r#"{"payloadFormat":"delimited","payloadField":"d","payloadDelimiter":"|","fields":["x","y"]}"#;

/// Properties, columns, statement, bodies, rows and errors.
type Case<'c> = (&'c str, &'c str, &'c str, &'c [&'c str], &'c [&'c str]);

#[test]
fn messages_within_messages() {
    let cases: &[Case<'_>] = &[
        (
            PLAIN,
            "",
            "SELECT * FROM s",
            ROWS,
            &[
                r#"{"id":1,"q":1}"#,
                r#"{"id":2,"q":2}"#,
                r#"{"id":9,"q":3}"#,
                "payload is not bytes: cannot convert <nil>(<nil>) to bytea",
                "payload is not bytes: cannot convert map[string]interface {}(map[q:1]) to bytea",
                "payload is not bytes: cannot convert float64(5) to bytea",
                "only map[string]interface{} and []map[string]interface{} is supported",
                // fastjson says it in other words.
                "the payload is no JSON: expected a key in double quotes at byte 1",
                r#"{"id":9,"q":"b"}"#,
                r#"{"id":11}"#,
                "the payload is no JSON: expected a value at byte 0",
                "only map[string]interface{} and []map[string]interface{} is supported",
                r#"{"id":14,"q":1}"#,
                r#"{"id":15,"q":2}"#,
                r#"{"d":"{}","id":16,"q":1}"#,
                r#"{"id":17,"q":null}"#,
                "payload is not bytes: cannot convert bool(true) to bytea",
            ],
        ),
        (PLAIN, "", "SELECT id FROM s WHERE q = 1", &[ROWS[0], ROWS[1], ROWS[13]], &[r#"{"id":1}"#, r#"{"id":14}"#]),
        (PLAIN, "", "SELECT d FROM s", &[ROWS[0]], &["{}"]),
        (
            PLAIN,
            "id BIGINT, q BIGINT",
            "SELECT * FROM s",
            &[ROWS[0], r#"{"id":2,"x":1,"d":"{\"q\":3,\"y\":4}"}"#],
            &[r#"{"id":1,"q":1}"#, r#"{"id":2,"q":3}"#],
        ),
        // Only columns that the rule uses are looked at.
        (
            PLAIN,
            "id BIGINT, q BIGINT",
            "SELECT q FROM s",
            &[r#"{"id":"x","d":"{\"q\":3}"}"#, r#"{"d":"{\"id\":\"x\",\"q\":4}"}"#],
            &[r#"{"q":3}"#, r#"{"q":4}"#],
        ),
        (PLAIN, "q BIGINT", "SELECT q FROM s", &[r#"{"d":"{\"q\":\"x\"}"}"#], &["q has wrong type:string, expect:bigint"]),
        (PLAIN, "id STRING, q STRING", "SELECT * FROM s", &[ROWS[0]], &[r#"{"id":"1","q":"1"}"#]),
        // What holds the payload has no type.
        (PLAIN, "id BIGINT, d BIGINT", "SELECT * FROM s", &[ROWS[0]], &[r#"{"id":1}"#]),
        (
            DELIMITED,
            "",
            "SELECT * FROM s",
            &[r#"{"id":1,"d":"a|b c|1"}"#, r#"{"id":2,"d":""}"#],
            &[r#"{"col0":"a","col1":"b c","col2":"1","id":1}"#, r#"{"col0":"","id":2}"#],
        ),
        (NAMED, "id BIGINT, y BIGINT", "SELECT * FROM s", &[r#"{"id":1,"d":"a|b c|1"}"#], &[r#"{"id":1,"x":"a","y":"b c"}"#]),
        (
            r#"{"payloadFormat":"urlencoded","payloadField":"d"}"#,
            "",
            "SELECT * FROM s",
            &[r#"{"id":1,"d":"a=1&b=2&b=3"}"#, r#"{"id":2,"d":"a=%zz"}"#, r#"{"id":3,"d":"id=x&a"}"#],
            &[r#"{"a":"1","b":["2","3"],"id":1}"#, "fail to parse url encoded value a=%zz", r#"{"a":"","id":"x"}"#],
        ),
        (
            r#"{"payloadFormat":"binary","payloadField":"d"}"#,
            "",
            "SELECT * FROM s",
            &[r#"{"id":1,"d":"a=1"}"#, r#"{"d":"abcd"}"#],
            &[r#"{"id":1,"self":"YT0x"}"#, r#"{"self":"abcd"}"#],
        ),
        (
            BATCH,
            "",
            "SELECT * FROM s",
            BATCHES,
            &[
                r#"{"id":1,"q":3,"r":2,"z":2}"#,
                "payload batch field is not array: 5",
                r#"{"id":4}"#,
                "unsupported payload received, must be a slice of maps: [5]",
                // eKuiper has taken the payload out of the first element by then.
                r#"unsupported payload received, must be a slice of maps: [map[d:{"q":1}] 5]"#,
                r#"{"id":7,"q":1}"#,
                r#"{"id":"o","q":1,"w":2}"#,
                r#"payload batch field is not array: map[d:{"q":1}]"#,
                "payload batch field is not array: <nil>",
                r#"{"id":11,"q":1}"#,
                r#"{"b":1,"id":12}"#,
            ],
        ),
        (BATCH, "q BIGINT, z STRING", "SELECT q, z FROM s", &[BATCHES[0]], &[r#"{"q":3,"z":2}"#]),
        // Without the field no message has a payload.
        (r#"{"payloadFormat":"json"}"#, "", "SELECT * FROM s", &[ROWS[0]], &[]),
        (r#"{"payloadField":"d"}"#, "", "SELECT id FROM s", &[ROWS[0]], &[r#"{"id":1}"#]),
        (
            r#"{"payloadFormat":"json","payloadField":"d","useInt64ForWholeNumber":true}"#,
            "",
            "SELECT id / 2 AS i, q / 2 AS q FROM s",
            &[r#"{"id":7,"d":"{\"q\":5}"}"#],
            &[r#"{"i":3,"q":2}"#],
        ),
        // More elements than one slice reads, and a window over them.
        (PLAIN, "", "SELECT sum(q) AS n FROM s GROUP BY COUNTWINDOW(3)", &[ROWS[1], ROWS[0]], &[r#"{"n":6}"#]),
    ];
    for (extra, columns, sql, bodies, want) in cases {
        let mut b = Bench::new(1);
        b.stream(&stream(extra, columns, ""));
        b.rule(sql);
        bodies.iter().for_each(|body| b.push("/s", body));
        assert_eq!(b.logged(), *want, "{extra} {columns} {sql}");
    }
}

#[test]
fn outer_formats() {
    for (extra, format, body, want) in [
        (r#"{"payloadFormat":"json","payloadField":"d","fields":["id","d"]}"#, "delimited", r#"a,{"q":1}"#, r#"{"id":"a","q":1}"#),
        (PLAIN, "urlencoded", "id=1&d=%7B%22q%22%3A1%7D", r#"{"id":"1","q":1}"#),
        (r#"{"payloadFormat":"json","payloadField":"self"}"#, "binary", r#"{"q":1}"#, r#"{"q":1}"#),
    ] {
        let mut b = Bench::new(1);
        b.stream(&stream(extra, "", &format!(r#", FORMAT="{format}""#)));
        b.rule("SELECT * FROM s");
        b.push("/s", body);
        assert_eq!(b.logged(), [want], "{format}");
    }
}

#[test]
fn what_a_payload_leaves_out_is_counted() {
    let mut b = Bench::new(1);
    b.stream(&stream(BATCH, "", ""));
    b.rule("SELECT * FROM s");
    b.push("/s", BATCHES[1]);
    b.push("/s", BATCHES[6]);
    assert_eq!(b.logged(), [r#"{"id":7,"q":1}"#]);
    assert_eq!(metric(&b, "op_3_payload_decoder_0_records_in_total"), 2);
    assert_eq!(metric(&b, "op_3_payload_decoder_0_records_out_total"), 1);
    assert_eq!(metric(&b, "op_2_decoder_0_records_out_total"), 2);
    let counters = b.engine.counters();
    assert_eq!(counters["rules"]["r1"]["no_payload_total"], 4, "{counters}");
}

#[test]
fn a_long_list_comes_whole_and_in_order() {
    let mut b = Bench::new(1);
    b.stream(&stream(PLAIN, "", ""));
    b.rule("SELECT id, q FROM s");
    let list: Vec<String> = (0..1_000).map(|q| format!(r#"{{\"q\":{q}}}"#)).collect();
    b.push("/s", &format!(r#"{{"id":1,"d":"[{}]"}}"#, list.join(",")));
    b.push("/s", ROWS[0]);
    let got = b.logged();
    let want: Vec<String> = (0..1_000).chain([1]).map(|q| format!(r#"{{"id":1,"q":{q}}}"#)).collect();
    assert_eq!(got, want);
}

#[test]
fn a_rate_limit_gives_the_latest_at_each_tick() {
    let mut b = Bench::new(1);
    b.stream(&stream(r#"{"interval":500}"#, "", ""));
    b.rule("SELECT a, meta(x) AS m FROM s");
    let mut at = |ms: u64, push: &[&str], want: &[&str]| {
        push.iter().for_each(|body| b.push("/s", body));
        assert_eq!(b.logged(), want, "before {ms}");
        b.pass(ms);
        metric(&b, "op_2_ratelimit_0_records_in_total")
    };
    at(100, &[r#"{"a":1}"#], &[]);
    at(399, &[r#"{"a":2}"#], &[]);
    at(1, &[], &[]);
    at(10, &[], &[r#"{"a":2}"#]);
    at(490, &[r#"{"a":3}"#, r#"[{"a":4},{"a":5}]"#], &[]);
    // An array is one message.
    at(2_250, &[], &[r#"{"a":4}"#, r#"{"a":5}"#]);
    // Ticks stay where they were, however long nothing came.
    at(249, &[r#"{"a":6}"#], &[]);
    at(1, &[], &[]);
    assert_eq!(at(1, &[], &[r#"{"a":6}"#]), 5);
}

#[test]
fn a_rate_limited_stream_takes_any_number_of_messages() {
    let mut b = Bench::new(1);
    b.stream(&stream(r#"{"interval":"1s"}"#, "", ""));
    b.rule("SELECT a FROM s");
    let pad = "x".repeat(10_000);
    for i in 0..1_000 {
        b.push("/s", &format!(r#"{{"a":{i},"pad":"{pad}"}}"#));
        b.settle();
    }
    b.pass(1_000);
    assert_eq!(b.logged(), [r#"{"a":999}"#]);
    assert_eq!(metric(&b, "source_s_0_records_in_total"), 1_000);
}

#[test]
fn messages_of_an_interval_are_merged() {
    let cases: &[Case<'_>] = &[
        (
            r#"{"interval":500,"mergeField":"id"}"#,
            "",
            "SELECT * FROM s",
            &[
                r#"{"id":1,"a":1}"#,
                r#"{"id":1,"b":2}"#,
                r#"{"id":2,"c":3}"#,
                r#"{"d":4}"#,
                r#"{"e":4}"#,
                r#"{"id":null,"e2":4}"#,
                r#"{"id":"1","f":[1,{"x":1.50}]}"#,
                r#"{"id":true,"g":4}"#,
                r#"[{"id":7,"h":4},{"i":5,"h2":null}]"#,
                r#"{"id":1.0,"j":2}"#,
            ],
            // eKuiper lays them in any order; here the latest comes last.
            &[r#"{"c":3,"f":[1,{"x":1.5}],"g":4,"h":4,"h2":null,"i":5,"id":1,"j":2}"#],
        ),
        (
            r#"{"interval":500,"mergeField":"id"}"#,
            "id BIGINT, a FLOAT, b STRING",
            r#"SELECT * FROM s WHERE b = "x""#,
            &[r#"{"id":1,"a":1}"#, r#"{"id":2,"b":2}"#, r#"{"id":3,"c":3}"#, r#"{"id":4,"b":"x"}"#],
            &[r#"{"a":1,"b":"x","id":4}"#],
        ),
        // A message that cannot be read is left out.
        (
            r#"{"interval":500,"mergeField":"id"}"#,
            "id BIGINT, a FLOAT, b STRING",
            "SELECT * FROM s",
            &[r#"{"id":1,"a":"x"}"#, r#"{"id":2,"b":"y"}"#],
            &[r#"{"b":"y","id":2}"#],
        ),
        (r#"{"mergeField":"id"}"#, "", "SELECT * FROM s", &[r#"{"id":1}"#], &[r#"{"id":1}"#]),
    ];
    for (extra, columns, sql, bodies, want) in cases {
        let mut b = Bench::new(1);
        b.stream(&stream(extra, columns, ""));
        b.rule(sql);
        bodies.iter().for_each(|body| b.push("/s", body));
        let early = b.logged();
        b.pass(500);
        let late = b.logged();
        assert_eq!([early, late].concat(), *want, "{extra} {columns} {sql}");
        b.pass(500);
        assert!(b.logged().is_empty(), "nothing is merged twice");
        b.push("/s", r#"{"id":77,"b":"x"}"#);
        let early = b.logged();
        b.pass(500);
        assert_eq!([early, b.logged()].concat().len(), 1, "and the next interval begins anew");
    }
}

#[test]
fn merging_is_bounded_and_loses_nothing() {
    let mut b = Bench::new(1);
    b.stream(&stream(r#"{"interval":500,"mergeField":"id"}"#, "", ""));
    b.rule("SELECT count(*) AS n FROM s GROUP BY COUNTWINDOW(1)");
    // Of one key any number may come.
    let pad = "x".repeat(10_000);
    for _ in 0..100 {
        b.push("/s", &format!(r#"{{"id":1,"pad":"{pad}"}}"#));
        b.settle();
    }
    let (mut taken, mut refused) = (0, false);
    for id in 0..100 {
        let (status, text) = b.request("POST", "/s", format!(r#"{{"id":{id},"pad":"{pad}"}}"#).as_bytes());
        b.settle();
        if status == 503 {
            assert!(text.contains("stream s: queue full, held by rule r1"), "{text}");
            refused = true;
            break;
        }
        taken += 1;
    }
    assert!(refused && taken > 40, "{taken} were taken");
    b.pass(500);
    b.settle();
    assert_eq!(metric(&b, "op_2_ratelimit_0_records_out_total"), 1);
    b.push("/s", r#"{"id":1}"#);
    b.pass(500);
    b.settle();
    assert_eq!(metric(&b, "source_s_0_records_in_total"), 100 + taken + 1, "what waited in the queue was merged by the next tick");
}

#[test]
fn rows_are_spaced() {
    let mut b = Bench::new(1);
    b.stream(&stream(r#"{"sendInterval":300}"#, "", ""));
    b.rule("SELECT * FROM s");
    for body in [r#"{"a":1}"#, r#"[{"a":2},{"a":3}]"#, r#"{"a":4}"#] {
        b.push("/s", body);
    }
    for a in 1..=4 {
        assert_eq!(b.logged(), [format!(r#"{{"a":{a}}}"#)]);
        b.pass(299);
        assert!(b.logged().is_empty());
        b.pass(1);
    }
    // So are those of one payload.
    let mut b = Bench::new(1);
    b.stream(&stream(r#"{"sendInterval":300,"payloadFormat":"json","payloadField":"d"}"#, "", ""));
    b.rule("SELECT q FROM s");
    b.push("/s", ROWS[1]);
    for q in 2..=3 {
        assert_eq!(b.logged(), [format!(r#"{{"q":{q}}}"#)]);
        b.pass(300);
    }
}

#[test]
fn refusals() {
    for (extra, format, words) in [
        (r#"{"merger":"x"}"#, "json", "merger is set but rate limit is not required"),
        (r#"{"merger":"X","interval":100}"#, "json", "fail to initiate merge X: merger x not found"),
        (r#"{"merger":"x","mergeField":"y","interval":100}"#, "json", "mergeField and merger cannot set together"),
        (
            r#"{"mergeField":"id","interval":100,"payloadFormat":"json"}"#,
            "json",
            "do not support rate limit merge together with payloadFormat",
        ),
        (r#"{"mergeField":"id","interval":100}"#, "delimited", "format delimited does not support partial decode"),
        (
            r#"{"payloadFormat":"protobuf","payloadField":"a","payloadSchemaId":"f.M"}"#,
            "json",
            "cannot get converter from format protobuf, schemaId f.M: schema type protobuf id f not found in registry",
        ),
        (
            r#"{"payloadFormat":"XX","payloadField":"a"}"#,
            "json",
            "cannot get converter from format XX, schemaId : format type xx not supported",
        ),
        (r#"{"interval":"1us"}"#, "json", "interval should be larger than 1ms"),
    ] {
        let mut b = Bench::new(1);
        b.stream(&stream(extra, "", &format!(r#", FORMAT="{format}""#)));
        let rule = r#"{"id":"r1","sql":"SELECT * FROM s","actions":[{"nop":{}}]}"#;
        let fault = b.try_rule(rule).expect_err(words);
        assert_eq!((fault.code, fault.message.as_str()), (2201, words), "{extra}");
        assert!(!b.engine.needs_data_port(), "nothing was opened");
    }
}

const LOOKUP: &str = r#"CREATE TABLE t () WITH (TYPE="memory", DATASOURCE="tt", KIND="lookup", KEY="id")"#;

/// Streams `s` and `u`, a table `t`, and a rule `feed` that moves what comes to `/u` into it.
fn table_bench(table: &str, sink: &str) -> Bench {
    let mut b = Bench::new(1);
    b.stream(&stream("{}", "", ""));
    b.stream(r#"CREATE STREAM u () WITH (DATASOURCE="/u", TYPE="httppush")"#);
    b.stream(table);
    let memory = format!(r#"{{"topic":"tt","sendSingle":true{sink}}}"#);
    b.try_rule(&format!(r#"{{"id":"feed","sql":"SELECT * FROM u","actions":[{{"memory":{memory}}}]}}"#)).expect("a rule");
    b
}

const TABLE_ROWS: &[&str] = &[
    r#"{"id":1,"name":"one","x":5}"#,
    r#"{"id":2,"name":"two","x":6}"#,
    r#"{"id":"a","name":"A"}"#,
    r#"{"id":1,"name":"uno","x":7}"#,
    r#"{"name":"nokey"}"#,
    r#"{"id":null,"name":"null"}"#,
    r#"[{"id":3,"name":"three","x":1},{"id":4,"name":"four","x":1}]"#,
];

const EVENTS: &[&str] = &[
    r#"{"id":1,"v":1}"#,
    r#"{"id":2,"v":2,"name":"mine"}"#,
    r#"{"id":9,"v":3}"#,
    r#"{"v":4}"#,
    r#"{"id":null,"v":5}"#,
    r#"{"id":"a","v":6}"#,
    r#"{"id":1.0,"v":7}"#,
    r#"[{"id":3,"v":8},{"id":4,"v":9}]"#,
];

#[test]
fn joins_with_a_lookup_table() {
    let inner = [
        r#"{"n":"uno","v":1}"#,
        r#"{"n":"two","v":2}"#,
        r#"{"n":"A","v":6}"#,
        r#"{"n":"uno","v":7}"#,
        r#"{"n":"three","v":8}"#,
        r#"{"n":"four","v":9}"#,
    ];
    let left = [inner[0], inner[1], r#"{"v":3}"#, r#"{"v":4}"#, r#"{"v":5}"#, inner[2], inner[3], inner[4], inner[5]];
    let all = [
        r#"{"id":1,"name":"uno","v":1,"x":7}"#,
        r#"{"id":2,"name":"mine","v":2,"x":6}"#,
        r#"{"id":"a","name":"A","v":6}"#,
        r#"{"id":1,"name":"uno","v":7,"x":7}"#,
        r#"{"id":3,"name":"three","v":8,"x":1}"#,
        r#"{"id":4,"name":"four","v":9,"x":1}"#,
    ];
    let grouped = [
        r#"{"c":1,"n":"uno"}"#,
        r#"{"c":1,"n":"two"}"#,
        r#"{"c":2}"#,
        r#"{"c":1}"#,
        r#"{"c":1,"n":"A"}"#,
        r#"{"c":1,"n":"uno"}"#,
        r#"{"c":1,"n":"three"}"#,
    ];
    let cases: &[(&str, &[&str])] = &[
        ("SELECT * FROM s INNER JOIN t ON s.id = t.id", &all),
        ("SELECT v, t.name AS n FROM s INNER JOIN t ON s.id = t.id", &inner),
        ("SELECT v, t.name AS n FROM s LEFT JOIN t ON t.id = s.id", &left),
        ("SELECT v, t.name AS n FROM s RIGHT JOIN t ON s.id = t.id", &inner),
        ("SELECT v, t.name AS n FROM s FULL JOIN t ON s.id = t.id", &inner),
        ("SELECT v, t.name AS n FROM s INNER JOIN t ON s.id = t.id AND t.x > 5", &[inner[0], inner[1], inner[3]]),
        // What is no equality goes to WHERE.
        ("SELECT v, t.name AS n FROM s LEFT JOIN t ON s.id = t.id AND t.x > 6", &[inner[0], inner[3]]),
        ("SELECT v, t.name AS n FROM s INNER JOIN t ON s.id = t.id WHERE t.x > 5", &[inner[0], inner[1], inner[3]]),
        ("SELECT v FROM s LEFT JOIN t ON s.id = t.id WHERE isNull(t.name)", &[left[2], left[3], left[4]]),
        ("SELECT v, t.name AS n FROM s INNER JOIN t ON s.id + 1 = t.id WHERE s.v < 3", &[r#"{"n":"two","v":1}"#, r#"{"n":"three","v":2}"#]),
        // A column that does not identify rows.
        (
            "SELECT v, t.id AS n FROM s INNER JOIN t ON t.x = s.v",
            &[r#"{"n":3,"v":1}"#, r#"{"n":4,"v":1}"#, r#"{"n":2,"v":6}"#, r#"{"n":1,"v":7}"#],
        ),
        ("SELECT v FROM s INNER JOIN t ON s.id = t.id AND s.name = t.name", &[]),
        // eKuiper forgets an equality that is about no column of the table.
        ("SELECT v, t.name AS n FROM s INNER JOIN t ON s.id = t.id AND s.v = 1", &[inner[0]]),
        ("SELECT count(*) AS c, t.name AS n FROM s LEFT JOIN t ON s.id = t.id GROUP BY t.name, COUNTWINDOW(4)", &grouped),
    ];
    for (sql, want) in cases {
        let mut b = table_bench(LOOKUP, "");
        b.rule(sql);
        for row in TABLE_ROWS {
            b.push("/u", row);
        }
        b.settle();
        for event in EVENTS {
            b.push("/s", event);
        }
        assert_eq!(b.logged(), *want, "{sql}");
        assert!(metric(&b, "op_t_0_records_in_total") > 0, "{sql}");
    }
}

#[test]
fn row_kinds_change_a_lookup_table() {
    for (sink, rows, want) in [
        (
            r#","rowkindField":"k","keyField":"id""#,
            &[
                r#"{"k":"insert","id":1,"name":"one"}"#,
                r#"{"k":"update","id":1,"name":"uno"}"#,
                r#"{"k":"upsert","id":2,"name":"two"}"#,
                r#"{"id":3,"name":"three"}"#,
                r#"{"k":"delete","id":2}"#,
                r#"{"k":"bad","id":4,"name":"x"}"#,
                r#"{"k":"delete","id":77}"#,
            ][..],
            &[r#"{"name":"uno","v":1}"#, r#"{"name":"three","v":3}"#][..],
        ),
        // The key of the sink says which row goes.
        (
            r#","rowkindField":"k","keyField":"o""#,
            &[
                r#"{"k":"insert","id":1,"name":"one","o":5}"#,
                r#"{"k":"delete","id":1,"o":7}"#,
                r#"{"k":"insert","id":2,"name":"two","o":5}"#,
                r#"{"k":"delete","id":9,"o":2}"#,
            ],
            &[r#"{"name":"one","v":1}"#],
        ),
        // Without a kind the word is a column like any other.
        ("", &[r#"{"k":"delete","id":1,"name":"one"}"#], &[r#"{"name":"one","v":1}"#]),
    ] {
        let mut b = table_bench(LOOKUP, sink);
        b.rule("SELECT v, t.name FROM s INNER JOIN t ON s.id = t.id");
        for row in rows {
            b.push("/u", row);
        }
        b.settle();
        for id in 1..=4 {
            b.push("/s", &format!(r#"{{"id":{id},"v":{id}}}"#));
        }
        assert_eq!(b.logged(), want, "{sink}");
    }
}

#[test]
fn lookup_tables_of_topics_and_simulators() {
    let mut b = table_bench(&LOOKUP.replace("\"tt\"", "\"+\""), "");
    b.rule("SELECT v, t.name FROM s INNER JOIN t ON s.id = t.id");
    b.push("/u", TABLE_ROWS[0]);
    b.settle();
    b.push("/s", EVENTS[0]);
    assert_eq!(b.logged(), [r#"{"name":"one","v":1}"#]);

    let extra = r#"{\"data\":[{\"id\":1,\"name\":\"one\"},{\"id\":1,\"name\":\"uno\"}]}"#;
    let mut b = table_bench(&format!(r#"CREATE TABLE t () WITH (TYPE="simulator", KIND="lookup", EXTRA="{extra}")"#), "");
    b.rule("SELECT v, t.name FROM s INNER JOIN t ON s.id = t.id");
    b.push("/s", EVENTS[0]);
    b.push("/s", EVENTS[1]);
    assert_eq!(b.logged(), [r#"{"name":"one","v":1}"#, r#"{"name":"uno","v":1}"#]);
}

#[test]
fn a_full_lookup_table_counts_what_leaves() {
    let mut b = table_bench(LOOKUP, "");
    b.rule("SELECT v, t.n FROM s INNER JOIN t ON s.id = t.id");
    let pad = "x".repeat(10_000);
    for id in 0..100 {
        b.push("/u", &format!(r#"{{"id":{id},"n":{id},"pad":"{pad}"}}"#));
        b.settle();
    }
    b.push("/u", "{}");
    b.settle();
    b.push("/s", r#"{"id":99,"v":1}"#);
    b.push("/s", r#"{"id":0,"v":2}"#);
    assert_eq!(b.logged(), [r#"{"n":99,"v":1}"#]);
    let counters = b.engine.counters();
    let table = &counters["streams"]["t"];
    let evicted = table["evicted_total"].as_u64().expect("a count");
    assert_eq!((evicted + table["rows"].as_u64().expect("a count"), table["no_key_total"].as_u64()), (100, Some(1)), "{table}");
    assert!(evicted > 60, "{table}");
}

#[test]
fn a_lookup_table_outlives_its_rules() {
    let join = "SELECT v, t.name FROM s INNER JOIN t ON s.id = t.id";
    let mut b = table_bench(LOOKUP, "");
    b.keep_lookups().expect("room");
    b.push("/u", TABLE_ROWS[0]);
    b.settle();
    for _ in 0..2 {
        b.rule(join);
        b.push("/s", EVENTS[0]);
        assert_eq!(b.logged(), [r#"{"name":"one","v":1}"#], "rows that came before the rule");
        b.engine.stop("r1");
    }
    // Another table over the same topic by the same key has the same rows; by another key it begins empty.
    b.stream(&LOOKUP.replace(" t ", " t2 "));
    b.stream(&LOOKUP.replace(" t ", " t3 ").replace("\"id\"", "\"name\""));
    b.keep_lookups().expect("room");
    for (table, want) in [("t2", 1), ("t3", 0)] {
        b.rule(&join.replace(" t ", &format!(" {table} ")).replace("t.", &format!("{table}.")).replace("st2", "s").replace("st3", "s"));
        b.push("/s", EVENTS[0]);
        assert_eq!(b.logged().len(), want, "{table}");
    }
    // A definition that is gone leaves with its last rule.
    b.rule(join);
    for name in ["t", "t2", "t3"] {
        b.forget(name);
    }
    b.keep_lookups().expect("room");
    b.push("/s", EVENTS[0]);
    assert_eq!(b.logged().len(), 1);
    b.engine.stop("r1");
    b.stream(LOOKUP);
    b.keep_lookups().expect("room");
    b.rule(join);
    b.push("/s", EVENTS[0]);
    assert!(b.logged().is_empty(), "it begins anew");
}

#[test]
fn lookup_tables_are_bounded_in_number_and_memory() {
    for (name, value, words) in [
        ("PUSHGATE__LIMITS__STREAMCOUNT", "2", "2 stream queues and lookup tables are open already: raise limits.streamCount"),
        ("PUSHGATE__LIMITS__MEMORYBUDGET", "1000000", "are left of limits.memoryBudget (1000000): raise it, or lower limits.stateBytes"),
    ] {
        let mut b = Bench::with_env(1, "", &[(name, value)]);
        let table = |i: usize| LOOKUP.replace(" t ", &format!(" t{i} ")).replace("\"tt\"", &format!("\"t{i}\""));
        let mut count = 0;
        let fault = loop {
            b.stream(&table(count));
            match b.keep_lookups() {
                Ok(()) => count += 1,
                Err(fault) => break fault,
            }
            assert!(count < 10, "{name}");
        };
        assert!(fault.contains(words) && (1..=2).contains(&count), "{count}: {fault}");
        b.forget(&format!("t{count}"));
        b.keep_lookups().expect("those that were kept still are");
        b.forget("t0");
        b.keep_lookups().expect("one less");
        b.stream(&table(7));
        b.keep_lookups().expect("one more");
    }
}

#[test]
fn whole_numbers_that_are_none_fail_the_message() {
    let mut b = Bench::new(1);
    b.stream(&stream(r#"{"useInt64ForWholeNumber":true}"#, "", ""));
    b.rule("SELECT * FROM s");
    for body in [
        r#"{"a":1e2}"#,
        r#"{"a":[{"b":12345678901234567890}]}"#,
        r#"{"a":"1e2 \" 99999999999999999999","b":9007199254740993,"c":1.5e3,"d":-0,"1e2":[1.0,-7]}"#,
    ] {
        b.push("/s", body);
    }
    assert_eq!(
        b.logged(),
        [
            r#"unparsed tail left after parsing int64 form "1e2": "e2""#,
            r#"strconv.ParseInt: parsing "12345678901234567890": value out of range"#,
            r#"{"1e2":[1,-7],"a":"1e2 \" 99999999999999999999","b":9007199254740993,"c":1500,"d":0}"#,
        ]
    );
    assert_eq!(metric(&b, "op_2_decoder_0_exceptions_total"), 2);
}

#[test]
fn rows_of_memory_topics_are_not_spaced() {
    let mut b = table_bench(LOOKUP, "");
    b.stream(r#"CREATE STREAM m () WITH (TYPE="memory", DATASOURCE="tt", EXTRA="{\"sendInterval\":300}")"#);
    b.rule("SELECT id FROM m");
    b.push("/u", r#"[{"id":1},{"id":2}]"#);
    assert_eq!(b.logged(), [r#"{"id":1}"#, r#"{"id":2}"#]);
}

#[test]
fn sources_that_are_not_here() {
    for (kind, words) in [
        (r#"TYPE="file""#, "the stream has no DATASOURCE: it names the file (directories are not supported)"),
        (r#"TYPE="redis""#, "source type redis not found: httppush, memory, simulator and file are supported"),
        (r#"TYPE="memory", DATASOURCE="a/#/b""#, "invalid topic a/#/b: # must at the last level"),
    ] {
        let mut b = Bench::new(1);
        b.stream(&format!("CREATE STREAM s () WITH ({kind})"));
        let fault = b.try_rule(r#"{"id":"r1","sql":"SELECT * FROM s","actions":[{"nop":{}}]}"#).expect_err(words);
        assert_eq!((fault.code, fault.message.as_str()), (2201, words));
    }
}
