//! Chunked bodies, decoded in place while they arrive (RFC 9112 §7.1).
//!
//! Raw bytes go in, the decoded body is packed at the front of the same buffer; chunk sizes, extensions and trailers leave no
//! trace. A size that 8 hex digits do not hold is above any limit, so nothing wraps; extensions are skipped and, like trailers,
//! bounded over the whole message. Where decoding stops does not depend on how the bytes were split.
//!
//! ```
//! use pushgate::wire::body::{Chunks, Progress};
//! let mut buf = *b"3;x=1\r\nabc\r\n2\r\nde\r\n0\r\n\r\nGET";
//! let mut chunks = Chunks::default();
//! assert_eq!(chunks.decode(&mut buf, 0, 100), Ok(Progress { written: 5, read: 24, done: true }));
//! assert_eq!(&buf[..5], b"abcde");
//! ```

use super::{head::hex, is_tchar};

/// Extensions of all chunks of one body, in bytes.
pub const EXTENSION_BYTES: u16 = 1024;
/// Trailer section of one body, in bytes.
pub const TRAILER_BYTES: u16 = 1024;
/// Digits of a chunk size.
const SIZE_DIGITS: u8 = 8;

/// A chunked body being decoded.
#[derive(Debug, Clone, Copy, Default)]
pub struct Chunks {
    state: State,
    /// Hex digits of the size seen so far, at most [`SIZE_DIGITS`].
    digits: u8,
    /// While a size is read: the size. While data is read: what is left of it.
    size: u32,
    /// Extension bytes so far.
    extension: u16,
    /// Trailer bytes so far.
    trailer: u16,
}

/// How far decoding came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The decoded body ends here.
    pub written: usize,
    /// Raw bytes were used up to here; unless `done`, all of them.
    pub read: usize,
    /// The body is complete.
    pub done: bool,
}

/// Why a body is refused. The connection does not survive it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyError {
    /// A size line or the end of a chunk is malformed.
    BadChunk,
    /// The extensions exceed [`EXTENSION_BYTES`].
    ExtensionTooLong,
    /// A trailer line is no field line.
    BadTrailer,
    /// The trailers exceed [`TRAILER_BYTES`].
    TrailerTooLong,
    /// The body exceeds its limit.
    TooLong,
}

impl BodyError {
    /// The sentence shown to the client.
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self {
            Self::BadChunk => "malformed chunk (RFC 9112 section 7.1)",
            Self::ExtensionTooLong => "chunk extensions too long (RFC 9112 section 7.1.1)",
            Self::BadTrailer => "a trailer line is not: name: value (RFC 9112 section 7.1.2)",
            Self::TrailerTooLong => "trailers too long (RFC 9112 section 7.1.2)",
            Self::TooLong => "body too long",
        }
    }

    /// The status of the refusal.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::TooLong => 413,
            Self::TrailerTooLong => 431,
            _ => 400,
        }
    }
}

/// What the next byte belongs to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Size,
    /// White space between the size and a `;` that must follow.
    SizeSpace,
    /// Behind a `;`: white space, then a name that must follow.
    ExtensionName,
    Extension,
    /// White space behind a name: `=` or `;` must follow.
    ExtensionSpace,
    /// Behind a `=`: white space, then a value that must follow.
    ExtensionValue,
    ExtensionToken,
    ExtensionQuoted,
    ExtensionPair,
    /// Behind the closing quote.
    ExtensionEnd,
    /// White space behind a value: `;` must follow.
    ExtensionValueSpace,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    TrailerStart,
    TrailerName,
    TrailerValue,
    TrailerLf,
    EndLf,
    Done,
}

