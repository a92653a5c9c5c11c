//! Frames to content: blocks, literals, sequences (RFC 8878 §3).

use core::fmt;

use super::bits::Reverse;
use super::fse::{Distribution, Table};
use super::huffman::Decoding;
use super::sequence::{LITERALS, LITERALS_USUAL, MATCHES, MATCHES_USUAL, OFFSET_CODES, OFFSETS_USUAL};
use super::{BLOCK_MAX, MAGIC, xxh64};

/// Why a frame cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecodeError {
    /// It does not begin like a frame.
    Magic,
    /// It breaks a rule, or needs a dictionary.
    Corrupt,
    /// Its checksum does not fit.
    Checksum,
    /// It ends too early.
    Truncated,
    /// Its content is longer than the output.
    TooLong,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Magic => "no frame",
            Self::Corrupt => "corrupt",
            Self::Checksum => "its checksum does not fit",
            Self::Truncated => "ends too early",
            Self::TooLong => "longer than the room for it",
        })
    }
}

impl core::error::Error for DecodeError {}

use DecodeError::{Checksum, Corrupt, Magic, TooLong, Truncated};

/// The tables of a frame.
#[derive(Debug)]
pub struct Decoder {
    huffman: Decoding,
    literals: Table,
    offsets: Table,
    matches: Table,
    /// The last three offsets (RFC 8878 §3.1.1.5).
    recent: [usize; 3],
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

/// What the literals of a block are.
enum Literals {
    Raw,
    Repeated,
    Coded { treeless: bool },
}

impl Decoder {
    /// One that can be used again and again.
    #[must_use]
    pub const fn new() -> Self {
        Self { huffman: Decoding::new(), literals: Table::new(), offsets: Table::new(), matches: Table::new(), recent: [1, 4, 8] }
    }

    /// The content of all frames in `input`, one after another, into `out`; gives its length.
    ///
    /// # Errors
    /// [`DecodeError`]; what stands in `out` then is of no use.
    pub fn decode(&mut self, mut input: &[u8], out: &mut [u8]) -> Result<usize, DecodeError> {
        let mut made = 0;
        loop {
            let magic = u32::from_le_bytes(take(&mut input)?);
            if magic == MAGIC {
                let room = out.get_mut(made..).unwrap_or_default();
                made += self.frame(&mut input, room)?;
            } else if magic & 0xFFFF_FFF0 == 0x184D_2A50 {
                let len = u32::from_le_bytes(take(&mut input)?);
                slice(&mut input, usize::try_from(len).map_err(|_| Truncated)?)?;
            } else {
                return Err(Magic);
            }
            if input.is_empty() {
                return Ok(made);
            }
        }
    }

