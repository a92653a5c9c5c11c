//! Rows that a window must keep, packed and in order of time, in one fixed byte region.
//!
//! A row is its source, time, arrival facts and the values of the slots that the rule uses of that source ([`pack`], [`unpack`]).
//! Blobs grow from the front of the region, the order from its back; when they meet, what is left is slid together. Late rows
//! are inserted where their time belongs, behind equal ones. A region that stays full answers [`NoRoom`].

use crate::eval::Event;
use crate::eval::expr::Evaluator;
use crate::eval::row::Row;
use crate::eval::state::{put_u32, u32_at};
use crate::sql::plan::{Plan, Slot, SlotKind};
use crate::time::Timestamp;
use crate::value::packed::{self, Encoder};
use crate::value::{Fault, Value};

/// Why a row was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoRoom {
    /// Others must go first.
    Full,
    /// It is larger than the whole region.
    TooLarge,
}

/// The row waits for the watermark's or a delay's moment.
pub const PENDING: u8 = 1;
/// The row's window is due after its delay.
pub const DELAYED: u8 = 2;

/// The row went through all that comes before its window.
pub const ADMITTED: u8 = 4;

/// total u32, owner u32, time i64, source u8, flags u8, pad u16, tag u32, meta u32.
const HEADER: usize = 28;
const OWNER: usize = 4;
const TIME: usize = 8;
const SOURCE: usize = 16;
const FLAGS: usize = 17;
const TAG: usize = 20;
const META: usize = 24;
/// Owner of a dead blob.
const NOBODY: usize = u32::MAX as usize;

/// What a row is made of beside its values.
#[derive(Debug, Clone, Copy)]
pub struct Head<'h> {
    /// Event time or arrival, in milliseconds.
    pub time_ms: i64,
    /// Index of its source.
    pub source: u8,
    /// Whatever its window marks it with.
    pub tag: u32,
    /// Arrival facts, packed; empty if the rule does not ask for them.
    pub meta: &'h [u8],
}

/// See the module text.
#[derive(Debug)]
pub struct Rows<B> {
    bytes: B,
    /// End of the blobs.
    top: usize,
    /// Places of the order that are gone already at its front.
    gone: usize,
    len: usize,
    /// Bytes of dead blobs.
    dead: usize,
}

impl<B: AsRef<[u8]> + AsMut<[u8]>> Rows<B> {
    /// No rows, in `bytes`.
    #[must_use]
    pub const fn new(bytes: B) -> Self {
        Self { bytes, top: 0, gone: 0, len: 0, dead: 0 }
    }

    /// Rows held.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// True without rows.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Time of row `index`; the end of time if there is none.
    #[must_use]
    pub fn time(&self, index: usize) -> i64 {
        self.blob(index).and_then(|b| b.get(TIME..)).and_then(|b| b.first_chunk()).map_or(i64::MAX, |b| i64::from_le_bytes(*b))
    }

    /// Arrival facts of row `index`, packed.
    #[must_use]
    pub fn facts(&self, index: usize) -> &[u8] {
        let Some(blob) = self.blob(index) else { return &[] };
        let meta = u32_at(blob, META) as usize;
        blob.get(HEADER..HEADER + meta).unwrap_or(&[])
    }

    /// Tag of row `index`.
    #[must_use]
    pub fn tag(&self, index: usize) -> u32 {
        self.blob(index).map_or(0, |b| u32_at(b, TAG))
    }

    /// Source of row `index`.
    #[must_use]
    pub fn source(&self, index: usize) -> u8 {
        self.blob(index).and_then(|b| b.get(SOURCE)).copied().unwrap_or(0)
    }

    /// Flags of row `index`.
    #[must_use]
    pub fn flags(&self, index: usize) -> u8 {
        self.blob(index).and_then(|b| b.get(FLAGS)).copied().unwrap_or(0)
    }

    /// Sets the flags of row `index`.
    pub fn set_flags(&mut self, index: usize, flags: u8) {
        if index < self.len {
            let at = self.offset(index) + FLAGS;
            if let Some(place) = self.bytes.as_mut().get_mut(at) {
                *place = flags;
            }
        }
    }

