//! Bodies to rows, by the stream's FORMAT (facts §1.7).
//!
//! In: a body that arrived whole. Out: for `json` the values of single columns, taken from the raw text when a rule asks
//! ([`mod@column`]); for the other formats one packed object ([`Shape::pack`]). STRICT_VALIDATION is a check over decoded columns
//! ([`strict`]). Nothing is allocated; what does not fit the encoder or the scratch is a fault.
//!
//! | FORMAT | row |
//! |---|---|
//! | json | an object, or each element of an array of objects |
//! | urlencoded | text per name; a list of texts where a name is repeated |
//! | delimited | text per token, named by `fields`, else `col0`, `col1`, … |
//! | binary | the octets, in `self` or the single declared bytea column |

pub mod base64;
pub mod column;
mod form;
pub mod strict;

pub use column::{decode_column, decode_row};

pub use crate::encode::Format;
use crate::sql::types::{Column, Type};
use crate::value::packed::Encoder;
use crate::value::{Fault, Scratch, Value};

/// Why a JSON text whose top level is a scalar, or an array with other things than objects, gives no rows.
pub const NOT_ROWS: &str = "only map[string]interface{} and []map[string]interface{} is supported";

/// How the bodies of one stream are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// FORMAT.
    pub format: Format,
    /// What stands between two values of `delimited`; never empty.
    pub delimiter: String,
    /// Names of the values of `delimited`; empty: `col0`, `col1`, …
    pub fields: Vec<String>,
    /// The column that takes the octets of `binary`.
    pub binary_column: String,
}

impl Shape {
    /// The shape for a stream's options and declared columns (`None`: schemaless).
    #[must_use]
    pub fn new(format: Format, delimiter: &str, fields: Vec<String>, columns: Option<&[Column]>) -> Self {
        let binary_column = match columns {
            Some([Column { name, typ: Type::Bytea, .. }]) => name,
            _ => "self",
        };
        let delimiter = if delimiter.is_empty() { "," } else { delimiter };
        Self { format, delimiter: delimiter.to_owned(), fields, binary_column: binary_column.to_owned() }
    }

    /// Writes the row of a body as one value into `into`. A `json` body (checked before, an object) is kept as its text.
    ///
    /// # Errors
    /// A body that does not fit the format, with eKuiper's sentence; [`Fault::FULL`].
    pub fn pack<'f>(&self, body: &'f [u8], into: &mut Encoder<'_>, scratch: &Scratch<'f>) -> Result<(), Fault<'f>> {
        match self.format {
            Format::Json => into.json(text(body)?, crate::value::Numbers::Float),
            Format::Urlencoded => form::pack(text(body)?, into, scratch),
            Format::Delimited => self.delimited(text(body)?, into),
            Format::Binary => {
                into.begin_object()?;
                into.entry(&self.binary_column, Value::Bytes(body))?;
                into.end()
            }
        }
    }

    fn delimited<'f>(&self, body: &str, into: &mut Encoder<'_>) -> Result<(), Fault<'f>> {
        into.begin_object()?;
        for (i, token) in body.split(self.delimiter.as_str()).enumerate() {
            if self.fields.is_empty() {
                let mut name = [0; 24];
                into.entry(numbered(i, &mut name), Value::Str(token))?;
            } else if let Some(name) = self.fields.get(i) {
                into.entry(name, Value::Str(token))?;
            } else {
                break;
            }
        }
        into.end()
    }
}

fn text<'f>(body: &'f [u8]) -> Result<&'f str, Fault<'f>> {
    core::str::from_utf8(body).map_err(|_| Fault::new("the body is no UTF-8 text"))
}

/// `col0`, `col1`, …
fn numbered(i: usize, buf: &mut [u8; 24]) -> &str {
    let mut digits = itoa::Buffer::new();
    let digits = digits.format(i);
    buf[..3].copy_from_slice(b"col");
    buf[3..3 + digits.len()].copy_from_slice(digits.as_bytes());
    core::str::from_utf8(&buf[..3 + digits.len()]).unwrap_or("col")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The row as JSON text, or the fault.
    pub(super) fn row(shape: &Shape, body: &[u8]) -> String {
        let (mut memory, mut text) = (vec![0; 1 << 16], vec![0; 1 << 14]);
        let scratch = Scratch::new(&mut memory);
        let mut writer = scratch.pack();
        let body = scratch.copy(body).expect("room");
        if let Err(fault) = shape.pack(body, &mut writer, &scratch) {
            return fault.text.to_owned();
        }
        let value = Value::Packed(writer.finish().expect("an object"));
        let mut out = crate::json::write::Out::new(&mut text);
        crate::value::text::json(&mut out, value, &scratch).expect("room");
        String::from_utf8(out.written().to_vec()).expect("utf-8")
    }

    #[test]
    fn delimited_names_and_splits() {
        let plain = Shape::new(Format::Delimited, "", Vec::new(), None);
        let named = Shape::new(Format::Delimited, "||", vec!["a".into(), "b".into()], None);
        for (shape, body, want) in [
            (&plain, "1,x, y", r#"{"col0":"1","col1":"x","col2":" y"}"#),
            (&plain, "", r#"{"col0":""}"#),
            (&plain, "a\nb", r#"{"col0":"a\nb"}"#),
            (&plain, r#""q,r""#, r#"{"col0":"\"q","col1":"r\""}"#),
            (&named, "1||2||3", r#"{"a":"1","b":"2"}"#),
            (&named, "1", r#"{"a":"1"}"#),
        ] {
            assert_eq!(row(shape, body.as_bytes()), want);
        }
        let many = "x,".repeat(11);
        assert!(
            row(&plain, many.as_bytes())
                .ends_with(r#""col11":"","col2":"x","col3":"x","col4":"x","col5":"x","col6":"x","col7":"x","col8":"x","col9":"x"}"#)
        );
        assert_eq!(row(&plain, b"\xff"), "the body is no UTF-8 text");
    }

    #[test]
    fn binary_names_its_column() {
        let column = |name: &str, typ| Column { name: name.into(), typ, default: None };
        let shape = |columns: Option<&[Column]>| Shape::new(Format::Binary, "", Vec::new(), columns);
        assert_eq!(row(&shape(None), b"raw\xff"), r#"{"self":"cmF3/w=="}"#);
        assert_eq!(row(&shape(Some(&[column("img", Type::Bytea)])), b""), r#"{"img":""}"#);
        assert_eq!(shape(Some(&[column("a", Type::String)])).binary_column, "self");
    }

    #[test]
    fn full_is_a_fault() {
        let mut memory = [0; 64];
        let scratch = Scratch::new(&mut memory);
        let mut buf = [0; 20];
        let mut encoder = Encoder::new(&mut buf);
        let shape = Shape::new(Format::Delimited, ",", Vec::new(), None);
        assert_eq!(shape.pack(b"aaaaaaaaaaaaaaaaaaaaaaaaaaaa", &mut encoder, &scratch), Err(Fault::FULL));
    }
}
