//! One JSON column by its declared type, with the conversions and refusals of eKuiper's decoder (facts §1.7).
//!
//! | declared | number | string | true/false | object | array |
//! |---|---|---|---|---|---|
//! | nothing | by [`Numbers`] | text | bool | raw | raw |
//! | bigint | int64 in plain digits | - | - | - | - |
//! | float | float64 | - | - | - | - |
//! | datetime | float64 | text | - | - | - |
//! | string | Go's `%v` of the float64 | text | - | - | - |
//! | bytea | - | base64, else its octets | - | - | - |
//! | boolean | not 0 | as Go's ParseBool | bool | - | - |
//! | struct | - | - | - | its declared members, nulls | - |
//! | array | - | - | - | - | each element by the inner type |
//!
//! `-` is `<column> has wrong type:<what came>, expect:<declared>`; null is null everywhere.

use super::base64;
use crate::json::scan;
use crate::sql::types::{Column, Type};
use crate::value::packed::Encoder;
use crate::value::{Eval, Fault, Numbers, Scratch, Value, key_is, text, whole_number};

/// The value of column `name`, given as it stands in a checked JSON text.
///
/// # Errors
/// A value that the type does not take, in eKuiper's words; [`Fault::FULL`].
pub fn decode_column<'a>(name: &str, raw: &'a str, typ: Option<&Type>, numbers: Numbers, scratch: &Scratch<'a>) -> Eval<'a> {
    let Some(typ) = typ else { return Value::from_json(raw, numbers, scratch) };
    if !matches!(typ, Type::Array(_) | Type::Struct(_)) || raw.starts_with('n') {
        return scalar(name, raw, typ, scratch);
    }
    let mut writer = scratch.pack();
    write(name, raw, typ, numbers, &mut writer, scratch)?;
    writer.finish().map(Value::Packed)
}

/// The columns of a row that `SELECT *` shows: the declared ones that came, but for those that are `left_out`, and every null.
///
/// # Errors
/// As [`decode_column`].
pub fn decode_row<'a>(
    raw: &'a str,
    columns: &[Column],
    left_out: impl Fn(&Column) -> bool,
    numbers: Numbers,
    scratch: &Scratch<'a>,
) -> Eval<'a> {
    let mut writer = scratch.pack();
    members(raw, columns, left_out, numbers, &mut writer, scratch)?;
    writer.finish().map(Value::Packed)
}

fn write<'a>(
    name: &str,
    raw: &'a str,
    typ: &Type,
    numbers: Numbers,
    into: &mut Encoder<'_>,
    scratch: &Scratch<'a>,
) -> Result<(), Fault<'a>> {
    match (typ, raw.as_bytes().first()) {
        (Type::Array(inner), Some(b'[')) => {
            into.begin_list()?;
            for element in scan::elements(raw) {
                write("array", element, inner, numbers, into, scratch)?;
            }
            into.end()
        }
        (Type::Struct(columns), Some(b'{')) => members(raw, columns, |_| false, numbers, into, scratch),
        _ => into.value(scalar(name, raw, typ, scratch)?),
    }
}

fn members<'a>(
    raw: &'a str,
    columns: &[Column],
    left_out: impl Fn(&Column) -> bool,
    numbers: Numbers,
    into: &mut Encoder<'_>,
    scratch: &Scratch<'a>,
) -> Result<(), Fault<'a>> {
    into.begin_object()?;
    for (key, value) in scan::members(raw) {
        match columns.iter().find(|c| key_is(key, &c.name)) {
            Some(column) if left_out(column) => {}
            Some(column) => {
                into.json_key(key)?;
                write(&column.name, value, &column.typ, numbers, into, scratch)?;
            }
            None if value.starts_with('n') => {
                into.json_key(key)?;
                into.value(Value::Null)?;
            }
            None => {}
        }
    }
    into.end()
}

