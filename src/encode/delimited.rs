//! `delimited`: values between delimiters, nothing quoted; floats without exponent, nothing for null.
//!
//! Objects sent singly have the columns of `fields`, else the sorted keys of the first message, which stay: later messages are cut
//! to them. Their names are kept in [`NAMES_BYTES`] taken when the sink is made. A list has the sorted keys of its own first row
//! that has any. With `hasHeader` the first single message, and every list, begins with a line of names.

use super::plain;
use crate::json::write::Out;
use crate::value::{Fault, Object, Scratch, Value};

/// Room for the column names of the first message.
const NAMES_BYTES: usize = 4096;

/// See the module text.
#[derive(Debug)]
pub(super) struct Delimited {
    delimiter: String,
    has_header: bool,
    fields: Vec<String>,
    /// Names of the first message: a length of two bytes, the text, and so on.
    names: Box<[u8]>,
    names_len: usize,
}

impl Delimited {
    pub(super) fn new(used: bool, delimiter: &str, has_header: bool, fields: &[String]) -> Self {
        let room = if used { NAMES_BYTES } else { 0 };
        Self {
            delimiter: if delimiter.is_empty() { "," } else { delimiter }.to_owned(),
            has_header,
            fields: fields.to_vec(),
            names: vec![0; room].into_boxed_slice(),
            names_len: 0,
        }
    }

    pub(super) const fn restart(&mut self) {
        self.names_len = 0;
    }

    pub(super) fn encode<'a>(&mut self, message: Value<'a>, out: &mut Out<'_>, scratch: &Scratch<'a>) -> Result<(), Fault<'a>> {
        if let Some(rows) = message.list(scratch)? {
            return lines(rows.elements(), &self.delimiter, self.has_header, out, scratch);
        }
        let Some(row) = message.object(scratch)? else { return Err(super::no_map(message, scratch)) };
        if !self.fields.is_empty() {
            return values(row, self.fields.iter().map(String::as_str), &self.delimiter, out, scratch);
        }
        if self.keep_names(row)? && self.has_header {
            self.header(out)?;
            out.byte(b'\n')?;
        }
        values(row, self.kept(), &self.delimiter, out, scratch)
    }

    /// In a batch the delimiter is a comma, and a line of names comes first, whatever the properties say (facts §8.1).
    pub(super) fn batch<'a>(
        &mut self,
        message: Value<'a>,
        count: usize,
        out: &mut Out<'_>,
        scratch: &Scratch<'a>,
    ) -> Result<(), Fault<'a>> {
        let rows = message.list(scratch)?;
        let Some(first) = (match rows {
            Some(list) => list.elements().next(),
            None => Some(message),
        }) else {
            return Ok(());
        };
        let Some(first) = first.object(scratch)? else { return Err(super::no_map(message, scratch)) };
        if rows.is_none() {
            self.keep_names(first)?;
        }
        if count == 0 {
            let mut comma = false;
            let mut column = |name: &str| -> Result<(), Fault<'a>> {
                if core::mem::replace(&mut comma, true) {
                    out.byte(b',')?;
                }
                Ok(out.text(name)?)
            };
            match rows {
                Some(_) => first.entries().try_for_each(|(name, _)| column(name))?,
                // Single rows keep the columns of the very first one, so the line names these.
                None => self.kept().try_for_each(column)?,
            }
        }
        out.byte(b'\n')?;
        match rows {
            Some(list) => lines(list.elements(), ",", false, out, scratch),
            None => values(first, self.kept(), ",", out, scratch),
        }
    }

    pub(super) fn header<'a>(&self, out: &mut Out<'_>) -> Result<(), Fault<'a>> {
        for (i, name) in self.fields.iter().map(String::as_str).chain(self.kept()).enumerate() {
            if i > 0 {
                out.text(&self.delimiter)?;
            }
            out.text(name)?;
        }
        Ok(())
    }

    /// Keeps the keys of `row` as the columns unless there are columns already; true if it did.
    fn keep_names<'a>(&mut self, row: Object<'_>) -> Result<bool, Fault<'a>> {
        if self.names_len > 0 || row.count() == 0 {
            return Ok(false);
        }
        let mut at = 0;
        for (name, _) in row.entries() {
            let full = Fault::new("the column names of the first delimited message take more than 4096 bytes: name them in `fields`");
            let len = u16::try_from(name.len()).map_err(|_| full)?;
            let end = at + 2 + name.len();
            let place = self.names.get_mut(at..end).ok_or(full)?;
            place[..2].copy_from_slice(&len.to_le_bytes());
            place[2..].copy_from_slice(name.as_bytes());
            at = end;
        }
        self.names_len = at;
        Ok(true)
    }

    fn kept(&self) -> impl Iterator<Item = &str> {
        let mut rest = self.names.get(..self.names_len).unwrap_or(&[]);
        core::iter::from_fn(move || {
            let (len, tail) = rest.split_first_chunk::<2>()?;
            let (name, tail) = tail.split_at_checked(usize::from(u16::from_le_bytes(*len)))?;
            rest = tail;
            core::str::from_utf8(name).ok()
        })
    }
}

