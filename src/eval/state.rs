//! The rule's state: entries with a key and a value of any size in one fixed byte region.
//!
//! In: keys (a function and its partition, a group) and values. Out: the same, by [`Id`]. The region holds a hash index, the
//! entries, and a heap of blobs; each blob has its capacity and owner in front, so a full heap is packed by sliding what lives to
//! the front. A value that fits its blob is changed in place. When nothing fits any more the answer is [`Full`]: the caller's
//! policy (evict, emit early, drop) decides, and counts. Nothing is allocated after [`Store::new`].

/// There is no room, even after packing the heap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

/// An entry. Valid until it is removed or the store is cleared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Id(u32);

impl Id {
    /// As a number other than 0, to be kept inside a value.
    #[must_use]
    pub const fn to_raw(self) -> u32 {
        self.0 + 1
    }

    /// From such a number; `None` for 0.
    #[must_use]
    pub const fn from_raw(raw: u32) -> Option<Self> {
        match raw.checked_sub(1) {
            Some(id) => Some(Self(id)),
            None => None,
        }
    }
}

/// offset, hash, stamp, key length, value length, flags: u32 each.
const ENTRY: usize = 24;
const OFFSET: usize = 0;
const HASH: usize = 4;
const STAMP: usize = 8;
const KEY: usize = 12;
const LEN: usize = 16;
const FLAGS: usize = 20;
/// The entry is in the index.
const NAMED: u32 = 1;
/// Capacity and owner stand before each blob.
const HEADER: usize = 8;
/// Owner of a dead blob.
const NOBODY: u32 = u32::MAX;
/// Bytes of region per entry slot: what a small group takes in all.
const SHARE: usize = 96;
/// Most entries.
const ENTRY_MAX: usize = 1 << 20;

/// Where the parts of the region begin, and how far they are filled.
#[derive(Debug, Clone, Copy)]
struct Layout {
    /// Slots of the index, a power of two.
    slots: usize,
    /// Entries there is room for.
    entries: usize,
    /// First byte of the heap.
    heap: usize,
    /// First free byte.
    top: usize,
    /// Entries ever used since the last clear.
    used: usize,
    /// First free entry below `used`, plus 1; each keeps the next in its hash field.
    free: u32,
    /// Living entries.
    len: usize,
    /// Bytes of dead blobs.
    dead: usize,
    /// Counts uses, for eviction.
    clock: u32,
}

/// See the module text.
#[derive(Debug)]
pub struct Store<B> {
    bytes: B,
    at: Layout,
}

/// A store that nobody changes any more.
#[derive(Debug, Clone, Copy)]
pub struct View<'v> {
    bytes: &'v [u8],
    at: Layout,
}

impl<'v> View<'v> {
    /// The value of an entry; empty if there is none.
    #[must_use]
    pub fn get(&self, id: Id) -> &'v [u8] {
        let Some((offset, key, len)) = place(self.bytes, &self.at, id) else { return &[] };
        self.bytes.get(offset + key..offset + key + len).unwrap_or(&[])
    }

    /// The key of an entry.
    #[must_use]
    pub fn key(&self, id: Id) -> &'v [u8] {
        let Some((offset, key, _)) = place(self.bytes, &self.at, id) else { return &[] };
        self.bytes.get(offset..offset + key).unwrap_or(&[])
    }

    /// Entries with a key, in the order in which they came (as long as none was removed).
    pub fn named(&self) -> impl Iterator<Item = Id> + use<'v> {
        let view = *self;
        (0..view.at.used).filter_map(move |i| {
            let id = Id(u32::try_from(i).ok()?);
            let entry = view.entry(id)?;
            (u32_at(entry, OFFSET) != 0 && u32_at(entry, FLAGS) & NAMED != 0).then_some(id)
        })
    }

    fn entry(&self, id: Id) -> Option<&'v [u8]> {
        let start = entry_at(&self.at, id)?;
        self.bytes.get(start..start + ENTRY)
    }
}

