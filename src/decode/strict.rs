//! STRICT_VALIDATION (facts §3.3): declared columns must be there, or have a DEFAULT, and convert within their kind.
//!
//! In: a column as [`decode_column`](super::decode_column) gave it, or its absence. Out: the value the rule sees, or the fault
//! `error in preprocessor: …` that drops the row. int64 and float64 convert into each other; nothing else changes its kind,
//! but for datetime, which takes milliseconds or text, and struct, which takes a JSON text.

use super::column::octets;
use crate::json::scan::{self, Top};
use crate::sql::types::{Column, Default, Type};
use crate::time::Zone;
use crate::value::packed::Encoder;
use crate::value::{Eval, Fault, Moment, Numbers, Scratch, Value, text};

/// What the check of one stream needs to know.
#[derive(Clone, Copy)]
pub struct Strict<'p> {
    /// Reads a time by TIMESTAMP_FORMAT, else by the known layouts.
    pub parse_time: &'p dyn Fn(&str) -> Option<Moment>,
    /// Zone of times that came as milliseconds.
    pub zone: &'p Zone,
}

impl core::fmt::Debug for Strict<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Strict").field("zone", &self.zone).finish_non_exhaustive()
    }
}

impl Strict<'_> {
    /// The value of a declared column; `value` is `None` if the row lacks it.
    ///
    /// # Errors
    /// `error in preprocessor: field x is not found`, `… type mismatch: …`; [`Fault::FULL`].
    pub fn column<'a>(&self, column: &'a Column, value: Option<Value<'a>>, scratch: &Scratch<'a>) -> Eval<'a> {
        self.checked(column, value, scratch)
            .map_err(|fault| if fault == Fault::FULL { fault } else { scratch.fault(format_args!("error in preprocessor: {fault}")) })
    }

    fn checked<'a>(&self, column: &'a Column, value: Option<Value<'a>>, scratch: &Scratch<'a>) -> Eval<'a> {
        let Some(value) = value else { return missing(column, scratch) };
        if value.is_null() || !matches!(column.typ, Type::Array(_) | Type::Struct(_)) {
            return self.scalar(value, &column.typ, scratch).map_err(|fault| mismatch(&column.name, fault, scratch));
        }
        let mut writer = scratch.pack();
        self.write(value, &column.typ, &mut writer, scratch).map_err(|fault| mismatch(&column.name, fault, scratch))?;
        writer.finish().map(Value::Packed)
    }

    fn scalar<'a>(&self, value: Value<'a>, typ: &Type, scratch: &Scratch<'a>) -> Eval<'a> {
        let to = match (typ, value) {
            (Type::Bigint, Value::Int(_))
            | (Type::Float, Value::Float(_))
            | (Type::Boolean, Value::Bool(_))
            | (Type::String, Value::Str(_))
            | (Type::Bytea, Value::Bytes(_))
            | (Type::Datetime, Value::Time(_))
            | (Type::Array(_) | Type::Struct(_), Value::Null) => return Ok(value),
            #[expect(clippy::cast_possible_truncation, reason = "Go's conversion: towards zero")]
            (Type::Bigint, Value::Float(x)) => return Ok(Value::Int(x as i64)),
            (Type::Float, Value::Int(i)) => {
                #[expect(clippy::cast_precision_loss, reason = "Go's conversion: the nearest float")]
                return Ok(Value::Float(i as f64));
            }
            (Type::String, Value::Bytes(b)) if core::str::from_utf8(b).is_ok() => {
                return Ok(Value::Str(core::str::from_utf8(b).unwrap_or("")));
            }
            (Type::Bytea, Value::Str(t)) => return octets(t, scratch).map(Value::Bytes),
            (Type::Datetime, Value::Int(ms)) => return Ok(Value::Time(self.moment(ms))),
            #[expect(clippy::cast_possible_truncation, reason = "Go's conversion: towards zero")]
            (Type::Datetime, Value::Float(ms)) => return Ok(Value::Time(self.moment(ms as i64))),
            (Type::Datetime, Value::Str(t)) => {
                return (self.parse_time)(t).map(Value::Time).ok_or_else(|| scratch.fault(format_args!("Can't parse string as time: {t}")));
            }
            (Type::Datetime, _) => {
                let shown = text::go_text(value, scratch)?;
                return Err(scratch.fault(format_args!("unsupported type to convert to timestamp {shown}")));
            }
            (Type::Array(_), _) => {
                let shown = text::go_text(value, scratch)?;
                return Err(scratch.fault(format_args!("expect array but got {shown}")));
            }
            (Type::Struct(_), Value::Str(t)) => {
                return Err(scratch.fault(format_args!("invalid data type for {t}, expect map")));
            }
            (Type::Struct(_), _) => {
                let shown = text::typed(value, scratch)?;
                return Err(scratch.fault(format_args!("expect struct but found {shown}")));
            }
            (Type::Bigint, _) => "int64",
            (Type::Float, _) => "float64",
            (Type::Boolean, _) => "bool",
            (Type::String | Type::Bytea, _) => typ.name(),
        };
        let shown = text::typed(value, scratch)?;
        Err(scratch.fault(format_args!("cannot convert {shown} to {to}")))
    }

    fn moment(&self, ms: i64) -> Moment {
        let moment = Moment::from_ms(ms);
        Moment { offset_s: self.zone.offset_at(moment.secs), ..moment }
    }

    /// Converts into an encoder, so that lists and structs of any depth become one packed value.
    fn write<'a>(&self, value: Value<'a>, typ: &'a Type, into: &mut Encoder<'_>, scratch: &Scratch<'a>) -> Result<(), Fault<'a>> {
        match typ {
            Type::Array(inner) => {
                let Some(elements) = value.elements(scratch) else { return into.value(self.scalar(value, typ, scratch)?) };
                into.begin_list()?;
                for element in elements {
                    self.write(element?, inner, into, scratch)
                        .map_err(|fault| scratch.fault(format_args!("array element type mismatch: {fault}")))?;
                }
                into.end()
            }
            Type::Struct(columns) => {
                let value = match value {
                    Value::Str(t) if scan::check(t, |_| {}) == Ok(Top::Object) => Value::Json(Numbers::Float, t.trim_ascii_start()),
                    other => other,
                };
                if !value.is_object() {
                    return into.value(self.scalar(value, typ, scratch)?);
                }
                into.begin_object()?;
                for column in columns {
                    into.key(&column.name)?;
                    match value.member(&column.name, scratch)? {
                        None => into.value(missing(column, scratch)?)?,
                        Some(member) => {
                            self.write(member, &column.typ, into, scratch).map_err(|fault| mismatch(&column.name, fault, scratch))?
                        }
                    }
                }
                undeclared(value, columns, into)?;
                into.end()
            }
            _ => into.value(self.scalar(value, typ, scratch)?),
        }
    }
}

