//! Windows over days of virtual time, against slow and obvious reference implementations; joins, groups and analytic functions by
//! the rows that must come out.

mod common;

use common::Bench;
use serde_json::{Value, json};

const DEMO: &str = r#"CREATE STREAM demo () WITH (DATASOURCE="/d", FORMAT="json", TYPE="httppush", TIMESTAMP="ts")"#;

fn rule(b: &mut Bench, sql: &str, options: Value) {
    let mut options = options;
    options["sendError"] = json!(true);
    let json = json!({"id": "r1", "sql": sql, "actions": [{"log": {}}], "options": options});
    b.try_rule(&json.to_string()).unwrap_or_else(|fault| panic!("{sql}: {fault:?}"));
}

fn run(sql: &str, options: Value, inputs: &[Value]) -> Vec<Value> {
    let mut b = Bench::new(1);
    b.stream(DEMO);
    rule(&mut b, sql, options);
    for input in inputs {
        b.push("/d", &input.to_string());
        b.settle();
    }
    b.rows()
}

/// xorshift64*.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % n
    }
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Tumbling(i64),
    Hopping(i64, i64),
    Sliding(i64, i64),
    Session(i64, i64),
    /// Sliding with a delay, sent twice.
    Twice(i64, i64),
    /// Begins where `v % 5 = 0`, ends where `v % 7 = 0`, for each `k` of its own.
    State,
}

impl Kind {
    fn options(self, mut options: Value) -> Value {
        if let Self::Twice(..) = self {
            options["planOptimizeStrategy"] = json!({"windowOption": {"enableSendSlidingWindowTwice": true}});
        }
        options
    }

    fn sql(self) -> String {
        match self {
            Self::Tumbling(n) => format!("TUMBLINGWINDOW(ss, {n})"),
            Self::Hopping(n, hop) => format!("HOPPINGWINDOW(ss, {n}, {hop})"),
            Self::Sliding(n, 0) => format!("SLIDINGWINDOW(ss, {n})"),
            Self::Sliding(n, delay) => format!("SLIDINGWINDOW(ss, {n}, {delay})"),
            Self::Session(n, timeout) => format!("SESSIONWINDOW(ss, {n}, {timeout})"),
            Self::Twice(n, delay) => format!("SLIDINGWINDOW(ss, {n}, {delay})"),
            Self::State => "STATEWINDOW(v % 5 = 0, v % 7 = 0) OVER (PARTITION BY k)".to_owned(),
        }
    }
}

/// A row of a state window: gives the window that it ends.
fn state_row(open: &mut [Option<Vec<i64>>; 3], value: i64) -> Option<Vec<i64>> {
    let own = &mut open[usize::try_from(value % 3).expect("small")];
    match own {
        None if value % 5 == 0 => *own = Some(vec![value]),
        None => {}
        Some(list) => {
            list.push(value);
            if value % 7 == 0 {
                return own.take();
            }
        }
    }
    None
}

/// What is said of an event without its time.
const TIMELESS: &str = "cannot find timestamp field ts in the row";

/// End of the window of so many seconds that `ms` lies in, in UTC.
fn aligned(ms: i64, every_s: i64) -> i64 {
    let minute = ms - ms.rem_euclid(60_000);
    let second = (ms - minute) / 1000;
    let count = if second > every_s { every_s * (second / every_s + 1) } else { every_s };
    minute + count * 1000
}

