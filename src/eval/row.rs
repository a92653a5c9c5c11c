//! One row under evaluation: a value, or its absence, per slot of the plan, and the memo of its aliases.

use core::cell::Cell;

use heapless::Vec;

use crate::limits::SLOT_COUNT;
use crate::sql::plan::Slot;
use crate::value::{Fault, Value};

/// What a slot holds.
#[derive(Debug, Clone, Copy)]
enum Held<'a> {
    /// Not computed yet, or a column that the input does not have.
    Missing,
    /// A value; JSON's null too.
    There(Value<'a>),
    /// What went wrong when it was computed: told to whoever reads it.
    Broken(Fault<'a>),
}

/// A row: slots first, then one memo place per alias.
#[derive(Debug)]
pub struct Row<'a> {
    held: Vec<Cell<Held<'a>>, SLOT_COUNT>,
    slots: usize,
}

impl<'a> Row<'a> {
    /// A row of `slots` slots and `aliases` memo places, all missing. The planner has checked that both fit [`SLOT_COUNT`].
    #[must_use]
    #[inline]
    pub fn new(slots: usize, aliases: usize) -> Self {
        // Made in place: a row is some kilobytes, and copying it costs more than most rules.
        let mut row = Self { held: Vec::new(), slots };
        for _ in 0..slots + aliases {
            // The planner refused what does not fit; a row that is too short answers missing.
            let _ = row.held.push(Cell::new(Held::Missing));
        }
        row
    }

    /// The value in a slot: `None` when it is missing.
    #[must_use]
    pub fn get(&self, slot: Slot) -> Option<Value<'a>> {
        self.held.get(usize::from(slot.0)).and_then(|cell| match cell.get() {
            Held::Missing | Held::Broken(_) => None,
            Held::There(value) => Some(value),
        })
    }

    /// The value in a slot, null when it is missing.
    ///
    /// # Errors
    /// What [`Row::set_broken`] put there.
    pub fn read(&self, slot: Slot) -> Result<Value<'a>, Fault<'a>> {
        match self.held.get(usize::from(slot.0)).map(Cell::get) {
            Some(Held::There(value)) => Ok(value),
            Some(Held::Broken(fault)) => Err(fault),
            Some(Held::Missing) | None => Ok(Value::Null),
        }
    }

    /// Puts the reason why there is no value into a slot.
    pub fn set_broken(&self, slot: Slot, fault: Fault<'a>) {
        if let Some(cell) = self.held.get(usize::from(slot.0)) {
            cell.set(Held::Broken(fault));
        }
    }

    /// Puts a value, or its absence, into a slot.
    pub fn set(&self, slot: Slot, value: Option<Value<'a>>) {
        if let Some(cell) = self.held.get(usize::from(slot.0)) {
            cell.set(value.map_or(Held::Missing, Held::There));
        }
    }

    /// The memo of an alias.
    #[must_use]
    pub fn alias(&self, index: u16) -> Option<Value<'a>> {
        self.held.get(self.slots + usize::from(index)).and_then(|cell| match cell.get() {
            Held::Missing | Held::Broken(_) => None,
            Held::There(value) => Some(value),
        })
    }

    /// Remembers the value of an alias.
    pub fn set_alias(&self, index: u16, value: Value<'a>) {
        if let Some(cell) = self.held.get(self.slots + usize::from(index)) {
            cell.set(Held::There(value));
        }
    }

    /// Forgets an alias.
    pub fn forget_alias(&self, index: u16) {
        if let Some(cell) = self.held.get(self.slots + usize::from(index)) {
            cell.set(Held::Missing);
        }
    }

    /// Slots of this row.
    #[must_use]
    pub const fn slot_count(&self) -> usize {
        self.slots
    }
}