    fn frame(&mut self, input: &mut &[u8], out: &mut [u8]) -> Result<usize, DecodeError> {
        let [descriptor] = take(input)?;
        let single = descriptor & 0x20 != 0;
        if descriptor & 8 != 0 {
            return Err(Corrupt);
        }
        let window = if single {
            None
        } else {
            let [b] = take(input)?;
            let base = 1_u64 << (10 + (b >> 3));
            Some(base + base / 8 * u64::from(b & 7))
        };
        let dictionary = match descriptor & 3 {
            0 => 0,
            1 => u32::from(take::<1>(input)?[0]),
            2 => u32::from(u16::from_le_bytes(take(input)?)),
            _ => u32::from_le_bytes(take(input)?),
        };
        if dictionary != 0 {
            return Err(Corrupt);
        }
        let size = match descriptor >> 6 {
            0 if single => Some(u64::from(take::<1>(input)?[0])),
            0 => None,
            1 => Some(u64::from(u16::from_le_bytes(take(input)?)) + 256),
            2 => Some(u64::from(u32::from_le_bytes(take(input)?))),
            _ => Some(u64::from_le_bytes(take(input)?)),
        };
        if size.is_some_and(|size| size > out.len() as u64) {
            return Err(TooLong);
        }
        let window = window.or(size).unwrap_or(0);
        let block_max = usize::try_from(window).unwrap_or(usize::MAX).min(BLOCK_MAX);
        self.recent = [1, 4, 8];
        self.huffman.is_set = false;
        for table in [&mut self.literals, &mut self.offsets, &mut self.matches] {
            table.is_set = false;
        }
        let mut made = 0;
        loop {
            let [a, b, c] = take(input)?;
            let head = u32::from_le_bytes([a, b, c, 0]);
            let len = (head >> 3) as usize;
            if len > block_max {
                return Err(Corrupt);
            }
            match head >> 1 & 3 {
                0 => {
                    let content = slice(input, len)?;
                    out.get_mut(made..made + len).ok_or(TooLong)?.copy_from_slice(content);
                    made += len;
                }
                1 => {
                    let [b] = take(input)?;
                    out.get_mut(made..made + len).ok_or(TooLong)?.fill(b);
                    made += len;
                }
                2 => {
                    let block = slice(input, len)?;
                    let before = made;
                    made = self.block(block, out, made)?;
                    if made - before > block_max {
                        return Err(Corrupt);
                    }
                }
                _ => return Err(Corrupt),
            }
            if head & 1 == 1 {
                break;
            }
        }
        if size.is_some_and(|size| size != made as u64) {
            return Err(Corrupt);
        }
        let content = out.get(..made).unwrap_or_default();
        #[expect(clippy::cast_possible_truncation, reason = "the low four bytes are what is compared")]
        if descriptor & 4 != 0 && u32::from_le_bytes(take(input)?) != xxh64(content) as u32 {
            return Err(Checksum);
        }
        Ok(made)
    }

    /// One compressed block; gives where its content ends.
    fn block(&mut self, block: &[u8], out: &mut [u8], made: usize) -> Result<usize, DecodeError> {
        let mut rest = block;
        let count = self.literals(&mut rest, out, made)?;
        // They stand at the end of the output and move forward as they are used: what is written never reaches what is still to
        // be read, unless all of it is longer than the room.
        let literals = out.len() - count;
        self.sequences(rest, out, made, literals)
    }

    /// Puts the literals of a block at the end of `out`; gives how many there are.
    fn literals(&mut self, rest: &mut &[u8], out: &mut [u8], made: usize) -> Result<usize, DecodeError> {
        let head = *rest.first().ok_or(Corrupt)?;
        let format = head >> 2 & 3;
        let kind = match head & 3 {
            0 => Literals::Raw,
            1 => Literals::Repeated,
            kind => Literals::Coded { treeless: kind == 3 },
        };
        let Literals::Coded { treeless } = kind else {
            let (head_len, bits) = match format {
                0 | 2 => (1, 3),
                1 => (2, 4),
                _ => (3, 4),
            };
            let head = little(slice_in(rest, head_len)?);
            let count = usize::try_from(head >> bits).map_err(|_| Corrupt)?;
            let place = room(out, made, count)?;
            if matches!(kind, Literals::Raw) {
                place.copy_from_slice(slice_in(rest, count)?);
            } else {
                place.fill(slice_in(rest, 1)?[0]);
            }
            return Ok(count);
        };
        let (head_len, bits) = match format {
            0 | 1 => (3, 10),
            2 => (4, 14),
            _ => (5, 18),
        };
        let head = little(slice_in(rest, head_len)?) >> 4;
        let part = |n: u64| usize::try_from(n & ((1 << bits) - 1)).map_err(|_| Corrupt);
        let (count, len) = (part(head)?, part(head >> bits)?);
        if count > BLOCK_MAX {
            return Err(Corrupt);
        }
        let mut coded = slice_in(rest, len)?;
        if !treeless {
            let used = self.huffman.read(coded, &mut Table::new()).ok_or(Corrupt)?;
            coded = coded.get(used..).ok_or(Corrupt)?;
        } else if !self.huffman.is_set {
            return Err(Corrupt);
        }
        let place = room(out, made, count)?;
        if format == 0 {
            self.huffman.stream(coded, place).ok_or(Corrupt)?;
            return Ok(count);
        }
        // Four streams; the sizes of three of them come first (RFC 8878 §3.1.1.3.1.6).
        let sizes = slice_in(&mut coded, 6)?;
        let each = count.div_ceil(4);
        let mut place = place;
        for i in 0..4 {
            let stream = match sizes.as_chunks::<2>().0.get(i) {
                Some(size) => slice_in(&mut coded, usize::from(u16::from_le_bytes(*size)))?,
                None => coded,
            };
            let n = if i < 3 { each } else { place.len() };
            let (now, behind) = place.split_at_mut_checked(n).ok_or(Corrupt)?;
            self.huffman.stream(stream, now).ok_or(Corrupt)?;
            place = behind;
        }
        Ok(count)
    }

