//! Every statement of the recorded SQL cases, parsed and planned: what eKuiper takes is taken, what it refuses is refused.

use crate::sql::ddl::Create;
use crate::sql::lower::lower;
use crate::sql::parse::{self, Statement};
use crate::sql::plan::{Plan, Source};
use serde_json::Value;

const CASES: &str = include_str!("../../../tests/data/cases/sql-sample.jsonl");

fn create(sql: &str) -> Result<Create, String> {
    match parse::statement(sql) {
        Ok(Some(Statement::Create(create))) => Ok(create),
        Ok(_) => Err(format!("no CREATE: {sql}")),
        Err(e) => Err(e.to_string()),
    }
}

fn plan(creates: &[Create], sql: &str) -> Result<Plan, String> {
    let select = parse::select(sql).map_err(|e| e.to_string())?;
    let mut sources = Vec::new();
    for name in select.sources() {
        let found = creates.iter().find(|c| c.name == name).ok_or_else(|| format!("fail to get stream {name}"))?;
        let columns = (!found.columns.is_empty()).then(|| found.columns.clone());
        sources.push(Source { name: name.to_owned(), alias: name.to_owned(), table: found.table, lookup: None, columns });
    }
    lower(&select, sources, true, &|_| None).map_err(|e| e.to_string())
}

#[test]
fn recorded_cases_plan_as_recorded() {
    let mut faults = Vec::new();
    let mut count = 0;
    for line in CASES.lines().filter(|l| !l.trim().is_empty()) {
        let case: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        let text = |key: &str| case.get(key).and_then(Value::as_str).unwrap_or("").to_owned();
        let ddl: Vec<String> = case["ddl"].as_array().into_iter().flatten().filter_map(|d| d.as_str().map(str::to_owned)).collect();
        let creates: Result<Vec<Create>, String> = ddl.iter().map(|d| create(d)).collect();
        let sql = text("sql");
        let outcome = match creates {
            Err(e) => Err(e),
            Ok(_) if sql.is_empty() => Ok(()),
            Ok(creates) => plan(&creates, &sql).map(|_| ()),
        };
        let wanted = text("kind") != "parse_error";
        if outcome.is_ok() != wanted {
            faults.push(format!("{}: {sql}: {outcome:?}", text("id")));
        }
        count += 1;
    }
    assert!(count > 100);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
