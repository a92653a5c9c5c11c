//! `tests/facts.md` says of each fact about eKuiper which test shows it: those tests exist, and every test of `tests/e2e/facts.rs` is
//! named there.

use std::fs;

fn read(name: &str) -> String {
    fs::read_to_string(format!("{}/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// File and function of each line's test.
fn named() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for line in read("tests/facts.md").lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        if cells.first() == Some(&"fact") {
            continue;
        }
        let test = cells.last().and_then(|cell| cell.trim().split_once("::"));
        let (file, function) = test.unwrap_or_else(|| panic!("no test: {line}"));
        found.push((file.to_owned(), function.to_owned()));
    }
    found
}

#[test]
fn every_fact_has_a_test_that_exists() {
    let named = named();
    assert!(named.len() > 60, "{} facts", named.len());
    for (file, function) in named {
        let text = read(&file);
        let at = text.find(&format!("fn {function}(")).unwrap_or_else(|| panic!("{file} has no {function}"));
        let before = text[..at].trim_end();
        assert!(before.ends_with("#[test]"), "{file}: {function} is no test");
    }
}

#[test]
fn every_test_of_facts_is_named() {
    let named = named();
    for test in read("tests/e2e/facts.rs").split("#[test]").skip(1) {
        let function = test.split("fn ").nth(1).and_then(|rest| rest.split('(').next()).expect("a function");
        assert!(named.iter().any(|(_, name)| name == function), "{function} is in no line of tests/facts.md");
    }
}
