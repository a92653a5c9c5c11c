//! STATEWINDOW: a window per partition that opens when one condition holds and closes when another does.
//!
//! The conditions are the rule's to evaluate; here is what they change. The partition that was not used for longest leaves when there
//! is no room for another.

use crate::eval::state::{Full, Id, Store};
use crate::pages::Pages;

/// See the module text.
#[derive(Debug)]
pub struct State {
    parts: Store<Pages>,
    /// Partitions that left because there was no room.
    pub evicted_total: u64,
}

/// A partition that left: its rows go too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Evicted(pub u32);

impl State {
    /// No partitions, in `parts`.
    #[must_use]
    pub fn new(parts: Pages) -> Self {
        Self { parts: Store::new(parts), evicted_total: 0 }
    }

    /// The partition under `key`; `Err` names one that must leave first.
    ///
    /// # Errors
    /// [`Evicted`], at most once per call: ask again.
    pub fn partition(&mut self, key: &[u8]) -> Result<Id, Option<Evicted>> {
        if let Some(id) = self.parts.find(key) {
            self.parts.touch(id);
            return Ok(id);
        }
        match self.parts.insert(key, 9) {
            Ok(id) => Ok(id),
            Err(Full) => {
                let Some(id) = self.parts.oldest() else { return Err(None) };
                self.parts.remove(id);
                self.evicted_total += 1;
                Err(Some(Evicted(id.to_raw())))
            }
        }
    }

    /// When the partition's window began, if it is open.
    #[must_use]
    pub fn open_since(&self, id: Id) -> Option<i64> {
        match self.parts.get(id) {
            [1, start @ ..] => start.first_chunk().map(|b| i64::from_le_bytes(*b)),
            _ => None,
        }
    }

    /// Opens or closes the partition's window.
    pub fn set(&mut self, id: Id, open_since: Option<i64>) {
        if let Some((open, start)) = self.parts.get_mut(id).split_first_mut() {
            *open = u8::from(open_since.is_some());
            start.copy_from_slice(&open_since.unwrap_or(0).to_le_bytes());
        }
    }

    /// The partition with this tag is emitted before its time: its window goes on from `now_ms`. Gives when it began.
    pub fn restart(&mut self, tag: u32, now_ms: i64) -> Option<i64> {
        let id = Id::from_raw(tag)?;
        let start = self.open_since(id)?;
        self.set(id, Some(now_ms));
        Some(start)
    }

    /// Key of a partition.
    #[must_use]
    pub fn key(&self, id: Id) -> &[u8] {
        self.parts.view().key(id)
    }

    pub(super) fn shift(&mut self, delta_ms: i64) {
        let mut raw = 1;
        while let Some(id) = Id::from_raw(raw).filter(|_| raw as usize <= self.parts.used()) {
            if let Some(start) = self.open_since(id) {
                self.set(id, Some(start + delta_ms));
            }
            raw += 1;
        }
    }
}