    fn sequences(&mut self, mut rest: &[u8], out: &mut [u8], mut made: usize, mut literals: usize) -> Result<usize, DecodeError> {
        let [first] = take(&mut rest).map_err(|_| Corrupt)?;
        let count = match first {
            0 => 0,
            1..128 => usize::from(first),
            128..255 => ((usize::from(first) - 128) << 8) + usize::from(take::<1>(&mut rest).map_err(|_| Corrupt)?[0]),
            255 => usize::from(u16::from_le_bytes(take(&mut rest).map_err(|_| Corrupt)?)) + 0x7F00,
        };
        if count > 0 {
            let [modes] = take(&mut rest).map_err(|_| Corrupt)?;
            if modes & 3 != 0 {
                return Err(Corrupt);
            }
            for (table, mode, usual, symbols, log_max) in [
                (&mut self.literals, modes >> 6, &LITERALS_USUAL, LITERALS.len(), 9),
                (&mut self.offsets, modes >> 4 & 3, &OFFSETS_USUAL, OFFSET_CODES, 8),
                (&mut self.matches, modes >> 2 & 3, &MATCHES_USUAL, MATCHES.len(), 9),
            ] {
                rest = table_of(table, mode, usual, symbols, log_max, rest).ok_or(Corrupt)?;
            }
            let mut bits = Reverse::new(rest).ok_or(Corrupt)?;
            let mut states = (self.literals.start(&mut bits), self.offsets.start(&mut bits), self.matches.start(&mut bits));
            for i in 0..count {
                let code = |codes: &[(u32, u8)], symbol: u8| codes.get(usize::from(symbol)).copied().ok_or(Corrupt);
                let offset_bits = u32::from(self.offsets.symbol(states.1));
                let (literal_base, literal_bits) = code(&LITERALS, self.literals.symbol(states.0))?;
                let (match_base, match_bits) = code(&MATCHES, self.matches.symbol(states.2))?;
                if offset_bits as usize >= OFFSET_CODES {
                    return Err(Corrupt);
                }
                let offset = (1_u64 << offset_bits) + u64::from(bits.read(offset_bits));
                let match_len = match_base + bits.read(u32::from(match_bits));
                let literal_len = literal_base + bits.read(u32::from(literal_bits));
                let offset = self.offset(offset, literal_len == 0)?;
                let literal_len = literal_len as usize;
                if literal_len > out.len() - literals {
                    return Err(Corrupt);
                }
                out.copy_within(literals..literals + literal_len, made);
                literals += literal_len;
                made += literal_len;
                repeat(out, made, literals, offset, match_len as usize)?;
                made += match_len as usize;
                if i + 1 < count {
                    states.0 = self.literals.next(states.0, &mut bits);
                    states.2 = self.matches.next(states.2, &mut bits);
                    states.1 = self.offsets.next(states.1, &mut bits);
                }
                if bits.left() < 0 {
                    return Err(Corrupt);
                }
            }
            if bits.left() != 0 {
                return Err(Corrupt);
            }
        } else if !rest.is_empty() {
            return Err(Corrupt);
        }
        let left = out.len() - literals;
        out.copy_within(literals.., made);
        Ok(made + left)
    }

