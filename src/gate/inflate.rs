//! Compressed bodies: which coding a head names (RFC 9110 §8.4), and the body as it was before it.
//!
//! A whole body goes in, a whole body comes out, in one go on the one thread that reads: one state and one buffer of `limits.bodyBytes`, taken
//! when the first endpoint opens, serve all connections, and nothing is allocated per request. Output is bounded while it is made,
//! so a bomb costs no more than the largest body. gzip (RFC 1952) may have several members, and every checksum is compared.
//! `deflate` is zlib (RFC 1950); one that does not begin like it is taken as raw deflate (RFC 1951), as RFC 9110 §8.4.1.2 warns.
//! zstd (RFC 8878) may have several frames and needs no window: the output is what its sequences refer to.
//! Bytes behind the end are an error: no byte string has two readings.

use core::fmt;

use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress, inflate_flags as flags};

use crate::pages::Pages;
use crate::wire::Head;
use crate::zstd::{DecodeError, Decoder};

/// How a body is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// RFC 1952.
    Gzip,
    /// RFC 1950, or RFC 1951 where a body does not begin like that.
    Deflate,
    /// RFC 1950 alone.
    Zlib,
    /// RFC 1951 alone.
    Flate,
    /// RFC 8878.
    Zstd,
}

impl Coding {
    /// The coding that the property `decompression` names.
    ///
    /// # Errors
    /// A sentence for the rule's creation.
    pub fn of_property(text: &str) -> Result<Self, String> {
        match text {
            "gzip" => Ok(Self::Gzip),
            "zlib" => Ok(Self::Zlib),
            "flate" => Ok(Self::Flate),
            "zstd" => Ok(Self::Zstd),
            other => Err(format!("property decompression: expected gzip, zlib, flate or zstd, found {other}")),
        }
    }

    /// True if a body of this coding may be announced as `announced`.
    const fn goes_with(self, announced: Self) -> bool {
        matches!(
            (self, announced),
            (Self::Gzip, Self::Gzip) | (Self::Zstd, Self::Zstd) | (Self::Zlib | Self::Flate | Self::Deflate, Self::Deflate)
        )
    }
}

/// The coding of a request's body: what its head says, beside what the endpoint demands of every body.
///
/// # Errors
/// [`UnknownCoding`]: a coding other than gzip, deflate and identity, more than one, or not the one that is demanded.
pub fn coding(head: &Head<'_>, demanded: Option<Coding>) -> Result<Option<Coding>, UnknownCoding> {
    let mut announced = None;
    for value in head.values("content-encoding") {
        for name in value.split(|&b| b == b',').map(<[u8]>::trim_ascii).filter(|name| !name.is_empty()) {
            let coding = match name {
                _ if name.eq_ignore_ascii_case(b"identity") => continue,
                _ if name.eq_ignore_ascii_case(b"gzip") || name.eq_ignore_ascii_case(b"x-gzip") => Coding::Gzip,
                _ if name.eq_ignore_ascii_case(b"deflate") => Coding::Deflate,
                _ if name.eq_ignore_ascii_case(b"zstd") => Coding::Zstd,
                _ => return Err(UnknownCoding),
            };
            if announced.replace(coding).is_some() {
                return Err(UnknownCoding);
            }
        }
    }
    match (demanded, announced) {
        (Some(demanded), Some(announced)) if !demanded.goes_with(announced) => Err(UnknownCoding),
        (Some(demanded), _) => Ok(Some(demanded)),
        // Only where the endpoint takes it: a client that tries finds out from the 415 what every endpoint takes.
        (None, Some(Coding::Zstd)) => Err(UnknownCoding),
        (None, announced) => Ok(announced),
    }
}

/// A content coding that is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownCoding;

/// Why a body cannot be inflated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InflateError {
    /// It is not what its coding says, or a checksum does not fit.
    Corrupt(Coding),
    /// It ends too early.
    Truncated(Coding),
    /// Bytes follow its end.
    Trailing(Coding),
    /// Inflated, it is longer than the limit.
    TooLong,
}

impl fmt::Display for InflateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (coding, what) = match self {
            Self::TooLong => return f.write_str("the inflated body is too long"),
            Self::Corrupt(coding) => (coding, "is corrupt"),
            Self::Truncated(coding) => (coding, "ends too early"),
            Self::Trailing(coding) => (coding, "is followed by other bytes"),
        };
        let (name, rfc) = match coding {
            Coding::Gzip => ("gzip", 1952),
            Coding::Deflate => ("deflate", 1950),
            Coding::Zlib => ("zlib", 1950),
            Coding::Flate => ("flate", 1951),
            Coding::Zstd => ("zstd", 8878),
        };
        write!(f, "the compressed body {what} ({name}, RFC {rfc})")
    }
}

