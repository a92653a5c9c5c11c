//! Rows to bytes: the formats of sinks here, the templates that shape payloads and properties in their own modules.
//!
//! A *message* is one object (`sendSingle`) or a list of objects (array form); an [`Encoding`] writes it in the sink's `format`
//! (facts §8.1). Nothing is allocated per message; what does not fit is [`Fault::FULL`].
//!
//! | format | one object | list |
//! |---|---|---|
//! | json | Go's `json.Marshal` | the same |
//! | delimited | values in the order of `fields`, else of the first message's sorted keys | a line per row, columns of its first row |
//! | urlencoded | sorted names, a list repeats its name | refused |
//! | binary | the octets of `self` | refused |

mod delimited;
pub mod dynamic;
pub mod template;
mod urlencoded;

use crate::decode;
use crate::json::write::{self, FloatStyle, Out};
use crate::value::{Fault, Scratch, Value, text};

/// How bytes stand for rows: FORMAT of a stream, `format` of a sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// One JSON object, or an array of them.
    #[default]
    Json,
    /// Values between delimiters; no quoting.
    Delimited,
    /// `application/x-www-form-urlencoded`.
    Urlencoded,
    /// Octets as they are, in one field.
    Binary,
}

impl Format {
    /// The format of that name, in any letter case.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Json, Self::Delimited, Self::Urlencoded, Self::Binary].into_iter().find(|f| f.name().eq_ignore_ascii_case(name))
    }

    /// Its name, in lower case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Delimited => "delimited",
            Self::Urlencoded => "urlencoded",
            Self::Binary => "binary",
        }
    }

    /// True where the text of a `dataTemplate` is sent as it is; `binary` has it read back as JSON first.
    #[must_use]
    pub const fn is_text(self) -> bool {
        !matches!(self, Self::Binary)
    }
}

/// How one sink writes its messages; remembers the columns that its first delimited message had.
#[derive(Debug)]
pub struct Encoding {
    format: Format,
    delimited: delimited::Delimited,
}

impl Encoding {
    /// An encoding for a sink's properties. `delimiter` empty: a comma. `fields`: the columns of delimited objects, in order.
    #[must_use]
    pub fn new(format: Format, delimiter: &str, has_header: bool, fields: &[String]) -> Self {
        Self { format, delimited: delimited::Delimited::new(format == Format::Delimited, delimiter, has_header, fields) }
    }

    /// The format.
    #[must_use]
    pub const fn format(&self) -> Format {
        self.format
    }

    /// Appends `message` to `out`. What a failed message had written stays for the caller to cut off.
    ///
    /// # Errors
    /// A message that the format cannot take, in eKuiper's words; [`Fault::FULL`].
    pub fn encode<'a>(&mut self, message: Value<'a>, out: &mut Out<'_>, scratch: &Scratch<'a>) -> Result<(), Fault<'a>> {
        match self.format {
            Format::Json => text::json(out, message, scratch),
            Format::Delimited => self.delimited.encode(message, out, scratch),
            Format::Urlencoded => urlencoded::encode(message, out, scratch),
            Format::Binary => binary(message, out, scratch),
        }
    }

    /// Appends `message` to a batch that holds `count` messages already: `[a,b` in JSON, a header line and lines in delimited.
    ///
    /// # Errors
    /// As [`Encoding::encode`].
    pub fn batch<'a>(&mut self, message: Value<'a>, count: usize, out: &mut Out<'_>, scratch: &Scratch<'a>) -> Result<(), Fault<'a>> {
        match self.format {
            Format::Json => out.byte(if count == 0 { b'[' } else { b',' })?,
            Format::Delimited => return self.delimited.batch(message, count, out, scratch),
            Format::Urlencoded | Format::Binary => {}
        }
        self.encode(message, out, scratch)
    }

    /// Ends a batch that holds messages.
    ///
    /// # Errors
    /// [`Fault::FULL`].
    pub fn end_batch<'a>(&self, out: &mut Out<'_>) -> Result<(), Fault<'a>> {
        if self.format == Format::Json {
            out.byte(b']')?;
        }
        Ok(())
    }

    /// Appends the names of the delimited columns, for the head of a csv file; nothing before the first message if `fields` is empty.
    ///
    /// # Errors
    /// [`Fault::FULL`].
    pub fn header<'a>(&self, out: &mut Out<'_>) -> Result<(), Fault<'a>> {
        self.delimited.header(out)
    }

    /// Forgets the columns of the first message: the rule starts again.
    pub const fn restart(&mut self) {
        self.delimited.restart();
    }
}

/// Appends a value as text: floats without exponent, nothing for null, octets as they are, `%v` for lists and objects.
///
/// # Errors
/// [`Fault::FULL`].
pub fn plain<'a>(out: &mut Out<'_>, value: Value<'a>, scratch: &Scratch<'a>) -> Result<(), Fault<'a>> {
    match value {
        Value::Null => {}
        Value::Float(x) => write::float(out, x, FloatStyle::Plain)?,
        Value::Bytes(bytes) => out.bytes(bytes)?,
        _ => text::go_v(out, value, scratch)?,
    }
    Ok(())
}

