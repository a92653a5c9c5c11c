//! Scan tables: the last RETAIN_SIZE rows of a stream, packed, as one rule joins them (facts §3.3).
//!
//! In: rows of the table's own source. Out: the rows now held, oldest first. Bound: the row count and the bytes given; the oldest row
//! goes first, and a row larger than all of them is refused.

pub mod lookup;

pub use lookup::Lookup;

use crate::pages::Pages;
use crate::value::packed;
use crate::value::{Packed, Value};
use crate::window::rows::{Head, NoRoom, Rows};

/// Rows of one table.
#[derive(Debug)]
pub struct Table {
    rows: Rows<Pages>,
    retain: usize,
}

impl Table {
    /// An empty table that keeps `retain` rows (at least one) in `bytes` bytes.
    #[must_use]
    pub fn new(retain: usize, bytes: usize) -> Self {
        Self { rows: Rows::new(Pages::new(bytes)), retain: retain.max(1) }
    }

    /// Adds a row; the oldest goes when the table is full.
    ///
    /// # Errors
    /// [`NoRoom::TooLarge`] when the row alone does not fit.
    pub fn push(&mut self, row: Packed<'_>) -> Result<(), NoRoom> {
        if self.rows.len() >= self.retain {
            self.rows.drop_front(1);
        }
        let bytes = row.as_bytes();
        let head = Head { time_ms: 0, source: 0, tag: 0, meta: bytes };
        loop {
            match self.rows.push(head, |_| Some(0)) {
                Ok(_) => return Ok(()),
                Err(NoRoom::TooLarge) => return Err(NoRoom::TooLarge),
                Err(NoRoom::Full) => self.rows.drop_front(1),
            }
        }
    }

    /// Row `index`, the oldest first.
    #[must_use]
    pub fn row(&self, index: usize) -> Option<Value<'_>> {
        packed::read(self.rows.facts(index)).map(|(value, _)| value)
    }

    /// The rows, oldest first.
    pub fn rows(&self) -> impl Iterator<Item = Value<'_>> {
        (0..self.rows.len()).filter_map(|index| self.row(index))
    }

    /// Rows held.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.rows.len()
    }

    /// True without rows.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Scratch;

    #[test]
    fn keeps_the_last_rows() {
        let mut buf = vec![0; 1024];
        let scratch = Scratch::new(&mut buf);
        let mut table = Table::new(2, 1024);
        for i in 0..3 {
            let mut w = scratch.pack();
            w.begin_object().expect("room");
            w.entry("i", Value::Int(i)).expect("room");
            w.end().expect("room");
            table.push(w.finish().expect("an object")).expect("room");
        }
        let seen: Vec<_> = table
            .rows()
            .filter_map(|row| match row.member("i", &scratch) {
                Ok(Some(Value::Int(i))) => Some(i),
                _ => None,
            })
            .collect();
        assert_eq!(seen, [1, 2]);
    }
}
