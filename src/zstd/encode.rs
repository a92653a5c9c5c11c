//! Content to a frame: matches through a hash table, sequences with the predefined tables, literals with a Huffman code.

use super::bits::Writer;
use super::fse::Encoding as Sequences;
use super::huffman::Encoding as Huffman;
use super::sequence::{LITERALS, LITERALS_USUAL, MATCHES, MATCHES_USUAL, OFFSETS_USUAL, code_of};
use super::{MAGIC, xxh64};

/// Content of one block: what 14 bits can say of its literals.
const BLOCK_BYTES: usize = 16_000;
/// Sequences of one block at most; what is left of it is literals.
const SEQUENCE_COUNT: usize = 2048;
/// Places of the hash table.
const HASH_BITS: u32 = 12;
/// Shortest match that is worth a sequence.
const MATCH_MIN: usize = 5;
/// Longest match, in one block.
const MATCH_MAX: usize = 60_000;
/// Below this a Huffman code does not pay for its description.
const HUFFMAN_MIN: usize = 64;
/// Magic, descriptor, size, checksum.
const FRAME_BYTES: usize = 4 + 1 + 4 + 4;

/// Bytes that a frame of `len` bytes takes at most.
#[must_use]
pub const fn bound(len: usize) -> usize {
    FRAME_BYTES + 3 * (len / BLOCK_BYTES + 1) + len
}

#[derive(Debug, Clone, Copy, Default)]
struct Sequence {
    literals: u16,
    len: u16,
    /// As it is coded: 1 for the last one again, else the distance and 3.
    offset: u32,
}

/// Work memory of the encoder, 50 KiB.
#[derive(Debug)]
pub struct Encoder {
    /// Where the four bytes of a hash were seen last, plus one.
    seen: [u32; 1 << HASH_BITS],
    sequences: [Sequence; SEQUENCE_COUNT],
    literals: [u8; BLOCK_BYTES],
    codes: [Sequences; 3],
}

impl Default for Encoder {
    fn default() -> Self {
        Self::new()
    }
}

/// What a block came to.
struct Parts {
    sequences: usize,
    literals: usize,
    /// The last offset.
    recent: usize,
}

impl Encoder {
    /// One that can be used again and again.
    #[must_use]
    pub fn new() -> Self {
        Self {
            seen: [0; 1 << HASH_BITS],
            sequences: [Sequence::default(); SEQUENCE_COUNT],
            literals: [0; BLOCK_BYTES],
            codes: [Sequences::new(&LITERALS_USUAL), Sequences::new(&OFFSETS_USUAL), Sequences::new(&MATCHES_USUAL)],
        }
    }

    /// Writes `input` as one frame; gives its bytes. `None`: no room ([`bound`] is enough), or more than 4 GiB.
    pub fn encode(&mut self, input: &[u8], out: &mut [u8]) -> Option<usize> {
        let size = u32::try_from(input.len()).ok()?;
        let mut len = 0;
        let put = |bytes: &[u8], out: &mut [u8], len: &mut usize| -> Option<()> {
            out.get_mut(*len..*len + bytes.len())?.copy_from_slice(bytes);
            *len += bytes.len();
            Some(())
        };
        put(&MAGIC.to_le_bytes(), out, &mut len)?;
        // With a checksum. One segment with its size in two or four bytes, or the smallest window (RFC 8878 §3.1.1.1): so the frames
        // of a short text are those of eKuiper's encoder, byte for byte.
        match size {
            ..256 => put(&[0x04, 0], out, &mut len)?,
            256..65_792 => {
                put(&[0x64], out, &mut len)?;
                put(&(size - 256).to_le_bytes()[..2], out, &mut len)?;
            }
            _ => {
                put(&[0xA4], out, &mut len)?;
                put(&size.to_le_bytes(), out, &mut len)?;
            }
        }
        self.seen.fill(0);
        let (mut at, mut recent) = (0, 1);
        loop {
            let end = input.len().min(at + BLOCK_BYTES);
            let last = u32::from(end == input.len());
            let parts = self.matches(input, at, end, recent);
            let content = input.get(at..end)?;
            let room = out.get_mut(len + 3..).unwrap_or_default();
            // A block that does not become smaller is stored.
            let limit = room.len().min(content.len());
            let packed = self.block(&parts, room.get_mut(..limit).unwrap_or_default()).filter(|n| *n < content.len());
            let (kind, used) = match packed {
                Some(used) => {
                    recent = parts.recent;
                    (2, used)
                }
                None => {
                    room.get_mut(..content.len())?.copy_from_slice(content);
                    (0, content.len())
                }
            };
            let head = (u32::try_from(used).ok()? << 3 | kind << 1 | last).to_le_bytes();
            out.get_mut(len..len + 3)?.copy_from_slice(&head[..3]);
            len += 3 + used;
            at = end;
            if last == 1 {
                break;
            }
        }
        #[expect(clippy::cast_possible_truncation, reason = "the low four bytes are the checksum")]
        put(&(xxh64(input) as u32).to_le_bytes(), out, &mut len)?;
        Some(len)
    }