/// What event time gives, recomputed from all events at each step.
fn event_reference(kind: Kind, late_ms: i64, events: &[(Option<i64>, i64)]) -> Vec<Value> {
    let mut admitted: Vec<(i64, i64)> = Vec::new();
    let mut newest = i64::MIN;
    let mut mark = i64::MIN;
    let mut out = Vec::new();
    let emit = |rows: &[(i64, i64)], out: &mut Vec<Value>| {
        let list: Vec<i64> = rows.iter().map(|r| r.1).collect();
        out.push(if list.is_empty() { json!({"l": null}) } else { json!({"l": list}) });
    };
    let (mut end, mut last): (Option<i64>, i64) = (None, i64::MIN);
    let mut fired: Vec<i64> = Vec::new();
    let mut delayed: Vec<(i64, i64)> = Vec::new();
    let mut gone = i64::MIN;
    let mut open: [Option<Vec<i64>>; 3] = [None, None, None];
    for &(time, value) in events {
        let Some(time) = time else {
            out.push(json!(TIMELESS));
            continue;
        };
        if time < mark {
            continue;
        }
        let at = admitted.iter().position(|r| r.0 > time).unwrap_or(admitted.len());
        admitted.insert(at, (time, value));
        newest = newest.max(time);
        if newest - late_ms <= mark {
            continue;
        }
        mark = newest - late_ms;
        let released: Vec<_> = admitted.iter().copied().filter(|r| r.0 <= mark).collect();
        let between = |from: i64, to: i64| released.iter().copied().filter(|r| from <= r.0 && r.0 < to).collect::<Vec<_>>();
        match kind {
            Kind::Tumbling(n) | Kind::Hopping(n, _) => {
                let hop = if let Kind::Hopping(_, hop) = kind { hop } else { n };
                if end.is_none() {
                    end = released.first().map(|r| aligned(r.0, hop));
                }
                while let Some(at) = end.filter(|at| *at <= mark) {
                    let from = if hop == n { last } else { at - n * 1000 };
                    emit(&between(from, at), &mut out);
                    last = at;
                    end = Some(at + hop * 1000);
                }
            }
            Kind::Sliding(n, 0) => {
                for &(time, value) in &released {
                    if fired.contains(&value) {
                        continue;
                    }
                    fired.push(value);
                    emit(&between(time - n * 1000, time + 1), &mut out);
                }
            }
            Kind::Sliding(n, delay) => {
                while delayed.first().is_some_and(|d| d.0 + delay * 1000 <= mark) {
                    let (time, _) = delayed.remove(0);
                    emit(&between(time - n * 1000, time + delay * 1000), &mut out);
                }
                for &(time, value) in &released {
                    if fired.contains(&value) {
                        continue;
                    }
                    fired.push(value);
                    delayed.push((time, value));
                }
            }
            Kind::Twice(n, delay) => {
                while delayed.first().is_some_and(|d| d.0 + delay * 1000 <= mark) {
                    let (time, _) = delayed.remove(0);
                    emit(&between(time + 1, time + delay * 1000 + 1), &mut out);
                }
                for &(time, value) in &released {
                    if fired.contains(&value) {
                        continue;
                    }
                    fired.push(value);
                    emit(&between(time - n * 1000 + 1, time + 1), &mut out);
                    delayed.push((time, value));
                }
            }
            Kind::State => {
                for &(_, value) in &released {
                    if fired.contains(&value) {
                        continue;
                    }
                    fired.push(value);
                    out.extend(state_row(&mut open, value).map(|list| json!({"l": list})));
                }
            }
            Kind::Session(n, timeout) => loop {
                let open: Vec<_> = released.iter().copied().filter(|r| r.0 >= gone).collect();
                let Some(first) = open.first() else { break };
                let mut tick = aligned(first.0, n);
                let mut before: Option<i64> = None;
                let mut found = None;
                for row in &open {
                    let mut close = before.filter(|b| row.0 - b > timeout * 1000).map(|b| b + timeout * 1000);
                    if row.0 > tick {
                        if tick - n * 1000 > first.0 && close.is_none_or(|c| tick < c) {
                            close = Some(tick);
                        }
                        tick += n * 1000;
                    }
                    if close.is_some() {
                        found = close;
                        break;
                    }
                    before = Some(row.0);
                }
                let silent = before.filter(|b| mark - b > timeout * 1000).map(|b| b + timeout * 1000);
                let Some(close) = found.or(silent) else { break };
                emit(&open.iter().copied().filter(|r| r.0 < close).collect::<Vec<_>>(), &mut out);
                gone = close;
            },
        }
    }
    out
}

