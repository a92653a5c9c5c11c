//! A definition shown again: the text of DESCRIBE and the JSON of the REST API.

use super::{Create, Options};
use crate::sql::text;
use crate::sql::types::{Column, Default as Literal, Type};
use std::fmt::Write as _;

/// A type as DESCRIBE prints it: `bigint`, `array(string)`, `struct(a bigint, b float)`.
#[must_use]
fn type_text(ty: &Type) -> String {
    match ty {
        Type::Array(item) => format!("array({})", type_text(item)),
        Type::Struct(fields) => {
            let fields: Vec<String> = fields.iter().map(|f| format!("{} {}", f.name, type_text(&f.typ))).collect();
            format!("struct({})", fields.join(", "))
        }
        simple => simple.name().to_owned(),
    }
}

impl std::fmt::Display for Type {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&type_text(self))
    }
}

impl std::fmt::Display for Literal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Int(value) => write!(f, "{value}"),
            Self::Float(digits) => f.write_str(&text::float(digits.parse().unwrap_or(f64::NAN))),
            Self::Str(value) => f.write_str(value),
            Self::Bool(value) => write!(f, "{value}"),
        }
    }
}

impl Create {
    /// The answer to DESCRIBE.
    #[must_use]
    pub fn describe(&self) -> String {
        let mut out = format!("Fields\n{}\n", "-".repeat(80));
        for column in &self.columns {
            let _ = write!(out, "{}\t{}", column.name, column.typ);
            if let Some(default) = &column.default {
                let _ = write!(out, "\tDEFAULT\t{default}");
            }
            out.push('\n');
        }
        out.push('\n');
        let o = &self.options;
        let retain = if o.retain_size == 0 { String::new() } else { o.retain_size.to_string() };
        let flag = |set: bool| if set { "true".to_owned() } else { String::new() };
        for (name, value) in [
            ("CONF_KEY", o.conf_key.clone()),
            ("DATASOURCE", o.datasource.clone()),
            ("FORMAT", o.format.clone()),
            ("SCHEMAID", o.schema_id.clone()),
            ("KEY", o.key.clone()),
            ("RETAIN_SIZE", retain),
            ("SHARED", flag(o.shared)),
            ("STRICT_VALIDATION", flag(o.strict_validation)),
            ("TIMESTAMP", o.timestamp.clone()),
            ("TIMESTAMP_FORMAT", o.timestamp_format.clone()),
            ("TYPE", o.kind_of_source.clone()),
            ("EXTRA", o.extra.clone()),
            ("VERSION", o.version.clone()),
        ] {
            if !value.is_empty() {
                let _ = writeln!(out, "{name}: {value}");
            }
        }
        out
    }

    /// The answer to `GET /streams/{name}`.
    #[must_use]
    pub fn to_json(&self) -> String {
        let fields = if self.columns.is_empty() {
            "null".to_owned()
        } else {
            let fields: Vec<String> = self.columns.iter().map(|c| field_json(c, true)).collect();
            format!("[{}]", fields.join(","))
        };
        format!(
            r#"{{"Name":{},"StreamFields":{fields},"Options":{},"StreamType":{},"Statement":null}}"#,
            quote(&self.name),
            self.options.to_json(),
            u8::from(self.table),
        )
    }

    /// The answer to `GET /streams/{name}/schema`.
    #[must_use]
    pub fn schema_json(&self) -> String {
        if self.columns.is_empty() { "null".to_owned() } else { schema_of(&self.columns) }
    }
}

impl Options {
    /// The set options as a JSON object, keys in eKuiper's order.
    #[must_use]
    pub fn to_json(&self) -> String {
        let text = |value: &str| if value.is_empty() { None } else { Some(quote(value)) };
        let flag = |set: bool| set.then(|| "true".to_owned());
        let retain_size = (self.retain_size != 0).then(|| self.retain_size.to_string());
        let members: Vec<String> = [
            ("datasource", text(&self.datasource)),
            ("key", text(&self.key)),
            ("format", text(&self.format)),
            ("confKey", text(&self.conf_key)),
            ("type", text(&self.kind_of_source)),
            ("strictValidation", flag(self.strict_validation)),
            ("timestamp", text(&self.timestamp)),
            ("timestampFormat", text(&self.timestamp_format)),
            ("shared", flag(self.shared)),
            ("schemaid", text(&self.schema_id)),
            ("version", text(&self.version)),
            ("extra", text(&self.extra)),
            ("temp", flag(self.temp)),
            ("retainSize", retain_size),
            ("kind", text(&self.kind)),
            ("delimiter", text(&self.delimiter)),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some(format!("\"{name}\":{}", value?)))
        .collect();
        format!("{{{}}}", members.join(","))
    }
}

fn field_json(column: &Column, with_default: bool) -> String {
    let default = match &column.default {
        Some(default) if with_default => format!(",\"DefaultClause\":{}", quote(&default.to_string())),
        _ => String::new(),
    };
    format!(r#"{{"FieldType":{},"Name":{}{default}}}"#, type_json(&column.typ), quote(&column.name))
}

fn type_json(ty: &Type) -> String {
    match ty {
        Type::Array(item) => format!(r#"{{"Type":"array","ElementType":{}}}"#, type_json(item)),
        Type::Struct(fields) => {
            let fields: Vec<String> = fields.iter().map(|c| field_json(c, false)).collect();
            format!(r#"{{"Type":"struct","Fields":[{}]}}"#, fields.join(","))
        }
        simple => quote(simple.name()),
    }
}

/// Columns as a JSON schema: names sorted, the last of two equal names wins.
fn schema_of(columns: &[Column]) -> String {
    let sorted: std::collections::BTreeMap<&str, &Column> = columns.iter().map(|c| (c.name.as_str(), c)).collect();
    let members: Vec<String> =
        sorted.iter().map(|(name, c)| format!("{}:{}", quote(name), schema_item(&c.typ, c.default.as_ref()))).collect();
    format!("{{{}}}", members.join(","))
}

fn schema_item(ty: &Type, default: Option<&Literal>) -> String {
    let default = default.map(|d| format!(",\"default\":{}", quote(&d.to_string()))).unwrap_or_default();
    let inner = match ty {
        Type::Array(item) => format!(",\"items\":{}", schema_item(item, None)),
        Type::Struct(fields) => format!(",\"properties\":{}", schema_of(fields)),
        _ => String::new(),
    };
    format!(r#"{{"type":"{}"{default}{inner},"index":0}}"#, ty.name())
}

/// A JSON string as Go writes it: `<`, `>` and `&` escaped.
fn quote(text: &str) -> String {
    let plain = serde_json::Value::from(text).to_string();
    let mut out = String::with_capacity(plain.len());
    for c in plain.chars() {
        match c {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}