fn binary<'a>(message: Value<'a>, out: &mut Out<'_>, scratch: &Scratch<'a>) -> Result<(), Fault<'a>> {
    if !message.is_object() {
        return Err(no_map(message, scratch));
    }
    match message.member("self", scratch)? {
        None => Err(Fault::new("field self not exist")),
        Some(Value::Bytes(bytes)) => Ok(out.bytes(bytes)?),
        Some(Value::Str(text)) => Ok(out.bytes(decode::column::octets(text, scratch)?)?),
        Some(other) => {
            let shown = text::typed(other, scratch)?;
            Err(scratch.fault(format_args!("cannot convert {} to bytea", cut(shown))))
        }
    }
}

fn no_map<'a>(message: Value<'a>, scratch: &Scratch<'a>) -> Fault<'a> {
    match text::go_text(message, scratch) {
        Ok(shown) => scratch.fault(format_args!("unsupported type {}, must be a map", cut(shown))),
        Err(fault) => fault,
    }
}

/// The front of a text that an error shows.
pub(crate) fn cut(text: &str) -> &str {
    let end = text.char_indices().map(|(i, c)| i + c.len_utf8()).take_while(|end| *end <= 400).last().unwrap_or(0);
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Numbers;

    /// The bytes of each message in turn, or its fault.
    pub(super) fn encoded(encoding: &mut Encoding, messages: &[&str]) -> Vec<String> {
        let one = |raw: &&str| {
            let (mut memory, mut buf) = (vec![0; 1 << 16], vec![0; 4096]);
            let scratch = Scratch::new(&mut memory);
            let mut out = Out::new(&mut buf);
            match encoding.encode(Value::Json(Numbers::Float, raw), &mut out, &scratch) {
                Ok(()) => String::from_utf8_lossy(out.written()).into_owned(),
                Err(fault) => fault.text.to_owned(),
            }
        };
        messages.iter().map(one).collect()
    }

    #[test]
    fn json_as_go_marshals() {
        let mut encoding = Encoding::new(Format::Json, "", false, &[]);
        let got =
            encoded(&mut encoding, &[r#"[{"v":[0,-0,7,-3,2147483648,9007199254740993,9223372036854775807]}]"#, r#"{"b":"<é>","a":1e21}"#]);
        assert_eq!(got, [r#"[{"v":[0,-0,7,-3,2147483648,9007199254740992,9223372036854776000]}]"#, r#"{"a":1e+21,"b":"\u003cé\u003e"}"#]);
    }

    #[test]
    fn binary_takes_self_alone() {
        let mut encoding = Encoding::new(Format::Binary, "", false, &[]);
        let got =
            encoded(&mut encoding, &[r#"{"self":"aGk=","a":1}"#, r#"{"self":"a b"}"#, r#"{"a":1}"#, r#"[{"self":"x"}]"#, r#"{"self":1}"#]);
        assert_eq!(
            got,
            ["hi", "a b", "field self not exist", "unsupported type [map[self:x]], must be a map", "cannot convert float64(1) to bytea"]
        );
    }

    #[test]
    fn batches_join_messages() {
        let mut memory = vec![0; 1 << 14];
        let scratch = Scratch::new(&mut memory);
        for (format, messages, want) in [
            (Format::Json, [r#"{"a":1}"#, r#"{"a":2}"#], r#"[{"a":1},{"a":2}]"#),
            (Format::Json, [r#"[{"a":1}]"#, r#"[{"a":2}]"#], r#"[[{"a":1}],[{"a":2}]]"#),
            (Format::Delimited, [r#"{"b":1,"a":2}"#, r#"{"a":3,"b":4}"#], "a,b\n2,1\n3,4"),
            (Format::Delimited, [r#"[{"b":1,"a":2},{"a":0}]"#, r#"[{"a":3,"b":4}]"#], "a,b\n2,1\n0,\n3,4"),
            (Format::Urlencoded, [r#"{"a":1}"#, r#"{"a":2}"#], "a=1a=2"),
        ] {
            let mut encoding = Encoding::new(format, "|", true, &[]);
            let mut buf = [0; 256];
            let mut out = Out::new(&mut buf);
            for (count, raw) in messages.into_iter().enumerate() {
                encoding.batch(Value::Json(Numbers::Float, raw), count, &mut out, &scratch).expect("room");
            }
            encoding.end_batch(&mut out).expect("room");
            assert_eq!(core::str::from_utf8(out.written()), Ok(want));
        }
    }

    #[test]
    fn the_next_batch_of_single_rows_has_the_columns_of_the_first() {
        let mut memory = vec![0; 1 << 14];
        let scratch = Scratch::new(&mut memory);
        let mut encoding = Encoding::new(Format::Delimited, ",", false, &[]);
        for (raw, want) in [(r#"{"a":1,"b":2}"#, "a,b\n1,2"), (r#"{"a":3}"#, "a,b\n3,"), (r#"{"c":4}"#, "a,b\n,")] {
            let mut buf = [0; 64];
            let mut out = Out::new(&mut buf);
            encoding.batch(Value::Json(Numbers::Float, raw), 0, &mut out, &scratch).expect("room");
            assert_eq!(core::str::from_utf8(out.written()), Ok(want));
        }
    }

    #[test]
    fn names_in_any_case() {
        assert_eq!(Format::parse("DELIMITED"), Some(Format::Delimited));
        assert_eq!(Format::parse("protobuf"), None);
        assert!(Format::Delimited.is_text() && !Format::Binary.is_text());
    }
}
