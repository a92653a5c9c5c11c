//! `compress` and `decompress`: raw deflate (RFC 1951), zlib (RFC 1950), gzip (RFC 1952) and zstd (RFC 8878) from slice to scratch.
//!
//! Inflating is `miniz_oxide`'s, straight into the free half of the scratch: what unpacks to more is the scratch's own fault.
//! Deflating is done here, because that crate's compressor takes 300 KiB from the heap: matches of up to 32 KiB back through
//! a small hash table, fixed codes, stored blocks when those do not pay.

use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress as inflate, inflate_flags};

use crate::eval::Call;
use crate::value::Fault;
use crate::zstd::{DecodeError, Decoder, Encoder};

/// Compresses `bytes` into the scratch.
///
/// # Errors
/// An algorithm that is none of `zlib`, `gzip`, `flate`, `zstd`; a full scratch.
pub(super) fn compress<'a>(c: &Call<'_, 'a>, bytes: &[u8], algorithm: &str) -> Result<&'a [u8], Fault<'a>> {
    if algorithm == "zstd" {
        // Nothing becomes nothing, and no frame of it, as in eKuiper.
        let encode = |free: &mut [u8]| if bytes.is_empty() { Ok(0) } else { Encoder::new().encode(bytes, free).ok_or(Fault::FULL) };
        return c.ctx.scratch.write_packed(encode);
    }
    let form = form(c, algorithm, "compressor")?;
    let table = c.ctx.scratch.alloc(4 * TABLE_SIZE)?;
    c.ctx.scratch.write_packed(|free| {
        let mut out = Bits { buf: free, len: 0, held: 0, count: 0 };
        match form {
            Form::Raw => {}
            Form::Zlib => out.put(&[0x78, 0x9c])?,
            Form::Gzip => out.put(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff])?,
        }
        let start = out.len;
        let stored = bytes.len() + 5 * bytes.len().div_ceil(0xffff).max(1);
        if !fixed(&mut out, bytes, table, start + stored)? {
            out = Bits { len: start, held: 0, count: 0, ..out };
            store(&mut out, bytes)?;
        }
        match form {
            Form::Raw => {}
            Form::Zlib => out.put(&adler32(bytes).to_be_bytes())?,
            Form::Gzip => {
                out.put(&crc32fast::hash(bytes).to_le_bytes())?;
                #[expect(clippy::cast_possible_truncation, reason = "RFC 1952: the size modulo 2^32")]
                out.put(&(bytes.len() as u32).to_le_bytes())?;
            }
        }
        Ok(out.len)
    })
}

/// Unpacks `bytes` into the scratch.
///
/// # Errors
/// An algorithm that is none of `zlib`, `gzip`, `flate`, `zstd`; octets that are not in its form; a full scratch.
pub(super) fn decompress<'a>(c: &Call<'_, 'a>, bytes: &[u8], algorithm: &str) -> Result<&'a [u8], Fault<'a>> {
    if algorithm == "zstd" {
        let out =
            c.ctx.scratch.write_packed(|free| if bytes.is_empty() { Ok(0) } else { Decoder::new().decode(bytes, free).map_err(fault) })?;
        c.work(out.len())?;
        return Ok(out);
    }
    let form = form(c, algorithm, "decompressor")?;
    let out = c.ctx.scratch.write_packed(|free| {
        if form != Form::Gzip {
            return unpack(bytes, free, 0, form).map(|(_, made)| made);
        }
        // Members follow one another.
        let (mut rest, mut len) = (bytes, 0);
        loop {
            let body = gzip_header(rest).ok_or(Fault::new("gzip: invalid header"))?;
            let (used, made) = unpack(body, free, len, form)?;
            let member = free.get(len..len + made).unwrap_or(&[]);
            let trailer = body.get(used..used + 8).ok_or(Fault::new("unexpected EOF"))?;
            #[expect(clippy::cast_possible_truncation, reason = "RFC 1952: the size modulo 2^32")]
            if trailer[..4] != crc32fast::hash(member).to_le_bytes() || trailer[4..] != (made as u32).to_le_bytes() {
                return Err(Fault::new("gzip: invalid checksum"));
            }
            len += made;
            rest = body.get(used + 8..).unwrap_or(&[]);
            if rest.is_empty() {
                return Ok(len);
            }
        }
    })?;
    c.work(out.len())?;
    Ok(out)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Raw,
    Zlib,
    Gzip,
}