impl Chunks {
    /// Decodes what is in `buf`: the decoded body so far is `buf[..at]`, raw bytes follow it.
    ///
    /// # Errors
    /// [`BodyError`] at the first byte that cannot be part of a chunked body of at most `limit` bytes.
    pub fn decode(&mut self, buf: &mut [u8], at: usize, limit: usize) -> Result<Progress, BodyError> {
        let (mut written, mut read) = (at, at);
        while self.state != State::Done {
            if self.state == State::Data {
                let n = (buf.len() - read).min(usize::try_from(self.size).unwrap_or(usize::MAX));
                if n == 0 {
                    break;
                }
                buf.copy_within(read..read + n, written);
                (read, written) = (read + n, written + n);
                self.size -= u32::try_from(n).unwrap_or(self.size);
                if self.size == 0 {
                    self.state = State::DataCr;
                }
                continue;
            }
            let Some(&b) = buf.get(read) else { break };
            read += 1;
            self.step(b)?;
            if self.state == State::Data && limit.saturating_sub(written) < usize::try_from(self.size).unwrap_or(usize::MAX) {
                return Err(BodyError::TooLong);
            }
        }
        Ok(Progress { written, read, done: self.state == State::Done })
    }

    /// One byte outside chunk data.
    fn step(&mut self, b: u8) -> Result<(), BodyError> {
        use State as S;
        self.state = match (self.state, b) {
            (S::Size, b'\r') if self.digits > 0 => S::SizeLf,
            (S::Size | S::SizeSpace, b';') if self.digits > 0 => {
                self.extend()?;
                S::ExtensionName
            }
            (S::Size | S::SizeSpace, b' ' | b'\t') if self.digits > 0 => {
                self.extend()?;
                S::SizeSpace
            }
            (S::Size, _) => {
                let digit = hex(b).ok_or(BodyError::BadChunk)?;
                if self.digits < SIZE_DIGITS {
                    self.digits += 1;
                } else if self.size >> 28 > 0 {
                    return Err(BodyError::TooLong);
                } else {
                    self.extend()?; // zeros in front are no size, but they are no gift either
                }
                self.size = self.size << 4 | u32::from(digit);
                S::Size
            }
            (S::ExtensionName, b' ' | b'\t') => {
                self.extend()?;
                S::ExtensionName
            }
            (S::ExtensionName, _) if is_tchar(b) => {
                self.extend()?;
                S::Extension
            }
            (S::Extension | S::ExtensionToken | S::ExtensionEnd, b'\r') => S::SizeLf,
            (S::Extension, _) if is_tchar(b) => {
                self.extend()?;
                S::Extension
            }
            (S::ExtensionToken | S::ExtensionValue, _) if is_tchar(b) => {
                self.extend()?;
                S::ExtensionToken
            }
            (S::ExtensionQuoted, _) if is_value_octet(b) => {
                self.extend()?;
                match b {
                    b'"' => S::ExtensionEnd,
                    b'\\' => S::ExtensionPair,
                    _ => S::ExtensionQuoted,
                }
            }
            (S::ExtensionPair, _) if is_value_octet(b) => {
                self.extend()?;
                S::ExtensionQuoted
            }
            (
                state @ (S::Extension
                | S::ExtensionSpace
                | S::ExtensionValue
                | S::ExtensionToken
                | S::ExtensionEnd
                | S::ExtensionValueSpace),
                _,
            ) => {
                self.extend()?;
                match (state, b) {
                    (S::Extension | S::ExtensionSpace, b'=') => S::ExtensionValue,
                    (S::ExtensionValue, b'"') => S::ExtensionQuoted,
                    (S::Extension | S::ExtensionSpace | S::ExtensionToken | S::ExtensionEnd | S::ExtensionValueSpace, b';') => {
                        S::ExtensionName
                    }
                    (S::Extension | S::ExtensionSpace, b' ' | b'\t') => S::ExtensionSpace,
                    (S::ExtensionValue, b' ' | b'\t') => S::ExtensionValue,
                    (S::ExtensionToken | S::ExtensionEnd | S::ExtensionValueSpace, b' ' | b'\t') => S::ExtensionValueSpace,
                    _ => return Err(BodyError::BadChunk),
                }
            }
            (S::SizeLf, b'\n') if self.size == 0 => S::TrailerStart,
            (S::SizeLf, b'\n') => S::Data,
            (S::DataCr, b'\r') => S::DataLf,
            (S::DataLf, b'\n') => {
                self.digits = 0;
                S::Size
            }
            (S::TrailerStart, b'\r') => S::EndLf,
            (S::TrailerStart | S::TrailerName, _) if is_tchar(b) => {
                self.trail()?;
                S::TrailerName
            }
            (S::TrailerName, b':') => {
                self.trail()?;
                S::TrailerValue
            }
            (S::TrailerValue, b'\r') => S::TrailerLf,
            (S::TrailerValue, _) if is_value_octet(b) => {
                self.trail()?;
                S::TrailerValue
            }
            (S::TrailerLf, b'\n') => S::TrailerStart,
            (S::EndLf, b'\n') => S::Done,
            (S::TrailerStart | S::TrailerName | S::TrailerValue | S::TrailerLf | S::EndLf, _) => return Err(BodyError::BadTrailer),
            _ => return Err(BodyError::BadChunk),
        };
        Ok(())
    }

