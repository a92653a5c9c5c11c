//! Bump memory of one row's evaluation: functions write text and packed values here; the next row starts over.
//!
//! Lending through `&self` without unsafe code: a `Cell<&mut [u8]>` is split at each request. Text grows in one half and
//! packed values in the other, so that strings can be unescaped while a list is being written. A full scratch is a row error that
//! names `limits.scratchBytes`.

use core::cell::Cell;
use core::fmt::Write as _;

use super::Value;
use super::packed::PackWriter;
use crate::json::write::Out;

/// Why a row failed: a sentence for `last_exception` and `sendError`, borrowed from the plan or the scratch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault<'a> {
    /// The sentence.
    pub text: &'a str,
}

impl<'a> Fault<'a> {
    /// The row needs more scratch than there is.
    pub const FULL: Self = Self { text: "the row needs more working memory than there is: raise limits.scratchBytes" };

    /// A fault with a fixed sentence.
    #[must_use]
    pub const fn new(text: &'a str) -> Self {
        Self { text }
    }
}

impl core::fmt::Display for Fault<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.text)
    }
}

/// See the module text.
pub struct Scratch<'a> {
    text: Cell<&'a mut [u8]>,
    pack: Cell<&'a mut [u8]>,
}

impl core::fmt::Debug for Scratch<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Scratch").finish_non_exhaustive()
    }
}

impl<'a> Scratch<'a> {
    /// A scratch over `buf`, empty.
    #[must_use]
    pub fn new(buf: &'a mut [u8]) -> Self {
        let (text, pack) = buf.split_at_mut(buf.len() / 2);
        Self { text: Cell::new(text), pack: Cell::new(pack) }
    }

    /// Lends `len` zeroed or stale bytes.
    ///
    /// # Errors
    /// [`Fault::FULL`].
    pub fn alloc(&self, len: usize) -> Result<&'a mut [u8], Fault<'a>> {
        let free = self.text.take();
        if free.len() < len {
            self.text.set(free);
            return Err(Fault::FULL);
        }
        let (lent, rest) = free.split_at_mut(len);
        self.text.set(rest);
        Ok(lent)
    }

    /// Copies octets in.
    ///
    /// # Errors
    /// [`Fault::FULL`].
    pub fn copy(&self, bytes: &[u8]) -> Result<&'a [u8], Fault<'a>> {
        let lent = self.alloc(bytes.len())?;
        lent.copy_from_slice(bytes);
        Ok(lent)
    }

    /// Copies text in.
    ///
    /// # Errors
    /// [`Fault::FULL`].
    pub fn copy_str(&self, text: &str) -> Result<&'a str, Fault<'a>> {
        let bytes = self.copy(text.as_bytes())?;
        Ok(core::str::from_utf8(bytes).unwrap_or(""))
    }

    /// Copies whatever a value borrows.
    ///
    /// # Errors
    /// [`Fault::FULL`].
    pub fn keep(&self, value: Value<'_>) -> Result<Value<'a>, Fault<'a>> {
        Ok(match value {
            Value::Null => Value::Null,
            Value::Bool(b) => Value::Bool(b),
            Value::Int(i) => Value::Int(i),
            Value::Float(x) => Value::Float(x),
            Value::Time(t) => Value::Time(t),
            Value::Str(text) => Value::Str(self.copy_str(text)?),
            Value::Bytes(bytes) => Value::Bytes(self.copy(bytes)?),
            Value::Json(numbers, raw) => Value::Json(numbers, self.copy_str(raw)?),
            Value::Packed(p) => super::Packed::from_bytes(self.copy(p.as_bytes())?).map_or(Value::Null, Value::Packed),
        })
    }

    /// Lends at most `max` bytes to `write`, which says how many it used; gives that much back as text.
    /// What is no UTF-8 is cut at the first bad octet.
    ///
    /// # Errors
    /// [`Fault::FULL`] when `max` bytes are not there.
    pub fn write_text(&self, max: usize, write: impl FnOnce(&mut [u8]) -> usize) -> Result<&'a str, Fault<'a>> {
        let free = self.text.take();
        if free.len() < max {
            self.text.set(free);
            return Err(Fault::FULL);
        }
        let used = write(&mut free[..max]).min(max);
        let (lent, rest) = free.split_at_mut(used);
        self.text.set(rest);
        let lent: &'a [u8] = lent;
        Ok(match core::str::from_utf8(lent) {
            Ok(text) => text,
            Err(e) => core::str::from_utf8(&lent[..e.valid_up_to()]).unwrap_or(""),
        })
    }

    /// Lets `write` fill an [`Out`] over all free text memory; gives what it wrote.
    ///
    /// # Errors
    /// What `write` gives; [`Fault::FULL`] stands for a buffer that ended.
    pub fn write_bytes(&self, write: impl FnOnce(&mut Out<'_>) -> Result<(), Fault<'a>>) -> Result<&'a [u8], Fault<'a>> {
        let free = self.text.take();
        let mut out = Out::new(free);
        let result = write(&mut out);
        let (lent, rest) = out.split();
        match result {
            Ok(()) => {
                self.text.set(rest);
                Ok(lent)
            }
            Err(fault) => {
                self.text.set(rest); // what was written is lost for this row
                Err(fault)
            }
        }
    }

    /// Formats text into the scratch.
    ///
    /// # Errors
    /// [`Fault::FULL`].
    pub fn format(&self, args: core::fmt::Arguments<'_>) -> Result<&'a str, Fault<'a>> {
        let bytes = self.write_bytes(|out| out.write_fmt(args).map_err(|_| Fault::FULL))?;
        Ok(core::str::from_utf8(bytes).unwrap_or(""))
    }

    /// A fault whose sentence is formatted into the scratch ([`Fault::FULL`] if that does not fit).
    pub fn fault(&self, args: core::fmt::Arguments<'_>) -> Fault<'a> {
        self.format(args).map_or(Fault::FULL, Fault::new)
    }

    /// A writer of one packed value. It holds the packed half until [`PackWriter::finish`]: one at a time.
    pub fn pack<'s>(&'s self) -> PackWriter<'s, 'a> {
        PackWriter::new(&self.pack)
    }

    /// Lends the whole free packed half as a raw buffer and gives back what `used` says.
    ///
    /// # Errors
    /// What `write` gives.
    pub fn write_packed(&self, write: impl FnOnce(&mut [u8]) -> Result<usize, Fault<'a>>) -> Result<&'a [u8], Fault<'a>> {
        let free = self.pack.take();
        match write(free) {
            Ok(used) => {
                let (lent, rest) = free.split_at_mut(used.min(free.len()));
                self.pack.set(rest);
                Ok(lent)
            }
            Err(fault) => {
                self.pack.set(free);
                Err(fault)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_is_an_answer_and_leaves_the_rest_usable() {
        let mut buf = [0; 64]; // 32 for text
        let s = Scratch::new(&mut buf);
        assert!(s.alloc(33).is_err());
        assert_eq!(s.copy_str("hello"), Ok("hello"));
        assert_eq!(s.alloc(27).map(|b| b.len()), Ok(27));
        assert_eq!(s.copy_str("x"), Err(Fault::FULL));
        assert_eq!(s.copy_str(""), Ok(""));
    }

    #[test]
    fn formats() {
        let mut buf = [0; 64];
        let s = Scratch::new(&mut buf);
        assert_eq!(s.format(format_args!("{}-{}", 1, "a")), Ok("1-a"));
        assert_eq!(s.fault(format_args!("{:50}", 1)), Fault::FULL);
    }
}
