//! What Go's `text/template` with sprig v3.3.0 made of `cases.jsonl`, and properties.
//!
//! A line: `t` the template, `d` the message (else [`DATA`]), `w` what is wanted, or `e` Go's error.

use core::cell::Cell;

use super::*;
use crate::value::Numbers;

/// The message of cases without one.
const DATA: &str = r#"{"id": 7, "name": "Al \"pha\" <b>&é", "temp": 21.5, "neg": -3, "big": 1234567890123, "f0": 30.0, "exp": 1.5e+300, "small": 1e-07, "ok": true, "nul": null, "arr": [1, 2.5, "x", null], "obj": {"b": 1, "a": {"z": [1]}}, "vals": [{"t": 10.5}, {"t": 20.3}, {"t": 30.3}], "s": "  pad  ", "csv": "a,b,c", "e": "", "date": "2024-03-05T06:07:08Z", "ms": 1700000000000, "words": "the Quick brown-fox HTTPServer2x", "esc": ["a\n\"b\"", "\u00e9"], "nums":[3,1,2], "zero":0, "no":false, "empty":[], "em":{}}"#;

/// What a template makes of a message, with all bounds as small as a rule's.
fn render(template: &str, data: &str) -> Result<String, String> {
    render_with(template, data, 20_000, 1 << 16)
}

fn render_with(template: &str, data: &str, steps: u32, out_bytes: usize) -> Result<String, String> {
    let template = Template::parse(template).map_err(|e| format!("parse: {e}"))?;
    let (mut memory, mut buf) = (vec![0; 1 << 18], vec![0; out_bytes]);
    let scratch = Scratch::new(&mut memory);
    let (zone, rng, fuel) = (Zone::utc(), Cell::new(7), Cell::new(steps));
    let env =
        TemplateEnv { now: Now { wall: crate::time::Timestamp(1_700_000_000_000), ..Now::default() }, zone: &zone, rng: &rng, fuel: &fuel };
    let mut out = Out::new(&mut buf);
    match template.render(Value::Json(Numbers::Float, data), &env, &mut out, &scratch) {
        Ok(()) => Ok(String::from_utf8_lossy(out.written()).into_owned()),
        Err(fault) => Err(fault.text.to_owned()),
    }
}

#[test]
fn as_go_renders() {
    let mut faults = Vec::new();
    for line in include_str!("cases.jsonl").lines() {
        let case: serde_json::Value = serde_json::from_str(line).expect("a case");
        let template = case["t"].as_str().expect("t");
        let data = if case["d"].is_null() { DATA.to_owned() } else { case["d"].to_string() };
        let got = render(template, &data);
        match (&got, case["w"].as_str(), case["e"].as_str()) {
            (Ok(got), Some(want), _) if got == want => {}
            (Err(_), None, Some(_)) => {}
            _ => faults.push(format!("{template}\n   got {got:?}\n  want {:?}", case["w"].as_str().or(case["e"].as_str()))),
        }
        if let (Err(got), Some(want)) = (&got, case["e"].as_str())
            && std::env::var_os("SHOW").is_some()
            && got != want
        {
            eprintln!("- {got}\n+ {want}");
        }
    }
    assert!(faults.is_empty(), "{} differ\n{}", faults.len(), faults.join("\n"));
}
