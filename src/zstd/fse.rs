//! Finite state entropy (RFC 8878 §4.1): tables from distributions, one way to decode and one to encode.

use super::bits::{Forward, Reverse, Writer};

/// Most symbols of a distribution.
pub(super) const SYMBOLS: usize = 53;
/// States of the largest table.
const STATES: usize = 512;

/// How often each symbol comes, of `1 << log`; -1: less than once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Distribution {
    pub(super) log: u32,
    pub(super) counts: [i16; SYMBOLS],
    pub(super) len: usize,
}

impl Distribution {
    /// One of RFC 8878 §3.1.1.3.2.2.
    pub(super) const fn predefined(log: u32, given: &[i16]) -> Self {
        let mut counts = [0; SYMBOLS];
        let mut i = 0;
        while i < given.len() {
            counts[i] = given[i];
            i += 1;
        }
        Self { log, counts, len: given.len() }
    }

    /// Reads a description (RFC 8878 §4.1.1) of at most `symbols` symbols and accuracy `log_max`; gives the bytes it takes.
    pub(super) fn read(bytes: &[u8], symbols: usize, log_max: u32) -> Option<(Self, usize)> {
        let mut bits = Forward::new(bytes);
        let log = bits.read(4)? + 5;
        if log > log_max {
            return None;
        }
        let mut found = Self { log, counts: [0; SYMBOLS], len: 0 };
        let mut left = 1_i32 << log;
        while left > 0 {
            if found.len >= symbols {
                return None;
            }
            let count = (left + 1).ilog2() + 1;
            let value = i32::try_from(bits.read(count)?).ok()?;
            let low = (1 << (count - 1)) - 1;
            let threshold = (1 << count) - 1 - (left + 1);
            let value = if value & low < threshold {
                bits.unread();
                value & low
            } else if value > low {
                value - threshold
            } else {
                value
            };
            let often = value - 1;
            left -= often.abs();
            found.counts[found.len] = i16::try_from(often).ok()?;
            found.len += 1;
            if often == 0 {
                loop {
                    let more = bits.read(2)?;
                    found.len += more as usize;
                    if more < 3 {
                        break;
                    }
                }
                if found.len > symbols {
                    return None;
                }
            }
        }
        (left == 0).then(|| (found, bits.bytes_used()))
    }

    /// Which symbol each state stands for (RFC 8878 §4.1.1). `None`: the counts do not add up.
    fn spread(&self, symbols: &mut [u8; STATES]) -> Option<()> {
        let size = 1_usize << self.log;
        let mut high = size;
        for (symbol, count) in (0_u8..).zip(&self.counts[..self.len]) {
            if *count == -1 {
                high = high.checked_sub(1)?;
                symbols[high] = symbol;
            }
        }
        let step = (size >> 1) + (size >> 3) + 3;
        let mut at = 0;
        for (symbol, count) in (0_u8..).zip(&self.counts[..self.len]) {
            for _ in 0..(*count).max(0) {
                symbols[at] = symbol;
                loop {
                    at = (at + step) & (size - 1);
                    if at < high {
                        break;
                    }
                    if high == 0 {
                        return None;
                    }
                }
            }
        }
        (at == 0).then_some(())
    }
}

/// What a state means: its symbol, and how the next one is found.
#[derive(Debug, Clone, Copy, Default)]
struct State {
    symbol: u8,
    bits: u8,
    base: u16,
}

/// A table to decode with.
#[derive(Debug)]
pub(super) struct Table {
    states: [State; STATES],
    log: u32,
    /// False: nothing was put into it in this frame.
    pub(super) is_set: bool,
}

impl Table {
    pub(super) const fn new() -> Self {
        Self { states: [State { symbol: 0, bits: 0, base: 0 }; STATES], log: 0, is_set: false }
    }