fn scalar<'a>(name: &str, raw: &'a str, typ: &Type, scratch: &Scratch<'a>) -> Eval<'a> {
    let float = || raw.parse().unwrap_or(f64::NAN);
    let kind = match raw.as_bytes().first() {
        Some(b'n') | None => return Ok(Value::Null),
        Some(b'{') => "object",
        Some(b'[') => "array",
        Some(b't') if *typ == Type::Boolean => return Ok(Value::Bool(true)),
        Some(b'f') if *typ == Type::Boolean => return Ok(Value::Bool(false)),
        Some(b't') => "true",
        Some(b'f') => "false",
        Some(b'"') => match typ {
            Type::String | Type::Datetime => return Value::from_json(raw, Numbers::Float, scratch),
            Type::Bytea => return bytes(raw, scratch),
            Type::Boolean => return boolean(raw, scratch),
            _ => "string",
        },
        _ => match typ {
            Type::Bigint => return whole_number(raw, scratch),
            Type::Float | Type::Datetime => return Ok(Value::Float(float())),
            Type::String => return text::go_text(Value::Float(float()), scratch).map(Value::Str),
            Type::Boolean => return Ok(Value::Bool(float() != 0.0)),
            _ => "number",
        },
    };
    Err(scratch.fault(format_args!("{name} has wrong type:{kind}, expect:{}", typ.name())))
}

fn bytes<'a>(raw: &'a str, scratch: &Scratch<'a>) -> Eval<'a> {
    match Value::from_json(raw, Numbers::Float, scratch)? {
        Value::Str(text) => octets(text, scratch).map(Value::Bytes),
        other => Ok(other),
    }
}

/// What a text stands for in a bytea column: base64 if it is that, else its own octets.
pub(crate) fn octets<'a>(text: &'a str, scratch: &Scratch<'a>) -> Result<&'a [u8], Fault<'a>> {
    let place = scratch.alloc(text.len() / 4 * 3 + 3)?;
    Ok(match base64::decode(text.as_bytes(), place) {
        Ok(len) => &place[..len],
        Err(_) => text.as_bytes(),
    })
}

fn boolean<'a>(raw: &'a str, scratch: &Scratch<'a>) -> Eval<'a> {
    match Value::from_json(raw, Numbers::Float, scratch)? {
        Value::Str(text) => match parse_bool(text) {
            Some(b) => Ok(Value::Bool(b)),
            None => Err(scratch.fault(format_args!("strconv.ParseBool: parsing {text:?}: invalid syntax"))),
        },
        other => Ok(other),
    }
}

