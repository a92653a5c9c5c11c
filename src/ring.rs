//! Records of variable size in a fixed byte ring: one writer order, many readers. Stream queues, window stores and sink
//! outboxes are this one thing.
//!
//! * A record is contiguous (padded at the wrap), so it is lent without a copy.
//! * Each reader has two positions: `read`, what it sees next, and `done`, what it no longer needs. Room returns at the
//!   smallest `done`; without readers nothing is kept.
//! * A full ring refuses the new record ([`Refused::Full`] names the reader that holds the oldest one) or, by [`Overflow`], drops its
//!   oldest records and counts each for every reader that had not seen it.
//!
//! No I/O, waker or clock; nothing is allocated after [`Ring::new`] but the slots of new readers.

/// What happens when a record finds no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Overflow {
    /// The new record is refused.
    #[default]
    Reject,
    /// The oldest records go.
    DropOldest,
}

/// A reader of one ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ReaderId(u16);

/// Why a record was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// No room: this reader still needs the oldest record.
    Full {
        /// Who holds it.
        holder: ReaderId,
    },
    /// Larger than the whole ring.
    TooLarge,
}

/// What a record is made of. See [`Ring::push`].
#[derive(Debug, Clone, Copy, Default)]
pub struct Parts<'p> {
    /// Sequence number, larger than any before it in this ring; 0: the ring counts by itself.
    pub seq: u64,
    /// The owner's flags.
    pub flags: u16,
    /// Arrival, or whatever time the owner keeps, in milliseconds.
    pub time_ms: i64,
    /// What is known beside the body.
    pub meta: &'p [u8],
    /// Index of the body's members.
    pub index: &'p [u8],
    /// The body.
    pub body: &'p [u8],
}

/// One record, lent.
#[derive(Debug, Clone, Copy)]
pub struct Record<'r> {
    /// Sequence number: 1, 2, …
    pub seq: u64,
    /// The owner's flags.
    pub flags: u16,
    /// Its time in milliseconds.
    pub time_ms: i64,
    /// What is known beside the body.
    pub meta: &'r [u8],
    /// Index of the body's members.
    pub index: &'r [u8],
    /// The body.
    pub body: &'r [u8],
    /// Where this reader stands within the body: the owner's own measure, 0 at first.
    pub row: u32,
}

#[derive(Debug, Clone, Copy)]
struct Reader {
    read: u64,
    row: u32,
    done: u64,
    lost: u64,
}

/// See the module text. `B` is a byte slice: borrowed, boxed or static.
#[derive(Debug)]
pub struct Ring<B> {
    buf: B,
    /// Usable bytes of it.
    capacity: usize,
    overflow: Overflow,
    /// Second bound, in records.
    records_max: Option<usize>,
    /// Byte positions only grow; a place in the buffer is position modulo capacity.
    head: u64,
    tail: u64,
    /// The last position at or before the head whose place is the front of the buffer.
    lap: u64,
    records: usize,
    /// Bytes of records that have left.
    drained: u64,
    seq: u64,
    readers: Vec<Option<Reader>>,
    /// Readers there are.
    live: usize,
    /// Readers that stand at the tail: nothing can leave before the last of them has moved.
    at_tail: usize,
}

impl Ring<()> {
    /// Bytes that `readers` readers take beside the buffer.
    #[must_use]
    pub const fn readers_bytes(readers: usize) -> usize {
        readers * size_of::<Option<Reader>>()
    }
}

/// total u32, flags u16, pad u16, seq u64, time i64, meta u32, index u32, body u32, pad u32.
const HEADER: usize = 40;
const ALIGN: usize = 8;
/// In place of a total: the rest of the buffer is unused.
const PADDING: u32 = u32::MAX;

impl<B: AsRef<[u8]> + AsMut<[u8]>> Ring<B> {
    /// An empty ring over `buf` (a length that is no multiple of 8 loses the rest), with room for `readers` readers.
    pub fn new(buf: B, readers: usize, overflow: Overflow, records_max: Option<usize>) -> Self {
        let capacity = buf.as_ref().len() / ALIGN * ALIGN;
        Self {
            buf,
            capacity,
            overflow,
            records_max,
            head: 0,
            tail: 0,
            lap: 0,
            records: 0,
            drained: 0,
            seq: 0,
            readers: Vec::with_capacity(readers),
            live: 0,
            at_tail: 0,
        }
    }