fn values<'a, 'n>(
    row: Object<'a>,
    columns: impl Iterator<Item = &'n str>,
    delimiter: &str,
    out: &mut Out<'_>,
    scratch: &Scratch<'a>,
) -> Result<(), Fault<'a>> {
    for (i, name) in columns.enumerate() {
        if i > 0 {
            out.text(delimiter)?;
        }
        plain(out, row.get(name).unwrap_or(Value::Null), scratch)?;
    }
    Ok(())
}

fn lines<'a>(
    rows: impl Iterator<Item = Value<'a>>,
    delimiter: &str,
    has_header: bool,
    out: &mut Out<'_>,
    scratch: &Scratch<'a>,
) -> Result<(), Fault<'a>> {
    let mut columns: Option<Object<'a>> = None;
    for (i, row) in rows.enumerate() {
        if i > 0 {
            out.byte(b'\n')?;
        }
        let Some(row) = row.object(scratch)? else { return Err(super::no_map(row, scratch)) };
        if columns.is_none_or(|c| c.count() == 0) {
            columns = Some(row);
            if has_header && row.count() > 0 {
                for (j, (name, _)) in row.entries().enumerate() {
                    if j > 0 {
                        out.text(delimiter)?;
                    }
                    out.text(name)?;
                }
                out.byte(b'\n')?;
            }
        }
        values(row, columns.into_iter().flat_map(Object::entries).map(|(name, _)| name), delimiter, out, scratch)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::tests::encoded;
    use super::super::{Encoding, Format};

    fn table(delimiter: &str, header: bool, fields: &[&str], messages: &[&str], want: &[&str]) {
        let fields: Vec<String> = fields.iter().map(|f| (*f).to_owned()).collect();
        let mut encoding = Encoding::new(Format::Delimited, delimiter, header, &fields);
        assert_eq!(encoded(&mut encoding, messages), want);
    }

    #[test]
    fn single_columns_are_frozen_by_the_first_message() {
        table("", false, &[], &[r#"{"a":1,"b":2}"#, r#"{"b":3,"c":4}"#, r#"{"a":5}"#], &["1,2", ",3", "5,"]);
    }

    #[test]
    fn fields_give_the_order_of_single_rows_only() {
        table("||", true, &["b", "a"], &[r#"{"a":1,"b":2}"#, r#"{"b":3}"#], &["2||1", "3||"]);
        table(";", false, &["b", "a"], &[r#"[{"a":1,"b":2}]"#], &["1;2"]);
    }

    #[test]
    fn headers() {
        table("", true, &[], &[r#"{"b":1,"a":2}"#, r#"{"b":3,"a":4}"#], &["a,b\n2,1", "4,3"]);
        table(":", true, &[], &[r#"[{"b":1,"a":2},{"a":3}]"#, r#"[{"c":1}]"#, "[]"], &["a:b\n2:1\n3:", "c\n1", ""]);
    }

    #[test]
    fn values_are_plain() {
        let row = r#"{"a":1700000000000,"b":true,"c":null,"d":"x,y","e":[1,"z"],"f":{"k":1e6},"g":0.0000001}"#;
        table("", false, &[], &[row], &["1700000000000,true,,x,y,[1 z],map[k:1e+06],0.0000001"]);
    }

    #[test]
    fn refusals() {
        table("", false, &[], &["[1]", r#"[{"a":1},2]"#], &["unsupported type 1, must be a map", "unsupported type 2, must be a map"]);
        let wide = format!("{{\"{}\":1}}", "k".repeat(5000));
        table(
            "",
            false,
            &[],
            &[&wide],
            &["the column names of the first delimited message take more than 4096 bytes: name them in `fields`"],
        );
    }
}