    /// Puts a distribution in place.
    pub(super) fn set(&mut self, of: &Distribution) -> Option<()> {
        let mut symbols = [0; STATES];
        of.spread(&mut symbols)?;
        let size = 1_u32 << of.log;
        let mut next = [0_u32; SYMBOLS];
        for (next, count) in next.iter_mut().zip(&of.counts[..of.len]) {
            *next = u32::from(count.unsigned_abs());
        }
        for (state, symbol) in self.states.iter_mut().zip(symbols).take(size as usize) {
            let next = next.get_mut(usize::from(symbol))?;
            let bits = of.log.checked_sub(next.checked_ilog2()?)?;
            let base = (*next << bits).checked_sub(size)?;
            *state = State { symbol, bits: u8::try_from(bits).ok()?, base: u16::try_from(base).ok()? };
            *next += 1;
        }
        self.log = of.log;
        self.is_set = true;
        Some(())
    }

    /// One symbol for ever.
    pub(super) fn set_only(&mut self, symbol: u8) {
        self.states[0] = State { symbol, bits: 0, base: 0 };
        self.log = 0;
        self.is_set = true;
    }

    pub(super) fn start(&self, bits: &mut Reverse<'_>) -> usize {
        bits.read(self.log) as usize
    }

    pub(super) fn symbol(&self, state: usize) -> u8 {
        self.states.get(state).map_or(0, |s| s.symbol)
    }

    pub(super) fn next(&self, state: usize, bits: &mut Reverse<'_>) -> usize {
        let state = self.states.get(state).copied().unwrap_or_default();
        usize::from(state.base) + bits.read(u32::from(state.bits)) as usize
    }
}

/// A table to encode with.
#[derive(Debug)]
pub(super) struct Encoding {
    log: u32,
    /// States in the order of their symbols.
    next: [u16; 64],
    /// Per symbol: what is added to a state to know its bits, and where its states stand.
    bits: [u32; SYMBOLS],
    first: [i32; SYMBOLS],
}

impl Encoding {
    /// For a distribution of at most 64 states in which every symbol has one.
    pub(super) fn new(of: &Distribution) -> Self {
        let mut symbols = [0; STATES];
        let _ = of.spread(&mut symbols);
        let size = 1_usize << of.log;
        let mut table = Self { log: of.log, next: [0; 64], bits: [0; SYMBOLS], first: [0; SYMBOLS] };
        let mut place = [0_usize; SYMBOLS];
        let mut total = 0_usize;
        for (symbol, count) in of.counts[..of.len].iter().enumerate() {
            place[symbol] = total;
            let count = u32::from(count.unsigned_abs());
            let most = if count > 1 { of.log - (count - 1).ilog2() } else { of.log };
            table.bits[symbol] = (most << 16).wrapping_sub(count << most);
            table.first[symbol] = i32::try_from(total).unwrap_or(0) - i32::try_from(count).unwrap_or(0);
            total += count as usize;
        }
        for (state, symbol) in symbols.iter().take(size).enumerate() {
            let place = &mut place[usize::from(*symbol)];
            if let Some(next) = table.next.get_mut(*place) {
                *next = u16::try_from(size + state).unwrap_or(0);
            }
            *place += 1;
        }
        table
    }

    fn at(&self, symbol: usize, state: u32) -> u32 {
        let at = i64::from(state) + i64::from(self.first[symbol]);
        usize::try_from(at).ok().and_then(|at| self.next.get(at)).map_or(0, |next| u32::from(*next))
    }

    /// The state before the first symbol that is written: the last one to be read.
    pub(super) fn start(&self, symbol: u8) -> u32 {
        let symbol = usize::from(symbol);
        let bits = (self.bits[symbol].wrapping_add(1 << 15)) >> 16;
        self.at(symbol, (bits << 16).wrapping_sub(self.bits[symbol]) >> bits)
    }

    /// Writes what leads from the state of `symbol` to `state`.
    pub(super) fn put(&self, state: &mut u32, symbol: u8, out: &mut Writer<'_>) -> Option<()> {
        let symbol = usize::from(symbol);
        let bits = state.wrapping_add(self.bits[symbol]) >> 16;
        out.put(*state, bits)?;
        *state = self.at(symbol, *state >> bits);
        Some(())
    }

    /// Writes the state that reading begins with.
    pub(super) fn end(&self, state: u32, out: &mut Writer<'_>) -> Option<()> {
        out.put(state, self.log)
    }
}
