//! Huffman codes of literals (RFC 8878 §4.2): read from their weights, or made for a block.

use super::bits::{Reverse, Writer};
use super::fse::{Distribution, Table};

/// Longest code.
const BITS_MAX: u32 = 11;
/// Codes that are described one by one: symbols up to this one.
const DIRECT_MAX: usize = 128;

/// A table to decode with: for each next [`BITS_MAX`] bits or fewer, the symbol and how many of them it takes.
#[derive(Debug)]
pub(super) struct Decoding {
    entries: [(u8, u8); 1 << BITS_MAX],
    bits: u32,
    /// False: nothing was put into it in this frame.
    pub(super) is_set: bool,
}

impl Decoding {
    pub(super) const fn new() -> Self {
        Self { entries: [(0, 0); 1 << BITS_MAX], bits: 0, is_set: false }
    }

    /// Reads the description of a code; gives the bytes it takes. `spare` is for weights that are coded themselves.
    pub(super) fn read(&mut self, bytes: &[u8], spare: &mut Table) -> Option<usize> {
        let mut weights = [0; 256];
        let (head, rest) = bytes.split_first()?;
        let (count, used) = match usize::from(*head) {
            n @ 128.. => {
                let count = n - 127;
                let packed = rest.get(..count.div_ceil(2))?;
                for (i, weight) in weights.iter_mut().take(count).enumerate() {
                    *weight = if i % 2 == 0 { packed[i / 2] >> 4 } else { packed[i / 2] & 15 };
                }
                (count, 1 + packed.len())
            }
            n => (coded_weights(rest.get(..n)?, spare, &mut weights)?, 1 + n),
        };
        self.set(&mut weights, count)?;
        Some(used)
    }

    /// The code that weights mean; that of the last symbol follows from the others.
    fn set(&mut self, weights: &mut [u8; 256], count: usize) -> Option<()> {
        let part = |weight: u8| if weight == 0 { 0 } else { 1_u32 << (weight - 1) };
        if weights[..count].iter().any(|w| u32::from(*w) > BITS_MAX) {
            return None;
        }
        let sum: u32 = weights[..count].iter().map(|w| part(*w)).sum();
        let bits = sum.checked_ilog2()? + 1;
        let rest = (1_u32 << bits) - sum;
        if bits > BITS_MAX || !rest.is_power_of_two() {
            return None;
        }
        *weights.get_mut(count)? = u8::try_from(rest.ilog2() + 1).ok()?;
        let mut at = 0;
        for weight in 1..=u8::try_from(bits).ok()? {
            let taken = u8::try_from(bits + 1 - u32::from(weight)).ok()?;
            for (symbol, _) in (0..=u8::MAX).zip(weights.iter()).filter(|(_, w)| **w == weight) {
                let len = part(weight) as usize;
                self.entries.get_mut(at..at + len)?.fill((symbol, taken));
                at += len;
            }
        }
        self.bits = bits;
        self.is_set = true;
        (at == 1 << bits).then_some(())
    }

    /// Decodes one stream; it must hold exactly as many symbols as `out` has room.
    pub(super) fn stream(&self, bytes: &[u8], out: &mut [u8]) -> Option<()> {
        let mut bits = Reverse::new(bytes)?;
        for place in out {
            let (symbol, taken) = self.entries[bits.peek(self.bits) as usize];
            bits.skip(u32::from(taken));
            *place = symbol;
        }
        (bits.left() == 0).then_some(())
    }
}

/// Weights that are coded by FSE with two states in turn (RFC 8878 §4.2.1.2).
fn coded_weights(bytes: &[u8], table: &mut Table, weights: &mut [u8; 256]) -> Option<usize> {
    let (distribution, used) = Distribution::read(bytes, 13, 6)?;
    table.set(&distribution)?;
    let mut bits = Reverse::new(bytes.get(used..)?)?;
    let mut states = [table.start(&mut bits), table.start(&mut bits)];
    if bits.left() < 0 {
        return None;
    }
    let mut count = 0;
    loop {
        for turn in 0..2 {
            // The last symbol needs a place as well.
            *weights.get_mut(count).filter(|_| count < 254)? = table.symbol(states[turn]);
            count += 1;
            states[turn] = table.next(states[turn], &mut bits);
            if bits.left() < 0 {
                weights[count] = table.symbol(states[1 - turn]);
                return Some(count + 1);
            }
        }
    }
}

/// A code to encode with.
#[derive(Debug)]
pub(super) struct Encoding {
    /// Code and its length.
    codes: [(u16, u8); DIRECT_MAX + 1],
    /// The last symbol that has one.
    last: usize,
    bits: u32,
}

