//! Any plan on any events runs to its end without a panic: statements made of every function, operator, window and join there is, over
//! events of every kind of value, with little memory. Seeded; `SOUP_SEEDS` takes more of them. A failure prints statement and events,
//! which make a seed for the fuzz target `eval`.

use core::time::Duration;
use std::panic::{AssertUnwindSafe, catch_unwind};

use pushgate::config::{Config, Input};
use pushgate::query::{Ask, Printer, Query};
use pushgate::sql::func::{FAMILIES, Func, Kind};
use pushgate::time::{Instant, Now, Timestamp, Zone};

/// xorshift64*.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        usize::try_from((self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % n as u64).expect("small")
    }

    fn of<'w>(&mut self, words: &[&'w str]) -> &'w str {
        words[self.below(words.len())]
    }
}

const LITERALS: &[&str] = &[
    "0",
    "1",
    "-1",
    "3",
    "9223372036854775807",
    "1.5",
    "-0.0",
    "1e308",
    "''",
    "'a'",
    "'é, ß'",
    "'$.x[0].y'",
    "'[0-9]+('",
    "'%d'",
    "'2026-11-24 10:00:00'",
    "'yyyy-MM-dd'",
    "'UTC'",
    "TRUE",
    "FALSE",
    "'md5'",
    "'gzip'",
    "'{\"a\":[1,null]}'",
];
const VALUES: &[&str] = &[
    "null",
    "true",
    "false",
    "0",
    "-1",
    "7.25",
    "1e300",
    "-1e-300",
    "123456789012345678901234567890",
    "\"\"",
    "\"a\"",
    "\"1\"",
    "\"2026-11-24T10:00:00Z\"",
    "\"\\u0000\\ud83d\\ude00\"",
    "[]",
    "{}",
    "[1,2,3]",
    "[null,\"x\",{\"y\":1}]",
    "[[1],[2,[3]]]",
    "{\"x\":{\"y\":[1,{\"z\":null}]}}",
    "{\"a\":1,\"a\":2}",
    "\"$.x\"",
    "\"aGVsbG8=\"",
    "1700000000000",
    "99999999999999",
];
const COLUMNS: &[&str] =
    &["a", "b", "c", "d", "ts", "demo.a", "a->x", "c[0]", "c[-1]", "c[0:2]", "c[1:]", "d->x->y[0]", "nothing", "meta(path)"];
const OPERATORS: &[&str] = &["+", "-", "*", "/", "%", "&", "|", "^", "=", "!=", "<", "<=", ">", ">=", "AND", "OR"];
const WINDOWS: &[&str] = &[
    "TUMBLINGWINDOW(ss, 2)",
    "HOPPINGWINDOW(ss, 4, 2)",
    "SLIDINGWINDOW(ss, 2)",
    "SLIDINGWINDOW(ss, 2, 1)",
    "SESSIONWINDOW(ss, 10, 2)",
    "COUNTWINDOW(3)",
    "COUNTWINDOW(4, 1)",
    "STATEWINDOW(a > 1, a < 0)",
    "STATEWINDOW(b)",
    "STATEWINDOW(a) OVER (PARTITION BY b)",
    "SLIDINGWINDOW(ss, 3) OVER (WHEN a > 0)",
    "COUNTWINDOW(2) FILTER (WHERE a > 0)",
];

fn functions(kinds: &[Kind]) -> Vec<&'static Func> {
    FAMILIES.iter().flat_map(|(_, funcs)| *funcs).filter(|f| kinds.contains(&f.kind)).collect()
}

struct Cook {
    dice: Dice,
    plain: Vec<&'static Func>,
    grouped: Vec<&'static Func>,
}