fn form<'a>(c: &Call<'_, 'a>, name: &str, what: &str) -> Result<Form, Fault<'a>> {
    match name {
        "flate" => Ok(Form::Raw),
        "zlib" => Ok(Form::Zlib),
        "gzip" => Ok(Form::Gzip),
        _ => Err(c.ctx.scratch.fault(format_args!("unsupported {what}: {name}"))),
    }
}

/// In the words of eKuiper's decoder.
const fn fault<'f>(error: DecodeError) -> Fault<'f> {
    match error {
        DecodeError::TooLong => Fault::FULL,
        DecodeError::Truncated => Fault::new("unexpected EOF"),
        DecodeError::Magic => Fault::new("invalid input: magic number mismatch"),
        DecodeError::Checksum => Fault::new("CRC check failed"),
        DecodeError::Corrupt => Fault::new("invalid input: corrupt"),
    }
}

/// Inflates one stream to `out[at..]`; gives the octets used and made.
fn unpack<'f>(bytes: &[u8], out: &mut [u8], at: usize, form: Form) -> Result<(usize, usize), Fault<'f>> {
    let mut flags = inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
    if form == Form::Zlib {
        flags |= inflate_flags::TINFL_FLAG_PARSE_ZLIB_HEADER | inflate_flags::TINFL_FLAG_COMPUTE_ADLER32;
    }
    // A window of its own: a member must not reach back into the one before.
    let out = out.get_mut(at..).unwrap_or(&mut []);
    let (status, used, made) = inflate(&mut DecompressorOxide::new(), bytes, out, 0, flags);
    match status {
        TINFLStatus::Done => Ok((used, made)),
        TINFLStatus::HasMoreOutput => Err(Fault::FULL),
        TINFLStatus::NeedsMoreInput | TINFLStatus::FailedCannotMakeProgress => Err(Fault::new("unexpected EOF")),
        TINFLStatus::Adler32Mismatch => Err(Fault::new("zlib: invalid checksum")),
        _ if form == Form::Zlib && made == 0 => Err(Fault::new("zlib: invalid header")),
        _ => Err(Fault::new("flate: corrupt input")),
    }
}

/// What follows a gzip member's header.
fn gzip_header(bytes: &[u8]) -> Option<&[u8]> {
    let (head, mut rest) = bytes.split_at_checked(10)?;
    if head[..3] != [0x1f, 0x8b, 8] {
        return None;
    }
    let flags = head[3];
    if flags & 4 != 0 {
        let len = rest.first_chunk().map(|b| usize::from(u16::from_le_bytes(*b)))?;
        rest = rest.get(2 + len..)?;
    }
    for text in [8, 16] {
        if flags & text != 0 {
            rest = rest.get(rest.iter().position(|b| *b == 0)? + 1..)?;
        }
    }
    if flags & 2 != 0 { rest.get(2..) } else { Some(rest) }
}

fn adler32(bytes: &[u8]) -> u32 {
    let (mut a, mut b) = (1_u32, 0_u32);
    // 5552 is the most octets before the sums could pass 32 bits (RFC 1950 §9).
    for chunk in bytes.chunks(5552) {
        for octet in chunk {
            a += u32::from(*octet);
            b += a;
        }
        a %= 65_521;
        b %= 65_521;
    }
    b << 16 | a
}

/// Hash slots for three octets at a time; each holds a place plus one.
const TABLE_SIZE: usize = 4096;
/// How far back a match may lie, and how long it may be (RFC 1951 §2).
const WINDOW: usize = 32_768;
const LONGEST: usize = 258;