    /// Sets the tag of row `index`.
    pub fn set_tag(&mut self, index: usize, tag: u32) {
        if index < self.len {
            let at = self.offset(index) + TAG;
            put_u32(self.bytes.as_mut(), at, tag as usize);
        }
    }

    /// Moves the times of all rows by `delta_ms`: the clock was set.
    pub fn shift(&mut self, delta_ms: i64) {
        for index in 0..self.len {
            let time = self.time(index).saturating_add(delta_ms);
            let at = self.offset(index) + TIME;
            if let Some(place) = self.bytes.as_mut().get_mut(at..at + 8) {
                place.copy_from_slice(&time.to_le_bytes());
            }
        }
    }

    /// How many of the first `limit` rows are before `time_ms`.
    #[must_use]
    pub fn before(&self, time_ms: i64, limit: usize) -> usize {
        let (mut low, mut high) = (0, limit.min(self.len));
        while low < high {
            let mid = usize::midpoint(low, high);
            if self.time(mid) < time_ms { low = mid + 1 } else { high = mid }
        }
        low
    }

    /// Adds a row behind all that are not later. `write` puts its values into the encoder's room and says how many bytes they took.
    ///
    /// # Errors
    /// [`NoRoom`]; nothing changed then.
    pub fn push(&mut self, head: Head<'_>, write: impl Fn(&mut [u8]) -> Option<usize>) -> Result<usize, NoRoom> {
        let mut index = self.len;
        while index > 0 && self.time(index - 1) > head.time_ms {
            index -= 1;
        }
        self.insert(index, head, write)?;
        Ok(index)
    }

    /// Puts other values into row `index`.
    ///
    /// # Errors
    /// [`NoRoom`]; nothing changed then.
    pub fn replace(&mut self, index: usize, write: impl Fn(&mut [u8]) -> Option<usize>) -> Result<(), NoRoom> {
        let Some(blob) = self.blob(index) else { return Ok(()) };
        let mut header = [0; HEADER];
        header.copy_from_slice(&blob[..HEADER]);
        let meta = u32_at(&header, META) as usize;
        for packed in [false, true] {
            if packed && !self.pack() {
                break;
            }
            let old = self.offset(index);
            let (top, limit) = (self.top, self.limit(0));
            let bytes = self.bytes.as_mut();
            if top + HEADER + meta > limit {
                continue;
            }
            bytes.copy_within(old + HEADER..old + HEADER + meta, top + HEADER);
            let Some(len) = bytes.get_mut(top + HEADER + meta..limit).and_then(&write) else { continue };
            let total = HEADER + meta + len;
            bytes[top..top + HEADER].copy_from_slice(&header);
            put_u32(bytes, top, total);
            self.top += total;
            self.bury(old);
            let place = self.order(index);
            put_u32(self.bytes.as_mut(), place, top);
            return Ok(());
        }
        Err(if self.len <= 1 { NoRoom::TooLarge } else { NoRoom::Full })
    }

    /// Drops the first `count` rows.
    pub fn drop_front(&mut self, count: usize) {
        let count = count.min(self.len);
        for index in 0..count {
            self.bury(self.offset(index));
        }
        self.gone += count;
        self.len -= count;
        self.settle();
    }

    /// Drops the rows with a tag among the first `limit`; gives how many.
    pub fn drop_tagged(&mut self, tag: u32, limit: usize) -> usize {
        let mut kept = 0;
        for index in 0..self.len {
            let offset = self.offset(index);
            if index < limit && self.tag(index) == tag {
                self.bury(offset);
            } else {
                let place = self.order(kept);
                put_u32(self.bytes.as_mut(), place, offset);
                kept += 1;
            }
        }
        let dropped = self.len - kept;
        self.len = kept;
        self.settle();
        dropped
    }