/// The texts that Go's `strconv.ParseBool` knows.
#[must_use]
pub fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::write::Out;

    fn show(value: Eval<'_>, scratch: &Scratch<'_>) -> String {
        let mut buf = vec![0; 4096];
        let mut out = Out::new(&mut buf);
        let mut copy = vec![0; 8192];
        let other = Scratch::new(&mut copy);
        let _ = scratch;
        match value {
            Err(fault) => fault.text.to_owned(),
            Ok(value) => match text::json(&mut out, value, &other) {
                Ok(()) => String::from_utf8(out.written().to_vec()).expect("utf-8"),
                Err(fault) => fault.text.to_owned(),
            },
        }
    }

    fn decode(raw: &str, typ: &Type) -> String {
        let mut buf = vec![0; 8192];
        let scratch = Scratch::new(&mut buf);
        show(decode_column("a", raw, Some(typ), Numbers::Float, &scratch), &scratch)
    }

    #[test]
    fn columns_by_declared_type() {
        let list = Type::Array(Box::new(Type::Bigint));
        let object = Type::Struct(vec![
            Column { name: "x".into(), typ: Type::Bigint, default: None },
            Column { name: "l".into(), typ: Type::Array(Box::new(Type::String)), default: None },
        ]);
        for (typ, raw, want) in [
            (&Type::Bigint, "5", "5"),
            (&Type::Bigint, "9007199254740993", "9007199254740993"),
            (&Type::Bigint, "1.5", r#"unparsed tail left after parsing int64 form "1.5": ".5""#),
            (&Type::Bigint, "-2.0", r#"unparsed tail left after parsing int64 form "-2.0": ".0""#),
            (&Type::Bigint, "1e3", r#"unparsed tail left after parsing int64 form "1e3": "e3""#),
            (&Type::Bigint, "9223372036854775808", r#"strconv.ParseInt: parsing "9223372036854775808": value out of range"#),
            (&Type::Bigint, r#""12""#, "a has wrong type:string, expect:bigint"),
            (&Type::Bigint, "true", "a has wrong type:true, expect:bigint"),
            (&Type::Bigint, "null", "null"),
            (&Type::Float, "5", "5"),
            (&Type::Float, r#""5""#, "a has wrong type:string, expect:float"),
            (&Type::Float, "[1]", "a has wrong type:array, expect:float"),
            (&Type::String, "5", r#""5""#),
            (&Type::String, "1e20", r#""1e+20""#),
            (&Type::String, "1000.0", r#""1000""#),
            (&Type::String, r#""a\u0062""#, r#""ab""#),
            (&Type::String, "false", "a has wrong type:false, expect:string"),
            (&Type::String, "[1]", "a has wrong type:array, expect:string"),
            (&Type::String, r#"{"k":1}"#, "a has wrong type:object, expect:string"),
            (&Type::Boolean, "0.0", "false"),
            (&Type::Boolean, "-3", "true"),
            (&Type::Boolean, r#""T""#, "true"),
            (&Type::Boolean, r#""yes""#, r#"strconv.ParseBool: parsing "yes": invalid syntax"#),
            (&Type::Boolean, "true", "true"),
            (&Type::Datetime, "1700000000000", "1700000000000"),
            (&Type::Datetime, r#""2024-01-01""#, r#""2024-01-01""#),
            (&Type::Datetime, "true", "a has wrong type:true, expect:datetime"),
            (&Type::Bytea, r#""aGk=""#, r#""aGk=""#),
            (&Type::Bytea, r#""aGl=""#, r#""aGk=""#),
            (&Type::Bytea, r#""hi!""#, r#""aGkh""#),
            (&Type::Bytea, "1", "a has wrong type:number, expect:bytea"),
            (&list, "[1, 2,null]", "[1,2,null]"),
            (&list, "[]", "[]"),
            (&list, "[\"x\"]", "array has wrong type:string, expect:bigint"),
            (&list, "[[1]]", "array has wrong type:array, expect:bigint"),
            (&list, "5", "a has wrong type:number, expect:array"),
            (&list, "true", "a has wrong type:true, expect:array"),
            (&list, "null", "null"),
            (&object, r#"{"x":1,"y":2,"z":null,"l":[1,"b"]}"#, r#"{"l":["1","b"],"x":1,"z":null}"#),
            (&object, r#"{"x":"s"}"#, "x has wrong type:string, expect:bigint"),
            (&object, "[]", "a has wrong type:array, expect:struct"),
        ] {
            assert_eq!(decode(raw, typ), want, "{raw} as {}", typ.name());
        }
    }

    #[test]
    fn undeclared_columns_stay_raw() {
        let mut buf = vec![0; 1024];
        let scratch = Scratch::new(&mut buf);
        assert!(matches!(decode_column("a", "[1]", None, Numbers::Float, &scratch), Ok(Value::Json(..))));
        assert!(matches!(decode_column("a", "1", None, Numbers::Whole, &scratch), Ok(Value::Int(1))));
    }

    #[test]
    fn a_row_shows_declared_columns_and_nulls() {
        let mut buf = vec![0; 1024];
        let scratch = Scratch::new(&mut buf);
        let columns = [Column { name: "a".into(), typ: Type::Bigint, default: None }];
        let row = decode_row(r#"{"b":1,"c":null,"\u0061":7}"#, &columns, |_| false, Numbers::Float, &scratch);
        assert_eq!(show(row, &scratch), r#"{"a":7,"c":null}"#);
    }
}