impl core::error::Error for InflateError {}

/// See the module text.
pub struct Inflater {
    state: Box<DecompressorOxide>,
    zstd: Box<Decoder>,
    /// One byte more than the limit, so that what is exactly as long as it is told from what is longer.
    out: Pages,
}

impl fmt::Debug for Inflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inflater").field("limit", &self.limit()).finish_non_exhaustive()
    }
}

impl Inflater {
    /// One for bodies of at most `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { state: Box::default(), zstd: Box::default(), out: Pages::new(limit.saturating_add(1)) }
    }

    /// Bytes of one for bodies of at most `limit` bytes.
    #[must_use]
    pub const fn bytes(limit: usize) -> usize {
        limit + 1 + size_of::<DecompressorOxide>() + size_of::<Decoder>()
    }

    fn limit(&self) -> usize {
        self.out.len() - 1
    }

    /// The body that `body` is the compressed form of.
    ///
    /// # Errors
    /// [`InflateError`].
    pub fn inflate(&mut self, coding: Coding, body: &[u8]) -> Result<&[u8], InflateError> {
        let made = match coding {
            Coding::Gzip => self.members(body)?,
            Coding::Zlib => self.whole(coding, true, body)?,
            Coding::Deflate => self.whole(coding, is_zlib(body), body)?,
            Coding::Flate => self.whole(coding, false, body)?,
            Coding::Zstd => self.zstd.decode(body, &mut self.out).map_err(|error| match error {
                DecodeError::Magic | DecodeError::Corrupt | DecodeError::Checksum => InflateError::Corrupt(coding),
                DecodeError::Truncated => InflateError::Truncated(coding),
                DecodeError::TooLong => InflateError::TooLong,
            })?,
        };
        if made > self.limit() {
            return Err(InflateError::TooLong);
        }
        Ok(self.out.get(..made).unwrap_or_default())
    }

    /// One stream and nothing else.
    fn whole(&mut self, coding: Coding, zlib: bool, body: &[u8]) -> Result<usize, InflateError> {
        let (used, made) = self.stream(coding, zlib, body, 0)?;
        if used < body.len() { Err(InflateError::Trailing(coding)) } else { Ok(made) }
    }

    /// All members of a gzip file, one after another.
    fn members(&mut self, body: &[u8]) -> Result<usize, InflateError> {
        const CODING: Coding = Coding::Gzip;
        let (mut rest, mut made) = (body, 0);
        loop {
            let data = gzip_header(rest)?;
            let (used, more) = self.stream(CODING, false, data, made)?;
            let (crc, after) = data.get(used..).and_then(<[u8]>::split_first_chunk).ok_or(InflateError::Truncated(CODING))?;
            let (size, after) = after.split_first_chunk().ok_or(InflateError::Truncated(CODING))?;
            let member = self.out.get(made..made + more).unwrap_or_default();
            // The size is modulo 2^32 (RFC 1952 §2.3.1); a body is far below.
            if u32::from_le_bytes(*crc) != crc32fast::hash(member) || usize::try_from(u32::from_le_bytes(*size)) != Ok(more) {
                return Err(InflateError::Corrupt(CODING));
            }
            made += more;
            match after {
                [] => return Ok(made),
                [0x1f, 0x8b, ..] => rest = after,
                _ => return Err(InflateError::Trailing(CODING)),
            }
        }
    }

    /// One deflate stream at the front of `input`, to `out[at..]`: bytes used and made.
    fn stream(&mut self, coding: Coding, zlib: bool, input: &[u8], at: usize) -> Result<(usize, usize), InflateError> {
        let wrapper = if zlib { flags::TINFL_FLAG_PARSE_ZLIB_HEADER | flags::TINFL_FLAG_COMPUTE_ADLER32 } else { 0 };
        self.state.init();
        let out = self.out.get_mut(at..).unwrap_or_default();
        // Earlier members cannot be referred to: each begins with an empty window (RFC 1952 §2.2).
        let (status, used, made) = decompress(&mut self.state, input, out, 0, wrapper | flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF);
        match status {
            TINFLStatus::HasMoreOutput => Err(InflateError::TooLong),
            _ if at + made > self.limit() => Err(InflateError::TooLong),
            TINFLStatus::Done => Ok((used, made)),
            TINFLStatus::FailedCannotMakeProgress | TINFLStatus::NeedsMoreInput => Err(InflateError::Truncated(coding)),
            _ => Err(InflateError::Corrupt(coding)),
        }
    }
}