    /// Drops row `index`.
    pub fn drop_one(&mut self, index: usize) {
        if index == 0 {
            self.drop_front(1);
        } else if index < self.len {
            self.bury(self.offset(index));
            for later in index + 1..self.len {
                let offset = self.offset(later);
                let place = self.order(later - 1);
                put_u32(self.bytes.as_mut(), place, offset);
            }
            self.len -= 1;
            self.settle();
        }
    }

    /// Puts the values of row `index` into the slots of its source, where they are missing still, and gives its event.
    pub fn load<'a>(&'a self, index: usize, row: &Row<'a>, keep: &Keep) -> Event<'a> {
        let Some(blob) = self.blob(index) else { return Event::default() };
        let meta = u32_at(blob, META) as usize;
        let source = blob.get(SOURCE).copied().unwrap_or(0);
        let (facts, body) = blob.get(HEADER..).unwrap_or(&[]).split_at_checked(meta).unwrap_or((&[], &[]));
        unpack(body, row, keep.of(source));
        Event { time: Timestamp(self.time(index)), meta: facts_of(facts) }
    }

    fn insert(&mut self, index: usize, head: Head<'_>, write: impl Fn(&mut [u8]) -> Option<usize>) -> Result<(), NoRoom> {
        for packed in [false, true] {
            if packed && !self.pack() {
                break;
            }
            let (top, limit, meta) = (self.top, self.limit(1), head.meta.len());
            let bytes = self.bytes.as_mut();
            if top + HEADER + meta > limit {
                continue;
            }
            let Some(len) = bytes.get_mut(top + HEADER + meta..limit).and_then(&write) else { continue };
            let total = HEADER + meta + len;
            let blob = &mut bytes[top..top + total];
            put_u32(blob, 0, total);
            put_u32(blob, OWNER, 0);
            blob[TIME..TIME + 8].copy_from_slice(&head.time_ms.to_le_bytes());
            blob[SOURCE] = head.source;
            blob[FLAGS] = 0;
            put_u32(blob, TAG, head.tag as usize);
            put_u32(blob, META, meta);
            blob[HEADER..HEADER + meta].copy_from_slice(head.meta);
            self.top += total;
            self.len += 1;
            let (last, place) = (self.order(self.len - 1), self.order(index));
            // The order grows downwards: what comes behind `index` moves one place down.
            self.bytes.as_mut().copy_within(last + 4..place + 4, last);
            put_u32(self.bytes.as_mut(), place, top);
            return Ok(());
        }
        Err(if self.is_empty() { NoRoom::TooLarge } else { NoRoom::Full })
    }

    /// Where blobs must end when `more` rows are added to the order.
    fn limit(&self, more: usize) -> usize {
        self.size().saturating_sub(4 * (self.gone + self.len + more))
    }

    fn size(&self) -> usize {
        (self.bytes.as_ref().len() / 4 * 4).min(u32::MAX as usize / 4 * 4)
    }

    /// Place of the order's entry `index`.
    fn order(&self, index: usize) -> usize {
        self.size().saturating_sub(4 * (self.gone + index + 1))
    }

    fn offset(&self, index: usize) -> usize {
        u32_at(self.bytes.as_ref(), self.order(index)) as usize
    }

    fn blob(&self, index: usize) -> Option<&[u8]> {
        if index >= self.len {
            return None;
        }
        let offset = self.offset(index);
        let total = u32_at(self.bytes.as_ref(), offset) as usize;
        self.bytes.as_ref().get(offset..offset + total)
    }

    fn bury(&mut self, offset: usize) {
        self.dead += u32_at(self.bytes.as_ref(), offset) as usize;
        put_u32(self.bytes.as_mut(), offset + OWNER, NOBODY);
    }

    /// An empty region begins at its front again.
    const fn settle(&mut self) {
        if self.len == 0 {
            self.top = 0;
            self.gone = 0;
            self.dead = 0;
        }
    }