    /// Splits `input[from..end]` into literals and matches.
    fn matches(&mut self, input: &[u8], from: usize, end: usize, mut recent: usize) -> Parts {
        let (mut at, mut begin, mut count, mut literals) = (from, from, 0, 0);
        while at + MATCH_MIN <= end && count < SEQUENCE_COUNT {
            let Some(four) = input.get(at..at + 4).and_then(|b| b.first_chunk::<4>()) else { break };
            let hash = u32::from_le_bytes(*four).wrapping_mul(0x9E37_79B1) >> (32 - HASH_BITS);
            let mut before = 0;
            if let (Some(place), Ok(here)) = (self.seen.get_mut(hash as usize), u32::try_from(at + 1)) {
                before = core::mem::replace(place, here) as usize;
            }
            let same = |back: usize| {
                let (a, b) = (input.get(at..end).unwrap_or_default(), input.get(at - back..).unwrap_or_default());
                a.iter().zip(b).take(MATCH_MAX).take_while(|(a, b)| a == b).count()
            };
            // The last offset again costs next to nothing, if literals come before it.
            let again = if at > begin && recent <= at { same(recent) } else { 0 };
            let other = if before > 0 { same(at + 1 - before) } else { 0 };
            let (len, back) = if again + 1 >= other { (again, recent) } else { (other, at + 1 - before) };
            if len < MATCH_MIN {
                at += 1;
                continue;
            }
            let before = input.get(begin..at).unwrap_or_default();
            if let Some(place) = self.literals.get_mut(literals..literals + before.len()) {
                place.copy_from_slice(before);
            }
            literals += before.len();
            let offset = if back == recent && !before.is_empty() { 1 } else { u32::try_from(back + 3).unwrap_or(u32::MAX) };
            if let Some(place) = self.sequences.get_mut(count) {
                let short = |n: usize| u16::try_from(n).unwrap_or(u16::MAX);
                *place = Sequence { literals: short(before.len()), len: short(len), offset };
            }
            recent = back;
            count += 1;
            at += len;
            begin = at;
        }
        let rest = input.get(begin..end).unwrap_or_default();
        if let Some(place) = self.literals.get_mut(literals..literals + rest.len()) {
            place.copy_from_slice(rest);
        }
        Parts { sequences: count, literals: literals + rest.len(), recent }
    }

    /// Writes a block; gives its bytes. `None`: it does not fit.
    fn block(&self, parts: &Parts, out: &mut [u8]) -> Option<usize> {
        let literals = self.literals.get(..parts.literals)?;
        let mut len = coded_literals(literals, out).or_else(|| raw_literals(literals, out))?;
        let count = parts.sequences;
        let head = u16::try_from(count).ok()?.to_be_bytes();
        // Fewer than 32,512 fit in two bytes (RFC 8878 §3.1.1.3.2.1).
        let head = if count < 128 { &head[1..] } else { &[head[0] + 128, head[1]][..] };
        out.get_mut(len..len + head.len())?.copy_from_slice(head);
        len += head.len();
        if count == 0 {
            return Some(len);
        }
        // All three tables are the predefined ones.
        *out.get_mut(len)? = 0;
        len += 1;
        let mut bits = Writer::new(out.get_mut(len..)?);
        let [literal_codes, offset_codes, match_codes] = &self.codes;
        let mut states = None;
        for sequence in self.sequences.get(..count)?.iter().rev() {
            let (literal, literal_extra, literal_bits) = code_of(&LITERALS, sequence.literals.into());
            let (matched, match_extra, match_bits) = code_of(&MATCHES, sequence.len.into());
            let offset_bits = sequence.offset.ilog2();
            let offset = u8::try_from(offset_bits).ok()?;
            // What is written last is read first.
            match &mut states {
                None => states = Some((literal_codes.start(literal), offset_codes.start(offset), match_codes.start(matched))),
                Some((literal_state, offset_state, match_state)) => {
                    offset_codes.put(offset_state, offset, &mut bits)?;
                    match_codes.put(match_state, matched, &mut bits)?;
                    literal_codes.put(literal_state, literal, &mut bits)?;
                }
            }
            bits.put(literal_extra, literal_bits)?;
            bits.put(match_extra, match_bits)?;
            bits.put(sequence.offset - (1 << offset_bits), offset_bits)?;
        }
        let (literal, offset, matched) = states?;
        match_codes.end(matched, &mut bits)?;
        offset_codes.end(offset, &mut bits)?;
        literal_codes.end(literal, &mut bits)?;
        Some(len + bits.finish()?)
    }
}

/// Literals as they are (RFC 8878 §3.1.1.3.1.1).
fn raw_literals(literals: &[u8], out: &mut [u8]) -> Option<usize> {
    let size = u32::try_from(literals.len()).ok()?;
    let (head, head_len) = match size {
        ..32 => (size << 3, 1),
        32..4096 => (size << 4 | 1 << 2, 2),
        _ => (size << 4 | 3 << 2, 3),
    };
    out.get_mut(..head_len)?.copy_from_slice(&head.to_le_bytes()[..head_len]);
    out.get_mut(head_len..head_len + literals.len())?.copy_from_slice(literals);
    Some(head_len + literals.len())
}