    /// Usable bytes.
    pub const fn capacity(&self) -> usize {
        self.capacity
    }

    /// Bytes that records take now, padding included.
    pub fn used(&self) -> usize {
        usize::try_from(self.head - self.tail).unwrap_or(usize::MAX)
    }

    /// Where the oldest record that is held begins and where the newest ends, counted from the first byte ever.
    pub const fn span(&self) -> (u64, u64) {
        (self.tail, self.head)
    }

    /// Records held.
    pub const fn len(&self) -> usize {
        self.records
    }

    /// True when no record is held.
    pub const fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// Bytes of all records that have left since the beginning, whoever took or dropped them.
    pub const fn drained(&self) -> u64 {
        self.drained
    }

    /// Sequence number of the newest record; 0 before the first.
    pub const fn last_seq(&self) -> u64 {
        self.seq
    }

    /// Adds a reader that sees what is pushed from now on. `None` when the slots given to [`Ring::new`] are taken.
    pub fn add_reader(&mut self) -> Option<ReaderId> {
        let reader = Some(Reader { read: self.head, row: 0, done: self.head, lost: 0 });
        self.at_tail += usize::from(self.head == self.tail);
        let free = self.readers.iter().position(Option::is_none);
        let index = match free {
            Some(index) => {
                self.readers[index] = reader;
                index
            }
            None if self.readers.len() < self.readers.capacity() => {
                self.readers.push(reader);
                self.readers.len() - 1
            }
            None => {
                self.at_tail -= usize::from(self.head == self.tail);
                return None;
            }
        };
        self.live += 1;
        u16::try_from(index).ok().map(ReaderId)
    }

    /// Removes a reader; what it alone held is free.
    pub fn remove_reader(&mut self, id: ReaderId) {
        if let Some(slot) = self.readers.get_mut(usize::from(id.0))
            && slot.take().is_some()
        {
            self.live -= 1;
        }
        self.release();
    }

    /// Readers now.
    pub const fn reader_count(&self) -> usize {
        self.live
    }

    /// Whether [`Ring::push`] would take the record. Changes nothing.
    ///
    /// # Errors
    /// As [`Ring::push`].
    pub fn admits(&self, parts: &Parts<'_>) -> Result<(), Refused> {
        let total = total_of(parts);
        let capacity = self.capacity();
        if total > capacity {
            return Err(Refused::TooLarge);
        }
        if self.reader_count() == 0 || self.overflow == Overflow::DropOldest {
            return Ok(());
        }
        let room = self.used() + self.padding_for(total) + total <= capacity;
        if room && self.records_max.is_none_or(|max| self.records < max) { Ok(()) } else { Err(Refused::Full { holder: self.holder() }) }
    }

    /// Bytes left unused at the end of the buffer when a record of `total` bytes comes next.
    fn padding_for(&self, total: usize) -> usize {
        let left = self.capacity() - self.place(self.head);
        if left < total { left } else { 0 }
    }

    /// Appends a record; gives its sequence number.
    ///
    /// # Errors
    /// [`Refused::Full`] by [`Overflow::Reject`] without room, [`Refused::TooLarge`] for what never fits. Nothing changed then.
    pub fn push(&mut self, parts: &Parts<'_>) -> Result<u64, Refused> {
        let total = total_of(parts);
        let capacity = self.capacity();
        if total > capacity {
            return Err(Refused::TooLarge);
        }
        let seq = if parts.seq > self.seq { parts.seq } else { self.seq + 1 };
        if self.reader_count() == 0 {
            self.seq = seq;
            return Ok(seq);
        }
        // A drop that empties the ring starts it over at the front of its buffer, where no padding is needed.
        while self.used() + self.padding_for(total) + total > capacity || self.records_max.is_some_and(|max| self.records >= max) {
            match self.overflow {
                Overflow::Reject => return Err(Refused::Full { holder: self.holder() }),
                Overflow::DropOldest if self.records > 0 => self.drop_oldest(),
                Overflow::DropOldest => {
                    self.restart();
                    return self.push(parts);
                }
            }
        }
        let padding = self.padding_for(total);
        if padding > 0 {
            self.write(self.place(self.head), &PADDING.to_le_bytes());
            self.advance_head(padding);
        }
        self.seq = seq;
        let at = self.place(self.head);
        let mut header = [0; HEADER];
        header[0..4].copy_from_slice(&length(total));
        header[4..6].copy_from_slice(&parts.flags.to_le_bytes());
        header[8..16].copy_from_slice(&self.seq.to_le_bytes());
        header[16..24].copy_from_slice(&parts.time_ms.to_le_bytes());
        header[24..28].copy_from_slice(&length(parts.meta.len()));
        header[28..32].copy_from_slice(&length(parts.index.len()));
        header[32..36].copy_from_slice(&length(parts.body.len()));
        self.write(at, &header);
        let mut at = at + HEADER;
        for part in [parts.meta, parts.index, parts.body] {
            self.write(at, part);
            at += part.len();
        }
        self.advance_head(total);
        self.records += 1;
        Ok(self.seq)
    }