impl Cook {
    fn new(seed: u64) -> Self {
        let plain = functions(&[Kind::Scalar, Kind::Analytic]);
        Self { dice: Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1), plain, grouped: functions(&[Kind::Aggregate]) }
    }

    fn call(&mut self, func: &Func, depth: usize) -> String {
        // A fitting example half of the time: random arguments are mostly refused.
        if self.dice.below(3) == 0 && !func.example.is_empty() {
            return func.example.to_owned();
        }
        let most = func.args.max.min(func.args.min + 2);
        let count = func.args.min + self.dice.below(most - func.args.min + 1);
        let args: Vec<String> = (0..count).map(|_| self.expr(depth + 1)).collect();
        let over = match self.dice.below(6) {
            0 if func.kind == Kind::Analytic => " OVER (PARTITION BY b WHEN a > 0)",
            _ => "",
        };
        format!("{}({}){over}", func.name, args.join(", "))
    }

    fn expr(&mut self, depth: usize) -> String {
        let kind = if depth > 3 { self.dice.below(4) } else { self.dice.below(12) };
        match kind {
            0 | 1 => self.dice.of(COLUMNS).to_owned(),
            2 | 3 => self.dice.of(LITERALS).to_owned(),
            4 => {
                let op = self.dice.of(OPERATORS);
                format!("({} {op} {})", self.expr(depth + 1), self.expr(depth + 1))
            }
            5 => format!("CASE WHEN {} THEN {} ELSE {} END", self.expr(depth + 1), self.expr(depth + 1), self.expr(depth + 1)),
            6 => match self.dice.below(4) {
                0 => format!("{} IN ({}, {})", self.expr(depth + 1), self.expr(depth + 1), self.expr(depth + 1)),
                1 => format!("{} NOT IN {}", self.expr(depth + 1), self.expr(depth + 1)),
                2 => format!("{} BETWEEN {} AND {}", self.expr(depth + 1), self.expr(depth + 1), self.expr(depth + 1)),
                _ => format!("{} LIKE {}", self.expr(depth + 1), self.expr(depth + 1)),
            },
            7 => {
                let func = self.grouped[self.dice.below(self.grouped.len())];
                self.call(func, depth)
            }
            _ => {
                let func = self.plain[self.dice.below(self.plain.len())];
                self.call(func, depth)
            }
        }
    }

    fn statement(&mut self) -> String {
        let mut fields: Vec<String> = (0..1 + self.dice.below(3)).map(|i| format!("{} AS f{i}", self.expr(0))).collect();
        match self.dice.below(10) {
            0 => fields.push("*".into()),
            1 => fields.push("* EXCEPT(a) REPLACE(b + 1 AS c)".into()),
            2 => fields.push("unnest(c)".into()),
            3 => fields.push("changed_cols(\"n_\", TRUE, a, b)".into()),
            4 => fields.push("row_number() AS n".into()),
            _ => {}
        }
        let mut sql = format!("SELECT {} FROM demo", fields.join(", "));
        let windowed = self.dice.below(3) > 0;
        if windowed && self.dice.below(5) == 0 {
            let kind = self.dice.of(&["INNER", "LEFT", "RIGHT", "FULL"]);
            sql.push_str(&format!(" {kind} JOIN other ON demo.a = other.a"));
        }
        if self.dice.below(3) == 0 {
            sql.push_str(&format!(" WHERE {}", self.expr(1)));
        }
        if windowed {
            let mut keys = vec![self.dice.of(WINDOWS).to_owned()];
            (0..self.dice.below(3)).for_each(|_| keys.push(self.dice.of(COLUMNS).to_owned()));
            sql.push_str(&format!(" GROUP BY {}", keys.join(", ")));
            if self.dice.below(4) == 0 {
                sql.push_str(&format!(" HAVING {}", self.expr(1)));
            }
        }
        if self.dice.below(5) == 0 {
            sql.push_str(&format!(" ORDER BY {} DESC", self.dice.of(&["a", "b", "f0"])));
        }
        if self.dice.below(8) == 0 {
            sql.push_str(&format!(" LIMIT {}", self.dice.below(3)));
        }
        sql
    }

    fn event(&mut self, i: usize) -> String {
        let mut members = vec![format!("\"ts\":{}", 1_700_000_000_000_usize + 600 * i - 1000 * self.dice.below(2))];
        for name in ["a", "b", "c", "d", "demo", "x"] {
            if self.dice.below(4) > 0 {
                let value = if self.dice.below(2) == 0 { self.dice.below(5).to_string() } else { self.dice.of(VALUES).to_owned() };
                members.push(format!("\"{name}\":{value}"));
            }
        }
        let object = format!("{{{}}}", members.join(","));
        if self.dice.below(8) == 0 { format!("[{object},{object}]") } else { object }
    }
}

struct Seen(u64);

impl Printer for Seen {
    fn row(&mut self, payload: &[u8]) {
        self.0 += 1;
        assert!(serde_json::from_slice::<serde_json::Value>(payload).is_ok(), "{}", String::from_utf8_lossy(payload));
    }

    fn fault(&mut self, step: &str, text: &str) {
        assert!(!step.is_empty() && !text.is_empty());
    }
}

#[test]
fn any_plan_on_any_events() {
    let seeds = std::env::var("SOUP_SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(1500_u64);
    let first = std::env::var("SOUP_FIRST").ok().and_then(|n| n.parse().ok()).unwrap_or(1_u64);
    let mut config = Config::load(&Input { main: None, sources: &[], env: &[] }).expect("defaults");
    config.limits.state_bytes = 16_384;
    config.limits.scratch_bytes = 65_536;
    config.limits.group_count = 16;
    let (mut planned, mut rows) = (0_u64, 0_u64);
    for seed in first..first + seeds {
        let mut cook = Cook::new(seed);
        let sql = cook.statement();
        let events: Vec<String> = (0..12).map(|i| cook.event(i)).collect();
        let policy = cook.dice.of(&["{}", r#"{"windowFull":"drop_oldest"}"#, r#"{"groupFull":"emit_early","sendNilField":true}"#]);
        let event_time = (cook.dice.below(3) == 0).then_some("ts");
        let ran = catch_unwind(AssertUnwindSafe(|| {
            let options = serde_json::from_str(policy).expect("an object");
            let ask = Ask { sql: &sql, event_time, every: Duration::from_millis(700), options, ..Ask::default() };
            let now = Now { mono: Instant(1), wall: Timestamp(1_700_000_000_000) };
            let Ok(mut query) = Query::new(&ask, &config, &Zone::utc(), &|_| None, now) else { return None };
            let mut seen = Seen(0);
            let sources = query.sources().count();
            for (i, event) in events.iter().enumerate() {
                query.event(i % sources, event.as_bytes(), &mut seen).unwrap_or_else(|refused| panic!("{event}: {refused}"));
            }
            query.finish(&mut seen);
            Some(seen.0)
        }));
        match ran {
            Ok(Some(seen)) => {
                planned += 1;
                rows += seen;
            }
            Ok(None) => {}
            Err(_) => panic!("seed {seed}, {policy}, event time {event_time:?}:\n{sql}\n{}", events.join("\n")),
        }
    }
    eprintln!("{planned} of {seeds} statements planned, {rows} payloads");
    assert!(planned * 5 > seeds, "only {planned} of {seeds} statements planned: the soup is too thin");
    assert!(rows > planned, "{rows} payloads of {planned} statements");
}
