//! A lookup table: the latest row for each value of one column, for all rules that look something up in it (facts §3.3).
//!
//! In: rows of memory topics, with what is to be done with each ([`Change`]). Out: the row of a key, or all rows one by one; a row
//! has a place that stays its own until it is deleted, so that a join may stop and go on. Bound: the bytes given; a full table gives
//! up the rows that were written longest ago, counted, and a row larger than the table is refused, counted. Nothing is allocated
//! after it was made.

use crate::json::write::Out;
use crate::pages::Pages;
use crate::value::packed;
use crate::value::{Object, Value, key};

/// total u32 (bit 31: gone), place u32, hash u32, key length u32.
const HEADER: usize = 16;
const GONE: u32 = 1 << 31;
/// The smallest entry: places are this many bytes apart at least.
const ENTRY_MIN: usize = 32;
/// Longest key.
pub const KEY_BYTES: usize = 1024;
/// A free place.
const FREE: u32 = 0;
/// A slot of the index whose row was deleted.
const DELETED: u32 = u32::MAX;

/// What a row does to the table.
#[derive(Debug, Clone, Copy)]
pub enum Change<'a> {
    /// It takes the place of the one with its key.
    Put,
    /// The row of this key goes.
    Delete(Value<'a>),
}

/// Rows that could not be kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lost {
    /// Rows that made room for newer ones.
    pub evicted_total: u64,
    /// Rows without the key column, or with a null, a list or an object in it.
    pub no_key_total: u64,
    /// Rows larger than the table.
    pub too_large_total: u64,
}

impl Lost {
    /// Each with its name.
    #[must_use]
    pub const fn all(&self) -> [(&'static str, u64); 3] {
        [("evicted_total", self.evicted_total), ("no_key_total", self.no_key_total), ("too_large_total", self.too_large_total)]
    }
}

/// See the module text.
#[derive(Debug)]
pub struct Lookup {
    key: String,
    rows: Pages,
    /// Bytes of `rows` in use.
    end: usize,
    /// Per place: where its row stands plus 1, or [`FREE`].
    places: Pages,
    /// Places that were ever used.
    used: u32,
    /// Hash table of places plus 1.
    index: Pages,
    len: usize,
    /// What was lost.
    pub lost: Lost,
}

impl Lookup {
    /// An empty table in so many bytes, keyed by a column.
    #[must_use]
    pub fn new(key: &str, bytes: usize) -> Self {
        let places = (bytes / ENTRY_MIN).max(1);
        Self {
            key: key.to_owned(),
            rows: Pages::new(bytes),
            end: 0,
            places: Pages::new(4 * places),
            used: 0,
            index: Pages::new(4 * (2 * places).next_power_of_two()),
            len: 0,
            lost: Lost::default(),
        }
    }

    /// Bytes that a table of so many takes in all.
    #[must_use]
    pub const fn bytes_of(bytes: usize) -> usize {
        let places = bytes / ENTRY_MIN;
        bytes + 4 * places + 4 * (2 * places).next_power_of_two()
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

    /// Takes a row of its topic.
    pub fn change(&mut self, row: Object<'_>, change: Change<'_>) {
        let value = match change {
            Change::Put => row.get(&self.key).unwrap_or(Value::Null),
            Change::Delete(value) => value,
        };
        let mut buf = [0; KEY_BYTES];
        let Some(key) = key_of(value, &mut buf) else {
            self.lost.no_key_total += 1;
            return;
        };
        match change {
            Change::Put => self.put_by(key, row),
            Change::Delete(_) => {
                if let Some(place) = self.find_by(key) {
                    self.remove(place);
                }
            }
        }
    }

    /// Adds a row under a key that is no column: tables whose rows are given.
    pub fn add(&mut self, row: Object<'_>) {
        let number = self.used.to_le_bytes();
        self.put_by(&number, row);
    }

    /// The place of the row whose key column has this value.
    #[must_use]
    pub fn find(&self, value: Value<'_>) -> Option<usize> {
        let mut buf = [0; KEY_BYTES];
        self.find_by(key_of(value, &mut buf)?)
    }

    /// The first place from this one on that has a row.
    #[must_use]
    pub fn next(&self, from: usize) -> Option<usize> {
        (from..self.used as usize).find(|place| word(&self.places, *place) != FREE)
    }

    /// The row at a place.
    #[must_use]
    pub fn row(&self, place: usize) -> Option<Value<'_>> {
        let at = (word(&self.places, place) as usize).checked_sub(1)?;
        let rest = self.rows.get(at + HEADER + self.at(at, 3) as usize..)?;
        packed::read(rest).map(|(value, _)| value)
    }