/// Literals in a Huffman code. `None`: it would not make them shorter, or does not fit.
fn coded_literals(literals: &[u8], out: &mut [u8]) -> Option<usize> {
    if literals.len() < HUFFMAN_MIN {
        return None;
    }
    let huffman = Huffman::new(literals)?;
    if huffman.head_bytes() + huffman.cost(literals) / 8 + 12 >= literals.len() {
        return None;
    }
    let single = literals.len() < 1024;
    let head_len = if single { 3 } else { 4 };
    let body = out.get_mut(head_len..)?;
    let mut len = huffman.head(body)?;
    if single {
        len += huffman.stream(literals, body.get_mut(len..)?)?;
    } else {
        let sizes = len;
        len += 6;
        let each = literals.len().div_ceil(4);
        for (i, part) in literals.chunks(each).enumerate() {
            let n = huffman.stream(part, body.get_mut(len..)?)?;
            if i < 3 {
                body.get_mut(sizes + 2 * i..sizes + 2 * i + 2)?.copy_from_slice(&u16::try_from(n).ok()?.to_le_bytes());
            }
            len += n;
        }
    }
    let (size, coded) = (u32::try_from(literals.len()).ok()?, u32::try_from(len).ok()?);
    // Sizes of ten bits and one stream, or of fourteen and four.
    let (format, bits) = if single { (0, 10) } else { (2, 14) };
    if coded >> bits != 0 || len >= literals.len() {
        return None;
    }
    let head = u64::from(coded) << (4 + bits) | u64::from(size) << 4 | format << 2 | 2;
    out.get_mut(..head_len)?.copy_from_slice(&head.to_le_bytes()[..head_len]);
    Some(head_len + len)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Decoder;
    use super::*;

    fn frame(encoder: &mut Encoder, input: &[u8]) -> Vec<u8> {
        let mut out = vec![0; bound(input.len())];
        let len = encoder.encode(input, &mut out).expect("room");
        out.truncate(len);
        out
    }

    fn there_and_back(input: &[u8]) -> usize {
        let frame = frame(&mut Encoder::new(), input);
        let mut out = vec![0; input.len()];
        assert_eq!(Decoder::new().decode(&frame, &mut out), Ok(input.len()));
        assert_eq!(out, input);
        frame.len()
    }

    #[test]
    fn what_repeats_becomes_small() {
        let one = br#"{"device":"press-7","temperature":21.5,"pressure":1013.25,"state":"running"}"#;
        let rows: Vec<u8> = (0..500)
            .flat_map(|n| format!("{{\"device\":\"press-{}\",\"t\":{}.{},\"n\":{n}}},", n % 7, n % 40, n % 10).into_bytes())
            .collect();
        for (input, most) in
            [(one.to_vec(), one.len() + 14), (rows.clone(), rows.len() / 4), (one.repeat(1000), 1500), (vec![b'a'; 100_000], 120)]
        {
            let len = there_and_back(&input);
            assert!(len <= most, "{} became {len}, at most {most}", input.len());
        }
    }

    #[test]
    fn sizes_at_the_edges_of_every_field() {
        let mut x = 1_u32;
        let mut noise = |len: usize, of: u32| -> Vec<u8> {
            (0..len)
                .map(|_| {
                    x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    u8::try_from((x >> 24) % of).expect("a byte")
                })
                .collect()
        };
        for len in [0, 1, 4, 31, 32, 63, 64, 255, 256, 257, 1023, 1024, 4095, 4096, 15_999, 16_000, 16_001, 65_535, 65_791, 65_792, 70_000]
        {
            for of in [2, 5, 30, 120, 256] {
                there_and_back(&noise(len, of));
            }
        }
    }

    #[test]
    fn one_after_another_and_too_little_room() {
        let mut encoder = Encoder::new();
        let (a, b) = (b"one two one two one two one two".repeat(9), b"another".repeat(30));
        let first = frame(&mut encoder, &a);
        let _ = frame(&mut encoder, &b);
        assert_eq!(frame(&mut encoder, &a), first, "what came before leaves no trace");
        for room in 0..first.len() {
            assert_eq!(encoder.encode(&a, &mut vec![0; room]), None, "{room}");
        }
        assert_eq!(encoder.encode(&a, &mut vec![0; first.len()]), Some(first.len()));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_goes_in_comes_out(words in proptest::collection::vec((0_usize..40, 0_usize..12), 0..3000)) {
            let pool: Vec<String> = (0..40).map(|n| format!("w{}{}", "abcdefgh".repeat(n % 5), n * n)).collect();
            let input: String = words.iter().map(|(at, cut)| &pool[*at][..pool[*at].len().min(*cut)]).collect();
            there_and_back(input.as_bytes());
        }

        #[test]
        fn any_bytes_come_out(input in proptest::collection::vec(any::<u8>(), 0..3000)) {
            there_and_back(&input);
        }
    }
}
