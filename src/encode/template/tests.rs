//! What Go's `text/template` with sprig v3.3.0 made of `cases.jsonl`, and properties.
//!
//! A line: `t` the template, `d` the message (else [`DATA`]), `w` what is wanted, or `e` Go's error.

use core::cell::Cell;

use super::*;
use crate::value::Numbers;

/// The message of cases without one.
const DATA: &str = include_str!("data.json");

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
    }
    assert!(faults.is_empty(), "{} differ\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn errors_read_as_go_writes_them() {
    for (template, want) in [
        (
            "{{lt .id 30}}",
            "template: sink:1:2: executing \"sink\" at <lt .id 30>: error calling lt: incompatible types for comparison: float64 and int",
        ),
        ("a\n {{upper .id}}", "template: sink:2:9: executing \"sink\" at <.id>: wrong type for value; expected string; got float64"),
        ("{{template \"x\"}}", "template: sink:1:11: executing \"sink\" at <\"x\">: template \"x\" not defined"),
        ("{{env \"HOME\"}}", "parse: template: sink:1: function \"env\" is not supported: templates do not see the environment (column 3)"),
        ("{{genCA}}", "parse: template: sink:1: function \"genCA\" is not supported: templates make no keys or password hashes (column 3)"),
        ("\n  {{.a | nope}}", "parse: template: sink:2: function \"nope\" not defined (column 10)"),
    ] {
        assert_eq!(render(template, DATA), Err(want.to_owned()));
    }
}

#[test]
fn bounds_are_faults() {
    for (template, word) in [
        ("{{range until 1000000}}x{{end}}", "working memory"),
        ("{{range 9000000000000000000}}{{end}}", "step limit"),
        ("{{range 100}}{{range 100}}{{range 100}}{{end}}{{end}}{{end}}", "step limit"),
        ("{{repeat 1000000000000 \"x\"}}", "working memory"),
        ("{{indent 99999999999 \"x\"}}", "working memory"),
        ("{{printf \"%999999999d\" 1}}", "working memory"),
        ("{{define \"r\"}}{{template \"r\" .}}{{end}}{{template \"r\" .}}", "maximum template depth"),
        (
            "{{define \"r\"}}{{if true}}{{if true}}{{if true}}{{if true}}{{if true}}{{template \"r\" .}}{{end}}{{end}}{{end}}{{end}}{{end}}{{end}}{{template \"r\" .}}",
            "nested too deep",
        ),
        ("{{$d := dict}}{{range 100}}{{$_ := set $d \"a\" 1}}{{end}}", "changes dicts"),
        ("{{range seq 1 100000 | splitList \" \"}}{{end}}", "step limit"),
    ] {
        let why = render(template, DATA).expect_err(template);
        assert!(why.contains(word), "{template}: {why}");
    }
    assert!(render_with("{{.}}", DATA, 20_000, 100).is_err_and(|e| e.contains("working memory")));
    let deep = format!("{}{}", "{{if true}}".repeat(70), "{{end}}".repeat(70));
    assert!(render(&deep, DATA).is_err_and(|e| e.contains("EXPR_DEPTH")));
    assert!(render(&format!("{{{{{}1{}}}}}", "(".repeat(70), ")".repeat(70)), DATA).is_err_and(|e| e.contains("depth")));
    assert!(render(&format!("{{{{list {}}}}}", "1 ".repeat(65)), DATA).is_err_and(|e| e.contains("too many arguments")));
    assert!(render(&"{{$x := 1}}".repeat(40), DATA).is_err_and(|e| e.contains("too many variables")));
    assert!(Template::parse(&"x".repeat(Template::TEXT_BYTES + 1)).is_err());
}

#[test]
fn chance_and_clock() {
    for (template, pattern) in [
        ("{{uuidv4}}", "^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"),
        ("{{randAlphaNum 12}}", "^[A-Za-z0-9]{12}$"),
        ("{{randAlpha 5}}{{randNumeric 3}}", "^[A-Za-z]{5}[0-9]{3}$"),
        ("{{randAscii 9}}", "^[ -~]{9}$"),
        ("{{randInt 3 5}}", "^[34]$"),
        ("{{randBytes 16}}", "^[A-Za-z0-9+/]{22}==$"),
        ("{{shuffle \"aé\"}}", "^(aé|éa)$"),
        ("{{now | date \"2006-01-02 15:04\"}} {{now.Unix}} {{now.UnixMilli}}", "^2023-11-14 22:13 1700000000 1700000000000$"),
        ("{{ago (now)}} {{ago 1699999999}} {{date \"2006\" .ms}}", "^0s 1s 2023$"),
        ("{{(now.Sub (now | dateModify \"-90m\")).Hours}} {{now.Weekday}} {{now.Before now}}", "^1.5 Tuesday false$"),
    ] {
        let got = render(template, DATA).expect(template);
        assert!(regex_lite::Regex::new(pattern).expect("a pattern").is_match(&got), "{template}: {got}");
    }
}

/// Operands that have gone wrong somewhere before.
const OPERANDS: &[&str] = &[
    "0",
    "-1",
    "3",
    "9223372036854775807",
    "-9223372036854775808",
    "1.5",
    "1e308",
    "\"\"",
    "\"aé b\"",
    "\"%*d %[9]v\"",
    "\"(\"",
    "\"1.2.3\"",
    "\"-1h\"",
    "\"2006\"",
    "true",
    "nil",
    ".arr",
    ".obj",
    ".name",
    ".nul",
    ".missing",
    ".empty",
    ".vals",
    ".esc",
    "(list 1 (list))",
    "(dict \"a\" (dict))",
    "(now)",
    "(semver \"1.2.3\")",
    "(until 3)",
    "(split \",\" .csv)",
];

proptest::proptest! {
    #[test]
    fn any_call_gives_text_or_a_fault(function in 0_usize..300, operands in proptest::collection::vec(0..OPERANDS.len(), 0..5), piped: bool) {
        let names: Vec<_> = func::names().collect();
        let mut template = format!("{{{{{}", names[function % names.len()]);
        for (i, operand) in operands.iter().enumerate() {
            if piped && i + 1 == operands.len() {
                template = format!("{{{{{} | {}", OPERANDS[*operand], &template[2..]);
            } else {
                template = format!("{template} {}", OPERANDS[*operand]);
            }
        }
        let _ = render(&format!("{template}}}}}"), DATA);
    }

    #[test]
    fn any_text_parses_or_errs(text in "(\\{\\{|\\}\\}|[ -~]|\n|é|-|\\(|\\)|\\||\"|`|'|\\$|\\.|if|end|else|range|with|define|template|block|break|:=|,){0,40}") {
        if let Ok(template) = Template::parse(&text) {
            let _ = render(template.text(), DATA);
        }
    }

    #[test]
    fn any_tokens_render_or_fault(words in proptest::collection::vec(0_usize..24, 0..30), data in "[ -~é]{0,8}") {
        const WORDS: [&str; 24] = [
            "{{", "}}", "if .ok", "range .vals", "range $i, $v := .arr", "else", "end", "with .obj", "$", ".", ".t", "$v", "printf \"%v\" .", "|", "json", "(", ")", "len .", "{{end}}",
            "{{.s}}", "{{if .e}}", "{{range 2}}", "{{break}}", "{{$x := .obj}}",
        ];
        let text: String = words.iter().map(|w| format!("{} ", WORDS[*w])).collect();
        let data = serde_json::json!({"s": data, "ok": true, "e": "", "arr": [1, null, data], "obj": {"t": data}, "vals": [{"t": 1}]}).to_string();
        let _ = render(&text, &data);
    }
}