    fn put_by(&mut self, key: &[u8], row: Object<'_>) {
        let Value::Packed(bytes) = row.value() else { return };
        let bytes = bytes.as_bytes();
        let total = (HEADER + key.len() + bytes.len()).next_multiple_of(4).max(ENTRY_MIN);
        if total > self.rows.len() {
            self.lost.too_large_total += 1;
            return;
        }
        let old = self.find_by(key);
        if let Some(at) = old.and_then(|place| (word(&self.places, place) as usize).checked_sub(1)) {
            let gone = self.at(at, 0) | GONE;
            self.set_at(at, 0, gone);
        }
        let moved = self.rows.len() - self.end < total;
        if moved {
            self.make_room(total, old);
        }
        let place = match old {
            Some(place) => place,
            None => {
                let free = (self.used as usize * 4 < self.places.len()).then_some(self.used as usize);
                // Every row is ENTRY_MIN at least, so that one of the places is free.
                let Some(place) = free.or_else(|| (0..self.used as usize).find(|p| word(&self.places, *p) == FREE)) else { return };
                self.used = self.used.max(u32::try_from(place + 1).unwrap_or(u32::MAX));
                place
            }
        };
        let at = self.end;
        let hash = hash(key);
        let words = [total, place, hash as usize, key.len()].map(|n| u32::try_from(n).unwrap_or(0));
        for (i, word) in words.into_iter().enumerate() {
            self.set_at(at, i, word);
        }
        self.rows[at + HEADER..at + HEADER + key.len()].copy_from_slice(key);
        let from = at + HEADER + key.len();
        self.rows[from..from + bytes.len()].copy_from_slice(bytes);
        self.end += total;
        set_word(&mut self.places, place, u32::try_from(at + 1).unwrap_or(0));
        self.len += usize::from(old.is_none());
        // What moved the rows left it out of the index.
        if old.is_none() || moved {
            self.enter(hash, place);
        }
    }

    /// Drops what is gone, then the oldest rows but that of `keep`, until `total` bytes and an eighth are free.
    fn make_room(&mut self, total: usize, keep: Option<usize>) {
        let want = total.max(self.rows.len() / 8).min(self.rows.len());
        let mut live: usize = self.entries().map(|at| self.total(at)).sum();
        let mut at = 0;
        while at < self.end && self.rows.len() - live < want {
            let next = at + self.total(at);
            if self.at(at, 0) & GONE == 0 {
                live -= self.total(at);
                let place = self.at(at, 1) as usize;
                if Some(place) != keep {
                    self.remove(place);
                    self.lost.evicted_total += 1;
                }
            }
            at = next;
        }
        self.compact();
    }

    /// Moves the rows to the front, and makes the index anew.
    fn compact(&mut self) {
        let (mut from, mut to) = (0, 0);
        while from < self.end {
            let total = self.total(from);
            if self.at(from, 0) & GONE == 0 {
                self.rows.copy_within(from..from + total, to);
                let place = self.at(to, 1) as usize;
                set_word(&mut self.places, place, u32::try_from(to + 1).unwrap_or(0));
                to += total;
            }
            from += total;
        }
        self.end = to;
        self.index.fill(0);
        let mut at = 0;
        while at < self.end {
            let (hash, place) = (self.at(at, 2), self.at(at, 1) as usize);
            self.enter(hash, place);
            at += self.total(at);
        }
    }