/// Members that are not declared stay as they are.
fn undeclared<'a>(value: Value<'a>, columns: &[Column], into: &mut Encoder<'_>) -> Result<(), Fault<'a>> {
    match value {
        Value::Json(numbers, raw) => {
            for (key, member) in scan::members(raw) {
                if !columns.iter().any(|c| crate::value::key_is(key, &c.name)) {
                    into.json_key(key)?;
                    into.json(member, numbers)?;
                }
            }
        }
        Value::Packed(p) => {
            for (key, member) in p.object().into_iter().flat_map(crate::value::Object::entries) {
                if !columns.iter().any(|c| c.name == key) {
                    into.entry(key, member)?;
                }
            }
        }
        _ => {}
    }
    Ok(())
}

fn missing<'a>(column: &'a Column, scratch: &Scratch<'a>) -> Eval<'a> {
    match &column.default {
        None => Err(scratch.fault(format_args!("field {} is not found", column.name))),
        Some(Default::Int(i)) => Ok(Value::Int(*i)),
        Some(Default::Float(number)) => Ok(Value::Float(number.parse().unwrap_or(f64::NAN))),
        Some(Default::Str(t)) => Ok(Value::Str(t)),
        Some(Default::Bool(b)) => Ok(Value::Bool(*b)),
    }
}