impl<'v> Store<&'v mut [u8]> {
    /// Ends all change.
    #[must_use]
    pub fn into_view(self) -> View<'v> {
        View { bytes: self.bytes, at: self.at }
    }
}

impl<B: AsRef<[u8]> + AsMut<[u8]>> Store<B> {
    /// An empty store over `bytes`. A region below some hundred bytes holds nothing.
    #[must_use]
    pub fn new(bytes: B) -> Self {
        let size = bytes.as_ref().len().min(u32::MAX as usize);
        let entries = (size / SHARE).min(ENTRY_MAX);
        let slots = if entries == 0 { 0 } else { (entries * 3 / 2).next_power_of_two() };
        let heap = (slots * 4 + entries * ENTRY).min(size);
        let at = Layout { slots, entries, heap, top: heap, used: 0, free: 0, len: 0, dead: 0, clock: 0 };
        let mut store = Self { bytes, at };
        store.clear();
        store
    }

    /// Removes everything.
    pub fn clear(&mut self) {
        let index = self.at.slots * 4;
        if let Some(index) = self.bytes.as_mut().get_mut(..index) {
            index.fill(0);
        }
        self.at = Layout { top: self.at.heap, used: 0, free: 0, len: 0, dead: 0, ..self.at };
    }

    /// A look at it as it is now.
    #[must_use]
    pub fn view(&self) -> View<'_> {
        View { bytes: self.bytes.as_ref(), at: self.at }
    }

    /// Living entries.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.at.len
    }

    /// True without entries.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.at.len == 0
    }

    /// The entry under `key`.
    #[must_use]
    pub fn find(&self, key: &[u8]) -> Option<Id> {
        self.slot_of(key, hash(key)).and_then(|slot| Id::from_raw(self.index(slot)))
    }

    /// A new entry under `key`, which must not be there yet, with a value of `len` zeros.
    ///
    /// # Errors
    /// [`Full`]; nothing changed then.
    pub fn insert(&mut self, key: &[u8], len: usize) -> Result<Id, Full> {
        let hash = hash(key);
        let id = self.make(key, hash, len, NAMED)?;
        let mask = self.at.slots - 1;
        let mut slot = hash as usize & mask;
        while self.index(slot) != 0 {
            slot = (slot + 1) & mask;
        }
        self.set_index(slot, id.to_raw());
        Ok(id)
    }

    /// A new entry without a key.
    ///
    /// # Errors
    /// [`Full`]; nothing changed then.
    pub fn alloc(&mut self, len: usize) -> Result<Id, Full> {
        self.make(&[], 0, len, 0)
    }

    /// The value of an entry.
    #[must_use]
    pub fn get(&self, id: Id) -> &[u8] {
        self.view().get(id)
    }

    /// The value of an entry, to be changed in place.
    pub fn get_mut(&mut self, id: Id) -> &mut [u8] {
        let Some((offset, key, len)) = place(self.bytes.as_ref(), &self.at, id) else { return &mut [] };
        self.bytes.as_mut().get_mut(offset + key..offset + key + len).unwrap_or(&mut [])
    }

    /// Makes the value of an entry `len` bytes long: what was there stays as far as it fits, the rest is zeros.
    ///
    /// # Errors
    /// [`Full`]; nothing changed then.
    pub fn resize(&mut self, id: Id, len: usize) -> Result<(), Full> {
        let Some((offset, key, old)) = place(self.bytes.as_ref(), &self.at, id) else { return Err(Full) };
        let capacity = u32_at(self.bytes.as_ref(), offset - HEADER) as usize;
        if key + len > capacity {
            // Grown once, it grows again: half as much more, if that can be had.
            let wanted = (key + len).saturating_mul(3) / 2;
            if self.blob(wanted, id).or_else(|_| self.blob(key + len, id)).is_err() {
                return Err(Full);
            }
        }
        let Some((offset, ..)) = place(self.bytes.as_ref(), &self.at, id) else { return Err(Full) };
        if len > old
            && let Some(new) = self.bytes.as_mut().get_mut(offset + key + old..offset + key + len)
        {
            new.fill(0);
        }
        self.set(id, LEN, len);
        Ok(())
    }

    /// Makes `bytes` the value of an entry.
    ///
    /// # Errors
    /// [`Full`]; nothing changed then.
    pub fn put(&mut self, id: Id, bytes: &[u8]) -> Result<(), Full> {
        self.resize(id, bytes.len())?;
        self.get_mut(id).copy_from_slice(bytes);
        Ok(())
    }

    /// Removes an entry.
    pub fn remove(&mut self, id: Id) {
        let Some((offset, key, _)) = place(self.bytes.as_ref(), &self.at, id) else { return };
        let flags = self.field(id, FLAGS);
        if flags & NAMED != 0 {
            self.unindex(id);
        }
        let _ = key;
        self.bury(offset);
        self.set(id, OFFSET, 0);
        let next = self.at.free as usize;
        self.set(id, HASH, next);
        self.at.free = id.to_raw();
        self.at.len -= 1;
    }

    /// Says that an entry was used: it is evicted later.
    pub fn touch(&mut self, id: Id) {
        self.at.clock = self.at.clock.wrapping_add(1);
        self.set(id, STAMP, self.at.clock as usize);
    }

    /// The entry that was not used for longest.
    #[must_use]
    pub fn oldest(&self) -> Option<Id> {
        (0..self.at.used)
            .filter_map(|i| u32::try_from(i).ok().map(Id))
            .filter(|id| self.field(*id, OFFSET) != 0)
            .max_by_key(|id| self.at.clock.wrapping_sub(self.field(*id, STAMP)))
    }

    /// Entries ever used since the last clear: raw ids are from 1 up to this.
    #[must_use]
    pub const fn used(&self) -> usize {
        self.at.used
    }

    /// Removes the entry that was not used for longest; false if there was none.
    pub fn evict(&mut self) -> bool {
        let oldest = self.oldest();
        if let Some(id) = oldest {
            self.remove(id);
        }
        oldest.is_some()
    }

    fn make(&mut self, key: &[u8], hash: u32, len: usize, flags: u32) -> Result<Id, Full> {
        let id = match Id::from_raw(self.at.free) {
            Some(id) => id,
            None if self.at.used < self.at.entries => Id(u32::try_from(self.at.used).map_err(|_| Full)?),
            None => return Err(Full),
        };
        let next = if self.at.free == 0 { 0 } else { self.field(id, HASH) };
        let fresh = self.at.free == 0;
        if fresh {
            // So that packing the heap sees an entry without a blob.
            self.at.used += 1;
            self.set(id, OFFSET, 0);
        }
        self.set(id, LEN, 0);
        self.set(id, KEY, 0);
        if let Err(full) = self.blob(key.len() + len, id) {
            if fresh {
                self.at.used -= 1;
            }
            return Err(full);
        }
        if !fresh {
            self.at.free = next;
        }
        let offset = self.field(id, OFFSET) as usize;
        if let Some(blob) = self.bytes.as_mut().get_mut(offset..offset + key.len() + len) {
            let (name, value) = blob.split_at_mut(key.len());
            name.copy_from_slice(key);
            value.fill(0);
        }
        self.set(id, HASH, hash as usize);
        self.set(id, KEY, key.len());
        self.set(id, LEN, len);
        self.set(id, FLAGS, flags as usize);
        self.at.len += 1;
        self.touch(id);
        Ok(id)
    }

    /// Gives an entry a blob of `capacity` bytes in place of the one it has, whose contents move over.
    fn blob(&mut self, capacity: usize, id: Id) -> Result<(), Full> {
        let capacity = capacity.next_multiple_of(4);
        let need = HEADER + capacity;
        let size = self.bytes.as_ref().len();
        let old = self.field(id, OFFSET) as usize;
        if old != 0 {
            let had = u32_at(self.bytes.as_ref(), old - HEADER) as usize;
            if old + had == self.at.top && old + capacity <= size {
                // The last blob just grows.
                self.at.top = old + capacity;
                put_u32(self.bytes.as_mut(), old - HEADER, capacity);
                return Ok(());
            }
        }
        if self.at.top + need > size {
            if self.at.top - self.at.dead + need > size {
                return Err(Full);
            }
            self.pack();
            if self.at.top + need > size {
                return Err(Full);
            }
        }
        let old = self.field(id, OFFSET) as usize;
        let new = self.at.top + HEADER;
        put_u32(self.bytes.as_mut(), self.at.top, capacity);
        put_u32(self.bytes.as_mut(), self.at.top + 4, id.0 as usize);
        self.at.top = new + capacity;
        if old != 0 {
            let len = self.field(id, KEY) as usize + self.field(id, LEN) as usize;
            self.bytes.as_mut().copy_within(old..old + len, new);
            self.bury(old);
        }
        self.set(id, OFFSET, new);
        Ok(())
    }

    fn bury(&mut self, offset: usize) {
        let capacity = u32_at(self.bytes.as_ref(), offset - HEADER) as usize;
        put_u32(self.bytes.as_mut(), offset - HEADER + 4, NOBODY as usize);
        self.at.dead += HEADER + capacity;
    }

    /// Slides all living blobs to the front of the heap.
    fn pack(&mut self) {
        let (mut from, mut to) = (self.at.heap, self.at.heap);
        while from < self.at.top {
            let bytes = self.bytes.as_mut();
            let len = HEADER + u32_at(bytes, from) as usize;
            let owner = u32_at(bytes, from + 4);
            if owner != NOBODY {
                if from != to {
                    bytes.copy_within(from..from + len, to);
                    self.set(Id(owner), OFFSET, to + HEADER);
                }
                to += len;
            }
            from += len;
        }
        self.at.top = to;
        self.at.dead = 0;
    }

    fn slot_of(&self, key: &[u8], hash: u32) -> Option<usize> {
        let mask = self.at.slots.checked_sub(1)?;
        let mut slot = hash as usize & mask;
        loop {
            let id = Id::from_raw(self.index(slot))?;
            if self.field(id, HASH) == hash && self.view().key(id) == key {
                return Some(slot);
            }
            slot = (slot + 1) & mask;
        }
    }

    /// Takes an entry out of the index and closes the gap.
    fn unindex(&mut self, id: Id) {
        let mask = self.at.slots - 1;
        let mut slot = self.field(id, HASH) as usize & mask;
        while self.index(slot) != id.to_raw() {
            slot = (slot + 1) & mask;
        }
        let mut hole = slot;
        loop {
            slot = (slot + 1) & mask;
            let Some(next) = Id::from_raw(self.index(slot)) else { break };
            let home = self.field(next, HASH) as usize & mask;
            if slot.wrapping_sub(home) & mask >= slot.wrapping_sub(hole) & mask {
                self.set_index(hole, next.to_raw());
                hole = slot;
            }
        }
        self.set_index(hole, 0);
    }

    fn index(&self, slot: usize) -> u32 {
        u32_at(self.bytes.as_ref(), slot * 4)
    }

    fn set_index(&mut self, slot: usize, raw: u32) {
        put_u32(self.bytes.as_mut(), slot * 4, raw as usize);
    }

    fn field(&self, id: Id, field: usize) -> u32 {
        entry_at(&self.at, id).map_or(0, |start| u32_at(self.bytes.as_ref(), start + field))
    }

    fn set(&mut self, id: Id, field: usize, value: usize) {
        if let Some(start) = entry_at(&self.at, id) {
            put_u32(self.bytes.as_mut(), start + field, value);
        }
    }
}