    fn remove(&mut self, place: usize) {
        let Some(at) = (word(&self.places, place) as usize).checked_sub(1) else { return };
        let gone = self.at(at, 0) | GONE;
        let hash = self.at(at, 2);
        self.set_at(at, 0, gone);
        set_word(&mut self.places, place, FREE);
        self.len -= 1;
        if let Some(slot) = self.slots(hash).find(|slot| word(&self.index, *slot) as usize == place + 1) {
            set_word(&mut self.index, slot, DELETED);
        }
    }

    fn find_by(&self, key: &[u8]) -> Option<usize> {
        for slot in self.slots(hash(key)) {
            match word(&self.index, slot) {
                0 => return None,
                DELETED => {}
                place => {
                    let place = place as usize - 1;
                    let at = (word(&self.places, place) as usize).checked_sub(1)?;
                    if self.rows.get(at + HEADER..at + HEADER + self.at(at, 3) as usize) == Some(key) {
                        return Some(place);
                    }
                }
            }
        }
        None
    }

    fn enter(&mut self, hash: u32, place: usize) {
        let free = self.slots(hash).find(|slot| matches!(word(&self.index, *slot), 0 | DELETED));
        if let Some(slot) = free {
            set_word(&mut self.index, slot, u32::try_from(place + 1).unwrap_or(0));
        }
    }

    /// The slots of the index in which a hash may stand, in order.
    fn slots(&self, hash: u32) -> impl Iterator<Item = usize> + use<> {
        let slots = self.index.len() / 4;
        (0..slots).map(move |i| (hash as usize).wrapping_add(i) & (slots - 1))
    }

    /// Where the rows stand, oldest first.
    fn entries(&self) -> impl Iterator<Item = usize> + '_ {
        let mut at = 0;
        core::iter::from_fn(move || {
            while at < self.end {
                let here = at;
                at += self.total(here);
                if self.at(here, 0) & GONE == 0 {
                    return Some(here);
                }
            }
            None
        })
    }

    fn total(&self, at: usize) -> usize {
        ((self.at(at, 0) & !GONE) as usize).max(HEADER)
    }

    fn at(&self, at: usize, field: usize) -> u32 {
        self.rows.get(at + 4 * field..at + 4 * field + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_le_bytes)
    }

    fn set_at(&mut self, at: usize, field: usize, value: u32) {
        if let Some(place) = self.rows.get_mut(at + 4 * field..at + 4 * field + 4) {
            place.copy_from_slice(&value.to_le_bytes());
        }
    }
}

/// The octets that stand for a key; `None` for what cannot be one.
fn key_of<'b>(value: Value<'_>, buf: &'b mut [u8]) -> Option<&'b [u8]> {
    let mut out = Out::new(buf);
    let written = !value.is_null() && key::write(value, &mut out).ok()?;
    let len = out.written().len();
    written.then(|| buf.get(..len)).flatten()
}

/// FNV-1a.
fn hash(key: &[u8]) -> u32 {
    key.iter().fold(0x811c_9dc5, |hash, octet| (hash ^ u32::from(*octet)).wrapping_mul(0x0100_0193))
}

fn word(bytes: &[u8], index: usize) -> u32 {
    bytes.get(4 * index..4 * index + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_le_bytes)
}