fn mismatch<'a>(name: &str, fault: Fault<'a>, scratch: &Scratch<'a>) -> Fault<'a> {
    if fault == Fault::FULL { fault } else { scratch.fault(format_args!("field {name} type mismatch: {fault}")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::write::Out;

    fn column(typ: Type) -> Column {
        Column { name: "a".into(), typ, default: None }
    }

    fn check(column: &Column, value: Option<Value<'_>>) -> String {
        let (mut memory, mut other, mut buf) = (vec![0; 8192], vec![0; 8192], vec![0; 1024]);
        let zone = Zone::utc();
        let parse_time = |t: &str| (t == "2024-01-01").then(|| Moment::from_ms(1_704_067_200_000));
        let strict = Strict { parse_time: &parse_time, zone: &zone };
        let scratch = Scratch::new(&mut memory);
        match strict.column(column, value, &scratch) {
            Err(fault) => fault.text.to_owned(),
            Ok(value) => {
                let mut out = Out::new(&mut buf);
                text::json(&mut out, value, &Scratch::new(&mut other)).expect("room");
                String::from_utf8(out.written().to_vec()).expect("utf-8")
            }
        }
    }

    #[test]
    fn scalars() {
        for (typ, value, want) in [
            (Type::Bigint, Some(Value::Int(1)), "1"),
            (Type::Bigint, Some(Value::Float(1.9)), "1"),
            (Type::Bigint, Some(Value::Str("1")), "error in preprocessor: field a type mismatch: cannot convert string(1) to int64"),
            (Type::Bigint, Some(Value::Null), "error in preprocessor: field a type mismatch: cannot convert <nil>(<nil>) to int64"),
            (Type::Bigint, None, "error in preprocessor: field a is not found"),
            (Type::Float, Some(Value::Int(2)), "2"),
            (Type::Float, Some(Value::Bool(true)), "error in preprocessor: field a type mismatch: cannot convert bool(true) to float64"),
            (Type::String, Some(Value::Float(2.0)), "error in preprocessor: field a type mismatch: cannot convert float64(2) to string"),
            (Type::String, Some(Value::Bytes(b"x")), r#""x""#),
            (Type::Boolean, Some(Value::Int(0)), "error in preprocessor: field a type mismatch: cannot convert int64(0) to bool"),
            (Type::Bytea, Some(Value::Str("aGk=")), r#""aGk=""#),
            (Type::Bytea, Some(Value::Float(1.0)), "error in preprocessor: field a type mismatch: cannot convert float64(1) to bytea"),
            (Type::Datetime, Some(Value::Float(1000.0)), r#""1970-01-01T00:00:01Z""#),
            (Type::Datetime, Some(Value::Str("2024-01-01")), r#""2024-01-01T00:00:00Z""#),
            (Type::Datetime, Some(Value::Str("x")), "error in preprocessor: field a type mismatch: Can't parse string as time: x"),
            (
                Type::Datetime,
                Some(Value::Null),
                "error in preprocessor: field a type mismatch: unsupported type to convert to timestamp <nil>",
            ),
        ] {
            assert_eq!(check(&column(typ), value), want);
        }
    }

    #[test]
    fn defaults_fill_what_is_missing_only() {
        let with = |typ, default| Column { default: Some(default), ..column(typ) };
        assert_eq!(check(&with(Type::Bigint, Default::Int(7)), None), "7");
        assert_eq!(check(&with(Type::Float, Default::Float("2.5".into())), None), "2.5");
        assert_eq!(check(&with(Type::String, Default::Str("d".into())), None), r#""d""#);
        assert_eq!(check(&with(Type::Boolean, Default::Bool(true)), None), "true");
        assert!(check(&with(Type::Bigint, Default::Int(7)), Some(Value::Null)).contains("cannot convert <nil>"));
    }

    #[test]
    fn lists_and_structs() {
        let json = |raw| Some(Value::Json(Numbers::Float, raw));
        let list = column(Type::Array(Box::new(Type::Bigint)));
        let inner = vec![
            Column { name: "x".into(), typ: Type::Bigint, default: None },
            Column { name: "y".into(), typ: Type::String, default: Some(Default::Str("d".into())) },
        ];
        let object = column(Type::Struct(inner));
        for (column, value, want) in [
            (&list, json("[1.5,2]"), "[1,2]"),
            (&list, Some(Value::Null), "null"),
            (
                &list,
                json("[\"s\"]"),
                "error in preprocessor: field a type mismatch: array element type mismatch: cannot convert string(s) to int64",
            ),
            (&list, Some(Value::Str("s")), "error in preprocessor: field a type mismatch: expect array but got s"),
            (&object, json(r#"{"x":1,"z":[1]}"#), r#"{"x":1,"y":"d","z":[1]}"#),
            (&object, Some(Value::Str(r#" {"x":2,"y":"t"}"#)), r#"{"x":2,"y":"t"}"#),
            (&object, Some(Value::Null), "null"),
            (&object, json("{}"), "error in preprocessor: field a type mismatch: field x is not found"),
            (
                &object,
                json(r#"{"x":true}"#),
                "error in preprocessor: field a type mismatch: field x type mismatch: cannot convert bool(true) to int64",
            ),
            (&object, Some(Value::Int(5)), "error in preprocessor: field a type mismatch: expect struct but found int64(5)"),
            (&object, Some(Value::Str("no")), "error in preprocessor: field a type mismatch: invalid data type for no, expect map"),
        ] {
            assert_eq!(check(column, value), want);
        }
    }
}