/// CMF and FLG as RFC 1950 §2.2 has them: deflate, a window of at most 32 KiB, and a check that fits.
fn is_zlib(body: &[u8]) -> bool {
    match body {
        [cmf, flg, ..] => cmf & 0x0f == 8 && cmf >> 4 <= 7 && u16::from_be_bytes([*cmf, *flg]) % 31 == 0,
        _ => true,
    }
}

/// Skips the header of a gzip member (RFC 1952 §2.3).
fn gzip_header(bytes: &[u8]) -> Result<&[u8], InflateError> {
    const TRUNCATED: InflateError = InflateError::Truncated(Coding::Gzip);
    const CORRUPT: InflateError = InflateError::Corrupt(Coding::Gzip);
    if !bytes.starts_with(&[0x1f, 0x8b, 8][..bytes.len().min(3)]) {
        return Err(CORRUPT);
    }
    let (head, mut rest) = bytes.split_first_chunk::<10>().ok_or(TRUNCATED)?;
    let flag = head[3];
    if flag & 0xe0 != 0 {
        return Err(CORRUPT);
    }
    if flag & 4 != 0 {
        let (len, after) = rest.split_first_chunk().ok_or(TRUNCATED)?;
        rest = after.get(usize::from(u16::from_le_bytes(*len))..).ok_or(TRUNCATED)?;
    }
    // Name and comment, each ended by a zero.
    for bit in [8, 16] {
        if flag & bit != 0 {
            let end = rest.iter().position(|b| *b == 0).ok_or(TRUNCATED)?;
            rest = rest.get(end + 1..).unwrap_or_default();
        }
    }
    if flag & 2 != 0 {
        let (sum, after) = rest.split_first_chunk().ok_or(TRUNCATED)?;
        let header = bytes.get(..bytes.len() - rest.len()).unwrap_or_default();
        if u32::from(u16::from_le_bytes(*sum)) != crc32fast::hash(header) & 0xffff {
            return Err(CORRUPT);
        }
        rest = after;
    }
    Ok(rest)
}

#[cfg(test)]
mod tests {
    use miniz_oxide::deflate::{compress_to_vec, compress_to_vec_zlib};
    use proptest::prelude::*;

    use super::*;
    use crate::wire::HeadInfo;

    fn gzip(body: &[u8]) -> Vec<u8> {
        gzip_with(0, &[], body)
    }

    fn gzip_with(flag: u8, between: &[u8], body: &[u8]) -> Vec<u8> {
        let size = u32::try_from(body.len()).expect("short");
        [
            &[0x1f, 0x8b, 8, flag, 0, 0, 0, 0, 0, 255][..],
            between,
            &compress_to_vec(body, 6),
            &crc32fast::hash(body).to_le_bytes(),
            &size.to_le_bytes(),
        ]
        .concat()
    }

    fn zstd(body: &[u8]) -> Vec<u8> {
        let mut out = vec![0; crate::zstd::bound(body.len())];
        let len = crate::zstd::Encoder::new().encode(body, &mut out).expect("room");
        out.truncate(len);
        out
    }

    fn inflated(coding: Coding, body: &[u8]) -> Result<Vec<u8>, InflateError> {
        Inflater::new(1000).inflate(coding, body).map(<[u8]>::to_vec)
    }