/// How many seeds to take: `SIM_SEEDS` adds to what the suite takes.
fn seeds(own: u64) -> u64 {
    own.max(std::env::var("SIM_SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(0))
}

#[test]
fn event_time_windows_agree_with_the_reference() {
    let kinds = [
        Kind::Tumbling(10),
        Kind::Tumbling(7),
        Kind::Hopping(10, 5),
        Kind::Hopping(10, 3),
        Kind::Sliding(4, 0),
        Kind::Sliding(4, 3),
        Kind::Session(20, 3),
        Kind::Session(5, 4),
        Kind::Twice(4, 3),
        Kind::Twice(2, 5),
        Kind::State,
    ];
    for seed in 1..=seeds(66) {
        let mut dice = Dice(seed);
        let kind = kinds[usize::try_from(seed % 11).expect("small")];
        let late_ms = i64::try_from(dice.below(4) * 1500).expect("small");
        let mut now = 1_700_000_000_000 + i64::try_from(dice.below(100_000)).expect("small");
        let events: Vec<(Option<i64>, i64)> = (0..120)
            .map(|i| {
                // Mostly on; sometimes late, sometimes the same, now and then a long silence.
                now += i64::try_from(match dice.below(20) {
                    0 => 40_000 + dice.below(30_000),
                    1..4 => 0,
                    n => 100 * n + dice.below(700),
                })
                .expect("small");
                let late = i64::try_from(if dice.below(4) == 0 { dice.below(5000) } else { 0 }).expect("small");
                ((dice.below(15) > 0).then_some(now - late), i)
            })
            .collect();
        let input = |(ts, v): &(Option<i64>, i64)| ts.map_or(json!({"v": v}), |ts| json!({"ts": ts, "v": v, "k": v % 3}));
        let inputs: Vec<Value> = events.iter().map(input).collect();
        let sql = format!("SELECT collect(v) AS l FROM demo GROUP BY {}", kind.sql());
        let got = run(&sql, kind.options(json!({"isEventTime": true, "lateTolerance": late_ms})), &inputs);
        assert_eq!(got, event_reference(kind, late_ms, &events), "seed {seed}: {kind:?}, late {late_ms} ms");
    }
}

/// What processing time gives, millisecond by millisecond.
fn clock_reference(kind: Kind, start: i64, until: i64, events: &[(i64, i64)]) -> Vec<Value> {
    let mut out = Vec::new();
    let emit = |rows: Vec<i64>, out: &mut Vec<Value>| out.push(if rows.is_empty() { json!({"l": null}) } else { json!({"l": rows}) });
    let next = |from: i64, every: i64| {
        let mut end = aligned(from, every);
        while end <= from {
            end += every * 1000;
        }
        end
    };
    let mut seen: Vec<(i64, i64)> = Vec::new();
    let every = match kind {
        Kind::Tumbling(n) | Kind::Session(n, _) => n,
        Kind::Hopping(_, hop) => hop,
        Kind::Sliding(..) | Kind::Twice(..) | Kind::State => 1,
    };
    let mut open: [Option<Vec<i64>>; 3] = [None, None, None];
    let mut tick = next(start, every);
    let (mut first, mut last): (Option<i64>, i64) = (None, 0);
    let mut firing: Vec<i64> = Vec::new();
    for t in start..=until {
        let rows =
            |seen: &[(i64, i64)], from: i64, to: i64| seen.iter().filter(|r| from <= r.0 && r.0 < to).map(|r| r.1).collect::<Vec<_>>();
        match kind {
            Kind::Tumbling(n) | Kind::Hopping(n, _) if t == tick => {
                emit(rows(&seen, tick - n * 1000, tick), &mut out);
                tick += every * 1000;
            }
            Kind::Session(n, timeout) => {
                if first.is_some() && t == last + timeout * 1000 {
                    emit(rows(&seen, i64::MIN, t), &mut out);
                    seen.clear();
                    first = None;
                }
                if t == tick {
                    if first.is_some_and(|f| t - f >= n * 1000) {
                        emit(rows(&seen, i64::MIN, t), &mut out);
                        seen.clear();
                        first = None;
                    }
                    tick += n * 1000;
                }
            }
            Kind::Sliding(n, delay) if delay > 0 => {
                while firing.first().is_some_and(|f| f + delay * 1000 == t) {
                    let f = firing.remove(0);
                    emit(rows(&seen, f - n * 1000, t), &mut out);
                }
            }
            Kind::Twice(_, delay) => {
                while firing.first().is_some_and(|f| f + delay * 1000 == t) {
                    let f = firing.remove(0);
                    emit(rows(&seen, f + 1, t + 1), &mut out);
                }
            }
            _ => {}
        }
        for &(at, value) in events.iter().filter(|e| e.0 == t) {
            seen.push((at, value));
            first.get_or_insert(at);
            last = at;
            match kind {
                Kind::Sliding(n, 0) => emit(rows(&seen, t - n * 1000, t + 1), &mut out),
                Kind::Sliding(..) => firing.push(at),
                Kind::Twice(n, _) => {
                    emit(rows(&seen, t - n * 1000 + 1, t + 1), &mut out);
                    firing.push(at);
                }
                Kind::State => out.extend(state_row(&mut open, value).map(|list| json!({"l": list}))),
                _ => {}
            }
        }
    }
    out
}

#[test]
fn processing_time_windows_agree_with_the_reference() {
    let kinds = [
        Kind::Tumbling(10),
        Kind::Tumbling(7),
        Kind::Hopping(10, 5),
        Kind::Sliding(4, 0),
        Kind::Sliding(4, 3),
        Kind::Session(20, 3),
        Kind::Session(5, 4),
        Kind::Twice(4, 3),
        Kind::Twice(2, 5),
        Kind::State,
    ];
    for seed in 1..=seeds(40) {
        let mut dice = Dice(seed);
        let kind = kinds[usize::try_from(seed % 10).expect("small")];
        let mut b = Bench::new(seed);
        b.pass(dice.below(60_000));
        let start = b.now.wall.0;
        b.stream(DEMO);
        rule(&mut b, &format!("SELECT collect(v) AS l FROM demo GROUP BY {}", kind.sql()), kind.options(json!({})));
        let mut events = Vec::new();
        for i in 0..100 {
            let gap = match dice.below(12) {
                0 => 0,
                1 => 20_000 + dice.below(9000),
                n => n * 130 + dice.below(400),
            };
            // In steps, or the clock jumps over what is due: the rule sees the same.
            if dice.below(2) == 0 {
                for _ in 0..gap / 100 {
                    b.pass(100);
                    b.settle();
                }
                b.pass(gap % 100);
            } else {
                b.pass(gap);
            }
            if dice.below(3) > 0 {
                b.settle();
            }
            events.push((b.now.wall.0, i));
            b.push("/d", &json!({"v": i, "k": i % 3}).to_string());
            if dice.below(3) > 0 {
                b.settle();
            }
        }
        b.pass(30_000);
        let want = clock_reference(kind, start, b.now.wall.0, &events);
        assert_eq!(b.rows(), want, "seed {seed}: {kind:?}");
    }
}

#[test]
fn bounds_follow_ekuiper() {
    let e = |ts: i64| json!({"ts": 1_700_000_040_000_i64 + ts, "v": ts});
    let bounds = |sql: &str, inputs: &[Value]| {
        let rows = run(sql, json!({"isEventTime": true, "lateTolerance": 0}), inputs);
        rows.iter()
            .map(|r| (r["s"].as_i64().map(|t| t - 1_700_000_040_000), r["e"].as_i64().map(|t| t - 1_700_000_040_000)))
            .collect::<Vec<_>>()
    };
    let select = "SELECT count(*) AS c, window_start() AS s, window_end() AS e FROM demo GROUP BY";
    assert_eq!(
        bounds(&format!("{select} TUMBLINGWINDOW(ss, 10)"), &[e(1500), e(12_000), e(31_000)]),
        [(Some(1500), Some(10_000)), (Some(10_000), Some(20_000)), (Some(20_000), Some(30_000))]
    );
    assert_eq!(
        bounds(&format!("{select} HOPPINGWINDOW(ss, 10, 5)"), &[e(1500), e(11_000)]),
        [(Some(-3500), Some(5000)), (Some(0), Some(10_000))]
    );
    assert_eq!(
        bounds(&format!("{select} SLIDINGWINDOW(ss, 2)"), &[e(1500), e(9000)]),
        [(Some(-500), Some(1500)), (Some(7000), Some(9000))]
    );
    assert_eq!(bounds(&format!("{select} SESSIONWINDOW(ss, 20, 2)"), &[e(1500), e(2500), e(9000)]), [(Some(1500), Some(4500))]);
}

fn many(n: i64) -> Vec<Value> {
    (0..n).map(|i| json!({"i": i, "v": i * i % 7, "d": format!("d{}", i % 3), "ts": 1_700_000_000_000_i64 + i})).collect()
}

#[test]
fn one_table_of_statements() {
    let v = many(6); // v: 0 1 4 2 2 4; d: d0 d1 d2 d0 d1 d2
    for (sql, want) in [
        (
            "SELECT avg(v) AS a, max(d) AS m, min(v) AS n, sum(v) AS s, count(*) AS c FROM demo GROUP BY COUNTWINDOW(6)",
            json!([{"a": 13.0 / 6.0, "m": "d2", "n": 0, "s": 13, "c": 6}]),
        ),
        (
            "SELECT d, sum(v) AS s FROM demo GROUP BY COUNTWINDOW(6), d",
            json!([{"d": "d0", "s": 2}, {"d": "d1", "s": 3}, {"d": "d2", "s": 8}]),
        ),
        (
            "SELECT d, sum(v) AS s FROM demo GROUP BY COUNTWINDOW(6), d HAVING sum(v) > 2 ORDER BY s DESC",
            json!([{"d": "d2", "s": 8}, {"d": "d1", "s": 3}]),
        ),
        ("SELECT d, sum(v) AS s FROM demo GROUP BY COUNTWINDOW(6), d ORDER BY s DESC LIMIT 1", json!([{"d": "d2", "s": 8}])),
        ("SELECT collect(v) AS l FROM demo GROUP BY COUNTWINDOW(6) ORDER BY v DESC", json!([{"l": [4, 4, 2, 2, 1, 0]}])),
        (
            "SELECT i, row_number() AS n FROM demo WHERE v > 1 GROUP BY COUNTWINDOW(6) ORDER BY i DESC",
            json!([{"i": 5, "n": 4}, {"i": 4, "n": 3}, {"i": 3, "n": 2}, {"i": 2, "n": 1}]),
        ),
        ("SELECT collect(i) AS l FROM demo GROUP BY COUNTWINDOW(3, 2)", json!([{"l": [1, 2, 3]}, {"l": [3, 4, 5]}])),
        ("SELECT i FROM demo WHERE v > avg(v) GROUP BY COUNTWINDOW(3)", json!([{"i": 2}, {"i": 5}])),
        ("SELECT collect(i) AS l FROM demo GROUP BY STATEWINDOW(v = 1, v = 2)", json!([{"l": [1, 2, 3]}])),
        ("SELECT collect(i) AS l FROM demo GROUP BY STATEWINDOW(v > 1)", json!([{"l": [2]}, {"l": [3]}, {"l": [4]}])),
        (
            "SELECT collect(i) AS l FROM demo GROUP BY STATEWINDOW(i < 3, i > 2) OVER (PARTITION BY d)",
            json!([{"l": [0, 3]}, {"l": [1, 4]}, {"l": [2, 5]}]),
        ),
        (
            "SELECT i FROM demo GROUP BY STATEWINDOW(i < 3, i > 2) OVER (PARTITION BY d)",
            json!([{"i": 0}, {"i": 3}, {"i": 1}, {"i": 4}, {"i": 2}, {"i": 5}]),
        ),
        ("SELECT merge_agg(*) AS m FROM demo GROUP BY COUNTWINDOW(2)", json!([{"m": v[1]}, {"m": v[3]}, {"m": v[5]}])),
        ("SELECT deduplicate(v, true) AS l FROM demo GROUP BY COUNTWINDOW(6)", json!([{"l": [v[0], v[1], v[2], v[3]]}])),
        ("SELECT deduplicate(v, false) AS l FROM demo GROUP BY COUNTWINDOW(3)", json!([{"l": v[2]}, {"l": v[5]}])),
        (
            "SELECT median(v) AS m, percentile_cont(v, 0.5) AS c, percentile_disc(v, 0.5) AS d FROM demo GROUP BY COUNTWINDOW(6)",
            json!([{"m": 2, "c": 2, "d": 2}]),
        ),
        (
            "SELECT var(v) AS a, vars(v) AS b, stddev(v) * stddev(v) AS c FROM demo GROUP BY COUNTWINDOW(3)",
            json!([{"a": 26.0 / 9.0, "b": 13.0 / 3.0, "c": 26.0 / 9.0}, {"a": 8.0 / 9.0, "b": 4.0 / 3.0, "c": 8.0 / 9.0}]),
        ),
        (
            "SELECT lag(v) AS r, had_changed(true, *) AS h FROM demo WHERE i > 2",
            json!([{"r": 4, "h": true}, {"r": 2, "h": true}, {"r": 2, "h": true}]),
        ),
        (
            "SELECT acc_sum(v, v = 1, v = 2) AS s, acc_count(v) AS c FROM demo",
            json!([{"s": 0, "c": 1}, {"s": 1, "c": 2}, {"s": 5, "c": 3}, {"s": 7, "c": 4}, {"s": 0, "c": 5}, {"s": 0, "c": 6}]),
        ),
        ("SELECT avg(lag(v)) AS r FROM demo GROUP BY COUNTWINDOW(6)", json!([{"r": 1.8}])),
        (
            "SELECT unnest(collect(v)) AS u FROM demo GROUP BY COUNTWINDOW(3)",
            json!([{"u": 0}, {"u": 1}, {"u": 4}, {"u": 2}, {"u": 2}, {"u": 4}]),
        ),
        (
            "SELECT count(v) AS c, sum(v) AS s, avg(v) AS a FROM demo WHERE i < 2",
            json!([{"c": 1, "s": 0, "a": 0}, {"c": 1, "s": 1, "a": 1}]),
        ),
        (
            "SELECT last_agg_hit_count() AS h, count(*) AS c FROM demo GROUP BY COUNTWINDOW(2)",
            json!([{"h": 0, "c": 2}, {"h": 1, "c": 2}, {"h": 2, "c": 2}]),
        ),
        ("SELECT i FROM demo GROUP BY COUNTWINDOW(3) HAVING sum(v) > 5", json!([{"i": 3}, {"i": 4}, {"i": 5}])),
        (
            "SELECT i, *, count(*) AS c FROM demo GROUP BY COUNTWINDOW(6), d ORDER BY i LIMIT 1",
            json!([{"i": 0, "v": 0, "d": "d0", "ts": v[0]["ts"], "c": 2}]),
        ),
        (
            "SELECT d, unnest(collect(i)) AS u FROM demo WHERE i < 4 GROUP BY COUNTWINDOW(6), d",
            json!([{"d": "d0", "u": 0}, {"d": "d0", "u": 3}, {"d": "d1", "u": 1}, {"d": "d2", "u": 2}]),
        ),
        ("SELECT lag(i) OVER (PARTITION BY d) AS r FROM demo GROUP BY COUNTWINDOW(6)", json!([{}, {}, {}, {"r": 0}, {"r": 1}, {"r": 2}])),
        ("SELECT lag(sum(v)) AS r, sum(v) AS s FROM demo GROUP BY COUNTWINDOW(2)", json!([{"s": 1}, {"r": 1, "s": 6}, {"r": 6, "s": 6}])),
    ] {
        let got = Value::from(run(sql, json!({}), &v));
        assert!(close(&got, &want), "{sql}\n got {got}\nwant {want}");
    }
}

/// Equal, numbers to 1e-9.
fn close(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(x), Value::Number(y)) => (x.as_f64().expect("a number") - y.as_f64().expect("a number")).abs() < 1e-9,
        (Value::Array(x), Value::Array(y)) => x.len() == y.len() && x.iter().zip(y).all(|(x, y)| close(x, y)),
        (Value::Object(x), Value::Object(y)) => x.len() == y.len() && x.iter().all(|(k, x)| y.get(k).is_some_and(|y| close(x, y))),
        _ => a == b,
    }
}

