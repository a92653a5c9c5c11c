//! Scan tables: the last RETAIN_SIZE rows of a stream, packed, as one rule joins them (facts §3.3).
//!
//! In: rows of the table's own source. Out: the rows now held, oldest first. Bound: the row count and the bytes given; the oldest row
//! goes first, and a row larger than all of them is refused.

use crate::ring::{Overflow, Parts, ReaderId, Refused, Ring};
use crate::value::packed;
use crate::value::{Packed, Value};

/// Rows of one table.
#[derive(Debug)]
pub struct Table {
    rows: Ring<Box<[u8]>>,
    reader: ReaderId,
}

impl Table {
    /// An empty table that keeps `retain` rows (at least one) in `bytes` bytes.
    ///
    /// # Panics
    /// Never: a new ring has a free reader.
    #[must_use]
    pub fn new(retain: usize, bytes: usize) -> Self {
        let mut rows = Ring::new(vec![0; bytes].into_boxed_slice(), 1, Overflow::DropOldest, Some(retain.max(1)));
        let reader = rows.add_reader().expect("a new ring has a free reader");
        Self { rows, reader }
    }

    /// Adds a row; the oldest goes when the table is full.
    ///
    /// # Errors
    /// [`Refused::TooLarge`] when the row alone does not fit.
    pub fn push(&mut self, row: Packed<'_>) -> Result<(), Refused> {
        self.rows.push(&Parts { body: row.as_bytes(), ..Parts::default() }).map(|_| ())
    }

    /// The rows, oldest first.
    pub fn rows(&self) -> impl Iterator<Item = Value<'_>> {
        self.rows.undone(self.reader).filter_map(|record| packed::read(record.body).map(|(value, _)| value))
    }

    /// Rows held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// True without rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
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