impl Encoding {
    /// A code for what `bytes` holds. `None`: it has fewer than two symbols, or some that cannot be described one by one.
    pub(super) fn new(bytes: &[u8]) -> Option<Self> {
        let mut counts = [0_u32; DIRECT_MAX + 1];
        for b in bytes {
            *counts.get_mut(usize::from(*b))? += 1;
        }
        let mut lengths = [0_u8; DIRECT_MAX + 1];
        let longest = lengths_of(&counts, &mut lengths)?;
        let mut made = Self { codes: [(0, 0); DIRECT_MAX + 1], last: lengths.iter().rposition(|n| *n > 0)?, bits: longest };
        // As [`Decoding::set`] hands them out: the longest first, among equals by symbol.
        let mut at = 0_u16;
        for length in (1..=u8::try_from(longest).ok()?).rev() {
            for (code, _) in made.codes.iter_mut().zip(&lengths).filter(|(_, own)| **own == length) {
                *code = (at >> (longest - u32::from(length)), length);
                at = at.checked_add(1 << (longest - u32::from(length)))?;
            }
        }
        Some(made)
    }

    /// Bytes of its description.
    pub(super) const fn head_bytes(&self) -> usize {
        1 + self.last.div_ceil(2)
    }

    /// Writes its description.
    pub(super) fn head(&self, out: &mut [u8]) -> Option<usize> {
        let len = self.head_bytes();
        let (first, packed) = out.get_mut(..len)?.split_first_mut()?;
        *first = u8::try_from(127 + self.last).ok()?;
        packed.fill(0);
        for (i, (_, length)) in self.codes[..self.last].iter().enumerate() {
            let weight = if *length == 0 { 0 } else { u8::try_from(self.bits + 1 - u32::from(*length)).ok()? };
            packed[i / 2] |= if i % 2 == 0 { weight << 4 } else { weight };
        }
        Some(len)
    }

    /// Bits that `bytes` take.
    pub(super) fn cost(&self, bytes: &[u8]) -> usize {
        bytes.iter().map(|b| usize::from(self.codes[usize::from(*b)].1)).sum()
    }

    /// Writes one stream.
    pub(super) fn stream(&self, bytes: &[u8], out: &mut [u8]) -> Option<usize> {
        let mut bits = Writer::new(out);
        for b in bytes.iter().rev() {
            let (code, length) = *self.codes.get(usize::from(*b))?;
            bits.put(u32::from(code), u32::from(length))?;
        }
        bits.finish()
    }
}

/// Lengths of a Huffman code of at most [`BITS_MAX`] bits; gives the longest.
fn lengths_of(counts: &[u32; DIRECT_MAX + 1], lengths: &mut [u8; DIRECT_MAX + 1]) -> Option<u32> {
    const NODES: usize = 2 * (DIRECT_MAX + 1);
    // Leaves by their counts, then the nodes over them, which come out in order too.
    let mut leaves = [0_u8; DIRECT_MAX + 1];
    let mut n = 0;
    for (symbol, _) in (0_u8..).zip(counts).filter(|(_, count)| **count > 0) {
        leaves[n] = symbol;
        n += 1;
    }
    if n < 2 {
        return None;
    }
    leaves[..n].sort_unstable_by_key(|symbol| (counts[usize::from(*symbol)], *symbol));
    let mut weight = [0_u32; NODES];
    let mut parent = [0_usize; NODES];
    for (weight, symbol) in weight.iter_mut().zip(&leaves[..n]) {
        *weight = counts[usize::from(*symbol)];
    }
    let (mut leaf, mut node) = (0, n);
    for next in n..2 * n - 1 {
        for _ in 0..2 {
            let small = if leaf < n && (node >= next || weight[leaf] <= weight[node]) {
                leaf += 1;
                leaf - 1
            } else {
                node += 1;
                node - 1
            };
            weight[next] += weight[small];
            parent[small] = next;
        }
    }
    let mut depth = [0_u32; NODES];
    for at in (0..2 * n - 2).rev() {
        depth[at] = depth[parent[at]] + 1;
    }
    // Cut off what is too long, pay for it with the rarest that have room, and give back what is left over.
    let part = |bits: u32| 1_u32 << (BITS_MAX - bits);
    let mut sum = 0;
    for depth in &mut depth[..n] {
        *depth = (*depth).min(BITS_MAX);
        sum += part(*depth);
    }
    let whole = 1 << BITS_MAX;
    while sum > whole {
        let depth = depth[..n].iter_mut().find(|depth| **depth < BITS_MAX)?;
        *depth += 1;
        sum -= part(*depth);
    }
    while sum < whole {
        let depth = depth[..n].iter_mut().rev().find(|depth| part(**depth) <= whole - sum && **depth > 1)?;
        sum += part(*depth);
        *depth -= 1;
    }
    for (symbol, depth) in leaves[..n].iter().zip(depth) {
        lengths[usize::from(*symbol)] = u8::try_from(depth).ok()?;
    }
    depth[..n].iter().copied().max()
}