#[test]
fn errors_lose_the_window_and_only_that() {
    let mut inputs = many(4);
    inputs[1]["v"] = json!("x");
    for (sql, words, rest) in [
        ("SELECT i FROM demo WHERE v > 1 GROUP BY COUNTWINDOW(2)", "run Where error", json!([{"i": 2}, {"i": 3}])),
        ("SELECT count(*) AS c FROM demo WHERE v > 1 GROUP BY COUNTWINDOW(2)", "run Where error", json!([{"c": 2}])),
        ("SELECT sum(v) AS s FROM demo GROUP BY COUNTWINDOW(2)", "sum error", json!([{"s": 6}])),
        ("SELECT i FROM demo GROUP BY COUNTWINDOW(2) ORDER BY v", "run Order By error", json!([{"i": 3}, {"i": 2}])),
        ("SELECT count(*) AS c FROM demo GROUP BY COUNTWINDOW(2), v + 1", "run Group By error", json!([{"c": 1}, {"c": 1}])),
        ("SELECT v + 1 AS x FROM demo GROUP BY COUNTWINDOW(2)", "run Select error", json!([{"x": 5}, {"x": 3}])),
    ] {
        let got = run(sql, json!({}), &inputs);
        assert!(got.first().and_then(Value::as_str).is_some_and(|t| t.contains(words)), "{sql}: {got:?}");
        assert_eq!(Value::from(got[1..].to_vec()), rest, "{sql}");
    }
}

