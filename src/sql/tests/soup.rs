//! Any text gives a statement or an error, and any statement a plan or an error: tried with soups of words.

use crate::sql::lower::lower;
use crate::sql::parse::{Statement, statement};
use crate::sql::plan::Source;
use crate::sql::types::{Column, Type};
use proptest::prelude::*;

const WORDS: &[&str] = &[
    "SELECT",
    "a",
    "b",
    "demo",
    "demo2",
    "FROM",
    "WHERE",
    "GROUP",
    "BY",
    "HAVING",
    "ORDER",
    "LIMIT",
    "AS",
    "x",
    "x",
    "*",
    "*",
    ",",
    ",",
    ",",
    "(",
    ")",
    "(",
    ")",
    "[",
    "]",
    ":",
    ".",
    "->",
    "+",
    "-",
    "/",
    "%",
    "&",
    "|",
    "^",
    "=",
    "!=",
    "<",
    ">",
    ">=",
    "AND",
    "OR",
    "NOT",
    "IN",
    "BETWEEN",
    "LIKE",
    "CASE",
    "WHEN",
    "THEN",
    "ELSE",
    "END",
    "INNER",
    "LEFT",
    "JOIN",
    "ON",
    "CROSS",
    "EXCEPT",
    "REPLACE",
    "INVISIBLE",
    "OVER",
    "PARTITION",
    "FILTER",
    "TRUE",
    "ss",
    "mi",
    "1",
    "0",
    "-1",
    "2.5",
    "'s'",
    "\"t%\"",
    "`q`",
    "TUMBLINGWINDOW",
    "COUNTWINDOW",
    "STATEWINDOW",
    "count",
    "avg",
    "lag",
    "abs",
    "concat",
    "unnest",
    "meta",
    "row_number",
    "changed_cols",
    "CREATE",
    "STREAM",
    "TABLE",
    "WITH",
    "BIGINT",
    "ARRAY",
    "STRUCT",
    "DATASOURCE",
    "TYPE",
    "FORMAT",
    "EXTRA",
    "DEFAULT",
    "SHOW",
    "STREAMS",
    "DESCRIBE",
    ";",
    "'",
    "\"",
    "--",
    "/*",
    "*/",
    "\\",
    "é",
    "\0",
    "!",
];

fn soup(start: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(WORDS), 0..40)
        .prop_map(move |words| start.iter().copied().chain(words).collect::<Vec<_>>().join(" "))
}

/// An expression that parses.
fn expression() -> impl Strategy<Value = String> {
    let leaf =
        prop::sample::select(&["a", "b", "x", "demo.a", "c.d", "mi", "1", "-2.5", "'s'", "TRUE", "`q r`"][..]).prop_map(str::to_owned);
    leaf.prop_recursive(5, 40, 3, |inner| {
        let op = prop::sample::select(&["+", "-", "*", "/", "%", "&", "|", "^", "=", "!=", "<", "<=", ">", ">=", "AND", "OR"][..]);
        prop_oneof![
            (inner.clone(), op, inner.clone()).prop_map(|(l, op, r)| format!("({l}) {op} ({r})")),
            (inner.clone(), inner.clone()).prop_map(|(of, at)| format!("({of})[{at}]->k[1:({at})]")),
            (inner.clone(), inner.clone(), inner.clone()).prop_map(|(of, a, b)| format!("({of}) NOT BETWEEN ({a}) AND ({b})")),
            (inner.clone(), inner.clone(), inner.clone()).prop_map(|(of, a, b)| format!("({of}) IN ({a}, {b})")),
            (inner.clone(), inner.clone()).prop_map(|(of, a)| format!("({of}) NOT IN a AND ({of}) LIKE ({a})")),
            (inner.clone(), inner.clone(), inner).prop_map(|(of, a, b)| format!("CASE {of} WHEN {a} THEN {b} ELSE {of} END")),
        ]
    })
}

fn source(name: &str, declared: bool) -> Source {
    let columns = ["a", "b", "x"].map(|name| Column { name: name.to_owned(), typ: Type::Float, default: None });
    Source { name: name.to_owned(), alias: name.to_owned(), table: false, lookup: None, columns: declared.then(|| columns.to_vec()) }
}

fn swallow(text: &str) {
    let Ok(Some(Statement::Select(select))) = statement(text) else { return };
    for declared in [false, true] {
        let sources: Vec<Source> = select.sources().map(|name| source(name, declared)).collect();
        if let Ok(plan) = lower(&select, sources, true, &|_| None) {
            assert_eq!(plan.fields.len(), plan.labels.len());
            let explained = crate::sql::explain::explain(&select, &plan, declared, true);
            assert!(explained.is_ok_and(|text| text.contains("ProjectPlan")));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn words_in_any_order(text in soup(&[])) {
        swallow(&text);
    }

    #[test]
    fn a_select_list(text in soup(&["SELECT"])) {
        swallow(&text);
        swallow(&format!("{text} FROM demo"));
    }

    #[test]
    fn clauses(text in soup(&["SELECT", "a", "AS", "x", ",", "b", "FROM", "demo"])) {
        swallow(&text);
    }

    #[test]
    fn whole_statements(a in expression(), b in expression(), c in expression(), d in expression()) {
        let sql = format!(
            "SELECT {a} AS x, {b}, *, {c} AS y INVISIBLE FROM demo WHERE {d} \
             GROUP BY HOPPINGWINDOW(ss, 2, 1) FILTER (WHERE {b}) OVER (WHEN {c} PARTITION BY {a}), {d} ORDER BY x DESC, b LIMIT 3"
        );
        prop_assert!(crate::sql::parse::select(&sql).is_ok(), "{sql}");
        swallow(&sql);
        swallow(&format!("SELECT {a} FROM demo LEFT JOIN demo2 ON {b} GROUP BY COUNTWINDOW(3) HAVING {c}"));
    }

    #[test]
    fn any_text(text in ".{0,200}") {
        swallow(&text);
        swallow(&format!("SELECT {text} FROM demo"));
    }
}