    const fn advance_head(&mut self, bytes: usize) {
        self.head += bytes as u64;
        // A record ends at the end of the buffer at the latest.
        if self.head - self.lap >= self.capacity as u64 {
            self.lap = self.head;
        }
    }

    /// The record that `reader` sees next; `None` when it has seen all.
    #[inline]
    pub fn peek(&self, reader: ReaderId) -> Option<Record<'_>> {
        let reader = self.reader(reader)?;
        self.record_at(reader.read, reader.row)
    }

    /// The oldest record that `reader` is not done with, whether read or not.
    pub fn peek_undone(&self, reader: ReaderId) -> Option<Record<'_>> {
        self.record_at(self.reader(reader)?.done, 0)
    }

    /// All records that `reader` is not done with, oldest first.
    pub fn undone(&self, reader: ReaderId) -> impl Iterator<Item = Record<'_>> {
        let mut at = self.reader(reader).map_or(self.head, |r| r.done);
        core::iter::from_fn(move || {
            let record = self.record_at(at, 0)?;
            at = self.next_of(at)?;
            Some(record)
        })
    }

    /// Remembers where within its current record the reader stands.
    pub fn set_row(&mut self, reader: ReaderId, row: u32) {
        if let Some(reader) = self.reader_mut(reader) {
            reader.row = row;
        }
    }

    /// Moves the reader to the next record; the one it leaves is kept until [`Ring::done`].
    pub fn advance(&mut self, id: ReaderId) {
        let Some(next) = self.reader(id).and_then(|r| self.next_of(r.read)) else { return };
        if let Some(reader) = self.reader_mut(id) {
            reader.read = next;
            reader.row = 0;
        }
    }

    /// The reader is done with all records up to and including `seq`.
    pub fn done(&mut self, id: ReaderId, seq: u64) {
        let Some(before) = self.reader(id).map(|r| r.done) else { return };
        while let Some(reader) = self.reader(id).copied()
            && reader.done < reader.read
            && let Some(record) = self.record_at(reader.done, 0)
            && record.seq <= seq
            && let Some(next) = self.next_of(reader.done)
        {
            if let Some(reader) = self.reader_mut(id) {
                reader.done = next;
            }
        }
        if self.reader(id).is_some_and(|r| r.done != before) {
            self.left(before);
        }
    }

    /// [`Ring::advance`] and [`Ring::done`] for one record: the reader needs it no longer.
    pub fn take(&mut self, id: ReaderId) {
        let Some(reader) = self.reader(id).copied() else { return };
        let Some(next) = self.next_of(reader.read) else { return };
        if let Some(reader) = self.reader_mut(id) {
            *reader = Reader { read: next, row: 0, done: next, lost: reader.lost };
        }
        self.left(reader.done);
    }

    /// The reader needs none but the newest record: it is done with those before. Gives how many there were.
    pub fn skip_to_last(&mut self, id: ReaderId) -> usize {
        let mut skipped = 0;
        while let Some(next) = self.reader(id).and_then(|reader| self.next_of(reader.read))
            && self.settle(next).is_some()
        {
            self.take(id);
            skipped += 1;
        }
        skipped
    }

    /// A reader is done with the record at `position` and moved on.
    fn left(&mut self, position: u64) {
        if position == self.tail {
            self.at_tail = self.at_tail.saturating_sub(1);
            if self.at_tail == 0 {
                self.release();
            }
        }
    }

    /// Lets the reader see again all that it is not done with.
    pub fn rewind(&mut self, id: ReaderId) {
        if let Some(reader) = self.reader_mut(id) {
            reader.read = reader.done;
            reader.row = 0;
        }
    }

    /// Records that [`Overflow::DropOldest`] took before this reader saw them.
    pub fn lost(&self, id: ReaderId) -> u64 {
        self.reader(id).map_or(0, |r| r.lost)
    }

    /// Records that the reader has not seen yet.
    pub fn waiting(&self, id: ReaderId) -> usize {
        let Some(reader) = self.reader(id) else { return 0 };
        let (mut at, mut count) = (reader.read, 0);
        while let Some(next) = self.next_of(at) {
            at = next;
            count += 1;
        }
        count
    }

    /// Drops the oldest record for every reader.
    pub fn drop_oldest(&mut self) {
        let Some(next) = self.next_of(self.tail) else { return };
        for reader in self.readers.iter_mut().flatten() {
            if reader.read < next {
                reader.read = next;
                reader.row = 0;
                reader.lost += 1;
            }
            reader.done = reader.done.max(next);
        }
        self.release();
    }

    fn reader(&self, id: ReaderId) -> Option<&Reader> {
        self.readers.get(usize::from(id.0))?.as_ref()
    }

    fn reader_mut(&mut self, id: ReaderId) -> Option<&mut Reader> {
        self.readers.get_mut(usize::from(id.0))?.as_mut()
    }

    fn holder(&self) -> ReaderId {
        let slowest = self.readers.iter().enumerate().filter_map(|(i, r)| r.map(|r| (r.done, i))).min();
        ReaderId(slowest.and_then(|(_, i)| u16::try_from(i).ok()).unwrap_or(0))
    }

    /// An empty ring begins at the front of its buffer again.
    fn restart(&mut self) {
        let start = if self.head == self.lap { self.lap } else { self.lap + self.capacity as u64 };
        self.head = start;
        self.tail = start;
        self.lap = start;
        for reader in self.readers.iter_mut().flatten() {
            reader.read = start;
            reader.done = start;
            reader.row = 0;
        }
        self.at_tail = self.reader_count();
    }

    /// Moves the tail up to the smallest `done`, and counts who stands there.
    fn release(&mut self) {
        let done = self.readers.iter().flatten().map(|r| r.done).min().unwrap_or(self.head);
        while self.tail < done {
            match self.next_of(self.tail) {
                Some(next) => {
                    self.drained += next - self.tail;
                    self.tail = next;
                    self.records -= 1;
                }
                None => break,
            }
        }
        if self.records == 0 {
            self.restart();
        }
        let tail = self.tail;
        self.at_tail = self.readers.iter().flatten().filter(|r| r.done == tail).count();
    }

    /// Where a position that is held, or the head, stands in the buffer: in the head's lap or in the one before.
    #[inline]
    fn place(&self, position: u64) -> usize {
        let place = position.checked_sub(self.lap).unwrap_or_else(|| (position + self.capacity as u64).saturating_sub(self.lap));
        usize::try_from(place).unwrap_or(0)
    }

    /// The position of the record at or behind `position`, past padding; `None` at the head.
    fn settle(&self, position: u64) -> Option<u64> {
        if position >= self.head {
            return None;
        }
        let at = self.place(position);
        if read_u32(self.buf.as_ref(), at) == PADDING {
            let past = position + (self.capacity() - at) as u64;
            return (past < self.head).then_some(past);
        }
        Some(position)
    }

    fn next_of(&self, position: u64) -> Option<u64> {
        let position = self.settle(position)?;
        Some(position + u64::from(read_u32(self.buf.as_ref(), self.place(position))))
    }

    fn record_at(&self, position: u64, row: u32) -> Option<Record<'_>> {
        let at = self.place(self.settle(position)?);
        let (header, rest) = self.buf.as_ref().get(at..)?.split_first_chunk::<HEADER>()?;
        let [_, _, _, _, f0, f1, _, _, s0, s1, s2, s3, s4, s5, s6, s7, t0, t1, t2, t3, t4, t5, t6, t7, lens @ ..] = *header;
        let [m0, m1, m2, m3, i0, i1, i2, i3, b0, b1, b2, b3, ..] = lens;
        let (meta, rest) = rest.split_at_checked(u32::from_le_bytes([m0, m1, m2, m3]) as usize)?;
        let (index, rest) = rest.split_at_checked(u32::from_le_bytes([i0, i1, i2, i3]) as usize)?;
        Some(Record {
            seq: u64::from_le_bytes([s0, s1, s2, s3, s4, s5, s6, s7]),
            flags: u16::from_le_bytes([f0, f1]),
            time_ms: i64::from_le_bytes([t0, t1, t2, t3, t4, t5, t6, t7]),
            meta,
            index,
            body: rest.get(..u32::from_le_bytes([b0, b1, b2, b3]) as usize)?,
            row,
        })
    }

    fn write(&mut self, at: usize, bytes: &[u8]) {
        self.buf.as_mut()[at..at + bytes.len()].copy_from_slice(bytes);
    }
}