#[test]
fn empty_windows() {
    for (sql, want) in [
        ("SELECT count(*) AS c FROM demo GROUP BY TUMBLINGWINDOW(ss, 1)", vec!["[{}]"]),
        ("SELECT collect(v) AS l FROM demo GROUP BY TUMBLINGWINDOW(ss, 1)", vec![r#"[{"l":null}]"#]),
        ("SELECT v FROM demo GROUP BY TUMBLINGWINDOW(ss, 1)", vec!["[]"]),
        ("SELECT d, count(*) AS c FROM demo GROUP BY TUMBLINGWINDOW(ss, 1), d", vec![]),
        ("SELECT count(*) AS c FROM demo WHERE v > 1 GROUP BY TUMBLINGWINDOW(ss, 1)", vec![]),
        ("SELECT v FROM demo WHERE v > 1 GROUP BY TUMBLINGWINDOW(ss, 1)", vec![]),
    ] {
        let mut b = Bench::new(1);
        b.stream(DEMO);
        rule(&mut b, sql, json!({}));
        b.pass(1000);
        assert_eq!(b.logged(), want, "{sql}");
    }
}

#[test]
fn joins_of_two_streams() {
    let rows_of = |kind: &str, on: &str| {
        let mut b = Bench::new(1);
        b.stream(r#"CREATE STREAM a () WITH (DATASOURCE="/a", FORMAT="json", TYPE="httppush")"#);
        b.stream(r#"CREATE STREAM b () WITH (DATASOURCE="/b", FORMAT="json", TYPE="httppush")"#);
        rule(&mut b, &format!("SELECT x, y FROM a {kind} JOIN b {on} GROUP BY COUNTWINDOW(5)"), json!({}));
        for (path, body) in [
            ("/a", r#"{"id":1,"x":1}"#),
            ("/b", r#"{"id":2,"y":2}"#),
            ("/a", r#"{"id":2,"x":3}"#),
            ("/b", r#"{"id":3,"y":4}"#),
            ("/b", r#"{"id":2,"y":5}"#),
        ] {
            b.push(path, body);
        }
        Value::from(b.rows())
    };
    let on = "ON a.id = b.id";
    assert_eq!(rows_of("INNER", on), json!([{"x": 3, "y": 2}, {"x": 3, "y": 5}]));
    assert_eq!(rows_of("LEFT", on), json!([{"x": 1}, {"x": 3, "y": 2}, {"x": 3, "y": 5}]));
    assert_eq!(rows_of("RIGHT", on), json!([{"x": 3, "y": 2}, {"y": 4}, {"x": 3, "y": 5}]));
    assert_eq!(rows_of("FULL", on), json!([{"x": 1}, {"x": 3, "y": 2}, {"x": 3, "y": 5}, {"y": 4}]));
    assert_eq!(rows_of("CROSS", "").as_array().map(Vec::len), Some(6));
}

/// A rule that stops says what it did not finish.
#[test]
fn a_stopped_rule_counts_what_it_drops() {
    let mut b = Bench::new(1);
    b.stream(DEMO);
    rule(&mut b, "SELECT collect(a) AS l FROM demo GROUP BY COUNTWINDOW(2)", json!({}));
    (0..3).for_each(|i| b.push("/d", &json!({"a": i}).to_string()));
    b.settle();
    b.push("/d", r#"{"a":3}"#);
    b.push("/d", r#"{"a":4}"#);
    let metrics = b.engine.last_metrics("r1").expect("it runs");
    let count = |name: &str| metrics.iter().find(|(n, _)| n == name).map(|(_, v)| format!("{v:?}"));
    // Two wait in the queue, one row (or its group) in the window, one message in the outbox.
    assert_eq!(count("source_demo_0_dropped_stopped_total").as_deref(), Some("Int(2)"));
    assert_eq!(count("rule_0_dropped_stopped_total").as_deref(), Some("Int(1)"));
    assert_eq!(count("sink_log_0_0_dropped_stopped_total").as_deref(), Some("Int(1)"));
    assert!(b.engine.stop("r1").is_some() && b.engine.last_metrics("r1").is_none());
}

/// A join of many rows goes on in pieces; readings are taken and answered between any two.
#[test]
fn a_large_join_lets_readings_in() {
    let mut b = Bench::new(1);
    b.stream(DEMO);
    b.stream(r#"CREATE STREAM other () WITH (DATASOURCE="/o", TYPE="httppush")"#);
    rule(&mut b, "SELECT demo.a FROM demo INNER JOIN other ON demo.a = other.a GROUP BY TUMBLINGWINDOW(ss, 10)", json!({}));
    for i in 0..300 {
        b.push("/d", &json!({"a": i}).to_string());
        b.push("/o", &json!({"a": 2 * i}).to_string());
        b.settle();
    }
    b.pass(60_000);
    let mut slices = 0;
    while b.engine.step(b.now) == pushgate::engine::Progress::More {
        slices += 1;
        if slices == 20 {
            b.push("/d", r#"{"a":-1}"#);
        }
    }
    assert!(slices >= 300 * 300 / 2000, "{slices} slices");
    assert_eq!(b.rows(), (0..300).filter(|i| i % 2 == 0).map(|i| json!({"a": i})).collect::<Vec<_>>());
}

#[test]
fn a_full_window_is_emitted_early_or_loses_its_oldest_rows() {
    for (options, sql) in [
        (json!({}), "SELECT count(*) AS c, collect(p) AS l FROM demo GROUP BY TUMBLINGWINDOW(mi, 1)"),
        (json!({"windowFull": "drop_oldest"}), "SELECT p FROM demo GROUP BY TUMBLINGWINDOW(mi, 1)"),
        (json!({}), "SELECT p FROM demo GROUP BY TUMBLINGWINDOW(mi, 1)"),
    ] {
        let mut b = Bench::new(1);
        b.stream(DEMO);
        rule(&mut b, sql, options.clone());
        let mut got = Vec::new();
        for i in 0..100 {
            b.push("/d", &json!({"p": format!("{i:05}").repeat(1000)}).to_string());
            got.extend(b.rows());
        }
        b.pass(60_000);
        got.extend(b.rows());
        let metrics = b.engine.metrics("r1").expect("runs");
        let counted: Vec<_> = metrics.iter().filter(|(n, _)| n.contains("window_early") || n.contains("window_full")).collect();
        assert_eq!(counted.len(), 1, "{sql}: {metrics:?}");
        let seen: usize = got.iter().map(|r| r.get("l").map_or(1, |l| l.as_array().map_or(0, Vec::len))).sum();
        if options == json!({}) {
            assert_eq!(seen, 100, "{sql}");
        } else {
            assert!(seen > 20 && seen < 100, "{seen}");
        }
    }
}

#[test]
fn groups_beyond_the_limit_are_dropped_or_emit_early() {
    for (options, want) in [(json!({}), 1024), (json!({"groupFull": "emit_early"}), 1100)] {
        let mut b = Bench::new(1);
        b.stream(DEMO);
        rule(&mut b, "SELECT d, count(*) AS c FROM demo GROUP BY TUMBLINGWINDOW(mi, 1), d", options);
        for i in 0..1100 {
            b.push("/d", &json!({"d": i}).to_string());
            b.settle();
        }
        b.pass(60_000);
        assert_eq!(b.rows().len(), want);
    }
}

#[test]
fn silence_closes_the_last_window_when_asked() {
    let mut b = Bench::new(1);
    b.stream(DEMO);
    rule(&mut b, "SELECT count(*) AS c FROM demo GROUP BY TUMBLINGWINDOW(ss, 10)", json!({"isEventTime": true, "idleTimeout": "3s"}));
    b.push("/d", &json!({"ts": 1_600_000_001_000_i64}).to_string());
    b.settle();
    b.pass(2999);
    assert!(b.rows().is_empty());
    b.pass(60_000);
    let got = b.rows();
    assert_eq!(got.first(), Some(&json!({"c": 1})));
}

#[test]
fn a_step_of_the_clock_neither_closes_early_nor_stalls() {
    for step in [3_600_000_i64, -3_600_000] {
        let mut b = Bench::new(1);
        b.stream(DEMO);
        rule(&mut b, "SELECT count(*) AS c FROM demo GROUP BY TUMBLINGWINDOW(ss, 10)", json!({}));
        let start = b.now.wall.0;
        b.pass(1000);
        b.push("/d", "{}");
        b.settle();
        b.now.wall.0 += step;
        b.push("/d", "{}");
        assert!(b.rows().is_empty());
        // 22:13:20 + 10 s on the monotonic clock.
        b.pass(8999);
        assert!(b.rows().is_empty());
        b.pass(1);
        assert_eq!(b.rows(), [json!({"c": 2})], "step {step}, start {start}");
        let metrics = b.engine.metrics("r1").expect("runs");
        assert!(metrics.iter().any(|(n, _)| n.ends_with("clock_steps_total")));
    }
}

/// Whatever the wall clock is set to, each row is in exactly one window, in order, and none is open for longer than it may be.
#[test]
fn steps_of_the_clock_lose_and_repeat_nothing() {
    for seed in 1..=seeds(24) {
        let mut dice = Dice(seed);
        let (window, most_ms) = [("TUMBLINGWINDOW(ss, 10)", 20_000), ("SESSIONWINDOW(ss, 60, 3)", 120_000), ("COUNTWINDOW(4)", i64::MAX)]
            [usize::try_from(seed % 3).expect("small")];
        let mut b = Bench::new(seed);
        b.stream(DEMO);
        rule(&mut b, &format!("SELECT collect(v) AS l FROM demo GROUP BY {window}"), json!({}));
        let (mut steps, mut seen, mut mono_of) = (0, Vec::new(), Vec::new());
        let mut take = |b: &mut Bench, mono_of: &[i64]| {
            let closed = i64::try_from(b.now.mono.0 / 1_000_000).expect("small");
            for row in b.rows() {
                let list: Vec<usize> = row["l"].as_array().into_iter().flatten().filter_map(|v| v.as_u64()?.try_into().ok()).collect();
                if let Some(first) = list.first() {
                    assert!(closed - mono_of[*first] <= most_ms, "seed {seed}: {window}: open for {} ms", closed - mono_of[*first]);
                }
                seen.extend(list);
            }
        };
        for i in 0..120_usize {
            if dice.below(15) == 0 {
                let by = i64::try_from(2000 + dice.below(5_000_000)).expect("small");
                b.now.wall.0 += if dice.below(2) == 0 { by } else { -by };
                steps += 1;
                b.settle();
            }
            b.push("/d", &json!({"v": i}).to_string());
            mono_of.push(i64::try_from(b.now.mono.0 / 1_000_000).expect("small"));
            b.settle();
            take(&mut b, &mono_of);
            for _ in 0..dice.below(12) {
                b.pass(500);
                take(&mut b, &mono_of);
            }
        }
        for _ in 0..200 {
            b.pass(1000);
            take(&mut b, &mono_of);
        }
        assert_eq!(seen, (0..120).collect::<Vec<_>>(), "seed {seed}: {window}");
        let counters = b.engine.counters();
        assert_eq!(counters["rules"]["r1"]["clock_steps_total"], json!(steps), "seed {seed}: {window}");
    }
}

#[test]
fn a_sliding_window_is_sent_twice() {
    let mut b = Bench::new(1);
    b.stream(DEMO);
    let sql = "SELECT collect(a) AS l, window_start() AS s, window_end() AS e, window_trigger() AS t FROM demo \
               GROUP BY SLIDINGWINDOW(ss, 2, 2) OVER (WHEN a = 1)";
    rule(&mut b, sql, Kind::Twice(2, 2).options(json!({})));
    let t = b.now.wall.0;
    b.push("/d", r#"{"a":1}"#);
    assert_eq!(b.rows(), [json!({"l": [1], "s": t - 2000, "e": t, "t": t})]);
    b.pass(500);
    b.push("/d", r#"{"a":2}"#);
    b.pass(1499);
    assert_eq!(b.rows(), Vec::<Value>::new());
    b.pass(1);
    assert_eq!(b.rows(), [json!({"l": [2], "s": t, "e": t + 2000, "t": t})]);
}

#[test]
fn event_time_needs_a_timestamp() {
    let mut b = Bench::new(1);
    b.stream(r#"CREATE STREAM plain () WITH (DATASOURCE="/p", TYPE="httppush")"#);
    let json = json!({"id": "r1", "sql": "SELECT a FROM plain", "actions": [{"log": {}}], "options": {"isEventTime": true}});
    let fault = b.try_rule(&json.to_string()).expect_err("no TIMESTAMP");
    assert_eq!((fault.code, fault.message.as_str()), (1000, "preprocessor is set to be event time but stream option TIMESTAMP not found"));
    assert!(b.engine.rule("r1").is_none());
}

#[test]
fn readings_know_what_the_clock_is_worth() {
    let mut b = Bench::new(1);
    b.stream(DEMO);
    b.rule("SELECT meta(clock) AS c FROM demo");
    let clock = |b: &mut Bench| {
        b.push("/d", "{}");
        b.rows().remove(0)["c"].as_str().expect("a word").to_owned()
    };
    assert_eq!(clock(&mut b), "synced");
    let wall = b.now.wall.0;
    b.now.wall.0 = 1000;
    assert_eq!(clock(&mut b), "unsynced", "the box does not know what year it is");
    b.now.wall.0 = wall + 5_000_000;
    assert_eq!(clock(&mut b), "stepped");
    b.pass(59_999);
    assert_eq!(clock(&mut b), "stepped");
    b.pass(1);
    assert_eq!(clock(&mut b), "synced");
    b.now.wall.0 += 1000;
    assert_eq!(clock(&mut b), "synced", "a second is no step");
    b.engine.set_synced(Some(false));
    assert_eq!(clock(&mut b), "unsynced", "the kernel says so");
    b.engine.set_synced(Some(true));
    assert_eq!(clock(&mut b), "synced");
}

#[test]
fn a_rule_knows_when_it_was_started() {
    let mut b = Bench::new(1);
    b.stream(DEMO);
    b.pass(12_345);
    b.rule("SELECT rule_start() AS s FROM demo");
    let started = b.now.wall.0;
    b.pass(5_000);
    b.push("/d", "{}");
    assert_eq!(b.rows(), [json!({"s": started})]);
}

#[test]
fn overlapping_windows_sum_up_to_the_same() {
    for (window, seed) in [("COUNTWINDOW(50, 1)", 1), ("COUNTWINDOW(50, 7)", 2), ("SLIDINGWINDOW(ss, 5)", 3), ("COUNTWINDOW(9, 2)", 4)] {
        let mut dice = Dice(seed);
        // `collect` cannot be put together from parts: its windows are summed up row by row.
        let list = "avg(v) AS a, min(v) AS mn, max(v) AS mx, stddev(v) AS sd, count(v) AS c, sum(v) AS s, last_value(v, true) AS l, i";
        let mut a = Bench::new(1);
        a.stream(DEMO);
        rule(&mut a, &format!("SELECT {list} FROM demo GROUP BY {window}"), json!({}));
        let mut b = Bench::new(1);
        b.stream(DEMO);
        rule(&mut b, &format!("SELECT {list}, collect(v) AS x FROM demo GROUP BY {window}"), json!({}));
        for i in 0..400 {
            let body = match dice.below(10) {
                0 => json!({"i": i}),
                n => json!({"i": i, "v": n * 17 % 23}),
            };
            let gap = dice.below(300);
            for bench in [&mut a, &mut b] {
                bench.push("/d", &body.to_string());
                bench.pass(gap);
                bench.settle();
            }
            if i % 40 == 39 {
                let mut want = b.rows();
                for row in &mut want {
                    row.as_object_mut().expect("a row").remove("x");
                }
                let got = a.rows();
                assert!(close(&got.clone().into(), &want.clone().into()), "{window} {i}\n got {got:?}\nwant {want:?}");
            }
        }
    }
}

#[test]
fn a_count_window_that_never_fits_is_refused() {
    let mut b = Bench::new(1);
    b.stream(DEMO);
    let json = |count: i64| format!(r#"{{"id":"r1","sql":"SELECT v FROM demo GROUP BY COUNTWINDOW({count})","actions":[{{"nop":{{}}}}]}}"#);
    b.try_rule(&json(5000)).expect("fits");
    let fault = b.try_rule(&json(50_000)).expect_err("does not");
    assert!(fault.message.contains("limits.stateBytes") && fault.code == 2201, "{fault:?}");
}