fn entry_at(at: &Layout, id: Id) -> Option<usize> {
    let index = id.0 as usize;
    (index < at.used).then_some(at.slots * 4 + index * ENTRY)
}

/// Offset of an entry's blob, and the lengths of its key and value.
fn place(bytes: &[u8], at: &Layout, id: Id) -> Option<(usize, usize, usize)> {
    let entry = bytes.get(entry_at(at, id)?..)?;
    let offset = u32_at(entry, OFFSET) as usize;
    (offset != 0).then(|| (offset, u32_at(entry, KEY) as usize, u32_at(entry, LEN) as usize))
}

/// FNV-1a.
fn hash(key: &[u8]) -> u32 {
    let folded = key.iter().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x0000_0100_0000_01b3));
    #[expect(clippy::cast_possible_truncation, reason = "both halves are folded together")]
    let hash = (folded ^ (folded >> 32)) as u32;
    hash
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(|b| b.first_chunk()).map_or(0, |b| u32::from_le_bytes(*b))
}

/// Writes a number that was checked against the region's size, which is below 4 GiB.
#[expect(clippy::cast_possible_truncation, reason = "see above")]
pub(crate) fn put_u32(bytes: &mut [u8], at: usize, value: usize) {
    if let Some(place) = bytes.get_mut(at..at + 4) {
        place.copy_from_slice(&(value as u32).to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn keys_find_their_values() {
        let mut store = Store::new(vec![0; 4096]);
        let a = store.insert(b"a", 4).expect("room");
        let b = store.insert(b"b", 0).expect("room");
        store.get_mut(a).copy_from_slice(b"1234");
        assert_eq!((store.find(b"a"), store.find(b"b"), store.find(b"c")), (Some(a), Some(b), None));
        store.resize(a, 400).expect("room");
        assert_eq!(&store.get(a)[..5], b"1234\0");
        store.resize(a, 2).expect("less");
        assert_eq!(store.get(a), b"12");
        store.remove(b);
        assert_eq!((store.find(b"b"), store.len()), (None, 1));
        store.clear();
        assert_eq!((store.find(b"a"), store.len()), (None, 0));
    }

    #[test]
    fn full_changes_nothing_and_eviction_takes_the_least_used() {
        let mut store = Store::new(vec![0; 2000]);
        let mut ids = Vec::new();
        for i in 0_u8..=255 {
            match store.insert(&[i], 60) {
                Ok(id) => ids.push(id),
                Err(Full) => break,
            }
        }
        let n = ids.len();
        assert!(n > 5 && n < 30, "{n}");
        store.touch(ids[0]);
        assert!(store.evict());
        assert!(store.find(&[0]).is_some() && store.find(&[1]).is_none());
        assert!(store.insert(b"new", 60).is_ok());
        assert_eq!(store.insert(b"more", 60), Err(Full));
        assert_eq!(store.resize(ids[0], 5000), Err(Full));
        assert_eq!(store.get(ids[0]).len(), 60);
    }

    #[test]
    fn a_region_too_small_holds_nothing() {
        for size in [0, 10, 95] {
            let mut store = Store::new(vec![0; size]);
            assert_eq!((store.find(b"x"), store.insert(b"x", 1)), (None, Err(Full)), "{size}");
        }
    }

    proptest::proptest! {
        /// Against a map: the same values under the same keys, whatever was inserted, grown, shrunk and removed.
        #[test]
        fn behaves_like_a_map(steps in proptest::collection::vec((0_u8..20, 0_usize..120, 0_u8..4), 1..400)) {
            let mut store = Store::new(vec![0; 3000]);
            let mut model: BTreeMap<u8, Vec<u8>> = BTreeMap::new();
            for (key, len, what) in steps {
                let value = vec![key.wrapping_mul(7) ^ what; len];
                match (what, store.find(&[key])) {
                    (0, Some(id)) => {
                        store.remove(id);
                        model.remove(&key);
                    }
                    (_, Some(id)) => {
                        if store.put(id, &value).is_ok() {
                            model.insert(key, value);
                        }
                    }
                    (_, None) => {
                        if let Ok(id) = store.insert(&[key], len) {
                            store.get_mut(id).copy_from_slice(&value);
                            model.insert(key, value);
                        }
                    }
                }
                proptest::prop_assert_eq!(store.len(), model.len());
                for (key, value) in &model {
                    let id = store.find(&[*key]);
                    proptest::prop_assert_eq!(id.map(|id| store.get(id).to_vec()), Some(value.clone()));
                }
            }
        }
    }
}