    #[test]
    fn rfc9110_8_4_codings() {
        let read = |fields: &str, demanded| {
            let bytes = format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n{fields}\r\n");
            let mut info = HeadInfo::default();
            coding(&info.read(bytes.as_bytes()).expect("good").expect("whole"), demanded)
        };
        for (fields, want) in [
            ("", Ok(None)),
            ("Content-Encoding: identity\r\n", Ok(None)),
            ("Content-Encoding:\r\n", Ok(None)),
            ("content-encoding: GZip\r\n", Ok(Some(Coding::Gzip))),
            ("Content-Encoding: x-gzip\r\n", Ok(Some(Coding::Gzip))),
            ("Content-Encoding: deflate\r\n", Ok(Some(Coding::Deflate))),
            ("Content-Encoding: identity, gzip\r\n", Ok(Some(Coding::Gzip))),
            ("Content-Encoding: br\r\n", Err(UnknownCoding)),
            ("Content-Encoding: zstd\r\n", Err(UnknownCoding)),
            ("Content-Encoding: gzip, gzip\r\n", Err(UnknownCoding)),
            ("Content-Encoding: gzip\r\nContent-Encoding: deflate\r\n", Err(UnknownCoding)),
            ("Content-Encoding: gzip;q=1\r\n", Err(UnknownCoding)),
        ] {
            assert_eq!(read(fields, None), want, "{fields}");
        }
        for (demanded, fields, want) in [
            (Coding::Gzip, "", Ok(Some(Coding::Gzip))),
            (Coding::Gzip, "Content-Encoding: gzip\r\n", Ok(Some(Coding::Gzip))),
            (Coding::Gzip, "Content-Encoding: deflate\r\n", Err(UnknownCoding)),
            (Coding::Zlib, "Content-Encoding: deflate\r\n", Ok(Some(Coding::Zlib))),
            (Coding::Flate, "Content-Encoding: deflate\r\n", Ok(Some(Coding::Flate))),
            (Coding::Flate, "Content-Encoding: gzip\r\n", Err(UnknownCoding)),
            (Coding::Zstd, "Content-Encoding: zstd\r\n", Ok(Some(Coding::Zstd))),
            (Coding::Zstd, "", Ok(Some(Coding::Zstd))),
            (Coding::Zstd, "Content-Encoding: gzip\r\n", Err(UnknownCoding)),
        ] {
            assert_eq!(read(fields, Some(demanded)), want, "{demanded:?} {fields}");
        }
    }

    #[test]
    fn each_coding() {
        let body = b"{\"a\":1,\"b\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}";
        let (raw, zlib) = (compress_to_vec(body, 6), compress_to_vec_zlib(body, 6));
        assert_eq!(inflated(Coding::Gzip, &gzip(body)).as_deref(), Ok(&body[..]));
        assert_eq!(inflated(Coding::Deflate, &zlib).as_deref(), Ok(&body[..]));
        assert_eq!(inflated(Coding::Deflate, &raw).as_deref(), Ok(&body[..]));
        assert_eq!(inflated(Coding::Zlib, &zlib).as_deref(), Ok(&body[..]));
        assert_eq!(inflated(Coding::Flate, &raw).as_deref(), Ok(&body[..]));
        assert!(inflated(Coding::Zlib, &raw).is_err() && inflated(Coding::Flate, &zlib).is_err());
        assert!(inflated(Coding::Gzip, body).is_err() && inflated(Coding::Gzip, &zlib).is_err());
        assert_eq!(inflated(Coding::Gzip, &gzip(b"")).as_deref(), Ok(&b""[..]));
        assert_eq!(inflated(Coding::Zstd, &zstd(body)).as_deref(), Ok(&body[..]));
        assert!(inflated(Coding::Zstd, &raw).is_err() && inflated(Coding::Gzip, &zstd(body)).is_err());
        for coding in [Coding::Gzip, Coding::Deflate, Coding::Zlib, Coding::Flate, Coding::Zstd] {
            assert!(matches!(inflated(coding, b""), Err(InflateError::Truncated(_))), "{coding:?}");
        }
    }

    #[test]
    fn rfc1952_headers_and_members() {
        let name = b"a.json\0";
        assert_eq!(inflated(Coding::Gzip, &gzip_with(8, name, b"x")).as_deref(), Ok(&b"x"[..]));
        assert_eq!(inflated(Coding::Gzip, &gzip_with(4 | 8 | 16, b"\x02\x00ab\0c\0", b"x")).as_deref(), Ok(&b"x"[..]));
        let sum = crc32fast::hash(&[0x1f, 0x8b, 8, 2, 0, 0, 0, 0, 0, 255]).to_le_bytes();
        assert_eq!(inflated(Coding::Gzip, &gzip_with(2, &sum[..2], b"x")).as_deref(), Ok(&b"x"[..]));
        assert_eq!(inflated(Coding::Gzip, &gzip_with(2, b"\0\0", b"x")), Err(InflateError::Corrupt(Coding::Gzip)));
        assert_eq!(inflated(Coding::Gzip, &gzip_with(0x20, b"", b"x")), Err(InflateError::Corrupt(Coding::Gzip)));
        let two = [gzip(b"one,"), gzip(b"two")].concat();
        assert_eq!(inflated(Coding::Gzip, &two).as_deref(), Ok(&b"one,two"[..]));
        assert_eq!(inflated(Coding::Gzip, &[&two[..], b"\0"].concat()), Err(InflateError::Trailing(Coding::Gzip)));
        assert_eq!(inflated(Coding::Gzip, &[&two[..], &[0x1f, 0x8b]].concat()), Err(InflateError::Truncated(Coding::Gzip)));
    }