/// Bits from the lowest up into octets.
struct Bits<'b> {
    buf: &'b mut [u8],
    len: usize,
    held: u32,
    count: u32,
}

impl Bits<'_> {
    fn put<'f>(&mut self, bytes: &[u8]) -> Result<(), Fault<'f>> {
        self.buf.get_mut(self.len..self.len + bytes.len()).ok_or(Fault::FULL)?.copy_from_slice(bytes);
        self.len += bytes.len();
        Ok(())
    }

    /// At most 16 bits.
    fn bits<'f>(&mut self, value: u32, count: u32) -> Result<(), Fault<'f>> {
        self.held |= value << self.count;
        self.count += count;
        while self.count >= 8 {
            self.put(&self.held.to_le_bytes()[..1])?;
            self.held >>= 8;
            self.count -= 8;
        }
        Ok(())
    }

    /// A code, whose bits go from the highest down.
    fn code<'f>(&mut self, code: u32, count: u32) -> Result<(), Fault<'f>> {
        self.bits(code.reverse_bits() >> (32 - count), count)
    }

    /// A symbol of the fixed literal and length code (RFC 1951 §3.2.6).
    fn symbol<'f>(&mut self, symbol: u32) -> Result<(), Fault<'f>> {
        match symbol {
            0..=143 => self.code(0x30 + symbol, 8),
            144..=255 => self.code(0x190 + symbol - 144, 9),
            256..=279 => self.code(symbol - 256, 7),
            _ => self.code(0xc0 + symbol - 280, 8),
        }
    }

    fn flush<'f>(&mut self) -> Result<(), Fault<'f>> {
        if self.count > 0 { self.bits(0, 8 - self.count) } else { Ok(()) }
    }
}

/// One block of fixed codes; false, with the output spoilt, as soon as it passes `end`.
fn fixed<'f>(out: &mut Bits<'_>, bytes: &[u8], table: &mut [u8], end: usize) -> Result<bool, Fault<'f>> {
    table.fill(0);
    let (slots, _) = table.as_chunks_mut::<4>();
    out.bits(0b011, 3)?; // last block, fixed codes
    let mut at = 0;
    while at < bytes.len() {
        if out.len > end {
            return Ok(false);
        }
        let (mut len, mut distance) = (0, 0);
        if let Some([a, b, c]) = bytes.get(at..at + 3).and_then(|t| t.first_chunk::<3>()) {
            let hash = u32::from_le_bytes([*a, *b, *c, 0]).wrapping_mul(0x9e37_79b1) >> 20;
            if let (Some(slot), Ok(place)) = (slots.get_mut(hash as usize), u32::try_from(at + 1)) {
                let before = u32::from_le_bytes(*slot) as usize;
                *slot = place.to_le_bytes();
                if before > 0 && at + 1 - before <= WINDOW {
                    distance = at + 1 - before;
                    let back = &bytes[before - 1..];
                    len = bytes[at..].iter().zip(back).take(LONGEST).take_while(|(x, y)| x == y).count();
                }
            }
        }
        if len >= 3 {
            repeat(out, len, distance)?;
            at += len;
        } else {
            out.symbol(u32::from(bytes[at]))?;
            at += 1;
        }
    }
    out.symbol(256)?;
    out.flush()?;
    Ok(out.len <= end)
}

/// A match: length 3..=258, distance 1..=32768, each as a code and extra bits (RFC 1951 §3.2.5).
fn repeat<'f>(out: &mut Bits<'_>, len: usize, distance: usize) -> Result<(), Fault<'f>> {
    let small = |n: usize| u32::try_from(n).unwrap_or(0);
    if len == LONGEST {
        out.symbol(285)?;
    } else {
        let n = small(len - 3);
        let extra = if n < 8 { 0 } else { n.ilog2() - 2 };
        out.symbol(257 + 4 * extra + (n >> extra))?;
        out.bits(n & ((1 << extra) - 1), extra)?;
    }
    let n = small(distance - 1);
    let extra = if n < 4 { 0 } else { n.ilog2() - 1 };
    out.code(2 * extra + (n >> extra), 5)?;
    out.bits(n & ((1 << extra) - 1), extra)
}

