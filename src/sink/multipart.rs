//! `bodyType: formdata`: the payload as the file of a `multipart/form-data` content (RFC 7578), the form's fields behind it.
//!
//! The boundary is fixed per sink. A payload or value that holds it would change the form's structure, so that is an exception.

use core::fmt::Write as _;

use super::outbox::Texts;
use super::words::Word;
use crate::json::write::Out;
use crate::time::Now;

/// See the module text.
#[derive(Debug)]
pub(super) struct Multipart {
    boundary: String,
    file_field: String,
    fields: Vec<(String, Word)>,
}

impl Multipart {
    pub(super) fn new(seed: &str, file_field: &str, fields: Vec<(String, Word)>) -> Self {
        let (a, b) = (crc32fast::hash(seed.as_bytes()), crc32fast::hash(file_field.as_bytes()));
        Self { boundary: format!("pushgate-{a:08x}{b:08x}-formdata"), file_field: file_field.to_owned(), fields }
    }

    pub(super) fn content_type(&self) -> String {
        format!("multipart/form-data; boundary={}", self.boundary)
    }

    /// Writes the content; gives its length.
    ///
    /// # Errors
    /// No room, or a part that holds the boundary.
    pub(super) fn wrap(&self, payload: &[u8], texts: Texts<'_>, now: Now, buf: &mut [u8]) -> Result<usize, &'static str> {
        const FULL: &str = "the payload is too large: raise limits.payloadBytes";
        let bad = |part: &[u8]| part.windows(self.boundary.len()).any(|w| w == self.boundary.as_bytes());
        if bad(payload) || self.fields.iter().any(|(_, value)| bad(value.get(texts).as_bytes())) {
            return Err("a part of the form holds the form's own boundary");
        }
        let mut out = Out::new(buf);
        let written = (|| -> Result<(), core::fmt::Error> {
            let put = |out: &mut Out<'_>, bytes: &[u8]| out.bytes(bytes).map_err(|_| core::fmt::Error);
            write!(out, "--{}\r\nContent-Disposition: form-data; name=\"", self.boundary)?;
            quoted(&mut out, &self.file_field)?;
            write!(out, "\"; filename=\"{}\"\r\nContent-Type: application/octet-stream\r\n\r\n", now.wall.0)?;
            put(&mut out, payload)?;
            for (name, value) in &self.fields {
                write!(out, "\r\n--{}\r\nContent-Disposition: form-data; name=\"", self.boundary)?;
                quoted(&mut out, name)?;
                out.write_str("\"\r\n\r\n")?;
                out.write_str(value.get(texts))?;
            }
            write!(out, "\r\n--{}--\r\n", self.boundary)
        })();
        written.map(|()| out.len()).map_err(|_| FULL)
    }
}

/// A name inside quotes, escaped as browsers do it (RFC 7578 §2).
fn quoted(out: &mut Out<'_>, name: &str) -> core::fmt::Result {
    for c in name.chars() {
        match c {
            '"' => out.write_str("%22")?,
            '\r' => out.write_str("%0D")?,
            '\n' => out.write_str("%0A")?,
            c => out.write_char(c)?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    fn form() -> Multipart {
        Multipart::new("r_rest_0", "u\"p", vec![("x".into(), Word::plain("plain"))])
    }

    #[test]
    fn parts_in_order() {
        let mut buf = [0; 1024];
        let form = form();
        let now = Now { wall: Timestamp(1_700_000_000_123), ..Now::default() };
        let n = form.wrap(b"{\"a\":1}", Texts::default(), now, &mut buf).expect("room");
        let b = &form.boundary;
        let want = format!(
            "--{b}\r\nContent-Disposition: form-data; name=\"u%22p\"; filename=\"1700000000123\"\r\nContent-Type: application/octet-stream\r\n\r\n\
             {{\"a\":1}}\r\n--{b}\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\nplain\r\n--{b}--\r\n"
        );
        assert_eq!(core::str::from_utf8(&buf[..n]), Ok(want.as_str()));
        assert!(form.wrap(b"{\"a\":1}", Texts::default(), now, &mut buf[..n - 1]).is_err());
    }

    #[test]
    fn a_payload_may_not_end_the_part() {
        let form = form();
        let evil = format!("\r\n--{}\r\n", form.boundary);
        assert!(form.wrap(evil.as_bytes(), Texts::default(), Now::default(), &mut [0; 1024]).is_err());
    }
}
