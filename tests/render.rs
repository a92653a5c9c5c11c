//! Templates, formats and decoders allocate nothing per message: every recorded template case is rendered under a counting allocator.

use std::cell::Cell;

use pushgate::decode::{Shape, decode_row};
use pushgate::encode::template::{Template, TemplateEnv};
use pushgate::encode::{Encoding, Format};
use pushgate::json::write::Out;
use pushgate::sql::types::{Column, Type};
use pushgate::time::{Now, Zone};
use pushgate::value::{Numbers, Scratch, Value};

#[path = "common/counting.rs"]
mod counting;

#[global_allocator]
static ALLOCATOR: counting::Counting = counting::Counting;

#[test]
fn rendering_allocates_nothing() {
    let (zone, rng, fuel) = (Zone::utc(), Cell::new(7), Cell::new(0));
    let env = TemplateEnv { now: Now::default(), zone: &zone, rng: &rng, fuel: &fuel };
    let message = include_str!("../src/encode/template/data.json");
    let mut rendered = 0;
    let mut faults = Vec::new();
    for line in include_str!("../src/encode/template/cases.jsonl").lines() {
        let case: serde_json::Value = serde_json::from_str(line).expect("a case");
        let text = case["t"].as_str().expect("t");
        let data = if case["d"].is_null() { message.to_owned() } else { case["d"].to_string() };
        let Ok(template) = Template::parse(text) else { continue };
        // Matching a regular expression is the one thing that does.
        if text.contains("regex") {
            continue;
        }
        let (mut memory, mut buf) = (vec![0; 1 << 18], vec![0; 1 << 16]);
        let scratch = Scratch::new(&mut memory);
        let mut out = Out::new(&mut buf);
        fuel.set(20_000);
        let allocations = counting::counted(|| {
            // A fault is as good as a text here.
            let _ = template.render(Value::Json(Numbers::Float, &data), &env, &mut out, &scratch);
        });
        if allocations > 0 {
            faults.push(format!("{allocations} in {text}"));
        }
        rendered += 1;
    }
    assert!(faults.is_empty(), "allocations:\n{}", faults.join("\n"));
    assert!(rendered > 100, "{rendered} cases");
}

#[test]
fn formats_allocate_nothing() {
    let message = r#"[{"b":1.5,"a":"x\ny","l":[1,2]},{"a":null}]"#;
    for (format, message) in [
        (Format::Json, message),
        (Format::Delimited, message),
        (Format::Delimited, r#"{"a":1,"b":"x"}"#),
        (Format::Urlencoded, r#"{"a":[1,2],"b":"x y"}"#),
        (Format::Binary, r#"{"self":"aGk="}"#),
    ] {
        let mut encoding = Encoding::new(format, ";", true, &[]);
        let (mut memory, mut buf) = (vec![0; 1 << 14], vec![0; 1 << 12]);
        let scratch = Scratch::new(&mut memory);
        let mut out = Out::new(&mut buf);
        let allocations = counting::counted(|| {
            encoding.encode(Value::Json(Numbers::Float, message), &mut out, &scratch).expect("room");
        });
        assert_eq!(allocations, 0, "{format:?}");
    }
}

#[test]
fn decoding_allocates_nothing() {
    let columns = [
        Column { name: "a".into(), typ: Type::Array(Box::new(Type::String)), default: None },
        Column { name: "b".into(), typ: Type::Bytea, default: None },
    ];
    let shapes: Vec<_> = [Format::Urlencoded, Format::Delimited, Format::Binary].map(|f| Shape::new(f, "", Vec::new(), None)).into();
    let mut memory = vec![0; 1 << 14];
    let scratch = Scratch::new(&mut memory);
    let allocations = counting::counted(|| {
        for shape in &shapes {
            shape.pack(b"a=1&b=x%20y&a=2,3", &mut scratch.pack(), &scratch).expect("room");
        }
        let row = r#"{"a":[1,"\u0062"],"b":"aGk=","c":null}"#;
        decode_row(row, &columns, |_| false, Numbers::Float, &scratch).map(drop).expect("room");
    });
    assert_eq!(allocations, 0);
}
