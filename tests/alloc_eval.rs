//! After a rule's start no window kind, aggregate, analytic function, join or sort allocates per row, emission included.

mod common;
#[path = "common/counting.rs"]
mod counting;

use common::Bench;
use pushgate::engine::Progress;
use pushgate::sink::Outcome;

#[global_allocator]
static ALLOCATOR: counting::Counting = counting::Counting;

const DEMO: &str = r#"CREATE STREAM demo () WITH (DATASOURCE="/d", FORMAT="json", TYPE="httppush", TIMESTAMP="ts")"#;
const OTHER: &str = r#"CREATE STREAM other () WITH (DATASOURCE="/o", FORMAT="json", TYPE="httppush", TIMESTAMP="ts")"#;
const TABLE: &str = r#"CREATE TABLE tab () WITH (DATASOURCE="/t", FORMAT="json", TYPE="httppush", RETAIN_SIZE="10")"#;

/// Pushes rows, lets time pass and drains the sink: allocations after the first rounds.
fn allocations(sql: &str, event_time: bool) -> u64 {
    let mut b = Bench::new(7);
    for ddl in [DEMO, OTHER, TABLE] {
        b.stream(ddl);
    }
    let options = serde_json::json!({"isEventTime": event_time, "lateTolerance": 300});
    let json = serde_json::json!({"id": "r1", "sql": sql, "actions": [{"log": {}}], "options": options});
    b.try_rule(&json.to_string()).unwrap_or_else(|fault| panic!("{sql}: {fault:?}"));
    let joins = sql.contains("JOIN other");
    let table = sql.contains("JOIN tab");
    let bodies: Vec<(String, Vec<u8>)> = (0..600_i64)
        .map(|i| {
            let ts = 1_700_000_000_000_i64 + i * 100 - if i % 7 == 0 { 250 } else { 0 };
            let path = match i % 3 {
                1 if joins => "/o",
                2 if table => "/t",
                _ => "/d",
            };
            let body = format!(
                r#"{{"ts":{ts},"v":{},"t":"text {}","d":"dev{}","b":{},"o":{{"k":{i},"l":[1,2,{i}]}}}}"#,
                i % 13,
                i % 5,
                i % 4,
                i % 6 == 0
            );
            (b.head("POST", path, body.len()), body.into_bytes())
        })
        .collect();
    let ids: Vec<_> = b.engine.sinks().map(|(id, _)| id).collect();
    let mut messages = 0;
    let mut count = 0;
    for (round, part) in bodies.chunks(200).enumerate() {
        let allocated = counting::counted(|| {
            for (head, body) in part {
                let status = b.answer(head, body);
                assert!(status == 200, "{status}");
                b.pass(100);
                while b.engine.step(b.now) == Progress::More {}
                for id in &ids {
                    let now = b.now;
                    while b.engine.next_out(*id, now).is_some() {
                        b.engine.done(*id, Outcome::Delivered, now);
                        messages += 1;
                    }
                }
            }
        });
        if round > 0 {
            count += allocated;
        }
    }
    assert!(messages > 0, "{sql}: nothing came out");
    count
}

#[test]
fn nothing_allocates() {
    let all = "count(*) AS c, avg(v) AS a, sum(v) AS s, min(v) AS mn, max(t) AS ma, collect(v) AS co, last_value(t, true) AS la, \
        merge_agg(o) AS me, deduplicate(d, true) AS de, stddev(v) AS st, stddevs(v) AS sx, var(v) AS va, vars(v) AS vs, median(v) AS md, \
        percentile_cont(v, 0.5) AS pc, percentile_disc(v, 0.5) AS pd, last_agg_hit_count() AS h, last_agg_hit_time() AS ht, \
        window_start() AS ws, window_end() AS we";
    let windows = [
        "TUMBLINGWINDOW(ss, 2)",
        "HOPPINGWINDOW(ss, 4, 2)",
        "SLIDINGWINDOW(ss, 2)",
        "SLIDINGWINDOW(ss, 2, 1)",
        "SLIDINGWINDOW(ss, 2) OVER (WHEN b)",
        "SESSIONWINDOW(ss, 2, 1)",
        "COUNTWINDOW(10)",
        "COUNTWINDOW(10, 3)",
        "STATEWINDOW(v = 0, v = 5)",
        "STATEWINDOW(b) OVER (PARTITION BY d)",
        "TUMBLINGWINDOW(ss, 2) FILTER (WHERE v > 1)",
    ];
    let mut statements: Vec<(String, bool)> = Vec::new();
    for window in windows {
        for event_time in [false, true] {
            if event_time && window.starts_with("COUNT") {
                continue;
            }
            statements.push((format!("SELECT {all} FROM demo GROUP BY {window}"), event_time));
            statements
                .push((format!("SELECT *, v + 1 AS w FROM demo WHERE v != 1 GROUP BY {window} ORDER BY v DESC, t LIMIT 5"), event_time));
            if !window.starts_with("STATE") {
                let sql = format!("SELECT d, {all}, row_number() AS n FROM demo GROUP BY {window}, d HAVING count(*) > 1 ORDER BY d DESC");
                statements.push((sql, event_time));
                statements.push((
                    format!("SELECT demo.d, count(*) AS c FROM demo LEFT JOIN other ON demo.d = other.d GROUP BY {window}, demo.d"),
                    event_time,
                ));
            }
        }
    }
    for sql in [
        "SELECT lag(v) OVER (PARTITION BY d WHEN v > 1) AS l, lag(t, 3, 'x') AS m, latest(v, 0) AS la, changed_col(true, t) AS cc FROM demo",
        "SELECT had_changed(true, v, t) AS hc, had_changed(true, *) AS ha FROM demo",
        "SELECT changed_cols('p_', true, *) FROM demo",
        "SELECT changed_cols('p_', true, v, t) FROM demo",
        "SELECT acc_sum(v) AS a, acc_avg(v) AS b, acc_min(v) AS c, acc_max(v) AS d, acc_count(v, v = 1, v = 9) AS e FROM demo",
        "SELECT avg(lag(v)) AS a, lag(count(*)) AS b FROM demo GROUP BY COUNTWINDOW(5)",
        "SELECT count(*) AS c, avg(v) AS a, collect(*) AS co FROM demo WHERE v > avg(v) - 1",
        "SELECT demo.v, tab.v AS w FROM demo FULL JOIN tab ON demo.d = tab.d",
        "SELECT unnest(o->l) AS u FROM demo",
        "SELECT decompress(compress(t, 'zstd'), 'zstd') AS z, decompress(compress(t, 'gzip'), 'gzip') AS g FROM demo",
        "SELECT unnest(collect(v)) AS u FROM demo GROUP BY COUNTWINDOW(7)",
    ] {
        statements.push((sql.to_owned(), false));
        if !sql.contains("COUNTWINDOW") {
            statements.push((sql.to_owned(), true));
        }
    }
    let mut faults = Vec::new();
    for (sql, event_time) in statements {
        let count = allocations(&sql, event_time);
        if count != 0 {
            faults.push(format!("{count} allocations, event time {event_time}: {sql}"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