/// Bytes of a record in the ring.
const fn total_of(parts: &Parts<'_>) -> usize {
    (HEADER + parts.meta.len() + parts.index.len() + parts.body.len()).next_multiple_of(ALIGN)
}

fn length(n: usize) -> [u8; 4] {
    u32::try_from(n).expect("a record fits its ring, and a ring is below 4 GiB").to_le_bytes()
}

fn read_u32(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    fn body(text: &str) -> Parts<'_> {
        Parts { body: text.as_bytes(), ..Parts::default() }
    }

    fn ring(bytes: usize, overflow: Overflow) -> (Ring<Box<[u8]>>, ReaderId) {
        let mut ring = Ring::new(vec![0; bytes].into_boxed_slice(), 4, overflow, None);
        let reader = ring.add_reader().expect("a slot");
        (ring, reader)
    }

    #[test]
    fn keeps_parts_apart_and_in_order() {
        let (mut ring, r) = ring(256, Overflow::Reject);
        ring.push(&Parts { flags: 3, time_ms: -5, meta: b"m", index: b"ix", body: b"body", ..Parts::default() }).expect("room");
        ring.push(&body("two")).expect("room");
        let record = ring.peek(r).expect("one");
        assert_eq!((record.seq, record.flags, record.time_ms), (1, 3, -5));
        assert_eq!((record.meta, record.index, record.body), (&b"m"[..], &b"ix"[..], &b"body"[..]));
        ring.take(r);
        assert_eq!(ring.peek(r).map(|r| r.body.to_vec()), Some(b"two".to_vec()));
        ring.take(r);
        assert!(ring.peek(r).is_none() && ring.is_empty());
    }

    #[test]
    fn full_names_the_holder_and_changes_nothing() {
        let (mut ring, fast) = ring(96, Overflow::Reject);
        let slow = ring.add_reader().expect("a slot");
        ring.push(&body("12345678")).expect("exactly half");
        ring.push(&body("12345678")).expect("exactly the rest");
        ring.take(fast);
        ring.take(fast);
        assert_eq!(ring.push(&body("x")), Err(Refused::Full { holder: slow }));
        assert_eq!(ring.waiting(slow), 2);
        ring.take(slow);
        assert_eq!(ring.push(&body("x")), Ok(3));
        assert_eq!(ring.push(&body(&"x".repeat(57))), Err(Refused::TooLarge));
    }

    #[test]
    fn drop_oldest_counts_for_who_had_not_seen_it() {
        let (mut ring, fast) = ring(96, Overflow::DropOldest);
        let slow = ring.add_reader().expect("a slot");
        for text in ["a", "b"] {
            ring.push(&body(text)).expect("room");
            ring.take(fast);
        }
        ring.push(&body("c")).expect("always");
        assert_eq!((ring.lost(fast), ring.lost(slow)), (0, 1));
        assert_eq!(ring.peek(slow).map(|r| r.body.to_vec()), Some(b"b".to_vec()));
    }

    #[test]
    fn bound_in_records() {
        let mut ring = Ring::new(vec![0; 512].into_boxed_slice(), 1, Overflow::Reject, Some(2));
        let r = ring.add_reader().expect("a slot");
        assert!(ring.add_reader().is_none());
        ring.push(&body("a")).expect("room");
        ring.push(&body("b")).expect("room");
        assert_eq!(ring.push(&body("c")), Err(Refused::Full { holder: r }));
    }

    #[test]
    fn skipping_leaves_the_newest() {
        let (mut ring, r) = ring(96, Overflow::Reject);
        assert_eq!(ring.skip_to_last(r), 0);
        for (i, text) in ["a", "b", "c", "d", "e"].into_iter().enumerate() {
            ring.push(&body(text)).expect("room, whatever came before");
            assert_eq!(ring.skip_to_last(r), usize::from(i > 0));
            assert_eq!(ring.peek(r).map(|r| r.body.to_vec()), Some(text.as_bytes().to_vec()));
        }
        ring.take(r);
        assert_eq!((ring.skip_to_last(r), ring.len()), (0, 0));
    }

    #[test]
    fn read_and_done_are_apart() {
        let (mut ring, r) = ring(512, Overflow::Reject);
        for text in ["a", "b", "c"] {
            ring.push(&body(text)).expect("room");
        }
        ring.advance(r);
        ring.advance(r);
        assert_eq!(ring.len(), 3);
        ring.done(r, 1);
        assert_eq!(ring.len(), 2);
        ring.rewind(r);
        assert_eq!(ring.peek(r).map(|r| r.seq), Some(2));
        ring.done(r, 3);
        assert_eq!(ring.len(), 2, "unread records are not done");
    }

    #[test]
    fn without_readers_nothing_is_kept() {
        let (mut ring, r) = ring(128, Overflow::Reject);
        ring.push(&body("a")).expect("room");
        ring.remove_reader(r);
        assert!(ring.is_empty());
        assert_eq!(ring.push(&body("b")), Ok(2));
        let r = ring.add_reader().expect("the slot again");
        assert!(ring.peek(r).is_none());
    }

    proptest::proptest! {
        /// Against a plain queue: what goes in comes out, in order, whatever the sizes.
        #[test]
        fn behaves_like_a_queue(sizes in proptest::collection::vec((0_usize..120, proptest::bool::ANY), 1..200)) {
            let (mut ring, r) = ring(509, Overflow::Reject);
            let mut model: VecDeque<Vec<u8>> = VecDeque::new();
            for (i, (size, pop)) in sizes.into_iter().enumerate() {
                let text = vec![u8::try_from(i % 251).expect("small"); size];
                if ring.push(&Parts { body: &text, ..Parts::default() }).is_ok() {
                    model.push_back(text);
                } else {
                    proptest::prop_assert!(!model.is_empty(), "an empty ring takes any record that fits");
                }
                if pop {
                    proptest::prop_assert_eq!(ring.peek(r).map(|r| r.body.to_vec()), model.pop_front());
                    ring.take(r);
                }
                proptest::prop_assert_eq!(ring.len(), model.len());
            }
        }

        /// What is held is always the newest of what came, whole and in order, whatever had to leave for it.
        #[test]
        fn what_has_to_leave_is_the_oldest(steps in proptest::collection::vec((0_usize..450, 0_usize..4), 1..200)) {
            let (mut ring, r) = ring(509, Overflow::DropOldest);
            let mut came: Vec<Vec<u8>> = Vec::new();
            let mut settled = 0;
            for (i, (size, how)) in steps.into_iter().enumerate() {
                let text = vec![u8::try_from(i % 251).expect("small"); size];
                ring.push(&Parts { body: &text, ..Parts::default() }).expect("it fits");
                came.push(text);
                match how {
                    0 => ring.advance(r),
                    1 => {
                        ring.done(r, settled);
                        settled = ring.last_seq();
                    }
                    2 => ring.take(r),
                    _ => {}
                }
                let held: Vec<Vec<u8>> = ring.undone(r).map(|record| record.body.to_vec()).collect();
                proptest::prop_assert_eq!(&held[..], &came[came.len() - held.len()..]);
                proptest::prop_assert_eq!(ring.len(), held.len());
            }
        }
    }
}