    #[test]
    fn cut_changed_or_longer() {
        let body = b"some text, some text, some text, and then some more";
        for (coding, bytes) in
            [(Coding::Gzip, gzip(body)), (Coding::Deflate, compress_to_vec_zlib(body, 6)), (Coding::Flate, compress_to_vec(body, 6))]
        {
            for len in 0..bytes.len() {
                assert!(matches!(inflated(coding, &bytes[..len]), Err(InflateError::Truncated(_))), "{coding:?} {len}");
            }
            assert_eq!(inflated(coding, &[&bytes[..], b"x"].concat()), Err(InflateError::Trailing(coding)));
        }
        // With a checksum, no changed bit goes unnoticed, but for those of a gzip header that say nothing about the body.
        let bytes = gzip(body);
        for at in (0..bytes.len()).filter(|at| !(4..10).contains(at)) {
            // FTEXT says nothing about the body either.
            for bit in if at == 3 { 1..8 } else { 0..8 } {
                let mut other = bytes.clone();
                other[at] ^= 1 << bit;
                assert!(inflated(Coding::Gzip, &other).is_err(), "{at} {bit}");
            }
        }
    }

    #[test]
    fn at_the_limit_one_past_and_after() {
        let mut inflater = Inflater::new(1000);
        let bodies = [999, 1000, 1001, 5000, 50_000_000].map(|n| vec![b'a'; n]);
        for body in &bodies {
            for (coding, bytes) in
                [(Coding::Gzip, gzip(body)), (Coding::Zlib, compress_to_vec_zlib(body, 6)), (Coding::Flate, compress_to_vec(body, 6))]
            {
                let want = if body.len() > 1000 { Err(InflateError::TooLong) } else { Ok(body.len()) };
                assert_eq!(inflater.inflate(coding, &bytes).map(<[u8]>::len), want, "{coding:?} {}", body.len());
                assert_eq!(inflater.inflate(Coding::Gzip, &gzip(b"ok")), Ok(&b"ok"[..]));
            }
        }
        let two = |a: usize, b: usize| [gzip(&vec![b'a'; a]), gzip(&vec![b'b'; b])].concat();
        assert_eq!(inflater.inflate(Coding::Gzip, &two(500, 500)).map(<[u8]>::len), Ok(1000));
        assert_eq!(inflater.inflate(Coding::Gzip, &two(500, 501)), Err(InflateError::TooLong));
        assert_eq!(inflater.inflate(Coding::Gzip, &two(1000, 0)).map(<[u8]>::len), Ok(1000));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_was_compressed_comes_back(body in proptest::collection::vec(any::<u8>(), 0..1000), level in 0u8..10) {
            let size = u32::try_from(body.len()).unwrap_or(0);
            let raw = compress_to_vec(&body, level);
            let gzip = [&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255][..], &raw, &crc32fast::hash(&body).to_le_bytes(), &size.to_le_bytes()].concat();
            prop_assert_eq!(inflated(Coding::Gzip, &gzip), Ok(body.clone()));
            prop_assert_eq!(inflated(Coding::Flate, &raw), Ok(body.clone()));
            prop_assert_eq!(inflated(Coding::Deflate, &compress_to_vec_zlib(&body, level)), Ok(body.clone()));
        }

        /// Noise is refused or inflated within the limit; it never panics, and never leaks what was there before.
        #[test]
        fn noise(body in proptest::collection::vec(any::<u8>(), 0..300), first in any::<bool>()) {
            let mut inflater = Inflater::new(100);
            for coding in [Coding::Gzip, Coding::Deflate, Coding::Zlib, Coding::Flate] {
                let body = if first && coding == Coding::Gzip { [&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255][..], &body].concat() } else { body.clone() };
                let clean = Inflater::new(100).inflate(coding, &body).map(<[u8]>::to_vec);
                prop_assert!(clean.as_ref().is_ok_and(|b| b.len() <= 100) || clean.is_err());
                prop_assert_eq!(inflater.inflate(coding, &body).map(<[u8]>::to_vec), clean);
            }
        }
    }
}