    fn extend(&mut self) -> Result<(), BodyError> {
        self.extension += 1;
        if self.extension > EXTENSION_BYTES { Err(BodyError::ExtensionTooLong) } else { Ok(()) }
    }

    fn trail(&mut self) -> Result<(), BodyError> {
        self.trailer += 1;
        if self.trailer > TRAILER_BYTES { Err(BodyError::TrailerTooLong) } else { Ok(()) }
    }
}

/// Octets of a field value or an extension's value (RFC 9110 §5.5): no control octet but the tab.
const fn is_value_octet(b: u8) -> bool {
    matches!(b, b'\t' | b' '..=0x7e | 0x80..)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Body and raw length, checked to be the same whole and byte by byte; `None` when more is needed.
    fn decoded(raw: &[u8], limit: usize) -> Result<Option<(Vec<u8>, usize)>, BodyError> {
        let mut buf = raw.to_vec();
        let whole = Chunks::default().decode(&mut buf, 0, limit).map(|p| p.done.then(|| (buf[..p.written].to_vec(), p.read)));
        let mut chunks = Chunks::default();
        let mut body = Vec::new();
        let mut bytewise = Ok(None);
        for (i, &b) in raw.iter().enumerate() {
            let at = body.len();
            body.push(b);
            match chunks.decode(&mut body, at, limit) {
                Ok(p) => {
                    body.truncate(p.written);
                    if p.done {
                        bytewise = Ok(Some((body, i + 1)));
                        break;
                    }
                }
                Err(error) => {
                    bytewise = Err(error);
                    break;
                }
            }
        }
        assert_eq!(whole, bytewise, "{}", raw.escape_ascii());
        whole
    }

    #[test]
    fn rfc9112_7_1_bodies() {
        for (raw, body, rest) in [
            (&b"0\r\n\r\n"[..], &b""[..], 0),
            (b"3\r\nabc\r\n0\r\n\r\n", b"abc", 0),
            (b"3\r\nabc\r\n02\r\nde\r\n000\r\n\r\nGET /", b"abcde", 5),
            (b"a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n", b"01234567890123456789", 0),
            (b"00000003\r\n\r\n\r\r\n0\r\n\r\n", b"\r\n\r", 0),
            (b"1;a\r\nx\r\n1 ; a = b ;c=\"d e\"\r\ny\r\n0;e\r\n\r\n", b"xy", 0),
            (b"1\r\nx\r\n0\r\nA: b\r\nC:\r\n\r\n", b"x", 0),
            (b"1;a=\"\\\";,\x80 \";b=\"\"\r\nx\r\n0;c\t=\t\"d\" ;e\r\n\r\n", b"x", 0),
            (b"00000000000000000000003\r\nabc\r\n0000000000\r\n\r\n", b"abc", 0),
        ] {
            assert_eq!(decoded(raw, 100), Ok(Some((body.to_vec(), raw.len() - rest))), "{}", raw.escape_ascii());
            for cut in 0..raw.len() - rest {
                assert_eq!(decoded(&raw[..cut], 100), Ok(None), "{}", raw[..cut].escape_ascii());
            }
        }
    }

    #[test]
    fn rfc9112_7_1_malformed() {
        for raw in [
            &b"\r\n"[..],
            b" 3\r\n",
            b"3 \r\n",
            b"g\r\n",
            b"0x3\r\n",
            b"+3\r\n",
            b"-3\r\n",
            b"3\n",
            b"3\rx",
            b"3\r\r",
            b"3\r\nabcd",
            b"3\r\nabc\n",
            b"3\r\nabc\rx",
            b"3\r\nabc\r\n\r\n",
            b"3;\r\n",
            b"3; ;a\r\n",
            b"3;a\n",
            b"3;a\0",
            b"3;a=\"b\nc\"",
            b"3,\r\n",
            b"3.0\r\n",
            b"0000000000g\r\n",
            b";a\r\n",
            b"3;a=\r\n",
            b"3;=b\r\n",
            b"3;a=b c\r\n",
            b"3;a b\r\n",
            b"3;a \r\n",
            b"3;a=b \r\n",
            b"3;a=\"b\r\n",
            b"3;a=\"b\\\r\n",
            b"3;a=\"b\"c\r\n",
            b"3;a=\"b\" \r\n",
            b"3;a=b=c\r\n",
            b"3;a=\x80\r\n",
        ] {
            assert_eq!(decoded(raw, 1 << 20), Err(BodyError::BadChunk), "{}", raw.escape_ascii());
        }
        for raw in [
            &b"0\r\n\n"[..],
            b"0\r\n A: b\r\n",
            b"0\r\nA : b\r\n",
            b"0\r\nA\r\n",
            b"0\r\n: b\r\n",
            b"0\r\nA: b\n",
            b"0\r\nA: b\r\n c",
            b"0\r\n\rx",
            b"0\r\nA: \0",
        ] {
            assert_eq!(decoded(raw, 9), Err(BodyError::BadTrailer), "{}", raw.escape_ascii());
        }
    }

    #[test]
    fn limits_at_and_one_past() {
        assert!(decoded(b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", 5).is_ok_and(|d| d.is_some()));
        assert_eq!(decoded(b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", 4), Err(BodyError::TooLong));
        // 2^32 and 2^64 do not wrap into sizes that fit.
        for size in ["ffffffff", "100000000", "100000003", "10000000000000003", "fffffffffffffffff", "00100000003"] {
            assert_eq!(decoded(format!("{size}\r\nabc\r\n").as_bytes(), 1 << 20), Err(BodyError::TooLong), "{size}");
        }
        let zeros = |n: usize| [&vec![b'0'; n][..], b"1\r\nx\r\n0\r\n\r\n"].concat();
        assert!(decoded(&zeros(7 + usize::from(EXTENSION_BYTES)), 9).is_ok_and(|d| d.is_some()));
        assert_eq!(decoded(&zeros(8 + usize::from(EXTENSION_BYTES)), 9), Err(BodyError::ExtensionTooLong));
        assert_eq!(BodyError::TooLong.status(), 413);

        let extension = |n: usize| [b"1;", "a".repeat(n - 1).as_bytes(), b"\r\nx\r\n0\r\n\r\n"].concat();
        let most = usize::from(EXTENSION_BYTES);
        assert!(decoded(&extension(most), 9).is_ok_and(|d| d.is_some()));
        assert_eq!(decoded(&extension(most + 1), 9), Err(BodyError::ExtensionTooLong));
        let many = [b"1;aaa\r\nx\r\n".repeat(most / 4), b"1;a\r\nx\r\n".to_vec()].concat();
        assert_eq!(decoded(&many, 9999), Err(BodyError::ExtensionTooLong));

        let trailer = |n: usize| [b"0\r\nA:", "b".repeat(n - 2).as_bytes(), b"\r\n\r\n"].concat();
        let most = usize::from(TRAILER_BYTES);
        assert!(decoded(&trailer(most), 9).is_ok_and(|d| d.is_some()));
        assert_eq!(decoded(&trailer(most + 1), 9), Err(BodyError::TrailerTooLong));
        assert_eq!(BodyError::TrailerTooLong.status(), 431);
    }
}