    /// Slides all that lives together; false if that would free less than an eighth of the region, so that a full one does not
    /// spend its time on it.
    fn pack(&mut self) -> bool {
        let spare = self.dead + 4 * self.gone;
        if spare == 0 || (self.len > 8 && spare < self.size() / 8) {
            return false;
        }
        // The order moves up first.
        for index in 0..self.len {
            let offset = self.offset(index);
            let place = self.order(index) + 4 * self.gone;
            put_u32(self.bytes.as_mut(), place, offset);
        }
        self.gone = 0;
        // Every blob learns its place in the order, or that it has none.
        for index in 0..self.len {
            let offset = self.offset(index);
            put_u32(self.bytes.as_mut(), offset + OWNER, index);
        }
        let (mut from, mut to) = (0, 0);
        while from < self.top {
            let total = u32_at(self.bytes.as_ref(), from) as usize;
            let owner = u32_at(self.bytes.as_ref(), from + OWNER) as usize;
            if owner != NOBODY {
                self.bytes.as_mut().copy_within(from..from + total, to);
                let place = self.order(owner);
                put_u32(self.bytes.as_mut(), place, to);
                to += total;
            }
            from += total;
        }
        self.top = to;
        self.dead = 0;
        true
    }
}

/// Which slots are kept of the rows of each source.
#[derive(Debug, Clone, Default)]
pub struct Keep {
    sources: Vec<Vec<Slot>>,
    /// The same for columns alone, with their names; no name: the whole row.
    names: Vec<Vec<(Slot, Option<String>)>>,
}

impl Keep {
    /// The slots of a plan by source. Results of analytic functions go with whichever event they were computed for.
    #[must_use]
    pub fn of_plan(plan: &Plan) -> Self {
        let sources = (0..plan.sources.len()).map(|source| {
            let belongs = |kind: &SlotKind| match kind {
                SlotKind::Column { source: s, .. } | SlotKind::Row { source: s } => usize::from(*s) == source,
                SlotKind::Analytic(index) => plan.analytics.get(usize::from(*index)).is_some_and(|a| !a.late),
                _ => false,
            };
            let slots = plan.slots.iter().enumerate().filter(|(_, kind)| belongs(kind));
            slots.filter_map(|(i, _)| u16::try_from(i).ok().map(Slot)).collect()
        });
        let names = (0..plan.sources.len()).map(|source| {
            let slots = plan.slots.iter().enumerate().filter_map(|(i, kind)| {
                let slot = Slot(u16::try_from(i).ok()?);
                match kind {
                    SlotKind::Column { source: s, name, .. } if usize::from(*s) == source => Some((slot, Some(name.clone()))),
                    SlotKind::Row { source: s } if usize::from(*s) == source => Some((slot, None)),
                    _ => None,
                }
            });
            slots.collect()
        });
        Self { sources: sources.collect(), names: names.collect() }
    }

    /// The column slots of one source, with their names; no name: the whole row.
    pub fn named(&self, source: u8) -> impl Iterator<Item = (Slot, Option<&str>)> {
        self.names.get(usize::from(source)).into_iter().flatten().map(|(slot, name)| (*slot, name.as_deref()))
    }

    /// The slots of one source.
    #[must_use]
    pub fn of(&self, source: u8) -> &[Slot] {
        self.sources.get(usize::from(source)).map_or(&[], Vec::as_slice)
    }
}

/// Packs the slots of a row: a bit per slot that is there, then the values. `None` if they do not fit.
#[must_use]
pub fn pack(room: &mut [u8], row: &Row<'_>, slots: &[Slot]) -> Option<usize> {
    let bits = slots.len().div_ceil(8);
    let (present, values) = room.split_at_mut_checked(bits)?;
    present.fill(0);
    let mut out = Encoder::new(values);
    for (i, slot) in slots.iter().enumerate() {
        if let Some(value) = row.get(*slot) {
            present[i / 8] |= 1 << (i % 8);
            out.value(value).ok()?;
        }
    }
    Some(bits + out.len())
}

/// Puts packed slots back into a row; a slot that holds something already keeps it.
pub fn unpack<'a>(bytes: &'a [u8], row: &Row<'a>, slots: &[Slot]) {
    let bits = slots.len().div_ceil(8);
    let Some((present, mut values)) = bytes.split_at_checked(bits) else { return };
    for (i, slot) in slots.iter().enumerate() {
        if present[i / 8] >> (i % 8) & 1 == 1 {
            let Some((value, len)) = packed::read(values) else { return };
            values = values.get(len..).unwrap_or(&[]);
            if row.get(*slot).is_none() {
                row.set(*slot, Some(value));
            }
        }
    }
}

