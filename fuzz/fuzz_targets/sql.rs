//! Any text parses or errors, and what parses plans or errors, over schemaless and declared streams.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pushgate::sql::lower::lower;
use pushgate::sql::parse::{Statement, statement};
use pushgate::sql::plan::Source;
use pushgate::sql::types::{Column, Type};

fuzz_target!(|text: &str| {
    let Ok(Some(Statement::Select(select))) = statement(text) else { return };
    for columns in [None, Some(vec![Column { name: "a".to_owned(), typ: Type::Float, default: None }])] {
        let source = |name: &str| Source { name: name.to_owned(), alias: name.to_owned(), table: false, lookup: None, columns: columns.clone() };
        let sources = select.sources().map(source).collect();
        if let Ok(plan) = lower(&select, sources, true, &|_| None) {
            assert_eq!(plan.fields.len(), plan.labels.len());
        }
    }
});