    /// How far back a match lies (RFC 8878 §3.1.1.5).
    fn offset(&mut self, value: u64, no_literals: bool) -> Result<usize, DecodeError> {
        let [a, b, c] = self.recent;
        if value > 3 {
            let offset = usize::try_from(value - 3).map_err(|_| Corrupt)?;
            self.recent = [offset, a, b];
            return Ok(offset);
        }
        match value + u64::from(no_literals) {
            1 => {}
            2 => self.recent = [b, a, c],
            3 => self.recent = [c, a, b],
            _ => self.recent = [a.checked_sub(1).filter(|offset| *offset > 0).ok_or(Corrupt)?, a, b],
        }
        Ok(self.recent[0])
    }
}

/// Room for `count` literals at the end of `out`, of which `made` bytes are content.
fn room(out: &mut [u8], made: usize, count: usize) -> Result<&mut [u8], DecodeError> {
    let from = out.len().checked_sub(count).filter(|from| *from >= made).ok_or(TooLong)?;
    Ok(out.get_mut(from..).unwrap_or_default())
}

/// Copies `len` bytes from `offset` back to `made`; they may overlap, and must end before the literals.
fn repeat(out: &mut [u8], made: usize, literals: usize, offset: usize, len: usize) -> Result<(), DecodeError> {
    let from = made.checked_sub(offset).ok_or(Corrupt)?;
    if len > literals - made {
        return Err(TooLong);
    }
    let (mut done, mut step) = (0, offset.min(len));
    // What was copied is the source of the next part.
    while done < len {
        out.copy_within(from..from + step, made + done);
        done += step;
        step = (offset + done).min(len - done);
    }
    Ok(())
}

/// Reads or finds the table of one kind of code; gives what is behind its description.
fn table_of<'b>(table: &mut Table, mode: u8, usual: &Distribution, symbols: usize, log_max: u32, bytes: &'b [u8]) -> Option<&'b [u8]> {
    match mode {
        0 => table.set(usual).map(|()| bytes),
        1 => {
            let (symbol, rest) = bytes.split_first()?;
            table.set_only(*symbol);
            Some(rest)
        }
        2 => {
            let (distribution, used) = Distribution::read(bytes, symbols, log_max)?;
            table.set(&distribution)?;
            bytes.get(used..)
        }
        _ => table.is_set.then_some(bytes),
    }
}

/// The next `N` bytes.
fn take<const N: usize>(input: &mut &[u8]) -> Result<[u8; N], DecodeError> {
    let (head, rest) = input.split_first_chunk().ok_or(Truncated)?;
    *input = rest;
    Ok(*head)
}

/// The next `len` bytes of the input.
fn slice<'b>(input: &mut &'b [u8], len: usize) -> Result<&'b [u8], DecodeError> {
    let (head, rest) = input.split_at_checked(len).ok_or(Truncated)?;
    *input = rest;
    Ok(head)
}

/// The next `len` bytes of a block, which says itself how long it is.
fn slice_in<'b>(block: &mut &'b [u8], len: usize) -> Result<&'b [u8], DecodeError> {
    slice(block, len).map_err(|_| Corrupt)
}

fn little(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |n, b| n << 8 | u64::from(*b))
}

#[cfg(test)]
mod tests {
    use super::super::{Encoder, bound};
    use super::*;

    fn decoded(frame: &[u8], room: usize) -> Result<Vec<u8>, DecodeError> {
        let mut out = vec![0; room];
        Decoder::new().decode(frame, &mut out).map(|len| out[..len].to_vec())
    }

    fn hex(text: &str) -> Vec<u8> {
        let text = text.replace(' ', "");
        let mut bytes = vec![0; text.len() / 2];
        data_encoding::HEXLOWER.decode_mut(text.as_bytes(), &mut bytes).expect("hex");
        bytes
    }