/// As [`unpack`], for bytes that do not live as long as the row: values are copied into its scratch, as far as that has room.
pub fn unpack_copied<'a>(bytes: &[u8], ev: &Evaluator<'_, 'a>, slots: &[Slot]) {
    if let Ok(bytes) = ev.ctx.scratch.copy(bytes) {
        unpack(bytes, ev.row, slots);
    }
}

/// Packed arrival facts as an object.
#[must_use]
pub fn facts_of(bytes: &[u8]) -> Option<packed::Object<'_>> {
    match packed::read(bytes) {
        Some((Value::Packed(p), _)) => p.object(),
        _ => None,
    }
}

/// The fault of a row larger than the region.
pub const TOO_LARGE: Fault<'static> = Fault::new("a row is larger than the window's memory: raise limits.stateBytes");

#[cfg(test)]
mod tests {
    use super::*;

    fn push(rows: &mut Rows<Vec<u8>>, time_ms: i64, tag: u32, len: usize) -> Result<usize, NoRoom> {
        rows.push(Head { time_ms, source: 0, tag, meta: b"m" }, |room| {
            room.get_mut(..len)?.fill(u8::try_from(tag % 251).expect("small"));
            Some(len)
        })
    }

    #[test]
    fn rows_stand_in_order_of_time() {
        let mut rows = Rows::new(vec![0; 1024]);
        for (i, t) in [5, 1, 3, 3, 9].into_iter().enumerate() {
            push(&mut rows, t, u32::try_from(i).expect("small"), 3).expect("room");
        }
        assert_eq!((0..5).map(|i| (rows.time(i), rows.tag(i))).collect::<Vec<_>>(), [(1, 1), (3, 2), (3, 3), (5, 0), (9, 4)]);
        assert_eq!((rows.before(3, 5), rows.before(4, 5), rows.before(99, 2)), (1, 3, 2));
        rows.drop_front(2);
        assert_eq!(rows.drop_tagged(0, 9), 1);
        assert_eq!((0..2).map(|i| rows.tag(i)).collect::<Vec<_>>(), [3, 4]);
        rows.shift(-10);
        assert_eq!(rows.time(1), -1);
    }

    proptest::proptest! {
        /// Against a sorted list: the same rows in the same order, whatever came, left and did not fit.
        #[test]
        fn behaves_like_a_sorted_list(steps in proptest::collection::vec((0_i64..50, 1_usize..60, 0_u8..6), 1..300)) {
            let mut rows = Rows::new(vec![0; 1500]);
            let mut model: Vec<(i64, u32, usize)> = Vec::new();
            for (n, (time, len, what)) in steps.into_iter().enumerate() {
                let tag = u32::try_from(n).expect("small");
                match what {
                    0 => {
                        let count = len % 4;
                        rows.drop_front(count);
                        model.drain(..count.min(model.len()));
                    }
                    1 if !model.is_empty() => {
                        let index = len % model.len();
                        rows.drop_one(index);
                        model.remove(index);
                    }
                    2 if !model.is_empty() => {
                        let index = len % model.len();
                        if rows.replace(index, |room| { room.get_mut(..len)?.fill(7); Some(len) }).is_ok() {
                            model[index].2 = len;
                        }
                    }
                    _ => {
                        if push(&mut rows, time, tag, len).is_ok() {
                            let at = model.partition_point(|m| m.0 <= time);
                            model.insert(at, (time, tag, len));
                        } else {
                            proptest::prop_assert!(!model.is_empty());
                        }
                    }
                }
                let found: Vec<_> = (0..rows.len()).map(|i| (rows.time(i), rows.tag(i), rows.blob(i).map_or(0, |b| b.len() - HEADER - 1))).collect();
                proptest::prop_assert_eq!(&found, &model);
            }
        }
    }
}