fn store<'f>(out: &mut Bits<'_>, bytes: &[u8]) -> Result<(), Fault<'f>> {
    let mut rest = bytes;
    loop {
        let (block, behind) = rest.split_at(rest.len().min(0xffff));
        let len = u16::try_from(block.len()).unwrap_or(0);
        out.put(&[u8::from(behind.is_empty())])?;
        out.put(&len.to_le_bytes())?;
        out.put(&(!len).to_le_bytes())?;
        out.put(block)?;
        if behind.is_empty() {
            return Ok(());
        }
        rest = behind;
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Arg::*, check, with_call};
    use super::*;

    #[test]
    fn known_streams_and_refusals() {
        check(&[
            ("decompress", &[X(b"\xcb\x48\xcd\xc9\xc9\x07\x00"), S("flate")], "\"aGVsbG8=\""),
            ("decompress", &[X(b"\xcb\x48\xcd"), S("flate")], "!unexpected EOF"),
            ("decompress", &[X(b"\xff\xff\xff"), S("flate")], "!flate: corrupt input"),
            ("decompress", &[S("plain"), S("gzip")], "!gzip: invalid header"),
            ("decompress", &[S("plain text"), S("zlib")], "!zlib: invalid header"),
            ("decompress", &[X(b"\x28\xb5\x2f\xfd\x20\x05\x29\0\0hello"), S("zstd")], "\"aGVsbG8=\""),
            ("decompress", &[X(b"\x28\xb5\x2f\xfd\x20\x05\x29\0\0hell"), S("zstd")], "!unexpected EOF"),
            ("decompress", &[S("xxxxxxxx"), S("zstd")], "!invalid input: magic number mismatch"),
            ("compress", &[S("hello"), S("zstd")], "\"KLUv/QQAKQAAaGVsbG+jbZ+I\""),
            ("compress", &[S("x"), S("zstd")], "\"KLUv/QQACQAAeCMRBIM=\""),
            ("compress", &[S(""), S("zstd")], "\"\""),
            ("compress", &[S("x"), S("lzma")], "!unsupported compressor: lzma"),
            ("compress", &[N, S("gzip")], "null"),
            ("compress", &[J("[1]"), S("gzip")], "!require string or bytea parameter, but got [1]"),
        ]);
    }

    #[test]
    fn what_goes_in_comes_out() {
        let mut noise = Vec::new();
        let mut x = 1_u32;
        for _ in 0..3000 {
            x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            noise.push(x.to_be_bytes()[0]);
        }
        let long = b"temperature humidity pressure ".repeat(60);
        for bytes in [b"".as_slice(), b"a", b"hello", &[7; 1500], &noise, &long] {
            for name in ["flate", "zlib", "gzip", "zstd"] {
                with_call(|c| {
                    let packed = compress(c, bytes, name).expect("room");
                    assert!(packed.len() <= bytes.len() + 40);
                    if bytes.len() == long.len() {
                        assert!(packed.len() < bytes.len() / 6, "{name}: {} of {}", packed.len(), bytes.len());
                    }
                    assert_eq!(decompress(c, packed, name), Ok(bytes), "{name}");
                });
            }
        }
    }

    #[test]
    fn members_and_sums() {
        with_call(|c| {
            let one = compress(c, b"ab", "gzip").expect("room").to_vec();
            let two = [one.as_slice(), &one].concat();
            assert_eq!(decompress(c, &two, "gzip"), Ok(b"abab".as_slice()));
            let mut bad = one;
            let sum = bad.len() - 8;
            bad[sum] ^= 1;
            assert_eq!(decompress(c, &bad, "gzip"), Err(Fault::new("gzip: invalid checksum")));
            for name in ["zlib", "zstd"] {
                let bomb = compress(c, &[0; 200_000], name).expect("room").to_vec();
                assert_eq!(decompress(c, &bomb, name), Err(Fault::FULL), "{name}");
            }
        });
    }
}