    #[test]
    fn frames_of_the_reference() {
        // zstd 1.5.4: `printf hello | zstd -c`, the same with --no-check, then an empty one and one that is a single byte repeated.
        for (frame, want) in [
            ("28b52ffd 0458 290000 68656c6c6f a36d9f88", Some(b"hello".to_vec())),
            ("28b52ffd 0458 290000 68656c6c6f a36d9f89", None),
            ("28b52ffd 0058 290000 68656c6c6f", Some(b"hello".to_vec())),
            ("28b52ffd 2005 290000 68656c6c6f", Some(b"hello".to_vec())),
            ("28b52ffd 2000 010000", Some(Vec::new())),
            ("28b52ffd 2009 4b0000 61", Some(b"a".repeat(9))),
            ("502a4d18 03000000 010203 28b52ffd 2005 290000 68656c6c6f", Some(b"hello".to_vec())),
            ("28b52ffd 2002 110000 6869 28b52ffd 2005 290000 68656c6c6f", Some(b"hihello".to_vec())),
        ] {
            assert_eq!(decoded(&hex(frame), 100).ok(), want, "{frame}");
        }
    }

    #[test]
    fn refusals() {
        for (frame, want) in [
            ("", Truncated),
            ("28b52f", Truncated),
            ("00000000", Magic),
            ("28b52ffd 2405 290000 68656c6c6f a36d9f89", Checksum),
            ("28b52ffd 2805 290000 68656c6c6f", Corrupt),
            ("28b52ffd 2107 05 290000 68656c6c6f", Corrupt),
            ("28b52ffd 2005 290000 68656c6c", Truncated),
            ("28b52ffd 2006 290000 68656c6c6f", Corrupt),
            ("28b52ffd 2005 2f0000 68656c6c6f", Corrupt),
            ("28b52ffd 2065 290000 68656c6c6f", TooLong),
            ("28b52ffd 20ff 00", TooLong),
            ("28b52ffd 2009 4b0000", Truncated),
            ("28b52ffd 2005 290000 68656c6c6f 00", Truncated),
            ("28b52ffd 2005 290000 68656c6c6f 00000000", Magic),
        ] {
            assert_eq!(decoded(&hex(frame), 100), Err(want), "{frame}");
        }
        // At the room and one past it, with a size and without.
        for frame in ["28b52ffd 2009 4b0000 61", "28b52ffd 0058 4b0000 61"] {
            assert_eq!(decoded(&hex(frame), 9).map(|c| c.len()), Ok(9));
            assert_eq!(decoded(&hex(frame), 8), Err(TooLong));
        }
    }

    #[test]
    fn whatever_comes_there_is_an_answer() {
        let text = b"{\"device\":\"press-7\",\"t\":21.5,\"p\":1013}".repeat(40);
        let mut frame = vec![0; bound(text.len())];
        let len = Encoder::new().encode(&text, &mut frame).expect("room");
        frame.truncate(len);
        let mut out = vec![0; text.len()];
        let mut decoder = Decoder::new();
        assert_eq!(decoder.decode(&frame, &mut out), Ok(text.len()));
        assert_eq!(decoder.decode(&frame, &mut out[1..]), Err(TooLong));
        for cut in 0..frame.len() {
            assert!(decoder.decode(&frame[..cut], &mut out).is_err(), "{cut}");
        }
        for at in 0..frame.len() {
            for bit in 0..8 {
                let mut bad = frame.clone();
                bad[at] ^= 1 << bit;
                // The checksum catches what the structure does not; the skippable magics are an answer too.
                if let Ok(len) = decoder.decode(&bad, &mut out) {
                    assert!(at < 8 && out[..len] == text[..len], "{at} {bit}");
                }
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn random_bytes_never_break_it(mut bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..400), room in 0_usize..600) {
            let mut out = vec![0; room];
            let _ = Decoder::new().decode(&bytes, &mut out);
            // The same with a head that is good.
            bytes.splice(0..0, [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58]);
            let _ = Decoder::new().decode(&bytes, &mut out);
            let len = u32::try_from(bytes.len() - 6).expect("short") << 3 | 5;
            bytes.splice(6..6, len.to_le_bytes()[..3].iter().copied());
            let _ = Decoder::new().decode(&bytes, &mut out);
        }
    }
}
