//! Bit streams: read from the end backwards (RFC 8878 §4.1) or from the front, and written so that they can be read backwards.

/// Bits from the last to the first; below the first come zeros, and [`Reverse::left`] is negative.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reverse<'b> {
    bytes: &'b [u8],
    left: isize,
}

impl<'b> Reverse<'b> {
    /// A stream that ends with a marking bit. `None`: it has none.
    pub(super) fn new(bytes: &'b [u8]) -> Option<Self> {
        let last = *bytes.last().filter(|last| **last != 0)?;
        let left = isize::try_from(bytes.len()).ok()?.checked_mul(8)? - isize::try_from(last.leading_zeros()).ok()? - 1;
        Some(Self { bytes, left })
    }

    /// Bits not read yet.
    pub(super) const fn left(&self) -> isize {
        self.left
    }

    /// The next `count` bits, at most 32, without taking them.
    pub(super) fn peek(&self, count: u32) -> u32 {
        let from = self.left - count as isize;
        let (start, below) = if from < 0 { (0, from.unsigned_abs()) } else { (from.unsigned_abs(), 0) };
        if below >= count as usize {
            return 0;
        }
        let mut window = [0; 8];
        let behind = self.bytes.get(start / 8..).unwrap_or_default();
        let len = behind.len().min(8);
        window[..len].copy_from_slice(&behind[..len]);
        let bits = u64::from_le_bytes(window) >> (start % 8);
        let mask = (1_u64 << (count as usize - below)) - 1;
        u32::try_from((bits & mask) << below & 0xFFFF_FFFF).unwrap_or(0)
    }

    /// Takes the next `count` bits, at most 32.
    pub(super) fn read(&mut self, count: u32) -> u32 {
        let bits = self.peek(count);
        self.left -= count as isize;
        bits
    }

    /// Takes bits that were looked at.
    pub(super) const fn skip(&mut self, count: u32) {
        self.left -= count as isize;
    }
}

/// Bits from the first to the last.
#[derive(Debug)]
pub(super) struct Forward<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl<'b> Forward<'b> {
    pub(super) const fn new(bytes: &'b [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The next `count` bits, at most 16; `None` past the end.
    pub(super) fn read(&mut self, count: u32) -> Option<u32> {
        let end = self.at + count as usize;
        if end > self.bytes.len() * 8 {
            return None;
        }
        let mut window = [0; 4];
        let behind = self.bytes.get(self.at / 8..).unwrap_or_default();
        let len = behind.len().min(4);
        window[..len].copy_from_slice(&behind[..len]);
        let bits = u32::from_le_bytes(window) >> (self.at % 8) & ((1 << count) - 1);
        self.at = end;
        Some(bits)
    }

    /// Gives one bit back.
    pub(super) const fn unread(&mut self) {
        self.at -= 1;
    }

    /// Bytes that were begun.
    pub(super) const fn bytes_used(&self) -> usize {
        self.at.div_ceil(8)
    }
}

/// Writes bits from the lowest up.
#[derive(Debug)]
pub(super) struct Writer<'b> {
    out: &'b mut [u8],
    len: usize,
    held: u64,
    count: u32,
}

impl<'b> Writer<'b> {
    pub(super) const fn new(out: &'b mut [u8]) -> Self {
        Self { out, len: 0, held: 0, count: 0 }
    }

    /// The lowest `count` bits of `bits`, at most 32. `None`: no room.
    pub(super) fn put(&mut self, bits: u32, count: u32) -> Option<()> {
        let mask = (1_u64 << count) - 1;
        self.held |= (u64::from(bits) & mask) << self.count;
        self.count += count;
        while self.count >= 8 {
            *self.out.get_mut(self.len)? = self.held.to_le_bytes()[0];
            self.len += 1;
            self.held >>= 8;
            self.count -= 8;
        }
        Some(())
    }

    /// Ends the stream with its mark; gives its bytes.
    pub(super) fn finish(mut self) -> Option<usize> {
        self.put(1, 1)?;
        if self.count > 0 {
            let rest = 8 - self.count;
            self.put(0, rest)?;
        }
        Some(self.len)
    }
}