fn set_word(bytes: &mut [u8], index: usize, value: u32) {
    if let Some(place) = bytes.get_mut(4 * index..4 * index + 4) {
        place.copy_from_slice(&value.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::{Numbers, Scratch};

    fn change(table: &mut Lookup, row: &str, delete: Option<Value<'_>>) {
        let mut buf = vec![0; 1 << 16];
        let scratch = Scratch::new(&mut buf);
        let row = scratch.copy_str(row).expect("room");
        let object = Value::Json(Numbers::Float, row).object(&scratch).expect("room").expect("an object");
        table.change(object, delete.map_or(Change::Put, Change::Delete));
    }

    fn member(table: &Lookup, place: usize, name: &str) -> String {
        let mut buf = vec![0; 4096];
        let scratch = Scratch::new(&mut buf);
        format!("{:?}", table.row(place).expect("a row").member(name, &scratch).expect("room"))
    }

    #[test]
    fn the_latest_row_of_each_key() {
        let mut table = Lookup::new("id", 4096);
        for row in [r#"{"id":1,"n":"a"}"#, r#"{"id":2,"n":"b"}"#, r#"{"id":1,"n":"c"}"#, r#"{"id":"1","n":"d"}"#] {
            change(&mut table, row, None);
        }
        assert_eq!(table.len(), 3);
        let place = table.find(Value::Int(1)).expect("by its worth");
        assert!(member(&table, place, "n").contains("\"c\""));
        assert!(table.find(Value::Str("1")).is_some() && table.find(Value::Int(3)).is_none() && table.find(Value::Null).is_none());
        change(&mut table, "{}", Some(Value::Float(1.0)));
        change(&mut table, "{}", Some(Value::Float(77.0)));
        assert!(table.find(Value::Int(1)).is_none() && table.len() == 2 && table.row(place).is_none());
        let mut at = 0;
        let mut seen = 0;
        while let Some(place) = table.next(at) {
            (at, seen) = (place + 1, seen + 1);
        }
        assert_eq!(seen, 2);
        for row in [r#"{"n":1}"#, r#"{"id":null}"#, r#"{"id":[1]}"#, r#"{"id":{}}"#] {
            change(&mut table, row, None);
        }
        assert_eq!((table.len(), table.lost.no_key_total), (2, 4));
        let long = format!(r#"{{"id":"{}"}}"#, "x".repeat(KEY_BYTES));
        change(&mut table, &long, None);
        assert_eq!(table.lost.no_key_total, 5, "too long for a key");
    }

    #[test]
    fn a_full_table_gives_up_the_oldest() {
        let mut table = Lookup::new("id", 4096);
        for i in 0..1_000 {
            change(&mut table, &format!(r#"{{"id":{i}}}"#), None);
            // The first row is written again and again, and stays.
            change(&mut table, r#"{"id":"kept"}"#, None);
            assert_eq!(table.len() as u64 + table.lost.evicted_total, i + 2);
            assert!(table.find(Value::Float(i as f64)).is_some() && table.find(Value::Str("kept")).is_some(), "{i}");
        }
        assert!(table.len() > 50 && table.find(Value::Int(1)).is_none());
        change(&mut table, &format!(r#"{{"id":"big","pad":"{}"}}"#, "x".repeat(4096)), None);
        assert_eq!((table.lost.too_large_total, table.find(Value::Str("big"))), (1, None));
        assert!(table.find(Value::Int(999)).is_some(), "nothing changed");
    }

    #[test]
    fn rows_that_come_and_go_leave_no_trace() {
        let mut table = Lookup::new("id", 2048);
        for i in 0..5_000_u32 {
            change(&mut table, &format!(r#"{{"id":{}}}"#, i % 7), None);
            change(&mut table, "{}", Some(Value::Int(i64::from(i % 5))));
        }
        assert!(table.len() <= 7 && table.lost.evicted_total == 0, "{:?}", table.lost);
    }

    #[test]
    fn given_rows_have_no_key() {
        let mut table = Lookup::new("", 4096);
        let mut buf = vec![0; 4096];
        let scratch = Scratch::new(&mut buf);
        for row in [r#"{"a":1}"#, r#"{"a":1}"#] {
            let object = Value::Json(Numbers::Float, row).object(&scratch).expect("room").expect("an object");
            table.add(object);
        }
        assert_eq!((table.len(), table.next(0), table.next(1), table.next(2)), (2, Some(0), Some(1), None));
    }
}
